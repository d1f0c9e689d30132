//! Lines that a real HAProxy writes in every format, behind every syslog header: each parses, and all formats say the
//! same of the same request.
//!
//! HAProxy listens on sockets in the test's folder and logs to others there, so no port is needed. Clients announce
//! their addresses with the PROXY protocol. TLS is spoken by HAProxy on both sides.
//!
//! With `SUIFTLY_LOG_FORMATS=write` the lines and what is read from them are written to `tests/data/log_formats`, where
//! a unit test reads them.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use suiftly::clock::Clock;
use suiftly::core::calendar::UtcMillis;
use suiftly::core::id::Service;
use suiftly::core::log_line::{Format, PhaseTimes, RequestLine, json, parse_any, s1};

use crate::support::haproxy;

const HEADERS: [&str; 3] = ["rfc3164", "rfc5424", "raw"];
/// Longer than anything takes here; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

const KEY: &str = "Host: a\r\nConnection: close\r\nX-Cust: 12345\r\nX-Net: 1\r\nX-Class: 1\r\nX-Fp: 1005F7C\r\n\r\n";
const NO_KEY: &str = "Host: a\r\nConnection: close\r\n\r\n";

/// A request, and what every format says of it: customer, class, key, method, path, status, termination, server, event.
struct Case {
    client: &'static str,
    request: String,
    expected: &'static str,
}

fn cases() -> Vec<Case> {
    let case =
        |request: &str, expected| Case { client: "TCP4 203.0.113.9 192.0.2.1", request: request.to_owned(), expected };
    let with_key = |request: &str, expected| case(&format!("{request}\r\n{KEY}"), expected);
    let mut cases = vec![
        with_key("GET /v1/keys HTTP/1.1", "12345 1 1005F7C GET /v1/keys 200 ---- s1 0"),
        with_key("GET /missing HTTP/1.1", "12345 1 1005F7C GET /missing 404 ---- s1 0"),
        with_key("HEAD /v1/keys HTTP/1.1", "12345 1 1005F7C HEAD /v1/keys 200 ---- s1 0"),
        with_key("GET /v1/keys?a=1&b=/c?d HTTP/1.1", "12345 1 1005F7C GET /v1/keys 200 ---- s1 0"),
        with_key("GET /a%20b/%C3%A9 HTTP/1.1", "12345 1 1005F7C GET /a%20b/%C3%A9 200 ---- s1 0"),
        with_key("GET /a\"b\\c]d{e|f}'g HTTP/1.1", "12345 1 1005F7C GET /a#22b\\c]d{e|f}'g 200 ---- s1 0"),
        with_key("OPTIONS * HTTP/1.1", "12345 1 1005F7C OPTIONS - 200 ---- s1 0"),
        with_key("GET http://a/v1/keys?u=http://b/c HTTP/1.1", "12345 1 1005F7C GET /v1/keys 200 ---- s1 0"),
        with_key("GET http://a HTTP/1.1", "12345 1 1005F7C GET - 200 ---- s1 0"),
        with_key("GET /down HTTP/1.1", "12345 1 1005F7C GET /down 503 SC-- s1 60"),
        with_key("GET /hang HTTP/1.1", "12345 1 1005F7C GET /hang 400 CH-- s1 0"),
        case(&format!("GET /v1/keys HTTP/1.1\r\n{NO_KEY}"), "- 0 0 GET /v1/keys 200 ---- s1 0"),
        case(&format!("GET /denied HTTP/1.1\r\n{NO_KEY}"), "- 0 0 GET /denied 401 LR-- <NOSRV> 0"),
        case(&format!("GET /\u{e9} HTTP/1.1\r\n{NO_KEY}"), "- 0 0 <BADREQ> <BADREQ> 400 PR-- <NOSRV> 12"),
        case("garbage\r\n\r\n", "- 0 0 <BADREQ> <BADREQ> 400 PR-- <NOSRV> 12"),
        with_key("POST /v1/keys HTTP/1.1\r\nContent-Length: 5000", "12345 1 1005F7C POST /v1/keys 200 ---- s1 0"),
        // HAProxy keeps 1023 bytes of a request, the method's among them.
        with_key(&format!("GET /{} HTTP/1.1", "x".repeat(3000)), "12345 1 1005F7C GET 1018 200 ---- s1 0"),
    ];
    cases[15].request.push_str(&"x".repeat(5000));
    let ipv6 = Case {
        client: "TCP6 2001:db8::9 2001:db8::1",
        ..with_key("GET /six HTTP/1.1", "12345 1 1005F7C GET /six 200 ---- s1 0")
    };
    cases.push(ipv6);
    cases
}

/// Closes the connection once the backend has got the request, as the only one.
fn gives_up(case: &Case) -> bool {
    case.request.starts_with("GET /hang")
}

#[test]
fn every_format_says_the_same_of_the_same_requests() {
    let write_golden = std::env::var("SUIFTLY_LOG_FORMATS").is_ok_and(|value| value == "write");
    for header in HEADERS {
        let mut gateway = Gateway::start(header);
        let mut golden = [const { (String::new(), String::new()) }; Format::ALL.len()];
        for (number, case) in cases().iter().enumerate() {
            let port = 40_000 + u16::try_from(number).unwrap();
            let lines = Format::ALL.map(|format| gateway.exchange(format, case, port));
            check(&lines.each_ref().map(String::as_str), case, port, header, gateway.haproxy.id());
            for (line, (log, expected)) in lines.iter().zip(&mut golden) {
                writeln!(log, "{line}").unwrap();
                expected.push_str(&as_s1(line));
            }
        }
        if write_golden {
            for (format, (log, expected)) in Format::ALL.iter().zip(golden) {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/log_formats");
                fs::write(folder.join(format!("{format}-{header}.log")), log).unwrap();
                fs::write(folder.join(format!("{format}-{header}.expected")), expected).unwrap();
            }
        }
    }
}

fn as_s1(line: &str) -> String {
    let mut out = Vec::new();
    s1::write(&parse_any(line.as_bytes()).unwrap().1, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn check(lines: &[&str; 4], case: &Case, port: u16, header: &str, haproxy: u32) {
    let now = Clock::System.now();
    let parsed = lines.map(|line| parse_any(line.as_bytes()).map_err(|reject| format!("{reject}: {line}")).unwrap());
    assert_eq!(parsed.each_ref().map(|(format, _)| *format), Format::ALL, "{lines:#?}");
    let [s1, httplog, httpslog, json] = parsed.map(|(_, line)| line);
    // An HAProxy of 2023 or later gives a whole URL that ends with the host the path that it means.
    let newer = case.expected.replace(" GET - ", " GET / ");
    assert!([case.expected, &newer].contains(&said(&s1).as_str()), "{} is not {}", lines[0], case.expected);
    assert_eq!((s1.service, s1.client_port, s1.pid), (Service::Seal, port, haproxy), "{}", lines[0]);
    assert_eq!(s1.backend, if s1.server == "<NOSRV>" { "seal_s1" } else { s1.backend }, "{}", lines[0]);
    for (line, text) in [&s1, &httplog, &httpslog, &json].into_iter().zip(lines) {
        let age_ms = now.0 - line.ts.0;
        assert!((-1000..60_000).contains(&age_ms), "{age_ms} ms ago: {text}");
        assert_eq!(shared(line), shared(&s1), "{text}");
    }
    for (line, text) in [(&httplog, lines[1]), (&httpslog, lines[2])] {
        assert_eq!(line.pid, if header == "raw" { 0 } else { haproxy }, "{text}");
    }
    let counted = |line: &RequestLine<'_>| (line.gateway, line.pid, line.listener_port, line.bytes_in);
    assert_eq!(counted(&json), counted(&s1), "{}", lines[3]);
    assert_eq!((s1.gateway, s1.listener_port), (1, 443), "{}", lines[0]);
}

fn said(line: &RequestLine<'_>) -> String {
    let customer = line.customer.map_or("-".to_owned(), |customer| customer.to_string());
    let path = line.path.to_string();
    let path = if path.len() > 100 { (path.len() - 1).to_string() } else { path };
    format!(
        "{customer} {} {:X} {} {path} {} {} {} {}",
        line.class.number(),
        line.key_fp,
        line.method,
        line.status,
        line.termination,
        line.server,
        line.event.0
    )
}

/// The columns that all formats have, without what differs from one exchange to the next: of times, only whether the
/// phase happened.
fn shared<'a>(line: &RequestLine<'a>) -> RequestLine<'a> {
    let PhaseTimes { request_ms, queue_ms, connect_ms, response_ms, total_ms } = line.times;
    let happened = |phase: i32| phase.min(0);
    RequestLine {
        ts: UtcMillis(0),
        idle_ms: 0,
        gateway: 0,
        pid: 0,
        log_counter: 0,
        request_counter: 0,
        listener_port: 0,
        bytes_in: 0,
        backend: if line.server == "<NOSRV>" { "" } else { line.backend },
        times: PhaseTimes {
            request_ms: happened(request_ms),
            queue_ms: happened(queue_ms),
            connect_ms: happened(connect_ms),
            response_ms: happened(response_ms),
            total_ms: happened(total_ms),
        },
        ..line.clone()
    }
}

/// A HAProxy with one frontend for each format, and the sockets to which they log.
struct Gateway {
    haproxy: Child,
    folder: tempfile::TempDir,
    logs: [UnixDatagram; 4],
    /// Where the backend says that it has got a request which it will not answer.
    hanging: std::sync::mpsc::Receiver<()>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.haproxy.kill();
        let _ = self.haproxy.wait();
    }
}

impl Gateway {
    fn start(header: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let logs = Format::ALL.map(|format| {
            let log = UnixDatagram::bind(folder.path().join(format!("{format}.log"))).unwrap();
            log.set_read_timeout(Some(PATIENCE)).unwrap();
            log
        });
        let (hangs, hanging) = std::sync::mpsc::channel();
        let listener = UnixListener::bind(folder.path().join("backend")).unwrap();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let hangs = hangs.clone();
                thread::spawn(move || answer(connection, &hangs));
            }
        });
        make_certificate(folder.path());
        let configuration = folder.path().join("haproxy.cfg");
        fs::write(&configuration, render(folder.path(), header)).unwrap();
        Self { haproxy: run(&configuration), folder, logs, hanging }
    }

    /// Sends a request to the frontend of a format; returns its line.
    fn exchange(&mut self, format: Format, case: &Case, port: u16) -> String {
        let mut connection = self.connect(format);
        let text = format!("PROXY {} {port} 443\r\n{}", case.client, case.request);
        connection.write_all(text.as_bytes()).unwrap();
        if gives_up(case) {
            self.hanging.recv_timeout(PATIENCE).expect("the backend gets the request");
            connection.shutdown(Shutdown::Both).unwrap();
        } else {
            let mut response = Vec::new();
            connection.set_read_timeout(Some(PATIENCE)).unwrap();
            connection.read_to_end(&mut response).unwrap();
        }
        let mut line = vec![0; 16 * 1024];
        let index = Format::ALL.iter().position(|other| *other == format).unwrap();
        let length = self.logs[index].recv(&mut line).expect("HAProxy writes a line");
        String::from_utf8(line[..length].trim_ascii_end().to_vec()).unwrap()
    }

    /// HAProxy needs a moment until it listens.
    fn connect(&mut self, format: Format) -> UnixStream {
        let path = self.folder.path().join(format.name());
        let begun = Instant::now();
        loop {
            match UnixStream::connect(&path) {
                Ok(connection) => return connection,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{}: {error}", path.display()),
            }
            assert!(self.haproxy.try_wait().unwrap().is_none(), "HAProxy has ended");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn run(configuration: &Path) -> Child {
    let mut command = Command::new(haproxy());
    command.arg("-db").arg("-f").arg(configuration).env("TZ", "UTC").stdin(Stdio::null());
    command.spawn().expect("HAProxy is installed; `make setup` does that as root")
}

/// A key and a certificate signed with it, for the two sides of HAProxy.
fn make_certificate(folder: &Path) {
    let (key, certificate) = (folder.join("tls.key"), folder.join("tls.crt"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("the openssl command is installed: `make setup` does that as root");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let both = [fs::read(certificate).unwrap(), fs::read(key).unwrap()].concat();
    fs::write(folder.join("tls.pem"), both).unwrap();
}

fn render(folder: &Path, header: &str) -> String {
    let folder = folder.display();
    let mut text = String::from(
        "global\n  nbthread 1\ndefaults\n  mode http\n  option abortonclose\n  retries 0\n  timeout client 20s\n  timeout server 20s\n  \
         timeout connect 5s\n  timeout http-request 20s\n",
    );
    for format in Format::ALL {
        let (bind, written) = match format {
            Format::S1 => (format!("unix@{folder}/s1"), format!("log-format \"{}\"", s1::log_format(1, Service::Seal))),
            Format::Json => {
                (format!("unix@{folder}/json"), format!("log-format '{}'", json::log_format(1, Service::Seal)))
            }
            Format::Httplog => (format!("unix@{folder}/httplog"), "option httplog".to_owned()),
            Format::Httpslog => (format!("unix@{folder}/tls ssl crt {folder}/tls.pem"), "option httpslog".to_owned()),
        };
        writeln!(text, "frontend seal_{format}\n  bind {bind} accept-proxy").unwrap();
        writeln!(text, "  log {folder}/{format}.log len 8192 format {header} local0 info\n  {written}").unwrap();
        for (name, variable) in [("net", "X-Net"), ("class", "X-Class"), ("fp", "X-Fp")] {
            writeln!(text, "  http-request set-var(txn.{name}) req.hdr({variable})").unwrap();
        }
        text.push_str("  http-request set-var(txn.key) req.hdr(X-Cust),concat(/1/,txn.net),concat(/,txn.fp)\n");
        if matches!(format, Format::Httplog | Format::Httpslog) {
            for value in [
                "var(txn.key),field(1,/) len 10",
                "int(1) len 1",
                "var(txn.key),field(3,/) len 1",
                "var(txn.class) len 1",
                "var(txn.key),field(4,/) len 8",
            ] {
                writeln!(text, "  http-request capture {value}").unwrap();
            }
        }
        if format == Format::Httplog {
            text.push_str("  capture response header Server len 20\n");
        }
        text.push_str(
            "  http-request return status 401 if { path /denied }\n  use_backend be_down if { path /down }\n",
        );
        text.push_str("  default_backend be_seal\n");
    }
    write!(
        text,
        "frontend to_tls\n  mode tcp\n  bind unix@{folder}/httpslog accept-proxy\n  default_backend be_tls\nbackend be_tls\n  \
         mode tcp\n  server s1 unix@{folder}/tls ssl verify none send-proxy-v2\nbackend be_seal\n  \
         server s1 unix@{folder}/backend\nbackend be_down\n  server s1 unix@{folder}/nobody\n"
    )
    .unwrap();
    text
}

/// Reads one request and answers it.
fn answer(connection: UnixStream, hangs: &std::sync::mpsc::Sender<()>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let (mut first, mut body) = (String::new(), 0);
    reader.read_line(&mut first).unwrap_or_default();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or_default() == 0 || line == "\r\n" {
            break;
        }
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body = length.trim().parse().unwrap();
        }
    }
    let _ = reader.read_exact(&mut vec![0; body]);
    if first.contains(" /hang") {
        let _ = hangs.send(());
        let _ = reader.read(&mut [0]);
        return;
    }
    let status = if first.contains(" /missing") { "404 Not Found" } else { "200 OK" };
    let content = if first.starts_with("HEAD ") { "" } else { "hello" };
    let mut connection = connection;
    let head =
        format!("HTTP/1.1 {status}\r\nServer: a {{b|c\r\nContent-Length: 5\r\nConnection: close\r\n\r\n{content}");
    let _ = connection.write_all(head.as_bytes());
}
