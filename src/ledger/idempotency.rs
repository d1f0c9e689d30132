//! Answers to requests that are to happen once, kept for those who ask again.

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// A request that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Of method, path and body: the same key with another request is a mistake.
    pub request_sha256: [u8; 32],
    /// Encrypted.
    pub answer: Vec<u8>,
}

/// The answer kept under a key.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_answer(tx: &ReadTx<'_>, customer: CustomerId, key: &str) -> Result<Option<KeptAnswer>, LedgerError> {
    tx.first(
        "SELECT request_sha256, answer FROM idempotency_keys WHERE customer_id = ?1 AND idempotency_key = ?2",
        (customer, key),
        |row| Ok(KeptAnswer { request_sha256: row.get("request_sha256")?, answer: row.get("answer")? }),
    )
    .map_err(failed("finding a kept answer of customer", customer))
}

/// Keeps an answer.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn keep_answer(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    key: &str,
    kept: &KeptAnswer,
    now: UtcMillis,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO idempotency_keys (customer_id, idempotency_key, request_sha256, answer, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (customer, key, kept.request_sha256, &kept.answer, now),
    )
    .map(drop)
    .map_err(failed("keeping an answer of customer", customer))
}

/// Forgets answers from before an instant. Returns how many.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn delete_old_answers(tx: &WriteTx<'_>, before: UtcMillis) -> Result<usize, LedgerError> {
    tx.execute("DELETE FROM idempotency_keys WHERE created_at_ms < ?1", (before,))
        .map_err(failed("forgetting kept answers from before", before))
}
