//! What vaults are made from, which changes there were, and which versions.
//!
//! Triggers number every change of a customer's part of the vaults, in the transaction that makes it: no path that
//! changes something has to think of it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Row;

use crate::core::calendar::{Month, UtcMillis};
use crate::core::customer::CustomerStatus;
use crate::core::haproxy_map::KeyHash;
use crate::core::id::{CustomerId, Network, Service};
use crate::core::ip_allowlist::IpAllowlist;
use crate::core::seal_key::PackageAddress;
use crate::core::vault::decide::{CustomerFacts, KeyFacts, ServiceFacts};
use crate::core::vault::{Derivation, SealKeyEntry, VaultCode, VaultHash, VaultKey};
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, unreadable};

/// Whose part of the vaults has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultChanges {
    /// The number of the last change.
    pub newest: u64,
    /// Everybody's, because a limit was changed.
    pub everybody: bool,
    pub customers: BTreeSet<CustomerId>,
}

/// For whom to read.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    Everybody,
    Customers(&'a BTreeSet<CustomerId>),
}

/// What was read for vaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VaultFacts {
    /// Customers who have a service, in the order of their numbers.
    pub customers: Vec<CustomerFacts>,
    /// Who is not among them because a row cannot be read, with the row's table.
    pub unreadable: BTreeMap<CustomerId, &'static str>,
}

/// A version of a vault whose file is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultVersion {
    pub code: VaultCode,
    pub sequence: u64,
    pub hash: VaultHash,
    pub previous: VaultHash,
    pub content_sha256: [u8; 32],
    pub entries: u32,
    /// The last change that was in it when it was noted.
    pub change: u64,
    pub created: UtcMillis,
}

/// What has changed after a change.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn vault_changes_since(tx: &ReadTx<'_>, change: u64) -> Result<VaultChanges, LedgerError> {
    let mut changes = VaultChanges { newest: change, everybody: false, customers: BTreeSet::new() };
    tx.each("SELECT change, customer_id FROM vault_changes WHERE change > ?1", (Count(change),), |row| {
        changes.newest = changes.newest.max(row.get::<_, Count>(0)?.0);
        match CustomerId::new(row.get(1)?) {
            Some(customer) => drop(changes.customers.insert(customer)),
            None => changes.everybody = true,
        }
        Ok(())
    })
    .map_err(failed("listing changes for vaults after", change))?;
    Ok(changes)
}

/// The last change of what the vaults say of each service of a customer, by service; 0: none is known.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn vault_changes_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<(Service, u64)>, LedgerError> {
    let rows = tx.all("SELECT service, change FROM vault_changes WHERE customer_id IN (?1, 0)", (customer,), |row| {
        Ok((row.get::<_, u8>(0)?, row.get::<_, Count>(1)?.0))
    });
    let rows = rows.map_err(failed("finding the changes for vaults of customer", customer))?;
    let newest = |service: Service| {
        let concerning = rows.iter().filter(|(of, _)| *of == 0 || *of == service.number());
        concerning.map(|(_, change)| *change).max().unwrap_or(0)
    };
    Ok(Service::ALL.into_iter().map(|service| (service, newest(service))).collect())
}

/// A statement for everybody, and the same for the customers of a JSON list.
macro_rules! scoped {
    ($scope:expr, $select:literal, $conditions:literal, $order:literal) => {
        match $scope {
            Scope::Everybody => concat!($select, " WHERE ", $conditions, " AND ?1 IS NULL ORDER BY ", $order),
            Scope::Customers(_) => concat!(
                $select,
                " WHERE ",
                $conditions,
                " AND customer_id IN (SELECT value FROM json_each(?1)) ORDER BY ",
                $order
            ),
        }
    };
}

/// What the vaults are made from. Five statements, however many customers there are. A row that cannot be read concerns
/// its customer alone.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn vault_facts(tx: &ReadTx<'_>, scope: Scope<'_>, now: UtcMillis) -> Result<VaultFacts, LedgerError> {
    let list = match scope {
        Scope::Everybody => None,
        Scope::Customers(customers) => {
            let numbers: Vec<_> = customers.iter().map(ToString::to_string).collect();
            Some(format!("[{}]", numbers.join(",")))
        }
    };
    let mut facts = with_services(tx, scope, list.as_deref())?;
    add_keys(tx, scope, list.as_deref(), now, &mut facts)?;
    add_seal_keys(tx, scope, list.as_deref(), &mut facts)?;
    let sql = scoped!(scope, "SELECT customer_id, status FROM customers", "status <> 'active'", "customer_id");
    let statuses = tx.all(sql, (&list,), |row| Ok((row.get(0)?, row.get::<_, CustomerStatus>(1))));
    let statuses = statuses.map_err(failed("listing", "customers who are not active"))?;
    each_with(&mut facts, "customers", statuses, |facts, status| facts.status = status);
    let sql = scoped!(scope, "SELECT customer_id, month FROM spend_caps", "stopped = 1", "customer_id");
    let stops = tx.all(sql, (&list,), |row| Ok((row.get(0)?, row.get::<_, Month>(1))));
    let stops = stops.map_err(failed("listing", "customers whose spend cap is reached"))?;
    each_with(&mut facts, "spend_caps", stops, |facts, month| facts.stopped_in = Some(month));
    let VaultFacts { customers, unreadable } = &mut facts;
    customers.retain(|facts| !unreadable.contains_key(&facts.customer));
    Ok(facts)
}

fn with_services(tx: &ReadTx<'_>, scope: Scope<'_>, list: Option<&str>) -> Result<VaultFacts, LedgerError> {
    let sql = scoped!(
        scope,
        "SELECT customer_id, service, state, tier, burst, ip_allowlist_enabled, ip_allowlist FROM service_instances",
        "tier IS NOT NULL",
        "customer_id, service"
    );
    let mut all = VaultFacts::default();
    tx.each(sql, (list,), |row| {
        let customer: CustomerId = row.get(0)?;
        let Ok(service) = read_service(row) else {
            all.unreadable.insert(customer, "service_instances");
            return Ok(());
        };
        match all.customers.last_mut().filter(|facts| facts.customer == customer) {
            Some(facts) => facts.services.push(service),
            None => all.customers.push(CustomerFacts { services: vec![service], ..CustomerFacts::new(customer) }),
        }
        Ok(())
    })
    .map_err(failed("listing", "services for vaults"))?;
    Ok(all)
}

fn read_service(row: &Row<'_>) -> rusqlite::Result<(Service, ServiceFacts)> {
    let is_limited: bool = row.get(5)?;
    let allowlist = match row.get_ref(6)?.as_str()? {
        text if is_limited => {
            let entries: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            Some(IpAllowlist::parse(&entries, u64::MAX).map_err(unreadable)?)
        }
        _ => None,
    };
    Ok((row.get(1)?, ServiceFacts { state: row.get(2)?, tier: row.get(3)?, burst: row.get(4)?, allowlist }))
}

fn add_keys(
    tx: &ReadTx<'_>,
    scope: Scope<'_>,
    list: Option<&str>,
    now: UtcMillis,
    all: &mut VaultFacts,
) -> Result<(), LedgerError> {
    let sql = scoped!(
        scope,
        "SELECT customer_id, service, network, key_sha256, fingerprint, expires_at_ms FROM api_keys",
        "revoked_at_ms IS NULL AND deleted_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?2)",
        "customer_id, service, network, key_sha256"
    );
    let VaultFacts { customers, unreadable } = all;
    let mut facts = customers.iter_mut().peekable();
    tx.each(sql, (list, now), |row| {
        let customer: CustomerId = row.get(0)?;
        while facts.next_if(|facts| facts.customer < customer).is_some() {}
        if let Some(facts) = facts.peek_mut().filter(|facts| facts.customer == customer) {
            match read_key(row) {
                Ok(key) => facts.keys.push(key),
                Err(_) => drop(unreadable.insert(customer, "api_keys")),
            }
        }
        Ok(())
    })
    .map_err(failed("listing", "API keys for vaults"))
}

fn read_key(row: &Row<'_>) -> rusqlite::Result<KeyFacts> {
    let key = VaultKey { sha256: KeyHash(row.get(3)?), fingerprint: row.get(4)?, expires_at: row.get(5)? };
    Ok(KeyFacts { service: row.get(1)?, network: row.get::<_, Network>(2)?, key })
}

fn add_seal_keys(
    tx: &ReadTx<'_>,
    scope: Scope<'_>,
    list: Option<&str>,
    facts: &mut VaultFacts,
) -> Result<(), LedgerError> {
    let sql = scoped!(
        scope,
        "SELECT customer_id, process_group, derivation_index, object_id, address
         FROM seal_keys LEFT JOIN seal_packages USING (seal_key_id)",
        "enabled = 1 AND deleted_at_ms IS NULL",
        "customer_id, process_group, derivation_index, address"
    );
    let read = |row: &Row<'_>| {
        let derivation = Derivation { group: row.get(1)?, index: row.get::<_, Count>(2)?.0 };
        Ok((derivation, row.get(3)?, row.get::<_, Option<PackageAddress>>(4)?))
    };
    let rows = tx.all(sql, (list,), |row| Ok((row.get(0)?, read(row))));
    let rows = rows.map_err(failed("listing", "Seal keys for vaults"))?;
    each_with(facts, "seal_keys", rows, |facts, (derivation, object, package)| {
        let fresh = || SealKeyEntry { object, packages: BTreeSet::new() };
        facts.seal_keys.entry(derivation).or_insert_with(fresh).packages.extend(package);
    });
    Ok(())
}

/// Both are in the order of the customers; rows of others are passed over.
fn each_with<T>(
    all: &mut VaultFacts,
    table: &'static str,
    rows: Vec<(CustomerId, rusqlite::Result<T>)>,
    mut add: impl FnMut(&mut CustomerFacts, T),
) {
    let mut rows = rows.into_iter().peekable();
    for facts in &mut all.customers {
        while let Some((customer, row)) = rows.next_if(|(customer, _)| *customer <= facts.customer) {
            match row {
                _ if customer != facts.customer => {}
                Ok(row) => add(facts, row),
                Err(_) => drop(all.unreadable.insert(customer, table)),
            }
        }
    }
}

/// Notes a version whose file is there, or what is true of one that was noted before.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn note_vault_version(tx: &WriteTx<'_>, version: &VaultVersion) -> Result<(), LedgerError> {
    let VaultVersion { code, sequence, hash, previous, content_sha256, entries, change, created } = version;
    tx.execute(
        "INSERT INTO vault_versions
            (code, sequence, vault_hash, previous_hash, content_sha256, entries, change, created_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (code, sequence) DO UPDATE SET vault_hash = excluded.vault_hash,
             previous_hash = excluded.previous_hash, content_sha256 = excluded.content_sha256,
             entries = excluded.entries, change = excluded.change, created_at_ms = excluded.created_at_ms",
        rusqlite::params![
            code.as_str(),
            Count(*sequence),
            hash.0,
            previous.0,
            content_sha256,
            entries,
            Count(*change),
            created
        ],
    )
    .map(drop)
    .map_err(failed("noting a version of the vault", code))
}

/// The newest noted version of a vault.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn newest_vault_version(tx: &ReadTx<'_>, code: VaultCode) -> Result<Option<VaultVersion>, LedgerError> {
    tx.first("SELECT * FROM vault_versions WHERE code = ?1 ORDER BY sequence DESC LIMIT 1", (code.as_str(),), |row| {
        Ok(VaultVersion {
            code,
            sequence: row.get::<_, Count>("sequence")?.0,
            hash: VaultHash(row.get("vault_hash")?),
            previous: VaultHash(row.get("previous_hash")?),
            content_sha256: row.get("content_sha256")?,
            entries: row.get("entries")?,
            change: row.get::<_, Count>("change")?.0,
            created: row.get("created_at_ms")?,
        })
    })
    .map_err(failed("finding the newest version of the vault", code))
}

/// Forgets all but the newest `keep` versions of a vault.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn forget_vault_versions(tx: &WriteTx<'_>, code: VaultCode, keep: u32) -> Result<(), LedgerError> {
    tx.execute(
        "DELETE FROM vault_versions WHERE code = ?1 AND sequence <=
            (SELECT sequence FROM vault_versions WHERE code = ?1 ORDER BY sequence DESC LIMIT 1 OFFSET ?2)",
        (code.as_str(), keep),
    )
    .map(drop)
    .map_err(failed("forgetting old versions of the vault", code))
}
