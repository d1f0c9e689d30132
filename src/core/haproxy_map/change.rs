//! From the maps that an HAProxy has to the ones that it should have, in steps that refuse nobody on the way.
//!
//! ```text
//! allowlist: what is added ─▶ limits ─▶ keys ─▶ allowlist: what is removed
//! ```
//! A customer's networks are there before the limits say that only they may, and go after the limits have stopped to say
//! so; limits are there before the keys that need them.

use std::collections::BTreeMap;

use super::{
    AllowedNetwork, LISTED, MapName, Maps, UNFINISHED, VERSION_WORD, hash_word, key_value, limit_value, limit_word,
};

/// Lines of a map that are changed one by one; more are cheaper as a whole new map. HAProxy 2.6 needs 0.47 ms for a line
/// in a map of 200,000, during which it serves nobody, and 0.4 s for all of them, during which it serves everybody.
const MOST_CHANGES: usize = 200;

/// One line of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapChange {
    Add { word: String, value: String },
    Set { word: String, value: String },
    Remove { word: String },
}

/// One step of a running HAProxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapStep {
    /// Line by line, in this order.
    Change { map: MapName, changes: Vec<MapChange> },
    /// At once: all lines of the map as it is to be.
    Replace { map: MapName, text: String },
}

impl MapStep {
    /// Which map it is about.
    pub fn map(&self) -> MapName {
        match self {
            Self::Change { map, .. } | Self::Replace { map, .. } => *map,
        }
    }
}

/// The steps from `old`, which is in force, to `new`. Without `old`, nothing is known of what is in force.
pub fn plan(old: Option<&Maps>, new: &Maps) -> Vec<MapStep> {
    let Some(old) = old else {
        let order = [MapName::Allowlist, MapName::Limits, MapName::Keys];
        return order.map(|map| MapStep::Replace { map, text: new.encode(map) }).into();
    };
    let mut steps = Vec::new();
    let (widen, narrow) = allowlist_steps(old, new);
    steps.extend(widen);
    steps.push(step(new, MapName::Limits, differences(&old.limits, &new.limits, limit_word, limit_value)));
    steps.push(step(new, MapName::Keys, differences(&old.keys, &new.keys, hash_word, key_value)));
    steps.push(narrow);
    steps
}

/// One by one if there are few, and the version last.
fn step(new: &Maps, map: MapName, changes: Vec<MapChange>) -> MapStep {
    if changes.len() > MOST_CHANGES {
        return MapStep::Replace { map, text: new.encode(map) };
    }
    let begun = (!changes.is_empty()).then(|| set_version(UNFINISHED));
    let changes = begun.into_iter().chain(changes).chain([set_version(&new.version)]).collect();
    MapStep::Change { map, changes }
}

fn set_version(version: &str) -> MapChange {
    MapChange::Set { word: VERSION_WORD.to_owned(), value: version.to_owned() }
}

fn differences<K: Ord, V: PartialEq>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    word: fn(&K) -> String,
    value: fn(&V) -> String,
) -> Vec<MapChange> {
    let removed = old.keys().filter(|key| !new.contains_key(key)).map(|key| MapChange::Remove { word: word(key) });
    let put = new.iter().filter_map(|(key, entry)| match old.get(key) {
        Some(before) if before == entry => None,
        Some(_) => Some(MapChange::Set { word: word(key), value: value(entry) }),
        None => Some(MapChange::Add { word: word(key), value: value(entry) }),
    });
    removed.chain(put).collect()
}

/// What lets in more, if anything does, and what lets in less, after which the map has its version.
fn allowlist_steps(old: &Maps, new: &Maps) -> (Option<MapStep>, MapStep) {
    let map = MapName::Allowlist;
    let add = |network: &AllowedNetwork| MapChange::Add { word: network.word(), value: LISTED.to_owned() };
    let added: Vec<MapChange> = new.allowlist.difference(&old.allowlist).map(add).collect();
    let remove = |network: &AllowedNetwork| MapChange::Remove { word: network.word() };
    let removed: Vec<MapChange> = old.allowlist.difference(&new.allowlist).map(remove).collect();
    let widen = if added.len() > MOST_CHANGES {
        let allowlist = old.allowlist.union(&new.allowlist).copied().collect();
        let both = Maps { version: UNFINISHED.to_owned(), allowlist, ..Maps::default() };
        Some(MapStep::Replace { map, text: both.encode(map) })
    } else if added.is_empty() {
        None
    } else {
        Some(MapStep::Change { map, changes: std::iter::once(set_version(UNFINISHED)).chain(added).collect() })
    };
    (widen, step(new, map, removed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::haproxy_map::{KeyEntry, KeyHash, LimitEntry, LimitKey, split};
    use crate::core::id::{CustomerId, Network, Service};
    use crate::core::vault::Status;
    use proptest::prelude::*;

    fn owner(customer: u32) -> LimitKey {
        LimitKey { customer: CustomerId::new(customer).unwrap(), service: Service::Seal, network: Network::Mainnet }
    }

    /// Customers, each with a key and perhaps a network, from some numbers.
    fn maps(version: &str, customers: &BTreeMap<u32, (u32, Option<u8>)>) -> Maps {
        let mut maps = Maps { version: version.to_owned(), ..Maps::default() };
        for (customer, (guaranteed_per_s, network)) in customers {
            let owner = owner(*customer);
            let has_allowlist = network.is_some();
            let limit = LimitEntry { has_allowlist, ..LimitEntry::new(*guaranteed_per_s, 0) };
            maps.limits.insert(owner, limit);
            let LimitKey { customer, service, network: of_key } = owner;
            let entry = KeyEntry { customer, service, network: of_key, fingerprint: 1, expires_at: None };
            maps.keys.insert(KeyHash::of(&customer.to_string()), entry);
            for network in network.iter().flat_map(|host| split(format!("203.0.113.{host}/31").parse().unwrap())) {
                maps.allowlist.insert(AllowedNetwork { owner, network });
            }
        }
        maps
    }

    /// What an HAProxy has in its maps.
    #[derive(Default)]
    struct Running(BTreeMap<MapName, BTreeMap<String, String>>);

    impl Running {
        fn of(maps: &Maps) -> Self {
            let mut running = Self::default();
            plan(None, maps).iter().for_each(|step| running.take(step));
            running
        }

        fn take(&mut self, step: &MapStep) {
            let lines = self.0.entry(step.map()).or_default();
            match step {
                MapStep::Replace { text, .. } => {
                    let parts = text.lines().map(|line| line.split_once(' ').unwrap());
                    *lines = parts.map(|(word, value)| (word.to_owned(), value.to_owned())).collect();
                }
                MapStep::Change { changes, .. } => {
                    for change in changes {
                        match change.clone() {
                            MapChange::Add { word, value } => assert_eq!(lines.insert(word, value), None),
                            MapChange::Set { word, value } => assert!(lines.insert(word, value).is_some()),
                            MapChange::Remove { word } => assert!(lines.remove(&word).is_some()),
                        }
                    }
                }
            }
        }

        /// Whether a customer's request from this address would be served.
        fn serves(&self, customer: u32, host: u8) -> bool {
            let limit = self.0[&MapName::Limits].get(&format!("{customer}/1/1"));
            let key = hash_word(&KeyHash::of(&customer.to_string()));
            let is_listed = self.0[&MapName::Allowlist].contains_key(&format!("203.0.113.{host}/32/{customer}/1/1"));
            self.0[&MapName::Keys].contains_key(&key)
                && limit.is_some_and(|limit| !limit.starts_with("0|") && (limit.contains("|-|") || is_listed))
        }
    }

    fn customers() -> impl Strategy<Value = BTreeMap<u32, (u32, Option<u8>)>> {
        prop::collection::btree_map(1u32..9, (0u32..3, prop::option::of(0u8..4)), 0..8)
    }

    proptest! {
        #[test]
        fn the_steps_lead_from_any_maps_to_any_others_and_refuse_nobody_whom_both_serve(
            old in customers(),
            new in customers(),
        ) {
            let (old, new) = (maps("1", &old), maps("2", &new));
            let (before, after) = (Running::of(&old), Running::of(&new));
            let mut running = Running::of(&old);
            for step in plan(Some(&old), &new) {
                running.take(&step);
                for (customer, host) in (1..9).flat_map(|customer| (0..6).map(move |host| (customer, host))) {
                    let served = before.serves(customer, host) && after.serves(customer, host);
                    prop_assert!(!served || running.serves(customer, host), "{} from .{} at {:?}", customer, host, step);
                }
            }
            prop_assert_eq!(running.0, after.0);
        }
    }

    #[test]
    fn many_changes_are_one_replacement_and_few_are_single_ones() {
        let some = |count: u32, guaranteed| (1..=count).map(|n| (n, (guaranteed, Some(2)))).collect();
        let (old, more) = (maps("1", &some(300, 3)), maps("2", &some(300, 4)));
        let replaced = |steps: &[MapStep]| {
            let shape = |step: &MapStep| (step.map(), matches!(step, MapStep::Replace { .. }));
            steps.iter().map(shape).collect::<Vec<_>>()
        };
        assert_eq!(
            replaced(&plan(Some(&old), &more)),
            [(MapName::Limits, true), (MapName::Keys, false), (MapName::Allowlist, false)]
        );
        // Every customer's network is new: all of them are there before the limits ask for them.
        let none = maps("1", &(1..=300).map(|n| (n, (3, None))).collect());
        let steps = plan(Some(&none), &old);
        assert_eq!(replaced(&steps)[0], (MapName::Allowlist, true));
        let MapStep::Replace { text, .. } = &steps[0] else { panic!("{steps:?}") };
        assert!(text.starts_with("version unfinished\n"), "{text}");
        let mut running = Running::of(&none);
        steps.iter().for_each(|step| running.take(step));
        assert_eq!(running.0, Running::of(&old).0);
    }

    #[test]
    fn what_is_changed_is_marked_until_the_last_line_is_right() {
        let (old, mut new) = (maps("1", &BTreeMap::from([(7, (3, None))])), Maps::default());
        new.version = "2".to_owned();
        new.limits.insert(owner(7), LimitEntry { status: Status::Unpaid, ..LimitEntry::new(3, 0) });
        let set = |word: &str, value: &str| MapChange::Set { word: word.to_owned(), value: value.to_owned() };
        let unfinished = set("version", "unfinished");
        let remove = MapChange::Remove { word: hash_word(&KeyHash::of("7")) };
        assert_eq!(
            plan(Some(&old), &new),
            [
                MapStep::Change {
                    map: MapName::Limits,
                    changes: vec![unfinished.clone(), set("7/1/1", "0|0|0|0|-|unpaid"), set("version", "2")]
                },
                MapStep::Change { map: MapName::Keys, changes: vec![unfinished, remove, set("version", "2")] },
                MapStep::Change { map: MapName::Allowlist, changes: vec![set("version", "2")] },
            ]
        );
    }
}
