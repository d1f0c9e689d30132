//! What becomes of a request besides the refusals of the rules: backends that fail, clients that send nonsense or leave,
//! streams; each with its line in the log, from which it is billed.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use suiftly::clock::Clock;
use suiftly::core::haproxy_map::{MapChange, MapName, MapStep};
use suiftly::core::id::{Network, Service};
use suiftly::core::vault::VaultCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::gateway_world::{Kind, Running, World, customer, entry, key};

/// Longer than any answer takes here.
const WITHIN: Duration = Duration::from_secs(30);
const PART: usize = 4000;
const PARTS: usize = 20;
const BETWEEN_PARTS: Duration = Duration::from_millis(50);

/// A backend that does what the path says.
async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    address
}

async fn answer(mut stream: TcpStream) {
    let (mut head, mut bytes) = (Vec::new(), [0; 4000]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut bytes).await {
            Ok(length @ 1..) => head.extend_from_slice(&bytes[..length]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    match head.split(' ').nth(1).unwrap() {
        "/silent" => sleep(WITHIN).await,
        "/closes" => {}
        "/nonsense" => stream.write_all(b"nonsense\r\n\r\n").await.unwrap(),
        "/switches" => {
            let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        "/stream" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
            let part = format!("{PART:x}\r\n{}\r\n", "x".repeat(PART));
            for _ in 0..PARTS {
                if stream.write_all(part.as_bytes()).await.is_err() {
                    return;
                }
                sleep(BETWEEN_PARTS).await;
            }
            let _ = stream.write_all(b"0\r\n\r\n").await;
        }
        _ => {
            let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", head.len());
            let _ = stream.write_all((answer + &head).as_bytes()).await;
        }
    }
}

/// A world with that backend, short times, and one customer of Seal, gRPC and GraphQL with all that could be wanted.
async fn world() -> (World, Running) {
    let (backend, closed) = (backend().await, closed().await);
    let mut world = World::start_edited(
        Kind::Plain,
        |settings| {
            for service in &mut settings.services {
                let at = if service.service == Service::Graphql { closed } else { backend };
                service.upstreams = [(Network::Mainnet, at.to_string())].into();
                service.upstream_max_connections = 1;
            }
        },
        |text| {
            let mut text = text;
            for (from, to) in [
                ("timeout server 60s", "timeout server 900ms"),
                ("timeout queue 5s", "timeout queue 300ms\n  retries 0"),
                ("timeout http-request 10s", "timeout http-request 1s"),
            ] {
                assert!(text.contains(from), "{from}");
                text = text.replace(from, to);
            }
            text
        },
    )
    .await;
    let agent = world.agent();
    for (service, name) in [(Service::Seal, "S"), (Service::Grpc, "G"), (Service::Graphql, "Q")] {
        let code = VaultCode::api(service, Network::Mainnet);
        let sequence = world.vaults.publish(code, &[(customer(1), entry(&[name], 1000, 0))].into());
        agent.applied(code, sequence).await;
    }
    (world, agent)
}

/// An address where nobody listens.
async fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Everything that is answered to these bytes until the connection is closed.
async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_ref()).await.unwrap();
    let mut answer = Vec::new();
    timeout(WITHIN, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str, name: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {}\r\n\r\n", key(name))
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_backend_does_wrong_is_in_the_line_and_the_customer_is_told() {
    let (world, agent) = world().await;
    let [seal, grpc, graphql] = [Service::Seal, Service::Grpc, Service::Graphql].map(|service| world.address(service));
    let socket = Path::new(&world.settings.admin_socket);
    command(socket, "set server be_grpc/s1 state maint").await;
    for (address, path, name, expected, code, event) in [
        (seal, "/ok", "S", 200, "x-suiftly-customer-id: 1", 0),
        (seal, "/closes", "S", 502, "\"code\":\"backend_error\"", 50),
        (seal, "/nonsense", "S", 502, "\"code\":\"backend_error\"", 50),
        (seal, "/switches", "S", 502, "\"code\":\"backend_error\"", 50),
        (graphql, "/ok", "Q", 503, "\"code\":\"backend_unavailable\"", 60),
        (seal, "/silent", "S", 504, "\"code\":\"backend_timeout\"", 61),
        (grpc, "/ok", "G", 503, "\"code\":\"backend_unavailable\"", 62),
    ] {
        let before = world.log_lines(0).await.len();
        let answer = exchange(address, get(path, name)).await;
        assert!(status(&answer) == expected && answer.contains(code), "{path}: {answer}");
        let lines = world.log_lines(before + 1).await;
        assert_eq!(lines[before..], [(1, event, Some(1), expected)], "{path}");
    }
    // One request is with the backend, which may have one, and the other waits for it too long.
    let before = world.log_lines(0).await.len();
    let (first, second) = tokio::join!(exchange(seal, get("/silent", "S")), async {
        sleep(Duration::from_millis(200)).await;
        exchange(seal, get("/ok", "S")).await
    });
    assert_eq!((status(&first), status(&second)), (504, 503));
    let lines = world.log_lines(before + 2).await;
    assert_eq!(lines[before..], [(1, 63, Some(1), 503), (1, 61, Some(1), 504)]);
    agent.stop().await;
}

/// One command at HAProxy's socket, which answers nothing.
async fn command(socket: &Path, command: &str) {
    let mut stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    stream.write_all(format!("{command}\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer.trim(), "", "{command}");
}

/// A connection of HTTP/2 whose first request asks for a tunnel: `:method: CONNECT` with a `:protocol`.
fn tunnel() -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/w"),
        ("sec-websocket-version", "13"),
    ];
    let literal = |(name, value): (&str, &str)| {
        let length = |text: &str| u8::try_from(text.len()).unwrap();
        [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
    };
    let headers = fields.map(literal).concat();
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, 0, &[]),
        frame(1, 4, 1, &headers),
        frame(7, 0, 0, &[0; 8]),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_does_wrong_is_in_the_line_and_costs_nothing() {
    let (world, agent) = world().await;
    let seal = world.address(Service::Seal);
    // What a head is answered that does not fit: versions differ.
    let version = world.runtime().process().await.unwrap().version;
    let too_large = if ["2.", "3.0."].iter().any(|old| version.starts_with(old)) { 400 } else { 431 };
    let overlong = format!("GET /ok HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000));
    let tunnels = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n".to_owned();
    let known =
        format!("GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n", key("S"));
    let star = format!("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {}\r\n\r\n", key("S"));
    for (request, expected, outcome) in [
        ("garbage\r\n\r\n".to_owned(), 400, (0, 12, None, 400)),
        (overlong, too_large, (0, if too_large == 431 { 13 } else { 12 }, None, too_large)),
        // It sends no more, and is waited for.
        ("GET /ok HTTP/1.1\r\nHost: a\r\n".to_owned(), 408, (0, 14, None, 408)),
        (tunnels, 405, (3, 16, None, 405)),
        // What is a good request, though it looks odd.
        (known, 200, (1, 0, Some(1), 200)),
        (star, 200, (1, 0, Some(1), 200)),
    ] {
        let before = world.log_lines(0).await.len();
        let answer = exchange(seal, &request).await;
        assert_eq!(status(&answer), expected, "{request}: {answer}");
        let lines = world.log_lines(before + 1).await;
        assert_eq!(lines[before..], [outcome], "{request}");
    }
    let before = world.log_lines(0).await.len();
    exchange(seal, tunnel()).await;
    assert_eq!(world.log_lines(before + 1).await[before..], [(3, 16, None, 405)]);
    // A customer whose key is known and of whom nothing else is: both are changed one after the other.
    agent.stop().await;
    let forgotten = vec![MapChange::Remove { word: "1/1/1".to_owned() }];
    world.runtime().apply(&[MapStep::Change { map: MapName::Limits, changes: forgotten }]).await.unwrap();
    let answer = exchange(seal, get("/ok", "S")).await;
    assert!(answer.contains("\"reason\":\"not_subscribed\""), "{answer}");
    assert_eq!(world.log_lines(before + 2).await[before + 1..], [(6, 0, Some(1), 503)]);
}

/// What a stream's line says that it is billed by: when it began, class, bytes to the client, how long it took.
struct Streamed {
    began_ms: i64,
    class: u8,
    bytes_out: u64,
    total_ms: i32,
}

/// Asks for a stream, and leaves when so many bytes have come.
async fn streamed(world: &World, until: usize) -> (Streamed, u64) {
    let before = world.log_lines(0).await.len();
    let mut stream = TcpStream::connect(world.address(Service::Seal)).await.unwrap();
    stream.write_all(get("/stream", "S").as_bytes()).await.unwrap();
    let (mut received, mut bytes) = (0, vec![0; 65_536]);
    while received < until {
        match timeout(WITHIN, stream.read(&mut bytes)).await.unwrap().unwrap() {
            0 => break,
            length => received += length,
        }
        // While it lasts, nothing is told of it: a part that is written now would be counted again at the end.
        if received < PARTS / 2 * PART {
            assert_eq!(world.log_lines(0).await.len(), before);
        }
    }
    drop(stream);
    let read = |line: &suiftly::core::log_line::RequestLine<'_>| Streamed {
        began_ms: line.ts.0,
        class: line.class.number(),
        bytes_out: line.bytes_out,
        total_ms: line.times.total_ms,
    };
    let mut lines = world.read_log(before + 1, read).await;
    assert_eq!(lines.len(), before + 1, "one line a stream");
    (lines.pop().unwrap(), u64::try_from(received).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_one_request_of_the_moment_when_it_began_with_all_its_bytes() {
    let (world, agent) = world().await;
    let begun = (Clock::System.now(), Instant::now());
    let (line, received) = streamed(&world, usize::MAX).await;
    let all = u64::try_from(PARTS * PART).unwrap();
    // HAProxy counts the head and the content, but not by what the parts are wrapped.
    assert!((all..all + 1000).contains(&line.bytes_out) && received >= all, "{} of {received}", line.bytes_out);
    let lasted = u32::try_from(PARTS).unwrap() * BETWEEN_PARTS;
    assert!(i128::from(line.total_ms) >= i128::try_from(lasted.as_millis()).unwrap() - 1, "{} ms", line.total_ms);
    assert!(begun.1.elapsed() >= lasted);
    let began_after_ms = line.began_ms - begun.0.0;
    assert!((-5..500).contains(&began_after_ms), "{began_after_ms} ms after it was asked for");
    assert_eq!(line.class, 1);
    // Who leaves pays for what was sent, also for what was still on its way: all of it, if the client was slow.
    let (line, received) = streamed(&world, PARTS / 2 * PART).await;
    assert!((received - 1000..all + 1000).contains(&line.bytes_out), "{} of {received}", line.bytes_out);
    assert_eq!(line.class, 1);
    agent.stop().await;
}
