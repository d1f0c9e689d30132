//! What lists and creations of API keys and of Seal keys have in common.

use std::fmt::Display;
use std::str::FromStr;

use crate::app::Refusal;
use crate::core::api_key::ProcessGroup;
use crate::core::calendar::UtcMillis;
use crate::core::error_code::Code;

/// The group of server processes that serves new keys.
const PROCESS_GROUP: u8 = 1;

pub(super) fn process_group() -> Result<ProcessGroup, Refusal> {
    ProcessGroup::new(PROCESS_GROUP).ok_or_else(|| Refusal::of(Code::Internal))
}

/// An id from an address: what cannot be read names nothing that exists.
pub(super) fn read_id<I: FromStr>(text: &str) -> Result<I, Refusal> {
    text.parse().map_err(|_| Refusal::of(Code::NotFound))
}

/// Where a page of records ends that are listed by time of creation and id.
pub(super) fn write_cursor(created_at: UtcMillis, id: &impl Display) -> String {
    format!("{}.{id}", created_at.0)
}

pub(super) fn read_cursor<I: FromStr>(text: &str) -> Result<(UtcMillis, I), Refusal> {
    let parts = text.split_once('.').and_then(|(at, id)| Some((UtcMillis(at.parse().ok()?), id.parse().ok()?)));
    parts.ok_or_else(|| Refusal::of(Code::InvalidCursor))
}
