//! From the rows of a decision to the ledger.
//!
//! Rows that others name are written first, whatever the order of the actions: invoices in the order of their numbers
//! and drafts last, then credits, then all else, then the books.

use serde_json::{Value, json};

use super::convert;
use super::failure::BillingFailure;
use super::rows::{ClosedMonth, Rows};
use crate::core::activity::Activity;
use crate::core::billing::{
    Action, Charge, ChargeState, CreditNote, CreditNoteState, EscrowMirror, Event, Notice, Outcome, ServiceAccount,
    ServiceChange, Standing,
};
use crate::core::billing::{BillingError, CapStatus};
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Service};
use crate::ledger::activity::append_activity;
use crate::ledger::api_key::delete_keys_of_service;
use crate::ledger::billed_usage::{put_billed, settle_late_usage};
use crate::ledger::billing_invoice::{insert_invoice, update_invoice};
use crate::ledger::billing_notice::insert_notice;
use crate::ledger::billing_standing::put_standing;
use crate::ledger::charge::{
    Direction, StoredAnswer, StoredCharge, StoredPaymentMethod, answer_charge, find_charge, insert_charge,
};
use crate::ledger::credit::{insert_credit, set_remaining};
use crate::ledger::credit_note::{StoredCreditNote, StoredNoteState, finish_credit_note, insert_credit_note};
use crate::ledger::entry::append_new_entries;
use crate::ledger::escrow::{StoredEscrowAccount, escrow_account_of, put_escrow_account};
use crate::ledger::parked::{Parked, park, unpark};
use crate::ledger::payment_terms::{clear_spend_cap, set_dunning, set_payment_methods, set_spend_cap};
use crate::ledger::seal_key::delete_seal_keys_of;
use crate::ledger::service::{ServiceBilling, save_service, set_service_billing};
use crate::ledger::unclosed_month::forget_unclosed;
use crate::ledger::usage::mark_stale;
use crate::ledger::{LedgerError, WriteTx};

type Saved = Result<(), BillingFailure>;

/// Where it is saved.
struct Saving<'a> {
    tx: &'a WriteTx<'a>,
    customer: CustomerId,
    event: &'a Event,
    now: UtcMillis,
}

/// Writes all that a decision did to an account.
///
/// # Errors
/// [`BillingFailure`]; then the transaction is to be rolled back.
pub fn save(tx: &WriteTx<'_>, rows: &Rows, event: &Event, now: UtcMillis) -> Saved {
    let saving = Saving { tx, customer: rows.standing.customer, event, now };
    put_standing(tx, &rows.standing)?;
    if let Some((before, after)) = &rows.terms {
        saving.terms(before, after)?;
    }
    saving.services(&rows.others)?;
    for (before, invoice) in &rows.invoices {
        match before {
            None => insert_invoice(tx, invoice, now)?,
            Some(before) => update_invoice(tx, before, invoice, now)?,
        }
    }
    rows.new_credits.iter().try_for_each(|credit| insert_credit(tx, credit))?;
    rows.known_credits.iter().try_for_each(|credit| set_remaining(tx, credit))?;
    rows.others.iter().try_for_each(|action| saving.rest(action))?;
    append_new_entries(tx, &rows.entries).map_err(|error| match error {
        LedgerError::EntryKeyReused { key, .. } => BillingFailure::Repeated(key),
        error => error.into(),
    })?;
    rows.notices.iter().try_for_each(|notice| insert_notice(tx, notice).map(drop))?;
    rows.closed.map_or(Ok(()), |closed| saving.closed(closed))
}

impl Saving<'_> {
    /// What of the standing has rows of its own.
    fn terms(&self, before: &Standing, after: &Standing) -> Saved {
        let (tx, customer) = (self.tx, self.customer);
        if before.methods != after.methods {
            let methods: Vec<StoredPaymentMethod> = after.methods.iter().copied().map(convert::method_to).collect();
            set_payment_methods(tx, customer, &methods)?;
        }
        if before.dunning != after.dunning {
            set_dunning(tx, customer, convert::dunning_to(after.dunning))?;
        }
        match &after.parked {
            _ if before.parked == after.parked => {}
            Some(reason) => drop(park(tx, &Parked { customer, reason: reason.clone(), since: self.now })?),
            None => drop(unpark(tx, customer)?),
        }
        if before.cap != after.cap {
            // The draft may be of the month before, and then it does not say how much of the cap is used.
            mark_stale(tx, customer)?;
        }
        let cap_of =
            |standing: &Standing| convert::cap_to(standing.cap, standing.cap_status, CapStatus::of(standing.month));
        match cap_of(after) {
            after if cap_of(before) == after => {}
            Some(cap) => set_spend_cap(tx, customer, cap, self.now)?,
            None => clear_spend_cap(tx, customer)?,
        }
        Ok(())
    }

    fn services(&self, actions: &[Action]) -> Saved {
        let changes = actions.iter().filter_map(|action| match action {
            Action::SaveService { service, account, change } => Some((*service, account, *change)),
            _ => None,
        });
        let changes: Vec<(Service, &ServiceAccount, ServiceChange)> = changes.collect();
        for (place, (service, account, change)) in changes.iter().enumerate() {
            self.follow(*service, *change)?;
            let is_last = changes.iter().skip(place + 1).all(|(later, ..)| later != service);
            if is_last {
                let saves_all = changes.iter().any(|(of, _, why)| of == service && *why != ServiceChange::Billed);
                if saves_all {
                    save_service(self.tx, self.customer, *service, &account.instance, self.now)?;
                }
                let (through, renewed_unpaid) = (account.billed_through, account.renewed_unpaid);
                set_service_billing(self.tx, self.customer, *service, ServiceBilling { through, renewed_unpaid })?;
            }
        }
        Ok(())
    }

    /// What a change of a service brings with it.
    fn follow(&self, service: Service, change: ServiceChange) -> Saved {
        if change == ServiceChange::Ended {
            delete_keys_of_service(self.tx, self.customer, service, self.now)?;
            if service == Service::Seal {
                delete_seal_keys_of(self.tx, self.customer, self.now)?;
            }
        }
        let Some((action, details)) = activity_of(change) else { return Ok(()) };
        if self.is_asked_for(service, change) {
            return Ok(());
        }
        append_activity(
            self.tx,
            Activity {
                customer: Some(self.customer),
                at: self.now,
                actor: "system".to_owned(),
                ip: String::new(),
                action: action.to_owned(),
                subject: service.name().to_owned(),
                details: details.to_string(),
            },
        )?;
        Ok(())
    }

    /// Whether the change is what the customer asked for, who is noted as its author by whoever brought the event.
    fn is_asked_for(&self, of: Service, change: ServiceChange) -> bool {
        match (self.event, change) {
            (Event::ChangeTier { service, .. }, ServiceChange::TierChanged { .. })
            | (Event::Cancel { service }, ServiceChange::Ended) => *service == of,
            _ => false,
        }
    }

    fn rest(&self, action: &Action) -> Saved {
        match action {
            Action::SaveCharge(charge) => self.charge(charge),
            Action::SaveCreditNote(note) => self.credit_note(note),
            Action::SaveBilled(key, billed) => {
                Ok(put_billed(self.tx, &convert::billed_to(self.customer, key, billed))?)
            }
            Action::SaveEscrow(escrow) => self.escrow(escrow),
            _ => Ok(()),
        }
    }

    fn charge(&self, charge: &Charge) -> Saved {
        let key = charge.key.to_string();
        let answer = match &charge.state {
            ChargeState::Sent => return self.send(charge, key),
            ChargeState::Succeeded { reference } => StoredAnswer::Succeeded { reference: reference.clone() },
            ChargeState::Declined { reason } => StoredAnswer::Declined { reason: reason.clone() },
        };
        Ok(answer_charge(self.tx, &key, &answer, self.now)?)
    }

    fn send(&self, charge: &Charge, key: String) -> Saved {
        let charge = StoredCharge {
            key,
            customer: self.customer,
            invoice: charge.key.invoice.0,
            direction: Direction::Charge,
            attempt: charge.key.attempt,
            round: charge.round,
            method: convert::method_to(charge.method),
            amount: charge.amount,
            asked_at: charge.asked_at,
            send_at: self.now,
            sends: 0,
            last_error: None,
            answer: None,
        };
        Ok(insert_charge(self.tx, &charge)?)
    }

    fn credit_note(&self, note: &CreditNote) -> Saved {
        let (tx, id) = (self.tx, note.id.0);
        let key = refund_key(note);
        let sent = find_charge(tx, &key)?;
        // The last to be issued: there is no row yet.
        if sent.is_none() {
            insert_credit_note(
                tx,
                &StoredCreditNote {
                    credit_note: id,
                    customer: self.customer,
                    invoice: note.invoice.0,
                    amount: note.amount,
                    reason: note.reason.clone(),
                    issued_at: note.issued_at,
                    state: StoredNoteState::Sent,
                },
            )?;
        }
        match &note.state {
            CreditNoteState::Sent => return self.pay_back(note, key),
            CreditNoteState::Paid { reference } => {
                answer_charge(tx, &key, &StoredAnswer::Succeeded { reference: reference.clone() }, self.now)?;
            }
            CreditNoteState::Credited { .. } if sent.is_some() => {
                answer_charge(tx, &key, &StoredAnswer::Declined { reason: self.why_declined() }, self.now)?;
            }
            CreditNoteState::Credited { .. } => {}
        }
        Ok(finish_credit_note(tx, id, &convert::note_state_to(&note.state))?)
    }

    fn why_declined(&self) -> String {
        match self.event {
            Event::RefundAnswered(answer) => match &answer.outcome {
                Outcome::Declined { reason } => reason.clone(),
                Outcome::Succeeded { .. } => "it became a credit".to_owned(),
            },
            _ => "it became a credit".to_owned(),
        }
    }

    fn pay_back(&self, note: &CreditNote, key: String) -> Saved {
        // For each invoice and direction another one.
        let attempt = u32::try_from(note.id.0).map_err(|_| BillingFailure::Unreadable {
            what: "there are more credit notes than can be",
            subject: note.id.to_string(),
        })?;
        let refund = StoredCharge {
            key,
            customer: self.customer,
            invoice: note.invoice.0,
            direction: Direction::Refund,
            attempt,
            round: 0,
            method: StoredPaymentMethod::Escrow,
            amount: note.amount,
            asked_at: self.now,
            send_at: self.now,
            sends: 0,
            last_error: None,
            answer: None,
        };
        Ok(insert_charge(self.tx, &refund)?)
    }

    /// The object on the chain is known before anything can be said of it.
    fn escrow(&self, escrow: &EscrowMirror) -> Saved {
        let known = escrow_account_of(self.tx, self.customer)?;
        let known = known.ok_or(BillingError::Incomplete("the account on the chain has no row"))?;
        let account = StoredEscrowAccount {
            balance: escrow.balance,
            spending_limit: escrow.limit.amount(),
            period: escrow.period,
            period_charged: escrow.charged,
            mirrored_at: self.now,
            ..known
        };
        Ok(put_escrow_account(self.tx, &account)?)
    }

    fn closed(&self, closed: ClosedMonth) -> Saved {
        if closed.with_earlier {
            settle_late_usage(self.tx, self.customer, closed.month)?;
        }
        Ok(forget_unclosed(self.tx, self.customer, closed.month)?)
    }
}

/// The key under which a refund is sent: `credit-note-<id>`.
fn refund_key(note: &CreditNote) -> String {
    format!("credit-note-{}", note.id)
}

/// How the activity log says what came about by itself; `None` for what a customer asked for, and for what is none of
/// a customer's concern.
fn activity_of(change: ServiceChange) -> Option<(&'static str, Value)> {
    Some(match change {
        ServiceChange::Paid => ("service.paid", json!({})),
        ServiceChange::TierChanged { from, to } => {
            ("service.tier_changed", json!({"from": from.name(), "to": to.name()}))
        }
        ServiceChange::CancellationBegan => ("service.cancellation_began", json!({})),
        ServiceChange::Ended => ("service.cleaned_up", json!({})),
        ServiceChange::Suspended => ("service.suspended", json!({})),
        ServiceChange::Resumed => ("service.resumed", json!({})),
        ServiceChange::Subscribed
        | ServiceChange::TierScheduled
        | ServiceChange::Cancelled
        | ServiceChange::CancellationUndone
        | ServiceChange::Billed => return None,
    })
}

/// A notice's kind, the key under which it is given once, and its details.
pub fn told(notice: &Notice, now: UtcMillis) -> (&'static str, String, Value) {
    let at = now.0;
    let of_invoice = |word: &'static str, invoice: &crate::core::billing::InvoiceId| {
        (word, format!("{word}-{invoice}-{at}"), json!({"invoice": invoice.0}))
    };
    match notice {
        Notice::InvoiceIssued { invoice } => of_invoice("invoice_issued", invoice),
        Notice::InvoicePaid { invoice } => of_invoice("invoice_paid", invoice),
        Notice::InvoiceFailed { invoice } => of_invoice("invoice_failed", invoice),
        Notice::InvoiceVoided { invoice } => of_invoice("invoice_voided", invoice),
        Notice::PaymentOverdue { suspends_at } => {
            ("payment_overdue", format!("payment_overdue-{at}"), json!({"suspends_at": suspends_at.to_string()}))
        }
        Notice::Suspended => ("suspended", format!("suspended-{at}"), json!({})),
        Notice::Resumed => ("resumed", format!("resumed-{at}"), json!({})),
        Notice::UpgradeDeclined { service } => {
            let service = service.name();
            ("upgrade_declined", format!("upgrade_declined-{service}-{at}"), json!({"service": service}))
        }
        Notice::SubscriptionLapsed { service } => {
            let service = service.name();
            ("subscription_lapsed", format!("subscription_lapsed-{service}-{at}"), json!({"service": service}))
        }
        Notice::CreditExpired { credit, amount } => {
            let details = json!({"credit": credit.0, "amount_micros": amount.micros()});
            ("credit_expired", format!("credit_expired-{credit}-{at}"), details)
        }
        Notice::CapReached { percent, spent } => {
            let details = json!({"percent": percent, "spent_micros": spent.micros()});
            ("cap_reached", format!("cap_reached-{percent}-{at}"), details)
        }
        Notice::Overpaid { invoice, amount } => {
            let details = json!({"invoice": invoice.0, "amount_micros": amount.micros()});
            ("overpaid", format!("overpaid-{invoice}-{at}"), details)
        }
        Notice::Parked { reason } => ("parked", format!("parked-{at}"), json!({"reason": reason})),
        Notice::MonthClosed { month } => ("month_closed", format!("month_closed-{month}"), json!({})),
    }
}
