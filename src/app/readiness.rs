//! Whether the process can do its work.

use std::sync::PoisonError;

use super::App;
use crate::core::source::SourceState;
use crate::ledger::customer::list_customers;

/// What hinders the process; nothing if it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readiness {
    pub hindrances: Vec<String>,
}

/// Asks both stores and intake. A log that does not exist yet is no hindrance: it is waited for.
pub async fn check_readiness(app: &App) -> Readiness {
    let mut hindrances = Vec::new();
    if app.ledger.read(|tx| list_customers(tx, None, 1)).await.is_err() {
        hindrances.push("the ledger does not answer".to_owned());
    }
    if app.query_traffic(|traffic| traffic.file_positions("")).await.is_err() {
        hindrances.push("the traffic store does not answer".to_owned());
    }
    if app.committed.has_changed().is_err() {
        hindrances.push("intake has stopped".to_owned());
    }
    if app.committed.borrow().stalled {
        hindrances.push("rows cannot be stored: the log says why, and no line is lost".to_owned());
    }
    if let SourceState::Unreadable(reason) = &*app.source.lock().unwrap_or_else(PoisonError::into_inner) {
        hindrances.push(format!("the log cannot be read: {reason}"));
    }
    Readiness { hindrances }
}
