//! The gateway agent of this host, and what is heard of the agents of others.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::app::App;
use crate::clock::Clock;
use crate::config::{GatewayConfig, GatewayHostConfig, GatewaySecrets, PublicUrl};
use crate::core::calendar::UtcMillis;
use crate::core::gateway_fleet::{Alarm, Watched, alarms};
use crate::core::vault::sync::{Applied, GatewayReport};
use crate::core::vault::{NotAPublicKey, VaultHash, VaultOpener, VaultPublicKey};
use crate::gateway::agent::{Agent, AgentOptions};
use crate::gateway::health::{self, HealthError};
use crate::gateway::remote::{Primary, PrimaryError, follow};
use crate::gateway::status::{AgentStatus, SharedStatus};
use crate::seal::{SealError, VaultFolder};
use crate::telemetry::chain;

/// Between two questions to an agent of another host, and at the latest to the one of this host.
const POLL: Duration = Duration::from_secs(5);
/// For an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error(transparent)]
    Health(#[from] HealthError),
    #[error("cannot use the folder of map files {path}: create it, and let this user write to it")]
    MapFolder { path: PathBuf, source: io::Error },
    #[error("primary is not set: it is the https:// address of the host that has the ledger")]
    NoPrimary,
    #[error(transparent)]
    Primary(#[from] PrimaryError),
    #[error(transparent)]
    PublicKey(#[from] NotAPublicKey),
    #[error("the folder of vaults cannot be used")]
    Folder(#[from] SealError),
}

/// What a daemon has of gateways, once everything that can fail is done.
pub(super) struct Prepared {
    config: GatewayConfig,
    /// Of the agent's health; nothing without an HAProxy here.
    listener: Option<TcpListener>,
}

impl Prepared {
    pub(super) async fn new(config: &GatewayConfig) -> Result<Self, GatewayError> {
        let listener = match &config.haproxy_socket {
            Some(_) => Some(prepare_agent(&config.map_dir, config.health_listen).await?),
            None => None,
        };
        Ok(Self { config: config.clone(), listener })
    }

    /// Starts the agent, if there is an HAProxy here, and the watch over all gateways.
    pub(super) fn start(self, app: &Arc<App>, stop: &CancellationToken) -> JoinHandle<()> {
        let Self { config, listener } = self;
        let mut tasks = Vec::new();
        let mut local = None;
        if let (Some(socket), Some(listener)) = (config.haproxy_socket, listener) {
            let options = AgentOptions {
                vault_folder: app.vaults.folder().path().to_owned(),
                map_folder: config.map_dir,
                haproxy_socket: socket,
                opener: app.vaults.opener().clone(),
            };
            let status = Arc::new(SharedStatus::new(config.number));
            tasks.extend(start_agent(options, listener, app.clock.clone(), &status, stop));
            tasks.push(spawn_until(stop, report(app.clone(), status.clone())));
            local = Some(status);
        }
        if local.is_some() || !config.remotes.is_empty() {
            tasks.push(spawn_until(stop, watch_fleet(app.clone(), config.remotes, local)));
        }
        all(tasks)
    }
}

/// A host with an HAProxy and no ledger. Returns when everything runs; what is returned ends after `stop`.
///
/// # Errors
/// [`GatewayError`], with nothing left running.
pub async fn start_gateway_host(
    config: &GatewayHostConfig,
    secrets: &GatewaySecrets,
    clock: Clock,
    stop: &CancellationToken,
) -> Result<JoinHandle<()>, GatewayError> {
    let PublicUrl { authority, is_secure } = config.primary.as_ref().ok_or(GatewayError::NoPrimary)?;
    let primary = Primary::new(authority, *is_secure, secrets.token.clone(), config.ca_file.as_deref())?;
    let keys = secrets.vault_keys.iter().map(|(number, key)| (*number, **key));
    let opener = VaultOpener::new(keys, VaultPublicKey::new(secrets.vault_public_key)?);
    let folder = VaultFolder::open(&config.data_dir.join(crate::app::VAULTS_FOLDER))?;
    let options = AgentOptions {
        vault_folder: folder.path().to_owned(),
        map_folder: config.map_dir.clone(),
        haproxy_socket: config.haproxy_socket.clone(),
        opener: opener.clone(),
    };
    let status = Arc::new(SharedStatus::new(config.number));
    let listener = prepare_agent(&config.map_dir, config.health_listen).await?;
    let mut tasks = start_agent(options, listener, clock, &status, stop);
    tasks.push(tokio::spawn(follow(primary, folder, opener, status, stop.clone())));
    info!(gateway = config.number, primary = authority, "ready");
    Ok(all(tasks))
}

async fn prepare_agent(map_folder: &Path, health_listen: SocketAddr) -> Result<TcpListener, GatewayError> {
    let path = map_folder.to_owned();
    std::fs::create_dir_all(&path).map_err(|source| GatewayError::MapFolder { path, source })?;
    Ok(health::listen(health_listen).await?)
}

fn start_agent(
    options: AgentOptions,
    listener: TcpListener,
    clock: Clock,
    status: &Arc<SharedStatus>,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let serving = health::serve(listener, status.clone(), stop.clone());
    let agent = Agent::new(options, clock, status.clone());
    vec![
        tokio::spawn(agent.run(stop.clone())),
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                warn!(%error, "the gateway's health is not served any more");
            }
        }),
    ]
}

fn spawn_until(stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let work = stop.clone().run_until_cancelled_owned(work);
    tokio::spawn(async move {
        let _ = work.await;
    })
}

fn all(tasks: Vec<JoinHandle<()>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        for task in tasks {
            if let Err(error) = task.await {
                error!(%error, "a task of the gateway has panicked");
            }
        }
    })
}

/// Tells what this host's HAProxy obeys as soon as it changes, for ever.
async fn report(app: Arc<App>, status: Arc<SharedStatus>) {
    loop {
        let now = status.read();
        app.vaults.note_gateway(now.gateway, reached(&now));
        let _ = timeout(POLL, status.changed()).await;
    }
}

fn reached(status: &AgentStatus) -> GatewayReport {
    let applied = status.vaults.iter().filter_map(|(code, vault)| {
        let hash = data_encoding::HEXLOWER.decode(vault.applied_hash.as_ref()?.as_bytes()).ok()?;
        let applied = Applied { sequence: vault.applied, hash: VaultHash(hash.try_into().ok()?) };
        Some((code.parse().ok()?, applied))
    });
    GatewayReport { is_reached: true, applied: applied.collect() }
}

/// Asks the agents of other hosts and raises alarms about all, for ever.
async fn watch_fleet(app: Arc<App>, remotes: BTreeMap<u8, PublicUrl>, local: Option<Arc<SharedStatus>>) {
    let begun = app.clock.now();
    let mut fleet: BTreeMap<u8, Watched> = BTreeMap::new();
    let mut raised: Vec<Alarm> = Vec::new();
    loop {
        let asking = remotes.iter().map(|(gateway, url)| async { (*gateway, ask(url).await) });
        for (gateway, answer) in futures_util::future::join_all(asking).await {
            let known = app.vaults.gateways().remove(&gateway).unwrap_or_default();
            let report = match &answer {
                Some(status) => reached(status),
                None => GatewayReport { is_reached: false, ..known },
            };
            app.vaults.note_gateway(gateway, report);
            note(&mut fleet, gateway, answer, app.clock.now(), begun);
        }
        if let Some(status) = &local {
            let status = status.read();
            note(&mut fleet, status.gateway, Some(status), app.clock.now(), begun);
        }
        let current = alarms(&fleet, VERSION, app.clock.now());
        for alarm in current.iter().filter(|alarm| !raised.contains(alarm)) {
            error!(%alarm, "a gateway needs somebody");
        }
        for alarm in raised.iter().filter(|alarm| !current.contains(alarm)) {
            info!(%alarm, "this is over");
        }
        raised = current;
        tokio::time::sleep(POLL).await;
    }
}

fn note(fleet: &mut BTreeMap<u8, Watched>, gateway: u8, answer: Option<AgentStatus>, now: UtcMillis, begun: UtcMillis) {
    let watched = fleet.entry(gateway).or_insert(Watched { answered: begun, lag_ms: 0, version: None });
    if let Some(status) = answer {
        *watched = Watched { answered: now, lag_ms: status.lag_ms, version: Some(status.version) };
    }
}

/// What an agent says; nothing if it is not the one that is meant.
async fn ask(url: &PublicUrl) -> Option<AgentStatus> {
    let PublicUrl { authority, is_secure } = url;
    let asked = async {
        let host = Primary::new(authority, *is_secure, Default::default(), None).map_err(|error| chain(&error))?;
        host.status().await
    };
    match timeout(ANSWER_WITHIN, asked).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(problem)) => {
            tracing::debug!(gateway = authority, problem, "a gateway does not answer");
            None
        }
        Err(_) => None,
    }
}
