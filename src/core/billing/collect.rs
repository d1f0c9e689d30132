//! Getting an invoice paid: credits, then payment methods; and what follows from their answers.

use super::account::ServiceAccount;
use super::action::{Action, Notice, ServiceChange};
use super::books::{Books, Done};
use super::credit::{CreditReason, plan_use};
use super::entry::{AccountName, EntryReason, Links, transfer};
use super::error::{BillingError, Refusal};
use super::escrow::{Ability, ChargeAnswer, Outcome};
use super::ids::{ChargeKey, InvoiceId};
use super::invoice::{Invoice, InvoiceState, Purpose};
use super::payment::{Charge, ChargeState, LOOK_AGAIN_MS, PaymentMethod, next_method, retry_at};
use crate::core::calendar::UtcMillis;
use crate::core::id::Service;
use crate::core::money::Usd;
use crate::core::tier::Tier;

impl Books<'_> {
    /// Asks for what an unpaid invoice demands, unless an answer is awaited. One that has failed is only taken up again
    /// if somebody could pay it.
    pub fn collect(&mut self, id: InvoiceId) -> Done {
        let invoice = self.invoice(id)?;
        if !self.account.may_collect(&invoice) {
            return Ok(());
        }
        if invoice.state == InvoiceState::Failed {
            let uses = plan_use(self.account.credits.values(), invoice.amount, self.now)?;
            let rest =
                Usd::sum(uses.iter().map(|(_, used)| *used)).and_then(|used| invoice.amount.checked_sub(used))?;
            if rest > Usd::ZERO && self.able_method(&[], rest)?.is_none() {
                return Ok(());
            }
            self.save_invoice(Invoice { retries: 0, ..invoice.into_state(InvoiceState::Pending)? })?;
        }
        self.apply_credits(id)?;
        if self.invoice(id)?.amount == Usd::ZERO {
            return self.mark_paid(id);
        }
        self.ask_next(id)
    }

    /// Everything unpaid, oldest first: money or credit has come, or nothing stands in the way any more.
    pub fn collect_all(&mut self) -> Done {
        let unpaid: Vec<InvoiceId> = self.account.unpaid().into_iter().map(|invoice| invoice.id).collect();
        unpaid.into_iter().try_for_each(|id| self.collect(id))
    }

    /// Whoever is due for another try.
    pub fn collect_due(&mut self) -> Done {
        let is_due = |invoice: &&Invoice| {
            invoice.state == InvoiceState::Pending && invoice.retry_at.is_none_or(|at| at <= self.now)
        };
        let due: Vec<InvoiceId> = self.account.unpaid().into_iter().filter(is_due).map(|invoice| invoice.id).collect();
        due.into_iter().try_for_each(|id| self.collect(id))
    }

    /// The next method of the running round, or what follows if there is none.
    fn ask_next(&mut self, id: InvoiceId) -> Done {
        let invoice = self.invoice(id)?;
        let in_round = self.account.charges_of(id).filter(|charge| charge.round == invoice.round);
        let tried: Vec<PaymentMethod> = in_round.map(|charge| charge.method).collect();
        match self.able_method(&tried, invoice.amount)? {
            Some(method) => self.ask(invoice, method),
            None if tried.is_empty() => self.look_again(invoice),
            None => self.end_round(invoice),
        }
    }

    fn ask(&mut self, invoice: Invoice, method: PaymentMethod) -> Done {
        let attempt = invoice.attempts.saturating_add(1);
        let (key, asked_at) = (ChargeKey { invoice: invoice.id, attempt }, self.now);
        let (amount, round) = (invoice.amount, invoice.round);
        self.save_invoice(Invoice { attempts: attempt, retry_at: None, ..invoice })?;
        self.act(Action::SaveCharge(Charge { key, method, amount, round, asked_at, state: ChargeState::Sent }));
        Ok(())
    }

    /// Nobody could be asked: that is no attempt, but it is a failure to pay.
    fn look_again(&mut self, invoice: Invoice) -> Done {
        let later = self.now.plus_ms(LOOK_AGAIN_MS);
        let retry_at = match self.escrow_ability(invoice.amount)? {
            Some(Ability::LimitReached { until }) => until.min(later),
            _ => later,
        };
        let first_failure_at = invoice.first_failure_at.or(Some(self.now));
        self.save_invoice(Invoice { retry_at: Some(retry_at), first_failure_at, ..invoice })
    }

    /// Everybody who could be asked has declined.
    fn end_round(&mut self, invoice: Invoice) -> Done {
        let retries = invoice.retries.saturating_add(1);
        let round = invoice.round.saturating_add(1);
        let first_failure_at = invoice.first_failure_at.or(Some(self.now));
        let invoice = Invoice { retries, round, first_failure_at, ..invoice };
        if let Some(at) = retry_at(retries, self.now) {
            return self.save_invoice(Invoice { retry_at: Some(at), ..invoice });
        }
        let id = invoice.id;
        let failed = self.return_credits(invoice)?.into_state(InvoiceState::Failed)?;
        self.save_invoice(Invoice { retry_at: None, ..failed })?;
        self.notify(Notice::InvoiceFailed { invoice: id });
        Ok(())
    }

    /// The first of the customer's methods that was not tried and can pay, as far as is known here.
    pub fn able_method(&self, tried: &[PaymentMethod], amount: Usd) -> Done<Option<PaymentMethod>> {
        let escrow = self.escrow_ability(amount)?;
        let can_pay = |method| match method {
            PaymentMethod::Escrow => escrow == Some(Ability::Able),
        };
        Ok(next_method(&self.account.standing.methods, tried, can_pay))
    }

    fn escrow_ability(&self, amount: Usd) -> Done<Option<Ability>> {
        let asked = self.account.asked(PaymentMethod::Escrow)?;
        Ok(self.account.escrow.map(|escrow| escrow.can_pay(amount, asked, self.now)))
    }

    /// An answer about a charge. The second one to a charge that succeeded is nothing new; money that came after all
    /// counts, whatever was said before.
    pub fn charge_answered(&mut self, answer: &ChargeAnswer) -> Done {
        let key = ChargeKey { invoice: answer.invoice, attempt: answer.attempt };
        let missing = BillingError::Incomplete("the charge that was answered is missing");
        let charge = self.account.charges.get(&key).cloned().ok_or(missing)?;
        match (&charge.state, &answer.outcome) {
            (ChargeState::Succeeded { .. }, _) | (ChargeState::Declined { .. }, Outcome::Declined { .. }) => Ok(()),
            (_, Outcome::Succeeded { reference }) => self.charge_succeeded(charge, reference, answer.at),
            (ChargeState::Sent, Outcome::Declined { reason }) => self.charge_declined(charge, reason),
        }
    }

    fn charge_succeeded(&mut self, charge: Charge, reference: &str, at: UtcMillis) -> Done {
        let (key, amount, method) = (charge.key, charge.amount, charge.method);
        let state = ChargeState::Succeeded { reference: reference.to_owned() };
        self.act(Action::SaveCharge(Charge { state, ..charge }));
        let PaymentMethod::Escrow = method;
        self.take_from_escrow(amount, at)?;
        let invoice = self.invoice(key.invoice)?;
        let links = Links {
            invoice: Some(key.invoice),
            charge: Some(key),
            reference: Some(reference.to_owned()),
            ..Links::default()
        };
        if invoice.state.is_unpaid() && invoice.amount == amount && !self.account.is_under_way(key.invoice) {
            let postings = transfer(AccountName::Escrow, AccountName::Receivable, amount)?;
            self.post(key.to_string(), EntryReason::InvoicePaid, links, postings)?;
            return self.mark_paid(key.invoice);
        }
        // Somebody else paid, or is about to, or nothing is owed any more.
        let credit = self.new_credit(CreditReason::Refund, amount, None, Some(key.invoice));
        let postings = transfer(AccountName::Escrow, AccountName::Credit(credit), amount)?;
        let links = Links { credit: Some(credit), ..links };
        self.post(key.to_string(), EntryReason::Overpaid, links, postings)?;
        self.notify(Notice::Overpaid { invoice: key.invoice, amount });
        self.collect_all()
    }

    fn take_from_escrow(&mut self, amount: Usd, at: UtcMillis) -> Done {
        let missing = BillingError::Incomplete("escrow paid, but there is no account on the chain");
        let escrow = self.account.escrow.ok_or(missing)?;
        self.act(Action::SaveEscrow(escrow.after_charge(amount, at)?));
        Ok(())
    }

    fn charge_declined(&mut self, charge: Charge, reason: &str) -> Done {
        let id = charge.key.invoice;
        self.act(Action::SaveCharge(Charge { state: ChargeState::Declined { reason: reason.to_owned() }, ..charge }));
        let invoice = self.invoice(id)?;
        if invoice.state != InvoiceState::Pending {
            return Ok(());
        }
        match invoice.purpose {
            Purpose::Upgrade { service, .. } if self.has_no_other_method(&invoice)? => {
                self.void(id)?;
                self.notify(Notice::UpgradeDeclined { service });
                Ok(())
            }
            _ => self.ask_next(id),
        }
    }

    fn has_no_other_method(&self, invoice: &Invoice) -> Done<bool> {
        let in_round = self.account.charges_of(invoice.id).filter(|charge| charge.round == invoice.round);
        let tried: Vec<PaymentMethod> = in_round.map(|charge| charge.method).collect();
        Ok(self.able_method(&tried, invoice.amount)?.is_none())
    }

    /// Nothing is owed for it any more, because it was paid; what was bought begins.
    fn mark_paid(&mut self, id: InvoiceId) -> Done {
        let invoice = self.invoice(id)?;
        let invoice = match invoice.state {
            InvoiceState::Failed => invoice.into_state(InvoiceState::Pending)?,
            _ => invoice,
        };
        let (purpose, credit) = (invoice.purpose, invoice.credit_on_payment);
        let paid = invoice.into_state(InvoiceState::Paid)?;
        self.save_invoice(Invoice { paid_at: Some(self.now), retry_at: None, ..paid })?;
        self.change_standing(|standing| standing.has_paid = true);
        self.notify(Notice::InvoicePaid { invoice: id });
        match purpose {
            Purpose::Monthly => {}
            Purpose::Subscribe { service } => self.begin_service(service),
            Purpose::Resume { .. } => {}
            Purpose::Upgrade { service, to } => self.begin_tier(service, to, id)?,
        }
        if credit > Usd::ZERO {
            // Whatever paid: the days before are given as credit that stays.
            self.grant_credit(CreditReason::Reconciliation, credit, None, Some(id))?;
        }
        Ok(())
    }

    fn begin_service(&mut self, service: Service) {
        let account = self.account.service(service);
        if let Ok(instance) = account.instance.mark_paid() {
            let paid = ServiceAccount { instance, renewed_unpaid: false, ..account };
            self.save_service(service, paid, ServiceChange::Paid);
        }
    }

    /// If the tier cannot begin any more, what it cost comes back as credit: also when the month is over that was paid for,
    /// since the next one is billed as it was when it began.
    fn begin_tier(&mut self, service: Service, to: Tier, invoice: InvoiceId) -> Done {
        let account = self.account.service(service);
        let from = account.instance.tier;
        let in_time = self.invoice(invoice)?.month == self.account.standing.month;
        match (account.instance.change_tier(to, self.now), from) {
            (Ok(instance), Some(from)) if from <= to && in_time => {
                let change = ServiceChange::TierChanged { from, to };
                self.save_service(service, ServiceAccount { instance, ..account }, change);
                Ok(())
            }
            _ => {
                let cost = self.invoice(invoice)?.charges()?;
                self.give_back(CreditReason::Refund, cost, invoice)?;
                self.notify(Notice::UpgradeDeclined { service });
                Ok(())
            }
        }
    }

    /// Whether anything could be paid for now, told before it is promised.
    pub fn require_payable(&self, invoice: &Invoice) -> Done {
        if invoice.amount > Usd::ZERO && self.able_method(&[], invoice.amount)?.is_none() {
            return Err(Refusal::CannotPay(Box::new(invoice.clone())).into());
        }
        Ok(())
    }
}
