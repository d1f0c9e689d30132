//! What customers do of their own accord.

use super::DemoError;
use super::people::{Person, Trait};
use super::year::Year;
use crate::app::{AppError, Caller, Credential, NewWalletTransaction, ServiceAction, TierChoice, WalletSignature};
use crate::chain::escrow::UnsignedTransaction;
use crate::core::billing::{Event, SpendCap};
use crate::core::calendar::{DAY_MS, Month};
use crate::core::id::SessionId;
use crate::core::money::Usd;
use crate::core::service_instance::ServiceState;
use crate::core::tier::Tier;
use crate::ledger::billing_invoice::{StoredInvoiceState, open_invoices_of};
use crate::ledger::service::find_service;

/// What a new wallet brings, and what it gets when that is gone.
const WALLET: Usd = Usd::from_dollars(2_000);

impl Year<'_> {
    /// What one customer does in these hours.
    pub(super) async fn act(&mut self, place: usize, number: u16, month: Month) -> Result<(), DemoError> {
        let Some(person) = self.people.get(place) else { return Ok(()) };
        if person.habits.joins_in_month > number {
            return Ok(());
        }
        self.keep_balance(place).await?;
        self.keep_subscribed(place, number).await?;
        if month.day_of(self.now()) == Some(12) {
            self.indulge(place, number).await?;
        }
        Ok(())
    }

    /// Deposits when there is too little, sooner or later; lifts the limit if that is in the way.
    async fn keep_balance(&mut self, place: usize) -> Result<(), DemoError> {
        let Some(person) = self.people.get(place) else { return Ok(()) };
        let (habits, customer, now) = (person.habits, person.customer()?, self.now());
        let escrow = self.app.escrow(&person.caller()?).await?;
        let open = self.app.ledger.read(move |tx| open_invoices_of(tx, customer)).await?;
        let pending = open.iter().filter(|invoice| invoice.state == StoredInvoiceState::Pending);
        let owed = pending.map(|invoice| invoice.amount.micros()).fold(0, i64::saturating_add);
        let has_enough = escrow.balance_micros >= Usd::from_dollars(habits.below).micros() && owed == 0;
        if has_enough || habits.deposits == 0 {
            self.short_since.remove(&customer);
            return Ok(());
        }
        let since = *self.short_since.entry(customer).or_insert(now);
        let is_first = escrow.object_id.is_none();
        if !is_first && now.0.saturating_sub(since.0) < i64::from(habits.days_late).saturating_mul(DAY_MS) {
            return Ok(());
        }
        self.short_since.remove(&customer);
        // What is there and does not pay is held back by the limit.
        if owed > 0 && escrow.balance_micros >= owed {
            return self.transact(place, "set_spending_limit", Usd::ZERO).await;
        }
        self.transact(place, "deposit", Usd::from_dollars(habits.deposits)).await?;
        if let (true, Trait::Limits { at }) = (is_first, habits.trait_) {
            self.transact(place, "set_spending_limit", Usd::from_dollars(at)).await?;
        }
        Ok(())
    }

    /// Subscribes, and switches on what is paid.
    async fn keep_subscribed(&mut self, place: usize, number: u16) -> Result<(), DemoError> {
        let Some(person) = self.people.get(place) else { return Ok(()) };
        let (habits, customer) = (person.habits, person.customer()?);
        let is_away =
            matches!(habits.trait_, Trait::Leaves { in_month, returns_in } if (in_month..returns_in).contains(&number));
        let instance = self.app.ledger.read(move |tx| find_service(tx, customer, habits.service)).await?;
        match instance.state {
            ServiceState::NotProvisioned if !is_away => {
                self.ask(place, ServiceAction::Subscribe(TierChoice::of(habits.tier))).await
            }
            ServiceState::Disabled if instance.paid_once => self.ask(place, ServiceAction::Enable).await,
            _ => Ok(()),
        }
    }

    /// What is special about a customer, in the middle of the month.
    async fn indulge(&mut self, place: usize, number: u16) -> Result<(), DemoError> {
        let Some(person) = self.people.get(place) else { return Ok(()) };
        let (habits, customer) = (person.habits, person.customer()?);
        match habits.trait_ {
            Trait::Upgrades { in_month } if in_month == number => {
                self.ask(place, ServiceAction::ChangeTier(TierChoice::of(larger(habits.tier)))).await
            }
            Trait::Downgrades { in_month } if in_month == number => {
                self.ask(place, ServiceAction::ChangeTier(TierChoice::of(smaller(habits.tier)))).await
            }
            Trait::Leaves { in_month, .. } if in_month == number => self.ask(place, ServiceAction::Cancel).await,
            Trait::Withdraws { in_month } if in_month == number => {
                let balance = self.app.escrow(&person.caller()?).await?.balance_micros;
                self.transact(place, "withdraw", Usd::from_micros(balance)).await
            }
            Trait::Caps { at } => {
                let cap = SpendCap { amount: Usd::from_dollars(at), hard_stop: true };
                drop(self.app.bill(customer, Event::SetSpendCap(Some(cap))).await);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Asks for something, and takes no for an answer.
    async fn ask(&self, place: usize, action: ServiceAction) -> Result<(), DemoError> {
        let Some(person) = self.people.get(place) else { return Ok(()) };
        let done = self.app.act_on_service(&person.caller()?, None, person.habits.service, action).await;
        refused(done.map(drop))?;
        self.settle().await
    }

    /// Has a transaction built, signs it and hands it in; waits until it has happened or not. If the chain does not
    /// answer, the customer tries again another time.
    async fn transact(&self, place: usize, action: &str, amount: Usd) -> Result<(), DemoError> {
        let Some(person) = self.people.get(place) else { return Ok(()) };
        let caller = person.caller()?;
        if let Some(given) = self.app.chain.draw_from_faucet(person.wallet.address(), WALLET, self.now())
            && action == "deposit"
        {
            given.map_err(AppError::from)?;
        }
        let built = self.app.build_wallet_transaction(&caller, None, NewWalletTransaction::new(action, amount)).await;
        let Ok(built) = built else { return refused(built.map(drop)) };
        let content = built.content.unwrap_or_default();
        let unsigned = UnsignedTransaction { digest: built.digest.clone(), content, expires_at: self.now() };
        let signed = person.wallet.sign(&unsigned).map_err(|error| DemoError::Refused(error.to_string()))?;
        let signature = WalletSignature::new(signed.signature);
        refused(self.app.hand_in_wallet_transaction(&caller, None, built.digest, signature).await.map(drop))?;
        self.settle().await
    }
}

impl Person {
    fn caller(&self) -> Result<Caller, DemoError> {
        let credential = Credential::Session(SessionId::new([0; _]));
        Ok(Caller { customer: self.customer()?, credential, ip: std::net::Ipv4Addr::LOCALHOST.into() })
    }
}

/// What was refused is part of the story; anything else ends it.
fn refused(done: Result<(), AppError>) -> Result<(), DemoError> {
    match done {
        Err(AppError::Refused(_)) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

const fn larger(tier: Tier) -> Tier {
    match tier {
        Tier::Starter => Tier::Pro,
        Tier::Pro | Tier::Enterprise => Tier::Enterprise,
    }
}

const fn smaller(tier: Tier) -> Tier {
    match tier {
        Tier::Starter | Tier::Pro => Tier::Starter,
        Tier::Enterprise => Tier::Pro,
    }
}
