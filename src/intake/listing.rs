//! Which files belong to a log: the log itself and its rotated siblings.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tracing::debug;

use crate::traffic::FilePosition;

use super::file::modified_ns;

/// A file found beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    pub(super) identity: (u64, u64),
    pub(super) len: u64,
    pub(super) modified_ns: i64,
    /// Whether it is the log itself rather than a rotated sibling.
    pub(super) is_current: bool,
}

/// Rotated files that cannot be followed: they would have to be unpacked.
const PACKED: [&str; 5] = ["gz", "zst", "xz", "bz2", "lz4"];

/// Those of them that can be unpacked here.
const IMPORTABLE: [&str; 2] = ["gz", "zst"];

/// How often a folder is listed until nothing changes in between.
const ATTEMPTS: u32 = 20;
/// So many listings in a row that agree are believed. Two can miss the same file: renamed during one, and back during the
/// next.
const AGREEING: u32 = 4;

/// The log and its siblings (`name.1`, `name-20261123`), oldest first, the log itself last. Empty if there is none.
///
/// A folder that changes while it is being listed may show a renamed file twice or not at all, so it is listed until
/// several listings in a row agree; `None` if none do.
pub(super) fn list(log: &Path) -> io::Result<Option<Vec<Listed>>> {
    let mut previous = None;
    let mut agreeing = 0;
    for _ in 0..ATTEMPTS {
        let listing = list_once(log)?;
        let names: BTreeMap<_, _> = listing.iter().map(|file| (file.path.clone(), file.identity)).collect();
        agreeing = if previous.as_ref() == Some(&names) { agreeing + 1 } else { 1 };
        if agreeing == AGREEING {
            return Ok(Some(listing));
        }
        previous = Some(names);
    }
    Ok(None)
}

/// Rotated files of a log that nothing is known of: whoever follows the log reads them.
///
/// # Errors
/// Those of the folder.
pub fn unread_siblings(log: &Path, known: &[FilePosition]) -> io::Result<Vec<PathBuf>> {
    let listed = list(log)?.unwrap_or_default();
    let is_unread = |file: &&Listed| {
        !file.is_current && !known.iter().any(|position| (position.device, position.inode) == file.identity)
    };
    Ok(listed.iter().filter(is_unread).map(|file| file.path.clone()).collect())
}

/// Rotated files of a log that were packed in a way that can be unpacked, oldest first. Nobody follows them.
///
/// # Errors
/// Those of the folder.
pub fn packed_siblings(log: &Path) -> io::Result<Vec<PathBuf>> {
    let name = log.file_name().unwrap_or_default();
    let is_packed = |path: &Path| {
        let can_be_unpacked = path.extension().is_some_and(|end| IMPORTABLE.iter().any(|known| end == *known));
        can_be_unpacked && belongs(path.file_stem().unwrap_or_default(), name)
    };
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    files_by_age(folder, is_packed)
}

/// Regular files of a folder, oldest first; none if there is no such folder.
pub(super) fn files_by_age(folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let (path, metadata) = (entry.path(), entry.metadata()?);
        if metadata.is_file() && is_wanted(&path) {
            files.push((modified_ns(&metadata), path));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn list_once(log: &Path) -> io::Result<Vec<Listed>> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name()) else {
        return Ok(Vec::new());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry?;
        if belongs(&entry.file_name(), name) {
            let is_current = entry.file_name() == name;
            match look_at(&entry.path(), is_current) {
                Ok(file) => listed.extend(file),
                Err(error) if is_current => return Err(error),
                Err(error) => {
                    debug!(path = %entry.path().display(), %error, "a file beside the log cannot be looked at")
                }
            }
        }
    }
    listed.sort_by_key(|file| (file.is_current, file.modified_ns));
    Ok(listed)
}

/// `None` if it is gone by now, or nothing that can be read as a log.
fn look_at(path: &Path, is_current: bool) -> io::Result<Option<Listed>> {
    let metadata = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    let listed = Listed {
        path: path.to_owned(),
        identity: (metadata.dev(), metadata.ino()),
        len: metadata.len(),
        modified_ns: modified_ns(&metadata),
        is_current,
    };
    Ok((metadata.is_file() || is_current).then_some(listed))
}

fn belongs(candidate: &OsStr, log: &OsStr) -> bool {
    let (candidate, log) = (candidate.as_encoded_bytes(), log.as_encoded_bytes());
    let Some(suffix) = candidate.strip_prefix(log) else { return false };
    let packed = PACKED.iter().any(|packed| suffix.rsplit(|byte| *byte == b'.').next() == Some(packed.as_bytes()));
    suffix.is_empty() || (matches!(suffix.first(), Some(b'.' | b'-')) && !packed)
}

/// Whether a name is one that rotating tools give: a number or a date behind a dot or a dash, or a packed file.
pub(super) fn is_rotated(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let Some(at) = name.iter().rposition(|byte| matches!(byte, b'.' | b'-')) else { return false };
    let last = name.get(at + 1..).unwrap_or_default();
    let is_number = !last.is_empty() && last.iter().all(u8::is_ascii_digit);
    let is_packed = PACKED.iter().any(|packed| last == packed.as_bytes());
    is_packed || (is_number && at > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_siblings_belong_and_packed_ones_do_not() {
        for (name, expected) in [
            ("haproxy.log", true),
            ("haproxy.log.1", true),
            ("haproxy.log-20261123", true),
            ("haproxy.log.2.gz", false),
            ("haproxy.log-20261123.zst", false),
            ("haproxy.logs", false),
            ("other.log", false),
            ("haproxy.lo", false),
        ] {
            assert_eq!(belongs(OsStr::new(name), OsStr::new("haproxy.log")), expected, "{name}");
        }
    }

    #[test]
    fn rotated_files_are_told_by_their_names() {
        for (name, expected) in [
            ("haproxy.log", false),
            ("haproxy-eu.log", false),
            ("haproxy.log.1", true),
            ("haproxy.log-20261123", true),
            ("haproxy.log-2026-11-23", true),
            ("haproxy.log.2.gz", true),
            ("haproxy.log.zst", true),
            ("haproxy1", false),
            ("gw.7", true),
            (".7", false),
            ("haproxy.", false),
        ] {
            assert_eq!(is_rotated(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_renamed_while_it_is_looked_for_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |number: u32| folder.path().join(format!("ha.log.{number}"));
        for number in 0..10 {
            std::fs::write(path(number), "").unwrap();
        }
        let (log, stop) = (folder.path().join("ha.log"), std::sync::atomic::AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in (0..10).cycle().take_while(|_| !stop.load(std::sync::atomic::Ordering::Relaxed)) {
                    std::fs::rename(path(number), path(number + 100)).unwrap();
                    std::fs::rename(path(number + 100), path(number)).unwrap();
                    std::thread::sleep(std::time::Duration::from_micros(50));
                }
            });
            let listings: Vec<_> = (0..2000).filter_map(|_| list(&log).unwrap()).collect();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(!listings.is_empty());
            for listing in listings {
                let files: std::collections::BTreeSet<_> = listing.iter().map(|file| file.identity).collect();
                assert_eq!(files.len(), 10);
            }
        });
    }
}
