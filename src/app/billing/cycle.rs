//! The monthly cycle: months that are final are closed, oldest first, each customer once; what is due is carried out.
//!
//! Everything about one customer is in one transaction, and the transaction looks at what is there. So the cycle can stop
//! anywhere, run twice, and come late.

use std::sync::Arc;

use tracing::{error, warn};

use super::batch::{AT_ONCE, Run, Step, Then, run_batch};
use super::failure::BillingFailure;
use super::park::park_customer;
use super::tariff::Tariff;
use super::usage::{month_usage, usage_prices};
use crate::core::billing::{Completeness, Event, MonthEnd, UsagePrices};
use crate::core::calendar::{HOUR_MS, MINUTE_MS, Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::core::rating::PricePerRequests;
use crate::ledger::billed_usage::late_usage_of;
use crate::ledger::billing_standing::{customers_due, customers_with_draft_of, postpone, standing_of};
use crate::ledger::unclosed_month::{is_unclosed_since, note_unclosed};
use crate::ledger::usage::has_usage_since;
use crate::ledger::{Ledger, LedgerError, ReadTx, WriteTx};

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

/// Closes a month for everybody whose draft is of it.
///
/// # Errors
/// [`BillingFailure::Ledger`]; the next run goes on. What fails for one customer is noted.
pub async fn close_month(ledger: &Ledger, closing: Closing) -> Result<Closed, BillingFailure> {
    let (month, price) = (closing.month, closing.price);
    let prices = ledger.read(move |tx| usage_prices(tx, month, price)).await?;
    let run = Arc::new(MonthRun { closing, prices });
    let (mut closed, mut after) = (Closed::default(), None);
    loop {
        let done = run_batch(ledger, &run, after).await?;
        closed.customers = closed.customers.saturating_add(done.customers);
        closed.failures = closed.failures.saturating_add(done.failures);
        if done.last.is_none() {
            return Ok(closed);
        }
        after = done.last;
    }
}

struct MonthRun {
    closing: Closing,
    /// Of the closing's month.
    prices: UsagePrices,
}

impl Run for MonthRun {
    fn customers(&self, tx: &ReadTx<'_>, after: Option<CustomerId>) -> Result<Vec<CustomerId>, LedgerError> {
        customers_with_draft_of(tx, self.closing.month, after, AT_ONCE)
    }

    fn step(&self, tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<Step>, BillingFailure> {
        let month = self.closing.month;
        // What has just failed is left alone for a while, and somebody else may have closed it meanwhile.
        let is_open = standing_of(tx, customer)?.is_some_and(|standing| standing.draft_month == month);
        let since = self.closing.now.plus_ms(-CLOSE_AGAIN_MS);
        if !is_open || is_unclosed_since(tx, customer, month, since)? {
            return Ok(None);
        }
        let event = Event::CloseMonth(self.month_end(tx, customer)?);
        // The next draft shows what was used since.
        let then = if has_usage_since(tx, customer, month.end())? { Then::MarkStale } else { Then::Nothing };
        Ok(Some(Step { event, then }))
    }

    /// The customer is parked if the books are to blame.
    fn note_failure(
        &self,
        tx: &WriteTx<'_>,
        customer: CustomerId,
        failure: &BillingFailure,
    ) -> Result<(), BillingFailure> {
        let (month, now, reason) = (self.closing.month, self.closing.now, failure.to_string());
        error!(%customer, %month, error = %failure, "a month cannot be closed for a customer; it is tried again");
        note_unclosed(tx, customer, month, &reason, now)?;
        if failure.is_for_a_person() { park_customer(tx, customer, reason, now) } else { Ok(()) }
    }

    fn tariff(&self) -> &Tariff {
        &self.closing.tariff
    }

    fn now(&self) -> UtcMillis {
        self.closing.now
    }
}

impl MonthRun {
    /// Usage of the month, and of earlier ones of which some came late.
    fn month_end(&self, tx: &ReadTx<'_>, customer: CustomerId) -> Result<MonthEnd, BillingFailure> {
        let Closing { month, completeness, price, .. } = self.closing;
        let usage = month_usage(tx, customer, month, &self.prices)?;
        let late = late_usage_of(tx, customer)?.into_iter().filter(|late| *late < month);
        let earlier = late.map(|late| month_usage(tx, customer, late, &usage_prices(tx, late, price)?));
        Ok(MonthEnd { usage, earlier: earlier.collect::<Result<_, _>>()?, completeness })
    }
}

/// Carries out what time has brought about: scheduled tiers, cancellations, clean-ups, retries, suspensions, expired
/// credits, the beginning of a month. One customer's failure does not keep the others from it.
///
/// # Errors
/// [`BillingFailure::Ledger`]; the next run goes on.
pub async fn tick_due(ledger: &Ledger, tariff: &Tariff, now: UtcMillis) -> Result<(), BillingFailure> {
    let run = Arc::new(TickRun { tariff: tariff.clone(), now });
    // Whoever was looked at is not due any more.
    while run_batch(ledger, &run, None).await?.last.is_some() {}
    Ok(())
}

struct TickRun {
    tariff: Tariff,
    now: UtcMillis,
}

impl Run for TickRun {
    fn customers(&self, tx: &ReadTx<'_>, _: Option<CustomerId>) -> Result<Vec<CustomerId>, LedgerError> {
        customers_due(tx, self.now, AT_ONCE)
    }

    fn step(&self, _: &ReadTx<'_>, _: CustomerId) -> Result<Option<Step>, BillingFailure> {
        // Whatever it was, it is not looked at again in this run.
        Ok(Some(Step { event: Event::Tick, then: Then::Postpone(self.now.plus_ms(1)) }))
    }

    fn note_failure(
        &self,
        tx: &WriteTx<'_>,
        customer: CustomerId,
        failure: &BillingFailure,
    ) -> Result<(), BillingFailure> {
        warn!(%customer, error = %failure, "what is due in a customer's billing cannot be done; it is tried again");
        postpone(tx, customer, self.now.plus_ms(TRY_AGAIN_MS))?;
        if failure.is_for_a_person() { park_customer(tx, customer, failure.to_string(), self.now) } else { Ok(()) }
    }

    fn tariff(&self) -> &Tariff {
        &self.tariff
    }

    fn now(&self) -> UtcMillis {
        self.now
    }
}
