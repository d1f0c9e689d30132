//! A gateway to try things with: a real HAProxy with the shipped rules, a backend behind it, vault files, and an agent.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use suiftly::clock::Clock;
use suiftly::core::calendar::UtcMillis;
use suiftly::core::haproxy_config::{Settings, render};
use suiftly::core::haproxy_map::{KeyHash, LimitEntry, Maps};
use suiftly::core::id::{CustomerId, Network, Service};
use suiftly::core::log_line::{Reject, RequestLine, parse};
use suiftly::core::tier::Tier;
use suiftly::core::vault::{
    ApiEntry, ApiVault, Limits, NewVault, Picture, Status, VaultCode, VaultHash, VaultKey, VaultOpener, VaultSealer,
};
use suiftly::demo::haproxy::{free_addresses, local_settings};
use suiftly::gateway::agent::{Agent, AgentOptions};
use suiftly::gateway::map_files::write_maps;
use suiftly::gateway::runtime::Runtime;
use suiftly::gateway::status::{AgentStatus, HaproxyState, SharedStatus};
use suiftly::random::random;
use suiftly::seal::VaultFolder;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Everything ends far earlier, unless the machine is busy with something else.
const WITHIN: Duration = Duration::from_secs(30);
pub const SEAL: VaultCode = VaultCode::api(Service::Seal, Network::Mainnet);

/// The name of a vault's file.
pub fn file_name(code: VaultCode, sequence: u64) -> String {
    VaultFolder::at(Path::new("")).path_of(code, sequence).to_string_lossy().into_owned()
}

/// A key whose text says whose it is.
pub fn key(name: &str) -> String {
    format!("S{name:Z>36}")
}

pub fn customer(number: u32) -> CustomerId {
    CustomerId::new(number).unwrap()
}

/// A customer who is on, with these keys and limits, from anywhere.
pub fn entry(keys: &[&str], guaranteed_per_s: u32, burst_per_s: u32) -> ApiEntry {
    let mut keys: Vec<VaultKey> = keys
        .iter()
        .map(|name| VaultKey { sha256: KeyHash::of(&key(name)), fingerprint: 0xF00D, expires_at: None })
        .collect();
    keys.sort();
    let limits = Limits { burst_priority: 2, ..LimitEntry::new(guaranteed_per_s, burst_per_s).limits };
    ApiEntry { tier: Tier::Pro, status: Status::On, limits, keys, allowlist: None }
}

/// Vaults as whoever writes them makes them.
pub struct Publisher {
    pub folder: PathBuf,
    /// Number 1 of the vault keys.
    pub key: [u8; 32],
    sealer: VaultSealer,
    pub opener: VaultOpener,
    pub newest: BTreeMap<VaultCode, (u64, VaultHash)>,
}

impl Publisher {
    pub fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let key = random().unwrap();
        let sealer = VaultSealer::new((1, key), &random().unwrap());
        let opener = VaultOpener::new([(1, key)], sealer.public_key());
        Self { folder: folder.to_owned(), key, sealer, opener, newest: BTreeMap::new() }
    }

    /// As a gateway's secrets have it.
    pub fn public_key(&self) -> String {
        self.sealer.public_key().to_string()
    }

    /// Writes the next vault of a code, and returns its sequence.
    pub fn publish(&mut self, code: VaultCode, vault: &ApiVault) -> u64 {
        let (bytes, sequence, hash) = self.seal(code, vault);
        self.newest.insert(code, (sequence, hash));
        VaultFolder::at(&self.folder).write(code, sequence, &bytes).unwrap();
        sequence
    }

    /// The next vault, which nobody gets.
    pub fn seal(&self, code: VaultCode, vault: &ApiVault) -> (Vec<u8>, u64, VaultHash) {
        let (before, previous) = self.newest.get(&code).copied().unwrap_or((0, VaultHash::NONE));
        let mut picture = Picture::new(code);
        for (customer, entry) in vault {
            picture.set(*customer, Some(entry)).unwrap();
        }
        let sequence = before + 1;
        let new = NewVault { code, sequence, created: Clock::System.now(), previous };
        let (bytes, hash) = self.sealer.seal(&new, picture.pack().unwrap(), random().unwrap()).unwrap();
        (bytes, sequence, hash)
    }

    /// A file that is there at once, or not.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let unfinished = self.folder.join(format!("{name}.new"));
        std::fs::write(&unfinished, bytes).unwrap();
        std::fs::rename(unfinished, self.folder.join(name)).unwrap();
    }
}

/// Answers every request with 200, after a while if so told.
pub struct Backend {
    pub address: SocketAddr,
    pub delay_ms: Arc<AtomicU64>,
}

impl Backend {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let delay_ms = Arc::new(AtomicU64::new(0));
        let delay = delay_ms.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Self::answer(stream, delay.clone()));
            }
        });
        Self { address, delay_ms }
    }

    async fn answer(mut stream: TcpStream, delay_ms: Arc<AtomicU64>) {
        let mut received = Vec::new();
        let mut bytes = [0; 4000];
        while let Ok(length @ 1..) = stream.read(&mut bytes).await {
            received.extend_from_slice(&bytes[..length]);
            while let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                received.drain(..end + 4);
                sleep(Duration::from_millis(delay_ms.load(Ordering::SeqCst))).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        }
    }
}

/// A running agent.
pub struct Running {
    pub status: Arc<SharedStatus>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Cut off wherever it is.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// Until it says so.
    pub async fn until(&self, what: &str, mut is_so: impl FnMut(&AgentStatus) -> bool) -> AgentStatus {
        let deadline = Instant::now() + WITHIN;
        loop {
            let status = self.status.read();
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "{what} does not happen: {status:#?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Until HAProxy obeys this vault.
    pub async fn applied(&self, code: VaultCode, sequence: u64) -> AgentStatus {
        let is_so = |status: &AgentStatus| {
            let applied = status.vaults.get(code.as_str()).map_or(0, |vault| vault.applied);
            applied == sequence && status.haproxy.state == HaproxyState::InForce
        };
        self.until(&format!("{code} {sequence} in force"), is_so).await
    }
}

/// All of it.
pub struct World {
    pub folder: TempDir,
    pub settings: Settings,
    pub vaults: Publisher,
    pub backend: Backend,
    pub haproxy: Child,
    /// Whether each connection begins with a line of the PROXY protocol, which says whom it comes from.
    pub has_sources: bool,
}

/// What differs from one HAProxy to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One process.
    Plain,
    /// A master with a worker, which can be reloaded.
    Master,
    /// One process that believes what clients say of their address.
    Sources,
}

impl World {
    pub async fn start(kind: Kind) -> Self {
        Self::start_with(kind, |_| {}).await
    }

    pub async fn start_with(kind: Kind, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_edited(kind, change, |text| text).await
    }

    /// With another text than is rendered: shorter times, say.
    pub async fn start_edited(
        kind: Kind,
        change: impl FnOnce(&mut Settings),
        edit: impl FnOnce(String) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vaults = Publisher::new(&folder.path().join("vaults"));
        let backend = Backend::start().await;
        let mut settings = local_settings(folder.path(), &free_addresses().await.unwrap(), backend.address);
        change(&mut settings);
        write_maps(folder.path(), &Maps::default()).unwrap();
        let mut text = render(&settings).unwrap();
        if kind == Kind::Sources {
            for service in &settings.services {
                let bind = format!("  bind {}\n", service.listen);
                text = text.replace(&bind, &format!("  bind {} accept-proxy\n", service.listen));
            }
        }
        std::fs::write(folder.path().join("haproxy.cfg"), edit(text)).unwrap();
        let haproxy = spawn(folder.path(), kind == Kind::Master);
        let world = Self { folder, settings, vaults, backend, haproxy, has_sources: kind == Kind::Sources };
        world.until_it_answers().await;
        world
    }

    pub fn runtime(&self) -> Runtime {
        Runtime::new(Path::new(&self.settings.admin_socket), self.folder.path())
    }

    pub async fn until_it_answers(&self) -> u32 {
        let deadline = Instant::now() + WITHIN;
        loop {
            if let Ok(process) = self.runtime().process().await {
                return process.pid;
            }
            let said = std::fs::read_to_string(self.folder.path().join("haproxy.err")).unwrap_or_default();
            assert!(Instant::now() < deadline, "HAProxy does not answer: {said}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends HAProxy at once and starts another one.
    pub async fn restart(&mut self) {
        self.haproxy.kill().await.unwrap();
        self.haproxy = spawn(self.folder.path(), false);
        self.until_it_answers().await;
    }

    pub fn agent(&self) -> Running {
        self.agent_of(&self.vaults.folder, &self.vaults.opener)
    }

    /// An agent that takes somebody else's vaults.
    pub fn agent_of(&self, vault_folder: &Path, opener: &VaultOpener) -> Running {
        let options = AgentOptions {
            vault_folder: vault_folder.to_owned(),
            map_folder: self.folder.path().to_owned(),
            haproxy_socket: PathBuf::from(&self.settings.admin_socket),
            opener: opener.clone(),
        };
        let status = Arc::new(SharedStatus::new(1));
        let stop = CancellationToken::new();
        let agent = Agent::new(options, Clock::System, status.clone());
        Running { status, task: tokio::spawn(agent.run(stop.clone())), stop }
    }

    pub fn address(&self, service: Service) -> SocketAddr {
        self.settings.services.iter().find(|candidate| candidate.service == service).unwrap().listen
    }

    /// The status and the whole answer to a request to Seal.
    pub async fn ask(&self, key: &str) -> (u16, String) {
        self.ask_from(key, "192.0.2.1").await
    }

    pub async fn ask_from(&self, key: &str, source: &str) -> (u16, String) {
        let proxy = match (self.has_sources, source.contains(':')) {
            (false, _) => String::new(),
            (true, false) => format!("PROXY TCP4 {source} 192.0.2.99 51234 443\r\n"),
            (true, true) => format!("PROXY TCP6 {source} 2001:db8::99 51234 443\r\n"),
        };
        exchange(self.address(Service::Seal), &proxy, key).await
    }

    /// Class, event, customer and status of each line of the log, once there are so many.
    pub async fn log_lines(&self, count: usize) -> Vec<(u8, u8, Option<u32>, u16)> {
        let outcome = |line: &RequestLine<'_>| {
            (line.class.number(), line.event.0, line.customer.map(CustomerId::get), line.status)
        };
        self.read_log(count, outcome).await
    }

    /// What `read` takes of each line of the log, once there are so many.
    pub async fn read_log<T>(&self, count: usize, read: impl Fn(&RequestLine<'_>) -> T) -> Vec<T> {
        let deadline = Instant::now() + WITHIN;
        loop {
            let log = std::fs::read_to_string(self.folder.path().join("requests.log")).unwrap();
            let parsed = log.lines().map(|line| (line, parse(line.as_bytes())));
            let parsed = parsed.filter(|(_, parsed)| *parsed != Err(Reject::Notice));
            let lines: Vec<T> = parsed.map(|(line, parsed)| read(&parsed.expect(line))).collect();
            if lines.len() >= count {
                return lines;
            }
            assert!(Instant::now() < deadline, "{} of {count} lines: {log}", lines.len());
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn spawn(folder: &Path, with_master: bool) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(folder.join("requests.log")).unwrap();
    let errors = OpenOptions::new().create(true).append(true).open(folder.join("haproxy.err")).unwrap();
    let mut command = Command::new(crate::support::haproxy());
    if with_master {
        command.arg("-W");
    }
    command.arg("-db").arg("-f").arg(folder.join("haproxy.cfg"));
    command.stdin(Stdio::null()).stdout(log).stderr(errors).kill_on_drop(true);
    command.spawn().expect("HAProxy is needed here and is not installed: apt-get install haproxy")
}

/// The status and the whole answer to one request on a connection of its own.
pub async fn get(address: SocketAddr, key: &str) -> (u16, String) {
    exchange(address, "", key).await
}

async fn exchange(address: SocketAddr, before: &str, key: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let header = if key.is_empty() { String::new() } else { format!("X-API-Key: {key}\r\n") };
    let request = format!("{before}GET /v1/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(WITHIN, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0);
    (status, answer)
}

/// In so many seconds.
pub fn in_seconds(seconds: i64) -> UtcMillis {
    Clock::System.now().plus_ms(seconds * 1000)
}
