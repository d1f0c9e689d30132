//! What a backend gets of a request, and what never reaches one: a real HAProxy in front of a backend that writes down
//! each head that arrives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use suiftly::core::id::{Network, Service};
use suiftly::core::vault::{ApiEntry, ApiVault, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::gateway_world::{Kind, Running, SEAL, World, customer, entry, key};

const WITHIN: Duration = Duration::from_secs(30);

/// A backend: its answer to `/switch` is 101, to all else 200, and to `/held` only when it is let go.
struct Recorder {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
}

impl Recorder {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heads, gate) = (Arc::default(), Arc::new(Semaphore::new(0)));
        let recorder = Self { address, heads: Arc::clone(&heads), gate: Arc::clone(&gate) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Self::answer(stream, Arc::clone(&heads), Arc::clone(&gate)));
            }
        });
        recorder
    }

    async fn answer(mut stream: TcpStream, heads: Arc<Mutex<Vec<String>>>, gate: Arc<Semaphore>) {
        while let Some(head) = read_head(&mut stream).await {
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            heads.lock().unwrap().push(head);
            if path == "/held" {
                let _ = gate.acquire().await;
            }
            let answer = if path == "/switch" {
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n"
            } else {
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }

    /// Each head that has arrived since the last time, with names in lower case.
    fn taken(&self) -> Vec<Vec<(String, String)>> {
        let heads = std::mem::take(&mut *self.heads.lock().unwrap());
        heads.iter().map(|head| fields(head)).collect()
    }

    /// Until so many have arrived.
    async fn until(&self, count: usize) {
        let begun = Instant::now();
        while self.heads.lock().unwrap().len() < count {
            assert!(begun.elapsed() < WITHIN, "{} of {count} requests", self.heads.lock().unwrap().len());
            sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Up to the empty line; `None` at the end of the connection.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(WITHIN, stream.read_u8()).await.ok()?.ok()?);
    }
    String::from_utf8(head).ok()
}

fn fields(head: &str) -> Vec<(String, String)> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}

/// A world whose Seal requests go to a recorder, and whose vault is in force.
async fn recorded(vault: &ApiVault, upstream_max_connections: u32) -> (World, Running, Recorder) {
    let recorder = Recorder::start().await;
    let mut world = World::start_with(Kind::Plain, |settings| {
        for service in &mut settings.services {
            service.upstreams = [(Network::Mainnet, recorder.address.to_string())].into();
            service.upstream_max_connections = upstream_max_connections;
        }
    })
    .await;
    let agent = world.agent();
    let sequence = world.vaults.publish(SEAL, vault);
    agent.applied(SEAL, sequence).await;
    (world, agent, recorder)
}

/// Sends a request as it is, and returns the head of the answer and whatever follows it within a moment.
async fn exchange(world: &World, request: &str) -> String {
    let mut stream = TcpStream::connect(world.address(Service::Seal)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    read_head(&mut stream).await.unwrap_or_default()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0)
}

/// The name as CGI and its like would read it.
fn folded(name: &str) -> String {
    name.replace(['_', '.'], "-")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_backend_learns_who_asks_and_never_the_key_nor_what_a_client_claims() {
    let vault = [(customer(7), entry(&["A"], 1000, 0)), (customer(8), entry(&["B"], 1000, 0))].into();
    let (world, agent, recorder) = recorded(&vault, 1000).await;
    let claimed = "X-Suiftly-Customer-ID: 999\r\nx_suiftly_customer_id: 999\r\nX.Suiftly.Customer.ID: 999\r\n\
                   X-Suiftly_Customer.ID: 999\r\nX-Suiftly-Admin: 999\r\nx_suiftly_tier: 999\r\nX-Request-ID: 999\r\n\
                   X_Request_ID: 999\r\nx.request-id: 999\r\nX_API_Key: 999\r\nX.API.Key: 999\r\n";
    let hop = "Connection: keep-alive, X-Suiftly-Customer-ID, X-Request-ID, Upgrade\r\nUpgrade: raw\r\n\
               HTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let a = key("A");
    for (number, sent) in [
        format!("X-API-Key: {a}\r\n"),
        format!("X-API-Key: {a}\r\nAuthorization: Bearer {}\r\n", key("B")),
        format!("X-API-Key: {a}\r\nauthorization: bEARER {a}\r\n"),
        format!("Authorization: Bearer {a}\r\n"),
        format!("Authorization: bearer   {a}\r\n"),
    ]
    .iter()
    .enumerate()
    {
        for more in [String::new(), claimed.to_owned(), format!("{claimed}{hop}")] {
            let request = format!("GET /v1/{number} HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n{more}{sent}\r\n");
            let answer = exchange(&world, &request).await;
            assert_eq!(status(&answer), 200, "{request}: {answer}");
            let heads = recorder.taken();
            let [head] = heads.as_slice() else { panic!("{heads:?}") };
            let of = |name: &str| -> Vec<&str> {
                let fields = head.iter().filter(|(field, _)| folded(field) == name);
                fields.map(|(_, value)| value.as_str()).collect()
            };
            assert_eq!(of("x-suiftly-customer-id"), ["7"], "{request}: {head:?}");
            let [id] = of("x-request-id")[..] else { panic!("{request}: {head:?}") };
            assert!(id.parse::<suiftly::core::request_id::RequestId>().is_ok(), "{id}");
            let is_ours = |name: &str| name == "x-suiftly-customer-id" || name == "x-request-id";
            for (name, value) in head.iter().filter(|(name, _)| !is_ours(name)) {
                let is_secret = value.contains(&a) || value.contains(&key("B")) || value.contains("999");
                let is_removed =
                    ["authorization", "x-api-key", "upgrade", "http2-settings"].contains(&folded(name).as_str());
                let names_ours = name == "connection" && value.to_ascii_lowercase().contains("x-");
                assert!(!is_secret && !is_removed && !names_ours, "{request}: {name}: {value}");
            }
            assert_eq!(of("te"), ["trailers"], "{head:?}");
        }
    }
    // What is no key is the backend's.
    let request =
        format!("GET / HTTP/1.1\r\nHost: a\r\nX-API-Key: {a}\r\nAuthorization: Basic YTpi\r\nX-Suift: 1\r\n\r\n");
    assert_eq!(status(&exchange(&world, &request).await), 200);
    let heads = recorder.taken();
    for field in [("authorization", "Basic YTpi"), ("x-suift", "1")] {
        assert!(heads[0].contains(&(field.0.to_owned(), field.1.to_owned())), "{heads:?}");
    }
    agent.stop().await;
}

/// An HTTP/2 connection whose only request wants a tunnel: the extended CONNECT of RFC 8441.
fn connect_by_http2(key: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/v1/tunnel"),
        (":authority", "a"),
        ("x-api-key", key),
    ];
    // Each is a literal without an index.
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect();
    let length = u8::try_from(block.len()).unwrap();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let headers = [0, 0, length, 1, 4, 0, 0, 0, 1];
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &settings, &headers, &block].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tunnel_is_opened() {
    let (world, agent, recorder) = recorded(&[(customer(7), entry(&["A"], 1000, 0))].into(), 1000).await;
    let a = key("A");
    let connect = format!("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nX-API-Key: {a}\r\n\r\n");
    let answer = exchange(&world, &connect).await;
    assert_eq!(status(&answer), 405, "{answer}");
    assert!(fields(&answer).iter().any(|(name, value)| name == "allow" && value.contains("GET")), "{answer}");
    let mut stream = TcpStream::connect(world.address(Service::Seal)).await.unwrap();
    stream.write_all(&connect_by_http2(&a)).await.unwrap();
    let lines = world.log_lines(2).await;
    assert_eq!(lines, [(3, 16, Some(7), 405), (3, 16, Some(7), 405)]);
    assert!(recorder.taken().is_empty());
    // The backend has not been asked to, and would all the same.
    let request =
        format!("GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: raw\r\nX-API-Key: {a}\r\n\r\n");
    let answer = exchange(&world, &request).await;
    assert_eq!(status(&answer), 502, "{answer}");
    assert_eq!(recorder.taken().len(), 1);
    assert_eq!(world.log_lines(3).await[2], (1, 50, Some(7), 502));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_of_one_address_is_each_customers_own() {
    let one = |name: &str| {
        let limits = Limits { per_ip_per_s: 1, ..entry(&[], 1000, 0).limits };
        ApiEntry { limits, ..entry(&[name], 0, 0) }
    };
    let (world, agent, _recorder) = recorded(&[(customer(7), one("A")), (customer(8), one("B"))].into(), 1000).await;
    // Only what happens within a second tells anything.
    for attempt in 1.. {
        sleep(Duration::from_millis(2100)).await;
        let begun = Instant::now();
        let mut answers = Vec::new();
        for name in ["A", "B", "A", "B"] {
            answers.push(world.ask(&key(name)).await.0);
        }
        if begun.elapsed() < Duration::from_millis(900) || attempt == 10 {
            assert_eq!(answers, [200, 200, 429, 429]);
            break;
        }
    }
    agent.stop().await;
}

/// Requests that wait for the only server, wherever.
async fn waiting(world: &World) -> usize {
    let mut stream = UnixStream::connect(&world.settings.admin_socket).await.unwrap();
    stream.write_all(b"show stat be_seal 6 -1\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let rows = answer.lines().filter(|line| line.starts_with("be_seal,"));
    rows.map(|row| row.split(',').nth(2).unwrap().parse::<usize>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_burst_the_order_is_that_of_tiers() {
    let with = |name: &str, burst_priority: u8| {
        let entry = entry(&[name], 1, 1000);
        ApiEntry { limits: Limits { burst_priority, ..entry.limits }, ..entry }
    };
    let vault = [
        (customer(1), with("LOW", 3)),
        (customer(2), with("MIDDLE", 2)),
        (customer(3), with("HIGH", 1)),
        (customer(4), entry(&["CALM"], 1000, 0)),
    ]
    .into();
    let (world, agent, recorder) = recorded(&vault, 1).await;
    let address = world.address(Service::Seal);
    let send = |name: &str, path: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {}\r\n\r\n", key(name));
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream
        }
    };
    let mut streams = vec![send("CALM", "/held").await];
    recorder.until(1).await;
    // One of each customer is within what is guaranteed; the others are within burst, the last first.
    for name in ["LOW", "MIDDLE", "HIGH"] {
        for _ in 0..4 {
            streams.push(send(name, "/v1/x").await);
        }
    }
    streams.push(send("CALM", "/v1/x").await);
    let begun = Instant::now();
    while waiting(&world).await < 13 {
        assert!(begun.elapsed() < WITHIN, "{} of 13 wait", waiting(&world).await);
        sleep(Duration::from_millis(5)).await;
    }
    recorder.gate.add_permits(1);
    recorder.until(14).await;
    let heads = recorder.taken();
    let whose = heads.iter().map(|head| {
        let id = head.iter().find(|(name, _)| name == "x-suiftly-customer-id");
        id.unwrap().1.parse::<u32>().unwrap()
    });
    let mut whose: Vec<_> = whose.collect();
    whose[1..5].sort_unstable();
    assert_eq!(whose, [4, 1, 2, 3, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1]);
    agent.stop().await;
}
