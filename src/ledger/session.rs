//! Sessions: who is signed in where.

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, SessionId};
use crate::core::session::{RevokedBecause, Session};
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// Begins a session.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn insert_session(tx: &WriteTx<'_>, session: &Session) -> Result<(), LedgerError> {
    let Session { session: id, customer, refresh_sha256, created_at, refreshed_at, expires_at, ip, user_agent, .. } =
        session;
    tx.execute(
        "INSERT INTO sessions (session_id, customer_id, refresh_sha256, created_at_ms, refreshed_at_ms, expires_at_ms,
                               ip, user_agent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (id, customer, refresh_sha256, created_at, refreshed_at, expires_at, ip, user_agent),
    )
    .map(drop)
    .map_err(failed("beginning a session of customer", customer))
}

/// One session, also if it has ended.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_session(tx: &ReadTx<'_>, session: &SessionId) -> Result<Option<Session>, LedgerError> {
    tx.first("SELECT * FROM sessions WHERE session_id = ?1", (session,), read_session)
        .map_err(failed("finding a session", session))
}

/// The sessions of a customer that have not ended, newest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn live_sessions(tx: &ReadTx<'_>, customer: CustomerId, now: UtcMillis) -> Result<Vec<Session>, LedgerError> {
    tx.all(
        "SELECT * FROM sessions WHERE customer_id = ?1 AND revoked_at_ms IS NULL AND expires_at_ms > ?2
         ORDER BY created_at_ms DESC, session_id",
        (customer, now),
        read_session,
    )
    .map_err(failed("listing the sessions of customer", customer))
}

/// Gives a session its next refresh token.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn rotate_session(
    tx: &WriteTx<'_>,
    session: &SessionId,
    refresh_sha256: [u8; 32],
    (refreshed_at, expires_at): (UtcMillis, UtcMillis),
    ip: &str,
) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE sessions SET refresh_sha256 = ?2, refreshed_at_ms = ?3, expires_at_ms = ?4, ip = ?5
         WHERE session_id = ?1 AND revoked_at_ms IS NULL",
        (session, refresh_sha256, refreshed_at, expires_at, ip),
    )
    .map(drop)
    .map_err(failed("refreshing a session", session))
}

/// Ends a session. Tells whether it was still going on.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn revoke_session(
    tx: &WriteTx<'_>,
    session: &SessionId,
    because: RevokedBecause,
    now: UtcMillis,
) -> Result<bool, LedgerError> {
    tx.execute(
        "UPDATE sessions SET revoked_at_ms = ?2, revoked_because = ?3 WHERE session_id = ?1 AND revoked_at_ms IS NULL",
        (session, now, because.name()),
    )
    .map(|rows| rows > 0)
    .map_err(failed("ending a session", session))
}

/// Forgets sessions that ended before an instant. Returns how many.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn delete_old_sessions(tx: &WriteTx<'_>, ended_before: UtcMillis) -> Result<usize, LedgerError> {
    tx.execute("DELETE FROM sessions WHERE expires_at_ms < ?1 OR revoked_at_ms < ?1", (ended_before,))
        .map_err(failed("forgetting sessions that ended before", ended_before))
}

fn read_session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        session: row.get("session_id")?,
        customer: row.get("customer_id")?,
        refresh_sha256: row.get("refresh_sha256")?,
        created_at: row.get("created_at_ms")?,
        refreshed_at: row.get("refreshed_at_ms")?,
        expires_at: row.get("expires_at_ms")?,
        ip: row.get("ip")?,
        user_agent: row.get("user_agent")?,
        revoked_at: row.get("revoked_at_ms")?,
    })
}
