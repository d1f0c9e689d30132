//! How fast the books are written, read and verified, with many entries.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::task::JoinSet;

use super::{BenchError, Given, cpu_times, per_second, percentile_us, round};
use crate::core::calendar::UtcMillis;
use crate::core::customer::Customer;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::balance::{EVER, balance_of};
use crate::ledger::customer::insert_customer;
use crate::ledger::entry::{Currency, Entry, Links, Posting, append_entry, entries_of};
use crate::ledger::verify::verify_ledger;
use crate::ledger::{Ledger, LedgerError, WriteTx};

const BEGIN: UtcMillis = UtcMillis(1_735_689_600_000);
/// Entries that are written at once: what a month takes for one customer, with a deposit and a payment.
const AT_ONCE: u64 = 10;
/// Such pieces of work that wait at a time: the ledger's writer commits them together.
const WAITING: usize = 256;
/// Entries for each customer: a few years of one invoice a month, with deposits and payments.
const PER_CUSTOMER: u64 = 100;
const LOOK_UPS: u32 = 10_000;

/// What was measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LedgerReport {
    pub entries: u64,
    pub postings: u64,
    pub customers: u64,
    /// Ten by ten, many at a time, until the last is on disk.
    pub appends_per_second: f64,
    /// Everything recomputed, on one core.
    pub verify_s: f64,
    /// Of it, on the core, which others' work does not lengthen by much. `None` where the system does not tell.
    pub verify_busiest_s: Option<f64>,
    /// The balance of one account of one customer.
    pub balance_p50_us: f64,
    pub balance_p99_us: f64,
    /// The newest fifty entries of one customer.
    pub page_p99_us: f64,
}

/// Fills the ledger of a data directory with `entries` entries, reads it and verifies it.
///
/// # Errors
/// [`BenchError`] if the directory has a ledger already or cannot be written, or if the books turn out not to be sound.
pub fn measure_ledger(data_dir: &Path, entries: u64) -> Result<LedgerReport, BenchError> {
    let path = data_dir.join("ledger.db");
    if path.exists() {
        return Err(BenchError::LedgerExists { path });
    }
    std::fs::create_dir_all(data_dir).map_err(|source| BenchError::File { path: data_dir.to_owned(), source })?;
    let ledger = Arc::new(Ledger::open(&path, 1)?);
    let customers = entries.div_ceil(PER_CUSTOMER).max(1);
    for first in (1..=customers).step_by(1000) {
        let last = first.saturating_add(999).min(customers);
        ledger.write_blocking(move |tx| (first..=last).try_for_each(|number| insert(tx, number)))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|source| BenchError::File { path: data_dir.to_owned(), source })?;
    let started = Instant::now();
    runtime.block_on(append_all(&ledger, entries, customers))?;
    let appends_per_second = per_second(entries, started.elapsed());

    let (started, before) = (Instant::now(), cpu_times());
    let found = ledger.read_blocking(verify_ledger)?;
    let (verify_s, given) = (started.elapsed().as_secs_f64(), Given::since(&before));
    if !found.is_sound() || found.entries != entries {
        return Err(BenchError::Unsound { findings: found.finding_count, entries: found.entries });
    }
    let balances = ledger.read_blocking(move |tx| {
        look_up(customers, |customer| balance_of(tx, customer, "escrow", Currency::Usd, EVER).map(drop))
    })?;
    let pages =
        ledger.read_blocking(move |tx| look_up(customers, |customer| entries_of(tx, customer, None, 50).map(drop)))?;
    ledger.close();
    Ok(LedgerReport {
        entries,
        postings: found.postings,
        customers,
        appends_per_second: round(appends_per_second, 1.0),
        verify_s: round(verify_s, 1000.0),
        verify_busiest_s: given.map(|given| round(given.busiest.as_secs_f64(), 1000.0)),
        balance_p50_us: percentile_us(50, balances.clone()),
        balance_p99_us: percentile_us(99, balances),
        page_p99_us: percentile_us(99, pages),
    })
}

async fn append_all(ledger: &Arc<Ledger>, entries: u64, customers: u64) -> Result<(), BenchError> {
    let mut waiting = JoinSet::new();
    for first in (0..entries).step_by(usize::try_from(AT_ONCE).unwrap_or(1)) {
        let until = first.saturating_add(AT_ONCE).min(entries);
        let ledger = Arc::clone(ledger);
        waiting.spawn(async move {
            ledger.write(move |tx| (first..until).try_for_each(|number| append(tx, number, customers))).await
        });
        if waiting.len() >= WAITING {
            waiting.join_next().await.unwrap_or(Ok(Ok(()))).unwrap_or(Err(LedgerError::Closed.into()))?;
        }
    }
    while let Some(done) = waiting.join_next().await {
        done.unwrap_or(Err(LedgerError::Closed.into()))?;
    }
    Ok(())
}

fn customer(number: u64) -> Result<CustomerId, BenchError> {
    let number = u32::try_from(number).unwrap_or(0);
    CustomerId::new(number).ok_or(BenchError::NoCustomer { number })
}

fn insert(tx: &WriteTx<'_>, number: u64) -> Result<(), BenchError> {
    let id = customer(number)?;
    let wallet = format!("0x{number:064x}").parse().map_err(|_| BenchError::NoCustomer { number: id.get() })?;
    Ok(insert_customer(tx, &Customer::new(id, wallet, BEGIN))?)
}

/// A deposit, an invoice of two lines, and its payment, in turn.
fn append(tx: &WriteTx<'_>, number: u64, customers: u64) -> Result<(), BenchError> {
    let (reason, postings) = match number % 3 {
        0 => ("deposit", vec![posting("chain_clearing", "", 30), posting("escrow", "", -30)]),
        1 => (
            "invoice_issued",
            vec![
                posting("receivable", "", 30),
                posting("revenue", "subscription", -29),
                posting("revenue", "requests", -1),
            ],
        ),
        _ => ("invoice_paid", vec![posting("escrow", "", 30), posting("receivable", "", -30)]),
    };
    let entry = Entry {
        key: format!("{reason}-{number}"),
        at: BEGIN.plus_ms(i64::try_from(number).unwrap_or(0)),
        reason: reason.into(),
        customer: customer(1 + number / AT_ONCE % customers)?,
        links: Links::default(),
        postings,
    };
    Ok(append_entry(tx, &entry).map(drop)?)
}

fn posting(account: &'static str, sub_account: &'static str, dollars: i32) -> Posting {
    let amount = Usd::from_dollars(dollars);
    Posting { account: account.into(), sub_account: sub_account.into(), currency: Currency::Usd, amount }
}

fn look_up(customers: u64, ask: impl Fn(CustomerId) -> Result<(), LedgerError>) -> Result<Vec<Duration>, BenchError> {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut times = Vec::new();
    for _ in 0..LOOK_UPS {
        let customer = customer(rng.u64(1..=customers))?;
        let started = Instant::now();
        ask(customer)?;
        times.push(started.elapsed());
    }
    Ok(times)
}
