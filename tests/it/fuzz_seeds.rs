//! The seeds of the fuzz targets, held to the same properties as what the fuzzer makes of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[path = "../fuzz/properties.rs"]
mod properties;

/// Tells whether the input was taken, and panics if the property does not hold.
type Property = fn(&[u8]) -> bool;

const TARGETS: [(&str, Property); 12] = [
    ("api_key", properties::api_key),
    ("config", properties::config),
    ("haproxy_config", properties::haproxy_config),
    ("ip_allowlist", properties::ip_allowlist),
    ("log_formats", properties::log_formats),
    ("log_line", properties::log_line),
    ("sign_in", properties::sign_in),
    ("spool_record", properties::spool_record),
    ("syslog_frame", properties::syslog_frame),
    ("text", properties::text),
    ("vault_file", properties::vault_file),
    ("vault_text", properties::vault_text),
];

/// A seed whose name begins with `refused` is refused, and all others are taken: one that the program no longer takes
/// would lead the fuzzer nowhere.
#[test]
fn the_properties_hold_for_every_seed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    for (target, property) in TARGETS {
        let mut taken = BTreeSet::new();
        for entry in fs::read_dir(folder.join(target)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            println!("{target}/{name}");
            let is_taken = property(&fs::read(entry.path()).unwrap());
            assert_eq!(is_taken, !name.starts_with("refused"), "{target}/{name}: whether it is taken");
            taken.insert(is_taken);
        }
        assert_eq!(taken.len(), 2, "{target} has seeds of one kind only");
    }
}

#[test]
fn every_fuzz_target_has_seeds_here() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/targets");
    let mut found: Vec<_> = fs::read_dir(targets).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let found: Vec<_> = found.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(found, TARGETS.map(|(target, _)| target));
}
