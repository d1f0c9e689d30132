//! What only operators may ask of the store of requests, beside a running process or without one.

use std::time::Duration;

use super::AppError;
use crate::traffic::{Interrupt, SqlAnswer, Traffic, TrafficError, VerifyReport};

/// Between attempts to end a query that has had its time.
const FIRE_AGAIN: Duration = Duration::from_millis(50);

/// Runs one `SELECT` and gives at most `max_rows` of what it finds.
///
/// # Errors
/// [`AppError::Traffic`]: it is no query, DuckDB refuses it, or it was interrupted because it took longer than `within`.
pub async fn ask_sql(traffic: &Traffic, sql: String, max_rows: usize, within: Duration) -> Result<SqlAnswer, AppError> {
    let (traffic, interrupt) = (traffic.clone(), Interrupt::default());
    let firing = interrupt.clone();
    let mut task = tokio::task::spawn_blocking(move || traffic.sql(&interrupt, &sql, max_rows));
    let mut waited = tokio::time::timeout(within, &mut task).await;
    while waited.is_err() {
        firing.fire();
        waited = tokio::time::timeout(FIRE_AGAIN, &mut task).await;
    }
    let answer = waited.map_err(|_| AppError::Panicked)?.map_err(|_| AppError::Panicked)?;
    answer.map_err(|error| match error.is_interrupted() {
        true => TrafficError::TookTooLong { within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX) }.into(),
        false => error.into(),
    })
}

/// Checks every sealed file, and all requests against the rollups.
///
/// # Errors
/// [`AppError::Traffic`] if the store cannot be read.
pub async fn verify_traffic(traffic: &Traffic) -> Result<VerifyReport, AppError> {
    let traffic = traffic.clone();
    let verified = tokio::task::spawn_blocking(move || traffic.verify()).await;
    Ok(verified.map_err(|_| AppError::Panicked)??)
}
