//! Usage by hour, as the ledger copies it.

use duckdb::{Connection, Row, params};

use super::relation::rollup;
use super::{Traffic, TrafficError, failed, writer};
use crate::core::calendar::UtcMillis;
use crate::core::chart::Grain;
use crate::core::id::{CustomerId, Service};
use crate::core::usage::HourUsage;

/// The hours that batches after a given one touched, with their whole counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageChanges {
    /// The newest batch in these counts: where to go on from.
    pub through_batch: u64,
    pub hours: Vec<HourUsage>,
}

impl Traffic {
    /// Every (customer, service, hour) that a batch after `after_batch` changed, with all that was ever counted in it.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn usage_changed_after(&self, after_batch: u64) -> Result<UsageChanges, TrafficError> {
        self.read(|connection| {
            let through_batch = writer::last_batch(connection)?;
            let hours = if through_batch > after_batch { changed_hours(connection, after_batch)? } else { Vec::new() };
            Ok(UsageChanges { through_batch, hours })
        })
    }
}

/// An hour's counts end at 2⁵³, so that a month of them fits the ledger's integers whatever was counted.
fn changed_hours(connection: &Connection, after_batch: u64) -> Result<Vec<HourUsage>, TrafficError> {
    let reading = failed("read changed usage");
    let hours = rollup(Grain::Hour, writer::merged_batch(connection)?);
    let mut statement = connection
        .prepare(&format!(
            "WITH changed AS (
                 SELECT DISTINCT start, customer_id, service FROM {hours}
                 WHERE batch > ? AND customer_id IS NOT NULL
             )
             SELECT customer_id, service, epoch_ms(start), least(sum(requests), 9007199254740992)::UBIGINT,
                    least(coalesce(sum(requests) FILTER (class IN (1, 2)), 0), 9007199254740992)::UBIGINT,
                    least(coalesce(sum(bytes_out) FILTER (class IN (1, 2, 7)), 0), 9007199254740992)::UBIGINT
             FROM {hours} SEMI JOIN changed USING (start, customer_id, service)
             GROUP BY customer_id, service, start
             ORDER BY customer_id, service, start",
        ))
        .map_err(&reading)?;
    let rows = statement.query_map(params![after_batch], hour_columns).map_err(&reading)?;
    rows.map(|row| hour_usage(row.map_err(&reading)?)).collect()
}

type HourColumns = (u32, u8, i64, u64, u64, u64);

fn hour_columns(row: &Row<'_>) -> Result<HourColumns, duckdb::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn hour_usage(columns: HourColumns) -> Result<HourUsage, TrafficError> {
    let (customer, service, hour, requests, billable_requests, billable_bytes) = columns;
    Ok(HourUsage {
        customer: CustomerId::new(customer).ok_or(TrafficError::OutOfRange { what: "a customer number" })?,
        service: Service::from_number(service).ok_or(TrafficError::OutOfRange { what: "a service number" })?,
        hour: UtcMillis(hour),
        requests,
        billable_requests,
        billable_bytes,
    })
}
