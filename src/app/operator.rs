//! What only operators may ask of the store of requests, beside a running process or without one.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::run_within::run_within;
use super::{App, AppError};
use crate::core::calendar::{DAY_MS, UtcMillis};
use crate::core::source::SourceStatus;
use crate::traffic::{Interrupt, SqlAnswer, StoreSize, Traffic, TrafficError, VerifyReport};

/// How the counting of requests fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficStatus {
    /// `None` if no process reads.
    pub intake: Option<IntakeStatus>,
    /// Rows that were ever counted.
    pub rows: u64,
    /// Lines that could not be parsed, ever, by reason.
    pub rejects: BTreeMap<String, u64>,
    /// Of the last 24 hours, by gateway.
    pub gateways: Vec<GatewayLines>,
    /// Lines of the last 24 hours that came twice and were counted once.
    pub duplicates: u64,
    pub size: StoreSize,
}

/// The running process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeStatus {
    pub sources: Vec<SourceStatus>,
    /// Whether the newest rows cannot be stored at present.
    pub is_stalled: bool,
    /// Between the end of the newest request and its row.
    pub line_to_row_ms: Option<u64>,
}

/// Lines of one gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayLines {
    pub gateway: u8,
    pub received: u64,
    /// HAProxy has written them and they never came.
    pub lost: u64,
}

impl App {
    /// How the counting of requests fares.
    ///
    /// # Errors
    /// [`AppError::Traffic`] if the store cannot be read.
    pub async fn traffic_status(&self) -> Result<TrafficStatus, AppError> {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let committed = *self.committed.borrow();
        let intake = IntakeStatus { sources, is_stalled: committed.stalled, line_to_row_ms: committed.line_to_row_ms };
        let now = self.clock.now();
        self.query_traffic(move |traffic| traffic_status(traffic, Some(intake), now)).await
    }
}

/// As [`App::traffic_status`], of a store that no process has unless `intake` is of it. Blocks.
///
/// # Errors
/// [`TrafficError`] if the store cannot be read.
pub fn traffic_status(
    traffic: &Traffic,
    intake: Option<IntakeStatus>,
    now: UtcMillis,
) -> Result<TrafficStatus, TrafficError> {
    let (from, to) = (now.plus_ms(-DAY_MS), now.plus_ms(1));
    let mut gateways: Vec<GatewayLines> = Vec::new();
    for hour in traffic.lines_by_hour(from, to)? {
        match gateways.last_mut().filter(|last| last.gateway == hour.gateway) {
            Some(last) => {
                last.received += hour.received;
                last.lost += hour.lost;
            }
            None => {
                gateways.push(GatewayLines { gateway: hour.gateway, received: hour.received, lost: hour.lost });
            }
        }
    }
    Ok(TrafficStatus {
        intake,
        rows: traffic.line_counts()?.0,
        rejects: traffic.rejects_by_reason()?.into_iter().collect(),
        gateways,
        duplicates: traffic.duplicates(from, to)?,
        size: traffic.size()?,
    })
}

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
