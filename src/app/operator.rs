//! What only operators may ask of the store of requests, beside a running process or without one.

use std::time::Duration;

use super::AppError;
use super::run_within::run_within;
use crate::traffic::{Interrupt, SqlAnswer, Traffic, TrafficError, VerifyReport};

/// Runs one `SELECT` and gives at most `max_rows` of what it finds.
///
/// # Errors
/// [`AppError::Traffic`]: it is no query, DuckDB refuses it, or it took longer than `within` and was ended.
pub async fn ask_sql(traffic: &Traffic, sql: String, max_rows: usize, within: Duration) -> Result<SqlAnswer, AppError> {
    let query = move |traffic: &Traffic, interrupt: &Interrupt| traffic.sql(interrupt, &sql, max_rows);
    let answer = run_within(traffic.clone(), within, query).await?;
    let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    Ok(answer.ok_or(TrafficError::TookTooLong { within_ms })?)
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
