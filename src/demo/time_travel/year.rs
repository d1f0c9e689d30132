//! Time passes: six hours at a time, with what customers use and do, what the operator does, and what follows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::DemoError;
use super::books::{MonthReport, TravelReport, finish, report_month};
use super::people::Person;
use crate::app::billing::Order;
use crate::app::{App, ConfigChangeError, change_config_global, note_usage_news};
use crate::clock::Clock;
use crate::core::calendar::{DAY_MS, HOUR_MS, Month, UtcMillis};
use crate::core::customer::Customer;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::core::usage::HourUsage;
use crate::ledger::billing_invoice::{StoredInvoiceState, invoices_of};
use crate::ledger::customer::insert_customer;
use crate::ledger::payment_terms::spend_cap_of;
use crate::ledger::service::find_service;
use crate::ledger::usage::{hours_between, set_usage};
use crate::ledger::{ReadTx, WriteTx};

const STEP_MS: i64 = 6 * HOUR_MS;
/// How long things may be under way on the chain until the next step.
const SETTLE_STEPS: usize = 120;
/// How busy hours are, in per cent of an ordinary one, in steps of six hours of a day.
const BY_TIME_OF_DAY: [u64; 4] = [40, 100, 160, 100];

/// A year in the making.
pub(super) struct Year<'a> {
    pub(super) app: &'a App,
    pub(super) random: fastrand::Rng,
    pub(super) people: Vec<Person>,
    /// Since when somebody has too little, to act some days later.
    pub(super) short_since: BTreeMap<CustomerId, UtcMillis>,
    pub(super) requests: u64,
}

impl<'a> Year<'a> {
    pub(super) async fn begin(
        app: &'a App,
        seed: u64,
        people: Result<Vec<Person>, DemoError>,
    ) -> Result<Self, DemoError> {
        let random = fastrand::Rng::with_seed(seed);
        Ok(Self { app, random, people: people?, short_since: BTreeMap::new(), requests: 0 })
    }

    pub(super) fn now(&self) -> UtcMillis {
        self.app.clock.now()
    }

    fn pass(&self, ms: i64) {
        let Clock::Settable(_) = &self.app.clock else { return };
        self.app.clock.set(self.now().plus_ms(ms));
    }

    /// Lives through a month, the first being number 1, and tells what it came to.
    pub(super) async fn live(&mut self, number: u16, month: Month) -> Result<MonthReport, DemoError> {
        self.join(number).await?;
        while self.now() < month.end() {
            let from = self.now();
            self.pass(STEP_MS.min(month.end().0.saturating_sub(from.0)));
            self.use_services(from, number).await?;
            self.follow_up().await?;
            self.operate(number, month).await?;
            for place in 0..self.people.len() {
                self.act(place, number, month).await?;
            }
            self.settle().await?;
        }
        report_month(self.app, month, std::mem::take(&mut self.requests)).await
    }

    /// Closes the last month and checks everything.
    pub(super) async fn finish(self, seed: u64, months: Vec<MonthReport>) -> Result<TravelReport, DemoError> {
        // Until a month is final, and retries have had their time.
        for _ in 0..8 {
            self.pass(STEP_MS);
            self.follow_up().await?;
            self.settle().await?;
        }
        finish(self.app, seed, months).await
    }

    async fn join(&mut self, number: u16) -> Result<(), DemoError> {
        let now = self.now();
        for person in self.people.iter().filter(|person| person.habits.joins_in_month == number) {
            let customer = Customer {
                name: person.habits.name.to_owned(),
                ..Customer::new(person.customer()?, person.wallet.address().clone(), now)
            };
            self.app.ledger.write(move |tx| insert_customer(tx, &customer)).await?;
        }
        Ok(())
    }

    /// What the last hours brought: as metering writes it.
    async fn use_services(&mut self, from: UtcMillis, number: u16) -> Result<(), DemoError> {
        let mut hours = Vec::new();
        for place in 0..self.people.len() {
            if let Some(person) = self.people.get(place)
                && self.is_served(person).await?
            {
                let per_hour = person.requests_in(number);
                let (customer, service) = (person.customer()?, person.habits.service);
                let mut hour = from.hour();
                while hour < self.now() {
                    let requests = self.vary(per_hour, hour);
                    self.requests = self.requests.saturating_add(requests);
                    hours.push(hour_of(customer, service, hour, requests));
                    hour = hour.plus_ms(HOUR_MS);
                }
            }
        }
        self.write_usage(hours).await
    }

    async fn write_usage(&self, hours: Vec<HourUsage>) -> Result<(), DemoError> {
        let write = move |tx: &WriteTx<'_>| {
            hours.iter().try_for_each(|hour| set_usage(tx, hour))?;
            note_usage_news(tx, &hours)
        };
        Ok(self.app.ledger.write(write).await?)
    }

    /// As the gateway would see it.
    async fn is_served(&self, person: &Person) -> Result<bool, DemoError> {
        let (customer, service) = (person.customer()?, person.habits.service);
        let read = move |tx: &ReadTx<'_>| {
            let keys_work = find_service(tx, customer, service)?.keys_work();
            let is_stopped = spend_cap_of(tx, customer)?.is_some_and(|cap| cap.stopped);
            Ok::<_, crate::ledger::LedgerError>(keys_work && !is_stopped)
        };
        Ok(self.app.ledger.read(read).await?)
    }

    fn vary(&mut self, per_hour: u64, hour: UtcMillis) -> u64 {
        let step = usize::try_from(hour.0.rem_euclid(DAY_MS) / STEP_MS).unwrap_or(0);
        let busy = BY_TIME_OF_DAY.get(step).copied().unwrap_or(100);
        per_hour.saturating_mul(busy).saturating_mul(self.random.u64(70..=130)) / 10_000
    }

    /// What the manager does.
    async fn follow_up(&self) -> Result<(), DemoError> {
        while self.app.draw_drafts().await? {}
        Ok(self.app.run_billing().await?)
    }

    /// Lets seconds pass until nothing is under way on the chain.
    pub(super) async fn settle(&self) -> Result<(), DemoError> {
        for _ in 0..SETTLE_STEPS {
            let again = self.app.work_on_chain().await;
            self.pass(1_000);
            if again.is_ok_and(|again| again >= Duration::from_secs(1)) {
                break;
            }
        }
        Ok(())
    }

    /// What the operator does now and then.
    async fn operate(&mut self, number: u16, month: Month) -> Result<(), DemoError> {
        let (day, is_morning) = (month.day_of(self.now()), self.now().0.rem_euclid(DAY_MS) < STEP_MS + HOUR_MS);
        match day {
            Some(3) if is_morning && number.is_multiple_of(3) => self.find_late_usage(month).await,
            Some(10) if is_morning && number.is_multiple_of(2) => self.grant_credit().await,
            Some(15) if is_morning && number == 4 => self.give_back().await,
            Some(20) if is_morning && number == 7 => self.change_price().await,
            _ => Ok(()),
        }
    }

    /// Lines of a gateway that was cut off arrive when their month is closed.
    async fn find_late_usage(&mut self, month: Month) -> Result<(), DemoError> {
        let Some(person) = self.people.first() else { return Ok(()) };
        let (customer, end) = (person.customer()?, month.start());
        let read = move |tx: &ReadTx<'_>| hours_between(tx, customer, end.plus_ms(-HOUR_MS), end);
        let known = self.app.ledger.read(read).await?;
        let more = known.into_iter().map(|hour| {
            let requests = hour.requests.saturating_add(12_345);
            hour_of(hour.customer, hour.service, hour.hour, requests)
        });
        self.write_usage(more.collect()).await
    }

    async fn grant_credit(&mut self) -> Result<(), DemoError> {
        let place = self.random.usize(..self.people.len());
        let Some(person) = self.people.get(place) else { return Ok(()) };
        let amount_micros = Usd::from_dollars(self.random.i32(2..=9)).micros();
        let (customer, reason) = (person.number, "goodwill".to_owned());
        let order = Order::GrantCredit { customer, amount_micros, reason, expires_after_days: Some(60) };
        // Who has not come yet gets nothing.
        drop(self.app.carry_out_order(order).await);
        Ok(())
    }

    async fn give_back(&mut self) -> Result<(), DemoError> {
        let Some(customer) = self.people.get(3).map(Person::customer).transpose()? else { return Ok(()) };
        let read = move |tx: &ReadTx<'_>| invoices_of(tx, customer, None, 99);
        let paid = self.app.ledger.read(read).await?;
        let paid = paid.into_iter().find(|invoice| invoice.state == StoredInvoiceState::Paid);
        if let Some(invoice) = paid.and_then(|invoice| invoice.number) {
            let amount_micros = Usd::from_dollars(3).micros();
            let (to, reason) = ("escrow".to_owned(), "an hour without service".to_owned());
            let order = Order::IssueCreditNote { invoice, amount_micros, to, reason };
            drop(self.app.carry_out_order(order).await);
        }
        Ok(())
    }

    async fn change_price(&self) -> Result<(), DemoError> {
        let now = self.now();
        // The ledger's blocking calls are for plain threads.
        let changed = tokio::task::block_in_place(|| change_config_global(&self.app.ledger, "freqs_usd", "1.20", now));
        match changed {
            Ok(_) => Ok(self.app.reload_config_global().await?),
            Err(ConfigChangeError::Ledger(error)) => Err(error.into()),
            Err(ConfigChangeError::Refused(refused)) => Err(DemoError::Refused(refused.to_string())),
        }
    }
}

impl Person {
    pub(super) fn customer(&self) -> Result<CustomerId, DemoError> {
        CustomerId::new(self.number).ok_or(DemoError::NoRandomness)
    }

    /// In an ordinary hour of a month.
    fn requests_in(&self, number: u16) -> u64 {
        let grown = 100_u64.saturating_add(self.habits.grows_percent);
        let months = number.saturating_sub(self.habits.joins_in_month);
        (0..months).fold(self.habits.requests_per_hour, |requests, _| requests.saturating_mul(grown) / 100)
    }
}

/// All billable, a kilobyte each.
fn hour_of(customer: CustomerId, service: crate::core::id::Service, hour: UtcMillis, requests: u64) -> HourUsage {
    let billable_bytes = requests.saturating_mul(1024);
    HourUsage { customer, service, hour, requests, billable_requests: requests, billable_bytes }
}
