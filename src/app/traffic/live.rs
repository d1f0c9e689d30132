//! The tail of the caller's own requests, piece by piece.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::params::Reading;
use super::requests::{TrafficRequest, view};
use crate::app::{App, AppError, Caller};
use crate::traffic::Scope;

/// Requests of one piece, at most; further ones are only counted.
pub const LIVE_ROWS: u32 = 20;
/// How far back requests are looked for that became known a moment ago, and how long a tail may pause and go on.
const LOOKED_BACK_MS: i64 = 15 * 60_000;

/// Which part of the requests to follow.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TrafficLiveParams {
    /// `seal`, `grpc` or `graphql`; all if it is left out.
    #[param(required = false, nullable = false)]
    pub service: Option<String>,
    /// `mainnet` or `testnet`; both if it is left out.
    #[param(required = false, nullable = false)]
    pub network: Option<String>,
}

/// What became known since the piece before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficNews {
    /// The newest ones, newest first, at most 20.
    pub items: Vec<TrafficRequest>,
    /// Log lines beyond those.
    pub dropped: u64,
    pub requests: u64,
    /// Of the guaranteed and the burst class.
    pub billable_requests: u64,
    /// Answered with a status of 400 or more, or not at all.
    pub errors: u64,
    pub bytes_out: u64,
}

/// Where a tail goes on: after a batch of this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LivePosition(u64);

impl App {
    /// Whose tail it is.
    ///
    /// # Errors
    /// [`Code::InvalidParameter`](crate::core::error_code::Code::InvalidParameter).
    pub fn read_live(&self, caller: &Caller, params: &TrafficLiveParams) -> Result<Scope, AppError> {
        let mut reading = Reading::default();
        let scope = reading.scope(caller.customer, params.service.as_deref(), params.network.as_deref());
        reading.finish(Some(scope))
    }

    /// Where a client says that its tail was; `None` if that was in another store, or is no position.
    pub fn read_live_position(&self, text: &str) -> Option<LivePosition> {
        let (store, batch) = text.split_once('-')?;
        let is_ours = store == self.traffic.store_id();
        batch.parse().ok().filter(|_| is_ours).map(LivePosition)
    }

    /// As clients send it back.
    pub fn write_live_position(&self, position: LivePosition) -> String {
        format!("{}-{}", self.traffic.store_id(), position.0)
    }

    /// What became known after a position, and the position after it. Requests that began more than 15 minutes ago are
    /// passed over.
    ///
    /// # Errors
    /// As of every customer's query.
    pub async fn live_news(&self, scope: Scope, after: LivePosition) -> Result<(TrafficNews, LivePosition), AppError> {
        let from = self.clock.now().plus_ms(-LOOKED_BACK_MS);
        let query =
            self.run_traffic(move |traffic, interrupt| traffic.news(interrupt, &scope, after.0, from, LIVE_ROWS));
        let news = query.await?;
        let shown = u64::try_from(news.rows.len()).unwrap_or(u64::MAX);
        let view = TrafficNews {
            items: news.rows.iter().map(view).collect(),
            dropped: news.lines.saturating_sub(shown),
            requests: news.requests,
            billable_requests: news.billable_requests,
            errors: news.errors,
            bytes_out: news.bytes_out,
        };
        Ok((view, LivePosition(news.through_batch)))
    }
}
