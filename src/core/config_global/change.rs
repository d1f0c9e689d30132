//! One change of one key by the operator, while the product runs.
//!
//! A change of a public value raises `fver` with it, so that open dashboards reload.

use std::collections::BTreeMap;

use super::{BadConfig, BadEntry, ConfigGlobal, check_value, parse_whole};

/// What two values must not say together, or one must not say about a tier. Checked for changes only: a product that
/// runs goes on with what it has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    #[error("{included_key} would include {included}, but {max_key} allows {max}: change the other one first")]
    IncludedAboveMax { included_key: &'static str, included: u64, max_key: &'static str, max: u64 },
    #[error("{key} would guarantee nothing to those who pay for the tier: give at least 1")]
    NothingGuaranteed { key: &'static str },
}

/// Why a change is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadConfigChange {
    /// The key or the value by itself.
    #[error(transparent)]
    Entry(#[from] BadEntry),
    /// What it would stand beside.
    #[error(transparent)]
    Inconsistent(#[from] Inconsistency),
    /// The table was wrong before.
    #[error("nothing can be changed before this is put right: {0}")]
    Table(#[from] BadConfig),
    #[error("{VERSION_KEY} counts changes: it can go from {from} to {next} only")]
    VersionJump { from: u64, next: u64 },
}

const VERSION_KEY: &str = "fver";
const INCLUDED_AND_MAX: [(&str, &str); 4] = [
    ("fapikey_incl", "fmax_apikey"),
    ("fskey_incl", "fmax_skey"),
    ("fskey_pkg_incl", "fmax_pkg"),
    ("fipv4_incl", "fmax_ipv4"),
];
const GUARANTEED: [&str; 3] = ["bglim_sta", "bglim_pro", "bglim_ent"];

/// What to write, key and value, to give one key of `table` a new value: nothing if it has that value already.
///
/// # Errors
/// [`BadConfigChange`]; then nothing is to be written.
pub fn change(
    table: &BTreeMap<String, String>,
    key: &str,
    value: &str,
) -> Result<Vec<(String, String)>, BadConfigChange> {
    check_value(key, value)?;
    if table.get(key).is_some_and(|known| known == value) {
        return Ok(Vec::new());
    }
    let mut writes = vec![(key.to_owned(), value.to_owned())];
    writes.extend(next_version(table, key, value)?);
    let mut after = table.clone();
    after.extend(writes.iter().cloned());
    match ConfigGlobal::from_table(&after) {
        Ok(after) => check_consistency(&after, key)?,
        // One wrong value after the other can be put right.
        Err(_) if mends(table, key) => {}
        Err(bad) => return Err(bad.into()),
    }
    Ok(writes)
}

/// The version that goes with a change of `key`, if one does. There is none to count from while it is wrong itself.
fn next_version(
    table: &BTreeMap<String, String>,
    key: &str,
    value: &str,
) -> Result<Option<(String, String)>, BadConfigChange> {
    let Some(from) = table.get(VERSION_KEY).and_then(|text| parse_whole(text)) else { return Ok(None) };
    let next = from.saturating_add(1);
    if key == VERSION_KEY && value != next.to_string() {
        return Err(BadConfigChange::VersionJump { from, next });
    }
    if key == VERSION_KEY || !is_public(key) {
        return Ok(None);
    }
    check_value(VERSION_KEY, &next.to_string())?;
    Ok(Some((VERSION_KEY.to_owned(), next.to_string())))
}

/// Whether the value that is there for `key` is one of those that are wrong.
fn mends(table: &BTreeMap<String, String>, key: &str) -> bool {
    table.get(key).is_none_or(|value| check_value(key, value).is_err())
}

fn is_public(key: &str) -> bool {
    key.starts_with('f')
}

/// Only what the changed key has a part in: what was inconsistent before does not stand in the way of other changes.
fn check_consistency(after: &ConfigGlobal, changed: &str) -> Result<(), Inconsistency> {
    for (included_key, max_key) in INCLUDED_AND_MAX {
        let (included, max) = (after.count(included_key), after.count(max_key));
        if (changed == included_key || changed == max_key) && included > max {
            return Err(Inconsistency::IncludedAboveMax { included_key, included, max_key, max });
        }
    }
    match GUARANTEED.into_iter().find(|key| *key == changed && after.count(key) == 0) {
        Some(key) => Err(Inconsistency::NothingGuaranteed { key }),
        None => Ok(()),
    }
}
