//! Rollups against what they are made of, and the figures and charts that are read from them.

use std::collections::BTreeMap;

use super::*;
use crate::core::chart::{Chart, Grain, Span};
use crate::core::id::Network;
use crate::core::latency_histogram::LatencyHistogram;

const HOUR: i64 = 3_600_000;

/// What a line is made of, as far as rollups are concerned.
#[derive(Debug, Clone)]
struct Made {
    ms: i64,
    customer: u32,
    class: u8,
    status: u16,
    total_ms: i32,
    repeat: u32,
}

impl Made {
    fn line(&self) -> String {
        let Self { ms, customer, class, status, total_ms, repeat } = self;
        let (ts, network) = (NINE_O_CLOCK + ms, customer % 2);
        let customer = if *customer == 0 { "-".to_owned() } else { customer.to_string() };
        format!(
            "s1 {ts} 1 7 1 1 {customer} 1 {network} {class} 0 0 203.0.113.9 5 20002 GET /a {status} 10 100 \
             0/0/0/0/0/4/{total_ms} ---- b s {repeat}"
        )
    }
}

fn made() -> impl Strategy<Value = Made> {
    let time = prop_oneof![Just(-1), 0..40_i32, 0..5000_i32, 0..i32::MAX];
    let status = prop_oneof![Just(200_u16), Just(404), Just(502)];
    (prop_oneof![0..3 * HOUR, 14 * HOUR..16 * HOUR], 0..3_u32, 0..=8_u8, status, time, 1..4_u32).prop_map(
        |(ms, customer, class, status, total_ms, repeat)| Made { ms, customer, class, status, total_ms, repeat },
    )
}

/// Everything in a rollup, summed up in SQL and in order.
fn rollup(store: &Store, table: &str) -> Vec<String> {
    let sql = format!(
        "WITH flat AS (SELECT * EXCLUDE (latency_buckets, latency_counts), unnest(latency_buckets) AS bucket,
                              unnest(latency_counts) AS times FROM {table}),
              keys AS (SELECT concat_ws(' ', start, coalesce(customer_id, 0), service, network, class, status_class,
                              sum(requests), sum(bytes_in), sum(bytes_out), sum(time_sum_ms), min(time_min_ms),
                              max(time_max_ms)) AS line FROM {table}
                       GROUP BY start, customer_id, service, network, class, status_class),
              latencies AS (SELECT concat_ws(' ', 'latency', start, coalesce(customer_id, 0), service, network, class,
                                   status_class, bucket, sum(times)) AS line FROM flat
                            GROUP BY start, customer_id, service, network, class, status_class, bucket)
         SELECT line FROM keys UNION ALL SELECT line FROM latencies ORDER BY line"
    );
    let mut statement = store.writer.connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn all(store: &Store) -> Vec<Vec<String>> {
    ["minute_deltas", "hour_deltas", "day_deltas"].map(|table| rollup(store, table)).into()
}

fn rows_in(store: &Store, table: &str) -> (u64, u64) {
    let sql = format!(
        "SELECT count(*)::UBIGINT, count(DISTINCT (start, customer_id, class, status_class))::UBIGINT
                       FROM {table}"
    );
    store.writer.connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_split_any_order_and_any_moment_of_merging_give_the_same_rollups(
        lines in prop::collection::vec(made(), 1..60),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6),
        order in any::<prop::sample::Index>(),
    ) {
        let mut whole = Store::new();
        whole.append(&lines.iter().map(Made::line).collect::<Vec<_>>());
        let mut split = Store::new();
        let mut turned = lines.clone();
        turned.rotate_left(order.index(lines.len()));
        let mut edges: Vec<_> = cuts.iter().map(|(cut, merges)| (cut.index(lines.len()), *merges)).collect();
        edges.extend([(0, false), (lines.len(), false)]);
        edges.sort_unstable();
        for edge in edges.windows(2) {
            split.append(&turned[edge[0].0..edge[1].0].iter().map(Made::line).collect::<Vec<_>>());
            if edge[1].1 {
                split.writer.compact(UtcMillis(NINE_O_CLOCK)).unwrap();
            }
        }
        // Whatever is merged and whatever is not yet, readers see the same.
        for customer in [1, 2] {
            let [minutes, hours, days] = totals_by_grain(&split, customer).map(|(_, totals)| totals);
            prop_assert_eq!(&minutes, &totals_by_grain(&whole, customer)[0].1);
            prop_assert_eq!((&hours, &days), (&minutes, &minutes));
        }
        for store in [&split, &whole] {
            store.writer.compact(UtcMillis(NINE_O_CLOCK)).unwrap();
        }
        prop_assert_eq!(all(&split), all(&whole));
        for table in ["minute_deltas", "hour_deltas", "day_deltas"] {
            let (rows, keys) = rows_in(&split, table);
            prop_assert_eq!(rows, keys, "{} is merged", table);
        }
    }

    #[test]
    fn percentiles_are_within_five_percent_of_those_of_the_requests(
        lines in prop::collection::vec(made(), 1..60),
        merges in any::<bool>(),
    ) {
        let mut store = Store::new();
        for part in lines.chunks(20) {
            store.append(&part.iter().map(Made::line).collect::<Vec<_>>());
        }
        if merges {
            store.writer.compact(UtcMillis(NINE_O_CLOCK)).unwrap();
        }
        let is_timed = |line: &&Made| line.customer == 1 && matches!(line.class, 1 | 2) && line.total_ms >= 0;
        let timed = lines.iter().filter(is_timed);
        let mut exact: Vec<i32> =
            timed.flat_map(|line| std::iter::repeat_n(line.total_ms, line.repeat.try_into().unwrap())).collect();
        exact.sort_unstable();
        for (grain, found) in totals_by_grain(&store, 1) {
            prop_assert_eq!(found.latency.total(), u64::try_from(exact.len()).unwrap(), "{:?}", grain);
            for percent in [50, 95, 99] {
                let rank = (exact.len() * percent).div_ceil(100).max(1);
                let expected = exact.get(rank - 1).map(|ms| i64::from(*ms));
                let found = found.latency.percentile(percent.try_into().unwrap()).map(i64::from);
                prop_assert_eq!(expected.is_some(), found.is_some());
                let (expected, found) = (expected.unwrap_or(0), found.unwrap_or(0));
                prop_assert!((expected - found).abs() * 20 <= expected, "{} {}", expected, found);
            }
        }
    }
}

fn scope(customer: u32) -> Scope {
    Scope::of(CustomerId::new(customer).unwrap())
}

/// Two whole days.
fn days() -> Span {
    let from = UtcMillis(NINE_O_CLOCK).day();
    Span { from, to: from.plus_ms(48 * HOUR) }
}

/// All of those days.
fn totals(store: &Store, interrupt: &Interrupt, scope: &Scope, grain: Grain) -> Result<Totals, TrafficError> {
    let chart = Chart { span: days(), step_ms: days().length_ms() };
    Ok(store.traffic.totals(interrupt, scope, grain, chart)?.remove(&0).unwrap_or_default())
}

fn totals_by_grain(store: &Store, customer: u32) -> [(Grain, Totals); 3] {
    [Grain::Minute, Grain::Hour, Grain::Day]
        .map(|grain| (grain, totals(store, &Interrupt::default(), &scope(customer), grain).unwrap()))
}

#[test]
fn figures_are_the_same_from_every_rollup() {
    let mut store = Store::new();
    let made = |ms, customer, class, status, total_ms, repeat| Made { ms, customer, class, status, total_ms, repeat };
    let lines = [
        made(0, 5, 1, 200, 7, 1),
        made(1, 5, 2, 404, 9, 2),
        made(HOUR, 5, 3, 401, 0, 1),
        made(HOUR, 5, 6, 503, -1, 1),
        made(HOUR, 5, 7, 200, 1, 1),
        made(HOUR, 5, 8, 200, 1, 9),
        made(HOUR, 6, 1, 200, 1, 9),
        made(HOUR, 0, 3, 401, 1, 9),
    ];
    store.append(&lines.map(|line| line.line()));
    let mut latency = LatencyHistogram::default();
    latency.record(7, 1);
    latency.record(9, 2);
    let expected = Totals {
        requests: 6,
        billable_requests: 3,
        errors: 4,
        server_errors: 1,
        bytes_in: 60,
        bytes_out: 500,
        latency,
    };
    for (grain, totals) in totals_by_grain(&store, 5) {
        assert_eq!(totals, expected, "{grain:?}");
    }
    let other = |scope: Scope| totals(&store, &Interrupt::default(), &scope, Grain::Hour).unwrap().requests;
    assert_eq!(other(scope(5).network(Some(Network::Mainnet))), 6);
    assert_eq!(other(scope(5).network(Some(Network::Testnet))), 0);
    assert_eq!(other(scope(5).service(Some(Service::Grpc))), 0);
    assert_eq!(other(scope(7)), 0);
}

/// A line that is older than what minutes are kept for still counts in its hour and its day.
#[test]
fn a_late_line_counts_though_its_minute_is_not_kept() {
    let mut store = Store::new();
    let late = Made { ms: 0, customer: 5, class: 1, status: 200, total_ms: 7, repeat: 1 };
    for _ in 0..2 {
        store.append(&[late.line()]);
        store.writer.compact(UtcMillis(NINE_O_CLOCK + 100 * HOUR)).unwrap();
    }
    let [minutes, hours, days] = totals_by_grain(&store, 5).map(|(_, totals)| totals.requests);
    assert_eq!((minutes, hours, days), (0, 2, 2));
    assert_eq!(store.traffic.usage_changed_after(0).unwrap().hours[0].requests, 2);
    assert!(store.traffic.usage_changed_after(2).unwrap().hours.is_empty());
}

#[test]
fn a_chart_has_every_request_in_its_step() {
    let mut store = Store::new();
    let made = |ms, class, status| Made { ms, customer: 5, class, status, total_ms: 3, repeat: 1 };
    let lines = [made(-1, 1, 200), made(0, 1, 200), made(59_999, 2, 500), made(60_000, 1, 200), made(HOUR, 1, 200)];
    store.append(&lines.map(|line| line.line()));
    let from = UtcMillis(NINE_O_CLOCK);
    let chart = Chart { span: Span { from, to: from.plus_ms(HOUR) }, step_ms: 60_000 };
    let interrupt = Interrupt::default();
    let series = |by| {
        let points = store.traffic.request_series(&interrupt, &scope(5), chart, by).unwrap();
        points.iter().map(|point| (point.step, point.line, point.requests)).collect::<Vec<_>>()
    };
    assert_eq!(series(By::TrafficClass), [(0, 1, 1), (0, 2, 1), (1, 1, 1)]);
    assert_eq!(series(By::StatusClass), [(0, 2, 1), (0, 5, 1), (1, 2, 1)]);
    let bandwidth = store.traffic.bandwidth_series(&interrupt, &scope(5), chart).unwrap();
    assert_eq!(
        bandwidth,
        [Bandwidth { step: 0, bytes_in: 20, bytes_out: 200 }, Bandwidth { step: 1, bytes_in: 10, bytes_out: 100 }]
    );
    let latencies = store.traffic.latency_series(&interrupt, &scope(5), chart).unwrap();
    let totals: BTreeMap<_, _> = latencies.iter().map(|(step, latency)| (*step, latency.total())).collect();
    assert_eq!(totals, BTreeMap::from([(0, 2), (1, 1)]));
}

#[test]
fn an_interrupted_read_ends_and_leaves_the_store_usable() {
    let mut store = Store::new();
    store.append(&[line(NINE_O_CLOCK, "5", 1, 1)]);
    let interrupt = Interrupt::default();
    interrupt.fire();
    let ended = totals(&store, &interrupt, &scope(5), Grain::Hour);
    assert!(matches!(ended, Err(TrafficError::Interrupted)), "{ended:?}");

    let interrupt = Interrupt::default();
    let long = "SELECT count(*)::UBIGINT FROM range(100000000) a, range(100000000) b";
    let ended = std::thread::scope(|threads| {
        let traffic = &store.traffic;
        let fired = &interrupt;
        let running = threads.spawn(move || {
            traffic.read_until(fired, |reader| {
                reader.connection.query_row(long, [], |row| row.get::<_, u64>(0)).map_err(failed("count for ever"))
            })
        });
        while !running.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(5));
            interrupt.fire();
        }
        running.join().unwrap()
    });
    assert!(ended.unwrap_err().is_interrupted());
    assert_eq!(totals_by_grain(&store, 5)[0].1.requests, 1, "the connection serves the next read");
}
