//! Networks that a customer's requests may come from, as lines that HAProxy can look up.
//!
//! `map_ip` finds the longest network that an address is in, whoever's it is, so it cannot answer for one customer. What
//! can: the address, cut to a prefix length, together with the customer as one word. HAProxy asks once a length, so there
//! are lines of a few lengths only, the multiples of four, and a network of another length is [`split`] into at most eight
//! of the next longer one.

use ipnet::IpNet;

use super::{LimitKey, limit_word};
use crate::core::ip_allowlist::canonical;

/// Between two lengths that are looked up.
const STEP: u8 = 4;
/// What most networks have: asked first.
const USUAL_IPV4: [u8; 3] = [32, 24, 16];
const USUAL_IPV6: [u8; 5] = [128, 64, 56, 48, 32];

/// A network that one customer allows for one service. Its prefix length is one that is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllowedNetwork {
    pub owner: LimitKey,
    pub network: IpNet,
}

impl AllowedNetwork {
    /// The word of its line.
    pub fn word(&self) -> String {
        format!("{}/{}/{}", self.network.network(), self.network.prefix_len(), limit_word(&self.owner))
    }
}

/// The prefix lengths of IPv4 that are looked up, the usual ones first.
pub fn ipv4_prefixes() -> Vec<u8> {
    prefixes(&USUAL_IPV4, 32)
}

/// The prefix lengths of IPv6 that are looked up, the usual ones first.
pub fn ipv6_prefixes() -> Vec<u8> {
    prefixes(&USUAL_IPV6, 128)
}

fn prefixes(usual: &[u8], longest: u8) -> Vec<u8> {
    let others = (1..=longest / STEP).rev().map(|step| step * STEP).filter(|prefix| !usual.contains(prefix));
    usual.iter().copied().chain(others).collect()
}

/// The same addresses as one to eight networks whose lengths are looked up. IPv4 that is written as IPv6 becomes IPv4,
/// as the addresses of requests do.
pub fn split(network: IpNet) -> Vec<IpNet> {
    let network = canonical(network).trunc();
    let prefix = network.prefix_len().max(1).next_multiple_of(STEP);
    // Not longer than an address, whose length is a multiple of the step.
    match network {
        IpNet::V4(network) => network.subnets(prefix).into_iter().flatten().map(IpNet::V4).collect(),
        IpNet::V6(network) => network.subnets(prefix).into_iter().flatten().map(IpNet::V6).collect(),
    }
}
