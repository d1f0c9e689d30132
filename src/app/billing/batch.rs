//! One decision for each of many customers: some share a transaction, in which one thread reads and decides while
//! another writes.
//!
//! They share it only to share the time of disk and processors. If the tables refuse what was decided for one of them,
//! nothing of it is kept and each gets a transaction of its own; what could not even be decided is only noted.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::carry_out::{carry_out, load, next_counters};
use super::failure::BillingFailure;
use super::rows::{Rows, rows_of};
use super::save::save;
use super::tariff::Tariff;
use crate::core::billing::{Counters, Event, decide};
use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::ledger::billing_standing::postpone;
use crate::ledger::usage::mark_stale;
use crate::ledger::{Giving, Ledger, LedgerError, ReadTx, WriteTx};

/// Customers that share a transaction: for so long everybody else who writes has to wait, some tenths of a second.
pub const AT_ONCE: u32 = 2048;
/// Decisions that are handed on together.
const HANDED_ON: usize = 32;

/// What is to be done for many customers.
pub trait Run: Send + Sync + 'static {
    /// At most [`AT_ONCE`] customers, those after `after`, in an order in which there is an end.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn customers(&self, tx: &ReadTx<'_>, after: Option<CustomerId>) -> Result<Vec<CustomerId>, LedgerError>;

    /// What happens to one of them; `None`: nothing for now.
    ///
    /// # Errors
    /// [`BillingFailure`], which is noted.
    fn step(&self, tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<Step>, BillingFailure>;

    /// Notes that it could not be done.
    ///
    /// # Errors
    /// [`BillingFailure::Ledger`].
    fn note_failure(
        &self,
        tx: &WriteTx<'_>,
        customer: CustomerId,
        failure: &BillingFailure,
    ) -> Result<(), BillingFailure>;

    fn tariff(&self) -> &Tariff;

    fn now(&self) -> UtcMillis;
}

/// An event, and what is written besides.
pub struct Step {
    pub event: Event,
    pub then: Then,
}

/// What is written besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Nothing,
    /// The draft does not show all usage.
    MarkStale,
    /// Nothing more is due before.
    Postpone(UtcMillis),
}

/// What came of some customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// The last of those that were looked at; `None`: there are no more.
    pub last: Option<CustomerId>,
    pub customers: u64,
    pub failures: u64,
}

/// A customer about whom it is decided, or why it cannot be.
type Prepared = (CustomerId, Result<Option<Decided>, BillingFailure>);

/// What was decided and is not written yet.
struct Decided {
    step: Step,
    rows: Rows,
}

/// Does it for the next customers after `after`.
///
/// # Errors
/// [`BillingFailure::Ledger`]; the next run goes on.
pub async fn run_batch<R: Run>(
    ledger: &Ledger,
    run: &Arc<R>,
    after: Option<CustomerId>,
) -> Result<Done, BillingFailure> {
    let (deciding, writing) = (Arc::clone(run), Arc::clone(run));
    let prepare = move |tx: &ReadTx<'_>, giving: &Giving<Vec<Prepared>>| decide_all(tx, &*deciding, after, giving);
    let apply = move |tx: &WriteTx<'_>, prepared| write_all(tx, &*writing, prepared);
    match ledger.write_prepared(prepare, apply).await {
        Ok(done) => Ok(done),
        Err(failure) => {
            stop_if_closed(&failure)?;
            run_each(ledger, run, after).await
        }
    }
}

fn decide_all<R: Run>(
    tx: &ReadTx<'_>,
    run: &R,
    after: Option<CustomerId>,
    giving: &Giving<Vec<Prepared>>,
) -> Result<(), BillingFailure> {
    let mut counters = next_counters(tx)?;
    for some in run.customers(tx, after)?.chunks(HANDED_ON) {
        let decided = some.iter().map(|customer| (*customer, decide_one(tx, run, *customer, &mut counters)));
        giving.give(decided.collect())?;
    }
    Ok(())
}

fn decide_one<R: Run>(
    tx: &ReadTx<'_>,
    run: &R,
    customer: CustomerId,
    counters: &mut Counters,
) -> Result<Option<Decided>, BillingFailure> {
    let Some(step) = run.step(tx, customer)? else { return Ok(None) };
    let before = load(tx, customer, &step.event, run.tariff(), run.now())?;
    let decision = decide(&before, &step.event, &run.tariff().terms, *counters, run.now())?;
    let rows = rows_of(&before, &step.event, &decision, run.now())?;
    *counters = decision.counters;
    Ok(Some(Decided { step, rows }))
}

fn write_all<R: Run>(tx: &WriteTx<'_>, run: &R, prepared: Receiver<Vec<Prepared>>) -> Result<Done, BillingFailure> {
    let mut done = Done::default();
    for (customer, decided) in prepared.into_iter().flatten() {
        done.last = Some(customer);
        match decided {
            Ok(Some(Decided { step, rows })) => {
                tx.touch(customer);
                save(tx, &rows, &step.event, run.now())?;
                finish(tx, customer, step.then)?;
                done.customers = done.customers.saturating_add(1);
            }
            Ok(None) => {}
            Err(failure) => {
                run.note_failure(tx, customer, &failure)?;
                done.failures = done.failures.saturating_add(1);
            }
        }
    }
    Ok(done)
}

fn finish(tx: &WriteTx<'_>, customer: CustomerId, then: Then) -> Result<(), LedgerError> {
    match then {
        Then::Nothing => Ok(()),
        Then::MarkStale => mark_stale(tx, customer),
        Then::Postpone(until) => postpone(tx, customer, until),
    }
}

/// Each in a transaction of its own.
async fn run_each<R: Run>(ledger: &Ledger, run: &Arc<R>, after: Option<CustomerId>) -> Result<Done, BillingFailure> {
    let listing = Arc::clone(run);
    let customers = ledger.read(move |tx| listing.customers(tx, after)).await?;
    let mut done = Done::default();
    for customer in customers {
        done.last = Some(customer);
        let alone = Arc::clone(run);
        match ledger.write(move |tx| do_one(tx, &*alone, customer)).await {
            Ok(true) => done.customers = done.customers.saturating_add(1),
            Ok(false) => {}
            Err(failure) => {
                stop_if_closed(&failure)?;
                let noting = Arc::clone(run);
                ledger.write(move |tx| noting.note_failure(tx, customer, &failure)).await?;
                done.failures = done.failures.saturating_add(1);
            }
        }
    }
    Ok(done)
}

/// Tells whether there was anything to do.
fn do_one<R: Run>(tx: &WriteTx<'_>, run: &R, customer: CustomerId) -> Result<bool, BillingFailure> {
    let Some(step) = run.step(tx, customer)? else { return Ok(false) };
    carry_out(tx, customer, &step.event, run.tariff(), run.now())?;
    finish(tx, customer, step.then)?;
    Ok(true)
}

/// There is no use in going on.
///
/// # Errors
/// [`LedgerError::Closed`], if that is what the failure is.
pub fn stop_if_closed(failure: &BillingFailure) -> Result<(), BillingFailure> {
    match failure {
        BillingFailure::Ledger(LedgerError::Closed) => Err(LedgerError::Closed.into()),
        _ => Ok(()),
    }
}
