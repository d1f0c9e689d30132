//! What a vault says of each customer. No key and no secret is in it.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::core::api_key::ProcessGroup;
use crate::core::calendar::UtcMillis;
use crate::core::haproxy_map::KeyHash;
use crate::core::id::CustomerId;
use crate::core::seal_key::{ObjectId, PackageAddress};
use crate::core::tier::Tier;

/// Whether a customer's service is on, and otherwise the first reason why not. Whatever is not [`Status::On`] answers
/// 503 to every key.
///
/// A balance that is gone has no reason of its own: a customer without one goes on until billing's grace is over, and
/// is [`Status::Unpaid`] from then on, until a deposit has paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    On,
    /// The account is closed.
    Closed,
    /// The account is suspended by the operator.
    Suspended,
    /// Billing has suspended the service: invoices are unpaid and their grace is over.
    Unpaid,
    /// The service is cancelled, and the paid month has ended.
    Cancelled,
    /// Suspended for maintenance.
    Maintenance,
    /// The customer's own spend cap is reached, and is to stop the keys.
    SpendCap,
    /// The customer has switched the service off.
    Disabled,
}

impl Status {
    pub const ALL: [Self; 8] = [
        Self::On,
        Self::Closed,
        Self::Suspended,
        Self::Unpaid,
        Self::Cancelled,
        Self::Maintenance,
        Self::SpendCap,
        Self::Disabled,
    ];

    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Closed => "closed",
            Self::Suspended => "suspended",
            Self::Unpaid => "unpaid",
            Self::Cancelled => "cancelled",
            Self::Maintenance => "maintenance",
            Self::SpendCap => "spend_cap",
            Self::Disabled => "disabled",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// Requests per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Always served.
    pub guaranteed_per_s: u32,
    /// Beyond the guaranteed ones, while there is room; 0: none.
    pub burst_per_s: u32,
    /// Of one client address; 0: as many as the customer has.
    pub per_ip_per_s: u32,
    /// Who of those that burst goes first: 1 before 2 and so on; at most [`Limits::LAST_PRIORITY`].
    pub burst_priority: u8,
}

impl Limits {
    /// The last in line.
    pub const LAST_PRIORITY: u8 = 9;
}

/// A key that is let in. Revoked, expired and deleted ones are not in a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VaultKey {
    pub sha256: KeyHash,
    /// As in log lines.
    pub fingerprint: u32,
    /// From when it is not let in any more, also by a gateway that has heard nothing since.
    pub expires_at: Option<UtcMillis>,
}

/// A customer who has a key for the service on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiEntry {
    pub tier: Tier,
    pub status: Status,
    /// Of the tier, whatever the status is.
    pub limits: Limits,
    /// Ordered by hash, each once; at least one.
    pub keys: Vec<VaultKey>,
    /// The only networks that requests may come from, ordered, each once; `None`: anywhere.
    pub allowlist: Option<Vec<IpNet>>,
}

/// Which of a process group's keys it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Derivation {
    pub group: ProcessGroup,
    /// From 1.
    pub index: u64,
}

/// A Seal key that is switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealKeyEntry {
    /// Present once it is registered on the chain.
    pub object: Option<ObjectId>,
    /// Those whose policies it answers to.
    pub packages: BTreeSet<PackageAddress>,
}

/// A customer who has a Seal key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealEntry {
    pub status: Status,
    /// At least one.
    pub keys: BTreeMap<Derivation, SealKeyEntry>,
}

/// Everything that gateways know of a service on a network.
pub type ApiVault = BTreeMap<CustomerId, ApiEntry>;

/// Everything that key servers know of a network.
pub type SealVault = BTreeMap<CustomerId, SealEntry>;

/// The content of a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Api(ApiVault),
    SealKeys(SealVault),
}

impl Content {
    /// Customers in it.
    pub fn len(&self) -> usize {
        match self {
            Self::Api(vault) => vault.len(),
            Self::SealKeys(vault) => vault.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_name(status.name()), Some(status));
        }
        assert_eq!(Status::from_name("On"), None);
    }
}
