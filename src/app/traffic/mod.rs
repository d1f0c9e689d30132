//! What customers see of their requests. Every query runs for one [`Scope`](crate::traffic::Scope), beside few others,
//! for a bounded time, and its answer is given again for a moment to everybody who asks the same.

mod charts;
mod cursor;
mod export;
mod export_file;
mod live;
mod params;
mod requests;
mod tops;

pub use charts::{TrafficFigures, TrafficLine, TrafficPercentiles, TrafficSeries, TrafficSeriesParams, TrafficSummary};
pub use export::{EXPORT_ROWS, Export, TrafficExportParams};
pub use export_file::{ExportFileError, ExportFormat};
pub use live::{LivePosition, TrafficLiveParams, TrafficNews};
pub use params::TrafficChartParams;
pub use requests::{
    RequestPrice, TrafficRequest, TrafficRequestDetail, TrafficRequestPage, TrafficRequestsParams, TrafficTimes,
};
pub use tops::{TrafficGateway, TrafficGateways, TrafficTop, TrafficTops, TrafficTopsParams};

pub use crate::traffic::Scope as TrafficScope;

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::app::run_within::run_within;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::error_code::Code;
use crate::core::id::CustomerId;
use crate::traffic::{Interrupt, Traffic, TrafficError};

/// Queries of customers that run at once: each has a thread of the store and its memory.
const QUERIES_AT_ONCE: usize = 4;
/// For how long a query may wait for others to end.
const WAIT_WITHIN: Duration = Duration::from_secs(2);
/// For how long a query may run.
const QUERY_WITHIN: Duration = Duration::from_secs(5);
/// Seconds after which a query that was refused may be tried again.
const RETRY_AFTER_S: u64 = 5;
/// For how long an answer is given again, unless a batch is committed: times pass also without requests.
const FRESH_MS: i64 = 1_000;
/// Answers that are kept, at most; a chart is a few kilobytes.
const ANSWERS: usize = 512;

/// Whose answer it is, the moment in units of [`FRESH_MS`], the newest batch that it has in it, and what was asked.
type AnswerKey = (CustomerId, i64, u64, String);

/// What bounds customers' queries.
pub struct TrafficQueries {
    seats: Arc<Semaphore>,
    answers: Cache<AnswerKey, Arc<str>>,
}

impl Default for TrafficQueries {
    fn default() -> Self {
        Self { seats: Arc::new(Semaphore::new(QUERIES_AT_ONCE)), answers: Cache::new(ANSWERS) }
    }
}

impl App {
    /// The answer to `asked` as JSON: a fresh one that is kept, or the one that `find` gives, which is run once for all
    /// who wait for it.
    async fn answer_traffic<T: Serialize>(
        &self,
        caller: &Caller,
        asked: String,
        find: impl Future<Output = Result<T, AppError>>,
    ) -> Result<Arc<str>, AppError> {
        let moment = self.clock.now().0.div_euclid(FRESH_MS);
        // Whoever is told of a batch and asks for its numbers must not get those of before.
        let batch = self.committed.borrow().batch;
        let key = (caller.customer, moment, batch, asked);
        let write = async {
            let view = find.await?;
            Ok(serde_json::to_string(&view).map_err(|source| AppError::Json { source })?.into())
        };
        self.traffic_queries.answers.get_or_insert_async(&key, write).await
    }

    /// Runs a customer's query within the bounds.
    ///
    /// # Errors
    /// [`Code::QueriesBusy`], [`Code::QueryTimeout`], [`AppError::Traffic`].
    async fn run_traffic<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Traffic, &Interrupt) -> Result<T, TrafficError> + Send + 'static,
    ) -> Result<T, AppError> {
        let seats = Arc::clone(&self.traffic_queries.seats);
        let Ok(Ok(seat)) = timeout(WAIT_WITHIN, seats.acquire_owned()).await else {
            return Err(Refusal::of(Code::QueriesBusy).retry_after(RETRY_AFTER_S).into());
        };
        let query = move |traffic: &Traffic, interrupt: &Interrupt| {
            let result = query(traffic, interrupt);
            // Whoever does not wait any longer must not make room for another one while this still runs.
            drop(seat);
            result
        };
        let answer = run_within(self.traffic.clone(), QUERY_WITHIN, query).await?;
        Ok(answer.ok_or_else(|| {
            let detail = format!("a query may take {} s: ask for less time", QUERY_WITHIN.as_secs());
            Refusal::new(Code::QueryTimeout, detail).retry_after(RETRY_AFTER_S)
        })?)
    }
}
