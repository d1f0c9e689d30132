//! The demo's customers: random numbers, real keys of a secret that lives as long as the demo.

use std::net::SocketAddr;

use super::DemoError;
use super::plan::LoadPlan;
use crate::app::DemoCustomer;
use crate::core::api_key::{Access, ApiKey, ApiKeySecret, KeyMeta, ProcessGroup, Source, encode};
use crate::core::calendar::UtcMillis;
use crate::core::config_global::{ConfigGlobal, TierLimits};
use crate::core::customer::Customer;
use crate::core::haproxy_map::{KeyEntry, KeyHash, LimitEntry, LimitKey, Maps};
use crate::core::id::{CustomerId, Network, Service};
use crate::core::tier::Tier;
use crate::random::random;

/// How often a random number may be 0 before the machine's randomness is not believed.
const DRAWS: usize = 8;

/// Name, service, tier, requests per second, and by how much these surge now and then.
const PARTS: [(&str, Service, Tier, f64, f64); 3] = [
    ("Ada's wallet app", Service::Seal, Tier::Pro, 11.0, 3.0),
    ("Brook explorer", Service::Grpc, Tier::Enterprise, 45.0, 3.5),
    ("Cobalt game studio", Service::Graphql, Tier::Starter, 2.5, 2.5),
];

/// One customer with one key.
pub(super) struct Part {
    customer: CustomerId,
    name: &'static str,
    service: Service,
    tier: Tier,
    key: ApiKey,
    wallet: String,
    requests_per_s: f64,
    surge: f64,
}

/// Draws numbers, wallets and keys.
pub(super) fn draw_cast() -> Result<Vec<Part>, DemoError> {
    let secret = ApiKeySecret(random()?);
    PARTS.into_iter().map(|part| draw_part(part, &secret)).collect()
}

fn draw_part(
    (name, service, tier, requests_per_s, surge): (&'static str, Service, Tier, f64, f64),
    secret: &ApiKeySecret,
) -> Result<Part, DemoError> {
    let customer = draw_customer()?;
    let access = if service == Service::Seal { Access::Permission { source: Source::Derived } } else { Access::Open };
    let process_group = ProcessGroup::new(1).ok_or(DemoError::NoRandomness)?;
    let meta = KeyMeta { service, network: Network::Mainnet, access, process_group, customer };
    let key = encode(secret, &meta, random()?);
    let wallet = format!("0x{}", data_encoding::HEXLOWER.encode(&random::<32>()?));
    Ok(Part { customer, name, service, tier, key, wallet, requests_per_s, surge })
}

fn draw_customer() -> Result<CustomerId, DemoError> {
    for _ in 0..DRAWS {
        if let Some(customer) = CustomerId::new(u32::from_be_bytes(random()?)) {
            return Ok(customer);
        }
    }
    Err(DemoError::NoRandomness)
}

impl Part {
    /// As the ledger keeps it.
    pub(super) fn customer(&self, now: UtcMillis) -> Result<Customer, DemoError> {
        let wallet_address = self.wallet.parse().map_err(|_| DemoError::NoRandomness)?;
        Ok(Customer { name: self.name.to_owned(), ..Customer::new(self.customer, wallet_address, now) })
    }

    /// As the page shows it.
    pub(super) fn on_page(&self) -> DemoCustomer {
        DemoCustomer {
            customer: self.customer,
            name: self.name.to_owned(),
            service: self.service,
            tier: self.tier,
            key_hint: self.key.hint(),
        }
    }

    fn limit(&self, prices: &ConfigGlobal) -> LimitEntry {
        let TierLimits { guaranteed_per_s, burst_per_s } = prices.limits(self.tier);
        let narrow = |limit: u64| u32::try_from(limit).unwrap_or(u32::MAX);
        LimitEntry::new(narrow(guaranteed_per_s), narrow(burst_per_s))
    }

    /// What it sends, to the frontend of its service.
    pub(super) fn plan(&self, listen: &[(Service, SocketAddr)], prices: &ConfigGlobal) -> Option<LoadPlan> {
        let (_, address) = listen.iter().find(|(service, _)| *service == self.service)?;
        Some(LoadPlan {
            customer_name: self.name.to_owned(),
            customer: self.customer,
            service: self.service,
            network: Network::Mainnet,
            url: format!("http://{address}"),
            key: self.key.as_str().to_owned(),
            key_fingerprint: self.key.fingerprint(),
            requests_per_s: self.requests_per_s,
            surge: self.surge,
            limit: self.limit(prices),
        })
    }
}

/// What HAProxy is told about keys and limits.
pub(super) fn maps(cast: &[Part], prices: &ConfigGlobal) -> Maps {
    let mut maps = Maps { version: "demo".to_owned(), ..Maps::default() };
    for part in cast {
        let Part { customer, service, .. } = *part;
        let (network, fingerprint) = (Network::Mainnet, part.key.fingerprint());
        let entry = KeyEntry { customer, service, network, fingerprint, expires_at: None };
        maps.keys.insert(KeyHash::of(part.key.as_str()), entry);
        maps.limits.insert(LimitKey { customer, service, network }, part.limit(prices));
    }
    maps
}
