//! Credit notes: what was taken off an invoice after it was issued.

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::Count;

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
}

/// Issues a credit note under the next number.
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

/// The credit notes of an invoice, oldest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn credit_notes_of(tx: &ReadTx<'_>, invoice: u64) -> Result<Vec<StoredCreditNote>, LedgerError> {
    tx.all("SELECT * FROM credit_notes WHERE invoice_id = ?1 ORDER BY credit_note_id", (Count(invoice),), |row| {
        Ok(StoredCreditNote {
            credit_note: row.get::<_, Count>("credit_note_id")?.0,
            customer: row.get("customer_id")?,
            invoice: row.get::<_, Count>("invoice_id")?.0,
            amount: row.get("amount_micros")?,
            reason: row.get("reason")?,
            issued_at: row.get("issued_at_ms")?,
        })
    })
    .map_err(failed("listing the credit notes of invoice", invoice))
}
