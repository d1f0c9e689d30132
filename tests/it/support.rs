//! What several tests need.

use suiftly::traffic::Options;

/// A small store, so that many tests fit beside each other.
pub const STORE: Options = Options { memory_limit_mib: 256, threads: 1 };

/// A good log line whose request counter tells it from all others.
pub fn line(number: u64) -> String {
    format!(
        "s1 {} 1 7 {number} {number} 12345 1 1 1 0 1005F7C 203.0.113.9 51234 20002 GET /v1/keys 200 312 1045 \
         0/0/0/0/1/2/3 ---- be_seal s1 1\n",
        1_795_424_400_000 + number
    )
}

/// Lines `from..to`, one after the other.
pub fn lines(from: u64, to: u64) -> String {
    (from..to).map(line).collect()
}
