//! Invoices and their lines.

use rusqlite::types::Type;
use rusqlite::{ErrorCode, Row, ffi};

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::core::invoice::{DraftInvoice, InvoiceLine};
use crate::core::money::Usd;
use crate::core::rating::PricePerRequests;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::Count;

/// The draft of a customer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDraft {
    /// The row's number, kept while the draft is replaced. Not the number that is printed on the invoice.
    pub invoice_id: i64,
    pub draft: DraftInvoice,
    pub updated_at: UtcMillis,
}

/// Creates or replaces the one draft of a customer, of whatever month it was, with its lines. Returns its
/// `invoice_id`, which stays the same while it is a draft.
///
/// # Errors
/// [`LedgerError::NoSuchCustomer`]: only customers who exist have drafts. [`LedgerError::Invoice`]: it does not add
/// up, and nothing is written.
pub fn save_draft(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    draft: &DraftInvoice,
    now: UtcMillis,
) -> Result<i64, LedgerError> {
    draft.verify()?;
    let invoice_id = upsert_draft(tx, customer, draft, now)?;
    delete_lines(tx, invoice_id)?;
    for (position, line) in (0_u32..).zip(&draft.lines) {
        insert_line(tx, (invoice_id, position), draft.month, line)?;
    }
    Ok(invoice_id)
}

/// The draft of a customer, checked again after reading.
///
/// # Errors
/// [`LedgerError::Statement`]; [`LedgerError::Invoice`] when what is stored does not add up.
pub fn draft_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<StoredDraft>, LedgerError> {
    let Some(mut stored) = tx
        .first(
            "SELECT invoice_id, month, amount_micros, usage_micros, updated_at_ms FROM invoices
             WHERE customer_id = ?1 AND state = 'draft' AND purpose = 'monthly'",
            (customer,),
            read_draft_without_lines,
        )
        .map_err(failed("reading the draft of customer", customer))?
    else {
        return Ok(None);
    };
    stored.draft.lines = lines_of(tx, stored.invoice_id)?;
    stored.draft.verify()?;
    Ok(Some(stored))
}

fn upsert_draft(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    draft: &DraftInvoice,
    now: UtcMillis,
) -> Result<i64, LedgerError> {
    tx.first(
        "INSERT INTO invoices (customer_id, month, state, amount_micros, usage_micros, updated_at_ms)
         VALUES (?1, ?2, 'draft', ?3, ?4, ?5)
         ON CONFLICT (customer_id) WHERE state = 'draft' AND purpose = 'monthly' DO UPDATE SET
             month = excluded.month,
             amount_micros = excluded.amount_micros,
             usage_micros = excluded.usage_micros,
             updated_at_ms = excluded.updated_at_ms
         RETURNING invoice_id",
        (customer, draft.month, draft.total, draft.usage_total, now),
        |row| row.get("invoice_id"),
    )
    .and_then(|invoice_id| invoice_id.ok_or(rusqlite::Error::QueryReturnedNoRows))
    .map_err(|error| {
        if is_missing_parent(&error) {
            LedgerError::NoSuchCustomer(customer)
        } else {
            failed("saving the draft of customer", customer)(error)
        }
    })
}

fn delete_lines(tx: &WriteTx<'_>, invoice_id: i64) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM invoice_lines WHERE invoice_id = ?1", (invoice_id,))
        .map(drop)
        .map_err(failed("replacing the lines of invoice", invoice_id))
}

fn insert_line(
    tx: &WriteTx<'_>,
    (invoice_id, position): (i64, u32),
    month: Month,
    line: &InvoiceLine,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO invoice_lines (invoice_id, position, kind, service, month, quantity, price_micros, price_per,
             amount_micros, remainder_micros)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            invoice_id,
            position,
            line.kind,
            line.service,
            month,
            Count(line.quantity),
            line.price.amount,
            Count(line.price.per),
            line.amount,
            line.remainder,
        ),
    )
    .map(drop)
    .map_err(failed("adding a line to invoice", invoice_id))
}

fn lines_of(tx: &ReadTx<'_>, invoice_id: i64) -> Result<Vec<InvoiceLine>, LedgerError> {
    tx.all(
        "SELECT kind, service, quantity, price_micros, price_per, amount_micros, remainder_micros
         FROM invoice_lines WHERE invoice_id = ?1 ORDER BY position",
        (invoice_id,),
        read_line,
    )
    .map_err(failed("reading the lines of invoice", invoice_id))
}

fn read_draft_without_lines(row: &Row<'_>) -> rusqlite::Result<StoredDraft> {
    Ok(StoredDraft {
        invoice_id: row.get("invoice_id")?,
        draft: DraftInvoice {
            month: row.get("month")?,
            lines: Vec::new(),
            total: row.get("amount_micros")?,
            usage_total: row.get("usage_micros")?,
        },
        updated_at: row.get("updated_at_ms")?,
    })
}

fn read_line(row: &Row<'_>) -> rusqlite::Result<InvoiceLine> {
    let (amount, remainder): (Usd, Usd) = (row.get("amount_micros")?, row.get("remainder_micros")?);
    let usage = amount
        .checked_add(remainder)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, Box::new(error)))?;
    Ok(InvoiceLine {
        kind: row.get("kind")?,
        service: row.get("service")?,
        quantity: row.get::<_, Count>("quantity")?.0,
        price: PricePerRequests { amount: row.get("price_micros")?, per: row.get::<_, Count>("price_per")?.0 },
        usage,
        amount,
        remainder,
    })
}

fn is_missing_parent(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::ConstraintViolation && error.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY
    })
}
