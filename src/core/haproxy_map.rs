//! The lines of HAProxy's map files: what a gateway knows about keys and customers.
//!
//! A map line is a word, a space, and a value of fields. Fields are added at the end only, because a running HAProxy's
//! configuration reads them by position; what hardly anybody has is at the end, and left out where it is not.
//!
//! ```text
//! keys.map      <SHA-256 of the key, upper-case hex> <customer>/<service>/<network>/<fingerprint, hex>[/<expiry, s>]
//! limits.map    <customer>/<service>/<network> <guaranteed/s>|<guaranteed and burst/s>|<burst's priority>|<status>[|<one address/s>|<flags>]
//! allowlist.map <address>/<prefix>/<customer>/<service>/<network> 1
//! version.map   version <of what the three were made>
//! ```
//! Tiers are per service, therefore so are limits; and there is a vault for each network, which has its own lines. A key
//! or a customer without a line is refused.

mod allowlist;
mod change;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use sha2::{Digest, Sha256};

pub use self::allowlist::{AllowedNetwork, ipv4_prefixes, ipv6_prefixes, split};
pub use self::change::{MapChange, MapStep, plan};
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Network, Service};
use crate::core::vault::sync::Applied;
use crate::core::vault::{ApiEntry, ApiVault, Limits, Status, VaultCode, VaultKey};

/// Name of the map of keys, in the folder of the maps.
pub const KEYS_FILE: &str = "keys.map";
/// Name of the map of limits, in the same folder.
pub const LIMITS_FILE: &str = "limits.map";
/// Name of the map of allowed networks, in the same folder.
pub const ALLOWLIST_FILE: &str = "allowlist.map";
/// Name of the map with one line, of what the others were made, in the same folder. A line of its own in a map of 200,000
/// would cost an old HAProxy 20 ms whenever it is set.
pub const VERSION_FILE: &str = "version.map";
/// The word of that line.
pub const VERSION_WORD: &str = "version";
/// The version of maps that were made of no vault.
const NOTHING: &str = "none";
/// What every version begins with: other lines are made of the same vaults when the format of lines has changed.
const FORMAT: &str = "2";
/// The version while maps are being changed.
pub const UNFINISHED: &str = "unfinished";

/// The value of the only field of an allowlist line: being there is all it says.
const LISTED: &str = "1";

/// Everything that one gateway's HAProxy knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Maps {
    /// Tells these maps from others: what they were made of. One word.
    pub version: String,
    pub keys: BTreeMap<KeyHash, KeyEntry>,
    pub limits: BTreeMap<LimitKey, LimitEntry>,
    pub allowlist: BTreeSet<AllowedNetwork>,
}

/// One of the three maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MapName {
    Keys,
    Limits,
    Allowlist,
}

impl MapName {
    pub const ALL: [Self; 3] = [Self::Keys, Self::Limits, Self::Allowlist];

    /// The file's name, in the folder of the maps.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Keys => KEYS_FILE,
            Self::Limits => LIMITS_FILE,
            Self::Allowlist => ALLOWLIST_FILE,
        }
    }
}

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
    /// From then on it is refused, without any change of the map.
    pub expires_at: Option<UtcMillis>,
}

/// Which limit it is: a customer has one per service and network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey {
    pub customer: CustomerId,
    pub service: Service,
    pub network: Network,
}

/// What a customer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitEntry {
    pub limits: Limits,
    /// Only networks on the allowlist may send requests.
    pub has_allowlist: bool,
    /// What is not on has nothing guaranteed in the map, and the customer is told why.
    pub status: Status,
}

impl LimitEntry {
    /// Limits of a service that is on, for every address.
    pub fn new(guaranteed_per_s: u32, burst_per_s: u32) -> Self {
        let limits = Limits { guaranteed_per_s, burst_per_s, per_ip_per_s: 0, burst_priority: 0 };
        Self { limits, has_allowlist: false, status: Status::On }
    }
}

impl Maps {
    /// What a gateway knows from the newest vaults that it has, one a code.
    pub fn of<'a>(vaults: impl IntoIterator<Item = (VaultCode, Applied, &'a ApiVault)>) -> Self {
        let mut maps = Self { version: FORMAT.to_owned(), ..Self::default() };
        for (code, version, vault) in vaults {
            let _ = write!(maps.version, "/{code}.{}", Source::of(version));
            for (customer, entry) in vault {
                let key = LimitKey { customer: *customer, service: code.service(), network: code.network() };
                maps.add(key, entry);
            }
        }
        maps
    }

    fn add(&mut self, owner: LimitKey, entry: &ApiEntry) {
        let LimitKey { customer, service, network } = owner;
        for key in &entry.keys {
            let VaultKey { sha256, fingerprint, expires_at } = *key;
            self.keys.insert(sha256, KeyEntry { customer, service, network, fingerprint, expires_at });
        }
        let ApiEntry { status, limits, ref allowlist, .. } = *entry;
        self.limits.insert(owner, LimitEntry { limits, has_allowlist: allowlist.is_some(), status });
        let networks = allowlist.iter().flatten().flat_map(|network| split(*network));
        self.allowlist.extend(networks.map(|network| AllowedNetwork { owner, network }));
    }

    /// A whole map file: a line each in the order of the words' meaning.
    pub fn encode(&self, map: MapName) -> String {
        let mut text = String::new();
        self.each(map, |word, value| push_line(&mut text, word, value));
        text
    }

    /// The whole file that tells the version.
    pub fn encode_version(&self) -> String {
        // HAProxy takes no line without a value.
        format!("{VERSION_WORD} {}\n", if self.version.is_empty() { NOTHING } else { &self.version })
    }

    /// Lines of a map.
    pub fn count(&self, map: MapName) -> usize {
        match map {
            MapName::Keys => self.keys.len(),
            MapName::Limits => self.limits.len(),
            MapName::Allowlist => self.allowlist.len(),
        }
    }

    /// Lines that stand for a whole map: its first, one in the middle, its last.
    pub fn samples(&self, map: MapName) -> Vec<(String, String)> {
        let places = [0, self.count(map) / 2, self.count(map).saturating_sub(1)];
        let (mut number, mut lines) = (0, Vec::new());
        self.each(map, |word, value| {
            if places.contains(&number) {
                lines.push((word.to_owned(), value.to_owned()));
            }
            number += 1;
        });
        lines
    }

    /// Every word and value of a map.
    fn each(&self, map: MapName, mut line: impl FnMut(&str, &str)) {
        match map {
            MapName::Keys => self.keys.iter().for_each(|(hash, entry)| line(&hash_word(hash), &key_value(entry))),
            MapName::Limits => self.limits.iter().for_each(|(key, entry)| line(&limit_word(key), &limit_value(entry))),
            MapName::Allowlist => self.allowlist.iter().for_each(|network| line(&network.word(), LISTED)),
        }
    }
}

/// Names a vault in a version of maps. Two vaults can have one sequence, when a ledger was restored from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    pub sequence: u64,
    /// The begin of the vault's hash.
    tag: u32,
}

impl Source {
    pub fn of(version: Applied) -> Self {
        let [a, b, c, d, ..] = version.hash.0;
        Self { sequence: version.sequence, tag: u32::from_be_bytes([a, b, c, d]) }
    }
}

/// Such as `12-9f3c0a17`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.sequence, self.tag)
    }
}

/// The vaults that a version was made of; none of what is no version.
pub fn sources_of(version: &str) -> BTreeMap<VaultCode, Source> {
    let Some(vaults) = version.strip_prefix(FORMAT).and_then(|rest| rest.strip_prefix('/')) else {
        return BTreeMap::new();
    };
    let read = |part: &str| {
        let (code, source) = part.split_once('.')?;
        let (sequence, tag) = source.split_once('-')?;
        let source = Source { sequence: sequence.parse().ok()?, tag: u32::from_str_radix(tag, 16).ok()? };
        Some((code.parse().ok()?, source))
    };
    vaults.split('/').filter_map(read).collect()
}

/// The word under which a key is looked up.
pub fn hash_word(hash: &KeyHash) -> String {
    data_encoding::HEXUPPER.encode(&hash.0)
}

/// What is found under it. A part of a second more is given rather than taken.
pub fn key_value(entry: &KeyEntry) -> String {
    let KeyEntry { customer, service, network, fingerprint, expires_at } = entry;
    let expiry = expires_at.map(|at| format!("/{}", at.0.max(1).saturating_add(999) / 1000)).unwrap_or_default();
    format!("{customer}/{}/{}/{fingerprint:X}{expiry}", service.number(), network.number())
}

/// The word under which a limit is looked up.
pub fn limit_word(key: &LimitKey) -> String {
    format!("{}/{}/{}", key.customer, key.service.number(), key.network.number())
}

/// What is found under it.
pub fn limit_value(entry: &LimitEntry) -> String {
    let Limits { guaranteed_per_s, burst_per_s, per_ip_per_s, burst_priority } = entry.limits;
    let guaranteed = if entry.status.is_on() { guaranteed_per_s } else { 0 };
    let total = if guaranteed == 0 { 0 } else { u64::from(guaranteed) + u64::from(burst_per_s) };
    // A class of 0 is that of guaranteed requests.
    let priority = u16::from(burst_priority) + 1;
    let special = match (per_ip_per_s, entry.has_allowlist) {
        (0, false) => String::new(),
        (per_ip, has_allowlist) => format!("|{per_ip}|{}", if has_allowlist { "a" } else { "-" }),
    };
    format!("{guaranteed}|{total}|{priority}|{}{special}", entry.status.name())
}

fn push_line(text: &mut String, word: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{word} {value}");
}

#[cfg(test)]
mod tests;
