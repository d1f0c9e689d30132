//! The one way in: an account, an event and a time give actions.

use std::collections::BTreeSet;

use super::account::Account;
use super::action::{Action, Notice};
use super::books::{Books, Done};
use super::dunning;
use super::error::{BillingError, Refusal};
use super::event::Event;
use super::ids::{Counters, InvoiceId};
use super::invoice::Invoice;
use super::terms::Terms;
use crate::core::calendar::{Month, UtcMillis};
use crate::core::money::{MoneyOverflow, Usd};

/// What is to be done, and what it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The account afterwards.
    pub account: Account,
    /// To be saved with the actions.
    pub counters: Counters,
    /// In order. None at all if the event changes nothing, e.g. because it was dealt with before.
    pub actions: Vec<Action>,
}

/// Decides what follows from an event. First the beginning of the month is carried out, if that has not happened; last
/// of all what time and payments have led to, and the draft is drawn anew.
///
/// # Errors
/// [`BillingError`]; then nothing is to be done.
pub fn decide(
    account: &Account,
    event: &Event,
    terms: &Terms,
    counters: Counters,
    now: UtcMillis,
) -> Result<Decision, BillingError> {
    // A clock that was set back does not bring a month back that is over.
    let now = now.max(account.standing.month.start());
    let mut books =
        Books { account: account.clone(), counters, terms, now, actions: Vec::new(), usage: None, spent: None };
    books.ensure_draft()?;
    if let Event::CloseMonth(end) = event {
        books.close_month(end)?;
    } else {
        books.roll_to_now().map_err(|error| if_it_helps_to_wait(error, account, event))?;
        books.prepare()?;
        books.handle(event)?;
    }
    // A month that is still missing is closed by the next event.
    if books.account.standing.month == Month::of(now)? {
        books.settle()?;
    }
    let actions = without_superseded(books.actions);
    Ok(Decision { account: books.account, counters: books.counters, actions })
}

/// A month that is not closed because of the books waits for a person: then nobody is told to try again.
fn if_it_helps_to_wait(error: BillingError, account: &Account, event: &Event) -> BillingError {
    match error {
        BillingError::CatchUpFirst(_) if account.standing.parked.is_some() && event.is_by_customer() => {
            Refusal::Parked.into()
        }
        error => error,
    }
}

/// What is saved several times is saved once, as it is in the end.
fn without_superseded(actions: Vec<Action>) -> Vec<Action> {
    let mut saved = BTreeSet::new();
    let mut kept: Vec<Action> =
        actions.into_iter().rev().filter(|action| action.saves().is_none_or(|row| saved.insert(row))).collect();
    kept.reverse();
    kept
}

impl Books<'_> {
    /// Services are as they are now, and credits that are over are gone, also those that have just come back.
    fn prepare(&mut self) -> Done {
        self.advance_services(self.now);
        self.renew_unpaid()?;
        self.expire_credits()
    }

    fn handle(&mut self, event: &Event) -> Done {
        match event {
            Event::Tick => self.collect_due(),
            Event::Subscribe { service, tier } => self.subscribe(*service, *tier),
            Event::ChangeTier { service, tier } => self.change_tier(*service, *tier),
            Event::Cancel { service } => self.cancel(*service),
            Event::UndoCancel { service } => self.undo_cancel(*service),
            Event::SetMethods(methods) => self.set_methods(methods),
            Event::SetSpendCap(cap) => self.set_spend_cap(*cap),
            Event::Usage(news) => self.take_usage(news),
            // Handled before the month begins.
            Event::CloseMonth(_) => Ok(()),
            Event::EscrowCreated { at } => {
                self.escrow_created(*at);
                Ok(())
            }
            Event::Deposited(moved) => self.deposited(moved),
            Event::Withdrawn(moved) => self.withdrawn(moved),
            Event::LimitChanged(limit) => self.limit_changed(*limit),
            Event::ForeignCharge(moved) => self.charged_elsewhere(moved),
            Event::ForeignCredit(moved) => self.credited_elsewhere(moved),
            Event::ForgottenCharge(moved) => self.forgotten_charge(moved),
            Event::ChargeAnswered(answer) => self.charge_answered(answer),
            Event::RefundAnswered(answer) => self.refund_answered(answer),
            Event::GrantCredit { reason, amount, expires_at } => self.give_credit(*reason, *amount, *expires_at),
            Event::VoidInvoice(invoice) => self.void(*invoice),
            Event::IssueCreditNote { invoice, amount, payout, reason } => {
                self.issue_credit_note(*invoice, *amount, *payout, reason)
            }
            Event::Collect(invoice) => self.collect_now(*invoice),
            Event::Park { reason } => {
                self.park(reason);
                Ok(())
            }
            Event::Unpark => self.unpark(),
        }
    }

    /// Whoever asks for it is told why it cannot be.
    fn collect_now(&mut self, id: InvoiceId) -> Done {
        let state = self.invoice(id)?.state;
        if self.account.is_under_way(id) {
            return Err(Refusal::PaymentUnderWay.into());
        }
        if !state.is_unpaid() {
            return Err(Refusal::InvoiceState(state).into());
        }
        if self.account.standing.parked.is_some() {
            return Err(Refusal::Parked.into());
        }
        self.collect(id)
    }

    /// What follows, whatever happened.
    fn settle(&mut self) -> Done {
        self.prepare()?;
        self.dun()?;
        self.bill_missing()?;
        // An invoice that could not be paid just now is the first failure that grace counts from.
        self.dun()?;
        self.redraw()?;
        self.review_cap()
    }
}

impl Decision {
    /// Invoices that were issued by it, as they are afterwards.
    pub fn issued(&self) -> impl Iterator<Item = &Invoice> {
        self.actions.iter().filter_map(|action| match action {
            Action::Notify(Notice::InvoiceIssued { invoice }) => self.account.invoices.get(invoice),
            _ => None,
        })
    }

    /// What invoices that it issues demand of payment methods.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub fn demanded(&self) -> Result<Usd, MoneyOverflow> {
        Usd::sum(self.issued().filter(|invoice| invoice.state.is_unpaid()).map(|invoice| invoice.amount))
    }
}

/// When [`Event::Tick`] has something to do next; `None` only for an account without a draft. Earlier ticks do nothing,
/// unless something was changed outside of billing: a service's state or what it has of extras.
pub fn next_due(account: &Account) -> Option<UtcMillis> {
    let standing = &account.standing;
    let retries = account.unpaid().into_iter().filter(|invoice| account.may_collect(invoice));
    let retries = retries.filter_map(|invoice| invoice.retry_at);
    let credits = account.credits.values().filter(|credit| credit.remaining > Usd::ZERO);
    let expiries = credits.filter_map(|credit| credit.expires_at);
    let services = account.services.values().filter_map(|account| account.instance.due_at());
    let dunning = dunning::next_step_at(standing.dunning, standing.has_paid).filter(|_| standing.parked.is_none());
    let month = account.draft().map(|_| standing.month.end());
    retries.chain(expiries).chain(services).chain(dunning).chain(month).min()
}
