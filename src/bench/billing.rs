//! How fast a month is closed for many customers, and how fast a preview is made.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{BenchError, Given, cpu_times, percentile_us, round};
use crate::app::billing::{BillingFailure, Closed, Closing, Tariff, carry_out, close_month, foresee};
use crate::core::billing::{
    Action, ChainEventId, ChainMove, ChargeAnswer, Completeness, Event, InvoiceId, Outcome, SpendingLimit,
};
use crate::core::calendar::{DAY_MS, HOUR_MS, Month, UtcMillis};
use crate::core::config_global::{ConfigGlobal, KEYS};
use crate::core::customer::Customer;
use crate::core::id::{CustomerId, Service};
use crate::core::money::Usd;
use crate::core::tier::Tier;
use crate::core::usage::HourUsage;
use crate::ledger::charge::unanswered_charges_of;
use crate::ledger::config_global::{insert_missing_config, load_config_global};
use crate::ledger::customer::insert_customer;
use crate::ledger::escrow::{StoredEscrowAccount, put_escrow_account};
use crate::ledger::usage::set_usage;
use crate::ledger::verify::verify_ledger;
use crate::ledger::{Ledger, WriteTx};

/// 2025-01-10T00:00:00Z: when customers subscribe.
const BEGIN: UtcMillis = UtcMillis(1_736_467_200_000);
/// Hours of the month with usage, for each customer.
const HOURS: i64 = 48;
/// Customers that are made up in one transaction.
const AT_ONCE: u32 = 200;
const PREVIEWS: u32 = 2_000;

/// What was measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BillingReport {
    pub customers: u32,
    /// Making up customers with an escrow account, a subscription that was paid, and 48 hours of usage.
    pub fill_s: f64,
    /// Closing their month: until the last invoice and the demand for its payment are on disk.
    pub close_s: f64,
    pub customers_per_second: f64,
    /// Of it, on a core: all threads together, and the one that had most to do, which nothing can be faster than.
    /// `None` where the system does not tell.
    pub close_cpu_s: Option<f64>,
    pub close_busiest_s: Option<f64>,
    /// The same for the month after it. Its drafts were made in the order in which customers are closed; those of the first
    /// in the order in which they came, so that each lies on another page.
    pub next_close_s: f64,
    pub next_close_busiest_s: Option<f64>,
    /// Of a larger tier, to the micro-dollar.
    pub preview_p50_us: f64,
    pub preview_p99_us: f64,
    /// Everything recomputed afterwards.
    pub verify_s: f64,
    pub entries: u64,
}

/// Fills the ledger of a data directory with customers and closes their month.
///
/// # Errors
/// [`BenchError`] if the directory has a ledger already or cannot be written, or if the books turn out not to be sound.
pub fn measure_billing(data_dir: &Path, customers: u32) -> Result<BillingReport, BenchError> {
    let path = data_dir.join("ledger.db");
    if path.exists() {
        return Err(BenchError::LedgerExists { path });
    }
    std::fs::create_dir_all(data_dir).map_err(|source| BenchError::File { path: data_dir.to_owned(), source })?;
    let ledger = Ledger::open(&path, 1)?;
    ledger.write_blocking(|tx| insert_missing_config(tx, KEYS))?;
    let config = ledger.read_blocking(load_config_global)?;
    let config = ConfigGlobal::from_table(&config).map_err(|_| BenchError::NoPrices)?;
    let tariff = Tariff::of(&config, 0);

    let started = Instant::now();
    for first in (1..=customers).step_by(usize::try_from(AT_ONCE).unwrap_or(1)) {
        let (last, tariff) = (first.saturating_add(AT_ONCE - 1).min(customers), tariff.clone());
        ledger.write_blocking(move |tx| (first..=last).try_for_each(|number| make_up(tx, number, &tariff)))?;
    }
    let fill_s = started.elapsed().as_secs_f64();

    let month = Month::of(BEGIN).map_err(BillingFailure::from)?;
    let now = month.end().plus_ms(2 * HOUR_MS);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|source| BenchError::File { path: data_dir.to_owned(), source })?;
    let close = |month, now| -> Result<(Closed, f64, Option<Given>), BenchError> {
        let (completeness, tariff) = (Completeness { received: 1_000_000, lost: 41 }, tariff.clone());
        let closing = Closing { month, completeness, tariff, price: config.request_price(), now };
        let (started, before) = (Instant::now(), cpu_times());
        let closed = runtime.block_on(close_month(&ledger, closing))?;
        Ok((closed, started.elapsed().as_secs_f64(), Given::since(&before)))
    };
    let (closed, close_s, given) = close(month, now)?;
    let previews = preview_some(&ledger, customers, tariff.clone(), now.plus_ms(DAY_MS))?;

    let next = month.next().map_err(BillingFailure::from)?;
    for first in (1..=customers).step_by(usize::try_from(AT_ONCE).unwrap_or(1)) {
        let (last, tariff) = (first.saturating_add(AT_ONCE - 1).min(customers), tariff.clone());
        ledger.write_blocking(move |tx| (first..=last).try_for_each(|place| live_on(tx, place, &tariff, now)))?;
    }
    let (next_closed, next_close_s, next_given) = close(next, next.end().plus_ms(2 * HOUR_MS))?;
    let started = Instant::now();
    let found = ledger.read_blocking(verify_ledger)?;
    let verify_s = started.elapsed().as_secs_f64();
    ledger.close();
    let all = Closed { customers: customers.into(), failures: 0 };
    if !found.is_sound() || [closed, next_closed] != [all; 2] {
        return Err(BenchError::Unsound { findings: found.finding_count, entries: found.entries });
    }
    Ok(BillingReport {
        customers,
        fill_s: round(fill_s, 10.0),
        close_s: round(close_s, 100.0),
        customers_per_second: round(f64::from(customers) / close_s, 1.0),
        close_cpu_s: given.map(|given| round(given.all.as_secs_f64(), 100.0)),
        close_busiest_s: given.map(|given| round(given.busiest.as_secs_f64(), 100.0)),
        next_close_s: round(next_close_s, 100.0),
        next_close_busiest_s: next_given.map(|given| round(given.busiest.as_secs_f64(), 100.0)),
        preview_p50_us: percentile_us(50, previews.clone()),
        preview_p99_us: percentile_us(99, previews),
        verify_s: round(verify_s, 100.0),
        entries: found.entries,
    })
}

fn preview_some(ledger: &Ledger, customers: u32, tariff: Tariff, now: UtcMillis) -> Result<Vec<Duration>, BenchError> {
    let event = Event::ChangeTier { service: Service::Seal, tier: Tier::Enterprise };
    let mut rng = fastrand::Rng::with_seed(1);
    let mut times = Vec::new();
    for _ in 0..PREVIEWS {
        let (customer, event, tariff) = (number(rng.u32(1..=customers))?, event.clone(), tariff.clone());
        let started = Instant::now();
        // Refused while the month's invoice waits for its payment: that is decided, too.
        let foreseen = ledger.read_blocking(move |tx| foresee(tx, customer, &event, &tariff, now));
        times.push(started.elapsed());
        if let Err(failure) = foreseen
            && failure.refusal().is_none()
        {
            return Err(failure.into());
        }
    }
    Ok(times)
}

/// The number of a customer: no two places have the same, and they are scattered as random ones are.
fn number(place: u32) -> Result<CustomerId, BenchError> {
    CustomerId::new(place.wrapping_mul(2_654_435_761)).ok_or(BenchError::NoCustomer { number: place })
}

/// Somebody with money on the chain, a paid subscription and usage.
fn make_up(tx: &WriteTx<'_>, place: u32, tariff: &Tariff) -> Result<(), BenchError> {
    let customer = number(place)?;
    let text = format!("0x{place:064x}");
    let wallet = text.parse().map_err(|_| BenchError::NoCustomer { number: place })?;
    insert_customer(tx, &Customer::new(customer, wallet, BEGIN))?;
    let object_id = text.parse().map_err(|_| BenchError::NoCustomer { number: place })?;
    let escrow = StoredEscrowAccount {
        customer,
        object_id,
        created_at: BEGIN,
        balance: Usd::ZERO,
        spending_limit: SpendingLimit::default().amount(),
        period: 0,
        period_charged: Usd::ZERO,
        mirrored_at: BEGIN,
    };
    put_escrow_account(tx, &escrow)?;
    let event = ChainEventId { digest: text, index: 0 };
    let deposit = Event::Deposited(ChainMove { event, amount: Usd::from_dollars(200), at: BEGIN });
    carry_out(tx, customer, &deposit, tariff, BEGIN)?;
    let subscribe = Event::Subscribe { service: Service::Seal, tier: Tier::Pro };
    let decision = carry_out(tx, customer, &subscribe, tariff, BEGIN)?;
    for action in &decision.actions {
        if let Action::SaveCharge(charge) = action {
            let (invoice, attempt) = (charge.key.invoice, charge.key.attempt);
            let outcome = Outcome::Succeeded { reference: format!("0x{place:x}") };
            let answer = ChargeAnswer { invoice, attempt, outcome, at: BEGIN };
            carry_out(tx, customer, &Event::ChargeAnswered(answer), tariff, BEGIN)?;
        }
    }
    use_service(tx, customer, BEGIN)
}

/// The month's invoice is paid, and the next one's usage comes.
fn live_on(tx: &WriteTx<'_>, place: u32, tariff: &Tariff, now: UtcMillis) -> Result<(), BenchError> {
    let customer = number(place)?;
    for charge in unanswered_charges_of(tx, customer)? {
        let outcome = Outcome::Succeeded { reference: format!("0x{place:x}-{}", charge.invoice) };
        let answer = ChargeAnswer { invoice: InvoiceId(charge.invoice), attempt: charge.attempt, outcome, at: now };
        carry_out(tx, customer, &Event::ChargeAnswered(answer), tariff, now)?;
    }
    use_service(tx, customer, now.hour())
}

fn use_service(tx: &WriteTx<'_>, customer: CustomerId, from: UtcMillis) -> Result<(), BenchError> {
    for hour in 0..HOURS {
        let (service, hour) = (Service::Seal, from.plus_ms(hour * HOUR_MS));
        let usage = HourUsage { customer, service, hour, requests: 900, billable_requests: 850, billable_bytes: 9_000 };
        set_usage(tx, &usage)?;
    }
    Ok(())
}
