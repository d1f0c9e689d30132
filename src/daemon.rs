//! Wiring: lock the data directory, open the stores, start the tasks, serve, and end it all in order.
//!
//! ```text
//! lock ─▶ ledger ─▶ traffic ─▶ config_global ─▶ intake ─▶ jobs ─▶ http ─▶ gateway ─▶ ready
//! stop ─▶ http (requests end) ─▶ jobs ─▶ gateway ─▶ receivers ─▶ spool ─▶ intake (appends what was read, checkpoints) ─▶ ledger
//!      ─▶ unlock
//! ```

mod at_rest;
mod clock_check;
mod fleet;
mod gateway;
mod held;
mod import;
mod log_shipping;
mod reading;
mod store;

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::at_rest::open_at_rest;
pub use self::clock_check::{accept_clock, check_clock};
pub use self::gateway::{GatewayError, heard_gateways, start_gateway_host};
pub use self::held::with_ledger;
pub use self::import::import_files;
pub use self::reading::intake_options;
use self::reading::{Reading, syslog_addresses};
use self::store::open_store;
pub use self::store::{Rebuilt, rebuild_store, store_options, store_path};
use crate::admin;
use crate::app::billing::BillingOptions;
use crate::app::invoice_document::Issuer;
use crate::app::{
    Accounts, AccountsOptions, App, AppError, DemoPage, Fleet, NoKey, TrafficQueries, VAULTS_FOLDER, Vaults,
    VaultsOptions, load_config_global,
};
use crate::chain::{Chain, SimChain, SimError};
use crate::clock::Clock;
use crate::config::{BillingConfig, Config, HttpConfig, PublicUrl, Secrets, TrafficConfig};
use crate::core::calendar::UtcMillis;
use crate::core::challenge::Site;
use crate::core::gateway_token::GatewayTokens;
use crate::core::id::Service;
use crate::http::{self, Feed, GateOptions, HttpState, PageFacts, Quotas};
use crate::intake::{IntakeError, SyslogReceivers};
use crate::jobs;
use crate::ledger::identity::ensure_ledger_id;
use crate::ledger::{Ledger, LedgerError};
use crate::random::{NoRandomness, random};
use crate::traffic::{Committed, KeptFor, TrafficError};

/// Requests that are being answered may take this long once a stop was asked for.
const HTTP_GRACE: Duration = Duration::from_secs(2);
/// The whole shutdown takes at most this long; what is not done by then is done by the next start.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// The journal of the simulated chain, in the data directory.
const SIMULATED_CHAIN: &str = "sim-chain.journal";
/// A lock outlives its owner by a moment, while a process that the owner was just starting still has its open files.
const UNLOCKED_WITHIN: Duration = Duration::from_millis(500);

/// The process could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("cannot use the data directory {path}: create it and let this user write to it")]
    DataDir { path: PathBuf, source: io::Error },
    #[error(
        "the data directory {path} is in use by another suiftly (process {owner}): stop that one, or set data_dir to \
         another directory"
    )]
    InUse { path: PathBuf, owner: String },
    #[error(
        "suiftly is running (process {owner}) and reads logs itself: put the files into {folder}, and it imports them; \
         they come to done/ there, or to failed/ with the reason"
    )]
    RunsAlready { folder: PathBuf, owner: String },
    #[error("{path} is the log that suiftly follows and counts by itself: import what was rotated away from it")]
    IsFollowed { path: PathBuf },
    #[error("{path} was rotated away from a log that suiftly follows, and it reads it itself: start `suiftly serve`")]
    WillBeRead { path: PathBuf },
    #[error("cannot listen on {address}: {advice}")]
    Listen { address: SocketAddr, advice: &'static str, source: io::Error },
    #[error("cannot serve HTTP")]
    Serve { source: io::Error },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(
        "customers would send their cookies to {0} unencrypted, which browsers refuse: put TLS in front and set \
         http.public_url to its https address"
    )]
    PlainHttp(String),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error(transparent)]
    Chain(#[from] SimError),
    #[error(
        "the machine's clock says {now}, and the ledger was in use at {seen}: set the clock right; if it is right, start \
         once with --accept-clock"
    )]
    ClockBehind { now: UtcMillis, seen: UtcMillis },
    #[error(
        "the machine's clock says {now}, and the ledger was in use at {seen} last: if the clock is wrong, months would be \
         billed that are not over, so set it right; if it is right, start once with --accept-clock"
    )]
    ClockAhead { now: UtcMillis, seen: UtcMillis },
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error(transparent)]
    NoKey(#[from] NoKey),
    #[error("a task of the daemon has panicked")]
    Panicked(#[from] JoinError),
    #[error("intake has stopped: see the log for the reason, then start again; no line is lost")]
    IntakeStopped,
    #[error("not everything had stopped after {} s; what is missing is done at the next start", STOP_WITHIN.as_secs())]
    SlowStop,
}

/// A running daemon.
pub struct Daemon {
    address: SocketAddr,
    app: Arc<App>,
    committed: watch::Receiver<Committed>,
    reading: Reading,
    stop: CancellationToken,
    jobs: JoinHandle<()>,
    gateway: JoinHandle<()>,
    http: JoinHandle<io::Result<()>>,
    _lock: File,
}

impl Daemon {
    /// Starts everything and returns when requests are answered. With a demo page, that page is served, too.
    ///
    /// # Errors
    /// [`DaemonError`], with nothing left running.
    pub async fn start(
        config: &Config,
        secrets: &Secrets,
        clock: Clock,
        demo: Option<DemoPage>,
    ) -> Result<Self, DaemonError> {
        let lock = lock_data_dir(&config.data_dir)?;
        let listener = listen(config.http.listen).await?;
        let address = listener.local_addr().map_err(|source| DaemonError::Serve { source })?;
        let public_url = public_url(&config.http, address)?;
        let accounts = accounts(config, secrets, &public_url)?;
        let syslog = SyslogReceivers::bind(&syslog_addresses(&config.intake)).await?;
        let gateway = gateway::Prepared::new(&config.gateway).await?;
        let opening = config.clone();
        let gateways = GatewayTokens::new(secrets.gateways.clone());
        let vaults = vaults_options(config, secrets);
        let open = move || open(&opening, clock, accounts, vaults, syslog, gateways);
        let (app, reading) = tokio::task::spawn_blocking(open).await??;
        let app = Arc::new(app);
        let stop = CancellationToken::new();
        let (metered, news) = watch::channel(0);
        let interval = Duration::from_secs(config.jobs.interval_s);
        let jobs = tokio::spawn({
            let manager = jobs::run(app.clone(), interval, metered);
            let outbox = jobs::run_outbox(app.clone(), interval);
            let config = jobs::run_config(app.clone());
            let storage = jobs::run_storage(app.clone(), interval);
            let billing = jobs::run_billing(app.clone(), interval);
            let chain = jobs::run_chain(app.clone(), interval);
            let vaults = jobs::run_vaults(app.clone(), interval);
            let run = async { tokio::join!(manager, outbox, config, storage, billing, chain, vaults) };
            let stop = stop.clone();
            async move {
                let _ = stop.run_until_cancelled(run).await;
            }
        });
        let demo = match demo {
            None => None,
            Some(page) => match Feed::start(app.clone(), page, news, stop.clone()).await {
                Ok(feed) => Some(feed),
                Err(error) => {
                    stop.cancel();
                    jobs.await?;
                    reading.stop().await?;
                    return Err(error.into());
                }
            },
        };
        match admin::listen(&config.data_dir) {
            Ok(listener) => drop(tokio::spawn(admin::serve(listener, app.clone(), stop.clone()))),
            Err(error) => {
                warn!(%error, "there is no socket for `suiftly sql`, which works when this process has stopped")
            }
        }
        let gateways = reading.gateways().clone();
        let gate = gate(config, &public_url);
        let (facts, connections) = (page_facts(&config.http), config.http.max_connections);
        let state = HttpState::new(app.clone(), gate, connections, gateways, demo, facts, stop.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(state.clone().forget_quiet_clients()));
        let router = http::router(state);
        let http = tokio::spawn(http::serve(listener, router, connections, stop.clone()));
        let gateway = gateway.start(&app, &stop);
        info!(%address, data_dir = %config.data_dir.display(), "ready");
        let committed = reading.intake().committed();
        Ok(Self { address, committed, app, reading, stop, jobs, gateway, http, _lock: lock })
    }

    /// Where HTTP is served; the port that was chosen if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the daemon works with.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Returns when intake has stopped by itself, which it only does when its store is broken.
    pub async fn failed(&self) -> DaemonError {
        let mut committed = self.committed.clone();
        while committed.changed().await.is_ok() {}
        DaemonError::IntakeStopped
    }

    /// Ends everything in order, within 5 s.
    ///
    /// # Errors
    /// [`DaemonError::SlowStop`], or what went wrong on the way.
    pub async fn stop(self) -> Result<(), DaemonError> {
        tokio::time::timeout(STOP_WITHIN, self.stop_in_order()).await.unwrap_or(Err(DaemonError::SlowStop))
    }

    async fn stop_in_order(self) -> Result<(), DaemonError> {
        let Self { app, reading, stop, jobs, gateway, mut http, .. } = self;
        stop.cancel();
        let served = tokio::time::timeout(HTTP_GRACE, &mut http).await;
        if served.is_err() {
            warn!("requests were still being answered and are cut off");
            http.abort();
        }
        jobs.await?;
        gateway.await?;
        reading.stop().await?;
        tokio::task::spawn_blocking(move || app.ledger.close()).await?;
        info!("stopped");
        served.map_or(Ok(()), |served| served?.map_err(|source| DaemonError::Serve { source }))
    }
}

/// Opens the stores and starts intake. Blocks.
fn open(
    config: &Config,
    clock: Clock,
    accounts: Accounts,
    vaults: VaultsOptions,
    syslog: SyslogReceivers,
    gateways: GatewayTokens,
) -> Result<(App, Reading), DaemonError> {
    let ledger = Ledger::open(&config.data_dir.join("ledger.db"), config.ledger.readers)?;
    check_clock(&ledger, clock.now())?;
    let (traffic, writer) = open_store(config, &ledger, &clock)?;
    let config_global = load_config_global(&ledger)?;
    let identity = random()?;
    let ledger_id = ledger.write_blocking(move |tx| ensure_ledger_id(tx, identity))?;
    let chain = Chain::Sim(SimChain::open(&config.data_dir.join(SIMULATED_CHAIN), random()?)?);
    let vaults = Vaults::open(vaults)?;
    let heard = heard_gateways(&config.gateway);
    let fleet = Fleet::open(&ledger, &vaults, heard, config.gateway.regions.clone(), clock.now())?;
    Reading::tell_losses(&traffic)?;
    let remote_gateways = gateways.gateways().collect();
    let reading = Reading::start(config, syslog, gateways, &traffic, writer, clock.clone())?;
    let app = App {
        clock,
        ledger,
        traffic,
        kept: kept_for(&config.traffic),
        config_global: ArcSwap::from_pointee(config_global),
        committed: reading.intake().committed(),
        delivered_to: reading.intake().delivered_to(),
        remote_gateways,
        sources: reading.intake().sources(),
        accounts,
        chain,
        ledger_id,
        billing: billing(&config.billing),
        readiness: crate::app::KeptReadiness::default(),
        outbox: Notify::new(),
        payments: Notify::new(),
        vaults,
        fleet,
        traffic_queries: TrafficQueries::default(),
    };
    Ok((app, reading))
}

/// What customers see in their address bar. No cookie crosses a network unencrypted.
fn public_url(config: &HttpConfig, address: SocketAddr) -> Result<PublicUrl, DaemonError> {
    let url = config.public_url.clone().unwrap_or_else(|| PublicUrl::of_listener(address));
    if url.keeps_cookies_safe() { Ok(url) } else { Err(DaemonError::PlainHttp(url.origin())) }
}

fn accounts(config: &Config, secrets: &Secrets, public_url: &PublicUrl) -> Result<Accounts, DaemonError> {
    let site = Site {
        domain: public_url.authority.clone(),
        uri: public_url.origin(),
        chain: format!("sui:{}", config.chain.network.name()),
    };
    let options = AccountsOptions {
        api_key_secret: secrets.api_key.clone(),
        session_keys: secrets.session_keys.clone(),
        field_keys: secrets.field_keys.clone(),
        challenge_key: random()?,
        site,
    };
    Ok(Accounts::new(options)?)
}

fn billing(config: &BillingConfig) -> BillingOptions {
    let issuer = Issuer { name: config.issuer_name.clone(), address: config.issuer_address.clone() };
    BillingOptions::new(issuer, config.tax_basis_points)
}

fn vaults_options(config: &Config, secrets: &Secrets) -> VaultsOptions {
    VaultsOptions {
        folder: config.data_dir.join(VAULTS_FOLDER),
        vault_keys: secrets.vault_keys.clone(),
        vault_signing: secrets.vault_signing.clone(),
        seal_network: config.chain.network,
    }
}

fn gate(config: &Config, public_url: &PublicUrl) -> GateOptions {
    let limits = &config.limits;
    GateOptions {
        public_origin: public_url.origin(),
        trusted_proxies: config.http.trusted_proxies.clone(),
        quotas: Quotas {
            ip_per_min: limits.ip_per_min,
            customer_per_min: limits.customer_per_min,
            sign_in_ip_per_min: limits.sign_in_ip_per_min,
            sign_in_address_per_min: limits.sign_in_address_per_min,
        },
    }
}

fn page_facts(config: &HttpConfig) -> PageFacts {
    let url = |(service, url): (&Service, &PublicUrl)| (service.name().to_owned(), url.origin());
    PageFacts {
        service_urls: config.service_urls.iter().map(url).collect(),
        terms_url: config.terms_url.clone(),
        support_url: config.support_url.clone(),
    }
}

fn kept_for(config: &TrafficConfig) -> KeptFor {
    let TrafficConfig { chunk_days, seal_after_days, retention_days, .. } = *config;
    KeptFor { chunk_days, seal_after_days, retention_days }
}

/// Only one process may have the directory; the system lets go of the lock however that process ends.
fn lock_data_dir(path: &Path) -> Result<File, DaemonError> {
    let failed = |source| DaemonError::DataDir { path: path.to_owned(), source };
    if !path.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    }
    let lock_path = path.join("suiftly.lock");
    let mut lock =
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path).map_err(failed)?;
    let deadline = Instant::now() + UNLOCKED_WITHIN;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(UNLOCKED_WITHIN / 20),
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                lock.read_to_string(&mut owner).map_err(failed)?;
                return Err(DaemonError::InUse { path: path.to_owned(), owner: owner.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
    lock.set_len(0).and_then(|()| lock.rewind()).map_err(failed)?;
    writeln!(lock, "{}", std::process::id()).map_err(failed)?;
    Ok(lock)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, DaemonError> {
    TcpListener::bind(address).await.map_err(|source| {
        let advice = match source.kind() {
            io::ErrorKind::AddrInUse => "another program has this port; stop it, or set http.listen to another one",
            io::ErrorKind::AddrNotAvailable => "this machine does not have this address; set http.listen",
            io::ErrorKind::PermissionDenied => "this user may not use this port; choose one above 1023",
            _ => "set http.listen to an address and port of this machine",
        };
        DaemonError::Listen { address, advice, source }
    })
}
