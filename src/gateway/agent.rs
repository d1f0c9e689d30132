//! The loop beside an HAProxy: vaults in, maps out, and the running process brought to the same state.
//!
//! ```text
//!           a change in the folder, or a tick
//!                        │
//!    ┌────────▶ look for newer vaults ─▶ maps as they should be
//!    │                   │
//!    │       ask HAProxy: who are you, what version have your maps?
//!    │          │ the wanted one            │ the one that was applied   │ anything else, also after a restart
//!    │          │                           ▼ by this agent              ▼
//!    │          │                  apply the difference         replace all maps
//!    │          ▼                           │                            │
//!    └──── write the map files ◀────────────┴────────────────────────────┘     on any failure: try again, later and later
//! ```
//! Nothing is believed that was not read back: a step that failed half way leaves a version that is not the wanted one, in
//! HAProxy and in this agent, and the next round replaces everything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::map_files::{MapFileError, Stamp, remove_unfinished, stamp, write_maps};
use super::runtime::{Process, Runtime, RuntimeError};
use super::status::{AgentStatus, HaproxyState, HaproxyStatus, MapCounts, SharedStatus};
use super::vaults::{self, Held, Mark, Search};
use crate::clock::Clock;
use crate::core::backoff::Backoff;
use crate::core::haproxy_map::{Maps, Source, VERSION_FILE, VERSION_WORD, plan, sources_of};
use crate::core::vault::VaultCode;
use crate::core::vault::file::VaultOpener;
use crate::seal::{SealError, VaultFolder};
use crate::telemetry::chain;

/// HAProxy is asked, and the folder looked at, after this long even if nothing was notified.
const TICK: Duration = Duration::from_millis(500);
/// After a failure.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(10) };
/// Between two writings of the map files, which are large.
const FILES_PAUSE: Duration = Duration::from_secs(1);

/// What an agent works with.
#[derive(Debug, Clone)]
pub struct AgentOptions {
    /// Where vault files are.
    pub vault_folder: PathBuf,
    /// Where map files are, as HAProxy's configuration calls it.
    pub map_folder: PathBuf,
    /// HAProxy's `stats socket`, at administrator level.
    pub haproxy_socket: PathBuf,
    pub opener: VaultOpener,
}

/// Keeps one HAProxy up to date.
pub struct Agent {
    options: AgentOptions,
    clock: Clock,
    runtime: Runtime,
    status: Arc<SharedStatus>,
    vaults: BTreeMap<VaultCode, Arc<Held>>,
    /// Up to which vaults an agent before this one came, as the map files say.
    before: BTreeMap<VaultCode, u64>,
    wanted: Option<Arc<Maps>>,
    /// What this agent has brought into which process.
    applied: Option<(u32, Arc<Maps>)>,
    /// A process whose maps are never as long as they should be: what it says of them is not asked any more.
    miscounting: Option<u32>,
    files: Files,
    failures: u32,
}

/// The map files, which a task of their own writes.
#[derive(Default)]
struct Files {
    /// As they are; `None` also of those that an agent before this one wrote.
    written: Option<Written>,
    writing: Option<JoinHandle<Result<Written, MapFileError>>>,
    begun: Option<Instant>,
}

/// The version of map files, and how they were written.
type Written = (String, Stamp);

impl Agent {
    /// Reads nothing yet but what the map files say of vaults that were taken before, and removes what was left half
    /// written beside them.
    pub fn new(options: AgentOptions, clock: Clock, status: Arc<SharedStatus>) -> Self {
        let runtime = Runtime::new(&options.haproxy_socket, &options.map_folder);
        if let Err(error) = remove_unfinished(&options.map_folder) {
            warn!(error = %chain(&error), "what was left of map files takes room");
        }
        let version = std::fs::read_to_string(options.map_folder.join(VERSION_FILE)).ok();
        let version = version.as_deref().and_then(|text| text.trim().strip_prefix(VERSION_WORD)).map(str::trim);
        let before = version.map(sources_of).unwrap_or_default();
        let before = before.into_iter().map(|(code, source)| (code, source.sequence)).collect();
        let files = Files::default();
        let vaults = BTreeMap::new();
        let (wanted, applied, miscounting, failures) = (None, None, None, 0);
        Self { options, clock, runtime, status, vaults, before, wanted, applied, miscounting, files, failures }
    }

    /// Works until `stop`, then lets the map files be finished.
    pub async fn run(mut self, stop: CancellationToken) {
        let news = Arc::new(Notify::new());
        let watcher = watch(&self.options.vault_folder, news.clone());
        if watcher.is_none() {
            warn!("the folder of vaults cannot be watched: it is looked at every {} ms", TICK.as_millis());
        }
        loop {
            // A round that is cut off has left maps without a version, which the next agent replaces.
            if stop.run_until_cancelled(self.round()).await.is_none() {
                break;
            }
            let pause = if self.failures == 0 { TICK } else { BACKOFF.after(self.failures) };
            tokio::select! {
                () = stop.cancelled() => break,
                () = news.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.finish_files().await;
    }

    /// Once around. Never fails: what goes wrong is in the status, and is tried again.
    pub async fn round(&mut self) {
        if let Err(problem) = self.look_for_vaults().await {
            self.status.change(|status| status.source_problem = Some(problem));
        }
        let Some(wanted) = self.wanted.clone() else { return };
        match self.bring_haproxy_to(&wanted).await {
            Ok(()) => self.failures = 0,
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let state = if matches!(error, RuntimeError::Connect { .. }) {
                    HaproxyState::Unreachable
                } else {
                    HaproxyState::Behind
                };
                self.haproxy_is(state, None, Some(chain(&error)));
            }
        }
        self.keep_files(&wanted).await;
        let now = self.clock.now();
        self.status.change(|status| {
            let waiting = status.vaults.values().filter(|vault| vault.processing.is_some());
            status.lag_ms = waiting.filter_map(|vault| Some(now.0 - vault.created_ms?)).max().unwrap_or(0).max(0);
        });
    }

    /// Takes what is newer and valid.
    async fn look_for_vaults(&mut self) -> Result<(), String> {
        let folder = VaultFolder::at(&self.options.vault_folder);
        let opener = self.options.opener.clone();
        let marks = self.marks();
        let searching = tokio::task::spawn_blocking(move || search(&folder, &marks, &opener));
        let found = searching.await.map_err(|error| error.to_string())?;
        let found = found.map_err(|error| chain(&error))?;
        let mut is_news = false;
        for (code, search) in found {
            is_news |= search.found.is_some();
            self.take(code, search);
        }
        let missing = self.before.iter().find(|(code, _)| !self.vaults.contains_key(code));
        let problem = missing.map(|(code, sequence)| {
            format!("the vault {code} {sequence}, which was in force, is not there: what HAProxy has stays as it is")
        });
        let is_whole = problem.is_none();
        let held = self.vaults.iter().map(|(code, held)| (*code, held.sequence));
        let taken: BTreeMap<_, _> = self.before.clone().into_iter().chain(held).collect();
        self.status.change(|status| {
            status.source_problem = problem;
            for (code, sequence) in taken {
                status.vaults.entry(code.to_string()).or_default().taken = sequence;
            }
        });
        // Without one of the vaults, all its customers would be refused.
        if is_news && is_whole {
            self.want().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn marks(&self) -> BTreeMap<VaultCode, Mark> {
        let before = self.before.iter().map(|(code, sequence)| {
            // The one that was in force is taken again: its content is not known any more.
            (*code, Mark { sequence: sequence.saturating_sub(1), hash: None })
        });
        let held = self.vaults.iter().map(|(code, held)| {
            let Held { sequence, hash, .. } = **held;
            (*code, Mark { sequence, hash: Some(hash) })
        });
        before.chain(held).collect()
    }

    fn take(&mut self, code: VaultCode, search: Search) {
        let Search { found, highest, refused, parted_after } = search;
        if let Some(after) = parted_after {
            warn!(%code, after, "the primary goes on from an older vault: it was restored from a backup");
        }
        let refused = refused.first().map(|reason| chain(reason));
        let applied = self.status.read().vaults.get(code.as_str()).map_or(0, |vault| vault.applied);
        self.status.change(|status| {
            let vault = status.vaults.entry(code.to_string()).or_default();
            if refused.is_some() && vault.refused != refused {
                warn!(code = %code, reason = refused.as_deref().unwrap_or_default(), "a vault is not taken");
            }
            vault.newest = highest.max(vault.newest);
            vault.refused = refused;
            if let Some(held) = &found {
                vault.processing = (held.sequence != applied).then_some(held.sequence);
                vault.entries = held.content.len();
                vault.created_ms = Some(held.created.0);
                vault.proof = Some(held.proof.to_string());
            }
        });
        if let Some(held) = found {
            self.vaults.insert(code, Arc::new(held));
        }
    }

    /// Makes the maps of all vaults.
    async fn want(&mut self) -> Result<(), JoinError> {
        let vaults = self.vaults.clone();
        let make = move || Maps::of(vaults.iter().map(|(code, held)| (*code, held.version(), &held.content)));
        let maps = tokio::task::spawn_blocking(make).await?;
        self.wanted = Some(Arc::new(maps));
        Ok(())
    }

    async fn bring_haproxy_to(&mut self, wanted: &Arc<Maps>) -> Result<(), RuntimeError> {
        let process = self.runtime.process().await?;
        let version = self.runtime.version().await?;
        let is_right = version.as_deref() == Some(wanted.version.as_str()) && self.is_filled(&process, wanted).await?;
        if is_right {
            self.applied = Some((process.pid, wanted.clone()));
        } else {
            self.apply(&process, version.as_deref(), wanted).await?;
        }
        self.in_force(wanted, &process);
        Ok(())
    }

    /// Whether a process with the right version has the lines, too: it may have been started with files that were lost, and
    /// anybody on this host may have emptied a map.
    async fn is_filled(&mut self, process: &Process, wanted: &Arc<Maps>) -> Result<bool, RuntimeError> {
        let is_ours = self.applied.as_ref().is_some_and(|(pid, maps)| *pid == process.pid && Arc::ptr_eq(maps, wanted));
        let is_whole = (self.miscounting == Some(process.pid) || self.runtime.is_as_long_as(wanted).await?)
            && (is_ours || self.runtime.has_samples_of(wanted).await?);
        if !is_whole {
            warn!(pid = process.pid, "HAProxy's maps have the right version and other lines");
            self.applied = None;
        }
        Ok(is_whole)
    }

    async fn apply(
        &mut self,
        process: &Process,
        version: Option<&str>,
        wanted: &Arc<Maps>,
    ) -> Result<(), RuntimeError> {
        let begun = Instant::now();
        let is_known = |(pid, maps): &(u32, Arc<Maps>)| *pid == process.pid && version == Some(maps.version.as_str());
        // What is not known is not relied on, and until all is done nothing is.
        let known = self.applied.take().filter(is_known).map(|(_, maps)| maps);
        if known.is_none() {
            info!(pid = process.pid, found = version.unwrap_or("nothing"), "HAProxy's maps are replaced");
        }
        self.haproxy_is(HaproxyState::Behind, Some(process), None);
        self.has(version.unwrap_or_default());
        let target = wanted.clone();
        let steps = tokio::task::spawn_blocking(move || plan(known.as_deref(), &target)).await;
        let Ok(steps) = steps else { return Err(RuntimeError::Replaced) };
        self.runtime.apply(&steps).await?;
        // Every line was taken and some were read back, so it is the count that is wrong.
        if !self.runtime.is_as_long_as(wanted).await? {
            self.miscounting = Some(process.pid);
        }
        self.applied = Some((process.pid, wanted.clone()));
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(version = wanted.version, took_ms = took, "HAProxy obeys the newest vaults");
        self.status.change(|status| {
            status.haproxy.applications += 1;
            status.haproxy.apply_ms = Some(took);
        });
        Ok(())
    }

    /// HAProxy has maps of this version: after it was started anew, perhaps of older vaults than it had.
    fn has(&self, version: &str) {
        let sources = sources_of(version);
        self.status.change(|status| {
            for (code, held) in &self.vaults {
                let vault = status.vaults.entry(code.to_string()).or_default();
                let applied = sources.get(code);
                let is_held = applied == Some(&Source::of(held.version()));
                vault.applied = applied.map_or(0, |source| source.sequence);
                vault.applied_hash = is_held.then(|| held.hash.to_string());
                vault.processing = (!is_held).then_some(held.sequence);
            }
        });
    }

    fn in_force(&self, wanted: &Maps, process: &Process) {
        let now = self.clock.now();
        let sources = sources_of(&wanted.version);
        self.haproxy_is(HaproxyState::InForce, Some(process), None);
        self.status.change(|status| {
            let Maps { keys, limits, allowlist, .. } = wanted;
            status.maps = MapCounts { keys: keys.len(), limits: limits.len(), allowlist: allowlist.len() };
            let is_in =
                |(code, held): &(&VaultCode, &Arc<Held>)| sources.get(code) == Some(&Source::of(held.version()));
            for (code, held) in self.vaults.iter().filter(is_in) {
                let vault = status.vaults.entry(code.to_string()).or_default();
                let hash = Some(held.hash.to_string());
                if vault.applied_hash != hash {
                    vault.propagation_ms = Some(now.0 - held.created.0);
                }
                vault.applied = held.sequence;
                vault.applied_hash = hash;
                vault.processing = None;
            }
        });
    }

    fn haproxy_is(&self, state: HaproxyState, process: Option<&Process>, problem: Option<String>) {
        let now = self.clock.now().0;
        self.status.change(|AgentStatus { haproxy, .. }| {
            if haproxy.state != state {
                match (&problem, state) {
                    (Some(problem), _) => warn!(problem, "HAProxy is not brought to the newest vaults"),
                    (None, HaproxyState::InForce) => info!("HAProxy is in force"),
                    (None, _) => {}
                }
                haproxy.since_ms = now;
            }
            let HaproxyStatus { state: shown, pid, uptime_s, version, problem: reason, .. } = haproxy;
            *shown = state;
            *reason = problem;
            *pid = process.map(|process| process.pid);
            *uptime_s = process.map(|process| process.uptime_s);
            *version = process.map(|process| process.version.clone()).or(version.take());
        });
    }

    /// Begins to write the map files if they are others, and nobody is writing.
    async fn keep_files(&mut self, wanted: &Arc<Maps>) {
        if self.files.writing.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(writing) = self.files.writing.take()
        {
            self.files_written(writing.await);
        }
        let is_resting = self.files.begun.is_some_and(|begun| begun.elapsed() < FILES_PAUSE);
        if self.files.writing.is_some() || is_resting || self.files.are(&wanted.version, &self.options.map_folder) {
            return;
        }
        let (folder, maps) = (self.options.map_folder.clone(), wanted.clone());
        let write = move || write_maps(&folder, &maps).map(|stamp| (maps.version.clone(), stamp));
        self.files.writing = Some(tokio::task::spawn_blocking(write));
        self.files.begun = Some(Instant::now());
    }

    /// HAProxy may start again before an agent does.
    async fn finish_files(&mut self) {
        if let Some(writing) = self.files.writing.take() {
            self.files_written(writing.await);
        }
        self.files.begun = None;
        if let Some(wanted) = self.wanted.clone() {
            self.keep_files(&wanted).await;
        }
        if let Some(writing) = self.files.writing.take() {
            self.files_written(writing.await);
        }
    }

    fn files_written(&mut self, written: Result<Result<Written, MapFileError>, JoinError>) {
        let problem = match written {
            Ok(Ok(written)) => {
                self.files.written = Some(written);
                None
            }
            Ok(Err(error)) => Some(chain(&error)),
            Err(error) => Some(error.to_string()),
        };
        self.status.change(|status| {
            if problem.is_some() && status.files_problem.is_none() {
                warn!(problem = problem.as_deref().unwrap_or_default(), "the map files cannot be written");
            }
            status.files_problem = problem;
        });
    }
}

impl Files {
    /// Whether they have this version, and nobody has touched them since.
    fn are(&self, version: &str, folder: &Path) -> bool {
        let is_so = |(written, as_written): &Written| written == version && stamp(folder).as_ref() == Some(as_written);
        self.written.as_ref().is_some_and(is_so)
    }
}

fn search(
    folder: &VaultFolder,
    marks: &BTreeMap<VaultCode, Mark>,
    opener: &VaultOpener,
) -> Result<Vec<(VaultCode, Search)>, SealError> {
    let listed = vaults::list(folder)?;
    let search = |(code, sequences): (VaultCode, Vec<u64>)| {
        (code, vaults::newest(folder, code, &sequences, marks.get(&code).copied(), opener))
    };
    Ok(listed.into_iter().map(search).collect())
}

/// `None` if the system cannot watch; a tick sees changes all the same.
fn watch(folder: &Path, news: Arc<Notify>) -> Option<RecommendedWatcher> {
    // Reading is an event, too, and this agent reads.
    let is_change = |event: &notify::Result<Event>| event.as_ref().map_or(true, |event| !event.kind.is_access());
    let told = move |event| {
        if is_change(&event) {
            news.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(told).ok()?;
    watcher.watch(folder, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}
