use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::core::calendar::{HOUR_MS, UtcMillis};
use crate::core::log_line;
use crate::traffic::{Batch, Options, Traffic, Writer};

const OPTIONS: Options = Options { memory_limit_mib: 256, threads: 1 };
/// The beginning of a day.
const DAY: i64 = 1_795_392_000_000;
const KEPT: KeptFor = KeptFor { chunk_days: 1, seal_after_days: 1, retention_days: 3 };

/// Does something to a file.
type Spoil = fn(&std::path::Path);

struct Store {
    folder: TempDir,
    traffic: Traffic,
    writer: Writer,
}

fn open(folder: &TempDir) -> (Traffic, Writer) {
    Traffic::open(&folder.path().join("t.duckdb"), &OPTIONS).unwrap()
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (traffic, writer) = open(&folder);
        Self { folder, traffic, writer }
    }

    fn append(&mut self, lines: impl IntoIterator<Item = (i64, u32)>) {
        let mut batch = Batch::new(self.traffic.new_shapes().unwrap());
        for (ts, customer) in lines {
            let line = format!(
                "s1 {ts} 1 7 1 {ts} {customer} 1 1 1 0 0 203.0.113.9 5 20002 GET /a/{customer} 200 10 99 \
                 0/0/0/0/0/4/5 ---- b s 1"
            );
            batch.push(&log_line::parse(line.as_bytes()).unwrap());
        }
        self.writer.append(&batch.seal(16).unwrap()).unwrap();
    }

    /// As after a start: a crash leaves nothing else behind than a stop.
    fn reopen(self) -> Self {
        let Self { folder, traffic, writer } = self;
        drop((traffic, writer));
        let (traffic, writer) = open(&folder);
        Self { folder, traffic, writer }
    }

    /// Hot rows, all rows, and the sum of all customers' numbers.
    fn counts(&self) -> (u64, u64, u64) {
        self.traffic
            .read(|connection| {
                let one = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).unwrap();
                let sum = "SELECT coalesce(sum(customer_id), 0)::UBIGINT FROM all_requests";
                Ok((one("SELECT count(*) FROM requests"), one("SELECT count(*) FROM all_requests"), one(sum)))
            })
            .unwrap()
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path().join(FOLDER)).unwrap().count()
    }
}

fn at(day: i64, ms: i64) -> UtcMillis {
    UtcMillis(DAY + day * DAY_MS + ms)
}

#[test]
fn old_days_move_to_files_and_late_lines_form_another() {
    let mut store = Store::new();
    store.append((0..300).map(|index| (at(index / 100, index).0, u32::try_from(index % 7 + 1).unwrap())));
    let before = store.counts();
    assert_eq!(store.traffic.seal(&KEPT, at(1, 5)).unwrap(), SealReport::default());
    let report = store.traffic.seal(&KEPT, at(3, 0)).unwrap();
    assert_eq!(report.parts.iter().map(|part| part.totals.rows).collect::<Vec<_>>(), [100, 100]);
    assert_eq!(store.counts(), (100, before.1, before.2));
    assert_eq!(store.traffic.seal(&KEPT, at(3, 0)).unwrap(), SealReport::default(), "again there is nothing to do");
    store.append([(at(0, 5).0, 9)]);
    assert_eq!(store.traffic.seal(&KEPT, at(3, 0)).unwrap().parts.len(), 1);
    let store = store.reopen();
    assert_eq!(store.counts(), (100, 301, before.2 + 9));
    let verified = store.traffic.verify().unwrap();
    assert_eq!((verified.files, verified.rows, verified.wrong), (3, 301, 0), "{verified:?}");
}

#[test]
fn numbers_as_large_as_they_come_are_sealed_as_they_are() {
    let mut store = Store::new();
    let mut batch = Batch::new(store.traffic.new_shapes().unwrap());
    let (small, large) = (7_u64, u64::MAX);
    for (log, request) in [(small, large), (large, small), (large, large), (small, small)] {
        let line = format!(
            "s1 {DAY} 255 4294967295 {log} {request} - 1 - 8 255 FFFFFFFF ffff::ffff 65535 65535 GET /a 999 10 99 \
             0/0/-1/-1/-1/-1/2147483647 ---- b s 1"
        );
        batch.push(&log_line::parse(line.as_bytes()).unwrap());
    }
    store.writer.append(&batch.seal(16).unwrap()).unwrap();
    let all = |store: &Store| {
        let sql = "SELECT sum(hash(all_requests))::VARCHAR FROM all_requests";
        store
            .traffic
            .read(|connection| Ok(connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()))
            .unwrap()
    };
    let before = all(&store);
    assert_eq!(store.traffic.seal(&KEPT, at(3, 0)).unwrap().parts.len(), 1);
    assert_eq!((all(&store), store.counts().0), (before, 0));
}

#[test]
fn what_is_too_old_is_dropped_and_its_rollups_stay() {
    let mut store = Store::new();
    store.append((0..4).map(|day| (at(day, 1).0, 1)));
    store.traffic.seal(&KEPT, at(5, 0)).unwrap();
    assert_eq!(
        (store.files(), store.traffic.retain(&KEPT, at(5, 0)).unwrap()),
        (4, Dropped { retired: 2, deleted: 0 })
    );
    assert_eq!((store.files(), store.counts()), (4, (0, 2, 2)), "who reads them can go on");
    assert_eq!(store.traffic.retain(&KEPT, at(5, 0)).unwrap(), Dropped { retired: 0, deleted: 2 });
    assert_eq!(store.files(), 2);
    assert_eq!(store.traffic.billable_requests().unwrap(), 4);
    assert_eq!(store.traffic.verify().unwrap().wrong, 0);
}

#[test]
fn what_a_crash_leaves_is_cleaned_and_counts_once() {
    let mut store = Store::new();
    store.append((0..10).map(|index| (at(0, index).0, 1)));
    let folder = store.folder.path().join(FOLDER);
    // Written, and the process died before it was registered; or while it was written.
    store.traffic.execute("INSERT INTO disposable_parts VALUES ('requests-2026-11-23-00-abc.parquet')");
    fs::write(folder.join("requests-2026-11-23-00-abc.parquet"), b"PAR1").unwrap();
    fs::write(folder.join("requests-2026-11-23-00-abd.unfinished"), b"PAR").unwrap();
    fs::write(folder.join("note.txt"), b"somebody's").unwrap();
    let store = store.reopen();
    assert_eq!((store.files(), store.counts().1), (2, 10));
    assert_eq!(store.traffic.retain(&KEPT, at(1, 0)).unwrap().deleted, 1);
    assert_eq!(store.files(), 1, "what is not ours stays");
}

#[test]
fn a_line_that_comes_while_its_span_is_sealed_is_neither_lost_nor_doubled() {
    let mut store = Store::new();
    store.append((0..10).map(|index| (at(0, index).0, 1)));
    let (part, checksum) = store.traffic.write_part(at(0, 0), at(1, 0)).unwrap().unwrap();
    store.append([(at(0, 5).0, 100)]);
    assert!(!store.traffic.register(&part, &checksum).unwrap());
    assert_eq!(store.counts(), (11, 11, 110));
    assert_eq!(store.traffic.retain(&KEPT, at(1, 0)).unwrap().deleted, 1, "the file that came to nothing");
    let report = store.traffic.seal(&KEPT, at(2, 0)).unwrap();
    assert_eq!((report.parts.len(), report.postponed, store.counts()), (1, 0, (0, 11, 110)));
}

#[test]
fn a_file_that_the_store_does_not_know_is_not_deleted_and_can_be_taken_over() {
    let mut store = Store::new();
    store.append((0..10).map(|index| (at(0, index).0, 1)));
    store.traffic.seal(&KEPT, at(2, 0)).unwrap();
    let verified = store.traffic.verify().unwrap();
    let Store { folder, traffic, writer } = store;
    drop((traffic, writer));
    fs::remove_file(folder.path().join("t.duckdb")).unwrap();
    let _ = fs::remove_file(folder.path().join("t.duckdb.wal"));
    let (traffic, writer) = open(&folder);
    let mut store = Store { folder, traffic, writer };
    assert_eq!((store.traffic.retain(&KEPT, at(1, 0)).unwrap().deleted, store.files()), (0, 1));
    fs::copy(
        fs::read_dir(store.folder.path().join(FOLDER)).unwrap().next().unwrap().unwrap().path(),
        store.folder.path().join(FOLDER).join("requests-2026-11-23-00-copy.parquet"),
    )
    .unwrap();
    fs::write(store.folder.path().join(FOLDER).join("requests-bad.parquet"), b"PAR1").unwrap();
    let adopted = store.traffic.adopt_parts().unwrap();
    assert_eq!((adopted.parts.len(), adopted.doubled, adopted.unreadable.len()), (1, 1, 1));
    store.writer.settle_rebuilt(&store.traffic, at(0, 0), at(0, 0), at(2, 0)).unwrap();
    assert_eq!(store.counts(), (0, 10, 10));
    assert_eq!(store.traffic.verify().unwrap(), verified);
    store.append([(at(0, 5).0, 7)]);
    assert_eq!(store.traffic.verify().unwrap().wrong, 0);
}

#[test]
fn few_late_lines_of_a_day_with_many_files_wait() {
    let mut store = Store::new();
    for index in 0..24 {
        store.append([(at(0, index).0, 1)]);
        assert_eq!(store.traffic.seal(&KEPT, at(2, 0)).unwrap().parts.len(), 1);
    }
    store.append([(at(0, 50).0, 1)]);
    let report = store.traffic.seal(&KEPT, at(2, 0)).unwrap();
    assert_eq!((report.parts.len(), report.postponed, store.counts().1), (0, 1, 25));
    assert_eq!(store.traffic.retain(&KEPT, at(5, 0)).unwrap().retired, 24);
    assert_eq!(store.counts().1, 0, "they are dropped with the files of their day");
    assert_eq!(store.traffic.line_counts().unwrap().0, 25);
}

#[test]
fn a_file_that_was_changed_cut_or_lost_is_told() {
    let spoilt: [(Spoil, &str); 3] = [
        (|path| fs::remove_file(path).unwrap(), "cannot be read"),
        (|path| fs::write(path, &fs::read(path).unwrap()[..100]).unwrap(), "100 bytes instead of"),
        (
            |path| {
                let mut bytes = fs::read(path).unwrap();
                bytes[50] ^= 1;
                fs::write(path, bytes).unwrap();
            },
            "content was changed",
        ),
    ];
    for (spoil, expected) in spoilt {
        let mut store = Store::new();
        store.append((0..100).map(|index| (at(index / 50, index).0, 1)));
        let report = store.traffic.seal(&KEPT, at(3, 0)).unwrap();
        spoil(&store.folder.path().join(FOLDER).join(&report.parts[0].file));
        let verified = store.traffic.verify().unwrap();
        assert!(verified.wrong == 1 && verified.problems[0].contains(expected), "{verified:?}");
        if expected.contains("cannot be read") {
            let store = store.reopen();
            assert_eq!(store.counts().1, 50, "the other file is read all the same");
        }
    }
}

#[test]
fn rows_that_differ_from_their_rollup_are_told() {
    let mut store = Store::new();
    store.append((0..10).map(|index| (at(0, index * HOUR_MS).0, 3)));
    assert_eq!(store.traffic.verify().unwrap().wrong, 0);
    store.traffic.execute("DELETE FROM request_rows WHERE ts = (SELECT max(ts) FROM request_rows)");
    let verified = store.traffic.verify().unwrap();
    assert!(verified.wrong == 1 && verified.problems[0].contains("customer 3"), "{verified:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_never_lost_or_doubled_whatever_comes_when(
        steps in prop::collection::vec((0_i64..6, 0_i64..DAY_MS, 0_u8..4), 1..25)
    ) {
        let mut store = Store::new();
        let (mut rows, mut sum, mut day) = (0, 0, 0);
        for (index, (of_day, ms, what)) in steps.into_iter().enumerate() {
            let number = u32::try_from(index + 1).unwrap();
            match what {
                0 => { store.traffic.seal(&KeptFor { retention_days: 99, ..KEPT }, at(day, 0)).unwrap(); }
                1 => store = store.reopen(),
                2 => { store.traffic.retain(&KeptFor { retention_days: 99, ..KEPT }, at(day, 0)).unwrap(); }
                _ => {
                    store.append([(at(of_day, ms).0, number)]);
                    (rows, sum) = (rows + 1, sum + u64::from(number));
                }
            }
            day += 1;
            let counts = store.counts();
            prop_assert_eq!((counts.1, counts.2), (rows, sum));
        }
        prop_assert_eq!(store.traffic.verify().unwrap().wrong, 0);
    }
}

#[test]
fn shapes_that_no_row_has_any_more_go_and_a_row_without_its_shape_is_not_lost() {
    let mut store = Store::new();
    let shapes = |store: &Store| {
        let sql = "SELECT count(*)::UBIGINT FROM request_shapes";
        store.traffic.read(|connection| Ok(connection.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap())).unwrap()
    };
    store.append([(at(0, 1).0, 1), (at(0, 2).0, 2), (at(2, 1).0, 3)]);
    store.append([(at(0, 3).0, 4), (at(2, 2).0, 5)]);
    assert_eq!(shapes(&store), 5);
    store.traffic.seal(&KEPT, at(3, 0)).unwrap();
    assert_eq!((shapes(&store), store.counts()), (3, (2, 5, 15)), "the newest batch's stay: more rows may have them");
    store.traffic.execute("DELETE FROM request_shapes WHERE path = '/a/5'");
    let error = store.traffic.seal(&KEPT, at(4, 0)).unwrap_err().to_string();
    assert!(error.contains("shape"), "{error}");
    let rows = "SELECT count(*)::UBIGINT FROM request_rows";
    let rows = store.traffic.read(|connection| Ok(connection.query_row(rows, [], |row| row.get::<_, u64>(0)).unwrap()));
    assert_eq!(rows.unwrap(), 2);
}
