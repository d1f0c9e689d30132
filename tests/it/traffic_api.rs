//! What customers see of their requests, through a real server that reads a real log.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suiftly::clock::Clock;
use suiftly::core::calendar::UtcMillis;

use crate::server::Server;
use crate::wallet::{SignedIn, Wallet};

/// A line of the log.
struct Line {
    ts: UtcMillis,
    counter: u64,
    customer: u64,
    class: u8,
    status: u16,
    total_ms: u32,
    path: String,
}

impl Line {
    fn write(&self, log: &mut String) {
        let Self { ts, counter, customer, class, status, total_ms, path } = self;
        let ts = ts.0;
        writeln!(
            log,
            "s1 {ts} 1 7 {counter} {counter} {customer} 2 1 {class} 0 AB{class} 203.0.113.{class} 51234 20002 GET \
             {path} {status} 10 100 0/0/0/0/1/2/{total_ms} ---- be_grpc s1 1"
        )
        .unwrap();
    }
}

/// A server whose log has requests of two customers, all of them counted.
struct Counted<'s> {
    person: SignedIn<'s>,
    stranger: SignedIn<'s>,
    now: UtcMillis,
}

fn number(person: &SignedIn<'_>) -> u64 {
    person.get("/api/customer").body["customer_id"].as_u64().unwrap()
}

/// A hundred requests of the last minutes, ten of yesterday, and ten of somebody else.
fn counted(server: &Server) -> Counted<'_> {
    let (person, stranger) = (Wallet::new().sign_in(server), Wallet::new().sign_in(server));
    let now = Clock::System.now();
    let (mine, theirs) = (number(&person), number(&stranger));
    let mut log = String::new();
    for counter in 0..100_u32 {
        let (class, status) = if counter % 10 == 9 { (4, 429) } else { (1, if counter % 10 == 8 { 502 } else { 200 }) };
        let ts = now.plus_ms(-i64::from(counter) * 1000);
        let path = format!("/v1/{}", counter % 3);
        Line { ts, counter: counter.into(), customer: mine, class, status, total_ms: counter, path }.write(&mut log);
    }
    for counter in 0..10_u32 {
        let ts = now.plus_ms(-25 * 3_600_000);
        let line = Line {
            ts,
            counter: 100 + u64::from(counter),
            customer: mine,
            class: 2,
            status: 200,
            total_ms: 7,
            path: "/old".into(),
        };
        line.write(&mut log);
        let line = Line {
            ts: now,
            counter: 200 + u64::from(counter),
            customer: theirs,
            class: 1,
            status: 200,
            total_ms: 7,
            path: "/theirs".into(),
        };
        line.write(&mut log);
    }
    std::fs::write(server.folder.path().join("ha.log"), log).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while person.get("/api/traffic/summary?range=7d").body["current"]["requests"] != 110 {
        assert!(Instant::now() < deadline, "not all lines were counted");
        thread::sleep(Duration::from_millis(100));
    }
    Counted { person, stranger, now }
}

#[test]
fn figures_and_charts_tell_what_was_logged() {
    let server = Server::start();
    let Counted { person, stranger, now } = counted(&server);
    let summary = person.get("/api/traffic/summary").body;
    let (current, previous) = (&summary["current"], &summary["previous"]);
    assert_eq!(
        [&current["requests"], &current["billable_requests"], &current["errors"], &current["server_errors"]],
        [100, 90, 20, 10]
    );
    assert_eq!((&current["bytes_in"], &current["bytes_out"]), (&json!(1000), &json!(10_000)));
    assert_eq!((&previous["requests"], &previous["p99_ms"]), (&json!(10), &json!(7)));
    // The median of the billable ones of 0 to 99 ms.
    let median = current["p50_ms"].as_i64().unwrap();
    assert!((median - 48).abs() * 20 <= 49, "{summary}");
    assert_eq!(stranger.get("/api/traffic/summary").body["current"]["requests"], 10);
    assert_eq!(person.get("/api/traffic/summary?service=seal").body["current"]["requests"], 0);
    assert!(person.get("/api/traffic/summary?service=seal").body["current"].get("p50_ms").is_none());

    let from = now.plus_ms(-3_600_000);
    for (query, steps, step_s) in [
        ("range=1h".to_owned(), 60, 60),
        ("range=24h".to_owned(), 96, 900),
        ("range=7d".to_owned(), 168, 3600),
        ("range=30d".to_owned(), 30, 86_400),
        ("range=90d".to_owned(), 90, 86_400),
        (format!("from={from}"), 61, 60),
    ] {
        let requests = if step_s < 3600 { 100 } else { 110 };
        let chart = |kind: &str| person.get(&format!("/api/traffic/{kind}{query}")).body;
        let (classes, statuses) = (chart("series?"), chart("series?by=status&"));
        for chart in [&classes, &statuses] {
            assert_eq!(chart["step_s"], step_s, "{query}: {chart}");
            let lines = chart["lines"].as_array().unwrap();
            assert!(lines.iter().all(|line| line["values"].as_array().unwrap().len() == steps), "{query}: {chart}");
            assert_eq!(lines.iter().map(|line| sum(&line["values"])).sum::<u64>(), requests, "{query}");
        }
        assert_eq!(sum(&line(&classes, "dropped_by_rate")["values"]), 10);
        assert_eq!(sum(&line(&statuses, "5xx")["values"]), 10);
        assert_eq!(sum(&line(&chart("series?by=bandwidth&"), "bytes_out")["values"]), requests * 100);
        let percentiles = chart("percentiles?");
        assert_eq!(sum(&percentiles["requests"]), requests - 10);
        let timed = percentiles["p95_ms"].as_array().unwrap().iter().filter(|ms| !ms.is_null()).count();
        let active = percentiles["requests"].as_array().unwrap().iter().filter(|requests| **requests != 0).count();
        assert_eq!((timed, percentiles["p50_ms"].as_array().unwrap().len()), (active, steps));
    }
}

fn line<'c>(chart: &'c Value, name: &str) -> &'c Value {
    chart["lines"].as_array().unwrap().iter().find(|line| line["name"] == name).unwrap()
}

fn sum(values: &Value) -> u64 {
    values.as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).sum()
}

#[test]
fn everything_that_is_wrong_with_a_question_is_told_at_once() {
    let server = Server::start();
    let person = Wallet::new().sign_in(&server);
    let answer = person.get("/api/traffic/series?range=2d&by=path&service=http&network=devnet");
    assert_eq!((answer.status, answer.code()), (400, "invalid_parameter"), "{answer:?}");
    let fields: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["by", "range", "service", "network"]);
    assert_eq!(person.get("/api/traffic/summary?customer_id=7").code(), "invalid_parameter");
}
