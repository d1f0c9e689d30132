//! Credit notes: what is given back of a paid invoice. Those that are sent are an outbox, like charges.

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::error::{LedgerError, failed, one_row};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, optional_count};

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredPayout {
    /// On its way to escrow.
    Sent,
    /// Arrived in escrow, by this transaction.
    Paid { reference: String },
    /// It is this credit.
    Credited { credit: u64 },
}

/// One credit note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCreditNote {
    /// Printed on it; without gaps.
    pub credit_note: u64,
    pub customer: CustomerId,
    pub invoice: u64,
    /// More than 0, whole cents.
    pub amount: Usd,
    pub issued_at: UtcMillis,
    pub payout: StoredPayout,
}

/// Writes a credit note: a new one, under the next number, or the answer to one that was sent. The same again changes
/// nothing.
///
/// # Errors
/// [`LedgerError::Statement`], also for any other number, and for any other change.
pub fn put_credit_note(tx: &WriteTx<'_>, note: &StoredCreditNote) -> Result<(), LedgerError> {
    let (state, reference, credit) = match &note.payout {
        StoredPayout::Sent => ("sent", None, None),
        StoredPayout::Paid { reference } => ("paid", Some(reference), None),
        StoredPayout::Credited { credit } => ("credited", None, Some(Count(*credit))),
    };
    let known = find_credit_note(tx, note.credit_note)?;
    if known.as_ref() == Some(note) {
        return Ok(());
    }
    let fixed = (Count(note.credit_note), note.customer, Count(note.invoice), note.amount, note.issued_at);
    let (number, customer, invoice, amount, issued_at) = fixed;
    let sql = match known {
        None => {
            "INSERT INTO credit_notes (credit_note_id, customer_id, invoice_id, amount_micros, issued_at_ms, state,
                 reference, credit_id, send_at_ms, sends)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?5, 0)"
        }
        Some(_) => {
            "UPDATE credit_notes SET customer_id = ?2, invoice_id = ?3, amount_micros = ?4, issued_at_ms = ?5, state = ?6,
                 reference = ?7, credit_id = ?8
             WHERE credit_note_id = ?1"
        }
    };
    let written = tx.execute(sql, (number, customer, invoice, amount, issued_at, state, reference, credit));
    one_row("writing credit note", note.credit_note)(written)
}

/// At most `limit` that are to be sent, the longest waiting first, with how often each was sent in vain.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn credit_notes_to_send(
    tx: &ReadTx<'_>,
    now: UtcMillis,
    limit: u32,
) -> Result<Vec<(StoredCreditNote, u32)>, LedgerError> {
    tx.all(
        "SELECT * FROM credit_notes WHERE state = 'sent' AND send_at_ms <= ?1 ORDER BY send_at_ms, credit_note_id LIMIT ?2",
        (now, limit),
        |row| Ok((read_credit_note(row)?, row.get("sends")?)),
    )
    .map_err(failed("listing", "credit notes to send"))
}

/// Notes that one was sent and no answer came, and when to send it again.
///
/// # Errors
/// [`LedgerError::NotThere`] if there is an answer.
pub fn note_no_answer_to_credit_note(
    tx: &WriteTx<'_>,
    credit_note: u64,
    error: &str,
    send_at: UtcMillis,
) -> Result<(), LedgerError> {
    let noted = tx.execute(
        "UPDATE credit_notes SET sends = sends + 1, last_error = ?2, send_at_ms = ?3
         WHERE credit_note_id = ?1 AND state = 'sent'",
        (Count(credit_note), error, send_at),
    );
    one_row("noting that there is no answer to credit note", credit_note)(noted)
}

/// One of them.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_credit_note(tx: &ReadTx<'_>, credit_note: u64) -> Result<Option<StoredCreditNote>, LedgerError> {
    tx.first("SELECT * FROM credit_notes WHERE credit_note_id = ?1", (Count(credit_note),), read_credit_note)
        .map_err(failed("finding credit note", credit_note))
}

/// The credit notes of an invoice, oldest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn credit_notes_of(tx: &ReadTx<'_>, invoice: u64) -> Result<Vec<StoredCreditNote>, LedgerError> {
    tx.all(
        "SELECT * FROM credit_notes WHERE invoice_id = ?1 ORDER BY credit_note_id",
        (Count(invoice),),
        read_credit_note,
    )
    .map_err(failed("listing the credit notes of invoice", invoice))
}

fn read_credit_note(row: &Row<'_>) -> rusqlite::Result<StoredCreditNote> {
    let reference: Option<String> = row.get("reference")?;
    let credit = optional_count(row, "credit_id")?;
    let paid = reference.map(|reference| StoredPayout::Paid { reference });
    Ok(StoredCreditNote {
        credit_note: row.get::<_, Count>("credit_note_id")?.0,
        customer: row.get("customer_id")?,
        invoice: row.get::<_, Count>("invoice_id")?.0,
        amount: row.get("amount_micros")?,
        issued_at: row.get("issued_at_ms")?,
        payout: paid.or(credit.map(|credit| StoredPayout::Credited { credit })).unwrap_or(StoredPayout::Sent),
    })
}
