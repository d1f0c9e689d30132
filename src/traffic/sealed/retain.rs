//! How long what is kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use duckdb::{Connection, params};
use tracing::warn;

use super::seal::remove;
use super::view::{refresh_view, sealed_files};
use crate::core::calendar::{DAY_MS, UtcMillis};
use crate::traffic::writer::in_transaction;
use crate::traffic::{Traffic, TrafficError, failed};

/// Ages of requests, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptFor {
    /// Requests are sealed by spans of so many days: 1 at least.
    pub chunk_days: u32,
    /// A span is sealed when it ended so many days ago.
    pub seal_after_days: u32,
    /// Requests are dropped when they are so many days old; rollups outlive them.
    pub retention_days: u32,
}

/// What one round has dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Files that are registered no longer.
    pub retired: u64,
    /// Files that were deleted: retired by an earlier round, or left by a crash.
    pub deleted: u64,
}

impl KeptFor {
    /// Requests from before this instant are to be sealed.
    pub fn seal_before(&self, now: UtcMillis) -> UtcMillis {
        let chunk_ms = i64::from(self.chunk_days.max(1)) * DAY_MS;
        let ended_before = now.plus_ms(-i64::from(self.seal_after_days) * DAY_MS);
        UtcMillis(ended_before.0.div_euclid(chunk_ms) * chunk_ms)
    }

    /// Files of days before this one are to be dropped.
    pub fn drop_before(&self, now: UtcMillis) -> UtcMillis {
        let too_old = now.plus_ms(-i64::from(self.retention_days) * DAY_MS);
        UtcMillis(too_old.0.div_euclid(DAY_MS) * DAY_MS)
    }
}

impl Traffic {
    /// Deletes the files that are disposable, then takes what is too old out of the register. Its files stay for
    /// those who are reading them, until the next round. Blocks.
    ///
    /// # Errors
    /// [`TrafficError`]; the next round goes on.
    pub fn retain(&self, kept: &KeptFor, now: UtcMillis) -> Result<Dropped, TrafficError> {
        let deleted = self.delete_disposable()?;
        let retired =
            in_transaction(&self.take_idle()?, |connection| retire(connection, kept.drop_before(now), &self.chunks))?;
        Ok(Dropped { retired, deleted })
    }

    /// Deletes what is noted as disposable. Any other file that is not registered stays, and is told: it may be all that
    /// is left of its requests.
    fn delete_disposable(&self) -> Result<u64, TrafficError> {
        let mut deleted = 0;
        for name in self.read(disposable)? {
            let path = self.chunks.join(&name);
            if path.exists() {
                remove(&path)?;
                deleted += 1;
            }
            let connection = self.take_idle()?;
            connection
                .execute("DELETE FROM disposable_parts WHERE file = ?", params![name])
                .map_err(failed("note that a sealed file is deleted"))?;
        }
        for path in self.unregistered()? {
            warn!(path = %path.display(), "a sealed file that this store does not know: its requests are in no answer; \
                `suiftly traffic rebuild` takes it over");
        }
        Ok(deleted)
    }

    fn unregistered(&self) -> Result<Vec<PathBuf>, TrafficError> {
        let registered: BTreeSet<String> = self.parts()?.into_iter().map(|part| part.file).collect();
        let mut paths = sealed_files(&self.chunks)?;
        paths.retain(|path| !registered.contains(path.file_name().unwrap_or_default().to_string_lossy().as_ref()));
        Ok(paths)
    }
}

fn disposable(connection: &Connection) -> Result<Vec<String>, TrafficError> {
    let listing = failed("list disposable files");
    let mut statement = connection.prepare("SELECT file FROM disposable_parts").map_err(&listing)?;
    let names = statement.query_map([], |row| row.get(0)).map_err(&listing)?;
    names.collect::<Result<_, _>>().map_err(&listing)
}

/// In a transaction: returns how many files are registered no longer.
fn retire(connection: &Connection, before: UtcMillis, folder: &Path) -> Result<u64, TrafficError> {
    let retiring = failed("retire sealed files");
    let old = params![before.micros()];
    let (files, rows): (u64, u64) = connection
        .query_row(
            "SELECT count(*)::UBIGINT, coalesce(sum(rows), 0)::UBIGINT FROM sealed_parts
             WHERE span_end <= make_timestamp(?)",
            old,
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(&retiring)?;
    // Late lines that were too few for a file of their own.
    let hot = connection.execute("DELETE FROM request_rows WHERE ts < make_timestamp(?)", old).map_err(&retiring)?;
    let rows = rows.saturating_add(u64::try_from(hot).unwrap_or(0));
    if rows > 0 {
        connection
            .execute(
                "INSERT INTO disposable_parts SELECT file FROM sealed_parts WHERE span_end <= make_timestamp(?)",
                old,
            )
            .map_err(&retiring)?;
        connection.execute("DELETE FROM sealed_parts WHERE span_end <= make_timestamp(?)", old).map_err(&retiring)?;
        connection
            .execute(
                "UPDATE retirement SET dropped_before = make_timestamp(?), dropped_rows = dropped_rows + ?",
                params![before.micros(), rows],
            )
            .map_err(&retiring)?;
        refresh_view(connection, folder)?;
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_sealed_whole() {
        let at = |day: i64, ms: i64| UtcMillis(day * DAY_MS + ms);
        for (chunk_days, seal_after_days, now, expected) in [
            (7, 7, at(20, 5), at(7, 0)),
            (7, 7, at(21, 0), at(14, 0)),
            (7, 7, at(21, -1), at(7, 0)),
            (1, 0, at(3, 1), at(3, 0)),
            (1, 2, at(3, 0), at(1, 0)),
            (0, 0, at(3, 1), at(3, 0)),
        ] {
            let kept = KeptFor { chunk_days, seal_after_days, retention_days: 90 };
            assert_eq!(kept.seal_before(now), expected, "{chunk_days} {seal_after_days} {now}");
        }
    }
}
