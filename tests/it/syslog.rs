//! Lines by syslog: from sockets into the spool, and counted from there, also when the process is killed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use suiftly::clock::Clock;
use suiftly::config::Config;
use suiftly::daemon::Daemon;

use crate::server::{serve, write_config};
use crate::support::{haproxy, line, secrets};

/// A port below those that the system chooses from, for both UDP and TCP; tests that run at the same time have others.
pub fn free_port(group: u32) -> u16 {
    let begin = 33 * group + std::process::id() % 300 * 60;
    let mut ports = (begin..begin + 33).map(|port| u16::try_from(11_000 + port % 9000).unwrap());
    let is_free =
        |port: &u16| UdpSocket::bind(("127.0.0.1", *port)).is_ok() && TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).unwrap()
}

/// Rows of each gateway, different rows, and rejected lines, of a store that nobody has open.
fn stored(folder: &Path) -> ([u64; 3], u64, u64) {
    let store = duckdb::Connection::open(folder.join("data/traffic.duckdb")).unwrap();
    let number = |sql: &str| store.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
    let rows =
        [1, 2, 3].map(|gateway| number(&format!("SELECT count(*)::UBIGINT FROM requests WHERE gateway = {gateway}")));
    let different = "SELECT count(*)::UBIGINT FROM (SELECT DISTINCT gateway, pid, request_counter FROM requests)";
    (rows, number(different), number("SELECT coalesce(sum(lines), 0)::UBIGINT FROM reject_counts"))
}

fn segments(folder: &Path) -> usize {
    fs::read_dir(folder.join("data/spool/syslog")).unwrap().count()
}

/// Runs a daemon in this process until so many lines are counted, and stops it.
fn run_until_counted(config: &Path, lines: u64, send: impl FnOnce()) {
    let config = Config::load(config).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let daemon = runtime.block_on(Daemon::start(&config, &secrets(), Clock::System, None)).unwrap();
    send();
    let traffic = daemon.app().traffic.clone();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (rows, rejects) = traffic.line_counts().unwrap();
        if rows + rejects >= lines {
            break;
        }
        assert!(Instant::now() < deadline, "of {lines} lines, {rows} are rows and {rejects} are rejected");
        thread::sleep(Duration::from_millis(20));
    }
    drop(traffic);
    runtime.block_on(daemon.stop()).unwrap();
}

#[test]
fn lines_by_every_way_are_counted_once_and_the_spool_is_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let (port, socket) = (free_port(0), folder.path().join("log.sock"));
    let more = format!(
        "intake.syslog_unix = {socket:?}\nintake.syslog_udp = \"127.0.0.1:{port}\"\nintake.syslog_tcp = \"127.0.0.1:{port}\"\n"
    );
    let config = write_config(folder.path(), &more);
    run_until_counted(&config, 402, || {
        let text = |number| line(number).trim_end().to_owned();
        let unix = UnixDatagram::unbound().unwrap();
        for number in 0..100 {
            unix.send_to(format!("<134>Nov 23 09:00:00 haproxy[7]: {}\n", text(number)).as_bytes(), &socket).unwrap();
        }
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 100..200 {
            let message = format!("<134>1 2026-11-23T09:00:00.000Z gw haproxy 7 - - {}", text(number));
            udp.send_to(message.as_bytes(), ("127.0.0.1", port)).unwrap();
        }
        let mut counted = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut by_line = TcpStream::connect(("127.0.0.1", port)).unwrap();
        for number in 200..300 {
            let message = format!("<134>Nov 23 09:00:00 haproxy[7]: {}", text(number));
            write!(counted, "{} {message}", message.len()).unwrap();
            writeln!(by_line, "{}", text(number + 100)).unwrap();
        }
        // No line at all, and a message that is cut by the end of its connection.
        udp.send_to(b"<134>garbage", ("127.0.0.1", port)).unwrap();
        write!(counted, "500 {}", &text(400)[..60]).unwrap();
    });
    assert_eq!(stored(folder.path()), ([400, 0, 0], 400, 2));
    assert!(segments(folder.path()) <= 1);
    // What was not yet counted at the end of a process is counted by the next, whatever it is configured to receive.
    let config = write_config(folder.path(), "");
    run_until_counted(&config, 402, || ());
    assert_eq!(stored(folder.path()), ([400, 0, 0], 400, 2));
}

#[test]
fn an_address_that_cannot_be_had_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let file = folder.path().join("no-socket");
    fs::write(&file, "a file of somebody").unwrap();
    for (key, value, expected) in [
        ("syslog_udp", address.to_string(), "another program has this address"),
        ("syslog_unix", file.to_string_lossy().into_owned(), "another program has this address"),
        ("syslog_unix", "/nonexistent/log.sock".to_owned(), "create the folder"),
    ] {
        let config = write_config(folder.path(), &format!("intake.{key} = {value:?}\n"));
        let output = serve(&config).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&value) && said.contains(expected), "{said}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "a file of somebody");
}

/// HAProxy with a frontend for each way of logging; requests are answered by itself.
pub struct Haproxy {
    child: Child,
    ports: [u16; 3],
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Haproxy {
    fn start(folder: &Path, socket: &Path, port: u16) -> Self {
        Self::start_as([1, 2, 3], [1, 2, 3], folder, socket, port)
    }

    /// Each frontend writes lines of one of the gateways: by a unix socket, UDP, and TCP. Its port is of the group of ports.
    pub fn start_as(gateways: [u8; 3], groups: [u32; 3], folder: &Path, socket: &Path, port: u16) -> Self {
        let ports = groups.map(free_port);
        let frontend = |way: usize, log: &str| {
            let gateway = gateways[way - 1];
            format!(
                "frontend f{way}\n  bind 127.0.0.1:{port}\n  log {log}\n  \
                 log-format \"s1 %Ts%ms {gateway} %pid %lc %rt 12345 1 1 1 0 0 %ci %cp %fp %HM %HPO %ST %U %B \
                 %Th/%Ti/%TR/%Tw/%Tc/%Tr/%Ta %tsc %b %s 1\"\n  http-request return status 200\n",
                port = ports[way - 1],
            )
        };
        let text = format!(
            "global\n  maxconn 100\n  stats socket {}\ndefaults\n  mode http\n  option dontlognull\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
             ring r\n  format rfc5424\n  maxlen 8200\n  size 4194304\n  timeout connect 1s\n  timeout server 10s\n  \
             server suiftly 127.0.0.1:{port} log-proto octet-count\n{}{}{}",
            folder.join("stats.sock").display(),
            frontend(1, &format!("{} len 8192 format rfc5424 local0 info", socket.display())),
            frontend(2, &format!("127.0.0.1:{port} len 8192 local0 info")),
            frontend(3, "ring@r len 8192 local0 info"),
        );
        let path = folder.join("haproxy.cfg");
        fs::write(&path, text).unwrap();
        let errors = fs::File::create(folder.join("haproxy.err")).unwrap();
        let child = Command::new(haproxy()).arg("-db").arg("-f").arg(&path).stderr(errors).spawn();
        let haproxy = Self { child: child.expect("HAProxy is installed; `make setup` does that as root"), ports };
        let deadline = Instant::now() + Duration::from_secs(10);
        while ports.iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err()) {
            let said = fs::read_to_string(folder.join("haproxy.err")).unwrap();
            assert!(Instant::now() < deadline, "HAProxy does not start: {said}");
            thread::sleep(Duration::from_millis(20));
        }
        haproxy
    }

    /// Lines that it could not send, because a socket was full or not there.
    pub fn dropped(folder: &Path) -> u64 {
        let mut stream = UnixStream::connect(folder.join("stats.sock")).unwrap();
        stream.write_all(b"show info\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().find_map(|line| line.strip_prefix("DroppedLogs: ")).unwrap().parse().unwrap()
    }

    /// Sends requests to one frontend, one after the other on one connection.
    pub fn send(&self, way: usize, count: u64) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[way - 1])).unwrap();
        let mut answers = BufReader::new(stream.try_clone().unwrap());
        for _ in 0..count {
            stream.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let mut status = String::new();
            answers.read_line(&mut status).unwrap();
            assert!(status.contains("200"), "{status}");
            let mut length = 0;
            loop {
                let mut header = String::new();
                answers.read_line(&mut header).unwrap();
                if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if header == "\r\n" {
                    break;
                }
            }
            answers.read_exact(&mut vec![0; length]).unwrap();
        }
    }
}

/// Starts the program and waits until it is ready, so that its sockets are open.
fn start(config: &Path, said: &Path) -> Child {
    let mut child = serve(config).stderr(fs::File::create(said).unwrap()).stdin(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !fs::read_to_string(said).unwrap().contains("\"ready\"") {
        assert!(child.try_wait().unwrap().is_none(), "it ended: {}", fs::read_to_string(said).unwrap());
        assert!(Instant::now() < deadline, "it does not get ready");
        thread::sleep(Duration::from_millis(10));
    }
    child
}

/// Longer than a received line takes to be durable.
const DURABLE: Duration = Duration::from_millis(1000);

#[test]
fn what_a_real_haproxy_has_logged_is_counted_once_although_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (port, socket, said): (_, PathBuf, _) =
        (free_port(4), folder.path().join("l.sock"), folder.path().join("said"));
    let more = format!(
        "intake.syslog_unix = {socket:?}\nintake.syslog_udp = \"127.0.0.1:{port}\"\nintake.syslog_tcp = \"127.0.0.1:{port}\"\n"
    );
    let config = write_config(folder.path(), &more);
    let mut child = start(&config, &said);
    let haproxy = Haproxy::start(folder.path(), &socket, port);
    let mut sent = [0; 3];
    for life in 0..4 {
        thread::scope(|scope| {
            for gateway in 1..=3 {
                let haproxy = &haproxy;
                scope.spawn(move || haproxy.send(gateway, 1500));
            }
        });
        sent.iter_mut().for_each(|sent| *sent += 1500);
        // What was received a while ago is durable; whether it is counted yet does not matter.
        thread::sleep(DURABLE);
        child.kill().unwrap();
        child.wait().unwrap();
        if life == 1 {
            // Nobody is there: datagrams are lost, the ring keeps its lines.
            haproxy.send(3, 200);
            sent[2] += 200;
        }
        child = start(&config, &said);
    }
    // Killed under load: what was not yet durable is lost, but nothing is counted twice.
    thread::scope(|scope| {
        for gateway in 1..=3 {
            let haproxy = &haproxy;
            scope.spawn(move || haproxy.send(gateway, 3000));
        }
        thread::sleep(Duration::from_millis(150));
        child.kill().unwrap();
        child.wait().unwrap();
        child = start(&config, &said);
    });
    thread::sleep(DURABLE);
    child.kill().unwrap();
    child.wait().unwrap();
    let dropped = Haproxy::dropped(folder.path());
    run_until_counted(&write_config(folder.path(), ""), sent[1] + sent[2], || thread::sleep(DURABLE));
    let (rows, different, rejects) = stored(folder.path());
    assert_eq!((rows.iter().sum::<u64>(), rejects), (different, 0), "nothing is counted twice, and all is understood");
    let store = duckdb::Connection::open(folder.path().join("data/traffic.duckdb")).unwrap();
    let sum = "SELECT coalesce(sum(lines), 0)::UBIGINT FROM duplicate_counts";
    let twice: u64 = store.query_row(sum, [], |row| row.get(0)).unwrap();
    assert_eq!(twice, 0, "a line was read twice");
    drop(store);
    println!("{rows:?} of {sent:?} and 3000 under load; HAProxy has dropped {dropped}");
    for gateway in 0..3 {
        // A unix socket holds few datagrams, and HAProxy does not wait: it drops and counts. The ring waits.
        let may_miss = if gateway == 2 { 0 } else { dropped };
        let expected = sent[gateway] - may_miss.min(sent[gateway])..=sent[gateway] + 3000;
        assert!(expected.contains(&rows[gateway]), "gateway {gateway}: {rows:?} of {sent:?}, {dropped} dropped");
    }
}
