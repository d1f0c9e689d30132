//! From rows to the account that a decision is about.

use std::collections::{BTreeMap, BTreeSet};

use super::convert;
use super::failure::BillingFailure;
use super::tariff::Included;
use crate::core::billing::{
    Account, CapStatus, ChargeKey, Credit, CreditId, CreditNote, Entry, Event, ExtraKind, Invoice, InvoiceId,
    InvoiceState, ServiceAccount, Standing,
};
use crate::core::calendar::Month;
use crate::core::id::{CustomerId, Service};
use crate::ledger::ReadTx;
use crate::ledger::billed_usage::billed_of;
use crate::ledger::billing_invoice::{find_invoice, invoices_of, open_invoices_of};
use crate::ledger::billing_standing::standing_of;
use crate::ledger::charge::{Direction, charges_of_invoice};
use crate::ledger::credit::{credits_of, find_credit, open_credits_of};
use crate::ledger::credit_note::{credit_notes_of, find_credit_note};
use crate::ledger::customer::find_customer;
use crate::ledger::entry::entries_of;
use crate::ledger::escrow::escrow_account_of;
use crate::ledger::parked::parked;
use crate::ledger::payment_terms::{dunning_of, payment_methods_of, spend_cap_of};
use crate::ledger::service::{api_keys_by_service, packages_by_seal_key, services_of};

/// All that a decision about an event needs of a customer, see [`Account`]. Of one without any billing so far: a new
/// account, which begins in `now`. What was billed of usage is there only for the months that the event settles. `None`:
/// nobody has this number.
///
/// # Errors
/// [`BillingFailure::Ledger`], [`BillingFailure::Unreadable`].
pub fn load_account(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    event: &Event,
    included: &Included,
    now: Month,
) -> Result<Option<Account>, BillingFailure> {
    let Some(mut account) = load_basis(tx, customer, included, now)? else { return Ok(None) };
    let mut invoices = open_invoices_of(tx, customer)?;
    let named = invoice_named(tx, event)?;
    if let Some(named) = named.filter(|named| invoices.iter().all(|invoice| invoice.invoice != *named)) {
        invoices.extend(find_invoice(tx, named)?.filter(|invoice| invoice.customer == customer));
    }
    account.invoices = by_id(invoices.iter().map(convert::invoice_from))?;
    account.charges = charges_of(tx, account.invoices.values())?;
    account.credits = open_credits_of(tx, customer)?.into_iter().map(credit_by_id).collect();
    for credit in used_credits(account.invoices.values())? {
        if !account.credits.contains_key(&credit)
            && let Some(used) = find_credit(tx, credit.0)?
        {
            account.credits.insert(credit, convert::credit_from(&used));
        }
    }
    if let Some(named) = named.filter(|named| account.invoices.keys().any(|id| id.0 == *named)) {
        account.credit_notes =
            credit_notes_of(tx, named)?.iter().map(convert::credit_note_from).map(note_by_id).collect();
    }
    for month in settled_months(event, &account.invoices) {
        account.billed.extend(billed_of(tx, customer, month)?.iter().map(convert::billed_from));
    }
    Ok(Some(account))
}

/// Months of which it matters to an event what was billed of their usage.
pub(super) fn settled_months(event: &Event, invoices: &BTreeMap<InvoiceId, Invoice>) -> BTreeSet<Month> {
    match event {
        Event::CloseMonth(end) => end.earlier.iter().map(|usage| usage.month).chain([end.usage.month]).collect(),
        Event::Usage(news) => news.earlier.iter().map(|usage| usage.month).collect(),
        Event::VoidInvoice(id) => {
            let lines = invoices.get(id).into_iter().flat_map(|invoice| &invoice.lines);
            lines.filter(|line| line.usage.is_some()).map(|line| line.month).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// Everything there ever was of a customer: for verifying. Slower the longer the customer is there.
///
/// # Errors
/// As [`load_account`].
pub fn load_whole(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    included: &Included,
    now: Month,
) -> Result<Option<Account>, BillingFailure> {
    let Some(mut account) = load_basis(tx, customer, included, now)? else { return Ok(None) };
    let invoices = invoices_of(tx, customer, None, u32::MAX)?;
    account.invoices = by_id(invoices.iter().map(convert::invoice_from))?;
    account.charges = charges_of(tx, account.invoices.values())?;
    account.credits = credits_of(tx, customer)?.into_iter().map(credit_by_id).collect();
    for invoice in &invoices {
        let notes = credit_notes_of(tx, invoice.invoice)?;
        account.credit_notes.extend(notes.iter().map(convert::credit_note_from).map(note_by_id));
    }
    Ok(Some(account))
}

/// All entries of a customer's books, oldest first.
///
/// # Errors
/// As [`load_account`].
pub fn entries_of_customer(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<Entry>, BillingFailure> {
    let mut entries = entries_of(tx, customer, None, u32::MAX)?;
    entries.reverse();
    entries.iter().map(|numbered| convert::entry_from(&numbered.entry)).collect()
}

/// What there is besides invoices, credits and what was billed of usage.
fn load_basis(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    included: &Included,
    now: Month,
) -> Result<Option<Account>, BillingFailure> {
    let stored = standing_of(tx, customer)?;
    if stored.is_none() && find_customer(tx, customer)?.is_none() {
        return Ok(None);
    }
    let new = Account::new(customer, stored.map_or(now, |standing| standing.month));
    let standing = Standing { has_paid: stored.is_some_and(|standing| standing.has_paid), ..new.standing };
    let standing = load_standing(tx, customer, standing)?;
    let services = load_services(tx, customer, included)?;
    let escrow = escrow_account_of(tx, customer)?.map(|account| convert::escrow_from(&account)).transpose()?;
    Ok(Some(Account { standing, services, escrow, ..Account::new(customer, now) }))
}

/// What a customer has chosen, and what follows from not paying.
fn load_standing(tx: &ReadTx<'_>, customer: CustomerId, new: Standing) -> Result<Standing, BillingFailure> {
    let methods: Vec<_> = payment_methods_of(tx, customer)?.into_iter().map(convert::method_from).collect();
    let cap = spend_cap_of(tx, customer)?;
    Ok(Standing {
        parked: parked(tx, customer)?.map(|parked| parked.reason),
        dunning: convert::dunning_from(dunning_of(tx, customer)?)?,
        cap: cap.and_then(convert::cap_from),
        cap_status: cap.map_or(CapStatus::of(new.month), convert::cap_status_from),
        methods: if methods.is_empty() { new.methods } else { methods },
        ..new
    })
}

fn load_services(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    included: &Included,
) -> Result<BTreeMap<Service, ServiceAccount>, BillingFailure> {
    let stored = services_of(tx, customer)?;
    let mut extras = if stored.iter().any(|service| service.instance.tier.is_some()) {
        extras_of(tx, customer, included)?
    } else {
        BTreeMap::new()
    };
    let account = |stored: crate::ledger::service::BilledService| {
        let extras = extras.remove(&stored.service).filter(|_| stored.instance.tier.is_some()).unwrap_or_default();
        let (billed_through, renewed_unpaid) = (stored.billing.through, stored.billing.renewed_unpaid);
        let account = ServiceAccount { instance: stored.instance, billed_through, renewed_unpaid, extras };
        (stored.service, account)
    };
    Ok(stored.into_iter().map(account).collect())
}

/// What there is beyond what tiers include, by service. Seal keys and their packages belong to Seal.
fn extras_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    included: &Included,
) -> Result<BTreeMap<Service, BTreeMap<ExtraKind, u64>>, BillingFailure> {
    let mut extras: BTreeMap<Service, BTreeMap<ExtraKind, u64>> = BTreeMap::new();
    let mut add = |service, kind, more: u64| {
        if more > 0 {
            extras.entry(service).or_default().insert(kind, more);
        }
    };
    for (service, keys) in api_keys_by_service(tx, customer)? {
        add(service, ExtraKind::ApiKey, keys.saturating_sub(included.api_keys));
    }
    let packages = packages_by_seal_key(tx, customer)?;
    let keys = u64::try_from(packages.len()).unwrap_or(u64::MAX);
    add(Service::Seal, ExtraKind::SealKey, keys.saturating_sub(included.seal_keys));
    let packages = packages.into_iter().map(|packages| packages.saturating_sub(included.packages));
    add(Service::Seal, ExtraKind::Package, packages.fold(0, u64::saturating_add));
    Ok(extras)
}

/// The invoice that an event is about.
fn invoice_named(tx: &ReadTx<'_>, event: &Event) -> Result<Option<u64>, BillingFailure> {
    Ok(match event {
        Event::ChargeAnswered(answer) => Some(answer.invoice.0),
        Event::VoidInvoice(invoice) | Event::Collect(invoice) | Event::IssueCreditNote { invoice, .. } => {
            Some(invoice.0)
        }
        Event::RefundAnswered(answer) => find_credit_note(tx, answer.note.0)?.map(|note| note.invoice),
        _ => None,
    })
}

/// The demands of invoices. One that nobody was asked for has none.
fn charges_of<'a>(
    tx: &ReadTx<'_>,
    invoices: impl Iterator<Item = &'a Invoice>,
) -> Result<BTreeMap<ChargeKey, crate::core::billing::Charge>, BillingFailure> {
    let mut charges = BTreeMap::new();
    for invoice in invoices.filter(|invoice| invoice.attempts > 0) {
        let stored = charges_of_invoice(tx, invoice.id.0)?;
        for charge in stored.iter().filter(|charge| charge.direction == Direction::Charge) {
            let charge = convert::charge_from(charge)?;
            charges.insert(charge.key, charge);
        }
    }
    Ok(charges)
}

fn used_credits<'a>(invoices: impl Iterator<Item = &'a Invoice>) -> Result<BTreeSet<CreditId>, BillingFailure> {
    let mut used = BTreeSet::new();
    for invoice in invoices.filter(|invoice| invoice.state != InvoiceState::Voided) {
        used.extend(invoice.credits()?.into_iter().map(|(credit, _)| credit));
    }
    Ok(used)
}

fn by_id(
    invoices: impl Iterator<Item = Result<Invoice, BillingFailure>>,
) -> Result<BTreeMap<InvoiceId, Invoice>, BillingFailure> {
    invoices.map(|invoice| invoice.map(|invoice| (invoice.id, invoice))).collect()
}

fn credit_by_id(stored: crate::ledger::credit::StoredCredit) -> (CreditId, Credit) {
    let credit = convert::credit_from(&stored);
    (credit.id, credit)
}

fn note_by_id(note: CreditNote) -> (crate::core::billing::CreditNoteId, CreditNote) {
    (note.id, note)
}
