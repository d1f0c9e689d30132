//! What an operator is shown of a customer's billing, from the ledger alone.

use serde::Serialize;
use serde_json::Value;

use super::convert;
use super::failure::BillingFailure;
use crate::core::billing::{Invoice, InvoiceNumber};
use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::ledger::ReadTx;
use crate::ledger::billing_invoice::{
    StoredInvoice, StoredInvoiceState, draft_of, find_invoice_by_number, invoices_of, newest_invoices,
};
use crate::ledger::billing_notice::{StoredNotice, notices_of};
use crate::ledger::billing_standing::standing_of;
use crate::ledger::charge::{StoredCharge, unanswered_charges_of};
use crate::ledger::credit::{StoredCredit, open_credits_of};
use crate::ledger::customer::find_customer;
use crate::ledger::escrow::{StoredEscrowAccount, escrow_account_of};
use crate::ledger::invoice_line::StoredLineKind;
use crate::ledger::parked::{Parked, all_parked, parked};
use crate::ledger::payment_terms::{dunning_of, payment_methods_of, spend_cap_of};
use crate::ledger::service::{BilledService, services_of};

/// Invoices and notices of a customer that are shown: the newest ones.
pub const SHOWN: u32 = 20;

/// A customer's billing as it stands. Times are RFC 3339, amounts micro-dollars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CustomerBilling {
    pub customer: u32,
    pub name: String,
    pub wallet_address: String,
    /// `active`, `suspended` or `closed`.
    pub status: String,
    /// Nothing is charged, and why.
    pub parked: Option<ShownParked>,
    /// Absent before the first thing that is billed.
    pub standing: Option<ShownStanding>,
    /// Absent in good standing.
    pub dunning: Option<ShownDunning>,
    pub services: Vec<ShownService>,
    /// In the customer's order; empty if the customer has not chosen, which means escrow.
    pub payment_methods: Vec<String>,
    pub spend_cap: Option<ShownSpendCap>,
    /// As the chain showed it last.
    pub escrow: Option<ShownEscrow>,
    /// Those with something left.
    pub credits: Vec<ShownCredit>,
    /// Demands and refunds without an answer.
    pub under_way: Vec<ShownCharge>,
    /// The newest [`SHOWN`].
    pub invoices: Vec<ShownInvoice>,
    /// The newest [`SHOWN`].
    pub notices: Vec<ShownNotice>,
}

/// Since when nothing is charged, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownParked {
    pub customer: u32,
    pub reason: String,
    pub since: String,
}

/// How far billing is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownStanding {
    /// The month whose beginning was carried out.
    pub month: String,
    /// The month that is closed next.
    pub draft_month: String,
    /// Whether an invoice was ever paid.
    pub has_paid: bool,
    /// When time brings something about next.
    pub next_due_at: Option<String>,
}

/// How long nothing was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownDunning {
    /// The first failure that grace counts from.
    pub since: String,
    pub notices: u64,
    pub is_suspended: bool,
}

/// A service that was ever subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownService {
    pub service: String,
    pub state: String,
    pub tier: Option<String>,
    /// The last month for which a subscription was put on an invoice.
    pub billed_through: Option<String>,
}

/// What usage may cost in a month at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownSpendCap {
    pub cap_micros: Option<i64>,
    pub is_hard_stop: bool,
    pub told_percent: u8,
    pub is_stopped: bool,
}

/// The account on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownEscrow {
    pub object_id: String,
    pub balance_micros: i64,
    /// For 28 days; 0: unlimited.
    pub spending_limit_micros: i64,
    pub period: i64,
    pub period_charged_micros: i64,
    pub mirrored_at: String,
}

/// A grant of credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownCredit {
    pub credit: u64,
    pub reason: String,
    pub granted_micros: i64,
    pub remaining_micros: i64,
    /// Absent: never.
    pub expires_at: Option<String>,
}

/// Money that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownCharge {
    pub key: String,
    /// `charge` or `refund`.
    pub direction: String,
    pub amount_micros: i64,
    pub asked_at: String,
    /// How often it was sent without an answer.
    pub sends: u32,
    pub last_error: Option<String>,
}

/// An invoice in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownInvoice {
    /// `INV-000042`; absent for a draft.
    pub number: Option<String>,
    pub customer: u32,
    pub month: String,
    /// `monthly`, `subscribe`, `resume` or `upgrade`.
    pub purpose: String,
    pub service: Option<String>,
    /// `draft`, `pending`, `paid`, `failed` or `voided`.
    pub state: String,
    /// With the tax, before credits.
    pub charges_micros: i64,
    /// Charges less credits.
    pub amount_micros: i64,
    pub issued_at: Option<String>,
    pub paid_at: Option<String>,
    /// How often a payment method was asked.
    pub attempts: u32,
    pub retry_at: Option<String>,
}

/// Something that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownNotice {
    pub at: String,
    pub kind: String,
    pub details: Value,
}

/// Everything about one customer; `None`: nobody has this number.
///
/// # Errors
/// [`BillingFailure::Ledger`], [`BillingFailure::Unreadable`].
pub fn show_customer(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<CustomerBilling>, BillingFailure> {
    let Some(known) = find_customer(tx, customer)? else { return Ok(None) };
    let parked = parked(tx, customer)?;
    let standing = standing_of(tx, customer)?;
    let dunning = dunning_of(tx, customer)?;
    let spend_cap = spend_cap_of(tx, customer)?;
    Ok(Some(CustomerBilling {
        customer: customer.get(),
        name: known.name,
        wallet_address: known.wallet_address.to_string(),
        status: known.status.name().to_owned(),
        parked: parked.map(ShownParked::from),
        standing: standing.map(|standing| ShownStanding {
            month: standing.month.to_string(),
            draft_month: standing.draft_month.to_string(),
            has_paid: standing.has_paid,
            next_due_at: text(standing.next_due),
        }),
        dunning: dunning.map(|dunning| ShownDunning {
            since: dunning.since.to_string(),
            notices: dunning.notices,
            is_suspended: dunning.suspended,
        }),
        services: services_of(tx, customer)?.iter().map(ShownService::from).collect(),
        payment_methods: payment_methods_of(tx, customer)?.iter().map(|method| method.name().to_owned()).collect(),
        spend_cap: spend_cap.map(|cap| ShownSpendCap {
            cap_micros: cap.cap.map(|cap| cap.micros()),
            is_hard_stop: cap.hard_stop,
            told_percent: cap.told_percent,
            is_stopped: cap.stopped,
        }),
        escrow: escrow_account_of(tx, customer)?.as_ref().map(ShownEscrow::from),
        credits: open_credits_of(tx, customer)?.iter().map(ShownCredit::from).collect(),
        under_way: unanswered_charges_of(tx, customer)?.into_iter().map(ShownCharge::from).collect(),
        invoices: invoices_of(tx, customer, None, SHOWN)?.iter().map(ShownInvoice::from).collect(),
        notices: notices_of(tx, customer, None, SHOWN)?.into_iter().map(ShownNotice::from).collect(),
    }))
}

/// Everybody who is parked, longest first.
///
/// # Errors
/// [`BillingFailure::Ledger`].
pub fn show_parked(tx: &ReadTx<'_>) -> Result<Vec<ShownParked>, BillingFailure> {
    Ok(all_parked(tx)?.into_iter().map(ShownParked::from).collect())
}

/// At most `limit` invoices of everybody or of one customer, in any state or in one, newest first.
///
/// # Errors
/// [`BillingFailure::Ledger`].
pub fn show_invoices(
    tx: &ReadTx<'_>,
    customer: Option<CustomerId>,
    state: Option<StoredInvoiceState>,
    limit: u32,
) -> Result<Vec<ShownInvoice>, BillingFailure> {
    Ok(newest_invoices(tx, customer, state, limit)?.iter().map(ShownInvoice::from).collect())
}

/// Which invoice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one with this number printed on it.
    Number(u64),
    DraftOf(CustomerId),
}

/// One invoice; `None` if there is no such.
///
/// # Errors
/// [`BillingFailure`], also for one that does not add up.
pub fn show_invoice(tx: &ReadTx<'_>, which: Which) -> Result<Option<Invoice>, BillingFailure> {
    let found = match which {
        Which::Number(number) => find_invoice_by_number(tx, number)?,
        Which::DraftOf(customer) => draft_of(tx, customer)?,
    };
    found.map(|stored| convert::invoice_from(&stored)).transpose()
}

fn text(at: Option<UtcMillis>) -> Option<String> {
    at.map(|at| at.to_string())
}

impl From<Parked> for ShownParked {
    fn from(stored: Parked) -> Self {
        Self { customer: stored.customer.get(), reason: stored.reason, since: stored.since.to_string() }
    }
}

impl From<&BilledService> for ShownService {
    fn from(stored: &BilledService) -> Self {
        Self {
            service: stored.service.name().to_owned(),
            state: stored.instance.state.name().to_owned(),
            tier: stored.instance.tier.map(|tier| tier.name().to_owned()),
            billed_through: stored.billing.through.map(|month| month.to_string()),
        }
    }
}

impl From<&StoredEscrowAccount> for ShownEscrow {
    fn from(stored: &StoredEscrowAccount) -> Self {
        Self {
            object_id: stored.object_id.to_string(),
            balance_micros: stored.balance.micros(),
            spending_limit_micros: stored.spending_limit.micros(),
            period: stored.period,
            period_charged_micros: stored.period_charged.micros(),
            mirrored_at: stored.mirrored_at.to_string(),
        }
    }
}

impl From<&StoredCredit> for ShownCredit {
    fn from(stored: &StoredCredit) -> Self {
        Self {
            credit: stored.credit,
            reason: stored.reason.name().to_owned(),
            granted_micros: stored.granted.micros(),
            remaining_micros: stored.remaining.micros(),
            expires_at: text(stored.expires_at),
        }
    }
}

impl From<StoredCharge> for ShownCharge {
    fn from(stored: StoredCharge) -> Self {
        Self {
            key: stored.key,
            direction: stored.direction.name().to_owned(),
            amount_micros: stored.amount.micros(),
            asked_at: stored.asked_at.to_string(),
            sends: stored.sends,
            last_error: stored.last_error,
        }
    }
}

impl From<&StoredInvoice> for ShownInvoice {
    fn from(stored: &StoredInvoice) -> Self {
        let charges = stored.lines.iter().filter(|line| line.kind != StoredLineKind::Credit);
        let charges = charges.map(|line| line.amount.micros());
        Self {
            number: stored.number.map(|number| InvoiceNumber(number).to_string()),
            customer: stored.customer.get(),
            month: stored.month.to_string(),
            purpose: stored.purpose.name().to_owned(),
            service: stored.service.map(|service| service.name().to_owned()),
            state: stored.state.name().to_owned(),
            charges_micros: charges.fold(0, i64::saturating_add),
            amount_micros: stored.amount.micros(),
            issued_at: text(stored.issued_at),
            paid_at: text(stored.paid_at),
            attempts: stored.attempts,
            retry_at: text(stored.retry_at),
        }
    }
}

impl From<StoredNotice> for ShownNotice {
    fn from(stored: StoredNotice) -> Self {
        let notice = stored.notice;
        Self {
            at: notice.at.to_string(),
            kind: notice.kind.into_owned(),
            details: serde_json::from_str(&notice.details).unwrap_or_default(),
        }
    }
}
