//! Files that are imported: each line once, whatever it is packed in, whenever it is interrupted, whoever followed it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use suiftly::clock::Clock;
use suiftly::config::Config;
use suiftly::daemon::Daemon;
use suiftly::traffic::Traffic;

use crate::server::write_config;
use crate::support::{STORE, binary, line, lines, secrets};

fn gzip(path: &Path, content: &[u8]) -> PathBuf {
    let mut encoder = GzEncoder::new(File::create(path).unwrap(), Compression::new(6));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap();
    path.to_owned()
}

fn zst(path: &Path, content: &[u8]) -> PathBuf {
    fs::write(path, zstd::encode_all(content, 1).unwrap()).unwrap();
    path.to_owned()
}

fn plain(path: &Path, content: &[u8]) -> PathBuf {
    fs::write(path, content).unwrap();
    path.to_owned()
}

fn command(config: &Path, files: &[PathBuf]) -> Command {
    let mut command = Command::new(binary());
    command.args(["import", "--config"]).arg(config).args(files).stdin(Stdio::null());
    command
}

/// Exit code and what was said.
fn import(config: &Path, files: &[PathBuf]) -> (i32, String) {
    let Output { status, stdout, stderr } = command(config, files).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

/// Rows and rejected lines of a store that nobody has open; no row is there twice.
#[track_caller]
fn stored(folder: &Path) -> (u64, u64) {
    let store = folder.join("data/traffic.duckdb");
    let counts = Traffic::open(&store, &STORE).unwrap().0.line_counts().unwrap();
    let store = duckdb::Connection::open(&store).unwrap();
    let different = "SELECT count(DISTINCT request_counter)::UBIGINT FROM requests";
    let different: u64 = store.query_row(different, [], |row| row.get(0)).unwrap();
    assert_eq!(counts.0, different, "a line is counted twice");
    counts
}

/// How many lines were read that had been read before: recognised, but one too many all the same.
fn read_twice(folder: &Path) -> u64 {
    let store = duckdb::Connection::open(folder.join("data/traffic.duckdb")).unwrap();
    let sum = "SELECT coalesce(sum(lines), 0)::UBIGINT FROM duplicate_counts";
    store.query_row(sum, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_file_is_counted_once_whatever_it_is_packed_in_and_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, config) = (|name: &str| folder.path().join(name), write_config(folder.path(), ""));
    let parts = [lines(1, 1001), lines(1001, 1500), lines(1500, 2001)];
    let files = [
        plain(&path("a.log.1"), parts[0].as_bytes()),
        gzip(&path("a.log.2.gz"), parts[1].as_bytes()),
        zst(&path("a.log.3"), parts[2].as_bytes()),
    ];
    let (code, said) = import(&config, &files);
    assert_eq!((code, stored(folder.path())), (0, (2000, 0)), "{said}");
    for expected in ["a.log.1: 1000 lines imported", "a.log.2.gz: 499 lines imported", "a.log.3: 501 lines imported"] {
        assert!(said.contains(expected), "{said}");
    }
    let again = [
        gzip(&path("other.gz"), parts[0].as_bytes()),
        zst(&path("b.zst"), parts[1].as_bytes()),
        plain(&path("c"), parts[2].as_bytes()),
        files[1].clone(),
    ];
    let (code, said) = import(&config, &again);
    assert_eq!((code, said.matches("already imported").count()), (0, 4), "{said}");
    // One that has grown since: only what is new.
    plain(&path("c"), (parts[2].clone() + &lines(2001, 2011)).as_bytes());
    let (code, said) = import(&config, &[path("c")]);
    assert!(code == 0 && said.contains("c: 10 lines imported"), "{said}");
    assert_eq!((stored(folder.path()), read_twice(folder.path())), ((2010, 0), 0));
}

/// Their lines have no counter by which they would be recognised.
#[test]
fn equal_files_in_one_go_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let (path, config) = (|name: &str| folder.path().join(name), write_config(folder.path(), ""));
    let line = "::1:5 [23/Nov/2026:09:00:00.000] seal b/s 0/0/0/4/5 200 2 - - ---- 1/1/0/0/0 0/0 \"GET /a HTTP/1.1\"\n";
    let text = line.repeat(100);
    let files = [plain(&path("a"), text.as_bytes()), gzip(&path("b.gz"), text.as_bytes())];
    let (code, said) = import(&config, &files);
    assert_eq!((code, said.matches("already imported").count()), (0, 1), "{said}");
    let counts = Traffic::open(&folder.path().join("data/traffic.duckdb"), &STORE).unwrap().0.line_counts().unwrap();
    assert_eq!(counts, (100, 0), "{said}");
}

#[test]
fn what_is_wrong_with_a_file_is_said_and_nothing_of_it_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (path, config) = (|name: &str| folder.path().join(name), write_config(folder.path(), ""));
    let content = lines(1, 40_001);
    let whole = fs::read(gzip(&path("whole.gz"), content.as_bytes())).unwrap();
    let cut = plain(&path("cut.gz"), &whole[..whole.len() / 2]);
    let mut damaged = whole.clone();
    damaged[whole.len() * 3 / 4] ^= 0xff;
    let damaged = plain(&path("damaged.gz"), &damaged);
    let xz = plain(&path("a.xz"), b"\xfd7zXZ\0 and more");
    let bomb = gzip(&path("bomb.gz"), &vec![0; 200 << 20]);
    let missing = path("missing.gz");
    let (code, said) = import(&config, &[cut, damaged, xz, bomb, missing]);
    assert_eq!(code, 1, "{said}");
    for expected in [
        "cut.gz: failed: it cannot be read",
        "damaged.gz: failed",
        "unpack it first",
        "far more than a log could",
        "missing.gz: failed: it cannot be read",
        "5 of 5 files",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    assert_eq!(stored(folder.path()), (0, 0), "{said}");
    let (code, said) = import(&config, &[path("whole.gz")]);
    assert!(code == 0 && said.contains("40000 lines imported"), "{said}");
    assert_eq!(stored(folder.path()).0, 40_000);
    // The same beginning, and another continuation.
    let mut other = content.clone().into_bytes();
    let at = content.len() / 2;
    other[at] = if other[at] == b'1' { b'2' } else { b'1' };
    let (code, said) = import(&config, &[plain(&path("other"), &other)]);
    assert!(code == 1 && said.contains("goes on in another way"), "{said}");
    assert_eq!(stored(folder.path()).0, 40_000);
}

#[test]
fn lines_that_are_none_and_files_that_are_odd_are_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (path, config) = (|name: &str| folder.path().join(name), write_config(folder.path(), ""));
    let long = "x".repeat(3 << 20);
    let content = format!("{}{long}\n{}\nno line\n{}", line(1), line(2).trim_end(), line(3).trim_end());
    let (code, said) = import(&config, &[gzip(&path("odd.gz"), content.as_bytes()), plain(&path("empty"), b"")]);
    assert_eq!(code, 0, "{said}");
    // Over-long, no line, and one without its end.
    assert_eq!(stored(folder.path()), (2, 3), "{said}");
}

#[test]
fn an_import_that_is_killed_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "intake.max_batch_rows = 2048\nintake.flush_after_ms = 10\n");
    let files = [
        gzip(&folder.path().join("a.gz"), lines(1, 150_001).as_bytes()),
        zst(&folder.path().join("b.zst"), lines(150_001, 300_001).as_bytes()),
    ];
    let mut rng = fastrand::Rng::new();
    for _ in 0..8 {
        let mut child = command(&config, &files).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(rng.u64(50..500)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (code, said) = import(&config, &files);
    assert_eq!((code, stored(folder.path()), read_twice(folder.path())), (0, (300_000, 0), 0), "{said}");
}

#[test]
fn the_log_that_is_followed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "");
    let log = plain(&folder.path().join("ha.log"), lines(1, 10).as_bytes());
    let (code, said) = import(&config, &[log]);
    assert!(code == 1 && said.contains("import what was rotated away"), "{said}");
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn beside_a_daemon_files_go_into_its_folder_and_what_it_has_followed_is_not_counted_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let more = "intake.rotation_grace_s = 0\nintake.poll_interval_ms = 20\n";
    let config = write_config(folder.path(), more);
    // Two logs by a pattern; beside one of them lies history.
    let text = fs::read_to_string(&config).unwrap().replace("ha.log", "ha*.log");
    fs::write(&config, text).unwrap();
    plain(&path("ha1.log"), lines(100, 200).as_bytes());
    plain(&path("ha1.log.1"), lines(1, 100).as_bytes());
    plain(&path("ha2.log"), lines(200, 300).as_bytes());
    let loaded = Config::load(&config).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let daemon = runtime.block_on(Daemon::start(&loaded, &secrets(), Clock::System, None)).unwrap();
    let traffic = daemon.app().traffic.clone();
    let rows = || traffic.line_counts().unwrap().0;
    wait_for("both logs are read", || rows() == 200);
    plain(&path("ha3.log"), lines(300, 400).as_bytes());
    wait_for("a third log is found", || rows() == 300);
    let (code, said) = import(&config, &[path("ha1.log.1")]);
    let drop_folder = folder.path().join("data/import");
    assert!(code == 1 && said.contains(&*drop_folder.to_string_lossy()), "{said}");
    // What was followed and what was history, both packed.
    let rotated = path("ha1.log.2");
    fs::rename(path("ha1.log"), &rotated).unwrap();
    plain(&path("ha1.log"), lines(400, 500).as_bytes());
    wait_for("the new log is read", || rows() == 400);
    let put = |name: &str, content: &[u8]| {
        gzip(&path("scratch"), content);
        fs::rename(path("scratch"), drop_folder.join(name)).unwrap();
    };
    let followed = fs::read(&rotated).unwrap();
    fs::remove_file(&rotated).unwrap();
    let history = fs::read(path("ha1.log.1")).unwrap();
    put("followed.gz", &followed);
    put("history.gz", &history);
    put("copy-of-current.gz", lines(400, 500).as_bytes());
    plain(&drop_folder.join(".hidden"), lines(900, 1000).as_bytes());
    plain(&drop_folder.join("a.part"), lines(900, 1000).as_bytes());
    plain(&drop_folder.join("bad.gz"), b"\x1f\x8b\x08 nothing of the kind");
    let is_in = |place: &str, name: &str| drop_folder.join(place).join(name).exists();
    for name in ["followed.gz", "history.gz", "copy-of-current.gz"] {
        wait_for(name, || is_in("done", name));
    }
    wait_for("bad.gz", || is_in("failed", "bad.gz"));
    assert!(fs::read_to_string(drop_folder.join("failed/bad.gz.reason.txt")).unwrap().contains("cannot be read"));
    assert_eq!(rows(), 499, "the 99 lines of history are new, and nothing else is");
    // The same name again.
    put("history.gz", &history);
    wait_for("the same name again", || is_in("done", "history.gz.1"));
    drop(traffic);
    runtime.block_on(daemon.stop()).unwrap();
    assert_eq!((stored(folder.path()), read_twice(folder.path())), ((499, 0), 0));
}

/// A daemon that looks at its logs often, on the data of a folder.
fn start(config: &Path) -> (tokio::runtime::Runtime, Daemon) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let daemon =
        runtime.block_on(Daemon::start(&Config::load(config).unwrap(), &secrets(), Clock::System, None)).unwrap();
    (runtime, daemon)
}

fn wait_for_rows(daemon: &Daemon, expected: u64) {
    let counted = || daemon.app().traffic.line_counts().unwrap().0;
    let deadline = Instant::now() + Duration::from_secs(30);
    while counted() != expected {
        assert!(Instant::now() < deadline, "{} lines are counted instead of {expected}", counted());
        thread::sleep(Duration::from_millis(20));
    }
}

const EAGER: &str = "intake.rotation_grace_s = 0\nintake.poll_interval_ms = 20\n";

#[test]
fn a_rotated_file_that_matches_the_pattern_is_no_log_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = write_config(folder.path(), EAGER);
    fs::write(&config, fs::read_to_string(&config).unwrap().replace("ha.log", "ha*.log")).unwrap();
    plain(&path("ha.log"), lines(0, 100).as_bytes());
    std::os::unix::fs::symlink(path("ha.log"), path("ha-current.log")).unwrap();
    let (runtime, daemon) = start(&config);
    wait_for_rows(&daemon, 100);
    // As logrotate does it with `dateext` and `extension .log`; and a copy, as with `copytruncate`.
    fs::rename(path("ha.log"), path("ha-20261126.log")).unwrap();
    // The copy is in the making while it is looked at, and its first line has no number by which it would be recognised.
    let text = fs::read(path("ha-20261126.log")).unwrap();
    let mut copy = File::create(path("ha-copy.log")).unwrap();
    for part in [&text[..300], &text[300..600], &text[600..]] {
        thread::sleep(Duration::from_millis(100));
        copy.write_all(part).unwrap();
    }
    plain(&path("ha.log"), lines(100, 150).as_bytes());
    wait_for_rows(&daemon, 150);
    runtime.block_on(daemon.stop()).unwrap();
    let (runtime, daemon) = start(&config);
    plain(&path("ha-other.log"), lines(150, 200).as_bytes());
    wait_for_rows(&daemon, 200);
    runtime.block_on(daemon.stop()).unwrap();
    assert_eq!((stored(folder.path()), read_twice(folder.path())), ((200, 0), 0));
}

#[test]
fn a_rotated_file_that_is_going_to_be_read_is_not_imported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = write_config(folder.path(), EAGER);
    plain(&path("ha.log"), lines(0, 100).as_bytes());
    let (runtime, daemon) = start(&config);
    wait_for_rows(&daemon, 100);
    runtime.block_on(daemon.stop()).unwrap();
    fs::rename(path("ha.log"), path("ha.log.2")).unwrap();
    plain(&path("ha.log.1"), lines(100, 200).as_bytes());
    plain(&path("ha.log"), lines(200, 300).as_bytes());
    let (code, said) = import(&config, &[path("ha.log.1")]);
    assert!(code == 1 && said.contains("start `suiftly serve`"), "{said}");
    let (runtime, daemon) = start(&config);
    wait_for_rows(&daemon, 300);
    runtime.block_on(daemon.stop()).unwrap();
    assert_eq!((stored(folder.path()), read_twice(folder.path())), ((300, 0), 0));
}

#[test]
fn the_packed_copy_of_a_truncated_log_is_not_counted_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = write_config(folder.path(), EAGER);
    plain(&path("ha.log"), lines(0, 100).as_bytes());
    let (runtime, daemon) = start(&config);
    wait_for_rows(&daemon, 100);
    fs::create_dir(path("old")).unwrap();
    let packed = gzip(&path("old/ha.log.gz"), lines(0, 100).as_bytes());
    File::options().write(true).truncate(true).open(path("ha.log")).unwrap();
    wait_for("the truncated log is seen", || {
        let known = daemon.app().traffic.file_positions(&path("ha.log").to_string_lossy()).unwrap().unwrap();
        known.iter().any(|position| position.read_offset == 0)
    });
    fs::write(path("ha.log"), lines(100, 110)).unwrap();
    wait_for_rows(&daemon, 110);
    runtime.block_on(daemon.stop()).unwrap();
    let (code, said) = import(&config, &[packed]);
    assert!(code == 0 && said.contains("already"), "{said}");
    assert_eq!((stored(folder.path()), read_twice(folder.path())), ((110, 0), 0));
}

#[test]
fn lines_that_come_twice_are_counted_once_also_across_a_restart_and_lost_ones_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "intake.poll_interval_ms = 20\n");
    let log = folder.path().join("ha.log");
    // Counters 300 to 349 never came, and a shipper has sent the last hundred again.
    plain(&log, (lines(1, 300) + &lines(350, 1001) + &lines(901, 1001)).as_bytes());
    let run = |expected: u64| {
        let loaded = Config::load(&config).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let daemon = runtime.block_on(Daemon::start(&loaded, &secrets(), Clock::System, None)).unwrap();
        let traffic = daemon.app().traffic.clone();
        wait_for("lines are read", || traffic.line_counts().unwrap().0 == expected);
        thread::sleep(Duration::from_millis(500));
        runtime.block_on(daemon.stop()).unwrap();
    };
    run(950);
    let again = fs::read_to_string(&log).unwrap() + &lines(801, 1101);
    plain(&log, again.as_bytes());
    run(1050);
    assert_eq!(stored(folder.path()), (1050, 0));
    let (traffic, writer) = Traffic::open(&folder.path().join("data/traffic.duckdb"), &STORE).unwrap();
    use suiftly::core::calendar::UtcMillis;
    let (from, to) = (UtcMillis(0), UtcMillis(7_000_000_000_000));
    for merged in [false, true] {
        assert_eq!(traffic.duplicates(from, to).unwrap(), 100 + 200, "{merged}");
        let hours = traffic.lines_by_hour(from, to).unwrap();
        let [hour] = hours.try_into().unwrap();
        assert_eq!((hour.gateway, hour.received, hour.lost), (1, 1050, 50), "{merged}");
        writer.compact(UtcMillis(crate::support::FIRST_LINE_MS)).unwrap();
    }
}
