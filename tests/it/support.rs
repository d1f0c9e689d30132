//! What several tests need.

use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use suiftly::app::{Accounts, AccountsOptions, App, TrafficQueries, load_config_global};
use suiftly::chain::{Chain, SimChain};
use suiftly::clock::Clock;
use suiftly::config::Secrets;
use suiftly::core::challenge::Site;
use suiftly::ledger::Ledger;
use suiftly::random::random;
use suiftly::traffic::{Committed, KeptFor, Options, Traffic, Writer};
use tokio::sync::{Notify, watch};

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
    Secrets::temporary(random().unwrap(), random().unwrap(), random().unwrap())
}

/// A file of secrets, if there is none yet.
pub fn create_secrets(path: &Path) {
    if !path.exists() {
        Secrets::create(path, random().unwrap(), random().unwrap(), random().unwrap()).unwrap();
    }
}

/// Accounts for an application that is put together by hand.
pub fn accounts() -> Accounts {
    let Secrets { api_key, session_keys, field_keys, .. } = secrets();
    let (domain, chain) = ("localhost".to_owned(), "sui:mainnet".to_owned());
    let site = Site { uri: format!("http://{domain}"), domain, chain };
    let challenge_key = random().unwrap();
    Accounts::new(AccountsOptions { api_key_secret: api_key, session_keys, field_keys, challenge_key, site }).unwrap()
}

/// An application that is put together by hand, with its stores in a folder and nothing running.
pub fn app(folder: &Path, clock: Clock) -> (App, Writer) {
    let path = folder.join("ledger.db");
    // The ledger's blocking calls are for plain threads.
    let open = move || {
        let ledger = Ledger::open(&path, 1).unwrap();
        let prices = load_config_global(&ledger).unwrap();
        (ledger, prices)
    };
    let (ledger, prices) = std::thread::spawn(open).join().unwrap();
    let (traffic, writer) = Traffic::open(&folder.join("traffic.duckdb"), &STORE).unwrap();
    let app = App {
        clock,
        ledger,
        traffic,
        kept: KeptFor { chunk_days: 7, seal_after_days: 7, retention_days: 90 },
        config_global: ArcSwap::from_pointee(prices),
        tax_basis_points: 0,
        committed: watch::channel(Committed::default()).1,
        delivered_to: Arc::new(AtomicI64::new(i64::MIN)),
        sources: Arc::new(Mutex::new(Vec::new())),
        accounts: accounts(),
        chain: Chain::Sim(SimChain::default()),
        readiness: suiftly::app::KeptReadiness::default(),
        outbox: Notify::new(),
        traffic_queries: TrafficQueries::default(),
    };
    (app, writer)
}
