//! One customer's line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;

use data_encoding::HEXLOWER;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Entry;
use crate::core::api_key::ProcessGroup;
use crate::core::calendar::UtcMillis;
use crate::core::haproxy_map::KeyHash;
use crate::core::id::CustomerId;
use crate::core::seal_key::PackageAddress;
use crate::core::tier::Tier;
use crate::core::vault::content::{ApiEntry, Derivation, Limits, SealEntry, SealKeyEntry, Status, VaultKey};

/// What is wrong with a line, as the end of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    #[error("does not end with a line feed")]
    Cut,
    #[error("is too long")]
    TooLong,
    #[error("is no entry of this vault")]
    NotAnEntry,
    #[error("holds a value that is not allowed")]
    Value,
    #[error("is not spelled as it has to be")]
    Spelling,
    #[error("is not in the order of the customers")]
    Order,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiLine<'a> {
    #[serde(borrow)]
    allowlist: Option<Vec<&'a str>>,
    burst: u32,
    customer: u32,
    guaranteed: u32,
    #[serde(borrow)]
    keys: Keys<'a>,
    per_ip: u32,
    priority: u8,
    status: &'a str,
    tier: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealLine<'a> {
    customer: u32,
    #[serde(borrow)]
    keys: Vec<SealKeyLine<'a>>,
    status: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealKeyLine<'a> {
    group: u8,
    index: u64,
    object: Option<&'a str>,
    #[serde(borrow)]
    packages: Vec<&'a str>,
}

impl Entry for ApiEntry {
    fn write_line(&self, customer: CustomerId, text: &mut Vec<u8>) {
        text.push(b'{');
        if let Some(allowlist) = &self.allowlist {
            text.extend_from_slice(b"\"allowlist\":");
            push_list(text, allowlist.iter());
            text.push(b',');
        }
        let Limits { guaranteed_per_s, burst_per_s, per_ip_per_s, burst_priority } = self.limits;
        put(text, format_args!("\"burst\":{burst_per_s},\"customer\":{customer},\"guaranteed\":{guaranteed_per_s}"));
        text.extend_from_slice(b",\"keys\":{");
        for (index, key) in self.keys.iter().enumerate() {
            push_key(text, index > 0, key);
        }
        put(text, format_args!("}},\"per_ip\":{per_ip_per_s},\"priority\":{burst_priority}"));
        let (status, tier) = (self.status.name(), self.tier.name());
        put(text, format_args!(",\"status\":\"{status}\",\"tier\":\"{tier}\"}}\n"));
    }

    fn read_line(line: &[u8]) -> Result<(CustomerId, Self), BadLine> {
        let read: ApiLine<'_> = serde_json::from_slice(line).map_err(|_| BadLine::NotAnEntry)?;
        let allowlist = read.allowlist.map(|list| list.iter().map(|text| text.parse()).collect::<Result<Vec<_>, _>>());
        let entry = Self {
            tier: Tier::from_name(read.tier).ok_or(BadLine::Value)?,
            status: Status::from_name(read.status).ok_or(BadLine::Value)?,
            limits: Limits {
                guaranteed_per_s: read.guaranteed,
                burst_per_s: read.burst,
                per_ip_per_s: read.per_ip,
                burst_priority: read.priority,
            },
            keys: read.keys.0.iter().map(vault_key).collect::<Option<_>>().ok_or(BadLine::Value)?,
            allowlist: allowlist.transpose().map_err(|_| BadLine::Value)?,
        };
        let customer = CustomerId::new(read.customer).ok_or(BadLine::Value)?;
        let right = (1..=Limits::LAST_PRIORITY).contains(&entry.limits.burst_priority)
            && !entry.keys.is_empty()
            && entry.keys.is_sorted_by(|before, after| before.sha256 < after.sha256)
            && entry.allowlist.as_ref().is_none_or(|list| is_allowlist(list));
        if !right {
            return Err(BadLine::Value);
        }
        spelled_alike(line, customer, entry)
    }
}

impl Entry for SealEntry {
    fn write_line(&self, customer: CustomerId, text: &mut Vec<u8>) {
        put(text, format_args!("{{\"customer\":{customer},\"keys\":["));
        for (index, (derivation, key)) in self.keys.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            put(text, format_args!("{comma}{{\"group\":{},\"index\":{}", derivation.group.get(), derivation.index));
            if let Some(object) = &key.object {
                put(text, format_args!(",\"object\":\"{object}\""));
            }
            text.extend_from_slice(b",\"packages\":");
            push_list(text, key.packages.iter());
            text.push(b'}');
        }
        put(text, format_args!("],\"status\":\"{}\"}}\n", self.status.name()));
    }

    fn read_line(line: &[u8]) -> Result<(CustomerId, Self), BadLine> {
        let read: SealLine<'_> = serde_json::from_slice(line).map_err(|_| BadLine::NotAnEntry)?;
        let keys: BTreeMap<_, _> = read.keys.iter().map(seal_key).collect::<Option<_>>().ok_or(BadLine::Value)?;
        if keys.is_empty() {
            return Err(BadLine::Value);
        }
        let entry = Self { status: Status::from_name(read.status).ok_or(BadLine::Value)?, keys };
        spelled_alike(line, CustomerId::new(read.customer).ok_or(BadLine::Value)?, entry)
    }
}

/// Also finds keys that are there twice and lists that are not in order: what was read knows only one order.
fn spelled_alike<E: Entry>(line: &[u8], customer: CustomerId, entry: E) -> Result<(CustomerId, E), BadLine> {
    let mut again = Vec::with_capacity(line.len() + 1);
    entry.write_line(customer, &mut again);
    if again.strip_suffix(b"\n") == Some(line) { Ok((customer, entry)) } else { Err(BadLine::Spelling) }
}

fn push_key(text: &mut Vec<u8>, is_next: bool, key: &VaultKey) {
    text.extend_from_slice(if is_next { b",\"" } else { b"\"" });
    let mut digits = [0; 64];
    HEXLOWER.encode_mut(&key.sha256.0, &mut digits);
    text.extend_from_slice(&digits);
    put(text, format_args!("\":[{}", key.fingerprint));
    if let Some(at) = key.expires_at {
        put(text, format_args!(",{}", at.0));
    }
    text.push(b']');
}

fn push_list(text: &mut Vec<u8>, entries: impl Iterator<Item = impl fmt::Display>) {
    text.push(b'[');
    for (index, entry) in entries.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        put(text, format_args!("{comma}\"{entry}\""));
    }
    text.push(b']');
}

fn put(text: &mut Vec<u8>, what: fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = text.write_fmt(what);
}

/// What a service's settings let through: networks rather than addresses in them, in one order.
fn is_allowlist(list: &[IpNet]) -> bool {
    list.is_sorted_by(|before, after| before < after) && list.iter().all(|network| network.trunc() == *network)
}

fn vault_key((digits, times): &(&str, KeyTimes)) -> Option<VaultKey> {
    let sha256 = HEXLOWER.decode(digits.as_bytes()).ok()?.try_into().ok()?;
    Some(VaultKey { sha256: KeyHash(sha256), fingerprint: times.fingerprint, expires_at: times.expires_at })
}

fn seal_key(line: &SealKeyLine<'_>) -> Option<(Derivation, SealKeyEntry)> {
    let object = line.object.map(str::parse).transpose().ok()?;
    let packages: BTreeSet<PackageAddress> =
        line.packages.iter().map(|text| text.parse()).collect::<Result<_, _>>().ok()?;
    let derivation = Derivation { group: ProcessGroup::new(line.group)?, index: line.index };
    (derivation.index > 0).then_some((derivation, SealKeyEntry { object, packages }))
}

/// Keys in the order in which they stand there.
struct Keys<'a>(Vec<(&'a str, KeyTimes)>);

struct KeyTimes {
    fingerprint: u32,
    expires_at: Option<UtcMillis>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Keys<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysVisitor;
        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Keys<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("keys by their SHA-256")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys<'de>, A::Error> {
                let mut keys = Vec::new();
                while let Some(key) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(KeysVisitor)
    }
}

impl<'de> Deserialize<'de> for KeyTimes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimesVisitor;
        impl<'de> Visitor<'de> for TimesVisitor {
            type Value = KeyTimes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fingerprint and perhaps an instant")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<KeyTimes, A::Error> {
                let fingerprint = list.next_element()?.ok_or_else(|| A::Error::custom("no fingerprint"))?;
                Ok(KeyTimes { fingerprint, expires_at: list.next_element()?.map(UtcMillis) })
            }
        }
        deserializer.deserialize_seq(TimesVisitor)
    }
}
