//! Recomputes the books from their rows, in one pass, and says what does not hold.
//!
//! The tables refuse all of this when it is written by us; what is found here was done to the file.

use std::collections::BTreeMap;

use rusqlite::Rows;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::ledger::balance::{EVER, trial_balance};
use crate::ledger::entry::Currency;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::ReadTx;
use crate::ledger::values::Count;

/// Findings that are kept; the rest is counted.
pub const MAX_FINDINGS: usize = 1000;

/// The account of credits; its sub-accounts are the numbers of the credits.
pub const CREDIT_ACCOUNT: &str = "credit";

/// What was found in the books.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verification {
    pub entries: u64,
    pub postings: u64,
    /// By account and currency, over all customers.
    totals: Vec<Total>,
    /// The first [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// All of them.
    pub finding_count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Total {
    account: String,
    currency: Currency,
    micros: i128,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose books it concerns, as far as can be told.
    pub customer: Option<CustomerId>,
    /// The number of the entry, invoice or credit.
    pub number: u64,
    pub kind: FindingKind,
}

/// What does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// Numbers before this entry are missing.
    Gap,
    /// Its postings do not sum to zero.
    Unbalanced,
    /// It has fewer than two postings, or they are not numbered from 0.
    Positions,
    /// A posting has another time or customer than its entry.
    Strayed,
    /// Postings without an entry.
    Orphan,
    /// The index of the accounts adds up to something else than the postings.
    Index,
    /// What is left of a credit is not what its account says.
    Credit,
    /// The lines of an issued invoice do not sum to its amount.
    Lines,
    /// Invoice numbers before this one are missing.
    InvoiceGap,
}

impl FindingKind {
    /// A clause about it, for people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Gap => "entries before it are missing",
            Self::Unbalanced => "its postings do not sum to zero",
            Self::Positions => "postings of it are missing",
            Self::Strayed => "a posting of it has another time or customer",
            Self::Orphan => "there are postings of it, but not the entry",
            Self::Index => "the index of accounts differs from the postings",
            Self::Credit => "what is left of the credit is not what its account says",
            Self::Lines => "the lines of the invoice do not sum to its amount",
            Self::InvoiceGap => "invoice numbers before it are missing",
        }
    }
}

impl Verification {
    /// Whether everything holds.
    pub fn is_sound(&self) -> bool {
        self.finding_count == 0
    }

    /// What the postings add up to by account and currency, over all customers: debits less credits, micro-dollars.
    pub fn totals(&self) -> BTreeMap<(String, Currency), i128> {
        self.totals.iter().map(|total| ((total.account.clone(), total.currency), total.micros)).collect()
    }

    /// There are few accounts, so looking through them is faster than any map.
    fn add(&mut self, account: &str, Ahead { currency, amount, .. }: Ahead) {
        match self.totals.iter_mut().find(|total| total.currency == currency && total.account == account) {
            Some(total) => total.micros += amount,
            None => self.totals.push(Total { account: account.to_owned(), currency, micros: amount }),
        }
    }

    fn find(&mut self, customer: Option<CustomerId>, number: u64, kind: FindingKind) {
        self.finding_count = self.finding_count.saturating_add(1);
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { customer, number, kind });
        }
    }
}

/// Recomputes entries, credits and issued invoices. Reads every row once, and keeps none.
///
/// # Errors
/// [`LedgerError::Statement`]: they could not be read, which says nothing about them.
pub fn verify_ledger(tx: &ReadTx<'_>) -> Result<Verification, LedgerError> {
    let mut found = Verification::default();
    verify_entries(tx, &mut found).map_err(failed("verifying", "the entries of the books"))?;
    verify_index(tx, &mut found)?;
    verify_credits(tx, &mut found).map_err(failed("verifying", "credits"))?;
    verify_invoices(tx, &mut found).map_err(failed("verifying", "issued invoices"))?;
    Ok(found)
}

/// Both tables side by side, in the order of the entries.
fn verify_entries(tx: &ReadTx<'_>, found: &mut Verification) -> rusqlite::Result<()> {
    let mut entries = tx.prepare("SELECT entry_id, at_ms, customer_id FROM ledger_entries ORDER BY entry_id")?;
    let mut postings = tx.prepare(
        "SELECT entry_id, position, at_ms, customer_id, amount_micros, currency, account FROM ledger_postings
         ORDER BY entry_id, position",
    )?;
    let mut entries = entries.query(())?;
    let mut postings = Postings::of(postings.query(())?)?;
    let mut expected = 1;
    while let Some(row) = entries.next()? {
        let head = Head { number: row.get::<_, Count>(0)?.0, at: row.get(1)?, customer: row.get(2)? };
        postings.pass_orphans(Some(head.number), found)?;
        if head.number != expected {
            found.find(Some(head.customer), head.number, FindingKind::Gap);
        }
        expected = head.number.saturating_add(1);
        found.entries += 1;
        check_entry(&head, &mut postings, found)?;
    }
    postings.pass_orphans(None, found)
}

/// Takes the postings of one entry.
fn check_entry(head: &Head, postings: &mut Postings<'_>, found: &mut Verification) -> rusqlite::Result<()> {
    let (mut usd, mut usdc) = (0_i128, 0_i128);
    let (mut count, mut in_order, mut strayed) = (0_i64, true, false);
    while let Some(posting) = postings.ahead.filter(|posting| posting.entry == head.number) {
        in_order &= posting.position == count;
        strayed |= (posting.at, posting.customer) != (head.at, head.customer);
        match posting.currency {
            Currency::Usd => usd += posting.amount,
            Currency::Usdc => usdc += posting.amount,
        }
        count += 1;
        found.postings += 1;
        found.add(&postings.account, posting);
        postings.advance()?;
    }
    for (kind, holds) in [
        (FindingKind::Unbalanced, (usd, usdc) == (0, 0)),
        (FindingKind::Positions, in_order && count >= 2),
        (FindingKind::Strayed, !strayed),
    ] {
        if !holds {
            found.find(Some(head.customer), head.number, kind);
        }
    }
    Ok(())
}

struct Head {
    number: u64,
    at: UtcMillis,
    customer: CustomerId,
}

#[derive(Clone, Copy)]
struct Ahead {
    entry: u64,
    position: i64,
    at: UtcMillis,
    customer: CustomerId,
    amount: i128,
    currency: Currency,
}

/// All postings in order, one ahead.
struct Postings<'stmt> {
    rows: Rows<'stmt>,
    ahead: Option<Ahead>,
    /// Of the one ahead; kept apart, so that its memory is used again.
    account: String,
}

impl<'stmt> Postings<'stmt> {
    fn of(rows: Rows<'stmt>) -> rusqlite::Result<Self> {
        let mut postings = Self { rows, ahead: None, account: String::new() };
        postings.advance()?;
        Ok(postings)
    }

    fn advance(&mut self) -> rusqlite::Result<()> {
        let Some(row) = self.rows.next()? else {
            self.ahead = None;
            return Ok(());
        };
        self.ahead = Some(Ahead {
            entry: row.get::<_, Count>(0)?.0,
            position: row.get(1)?,
            at: row.get(2)?,
            customer: row.get(3)?,
            amount: row.get::<_, i64>(4)?.into(),
            currency: row.get(5)?,
        });
        self.account.clear();
        self.account.push_str(row.get_ref(6)?.as_str()?);
        Ok(())
    }

    /// Those that come before an entry, or before the end, belong to none.
    fn pass_orphans(&mut self, entry: Option<u64>, found: &mut Verification) -> rusqlite::Result<()> {
        let is_before = |posting: &Ahead| entry.is_none_or(|entry| posting.entry < entry);
        while let Some(posting) = self.ahead.filter(is_before) {
            found.find(Some(posting.customer), posting.entry, FindingKind::Orphan);
            found.postings += 1;
            found.add(&self.account, posting);
            self.advance()?;
        }
        Ok(())
    }
}

/// The sums from the index of accounts, against those from the postings.
fn verify_index(tx: &ReadTx<'_>, found: &mut Verification) -> Result<(), LedgerError> {
    let mut from_index = BTreeMap::new();
    for balance in trial_balance(tx, EVER)? {
        from_index.insert((balance.account.into_owned(), balance.currency), i128::from(balance.amount.micros()));
    }
    if from_index != found.totals() {
        found.find(None, 0, FindingKind::Index);
    }
    Ok(())
}

/// What is left of a credit is what its account says: a credit balance is negative.
fn verify_credits(tx: &ReadTx<'_>, found: &mut Verification) -> rusqlite::Result<()> {
    tx.each(
        "SELECT customer_id, credit_id FROM credits
         WHERE remaining_micros <> -(SELECT coalesce(sum(amount_micros), 0) FROM ledger_postings
             WHERE ledger_postings.customer_id = credits.customer_id AND account = ?1
               AND sub_account = CAST(credit_id AS TEXT) AND currency = 'USD')
         ORDER BY credit_id",
        (CREDIT_ACCOUNT,),
        |row| {
            found.find(row.get(0)?, row.get::<_, Count>(1)?.0, FindingKind::Credit);
            Ok(())
        },
    )
}

fn verify_invoices(tx: &ReadTx<'_>, found: &mut Verification) -> rusqlite::Result<()> {
    let mut expected = 1;
    tx.each(
        "SELECT customer_id, number, amount_micros = (SELECT coalesce(sum(amount_micros), 0) FROM invoice_lines
             WHERE invoice_lines.invoice_id = invoices.invoice_id)
         FROM invoices WHERE number IS NOT NULL ORDER BY number",
        (),
        |row| {
            let (customer, Count(number), adds_up) = (row.get(0)?, row.get(1)?, row.get::<_, bool>(2)?);
            if number != expected {
                found.find(customer, number, FindingKind::InvoiceGap);
            }
            if !adds_up {
                found.find(customer, number, FindingKind::Lines);
            }
            expected = number.saturating_add(1);
            Ok(())
        },
    )
}
