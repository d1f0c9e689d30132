//! The gateway agent of this host.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::fleet;
use super::log_shipping::LogShipping;
use super::reading::SPOOL_FOLDER;
use super::{DaemonError, lock_data_dir};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{GatewayConfig, GatewayHostConfig, GatewaySecrets, PublicUrl};
use crate::core::vault::{NotAPublicKey, VaultOpener, VaultPublicKey};
use crate::gateway::agent::{Agent, AgentOptions};
use crate::gateway::health::{self, HealthError};
use crate::gateway::log_stream::LogStream;
use crate::gateway::primary::{Primary, PrimaryError};
use crate::gateway::remote::follow;
use crate::gateway::status::SharedStatus;
use crate::intake::IntakeError;
use crate::seal::{SealError, VaultFolder};

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
    #[error(transparent)]
    Intake(#[from] IntakeError),
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
            tasks.push(spawn_until(stop, fleet::report(app.clone(), status.clone())));
            local = Some(status);
        }
        // Also without any gateway: alarms about those that there were are over.
        tasks.push(spawn_until(stop, fleet::watch(app.clone(), config.remotes, local)));
        tokio::spawn(all(tasks))
    }
}

/// The numbers of all gateways whose agents are heard.
pub fn heard_gateways(config: &GatewayConfig) -> BTreeSet<u8> {
    let local = config.haproxy_socket.as_ref().map(|_| config.number);
    config.remotes.keys().copied().chain(local).collect()
}

/// A host with an HAProxy and no ledger. Returns when everything runs; what is returned ends after `stop`.
///
/// # Errors
/// [`DaemonError`], with nothing left running.
pub async fn start_gateway_host(
    config: &GatewayHostConfig,
    secrets: &GatewaySecrets,
    clock: Clock,
    stop: &CancellationToken,
) -> Result<JoinHandle<()>, DaemonError> {
    // Of two processes, each would send lines of the other again.
    let lock = lock_data_dir(&config.data_dir)?;
    let tasks = start_gateway_tasks(config, secrets, clock, stop).await?;
    info!(gateway = config.number, primary = config.primary.as_ref().map(PublicUrl::origin), "ready");
    Ok(tokio::spawn(async move {
        all(tasks).await;
        drop(lock);
    }))
}

async fn start_gateway_tasks(
    config: &GatewayHostConfig,
    secrets: &GatewaySecrets,
    clock: Clock,
    stop: &CancellationToken,
) -> Result<Vec<JoinHandle<()>>, GatewayError> {
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
    let shipping = LogShipping::start(&config.intake, &config.data_dir.join(SPOOL_FOLDER), &clock).await?;
    let mut tasks = start_agent(options, listener, clock.clone(), &status, stop);
    if let Some(shipping) = shipping {
        let stream = LogStream::new(primary.clone(), config.number);
        tasks.push(shipping.run(stream, status.clone(), clock, stop.clone()));
    }
    tasks.push(tokio::spawn(follow(primary, folder, opener, status, stop.clone())));
    Ok(tasks)
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

async fn all(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        if let Err(error) = task.await {
            error!(%error, "a task of the gateway has panicked");
        }
    }
}
