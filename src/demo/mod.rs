//! Everything outside suiftly that a demonstration needs, started and stopped by it: an HAProxy with the shipped
//! rules, a backend behind it, customers in front of it; or, where no HAProxy is installed, lines as it would have
//! written them.
//!
//! What holds, and is tested with a real HAProxy: every request that [`load`] counts as sent is one line in the log,
//! whenever the load is stopped.

mod cast;
pub mod haproxy;
pub mod load;
mod observe;
pub mod plan;
pub mod run;
pub mod synthetic;
pub mod time_travel;
pub mod upstream;

pub use crate::app::DemoTraffic;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinError;

use crate::app::AppError;
use crate::chain::SimError;
use crate::core::calendar::NotAMonth;
use crate::core::config_global::BadConfig;
use crate::core::haproxy_config::BadSetting;
use crate::daemon::DaemonError;
use crate::gateway::map_files::MapFileError;
use crate::ledger::LedgerError;

/// A part of the demonstration that could not be started, run or stopped.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file could not be used as the verb says.
    #[error("cannot {operation} {path}")]
    File { operation: &'static str, path: PathBuf, source: io::Error },
    /// The configuration cannot be rendered.
    #[error(transparent)]
    Setting(#[from] BadSetting),
    /// `haproxy -c` said no; the message is its own.
    #[error("HAProxy refuses the configuration {path}:\n{message}")]
    ConfigurationRefused { path: PathBuf, message: String },
    /// HAProxy could not be run or signalled, as the verb says.
    #[error("cannot {operation} HAProxy")]
    Process { operation: &'static str, source: io::Error },
    /// HAProxy ended, or did not answer in time; the message is what it wrote to standard error.
    #[error("HAProxy did not start:\n{message}")]
    NotRunning { message: String },
    /// The machine has no randomness to draw customers and keys from.
    #[error("the system gave no random bytes")]
    NoRandomness,
    #[error(transparent)]
    Random(#[from] crate::random::NoRandomness),
    #[error(transparent)]
    Maps(#[from] MapFileError),
    #[error(transparent)]
    Prices(#[from] BadConfig),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    App(Box<AppError>),
    #[error(transparent)]
    Chain(#[from] SimError),
    #[error("the clock shows no month of the calendar")]
    Clock(#[from] NotAMonth),
    /// Something that the demonstration does itself was refused.
    #[error("the demo was refused something: {0}")]
    Refused(String),
    #[error(transparent)]
    Daemon(Box<DaemonError>),
    #[error("a task of the demo has panicked")]
    Panicked(#[from] JoinError),
    /// The backend's port, or a port for HAProxy, could not be had.
    #[error("cannot listen on the loopback address for {purpose}")]
    Port { purpose: &'static str, source: io::Error },
}

/// Boxed, because it is large and every part of the demonstration returns this error.
impl From<DaemonError> for DemoError {
    fn from(error: DaemonError) -> Self {
        Self::Daemon(Box::new(error))
    }
}

/// Boxed for the same reason.
impl From<AppError> for DemoError {
    fn from(error: AppError) -> Self {
        Self::App(Box::new(error))
    }
}

/// What a load has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadCounts {
    /// Requests that were written, each a line in the log: the answered and the failed ones.
    pub sent: u64,
    /// A whole response came back, whatever its status.
    pub answered: u64,
    /// Written, but without a whole response in time.
    pub failed: u64,
}

/// Counts of a running load, for whoever shows them meanwhile.
#[derive(Debug, Default)]
pub struct LiveCounts {
    answered: AtomicU64,
    failed: AtomicU64,
}

impl LiveCounts {
    /// The counts at this moment.
    pub fn read(&self) -> LoadCounts {
        let answered = self.answered.load(Ordering::Acquire);
        let failed = self.failed.load(Ordering::Acquire);
        LoadCounts { sent: answered + failed, answered, failed }
    }

    fn add_answered(&self, requests: u64) {
        self.answered.fetch_add(requests, Ordering::AcqRel);
    }

    fn add_failed(&self, requests: u64) {
        self.failed.fetch_add(requests, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
