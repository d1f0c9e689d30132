//! The process is killed again and again while lines arrive, in a log that rotates and by syslog, and while old requests
//! are sealed. In the end every line is one row.
//!
//! Nobody acknowledges a line of syslog, so what a process had received and not yet written when it was killed is lost.
//! What is lost is exactly known between two lives: what is not lies in the spool's segments and packed logs. The sender
//! looks there, sends what is missing once more, and nothing else twice. So every line that was ever sent has to be a
//! row, no line may need to be recognised as a duplicate, and what was in the spool once has to be there after every kill.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use suiftly::clock::Clock;
use suiftly::config::Config;
use suiftly::core::calendar::{DAY_MS, Month, UtcMillis};
use suiftly::core::id::CustomerId;
use suiftly::core::spool_record::{HEADER, intact_lines};
use suiftly::daemon::Daemon;
use suiftly::intake::counted_logs;
use suiftly::ledger::usage::usage_of_month;

use crate::support::{CUSTOMER, binary, create_secrets, secrets};
use crate::syslog::free_port;

/// A life is one in which the process got ready and had some time to work.
const ROTATIONS_PER_LIFE: u32 = 3;
/// Every third line is of one of so many days, which are old enough to be sealed; each has its turn.
const OLD_DAYS: u64 = 40;
const LINES_OF_A_DAY: u64 = 2000;
/// New lines by syslog in one life, at most.
const LINES_OF_A_LIFE: u64 = 3000;

/// `make soak` sets more.
fn kills() -> u32 {
    std::env::var("SUIFTLY_KILLS").map_or(50, |kills| kills.parse().expect("SUIFTLY_KILLS is a number"))
}

/// The line's gateway tells how it came.
const BY_FILE: u8 = 1;
const BY_SYSLOG: u8 = 2;

/// Makes lines from one instant on, and old ones.
#[derive(Debug, Clone, Copy)]
struct Lines {
    now: UtcMillis,
}

impl Lines {
    fn line(self, gateway: u8, number: u64) -> String {
        let days_ago = if number.is_multiple_of(3) { 3 + number / LINES_OF_A_DAY % OLD_DAYS } else { 0 };
        let before_ms = i64::try_from(days_ago).unwrap() * DAY_MS;
        let ts = self.now.0 - before_ms + i64::try_from(number % 60_000).unwrap();
        format!(
            "s1 {ts} {gateway} 7 {number} {number} {CUSTOMER} 1 1 1 0 1005F7C 203.0.113.9 51234 20002 GET /v1/keys 200 \
             312 1045 0/0/0/0/1/2/3 ---- be_seal s1 1\n"
        )
    }

    fn lines(self, gateway: u8, from: u64, to: u64) -> String {
        (from..to).map(|number| self.line(gateway, number)).collect()
    }

    /// All that they may be of.
    fn months(self) -> BTreeSet<Month> {
        (0..50).map(|day| Month::of(self.now.plus_ms((1 - day) * DAY_MS)).unwrap()).collect()
    }
}

/// Appends lines, now and then in two halves, and rotates in turn by rename and by copy and truncate.
struct Scribe {
    lines: Lines,
    folder: PathBuf,
    log: File,
    rng: fastrand::Rng,
    written: u64,
    rotations: u32,
    rotated: Instant,
}

impl Scribe {
    fn new(folder: &Path, lines: Lines, seed: u64) -> Self {
        let log = open(&folder.join("ha.log"));
        Self {
            lines,
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
            let lines = self.lines.lines(BY_FILE, self.written, self.written + count);
            self.log.write_all(lines.as_bytes()).unwrap();
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
        let whole = self.lines.line(BY_FILE, self.written);
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
            self.log.write_all(self.lines.line(BY_FILE, self.written).as_bytes()).unwrap();
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

/// Sends lines by both ways of syslog, each until it is known to be durable.
struct Messenger {
    lines: Lines,
    tcp: SocketAddr,
    unix: PathBuf,
    spool: PathBuf,
    rng: fastrand::Rng,
    /// All lines before this one were sent at least once.
    sent: u64,
    /// Those that lie in the spool, counted or not.
    durable: BTreeSet<u64>,
    /// The lines of each packed log, which does not change.
    packed: BTreeMap<PathBuf, Vec<u64>>,
    /// Lines that had to be sent again.
    repeated: u64,
}

impl Messenger {
    fn new(folder: &Path, lines: Lines, tcp: SocketAddr, seed: u64) -> Self {
        Self {
            lines,
            tcp,
            unix: folder.join("log.sock"),
            spool: folder.join("data/spool/syslog"),
            rng: fastrand::Rng::with_seed(seed),
            sent: 0,
            durable: BTreeSet::new(),
            packed: BTreeMap::new(),
            repeated: 0,
        }
    }

    /// Sends while a process lives: what is not durable, then new lines.
    fn send_until(&mut self, is_killed: &AtomicBool) {
        let Some(mut tcp) = self.connect(is_killed) else { return };
        let unix = UnixDatagram::unbound().unwrap();
        let again = self.not_durable();
        self.repeated += u64::try_from(again.len()).unwrap();
        let mut numbers = again.into_iter().chain(self.sent..self.sent + LINES_OF_A_LIFE);
        while !is_killed.load(Ordering::Relaxed) {
            let some: Vec<u64> = numbers.by_ref().take(self.rng.usize(1..150)).collect();
            for number in some {
                self.sent = self.sent.max(number + 1);
                let by_unix = self.rng.bool();
                let is_sent =
                    if by_unix { self.send_datagram(number, &unix) } else { self.send_counted(number, &mut tcp) };
                if is_sent.is_err() {
                    return;
                }
            }
            thread::sleep(Duration::from_millis(self.rng.u64(1..12)));
        }
    }

    /// What is not durable, to a process that will not be killed.
    fn send_rest(&mut self) {
        let mut tcp = self.connect(&AtomicBool::new(false)).expect("it listens");
        for number in self.not_durable() {
            self.send_counted(number, &mut tcp).unwrap();
        }
    }

    fn not_durable(&self) -> Vec<u64> {
        (0..self.sent).filter(|number| !self.durable.contains(number)).collect()
    }

    fn send_datagram(&self, number: u64, unix: &UnixDatagram) -> io::Result<usize> {
        unix.send_to(self.message(number).as_bytes(), &self.unix)
    }

    fn send_counted(&self, number: u64, tcp: &mut TcpStream) -> io::Result<usize> {
        let message = self.message(number);
        let counted = format!("{} {message}", message.len());
        tcp.write_all(counted.as_bytes()).map(|()| counted.len())
    }

    fn message(&self, number: u64) -> String {
        format!("<134>1 - gw haproxy 7 - - {}", self.lines.line(BY_SYSLOG, number).trim_end())
    }

    /// `None` if the process is killed before it listens.
    fn connect(&self, is_killed: &AtomicBool) -> Option<TcpStream> {
        while !is_killed.load(Ordering::Relaxed) {
            if let Ok(stream) = TcpStream::connect(self.tcp) {
                return Some(stream);
            }
            thread::sleep(Duration::from_millis(2));
        }
        None
    }

    /// Looks between two lives which lines are durable. None may have gone.
    fn look(&mut self) {
        let logs = counted_logs(&self.spool).unwrap();
        assert!(
            self.packed.keys().all(|path| logs.contains(path)),
            "a packed log has gone before its lines were sealed"
        );
        for path in logs {
            self.packed.entry(path).or_insert_with_key(|path| {
                let text = zstd::decode_all(File::open(path).unwrap()).unwrap();
                text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(number_of).collect()
            });
        }
        let mut found: BTreeSet<u64> = self.packed.values().flatten().copied().collect();
        for entry in fs::read_dir(&self.spool).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "spool") {
                let bytes = fs::read(&path).unwrap();
                found.extend(intact_lines(bytes.get(HEADER.len()..).unwrap_or_default()).map(number_of));
            }
        }
        let lost: Vec<_> = self.durable.difference(&found).collect();
        assert!(lost.is_empty(), "lines were durable and are gone: {lost:?}");
        self.durable = found;
    }
}

/// Of a line by syslog.
fn number_of(line: &[u8]) -> u64 {
    let (_, columns) = std::str::from_utf8(line).unwrap().split_once(" s1 ").unwrap();
    columns.split(' ').nth(4).unwrap().parse().unwrap()
}

fn write_config(folder: &Path, tcp: SocketAddr) -> PathBuf {
    let (path, secrets) = (folder.join("suiftly.toml"), folder.join("secrets.toml"));
    create_secrets(&secrets);
    let text = format!(
        "data_dir = {data:?}\nsecrets_file = {secrets:?}\nlog.level = \"info\"\nhttp.listen = \"127.0.0.1:0\"\n\
         [intake]\nlog_file = {log:?}\npoll_interval_ms = 20\nflush_after_ms = 20\n\
         syslog_tcp = \"{tcp}\"\nsyslog_unix = {unix:?}\n\
         [traffic]\nmemory_limit_mib = 256\nthreads = 1\nchunk_days = 1\nseal_after_days = 1\n\
         [jobs]\ninterval_s = 1\n",
        data = folder.join("data"),
        log = folder.join("ha.log"),
        unix = folder.join("log.sock"),
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
    let tcp = SocketAddr::from(([127, 0, 0, 1], free_port(5)));
    let config = write_config(folder.path(), tcp);
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
    let lines = Lines { now: Clock::System.now() };
    let scribe = Scribe::new(folder.path(), lines, seed);
    let writing = thread::spawn({
        let (stop, lives) = (stop.clone(), lives.clone());
        move || scribe.write_until(&stop, &lives)
    });
    let mut messenger = Messenger::new(folder.path(), lines, tcp, seed);
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..kills() {
        live_and_die(&config, &output, &mut rng, &mut messenger, &lives);
        messenger.look();
    }
    stop.store(true, Ordering::Relaxed);
    let (written, rotations) = writing.join().unwrap();
    assert!(rotations > 4, "only {rotations} rotations");
    let config = Config::load(&config).unwrap();
    let (sealed, files) = sealed_rows(&config);
    let (sent, repeated, durable) = (messenger.sent, messenger.repeated, messenger.durable.len());
    println!("{written} lines in a log with {rotations} rotations");
    println!(
        "{sent} lines by syslog, {durable} of them durable before the last start; {repeated} times one was sent again"
    );
    println!("{sealed} of all were sealed in {files} files before the last start");
    assert!(sealed > 0 && sent > 0, "nothing was sealed, or nothing sent");
    tokio::runtime::Runtime::new().unwrap().block_on(check(&config, written + sent, messenger));
}

/// A process that is killed when this is dropped.
struct Life<'a> {
    child: Child,
    is_killed: &'a AtomicBool,
}

impl Drop for Life<'_> {
    fn drop(&mut self) {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        self.is_killed.store(true, Ordering::Relaxed);
        assert!(killed.is_ok() || thread::panicking(), "{killed:?}");
    }
}

/// One process from its start to its kill, with somebody who sends to it.
fn live_and_die(config: &Path, output: &Path, rng: &mut fastrand::Rng, messenger: &mut Messenger, lives: &AtomicU32) {
    let is_killed = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut life = Life { child: start(config, output), is_killed: &is_killed };
        scope.spawn(|| messenger.send_until(&is_killed));
        // One half dies while it starts or soon after; the other half gets somewhere first, or nothing ever would.
        let is_life = rng.bool();
        if is_life {
            wait_until_ready(&mut life.child, output);
        }
        let lived = Duration::from_millis(rng.u64(10..400));
        thread::sleep(lived);
        if is_life && lived > Duration::from_millis(200) {
            lives.fetch_add(1, Ordering::Relaxed);
        }
        let ended = life.child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended by itself: {}", fs::read_to_string(output).unwrap());
    });
}

/// Rows in sealed files, and how many files there are.
fn sealed_rows(config: &Config) -> (u64, u64) {
    let store = duckdb::Connection::open(config.data_dir.join("traffic.duckdb")).unwrap();
    let sql = "SELECT coalesce(sum(rows), 0)::UBIGINT, count(*)::UBIGINT FROM sealed_parts";
    store.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

/// What is left is read by one more start; then rows, hot and sealed, distinct rows, and usage in the ledger equal the
/// lines.
async fn check(config: &Config, lines: u64, mut messenger: Messenger) {
    let daemon = Daemon::start(config, &secrets(), Clock::System, None).await.unwrap();
    let app = daemon.app().clone();
    let months = messenger.lines.months();
    tokio::task::spawn_blocking(move || messenger.send_rest()).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let traffic = app.traffic.clone();
        let counts = tokio::task::spawn_blocking(move || traffic.line_counts().unwrap()).await.unwrap();
        let customer = CustomerId::new(CUSTOMER).unwrap();
        let mut billable = 0;
        for month in months.iter().copied() {
            let usage = app.ledger.read(move |tx| usage_of_month(tx, customer, month)).await.unwrap();
            billable += usage.iter().map(|usage| usage.billable_requests).sum::<u64>();
        }
        if (counts, billable) == ((lines, 0), lines) {
            break;
        }
        assert!(
            Instant::now() < deadline && counts.0 <= lines,
            "{lines} lines, {} rows and {} rejects, {billable} in the ledger",
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
    let sql = "SELECT count(*)::UBIGINT FROM (SELECT DISTINCT gateway, request_counter FROM all_requests)";
    let distinct: u64 = store.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(distinct, lines, "a line was counted twice and another one not at all");
}
