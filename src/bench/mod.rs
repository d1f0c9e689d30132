//! Benchmarks that ship with the program, so that an operator can measure the machine at hand.

mod accounts;
mod generate;
mod intake;
mod query;

pub use accounts::{AccountsReport, measure_accounts};
pub use generate::generate;
pub use intake::{IntakeReport, measure_intake};
pub use query::{QueryReport, measure_queries};

use std::io;
use std::path::PathBuf;

use crate::intake::IntakeError;
use crate::ledger::LedgerError;
use crate::traffic::TrafficError;

/// A benchmark that could not run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("cannot use {path}")]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("there is a ledger {path} already, and it is not touched: name an empty directory")]
    LedgerExists { path: PathBuf },
    #[error("customer {number} cannot be made up")]
    NoCustomer { number: u32 },
    #[error("a key was not found again, or another one was")]
    KeyNotFound,
    #[error("{lines} lines were in the file, and only {counted} were counted; the log above says why")]
    Uncounted { lines: u64, counted: u64 },
}

/// To whole parts of `steps`: for figures that people read.
fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}
