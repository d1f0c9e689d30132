//! What became of lines on their way: those that came twice, and those that never came.

use duckdb::arrow::array::AsArray;
use duckdb::arrow::datatypes::{Int32Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use duckdb::arrow::record_batch::RecordBatch;
use duckdb::types::{TimeUnit, Value};
use duckdb::{Connection, params};

use super::batch::Batch;
use super::{Traffic, TrafficError, failed};
use crate::core::calendar::UtcMillis;
use crate::core::duplicates::{Duplicates, Identity};
use crate::core::log_line::RequestLine;
use crate::core::lost_lines::{Span, SpanKey, lost_by_hour};

/// How many stored requests duplicates are looked for among after a start.
const RECENT_ROWS: u64 = 1 << 18;

/// Lines of one gateway in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinesOfHour {
    pub gateway: u8,
    pub hour: UtcMillis,
    /// Lines that came, those that came again left out.
    pub received: u64,
    /// Lines that HAProxy has written and that never came. Nobody is billed for them.
    pub lost: u64,
}

impl Batch {
    /// Recognises lines that came before from here on. They are counted as duplicates, and are no rows.
    pub fn recognise_duplicates(&mut self, duplicates: Duplicates) {
        self.duplicates = Some(duplicates);
    }

    /// Tells whether a line came before; if not, it is noted as received.
    pub(super) fn is_duplicate(&mut self, line: &RequestLine<'_>) -> bool {
        let Some(duplicates) = &mut self.duplicates else {
            self.marks.spans.add(line);
            return false;
        };
        let is_duplicate = duplicates.is_known(&Identity::of(line));
        if is_duplicate {
            *self.marks.duplicates.entry((line.gateway, line.ts.hour())).or_default() += 1;
        } else {
            self.marks.spans.add(line);
        }
        is_duplicate
    }
}

impl Traffic {
    /// The newest stored requests, to recognise duplicates among.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn recent_requests(&self) -> Result<Duplicates, TrafficError> {
        self.read(|connection| {
            let reading = failed("read the newest requests");
            let mut statement = connection
                .prepare(
                    "SELECT ts, client_ip_high, client_ip_low, client_port, listener_port, class, log_counter, bytes_out,
                            time_total_ms, gateway, pid, request_counter
                     FROM request_rows JOIN request_shapes ON number = shape
                     WHERE request_rows.rowid > (SELECT coalesce(max(rowid), 0) FROM request_rows) - ?::BIGINT",
                )
                .map_err(&reading)?;
            let mut duplicates = Duplicates::default();
            for rows in statement.query_arrow(params![RECENT_ROWS]).map_err(&reading)? {
                note_all(&rows, &mut duplicates).ok_or(TrafficError::OutOfRange { what: "a type of a column" })?;
            }
            Ok(duplicates)
        })
    }

    /// What came and what was lost, by gateway and hour, in this order; of lines written in `from..to`.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn lines_by_hour(&self, from: UtcMillis, to: UtcMillis) -> Result<Vec<LinesOfHour>, TrafficError> {
        let mut found: Vec<LinesOfHour> = Vec::new();
        let spans = self.read(|connection| read_spans(connection, from, to))?;
        for worker in spans.chunk_by(|(a, _), (b, _)| worker_of(a) == worker_of(b)) {
            let Some((key, _)) = worker.first() else { continue };
            let minutes: Vec<_> = worker.iter().map(|(key, span)| (key.minute, *span)).collect();
            found.extend(lost_by_hour(&minutes).iter().map(|hour| LinesOfHour {
                gateway: key.gateway,
                hour: hour.hour,
                received: hour.received,
                lost: hour.lost,
            }));
        }
        found.sort_by_key(|hour| (hour.gateway, hour.hour));
        let merged = found.chunk_by(|a, b| (a.gateway, a.hour) == (b.gateway, b.hour)).filter_map(|same| {
            let first = same.first()?;
            let received = same.iter().map(|hour| hour.received).sum();
            Some(LinesOfHour { received, lost: same.iter().map(|hour| hour.lost).sum(), ..*first })
        });
        Ok(merged.collect())
    }

    /// Lines that came again and were not counted, of requests that began in `from..to`.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn duplicates(&self, from: UtcMillis, to: UtcMillis) -> Result<u64, TrafficError> {
        self.read(|connection| {
            connection
                .query_row(
                    "SELECT coalesce(sum(lines), 0)::UBIGINT FROM duplicate_counts
                     WHERE hour >= make_timestamp(?) AND hour < make_timestamp(?)",
                    params![from.micros(), to.micros()],
                    |row| row.get(0),
                )
                .map_err(failed("count duplicates"))
        })
    }
}

fn worker_of(key: &SpanKey) -> (u8, u32, u16) {
    (key.gateway, key.pid, key.listener_port)
}

fn note_all(rows: &RecordBatch, duplicates: &mut Duplicates) -> Option<()> {
    let column = |index: usize| rows.columns().get(index);
    let ts = column(0)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let [high, low] = [column(1)?.as_primitive_opt::<UInt64Type>()?, column(2)?.as_primitive_opt::<UInt64Type>()?];
    let [client, listener] =
        [column(3)?.as_primitive_opt::<UInt16Type>()?, column(4)?.as_primitive_opt::<UInt16Type>()?];
    let class = column(5)?.as_primitive_opt::<UInt8Type>()?;
    let [log_counter, bytes] =
        [column(6)?.as_primitive_opt::<UInt64Type>()?, column(7)?.as_primitive_opt::<UInt64Type>()?];
    let total_ms = column(8)?.as_primitive_opt::<Int32Type>()?;
    let gateway = column(9)?.as_primitive_opt::<UInt8Type>()?;
    let pid = column(10)?.as_primitive_opt::<UInt32Type>()?;
    let counter = column(11)?.as_primitive_opt::<UInt64Type>()?;
    for row in 0..ts.len() {
        let ports = u64::from(client.value(row)) << 32 | u64::from(listener.value(row)) << 16;
        let numbers = [
            (ts.value(row) / 1000).cast_unsigned(),
            high.value(row),
            low.value(row),
            ports | u64::from(class.value(row)),
            log_counter.value(row),
            bytes.value(row),
            i64::from(total_ms.value(row)).cast_unsigned(),
        ];
        duplicates.is_known(&Identity::from_numbers(gateway.value(row), pid.value(row), counter.value(row), numbers));
    }
    Some(())
}

fn read_spans(connection: &Connection, from: UtcMillis, to: UtcMillis) -> Result<Vec<(SpanKey, Span)>, TrafficError> {
    let reading = failed("read line counters");
    let mut statement = connection
        .prepare(
            "SELECT gateway, pid, listener_port, epoch_ms(minute), min(first_counter), max(last_counter),
                    sum(received)::UBIGINT, epoch_ms(arg_min(first_at, first_counter)),
                    epoch_ms(arg_max(last_at, last_counter))
             FROM line_spans WHERE minute >= make_timestamp(?) AND minute < make_timestamp(?)
             GROUP BY gateway, pid, listener_port, minute ORDER BY gateway, pid, listener_port, minute",
        )
        .map_err(&reading)?;
    let rows = statement
        .query_map(params![from.micros(), to.micros()], |row| {
            let minute = UtcMillis(row.get(3)?);
            let key = SpanKey { gateway: row.get(0)?, pid: row.get(1)?, listener_port: row.get(2)?, minute };
            let (first_at, last_at) = (UtcMillis(row.get(7)?), UtcMillis(row.get(8)?));
            Ok((key, Span { first: row.get(4)?, last: row.get(5)?, received: row.get(6)?, first_at, last_at }))
        })
        .map_err(&reading)?;
    rows.collect::<Result<_, _>>().map_err(&reading)
}

pub(super) fn append_spans(connection: &Connection, spans: &[(SpanKey, Span)]) -> Result<(), TrafficError> {
    if spans.is_empty() {
        return Ok(());
    }
    let noting = failed("note line counters");
    let mut rows = connection.appender("line_spans").map_err(&noting)?;
    for (key, span) in spans {
        let time = |at: UtcMillis| Value::Timestamp(TimeUnit::Microsecond, at.micros());
        let (minute, first_at, last_at) = (time(key.minute), time(span.first_at), time(span.last_at));
        let (SpanKey { gateway, pid, listener_port, .. }, Span { first, last, received, .. }) = (key, span);
        rows.append_row(params![gateway, pid, listener_port, minute, first, last, received, first_at, last_at])
            .map_err(&noting)?;
    }
    rows.flush().map_err(&noting)
}

pub(super) fn append_duplicates(
    connection: &Connection,
    (gateway, hour): (u8, UtcMillis),
    lines: u64,
) -> Result<(), TrafficError> {
    connection
        .execute(
            "INSERT INTO duplicate_counts VALUES (?, make_timestamp(?), ?)",
            params![gateway, hour.micros(), lines],
        )
        .map_err(failed("count duplicates"))
        .map(|_| ())
}

/// Only minutes with more than one row for a key are touched.
pub(super) const MERGE_SPANS: &str = "
    CREATE TEMP TABLE several AS SELECT DISTINCT minute FROM (
        SELECT minute FROM line_spans GROUP BY gateway, pid, listener_port, minute HAVING count(*) > 1);
    CREATE TEMP TABLE merged AS
        SELECT gateway, pid, listener_port, minute, min(first_counter) AS first_counter,
               max(last_counter) AS last_counter, sum(received)::UBIGINT AS received,
               arg_min(first_at, first_counter) AS first_at, arg_max(last_at, last_counter) AS last_at
        FROM line_spans SEMI JOIN several USING (minute) GROUP BY gateway, pid, listener_port, minute;
    DELETE FROM line_spans WHERE minute IN (SELECT minute FROM several);
    INSERT INTO line_spans SELECT * FROM merged;
    DROP TABLE merged;
    DROP TABLE several;";

pub(super) const MERGE_DUPLICATES: &str = "
    CREATE TEMP TABLE merged AS SELECT gateway, hour, sum(lines)::UBIGINT AS lines FROM duplicate_counts
        GROUP BY gateway, hour;
    DELETE FROM duplicate_counts;
    INSERT INTO duplicate_counts SELECT gateway, hour, lines FROM merged;
    DROP TABLE merged;";
