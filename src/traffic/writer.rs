//! The one connection that appends.

use std::sync::Arc;

use duckdb::arrow::array::{ArrayRef, UInt64Array};
use duckdb::arrow::datatypes::{DataType, Field, Schema};
use duckdb::arrow::record_batch::RecordBatch;
use duckdb::{Connection, OptionalExt, params};

use super::batch::SealedBatch;
use super::{TrafficError, failed, marks, positions};

/// Appends batches. There is one per store.
pub struct Writer {
    pub(super) connection: Connection,
    pub(super) last_batch: u64,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Result<Self, TrafficError> {
        let last_batch = last_batch(&connection)?;
        Ok(Self { connection, last_batch })
    }

    pub(super) fn store_id(&self) -> Result<String, TrafficError> {
        self.connection
            .query_row("SELECT store_id FROM traffic_store", [], |row| row.get(0))
            .map_err(failed("read the store's name"))
    }

    /// Appends rows, deltas, rejects and positions in one transaction and returns the batch's number. May be called
    /// again with the same batch after an error: what was committed all the same is not appended twice.
    ///
    /// # Errors
    /// [`TrafficError`] if nothing was committed, or if it cannot be told.
    pub fn append(&mut self, batch: &SealedBatch) -> Result<u64, TrafficError> {
        let number = self.last_batch + 1;
        if last_batch(&self.connection)? < number {
            self.in_transaction(|connection| append_all(connection, number, batch))?;
        }
        self.last_batch = number;
        Ok(number)
    }

    pub(super) fn in_transaction(
        &self,
        work: impl FnOnce(&Connection) -> Result<(), TrafficError>,
    ) -> Result<(), TrafficError> {
        in_transaction(&self.connection, work)
    }

    /// Writes everything into the database file, so that the next start need not replay its log.
    ///
    /// # Errors
    /// [`TrafficError`] if the file cannot be written.
    pub fn checkpoint(&self) -> Result<(), TrafficError> {
        self.connection.execute_batch("CHECKPOINT").map_err(failed("checkpoint"))
    }
}

/// Runs `work`, all of whose statements see the same rows and take effect together, or not at all.
pub(super) fn in_transaction<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, TrafficError>,
) -> Result<T, TrafficError> {
    connection.execute_batch("BEGIN").map_err(failed("begin a transaction"))?;
    let result = work(connection).and_then(|value| {
        connection.execute_batch("COMMIT").map_err(failed("commit a transaction"))?;
        Ok(value)
    });
    if result.is_err() {
        // A failed COMMIT has ended the transaction already, and then there is nothing to roll back.
        let _ = connection.execute_batch("ROLLBACK");
    }
    result
}

/// Up to this one, minutes are in the sums of their hours and days.
pub(super) fn merged_batch(connection: &Connection) -> Result<u64, TrafficError> {
    connection
        .query_row("SELECT merged_batch FROM traffic_store", [], |row| row.get(0))
        .map_err(failed("read the last merged batch's number"))
}

pub(super) fn last_batch(connection: &Connection) -> Result<u64, TrafficError> {
    connection
        .query_row("SELECT last_batch FROM traffic_store", [], |row| row.get(0))
        .optional()
        .map_err(failed("read the last batch's number"))
        .map(|number| number.unwrap_or(0))
}

fn append_all(connection: &Connection, number: u64, batch: &SealedBatch) -> Result<(), TrafficError> {
    append_rows(connection, "request_shapes", batch.shapes.rows.clone())?;
    append_rows(connection, "request_rows", with_batch_number(number, &batch.requests)?)?;
    append_rows(connection, "minute_deltas", with_batch_number(number, &batch.minutes)?)?;
    append_quarantined(connection, number, batch)?;
    for source in &batch.begun {
        positions::begin(connection, source)?;
    }
    for position in &batch.forgotten {
        positions::forget(connection, position)?;
    }
    for position in &batch.positions {
        positions::set(connection, position)?;
    }
    marks::append(connection, &batch.marks)?;
    connection
        .execute("UPDATE traffic_store SET last_batch = ?, first_shape = ?", params![number, batch.shapes.first])
        .map_err(failed("count a batch"))
        .map(|_| ())
}

/// Counts that belong to no batch of rows.
pub(super) fn append_minutes(connection: &Connection, number: u64, minutes: &RecordBatch) -> Result<(), TrafficError> {
    append_rows(connection, "minute_deltas", with_batch_number(number, minutes)?)
}

fn append_rows(connection: &Connection, table: &str, rows: RecordBatch) -> Result<(), TrafficError> {
    if rows.num_rows() == 0 {
        return Ok(());
    }
    let schema = rows.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut appender = connection.appender_with_columns(table, &columns).map_err(failed("append rows"))?;
    appender.append_record_batch(rows).map_err(failed("append rows"))?;
    appender.flush().map_err(failed("append rows"))
}

fn with_batch_number(number: u64, rows: &RecordBatch) -> Result<RecordBatch, TrafficError> {
    let schema = rows.schema();
    let first = Arc::new(Field::new("batch", DataType::UInt64, false));
    let fields: Vec<_> = std::iter::once(first).chain(schema.fields().iter().cloned()).collect();
    let numbers: ArrayRef = Arc::new(UInt64Array::from_value(number, rows.num_rows()));
    let columns = std::iter::once(numbers).chain(rows.columns().iter().cloned()).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|source| TrafficError::Batch { source })
}

fn append_quarantined(connection: &Connection, number: u64, batch: &SealedBatch) -> Result<(), TrafficError> {
    if batch.quarantined.is_empty() {
        return Ok(());
    }
    let quarantining = failed("quarantine a line");
    let mut lines = connection.appender("quarantine").map_err(&quarantining)?;
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    for line in &batch.quarantined {
        let reason = line.reason.to_string();
        lines
            .append_row(params![
                number,
                line.source,
                line.inode,
                line.line_offset,
                line.line_bytes,
                reason,
                line.head.as_slice()
            ])
            .map_err(&quarantining)?;
        *counts.entry(reason).or_default() += 1;
    }
    lines.flush().map_err(&quarantining)?;
    for (reason, lines) in counts {
        connection.execute("INSERT INTO reject_counts VALUES (?, ?)", params![reason, lines]).map_err(&quarantining)?;
    }
    Ok(())
}

#[cfg(test)]
impl Writer {
    /// As if a commit's success had not been learnt of.
    pub(super) fn forget_last_batch(&mut self) {
        self.last_batch -= 1;
    }
}
