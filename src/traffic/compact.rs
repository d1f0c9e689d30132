//! Keeping the small tables small.

use duckdb::{Connection, params};

use super::relation::{rollup, table, unmerged};
use super::shipping::{MERGE_DUPLICATES, MERGE_SPANS};
use super::writer::merged_batch;
use super::{TrafficError, Writer, failed};
use crate::core::calendar::UtcMillis;
use crate::core::chart::Grain;
use crate::core::rollup::{HOURS_KEPT_MS, MINUTES_KEPT_MS};

const LINE_SPANS_KEPT_MS: i64 = 92 * 24 * 3_600_000;

/// How many rejected lines are kept to look at; all are counted for ever.
const QUARANTINE_ROWS: u64 = 100_000;

/// How many files that are gone are remembered: years of daily rotation.
const FINISHED_FILES: u64 = 10_000;

/// Rows of minutes that are merged at once, about.
const SHARE_ROWS: u64 = 250_000;

impl Writer {
    /// Adds up the minutes, hours and days that batches since the last call have touched,
    /// drops rollups past their age (days have none) and all but the newest quarantined lines. Counts stay the same.
    ///
    /// # Errors
    /// [`TrafficError`] if nothing was changed.
    pub fn compact(&self, now: UtcMillis) -> Result<(), TrafficError> {
        self.in_transaction(|connection| {
            let merged_batch = merged_batch(connection)?;
            // Minutes last: hours and days are made of theirs as they came.
            let shares = shares(connection, merged_batch)?;
            for grain in [Grain::Day, Grain::Hour, Grain::Minute] {
                for share in 0..shares {
                    merge_deltas(
                        connection,
                        grain,
                        merged_batch,
                        &format!("coalesce(customer_id, 0) % {shares} = {share}"),
                    )?;
                }
            }
            for statement in [NOTE_MERGED, MERGE_REJECT_COUNTS, MERGE_SPANS, MERGE_DUPLICATES] {
                connection.execute_batch(statement).map_err(failed("merge counts"))?;
            }
            trim(connection, now)
        })
    }
}

fn trim(connection: &Connection, now: UtcMillis) -> Result<(), TrafficError> {
    let trimming = failed("trim old rollups");
    for (statement, kept_ms) in [
        ("DELETE FROM minute_deltas WHERE start < make_timestamp(?)", MINUTES_KEPT_MS),
        ("DELETE FROM hour_deltas WHERE start < make_timestamp(?)", HOURS_KEPT_MS),
        ("DELETE FROM line_spans WHERE minute < make_timestamp(?)", LINE_SPANS_KEPT_MS),
        ("DELETE FROM duplicate_counts WHERE hour < make_timestamp(?)", HOURS_KEPT_MS),
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
}

/// Into how many shares customers are divided, so that however much has come no share needs more memory than there is.
fn shares(connection: &Connection, merged_batch: u64) -> Result<u64, TrafficError> {
    let sql = "SELECT count(*)::UBIGINT FROM minute_deltas WHERE batch > ?";
    let rows: u64 = connection
        .query_row(sql, params![merged_batch], |row| row.get(0))
        .map_err(failed("count what is to be merged"))?;
    Ok(1 + rows / SHARE_ROWS)
}

/// Only starts that have grown since the last time are read and written, and customers lie together in what is
/// written: a reader that looks for one finds all of it in a few blocks.
fn merge_deltas(connection: &Connection, grain: Grain, merged_batch: u64, share: &str) -> Result<(), TrafficError> {
    let (table, rollup, unmerged) = (table(grain), rollup(grain, merged_batch), unmerged(grain, merged_batch));
    connection
        .execute_batch(&format!(
            "CREATE TEMP TABLE grown AS
                 SELECT DISTINCT start FROM {unmerged};
             CREATE TEMP TABLE deltas AS SELECT * FROM {rollup} SEMI JOIN grown USING (start) WHERE {share};
             CREATE TEMP TABLE sums AS
                 SELECT max(batch) AS batch, start, customer_id, service, network, class, status_class,
                        least(sum(requests), {MAX})::UBIGINT AS requests, least(sum(bytes_in), {MAX})::UBIGINT AS bytes_in,
                        least(sum(bytes_out), {MAX})::UBIGINT AS bytes_out,
                        least(sum(time_sum_ms), {MAX})::UBIGINT AS time_sum_ms,
                        min(time_min_ms) AS time_min_ms, max(time_max_ms) AS time_max_ms
                 FROM deltas GROUP BY start, customer_id, service, network, class, status_class;
             CREATE TEMP TABLE latencies AS
                 SELECT start, customer_id, service, network, class, status_class,
                        list(bucket ORDER BY bucket) AS buckets, list(times ORDER BY bucket) AS counts
                 FROM (SELECT start, customer_id, service, network, class, status_class, bucket,
                              least(sum(times), {MAX})::UBIGINT AS times
                       FROM (SELECT start, customer_id, service, network, class, status_class,
                                    unnest(latency_buckets) AS bucket, unnest(latency_counts) AS times FROM deltas)
                       GROUP BY start, customer_id, service, network, class, status_class, bucket)
                 GROUP BY start, customer_id, service, network, class, status_class;
             DELETE FROM {table} WHERE start IN (SELECT start FROM grown) AND {share};
             INSERT INTO {table}
                 SELECT s.*, coalesce(l.buckets, []), coalesce(l.counts, [])
                 FROM sums s LEFT JOIN latencies l
                     ON l.start = s.start AND l.customer_id IS NOT DISTINCT FROM s.customer_id
                     AND l.service = s.service AND l.network IS NOT DISTINCT FROM s.network
                     AND l.class = s.class AND l.status_class = s.status_class
                 ORDER BY s.start, s.customer_id;
             DROP TABLE latencies;
             DROP TABLE sums;
             DROP TABLE deltas;
             DROP TABLE grown;",
            MAX = u64::MAX
        ))
        .map_err(failed("merge rollup deltas"))
}

const NOTE_MERGED: &str = "UPDATE traffic_store SET merged_batch = last_batch";

const MERGE_REJECT_COUNTS: &str = "
    CREATE TEMP TABLE merged AS SELECT reason, sum(lines)::UBIGINT AS lines FROM reject_counts GROUP BY reason;
    DELETE FROM reject_counts;
    INSERT INTO reject_counts SELECT reason, lines FROM merged;
    DROP TABLE merged;";
