//! The monthly cycle: months that are final are closed, oldest first, each customer once; what is due is carried out.
//!
//! Everything about one customer is in one transaction, and the transaction looks at what is there. So the cycle can stop
//! anywhere, run twice, and come late. Many customers share a transaction only to share the disk's time: if one of them
//! fails, each gets one of its own.

use std::sync::Arc;

use tracing::{error, warn};

use super::carry_out::carry_out;
use super::failure::BillingFailure;
use super::park::park_customer;
use super::tariff::Tariff;
use super::usage::{month_usage, usage_prices};
use crate::core::billing::{BillingError, Completeness, Event, MonthEnd, MonthUsage, UsagePrices};
use crate::core::calendar::{HOUR_MS, MINUTE_MS, Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::core::rating::PricePerRequests;
use crate::ledger::billed_usage::late_usage_of;
use crate::ledger::billing_standing::{customers_due, customers_with_draft_of, postpone, standing_of};
use crate::ledger::unclosed_month::{is_unclosed_since, note_unclosed};
use crate::ledger::usage::{StaleDraft, has_usage_since, mark_stale, stale_draft_of};
use crate::ledger::{Ledger, LedgerError, ReadTx, WriteTx};

/// Customers that share a transaction.
const AT_ONCE: u32 = 256;
/// How long what could not be done waits until it is tried again.
const TRY_AGAIN_MS: i64 = 10 * MINUTE_MS;
/// The same for a month that could not be closed.
const CLOSE_AGAIN_MS: i64 = HOUR_MS;

/// A month to be closed for everybody.
#[derive(Debug, Clone)]
pub struct Closing {
    pub month: Month,
    pub completeness: Completeness,
    pub tariff: Tariff,
    /// Of requests, if the ledger's table of prices is not right.
    pub price: PricePerRequests,
    pub now: UtcMillis,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Closed {
    pub customers: u64,
    pub failures: u64,
}

/// What a customer has used, and the news of it that were known then.
struct Due {
    customer: CustomerId,
    seen: Option<StaleDraft>,
    /// Or why it cannot be computed.
    usage: Result<(MonthUsage, Vec<MonthUsage>), BillingError>,
}

/// Closes a month for everybody whose draft is of it. While the transaction of some is written, usage of the next ones is
/// read.
///
/// # Errors
/// [`BillingFailure::Ledger`]; the next run goes on. What fails for one customer is noted.
pub async fn close_month(ledger: &Ledger, closing: Closing) -> Result<Closed, BillingFailure> {
    let closing = Arc::new(closing);
    let (month, price) = (closing.month, closing.price);
    let prices = Arc::new(ledger.read(move |tx| usage_prices(tx, month, price)).await?);
    let mut closed = Closed::default();
    let mut due = read_due(ledger, &closing, &prices, None).await?;
    while let (Some(last), some) = due {
        let writing = write_closings(ledger, &closing, some);
        let reading = read_due(ledger, &closing, &prices, Some(last));
        let (written, next) = tokio::join!(writing, reading);
        let written = written?;
        closed.customers = closed.customers.saturating_add(written.customers);
        closed.failures = closed.failures.saturating_add(written.failures);
        due = next?;
    }
    Ok(closed)
}

/// The next customers in the order of their numbers, and the last of them that was looked at.
async fn read_due(
    ledger: &Ledger,
    closing: &Arc<Closing>,
    prices: &Arc<UsagePrices>,
    after: Option<CustomerId>,
) -> Result<(Option<CustomerId>, Vec<Due>), BillingFailure> {
    let (closing, prices) = (Arc::clone(closing), Arc::clone(prices));
    let read = move |tx: &ReadTx<'_>| {
        let customers = customers_with_draft_of(tx, closing.month, after, AT_ONCE)?;
        let last = customers.last().copied();
        let since = closing.now.plus_ms(-CLOSE_AGAIN_MS);
        let mut due = Vec::new();
        for customer in customers {
            // What has just failed is left alone for a while.
            if !is_unclosed_since(tx, customer, closing.month, since)? {
                due.push(read_one(tx, customer, &closing, &prices)?);
            }
        }
        Ok((last, due))
    };
    ledger.read(read).await
}

fn read_one(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    closing: &Closing,
    prices: &UsagePrices,
) -> Result<Due, BillingFailure> {
    let seen = stale_draft_of(tx, customer)?;
    match read_usage(tx, customer, closing, prices) {
        Ok(usage) => Ok(Due { customer, seen, usage: Ok(usage) }),
        Err(BillingFailure::Decision(error)) => Ok(Due { customer, seen, usage: Err(error) }),
        Err(failure) => Err(failure),
    }
}

/// Usage of the month, and of earlier ones of which some came late.
fn read_usage(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    closing: &Closing,
    prices: &UsagePrices,
) -> Result<(MonthUsage, Vec<MonthUsage>), BillingFailure> {
    let usage = month_usage(tx, customer, closing.month, prices)?;
    let late = late_usage_of(tx, customer)?.into_iter().filter(|late| *late < closing.month);
    let earlier = late.map(|late| month_usage(tx, customer, late, &usage_prices(tx, late, closing.price)?));
    Ok((usage, earlier.collect::<Result<_, _>>()?))
}

async fn write_closings(ledger: &Ledger, closing: &Arc<Closing>, due: Vec<Due>) -> Result<Closed, BillingFailure> {
    let due = Arc::new(due);
    let (all, together) = (Arc::clone(&due), Arc::clone(closing));
    let written = ledger.write(move |tx| all.iter().try_for_each(|one| close_one(tx, one, &together))).await;
    let Err(failure) = written else {
        return Ok(Closed { customers: u64::try_from(due.len()).unwrap_or(u64::MAX), failures: 0 });
    };
    stop_if_closed(&failure)?;
    let mut closed = Closed::default();
    for place in 0..due.len() {
        let (all, alone) = (Arc::clone(&due), Arc::clone(closing));
        let work = move |tx: &WriteTx<'_>| all.get(place).map_or(Ok(()), |one| close_one(tx, one, &alone));
        match (ledger.write(work).await, due.get(place)) {
            (Err(failure), Some(one)) => {
                note_failure(ledger, one.customer, closing, failure).await?;
                closed.failures = closed.failures.saturating_add(1);
            }
            _ => closed.customers = closed.customers.saturating_add(1),
        }
    }
    Ok(closed)
}

fn close_one(tx: &WriteTx<'_>, due: &Due, closing: &Closing) -> Result<(), BillingFailure> {
    let customer = due.customer;
    // Somebody else may have closed it meanwhile.
    if standing_of(tx, customer)?.is_none_or(|standing| standing.draft_month != closing.month) {
        return Ok(());
    }
    let fresh = if stale_draft_of(tx, customer)? == due.seen {
        None
    } else {
        Some(read_one(tx, customer, closing, &usage_prices(tx, closing.month, closing.price)?)?)
    };
    let due = fresh.as_ref().unwrap_or(due);
    let (usage, earlier) = due.usage.clone()?;
    let event = Event::CloseMonth(MonthEnd { usage, earlier, completeness: closing.completeness });
    carry_out(tx, customer, &event, &closing.tariff, closing.now)?;
    // The next draft shows what was used since.
    if has_usage_since(tx, customer, closing.month.end())? {
        mark_stale(tx, customer)?;
    }
    Ok(())
}

/// Notes that a month could not be closed for one customer, who is parked if the books are to blame.
async fn note_failure(
    ledger: &Ledger,
    customer: CustomerId,
    closing: &Closing,
    failure: BillingFailure,
) -> Result<(), BillingFailure> {
    stop_if_closed(&failure)?;
    let (month, now, reason) = (closing.month, closing.now, failure.to_string());
    error!(%customer, %month, error = %failure, "a month cannot be closed for a customer; it is tried again");
    let is_for_a_person = failure.is_for_a_person();
    let note = move |tx: &WriteTx<'_>| {
        note_unclosed(tx, customer, month, &reason, now)?;
        if is_for_a_person { park_customer(tx, customer, reason, now) } else { Ok(()) }
    };
    ledger.write(note).await
}

/// Carries out what time has brought about: scheduled tiers, cancellations, clean-ups, retries, suspensions, expired
/// credits, the beginning of a month. One customer's failure does not keep the others from it.
///
/// # Errors
/// [`BillingFailure::Ledger`]; the next run goes on.
pub async fn tick_due(ledger: &Ledger, tariff: &Tariff, now: UtcMillis) -> Result<(), BillingFailure> {
    loop {
        let due = ledger.read(move |tx| customers_due(tx, now, AT_ONCE)).await?;
        if due.is_empty() {
            return Ok(());
        }
        let (all, together) = (due.clone(), tariff.clone());
        let ticked = ledger.write(move |tx| all.iter().try_for_each(|customer| tick(tx, *customer, &together, now)));
        if let Err(failure) = ticked.await {
            stop_if_closed(&failure)?;
            for customer in due {
                tick_alone(ledger, customer, tariff.clone(), now).await?;
            }
        }
    }
}

fn tick(tx: &WriteTx<'_>, customer: CustomerId, tariff: &Tariff, now: UtcMillis) -> Result<(), BillingFailure> {
    carry_out(tx, customer, &Event::Tick, tariff, now)?;
    // Whatever it was, it is not looked at again in this run.
    Ok(postpone(tx, customer, now.plus_ms(1))?)
}

async fn tick_alone(
    ledger: &Ledger,
    customer: CustomerId,
    tariff: Tariff,
    now: UtcMillis,
) -> Result<(), BillingFailure> {
    let Err(failure) = ledger.write(move |tx| tick(tx, customer, &tariff, now)).await else { return Ok(()) };
    stop_if_closed(&failure)?;
    warn!(%customer, error = %failure, "what is due in a customer's billing cannot be done; it is tried again");
    let (is_for_a_person, reason) = (failure.is_for_a_person(), failure.to_string());
    let note = move |tx: &WriteTx<'_>| {
        postpone(tx, customer, now.plus_ms(TRY_AGAIN_MS))?;
        if is_for_a_person { park_customer(tx, customer, reason, now) } else { Ok(()) }
    };
    ledger.write(note).await
}

/// There is no use in going on.
fn stop_if_closed(failure: &BillingFailure) -> Result<(), BillingFailure> {
    match failure {
        BillingFailure::Ledger(LedgerError::Closed) => Err(LedgerError::Closed.into()),
        _ => Ok(()),
    }
}
