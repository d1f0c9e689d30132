//! All that one intake reads, in turn: logs, named or found by a pattern, and spools.
//!
//! A path with `*`, `?` or `[` is a pattern. Each file that it matches is a log of its own, followed through rotation
//! like any other; a match that looks like a rotated or packed file is none, because it belongs to another log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use tracing::{error, warn};

use super::import::{Importer, Imports};
use super::listing::is_rotated;
use super::origin::Origins;
use super::spool::{Spool, SpoolReader};
use super::{Follower, IntakeError};
use crate::core::source::SourceStatus;
use crate::telemetry::chain;
use crate::traffic::{Batch, Traffic};

/// Logs that are followed at once; more than this would be a pattern that matches too much.
const MAX_LOGS: usize = 256;

/// How often kept segments of spools are looked through.
const LOOK_FOR_SEALED_EVERY: Duration = Duration::from_secs(600);

/// What is to be read.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Paths and patterns of logs.
    pub logs: Vec<PathBuf>,
    pub spools: Vec<Arc<Spool>>,
    pub imports: Option<Imports>,
}

/// One log.
impl<P: AsRef<Path> + ?Sized> From<&P> for Inputs {
    fn from(log: &P) -> Self {
        Self { logs: vec![log.as_ref().to_owned()], ..Self::default() }
    }
}

/// Reads all inputs.
pub(super) struct Sources {
    traffic: Traffic,
    grace: Duration,
    patterns: Vec<PathBuf>,
    logs: Vec<Follower>,
    spools: Vec<SpoolReader>,
    importer: Option<Importer>,
    /// When it was last looked which kept segments of spools are sealed.
    looked_for_sealed: Option<Instant>,
    origins: Origins,
    /// Which spool and which log are read first next time, so that a busy one does not keep the others waiting.
    turn: usize,
}

impl Sources {
    pub(super) fn new(inputs: Inputs, traffic: &Traffic, grace: Duration) -> Result<Self, IntakeError> {
        let (patterns, paths): (Vec<_>, Vec<_>) = inputs.logs.into_iter().partition(|path| is_pattern(path));
        let importer = inputs.imports.map(|imports| Importer::new(imports, traffic, grace));
        let traffic = traffic.clone();
        let mut sources = Self {
            traffic,
            grace,
            patterns,
            logs: Vec::new(),
            spools: Vec::new(),
            importer,
            origins: Origins::default(),
            looked_for_sealed: None,
            turn: 0,
        };
        for path in paths {
            sources.follow(&path)?;
        }
        for spool in inputs.spools {
            let counted = sources.traffic.spool_position(spool.name())?;
            sources.spools.push(SpoolReader::new(spool, counted));
        }
        Ok(sources)
    }

    fn follow(&mut self, log: &Path) -> Result<(), IntakeError> {
        let known = self.traffic.file_positions(&log.to_string_lossy())?;
        self.logs.push(Follower::new(log, known, self.grace)?);
        Ok(())
    }

    /// The folders whose changes are news.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        let paths = self.patterns.iter().map(PathBuf::as_path).chain(self.logs.iter().map(Follower::log));
        let folders = paths.map(folder_of).filter(|folder| !is_pattern(folder));
        folders.chain(self.importer.as_ref().and_then(Importer::folder)).map(Path::to_owned).collect()
    }

    /// Has the reader woken by sources that can tell when there is more.
    pub(super) fn wake_by(&self, wake: &SyncSender<()>) {
        self.spools.iter().for_each(|spool| spool.spool().wake_by(wake.clone()));
    }

    /// Whether it would be well to look again at once.
    pub(super) fn wants_scan(&self) -> bool {
        self.logs.iter().any(Follower::wants_scan)
    }

    /// Looks which files there are. Tells whether a log was found that was never followed: what lies beside it is
    /// history, and that has to be on disk before anything of it is read.
    pub(super) fn scan(&mut self, batch: &mut Batch) -> bool {
        self.find_logs();
        let begins = self.logs.iter().any(Follower::is_first);
        for log in &mut self.logs {
            log.scan(batch);
        }
        if let Some(importer) = &mut self.importer {
            importer.scan(self.logs.iter().map(|log| log.log().to_string_lossy().into_owned()).collect());
        }
        self.forget_sealed();
        begins
    }

    /// Spools keep what is counted until it is sealed, which is when no request of that time is in the hot table.
    fn forget_sealed(&mut self) {
        let is_due = self.looked_for_sealed.is_none_or(|at| at.elapsed() >= LOOK_FOR_SEALED_EVERY);
        if self.spools.is_empty() || !is_due {
            return;
        }
        self.looked_for_sealed = Some(Instant::now());
        match self.traffic.oldest_hot() {
            Ok(Some(oldest)) => self.spools.iter().for_each(|spool| spool.spool().forget_sealed(oldest)),
            Ok(None) => {}
            Err(error) => warn!(error = %chain(&error), "cannot look what is sealed"),
        }
    }

    fn find_logs(&mut self) {
        // Links last: what they lead to is followed under its own name.
        let found: BTreeSet<_> = self.patterns.iter().flat_map(|pattern| matches(pattern)).collect();
        self.origins.keep(|path| found.iter().any(|(_, found)| found == path));
        for (_, path) in found {
            let is_followed = self.logs.iter().any(|log| log.log() == path);
            if is_followed || !self.origins.is_own(&path, &self.logs, &self.traffic) {
                continue;
            }
            if self.logs.len() >= MAX_LOGS {
                error!(path = %path.display(), most = MAX_LOGS, "too many logs match intake.log_file; this one is not read");
                return;
            }
            if let Err(error) = self.follow(&path) {
                error!(path = %path.display(), error = %chain(&error), "a log that was found cannot be followed");
            }
        }
    }

    /// Reads until the batch has `max_lines`, everything is at its end, or the batch is due. Tells whether there was
    /// anything.
    pub(super) fn read(&mut self, batch: &mut Batch, max_lines: usize, due: Instant) -> bool {
        let mut any = false;
        let count = self.spools.len();
        for place in 0..count {
            if let Some(spool) = self.spools.get_mut((self.turn + place) % count) {
                any |= spool.read(batch, max_lines, due);
            }
        }
        let count = self.logs.len();
        for place in 0..count {
            if let Some(log) = self.logs.get_mut((self.turn + place) % count) {
                any |= log.read(batch, max_lines, due);
            }
        }
        self.turn = self.turn.wrapping_add(1);
        // What is already old can wait.
        if let Some(importer) = &mut self.importer {
            any |= importer.read(batch, max_lines, due);
        }
        any
    }

    /// Notes that a batch with what was read so far is on its way to the store.
    pub(super) fn sent(&mut self, batch: u64) {
        self.spools.iter_mut().for_each(|spool| spool.sent(batch));
        self.importer.iter_mut().for_each(|importer| importer.sent(batch));
    }

    /// Learns that so many batches are stored, and whether that is all there is.
    pub(super) fn stored(&mut self, batches: u64, is_all: bool) {
        self.spools.iter_mut().for_each(|spool| spool.stored(batches));
        self.importer.iter_mut().for_each(|importer| importer.stored(batches, is_all));
    }

    /// Logs and spools, and how they fare.
    pub(super) fn statuses(&self) -> Vec<SourceStatus> {
        let logs = self.logs.iter().map(|log| SourceStatus {
            name: log.log().to_string_lossy().into_owned(),
            format: log.format(),
            state: log.state().clone(),
        });
        let spools = self.spools.iter().map(|spool| SourceStatus {
            name: spool.spool().name().to_owned(),
            format: spool.format(),
            state: spool.spool().source_state(),
        });
        logs.chain(spools).collect()
    }
}

/// The paths among paths and patterns, with what the patterns match at present.
pub fn logs_of(logs: &[PathBuf]) -> Vec<PathBuf> {
    let paths = |log: &PathBuf| match is_pattern(log) {
        true => matches(log).into_iter().map(|(_, path)| path).collect(),
        false => vec![log.clone()],
    };
    logs.iter().flat_map(paths).collect()
}

fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The logs that a pattern matches at present: regular files that are no rotated ones.
/// Each with whether it is a link.
fn matches(pattern: &Path) -> Vec<(bool, PathBuf)> {
    let found = match glob::glob(&pattern.to_string_lossy()) {
        Ok(found) => found,
        Err(error) => {
            error!(pattern = %pattern.display(), %error, "intake.log_file has a pattern that cannot be understood");
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for path in found {
        match path {
            Ok(path) if !is_rotated(&path) && path.is_file() => paths.push((path.is_symlink(), path)),
            Ok(_) => {}
            Err(error) => warn!(%error, "a folder of intake.log_file cannot be looked into"),
        }
    }
    paths
}
