//! Seal keys, their packages, and the outbox of their registration. Statements about the outbox
//! also say `state <> 'registered'`: it is the condition of the index that they use.

use rusqlite::Row;

use crate::core::api_key::ProcessGroup;
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, SealKeyId, SealPackageId};
use crate::core::seal_key::PackageAddress;
use crate::core::seal_key::registration::{Registration, RegistrationState};
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::Count;

/// A Seal key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSealKey {
    pub seal_key: SealKeyId,
    pub customer: CustomerId,
    pub name: String,
    pub process_group: ProcessGroup,
    /// Which key of the process group's it is; from 1, never given out again.
    pub derivation_index: u64,
    pub is_enabled: bool,
    pub created_at: UtcMillis,
    pub deleted_at: Option<UtcMillis>,
    pub registration: Registration,
}

/// A package that a Seal key answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSealPackage {
    pub seal_package: SealPackageId,
    pub seal_key: SealKeyId,
    pub address: PackageAddress,
    pub name: String,
    pub created_at: UtcMillis,
}

/// Takes the next derivation index of a process group; it is given out once, ever.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn next_derivation_index(tx: &WriteTx<'_>, group: ProcessGroup) -> Result<u64, LedgerError> {
    tx.first(
        "INSERT INTO seal_derivation (process_group, last_index) VALUES (?1, 1)
         ON CONFLICT (process_group) DO UPDATE SET last_index = last_index + 1 RETURNING last_index",
        (group.get(),),
        |row| row.get::<_, Count>("last_index"),
    )
    .map(|index| index.map_or(1, |Count(index)| index))
    .map_err(failed("taking a derivation index of process group", group.get()))
}

/// Adds a Seal key, or writes it as it is from here on.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn save_seal_key(tx: &WriteTx<'_>, key: &StoredSealKey) -> Result<(), LedgerError> {
    tx.touch(key.customer);
    let registration = &key.registration;
    tx.execute(
        "INSERT INTO seal_keys (seal_key_id, customer_id, name, process_group, derivation_index, enabled,
            created_at_ms, deleted_at_ms, state, wanted_version, registered_version, attempts, next_attempt_at_ms,
            object_id, public_key, last_error)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (seal_key_id) DO UPDATE SET name = ?3, enabled = ?6, deleted_at_ms = ?8, state = ?9,
            wanted_version = ?10, registered_version = ?11, attempts = ?12, next_attempt_at_ms = ?13,
            object_id = ?14, public_key = ?15, last_error = ?16",
        rusqlite::params![
            key.seal_key,
            key.customer,
            key.name,
            key.process_group.get(),
            Count(key.derivation_index),
            key.is_enabled,
            key.created_at,
            key.deleted_at,
            registration.state.name(),
            Count(registration.wanted_version),
            Count(registration.registered_version),
            registration.attempts,
            registration.next_attempt_at,
            registration.object_id,
            registration.public_key,
            registration.last_error
        ],
    )
    .map(drop)
    .map_err(failed("saving a Seal key", &key.seal_key))
}

/// A Seal key of whoever it belongs to, also a deleted one.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_seal_key(tx: &ReadTx<'_>, key: &SealKeyId) -> Result<Option<StoredSealKey>, LedgerError> {
    tx.first("SELECT * FROM seal_keys WHERE seal_key_id = ?1", (key,), read_seal_key)
        .map_err(failed("finding a Seal key", key))
}

/// At most `limit` Seal keys of a customer that are not deleted, oldest first, after the one with this time and id.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn seal_keys_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    after: Option<&(UtcMillis, SealKeyId)>,
    limit: u32,
) -> Result<Vec<StoredSealKey>, LedgerError> {
    let (created_at, id) = after.map_or((UtcMillis(i64::MIN), ""), |(created_at, id)| (*created_at, id.as_str()));
    tx.all(
        "SELECT * FROM seal_keys WHERE customer_id = ?1 AND deleted_at_ms IS NULL
            AND (created_at_ms, seal_key_id) > (?2, ?3)
         ORDER BY created_at_ms, seal_key_id LIMIT ?4",
        (customer, created_at, id, limit),
        read_seal_key,
    )
    .map_err(failed("listing the Seal keys of customer", customer))
}

/// How many Seal keys of a customer are not deleted, and when those of the time from `since` on were created, deleted
/// ones too.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn count_seal_keys(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    since: UtcMillis,
) -> Result<(u64, Vec<UtcMillis>), LedgerError> {
    let failing = || failed("counting the Seal keys of customer", customer);
    let live = tx
        .first(
            "SELECT count(*) AS live FROM seal_keys WHERE customer_id = ?1 AND deleted_at_ms IS NULL",
            (customer,),
            |row| row.get::<_, Count>("live"),
        )
        .map_err(failing())?;
    let created = tx
        .all(
            "SELECT created_at_ms FROM seal_keys WHERE customer_id = ?1 AND created_at_ms >= ?2",
            (customer, since),
            |row| row.get("created_at_ms"),
        )
        .map_err(failing())?;
    Ok((live.map_or(0, |Count(live)| live), created))
}

/// Deletes every Seal key of a customer; what is on the chain stays there.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn delete_seal_keys_of(tx: &WriteTx<'_>, customer: CustomerId, now: UtcMillis) -> Result<usize, LedgerError> {
    tx.touch(customer);
    tx.execute(
        "UPDATE seal_keys SET deleted_at_ms = ?2 WHERE customer_id = ?1 AND deleted_at_ms IS NULL",
        (customer, now),
    )
    .map_err(failed("deleting the Seal keys of customer", customer))
}

/// At most `limit` Seal keys that wait for their registration and whose time has come, the longest waiting first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn due_registrations(tx: &ReadTx<'_>, now: UtcMillis, limit: u32) -> Result<Vec<StoredSealKey>, LedgerError> {
    tx.all(
        "SELECT * FROM seal_keys WHERE state <> 'registered' AND state = 'queued'
            AND (deleted_at_ms IS NULL OR registered_version > 0) AND next_attempt_at_ms <= ?1
         ORDER BY next_attempt_at_ms LIMIT ?2",
        (now, limit),
        read_seal_key,
    )
    .map_err(failed("listing registrations that are due at", now))
}

/// When the next registration is due; `None` if none waits.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn next_registration_at(tx: &ReadTx<'_>) -> Result<Option<UtcMillis>, LedgerError> {
    tx.first(
        "SELECT min(next_attempt_at_ms) AS at FROM seal_keys
         WHERE state <> 'registered' AND state = 'queued'
            AND (deleted_at_ms IS NULL OR registered_version > 0)",
        (),
        |row| row.get("at"),
    )
    .map(Option::flatten)
    .map_err(failed("finding", "the next registration"))
}

/// Seal keys whose registration was being done.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn registrations_in_progress(tx: &ReadTx<'_>) -> Result<Vec<StoredSealKey>, LedgerError> {
    tx.all("SELECT * FROM seal_keys WHERE state <> 'registered' AND state = 'processing'", (), read_seal_key)
        .map_err(failed("listing", "registrations in progress"))
}

/// Adds a package.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn insert_seal_package(tx: &WriteTx<'_>, package: &StoredSealPackage) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO seal_packages (seal_package_id, seal_key_id, address, name, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (&package.seal_package, &package.seal_key, &package.address, &package.name, package.created_at),
    )
    .map(drop)
    .map_err(failed("adding a package to the Seal key", &package.seal_key))
}

/// Gives a package another name.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn rename_seal_package(tx: &WriteTx<'_>, package: &SealPackageId, name: &str) -> Result<(), LedgerError> {
    tx.execute("UPDATE seal_packages SET name = ?2 WHERE seal_package_id = ?1", (package, name))
        .map(drop)
        .map_err(failed("renaming a package", package))
}

/// Removes a package.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn delete_seal_package(tx: &WriteTx<'_>, package: &SealPackageId) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM seal_packages WHERE seal_package_id = ?1", (package,))
        .map(drop)
        .map_err(failed("removing a package", package))
}

/// The packages of a Seal key, oldest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn seal_packages_of(tx: &ReadTx<'_>, key: &SealKeyId) -> Result<Vec<StoredSealPackage>, LedgerError> {
    tx.all(
        "SELECT * FROM seal_packages WHERE seal_key_id = ?1 ORDER BY created_at_ms, seal_package_id",
        (key,),
        |row| {
            Ok(StoredSealPackage {
                seal_package: row.get("seal_package_id")?,
                seal_key: row.get("seal_key_id")?,
                address: row.get("address")?,
                name: row.get("name")?,
                created_at: row.get("created_at_ms")?,
            })
        },
    )
    .map_err(failed("listing the packages of the Seal key", key))
}

fn read_seal_key(row: &Row<'_>) -> rusqlite::Result<StoredSealKey> {
    Ok(StoredSealKey {
        seal_key: row.get("seal_key_id")?,
        customer: row.get("customer_id")?,
        name: row.get("name")?,
        process_group: row.get("process_group")?,
        derivation_index: row.get::<_, Count>("derivation_index")?.0,
        is_enabled: row.get("enabled")?,
        created_at: row.get("created_at_ms")?,
        deleted_at: row.get("deleted_at_ms")?,
        registration: Registration {
            state: row.get::<_, RegistrationState>("state")?,
            wanted_version: row.get::<_, Count>("wanted_version")?.0,
            registered_version: row.get::<_, Count>("registered_version")?.0,
            attempts: row.get("attempts")?,
            next_attempt_at: row.get("next_attempt_at_ms")?,
            object_id: row.get("object_id")?,
            public_key: row.get("public_key")?,
            last_error: row.get("last_error")?,
        },
    })
}
