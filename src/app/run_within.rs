//! Queries of the traffic store that are ended when they take too long, or when nobody waits for them any more.

use std::time::Duration;

use tokio::time::timeout;

use super::AppError;
use crate::traffic::{Interrupt, Traffic, TrafficError};

/// After a query has had its time, how soon it is told to end once more.
const FIRE_AGAIN: Duration = Duration::from_millis(50);

/// Nobody waits for a query whose request is gone.
struct FireOnDrop(Interrupt);

impl Drop for FireOnDrop {
    fn drop(&mut self) {
        self.0.fire();
    }
}

/// Runs a query where it may block. `None` if it took longer than `within`; then it has ended.
///
/// # Errors
/// [`AppError::Traffic`], [`AppError::Panicked`].
pub(super) async fn run_within<T: Send + 'static>(
    traffic: Traffic,
    within: Duration,
    query: impl FnOnce(&Traffic, &Interrupt) -> Result<T, TrafficError> + Send + 'static,
) -> Result<Option<T>, AppError> {
    let interrupt = Interrupt::default();
    let guard = FireOnDrop(interrupt.clone());
    let mut task = tokio::task::spawn_blocking(move || query(&traffic, &interrupt));
    if let Ok(result) = timeout(within, &mut task).await {
        return Ok(Some(result.map_err(|_| AppError::Panicked)??));
    }
    loop {
        guard.0.fire();
        if timeout(FIRE_AGAIN, &mut task).await.is_ok() {
            return Ok(None);
        }
    }
}
