//! Importing whole files, packed or not: named on the command line, or put into a folder.
//!
//! ```text
//! named, or settled in the folder ─▶ waiting ─▶ read, a chunk at a time, beside all other sources
//!                                                 │ its rows and how far it is, in one transaction
//!                                                 ▼
//!                        all of it is stored: done (or failed, with the reason)
//! ```
//! A file is moved to `done/` only when its last row is stored; after a crash before that it is still in the folder, is
//! recognised, and counts nothing twice.
//!
//! A file that was followed as a log, and is not found where it was, may be read by whoever follows that log, who has it
//! open or may find it again. So it waits until the log's follower is done with it. If nobody follows that log any more,
//! or its follower cannot be done, the wait has an end: then the rest is counted here, or the file has failed.

mod file;
mod folder;
#[cfg(test)]
mod tests;
mod unpack;

pub use folder::{DropFolder, imported_files};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use self::file::{Failure, ImportFile, Step};
use super::listing;
use crate::traffic::{Batch, FilePosition, ImportPosition, Traffic};

/// Before a file that is being rotated away is looked at again.
const UNDECIDED_PAUSE: Duration = Duration::from_secs(5);
/// How long it is looked at again, besides the time for which a follower waits for a file to come back or to grow: enough
/// to read what is left of a file.
const UNDECIDED_AT_MOST: Duration = Duration::from_secs(600);

/// How one file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Lines that are counted now.
    Imported { lines: u64 },
    /// Everything in it was counted before.
    AlreadyCounted,
    /// Why it was not read to its end, and the lines before that, which are counted.
    Failed { reason: String, lines: u64 },
}

/// What whoever waits for an import can see.
#[derive(Debug, Clone, Default)]
pub struct ImportStatus {
    /// The file that is being read, the bytes of it that were read and all that there are, and lines counted of it.
    pub current: Option<(PathBuf, u64, u64, u64)>,
    pub ended: Vec<(PathBuf, Outcome)>,
}

/// What is to be imported.
#[derive(Debug)]
pub struct Imports {
    files: VecDeque<PathBuf>,
    /// Whose lines may be in files that were kept of what a remote gateway has sent.
    gateways: BTreeMap<PathBuf, u8>,
    folder: Option<DropFolder>,
    undecided_at_most: Duration,
    status: Arc<Mutex<ImportStatus>>,
}

impl Imports {
    /// Named files, while nobody else reads logs.
    pub fn of_files(files: Vec<PathBuf>) -> Self {
        Self {
            files: files.into(),
            gateways: BTreeMap::new(),
            folder: None,
            undecided_at_most: UNDECIDED_AT_MOST,
            status: Arc::default(),
        }
    }

    /// Adds files that were kept of what a remote gateway has sent.
    pub fn and_of_gateway(mut self, gateway: u8, files: Vec<PathBuf>) -> Self {
        self.gateways.extend(files.iter().map(|file| (file.clone(), gateway)));
        self.files.extend(files);
        self
    }

    /// Whatever is put into a folder, beside logs that are followed.
    pub fn of_folder(folder: DropFolder) -> Self {
        Self { folder: Some(folder), ..Self::of_files(Vec::new()) }
    }

    /// Waits less for a log that is gone, in tests.
    #[must_use]
    pub fn undecided_at_most(self, undecided_at_most: Duration) -> Self {
        Self { undecided_at_most, ..self }
    }

    /// To be looked at while it goes on.
    pub fn status(&self) -> Arc<Mutex<ImportStatus>> {
        self.status.clone()
    }
}

/// Reads the files, one after the other.
pub(super) struct Importer {
    imports: Imports,
    traffic: Traffic,
    current: Option<(PathBuf, ImportFile)>,
    /// Files that were read, with the batch that their last rows are in, once it is known.
    ending: Vec<(Option<u64>, PathBuf, Outcome)>,
    /// How far files were read, whether or not that is stored yet: another one may begin like one of them.
    noted: Vec<ImportPosition>,
    not_before: Option<Instant>,
    /// Since when files wait for a log that is not where it was.
    undecided: BTreeMap<PathBuf, Instant>,
    /// The logs that somebody follows.
    followed: BTreeSet<String>,
}

impl Importer {
    /// `grace` is how long followers wait for a file to come back or to grow.
    pub(super) fn new(imports: Imports, traffic: &Traffic, grace: Duration) -> Self {
        // To grow, and then to come back.
        let undecided_at_most = imports.undecided_at_most.saturating_add(2 * grace);
        Self {
            imports: Imports { undecided_at_most, ..imports },
            traffic: traffic.clone(),
            current: None,
            ending: Vec::new(),
            noted: Vec::new(),
            not_before: None,
            undecided: BTreeMap::new(),
            followed: BTreeSet::new(),
        }
    }

    /// The folder whose changes are news.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.imports.folder.as_ref().map(DropFolder::path)
    }

    /// Looks what was put into the folder, while these logs are followed.
    pub(super) fn scan(&mut self, followed: BTreeSet<String>) {
        self.followed = followed;
        let Some(folder) = &mut self.imports.folder else { return };
        for path in folder.settled() {
            let is_known = self.imports.files.contains(&path)
                || self.current.as_ref().is_some_and(|(current, _)| *current == path)
                || self.ending.iter().any(|(_, ending, _)| *ending == path);
            if !is_known {
                self.imports.files.push_back(path);
            }
        }
    }

    /// Reads until the batch has `max_lines`, nothing is left, or the batch is due. Tells whether there was anything.
    pub(super) fn read(&mut self, batch: &mut Batch, max_lines: usize, due: Instant) -> bool {
        let mut any = false;
        while !(batch.is_full(max_lines) || any && Instant::now() >= due) {
            let Some((path, mut file)) = self.current.take().or_else(|| self.begin()) else { break };
            any = true;
            match file.step(batch, max_lines) {
                Ok(Step::More) => self.current = Some((path, file)),
                Ok(Step::End) => {
                    let (lines, before) = file.lines();
                    let nothing_new = lines == 0 && (before > 0 || file.was_counted());
                    let outcome = if nothing_new { Outcome::AlreadyCounted } else { Outcome::Imported { lines } };
                    self.noted.push(file.position());
                    self.ending.push((None, path, outcome));
                }
                Err(failure) => {
                    let lines = file.lines().0;
                    self.noted.push(file.position());
                    self.ending.push((None, path, Outcome::Failed { reason: failure.to_string(), lines }));
                }
            }
        }
        let current = self.current.as_ref().map(|(path, file)| {
            let (read, all) = file.progress();
            (path.clone(), read, all, file.lines().0)
        });
        self.status().current = current;
        any
    }

    fn begin(&mut self) -> Option<(PathBuf, ImportFile)> {
        if self.not_before.is_some_and(|instant| Instant::now() < instant) {
            return None;
        }
        while let Some(path) = self.imports.files.pop_front() {
            let gateway = self.imports.gateways.get(&path).copied();
            let (since, most) = (self.undecided.get(&path), self.imports.undecided_at_most);
            let is_overdue = since.is_some_and(|since| since.elapsed() >= most);
            let is_there = |position: &FilePosition| self.is_there(position, is_overdue);
            match ImportFile::open(&path, gateway, &self.traffic, &self.noted, is_there) {
                Ok(file) => {
                    self.undecided.remove(&path);
                    info!(path = %path.display(), "importing a file");
                    for source in file.abandoned() {
                        info!(path = %path.display(), source, "it was followed as a file of a log, which is gone, and \
                            nobody reads it: what was not counted of it is counted now");
                    }
                    return Some((path, file));
                }
                Err(Failure::Undecided { .. }) if !is_overdue => {
                    self.not_before = Some(Instant::now() + UNDECIDED_PAUSE.min(most));
                    self.undecided.entry(path.clone()).or_insert_with(Instant::now);
                    self.imports.files.push_back(path);
                    return None;
                }
                Err(failure) => {
                    self.undecided.remove(&path);
                    self.ending.push((None, path, Outcome::Failed { reason: failure.to_string(), lines: 0 }));
                }
            }
        }
        None
    }

    /// Whether a file that is or was followed still is where it was. `None` if it is not, and somebody may be reading the
    /// rest of it, or find it again.
    fn is_there(&self, position: &FilePosition, is_overdue: bool) -> Option<bool> {
        let listed = listing::list(Path::new(&position.source)).ok().flatten();
        // Systems give the inodes of deleted files out again.
        let is_it = |file: &listing::Listed| {
            file.identity == (position.device, position.inode)
                && super::file::begins_like(file, position).unwrap_or(true)
        };
        let is_listed = listed.as_ref().is_some_and(|listed| listed.iter().any(is_it));
        let is_abandoned = match self.imports.folder {
            // Nobody follows any log.
            None => listed.is_some() || is_overdue,
            Some(_) => is_overdue && !self.followed.contains(&position.source),
        };
        if is_listed || is_abandoned { Some(is_listed) } else { None }
    }

    /// Notes that a batch with what was read so far is on its way to the store.
    pub(super) fn sent(&mut self, number: u64) {
        for (batch, _, _) in &mut self.ending {
            batch.get_or_insert(number);
        }
    }

    /// Learns that so many batches are stored, and whether that is all that was read; files whose rows are all stored
    /// are done.
    pub(super) fn stored(&mut self, stored: u64, is_all: bool) {
        let is_done = |batch: Option<u64>| batch.map_or(is_all, |batch| batch <= stored);
        let done: Vec<_> = self.ending.extract_if(.., |(batch, _, _)| is_done(*batch)).collect();
        for (_, path, outcome) in done {
            match &outcome {
                Outcome::Imported { lines } => info!(path = %path.display(), lines, "a file is imported"),
                Outcome::AlreadyCounted => info!(path = %path.display(), "a file was already counted"),
                Outcome::Failed { reason, lines } => {
                    warn!(path = %path.display(), reason, lines, "a file cannot be imported to its end");
                }
            }
            if let Some(folder) = &mut self.imports.folder {
                folder.put_away(&path, outcome);
            } else {
                self.status().ended.push((path, outcome));
            }
        }
    }

    fn status(&self) -> MutexGuard<'_, ImportStatus> {
        self.imports.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
