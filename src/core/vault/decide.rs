//! From what the ledger holds of a customer to what the vaults say of it.
//!
//! - A customer is in the vault of a service and network if the service is provisioned and a key for both is in force.
//! - The first reason for which a service is off is the one that lasts longest.
//! - A customer whose books are being looked into (parked) goes on: that is our mistake to find, not theirs.
//! - Time changes entries as well: [`Decided::changes_at`] says when.

use std::collections::BTreeMap;

use super::code::VaultCode;
use super::content::{ApiEntry, Derivation, Limits, SealEntry, SealKeyEntry, Status, VaultKey};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::config_global::ConfigGlobal;
use crate::core::customer::CustomerStatus;
use crate::core::id::{CustomerId, Network, Service};
use crate::core::ip_allowlist::IpAllowlist;
use crate::core::service_instance::ServiceState;
use crate::core::tier::Tier;

/// What decides about a customer's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerFacts {
    pub customer: CustomerId,
    pub status: CustomerStatus,
    /// Those that are provisioned, each once.
    pub services: Vec<(Service, ServiceFacts)>,
    /// Neither revoked nor deleted; expired ones may be among them.
    pub keys: Vec<KeyFacts>,
    /// Switched on and not deleted.
    pub seal_keys: BTreeMap<Derivation, SealKeyEntry>,
    /// The month in which the spend cap stops the keys.
    pub stopped_in: Option<Month>,
}

impl CustomerFacts {
    fn service(&self, service: Service) -> Option<&ServiceFacts> {
        self.services.iter().find(|(known, _)| *known == service).map(|(_, facts)| facts)
    }

    /// Somebody who has nothing.
    pub fn new(customer: CustomerId) -> Self {
        Self {
            customer,
            status: CustomerStatus::Active,
            services: Vec::new(),
            keys: Vec::new(),
            seal_keys: BTreeMap::new(),
            stopped_in: None,
        }
    }
}

/// A provisioned service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFacts {
    pub state: ServiceState,
    pub tier: Tier,
    pub burst: bool,
    /// `None`: requests may come from anywhere.
    pub allowlist: Option<IpAllowlist>,
}

/// A key and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFacts {
    pub service: Service,
    pub network: Network,
    pub key: VaultKey,
}

/// What every customer of a tier has, read once for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierTerms(BTreeMap<Tier, Limits>);

impl TierTerms {
    /// As the operator has set them. Those who pay more burst first.
    pub fn of(config: &ConfigGlobal) -> Self {
        let per_second = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let of_tier = |tier| {
            let limits = config.limits(tier);
            Limits {
                guaranteed_per_s: per_second(limits.guaranteed_per_s),
                burst_per_s: per_second(limits.burst_per_s),
                per_ip_per_s: per_second(config.per_ip_limit(tier)),
                burst_priority: match tier {
                    Tier::Enterprise => 1,
                    Tier::Pro => 2,
                    Tier::Starter => 3,
                },
            }
        };
        Self(Tier::ALL.into_iter().map(|tier| (tier, of_tier(tier))).collect())
    }

    fn limits(&self, tier: Tier, burst: bool) -> Limits {
        let nothing = Limits { guaranteed_per_s: 0, burst_per_s: 0, per_ip_per_s: 0, burst_priority: 1 };
        let limits = self.0.get(&tier).copied().unwrap_or(nothing);
        Limits { burst_per_s: if burst { limits.burst_per_s } else { 0 }, ..limits }
    }
}

/// What the vaults say of a customer; nothing in those that are not named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decided {
    pub api: BTreeMap<VaultCode, ApiEntry>,
    /// For the key servers of the network that Seal keys are registered on.
    pub seal: Option<SealEntry>,
    /// When time alone changes this next.
    pub changes_at: Option<UtcMillis>,
}

/// The entries of a customer.
pub fn decide(facts: &CustomerFacts, terms: &TierTerms, now: UtcMillis) -> Decided {
    let mut decided = Decided::default();
    let stop_ends = facts.stopped_in.map(Month::end).filter(|end| *end > now);
    for key in &facts.keys {
        let Some(service) = facts.service(key.service) else { continue };
        if key.key.expires_at.is_some_and(|at| at <= now) {
            continue;
        }
        decided.changes_at = [decided.changes_at, key.key.expires_at].into_iter().flatten().min();
        let entry = decided.api.entry(VaultCode::api(key.service, key.network)).or_insert_with(|| ApiEntry {
            tier: service.tier,
            status: status(facts.status, service.state, stop_ends.is_some()),
            limits: terms.limits(service.tier, service.burst),
            keys: Vec::new(),
            allowlist: service.allowlist.as_ref().map(networks),
        });
        entry.keys.push(key.key);
    }
    for entry in decided.api.values_mut() {
        entry.keys.sort_unstable();
        entry.keys.dedup_by_key(|key| key.sha256);
    }
    decided.seal = seal_entry(facts, stop_ends.is_some());
    let is_stopped = decided.seal.is_some() || !decided.api.is_empty();
    decided.changes_at = [decided.changes_at, stop_ends.filter(|_| is_stopped)].into_iter().flatten().min();
    decided
}

fn seal_entry(facts: &CustomerFacts, is_stopped: bool) -> Option<SealEntry> {
    let service = facts.service(Service::Seal)?;
    let entry = || SealEntry { status: status(facts.status, service.state, is_stopped), keys: facts.seal_keys.clone() };
    (!facts.seal_keys.is_empty()).then(entry)
}

fn status(customer: CustomerStatus, service: ServiceState, is_stopped: bool) -> Status {
    match (customer, service) {
        (CustomerStatus::Closed, _) => Status::Closed,
        (CustomerStatus::Suspended, _) => Status::Suspended,
        (_, ServiceState::SuspendedNoPayment) => Status::Unpaid,
        (_, ServiceState::CancellationPending) => Status::Cancelled,
        (_, ServiceState::SuspendedMaintenance) => Status::Maintenance,
        (_, ServiceState::Disabled | ServiceState::NotProvisioned) => Status::Disabled,
        (_, ServiceState::Enabled) if is_stopped => Status::SpendCap,
        (_, ServiceState::Enabled) => Status::On,
    }
}

fn networks(list: &IpAllowlist) -> Vec<ipnet::IpNet> {
    let mut networks: Vec<_> = list.networks().to_vec();
    networks.sort_unstable();
    networks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::config_global::KEYS;
    use crate::core::haproxy_map::KeyHash;

    const NOW: UtcMillis = UtcMillis(1_795_424_400_000);
    const CODE: VaultCode = VaultCode::api(Service::Grpc, Network::Mainnet);

    fn terms() -> TierTerms {
        let table = KEYS.iter().map(|spec| (spec.key.to_owned(), spec.default.to_owned())).collect();
        TierTerms::of(&ConfigGlobal::from_table(&table).unwrap())
    }

    fn key(first: u8, expires_in_ms: Option<i64>) -> KeyFacts {
        let expires_at = expires_in_ms.map(|ms| NOW.plus_ms(ms));
        let key = VaultKey { sha256: KeyHash([first; 32]), fingerprint: first.into(), expires_at };
        KeyFacts { service: Service::Grpc, network: Network::Mainnet, key }
    }

    fn facts() -> CustomerFacts {
        let service = ServiceFacts { state: ServiceState::Enabled, tier: Tier::Pro, burst: true, allowlist: None };
        CustomerFacts {
            services: vec![(Service::Grpc, service)],
            keys: vec![key(9, None), key(3, Some(1000))],
            ..CustomerFacts::new(CustomerId::MIN)
        }
    }

    fn changed(change: impl FnOnce(&mut CustomerFacts)) -> Decided {
        let mut facts = facts();
        change(&mut facts);
        decide(&facts, &terms(), NOW)
    }

    fn in_state(state: ServiceState) -> impl FnOnce(&mut CustomerFacts) {
        move |facts| facts.services[0].1.state = state
    }

    #[test]
    fn an_entry_has_the_terms_of_its_tier_and_its_keys_in_order() {
        let decided = decide(&facts(), &terms(), NOW);
        let expected = ApiEntry {
            tier: Tier::Pro,
            status: Status::On,
            limits: Limits { guaranteed_per_s: 15, burst_per_s: 45, per_ip_per_s: 0, burst_priority: 2 },
            keys: vec![key(3, Some(1000)).key, key(9, None).key],
            allowlist: None,
        };
        assert_eq!(decided.api, [(CODE, expected)].into());
        assert_eq!((decided.seal, decided.changes_at), (None, Some(NOW.plus_ms(1000))));
        let without_burst = changed(|facts| facts.services[0].1.burst = false);
        assert_eq!(without_burst.api[&CODE].limits.burst_per_s, 0);
    }

    #[test]
    fn the_reason_that_lasts_longest_is_told() {
        let month = Month::of(NOW).unwrap();
        let before = month.start().plus_ms(-1);
        type Case = (Box<dyn FnOnce(&mut CustomerFacts)>, Status);
        let cases: [Case; 10] = [
            (Box::new(|_| ()), Status::On),
            (Box::new(in_state(ServiceState::Disabled)), Status::Disabled),
            (Box::new(in_state(ServiceState::SuspendedMaintenance)), Status::Maintenance),
            (Box::new(in_state(ServiceState::SuspendedNoPayment)), Status::Unpaid),
            (Box::new(in_state(ServiceState::CancellationPending)), Status::Cancelled),
            (Box::new(|facts| facts.status = CustomerStatus::Suspended), Status::Suspended),
            (Box::new(|facts| facts.status = CustomerStatus::Closed), Status::Closed),
            (Box::new(move |facts| facts.stopped_in = Some(month)), Status::SpendCap),
            (Box::new(move |facts| facts.stopped_in = Month::of(before).ok()), Status::On),
            (
                Box::new(move |facts| {
                    facts.stopped_in = Some(month);
                    in_state(ServiceState::SuspendedNoPayment)(facts);
                }),
                Status::Unpaid,
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(changed(change).api[&CODE].status, expected);
        }
    }

    #[test]
    fn nobody_is_in_a_vault_without_a_key_in_force() {
        assert!(changed(|facts| facts.keys.clear()).api.is_empty());
        assert!(changed(|facts| facts.keys = vec![key(1, Some(0)), key(2, Some(-1))]).api.is_empty());
        assert!(changed(|facts| facts.services.clear()).api.is_empty());
        let other_network = changed(|facts| facts.keys[0].network = Network::Testnet);
        assert_eq!(other_network.api.len(), 2);
    }

    #[test]
    fn time_is_said_to_change_what_it_changes() {
        let month = Month::of(NOW).unwrap();
        assert_eq!(changed(|facts| facts.keys.truncate(1)).changes_at, None);
        let stopped = changed(|facts| {
            facts.keys.truncate(1);
            facts.stopped_in = Some(month);
        });
        assert_eq!(stopped.changes_at, Some(month.end()));
        let facts = CustomerFacts { stopped_in: Some(month), ..facts() };
        let decided = decide(&facts, &terms(), month.end());
        assert_eq!((decided.api[&CODE].status, decided.changes_at), (Status::On, None));
    }

    #[test]
    fn seal_keys_follow_the_seal_service() {
        let derivation = Derivation { group: crate::core::api_key::ProcessGroup::new(0).unwrap(), index: 4 };
        let keys: BTreeMap<_, _> = [(derivation, SealKeyEntry { object: None, packages: Default::default() })].into();
        let with = |service: Service| {
            let keys = keys.clone();
            changed(move |facts| {
                facts.services[0].0 = service;
                facts.seal_keys = keys;
            })
        };
        assert_eq!(with(Service::Seal).seal, Some(SealEntry { status: Status::On, keys: keys.clone() }));
        assert_eq!(with(Service::Grpc).seal, None);
    }

    #[test]
    fn an_allowlist_is_sorted() {
        let list = ["203.0.113.9".to_owned(), "10.0.0.0/8".to_owned(), "2001:db8::/32".to_owned()];
        let list = IpAllowlist::parse(&list, 20).unwrap();
        let decided = changed(|facts| facts.services[0].1.allowlist = Some(list));
        let entry = &decided.api[&CODE];
        let shown: Vec<_> = entry.allowlist.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "203.0.113.9/32", "2001:db8::/32"]);
    }
}
