//! The folder that files are put into to be imported.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tracing::warn;

use super::Outcome;
use crate::intake::listing::files_by_age;

/// A file that has not changed for so long is whole.
const SETTLED: Duration = Duration::from_secs(2);
/// Names of files that are still being written.
const UNFINISHED: [&str; 3] = [".part", ".tmp", ".filepart"];
/// Where files go that were imported.
const DONE: &str = "done";
/// Files of one name that are kept.
const MAX_NAMESAKES: u32 = 10_000;
/// Before it is tried again to move a file away.
const MOVE_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Length and time of a file: it has changed when either has.
type Shape = (u64, Option<SystemTime>);

/// What was imported from a folder, oldest first.
///
/// # Errors
/// Those of the file system.
pub fn imported_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    files_by_age(&folder.join(DONE), |_| true)
}

/// `import/`, with what is done with in `import/done/` and `import/failed/`.
#[derive(Debug)]
pub struct DropFolder {
    path: PathBuf,
    /// When a file was first seen with its length and time.
    seen: BTreeMap<PathBuf, (Shape, Instant)>,
    /// Files that are done with and could not be moved away.
    stuck: BTreeMap<PathBuf, Stuck>,
    settled: Duration,
    move_again_after: Duration,
    is_readable: bool,
}

#[derive(Debug)]
struct Stuck {
    outcome: Outcome,
    /// How it was then: if it is another one by now, it is looked at like any other.
    shape: Option<Shape>,
    tried: Instant,
}

impl DropFolder {
    /// Makes the folders if need be.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<Self> {
        for folder in [path.to_owned(), path.join(DONE), path.join("failed")] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(Self {
            path: path.to_owned(),
            seen: BTreeMap::new(),
            stuck: BTreeMap::new(),
            settled: SETTLED,
            move_again_after: MOVE_AGAIN_AFTER,
            is_readable: true,
        })
    }

    /// Waits less, in tests.
    #[must_use]
    pub fn settled_after(self, settled: Duration) -> Self {
        Self { settled, move_again_after: settled, ..self }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that are whole, by name. Links and folders are none.
    pub(super) fn settled(&mut self) -> Vec<PathBuf> {
        let found = self.list();
        if let Err(error) = &found
            && self.is_readable
        {
            warn!(path = %self.path.display(), %error, "the folder of imports cannot be looked into");
        }
        self.is_readable = found.is_ok();
        let found = found.unwrap_or_default();
        self.seen.retain(|path, _| found.contains_key(path));
        let now = Instant::now();
        for (path, shape) in found {
            let seen = self.seen.entry(path).or_insert((shape, now));
            if seen.0 != shape {
                *seen = (shape, now);
            }
        }
        self.move_stuck();
        let settled = self.seen.iter().filter(|(_, (_, since))| since.elapsed() >= self.settled);
        settled.map(|(path, _)| path).filter(|path| !self.stuck.contains_key(*path)).cloned().collect()
    }

    /// Tries again to move what is done with, and forgets what is gone or has changed.
    fn move_stuck(&mut self) {
        let shape = |path: &PathBuf| self.seen.get(path).map(|(shape, _)| *shape);
        self.stuck.retain(|path, stuck| shape(path).is_some() && shape(path) == stuck.shape);
        let is_due = |stuck: &Stuck| stuck.tried.elapsed() >= self.move_again_after;
        let due: Vec<_> = self.stuck.extract_if(.., |_, stuck| is_due(stuck)).collect();
        for (path, stuck) in due {
            if self.try_put_away(&path, &stuck.outcome).is_err() {
                self.stuck.insert(path, Stuck { tried: Instant::now(), ..stuck });
            }
        }
    }

    fn list(&self) -> io::Result<BTreeMap<PathBuf, Shape>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_unfinished = name.starts_with('.') || UNFINISHED.iter().any(|end| name.ends_with(end));
            // It may have been moved away meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() && !is_unfinished {
                found.insert(entry.path(), (metadata.len(), metadata.modified().ok()));
            }
        }
        Ok(found)
    }

    /// Moves a file to where its outcome says, with the reason beside it if it has failed. If that cannot be done it is
    /// remembered, and not read again.
    pub(super) fn put_away(&mut self, path: &Path, outcome: Outcome) {
        if let Err(error) = self.try_put_away(path, &outcome) {
            warn!(path = %path.display(), %error, "an imported file cannot be moved away; that is tried again, \
                and it is not read again");
            let shape = self.seen.get(path).map(|(shape, _)| *shape);
            self.stuck.insert(path.to_owned(), Stuck { outcome, shape, tried: Instant::now() });
        }
    }

    fn try_put_away(&self, path: &Path, outcome: &Outcome) -> io::Result<()> {
        let (folder, reason) = match outcome {
            Outcome::Imported { .. } | Outcome::AlreadyCounted => (DONE, None),
            Outcome::Failed { reason, lines } => {
                ("failed", Some(format!("{reason}\n{lines} lines before that are counted.\n")))
            }
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let free = (0..MAX_NAMESAKES)
            .map(|number| if number == 0 { name.clone() } else { format!("{name}.{number}") })
            .map(|name| self.path.join(folder).join(name))
            .find(|target| !target.exists());
        let Some(target) = free else { return Err(io::ErrorKind::AlreadyExists.into()) };
        if let Some(reason) = reason {
            let mut beside = target.clone().into_os_string();
            beside.push(".reason.txt");
            fs::write(beside, reason)?;
        }
        fs::rename(path, target)
    }
}
