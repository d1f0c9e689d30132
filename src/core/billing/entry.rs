//! Entries of the double-entry ledger, and the rule that each business event posts by.
//!
//! A debit is positive, a credit negative, and the postings of an entry sum to zero per currency. USDC counts as USD,
//! one to one. The accounts of a customer, with the sign that they have when something is there:
//!
//! | account | sign | what is there |
//! |---|---|---|
//! | `escrow` | − | what lies in the customer's account on the chain: we owe it |
//! | `credit:<id>` | − | what is left of one grant of credit |
//! | `receivable` | + | what issued invoices still demand |
//! | `revenue:<kind>` | − | what was charged for; allowances are its counterpart and positive |
//! | `refunds` | + | what was given back of what was paid |
//! | `chain_clearing` | + | deposits less withdrawals: all that came over the chain, but for our own charges |
//!
//! | event | debit | credit |
//! |---|---|---|
//! | deposit | chain_clearing | escrow |
//! | withdrawal | escrow | chain_clearing |
//! | charged by an order of another ledger | escrow | chain_clearing |
//! | given back by one | chain_clearing | escrow |
//! | invoice issued | receivable | revenue of each line |
//! | invoice voided | revenue of each line | receivable |
//! | credit granted | revenue:allowance (refund: refunds) | credit |
//! | credit used | credit | receivable |
//! | credit comes back | receivable | credit |
//! | what credit paid is given back | revenue:allowance (refund: refunds) | credit |
//! | credit expired | credit | revenue:expired |
//! | invoice paid by escrow | escrow | receivable |
//! | paid although nothing was owed, or for what the ledger has forgotten | escrow | credit (a refund) |
//! | paid back to escrow | refunds | escrow |
//!
//! So at any time `− escrow = deposits − withdrawals − paid + paid back`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::credit::CreditReason;
use super::ids::{ChargeKey, CreditId, CreditNoteId, InvoiceId};
use super::invoice::Invoice;
use super::line::{Line, LineKind, Measure};
use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::{MoneyOverflow, Usd};

/// What amounts are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Currency {
    Usd,
}

impl Currency {
    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usd => "usd",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Usd].into_iter().find(|currency| currency.name() == name)
    }
}

/// What revenue is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevenueKind {
    Subscription,
    Upgrade,
    Extras,
    Requests,
    Bandwidth,
    /// Collected for a tax office.
    Tax,
    /// Revenue that was given up by granting credit.
    Allowance,
    /// Credit that nobody used in time.
    Expired,
}

impl RevenueKind {
    pub const ALL: [Self; 8] = [
        Self::Subscription,
        Self::Upgrade,
        Self::Extras,
        Self::Requests,
        Self::Bandwidth,
        Self::Tax,
        Self::Allowance,
        Self::Expired,
    ];

    /// Those that lines of invoices are of.
    pub const OF_INVOICES: [Self; 6] =
        [Self::Subscription, Self::Upgrade, Self::Extras, Self::Requests, Self::Bandwidth, Self::Tax];

    /// The word used in names of accounts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Upgrade => "upgrade",
            Self::Extras => "extras",
            Self::Requests => "requests",
            Self::Bandwidth => "bandwidth",
            Self::Tax => "tax",
            Self::Allowance => "allowance",
            Self::Expired => "expired",
        }
    }

    /// Of a line that is no credit.
    pub const fn of(line: &Line) -> Option<Self> {
        Some(match line.kind {
            LineKind::Subscription { .. } => Self::Subscription,
            LineKind::Upgrade { .. } => Self::Upgrade,
            LineKind::Extra(_) => Self::Extras,
            LineKind::Usage(Measure::Requests) | LineKind::LateUsage(Measure::Requests) => Self::Requests,
            LineKind::Usage(Measure::Bandwidth) | LineKind::LateUsage(Measure::Bandwidth) => Self::Bandwidth,
            LineKind::Tax => Self::Tax,
            LineKind::Credit(_) => return None,
        })
    }
}

/// An account of one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountName {
    Escrow,
    Credit(CreditId),
    Receivable,
    Revenue(RevenueKind),
    Refunds,
    ChainClearing,
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escrow => f.write_str("escrow"),
            Self::Credit(credit) => write!(f, "credit:{credit}"),
            Self::Receivable => f.write_str("receivable"),
            Self::Revenue(kind) => write!(f, "revenue:{}", kind.name()),
            Self::Refunds => f.write_str("refunds"),
            Self::ChainClearing => f.write_str("chain_clearing"),
        }
    }
}

/// The text is no name of an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no account of a customer")]
pub struct NotAnAccount(String);

/// Only the one spelling that [`fmt::Display`] writes.
impl FromStr for AccountName {
    type Err = NotAnAccount;

    fn from_str(text: &str) -> Result<Self, NotAnAccount> {
        let name = match text.split_once(':') {
            Some(("credit", id)) => id.parse().ok().map(|id| Self::Credit(CreditId(id))),
            Some(("revenue", kind)) => {
                RevenueKind::ALL.into_iter().find(|known| known.name() == kind).map(Self::Revenue)
            }
            Some(_) => None,
            None => [Self::Escrow, Self::Receivable, Self::Refunds, Self::ChainClearing]
                .into_iter()
                .find(|name| name.to_string() == text),
        };
        name.filter(|name| name.to_string() == text).ok_or_else(|| NotAnAccount(text.to_owned()))
    }
}

/// Unique over all entries: the second entry with the same one is the same event again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey(pub String);

/// Why an entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryReason {
    Deposit,
    Withdrawal,
    /// Taken from escrow by an order that is not of these books.
    ForeignCharge,
    /// Put into escrow by one.
    ForeignCredit,
    InvoiceIssued,
    InvoiceVoided,
    InvoicePaid,
    /// Money came for something that nothing was owed for any more.
    Overpaid,
    CreditGranted,
    CreditsUsed,
    CreditsReturned,
    CreditExpired,
    RefundPaid,
}

impl EntryReason {
    pub const ALL: [Self; 13] = [
        Self::Deposit,
        Self::Withdrawal,
        Self::ForeignCharge,
        Self::ForeignCredit,
        Self::InvoiceIssued,
        Self::InvoiceVoided,
        Self::InvoicePaid,
        Self::Overpaid,
        Self::CreditGranted,
        Self::CreditsUsed,
        Self::CreditsReturned,
        Self::CreditExpired,
        Self::RefundPaid,
    ];

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::ForeignCharge => "foreign_charge",
            Self::ForeignCredit => "foreign_credit",
            Self::InvoiceIssued => "invoice_issued",
            Self::InvoiceVoided => "invoice_voided",
            Self::InvoicePaid => "invoice_paid",
            Self::Overpaid => "overpaid",
            Self::CreditGranted => "credit_granted",
            Self::CreditsUsed => "credits_used",
            Self::CreditsReturned => "credits_returned",
            Self::CreditExpired => "credit_expired",
            Self::RefundPaid => "refund_paid",
        }
    }
}

/// One side of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    pub account: AccountName,
    pub currency: Currency,
    /// Debit positive, never 0.
    pub amount: Usd,
}

/// What an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    pub invoice: Option<InvoiceId>,
    pub credit: Option<CreditId>,
    pub credit_note: Option<CreditNoteId>,
    pub charge: Option<ChargeKey>,
    /// The transaction on the chain, or whatever the payment method calls it.
    pub reference: Option<String>,
}

/// One entry, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: EntryKey,
    pub customer: CustomerId,
    pub at: UtcMillis,
    pub reason: EntryReason,
    pub links: Links,
    pub postings: Vec<Posting>,
}

impl Entry {
    /// Whether its postings sum to zero per currency, and none is 0.
    pub fn is_balanced(&self) -> bool {
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        for posting in &self.postings {
            *sums.entry(posting.currency).or_default() += i128::from(posting.amount.micros());
        }
        sums.values().all(|sum| *sum == 0) && self.postings.iter().all(|posting| posting.amount != Usd::ZERO)
    }
}

/// Postings: `amount` from one account to another. None for nothing.
pub(super) fn transfer(debit: AccountName, credit: AccountName, amount: Usd) -> Result<Vec<Posting>, MoneyOverflow> {
    let currency = Currency::Usd;
    let both = [(debit, amount), (credit, amount.checked_neg()?)];
    let postings = both.into_iter().filter(|(_, amount)| *amount != Usd::ZERO);
    Ok(postings.map(|(account, amount)| Posting { account, currency, amount }).collect())
}

/// The revenue of an invoice becomes owed.
pub(super) fn issued(invoice: &Invoice) -> Result<Vec<Posting>, MoneyOverflow> {
    let mut postings = Vec::new();
    for (kind, amount) in revenue_of(invoice)? {
        postings.extend(transfer(AccountName::Receivable, AccountName::Revenue(kind), amount)?);
    }
    merge(postings)
}

/// The reverse of [`issued`].
pub(super) fn voided(invoice: &Invoice) -> Result<Vec<Posting>, MoneyOverflow> {
    let mut postings = Vec::new();
    for (kind, amount) in revenue_of(invoice)? {
        postings.extend(transfer(AccountName::Revenue(kind), AccountName::Receivable, amount)?);
    }
    merge(postings)
}

/// Credits pay for what is owed.
pub(super) fn credits_used(uses: &[(CreditId, Usd)]) -> Result<Vec<Posting>, MoneyOverflow> {
    let mut postings = Vec::new();
    for (credit, used) in uses {
        postings.extend(transfer(AccountName::Credit(*credit), AccountName::Receivable, *used)?);
    }
    merge(postings)
}

/// The reverse of [`credits_used`].
pub(super) fn credits_returned(uses: &[(CreditId, Usd)]) -> Result<Vec<Posting>, MoneyOverflow> {
    let mut postings = Vec::new();
    for (credit, used) in uses {
        postings.extend(transfer(AccountName::Receivable, AccountName::Credit(*credit), *used)?);
    }
    merge(postings)
}

/// What is given up for a grant of credit.
pub(super) fn credit_granted(
    credit: CreditId,
    reason: CreditReason,
    amount: Usd,
) -> Result<Vec<Posting>, MoneyOverflow> {
    transfer(given_up_for(reason), AccountName::Credit(credit), amount)
}

/// The same for what comes back to credits that were used before.
pub(super) fn credits_given_back(
    returned: &[(CreditId, Usd)],
    reason: CreditReason,
) -> Result<Vec<Posting>, MoneyOverflow> {
    let mut postings = Vec::new();
    for (credit, amount) in returned {
        postings.extend(credit_granted(*credit, reason, *amount)?);
    }
    merge(postings)
}

fn given_up_for(reason: CreditReason) -> AccountName {
    match reason {
        CreditReason::Refund => AccountName::Refunds,
        _ => AccountName::Revenue(RevenueKind::Allowance),
    }
}

/// What an invoice charges, by kind of revenue.
pub fn revenue_of(invoice: &Invoice) -> Result<BTreeMap<RevenueKind, Usd>, MoneyOverflow> {
    let mut revenue = BTreeMap::new();
    for line in &invoice.lines {
        if let Some(kind) = RevenueKind::of(line) {
            let sum: &mut Usd = revenue.entry(kind).or_default();
            *sum = sum.checked_add(line.amount)?;
        }
    }
    Ok(revenue)
}

/// One posting for each account.
fn merge(postings: Vec<Posting>) -> Result<Vec<Posting>, MoneyOverflow> {
    let mut sums: BTreeMap<(AccountName, Currency), Usd> = BTreeMap::new();
    for posting in postings {
        let sum = sums.entry((posting.account, posting.currency)).or_default();
        *sum = sum.checked_add(posting.amount)?;
    }
    let merged = sums.into_iter().filter(|(_, amount)| *amount != Usd::ZERO);
    Ok(merged.map(|((account, currency), amount)| Posting { account, currency, amount }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let fixed = [AccountName::Escrow, AccountName::Receivable, AccountName::Refunds, AccountName::ChainClearing];
        let revenue = RevenueKind::ALL.map(AccountName::Revenue);
        for name in fixed.into_iter().chain(revenue).chain([AccountName::Credit(CreditId(42))]) {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        for text in
            ["", "credit", "credit:", "credit:042", "credit:+1", "revenue:", "revenue:gifts", "cash:1", "Escrow"]
        {
            assert!(text.parse::<AccountName>().is_err(), "{text}");
        }
        for reason in EntryReason::ALL {
            assert_eq!(EntryReason::from_name(reason.name()), Some(reason));
        }
        assert_eq!(Currency::from_name("usd"), Some(Currency::Usd));
    }

    #[test]
    fn an_entry_sums_to_zero_without_wrapping() {
        let posting = |micros| Posting {
            account: AccountName::Escrow,
            currency: Currency::Usd,
            amount: Usd::from_micros(micros),
        };
        let entry = |amounts: &[i64]| Entry {
            key: EntryKey("test".to_owned()),
            customer: CustomerId::new(1).unwrap(),
            at: UtcMillis(0),
            reason: EntryReason::Deposit,
            links: Links::default(),
            postings: amounts.iter().copied().map(posting).collect(),
        };
        for (amounts, balanced) in [
            (vec![], true),
            (vec![1, -1], true),
            (vec![3, -1, -2], true),
            (vec![1, -2], false),
            (vec![1, -1, 0], false),
            (vec![i64::MAX, i64::MAX, 2], false),
        ] {
            assert_eq!(entry(&amounts).is_balanced(), balanced, "{amounts:?}");
        }
    }
}
