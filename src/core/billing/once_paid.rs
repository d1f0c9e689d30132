//! What follows once everything is paid: the same decisions, on a copy of an account that can pay whatever is asked for.

use std::collections::BTreeSet;

use super::account::Account;
use super::decide::decide;
use super::error::BillingError;
use super::escrow::{ChargeAnswer, EscrowMirror, Outcome, SpendingLimit};
use super::event::Event;
use super::ids::{ChargeKey, Counters};
use super::payment::{Charge, ChargeState};
use super::terms::Terms;
use crate::core::calendar::UtcMillis;
use crate::core::money::Usd;

/// More than anybody owes.
const PLENTY: Usd = Usd::from_dollars(1_000_000_000);
/// Rounds of payments that lead to further ones: what was suspended resumes and is billed, and no more follows from that.
const MOST_ROUNDS: usize = 8;

/// A copy with plenty of money and no spending limit. Nothing of it is ever saved.
pub(super) struct OncePaid<'a> {
    pub account: Account,
    /// What payment methods were asked for so far, besides what was under way from the beginning.
    pub asked: Usd,
    counters: Counters,
    terms: &'a Terms,
    now: UtcMillis,
    under_way: BTreeSet<ChargeKey>,
}

impl<'a> OncePaid<'a> {
    pub fn new(account: &Account, terms: &'a Terms, counters: Counters, now: UtcMillis) -> Self {
        let escrow = account.escrow.unwrap_or(EscrowMirror::created(now));
        let rich = EscrowMirror { balance: PLENTY, limit: SpendingLimit::UNLIMITED, ..escrow };
        let account = Account { escrow: Some(rich), ..account.clone() };
        let under_way = sent(&account).map(|charge| charge.key).collect();
        Self { account, asked: Usd::ZERO, counters, terms, now, under_way }
    }

    /// Carries an event out, and pays what it asks for and whatever follows from that.
    ///
    /// # Errors
    /// [`BillingError`], as deciding.
    pub fn carry_out(&mut self, event: &Event) -> Result<(), BillingError> {
        self.decide(event)?;
        for _ in 0..MOST_ROUNDS {
            let charges: Vec<Charge> = sent(&self.account).cloned().collect();
            if charges.is_empty() {
                break;
            }
            for Charge { key, amount, .. } in charges {
                if !self.under_way.contains(&key) {
                    self.asked = self.asked.checked_add(amount)?;
                }
                let outcome = Outcome::Succeeded { reference: String::new() };
                let (invoice, attempt, at) = (key.invoice, key.attempt, self.now);
                self.decide(&Event::ChargeAnswered(ChargeAnswer { invoice, attempt, outcome, at }))?;
            }
        }
        Ok(())
    }

    /// Has everything paid that is unpaid, as after a deposit.
    ///
    /// # Errors
    /// [`BillingError`], as deciding.
    pub fn pay_everything(&mut self) -> Result<(), BillingError> {
        self.carry_out(&Event::LimitChanged(SpendingLimit::UNLIMITED))
    }

    fn decide(&mut self, event: &Event) -> Result<(), BillingError> {
        let decision = decide(&self.account, event, self.terms, self.counters, self.now)?;
        (self.account, self.counters) = (decision.account, decision.counters);
        Ok(())
    }
}

fn sent(account: &Account) -> impl Iterator<Item = &Charge> {
    account.charges.values().filter(|charge| charge.state == ChargeState::Sent)
}
