//! An invoice in words: what both renderings print.

use super::words::{grouped, micros, time};
use super::{DocumentError, InvoiceDocument, Issuer, Payment};
use crate::core::billing::{Invoice, InvoiceState, Line, LineKind, Measure, Purpose};
use crate::core::calendar::UtcMillis;
use crate::core::money::{MoneyOverflow, Usd};

/// Everything that is printed, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sheet {
    /// `Invoice INV-000042`, `Draft invoice`.
    pub title: String,
    /// One word, large and faint across the page.
    pub mark: &'static str,
    /// The state in a sentence.
    pub state: String,
    pub is_settled: bool,
    /// The first one is the name.
    pub issuer: Vec<String>,
    pub billed: Vec<String>,
    pub facts: Vec<(&'static str, String)>,
    pub rows: Vec<Row>,
    /// The last one is the amount.
    pub totals: Vec<(String, String)>,
    pub payments: Vec<PaymentRow>,
    pub notes: Vec<String>,
    /// When it was issued, or for a draft looked at.
    pub dated: UtcMillis,
}

/// A line of the invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub what: String,
    /// In small print.
    pub details: Vec<String>,
    pub quantity: String,
    pub price: String,
    pub amount: String,
}

/// Money that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaymentRow {
    pub at: String,
    pub what: String,
    pub reference: String,
    pub amount: String,
}

const NO_ISSUER: &str = "The operator has not set who issues invoices";
pub(super) const SIMULATED: &str = "simulated chain";

/// Puts an invoice into words, if it adds up.
pub(super) fn sheet(document: &InvoiceDocument) -> Result<Sheet, DocumentError> {
    let invoice = &document.invoice;
    invoice.verify()?;
    let number = invoice.number.map(|number| number.to_string());
    Ok(Sheet {
        title: number.as_ref().map_or_else(|| "Draft invoice".to_owned(), |number| format!("Invoice {number}")),
        mark: mark(invoice.state),
        state: state(invoice)?,
        is_settled: invoice.state == InvoiceState::Paid,
        issuer: issuer(&document.issuer),
        billed: billed(document),
        facts: facts(document, number),
        rows: invoice.lines.iter().map(|line| row(document, line)).collect(),
        totals: totals(invoice)?,
        payments: payments(document),
        notes: notes(document)?,
        dated: invoice.issued_at.unwrap_or(document.as_of),
    })
}

const fn mark(state: InvoiceState) -> &'static str {
    match state {
        InvoiceState::Draft => "DRAFT",
        InvoiceState::Pending => "PENDING",
        InvoiceState::Paid => "PAID",
        InvoiceState::Failed => "NOT PAID",
        InvoiceState::Voided => "VOID",
    }
}

fn state(invoice: &Invoice) -> Result<String, MoneyOverflow> {
    let has_credits = invoice.lines.iter().any(Line::is_credit);
    Ok(match invoice.state {
        InvoiceState::Draft => "draft: it grows with the month, and nothing is asked for yet".to_owned(),
        InvoiceState::Pending => format!("pending: {} to pay", invoice.amount),
        InvoiceState::Paid if invoice.amount > Usd::ZERO => "paid".to_owned(),
        InvoiceState::Paid if has_credits => "paid by credits".to_owned(),
        InvoiceState::Paid => "paid: there was nothing to pay".to_owned(),
        InvoiceState::Failed => format!("not paid: no payment method gave {}", invoice.amount),
        InvoiceState::Voided => "void: nothing is owed".to_owned(),
    })
}

fn issuer(issuer: &Issuer) -> Vec<String> {
    let name = if issuer.name.is_empty() { NO_ISSUER } else { &issuer.name };
    std::iter::once(name.to_owned()).chain(issuer.address.iter().cloned()).collect()
}

fn billed(document: &InvoiceDocument) -> Vec<String> {
    let name = Some(document.billed.name.clone()).filter(|name| !name.is_empty());
    let number = format!("Customer {}", document.invoice.customer);
    let wallet = format!("Wallet {}", document.billed.wallet);
    name.into_iter().chain([number, wallet]).collect()
}

fn facts(document: &InvoiceDocument, number: Option<String>) -> Vec<(&'static str, String)> {
    let invoice = &document.invoice;
    let mut facts = vec![
        ("Number", number.unwrap_or_else(|| "draft".to_owned())),
        ("Month", format!("{} (UTC)", invoice.month)),
        ("For", purpose(invoice)),
    ];
    match invoice.issued_at {
        Some(at) => facts.push(("Issued", time(at))),
        None => facts.push(("As of", time(document.as_of))),
    }
    facts.extend(invoice.paid_at.map(|at| ("Paid", time(at))));
    facts
}

fn purpose(invoice: &Invoice) -> String {
    match invoice.purpose {
        Purpose::Monthly => format!("usage of {}, and the next month prepaid", invoice.month),
        Purpose::Subscribe { service } => format!("the first month of {}", service.title()),
        Purpose::Resume { service } => format!("{} in the running month", service.title()),
        Purpose::Upgrade { service, to } => format!("{} in the tier {} at once", service.title(), to.title()),
    }
}

fn row(document: &InvoiceDocument, line: &Line) -> Row {
    Row {
        what: what(document, line),
        details: details(line),
        quantity: quantity(line),
        price: price(line),
        amount: line.amount.to_string(),
    }
}

fn what(document: &InvoiceDocument, line: &Line) -> String {
    let text = line.to_string();
    match line.kind {
        LineKind::Credit(credit) => match document.credit_reasons.get(&credit) {
            Some(reason) => format!("Credit {credit}: {}", reason.name()),
            None => format!("Credit {credit}"),
        },
        LineKind::Tax => text.replacen("tax", "Tax", 1),
        _ => text,
    }
}

fn details(line: &Line) -> Vec<String> {
    let mut details = Vec::new();
    if let Some((window, digest)) = line.usage {
        details.push(format!("counted from {} until before {}", time(window.from), time(window.to)));
        details.push(format!("SHA-256 of the hours: {digest}"));
    }
    if line.remainder > Usd::ZERO {
        details.push(format!("rounded down: {} not charged", micros(line.remainder.micros())));
    }
    details
}

fn quantity(line: &Line) -> String {
    match line.kind {
        LineKind::Tax => format!("{}.{:02} %", line.quantity / 100, line.quantity % 100),
        LineKind::Credit(_) => String::new(),
        _ => grouped(line.quantity),
    }
}

fn price(line: &Line) -> String {
    let (amount, per) = (line.unit.amount, grouped(line.unit.per));
    match line.kind {
        LineKind::Subscription { .. } => format!("{amount} a month"),
        LineKind::Upgrade { .. } => format!("{amount} for {per} days"),
        LineKind::Extra(_) => format!("{amount} each"),
        LineKind::Usage(measure) | LineKind::LateUsage(measure) => {
            let piece = match measure {
                Measure::Requests => "requests",
                Measure::Bandwidth => "bytes",
            };
            format!("{amount} for {per} {piece}")
        }
        LineKind::Tax => format!("of {amount}"),
        LineKind::Credit(_) => String::new(),
    }
}

fn totals(invoice: &Invoice) -> Result<Vec<(String, String)>, MoneyOverflow> {
    let of = |is_counted: fn(&Line) -> bool| {
        Usd::sum(invoice.lines.iter().filter(|line| is_counted(line)).map(|line| line.amount))
    };
    let is_tax = |line: &Line| line.kind == LineKind::Tax;
    let mut totals = Vec::new();
    if invoice.lines.iter().any(is_tax) {
        totals.push(("Before tax", of(|line| !line.is_credit() && line.kind != LineKind::Tax)?));
        totals.push(("Tax", of(|line| line.kind == LineKind::Tax)?));
    }
    if invoice.lines.iter().any(Line::is_credit) {
        totals.push(("Charges", invoice.charges()?));
        totals.push(("Credits", of(Line::is_credit)?));
    }
    let label = match invoice.state {
        InvoiceState::Draft => "So far",
        InvoiceState::Pending => "To pay",
        InvoiceState::Paid => "Paid",
        InvoiceState::Failed => "Not paid",
        InvoiceState::Voided => "Void, was",
    };
    totals.push((label, invoice.amount));
    Ok(totals.into_iter().map(|(label, amount)| (label.to_owned(), amount.to_string())).collect())
}

fn payments(document: &InvoiceDocument) -> Vec<PaymentRow> {
    document.payments.iter().map(|payment| payment_row(payment, document.is_chain_simulated)).collect()
}

fn payment_row(payment: &Payment, is_simulated: bool) -> PaymentRow {
    let chain = if is_simulated { format!(" ({SIMULATED})") } else { String::new() };
    let kept = if payment.is_overpaid { ", kept as a credit" } else { "" };
    PaymentRow {
        at: time(payment.at),
        what: format!("from {}{kept}{chain}", payment.method.name()),
        reference: payment.reference.clone(),
        amount: payment.amount.to_string(),
    }
}

fn notes(document: &InvoiceDocument) -> Result<Vec<String>, MoneyOverflow> {
    let invoice = &document.invoice;
    let mut notes = Vec::new();
    if let Some(completeness) = invoice.completeness {
        let month = invoice.month;
        notes.push(format!("Log lines of {month}, of all customers of this operator: {completeness}."));
    }
    let remainders = Usd::sum(invoice.lines.iter().map(|line| line.remainder))?;
    if remainders > Usd::ZERO {
        let all = micros(remainders.micros());
        notes.push(format!("Each line is rounded down to whole cents once; {all} are not charged in all."));
    }
    if invoice.credit_on_payment > Usd::ZERO && invoice.state != InvoiceState::Voided {
        let when =
            if invoice.state == InvoiceState::Paid { "was granted when it was" } else { "is granted when it is" };
        notes.push(format!("A credit of {} {when} paid, for the days before.", invoice.credit_on_payment));
    }
    for note in &document.credit_notes {
        let (number, amount, at, reason) = (note.number, note.amount, time(note.at), &note.reason);
        notes.push(format!("Credit note {number} of {at} gives back {amount}: {reason}."));
    }
    if document.is_chain_simulated {
        notes.push(format!("Payments are on a {SIMULATED}: play money, and nobody was charged anything."));
    }
    Ok(notes)
}
