//! Invoices of every purpose as rows, from draft to paid.
//!
//! The tables hold to what an invoice is: it leaves draft with the next number, its lines sum to its amount, and it
//! stays what it is from then on. Only credits come and go, until it is paid or voided.

use rusqlite::{Row, params};

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::{CustomerId, Service};
use crate::core::money::Usd;
use crate::core::tier::Tier;
use crate::ledger::error::{LedgerError, failed, one_row};
use crate::ledger::invoice_line::{StoredLine, StoredLineKind, delete_line, insert_line, lines_of};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Columns, Count, optional_count, word_enums};

word_enums! {
    /// Where an invoice stands.
    StoredInvoiceState {
        Draft = "draft",
        Pending = "pending",
        Paid = "paid",
        Failed = "failed",
        Voided = "voided",
    }

    /// What an invoice is for.
    StoredPurpose {
        /// One for each month, for all services.
        Monthly = "monthly",
        Subscribe = "subscribe",
        Resume = "resume",
        Upgrade = "upgrade",
    }
}

/// Log lines of a month, over all customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredCompleteness {
    pub received: u64,
    pub lost: u64,
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredInvoice {
    pub invoice: u64,
    pub customer: CustomerId,
    pub month: Month,
    pub purpose: StoredPurpose,
    /// Absent exactly for a monthly one.
    pub service: Option<Service>,
    /// Present exactly for an upgrade.
    pub to_tier: Option<Tier>,
    pub state: StoredInvoiceState,
    /// Printed on it; absent exactly while it is a draft.
    pub number: Option<u64>,
    /// In order. Those of credit come last.
    pub lines: Vec<StoredLine>,
    /// Σ of the lines' amounts: whole cents.
    pub amount: Usd,
    /// Σ of amounts and remainders.
    pub usage: Usd,
    /// Granted as credit when it is paid.
    pub credit_on_payment: Usd,
    pub completeness: Option<StoredCompleteness>,
    /// Absent exactly while it is a draft.
    pub issued_at: Option<UtcMillis>,
    /// Present exactly when it is paid.
    pub paid_at: Option<UtcMillis>,
    /// How often a payment method was asked.
    pub attempts: u32,
    pub round: u32,
    pub retries: u32,
    /// Absent: not by itself.
    pub retry_at: Option<UtcMillis>,
    pub first_failure_at: Option<UtcMillis>,
    /// How often credits were applied or came back.
    pub credit_changes: u32,
}

/// The numbers that come next, over all customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextNumbers {
    pub invoice: u64,
    pub invoice_number: u64,
    pub credit: u64,
    pub credit_note: u64,
}

/// Invoices, with the columns that [`read_invoice`] reads.
macro_rules! select_invoices {
    ($rest:literal) => {
        concat!(
            "SELECT invoice_id, customer_id, month, purpose, service, to_tier, state, number, amount_micros, usage_micros,
                 credit_on_payment_micros, lines_received, lines_lost, issued_at_ms, paid_at_ms, attempts, round, retries,
                 retry_at_ms, first_failure_at_ms, credit_changes
             FROM invoices ",
            $rest
        )
    };
}

/// Reads them. Who takes one writes its row in the same transaction.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn next_numbers(tx: &ReadTx<'_>) -> Result<NextNumbers, LedgerError> {
    let sql = "SELECT (SELECT coalesce(max(invoice_id), 0) + 1 FROM invoices) AS invoice,
                      (SELECT coalesce(max(number), 0) + 1 FROM invoices) AS invoice_number,
                      (SELECT coalesce(max(credit_id), 0) + 1 FROM credits) AS credit,
                      (SELECT coalesce(max(credit_note_id), 0) + 1 FROM credit_notes) AS credit_note";
    let read = |row: &Row<'_>| {
        let number = |column| row.get::<_, Count>(column).map(|Count(number)| number);
        Ok(NextNumbers {
            invoice: number("invoice")?,
            invoice_number: number("invoice_number")?,
            credit: number("credit")?,
            credit_note: number("credit_note")?,
        })
    };
    tx.first(sql, (), read)
        .and_then(|found| found.ok_or(rusqlite::Error::QueryReturnedNoRows))
        .map_err(failed("finding", "the next numbers"))
}

/// Writes a new invoice, in whatever state. All or nothing.
///
/// # Errors
/// [`LedgerError::Statement`] for whatever the tables refuse: an invoice that is there, another number than the next one,
/// lines that do not sum to the amount, a second draft or a second invoice of the month.
pub fn insert_invoice(tx: &WriteTx<'_>, invoice: &StoredInvoice, now: UtcMillis) -> Result<(), LedgerError> {
    tx.together(|| {
        insert_draft(tx, invoice, now)?;
        (0_u32..).zip(&invoice.lines).try_for_each(|at| insert_line(tx, invoice.invoice, at))?;
        if invoice.state == StoredInvoiceState::Draft { Ok(()) } else { update_row(tx, invoice, now) }
    })
}

/// Writes an invoice in place of what it was before. All or nothing.
///
/// # Errors
/// [`LedgerError::LinesFixed`] for another line than a credit on an issued invoice; [`LedgerError::NotThere`];
/// [`LedgerError::Statement`] for whatever the tables refuse, as for [`insert_invoice`], and any change of a paid or
/// voided one's amount.
pub fn update_invoice(
    tx: &WriteTx<'_>,
    before: &StoredInvoice,
    invoice: &StoredInvoice,
    now: UtcMillis,
) -> Result<(), LedgerError> {
    tx.together(|| {
        replace_lines(tx, before, &invoice.lines)?;
        update_row(tx, invoice, now)
    })
}

/// Puts these lines in place of those that an invoice has. Those that stay are not touched.
fn replace_lines(tx: &WriteTx<'_>, before: &StoredInvoice, lines: &[StoredLine]) -> Result<(), LedgerError> {
    let invoice = before.invoice;
    let same = before.lines.iter().zip(lines).take_while(|(before, line)| before == line).count();
    let (removed, added) = (before.lines.iter().skip(same), lines.iter().skip(same));
    let is_draft = before.state == StoredInvoiceState::Draft;
    if !is_draft && removed.clone().chain(added.clone()).any(|line| line.kind != StoredLineKind::Credit) {
        return Err(LedgerError::LinesFixed { invoice });
    }
    let positions = || (0_u32..).skip(same);
    positions().zip(removed).try_for_each(|(position, _)| delete_line(tx, invoice, position))?;
    positions().zip(added).try_for_each(|at| insert_line(tx, invoice, at))
}

/// As a draft, which it begins as.
fn insert_draft(tx: &WriteTx<'_>, invoice: &StoredInvoice, now: UtcMillis) -> Result<(), LedgerError> {
    let (state, lines) = (StoredInvoiceState::Draft, Vec::new());
    let draft = StoredInvoice { state, number: None, issued_at: None, paid_at: None, lines, ..*invoice };
    let inserted = write_row(
        tx,
        "INSERT INTO invoices (invoice_id, customer_id, month, state, number, amount_micros, usage_micros,
             credit_on_payment_micros, lines_received, lines_lost, issued_at_ms, paid_at_ms, attempts, round, retries,
             retry_at_ms, first_failure_at_ms, credit_changes, updated_at_ms, purpose, service, to_tier)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
        &draft,
        now,
    );
    inserted.map(drop).map_err(failed("beginning invoice", invoice.invoice))
}

fn update_row(tx: &WriteTx<'_>, invoice: &StoredInvoice, now: UtcMillis) -> Result<(), LedgerError> {
    let updated = write_row(
        tx,
        "UPDATE invoices SET month = ?3, state = ?4, number = ?5, amount_micros = ?6, usage_micros = ?7,
             credit_on_payment_micros = ?8, lines_received = ?9, lines_lost = ?10, issued_at_ms = ?11, paid_at_ms = ?12,
             attempts = ?13, round = ?14, retries = ?15, retry_at_ms = ?16, first_failure_at_ms = ?17,
             credit_changes = ?18, updated_at_ms = ?19
         WHERE invoice_id = ?1 AND customer_id = ?2 AND purpose = ?20 AND service IS ?21 AND to_tier IS ?22",
        invoice,
        now,
    );
    one_row("writing invoice", invoice.invoice)(updated)
}

fn write_row(tx: &WriteTx<'_>, sql: &'static str, row: &StoredInvoice, now: UtcMillis) -> rusqlite::Result<usize> {
    let completeness = row.completeness;
    let params = params![
        Count(row.invoice),
        row.customer,
        row.month,
        row.state,
        row.number.map(Count),
        row.amount,
        row.usage,
        row.credit_on_payment,
        completeness.map(|lines| Count(lines.received)),
        completeness.map(|lines| Count(lines.lost)),
        row.issued_at,
        row.paid_at,
        row.attempts,
        row.round,
        row.retries,
        row.retry_at,
        row.first_failure_at,
        row.credit_changes,
        now,
        row.purpose,
        row.service,
        row.to_tier.map(Tier::name),
    ];
    tx.execute(sql, params)
}

/// One invoice.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_invoice(tx: &ReadTx<'_>, invoice: u64) -> Result<Option<StoredInvoice>, LedgerError> {
    let found = tx
        .first(select_invoices!("WHERE invoice_id = ?1"), (Count(invoice),), read_invoice)
        .map_err(failed("finding invoice", invoice))?;
    found.map(|invoice| with_lines(tx, invoice)).transpose()
}

/// The invoice with a printed number.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_invoice_by_number(tx: &ReadTx<'_>, number: u64) -> Result<Option<StoredInvoice>, LedgerError> {
    // No table holds such a number.
    if i64::try_from(number).is_err() {
        return Ok(None);
    }
    let found = tx
        .first(select_invoices!("WHERE number = ?1"), (Count(number),), read_invoice)
        .map_err(failed("finding the invoice with number", number))?;
    found.map(|invoice| with_lines(tx, invoice)).transpose()
}

/// At most `limit` invoices of a customer, drafts as well, newest first, those before `before` or from the newest.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn invoices_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<StoredInvoice>, LedgerError> {
    let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    let found = tx
        .all(
            select_invoices!("WHERE customer_id = ?1 AND invoice_id < ?2 ORDER BY invoice_id DESC LIMIT ?3"),
            (customer, before, limit),
            read_invoice,
        )
        .map_err(failed("listing the invoices of customer", customer))?;
    found.into_iter().map(|invoice| with_lines(tx, invoice)).collect()
}

/// At most `limit` invoices of a customer, those in a state or all: the draft, then the highest number first, those with
/// a number before `before`.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn page_of_invoices(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    state: Option<StoredInvoiceState>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<StoredInvoice>, LedgerError> {
    let before = before.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    let found = tx
        .all(
            select_invoices!(
                "WHERE customer_id = ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR number < ?3)
                 ORDER BY number IS NOT NULL, number DESC LIMIT ?4"
            ),
            (customer, state, before, limit),
            read_invoice,
        )
        .map_err(failed("listing the invoices of customer", customer))?;
    found.into_iter().map(|invoice| with_lines(tx, invoice)).collect()
}

/// The number of an invoice; `Some(None)` for a draft, `None` if there is no such invoice.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn number_of_invoice(tx: &ReadTx<'_>, invoice: u64) -> Result<Option<Option<u64>>, LedgerError> {
    tx.first("SELECT number FROM invoices WHERE invoice_id = ?1", (Count(invoice),), |row| {
        optional_count(row, "number")
    })
    .map_err(failed("finding the number of invoice", invoice))
}

/// At most `limit` invoices of everybody or of one customer, in any state or in one, newest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn newest_invoices(
    tx: &ReadTx<'_>,
    customer: Option<CustomerId>,
    state: Option<StoredInvoiceState>,
    limit: u32,
) -> Result<Vec<StoredInvoice>, LedgerError> {
    let found = match customer {
        Some(customer) => tx.all(
            select_invoices!("WHERE customer_id = ?1 AND (?2 IS NULL OR state = ?2) ORDER BY invoice_id DESC LIMIT ?3"),
            (customer, state, limit),
            read_invoice,
        ),
        None => tx.all(
            select_invoices!("WHERE ?1 IS NULL OR state = ?1 ORDER BY invoice_id DESC LIMIT ?2"),
            (state, limit),
            read_invoice,
        ),
    };
    let found = found.map_err(failed("listing", "invoices"))?;
    found.into_iter().map(|invoice| with_lines(tx, invoice)).collect()
}

/// The invoices of a customer about which something is still to be decided, oldest first: drafts, pending and failed.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn open_invoices_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<StoredInvoice>, LedgerError> {
    let found = tx
        .all(
            select_invoices!(
                "WHERE customer_id = ?1 AND state <> 'paid' AND state <> 'voided'
             ORDER BY invoice_id"
            ),
            (customer,),
            read_invoice,
        )
        .map_err(failed("listing the open invoices of customer", customer))?;
    found.into_iter().map(|invoice| with_lines(tx, invoice)).collect()
}

/// How many invoices for subscriptions a customer was given since an instant; counts the newest `most` only.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn subscribed_since(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    since: UtcMillis,
    most: u32,
) -> Result<u64, LedgerError> {
    tx.first(
        "SELECT count(*) FROM (SELECT issued_at_ms FROM invoices WHERE customer_id = ?1 AND purpose = 'subscribe'
             ORDER BY invoice_id DESC LIMIT ?3) WHERE issued_at_ms >= ?2",
        (customer, since, most),
        |row| row.get::<_, Count>(0),
    )
    .map(|count| count.map_or(0, |count| count.0))
    .map_err(failed("counting the subscriptions of customer", customer))
}

/// How many invoices there are in a state, and what they demand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvoicesInState {
    pub state: StoredInvoiceState,
    pub count: u64,
    pub amount: Usd,
}

/// All invoices by state, in the order of the states' names.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn count_invoices_by_state(tx: &ReadTx<'_>) -> Result<Vec<InvoicesInState>, LedgerError> {
    tx.all(
        "SELECT state, count(*) AS invoices, sum(amount_micros) AS amount_micros FROM invoices GROUP BY state ORDER BY state",
        (),
        |row| {
            Ok(InvoicesInState {
                state: row.get("state")?,
                count: row.get::<_, Count>("invoices")?.0,
                amount: row.get("amount_micros")?,
            })
        },
    )
    .map_err(failed("counting", "invoices by state"))
}

/// The draft of a customer.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn draft_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<StoredInvoice>, LedgerError> {
    let found = tx
        .first(
            select_invoices!("WHERE customer_id = ?1 AND state = 'draft' AND purpose = 'monthly'"),
            (customer,),
            read_invoice,
        )
        .map_err(failed("finding the draft of customer", customer))?;
    found.map(|invoice| with_lines(tx, invoice)).transpose()
}

fn with_lines(tx: &ReadTx<'_>, invoice: StoredInvoice) -> Result<StoredInvoice, LedgerError> {
    Ok(StoredInvoice { lines: lines_of(tx, invoice.invoice)?, ..invoice })
}

fn read_invoice(row: &Row<'_>) -> rusqlite::Result<StoredInvoice> {
    let mut at = Columns::of(row);
    Ok(StoredInvoice {
        invoice: at.count()?,
        customer: at.next()?,
        month: at.next()?,
        purpose: at.next()?,
        service: at.next()?,
        to_tier: at.next()?,
        state: at.next()?,
        number: at.optional_count()?,
        lines: Vec::new(),
        amount: at.next()?,
        usage: at.next()?,
        credit_on_payment: at.next()?,
        completeness: {
            let lines = at.optional_count()?.zip(at.optional_count()?);
            lines.map(|(received, lost)| StoredCompleteness { received, lost })
        },
        issued_at: at.next()?,
        paid_at: at.next()?,
        attempts: at.next()?,
        round: at.next()?,
        retries: at.next()?,
        retry_at: at.next()?,
        first_failure_at: at.next()?,
        credit_changes: at.next()?,
    })
}
