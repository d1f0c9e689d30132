//! What the rest of the application does with billing.

use tracing::error;

use super::carry_out::{carry_out, foresee};
use super::failure::BillingFailure;
use super::tariff::Tariff;
use crate::app::App;
use crate::core::billing::{BillingError, Decision, Event, Notice, Preview};
use crate::core::calendar::{MINUTE_MS, UtcMillis};
use crate::core::id::CustomerId;
use crate::ledger::billing_notice::{BillingNotice, insert_notice};
use crate::ledger::billing_standing::{customers_due, postpone};
use crate::ledger::parked::{Parked, park};
use crate::ledger::{LedgerError, WriteTx};

/// Customers that are looked for at once.
const DUE_AT_ONCE: u32 = 500;
/// How long what could not be done waits.
const TRY_AGAIN_MS: i64 = 10 * MINUTE_MS;

impl App {
    /// Carries out an event of a customer's billing. If the customer's books contradict themselves, the customer is
    /// parked.
    ///
    /// # Errors
    /// [`BillingFailure`]; then nothing of it is done.
    pub async fn bill(&self, customer: CustomerId, event: Event) -> Result<Decision, BillingFailure> {
        let (now, tariff) = (self.clock.now(), self.tariff());
        let done = self.ledger.write(move |tx| carry_out(tx, customer, &event, &tariff, now)).await;
        if let Err(failure) = &done
            && failure.is_for_a_person()
        {
            self.park(customer, failure.to_string()).await?;
        }
        done
    }

    /// What [`Self::bill`] would do, without doing it.
    ///
    /// # Errors
    /// As [`Self::bill`]; what cannot be paid is shown.
    pub async fn preview(&self, customer: CustomerId, event: Event) -> Result<Preview, BillingFailure> {
        let (now, tariff) = (self.clock.now(), self.tariff());
        self.ledger.read(move |tx| foresee(tx, customer, &event, &tariff, now)).await
    }

    /// Carries out what time has brought about: scheduled tiers, cancellations, clean-ups, retries, suspensions, expired
    /// credits. One customer's failure is noted and does not keep the others from it.
    ///
    /// # Errors
    /// [`BillingFailure::Ledger`]; the next run goes on.
    pub async fn tick_due(&self) -> Result<(), BillingFailure> {
        let now = self.clock.now();
        loop {
            let due = self.ledger.read(move |tx| customers_due(tx, now, DUE_AT_ONCE)).await?;
            if due.is_empty() {
                return Ok(());
            }
            for customer in due {
                if let Err(failure) = self.bill(customer, Event::Tick).await {
                    self.postpone(customer, &failure).await?;
                }
            }
        }
    }

    /// What cannot be done now is tried again later, and the others go first.
    async fn postpone(&self, customer: CustomerId, failure: &BillingFailure) -> Result<(), BillingFailure> {
        if let BillingFailure::Ledger(LedgerError::Closed) = failure {
            return Err(BillingFailure::Ledger(LedgerError::Closed));
        }
        let is_early = matches!(failure, BillingFailure::Decision(BillingError::CatchUpFirst(_)));
        if !is_early {
            error!(%customer, error = %failure, "what is due in a customer's billing cannot be done; it is tried again");
        }
        let at = self.clock.now().plus_ms(TRY_AGAIN_MS);
        Ok(self.ledger.write(move |tx| postpone(tx, customer, at)).await?)
    }

    /// Prices and limits as they are.
    pub fn tariff(&self) -> Tariff {
        Tariff::of(&self.config_global.load())
    }

    /// Charges a customer nothing until a person has looked. Works whatever the state of the books.
    pub(in crate::app) async fn park(&self, customer: CustomerId, reason: String) -> Result<(), BillingFailure> {
        let now = self.clock.now();
        error!(%customer, reason, "the books of a customer do not add up: nothing is charged until a person has looked");
        self.ledger.write(move |tx| park_customer(tx, customer, reason, now)).await
    }
}

/// The same as deciding to park, for a customer whose account may not be readable.
pub fn park_customer(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    reason: String,
    now: UtcMillis,
) -> Result<(), BillingFailure> {
    tx.touch(customer);
    if park(tx, &Parked { customer, reason: reason.clone(), since: now })? {
        let (kind, key, details) = super::save::told(&Notice::Parked { reason }, now);
        let notice = BillingNotice { customer, key, kind: kind.into(), details: details.to_string(), at: now };
        insert_notice(tx, &notice)?;
    }
    Ok(())
}
