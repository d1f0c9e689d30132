//! Personal API tokens.

use rusqlite::Row;

use crate::core::api_token::Scope;
use crate::core::calendar::UtcMillis;
use crate::core::id::{ApiTokenId, CustomerId};
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// A token as it is kept: without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApiToken {
    pub api_token: ApiTokenId,
    pub customer: CustomerId,
    pub name: String,
    pub token_sha256: [u8; 32],
    pub hint: String,
    pub scopes: Vec<Scope>,
    pub created_at: UtcMillis,
    pub expires_at: UtcMillis,
    /// To within some minutes.
    pub last_used_at: Option<UtcMillis>,
    pub revoked_at: Option<UtcMillis>,
}

/// Adds a token.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn insert_api_token(tx: &WriteTx<'_>, token: &StoredApiToken) -> Result<(), LedgerError> {
    let StoredApiToken { api_token, customer, name, token_sha256, hint, scopes, created_at, expires_at, .. } = token;
    let scopes: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
    tx.execute(
        "INSERT INTO api_tokens (api_token_id, customer_id, name, token_sha256, hint, scopes, created_at_ms, expires_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (api_token, customer, name, token_sha256, hint, scopes.join(" "), created_at, expires_at),
    )
    .map(drop)
    .map_err(failed("adding an API token of customer", customer))
}

/// The token with this SHA-256, also if it has ended.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_api_token(tx: &ReadTx<'_>, sha256: &[u8; 32]) -> Result<Option<StoredApiToken>, LedgerError> {
    tx.first("SELECT * FROM api_tokens WHERE token_sha256 = ?1", (sha256,), read_api_token)
        .map_err(failed("finding an API token", "by its SHA-256"))
}

/// The tokens of a customer that are not revoked, newest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn api_tokens_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<StoredApiToken>, LedgerError> {
    tx.all(
        "SELECT * FROM api_tokens WHERE customer_id = ?1 AND revoked_at_ms IS NULL
         ORDER BY created_at_ms DESC, api_token_id",
        (customer,),
        read_api_token,
    )
    .map_err(failed("listing the API tokens of customer", customer))
}

/// Revokes a token for good.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn revoke_api_token(tx: &WriteTx<'_>, token: &ApiTokenId, now: UtcMillis) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE api_tokens SET revoked_at_ms = ?2 WHERE api_token_id = ?1 AND revoked_at_ms IS NULL",
        (token, now),
    )
    .map(drop)
    .map_err(failed("revoking an API token", token))
}

/// Notes that a token was used.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn note_api_token_use(tx: &WriteTx<'_>, token: &ApiTokenId, now: UtcMillis) -> Result<(), LedgerError> {
    tx.execute("UPDATE api_tokens SET last_used_at_ms = ?2 WHERE api_token_id = ?1", (token, now))
        .map(drop)
        .map_err(failed("noting the use of an API token", token))
}

fn read_api_token(row: &Row<'_>) -> rusqlite::Result<StoredApiToken> {
    let scopes: String = row.get("scopes")?;
    Ok(StoredApiToken {
        api_token: row.get("api_token_id")?,
        customer: row.get("customer_id")?,
        name: row.get("name")?,
        token_sha256: row.get("token_sha256")?,
        hint: row.get("hint")?,
        // A scope that this version does not know allows nothing.
        scopes: scopes.split(' ').filter_map(Scope::from_name).collect(),
        created_at: row.get("created_at_ms")?,
        expires_at: row.get("expires_at_ms")?,
        last_used_at: row.get("last_used_at_ms")?,
        revoked_at: row.get("revoked_at_ms")?,
    })
}
