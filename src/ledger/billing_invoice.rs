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
use crate::ledger::invoice_line::{StoredLine, lines_of, replace_lines};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, optional_count, word_enums};

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

/// Writes an invoice, in whatever state: a new one, or in place of what it was. All or nothing.
///
/// # Errors
/// [`LedgerError::Statement`] for whatever the tables refuse: another number than the next one, lines that do not sum to
/// the amount, a second draft or a second invoice of the month, another line than a credit on an issued invoice, any
/// change of a paid or voided one's amount.
pub fn put_invoice(tx: &WriteTx<'_>, invoice: &StoredInvoice, now: UtcMillis) -> Result<(), LedgerError> {
    tx.together(|| {
        insert_draft(tx, invoice, now)?;
        // Most changes are of how it is paid: the lines stay.
        if lines_of(tx, invoice.invoice)? != invoice.lines {
            replace_lines(tx, invoice.invoice, &invoice.lines)?;
        }
        update_invoice(tx, invoice, now)
    })
}

/// An empty draft, unless there is an invoice with this number of row.
fn insert_draft(tx: &WriteTx<'_>, invoice: &StoredInvoice, now: UtcMillis) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO invoices (invoice_id, customer_id, month, purpose, service, to_tier, state, amount_micros,
             usage_micros, updated_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'draft', 0, 0, ?7)
         ON CONFLICT (invoice_id) DO NOTHING",
        (
            Count(invoice.invoice),
            invoice.customer,
            invoice.month,
            invoice.purpose,
            invoice.service,
            invoice.to_tier.map(Tier::name),
            now,
        ),
    )
    .map(drop)
    .map_err(failed("beginning invoice", invoice.invoice))
}

fn update_invoice(tx: &WriteTx<'_>, invoice: &StoredInvoice, now: UtcMillis) -> Result<(), LedgerError> {
    let completeness = invoice.completeness;
    let written = tx.execute(
        "UPDATE invoices SET month = ?3, state = ?4, number = ?5, amount_micros = ?6, usage_micros = ?7,
             credit_on_payment_micros = ?8, lines_received = ?9, lines_lost = ?10, issued_at_ms = ?11, paid_at_ms = ?12,
             attempts = ?13, round = ?14, retries = ?15, retry_at_ms = ?16, first_failure_at_ms = ?17,
             credit_changes = ?18, updated_at_ms = ?19
         WHERE invoice_id = ?1 AND customer_id = ?2",
        params![
            Count(invoice.invoice),
            invoice.customer,
            invoice.month,
            invoice.state,
            invoice.number.map(Count),
            invoice.amount,
            invoice.usage,
            invoice.credit_on_payment,
            completeness.map(|lines| Count(lines.received)),
            completeness.map(|lines| Count(lines.lost)),
            invoice.issued_at,
            invoice.paid_at,
            invoice.attempts,
            invoice.round,
            invoice.retries,
            invoice.retry_at,
            invoice.first_failure_at,
            invoice.credit_changes,
            now,
        ],
    );
    one_row("writing invoice", invoice.invoice)(written)
}

/// One invoice.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_invoice(tx: &ReadTx<'_>, invoice: u64) -> Result<Option<StoredInvoice>, LedgerError> {
    let found = tx
        .first("SELECT * FROM invoices WHERE invoice_id = ?1", (Count(invoice),), read_invoice)
        .map_err(failed("finding invoice", invoice))?;
    found.map(|invoice| with_lines(tx, invoice)).transpose()
}

/// The invoice with a printed number.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_invoice_by_number(tx: &ReadTx<'_>, number: u64) -> Result<Option<StoredInvoice>, LedgerError> {
    let found = tx
        .first("SELECT * FROM invoices WHERE number = ?1", (Count(number),), read_invoice)
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
            "SELECT * FROM invoices WHERE customer_id = ?1 AND invoice_id < ?2 ORDER BY invoice_id DESC LIMIT ?3",
            (customer, before, limit),
            read_invoice,
        )
        .map_err(failed("listing the invoices of customer", customer))?;
    found.into_iter().map(|invoice| with_lines(tx, invoice)).collect()
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
            "SELECT * FROM invoices WHERE customer_id = ?1 AND (?2 IS NULL OR state = ?2)
             ORDER BY invoice_id DESC LIMIT ?3",
            (customer, state, limit),
            read_invoice,
        ),
        None => tx.all(
            "SELECT * FROM invoices WHERE ?1 IS NULL OR state = ?1 ORDER BY invoice_id DESC LIMIT ?2",
            (state, limit),
            read_invoice,
        ),
    };
    let found = found.map_err(failed("listing", "invoices"))?;
    found.into_iter().map(|invoice| with_lines(tx, invoice)).collect()
}

/// At most `limit` invoices of a customer, those in a state or all: the draft, then the highest number first, those with
/// a number before `before`.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn list_invoices(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    state: Option<StoredInvoiceState>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<StoredInvoice>, LedgerError> {
    let before = before.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    let found = tx
        .all(
            "SELECT * FROM invoices
             WHERE customer_id = ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR number < ?3)
             ORDER BY number IS NOT NULL, number DESC LIMIT ?4",
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

/// The invoices of a customer about which something is still to be decided, oldest first: drafts, pending and failed.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn open_invoices_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<StoredInvoice>, LedgerError> {
    let found = tx
        .all(
            "SELECT * FROM invoices WHERE customer_id = ?1 AND state IN ('draft', 'pending', 'failed')
             ORDER BY invoice_id",
            (customer,),
            read_invoice,
        )
        .map_err(failed("listing the open invoices of customer", customer))?;
    found.into_iter().map(|invoice| with_lines(tx, invoice)).collect()
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
            "SELECT * FROM invoices WHERE customer_id = ?1 AND state = 'draft' AND purpose = 'monthly'",
            (customer,),
            read_invoice,
        )
        .map_err(failed("finding the draft of customer", customer))?;
    found.map(|invoice| with_lines(tx, invoice)).transpose()
}

/// At most `limit` customers with an invoice that is to be tried again, the longest waiting first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn customers_to_retry(tx: &ReadTx<'_>, now: UtcMillis, limit: u32) -> Result<Vec<CustomerId>, LedgerError> {
    tx.all(
        "SELECT customer_id FROM invoices INDEXED BY invoices_to_retry WHERE retry_at_ms <= ?1
         GROUP BY customer_id ORDER BY min(retry_at_ms) LIMIT ?2",
        (now, limit),
        |row| row.get("customer_id"),
    )
    .map_err(failed("listing", "customers with invoices to try again"))
}

fn with_lines(tx: &ReadTx<'_>, invoice: StoredInvoice) -> Result<StoredInvoice, LedgerError> {
    Ok(StoredInvoice { lines: lines_of(tx, invoice.invoice)?, ..invoice })
}

fn read_invoice(row: &Row<'_>) -> rusqlite::Result<StoredInvoice> {
    let lines = optional_count(row, "lines_received")?.zip(optional_count(row, "lines_lost")?);
    Ok(StoredInvoice {
        invoice: row.get::<_, Count>("invoice_id")?.0,
        customer: row.get("customer_id")?,
        month: row.get("month")?,
        purpose: row.get("purpose")?,
        service: row.get("service")?,
        to_tier: row.get("to_tier")?,
        state: row.get("state")?,
        number: optional_count(row, "number")?,
        lines: Vec::new(),
        amount: row.get("amount_micros")?,
        usage: row.get("usage_micros")?,
        credit_on_payment: row.get("credit_on_payment_micros")?,
        completeness: lines.map(|(received, lost)| StoredCompleteness { received, lost }),
        issued_at: row.get("issued_at_ms")?,
        paid_at: row.get("paid_at_ms")?,
        attempts: row.get("attempts")?,
        round: row.get("round")?,
        retries: row.get("retries")?,
        retry_at: row.get("retry_at_ms")?,
        first_failure_at: row.get("first_failure_at_ms")?,
        credit_changes: row.get("credit_changes")?,
    })
}
