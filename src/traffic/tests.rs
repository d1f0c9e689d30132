mod charts;
mod requests;

use std::collections::BTreeSet;

use duckdb::Connection;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Service};
use crate::core::log_line::{self, Reject, TrafficClass};
use crate::core::usage::HourUsage;

const OPTIONS: Options = Options { memory_limit_mib: 256, threads: 1 };
const NINE_O_CLOCK: i64 = 1_795_424_400_000;

struct Store {
    _folder: TempDir,
    traffic: Traffic,
    writer: Writer,
    batch: Batch,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (traffic, writer) = Traffic::open(&folder.path().join("t.duckdb"), &OPTIONS).unwrap();
        let batch = Batch::new(traffic.new_shapes().unwrap());
        Self { _folder: folder, traffic, writer, batch }
    }

    fn append(&mut self, lines: &[String]) -> u64 {
        for line in lines {
            self.batch.push(&log_line::parse(line.as_bytes()).unwrap());
        }
        let sealed = self.batch.seal(16).unwrap();
        self.writer.append(&sealed).unwrap()
    }
}

fn line(ts: i64, customer: &str, class: u8, bytes_out: u64) -> String {
    format!(
        "s1 {ts} 1 7 1 1 {customer} 1 1 {class} 0 0 203.0.113.9 5 20002 GET /a 200 10 {bytes_out} 0/0/0/0/0/4/5 ---- b s 1"
    )
}

fn position(inode: u64, read_offset: u64) -> FilePosition {
    let source = "/var/log/haproxy.log".to_owned();
    FilePosition {
        source,
        device: 1,
        inode,
        head_bytes: 9,
        head_hash: u64::MAX,
        counted_from: 0,
        read_offset,
        modified_ns: -1,
    }
}

#[test]
fn rows_counts_rejects_and_positions_commit_together() {
    let mut store = Store::new();
    assert_eq!(store.traffic.file_positions("/var/log/haproxy.log").unwrap(), None);
    store.batch.begin_source("/var/log/haproxy.log".to_owned());
    store.batch.set_position(position(7, 100));
    store.batch.set_position(position(8, 5));
    store.batch.quarantine(Quarantined {
        source: "/var/log/haproxy.log".into(),
        inode: 7,
        line_offset: 50,
        line_bytes: 3,
        reason: Reject::Empty,
        head: b"\xff\x00x".to_vec(),
    });
    assert_eq!(store.append(&[line(NINE_O_CLOCK, "5", 1, 100), line(NINE_O_CLOCK, "-", 3, 7)]), 1);
    assert_eq!(store.traffic.line_counts().unwrap(), (2, 1));
    assert_eq!(store.traffic.rejects_by_reason().unwrap(), [("empty line".to_owned(), 1)]);
    let mut positions = store.traffic.file_positions("/var/log/haproxy.log").unwrap().unwrap();
    positions.sort_by_key(|position| position.inode);
    assert_eq!(positions, [position(7, 100), position(8, 5)]);
    assert_eq!(store.traffic.file_positions("/elsewhere").unwrap(), None);

    store.batch.set_position(position(7, 200));
    store.batch.forget(position(8, 5));
    assert_eq!(store.append(&[]), 2);
    assert_eq!(store.traffic.file_positions("/var/log/haproxy.log").unwrap(), Some(vec![position(7, 200)]));
}

#[test]
fn a_batch_that_was_committed_is_not_appended_again() {
    let mut store = Store::new();
    store.batch.push(&log_line::parse(line(NINE_O_CLOCK, "5", 1, 1).as_bytes()).unwrap());
    let sealed = store.batch.seal(16).unwrap();
    store.writer.append(&sealed).unwrap();
    // A commit whose success was not learnt of: the writer still counts one batch fewer than the file.
    let mut unaware = Writer::new(store.writer.connection.try_clone().unwrap()).unwrap();
    unaware.forget_last_batch();
    assert_eq!(unaware.append(&sealed).unwrap(), 1);
    assert_eq!(store.traffic.line_counts().unwrap(), (1, 0));
}

#[test]
fn a_batch_that_fails_leaves_nothing_behind() {
    let mut store = Store::new();
    store.batch.begin_source("/var/log/haproxy.log".to_owned());
    store.batch.set_position(position(7, 100));
    store.batch.push(&log_line::parse(line(NINE_O_CLOCK, "5", 1, 1).as_bytes()).unwrap());
    let sealed = store.batch.seal(16).unwrap();
    store.writer.connection.execute_batch("ALTER TABLE minute_deltas RENAME TO elsewhere").unwrap();
    assert!(store.writer.append(&sealed).is_err());
    assert_eq!(store.traffic.line_counts().unwrap(), (0, 0));
    assert_eq!(store.traffic.file_positions("/var/log/haproxy.log").unwrap(), None);
    store.writer.connection.execute_batch("ALTER TABLE elsewhere RENAME TO minute_deltas").unwrap();
    assert_eq!(store.writer.append(&sealed).unwrap(), 1);
    assert_eq!(store.traffic.line_counts().unwrap(), (1, 0));
}

#[test]
fn every_column_of_a_line_is_stored() {
    let mut store = Store::new();
    let line = "s1 1795424400123 9 4711 17 42 12345 2 0 2 31 1005F7C 203.0.113.9 51234 20003 PATCH /ä 502 312 1045 \
                10/20/1/2/3/4/5 SH-- be srv 3";
    store.append(&[line.to_owned()]);
    let row: String = store
        .writer
        .connection
        .query_row(
            "SELECT concat_ws(' ', ts, idle_ms, gateway, pid, log_counter, request_counter, customer_id, service,
                network, class, event, key_fp, client_ip_high, client_ip_low, client_port, listener_port, method, path,
                status, bytes_in, bytes_out, time_request_ms, time_queue_ms, time_connect_ms, time_response_ms,
                time_total_ms, termination, backend, server, repeat)
             FROM requests",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let low = 0xffff_cb00_7109_u64;
    assert_eq!(
        row,
        format!(
            "2026-11-23 09:00:00.153 30 9 4711 17 42 12345 2 0 2 31 {} 0 {low} 51234 20003 PATCH /ä 502 312 1045 \
             1 2 3 4 5 SH-- be srv 3",
            0x0100_5f7c
        )
    );
}

#[test]
fn usage_is_told_for_the_hours_that_changed_with_their_whole_counts() {
    let mut store = Store::new();
    let customer = CustomerId::new(5).unwrap();
    let hour = |hour: i64, requests, billable_requests, billable_bytes| HourUsage {
        customer,
        service: Service::Seal,
        hour: UtcMillis(hour),
        requests,
        billable_requests,
        billable_bytes,
    };
    let ten = NINE_O_CLOCK + 3_600_000;
    let first = [(ten - 1, 1, 10), (ten - 2, 2, 20), (ten - 3, 3, 40), (ten, 7, 80), (ten, 8, 160), (ten, 4, 320)];
    store.append(&first.map(|(ts, class, bytes)| line(ts, "5", class, bytes)));
    store.append(&[line(ten, "-", 3, 1)]);
    let changes = store.traffic.usage_changed_after(0).unwrap();
    assert_eq!(changes.through_batch, 2);
    assert_eq!(changes.hours, [hour(NINE_O_CLOCK, 3, 2, 30), hour(ten, 2, 0, 80)]);

    assert!(store.traffic.usage_changed_after(2).unwrap().hours.is_empty());
    store.append(&[line(NINE_O_CLOCK, "5", 1, 1000)]);
    let changes = store.traffic.usage_changed_after(2).unwrap();
    assert_eq!((changes.through_batch, changes.hours), (3, vec![hour(NINE_O_CLOCK, 4, 3, 1030)]));
}

#[test]
fn what_is_billed_and_what_is_counted_is_what_the_core_says() {
    for class in TrafficClass::ALL {
        let mut store = Store::new();
        store.append(&[line(NINE_O_CLOCK, "5", class.number(), 1)]);
        let hours = store.traffic.usage_changed_after(0).unwrap().hours;
        let counted: u64 = hours.iter().map(|hour| hour.requests).sum();
        let billed: u64 = hours.iter().map(|hour| hour.billable_requests).sum();
        assert_eq!((counted, billed), (class.is_counted().into(), class.is_billable().into()), "{class:?}");
        assert_eq!(store.traffic.billable_requests().unwrap(), billed, "{class:?}");
    }
}

#[test]
fn any_line_that_is_accepted_can_be_metered_and_merged() {
    let mut store = Store::new();
    let greatest = log_line::s1::MAX_BYTES;
    let line = line(NINE_O_CLOCK, "5", 1, greatest);
    let line = format!("{} {}", line.strip_suffix(" 1").unwrap(), log_line::s1::MAX_REPEAT);
    for _ in 0..3 {
        store.append(&vec![line.clone(); 1000]);
    }
    let before = store.traffic.usage_changed_after(0).unwrap();
    assert_eq!(before.hours[0].requests, 3000 * u64::from(log_line::s1::MAX_REPEAT));
    assert_eq!(before.hours[0].billable_bytes, 3000 * greatest);
    store.writer.compact(UtcMillis(NINE_O_CLOCK)).unwrap();
    assert_eq!(store.traffic.usage_changed_after(0).unwrap(), before);
}

#[test]
fn recent_requests_fall_into_their_steps() {
    let mut store = Store::new();
    let at = |ms, class| line(NINE_O_CLOCK + ms, "5", class, 1);
    store.append(&[at(-1, 1), at(0, 1), at(4999, 1), at(5000, 2), at(5001, 8), at(9999, 4), at(10_000, 1)]);
    let from = UtcMillis(NINE_O_CLOCK);
    let recent = store.traffic.recent(RecentQuery { from, to: from.plus_ms(10_000), step_ms: 5000 }).unwrap();
    assert_eq!((recent.through_batch, recent.rows, recent.rejects), (1, 7, 0));
    let bucket = |step, class, requests| RecentBucket { customer_id: Some(5), step, class, requests };
    assert_eq!(
        recent.buckets,
        [
            bucket(0, TrafficClass::Guaranteed, 2),
            bucket(1, TrafficClass::Burst, 1),
            bucket(1, TrafficClass::DroppedByRate, 1)
        ]
    );
}

#[test]
fn merging_deltas_changes_no_count_and_old_rollups_go() {
    let mut store = Store::new();
    for round in 0..5 {
        store.append(&[line(NINE_O_CLOCK + round, "5", 1, 10), line(NINE_O_CLOCK + round, "-", 3, 10)]);
    }
    let before = store.traffic.usage_changed_after(0).unwrap();
    let rows = |store: &Store, table: &str| -> (u64, u64) {
        let sql = format!("SELECT count(*)::UBIGINT, coalesce(sum(requests), 0)::UBIGINT FROM {table}");
        store.writer.connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    assert_eq!(rows(&store, "minute_deltas"), (10, 10));
    store.writer.compact(UtcMillis(NINE_O_CLOCK)).unwrap();
    assert_eq!(rows(&store, "minute_deltas"), (2, 10));
    assert_eq!(rows(&store, "hour_deltas"), (2, 10));
    assert_eq!(store.traffic.usage_changed_after(0).unwrap(), before);
    assert_eq!(store.traffic.usage_changed_after(4).unwrap(), before);

    store.writer.compact(UtcMillis(NINE_O_CLOCK + 50 * 3_600_000)).unwrap();
    assert_eq!(rows(&store, "minute_deltas"), (0, 0));
    assert_eq!(rows(&store, "hour_deltas"), (2, 10));
    assert_eq!(rows(&store, "day_deltas"), (2, 10));
    store.writer.compact(UtcMillis(NINE_O_CLOCK + 3 * 366 * 24 * 3_600_000)).unwrap();
    assert_eq!(rows(&store, "hour_deltas"), (0, 0));
    assert_eq!(rows(&store, "day_deltas"), (2, 10));
    assert_eq!(store.traffic.line_counts().unwrap(), (10, 0));
}

#[test]
fn the_store_outlives_the_process_and_keeps_its_name_and_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.duckdb");
    let open = || Traffic::open(&path, &OPTIONS).unwrap();
    let (traffic, mut writer) = open();
    let mut batch = Batch::new(traffic.new_shapes().unwrap());
    batch.push(&log_line::parse(line(NINE_O_CLOCK, "5", 1, 1).as_bytes()).unwrap());
    writer.append(&batch.seal(1).unwrap()).unwrap();
    let name = traffic.store_id().to_owned();
    drop((traffic, writer));
    let (traffic, mut writer) = open();
    assert_eq!(traffic.store_id(), name);
    let mut batch = Batch::new(traffic.new_shapes().unwrap());
    batch.push(&log_line::parse(line(NINE_O_CLOCK, "5", 1, 1).as_bytes()).unwrap());
    assert_eq!(writer.append(&batch.seal(1).unwrap()).unwrap(), 2);
    let paths = "SELECT count(DISTINCT path)::UBIGINT * 10 + count(*)::UBIGINT FROM requests";
    let paths: u64 = writer.connection.query_row(paths, [], |row| row.get(0)).unwrap();
    assert_eq!(paths, 12, "shapes of the first run are not given other columns");
    assert_eq!(traffic.line_counts().unwrap(), (2, 0));
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.duckdb");
    drop(Traffic::open(&path, &OPTIONS).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("INSERT INTO schema_version VALUES (99)").unwrap();
    drop(connection);
    let error = Traffic::open(&path, &OPTIONS).err().unwrap().to_string();
    assert!(error.contains("schema version 99") && error.contains("install the newer"), "{error}");
}

/// Every column of every table, in words.
fn columns(connection: &Connection) -> BTreeSet<String> {
    let mut statement = connection
        .prepare(
            "SELECT concat_ws(' ', table_name, column_index, column_name, data_type, is_nullable, column_default)
             FROM duckdb_columns() WHERE NOT internal AND table_name <> 'schema_version'",
        )
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn the_steps_lead_to_the_schema_and_may_run_twice() {
    let stepped = Connection::open_in_memory().unwrap();
    for step in open::STEPS {
        stepped.execute_batch(step).unwrap();
        let once = columns(&stepped);
        stepped.execute_batch(step).unwrap();
        assert_eq!(columns(&stepped), once);
    }
    let whole = Connection::open_in_memory().unwrap();
    whole.execute_batch(include_str!("../../schema/traffic/schema.sql")).unwrap();
    assert!(!columns(&whole).is_empty());
    assert_eq!(columns(&stepped), columns(&whole));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_split_into_batches_gives_the_same_usage(
        lines in prop::collection::vec((0..7_200_000_i64, 1..4_u32, 0..=8_u8, 0..1000_u64), 1..60),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let lines: Vec<String> = lines
            .into_iter()
            .map(|(ms, customer, class, bytes)| line(NINE_O_CLOCK + ms, &customer.to_string(), class, bytes))
            .collect();
        let mut whole = Store::new();
        whole.append(&lines);
        let mut split = Store::new();
        let mut edges: Vec<usize> = cuts.iter().map(|cut| cut.index(lines.len())).collect();
        edges.extend([0, lines.len()]);
        edges.sort_unstable();
        for edge in edges.windows(2) {
            split.append(&lines[edge[0]..edge[1]]);
        }
        split.writer.compact(UtcMillis(NINE_O_CLOCK)).unwrap();
        prop_assert_eq!(
            split.traffic.usage_changed_after(0).unwrap().hours,
            whole.traffic.usage_changed_after(0).unwrap().hours
        );
    }
}
