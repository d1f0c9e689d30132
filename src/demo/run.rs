//! `suiftly demo`: temporary data, real traffic, a page that moves, and an account of it at the end.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::cast::{Part, draw_cast, maps};
use super::haproxy::{HaproxyProcess, free_addresses, local_settings};
use super::load::run_load;
use super::observe::{Api, Growth, LineCounter, Shown, line_to_visible_s, note, touch, watch_lines};
use super::plan::LoadPlan;
use super::synthetic::run_synthetic;
use super::upstream::Upstream;
use super::{DemoError, LiveCounts, LoadCounts};
use crate::app::{DemoPage, DemoTraffic};
use crate::clock::Clock;
use crate::config::{Config, NewSecrets, Secrets};
use crate::core::config_global::{ConfigGlobal, KEYS};
use crate::core::id::Service;
use crate::daemon::Daemon;
use crate::gateway::map_files::write_maps;
use crate::ledger::customer::insert_customer;
use crate::random::random;

/// After the last request, the page must show all of them within this.
const SETTLE: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// How to run.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Where the page is served.
    pub listen: SocketAddr,
    /// Makes up lines even where HAProxy is installed.
    pub synthetic: bool,
    /// Decides about the traffic's shape.
    pub seed: u64,
}

/// The account: what was sent, written, counted and billed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DemoReport {
    pub traffic: DemoTraffic,
    pub seconds: f64,
    pub requests_sent: u64,
    /// Request lines in the log file, counted there.
    pub log_lines: u64,
    pub rows: u64,
    pub rejects: u64,
    pub billable_requests: u64,
    pub amount_micros: i64,
    /// From the start of the program to the first request on the page.
    pub first_visible_s: Option<f64>,
    pub line_to_visible_s: Latency,
    /// Whether the ledger knew every billable row in the end.
    #[serde(skip)]
    pub all_billed: bool,
}

/// Seconds from a line in the log file to the page's data that counts it, watched from outside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    pub p50: Option<f64>,
    pub p99: Option<f64>,
}

impl DemoReport {
    /// Whether every request is one line, every line is one row, and every billable row is in the ledger.
    pub fn adds_up(&self) -> bool {
        self.requests_sent == self.log_lines && self.log_lines == self.rows && self.rejects == 0 && self.all_billed
    }
}

/// Everything that runs during a demo.
struct Stage {
    traffic: DemoTraffic,
    daemon: Daemon,
    api: Api,
    log: PathBuf,
    haproxy: Option<HaproxyProcess>,
    plans: Vec<LoadPlan>,
    _upstream: Upstream,
    /// Removed last.
    _folder: TempDir,
}

/// Runs the demo until `until` resolves; `ready` is told the page's address as soon as it is served, and where the
/// traffic comes from.
///
/// # Errors
/// [`DemoError`] if a part cannot be started or stopped.
pub async fn run_demo(
    options: &DemoOptions,
    ready: impl FnOnce(SocketAddr, DemoTraffic),
    until: impl Future<Output = ()>,
) -> Result<DemoReport, DemoError> {
    let begun = Instant::now();
    let mut stage = Stage::set(options).await?;
    ready(stage.daemon.address(), stage.traffic);
    let watching = CancellationToken::new();
    let lines = watch_lines(&stage.log, watching.clone())?;
    let rows = Arc::new(Mutex::new(Growth::new()));
    let asking = tokio::spawn(stage.api.clone().watch_rows(rows.clone(), watching.clone()));

    let counts = stage.send_until(options.seed, until).await?;
    let log_lines = stage.finish_log().await?;
    let (shown, all_billed) = stage.settle(log_lines).await;
    watching.cancel();
    let lines = tokio::task::spawn_blocking(|| lines.join()).await?.unwrap_or_default();
    asking.await?;
    let mut rows = std::mem::take(&mut *rows.lock().unwrap_or_else(PoisonError::into_inner));
    note(&mut rows, Instant::now(), shown.rows);
    let report = DemoReport { all_billed, ..stage.report(begun, counts, log_lines, shown, &lines, &rows) };
    stage.daemon.stop().await?;
    Ok(report)
}

impl Stage {
    async fn set(options: &DemoOptions) -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new().prefix("suiftly-demo-").tempdir();
        let temporary = std::env::temp_dir();
        let folder = folder.map_err(|source| DemoError::File { operation: "use", path: temporary, source })?;
        let log = touch(&folder.path().join("haproxy.log"))?;
        let cast = draw_cast()?;
        let listen = free_addresses().await?;
        let upstream = Upstream::start().await?;
        // HAProxy is told the limits before there is a ledger to ask; a new one has exactly the defaults.
        let defaults = KEYS.iter().map(|spec| (spec.key.to_owned(), spec.default.to_owned())).collect();
        let prices = ConfigGlobal::from_table(&defaults)?;
        let haproxy = match options.synthetic {
            true => None,
            false => start_haproxy(folder.path(), &log, &cast, &prices, &listen, upstream.address()).await?,
        };
        let traffic = if haproxy.is_some() { DemoTraffic::Haproxy } else { DemoTraffic::Synthetic };
        let page = DemoPage { traffic, customers: cast.iter().map(Part::on_page).collect() };
        let secrets = Secrets::temporary(NewSecrets::draw(random)?);
        let config = config(options, folder.path(), &log);
        let daemon = Daemon::start(&config, &secrets, Clock::System, Some(page)).await?;
        register(&daemon, &cast).await?;
        let plans = cast.iter().filter_map(|part| part.plan(&listen, &prices)).collect();
        let api = Api::new(daemon.address());
        Ok(Self { traffic, daemon, api, log, haproxy, plans, _upstream: upstream, _folder: folder })
    }

    /// Sends requests, or writes lines, until `until` resolves; every one that was begun is finished.
    async fn send_until(&self, seed: u64, until: impl Future<Output = ()>) -> Result<LoadCounts, DemoError> {
        let (stop, live, plans) = (CancellationToken::new(), Arc::new(LiveCounts::default()), self.plans.clone());
        let stopping = async {
            tokio::select! {
                () = until => {}
                failure = self.daemon.failed() => tracing::error!(%failure, "the demo ends early"),
            }
            stop.cancel();
        };
        let sending = async {
            match self.traffic {
                DemoTraffic::Haproxy => Ok(run_load(plans, live, stop.clone(), seed).await),
                DemoTraffic::Synthetic => {
                    run_synthetic(plans, &self.log, Clock::System, live, stop.clone(), seed).await
                }
            }
        };
        let (counts, ()) = tokio::join!(sending, stopping);
        counts
    }

    /// Ends HAProxy, which logs what is in flight, and counts the lines in its log.
    async fn finish_log(&mut self) -> Result<u64, DemoError> {
        if let Some(haproxy) = self.haproxy.take() {
            haproxy.stop().await?;
        }
        let failed = |source| DemoError::File { operation: "count the lines of", path: self.log.clone(), source };
        LineCounter::open(&self.log).and_then(|mut lines| lines.count()).map_err(failed)
    }

    /// Waits until the page shows every line, and every billable one of them is in the ledger; gives what it
    /// shows then, and whether the latter is so.
    async fn settle(&self, log_lines: u64) -> (Shown, bool) {
        let deadline = Instant::now() + SETTLE;
        loop {
            let shown = self.api.shown().await.unwrap_or_default();
            let traffic = self.daemon.app().traffic.clone();
            let counted = tokio::task::spawn_blocking(move || traffic.billable_requests()).await;
            let billed = matches!(counted, Ok(Ok(billable)) if billable == shown.billable_requests);
            if (billed && shown.rows + shown.rejects >= log_lines) || Instant::now() >= deadline {
                return (shown, billed);
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    fn report(
        &self,
        begun: Instant,
        counts: LoadCounts,
        log_lines: u64,
        shown: Shown,
        lines: &Growth,
        rows: &Growth,
    ) -> DemoReport {
        let seconds = |share| line_to_visible_s(lines, rows, share).map(round);
        DemoReport {
            traffic: self.traffic,
            seconds: round(begun.elapsed().as_secs_f64()),
            requests_sent: counts.sent,
            log_lines,
            rows: shown.rows,
            rejects: shown.rejects,
            billable_requests: shown.billable_requests,
            amount_micros: shown.amount_micros,
            first_visible_s: rows.first().map(|(at, _)| round(at.duration_since(begun).as_secs_f64())),
            line_to_visible_s: Latency { p50: seconds(0.5), p99: seconds(0.99) },
            all_billed: false,
        }
    }
}

fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn config(options: &DemoOptions, folder: &Path, log: &Path) -> Config {
    let mut config = Config { data_dir: folder.join("data"), ..Config::default() };
    config.http.listen = options.listen;
    config.intake.log_file = vec![log.to_owned()];
    config
}

async fn start_haproxy(
    folder: &Path,
    log: &Path,
    cast: &[Part],
    prices: &ConfigGlobal,
    listen: &[(Service, SocketAddr)],
    upstream: SocketAddr,
) -> Result<Option<HaproxyProcess>, DemoError> {
    write_maps(folder, &maps(cast, prices))?;
    HaproxyProcess::start(&local_settings(folder, listen, upstream), folder, log).await
}

async fn register(daemon: &Daemon, cast: &[Part]) -> Result<(), DemoError> {
    let app = daemon.app();
    let now = app.clock.now();
    let customers = cast.iter().map(|part| part.customer(now)).collect::<Result<Vec<_>, _>>()?;
    let register = app.ledger.write(move |tx| customers.iter().try_for_each(|customer| insert_customer(tx, customer)));
    Ok(register.await?)
}
