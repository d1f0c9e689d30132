//! API keys.

use rusqlite::Row;

use crate::core::api_key::{Access, KeyMeta, ProcessGroup, Source};
use crate::core::api_key_life::ApiKeyTimes;
use crate::core::calendar::UtcMillis;
use crate::core::id::{ApiKeyId, CustomerId, Network, Service};
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// A key as it is kept: its text only encrypted, if at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApiKey {
    pub api_key: ApiKeyId,
    pub meta: KeyMeta,
    pub name: String,
    /// As in log lines.
    pub fingerprint: u32,
    pub key_sha256: [u8; 32],
    pub hint: String,
    /// Absent for a key that is shown once only.
    pub ciphertext: Option<Vec<u8>>,
    pub times: ApiKeyTimes,
    pub rotated_from: Option<ApiKeyId>,
}

/// Adds a key.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn insert_api_key(tx: &WriteTx<'_>, key: &StoredApiKey) -> Result<(), LedgerError> {
    tx.touch(key.meta.customer);
    let (access, source) = match key.meta.access {
        Access::Open => ("open", None),
        Access::Permission { source: Source::Derived } => ("permission", Some("derived")),
        Access::Permission { source: Source::Imported } => ("permission", Some("imported")),
    };
    tx.execute(
        "INSERT INTO api_keys (api_key_id, customer_id, service, name, network, access, source, process_group,
            fingerprint, key_sha256, hint, ciphertext, created_at_ms, expires_at_ms, rotated_from)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        rusqlite::params![
            key.api_key,
            key.meta.customer,
            key.meta.service,
            key.name,
            key.meta.network.number(),
            access,
            source,
            key.meta.process_group.get(),
            key.fingerprint,
            key.key_sha256,
            key.hint,
            key.ciphertext,
            key.times.created_at,
            key.times.expires_at,
            key.rotated_from
        ],
    )
    .map(drop)
    .map_err(failed("adding an API key of customer", key.meta.customer))
}

/// Writes name and times of a key.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn save_api_key(tx: &WriteTx<'_>, key: &StoredApiKey) -> Result<(), LedgerError> {
    tx.touch(key.meta.customer);
    let ApiKeyTimes { expires_at, revoked_at, deleted_at, .. } = key.times;
    tx.execute(
        "UPDATE api_keys SET name = ?2, expires_at_ms = ?3, revoked_at_ms = ?4, deleted_at_ms = ?5
         WHERE api_key_id = ?1",
        (&key.api_key, &key.name, expires_at, revoked_at, deleted_at),
    )
    .map(drop)
    .map_err(failed("saving an API key", &key.api_key))
}

/// A key of a customer's service, also a deleted one.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_api_key(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    service: Service,
    key: &ApiKeyId,
) -> Result<Option<StoredApiKey>, LedgerError> {
    tx.first(
        "SELECT * FROM api_keys WHERE api_key_id = ?1 AND customer_id = ?2 AND service = ?3",
        (key, customer, service),
        read_api_key,
    )
    .map_err(failed("finding an API key", key))
}

/// The key with this SHA-256: what a presented key is looked up by.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_api_key_by_sha256(tx: &ReadTx<'_>, sha256: &[u8; 32]) -> Result<Option<StoredApiKey>, LedgerError> {
    tx.first("SELECT * FROM api_keys WHERE key_sha256 = ?1", (sha256,), read_api_key)
        .map_err(failed("finding an API key", "by its SHA-256"))
}

/// At most `limit` keys of a service that are not deleted, oldest first, after the one with this time and id.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn api_keys_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    service: Service,
    after: Option<&(UtcMillis, ApiKeyId)>,
    limit: u32,
) -> Result<Vec<StoredApiKey>, LedgerError> {
    let (created_at, id) = after.map_or((UtcMillis(i64::MIN), ""), |(created_at, id)| (*created_at, id.as_str()));
    tx.all(
        "SELECT * FROM api_keys WHERE customer_id = ?1 AND service = ?2 AND deleted_at_ms IS NULL
            AND (created_at_ms, api_key_id) > (?3, ?4)
         ORDER BY created_at_ms, api_key_id LIMIT ?5",
        (customer, service, created_at, id, limit),
        read_api_key,
    )
    .map_err(failed("listing the API keys of customer", customer))
}

/// How many keys of a service are not deleted, and when those of the time from `since` on were created, deleted ones
/// too.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn count_api_keys(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    service: Service,
    since: UtcMillis,
) -> Result<(usize, Vec<UtcMillis>), LedgerError> {
    let failing = || failed("counting the API keys of customer", customer);
    let live = tx
        .first(
            "SELECT count(*) AS live FROM api_keys
             WHERE customer_id = ?1 AND service = ?2 AND deleted_at_ms IS NULL",
            (customer, service),
            |row| row.get::<_, u32>("live"),
        )
        .map_err(failing())?;
    let created = tx
        .all(
            "SELECT created_at_ms FROM api_keys WHERE customer_id = ?1 AND service = ?2 AND created_at_ms >= ?3",
            (customer, service, since),
            |row| row.get("created_at_ms"),
        )
        .map_err(failing())?;
    Ok((usize::try_from(live.unwrap_or(0)).unwrap_or(usize::MAX), created))
}

/// Whether a key was rotated.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn has_successor(tx: &ReadTx<'_>, key: &ApiKeyId) -> Result<bool, LedgerError> {
    tx.first("SELECT 1 FROM api_keys WHERE rotated_from = ?1", (key,), |_| Ok(()))
        .map(|found| found.is_some())
        .map_err(failed("finding the successor of an API key", key))
}

/// Deletes every key of a service.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn delete_keys_of_service(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    service: Service,
    now: UtcMillis,
) -> Result<usize, LedgerError> {
    tx.touch(customer);
    tx.execute(
        "UPDATE api_keys SET deleted_at_ms = ?3
         WHERE customer_id = ?1 AND service = ?2 AND deleted_at_ms IS NULL",
        (customer, service, now),
    )
    .map_err(failed("deleting the API keys of customer", customer))
}

fn read_api_key(row: &Row<'_>) -> rusqlite::Result<StoredApiKey> {
    let source: Option<String> = row.get("source")?;
    let access = match source.as_deref() {
        None => Access::Open,
        Some("derived") => Access::Permission { source: Source::Derived },
        Some(_) => Access::Permission { source: Source::Imported },
    };
    Ok(StoredApiKey {
        api_key: row.get("api_key_id")?,
        meta: KeyMeta {
            service: row.get("service")?,
            network: row.get::<_, Network>("network")?,
            access,
            process_group: row.get::<_, ProcessGroup>("process_group")?,
            customer: row.get("customer_id")?,
        },
        name: row.get("name")?,
        fingerprint: row.get("fingerprint")?,
        key_sha256: row.get("key_sha256")?,
        hint: row.get("hint")?,
        ciphertext: row.get("ciphertext")?,
        times: ApiKeyTimes {
            created_at: row.get("created_at_ms")?,
            expires_at: row.get("expires_at_ms")?,
            revoked_at: row.get("revoked_at_ms")?,
            deleted_at: row.get("deleted_at_ms")?,
        },
        rotated_from: row.get("rotated_from")?,
    })
}
