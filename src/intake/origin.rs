//! Whether a file that matches a pattern is a log of its own, or one of another log: under a new name, as some rotating
//! tools give it, a copy, or a link. What was read of it under its old name must not be read again.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tracing::warn;

use super::file::{HEAD_BYTES, LEAST_HEAD, path_begins_like};
use super::{Follower, IntakeError};
use crate::telemetry::chain;
use crate::traffic::{FilePosition, Traffic};

/// A file that is too short to be told from others by its head, and has not grown for so long, is no copy in the making.
const SETTLED: Duration = Duration::from_secs(1);

type Identity = (u64, u64);

/// What was found out about matches.
#[derive(Default)]
pub(super) struct Origins {
    /// Those that are files of other logs.
    elsewhere: BTreeMap<PathBuf, Identity>,
    /// Short ones: with which length they were seen, and since when.
    short: BTreeMap<PathBuf, (Identity, u64, Instant)>,
}

impl Origins {
    /// Forgets all matches but these.
    pub(super) fn keep(&mut self, is_there: impl Fn(&Path) -> bool) {
        self.elsewhere.retain(|path, _| is_there(path));
        self.short.retain(|path, _| is_there(path));
    }

    /// Whether a match is to be followed. What cannot be told is looked at again.
    pub(super) fn is_own(&mut self, path: &Path, logs: &[Follower], traffic: &Traffic) -> bool {
        match self.find(path, logs, traffic) {
            Ok(is_own) => is_own,
            Err(IntakeError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                warn!(path = %path.display(), error = %chain(&error), "a log that was found cannot be looked at");
                false
            }
        }
    }

    fn find(&mut self, path: &Path, logs: &[Follower], traffic: &Traffic) -> Result<bool, IntakeError> {
        let failed = |source| IntakeError::Read { path: path.to_owned(), source };
        let metadata = fs::metadata(path).map_err(failed)?;
        let identity = identity_of(&metadata);
        if self.elsewhere.get(path) == Some(&identity) {
            return Ok(false);
        }
        let source = path.to_string_lossy();
        if traffic.file_positions(&source)?.is_some() {
            return Ok(true);
        }
        let is_link = logs.iter().any(|log| fs::metadata(log.log()).is_ok_and(|log| identity_of(&log) == identity));
        if !is_link {
            if !self.can_be_told(path, identity, metadata.len()) {
                return Ok(false);
            }
            let stored = traffic.followed_files()?.into_iter().map(|file| file.position);
            let known: Vec<_> = stored
                .filter(|position| position.source != source)
                .chain(logs.iter().flat_map(Follower::positions))
                .collect();
            if !is_any_of(path, identity, &known).map_err(failed)? {
                self.short.remove(path);
                return Ok(true);
            }
        }
        warn!(path = %path.display(), "a file that matches intake.log_file is one of another log under a new name: it is not \
            read as a log of its own, and lines that were not read under its old name can be imported");
        self.elsewhere.insert(path.to_owned(), identity);
        Ok(false)
    }

    /// A copy that has just begun looks like a new log.
    fn can_be_told(&mut self, path: &Path, identity: Identity, length: u64) -> bool {
        if length >= u64::from(HEAD_BYTES) {
            return true;
        }
        let now = Instant::now();
        let seen = self.short.entry(path.to_owned()).or_insert((identity, length, now));
        if (seen.0, seen.1) != (identity, length) {
            *seen = (identity, length, now);
        }
        length > 0 && seen.2.elapsed() >= SETTLED
    }
}

/// By the head, because systems give the inodes of deleted files out again; by the inode where the head is too short.
fn is_any_of(path: &Path, identity: Identity, known: &[FilePosition]) -> io::Result<bool> {
    for position in known {
        let is_short = position.head_bytes < LEAST_HEAD;
        let is_same = is_short && (position.device, position.inode) == identity;
        if is_same || path_begins_like(path, position)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn identity_of(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}
