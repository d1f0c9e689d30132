//! Whether the process can do its work.

use std::sync::PoisonError;

use tracing::warn;

use super::App;
use crate::core::calendar::UtcMillis;
use crate::core::source::first_hindrance;
use crate::ledger::customer::list_customers;

/// For how long an answer is given again: anybody may ask, and asking costs two queries.
const FRESH_MS: i64 = 1_000;

/// What hinders the process, in words that anybody may read; nothing if it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readiness {
    pub hindrances: Vec<&'static str>,
}

/// The newest answer, and when it was found. Those who ask meanwhile wait for it.
pub type KeptReadiness = tokio::sync::Mutex<Option<(UtcMillis, Readiness)>>;

/// Asks both stores and intake, once a second at most. A log that does not exist yet is no hindrance: it is waited for.
pub async fn check_readiness(app: &App) -> Readiness {
    let mut kept = app.readiness.lock().await;
    let now = app.clock.now();
    if let Some((at, readiness)) = &*kept
        && (0..FRESH_MS).contains(&now.0.saturating_sub(at.0))
    {
        return readiness.clone();
    }
    let readiness = ask(app).await;
    let before = kept.replace((now, readiness.clone()));
    let before = before.map(|(_, before)| before).unwrap_or_default();
    if before != readiness {
        warn!(before = %before.hindrances.join("; "), hindrances = %readiness.hindrances.join("; "), "readiness has changed");
    }
    readiness
}

async fn ask(app: &App) -> Readiness {
    let mut hindrances = Vec::new();
    if app.ledger.read(|tx| list_customers(tx, None, 1)).await.is_err() {
        hindrances.push("the ledger does not answer");
    }
    if app.query_traffic(|traffic| traffic.file_positions("")).await.is_err() {
        hindrances.push("the traffic store does not answer");
    }
    if app.committed.has_changed().is_err() {
        hindrances.push("intake has stopped");
    }
    if app.committed.borrow().stalled {
        hindrances.push("rows cannot be stored: the log says why, and no line is lost");
    }
    if let Some(reason) = first_hindrance(&app.sources.lock().unwrap_or_else(PoisonError::into_inner)) {
        warn!(reason, "not ready: the log cannot be read");
        hindrances.push("the log cannot be read: the program's own log says why");
    }
    Readiness { hindrances }
}
