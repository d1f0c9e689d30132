//! What several tests need.

use std::path::{Path, PathBuf};

use suiftly::app::App;
use suiftly::chain::{Chain, SimChain};
use suiftly::clock::Clock;
use suiftly::config::{NewSecrets, Secrets};
use suiftly::daemon::open_at_rest;
use suiftly::random::random;
use suiftly::traffic::{Options, Writer};

/// A small store, so that many tests fit beside each other.
pub const STORE: Options = Options { memory_limit_mib: 256, threads: 1 };

/// Whose requests the lines are.
pub const CUSTOMER: u32 = 12345;

/// 2026-11-23T09:00:00Z
pub const FIRST_LINE_MS: i64 = 1_795_424_400_000;

/// The program under test.
pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_suiftly"))
}

/// The HAProxy to try things with: `HAPROXY`, or Debian's, which is outside an ordinary user's search path.
pub fn haproxy() -> PathBuf {
    let debian = Path::new("/usr/sbin/haproxy");
    let installed = || if debian.exists() { debian.to_owned() } else { PathBuf::from("haproxy") };
    std::env::var_os("HAPROXY").map_or_else(installed, PathBuf::from)
}

/// A good, billable log line whose request counter tells it from all others.
pub fn line(number: u64) -> String {
    let ts = FIRST_LINE_MS + i64::try_from(number).unwrap();
    format!(
        "s1 {ts} 1 7 {number} {number} {CUSTOMER} 1 1 1 0 1005F7C 203.0.113.9 51234 20002 GET /v1/keys 200 312 1045 \
         0/0/0/0/1/2/3 ---- be_seal s1 1\n"
    )
}

/// Lines `from..to`, one after the other.
pub fn lines(from: u64, to: u64) -> String {
    (from..to).map(line).collect()
}

/// Secrets of a process whose data is temporary.
pub fn secrets() -> Secrets {
    Secrets::temporary(NewSecrets::draw(random).unwrap())
}

/// A file of secrets, if there is none yet.
pub fn create_secrets(path: &Path) {
    if !path.exists() {
        Secrets::create(path, &NewSecrets::draw(random).unwrap()).unwrap();
    }
}

/// An application with its stores in a folder and nothing running.
pub fn app(folder: &Path, clock: Clock) -> (App, Writer) {
    let folder = folder.to_owned();
    // The ledger's blocking calls are for plain threads.
    let open = move || open_at_rest(&folder, clock, Chain::Sim(SimChain::default())).unwrap();
    std::thread::spawn(open).join().unwrap()
}
