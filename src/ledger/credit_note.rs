//! Credit notes: what was taken off an invoice after it was issued.

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::error::{LedgerError, failed, one_row};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, optional_count};

/// One credit note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCreditNote {
    /// Printed on it; without gaps.
    pub credit_note: u64,
    pub customer: CustomerId,
    pub invoice: u64,
    /// More than 0, whole cents.
    pub amount: Usd,
    pub reason: String,
    pub issued_at: UtcMillis,
    pub state: StoredNoteState,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredNoteState {
    /// Not paid back yet.
    Sent,
    /// Paid back by this transaction on the chain.
    Paid { reference: String },
    /// It is this credit.
    Credited { credit: u64 },
}

/// Issues a credit note under the next number. It is not paid back yet, whatever its state says.
///
/// # Errors
/// [`LedgerError::Statement`], also for any other number.
pub fn insert_credit_note(tx: &WriteTx<'_>, note: &StoredCreditNote) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO credit_notes (credit_note_id, customer_id, invoice_id, amount_micros, reason, issued_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (Count(note.credit_note), note.customer, Count(note.invoice), note.amount, &note.reason, note.issued_at),
    )
    .map(drop)
    .map_err(failed("issuing credit note", note.credit_note))
}

/// Notes what became of one, for good.
///
/// # Errors
/// [`LedgerError::NotThere`] if there is no such note; [`LedgerError::Statement`], also if something else became of it.
pub fn finish_credit_note(tx: &WriteTx<'_>, credit_note: u64, state: &StoredNoteState) -> Result<(), LedgerError> {
    let (word, reference, credit) = match state {
        StoredNoteState::Sent => return Ok(()),
        StoredNoteState::Paid { reference } => ("paid", Some(reference), None),
        StoredNoteState::Credited { credit } => ("credited", None, Some(Count(*credit))),
    };
    let finished = tx.execute(
        "UPDATE credit_notes SET state = ?2, reference = ?3, credit_id = ?4 WHERE credit_note_id = ?1",
        (Count(credit_note), word, reference, credit),
    );
    one_row("noting what became of credit note", credit_note)(finished)
}

/// One of them.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_credit_note(tx: &ReadTx<'_>, credit_note: u64) -> Result<Option<StoredCreditNote>, LedgerError> {
    tx.first("SELECT * FROM credit_notes WHERE credit_note_id = ?1", (Count(credit_note),), read_note)
        .map_err(failed("finding credit note", credit_note))
}

/// The credit notes of an invoice, oldest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn credit_notes_of(tx: &ReadTx<'_>, invoice: u64) -> Result<Vec<StoredCreditNote>, LedgerError> {
    tx.all("SELECT * FROM credit_notes WHERE invoice_id = ?1 ORDER BY credit_note_id", (Count(invoice),), read_note)
        .map_err(failed("listing the credit notes of invoice", invoice))
}

fn read_note(row: &Row<'_>) -> rusqlite::Result<StoredCreditNote> {
    let reference: Option<String> = row.get("reference")?;
    let paid = reference.map(|reference| StoredNoteState::Paid { reference });
    let credited = optional_count(row, "credit_id")?.map(|credit| StoredNoteState::Credited { credit });
    Ok(StoredCreditNote {
        credit_note: row.get::<_, Count>("credit_note_id")?.0,
        customer: row.get("customer_id")?,
        invoice: row.get::<_, Count>("invoice_id")?.0,
        amount: row.get("amount_micros")?,
        reason: row.get("reason")?,
        issued_at: row.get("issued_at_ms")?,
        state: paid.or(credited).unwrap_or(StoredNoteState::Sent),
    })
}
