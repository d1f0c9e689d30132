//! The activity log, as its customers read it and as an operator checks it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, AppError, Caller, Refusal};
use crate::core::activity::{BrokenChain, ChainedActivity, GENESIS, Hash};
use crate::core::error_code::Code;
use crate::ledger::activity::{activity_after, activity_of};
use crate::ledger::{Ledger, LedgerError};

/// Entries that are checked in one transaction.
const CHECKED_AT_ONCE: u32 = 10_000;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Activity)]
pub struct ActivityView {
    pub activity_id: u64,
    #[schema(format = DateTime)]
    pub at: String,
    /// `wallet`, the id of the session or API token, `operator` or `system`.
    pub actor: String,
    /// Where the request came from; empty without a request.
    pub ip: String,
    /// A noun and a verb, such as `api_key.create`.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// What changed.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
    /// The link of the chain that makes later changes of the log show, in hexadecimal.
    pub hash: String,
}

/// A page of the log, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActivityPage {
    pub items: Vec<ActivityView>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}

/// How a check of the whole log ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Entries that hold.
    pub entries: u64,
    /// The newest one's hash: whoever notes it elsewhere can tell later that none is missing at the end.
    pub head: Hash,
    pub broken: Option<BrokenChain>,
}

impl App {
    /// A page of the caller's log.
    ///
    /// # Errors
    /// [`Code::InvalidCursor`].
    pub async fn list_activity(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<ActivityPage, AppError> {
        let before = cursor.map(str::parse::<u64>).transpose().map_err(|_| Refusal::of(Code::InvalidCursor))?;
        let customer = caller.customer;
        let more = limit.saturating_add(1);
        let mut found =
            self.ledger.read(move |tx| activity_of(tx, customer, before, more)).await.map_err(AppError::from)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_last = found.len() <= limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| !is_last).map(|entry| entry.number.to_string());
        Ok(ActivityPage { items: found.into_iter().map(view).collect(), next_cursor })
    }
}

fn view(entry: ChainedActivity) -> ActivityView {
    let ChainedActivity { number, activity, hash, .. } = entry;
    ActivityView {
        activity_id: number,
        at: activity.at.to_string(),
        actor: activity.actor,
        ip: activity.ip,
        action: activity.action,
        subject: activity.subject,
        details: serde_json::from_str(&activity.details).unwrap_or_default(),
        hash: data_encoding::HEXLOWER.encode(&hash),
    }
}

/// Checks every entry of the log, and that `expected` is the hash of the newest. Blocks.
///
/// # Errors
/// [`LedgerError`] if it cannot be read.
pub fn audit(ledger: &Ledger, expected: Option<Hash>) -> Result<Audit, LedgerError> {
    let mut last = (0, GENESIS);
    loop {
        let (after, _) = last;
        let entries = ledger.read_blocking(move |tx| activity_after(tx, after, CHECKED_AT_ONCE))?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            match entry.check_after(last) {
                Ok(next) => last = next,
                Err(broken) => return Ok(Audit { entries: last.0, head: last.1, broken: Some(broken) }),
            }
        }
    }
    let (entries, head) = last;
    let is_other = expected.is_some_and(|expected| expected != head);
    Ok(Audit { entries, head, broken: is_other.then_some(BrokenChain::Head { number: entries }) })
}
