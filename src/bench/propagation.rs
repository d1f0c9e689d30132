//! How soon a real HAProxy obeys: from a change in a vault to the first refusal, with many customers and under load.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{BenchError, percentile_us, round};
use crate::clock::Clock;
use crate::core::haproxy_map::{KeyHash, LimitEntry, Maps};
use crate::core::id::{CustomerId, Network, Service};
use crate::core::tier::Tier;
use crate::core::vault::{
    ApiEntry, Limits, NewVault, Picture, Status, VaultCode, VaultHash, VaultKey, VaultOpener, VaultSealer,
};
use crate::demo::haproxy::{HaproxyProcess, free_addresses, local_settings};
use crate::gateway::agent::{Agent, AgentOptions};
use crate::gateway::map_files::write_maps;
use crate::gateway::status::{AgentStatus, SharedStatus};
use crate::random::random;
use crate::seal::VaultFolder;

const CODE: VaultCode = VaultCode::api(Service::Seal, Network::Mainnet);
/// Keys of each customer: the first may be revoked, the second sends requests.
const KEYS: u32 = 2;
/// Connections of the load.
const CONNECTIONS: u64 = 20;
const WITHIN: Duration = Duration::from_secs(120);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct PropagationOptions {
    /// Each with two keys.
    pub customers: u32,
    /// Keys that are revoked one after the other.
    pub revocations: u32,
    /// Customers that are changed at once.
    pub changed: u32,
    pub requests_per_s: u64,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct PropagationReport {
    pub customers: u32,
    pub keys: u32,
    /// The first time, everything is new to HAProxy.
    pub first_apply_ms: u64,
    /// From the change to its file, of one key.
    pub file_p50_ms: f64,
    pub file_p99_ms: f64,
    /// From the change to HAProxy's first refusal.
    pub revoke_p50_ms: f64,
    pub revoke_p99_ms: f64,
    /// Limits of so many customers, changed at once.
    pub changed: u32,
    pub changed_apply_ms: u64,
    /// From the change to HAProxy's obedience.
    pub changed_ms: f64,
    /// Of keys that were good all the time, meanwhile; and how many of them were not answered with 200.
    pub requests: u64,
    pub failed: u64,
}

/// Starts HAProxy, an agent and a load in a folder, and measures.
///
/// # Errors
/// [`BenchError::Gateway`], also if no HAProxy is installed.
pub async fn measure_propagation(folder: &Path, options: PropagationOptions) -> Result<PropagationReport, BenchError> {
    let PropagationOptions { customers, revocations, changed, requests_per_s } = options;
    let backend = backend().await?;
    let settings = local_settings(folder, &free_addresses().await.map_err(failed)?, backend);
    write_maps(folder, &Maps::default()).map_err(failed)?;
    let haproxy = HaproxyProcess::start(&settings, folder, &folder.join("requests.log")).await.map_err(failed)?;
    let haproxy = haproxy.ok_or_else(|| BenchError::Gateway("HAProxy is not installed".to_owned()))?;
    let mut publisher = Publisher::new(&folder.join("vaults"), customers)?;
    let (status, stop) = (Arc::new(SharedStatus::new(1)), CancellationToken::new());
    let agent = AgentOptions {
        vault_folder: folder.join("vaults"),
        map_folder: folder.to_owned(),
        haproxy_socket: settings.admin_socket.clone().into(),
        opener: publisher.opener.clone(),
    };
    let agent = tokio::spawn(Agent::new(agent, Clock::System, status.clone()).run(stop.clone()));
    publisher.publish()?;
    let first_apply_ms = applied(&status, publisher.sequence).await?.haproxy.apply_ms.unwrap_or(0);
    let address = settings.services.first().map(|service| service.listen).unwrap_or(backend);
    let load = Load::start(address, customers, requests_per_s, &stop);

    let (mut files, mut refusals) = (Vec::new(), Vec::new());
    for number in 1..=revocations.min(customers) {
        let begun = Instant::now();
        publisher.set(number, Some(&entry(number, 1, 1000)))?;
        publisher.publish()?;
        files.push(begun.elapsed());
        refused(address, &key(number, 0)).await?;
        refusals.push(begun.elapsed());
    }
    let begun = Instant::now();
    let before = status.read().haproxy.applications;
    for number in 1..=changed.min(customers) {
        // Keys stay as they are.
        let first = u32::from(number <= revocations);
        publisher.set(number, Some(&entry(number, first, 2000)))?;
    }
    publisher.publish()?;
    let done = applied(&status, publisher.sequence).await?;
    let changed_ms = round(begun.elapsed().as_secs_f64() * 1000.0, 10.0);
    if done.haproxy.applications == before {
        return Err(BenchError::Gateway("the agent has applied nothing".to_owned()));
    }
    // Also what comes right after counts.
    sleep(Duration::from_millis(500)).await;
    stop.cancel();
    let (requests, failed_requests) = load.counts();
    agent.await.map_err(failed)?;
    haproxy.stop().await.map_err(failed)?;
    let ms = |percent, times: &[Duration]| round(percentile_us(percent, times.to_vec()) / 1000.0, 10.0);
    Ok(PropagationReport {
        customers,
        keys: customers * KEYS,
        first_apply_ms,
        file_p50_ms: ms(50, &files),
        file_p99_ms: ms(99, &files),
        revoke_p50_ms: ms(50, &refusals),
        revoke_p99_ms: ms(99, &refusals),
        changed,
        changed_apply_ms: done.haproxy.apply_ms.unwrap_or(0),
        changed_ms,
        requests,
        failed: failed_requests,
    })
}

fn failed(error: impl std::error::Error) -> BenchError {
    BenchError::Gateway(crate::telemetry::chain(&error))
}

/// As long as a real one.
fn key(customer: u32, which: u32) -> String {
    format!("S{customer:0>35}{which}")
}

/// A customer with the keys from `first` on.
fn entry(customer: u32, first: u32, guaranteed_per_s: u32) -> ApiEntry {
    let keys = (first..KEYS).map(|which| VaultKey {
        sha256: KeyHash::of(&key(customer, which)),
        fingerprint: customer,
        expires_at: None,
    });
    let mut keys: Vec<VaultKey> = keys.collect();
    keys.sort();
    let limits = Limits { burst_priority: 2, ..LimitEntry::new(guaranteed_per_s, 10).limits };
    ApiEntry { tier: Tier::Pro, status: Status::On, limits, keys, allowlist: None }
}

/// Whoever writes vaults.
struct Publisher {
    folder: VaultFolder,
    sealer: VaultSealer,
    opener: VaultOpener,
    picture: Picture,
    sequence: u64,
    previous: VaultHash,
}

impl Publisher {
    fn new(folder: &Path, customers: u32) -> Result<Self, BenchError> {
        let vault_key = (1, random().map_err(failed)?);
        let sealer = VaultSealer::new(vault_key, &random().map_err(failed)?);
        let opener = VaultOpener::new([vault_key], sealer.public_key());
        let folder = VaultFolder::open(folder).map_err(failed)?;
        let picture = Picture::new(CODE);
        let mut publisher = Self { folder, sealer, opener, picture, sequence: 0, previous: VaultHash::NONE };
        for number in 1..=customers {
            publisher.set(number, Some(&entry(number, 0, 1000)))?;
        }
        Ok(publisher)
    }

    fn set(&mut self, number: u32, entry: Option<&ApiEntry>) -> Result<(), BenchError> {
        let customer = CustomerId::new(number).ok_or(BenchError::NoCustomer { number })?;
        self.picture.set(customer, entry).map_err(failed)?;
        Ok(())
    }

    fn publish(&mut self) -> Result<(), BenchError> {
        self.sequence += 1;
        let (sequence, previous) = (self.sequence, self.previous);
        let new = NewVault { code: CODE, sequence, created: Clock::System.now(), previous };
        let packed = self.picture.pack().map_err(failed)?;
        let (bytes, hash) = self.sealer.seal(&new, packed, random().map_err(failed)?).map_err(failed)?;
        self.folder.write(CODE, sequence, &bytes).map_err(failed)?;
        self.folder.keep_newest(CODE, crate::seal::KEPT_FILES).map_err(failed)?;
        self.previous = hash;
        Ok(())
    }
}

async fn applied(status: &SharedStatus, sequence: u64) -> Result<AgentStatus, BenchError> {
    let waiting = async {
        loop {
            let now = status.read();
            if now.vaults.get(CODE.as_str()).is_some_and(|vault| vault.applied == sequence) {
                return now;
            }
            let _ = timeout(Duration::from_millis(50), status.changed()).await;
        }
    };
    let late = |_| BenchError::Gateway(format!("vault {sequence} is not applied: {:?}", status.read()));
    timeout(WITHIN, waiting).await.map_err(late)
}

/// Asks with a key until it is refused.
async fn refused(address: SocketAddr, key: &str) -> Result<(), BenchError> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        while ask(&mut stream, key).await? != 401 {
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    };
    let late = |_| BenchError::Gateway("a revoked key is not refused".to_owned());
    timeout(WITHIN, asking).await.map_err(late)?.map_err(|error: std::io::Error| failed(error))
}

/// The status of one request on a connection that stays.
async fn ask(stream: &mut TcpStream, key: &str) -> std::io::Result<u16> {
    stream.write_all(format!("GET /v1/keys HTTP/1.1\r\nHost: bench\r\nX-API-Key: {key}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    let mut part = [0; 2000];
    loop {
        let length = stream.read(&mut part).await?;
        answer.extend_from_slice(part.get(..length).unwrap_or_default());
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let expected = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= expected.unwrap_or(0) {
                return Ok(head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0));
            }
        }
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Requests of keys that are good all the time.
struct Load {
    requests: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl Load {
    fn start(address: SocketAddr, customers: u32, requests_per_s: u64, stop: &CancellationToken) -> Self {
        let load = Self { requests: Arc::default(), failed: Arc::default() };
        for connection in 0..CONNECTIONS {
            let (requests, failed) = (load.requests.clone(), load.failed.clone());
            let sending = async move {
                let mut rng = fastrand::Rng::with_seed(connection);
                let begun = Instant::now();
                let mut stream = None;
                for number in 0_u32.. {
                    let pace =
                        Duration::from_secs_f64(super::to_float(CONNECTIONS) / super::to_float(requests_per_s.max(1)));
                    sleep_until((begun + pace * number).into()).await;
                    if stream.is_none() {
                        stream = TcpStream::connect(address).await.ok();
                    }
                    let key = key(rng.u32(1..=customers), 1);
                    let answered = match &mut stream {
                        Some(stream) => ask(stream, &key).await.unwrap_or(0),
                        None => 0,
                    };
                    requests.fetch_add(1, Ordering::Relaxed);
                    if answered != 200 {
                        failed.fetch_add(1, Ordering::Relaxed);
                        stream = None;
                    }
                }
            };
            tokio::spawn(stop.clone().run_until_cancelled_owned(sending));
        }
        load
    }

    fn counts(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

/// Answers everything at once.
async fn backend() -> Result<SocketAddr, BenchError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut received = [0; 4000];
                // HAProxy sends the next request after the answer, and a request fits.
                while let Ok(1..) = stream.read(&mut received).await {
                    if stream.write_all(OK).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    Ok(address)
}
