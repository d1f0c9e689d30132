//! With a real HAProxy, which set-up installs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::haproxy::{HaproxyProcess, free_addresses, local_settings};
use super::load::run_load;
use super::plan::LoadPlan;
use super::synthetic::run_synthetic;
use super::upstream::Upstream;
use super::{DemoError, LiveCounts};
use crate::clock::Clock;
use crate::core::haproxy_config::{Settings, render};
use crate::core::haproxy_map::{KeyEntry, KeyHash, LimitEntry, LimitKey, Maps};
use crate::core::id::{CustomerId, Network, Service};
use crate::core::log_line::{Reject, RequestLine, TrafficClass, parse};
use crate::gateway::map_files;

mod hostile;

const NEEDS_HAPROXY: &str = "HAProxy is needed here and is not installed: apt-get install haproxy";

/// A customer of the tests: limits per second, requests per second.
fn plan(number: u32, service: Service, limit: (u32, u32), requests_per_s: f64) -> LoadPlan {
    LoadPlan {
        customer_name: format!("Customer {number}"),
        customer: CustomerId::new(number).unwrap(),
        service,
        network: Network::Mainnet,
        url: String::new(),
        key: format!("{}{number:0>36}", &service.title()[..1]),
        key_fingerprint: number * 1000,
        requests_per_s,
        surge: 1.0,
        limit: LimitEntry::new(limit.0, limit.1),
    }
}

/// A folder with maps and a log, a backend, and an HAProxy between the two.
struct Gateway {
    folder: TempDir,
    settings: Settings,
    haproxy: HaproxyProcess,
    _upstream: Upstream,
}

impl Gateway {
    async fn start(plans: &[LoadPlan]) -> Self {
        let upstream = Upstream::start().await.unwrap();
        let address = upstream.address();
        Self::start_before(plans, upstream, address).await
    }

    async fn start_before(plans: &[LoadPlan], upstream: Upstream, backend: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_maps(&folder, plans);
        let settings = local_settings(folder.path(), &free_addresses().await.unwrap(), backend);
        let log = folder.path().join("requests.log");
        let haproxy = HaproxyProcess::start(&settings, folder.path(), &log).await.unwrap().expect(NEEDS_HAPROXY);
        Self { folder, settings, haproxy, _upstream: upstream }
    }

    fn address(&self, service: Service) -> SocketAddr {
        self.settings.services.iter().find(|candidate| candidate.service == service).unwrap().listen
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("requests.log")
    }

    fn aimed_here(&self, plans: &[LoadPlan]) -> Vec<LoadPlan> {
        let url = |service| format!("http://{}", self.address(service));
        plans.iter().map(|plan| LoadPlan { url: url(plan.service), ..plan.clone() }).collect()
    }

    /// The log after HAProxy has ended.
    async fn stop(self) -> String {
        let log = self.log();
        self.haproxy.stop().await.unwrap();
        std::fs::read_to_string(log).unwrap()
    }
}

fn write_maps(folder: &TempDir, plans: &[LoadPlan]) {
    let mut maps = Maps::default();
    for plan in plans {
        let LoadPlan { customer, service, network, key_fingerprint, .. } = *plan;
        let entry = KeyEntry { customer, service, network, fingerprint: key_fingerprint, expires_at: None };
        maps.keys.insert(KeyHash::of(&plan.key), entry);
        maps.limits.insert(LimitKey { customer, service, network }, plan.limit);
    }
    map_files::write_maps(folder.path(), &maps).unwrap();
}

/// All requests of a log; anything else but HAProxy's own notices fails the test.
fn requests(log: &str) -> Vec<RequestLine<'_>> {
    let parsed = log.lines().map(|line| (line, parse(line.as_bytes())));
    parsed.filter(|(_, parsed)| *parsed != Err(Reject::Notice)).map(|(line, parsed)| parsed.expect(line)).collect()
}

fn classes(lines: &[RequestLine<'_>]) -> BTreeMap<TrafficClass, u32> {
    let mut classes = BTreeMap::new();
    for line in lines {
        *classes.entry(line.class).or_default() += 1;
    }
    classes
}

fn customers() -> Vec<LoadPlan> {
    vec![
        plan(7001, Service::Seal, (3, 0), 20.0),
        plan(7002, Service::Grpc, (100, 300), 250.0),
        plan(7002, Service::Graphql, (100, 300), 100.0),
        plan(7003, Service::Graphql, (0, 0), 10.0),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sent_request_is_one_line_whenever_the_load_is_stopped() {
    let mut rng = Rng::with_seed(7);
    let mut seen = BTreeMap::new();
    for round in 0..8 {
        let gateway = Gateway::start(&customers()).await;
        let (live, stop) = (Arc::new(LiveCounts::default()), CancellationToken::new());
        let load = run_load(gateway.aimed_here(&customers()), Arc::clone(&live), stop.clone(), round);
        let load = tokio::spawn(load);
        sleep(Duration::from_millis(rng.u64(100..1500))).await;
        stop.cancel();
        let counts = load.await.unwrap();
        let log = gateway.stop().await;
        let lines = requests(&log);
        assert!(counts.sent > 0);
        assert_eq!(usize::try_from(counts.sent).unwrap(), lines.len(), "round {round}: {counts:?}");
        assert_eq!((counts, counts.failed), (live.read(), 0));
        for (class, count) in classes(&lines) {
            *seen.entry(class.number()).or_insert(0) += count;
        }
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 6], "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_to_a_dead_backend_are_answered_and_logged_and_to_a_dead_gateway_not_counted() {
    let plans = [plan(7002, Service::Grpc, (1000, 0), 200.0)];
    let upstream = Upstream::start().await.unwrap();
    let nobody = free_addresses().await.unwrap()[0].1;
    let gateway = Gateway::start_before(&plans, upstream, nobody).await;
    let aimed = gateway.aimed_here(&plans);
    let run = |plans: Vec<LoadPlan>| async move {
        let (live, stop) = (Arc::new(LiveCounts::default()), CancellationToken::new());
        let load = tokio::spawn(run_load(plans, live, stop.clone(), 1));
        sleep(Duration::from_millis(500)).await;
        stop.cancel();
        load.await.unwrap()
    };
    let counts = run(aimed.clone()).await;
    let log = gateway.stop().await;
    let lines = requests(&log);
    assert_eq!(usize::try_from(counts.sent).unwrap(), lines.len());
    assert!(lines.iter().any(|line| (line.status, line.event.0, line.termination) == (503, 60, "SC--")), "{log}");
    assert_eq!(run(aimed).await.sent, 0);
}

/// Sends bytes on a connection of their own, and returns what comes back until HAProxy closes or nothing more comes.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answer = Vec::new();
    // HAProxy may refuse and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = timeout(Duration::from_millis(300), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request to `/` with some header lines, and one that carries the key.
fn with_headers(headers: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n").into_bytes()
}

fn with_key(start: &str, key: &str) -> Vec<u8> {
    format!("{start}\r\nHost: a\r\nX-API-Key: {key}\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn each_odd_request_is_one_line_that_tells_what_it_was() {
    let known = plan(7002, Service::Seal, (1000, 0), 1.0);
    let (other, off) = (plan(7002, Service::Grpc, (1, 0), 1.0), plan(7004, Service::Seal, (0, 5), 1.0));
    let gateway = Gateway::start(&[known.clone(), other.clone(), off.clone()]).await;
    let address = gateway.address(Service::Seal);
    let key = &known.key;
    let get = |path: &str| with_key(&format!("GET {path} HTTP/1.1"), key);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("garbage", b"\x00\x01\xff garbage\r\n\r\n".to_vec(), "0 12 - <BADREQ> 400"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "0 12 - <BADREQ> 400"),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec(), "0 12 - <BADREQ> 400"),
        ("over-long header", with_headers(&format!("X: {}\r\n", "y".repeat(40_000))), "0 12 - <BADREQ> 400"),
        ("space", get("/a b"), "0 12 - <BADREQ> 400"),
        ("UTF-8", get("/é"), "0 12 - <BADREQ> 400"),
        ("absolute, other host", get("http://b/"), "0 12 - <BADREQ> 400"),
        ("no key", with_headers(""), "3 10 - / 401"),
        ("other scheme", with_headers("Authorization: Basic YTpi\r\n"), "3 10 - / 401"),
        ("empty key", with_headers("X-API-Key:\r\n"), "3 12 - / 401"),
        ("short key", with_headers("X-API-Key: abc\r\n"), "3 12 - / 401"),
        ("unknown key", with_headers(&format!("X-API-Key: {}\r\n", "Z".repeat(37))), "3 31 - / 401"),
        ("other service", with_key("GET / HTTP/1.1", &other.key), "3 30 7002 / 401"),
        ("turned off", with_key("GET / HTTP/1.1", &off.key), "6 0 7004 / 503"),
        ("query", get("/a%20b?secret"), "1 0 7002 /a%20b 200"),
        ("quotes", get("/\"'"), "1 0 7002 /#22' 200"),
        ("no path", get("http://a"), "1 0 7002 - 200"),
        ("HTTP/1.0", with_key("GET /old HTTP/1.0", key), "1 0 7002 /old 200"),
        ("bearer", with_headers(&format!("Authorization: bearer {key}\r\n")), "1 0 7002 / 200"),
    ];
    let mut expected = Vec::new();
    for (name, bytes, line) in &cases {
        exchange(address, bytes).await;
        expected.push(format!("{name}: {line}"));
    }
    let log = gateway.stop().await;
    let lines = requests(&log);
    let read = cases.iter().zip(&lines).map(|((name, ..), line)| {
        let customer = line.customer.map_or("-".to_owned(), |customer| customer.to_string());
        // The backend fails one request in a hundred on purpose.
        let status = if matches!(line.status, 404 | 500) { 200 } else { line.status };
        format!("{name}: {} {} {customer} {} {status}", line.class.number(), line.event.0, line.path)
    });
    assert_eq!(read.collect::<Vec<_>>(), expected, "{log}");
    assert_eq!(lines.len(), cases.len());
}

#[tokio::test]
async fn the_longest_path_still_makes_a_whole_line() {
    let known = plan(u32::MAX / 1000, Service::Graphql, (1000, 0), 1.0);
    let gateway = Gateway::start(std::slice::from_ref(&known)).await;
    let path = format!("GET /{} HTTP/1.1", "\"".repeat(14_000));
    exchange(gateway.address(Service::Graphql), &with_key(&path, &known.key)).await;
    let log = gateway.stop().await;
    let lines = requests(&log);
    assert_eq!((lines.len(), lines[0].class), (1, TrafficClass::Guaranteed));
    assert!((6000..7000).contains(&lines[0].path.to_string().len()), "{}", lines[0].path.to_string().len());
}

#[tokio::test]
async fn connections_without_a_request_leave_no_line() {
    let gateway = Gateway::start(&customers()).await;
    let address = gateway.address(Service::Grpc);
    drop(TcpStream::connect(address).await.unwrap());
    exchange(address, b"").await;
    exchange(address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await;
    assert_eq!(requests(&gateway.stop().await), []);
}

#[tokio::test]
async fn a_customer_above_the_limit_gets_what_is_guaranteed_then_the_burst_and_is_told_about_the_rest() {
    let known = plan(7005, Service::Seal, (4, 3), 1.0);
    let gateway = Gateway::start(std::slice::from_ref(&known)).await;
    let request = with_key("GET / HTTP/1.1", &known.key);
    let mut answers = String::new();
    for _ in 0..9 {
        let mut stream = TcpStream::connect(gateway.address(Service::Seal)).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let mut answer = [0; 600];
        let length = stream.read(&mut answer).await.unwrap();
        answers = String::from_utf8_lossy(&answer[..length]).into_owned();
    }
    let log = gateway.stop().await;
    let classes = requests(&log).iter().map(|line| line.class.number()).collect::<Vec<_>>();
    assert_eq!(classes, [1, 1, 1, 1, 2, 2, 2, 4, 4]);
    for part in ["429", "retry-after: 1\r\n", "ratelimit-limit: 7\r\n", "problem+json", "\"code\":\"rate_limited\""] {
        assert!(answers.contains(part), "{part}: {answers}");
    }
}

#[tokio::test]
async fn the_backend_learns_the_customer_and_never_the_key() {
    let known = plan(7006, Service::Seal, (10, 0), 1.0);
    let backend = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unused = Upstream::start().await.unwrap();
    let gateway = Gateway::start_before(std::slice::from_ref(&known), unused, backend.local_addr().unwrap()).await;
    let headers = format!(
        "X-API-Key: {0}\r\nAuthorization: Bearer {0}\r\nX-Request-ID: forged\r\nX-Suiftly-Customer-ID: 1\r\n",
        known.key
    );
    let mut client = TcpStream::connect(gateway.address(Service::Seal)).await.unwrap();
    client.write_all(&with_headers(&headers)).await.unwrap();
    let (mut stream, _) = backend.accept().await.unwrap();
    let mut received = [0; 2000];
    let length = stream.read(&mut received).await.unwrap();
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await.unwrap();
    let received = String::from_utf8_lossy(&received[..length]).to_lowercase();
    assert!(received.contains("x-suiftly-customer-id: 7006\r\n"), "{received}");
    assert_eq!(received.matches("x-request-id: ").count(), 1, "{received}");
    for secret in [known.key.to_lowercase().as_str(), "authorization", "forged", "customer-id: 1\r"] {
        assert!(!received.contains(secret), "{secret}: {received}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_shipped_configuration_is_accepted_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    write_maps(&folder, &[]);
    let settings = Settings { map_folder: folder.path().to_string_lossy().into_owned(), ..Settings::default() };
    let file = folder.path().join("haproxy.cfg");
    std::fs::write(&file, render(&settings).unwrap()).unwrap();
    let output = std::process::Command::new("/usr/sbin/haproxy").arg("-c").arg("-f").arg(&file).output();
    let output = output.expect(NEEDS_HAPROXY);
    let said = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said:?}");
    assert!(!format!("{said:?}").contains("WARNING"), "{said:?}");
}

#[tokio::test]
async fn what_haproxy_says_about_a_bad_configuration_is_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("requests.log");
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = taken.local_addr().unwrap();
    let without_maps = local_settings(folder.path(), &[(Service::Seal, here)], here);
    let error = HaproxyProcess::start(&without_maps, folder.path(), &log).await.unwrap_err();
    assert!(matches!(error, DemoError::ConfigurationRefused { .. }), "{error}");
    assert!(error.to_string().contains("keys.map"), "{error}");

    write_maps(&folder, &[]);
    let error = HaproxyProcess::start(&without_maps, folder.path(), &log).await.unwrap_err();
    assert!(error.to_string().contains("cannot bind"), "{error}");
}

#[tokio::test]
async fn made_up_lines_are_counted_and_read_like_real_ones() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("requests.log");
    let (live, stop) = (Arc::new(LiveCounts::default()), CancellationToken::new());
    let (path, count, token) = (log.clone(), Arc::clone(&live), stop.clone());
    let load = tokio::spawn(async move { run_synthetic(customers(), &path, Clock::System, count, token, 5).await });
    sleep(Duration::from_millis(700)).await;
    stop.cancel();
    let counts = load.await.unwrap().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    let lines = requests(&log);
    assert_eq!((usize::try_from(counts.sent).unwrap(), counts), (lines.len(), live.read()));
    assert!(counts.sent > 100, "{counts:?}");
    let classes = classes(&lines);
    assert!(classes[&TrafficClass::Guaranteed] > 50 && classes[&TrafficClass::Unavailable] > 0, "{classes:?}");
    assert!(lines.iter().all(|line| line.customer.is_some() || line.status == 401));
}
