//! What the operator and the chain bring about: deposits and withdrawals, limits, grants of credit, credit notes; and
//! what follows from not paying.

use super::account::ServiceAccount;
use super::action::{Action, Notice, ServiceChange};
use super::books::{Books, Done};
use super::credit::CreditReason;
use super::credit_note::{CreditNote, CreditNoteState, Payout, RefundAnswer, is_reason};
use super::dunning::{self, Dunning, Phase};
use super::entry::{AccountName, EntryReason, Links, transfer};
use super::error::{BillingError, Refusal};
use super::escrow::{ChainMove, EscrowMirror, Outcome, SpendingLimit};
use super::ids::InvoiceId;
use super::invoice::{Invoice, InvoiceState};
use super::payment::{ChargeState, PaymentMethod};
use super::spend_cap::{SpendCap, review};
use crate::core::calendar::UtcMillis;
use crate::core::id::Service;
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::service_instance::ServiceState;

impl Books<'_> {
    pub fn escrow_created(&mut self, at: UtcMillis) {
        if self.account.escrow.is_none() {
            self.act(Action::SaveEscrow(EscrowMirror::created(at)));
        }
    }

    pub fn deposited(&mut self, moved: &ChainMove) -> Done {
        let escrow = self.escrow()?;
        let balance = escrow.balance.checked_add(positive(moved.amount)?)?;
        self.act(Action::SaveEscrow(EscrowMirror { balance, ..escrow }));
        let postings = transfer(AccountName::ChainClearing, AccountName::Escrow, moved.amount)?;
        self.post(moved.entry_key().0, EntryReason::Deposit, by_chain(moved), postings)?;
        self.collect_all()
    }

    pub fn withdrawn(&mut self, moved: &ChainMove) -> Done {
        let escrow = self.escrow()?;
        let balance = escrow.balance.checked_sub(positive(moved.amount)?)?;
        self.act(Action::SaveEscrow(EscrowMirror { balance, ..escrow }));
        let postings = transfer(AccountName::Escrow, AccountName::ChainClearing, moved.amount)?;
        self.post(moved.entry_key().0, EntryReason::Withdrawal, by_chain(moved), postings)
    }

    pub fn charged_elsewhere(&mut self, moved: &ChainMove) -> Done {
        let escrow = self.escrow()?;
        self.act(Action::SaveEscrow(escrow.after_charge(positive(moved.amount)?, moved.at)?));
        let postings = transfer(AccountName::Escrow, AccountName::ChainClearing, moved.amount)?;
        self.post(moved.entry_key().0, EntryReason::ForeignCharge, by_chain(moved), postings)
    }

    pub fn forgotten_charge(&mut self, moved: &ChainMove) -> Done {
        let escrow = self.escrow()?;
        self.act(Action::SaveEscrow(escrow.after_charge(positive(moved.amount)?, moved.at)?));
        let credit = self.new_credit(CreditReason::Refund, moved.amount, None, None);
        let postings = transfer(AccountName::Escrow, AccountName::Credit(credit), moved.amount)?;
        let links = Links { credit: Some(credit), ..by_chain(moved) };
        self.post(moved.entry_key().0, EntryReason::Overpaid, links, postings)?;
        self.collect_all()
    }

    pub fn credited_elsewhere(&mut self, moved: &ChainMove) -> Done {
        let escrow = self.escrow()?;
        let balance = escrow.balance.checked_add(positive(moved.amount)?)?;
        self.act(Action::SaveEscrow(EscrowMirror { balance, ..escrow }));
        let postings = transfer(AccountName::ChainClearing, AccountName::Escrow, moved.amount)?;
        self.post(moved.entry_key().0, EntryReason::ForeignCredit, by_chain(moved), postings)?;
        self.collect_all()
    }

    pub fn limit_changed(&mut self, limit: SpendingLimit) -> Done {
        let escrow = self.escrow()?;
        self.act(Action::SaveEscrow(EscrowMirror { limit, ..escrow }));
        self.collect_all()
    }

    fn escrow(&self) -> Done<EscrowMirror> {
        self.account.escrow.ok_or(Refusal::NoEscrow.into())
    }

    pub fn set_methods(&mut self, methods: &[PaymentMethod]) -> Done {
        let mut sorted = methods.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if methods.is_empty() || sorted.len() != methods.len() {
            return Err(Refusal::BadMethods.into());
        }
        self.change_standing(|standing| standing.methods = methods.to_vec());
        self.collect_all()
    }

    pub fn set_spend_cap(&mut self, cap: Option<SpendCap>) -> Done {
        if cap.is_some_and(|cap| cap.amount <= Usd::ZERO) {
            return Err(Refusal::BadAmount.into());
        }
        if self.account.standing.cap.is_none() {
            self.spent = Some(self.drawn_usage()?);
        }
        self.change_standing(|standing| {
            let amount = |cap: SpendCap| cap.amount;
            if standing.cap.map(amount) != cap.map(amount) {
                // What was told was told of another amount.
                standing.cap_status.told_percent = 0;
            }
            standing.cap = cap;
        });
        Ok(())
    }

    /// What the draft shows of the running month's usage.
    fn drawn_usage(&self) -> Done<Usd> {
        let draft = self.draft()?;
        let usage = draft.lines.iter().filter(|line| line.is_usage() && line.month == self.account.standing.month);
        Ok(Usd::sum(usage.map(|line| line.amount))?)
    }

    /// Tells how far a cap is reached and stops or releases keys. A month begins with nothing.
    pub fn review_cap(&mut self) -> Done {
        let (standing, status) = (&self.account.standing, self.account.standing.cap_status);
        let known = if status.month == standing.month { status.spent } else { Usd::ZERO };
        let spent = self.spent.unwrap_or(known);
        let (status, told) = review(standing.cap, standing.cap_status, standing.month, spent);
        self.change_standing(|standing| standing.cap_status = status);
        told.into_iter().for_each(|percent| self.notify(Notice::CapReached { percent, spent }));
        Ok(())
    }

    pub fn give_credit(&mut self, reason: CreditReason, amount: Usd, expires_at: Option<UtcMillis>) -> Done {
        if amount <= Usd::ZERO || !amount.is_whole_cents() {
            return Err(Refusal::BadAmount.into());
        }
        if expires_at.is_some_and(|expires_at| expires_at <= self.now) {
            return Err(Refusal::Expired.into());
        }
        self.grant_credit(reason, amount, expires_at, None)?;
        self.collect_all()
    }

    /// At most what was paid; to escrow at most what escrow paid, and nothing as long as the books are in doubt.
    pub fn issue_credit_note(&mut self, invoice: InvoiceId, amount: Usd, payout: Payout, reason: &str) -> Done {
        let paid = self.invoice(invoice)?;
        if paid.state != InvoiceState::Paid {
            return Err(Refusal::InvoiceState(paid.state).into());
        }
        if amount <= Usd::ZERO || !amount.is_whole_cents() {
            return Err(Refusal::BadAmount.into());
        }
        if !is_reason(reason) {
            return Err(Refusal::BadReason.into());
        }
        if payout == Payout::Escrow && self.account.standing.parked.is_some() {
            return Err(Refusal::Parked.into());
        }
        let all = paid.charges()?.checked_sub(self.given_back(invoice, |_| true)?)?;
        let by_escrow = self.paid_by_escrow(invoice)?.checked_sub(self.given_back(invoice, is_to_escrow)?)?;
        let most = match payout {
            Payout::Credit => all,
            Payout::Escrow => all.min(by_escrow),
        };
        if amount > most {
            return Err(Refusal::MoreThanPaid(most).into());
        }
        let (id, issued_at) = (self.counters.take_credit_note(), self.now);
        let (reason, state) = (reason.trim().to_owned(), CreditNoteState::Sent);
        let note = CreditNote { id, invoice, amount, reason, issued_at, state };
        match payout {
            Payout::Credit => self.pay_by_credit(note),
            Payout::Escrow => {
                self.escrow()?;
                self.act(Action::SaveCreditNote(note));
                Ok(())
            }
        }
    }

    fn pay_by_credit(&mut self, note: CreditNote) -> Done {
        let credit = self.grant_credit(CreditReason::Refund, note.amount, None, Some(note.invoice))?;
        self.act(Action::SaveCreditNote(CreditNote { state: CreditNoteState::Credited { credit }, ..note }));
        self.collect_all()
    }

    fn given_back(&self, invoice: InvoiceId, counts: fn(&CreditNote) -> bool) -> Result<Usd, MoneyOverflow> {
        let notes = self.account.credit_notes.values().filter(|note| note.invoice == invoice && counts(note));
        Usd::sum(notes.map(|note| note.amount))
    }

    fn paid_by_escrow(&self, invoice: InvoiceId) -> Result<Usd, MoneyOverflow> {
        let rest = self.account.invoices.get(&invoice).map_or(Usd::ZERO, |invoice| invoice.amount);
        let succeeded = |state: &ChargeState| matches!(state, ChargeState::Succeeded { .. });
        let paid = self.account.charges_of(invoice).any(|charge| succeeded(&charge.state));
        Ok(if paid { rest } else { Usd::ZERO })
    }

    pub fn refund_answered(&mut self, answer: &RefundAnswer) -> Done {
        let note = self.account.credit_notes.get(&answer.note).cloned();
        let note = note.ok_or(Refusal::NoSuchCreditNote(answer.note))?;
        if note.state != CreditNoteState::Sent {
            return Ok(());
        }
        let Outcome::Succeeded { reference } = &answer.outcome else { return self.pay_by_credit(note) };
        let escrow = self.escrow()?;
        let balance = escrow.balance.checked_add(note.amount)?;
        self.act(Action::SaveEscrow(EscrowMirror { balance, ..escrow }));
        let (id, invoice, reference) = (note.id, Some(note.invoice), reference.clone());
        let postings = transfer(AccountName::Refunds, AccountName::Escrow, note.amount)?;
        let links = Links { invoice, credit_note: Some(id), reference: Some(reference.clone()), ..Links::default() };
        self.act(Action::SaveCreditNote(CreditNote { state: CreditNoteState::Paid { reference }, ..note }));
        self.post(format!("credit-note-{id}"), EntryReason::RefundPaid, links, postings)?;
        self.collect_all()
    }

    pub fn park(&mut self, reason: &str) {
        if self.account.standing.parked.is_none() {
            self.change_standing(|standing| standing.parked = Some(reason.to_owned()));
            self.notify(Notice::Parked { reason: reason.to_owned() });
        }
    }

    /// Nobody could be asked to pay meanwhile, so grace begins anew for what is unpaid still.
    pub fn unpark(&mut self) -> Done {
        let standing = &self.account.standing;
        if standing.parked.is_some() && !standing.dunning.suspended {
            let failed = self.account.unpaid().into_iter().filter(|invoice| invoice.first_failure_at.is_some());
            let failed: Vec<Invoice> = failed.cloned().collect();
            for invoice in failed {
                self.save_invoice(Invoice { first_failure_at: Some(self.now), ..invoice })?;
            }
            self.change_standing(|standing| standing.dunning = Dunning::default());
        }
        self.change_standing(|standing| standing.parked = None);
        self.collect_all()
    }

    /// What follows from not paying, or from having paid: notices, suspension, resumption. Nobody is suspended while
    /// parked: it is not the customer who does not pay then.
    pub fn dun(&mut self) -> Done {
        let owed = self.account.unpaid().into_iter().filter(|invoice| invoice.purpose.is_for_running_services());
        let oldest = owed.filter_map(|invoice| invoice.first_failure_at).min();
        let standing = &self.account.standing;
        let before = standing.dunning;
        if standing.parked.is_some() && oldest.is_some() && !before.suspended {
            return Ok(());
        }
        let step = dunning::step(before, oldest, standing.has_paid, self.now);
        self.change_standing(|standing| standing.dunning = step.after);
        if let Some(suspends_at) = step.notice {
            self.notify(Notice::PaymentOverdue { suspends_at });
        }
        match step.phase {
            Phase::Suspended => self.suspend_services(),
            Phase::GoodStanding | Phase::Grace => self.resume_services(),
        }
        match (before.suspended, step.after.suspended) {
            (false, true) => self.notify(Notice::Suspended),
            (true, false) => {
                self.notify(Notice::Resumed);
                // What begins only when it is paid had to wait.
                self.collect_all()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// All that work: also those that somebody resumed from maintenance meanwhile.
    fn suspend_services(&mut self) {
        let services: Vec<Service> = self.account.services.keys().copied().collect();
        for service in services {
            let account = self.account.service(service);
            match account.instance.suspend_no_payment() {
                Ok(instance) if account.instance.paid_once => {
                    self.save_service(service, ServiceAccount { instance, ..account }, ServiceChange::Suspended);
                }
                _ => {}
            }
        }
    }

    fn resume_services(&mut self) {
        let services: Vec<Service> = self.account.services.keys().copied().collect();
        for service in services {
            let account = self.account.service(service);
            if account.instance.state != ServiceState::SuspendedNoPayment {
                continue;
            }
            if let Ok(instance) = account.instance.resume_no_payment() {
                self.save_service(service, ServiceAccount { instance, ..account }, ServiceChange::Resumed);
            }
        }
    }
}

fn is_to_escrow(note: &CreditNote) -> bool {
    !matches!(note.state, CreditNoteState::Credited { .. })
}

fn positive(amount: Usd) -> Done<Usd> {
    if amount > Usd::ZERO {
        Ok(amount)
    } else {
        Err(BillingError::Incomplete("a movement on the chain without an amount"))
    }
}

fn by_chain(moved: &ChainMove) -> Links {
    Links { reference: Some(moved.event.digest.clone()), ..Links::default() }
}
