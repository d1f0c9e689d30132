//! Benchmarks that ship with the program, so that an operator can measure the machine at hand.

mod accounts;
mod billing;
mod generate;
mod intake;
mod ledger;
mod parse;
mod propagation;
mod query;
mod vault;

pub use accounts::{AccountsReport, measure_accounts};
pub use billing::{BillingReport, measure_billing};
pub use generate::generate;
pub use intake::{IntakeReport, measure_intake};
pub use ledger::{LedgerReport, measure_ledger};
pub use parse::{ParseReport, measure_parse};
pub use propagation::{PropagationOptions, PropagationReport, measure_propagation};
pub use query::{QueryReport, measure_queries};
pub use vault::{VaultReport, measure_vaults};

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

use crate::app::AppError;
use crate::app::billing::BillingFailure;
use crate::core::log_line::Format;
use crate::intake::IntakeError;
use crate::ledger::LedgerError;
use crate::random::NoRandomness;
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
    #[error(transparent)]
    Billing(Box<BillingFailure>),
    #[error(transparent)]
    App(Box<AppError>),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error("a change was committed and no vault was written")]
    NoVault,
    #[error("the gateway cannot be measured: {0}")]
    Gateway(String),
    #[error("there are no prices")]
    NoPrices,
    #[error("there is a ledger {path} already, and it is not touched: name an empty directory")]
    LedgerExists { path: PathBuf },
    #[error("the store has {rows} requests, and not {requests}: name an empty directory")]
    OtherStore { rows: u64, requests: u64 },
    #[error("customer {number} cannot be made up")]
    NoCustomer { number: u32 },
    #[error("the books are not sound, or not whole: {findings} findings, {entries} entries")]
    Unsound { findings: u64, entries: u64 },
    #[error("a key was not found again, or another one was")]
    KeyNotFound,
    #[error("{lines} lines were in the file, and only {counted} were counted; the log above says why")]
    Uncounted { lines: u64, counted: u64 },
    #[error("a line of format {format} cannot be made up")]
    Made { format: Format, source: io::Error },
    #[error("{lines} lines of format {format} were made up, and only {parsed} could be parsed")]
    Unparsed { format: Format, lines: u64, parsed: u64 },
}

impl From<BillingFailure> for BenchError {
    fn from(failure: BillingFailure) -> Self {
        Self::Billing(Box::new(failure))
    }
}

impl From<AppError> for BenchError {
    fn from(error: AppError) -> Self {
        Self::App(Box::new(error))
    }
}

/// To whole parts of `steps`: for figures that people read.
fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

/// The shortest time that so many per cent do not exceed, in microseconds.
fn percentile_us(percent: usize, mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let at = times.get(times.len() * percent / 100).copied().unwrap_or_default();
    round(at.as_secs_f64() * 1_000_000.0, 10.0)
}

/// How long each thread has been running on a core, by number; nothing where the system does not tell.
fn cpu_times() -> BTreeMap<OsString, Duration> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return BTreeMap::new() };
    let time_of = |thread: &fs::DirEntry| {
        let statistics = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        statistics.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    threads.flatten().filter_map(|thread| Some((thread.file_name(), time_of(&thread)?))).collect()
}

/// Time on cores, which others' work does not lengthen by much.
#[derive(Debug, Clone, Copy)]
struct Given {
    all: Duration,
    busiest: Duration,
}

impl Given {
    fn since(before: &BTreeMap<OsString, Duration>) -> Option<Self> {
        let since =
            |(thread, now): (OsString, Duration)| now.saturating_sub(before.get(&thread).copied().unwrap_or_default());
        let times: Vec<Duration> = cpu_times().into_iter().map(since).collect();
        let busiest = times.iter().copied().max().filter(|time| !time.is_zero())?;
        Some(Self { all: times.iter().sum(), busiest })
    }
}

fn per_second(lines: u64, elapsed: Duration) -> f64 {
    to_float(lines) / elapsed.as_secs_f64()
}

#[expect(clippy::as_conversions, reason = "counts below 2⁵³, for a ratio that people read")]
fn to_float(count: u64) -> f64 {
    count as f64
}
