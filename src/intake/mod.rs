//! Log bytes in: follows files through every rotation, receives syslog and what remote gateways send into spools, frames
//! and parses lines, and hands batches to `traffic`.
//!
//! ```text
//! reader thread                                    writer thread
//! file bytes ─▶ lines ─▶ Batch (rows, deltas,   ─▶ one transaction ─▶ Committed (watched by whoever waits
//!               rejected lines, positions)    ↑                        for news)
//!                                  at most one waiting
//! ```
//!
//! Files, spools and all else that is read take their turns in the one reader thread (`sources`).
//!
//! Invariants: a file position is only ever stored together with the rows before it; a full queue or a store that
//! cannot write makes the reader wait, and nothing is dropped (the log files are the queue).

mod file;
mod follow;
mod hindrance;
mod import;
mod listing;
mod origin;
mod pipeline;
mod reader;
mod remote;
mod room;
mod sources;
mod spool;
mod syslog;
#[cfg(test)]
mod tests;

pub use follow::Follower;
pub use import::{DropFolder, ImportStatus, Imports, Outcome, imported_files};
pub use listing::{packed_siblings, unread_siblings};
pub use pipeline::{Intake, IntakeOptions, Until};
pub use remote::{GatewayStreams, StreamError, gateway_spools};
pub use room::Room;
pub use sources::{Inputs, logs_of};
pub use spool::{
    AppendError, Chunk, Delivered, Depth, Journal, Outbox, OutboxLimits, Packed, Spool, SpoolThread, counted_logs,
};
pub use syslog::{Received, SyslogAddresses, SyslogReceivers};

use std::io;
use std::path::PathBuf;

use crate::traffic::TrafficError;

/// Something intake could not do.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the log file {path} has no name or no folder: give a path like /var/log/haproxy.log")]
    NotAFile { path: PathBuf },
    #[error("cannot receive syslog on {address}: {source}; {advice}")]
    Listen { address: String, advice: &'static str, source: io::Error },
    #[error("cannot use the folder of imports {path}")]
    Import { path: PathBuf, source: io::Error },
    #[error("cannot use the spool {path}")]
    Spool { path: PathBuf, source: io::Error },
    #[error("cannot start a thread of intake")]
    Spawn { source: io::Error },
    #[error(transparent)]
    Traffic(#[from] TrafficError),
}
