//! The process is killed again and again while lines arrive and the log rotates. In the end every line is one row.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use suiftly::clock::Clock;
use suiftly::config::Config;
use suiftly::core::calendar::{Month, UtcMillis};
use suiftly::core::id::CustomerId;
use suiftly::daemon::Daemon;
use suiftly::ledger::usage::usage_of_month;

use crate::support::{CUSTOMER, FIRST_LINE_MS, binary, create_secrets, line, lines, secrets};

/// A life is one in which the process got ready and had some time to work.
const ROTATIONS_PER_LIFE: u32 = 3;

/// `make soak` sets more.
fn kills() -> u32 {
    std::env::var("SUIFTLY_KILLS").map_or(50, |kills| kills.parse().expect("SUIFTLY_KILLS is a number"))
}

/// Appends lines, now and then in two halves, and rotates in turn by rename and by copy and truncate.
struct Scribe {
    folder: PathBuf,
    log: File,
    rng: fastrand::Rng,
    written: u64,
    rotations: u32,
    rotated: Instant,
}

impl Scribe {
    fn new(folder: &Path, seed: u64) -> Self {
        let log = open(&folder.join("ha.log"));
        Self {
            folder: folder.to_owned(),
            log,
            rng: fastrand::Rng::with_seed(seed),
            written: 0,
            rotations: 0,
            rotated: Instant::now(),
        }
    }

    fn write_until(mut self, stop: &AtomicBool, lives: &AtomicU32) -> (u64, u32) {
        while !stop.load(Ordering::Relaxed) {
            let count = self.rng.u64(1..200);
            self.log.write_all(lines(self.written, self.written + count).as_bytes()).unwrap();
            self.written += count;
            if self.rng.u8(..) < 20 {
                self.write_in_halves();
            }
            // A slow machine gets time to read.
            let may_rotate = self.rotations < ROTATIONS_PER_LIFE * (1 + lives.load(Ordering::Relaxed));
            if may_rotate && self.rotated.elapsed() > Duration::from_millis(self.rng.u64(100..900)) {
                self.rotate();
            }
            thread::sleep(Duration::from_millis(self.rng.u64(1..8)));
        }
        (self.written, self.rotations)
    }

    fn write_in_halves(&mut self) {
        let whole = line(self.written);
        let (first, rest) = whole.split_at(self.rng.usize(1..whole.len()));
        self.log.write_all(first.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(self.rng.u64(0..30)));
        self.log.write_all(rest.as_bytes()).unwrap();
        self.written += 1;
    }

    /// Deletes nothing: a file that is gone before it was read is lost with any tool.
    fn rotate(&mut self) {
        let path = |number: u32| self.folder.join(format!("ha.log.{number}"));
        for number in (1..=self.rotations).rev() {
            fs::rename(path(number), path(number + 1)).unwrap();
        }
        let log = self.folder.join("ha.log");
        if self.rotations.is_multiple_of(2) {
            fs::rename(&log, path(1)).unwrap();
            self.log.write_all(line(self.written).as_bytes()).unwrap();
            self.written += 1;
            self.log = open(&log);
        } else {
            fs::copy(&log, path(1)).unwrap();
            self.log.set_len(0).unwrap();
        }
        self.rotations += 1;
        self.rotated = Instant::now();
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

fn write_config(folder: &Path) -> PathBuf {
    let (path, secrets) = (folder.join("suiftly.toml"), folder.join("secrets.toml"));
    create_secrets(&secrets);
    let text = format!(
        "data_dir = {data:?}\nsecrets_file = {secrets:?}\nlog.level = \"info\"\nhttp.listen = \"127.0.0.1:0\"\n\
         [intake]\nlog_file = {log:?}\npoll_interval_ms = 20\nflush_after_ms = 20\n\
         [traffic]\nmemory_limit_mib = 256\nthreads = 1\n",
        data = folder.join("data"),
        log = folder.join("ha.log"),
    );
    fs::write(&path, text).unwrap();
    path
}

fn start(config: &Path, output: &Path) -> Child {
    let output = File::create(output).unwrap();
    Command::new(binary()).args(["serve", "--config"]).arg(config).stdout(Stdio::null()).stderr(output).spawn().unwrap()
}

/// Each start has its own file for what it says.
fn wait_until_ready(child: &mut Child, output: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !fs::read_to_string(output).unwrap().contains("\"ready\"") {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself: {}", fs::read_to_string(output).unwrap());
        assert!(Instant::now() < deadline, "it does not get ready");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn exactly_once_although_the_process_is_killed_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path());
    let output = folder.path().join("output");
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    // What lies beside a log at the very first start is history, so the rotating begins after it.
    let mut first = start(&config, &output);
    wait_until_ready(&mut first, &output);
    first.kill().unwrap();
    first.wait().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let lives = Arc::new(AtomicU32::new(0));
    let scribe = Scribe::new(folder.path(), seed);
    let writing = thread::spawn({
        let (stop, lives) = (stop.clone(), lives.clone());
        move || scribe.write_until(&stop, &lives)
    });
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..kills() {
        let mut child = start(&config, &output);
        // One half dies while it starts or soon after; the other half gets somewhere first, or nothing ever would.
        let is_life = rng.bool();
        if is_life {
            wait_until_ready(&mut child, &output);
        }
        let lived = Duration::from_millis(rng.u64(10..400));
        thread::sleep(lived);
        if is_life && lived > Duration::from_millis(200) {
            lives.fetch_add(1, Ordering::Relaxed);
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself: {}", fs::read_to_string(&output).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let (written, rotations) = writing.join().unwrap();
    assert!(rotations > 4, "only {rotations} rotations");
    println!("{written} lines, {rotations} rotations");
    let config = Config::load(&config).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(check(&config, written));
}

/// What is left is read by one more start; then rows, distinct rows, and usage in the ledger equal the lines.
async fn check(config: &Config, written: u64) {
    let daemon = Daemon::start(config, &secrets(), Clock::System, None).await.unwrap();
    let app = daemon.app().clone();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let traffic = app.traffic.clone();
        let counts = tokio::task::spawn_blocking(move || traffic.line_counts().unwrap()).await.unwrap();
        let customer = CustomerId::new(CUSTOMER).unwrap();
        let month = Month::of(UtcMillis(FIRST_LINE_MS)).unwrap();
        let usage = app.ledger.read(move |tx| usage_of_month(tx, customer, month)).await.unwrap();
        let billable: u64 = usage.iter().map(|usage| usage.billable_requests).sum();
        if (counts, billable) == ((written, 0), written) {
            break;
        }
        assert!(
            Instant::now() < deadline && counts.0 <= written,
            "{written} lines, {} rows and {} rejects, {billable} in the ledger",
            counts.0,
            counts.1
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Lines that come twice are recognised and not counted: none must have needed that.
    let traffic = app.traffic.clone();
    let all = (UtcMillis(0), UtcMillis(7_000_000_000_000));
    let twice = tokio::task::spawn_blocking(move || traffic.duplicates(all.0, all.1).unwrap()).await.unwrap();
    assert_eq!(twice, 0, "lines were read twice");
    drop(app);
    daemon.stop().await.unwrap();
    let store = duckdb::Connection::open(config.data_dir.join("traffic.duckdb")).unwrap();
    let distinct: u64 =
        store.query_row("SELECT count(DISTINCT request_counter)::UBIGINT FROM requests", [], |row| row.get(0)).unwrap();
    assert_eq!(distinct, written, "a line was counted twice and another one not at all");
}
