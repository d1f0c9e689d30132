//! The books against everything else that is known of a customer. Nothing is mended here: what differs is told, and
//! nothing more is charged.

use std::collections::{BTreeMap, BTreeSet};

use super::account::Account;
use super::entry::{AccountName, Entry, EntryKey, EntryReason, RevenueKind, revenue_of};
use super::ids::{CreditId, InvoiceId, InvoiceNumber};
use super::invoice::{Invoice, InvoiceState};
use crate::core::calendar::UtcMillis;
use crate::core::money::{MoneyOverflow, Usd};

/// What each account holds, debit positive.
pub type Balances = BTreeMap<AccountName, Usd>;

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("entry {} does not sum to zero", .0.0)]
    Unbalanced(EntryKey),
    #[error("there are two entries {}", .0.0)]
    Repeated(EntryKey),
    #[error("entry {} is of another customer", .0.0)]
    Foreign(EntryKey),
    #[error("the books say that {books} lie in escrow, the copy of the chain says {mirror}")]
    Escrow { books: Usd, mirror: Usd },
    #[error("the books say that {books} are left of credit {credit}, its grant says {grant}")]
    Credit { credit: CreditId, books: Usd, grant: Usd },
    #[error("the books say that invoice {invoice} demands {books}, it says {owed} itself")]
    Receivable { invoice: InvoiceId, books: Usd, owed: Usd },
    #[error("the books say that {books} were paid for invoice {invoice}, of {amount}")]
    Paid { invoice: InvoiceId, books: Usd, amount: Usd },
    #[error("the books say that revenue of {} is {books}, invoices say {invoices}", .kind.name())]
    Revenue { kind: RevenueKind, books: Usd, invoices: Usd },
    #[error("{0}")]
    Invoice(#[from] super::invoice::BrokenInvoice),
    #[error("there are {0} drafts")]
    Drafts(usize),
    #[error("an amount leaves its range")]
    Overflow,
}

impl From<MoneyOverflow> for Mismatch {
    fn from(_: MoneyOverflow) -> Self {
        Self::Overflow
    }
}

/// What accounts hold by entries that were made until an instant, itself included.
///
/// # Errors
/// [`MoneyOverflow`].
pub fn balances<'a>(entries: impl IntoIterator<Item = &'a Entry>, until: UtcMillis) -> Result<Balances, MoneyOverflow> {
    let mut balances = Balances::new();
    for posting in entries.into_iter().filter(|entry| entry.at <= until).flat_map(|entry| &entry.postings) {
        add(&mut balances, posting.account, posting.amount)?;
    }
    Ok(balances)
}

/// Everything that differs between all entries of a customer and the account, which here holds all invoices and all
/// credits there ever were. Empty: the books are right.
pub fn verify(account: &Account, entries: &[Entry]) -> Vec<Mismatch> {
    let mut found = entry_mismatches(account, entries);
    let Ok(sums) = Sums::of(entries) else {
        found.push(Mismatch::Overflow);
        return found;
    };
    for check in [escrow, credits, receivables, payments, revenue, invoices] {
        match check(account, &sums) {
            Ok(more) => found.extend(more),
            Err(MoneyOverflow) => found.push(Mismatch::Overflow),
        }
    }
    found
}

/// The first number that is missing before a later one; `numbers` in order.
pub fn first_gap(numbers: impl IntoIterator<Item = InvoiceNumber>) -> Option<InvoiceNumber> {
    let mut expected = 1;
    for number in numbers {
        if number.0 != expected {
            return Some(InvoiceNumber(expected));
        }
        expected = expected.saturating_add(1);
    }
    None
}

type Found = Result<Vec<Mismatch>, MoneyOverflow>;

fn entry_mismatches(account: &Account, entries: &[Entry]) -> Vec<Mismatch> {
    let mut keys = BTreeSet::new();
    let mut found = Vec::new();
    for entry in entries {
        if !entry.is_balanced() {
            found.push(Mismatch::Unbalanced(entry.key.clone()));
        }
        if !keys.insert(&entry.key) {
            found.push(Mismatch::Repeated(entry.key.clone()));
        }
        if entry.customer != account.customer {
            found.push(Mismatch::Foreign(entry.key.clone()));
        }
    }
    found
}

fn escrow(account: &Account, sums: &Sums) -> Found {
    let books = sums.owed(AccountName::Escrow)?;
    let mirror = account.escrow.map_or(Usd::ZERO, |escrow| escrow.balance);
    Ok(if books == mirror { vec![] } else { vec![Mismatch::Escrow { books, mirror }] })
}

fn credits(account: &Account, sums: &Sums) -> Found {
    let posted = sums.balances.keys().filter_map(|name| match name {
        AccountName::Credit(credit) => Some(*credit),
        _ => None,
    });
    let credits: BTreeSet<CreditId> = posted.chain(account.credits.keys().copied()).collect();
    let mut found = Vec::new();
    for credit in credits {
        let books = sums.owed(AccountName::Credit(credit))?;
        let grant = account.credits.get(&credit).map_or(Usd::ZERO, |credit| credit.remaining);
        if books != grant {
            found.push(Mismatch::Credit { credit, books, grant });
        }
    }
    Ok(found)
}

fn receivables(account: &Account, sums: &Sums) -> Found {
    let mut books = sums.receivable.clone();
    let mut found = Vec::new();
    for invoice in account.invoices.values() {
        let books = books.remove(&invoice.id).unwrap_or_default();
        let owed = if invoice.state.is_unpaid() { invoice.amount } else { Usd::ZERO };
        if books != owed {
            found.push(Mismatch::Receivable { invoice: invoice.id, books, owed });
        }
    }
    let unknown = books.into_iter().filter(|(_, books)| *books != Usd::ZERO);
    found.extend(unknown.map(|(invoice, books)| Mismatch::Receivable { invoice, books, owed: Usd::ZERO }));
    Ok(found)
}

/// A paid invoice was paid exactly, any other not at all.
fn payments(account: &Account, sums: &Sums) -> Found {
    let mut found = Vec::new();
    for invoice in account.invoices.values() {
        let books = sums.paid.get(&invoice.id).copied().unwrap_or_default().checked_neg()?;
        let amount = if invoice.state == InvoiceState::Paid { invoice.amount } else { Usd::ZERO };
        if books != amount {
            found.push(Mismatch::Paid { invoice: invoice.id, books, amount });
        }
    }
    Ok(found)
}

fn revenue(account: &Account, sums: &Sums) -> Found {
    let mut from_invoices: BTreeMap<RevenueKind, Usd> = BTreeMap::new();
    let counts = |invoice: &&Invoice| !matches!(invoice.state, InvoiceState::Draft | InvoiceState::Voided);
    for invoice in account.invoices.values().filter(counts) {
        for (kind, amount) in revenue_of(invoice)? {
            add(&mut from_invoices, kind, amount)?;
        }
    }
    let mut found = Vec::new();
    for kind in RevenueKind::OF_INVOICES {
        let books = sums.owed(AccountName::Revenue(kind))?;
        let invoices = from_invoices.get(&kind).copied().unwrap_or_default();
        if books != invoices {
            found.push(Mismatch::Revenue { kind, books, invoices });
        }
    }
    Ok(found)
}

fn invoices(account: &Account, _: &Sums) -> Found {
    let mut found: Vec<Mismatch> =
        account.invoices.values().filter_map(|invoice| invoice.verify().err()).map(Mismatch::from).collect();
    let drafts = account.invoices.values().filter(|invoice| invoice.state == InvoiceState::Draft).count();
    if drafts != 1 {
        found.push(Mismatch::Drafts(drafts));
    }
    Ok(found)
}

/// What entries come to, in one go.
#[derive(Default)]
struct Sums {
    balances: Balances,
    /// What is posted to `receivable` for each invoice.
    receivable: BTreeMap<InvoiceId, Usd>,
    /// Of that, by payments.
    paid: BTreeMap<InvoiceId, Usd>,
}

impl Sums {
    fn of(entries: &[Entry]) -> Result<Self, MoneyOverflow> {
        let mut sums = Self::default();
        for entry in entries {
            for posting in &entry.postings {
                add(&mut sums.balances, posting.account, posting.amount)?;
                if let (AccountName::Receivable, Some(invoice)) = (posting.account, entry.links.invoice) {
                    add(&mut sums.receivable, invoice, posting.amount)?;
                    if entry.reason == EntryReason::InvoicePaid {
                        add(&mut sums.paid, invoice, posting.amount)?;
                    }
                }
            }
        }
        Ok(sums)
    }

    /// A balance with the sign that it has when something is there.
    fn owed(&self, account: AccountName) -> Result<Usd, MoneyOverflow> {
        self.balances.get(&account).copied().unwrap_or_default().checked_neg()
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, Usd>, key: K, amount: Usd) -> Result<(), MoneyOverflow> {
    let sum = sums.entry(key).or_default();
    *sum = sum.checked_add(amount)?;
    Ok(())
}
