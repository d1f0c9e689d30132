//! A store of requests that is damaged is made anew, with the same counts.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suiftly::clock::Clock;

use crate::server::Server;
use crate::support::{binary, lines};

const CONFIG: &str = "traffic.chunk_days = 1\ntraffic.seal_after_days = 1\njobs.interval_s = 1\n";
const COUNTS: &str = "SELECT (SELECT count(*) FROM requests) AS hot, (SELECT count(*) FROM all_requests) AS rows,
                             (SELECT sum(hash(ts, path, request_counter))::VARCHAR FROM all_requests) AS sum";

fn run(server: &Server, arguments: &[&str]) -> Value {
    let output = Command::new(binary()).args(arguments).arg("--config").arg(server.config()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn counts(server: &Server) -> Value {
    run(server, &["sql", COUNTS, "--format", "json"])["rows"][0].clone()
}

/// Lines that began so many days ago.
fn aged(days: i64, from: u64, to: u64) -> String {
    let ts = Clock::System.now().plus_ms(-days * 86_400_000).0;
    let age = |line: &str| {
        let (_, rest) = line[3..].split_once(' ').unwrap();
        format!("s1 {ts} {rest}\n")
    };
    lines(from, to).lines().map(age).collect()
}

fn wait_for(server: &Server, what: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let counts = counts(server);
        if what(&counts) {
            return counts;
        }
        assert!(Instant::now() < deadline, "{counts}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_damaged_store_is_set_aside_and_made_anew_with_the_same_counts() {
    let mut server = Server::start_with(CONFIG);
    assert_eq!(server.terminate(), 0);
    let log = server.folder.path().join("ha.log");
    fs::write(&log, aged(5, 0, 300) + &aged(0, 300, 400)).unwrap();
    // From before the first start that saw the log: never counted, and not by a rebuild either.
    fs::write(server.folder.path().join("ha.log.9"), aged(8, 1000, 1100)).unwrap();
    fs::remove_dir_all(server.folder.path().join("data")).unwrap();
    server.restart();
    // 300 of them are old enough to be sealed.
    wait_for(&server, |counts| counts[0] == 100 && counts[1] == 400);
    fs::rename(&log, server.folder.path().join("ha.log.1")).unwrap();
    fs::write(&log, aged(0, 400, 450)).unwrap();
    let before = wait_for(&server, |counts| counts[1] == 450);
    assert_eq!(server.terminate(), 0);

    let store = server.folder.path().join("data/traffic.duckdb");
    let file = OpenOptions::new().write(true).open(&store).unwrap();
    let garbage = [0x5a_u8; 4096];
    for offset in [0, 4096, 8192, 12_288] {
        file.write_all_at(&garbage, offset).unwrap();
    }
    drop(file);
    server.restart();
    assert_eq!(wait_for(&server, |counts| counts[1] == 450), before);
    let verified = run(&server, &["traffic", "verify", "--json"]);
    assert_eq!((&verified["wrong"], &verified["rows"]), (&json!(0), &json!(450)), "{verified}");
    let names: Vec<_> =
        fs::read_dir(store.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().any(|name| name.to_string_lossy().contains("damaged")), "{names:?}");
    // It goes on counting where it was.
    let mut more = OpenOptions::new().append(true).open(&log).unwrap();
    std::io::Write::write_all(&mut more, aged(0, 450, 460).as_bytes()).unwrap();
    wait_for(&server, |counts| counts[1] == 460);
    // Another file comes in by the folder of imports.
    fs::write(server.folder.path().join("data/import/other.log"), aged(0, 5000, 5030)).unwrap();
    wait_for(&server, |counts| counts[1] == 490);
    let done = server.folder.path().join("data/import/done/other.log");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done.exists() {
        assert!(Instant::now() < deadline, "the imported file is not put away");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.terminate(), 0);

    // Packed meanwhile, as rotating tools do it, with one of the same lines unpacked, too.
    let packed = fs::File::create(server.folder.path().join("ha.log.2.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &fs::read(server.folder.path().join("ha.log.1")).unwrap()).unwrap();
    packed.finish().unwrap();
    let rebuilt = run(&server, &["traffic", "rebuild", "--json"]);
    assert_eq!((&rebuilt["rows"], &rebuilt["missing"]), (&json!(490), &json!([])), "{rebuilt}");
    fs::remove_file(server.folder.path().join("ha.log.1")).unwrap();
    let rebuilt = run(&server, &["traffic", "rebuild", "--json"]);
    assert_eq!((&rebuilt["rows"], &rebuilt["missing"]), (&json!(490), &json!([])), "{rebuilt}");
    // What is gone for good is named, and stays billed.
    fs::remove_file(server.folder.path().join("ha.log.2.gz")).unwrap();
    let rebuilt = run(&server, &["traffic", "rebuild", "--json"]);
    assert_eq!(rebuilt["rows"], 390, "{rebuilt}");
    let missing: u64 =
        rebuilt["missing"].as_array().unwrap().iter().map(|hour| hour["requests"].as_u64().unwrap()).sum();
    assert_eq!(missing, 100, "{rebuilt}");
    server.restart();
    wait_for(&server, |counts| counts[1] == 390);
    let ledger = rusqlite::Connection::open(server.folder.path().join("data/ledger.db")).unwrap();
    let billed =
        || ledger.query_row("SELECT sum(requests) FROM usage_records", [], |row| row.get::<_, i64>(0)).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(billed(), 490);
}

#[test]
fn lines_that_came_by_syslog_come_back_too() {
    let socket = tempfile::tempdir().unwrap();
    let path = socket.path().join("log.sock");
    let mut server = Server::start_with(&format!("intake.syslog_unix = {path:?}\n"));
    let send = |lines: &str| {
        let client = std::os::unix::net::UnixDatagram::unbound().unwrap();
        for line in lines.lines() {
            client.send_to(line.as_bytes(), &path).unwrap();
        }
    };
    send(&aged(0, 0, 20));
    wait_for(&server, |counts| counts[1] == 20);
    assert_eq!(server.terminate(), 0);
    // Each process begins a new segment; when that is counted, the one before it is packed and kept.
    server.restart();
    send(&aged(0, 20, 30));
    let before = wait_for(&server, |counts| counts[1] == 30);
    let kept = server.folder.path().join("data/spool/syslog/counted");
    let deadline = Instant::now() + Duration::from_secs(30);
    while fs::read_dir(&kept).map_or(0, Iterator::count) == 0 {
        assert!(Instant::now() < deadline, "the counted segment is not kept");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(server.terminate(), 0);
    let rebuilt = run(&server, &["traffic", "rebuild", "--json"]);
    assert_eq!(rebuilt["rows"], 20, "{rebuilt}");
    server.restart();
    assert_eq!(wait_for(&server, |counts| counts[1].as_u64().unwrap() >= 30)[1], before[1]);
}
