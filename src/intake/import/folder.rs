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
    seen: BTreeMap<PathBuf, (u64, Option<SystemTime>, Instant)>,
    settled: Duration,
    is_readable: bool,
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
        Ok(Self { path: path.to_owned(), seen: BTreeMap::new(), settled: SETTLED, is_readable: true })
    }

    /// Waits less, in tests.
    #[must_use]
    pub fn settled_after(self, settled: Duration) -> Self {
        Self { settled, ..self }
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
        for (path, (length, modified)) in found {
            let seen = self.seen.entry(path).or_insert((length, modified, now));
            if (seen.0, seen.1) != (length, modified) {
                *seen = (length, modified, now);
            }
        }
        let is_settled = |(_, _, since): &(u64, Option<SystemTime>, Instant)| since.elapsed() >= self.settled;
        self.seen.iter().filter(|(_, seen)| is_settled(seen)).map(|(path, _)| path.clone()).collect()
    }

    fn list(&self) -> io::Result<BTreeMap<PathBuf, (u64, Option<SystemTime>)>> {
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

    /// Moves a file to where its outcome says, with the reason beside it if it has failed.
    pub(super) fn put_away(&self, path: &Path, outcome: &Outcome) {
        let (folder, reason) = match outcome {
            Outcome::Imported { .. } | Outcome::AlreadyCounted => (DONE, None),
            Outcome::Failed { reason, lines } => {
                ("failed", Some(format!("{reason}\n{lines} lines before that are counted.\n")))
            }
        };
        if let Err(error) = self.try_put_away(path, folder, reason.as_deref()) {
            warn!(path = %path.display(), %error, "an imported file cannot be moved away; it will be looked at again");
        }
    }

    fn try_put_away(&self, path: &Path, folder: &str, reason: Option<&str>) -> io::Result<()> {
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
