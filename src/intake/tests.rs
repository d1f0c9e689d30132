use std::fs;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::*;
use crate::clock::Clock;
use crate::core::log_line::Format;
use crate::traffic::{Committed, Options, Traffic};

fn options() -> IntakeOptions {
    IntakeOptions {
        poll_interval: Duration::from_millis(20),
        flush_after: Duration::from_millis(20),
        max_batch_rows: 100,
        rotation_grace: Duration::from_secs(1),
        room: Room { path: std::env::temp_dir(), min_free_bytes: 0 },
    }
}

fn lines(count: u64) -> String {
    let line = |number| {
        format!(
            "s1 1795424400000 1 7 {number} {number} 5 1 1 1 0 0 ::1 5 20002 GET /a 200 1 2 0/0/0/0/0/4/5 ---- b s 1\n"
        )
    };
    (0..count).map(line).collect()
}

#[track_caller]
fn wait_for(committed: &watch::Receiver<Committed>, condition: impl Fn(&Committed) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition(&committed.borrow()) {
        assert!(Instant::now() < deadline, "{:?}", *committed.borrow());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn batches_that_cannot_be_stored_wait_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("ha.log");
    let store = Options { memory_limit_mib: 256, threads: 1 };
    let (traffic, writer) = Traffic::open(&folder.path().join("t.duckdb"), &store).unwrap();
    let intake = Intake::start(&log, options(), Until::Stopped, &traffic, writer, Clock::System).unwrap();
    let committed = intake.committed();
    traffic.execute("ALTER TABLE minute_deltas RENAME TO elsewhere");
    fs::write(&log, lines(1000)).unwrap();
    wait_for(&committed, |committed| committed.stalled);
    assert_eq!(traffic.line_counts().unwrap(), (0, 0));
    traffic.execute("ALTER TABLE elsewhere RENAME TO minute_deltas");
    wait_for(&committed, |committed| committed.rows == 1000);
    assert!(!committed.borrow().stalled);
    assert_eq!(traffic.line_counts().unwrap(), (1000, 0));
    intake.stop();
    assert!(committed.has_changed().is_err(), "whoever waits for news learns that intake has ended");
}

#[test]
fn batches_are_filled_while_there_is_more_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("ha.log");
    fs::write(&log, lines(60_000)).unwrap();
    let store = Options { memory_limit_mib: 256, threads: 1 };
    let (traffic, writer) = Traffic::open(&folder.path().join("t.duckdb"), &store).unwrap();
    // One look into the file takes longer than a line may wait, and brings half a batch.
    let hasty = IntakeOptions {
        poll_interval: Duration::from_secs(60),
        flush_after: Duration::from_micros(1),
        max_batch_rows: 20_000,
        ..options()
    };
    let intake = Intake::start(&log, hasty, Until::EndOfFile, &traffic, writer, Clock::System).unwrap();
    let committed = intake.committed();
    intake.join();
    assert_eq!(committed.borrow().rows, 60_000);
    assert_eq!(committed.borrow().batch, 4, "one with what is history, and three full ones");
}

#[test]
fn a_full_disk_is_waited_for_and_a_stop_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("ha.log");
    let store = Options { memory_limit_mib: 256, threads: 1 };
    let path = folder.path().join("t.duckdb");
    let (traffic, writer) = Traffic::open(&path, &store).unwrap();
    let full = IntakeOptions { room: Room { min_free_bytes: u64::MAX, ..options().room }, ..options() };
    fs::write(&log, "").unwrap();
    let intake = Intake::start(&log, full, Until::Stopped, &traffic, writer, Clock::System).unwrap();
    fs::write(&log, lines(250)).unwrap();
    wait_for(&intake.committed(), |committed| committed.stalled);
    intake.stop();
    assert_eq!(traffic.line_counts().unwrap(), (0, 0));
    drop(traffic);
    let (traffic, writer) = Traffic::open(&path, &store).unwrap();
    let intake = Intake::start(&log, options(), Until::EndOfFile, &traffic, writer, Clock::System).unwrap();
    intake.join();
    assert_eq!(traffic.line_counts().unwrap(), (250, 0), "the lines have waited in their file");
}

#[test]
fn what_is_history_is_stored_before_the_first_line_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("ha.log");
    fs::write(&log, lines(10)).unwrap();
    let history = lines(20).split_off(lines(10).len());
    fs::write(folder.path().join("ha.log.1"), &history).unwrap();
    let store = Options { memory_limit_mib: 256, threads: 1 };
    let (traffic, writer) = Traffic::open(&folder.path().join("t.duckdb"), &store).unwrap();
    let patient = IntakeOptions { flush_after: Duration::from_secs(60), ..options() };
    let intake = Intake::start(&log, patient, Until::Stopped, &traffic, writer, Clock::System).unwrap();
    let known = traffic.file_positions(&log.to_string_lossy()).unwrap().unwrap();
    let mut offsets: Vec<u64> = known.iter().map(|position| position.read_offset).collect();
    offsets.sort_unstable();
    assert_eq!(offsets, [0, u64::try_from(history.len()).unwrap()]);
    assert_eq!(traffic.line_counts().unwrap(), (0, 0));
    intake.stop();
}

/// Each line is read by what it is, and the source's format is that of its first lines until others go on for a while.
#[test]
fn a_log_with_lines_of_several_formats_is_counted_whole() {
    const HTTPLOG: &str =
        "::1:5 [23/Nov/2026:09:00:00.000] seal b/s 0/0/0/4/5 200 2 - - ---- 1/1/0/0/0 0/0 \"GET /a HTTP/1.1\"\n";
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("ha.log");
    let store = Options { memory_limit_mib: 256, threads: 1 };
    for (name, text, format, counted) in [
        ("mixed", format!("{}{HTTPLOG}{}", lines(10), lines(20).split_off(lines(10).len())), Some(Format::S1), (21, 0)),
        ("changed", format!("{}{}", lines(10), HTTPLOG.repeat(20)), Some(Format::Httplog), (30, 0)),
        ("noise first", format!("noise\n{HTTPLOG}{}", lines(1)), Some(Format::Httplog), (2, 1)),
        ("noise", "noise, and no line of any format\n".repeat(3), None, (0, 3)),
    ] {
        fs::write(&log, text).unwrap();
        let (traffic, writer) = Traffic::open(&folder.path().join(name), &store).unwrap();
        let intake = Intake::start(&log, options(), Until::EndOfFile, &traffic, writer, Clock::System).unwrap();
        let sources = intake.sources();
        intake.join();
        assert_eq!(traffic.line_counts().unwrap(), counted, "{name}");
        let source = sources.lock().unwrap()[0].clone();
        assert_eq!((source.name, source.format), (log.to_string_lossy().into_owned(), format), "{name}");
    }
}
