//! The working copy of one decision: what is done to it is done to the account in memory at once, so that each step sees
//! what the one before it did, and is remembered as actions for the ledger.

use super::account::{Account, ServiceAccount, Standing};
use super::action::{Action, Notice, ServiceChange};
use super::credit::{Credit, CreditReason, plan_use};
use super::entry::{self, AccountName, Entry, EntryKey, EntryReason, Links, Posting, RevenueKind, transfer};
use super::error::{BillingError, Refusal};
use super::ids::{Counters, CreditId, InvoiceId};
use super::invoice::{Invoice, InvoiceState, Purpose};
use super::line::Line;
use super::terms::Terms;
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::Service;
use crate::core::money::Usd;

pub(super) type Done<T = ()> = Result<T, BillingError>;

/// An account under decision.
pub(super) struct Books<'a> {
    pub account: Account,
    pub counters: Counters,
    pub terms: &'a Terms,
    pub now: UtcMillis,
    pub actions: Vec<Action>,
    /// Usage for the draft that the event brought, late usage after the rest; otherwise the draft keeps what it has.
    pub usage: Option<Vec<Line>>,
    /// What usage of the running month costs so far, as far as the event tells it.
    pub spent: Option<Usd>,
}

impl Books<'_> {
    pub fn act(&mut self, action: Action) {
        self.account.apply(&action);
        self.actions.push(action);
    }

    pub fn notify(&mut self, notice: Notice) {
        self.act(Action::Notify(notice));
    }

    pub fn change_standing(&mut self, change: impl FnOnce(&mut Standing)) {
        let mut standing = self.account.standing.clone();
        change(&mut standing);
        if standing != self.account.standing {
            self.act(Action::SaveStanding(standing));
        }
    }

    pub fn save_service(&mut self, service: Service, account: ServiceAccount, change: ServiceChange) {
        self.act(Action::SaveService { service, account, change });
    }

    pub fn invoice(&self, id: InvoiceId) -> Done<Invoice> {
        self.account.invoices.get(&id).cloned().ok_or(Refusal::NoSuchInvoice(id).into())
    }

    /// Checked before it is kept.
    pub fn save_invoice(&mut self, invoice: Invoice) -> Done {
        invoice.verify()?;
        self.act(Action::SaveInvoice(invoice));
        Ok(())
    }

    /// Nothing is posted for nothing.
    pub fn post(&mut self, key: String, reason: EntryReason, links: Links, postings: Vec<Posting>) -> Done {
        if postings.is_empty() {
            return Ok(());
        }
        let customer = self.account.customer;
        let entry = Entry { key: EntryKey(key), customer, at: self.now, reason, links, postings };
        if !entry.is_balanced() {
            return Err(BillingError::Incomplete("an entry does not sum to zero"));
        }
        self.act(Action::Post(entry));
        Ok(())
    }

    /// Gives an invoice its number and makes it owed.
    pub fn issue(&mut self, draft: Invoice) -> Done<InvoiceId> {
        let id = draft.id;
        let number = Some(self.counters.take_invoice_number());
        let pending = draft.into_state(InvoiceState::Pending)?;
        let invoice = Invoice { number, issued_at: Some(self.now), ..pending };
        let postings = entry::issued(&invoice)?;
        self.save_invoice(invoice)?;
        self.post(format!("invoice-{id}-issued"), EntryReason::InvoiceIssued, of_invoice(id), postings)?;
        self.notify(Notice::InvoiceIssued { invoice: id });
        Ok(id)
    }

    /// Uses credits for what an invoice still demands.
    pub fn apply_credits(&mut self, id: InvoiceId) -> Done {
        let invoice = self.invoice(id)?;
        let uses = plan_use(self.account.credits.values(), invoice.amount, self.now)?;
        if uses.is_empty() {
            return Ok(());
        }
        for (credit, used) in &uses {
            let credit = self.credit(*credit)?;
            let remaining = credit.remaining.checked_sub(*used)?;
            self.act(Action::SaveCredit(Credit { remaining, ..credit }));
        }
        let change = invoice.credit_changes.saturating_add(1);
        self.save_invoice(Invoice { credit_changes: change, ..invoice.with_credits(&uses)? })?;
        let postings = entry::credits_used(&uses)?;
        self.post(format!("invoice-{id}-credits-{change}"), EntryReason::CreditsUsed, of_invoice(id), postings)
    }

    /// Takes the credits off an invoice and gives them back. The invoice is returned, not saved.
    pub fn return_credits(&mut self, invoice: Invoice) -> Done<Invoice> {
        let (id, uses) = (invoice.id, invoice.credits()?);
        if uses.is_empty() {
            return Ok(invoice);
        }
        for (credit, used) in &uses {
            let credit = self.credit(*credit)?;
            let remaining = credit.remaining.checked_add(*used)?;
            self.act(Action::SaveCredit(Credit { remaining, ..credit }));
        }
        let change = invoice.credit_changes.saturating_add(1);
        let postings = entry::credits_returned(&uses)?;
        self.post(format!("invoice-{id}-credits-{change}"), EntryReason::CreditsReturned, of_invoice(id), postings)?;
        Ok(Invoice { credit_changes: change, ..invoice.without_credits()? })
    }

    /// Gives back `amount` of what was paid for an invoice: what money paid as a new credit, the rest to the credits that
    /// paid it, those used last first. So what was paid by a credit that expires does not outlive it, and what has expired
    /// meanwhile is gone.
    pub fn give_back(&mut self, reason: CreditReason, amount: Usd, id: InvoiceId) -> Done {
        let invoice = self.invoice(id)?;
        let in_money = amount.min(invoice.amount);
        if in_money > Usd::ZERO {
            self.grant_credit(reason, in_money, None, Some(id))?;
        }
        let mut left = amount.checked_sub(in_money)?;
        let mut returned = Vec::new();
        for (credit, used) in invoice.credits()?.into_iter().rev() {
            let credit = self.credit(credit)?;
            let part = used.min(left);
            if part > Usd::ZERO && !credit.is_expired(self.now) {
                left = left.checked_sub(part)?;
                returned.push((credit.id, part));
                let remaining = credit.remaining.checked_add(part)?;
                self.act(Action::SaveCredit(Credit { remaining, ..credit }));
            }
        }
        let postings = entry::credits_given_back(&returned, reason)?;
        self.post(format!("invoice-{id}-given-back"), EntryReason::CreditsReturned, of_invoice(id), postings)
    }

    fn credit(&self, id: CreditId) -> Done<Credit> {
        self.account
            .credits
            .get(&id)
            .cloned()
            .ok_or(BillingError::Incomplete("a credit that an invoice uses is missing"))
    }

    /// Grants credit of whole cents, with the posting that `reason` implies.
    pub fn grant_credit(
        &mut self,
        reason: CreditReason,
        amount: Usd,
        expires_at: Option<UtcMillis>,
        invoice: Option<InvoiceId>,
    ) -> Done<CreditId> {
        let id = self.new_credit(reason, amount, expires_at, invoice);
        let postings = entry::credit_granted(id, reason, amount)?;
        let links = Links { credit: Some(id), invoice, ..Links::default() };
        self.post(format!("credit-{id}-granted"), EntryReason::CreditGranted, links, postings)?;
        Ok(id)
    }

    /// A grant that somebody else posts.
    pub fn new_credit(
        &mut self,
        reason: CreditReason,
        amount: Usd,
        expires_at: Option<UtcMillis>,
        invoice: Option<InvoiceId>,
    ) -> CreditId {
        let (id, granted_at) = (self.counters.take_credit(), self.now);
        let (granted, remaining, expirations) = (amount, amount, 0);
        let credit = Credit { id, reason, granted, remaining, granted_at, expires_at, expirations, invoice };
        self.act(Action::SaveCredit(credit));
        id
    }

    /// What is left of expired credits is gone.
    pub fn expire_credits(&mut self) -> Done {
        let is_over = |credit: &&Credit| credit.is_expired(self.now) && credit.remaining > Usd::ZERO;
        let expired: Vec<Credit> = self.account.credits.values().filter(is_over).cloned().collect();
        for credit in expired {
            let (id, amount, expirations) = (credit.id, credit.remaining, credit.expirations.saturating_add(1));
            let gone = transfer(AccountName::Credit(id), AccountName::Revenue(RevenueKind::Expired), amount)?;
            self.act(Action::SaveCredit(Credit { remaining: Usd::ZERO, expirations, ..credit }));
            let links = Links { credit: Some(id), ..Links::default() };
            self.post(format!("credit-{id}-expired-{expirations}"), EntryReason::CreditExpired, links, gone)?;
            self.notify(Notice::CreditExpired { credit: id, amount });
        }
        Ok(())
    }

    /// Nothing is owed for an invoice any more; what it used of credits comes back, and its usage counts as not billed.
    pub fn void(&mut self, id: InvoiceId) -> Done {
        let invoice = self.invoice(id)?;
        if self.account.is_under_way(id) {
            return Err(Refusal::PaymentUnderWay.into());
        }
        if !invoice.state.is_unpaid() {
            return Err(Refusal::InvoiceState(invoice.state).into());
        }
        let invoice = self.return_credits(invoice)?;
        let postings = entry::voided(&invoice)?;
        self.unbill(&invoice)?;
        let voided = Invoice { retry_at: None, ..invoice.into_state(InvoiceState::Voided)? };
        self.save_invoice(voided)?;
        self.post(format!("invoice-{id}-voided"), EntryReason::InvoiceVoided, of_invoice(id), postings)?;
        self.notify(Notice::InvoiceVoided { invoice: id });
        Ok(())
    }

    /// The draft; there is one from the first decision on.
    pub fn draft(&self) -> Done<Invoice> {
        let missing = BillingError::Incomplete("the draft is missing");
        self.account.draft().cloned().ok_or(missing)
    }

    pub fn new_invoice(&mut self, purpose: Purpose, month: Month) -> Invoice {
        Invoice::draft(self.counters.take_invoice(), self.account.customer, purpose, month)
    }
}

pub(super) fn of_invoice(id: InvoiceId) -> Links {
    Links { invoice: Some(id), ..Links::default() }
}
