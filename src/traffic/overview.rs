//! Counts for pages and reports.

use std::fs;

use duckdb::{Connection, params};
use serde::{Deserialize, Serialize};

use super::relation::{REQUESTS, rollup};
use super::writer::{last_batch, merged_batch};
use super::{Traffic, TrafficError, failed};
use crate::core::calendar::UtcMillis;
use crate::core::chart::Grain;
use crate::core::log_line::TrafficClass;

/// Which stretch of recent requests to count, in steps of equal length.
#[derive(Debug, Clone, Copy)]
pub struct RecentQuery {
    pub from: UtcMillis,
    /// Exclusive.
    pub to: UtcMillis,
    pub step_ms: u32,
}

/// Requests of one customer and class in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentBucket {
    /// `None` for requests that were not authenticated.
    pub customer_id: Option<u32>,
    /// Counted from 0 at `from`.
    pub step: u64,
    pub class: TrafficClass,
    pub requests: u64,
}

/// What the store holds at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// The newest batch in these counts.
    pub through_batch: u64,
    /// Rows and rejected lines ever counted.
    pub rows: u64,
    pub rejects: u64,
    /// Requests by customer, step and class, in this order; steps without requests are left out.
    pub buckets: Vec<RecentBucket>,
}

/// How much is kept, and what room it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSize {
    /// Requests that are not sealed yet.
    pub hot_rows: u64,
    /// When the first of them began.
    pub oldest_hot_ms: Option<i64>,
    /// The store's file and its log.
    pub store_bytes: u64,
    pub sealed_files: u64,
    pub sealed_rows: u64,
    pub sealed_bytes: u64,
    /// When the first sealed request began, at the earliest.
    pub oldest_sealed_ms: Option<i64>,
    /// Requests that were too old and are kept no longer; their counts are.
    pub dropped_rows: u64,
}

impl Traffic {
    /// How much is kept, and what room it takes.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn size(&self) -> Result<StoreSize, TrafficError> {
        let files = [self.path.to_path_buf(), self.path.with_added_extension("wal")];
        let store_bytes = files.iter().filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum();
        self.read(|connection| {
            connection
                .query_row(SIZE, [], |row| {
                    Ok(StoreSize {
                        hot_rows: row.get(0)?,
                        oldest_hot_ms: row.get(1)?,
                        store_bytes,
                        sealed_files: row.get(2)?,
                        sealed_rows: row.get(3)?,
                        sealed_bytes: row.get(4)?,
                        oldest_sealed_ms: row.get(5)?,
                        dropped_rows: row.get(6)?,
                    })
                })
                .map_err(failed("measure"))
        })
    }

    /// Recent requests and all lines, counted at one moment.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn recent(&self, query: RecentQuery) -> Result<Recent, TrafficError> {
        self.read(|connection| {
            let (rows, rejects) = line_counts(connection)?;
            let buckets = recent_buckets(connection, query)?;
            Ok(Recent { through_batch: last_batch(connection)?, rows, rejects, buckets })
        })
    }

    /// Rows and rejected lines ever counted.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn line_counts(&self) -> Result<(u64, u64), TrafficError> {
        self.read(line_counts)
    }

    /// Requests of the billable classes ever counted.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn billable_requests(&self) -> Result<u64, TrafficError> {
        self.read(|connection| {
            let days = rollup(Grain::Day, merged_batch(connection)?);
            let sql = format!(
                "SELECT coalesce(sum(requests), 0)::UBIGINT FROM {days}
                 WHERE class IN (1, 2) AND customer_id IS NOT NULL"
            );
            count(connection, &sql)
        })
    }

    /// Rejected lines by reason, in the order of the reasons.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn rejects_by_reason(&self) -> Result<Vec<(String, u64)>, TrafficError> {
        let reading = failed("count rejected lines");
        self.read(|connection| {
            let mut statement = connection
                .prepare("SELECT reason, sum(lines)::UBIGINT FROM reject_counts GROUP BY reason ORDER BY reason")
                .map_err(&reading)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&reading)?;
            rows.collect::<Result<_, _>>().map_err(&reading)
        })
    }
}

const SIZE: &str = "
    SELECT hot.rows, hot.oldest, sealed.files, sealed.rows, sealed.bytes, sealed.oldest, dropped.rows
    FROM (SELECT count(*)::UBIGINT AS rows, epoch_ms(min(ts)) AS oldest FROM request_rows) hot,
         (SELECT count(*)::UBIGINT AS files, coalesce(sum(rows), 0)::UBIGINT AS rows,
                 coalesce(sum(file_bytes), 0)::UBIGINT AS bytes, epoch_ms(min(span_start)) AS oldest
          FROM sealed_parts) sealed,
         (SELECT coalesce(sum(dropped_rows), 0)::UBIGINT AS rows FROM retirement) dropped";

/// Hot, sealed and dropped ones.
const ROWS: &str = "
    SELECT ((SELECT count(*) FROM request_rows) + (SELECT coalesce(sum(rows), 0) FROM sealed_parts)
            + (SELECT coalesce(sum(dropped_rows), 0) FROM retirement))::UBIGINT";

fn line_counts(connection: &Connection) -> Result<(u64, u64), TrafficError> {
    let rows = count(connection, ROWS)?;
    let rejects = count(connection, "SELECT coalesce(sum(lines), 0)::UBIGINT FROM reject_counts")?;
    Ok((rows, rejects))
}

fn recent_buckets(connection: &Connection, query: RecentQuery) -> Result<Vec<RecentBucket>, TrafficError> {
    let reading = failed("count recent requests");
    let mut statement = connection
        .prepare(&format!(
            "SELECT customer_id, ((epoch_ms(ts) - ?) // ?)::UBIGINT AS step, class, sum(repeat)::UBIGINT
             FROM {REQUESTS}
             WHERE ts >= make_timestamp(?) AND ts < make_timestamp(?) AND class <> 8
             GROUP BY customer_id, step, class
             ORDER BY customer_id, step, class",
        ))
        .map_err(&reading)?;
    let values = params![query.from.0, query.step_ms, query.from.micros(), query.to.micros()];
    let rows = statement
        .query_map(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .map_err(&reading)?;
    rows.map(|row| bucket(row.map_err(&reading)?)).collect()
}

fn count(connection: &Connection, sql: &str) -> Result<u64, TrafficError> {
    connection.query_row(sql, [], |row| row.get(0)).map_err(failed("count lines"))
}

fn bucket((customer_id, step, class, requests): (Option<u32>, u64, u8, u64)) -> Result<RecentBucket, TrafficError> {
    let class = TrafficClass::from_number(class).ok_or(TrafficError::OutOfRange { what: "a traffic class" })?;
    Ok(RecentBucket { customer_id, step, class, requests })
}
