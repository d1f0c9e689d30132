//! `suiftly demo --time-travel`: a year of business within a minute. Customers sign deposits, subscribe, grow, forget to
//! pay, leave and come back; the operator grants credit, gives back and changes a price; months are closed.
//!
//! Everything is what the daemon runs (use cases, decisions, ledger, outbox, the simulated chain with its faults), with
//! two differences: time is set, and requests are not made. Their hours are written into the ledger as metering would.
//! The same seed leads to the same books.

mod acts;
mod books;
mod people;
mod year;

pub use books::{MonthReport, TravelReport};

use tempfile::TempDir;
use tokio::task::spawn_blocking;

use self::people::cast;
use self::year::Year;
use super::DemoError;
use crate::app::App;
use crate::chain::{Chain, FaultPlan, SimChain};
use crate::clock::Clock;
use crate::core::calendar::{Month, UtcMillis};
use crate::daemon::open_at_rest;
use crate::random::random;

/// 2025-01-01T00:00:00Z
const BEGIN: UtcMillis = UtcMillis(1_735_689_600_000);
/// Longer than anybody wants to look at.
pub const MAX_MONTHS: u16 = 36;

/// How to travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TravelOptions {
    /// Decides about everything that is left to chance.
    pub seed: u64,
    /// From January 2025 on; at most [`MAX_MONTHS`].
    pub months: u16,
}

/// Lives through the months, tells about each, and gives an account of the books at the end.
///
/// # Errors
/// [`DemoError`] if a part cannot be opened, or fails where it must not.
pub async fn travel(options: TravelOptions, mut tell: impl FnMut(&MonthReport)) -> Result<TravelReport, DemoError> {
    let folder = tempfile::Builder::new().prefix("suiftly-time-travel-").tempdir();
    let temporary = std::env::temp_dir();
    let folder = folder.map_err(|source| DemoError::File { operation: "use", path: temporary, source })?;
    let app = open(&folder, options.seed).await?;
    let mut year = Year::begin(&app, options.seed, cast()).await?;
    let mut month = Month::of(BEGIN)?;
    let mut months = Vec::new();
    for number in 1..=options.months.min(MAX_MONTHS) {
        let report = year.live(number, month).await?;
        tell(&report);
        months.push(report);
        month = month.next()?;
    }
    let report = year.finish(options.seed, months).await?;
    spawn_blocking(move || app.ledger.close()).await?;
    Ok(report)
}

async fn open(folder: &TempDir, seed: u64) -> Result<App, DemoError> {
    let path = folder.path().to_owned();
    let open = move || -> Result<App, DemoError> {
        let sim = SimChain::open(&path.join("sim-chain.journal"), random()?)?;
        sim.set_fault_plan(Some(faults(seed)));
        Ok(open_at_rest(&path, Clock::settable(BEGIN), Chain::Sim(sim))?.0)
    };
    spawn_blocking(open).await?
}

/// What goes wrong with a chain on a bad day, all year.
const fn faults(seed: u64) -> FaultPlan {
    FaultPlan {
        seed,
        drop_permille: 20,
        lose_answer_permille: 20,
        late_permille: 10,
        late_up_to_ms: 30_000,
        duplicate_permille: 50,
        reorder_permille: 50,
    }
}
