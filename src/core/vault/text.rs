//! The one spelling of a content: lines of canonical JSON (keys sorted, integers only, no blanks, no escapes), each ended
//! by a line feed. The first names the vault, each other is a customer, in ascending order.
//!
//! ```text
//! {"code":"sma","format":1}
//! {"allowlist":["203.0.113.0/24"],"burst":45,"customer":7,"guaranteed":15,"keys":{"<SHA-256, lower-case hex>":[16842620,
//!     1795424400000]},"per_ip":0,"priority":2,"status":"on","tier":"pro"}                       (one line in the file)
//! ```
//! A key has its fingerprint and, if it expires, the instant in milliseconds. Without an allowlist there is none, rather
//! than an empty one. The vault of key servers has lines like
//! ```text
//! {"customer":7,"keys":[{"group":0,"index":1,"object":"0x…","packages":["0x…"]}],"status":"on"}
//! ```
//! in which `object` is absent until the key is registered. A line is a customer's whole entry, so two contents can be
//! compared line by line, and a line that is the same means the same. What is read is written again and compared: there
//! is no second spelling that would be taken.

mod line;

use std::collections::BTreeMap;

use super::code::{Purpose, VaultCode};
use super::content::{ApiEntry, Content, SealEntry};
use crate::core::id::CustomerId;

pub use line::BadLine;

/// Which spelling it is.
const FORMAT: u8 = 1;
/// Bytes of a content, at most: about two million customers.
pub const MAX_CONTENT_BYTES: u64 = 512 * 1024 * 1024;
/// Bytes of a line, at most: thousands of keys.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Why a text is no content of the vault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadContent {
    #[error("the content is longer than {MAX_CONTENT_BYTES} bytes")]
    TooLong,
    #[error("the content does not begin with the line of the vault {0}")]
    FirstLine(VaultCode),
    #[error("line {line} of the content {reason}")]
    Line {
        /// From 1.
        line: usize,
        reason: BadLine,
    },
}

/// An entry that can be written as a line and read back.
pub trait Entry: Sized + PartialEq {
    /// Appends the line of a customer.
    fn write_line(&self, customer: CustomerId, text: &mut Vec<u8>);

    /// Reads a line, without its line feed.
    ///
    /// # Errors
    /// [`BadLine`] for anything but what [`Self::write_line`] writes.
    fn read_line(line: &[u8]) -> Result<(CustomerId, Self), BadLine>;
}

/// The first line of a vault, with its line feed.
pub fn first_line(code: VaultCode) -> Vec<u8> {
    format!("{{\"code\":\"{code}\",\"format\":{FORMAT}}}\n").into_bytes()
}

/// The whole content of a vault, which must be of the code's purpose.
pub fn write(code: VaultCode, content: &Content) -> Vec<u8> {
    let mut text = first_line(code);
    match content {
        Content::Api(vault) => vault.iter().for_each(|(customer, entry)| entry.write_line(*customer, &mut text)),
        Content::SealKeys(vault) => vault.iter().for_each(|(customer, entry)| entry.write_line(*customer, &mut text)),
    }
    text
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// [`BadContent`] for anything else.
pub fn parse(code: VaultCode, text: &[u8]) -> Result<Content, BadContent> {
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_CONTENT_BYTES {
        return Err(BadContent::TooLong);
    }
    let lines = text.strip_prefix(first_line(code).as_slice()).ok_or(BadContent::FirstLine(code))?;
    Ok(match code.purpose() {
        Purpose::Api => Content::Api(entries::<ApiEntry>(lines)?),
        Purpose::SealKeys => Content::SealKeys(entries::<SealEntry>(lines)?),
    })
}

fn entries<E: Entry>(text: &[u8]) -> Result<BTreeMap<CustomerId, E>, BadContent> {
    let mut found: Vec<(CustomerId, E)> = Vec::new();
    for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let bad = |reason| BadContent::Line { line: index + 2, reason };
        let line = line.strip_suffix(b"\n").ok_or(bad(BadLine::Cut))?;
        if line.len() > MAX_LINE_BYTES {
            return Err(bad(BadLine::TooLong));
        }
        let (customer, entry) = E::read_line(line).map_err(bad)?;
        if found.last().is_some_and(|(before, _)| *before >= customer) {
            return Err(bad(BadLine::Order));
        }
        found.push((customer, entry));
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests;
