//! Services of customers.

use rusqlite::Row;

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::{CustomerId, Service};
use crate::core::ip_allowlist::IpAllowlist;
use crate::core::service_instance::{ServiceInstance, ServiceSettings, ServiceState};
use crate::core::tier::Tier;
use crate::ledger::error::{LedgerError, failed, one_row};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::Count;

/// A service of a customer; one that nobody has subscribed to if there is no row.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_service(tx: &ReadTx<'_>, customer: CustomerId, service: Service) -> Result<ServiceInstance, LedgerError> {
    tx.first(
        "SELECT * FROM service_instances WHERE customer_id = ?1 AND service = ?2",
        (customer, service),
        read_service,
    )
    .map(Option::unwrap_or_default)
    .map_err(failed("finding a service of customer", customer))
}

/// Writes a service of a customer as it is from here on.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn save_service(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    service: Service,
    instance: &ServiceInstance,
    now: UtcMillis,
) -> Result<(), LedgerError> {
    tx.touch(customer);
    let (scheduled_tier, scheduled_at) = instance.scheduled_tier.unzip();
    let settings = &instance.settings;
    tx.execute(
        "INSERT INTO service_instances (customer_id, service, state, tier, paid_once, enabled_before_suspension,
            scheduled_tier, scheduled_at_ms, cancel_at_ms, pending_until_ms, cooldown_until_ms, due_at_ms, burst,
            ip_allowlist_enabled, ip_allowlist, updated_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (customer_id, service) DO UPDATE SET
            state = excluded.state,
            tier = excluded.tier,
            paid_once = excluded.paid_once,
            enabled_before_suspension = excluded.enabled_before_suspension,
            scheduled_tier = excluded.scheduled_tier,
            scheduled_at_ms = excluded.scheduled_at_ms,
            cancel_at_ms = excluded.cancel_at_ms,
            pending_until_ms = excluded.pending_until_ms,
            cooldown_until_ms = excluded.cooldown_until_ms,
            due_at_ms = excluded.due_at_ms,
            burst = excluded.burst,
            ip_allowlist_enabled = excluded.ip_allowlist_enabled,
            ip_allowlist = excluded.ip_allowlist,
            updated_at_ms = excluded.updated_at_ms",
        rusqlite::params![
            customer,
            service,
            instance.state.name(),
            instance.tier.map(Tier::name),
            instance.paid_once,
            instance.enabled_before_suspension,
            scheduled_tier.map(Tier::name),
            scheduled_at,
            instance.cancel_at,
            instance.pending_until,
            instance.cooldown_until,
            instance.due_at(),
            settings.burst,
            settings.ip_allowlist_enabled,
            settings.ip_allowlist.to_string(),
            now
        ],
    )
    .map(drop)
    .map_err(failed("saving a service of customer", customer))
}

/// A service as billing sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledService {
    pub service: Service,
    pub instance: ServiceInstance,
    pub billing: ServiceBilling,
}

/// How far a service is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceBilling {
    /// The last month for which a subscription was put on an invoice.
    pub through: Option<Month>,
    /// Never paid for, and billed for another month after the one that it began with.
    pub renewed_unpaid: bool,
}

/// All services that a customer has or had, in the order of their numbers.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn services_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<BilledService>, LedgerError> {
    tx.all("SELECT * FROM service_instances WHERE customer_id = ?1 ORDER BY service", (customer,), |row| {
        let billing =
            ServiceBilling { through: row.get("billed_through")?, renewed_unpaid: row.get("renewed_unpaid")? };
        Ok(BilledService { service: row.get("service")?, instance: read_service(row)?, billing })
    })
    .map_err(failed("listing the services of customer", customer))
}

/// Notes how far a service is billed.
///
/// # Errors
/// [`LedgerError::NotThere`] for a service without a row.
pub fn set_service_billing(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    service: Service,
    billing: ServiceBilling,
) -> Result<(), LedgerError> {
    let set = tx.execute(
        "UPDATE service_instances SET billed_through = ?3, renewed_unpaid = ?4 WHERE customer_id = ?1 AND service = ?2",
        (customer, service, billing.through, billing.renewed_unpaid),
    );
    one_row("noting how far a service is billed of customer", customer)(set)
}

/// How many API keys each service of a customer has.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn api_keys_by_service(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<(Service, u64)>, LedgerError> {
    tx.all(
        "SELECT service, count(*) AS keys FROM api_keys WHERE customer_id = ?1 AND deleted_at_ms IS NULL
         GROUP BY service",
        (customer,),
        |row| Ok((row.get("service")?, row.get::<_, Count>("keys")?.0)),
    )
    .map_err(failed("counting the API keys of customer", customer))
}

/// How many packages each Seal key of a customer has: an entry for each key.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn packages_by_seal_key(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<u64>, LedgerError> {
    tx.all(
        "SELECT (SELECT count(*) FROM seal_packages WHERE seal_packages.seal_key_id = seal_keys.seal_key_id) AS packages
         FROM seal_keys WHERE customer_id = ?1 AND deleted_at_ms IS NULL",
        (customer,),
        |row| Ok(row.get::<_, Count>("packages")?.0),
    )
    .map_err(failed("counting the Seal keys of customer", customer))
}

fn read_service(row: &Row<'_>) -> rusqlite::Result<ServiceInstance> {
    let scheduled_tier: Option<Tier> = row.get("scheduled_tier")?;
    let scheduled_at: Option<UtcMillis> = row.get("scheduled_at_ms")?;
    let entries: String = row.get("ip_allowlist")?;
    let entries: Vec<String> = entries.split_whitespace().map(str::to_owned).collect();
    Ok(ServiceInstance {
        state: row.get::<_, ServiceState>("state")?,
        tier: row.get("tier")?,
        paid_once: row.get("paid_once")?,
        enabled_before_suspension: row.get("enabled_before_suspension")?,
        scheduled_tier: scheduled_tier.zip(scheduled_at),
        cancel_at: row.get("cancel_at_ms")?,
        pending_until: row.get("pending_until_ms")?,
        cooldown_until: row.get("cooldown_until_ms")?,
        settings: ServiceSettings {
            burst: row.get("burst")?,
            ip_allowlist_enabled: row.get("ip_allowlist_enabled")?,
            ip_allowlist: IpAllowlist::parse(&entries, u64::MAX).map_err(super::values::unreadable)?,
        },
    })
}
