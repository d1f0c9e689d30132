//! The books: entries of postings that sum to zero. They are added and read, never changed.
//!
//! What makes an entry sound is refused by the tables themselves (`schema/ledger`), not only here: postings can be
//! added for the next entry only, the entry seals them if they balance, and postings without an entry cannot be
//! committed.

use std::borrow::Cow;

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, optional_count};

/// Postings of one entry, at most.
pub const MAX_POSTINGS: usize = 1000;

/// A word of the books' own: small letters and underscores.
pub type Word = Cow<'static, str>;

/// What an amount is in. Each is kept in balance for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Currency {
    Usd,
    /// On the chain. Millionths, as of the dollar.
    Usdc,
}

impl Currency {
    pub const ALL: [Self; 2] = [Self::Usd, Self::Usdc];

    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usd => "USD",
            Self::Usdc => "USDC",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|currency| currency.name() == name)
    }
}

/// An amount that goes to one account of the entry's customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    pub account: Word,
    /// The number of a credit, the kind of a revenue; empty where there is none.
    pub sub_account: Word,
    pub currency: Currency,
    /// Positive: debit; negative: credit; never 0.
    pub amount: Usd,
}

/// What an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    pub invoice: Option<u64>,
    pub credit: Option<u64>,
    pub credit_note: Option<u64>,
    /// The idempotency key of a charge.
    pub charge: Option<String>,
    /// The transaction on the chain.
    pub reference: Option<String>,
}

/// Something that happened to money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What happens once has one key.
    pub key: String,
    pub at: UtcMillis,
    pub reason: Word,
    /// Whose accounts are meant.
    pub customer: CustomerId,
    pub links: Links,
    /// At least two, and zero in sum for each currency.
    pub postings: Vec<Posting>,
}

/// An entry of the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedEntry {
    /// From 1, without gaps.
    pub number: u64,
    pub entry: Entry,
}

/// What became of an entry, with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    New(u64),
    /// It was there already, with the same content: nothing is written.
    Known(u64),
}

impl Appended {
    pub const fn number(self) -> u64 {
        match self {
            Self::New(number) | Self::Known(number) => number,
        }
    }
}

impl Entry {
    /// What does not hold, first of all.
    fn broken(&self) -> Option<&'static str> {
        let sum = |currency: Currency| {
            let of = self.postings.iter().filter(|posting| posting.currency == currency);
            of.map(|posting| i128::from(posting.amount.micros())).sum::<i128>()
        };
        let rules = [
            ("it has fewer than two postings", self.postings.len() >= 2),
            ("it has too many postings", self.postings.len() <= MAX_POSTINGS),
            ("a posting is of nothing", self.postings.iter().all(|posting| posting.amount != Usd::ZERO)),
            ("its postings do not sum to zero", Currency::ALL.into_iter().all(|currency| sum(currency) == 0)),
        ];
        rules.into_iter().find(|(_, holds)| !holds).map(|(rule, _)| rule)
    }

    /// Whether both say the same; when it was said does not count, for whoever repeats it does so later.
    fn says_the_same(&self, other: &Self) -> bool {
        *self == Self { at: self.at, ..other.clone() }
    }
}

/// Adds an entry behind the newest one, unless there is one with its key.
///
/// # Errors
/// [`LedgerError::EntryRefused`] if it does not balance; [`LedgerError::EntryKeyReused`] if its key stands for something
/// else; [`LedgerError::Statement`], and then nothing of the work is kept, whatever the caller makes of the error.
pub fn append_entry(tx: &WriteTx<'_>, entry: &Entry) -> Result<Appended, LedgerError> {
    if let Some(known) = find_entry(tx, &entry.key)? {
        let number = known.number;
        let same = known.entry.says_the_same(entry);
        return if same {
            Ok(Appended::Known(number))
        } else {
            Err(LedgerError::EntryKeyReused { key: entry.key.clone(), number })
        };
    }
    let number = newest_entry(tx)?.saturating_add(1);
    insert_whole(tx, number, entry)?;
    Ok(Appended::New(number))
}

/// Adds entries behind the newest one, of which none may be there.
///
/// # Errors
/// As [`append_entry`]; [`LedgerError::EntryKeyReused`] also if the entry that is there says the same.
pub fn append_new_entries<'a>(
    tx: &WriteTx<'_>,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<(), LedgerError> {
    let mut entries = entries.into_iter().peekable();
    if entries.peek().is_none() {
        return Ok(());
    }
    (newest_entry(tx)?.saturating_add(1)..).zip(entries).try_for_each(|(number, entry)| {
        // Asked only when something is wrong: the tables refuse a second entry with a key.
        insert_whole(tx, number, entry).map_err(|error| match find_entry(tx, &entry.key) {
            Ok(Some(known)) => LedgerError::EntryKeyReused { key: entry.key.clone(), number: known.number },
            _ => error,
        })
    })
}

/// An entry with its postings.
fn insert_whole(tx: &WriteTx<'_>, number: u64, entry: &Entry) -> Result<(), LedgerError> {
    if let Some(broken) = entry.broken() {
        return Err(LedgerError::EntryRefused { key: entry.key.clone(), broken });
    }
    tx.together(|| {
        (0_u32..).zip(&entry.postings).try_for_each(|at| insert_posting(tx, number, at, entry))?;
        insert_entry(tx, number, entry)
    })
}

fn insert_posting(
    tx: &WriteTx<'_>,
    number: u64,
    (position, posting): (u32, &Posting),
    entry: &Entry,
) -> Result<(), LedgerError> {
    let Posting { account, sub_account, currency, amount } = posting;
    tx.execute(
        "INSERT INTO ledger_postings
             (entry_id, position, customer_id, account, sub_account, currency, amount_micros, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (Count(number), position, entry.customer, account, sub_account, currency.name(), amount, entry.at),
    )
    .map(drop)
    .map_err(failed("adding a posting to the entry", &entry.key))
}

fn insert_entry(tx: &WriteTx<'_>, number: u64, entry: &Entry) -> Result<(), LedgerError> {
    let Links { invoice, credit, credit_note, charge, reference } = &entry.links;
    tx.execute(
        "INSERT INTO ledger_entries (entry_id, idempotency_key, at_ms, reason, customer_id, invoice_id, credit_id,
             credit_note_id, charge_key, reference)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            Count(number),
            &entry.key,
            entry.at,
            &entry.reason,
            entry.customer,
            invoice.map(Count),
            credit.map(Count),
            credit_note.map(Count),
            charge,
            reference,
        ),
    )
    .map(drop)
    .map_err(failed("adding an entry to the books:", &entry.key))
}

/// The number of the newest entry; 0 if there is none.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn newest_entry(tx: &ReadTx<'_>) -> Result<u64, LedgerError> {
    let newest = tx.first("SELECT max(entry_id) AS newest FROM ledger_entries", (), |row| row.get("newest"));
    newest
        .map(|newest| newest.flatten().map_or(0, |Count(number)| number))
        .map_err(failed("finding", "the newest entry"))
}

/// The entry with a key.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_entry(tx: &ReadTx<'_>, key: &str) -> Result<Option<NumberedEntry>, LedgerError> {
    let found = tx
        .first("SELECT * FROM ledger_entries WHERE idempotency_key = ?1", (key,), read_entry)
        .map_err(failed("finding the entry", key))?;
    found.map(|entry| with_postings(tx, entry)).transpose()
}

/// At most `limit` entries of a customer, newest first, those before entry `before` or from the newest.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn entries_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<NumberedEntry>, LedgerError> {
    let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    let found = tx
        .all(
            "SELECT * FROM ledger_entries WHERE customer_id = ?1 AND entry_id < ?2 ORDER BY entry_id DESC LIMIT ?3",
            (customer, before, limit),
            read_entry,
        )
        .map_err(failed("listing the entries of customer", customer))?;
    found.into_iter().map(|entry| with_postings(tx, entry)).collect()
}

/// At most `limit` entries of a customer, oldest first, those after entry `after`.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn entries_of_after(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    after: u64,
    limit: u32,
) -> Result<Vec<NumberedEntry>, LedgerError> {
    let found = tx
        .all(
            "SELECT * FROM ledger_entries WHERE customer_id = ?1 AND entry_id > ?2 ORDER BY entry_id LIMIT ?3",
            (customer, Count(after), limit),
            read_entry,
        )
        .map_err(failed("listing the entries of customer", customer))?;
    found.into_iter().map(|entry| with_postings(tx, entry)).collect()
}

/// At most `limit` entries of everybody, oldest first, those after entry `after`.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn entries_after(tx: &ReadTx<'_>, after: u64, limit: u32) -> Result<Vec<NumberedEntry>, LedgerError> {
    let found = tx
        .all(
            "SELECT * FROM ledger_entries WHERE entry_id > ?1 ORDER BY entry_id LIMIT ?2",
            (Count(after), limit),
            read_entry,
        )
        .map_err(failed("listing entries after", after))?;
    found.into_iter().map(|entry| with_postings(tx, entry)).collect()
}

/// The entries of an invoice, oldest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn entries_of_invoice(tx: &ReadTx<'_>, invoice: u64) -> Result<Vec<NumberedEntry>, LedgerError> {
    let found = tx
        .all("SELECT * FROM ledger_entries WHERE invoice_id = ?1 ORDER BY entry_id", (Count(invoice),), read_entry)
        .map_err(failed("listing the entries of invoice", invoice))?;
    found.into_iter().map(|entry| with_postings(tx, entry)).collect()
}

fn with_postings(tx: &ReadTx<'_>, numbered: NumberedEntry) -> Result<NumberedEntry, LedgerError> {
    let NumberedEntry { number, entry } = numbered;
    let postings = tx
        .all(
            "SELECT account, sub_account, currency, amount_micros FROM ledger_postings WHERE entry_id = ?1
             ORDER BY position",
            (Count(number),),
            read_posting,
        )
        .map_err(failed("reading the postings of entry", number))?;
    Ok(NumberedEntry { number, entry: Entry { postings, ..entry } })
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<NumberedEntry> {
    Ok(NumberedEntry {
        number: row.get::<_, Count>("entry_id")?.0,
        entry: Entry {
            key: row.get("idempotency_key")?,
            at: row.get("at_ms")?,
            reason: row.get::<_, String>("reason")?.into(),
            customer: row.get("customer_id")?,
            links: Links {
                invoice: optional_count(row, "invoice_id")?,
                credit: optional_count(row, "credit_id")?,
                credit_note: optional_count(row, "credit_note_id")?,
                charge: row.get("charge_key")?,
                reference: row.get("reference")?,
            },
            postings: Vec::new(),
        },
    })
}

fn read_posting(row: &Row<'_>) -> rusqlite::Result<Posting> {
    Ok(Posting {
        account: row.get::<_, String>("account")?.into(),
        sub_account: row.get::<_, String>("sub_account")?.into(),
        currency: row.get("currency")?,
        amount: row.get("amount_micros")?,
    })
}
