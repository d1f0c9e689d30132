//! Benchmarks that ship with the program, so that an operator can measure the machine at hand.

mod generate;
mod intake;

pub use generate::generate;
pub use intake::{IntakeReport, measure_intake};

use std::io;
use std::path::PathBuf;

use crate::intake::IntakeError;
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
    #[error("{lines} lines were in the file, and only {counted} were counted; the log above says why")]
    Uncounted { lines: u64, counted: u64 },
}
