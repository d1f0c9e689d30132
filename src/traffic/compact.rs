//! Keeping the small tables small.

use duckdb::params;

use super::shipping::{MERGE_DUPLICATES, MERGE_SPANS};
use super::{TrafficError, Writer, failed};
use crate::core::calendar::UtcMillis;

const MINUTES_KEPT_MS: i64 = 48 * 3_600_000;
const HOURS_KEPT_MS: i64 = 2 * 366 * 24 * 3_600_000;
const LINE_SPANS_KEPT_MS: i64 = 92 * 24 * 3_600_000;

/// How many rejected lines are kept to look at; all are counted for ever.
const QUARANTINE_ROWS: u64 = 100_000;

/// How many files that are gone are remembered: years of daily rotation.
const FINISHED_FILES: u64 = 10_000;

impl Writer {
    /// Replaces the deltas of every minute and hour that has several by their sum, drops rollups past their age and
    /// all but the newest quarantined lines. Counts stay the same.
    ///
    /// # Errors
    /// [`TrafficError`] if nothing was changed.
    pub fn compact(&self, now: UtcMillis) -> Result<(), TrafficError> {
        self.in_transaction(|connection| {
            for statement in [MERGE_MINUTES, MERGE_HOURS, MERGE_REJECT_COUNTS, MERGE_SPANS, MERGE_DUPLICATES] {
                connection.execute_batch(statement).map_err(failed("merge rollup deltas"))?;
            }
            let trimming = failed("trim old rollups");
            for (statement, kept_ms) in [
                ("DELETE FROM minute_deltas WHERE start < make_timestamp(?)", MINUTES_KEPT_MS),
                ("DELETE FROM line_spans WHERE minute < make_timestamp(?)", LINE_SPANS_KEPT_MS),
                ("DELETE FROM duplicate_counts WHERE hour < make_timestamp(?)", HOURS_KEPT_MS),
                ("DELETE FROM hour_deltas WHERE start < make_timestamp(?)", HOURS_KEPT_MS),
            ] {
                connection.execute(statement, params![now.plus_ms(-kept_ms).micros()]).map_err(&trimming)?;
            }
            connection
                .execute(
                    "DELETE FROM finished_files WHERE rowid NOT IN (
                         SELECT rowid FROM finished_files ORDER BY rowid DESC LIMIT ?)",
                    params![FINISHED_FILES],
                )
                .map_err(failed("trim the files that are gone"))?;
            connection
                .execute(
                    "DELETE FROM quarantine WHERE rowid NOT IN (
                         SELECT rowid FROM quarantine ORDER BY batch DESC, line_offset DESC LIMIT ?)",
                    params![QUARANTINE_ROWS],
                )
                .map_err(failed("trim the quarantine"))
                .map(|_| ())
        })
    }
}

/// Only starts with more than one row for a key are touched, so old, merged ones cost one scan and no write.
macro_rules! merge_deltas {
    ($table:literal) => {
        concat!(
            "CREATE TEMP TABLE several AS SELECT DISTINCT start FROM (
                 SELECT start FROM ",
            $table,
            "
                 GROUP BY start, customer_id, service, network, class, status_class HAVING count(*) > 1);
             CREATE TEMP TABLE merged AS
                 SELECT max(batch) AS batch, start, customer_id, service, network, class, status_class,
                        least(sum(requests), 18446744073709551615)::UBIGINT AS requests, least(sum(bytes_in), 18446744073709551615)::UBIGINT AS bytes_in,
                        least(sum(bytes_out), 18446744073709551615)::UBIGINT AS bytes_out, least(sum(time_sum_ms), 18446744073709551615)::UBIGINT AS time_sum_ms,
                        min(time_min_ms) AS time_min_ms, max(time_max_ms) AS time_max_ms
                 FROM ",
            $table,
            " SEMI JOIN several USING (start)
                 GROUP BY start, customer_id, service, network, class, status_class;
             DELETE FROM ",
            $table,
            " WHERE start IN (SELECT start FROM several);
             INSERT INTO ",
            $table,
            " SELECT * FROM merged;
             DROP TABLE merged;
             DROP TABLE several;"
        )
    };
}

const MERGE_MINUTES: &str = merge_deltas!("minute_deltas");
const MERGE_HOURS: &str = merge_deltas!("hour_deltas");

const MERGE_REJECT_COUNTS: &str = "
    CREATE TEMP TABLE merged AS SELECT reason, sum(lines)::UBIGINT AS lines FROM reject_counts GROUP BY reason;
    DELETE FROM reject_counts;
    INSERT INTO reject_counts SELECT reason, lines FROM merged;
    DROP TABLE merged;";
