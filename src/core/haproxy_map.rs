//! The lines of HAProxy's map files: what a gateway knows about keys and customers.
//!
//! A map line is a word, a space, and a value of fields separated by `|`. Fields are added at the end only, because a
//! running HAProxy's configuration reads them by position.
//!
//! ```text
//! keys.map    <SHA-256 of the whole key, lower-case hex> <customer>|<service>|<network>|<fingerprint, upper-case hex>
//! limits.map  <customer>/<service> <guaranteed per second>|<burst per second>
//! ```
//! Tiers are per service, therefore so are limits. A key or a customer without a line is refused.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::core::id::{CustomerId, Network, Service};

/// Name of the map of keys, in the folder of the maps.
pub const KEYS_FILE: &str = "keys.map";
/// Name of the map of limits, in the same folder.
pub const LIMITS_FILE: &str = "limits.map";

/// SHA-256 of a whole API key: a gateway holds nothing that could make a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The hash of a key as the customer sends it.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }
}

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyEntry {
    pub customer: CustomerId,
    pub service: Service,
    pub network: Network,
    /// As in the log lines.
    pub fingerprint: u32,
}

/// Which limit it is: a customer has one per service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey {
    pub customer: CustomerId,
    pub service: Service,
}

/// Requests per second. Nothing guaranteed means that the service is turned off for the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitEntry {
    pub guaranteed_per_s: u32,
    /// Beyond the guaranteed ones, when there is room.
    pub burst_per_s: u32,
}

/// The map of keys, a line each, ordered by hash.
pub fn encode_keys(keys: &BTreeMap<KeyHash, KeyEntry>) -> String {
    keys.iter().fold(String::new(), |mut text, (hash, entry)| {
        push_line(&mut text, &hash_word(hash), &key_value(entry));
        text
    })
}

/// The map of limits, a line each, ordered by customer and service.
pub fn encode_limits(limits: &BTreeMap<LimitKey, LimitEntry>) -> String {
    limits.iter().fold(String::new(), |mut text, (key, entry)| {
        push_line(&mut text, &limit_word(key), &limit_value(entry));
        text
    })
}

/// The word under which a key is looked up.
pub fn hash_word(hash: &KeyHash) -> String {
    data_encoding::HEXLOWER.encode(&hash.0)
}

/// What is found under it.
pub fn key_value(entry: &KeyEntry) -> String {
    let KeyEntry { customer, service, network, fingerprint } = entry;
    format!("{customer}|{}|{}|{fingerprint:X}", service.number(), network.number())
}

/// The word under which a limit is looked up.
pub fn limit_word(key: &LimitKey) -> String {
    format!("{}/{}", key.customer, key.service.number())
}

/// What is found under it.
pub fn limit_value(entry: &LimitEntry) -> String {
    format!("{}|{}", entry.guaranteed_per_s, entry.burst_per_s)
}

fn push_line(text: &mut String, word: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{word} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(number: u32) -> CustomerId {
        CustomerId::new(number).unwrap()
    }

    #[test]
    fn keys_are_lines_in_the_order_of_their_hashes() {
        let entry = |number, service, network, fingerprint| KeyEntry {
            customer: customer(number),
            service,
            network,
            fingerprint,
        };
        let keys = BTreeMap::from([
            (KeyHash([0xFF; 32]), entry(u32::MAX, Service::Graphql, Network::Testnet, 0)),
            (KeyHash([0x0A; 32]), entry(1, Service::Seal, Network::Mainnet, 0x0100_5F7C)),
        ]);
        let expected = format!("{} 1|1|1|1005F7C\n{} 4294967295|3|0|0\n", "0a".repeat(32), "ff".repeat(32));
        assert_eq!(encode_keys(&keys), expected);
    }

    #[test]
    fn limits_are_lines_in_the_order_of_customer_and_service() {
        let limits = BTreeMap::from([
            (
                LimitKey { customer: customer(10), service: Service::Seal },
                LimitEntry { guaranteed_per_s: 0, burst_per_s: 0 },
            ),
            (
                LimitKey { customer: customer(9), service: Service::Grpc },
                LimitEntry { guaranteed_per_s: 15, burst_per_s: 45 },
            ),
            (
                LimitKey { customer: customer(9), service: Service::Seal },
                LimitEntry { guaranteed_per_s: 3, burst_per_s: 0 },
            ),
        ]);
        assert_eq!(encode_limits(&limits), "9/1 3|0\n9/2 15|45\n10/1 0|0\n");
    }

    #[test]
    fn a_key_is_hashed_as_it_is_sent() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash_word(&KeyHash::of("abc")), expected);
    }

    #[test]
    fn nobody_is_an_empty_file() {
        assert_eq!(encode_keys(&BTreeMap::new()), "");
        assert_eq!(encode_limits(&BTreeMap::new()), "");
    }
}
