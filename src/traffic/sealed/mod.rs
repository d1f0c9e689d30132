//! Requests that are old enough not to change any more: Parquet files in the folder [`FOLDER`] beside the store.
//!
//! ```text
//!  requests (hot) ── seal: written, fsynced, read back and compared ──▶ file ── retention ──▶ unregistered ──▶ deleted
//!        └────────── in one transaction: registered, removed from the hot table, view replaced ──┘
//! ```
//!
//! Invariants: a row is in the hot table or in exactly one registered file, whenever the process is killed; queries see
//! one view, `all_requests`, over both. What a round deletes was noted as disposable before: files that are being
//! written, so that a crash leaves none behind, and retired ones. A file that the store does not know stays.
//!
//! # Layout
//! One file holds the requests of a span of at most one day (UTC), sorted by customer and time, in the columns of the
//! view `requests`, but with `log_offset` (the log counter minus the request counter; beyond 2⁶² `log_counter_whole`)
//! in place of the log counter, so that other programs can read it by itself. zstd, row groups of 122,880.

mod adopt;
mod retain;
mod seal;
mod verify;
mod view;

pub use adopt::Adopted;
pub use retain::{Dropped, KeptFor};
pub use seal::{Part, SealReport};
pub use verify::VerifyReport;
pub(super) use view::{prepare_folder, quoted, refresh_view, registered_files, relation_of};

use crate::core::calendar::{DAY_MS, UtcMillis};

/// The folder's name.
pub(super) const FOLDER: &str = "chunks";

/// A condition for the requests of one day, counted from 1970.
pub(super) fn within_day(day: i64) -> String {
    let start = UtcMillis(day.saturating_mul(DAY_MS));
    seal::within(start, start.plus_ms(DAY_MS))
}

#[cfg(test)]
mod tests;
