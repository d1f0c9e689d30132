//! Segments that are counted, kept as packed logs until their requests are sealed: should the store be damaged before,
//! they are all that is left of what was received.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use tracing::warn;

use super::{Spool, segment_name};
use crate::core::calendar::UtcMillis;
use crate::core::spool_record::{HEADER, intact_lines};

/// The folder, within the spool's.
const FOLDER: &str = "counted";
const EXTENSION: &str = ".log.zst";
const UNFINISHED: &str = ".unfinished";
/// The fastest that packs well.
const LEVEL: i32 = 1;
/// A gateway's clock may be ahead of ours by so much.
const MARGIN_MS: i64 = 24 * 3_600_000;

/// The packed logs of a spool's folder, oldest first. They can be imported: one whose segment is still there, because the
/// process ended between packing and deleting it, is not among them.
///
/// # Errors
/// Those of the folder.
pub fn counted_logs(spool: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs = packed_logs(spool)?;
    logs.retain(|log| number_of(log).is_none_or(|number| !spool.join(segment_name(number)).exists()));
    Ok(logs)
}

fn packed_logs(spool: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(spool.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut logs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if number_of(&path).is_some() {
            logs.push(path);
        }
    }
    logs.sort();
    Ok(logs)
}

/// The greatest number of a kept segment: numbers are never used twice.
pub(super) fn last_number(spool: &Path) -> io::Result<Option<u64>> {
    Ok(packed_logs(spool)?.last().and_then(|path| number_of(path)))
}

/// Packs a segment that is counted. It can be done again after a crash.
pub(super) fn put_away(folder: &Path, segment: &Path, number: u64) -> io::Result<()> {
    let bytes = fs::read(segment)?;
    let folder = folder.join(FOLDER);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let path = folder.join(format!("{number:020}{EXTENSION}"));
    let unfinished = folder.join(format!("{number:020}{UNFINISHED}"));
    let mut packed = zstd::Encoder::new(File::create(&unfinished)?, LEVEL)?;
    for line in intact_lines(bytes.get(HEADER.len()..).unwrap_or_default()) {
        packed.write_all(line)?;
        packed.write_all(b"\n")?;
    }
    packed.finish()?.sync_all()?;
    fs::rename(&unfinished, &path)?;
    File::open(&folder)?.sync_all()
}

impl Spool {
    /// Deletes kept segments whose requests are sealed: all from before `sealed_before` are.
    pub(in crate::intake) fn forget_sealed(&self, sealed_before: UtcMillis) {
        let logs = counted_logs(&self.folder).unwrap_or_else(|error| {
            warn!(%error, "cannot look which segments of the spool are kept");
            Vec::new()
        });
        for path in logs {
            let written = fs::metadata(&path).map(|metadata| metadata.mtime().saturating_mul(1000)).unwrap_or(i64::MAX);
            if written.saturating_add(MARGIN_MS) < sealed_before.0
                && let Err(error) = fs::remove_file(&path)
            {
                warn!(path = %path.display(), %error, "cannot delete a kept segment of the spool");
            }
        }
    }
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.parse().ok()
}
