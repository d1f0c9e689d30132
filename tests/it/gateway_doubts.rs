//! What the gateway agent does not believe: an HAProxy that has the right version and other lines, two vaults of one sequence,
//! a process that was exchanged at the worst moment, and one that is being replaced.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use suiftly::core::haproxy_map::Maps;
use suiftly::core::id::Service;
use suiftly::core::vault::ApiVault;
use suiftly::demo::haproxy::free_addresses;
use suiftly::gateway::map_files::write_maps;
use suiftly::gateway::runtime::Runtime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::gateway_world::{Kind, SEAL, World, customer, entry, file_name, get, key};

const WITHIN: Duration = Duration::from_secs(30);

fn of(keys: &[&str]) -> ApiVault {
    [(customer(7), entry(keys, 1000, 10))].into()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} does not happen");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A ledger and its vaults were restored from a copy, and another vault got the sequence of one that was in force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_vault_of_the_same_sequence_is_another_vault() {
    let mut world = World::start(Kind::Plain).await;
    let agent = world.agent();
    world.vaults.publish(SEAL, &of(&["A"]));
    let copy = world.vaults.newest.clone();
    let second = world.vaults.publish(SEAL, &of(&["A", "B"]));
    agent.applied(SEAL, second).await;
    agent.stop().await;
    fs::remove_file(world.vaults.folder.join(file_name(SEAL, second))).unwrap();
    world.vaults.newest = copy;
    assert_eq!(world.vaults.publish(SEAL, &of(&["C"])), second);
    let hash = world.vaults.newest[&SEAL].1.to_string();
    let agent = world.agent();
    agent.until("it is applied", |status| status.haproxy.applications == 1).await;
    let status = agent.applied(SEAL, second).await;
    assert_eq!(status.vaults["sma"].applied_hash.as_ref(), Some(&hash));
    let answers = [world.ask(&key("A")).await.0, world.ask(&key("B")).await.0, world.ask(&key("C")).await.0];
    assert_eq!(answers, [401, 401, 200]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn map_files_that_were_lost_are_written_again() {
    let mut world = World::start(Kind::Plain).await;
    let agent = world.agent();
    let sequence = world.vaults.publish(SEAL, &of(&["A"]));
    agent.applied(SEAL, sequence).await;
    let keys = world.folder.path().join("keys.map");
    let is_whole = || fs::read_to_string(&keys).is_ok_and(|text| text.contains(" 7/1/1/"));
    until("the files are written", is_whole).await;
    fs::remove_file(&keys).unwrap();
    until("the file is there again", is_whole).await;
    fs::write(&keys, "").unwrap();
    until("the file has its lines again", is_whole).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_haproxy_with_the_right_version_and_other_lines_is_filled() {
    let mut world = World::start(Kind::Plain).await;
    let agent = world.agent();
    let sequence = world.vaults.publish(SEAL, &of(&["A"]));
    agent.applied(SEAL, sequence).await;
    agent.stop().await;
    // Started with files of which one was lost, and one has a line that was never written.
    for lost in ["", &format!("{} 7/1/1/F00D\n", "0".repeat(64))] {
        fs::write(world.folder.path().join("keys.map"), lost).unwrap();
        world.restart().await;
        assert_eq!(world.ask(&key("A")).await.0, 401);
        let agent = world.agent();
        let status = agent.until("it is filled", |status| status.haproxy.applications == 1).await;
        assert_eq!((status.haproxy.applications, world.ask(&key("A")).await.0), (1, 200), "{lost:?}");
        agent.stop().await;
    }
    // Emptied by somebody while it runs.
    let agent = world.agent();
    agent.applied(SEAL, sequence).await;
    let mut socket = UnixStream::connect(&world.settings.admin_socket).await.unwrap();
    let command = format!("clear map {}\n", world.folder.path().join("limits.map").display());
    socket.write_all(command.as_bytes()).await.unwrap();
    socket.read_to_end(&mut Vec::new()).await.unwrap();
    agent.until("it is filled", |status| status.haproxy.applications == 1).await;
    assert_eq!(world.ask(&key("A")).await.0, 200);
    agent.stop().await;
}

/// A socket whose commands go to one HAProxy, and from a certain command on to another.
fn switch(at: &Path, first: PathBuf, second: PathBuf, from: &'static str) -> Arc<AtomicBool> {
    let is_switched = Arc::new(AtomicBool::new(false));
    let listener = UnixListener::bind(at).unwrap();
    let switched = is_switched.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (first, second, switched) = (first.clone(), second.clone(), switched.clone());
            tokio::spawn(async move {
                let mut bytes = vec![0; 20_000];
                let mut length = 0;
                while !bytes[..length].ends_with(b"\n") {
                    length += client.read(&mut bytes[length..]).await.unwrap();
                }
                let command = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if command.contains(from) {
                    switched.store(true, Ordering::SeqCst);
                }
                let to = if switched.load(Ordering::SeqCst) { &second } else { &first };
                let mut server = UnixStream::connect(to).await.unwrap();
                server.write_all(&bytes[..length]).await.unwrap();
                let mut answer = Vec::new();
                server.read_to_end(&mut answer).await.unwrap();
                client.write_all(&answer).await.unwrap();
            });
        }
    });
    is_switched
}

/// A reload between the last question and the command that sets the version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_exchanged_at_the_last_moment_is_not_believed() {
    let mut world = World::start(Kind::Plain).await;
    let (real, other) = (PathBuf::from(&world.settings.admin_socket), world.folder.path().join("other.sock"));
    let front = world.folder.path().join("front.sock");
    let is_switched = switch(&front, real.clone(), other.clone(), "version 2/sma.2-");
    world.settings.admin_socket = front.to_string_lossy().into_owned();
    let agent = world.agent();
    let first = world.vaults.publish(SEAL, &of(&["A", "B"]));
    agent.applied(SEAL, first).await;
    let version = world.folder.path().join("version.map");
    until("the files are written", || fs::read_to_string(&version).is_ok_and(|text| text.contains("sma.1"))).await;
    // What a reload starts: the files as they are.
    let mut text = fs::read_to_string(world.folder.path().join("haproxy.cfg")).unwrap();
    text = text.replace(&*real.to_string_lossy(), &other.to_string_lossy());
    let mut seal = None;
    for (service, (_, address)) in world.settings.services.iter().zip(free_addresses().await.unwrap()) {
        text = text.replace(&format!("bind {}\n", service.listen), &format!("bind {address}\n"));
        seal = seal.or((service.service == Service::Seal).then_some(address));
    }
    let config = world.folder.path().join("other.cfg");
    fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/sbin/haproxy");
    let _second =
        command.arg("-db").arg("-f").arg(&config).stdout(std::process::Stdio::null()).kill_on_drop(true).spawn();
    let runtime = Runtime::new(&other, world.folder.path());
    while runtime.process().await.is_err() {
        sleep(Duration::from_millis(10)).await;
    }
    let second = world.vaults.publish(SEAL, &of(&["B"]));
    agent.applied(SEAL, second).await;
    assert!(is_switched.load(Ordering::SeqCst));
    let seal = seal.unwrap();
    assert_eq!((get(seal, &key("A")).await.0, get(seal, &key("B")).await.0), (401, 200));
    agent.stop().await;
}

/// An HAProxy that accepts and never answers, as one that is stopped does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_stops_although_haproxy_does_not_answer() {
    let mut world = World::start(Kind::Plain).await;
    let silent = world.folder.path().join("silent.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&silent).unwrap();
    world.settings.admin_socket = silent.to_string_lossy().into_owned();
    world.vaults.publish(SEAL, &of(&["A"]));
    let agent = world.agent();
    agent.until("the vault is seen", |status| status.vaults.contains_key("sma")).await;
    // HAProxy's answer is waited for ten seconds.
    timeout(Duration::from_secs(5), agent.stop()).await.expect("it waits for HAProxy");
}

/// One HTTP/2 connection, with frames made by hand.
struct Http2(TcpStream);

impl Http2 {
    async fn connect(world: &World) -> Self {
        let mut stream = TcpStream::connect(world.address(Service::Seal)).await.unwrap();
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        stream.write_all(&settings).await.unwrap();
        Self(stream)
    }

    /// Whether a request on a new stream is answered by 200; `false` also if it is not answered.
    async fn ask(&mut self, stream: u8, key: &str) -> bool {
        let mut block = Vec::new();
        for (name, value) in
            [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/x"), ("x-api-key", key)]
        {
            block.push(0x10);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).unwrap());
                block.extend_from_slice(text.as_bytes());
            }
        }
        let mut frame = vec![0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, stream];
        frame.append(&mut block);
        if self.0.write_all(&frame).await.is_err() {
            return false;
        }
        loop {
            let mut head = [0; 9];
            if timeout(WITHIN, self.0.read_exact(&mut head)).await.unwrap().is_err() {
                return false;
            }
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            self.0.read_exact(&mut payload).await.unwrap();
            match (head[3], head[8]) {
                // Headers, of which `:status: 200` is one byte; or the stream is reset.
                (1, of) if of == stream => return payload[0] == 0x88,
                (3, of) if of == stream => return false,
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_being_replaced_serves_no_further_request() {
    let mut world = World::start(Kind::Master).await;
    let agent = world.agent();
    let first = world.vaults.publish(SEAL, &of(&["A", "B"]));
    let before = agent.applied(SEAL, first).await.haproxy.pid;
    let mut old = Http2::connect(&world).await;
    assert!(old.ask(1, &key("A")).await);
    let master = Pid::from_raw(i32::try_from(world.haproxy.id().unwrap()).unwrap()).unwrap();
    // A master that has only just started its worker may not hear it.
    let is_new = || agent.status.read().haproxy.pid.is_some_and(|pid| Some(pid) != before);
    let begun = Instant::now();
    while !is_new() {
        assert!(begun.elapsed() < WITHIN, "the reload is not noticed");
        kill_process(master, Signal::USR2).unwrap();
        let asked = Instant::now();
        while !is_new() && asked.elapsed() < Duration::from_secs(3) {
            sleep(Duration::from_millis(20)).await;
        }
    }
    let second = world.vaults.publish(SEAL, &of(&["B"]));
    agent.applied(SEAL, second).await;
    assert!(!old.ask(3, &key("A")).await, "a revoked key is served");
    let mut new = Http2::connect(&world).await;
    assert!(!new.ask(1, &key("A")).await && new.ask(3, &key("B")).await);
    agent.stop().await;
}

/// The files of an agent that was never here do not keep a vault from being applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_another_format_are_replaced() {
    let mut world = World::start(Kind::Plain).await;
    write_maps(world.folder.path(), &Maps { version: "1/sma.9".to_owned(), ..Maps::default() }).unwrap();
    world.restart().await;
    let agent = world.agent();
    let sequence = world.vaults.publish(SEAL, &of(&["A"]));
    agent.applied(SEAL, sequence).await;
    assert_eq!(world.ask(&key("A")).await.0, 200);
    agent.stop().await;
}
