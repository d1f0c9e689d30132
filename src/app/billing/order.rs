//! What operators do to a customer's billing: one transaction each, in which it is decided, written, and noted in the
//! activity log with the operator's reason.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::carry_out::carry_out;
use super::convert;
use super::park::{mismatches_of, park_customer};
use super::tariff::Tariff;
use crate::app::{App, AppError, Refusal, load_config_global};
use crate::core::activity::Activity;
use crate::core::billing::{
    Action, ChargeState, CreditNote, CreditNoteState, CreditReason, Decision, Event, Invoice, InvoiceId, InvoiceNumber,
    MAX_REASON, Payout, is_reason,
};
use crate::core::calendar::{DAY_MS, UtcMillis};
use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::activity::append_activity;
use crate::ledger::billing_invoice::find_invoice_by_number;
use crate::ledger::customer::find_customer;
use crate::ledger::escrow::escrow_account_of;
use crate::ledger::parked::parked;
use crate::ledger::{Ledger, ReadTx, WriteTx};

/// What an operator asks for. Invoices go by the numbers printed on them; amounts are more than 0 and whole cents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Credit, which pays what is owed at once.
    GrantCredit {
        customer: u32,
        amount_micros: i64,
        /// `reconciliation`, `goodwill`, `promo`, `outage` or `refund`.
        reason: String,
        /// Days from now; absent: it stays.
        expires_after_days: Option<u16>,
    },
    /// Nothing is owed for an invoice any more.
    VoidInvoice { invoice: u64, reason: String },
    /// Gives back what was paid.
    IssueCreditNote {
        invoice: u64,
        amount_micros: i64,
        /// `credit` or `escrow`.
        to: String,
        /// Printed on it.
        reason: String,
    },
    /// Tries at once to get an invoice paid.
    Collect { invoice: u64 },
    /// Nothing is charged any more until it is unparked.
    Park { customer: u32, reason: String },
    /// Only if the books add up, and escrow is what the chain has.
    Unpark { customer: u32, reason: String },
}

/// What came of it. What is demanded and what goes back to escrow is done by the process that runs, or the next one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OrderDone {
    pub customer: u32,
    /// The invoice that it was about, as it is afterwards.
    pub invoice: Option<OrderedInvoice>,
    /// Number of the credit that was granted.
    pub credit: Option<u64>,
    pub credit_note: Option<OrderedCreditNote>,
    /// Numbers of the invoices that were paid at once, by credit.
    pub paid_invoices: Vec<u64>,
    /// What payment methods are asked for now.
    pub demanded_micros: i64,
}

/// An invoice after an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedInvoice {
    /// `INV-000042`
    pub number: String,
    pub state: String,
    pub amount_micros: i64,
    /// When the next look is, if it is unpaid and nobody is asked.
    pub retry_at: Option<String>,
}

/// A credit note that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedCreditNote {
    pub number: u64,
    pub amount_micros: i64,
    /// `sent` to escrow, or `credited`.
    pub state: String,
}

impl App {
    /// Carries out what an operator asks for, and has what it demands sent.
    ///
    /// # Errors
    /// [`Code::NotFound`] for a number that is no customer's or no invoice's, [`Code::InvalidFields`],
    /// [`Code::InvoiceState`], [`Code::PaymentUnderWay`], [`Code::BillingOnHold`]. Then nothing of it is done.
    pub async fn carry_out_order(&self, order: Order) -> Result<OrderDone, AppError> {
        if let Order::Unpark { customer, .. } = &order
            && let Some(customer) = CustomerId::new(*customer)
            && let Some(difference) = self.escrow_difference(customer).await?
        {
            return Err(stays_parked(customer, &[difference]).into());
        }
        let (now, tariff) = (self.clock.now(), self.tariff());
        let done = self.ledger.write(move |tx| carry_out_order(tx, &order, &tariff, now)).await;
        if done.is_ok() {
            self.payments.notify_one();
        }
        done
    }
}

/// The same in a ledger that no process holds. Blocks.
///
/// # Errors
/// As [`App::carry_out_order`].
pub fn order_without_process(
    ledger: &Ledger,
    order: Order,
    tax_basis_points: u64,
    now: UtcMillis,
) -> Result<OrderDone, AppError> {
    let tariff = Tariff::of(&load_config_global(ledger)?.config, tax_basis_points);
    if let Order::Unpark { customer, .. } = &order
        && let Some(customer) = CustomerId::new(*customer)
        && ledger.read_blocking(move |tx| escrow_account_of(tx, customer))?.is_some()
    {
        let detail = "only a running process can compare escrow with the chain: start `suiftly serve`";
        return Err(Refusal::new(Code::BillingOnHold, detail).into());
    }
    ledger.write_blocking(move |tx| carry_out_order(tx, &order, &tariff, now))
}

fn carry_out_order(tx: &WriteTx<'_>, order: &Order, tariff: &Tariff, now: UtcMillis) -> Result<OrderDone, AppError> {
    order.check()?;
    let on = Doing { tx, tariff, now };
    match order {
        Order::GrantCredit { customer, amount_micros, reason, expires_after_days } => {
            on.grant_credit(*customer, *amount_micros, reason, *expires_after_days)
        }
        Order::VoidInvoice { invoice, reason } => on.void_invoice(*invoice, reason),
        Order::IssueCreditNote { invoice, amount_micros, to, reason } => {
            on.issue_credit_note(*invoice, *amount_micros, to, reason)
        }
        Order::Collect { invoice } => on.collect(*invoice),
        Order::Park { customer, reason } => on.park(*customer, reason),
        Order::Unpark { customer, reason } => on.unpark(*customer, reason),
    }
}

impl Order {
    /// What billing does not look at itself.
    fn check(&self) -> Result<(), Refusal> {
        let mut errors = FieldErrors::new();
        match self {
            Self::GrantCredit { reason, .. } => {
                let known = CreditReason::from_name(reason);
                errors.take("reason", known.ok_or("use reconciliation, goodwill, promo, outage or refund"));
            }
            Self::IssueCreditNote { to, .. } => {
                errors.take("to", payout(to).ok_or("use credit or escrow"));
            }
            Self::VoidInvoice { reason, .. } | Self::Park { reason, .. } | Self::Unpark { reason, .. }
                if !is_reason(reason) =>
            {
                errors.add("reason", format!("give one line of at most {MAX_REASON} characters"));
            }
            _ => {}
        }
        Ok(errors.finish()?)
    }
}

fn payout(to: &str) -> Option<Payout> {
    match to {
        "credit" => Some(Payout::Credit),
        "escrow" => Some(Payout::Escrow),
        _ => None,
    }
}

/// Where and when it is done.
struct Doing<'a> {
    tx: &'a WriteTx<'a>,
    tariff: &'a Tariff,
    now: UtcMillis,
}

impl Doing<'_> {
    fn grant_credit(
        &self,
        customer: u32,
        amount_micros: i64,
        reason: &str,
        expires_after_days: Option<u16>,
    ) -> Result<OrderDone, AppError> {
        let customer = require_customer(self.tx, customer)?;
        let granted = CreditReason::from_name(reason).unwrap_or(CreditReason::Goodwill);
        let amount = Usd::from_micros(amount_micros);
        let expires_at = expires_after_days.map(|days| self.now.plus_ms(i64::from(days).saturating_mul(DAY_MS)));
        let decision = self.decide(customer, &Event::GrantCredit { reason: granted, amount, expires_at })?;
        // Others are saved as well if they are used at once; the newest is this one.
        let saved = decision.actions.iter().filter_map(|action| match action {
            Action::SaveCredit(credit) if credit.invoice.is_none() => Some(credit.id.0),
            _ => None,
        });
        let credit = saved.max();
        let subject = credit.unwrap_or_default().to_string();
        let details = json!({
            "amount_micros": amount_micros,
            "reason": reason,
            "expires_at": expires_at.map(|at| at.to_string()),
        });
        self.note(Some(customer), "credit.grant", &subject, details)?;
        Ok(OrderDone { credit, ..done(customer, &decision) })
    }

    fn void_invoice(&self, number: u64, reason: &str) -> Result<OrderDone, AppError> {
        let invoice = require_invoice(self.tx, number)?;
        let decision = self.decide(invoice.customer, &Event::VoidInvoice(invoice.id))?;
        let details = json!({"amount_micros": invoice.amount.micros(), "reason": reason});
        self.note(Some(invoice.customer), "invoice.void", &printed(&invoice), details)?;
        Ok(done_to(&invoice, &decision))
    }

    fn issue_credit_note(
        &self,
        number: u64,
        amount_micros: i64,
        to: &str,
        reason: &str,
    ) -> Result<OrderDone, AppError> {
        let invoice = require_invoice(self.tx, number)?;
        let (amount, payout) = (Usd::from_micros(amount_micros), payout(to).unwrap_or(Payout::Credit));
        let event = Event::IssueCreditNote { invoice: invoice.id, amount, payout, reason: reason.to_owned() };
        let decision = self.decide(invoice.customer, &event)?;
        let issued: Option<&CreditNote> = decision.actions.iter().find_map(|action| match action {
            Action::SaveCreditNote(note) => Some(note),
            _ => None,
        });
        let subject = issued.map(|note| note.id.to_string()).unwrap_or_default();
        let details =
            json!({"invoice": printed(&invoice), "amount_micros": amount_micros, "to": to, "reason": reason.trim()});
        self.note(Some(invoice.customer), "credit_note.issue", &subject, details)?;
        let credit = issued.and_then(|note| match note.state {
            CreditNoteState::Credited { credit } => Some(credit.0),
            _ => None,
        });
        let credit_note = issued.map(|note| OrderedCreditNote {
            number: note.id.0,
            amount_micros: note.amount.micros(),
            state: note.state.name().to_owned(),
        });
        Ok(OrderDone { credit, credit_note, ..done_to(&invoice, &decision) })
    }

    fn collect(&self, number: u64) -> Result<OrderDone, AppError> {
        let invoice = require_invoice(self.tx, number)?;
        let decision = self.decide(invoice.customer, &Event::Collect(invoice.id))?;
        let done = done_to(&invoice, &decision);
        let details = json!({"amount_micros": invoice.amount.micros(), "demanded_micros": done.demanded_micros});
        self.note(Some(invoice.customer), "invoice.collect", &printed(&invoice), details)?;
        Ok(done)
    }

    /// Works whatever the state of the books. Why is the operator's own affair: the customer's log does not show it.
    fn park(&self, customer: u32, reason: &str) -> Result<OrderDone, AppError> {
        let customer = require_customer(self.tx, customer)?;
        if let Some(parked) = parked(self.tx, customer)? {
            let (since, why) = (parked.since, parked.reason);
            let detail = format!("customer {customer} is parked since {since}: {why}");
            return Err(Refusal::new(Code::BillingOnHold, detail).into());
        }
        park_customer(self.tx, customer, reason.trim().to_owned(), self.now)?;
        self.note(None, "customer.park", &customer.to_string(), json!({"reason": reason.trim()}))?;
        Ok(OrderDone { customer: customer.get(), ..OrderDone::default() })
    }

    /// Nothing overrides what does not add up: the next check of the books would park the customer again, and until then
    /// money would be asked for by books that are known to be wrong.
    fn unpark(&self, customer: u32, reason: &str) -> Result<OrderDone, AppError> {
        let customer = require_customer(self.tx, customer)?;
        let Some(parked) = parked(self.tx, customer)? else {
            return Err(Refusal::new(Code::NotFound, format!("customer {customer} is not parked")).into());
        };
        let found = mismatches_of(self.tx, customer, &self.tariff.included, self.now)?;
        if !found.is_empty() {
            return Err(stays_parked(customer, &found).into());
        }
        let decision = self.decide(customer, &Event::Unpark)?;
        let details = json!({
            "reason": reason.trim(),
            "parked_since": parked.since.to_string(),
            "parked_for": parked.reason,
        });
        self.note(None, "customer.unpark", &customer.to_string(), details)?;
        Ok(done(customer, &decision))
    }

    fn decide(&self, customer: CustomerId, event: &Event) -> Result<Decision, AppError> {
        Ok(carry_out(self.tx, customer, event, self.tariff, self.now)?)
    }

    fn note(&self, customer: Option<CustomerId>, action: &str, subject: &str, details: Value) -> Result<(), AppError> {
        let activity = Activity {
            customer,
            at: self.now,
            actor: "operator".to_owned(),
            ip: String::new(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            details: details.to_string(),
        };
        Ok(append_activity(self.tx, activity)?)
    }
}

fn stays_parked(customer: CustomerId, found: &[String]) -> Refusal {
    let found = found.join("; ");
    Refusal::new(Code::BillingOnHold, format!("customer {customer} stays parked, for the books do not add up: {found}"))
}

fn require_customer(tx: &ReadTx<'_>, number: u32) -> Result<CustomerId, AppError> {
    let unknown = || Refusal::new(Code::NotFound, format!("no customer has the number {number}"));
    let customer = CustomerId::new(number).ok_or_else(unknown)?;
    find_customer(tx, customer)?.ok_or_else(unknown)?;
    Ok(customer)
}

fn require_invoice(tx: &ReadTx<'_>, number: u64) -> Result<Invoice, AppError> {
    let unknown = || Refusal::new(Code::NotFound, format!("no invoice has the number {}", InvoiceNumber(number)));
    let stored = find_invoice_by_number(tx, number)?.ok_or_else(unknown)?;
    Ok(convert::invoice_from(&stored)?)
}

fn printed(invoice: &Invoice) -> String {
    invoice.number.map(|number| number.to_string()).unwrap_or_default()
}

fn done(customer: CustomerId, decision: &Decision) -> OrderDone {
    let saved = decision.actions.iter();
    let paid_invoices = saved.clone().filter_map(|action| match action {
        Action::SaveInvoice(invoice) if invoice.paid_at.is_some() => invoice.number.map(|number| number.0),
        _ => None,
    });
    let demanded = saved.filter_map(|action| match action {
        Action::SaveCharge(charge) if charge.state == ChargeState::Sent => Some(charge.amount.micros()),
        _ => None,
    });
    OrderDone {
        customer: customer.get(),
        paid_invoices: paid_invoices.collect(),
        demanded_micros: demanded.fold(0, i64::saturating_add),
        ..OrderDone::default()
    }
}

/// With the invoice as it is afterwards.
fn done_to(before: &Invoice, decision: &Decision) -> OrderDone {
    let id: InvoiceId = before.id;
    let after = decision.account.invoices.get(&id).unwrap_or(before);
    let invoice = OrderedInvoice {
        number: printed(after),
        state: after.state.name().to_owned(),
        amount_micros: after.amount.micros(),
        retry_at: after.retry_at.map(|at| at.to_string()),
    };
    OrderDone { invoice: Some(invoice), ..done(before.customer, decision) }
}
