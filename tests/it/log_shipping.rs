//! The log of another host on its way to the primary: `suiftly gateway` there, `suiftly serve` here, and everything between
//! them that can go wrong.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::gateway_host::Tls;
use crate::remote_gateways::{Stored, Tokens, count_all, gateway_line, with_tokens};
use crate::server::Server;
use crate::support::binary;
use crate::syslog::{Haproxy, free_port};

const WITHIN: Duration = Duration::from_secs(120);

fn kills() -> u32 {
    std::env::var("SUIFTLY_KILLS").map_or(8, |kills| kills.parse().expect("SUIFTLY_KILLS is a number"))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} does not happen");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Another host, as far as its log is concerned: its HAProxy is not there.
struct Host {
    folder: PathBuf,
    health: SocketAddr,
    socket: PathBuf,
    child: Child,
    lines: u64,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Host {
    /// Gateway 2, with `intake` besides its socket, on a port of the group.
    fn start(group: u32, folder: &Path, primary: SocketAddr, token: &str, intake: &str) -> Self {
        Self::start_with(group, folder, &format!("primary = \"http://{primary}\"\n"), token, intake)
    }

    fn start_with(group: u32, folder: &Path, primary: &str, token: &str, intake: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let (secrets, socket) = (folder.join("gateway-secrets.toml"), folder.join("log.sock"));
        let key = "a1".repeat(32);
        fs::write(
            &secrets,
            format!("token = \"{token}\"\nvault_public_key = \"{key}\"\n[vault_keys]\n1 = \"{key}\"\n"),
        )
        .unwrap();
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
        let health = SocketAddr::from(([127, 0, 0, 1], free_port(group)));
        let text = format!(
            "number = 2\n{primary}secrets_file = {secrets:?}\ndata_dir = {:?}\nmap_dir = {:?}\nhaproxy_socket = {:?}\n\
             health_listen = \"{health}\"\n[intake]\nsyslog_unix = {socket:?}\n{intake}",
            folder.join("data"),
            folder.join("maps"),
            folder.join("no.sock"),
        );
        fs::write(folder.join("gateway.toml"), text).unwrap();
        let child = spawn(folder);
        let host = Self { folder: folder.to_owned(), health, socket, child, lines: 0 };
        host.until_ready();
        host
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        let _ = fs::remove_file(&self.socket);
        self.child = spawn(&self.folder);
        self.until_ready();
    }

    /// Ends it in order.
    fn terminate(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    fn until_ready(&self) {
        wait_until("it receives", || self.socket.exists() && self.try_log().is_some());
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.join("said")).unwrap()
    }

    fn try_log(&self) -> Option<Value> {
        let mut stream = TcpStream::connect(self.health).ok()?;
        write!(stream, "GET /api/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status: Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).unwrap();
        Some(status["log"].clone()).filter(Value::is_object)
    }

    /// What it says about its log.
    fn log(&self) -> Value {
        self.try_log().unwrap()
    }

    fn until_log(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + WITHIN;
        loop {
            let log = self.log();
            if is_so(&log) {
                return log;
            }
            assert!(Instant::now() < deadline, "not {what} but {log}\n{}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn until_delivered(&self) -> Value {
        // What it says is a second old at most.
        thread::sleep(Duration::from_millis(1100));
        let is_so = |log: &Value| log["spool_bytes"] == 0 && log["problem"].is_null() && !log["delivered_ms"].is_null();
        self.until_log("all delivered", is_so)
    }

    /// Sends so many lines, and returns once they are on this host's disk.
    fn send(&mut self, count: u64) {
        let sender = UnixDatagram::unbound().unwrap();
        for _ in 0..count {
            sender.send_to(gateway_line(2, self.lines).as_bytes(), &self.socket).unwrap();
            self.lines += 1;
        }
        let last = gateway_line(2, self.lines - 1);
        wait_until("the last line is durable", || {
            let newest = self.segments().pop().map(|path| fs::read(path).unwrap_or_default());
            newest.is_some_and(|bytes| memchr::memmem::find(&bytes, last.trim_end().as_bytes()).is_some())
        });
    }

    fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.join("data/spool/to-primary")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "spool"));
        paths.sort();
        paths
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.args(["gateway", "--config"]).arg(folder.join("gateway.toml")).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn spawn(folder: &Path) -> Child {
    let said = fs::OpenOptions::new().create(true).append(true).open(folder.join("said")).unwrap();
    command(folder).stderr(said).spawn().unwrap()
}

/// A network that cuts connections: each after so many bytes in one of its directions.
struct Network {
    address: SocketAddr,
    is_calm: Arc<AtomicBool>,
    cuts: Arc<AtomicU64>,
}

impl Network {
    fn before(primary: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (is_calm, cuts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let network = Self { address: listener.local_addr().unwrap(), is_calm: is_calm.clone(), cuts: cuts.clone() };
        let mut rng = fastrand::Rng::with_seed(seed);
        thread::spawn(move || {
            for near in listener.incoming().map(Result::unwrap) {
                let Ok(far) = TcpStream::connect(primary) else { continue };
                let limits = match (is_calm.load(Ordering::SeqCst), rng.u8(0..4)) {
                    (true, _) | (_, 0) => [u64::MAX; 2],
                    // What is sent is cut, or the answer to it.
                    (_, 1) => [u64::MAX, rng.u64(1..2000)],
                    _ => [rng.u64(1..40_000), u64::MAX],
                };
                for ((from, to), limit) in [(&near, &far), (&far, &near)].into_iter().zip(limits) {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let cuts = cuts.clone();
                    thread::spawn(move || {
                        let copied = io::copy(&mut (&from).take(limit), &mut &to);
                        if copied.is_ok_and(|copied| copied == limit) {
                            cuts.fetch_add(1, Ordering::SeqCst);
                        }
                        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                    });
                }
            }
        });
        network
    }
}

/// A primary on an address that others can be told, and tokens of its gateways.
fn primary(group: u32) -> (Server, SocketAddr, Tokens) {
    let folder = tempfile::tempdir().unwrap();
    let tokens = with_tokens(folder.path());
    let address = SocketAddr::from(([127, 0, 0, 1], free_port(group)));
    let more = "intake.poll_interval_ms = 20\nintake.flush_after_ms = 20\n";
    (Server::start_at(folder, &address.to_string(), more), address, tokens)
}

fn kill(server: &mut Server) {
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}

/// All lines are rows, and none came twice.
fn assert_counted(stored: &Stored, lines: u64) {
    assert_eq!((stored.rows(2), stored.duplicates(), stored.rejects()), ((lines, lines), 0, vec![]));
}

#[test]
fn every_line_counts_once_although_both_processes_are_killed_and_connections_are_cut() {
    let seed = std::env::var("SUIFTLY_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SUIFTLY_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut server, address, tokens) = primary(12);
    let network = Network::before(address, rng.u64(..));
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::start(13, folder.path(), network.address, tokens.of(2), "");
    for _ in 0..kills() {
        if rng.bool() {
            host.send(rng.u64(1..4000));
        }
        let is_killed = rng.u8(0..3) > 0;
        if is_killed {
            kill(&mut server);
            if rng.bool() {
                host.send(rng.u64(1..4000));
            }
        }
        thread::sleep(Duration::from_millis(rng.u64(0..200)));
        if rng.bool() {
            host.kill();
            host.restart();
        }
        if is_killed {
            server.restart();
            thread::sleep(Duration::from_millis(rng.u64(0..200)));
        }
    }
    host.send(100);
    network.is_calm.store(true, Ordering::SeqCst);
    let log = host.until_delivered();
    println!("{} lines, {} cut connections, {log}", host.lines, network.cuts.load(Ordering::SeqCst));
    assert!(network.cuts.load(Ordering::SeqCst) > 0);
    assert_eq!((&log["lost_bytes"], &log["damaged_bytes"]), (&0.into(), &0.into()));
    let lines = host.lines;
    let stored = count_all(&mut server, |stored| stored.rows(2).0 >= lines);
    assert_counted(&stored, lines);
}

#[test]
fn lines_of_a_real_haproxy_wait_for_a_primary_that_is_down_and_are_told() {
    let (mut server, address, tokens) = primary(14);
    kill(&mut server);
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port(10));
    let syslog = format!("syslog_udp = \"127.0.0.1:{port}\"\nsyslog_tcp = \"127.0.0.1:{port}\"\n");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tls = runtime.block_on(Tls::new(folder.path(), &address.to_string()));
    let over_tls = format!("primary = \"https://localhost:{}\"\nca_file = {:?}\n", tls.port, tls.ca_file());
    let mut host = Host::start_with(15, folder.path(), &over_tls, tokens.of(2), &syslog);
    // By each way, all as gateway 2.
    let haproxy = Haproxy::start_as([2; 3], [6, 7, 8], folder.path(), &host.socket, port);
    let mut sent = 0;
    let mut send = |requests: u64| {
        (1..=3).for_each(|way| haproxy.send(way, requests));
        sent += 3 * requests;
        sent
    };
    let lines = send(300);
    let is_there = |log: &Value| log["received_lines"].as_u64() >= Some(lines - Haproxy::dropped(folder.path()));
    host.until_log("received", is_there);
    let log = host.until_log("a problem", |log| !log["problem"].is_null());
    assert!(log["problem"].as_str().unwrap().contains("the primary cannot be reached"), "{log}");
    let _running_tls = tls.start();
    // The proxy answers, and has nobody behind it.
    host.until_log("another problem", |log| log["problem"].as_str().is_some_and(|problem| problem.contains("503")));
    assert!(log["spool_bytes"].as_u64() > Some(30_000) && log["delivered_bytes"] == 0, "{log}");
    assert!(log["lag_ms"].as_i64() >= Some(0) && log["oldest_ms"].as_i64() > Some(1_700_000_000_000), "{log}");
    assert!(log["delivered_ms"].is_null() && log["spool_problem"].is_null(), "{log}");
    // It waits through a restart, too.
    thread::sleep(Duration::from_millis(1000));
    host.kill();
    host.restart();
    server.restart();
    let log = host.until_delivered();
    assert!(log["delivered_bytes"].as_u64() > Some(30_000) && log["oldest_ms"].is_null(), "{log}");
    send(100);
    thread::sleep(Duration::from_millis(1000));
    host.until_delivered();
    host.terminate();
    // HAProxy says what it could not send; all else has arrived.
    let (dropped, total) = (Haproxy::dropped(folder.path()), sent);
    let stored = count_all(&mut server, |stored| stored.rows(2).0 >= total - dropped);
    let (rows, different) = stored.rows(2);
    assert_eq!((stored.duplicates(), stored.rejects()), (0, vec![]));
    println!("{rows} rows of {total} requests, {dropped} dropped by HAProxy");
    assert!(rows == different && (total - dropped..=total).contains(&rows));
}

#[test]
fn a_full_spool_makes_senders_wait_and_loses_nothing() {
    let (mut server, address, tokens) = primary(16);
    kill(&mut server);
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port(11));
    let intake = format!("syslog_tcp = \"127.0.0.1:{port}\"\nspool_max_mib = 64\n");
    let host = Host::start(17, folder.path(), address, tokens.of(2), &intake);
    let count = 14_000;
    let sender = thread::spawn(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let path = format!("/v1/{}", "x".repeat(8000));
        for number in 0..count {
            stream.write_all(gateway_line(2, number).replace("/v1/keys", &path).as_bytes()).unwrap();
        }
    });
    let log = host.until_log("full", |log| !log["spool_problem"].is_null());
    let told = log["spool_problem"].as_str().unwrap();
    assert!(told.contains("is full (64 MiB)") && told.contains("raise intake.spool_max_mib"), "{told}");
    thread::sleep(Duration::from_secs(1));
    assert!(!sender.is_finished() && host.log()["received_lines"].as_u64() < Some(count));
    assert!(host.segments().len() >= 3, "{:?}", host.segments());
    server.restart();
    wait_until("all is sent", || sender.is_finished());
    sender.join().unwrap();
    host.until_log("received", |log| log["received_lines"].as_u64() == Some(count));
    let log = host.until_delivered();
    assert!(log["spool_problem"].is_null() && log["delivered_bytes"].as_u64() > Some(110_000_000), "{log}");
    assert_eq!(host.segments().len(), 1, "what is delivered is deleted");
    assert_counted(&count_all(&mut server, |stored| stored.rows(2).0 >= count), count);
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn a_restored_primary_gets_again_what_the_gateway_has_and_the_rest_is_told() {
    let (mut server, address, tokens) = primary(18);
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::start(19, folder.path(), address, tokens.of(2), "");
    host.send(500);
    host.until_delivered();
    assert_counted(&count_all(&mut server, |stored| stored.rows(2).0 >= 500), 500);
    let (data, backup) = (server.folder.path().join("data"), server.folder.path().join("backup"));
    copy(&data, &backup);
    server.restart();
    // Each process begins a segment, and the one before is not in the spool any more once it is delivered.
    for _ in 0..3 {
        host.send(100);
        host.until_delivered();
        host.kill();
        host.restart();
    }
    host.until_delivered();
    assert_counted(&count_all(&mut server, |stored| stored.rows(2).0 >= 800), 800);
    // The machine of the primary is lost, and its backup is older than what it had said to be durable.
    fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    server.restart();
    host.send(50);
    let log = host.until_delivered();
    assert_eq!(log["lost_bytes"], 0, "{log}");
    assert_counted(&count_all(&mut server, |stored| stored.rows(2).0 >= 850), 850);
    // Nothing is left of it: what it had, it may have counted, so that only what is new is sent, by a new stream.
    fs::remove_dir_all(&data).unwrap();
    server.restart();
    host.send(40);
    let log = host.until_log("told", |log| log["lost_bytes"].as_u64() > Some(0));
    assert!(host.said().contains("the primary cannot go on with this log's stream: another begins"), "{log}");
    host.until_delivered();
    assert_counted(&count_all(&mut server, |stored| stored.rows(2).0 >= 40), 40);
    // The disk of the gateway is lost: its next stream is another.
    server.restart();
    host.kill();
    fs::remove_dir_all(folder.path().join("data")).unwrap();
    host.restart();
    host.send(30);
    assert!(host.until_delivered()["stream"].as_u64() > log["stream"].as_u64());
    assert_counted(&count_all(&mut server, |stored| stored.rows(2).0 >= 70), 70);
}

#[test]
fn a_token_of_another_gateway_delivers_nothing_and_a_second_process_does_not_start() {
    let (mut server, address, tokens) = primary(20);
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::start(21, folder.path(), address, tokens.of(3), "");
    host.send(10);
    let log = host.until_log("a problem", |log| !log["problem"].is_null());
    assert!(log["problem"].as_str().unwrap().contains("knows this token as that of gateway 3"), "{log}");
    let second = command(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("is in use by another suiftly"), "{said}");
    host.kill();
    let secrets = folder.path().join("gateway-secrets.toml");
    let text = fs::read_to_string(&secrets).unwrap().replace(tokens.of(3), tokens.of(2));
    fs::write(&secrets, text).unwrap();
    host.restart();
    host.until_delivered();
    // Nothing is to be received any more: what waits is sent all the same.
    kill(&mut server);
    host.send(5);
    host.terminate();
    let config = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.split_once("[intake]").unwrap().0).unwrap();
    server.restart();
    host.child = spawn(folder.path());
    wait_until("it answers", || host.try_log().is_some());
    host.until_delivered();
    assert_counted(&count_all(&mut server, |stored| stored.rows(2).0 >= 15), 15);
    fs::write(&config, text.replace("[intake]", "[intake]\nspool_max_mib = 1")).unwrap();
    let checked = command(folder.path()).arg("--check").output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(!checked.status.success() && said.contains("intake.spool_max_mib = 1: must be"), "{said}");
}
