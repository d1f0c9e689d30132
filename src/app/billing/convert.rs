//! The records of billing as rows, and back. What is read is checked: a row that says what cannot be is an error.

use super::failure::BillingFailure;
use crate::core::billing::dunning::Dunning;
use crate::core::billing::{
    AccountName, Billed, BilledKey, CapStatus, Charge, ChargeState, Completeness, Credit, CreditId, CreditNote,
    CreditNoteId, CreditNoteState, CreditReason, Currency, Entry, EntryKey, EntryReason, EscrowMirror, ExtraKind,
    Invoice, InvoiceId, InvoiceNumber, InvoiceState, Line, LineKind, Links, Measure, PaymentMethod, Posting, Purpose,
    RevenueKind, SpendCap, SpendingLimit, UnitPrice, UsageDigest, Window,
};
use crate::core::id::CustomerId;
use crate::core::money::{MoneyOverflow, Usd};
use crate::ledger::billed_usage::{StoredBilled, StoredMeasure};
use crate::ledger::billing_invoice::{StoredCompleteness, StoredInvoice, StoredInvoiceState, StoredPurpose};
use crate::ledger::charge::{StoredAnswer, StoredCharge, StoredPaymentMethod};
use crate::ledger::credit::{StoredCredit, StoredCreditReason};
use crate::ledger::credit_note::{StoredCreditNote, StoredNoteState};
use crate::ledger::entry as stored;
use crate::ledger::escrow::StoredEscrowAccount;
use crate::ledger::invoice_line::{StoredLine, StoredLineKind, UsageWindow};
use crate::ledger::payment_terms::{StoredDunning, StoredSpendCap};

type Read<T> = Result<T, BillingFailure>;

fn unreadable(what: &'static str, subject: impl ToString) -> BillingFailure {
    BillingFailure::Unreadable { what, subject: subject.to_string() }
}

/// # Errors
/// [`BillingFailure::Unreadable`]; [`BillingFailure::Decision`] for one that does not add up.
pub fn invoice_from(stored: &StoredInvoice) -> Read<Invoice> {
    let invoice = Invoice {
        id: InvoiceId(stored.invoice),
        customer: stored.customer,
        number: stored.number.map(InvoiceNumber),
        purpose: purpose_from(stored)?,
        month: stored.month,
        state: state_from(stored.state),
        lines: stored.lines.iter().map(line_from).collect::<Read<_>>()?,
        amount: stored.amount,
        credit_on_payment: stored.credit_on_payment,
        issued_at: stored.issued_at,
        paid_at: stored.paid_at,
        attempts: stored.attempts,
        round: stored.round,
        retries: stored.retries,
        retry_at: stored.retry_at,
        first_failure_at: stored.first_failure_at,
        credit_changes: stored.credit_changes,
        completeness: stored.completeness.map(|lines| Completeness { received: lines.received, lost: lines.lost }),
    };
    invoice.verify().map_err(crate::core::billing::BillingError::from)?;
    Ok(invoice)
}

/// # Errors
/// [`MoneyOverflow`].
pub fn invoice_to(invoice: &Invoice) -> Result<StoredInvoice, MoneyOverflow> {
    let (purpose, to_tier) = match invoice.purpose {
        Purpose::Monthly => (StoredPurpose::Monthly, None),
        Purpose::Subscribe { .. } => (StoredPurpose::Subscribe, None),
        Purpose::Resume { .. } => (StoredPurpose::Resume, None),
        Purpose::Upgrade { to, .. } => (StoredPurpose::Upgrade, Some(to)),
    };
    Ok(StoredInvoice {
        invoice: invoice.id.0,
        customer: invoice.customer,
        month: invoice.month,
        purpose,
        service: invoice.purpose.service(),
        to_tier,
        state: state_to(invoice.state),
        number: invoice.number.map(|number| number.0),
        lines: invoice.lines.iter().map(line_to).collect(),
        amount: invoice.amount,
        usage: Usd::sum(invoice.lines.iter().map(|line| line.exact))?,
        credit_on_payment: invoice.credit_on_payment,
        completeness: invoice
            .completeness
            .map(|lines| StoredCompleteness { received: lines.received, lost: lines.lost }),
        issued_at: invoice.issued_at,
        paid_at: invoice.paid_at,
        attempts: invoice.attempts,
        round: invoice.round,
        retries: invoice.retries,
        retry_at: invoice.retry_at,
        first_failure_at: invoice.first_failure_at,
        credit_changes: invoice.credit_changes,
    })
}

fn purpose_from(stored: &StoredInvoice) -> Read<Purpose> {
    let missing = || unreadable("an invoice does not say what it is for", stored.invoice);
    Ok(match stored.purpose {
        StoredPurpose::Monthly => Purpose::Monthly,
        StoredPurpose::Subscribe => Purpose::Subscribe { service: stored.service.ok_or_else(missing)? },
        StoredPurpose::Resume => Purpose::Resume { service: stored.service.ok_or_else(missing)? },
        StoredPurpose::Upgrade => {
            let (service, to) = stored.service.zip(stored.to_tier).ok_or_else(missing)?;
            Purpose::Upgrade { service, to }
        }
    })
}

const fn state_from(stored: StoredInvoiceState) -> InvoiceState {
    match stored {
        StoredInvoiceState::Draft => InvoiceState::Draft,
        StoredInvoiceState::Pending => InvoiceState::Pending,
        StoredInvoiceState::Paid => InvoiceState::Paid,
        StoredInvoiceState::Failed => InvoiceState::Failed,
        StoredInvoiceState::Voided => InvoiceState::Voided,
    }
}

const fn state_to(state: InvoiceState) -> StoredInvoiceState {
    match state {
        InvoiceState::Draft => StoredInvoiceState::Draft,
        InvoiceState::Pending => StoredInvoiceState::Pending,
        InvoiceState::Paid => StoredInvoiceState::Paid,
        InvoiceState::Failed => StoredInvoiceState::Failed,
        InvoiceState::Voided => StoredInvoiceState::Voided,
    }
}

fn line_from(stored: &StoredLine) -> Read<Line> {
    let usage = stored.usage.as_ref();
    Ok(Line {
        kind: line_kind_from(stored)?,
        service: stored.service,
        month: stored.month,
        quantity: stored.quantity,
        unit: UnitPrice { amount: stored.price, per: stored.price_per },
        exact: stored.amount.checked_add(stored.remainder)?,
        amount: stored.amount,
        remainder: stored.remainder,
        usage: usage.map(|usage| (Window { from: usage.from, to: usage.to }, UsageDigest(usage.sha256))),
    })
}

fn line_kind_from(stored: &StoredLine) -> Read<LineKind> {
    let kind = match stored.kind {
        StoredLineKind::Subscription => stored.tier.map(|tier| LineKind::Subscription { tier }),
        StoredLineKind::Upgrade => stored.from_tier.zip(stored.tier).map(|(from, to)| LineKind::Upgrade { from, to }),
        StoredLineKind::Extra => stored.extra.as_deref().and_then(ExtraKind::from_name).map(LineKind::Extra),
        StoredLineKind::Requests => Some(LineKind::Usage(Measure::Requests)),
        StoredLineKind::Bandwidth => Some(LineKind::Usage(Measure::Bandwidth)),
        StoredLineKind::LateRequests => Some(LineKind::LateUsage(Measure::Requests)),
        StoredLineKind::LateBandwidth => Some(LineKind::LateUsage(Measure::Bandwidth)),
        StoredLineKind::Tax => Some(LineKind::Tax),
        StoredLineKind::Credit => stored.credit.map(|credit| LineKind::Credit(CreditId(credit))),
    };
    kind.ok_or_else(|| unreadable("a line of an invoice does not say what it is for", stored.kind.name()))
}

fn line_to(line: &Line) -> StoredLine {
    let (mut tier, mut from_tier, mut extra, mut credit) = (None, None, None, None);
    let kind = match line.kind {
        LineKind::Subscription { tier: of } => {
            tier = Some(of);
            StoredLineKind::Subscription
        }
        LineKind::Upgrade { from, to } => {
            (from_tier, tier) = (Some(from), Some(to));
            StoredLineKind::Upgrade
        }
        LineKind::Extra(kind) => {
            extra = Some(kind.name().to_owned());
            StoredLineKind::Extra
        }
        LineKind::Usage(Measure::Requests) => StoredLineKind::Requests,
        LineKind::Usage(Measure::Bandwidth) => StoredLineKind::Bandwidth,
        LineKind::LateUsage(Measure::Requests) => StoredLineKind::LateRequests,
        LineKind::LateUsage(Measure::Bandwidth) => StoredLineKind::LateBandwidth,
        LineKind::Tax => StoredLineKind::Tax,
        LineKind::Credit(of) => {
            credit = Some(of.0);
            StoredLineKind::Credit
        }
    };
    StoredLine {
        kind,
        service: line.service,
        month: line.month,
        tier,
        from_tier,
        extra,
        credit,
        quantity: line.quantity,
        price: line.unit.amount,
        price_per: line.unit.per,
        amount: line.amount,
        remainder: line.remainder,
        usage: line.usage.map(|(window, digest)| UsageWindow { from: window.from, to: window.to, sha256: digest.0 }),
    }
}

/// # Errors
/// [`BillingFailure::Unreadable`].
pub fn charge_from(stored: &StoredCharge) -> Read<Charge> {
    let state = match &stored.answer {
        None => ChargeState::Sent,
        Some((StoredAnswer::Succeeded { reference }, _)) => ChargeState::Succeeded { reference: reference.clone() },
        Some((StoredAnswer::Declined { reason }, _)) => ChargeState::Declined { reason: reason.clone() },
    };
    Ok(Charge {
        key: stored.key.parse().map_err(|_| unreadable("the key of a charge is none", &stored.key))?,
        method: method_from(stored.method),
        amount: stored.amount,
        round: stored.round,
        asked_at: stored.asked_at,
        state,
    })
}

pub const fn method_from(stored: StoredPaymentMethod) -> PaymentMethod {
    match stored {
        StoredPaymentMethod::Escrow => PaymentMethod::Escrow,
    }
}

pub const fn method_to(method: PaymentMethod) -> StoredPaymentMethod {
    match method {
        PaymentMethod::Escrow => StoredPaymentMethod::Escrow,
    }
}

pub fn credit_from(stored: &StoredCredit) -> Credit {
    let reason = match stored.reason {
        StoredCreditReason::Reconciliation => CreditReason::Reconciliation,
        StoredCreditReason::Goodwill => CreditReason::Goodwill,
        StoredCreditReason::Promo => CreditReason::Promo,
        StoredCreditReason::Outage => CreditReason::Outage,
        StoredCreditReason::Refund => CreditReason::Refund,
    };
    Credit {
        id: CreditId(stored.credit),
        reason,
        granted: stored.granted,
        remaining: stored.remaining,
        granted_at: stored.granted_at,
        expires_at: stored.expires_at,
        expirations: stored.expirations,
        invoice: stored.invoice.map(InvoiceId),
    }
}

pub fn credit_to(customer: CustomerId, credit: &Credit) -> StoredCredit {
    let reason = match credit.reason {
        CreditReason::Reconciliation => StoredCreditReason::Reconciliation,
        CreditReason::Goodwill => StoredCreditReason::Goodwill,
        CreditReason::Promo => StoredCreditReason::Promo,
        CreditReason::Outage => StoredCreditReason::Outage,
        CreditReason::Refund => StoredCreditReason::Refund,
    };
    StoredCredit {
        credit: credit.id.0,
        customer,
        reason,
        granted: credit.granted,
        remaining: credit.remaining,
        granted_at: credit.granted_at,
        expires_at: credit.expires_at,
        expirations: credit.expirations,
        invoice: credit.invoice.map(|invoice| invoice.0),
        note: String::new(),
    }
}

pub fn credit_note_from(stored: &StoredCreditNote) -> CreditNote {
    let state = match &stored.state {
        StoredNoteState::Sent => CreditNoteState::Sent,
        StoredNoteState::Paid { reference } => CreditNoteState::Paid { reference: reference.clone() },
        StoredNoteState::Credited { credit } => CreditNoteState::Credited { credit: CreditId(*credit) },
    };
    CreditNote {
        id: CreditNoteId(stored.credit_note),
        invoice: InvoiceId(stored.invoice),
        amount: stored.amount,
        reason: stored.reason.clone(),
        issued_at: stored.issued_at,
        state,
    }
}

pub fn note_state_to(state: &CreditNoteState) -> StoredNoteState {
    match state {
        CreditNoteState::Sent => StoredNoteState::Sent,
        CreditNoteState::Paid { reference } => StoredNoteState::Paid { reference: reference.clone() },
        CreditNoteState::Credited { credit } => StoredNoteState::Credited { credit: credit.0 },
    }
}

pub fn billed_from(stored: &StoredBilled) -> (BilledKey, Billed) {
    let measure = match stored.measure {
        StoredMeasure::Requests => Measure::Requests,
        StoredMeasure::Bandwidth => Measure::Bandwidth,
    };
    let window = Window { from: stored.from, to: stored.to };
    let unit = UnitPrice { amount: stored.price, per: stored.price_per };
    (
        BilledKey { month: stored.month, service: stored.service, measure, window },
        Billed { quantity: stored.quantity, unit, amount: stored.amount, tax: stored.tax },
    )
}

pub fn billed_to(customer: CustomerId, key: &BilledKey, billed: &Billed) -> StoredBilled {
    let measure = match key.measure {
        Measure::Requests => StoredMeasure::Requests,
        Measure::Bandwidth => StoredMeasure::Bandwidth,
    };
    StoredBilled {
        customer,
        month: key.month,
        service: key.service,
        measure,
        from: key.window.from,
        to: key.window.to,
        quantity: billed.quantity,
        price: billed.unit.amount,
        price_per: billed.unit.per,
        amount: billed.amount,
        tax: billed.tax,
    }
}

/// # Errors
/// [`BillingFailure::Unreadable`].
pub fn escrow_from(stored: &StoredEscrowAccount) -> Read<EscrowMirror> {
    let limit = SpendingLimit::new(stored.spending_limit)
        .map_err(|_| unreadable("the spending limit of an escrow account is none", stored.customer))?;
    let (period, charged) = (stored.period, stored.period_charged);
    Ok(EscrowMirror { created_at: stored.created_at, balance: stored.balance, limit, period, charged })
}

/// # Errors
/// [`BillingFailure::Unreadable`].
pub fn dunning_from(stored: Option<StoredDunning>) -> Read<Dunning> {
    let Some(stored) = stored else { return Ok(Dunning::default()) };
    let notices = usize::try_from(stored.notices);
    let notices = notices.map_err(|_| unreadable("too many notices were given", stored.notices))?;
    Ok(Dunning { since: Some(stored.since), notices, suspended: stored.suspended })
}

pub fn dunning_to(dunning: Dunning) -> Option<StoredDunning> {
    let notices = u64::try_from(dunning.notices).unwrap_or(u64::MAX);
    dunning.since.map(|since| StoredDunning { since, notices, suspended: dunning.suspended })
}

pub fn cap_from(stored: StoredSpendCap) -> Option<SpendCap> {
    stored.cap.map(|amount| SpendCap { amount, hard_stop: stored.hard_stop })
}

pub fn cap_status_from(stored: StoredSpendCap) -> CapStatus {
    CapStatus {
        month: stored.month,
        told_percent: stored.told_percent.into(),
        stopped: stored.stopped,
        spent: stored.spent,
    }
}

/// `None`: there is no cap, and nothing is known of one.
pub fn cap_to(cap: Option<SpendCap>, status: CapStatus, untold: CapStatus) -> Option<StoredSpendCap> {
    let says_something = cap.is_some() || status != untold;
    says_something.then(|| StoredSpendCap {
        cap: cap.map(|cap| cap.amount),
        hard_stop: cap.is_some_and(|cap| cap.hard_stop),
        month: status.month,
        told_percent: u8::try_from(status.told_percent).unwrap_or(100),
        stopped: status.stopped,
        spent: status.spent,
    })
}

pub fn entry_to(entry: &Entry) -> stored::Entry {
    let links = &entry.links;
    stored::Entry {
        key: entry.key.0.clone(),
        at: entry.at,
        reason: entry.reason.name().into(),
        customer: entry.customer,
        links: stored::Links {
            invoice: links.invoice.map(|invoice| invoice.0),
            credit: links.credit.map(|credit| credit.0),
            credit_note: links.credit_note.map(|note| note.0),
            charge: links.charge.map(|charge| charge.to_string()),
            reference: links.reference.clone(),
        },
        postings: entry.postings.iter().map(posting_to).collect(),
    }
}

/// # Errors
/// [`BillingFailure::Unreadable`].
pub fn entry_from(entry: &stored::Entry) -> Read<Entry> {
    let links = &entry.links;
    let charge = links.charge.as_ref().map(|key| key.parse());
    let charge = charge.transpose().map_err(|_| unreadable("the charge of an entry is none", &entry.key))?;
    let reason = EntryReason::from_name(&entry.reason);
    Ok(Entry {
        key: EntryKey(entry.key.clone()),
        customer: entry.customer,
        at: entry.at,
        reason: reason.ok_or_else(|| unreadable("the reason of an entry is none", &entry.key))?,
        links: Links {
            invoice: links.invoice.map(InvoiceId),
            credit: links.credit.map(CreditId),
            credit_note: links.credit_note.map(CreditNoteId),
            charge,
            reference: links.reference.clone(),
        },
        postings: entry.postings.iter().map(posting_from).collect::<Read<_>>()?,
    })
}

fn posting_to(posting: &Posting) -> stored::Posting {
    let Currency::Usd = posting.currency;
    let (account, sub_account) = match posting.account {
        AccountName::Escrow => ("escrow", "".into()),
        AccountName::Credit(credit) => ("credit", credit.to_string().into()),
        AccountName::Receivable => ("receivable", "".into()),
        AccountName::Revenue(kind) => ("revenue", kind.name().into()),
        AccountName::Refunds => ("refunds", "".into()),
        AccountName::ChainClearing => ("chain_clearing", "".into()),
    };
    stored::Posting { account: account.into(), sub_account, currency: stored::Currency::Usd, amount: posting.amount }
}

fn posting_from(posting: &stored::Posting) -> Read<Posting> {
    let unknown = || unreadable("there is no such account in the books", format!("{posting:?}"));
    let sub_account = &*posting.sub_account;
    let account = match &*posting.account {
        "escrow" => Some(AccountName::Escrow),
        "credit" => sub_account.parse().ok().map(|credit| AccountName::Credit(CreditId(credit))),
        "receivable" => Some(AccountName::Receivable),
        "revenue" => RevenueKind::ALL.into_iter().find(|kind| kind.name() == sub_account).map(AccountName::Revenue),
        "refunds" => Some(AccountName::Refunds),
        "chain_clearing" => Some(AccountName::ChainClearing),
        _ => None,
    };
    let currency = match posting.currency {
        stored::Currency::Usd => Currency::Usd,
        stored::Currency::Usdc => return Err(unknown()),
    };
    Ok(Posting { account: account.ok_or_else(unknown)?, currency, amount: posting.amount })
}
