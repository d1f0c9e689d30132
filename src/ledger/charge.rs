//! The outbox of payments: written with the decision, sent afterwards with the same key until there is an answer.
//!
//! The tables hold to it: an invoice has one charge without an answer at most, each demands what is owed, none is made
//! for what is paid, and an answer stays. Only money that came after all is stronger than an answer.

use rusqlite::Row;

use crate::core::calendar::{HOUR_MS, UtcMillis};
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::error::{LedgerError, failed, one_row};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, word_enums};

word_enums! {
    /// Which way money goes.
    Direction {
        /// From the customer.
        Charge = "charge",
        /// Back to the customer.
        Refund = "refund",
    }

    /// What a customer pays with.
    StoredPaymentMethod {
        Escrow = "escrow",
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredAnswer {
    /// The transaction on the chain.
    Succeeded { reference: String },
    /// For good: nothing was moved.
    Declined { reason: String },
}

/// One demand, or one payment back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCharge {
    /// Sent along, each time: `invoice-<id>-<attempt>`.
    pub key: String,
    pub customer: CustomerId,
    pub invoice: u64,
    pub direction: Direction,
    /// From 1, for each invoice and direction.
    pub attempt: u32,
    pub round: u32,
    pub method: StoredPaymentMethod,
    /// More than 0, whole cents.
    pub amount: Usd,
    pub asked_at: UtcMillis,
    /// When to send it, or again.
    pub send_at: UtcMillis,
    /// How often it was sent without an answer.
    pub sends: u32,
    pub last_error: Option<String>,
    pub answer: Option<(StoredAnswer, UtcMillis)>,
}

/// Puts a new one into the outbox, without an answer, to be sent at once.
///
/// # Errors
/// [`LedgerError::Statement`], also while another one of the invoice has no answer, and for any other amount than a
/// pending invoice's.
pub fn insert_charge(tx: &WriteTx<'_>, charge: &StoredCharge) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO charges (idempotency_key, customer_id, invoice_id, direction, attempt, round, method, amount_micros,
             state, asked_at_ms, send_at_ms, sends)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'sent', ?9, ?10, 0)",
        (
            &charge.key,
            charge.customer,
            Count(charge.invoice),
            charge.direction,
            charge.attempt,
            charge.round,
            charge.method,
            charge.amount,
            charge.asked_at,
            charge.send_at,
        ),
    )
    .map(drop)
    .map_err(failed("putting the charge into the outbox:", &charge.key))
}

/// Nothing waits longer: what seems to was put off by a clock that was wrong, and is due.
const LONGEST_WAIT_MS: i64 = HOUR_MS;

/// At most `limit` that are to be sent, the longest waiting first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn charges_to_send(tx: &ReadTx<'_>, now: UtcMillis, limit: u32) -> Result<Vec<StoredCharge>, LedgerError> {
    tx.all(
        "SELECT * FROM charges WHERE state = 'sent' AND (send_at_ms <= ?1 OR send_at_ms > ?3)
         ORDER BY send_at_ms, charge_id LIMIT ?2",
        (now, limit, now.plus_ms(LONGEST_WAIT_MS)),
        read_charge,
    )
    .map_err(failed("listing", "charges to send"))
}

/// When the next is to be sent, or again; `None` if none waits.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn next_send_at(tx: &ReadTx<'_>) -> Result<Option<UtcMillis>, LedgerError> {
    tx.first("SELECT send_at_ms FROM charges WHERE state = 'sent' ORDER BY send_at_ms LIMIT 1", (), |row| row.get(0))
        .map_err(failed("finding", "the next charge to send"))
}

/// Notes that one was sent and no answer came, and when to send it again.
///
/// # Errors
/// [`LedgerError::NotThere`] if there is an answer.
pub fn note_no_answer(tx: &WriteTx<'_>, key: &str, error: &str, send_at: UtcMillis) -> Result<(), LedgerError> {
    let noted = tx.execute(
        "UPDATE charges SET sends = sends + 1, last_error = ?2, send_at_ms = ?3
         WHERE idempotency_key = ?1 AND state = 'sent'",
        (key, error, send_at),
    );
    one_row("noting that there is no answer to the charge", key)(noted)
}

/// Notes the answer, for good; a charge that was declined can still succeed, and then keeps the reason beside it. The
/// same answer again changes nothing.
///
/// # Errors
/// [`LedgerError::NotThere`] if there is another answer, or no such charge.
pub fn answer_charge(tx: &WriteTx<'_>, key: &str, answer: &StoredAnswer, at: UtcMillis) -> Result<(), LedgerError> {
    let (state, reference, reason) = match answer {
        StoredAnswer::Succeeded { reference } => ("succeeded", Some(reference), None),
        StoredAnswer::Declined { reason } => ("declined", None, Some(reason)),
    };
    let noted = tx.execute(
        "UPDATE charges SET state = ?2, reference = ?3, reason = coalesce(?4, reason), answered_at_ms = ?5
         WHERE idempotency_key = ?1
           AND (state = 'sent' OR (state = 'declined' AND direction = 'charge' AND ?2 = 'succeeded'))",
        (key, state, reference, reason, at),
    );
    match one_row("noting the answer to the charge", key)(noted) {
        Err(LedgerError::NotThere { .. }) if is_answered(tx, key, answer)? => Ok(()),
        noted => noted,
    }
}

fn is_answered(tx: &ReadTx<'_>, key: &str, answer: &StoredAnswer) -> Result<bool, LedgerError> {
    let known = find_charge(tx, key)?.and_then(|charge| charge.answer);
    Ok(known.is_some_and(|(known, _)| known == *answer))
}

/// One of them.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_charge(tx: &ReadTx<'_>, key: &str) -> Result<Option<StoredCharge>, LedgerError> {
    tx.first("SELECT * FROM charges WHERE idempotency_key = ?1", (key,), read_charge)
        .map_err(failed("finding the charge", key))
}

/// Those of an invoice, oldest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn charges_of_invoice(tx: &ReadTx<'_>, invoice: u64) -> Result<Vec<StoredCharge>, LedgerError> {
    tx.all("SELECT * FROM charges WHERE invoice_id = ?1 ORDER BY charge_id", (Count(invoice),), read_charge)
        .map_err(failed("listing the charges of invoice", invoice))
}

/// Those of a customer that have no answer, oldest first: money that is under way.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn unanswered_charges_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<StoredCharge>, LedgerError> {
    tx.all(
        "SELECT * FROM charges WHERE customer_id = ?1 AND state = 'sent' ORDER BY charge_id",
        (customer,),
        read_charge,
    )
    .map_err(failed("listing the unanswered charges of customer", customer))
}

fn read_charge(row: &Row<'_>) -> rusqlite::Result<StoredCharge> {
    Ok(StoredCharge {
        key: row.get("idempotency_key")?,
        customer: row.get("customer_id")?,
        invoice: row.get::<_, Count>("invoice_id")?.0,
        direction: row.get("direction")?,
        attempt: row.get("attempt")?,
        round: row.get("round")?,
        method: row.get("method")?,
        amount: row.get("amount_micros")?,
        asked_at: row.get("asked_at_ms")?,
        send_at: row.get("send_at_ms")?,
        sends: row.get("sends")?,
        last_error: row.get("last_error")?,
        answer: read_answer(row)?,
    })
}

fn read_answer(row: &Row<'_>) -> rusqlite::Result<Option<(StoredAnswer, UtcMillis)>> {
    let reference: Option<String> = row.get("reference")?;
    let reason: Option<String> = row.get("reason")?;
    let succeeded = reference.map(|reference| StoredAnswer::Succeeded { reference });
    let answer = succeeded.or(reason.map(|reason| StoredAnswer::Declined { reason }));
    Ok(answer.zip(row.get("answered_at_ms")?))
}
