//! The periodic manager. Tasks take no input, repeat harmlessly and do not retry: the next run is the retry.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::error;

use crate::app::{App, meter};
use crate::telemetry::chain;

/// Between two runs that news of new rows set off.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// Runs every task when rows were committed, and at least once in `interval`, until cancelled. Publishes the newest
/// batch whose usage is in the ledger.
pub async fn run(app: Arc<App>, interval: Duration, metered: watch::Sender<u64>) {
    let mut committed = app.committed.clone();
    loop {
        match meter(&app).await {
            Ok(batch) => drop(metered.send_if_modified(|last| std::mem::replace(last, batch) != batch)),
            Err(error) => error!(error = %chain(&error), "usage could not be metered"),
        }
        if let Err(error) = app.advance_due_services().await {
            error!(error = %chain(&error), "scheduled changes of services could not be made");
        }
        if let Err(error) = app.forget_what_has_ended().await {
            error!(error = %chain(&error), "ended sessions and old answers could not be forgotten");
        }
        tokio::time::sleep(LEAST_INTERVAL).await;
        // An error means that intake has stopped: then only the clock is left to wait for.
        if let Ok(Err(_)) = tokio::time::timeout(interval, committed.changed()).await {
            tokio::time::sleep(interval).await;
        }
    }
}
