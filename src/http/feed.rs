//! One overview for all who watch: gathered once when something changed, and handed to each of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::app::{App, AppError, DemoPage};
use crate::telemetry::chain;

/// At most this often; well under what an eye can follow.
const LEAST_INTERVAL: Duration = Duration::from_millis(250);
/// Without news the chart still moves.
const IDLE_INTERVAL: Duration = Duration::from_secs(5);
/// How long the ledger may take to learn of the newest rows before the page goes on without.
const METERED_WITHIN: Duration = Duration::from_secs(2);
/// Connections that may watch at once.
const MAX_WATCHERS: usize = 64;

/// The demo's page as JSON, kept current.
#[derive(Clone)]
pub struct Feed {
    current: watch::Receiver<Arc<str>>,
    pub(super) seats: Arc<Semaphore>,
}

impl Feed {
    /// Gathers the first overview and keeps it current until `stop`: after each change of `metered`, and now and then.
    ///
    /// # Errors
    /// [`AppError`] if the first overview cannot be gathered.
    pub async fn start(
        app: Arc<App>,
        page: DemoPage,
        metered: watch::Receiver<u64>,
        stop: CancellationToken,
    ) -> Result<Self, AppError> {
        let mut metered = metered;
        let first = gather(&app, &page, &mut metered).await?;
        let (sender, current) = watch::channel(first);
        tokio::spawn(stop.run_until_cancelled_owned(keep_current(app, page, metered, sender)));
        Ok(Self { current, seats: Arc::new(Semaphore::new(MAX_WATCHERS)) })
    }

    /// The newest overview, and news of newer ones.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<str>> {
        self.current.clone()
    }
}

async fn keep_current(
    app: Arc<App>,
    page: DemoPage,
    mut metered: watch::Receiver<u64>,
    sender: watch::Sender<Arc<str>>,
) {
    loop {
        tokio::time::sleep(LEAST_INTERVAL).await;
        if let Ok(Err(_)) = tokio::time::timeout(IDLE_INTERVAL, metered.changed()).await {
            return;
        }
        match gather(&app, &page, &mut metered).await {
            Ok(overview) => drop(sender.send_replace(overview)),
            Err(error) => error!(error = %chain(&error), "the demo's page cannot be gathered"),
        }
    }
}

async fn gather(app: &App, page: &DemoPage, metered: &mut watch::Receiver<u64>) -> Result<Arc<str>, AppError> {
    let counts = app.demo_counts().await?;
    let through_batch = counts.through_batch();
    // Late or never, the page shows what there is.
    let _ = tokio::time::timeout(METERED_WITHIN, metered.wait_for(|batch| *batch >= through_batch)).await;
    let overview = app.demo_overview(page, counts).await?;
    Ok(serde_json::to_string(&overview).map_err(|source| AppError::Json { source })?.into())
}
