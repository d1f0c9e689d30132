//! Which API keys are in use.

use duckdb::{Row, params};

use super::relation::REQUESTS;
use super::{Traffic, TrafficError, failed};
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Service};

/// The requests that came with one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// As in log lines; two keys of a customer share one with a chance of 2⁻³².
    pub fingerprint: u32,
    /// When the newest request began.
    pub last_used: UtcMillis,
    pub requests: u64,
}

impl Traffic {
    /// The keys of a customer's service that were used since `from`, with their requests since `count_from`; by
    /// fingerprint.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn key_use(
        &self,
        customer: CustomerId,
        service: Service,
        from: UtcMillis,
        count_from: UtcMillis,
    ) -> Result<Vec<KeyUse>, TrafficError> {
        self.read(|connection| {
            let reading = failed("read the use of keys");
            let mut statement = connection
                .prepare(&format!(
                    "SELECT key_fp, epoch_ms(max(ts)),
                            coalesce(sum(repeat) FILTER (ts >= make_timestamp(?)), 0)::UBIGINT
                     FROM {REQUESTS}
                     WHERE customer_id = ? AND service = ? AND ts >= make_timestamp(?) AND class <> 8
                     GROUP BY key_fp ORDER BY key_fp",
                ))
                .map_err(&reading)?;
            let of = params![count_from.micros(), customer.get(), service.number(), from.micros()];
            let rows = statement.query_map(of, key_use).map_err(&reading)?;
            rows.collect::<Result<_, _>>().map_err(&reading)
        })
    }
}

fn key_use(row: &Row<'_>) -> Result<KeyUse, duckdb::Error> {
    Ok(KeyUse { fingerprint: row.get(0)?, last_used: UtcMillis(row.get(1)?), requests: row.get(2)? })
}
