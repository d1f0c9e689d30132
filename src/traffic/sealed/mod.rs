//! Requests that are old enough not to change any more: Parquet files in the folder [`FOLDER`] beside the store.
//!
//! ```text
//!  requests (hot) ── seal: written, fsynced, read back and compared ──▶ file ── retention ──▶ unregistered ──▶ deleted
//!        └────────── in one transaction: registered, removed from the hot table, view replaced ──┘
//! ```
//!
//! Invariants: a row is in the hot table or in exactly one registered file, whenever the process is killed; queries see
//! one view, `all_requests`, over both. A file that is not registered is left over from a crash, or has been retired,
//! and is deleted by the next round.
//!
//! # Layout
//! One file holds the requests of a span of at most one day (UTC), sorted by customer and time, in the columns of the
//! table `requests`, but with `log_offset` (the log counter minus the request counter; beyond 2⁶² `log_counter_whole`) in place of the log counter, and in four more that repeat the numbers of words as texts (`method_text`, `termination_text`,
//! `backend_text`, `server_text`), so that other programs can read it by itself. zstd, row groups of 122,880.

mod adopt;
mod retain;
mod seal;
mod verify;
mod view;

pub use adopt::Adopted;
pub(super) use adopt::sealed_relation;
pub use retain::{Kept, KeptFor};
pub use seal::{Part, SealReport};
pub use verify::VerifyReport;

use crate::core::calendar::UtcMillis;
pub(super) use view::{prepare_folder, quoted, refresh_view};

/// The folder's name.
pub(super) const FOLDER: &str = "chunks";
/// A condition for the requests of one day, counted from 1970.
pub(super) fn within_day(day: i64) -> String {
    let start = UtcMillis(day.saturating_mul(DAY_MS));
    seal::within(start, start.plus_ms(DAY_MS))
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

#[cfg(test)]
mod tests;
