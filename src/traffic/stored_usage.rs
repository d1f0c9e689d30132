//! Usage counted anew, from single requests: what an invoice is checked against.

use duckdb::{Row, params};

use super::relation::REQUESTS;
use super::{Traffic, TrafficError, failed};
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Service};
use crate::core::usage::HourUsage;

/// The hours of a customer as its stored requests have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUsage {
    /// Requests that began before it were dropped; hours that did tell nothing.
    pub kept_from: UtcMillis,
    /// By service and time; hours without requests are not among them.
    pub hours: Vec<HourUsage>,
}

impl Traffic {
    /// Counts a customer's requests that began from `from` until before `to`, by hour.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn stored_usage(
        &self,
        customer: CustomerId,
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<StoredUsage, TrafficError> {
        self.read(|connection| {
            let reading = failed("count the requests of an invoice");
            let kept_from: i64 = connection
                .query_row("SELECT coalesce(max(epoch_ms(dropped_before)), 0) FROM retirement", [], |row| row.get(0))
                .map_err(&reading)?;
            let mut statement = connection
                .prepare(&format!(
                    "SELECT service, epoch_ms(ts) // 3600000 * 3600000 AS hour,
                            least(sum(repeat), 9007199254740992)::UBIGINT,
                            least(coalesce(sum(repeat) FILTER (class IN (1, 2)), 0), 9007199254740992)::UBIGINT,
                            least(coalesce(sum(bytes_out) FILTER (class IN (1, 2, 7)), 0), 9007199254740992)::UBIGINT
                     FROM {REQUESTS}
                     WHERE customer_id = ? AND ts >= make_timestamp(?) AND ts < make_timestamp(?) AND class <> 8
                     GROUP BY service, hour ORDER BY service, hour",
                ))
                .map_err(&reading)?;
            let of = params![customer.get(), from.micros(), to.micros()];
            let rows = statement.query_map(of, columns).map_err(&reading)?;
            let hours = rows.map(|row| hour_usage(customer, row.map_err(&reading)?)).collect::<Result<_, _>>()?;
            Ok(StoredUsage { kept_from: UtcMillis(kept_from), hours })
        })
    }
}

type Columns = (u8, i64, u64, u64, u64);

fn columns(row: &Row<'_>) -> Result<Columns, duckdb::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

fn hour_usage(customer: CustomerId, columns: Columns) -> Result<HourUsage, TrafficError> {
    let (service, hour, requests, billable_requests, billable_bytes) = columns;
    let service = Service::from_number(service).ok_or(TrafficError::OutOfRange { what: "a service number" })?;
    Ok(HourUsage { customer, service, hour: UtcMillis(hour), requests, billable_requests, billable_bytes })
}
