//! What the rest of the application does with billing.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use tracing::{debug, error, info};

use super::carry_out::{carry_out, foresee};
use super::cycle::{Closing, close_month, tick_due};
use super::failure::BillingFailure;
use super::park::park_customer;
use super::tariff::Tariff;
use crate::app::{App, AppError, meter};
use crate::core::billing::watermark::{Finality, SourceMark, finality};
use crate::core::billing::{Completeness, Decision, Event, Preview};
use crate::core::calendar::{MINUTE_MS, Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::core::source::SourceState;
use crate::ledger::billing_standing::oldest_draft_before;
use crate::ledger::clock_mark::{last_in_use, note_in_use};

impl App {
    /// Carries out an event of a customer's billing. If the customer's books contradict themselves, the customer is
    /// parked.
    ///
    /// # Errors
    /// [`BillingFailure`]; then nothing of it is done.
    pub async fn bill(&self, customer: CustomerId, event: Event) -> Result<Decision, BillingFailure> {
        let (now, tariff) = (self.clock.now(), self.tariff());
        let done = self.ledger.write(move |tx| carry_out(tx, customer, &event, &tariff, now)).await;
        self.payments.notify_one();
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

    /// Prices, limits and tax as they are.
    pub fn tariff(&self) -> Tariff {
        Tariff::of(&self.config_global.load(), self.billing.tax_basis_points)
    }

    /// Charges a customer nothing until a person has looked. Works whatever the state of the books.
    pub(in crate::app) async fn park(&self, customer: CustomerId, reason: String) -> Result<(), BillingFailure> {
        let now = self.clock.now();
        error!(%customer, reason, "the books of a customer do not add up: nothing is charged until a person has looked");
        self.ledger.write(move |tx| park_customer(tx, customer, reason, now)).await
    }

    /// Closes every month that is over and final, oldest first, and carries out what is due. Repeats harmlessly.
    ///
    /// # Errors
    /// [`AppError`]; the next run goes on.
    pub async fn run_billing(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        self.note_in_use(now).await?;
        let current = Month::of(now)?;
        let mut month = self.ledger.read(move |tx| oldest_draft_before(tx, current)).await?.unwrap_or(current);
        while month < current && self.is_final(month, now).await? {
            // What has been delivered until here is in the ledger before anybody is billed for it.
            meter(self).await?;
            let completeness = self.completeness(month).await?;
            let price = self.config_global.load().request_price();
            let closing = Closing { month, completeness, tariff: self.tariff(), price, now };
            let closed = close_month(&self.ledger, closing).await?;
            if closed.customers > 0 || closed.failures > 0 {
                info!(%month, customers = closed.customers, failures = closed.failures, %completeness, "a month was closed");
            }
            month = month.next()?;
        }
        tick_due(&self.ledger, &self.tariff(), now).await?;
        self.payments.notify_one();
        Ok(())
    }

    /// For the next start, once a minute.
    async fn note_in_use(&self, now: UtcMillis) -> Result<(), AppError> {
        let seen = self.ledger.read(last_in_use).await?;
        if seen.is_none_or(|seen| now >= seen.plus_ms(MINUTE_MS)) {
            self.ledger.write(move |tx| note_in_use(tx, now)).await?;
        }
        Ok(())
    }

    /// Whether everything that was logged in a month has come, or has been waited for long enough.
    async fn is_final(&self, month: Month, now: UtcMillis) -> Result<bool, AppError> {
        let mut marks = self.source_marks();
        if month.end() < now {
            marks.extend(self.gateway_marks(month, now).await?);
        }
        Ok(match finality(month, &marks, now) {
            Finality::Running { .. } => false,
            Finality::Waiting { behind, until } => {
                debug!(%month, ?behind, %until, "a month waits for sources of log lines");
                false
            }
            Finality::Final { behind } => {
                if !behind.is_empty() {
                    info!(%month, ?behind, "a month is closed without some sources; what they bring follows as late usage");
                }
                true
            }
        })
    }

    /// How far each source on this host has delivered.
    fn source_marks(&self) -> Vec<SourceMark> {
        let delivered_to = UtcMillis(self.delivered_to.load(Ordering::Acquire));
        let sources = self.sources.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mark = |status: &crate::core::source::SourceStatus| SourceMark {
            source: status.name.clone(),
            delivered_to: match status.state {
                SourceState::Unreadable(_) => UtcMillis(i64::MIN),
                SourceState::Waiting | SourceState::Reading => delivered_to,
            },
        };
        sources.iter().map(mark).collect()
    }

    /// The same for gateways on other hosts that have delivered something of a month: up to the hour of the newest line, as
    /// each delivers its lines in order.
    async fn gateway_marks(&self, month: Month, now: UtcMillis) -> Result<Vec<SourceMark>, AppError> {
        if self.remote_gateways.is_empty() {
            return Ok(Vec::new());
        }
        let hours = self.query_traffic(move |traffic| traffic.lines_by_hour(month.start(), now.plus_ms(1))).await?;
        let mut newest: BTreeMap<u8, (UtcMillis, UtcMillis)> = BTreeMap::new();
        for hour in hours.iter().filter(|hour| hour.received > 0 && self.remote_gateways.contains(&hour.gateway)) {
            let (first, last) = newest.entry(hour.gateway).or_insert((hour.hour, hour.hour));
            (*first, *last) = ((*first).min(hour.hour), (*last).max(hour.hour));
        }
        let of_month = newest.into_iter().filter(|(_, (first, _))| *first < month.end());
        let mark = |(gateway, (_, delivered_to))| SourceMark { source: format!("gateway {gateway}"), delivered_to };
        Ok(of_month.map(mark).collect())
    }

    async fn completeness(&self, month: Month) -> Result<Completeness, AppError> {
        let hours = self.query_traffic(move |traffic| traffic.lines_by_hour(month.start(), month.end())).await?;
        Ok(hours.iter().fold(Completeness::default(), |sum, hour| Completeness {
            received: sum.received.saturating_add(hour.received),
            lost: sum.lost.saturating_add(hour.lost),
        }))
    }
}
