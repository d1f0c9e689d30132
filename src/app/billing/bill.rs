//! What the rest of the application does with billing.

use super::carry_out::{carry_out, foresee};
use super::failure::BillingFailure;
use super::tariff::Tariff;
use crate::app::App;
use crate::core::billing::{Decision, Event, Notice, Preview};
use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::ledger::WriteTx;
use crate::ledger::billing_notice::{BillingNotice, insert_notice};
use crate::ledger::parked::{Parked, park};

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

    /// Prices and limits as they are.
    pub fn tariff(&self) -> Tariff {
        Tariff::of(&self.config_global.load())
    }

    /// Charges a customer nothing until a person has looked. Works whatever the state of the books.
    pub(in crate::app) async fn park(&self, customer: CustomerId, reason: String) -> Result<(), BillingFailure> {
        let now = self.clock.now();
        tracing::error!(%customer, reason, "the books of a customer do not add up: nothing is charged until a person has looked");
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
