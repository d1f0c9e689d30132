//! The released binary has a DuckDB without ICU, the one that tests link has it: only functions that both have, and
//! that mean the same in every time zone, may be used.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::architecture::statements_of;

const ALLOWED: [&str; 17] = [
    "arg_max",
    "arg_min",
    "least",
    "coalesce",
    "count",
    "epoch_ms",
    "hash",
    "json_serialize_sql",
    "list",
    "make_timestamp",
    "max",
    "min",
    "read_parquet",
    "starts_with",
    "sum",
    "concat_ws",
    "unnest",
];

/// Words that stand before a parenthesis without being functions.
const KEYWORDS: [&str; 15] = [
    "copy",
    "in",
    "values",
    "using",
    "filter",
    "as",
    "exists",
    "from",
    "select",
    "and",
    "or",
    "over",
    "not",
    "materialized",
    "replace",
];

/// Spellings whose meaning depends on ICU or on the session's time zone.
const FORBIDDEN: [&str; 5] = ["now(", "current_", "interval", "timestamptz", "at time zone"];

/// Lower-case names directly before an opening parenthesis, without names of tables in `CREATE` and `INSERT`.
fn called_functions(sql: &str) -> BTreeSet<String> {
    let lower = sql.to_lowercase();
    let mut called = BTreeSet::new();
    for (at, _) in lower.match_indices('(') {
        let before = lower[..at].trim_end_matches(' ');
        let name: String =
            before.chars().rev().take_while(|char| char.is_ascii_alphanumeric() || *char == '_').collect();
        let name: String = name.chars().rev().collect();
        let ahead = before[..before.len() - name.len()].trim_end();
        let is_table = ["table if not exists", "insert into"].iter().any(|words| ahead.ends_with(words));
        if !name.is_empty() && !is_table && !KEYWORDS.contains(&name.as_str()) {
            called.insert(name);
        }
    }
    called
}

#[test]
fn statements_of_the_traffic_store_use_portable_functions_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/traffic");
    let mut texts = statements_of("traffic");
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        texts.push(text.lines().map(|line| line.split("--").next().unwrap_or("")).collect::<Vec<_>>().join("\n"));
    }
    let mut called = BTreeSet::new();
    for text in texts.iter().filter(|text| text.contains("SELECT") || text.contains("CREATE")) {
        let lower = text.to_lowercase();
        for spelling in FORBIDDEN {
            assert!(!lower.contains(spelling), "{spelling} in {text}");
        }
        called.extend(called_functions(text));
    }
    assert!(called.contains("sum") && called.contains("epoch_ms"), "statements were not found: {called:?}");
    let unknown: Vec<_> = called.iter().filter(|name| !ALLOWED.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "check that a DuckDB without ICU has them, then allow them: {unknown:?}");
}

#[test]
fn functions_are_told_from_keywords_and_tables() {
    let sql = "INSERT INTO t (a) SELECT sum(x)::UBIGINT, date_trunc ('day', ts) FROM (SELECT 1) WHERE a IN (1, 2)";
    assert_eq!(called_functions(sql), ["date_trunc", "sum"].map(str::to_owned).into());
}
