//! From the maps that an HAProxy has to the ones that it should have, in steps that refuse nobody on the way.
//!
//! ```text
//! version: unfinished ─▶ allowlist: what is added ─▶ limits ─▶ keys ─▶ allowlist: what is removed ─▶ version: the new one
//! ```
//! A customer's networks are there before the limits say that only they may, and go after the limits have stopped to say
//! so; limits are there before the keys that need them.

use std::collections::BTreeMap;

use super::{AllowedNetwork, LISTED, MapName, Maps, UNFINISHED, hash_word, key_value, limit_value, limit_word};

/// Lines of a map that are changed one by one.
const MOST_CHANGES: usize = 400;
/// Lines that HAProxy may visit for them, during which it serves nobody. Until version 2.8 it goes through the whole map
/// for a line that is set or removed: 0.5 to 5 ms where there are 100,000, which is 0.2 s as a whole new map, during which
/// it serves everybody.
const MOST_VISITS: usize = 20_000_000;
/// Setting a line visits the others more thoroughly than removing one.
const VISITS_TO_SET: usize = 2;

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
    /// What the maps were made of.
    Version(String),
}

/// The steps from `old`, which is in force, to `new`. Without `old`, nothing is known of what is in force.
pub fn plan(old: Option<&Maps>, new: &Maps) -> Vec<MapStep> {
    let steps = match old {
        Some(old) => changes(old, new),
        None => [MapName::Allowlist, MapName::Limits, MapName::Keys].map(|map| replacement(new, map)).into(),
    };
    let begun = (!steps.is_empty()).then(|| MapStep::Version(UNFINISHED.to_owned()));
    begun.into_iter().chain(steps).chain([MapStep::Version(new.version.clone())]).collect()
}

fn changes(old: &Maps, new: &Maps) -> Vec<MapStep> {
    let (widen, narrow) = allowlist_steps(old, new);
    let limits = differences(&old.limits, &new.limits, limit_word, limit_value);
    let keys = differences(&old.keys, &new.keys, hash_word, key_value);
    [widen, step(old, new, MapName::Limits, limits), step(old, new, MapName::Keys, keys), narrow]
        .into_iter()
        .flatten()
        .collect()
}

fn replacement(new: &Maps, map: MapName) -> MapStep {
    MapStep::Replace { map, text: new.encode(map) }
}

/// Nothing if nothing changes; line by line if that is cheap.
fn step(old: &Maps, new: &Maps, map: MapName, changes: Vec<MapChange>) -> Option<MapStep> {
    if changes.is_empty() {
        None
    } else if are_few(&changes, old.count(map)) {
        Some(MapStep::Change { map, changes })
    } else {
        Some(replacement(new, map))
    }
}

fn are_few(changes: &[MapChange], lines: usize) -> bool {
    let visits = |change: &MapChange| match change {
        MapChange::Add { .. } => 0,
        MapChange::Set { .. } => lines.saturating_mul(VISITS_TO_SET),
        MapChange::Remove { .. } => lines,
    };
    changes.len() <= MOST_CHANGES && changes.iter().map(visits).sum::<usize>() <= MOST_VISITS
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

/// What lets in more, and what lets in less.
fn allowlist_steps(old: &Maps, new: &Maps) -> (Option<MapStep>, Option<MapStep>) {
    let map = MapName::Allowlist;
    let add = |network: &AllowedNetwork| MapChange::Add { word: network.word(), value: LISTED.to_owned() };
    let added: Vec<MapChange> = new.allowlist.difference(&old.allowlist).map(add).collect();
    let remove = |network: &AllowedNetwork| MapChange::Remove { word: network.word() };
    let removed: Vec<MapChange> = old.allowlist.difference(&new.allowlist).map(remove).collect();
    let allowlist =
        if added.len() > MOST_CHANGES { old.allowlist.union(&new.allowlist).copied().collect() } else { [].into() };
    let both = Maps { allowlist, ..Maps::default() };
    (step(old, &both, map, added), step(old, new, map, removed))
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

    /// What an HAProxy has in its maps, and the version.
    #[derive(Default)]
    struct Running(BTreeMap<MapName, BTreeMap<String, String>>, String);

    impl Running {
        fn of(maps: &Maps) -> Self {
            let mut running = Self::default();
            plan(None, maps).iter().for_each(|step| running.take(step));
            running
        }

        fn take(&mut self, step: &MapStep) {
            match step {
                MapStep::Version(version) => self.1.clone_from(version),
                MapStep::Replace { map, text } => {
                    assert_eq!(self.1, UNFINISHED);
                    let parts = text.lines().map(|line| line.split_once(' ').unwrap());
                    let lines = parts.map(|(word, value)| (word.to_owned(), value.to_owned())).collect();
                    self.0.insert(*map, lines);
                }
                MapStep::Change { map, changes } => {
                    assert_eq!(self.1, UNFINISHED);
                    let lines = self.0.entry(*map).or_default();
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
            prop_assert_eq!((running.0, running.1.as_str()), (after.0, "2"));
        }
    }

    /// Which maps are changed, and whether at once.
    fn shapes(steps: &[MapStep]) -> Vec<(MapName, bool)> {
        let shape = |step: &MapStep| match step {
            MapStep::Change { map, .. } => Some((*map, false)),
            MapStep::Replace { map, .. } => Some((*map, true)),
            MapStep::Version(_) => None,
        };
        steps.iter().filter_map(shape).collect()
    }

    #[test]
    fn many_changes_are_one_replacement_and_few_are_single_ones() {
        let some = |count: u32, guaranteed| (1..=count).map(|n| (n, (guaranteed, Some(2)))).collect();
        let (old, more) = (maps("1", &some(500, 3)), maps("2", &some(500, 4)));
        assert_eq!(shapes(&plan(Some(&old), &more)), [(MapName::Limits, true)]);
        // Every customer's network is new: all of them are there before the limits ask for them.
        let none = maps("1", &(1..=500).map(|n| (n, (3, None))).collect());
        let steps = plan(Some(&none), &old);
        assert_eq!(shapes(&steps), [(MapName::Allowlist, true), (MapName::Limits, true)]);
        let mut running = Running::of(&none);
        steps.iter().for_each(|step| running.take(step));
        assert_eq!(running.0, Running::of(&old).0);
    }

    #[test]
    fn how_many_are_few_depends_on_the_map() {
        let word = String::new();
        let (add, set, remove) = (
            MapChange::Add { word: word.clone(), value: word.clone() },
            MapChange::Set { word: word.clone(), value: word.clone() },
            MapChange::Remove { word },
        );
        for (change, lines, most) in
            [(add, 1_000_000, 400), (set.clone(), 1000, 400), (set, 200_000, 50), (remove, 200_000, 100)]
        {
            assert!(are_few(&vec![change.clone(); most], lines), "{change:?}");
            assert!(!are_few(&vec![change.clone(); most + 1], lines), "{change:?}");
        }
    }

    #[test]
    fn what_is_changed_is_marked_until_the_last_line_is_right() {
        let (old, mut new) = (maps("1", &BTreeMap::from([(7, (3, None))])), Maps::default());
        new.version = "2".to_owned();
        new.limits.insert(owner(7), LimitEntry { status: Status::Unpaid, ..LimitEntry::new(3, 0) });
        let set = MapChange::Set { word: "7/1/1".to_owned(), value: "0|0|1|unpaid".to_owned() };
        let remove = MapChange::Remove { word: hash_word(&KeyHash::of("7")) };
        assert_eq!(
            plan(Some(&old), &new),
            [
                MapStep::Version(UNFINISHED.to_owned()),
                MapStep::Change { map: MapName::Limits, changes: vec![set] },
                MapStep::Change { map: MapName::Keys, changes: vec![remove] },
                MapStep::Version("2".to_owned()),
            ]
        );
        let same = Maps { version: "3".to_owned(), ..new.clone() };
        assert_eq!(plan(Some(&new), &same), [MapStep::Version("3".to_owned())]);
    }
}
