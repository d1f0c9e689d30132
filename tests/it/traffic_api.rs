//! What customers see of their requests, through a real server that reads a real log.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suiftly::clock::Clock;
use suiftly::core::calendar::UtcMillis;

use crate::server::Server;
use crate::support::binary;
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

/// Requests cost twice as much from now on.
fn change_price(server: &Server) {
    let mut command = Command::new(binary());
    command.args(["config", "set", "freqs_usd", "2", "--config"]).arg(server.config());
    assert!(command.status().unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.send("GET", "/api/config/frontend", &[], None).body["values"]["freqs_usd"] != "2" {
        assert!(Instant::now() < deadline, "it does not take it over");
        thread::sleep(Duration::from_millis(50));
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
fn an_answer_from_before_a_batch_is_not_given_after_it() {
    let server = Server::start();
    let Counted { person, now, .. } = counted(&server);
    let customer = number(&person);
    let mut log = OpenOptions::new().append(true).open(server.folder.path().join("ha.log")).unwrap();
    for round in 0..5 {
        let path = format!("/fresh-{round}");
        let line = Line { ts: now, counter: 500 + round, customer, class: 1, status: 200, total_ms: 1, path };
        let mut text = String::new();
        line.write(&mut text);
        log.write_all(text.as_bytes()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let before = person.get("/api/traffic/summary").body["current"]["requests"].as_u64().unwrap();
            let newest = person.get(&format!("/api/traffic/requests?path={}", line.path)).body;
            if newest["items"].as_array().is_some_and(|items| !items.is_empty()) {
                let after = person.get("/api/traffic/summary").body["current"]["requests"].as_u64().unwrap();
                assert_eq!(after, 101 + round, "{before} a moment before");
                break;
            }
            assert!(Instant::now() < deadline, "the line was not counted");
            thread::sleep(Duration::from_millis(10));
        }
    }
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
        // From within a minute until within another.
        let drawn = classes["lines"][0]["values"].as_array().unwrap().len();
        let steps = if query.starts_with("from") && drawn == steps + 1 { drawn } else { steps };
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

#[test]
fn requests_are_listed_filtered_and_found_and_only_their_owners_see_them() {
    let server = Server::start();
    let Counted { person, stranger, now } = counted(&server);
    let list = |query: &str| {
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let more = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = person.get(&format!("/api/traffic/requests?{query}{more}"));
            assert_eq!(page.status, 200, "{page:?}");
            found.extend(page.body["items"].as_array().unwrap().clone());
            cursor = page.body["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return found;
            }
        }
    };
    let all = list("range=7d&limit=7");
    assert_eq!(all.len(), 110);
    let times: Vec<_> = all.iter().map(|item| item["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "newest first");
    for (query, expected) in [
        ("range=1h&limit=200", 100),
        ("range=7d&status=502&limit=3", 10),
        ("range=7d&status=4xx", 10),
        ("range=7d&status=none", 0),
        ("range=7d&class=dropped_by_rate", 10),
        ("range=7d&class=burst", 10),
        ("range=7d&path=/v1/2&limit=4", 33),
        ("range=7d&path=/v1/%25", 0),
        ("range=7d&path=/theirs", 0),
        ("range=7d&key=171", 0),
        // The fingerprint of class 4 is AB4 in hexadecimal.
        ("range=7d&key=2740", 10),
        ("range=7d&event=0&limit=200", 110),
        ("range=7d&event=30", 0),
        ("range=7d&service=seal", 0),
        ("range=7d&network=mainnet&limit=200", 110),
    ] {
        assert_eq!(list(query).len(), expected, "{query}");
    }
    let newest = &all[0];
    assert_eq!(
        (newest["at"].as_str().unwrap(), newest["times"]["total_ms"].as_u64()),
        (now.to_string().as_str(), Some(0))
    );
    let path = format!("/api/traffic/requests/{}", newest["request_id"].as_str().unwrap());
    change_price(&server);
    let mut one = person.get(&path).body;
    let price = one.as_object_mut().unwrap().remove("price").unwrap();
    let then = json!({"amount_micros": 1_000_000, "amount": "$1.00", "per_requests": 10_000});
    assert_eq!((&one, price), (newest, then), "at the price of then, whatever it is now");
    let free = list("range=7d&class=dropped_by_rate&limit=1")[0]["request_id"].as_str().unwrap().to_owned();
    assert!(person.get(&format!("/api/traffic/requests/{free}")).body.get("price").is_none());
    assert_eq!((stranger.get(&path).status, stranger.get(&path).code()), (404, "not_found"));
    assert_eq!(person.get("/api/traffic/requests/nonsense").status, 404);
    let cursor = person.get("/api/traffic/requests?limit=1").body["next_cursor"].as_str().unwrap().to_owned();
    for (who, query) in [(&stranger, "limit=1"), (&person, "limit=1&status=200")] {
        let answer = who.get(&format!("/api/traffic/requests?{query}&cursor={cursor}"));
        assert_eq!((answer.status, answer.code()), (400, "invalid_cursor"), "{query}");
    }
    let wrong = person.get("/api/traffic/requests?key=x&path=v1&status=99&class=stream_close&event=256&limit=201");
    let fields: Vec<_> = wrong.body["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["key", "path", "status", "class", "event", "limit"]);
}

#[test]
fn tops_and_gateways_count_what_was_logged() {
    let server = Server::start();
    let Counted { person, .. } = counted(&server);
    let tops = |of: &str| {
        let answer = person.get(&format!("/api/traffic/tops?range=7d&of={of}")).body;
        let items = answer["items"].as_array().unwrap().clone();
        items.iter().map(|item| format!("{} {}", item["value"].as_str().unwrap(), item["requests"])).collect::<Vec<_>>()
    };
    assert_eq!(tops("paths"), ["/v1/0 34", "/v1/1 33", "/v1/2 33", "/old 10"]);
    assert_eq!(tops("statuses"), ["200 90", "429 10", "502 10"]);
    assert_eq!(tops("client_ips"), ["203.0.113.1 90", "203.0.113.2 10", "203.0.113.4 10"]);
    assert_eq!(tops("keys"), [format!("{} 90", 0xAB1), format!("{} 10", 0xAB2), format!("{} 10", 0xAB4)]);
    assert_eq!(person.get("/api/traffic/tops?range=7d&limit=1").body["items"].as_array().unwrap().len(), 1);
    let gateways = person.get("/api/traffic/gateways?range=7d").body;
    let shares = gateways["items"].as_array().unwrap();
    assert_eq!(
        (shares.len(), &shares[0]["gateway"], &shares[0]["requests"]),
        (1, &json!(1), &json!(110)),
        "{gateways}"
    );
}

/// The whole answer of an old client, to whom bodies come unchunked.
fn download(server: &Server, person: &SignedIn<'_>, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: test\r\nCookie: __Host-suiftly-access={}\r\n\r\n", person.access)
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap().to_lowercase(), body)
}

#[test]
fn requests_are_exported_as_csv_and_parquet() {
    let server = Server::start();
    let Counted { person, .. } = counted(&server);
    let (head, csv) = download(&server, &person, "/api/traffic/export?range=7d");
    assert!(head.contains("content-disposition: attachment; filename=\"requests.csv\""), "{head}");
    assert!(head.contains("content-type: text/csv") && head.contains("suiftly-row-limit: 1000000"), "{head}");
    let csv = String::from_utf8(csv).unwrap();
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().starts_with("request_id,at,service,network,class,"));
    assert_eq!(lines.count(), 110);
    assert!(!csv.contains("/theirs"));
    let (head, parquet) = download(&server, &person, "/api/traffic/export?range=7d&format=parquet&status=502");
    assert!(head.contains("filename=\"requests.parquet\""), "{head}");
    let path = server.folder.path().join("requests.parquet");
    std::fs::write(&path, parquet).unwrap();
    let rows = duckdb::Connection::open_in_memory()
        .unwrap()
        .query_row(
            &format!("SELECT count(*) FILTER (status = 502 AND \"at\" IS NOT NULL) FROM '{}'", path.display()),
            [],
            |row| row.get::<_, u64>(0),
        )
        .unwrap();
    assert_eq!(rows, 10);
    let answer = person.get("/api/traffic/export?format=xls");
    assert_eq!((answer.status, answer.code()), (400, "invalid_parameter"));
}

/// A tail that is read event by event.
struct Tail(BufReader<TcpStream>);

impl Tail {
    fn open(server: &Server, person: &SignedIn<'_>, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        write!(
            stream,
            "GET /api/traffic/live HTTP/1.0\r\nHost: test\r\nCookie: __Host-suiftly-access={}\r\n{last}\r\n",
            person.access
        )
        .unwrap();
        Self(BufReader::new(stream))
    }

    /// The next event's id and data; `None` at the end.
    fn next(&mut self) -> Option<(String, Value)> {
        let mut id = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.trim().to_owned();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                // The id may stand before or after.
                while id.is_empty() {
                    let mut line = String::new();
                    assert_ne!(self.0.read_line(&mut line).unwrap(), 0);
                    id = line.strip_prefix("id: ").unwrap_or_default().trim().to_owned();
                }
                return Some((id, serde_json::from_str(data).unwrap()));
            }
        }
    }
}

#[test]
fn a_tail_tells_what_is_new_goes_on_where_it_was_and_ends_with_the_server() {
    let mut server = Server::start();
    let (person, stranger) = (Wallet::new().sign_in(&server), Wallet::new().sign_in(&server));
    let (mine, theirs) = (number(&person), number(&stranger));
    let write = |customer: u64, first: u64, lines: u64| {
        let mut text = String::new();
        for counter in first..first + lines {
            let (ts, path) = (Clock::System.now(), "/tail".to_owned());
            Line { ts, counter, customer, class: 1, status: 200, total_ms: 1, path }.write(&mut text);
        }
        let log = server.folder.path().join("ha.log");
        OpenOptions::new().create(true).append(true).open(log).unwrap().write_all(text.as_bytes()).unwrap();
    };
    let mut tail = Tail::open(&server, &person, None);
    let (_, first) = tail.next().unwrap();
    assert_eq!((&first["items"], &first["dropped"]), (&json!([]), &json!(0)), "{first}");
    write(theirs, 1000, 3);
    write(mine, 0, 2);
    let (id, news) = tail.next().unwrap();
    assert_eq!((news["items"].as_array().unwrap().len(), &news["requests"]), (2, &json!(2)), "{news}");
    write(mine, 10, 50);
    let mut more = (0, 0, 0);
    while more.0 < 50 {
        let (_, news) = tail.next().unwrap();
        let shown = u64::try_from(news["items"].as_array().unwrap().len()).unwrap();
        assert!(shown <= 20, "{news}");
        more =
            (more.0 + news["requests"].as_u64().unwrap(), more.1 + shown, more.2 + news["dropped"].as_u64().unwrap());
    }
    assert_eq!((more.0, more.1 + more.2), (50, 50));
    // What was missed meanwhile comes with the first event.
    let (_, missed) = Tail::open(&server, &person, Some(&id)).next().unwrap();
    assert_eq!((&missed["requests"], &missed["dropped"]), (&json!(50), &json!(30)), "{missed}");
    let tails: Vec<_> = (0..5)
        .map(|_| Tail::open(&server, &stranger, None))
        .map(|mut tail| {
            tail.next();
            tail
        })
        .collect();
    let refused = stranger.get("/api/traffic/live");
    assert_eq!((refused.status, refused.code()), (503, "too_many_watchers"));
    drop((refused, tails));
    assert_eq!(server.terminate(), 0);
    while tail.next().is_some() {}
}
