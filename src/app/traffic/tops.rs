//! What requests have most in common, and the gateways that they came through.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::params::{Reading, TimeFields, TrafficChartParams};
use crate::app::{App, AppError, Caller};
use crate::traffic::{Common, GatewayShare, Top, TopItem};

const DEFAULT_LIMIT: u32 = 10;
const MAX_LIMIT: u32 = 100;

/// A stretch of time, and what to count in it.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TrafficTopsParams {
    /// `paths`, `keys`, `client_ips` or `statuses`; `paths` if it is left out.
    #[param(required = false, nullable = false)]
    pub of: Option<String>,
    /// How many, 1 to 100; 10 if it is left out.
    #[param(required = false, nullable = false)]
    pub limit: Option<String>,
    /// `1h`, `24h`, `7d`, `30d` or `90d`, up to now; `24h` if neither this nor `from` is given.
    #[param(required = false, nullable = false)]
    pub range: Option<String>,
    /// The beginning, RFC 3339, instead of a range.
    #[param(required = false, nullable = false)]
    pub from: Option<String>,
    /// The end, RFC 3339, without it; now if it is left out. At most 400 days after `from`.
    #[param(required = false, nullable = false)]
    pub to: Option<String>,
    /// `seal`, `grpc` or `graphql`; all if it is left out.
    #[param(required = false, nullable = false)]
    pub service: Option<String>,
    /// `mainnet` or `testnet`; both if it is left out.
    #[param(required = false, nullable = false)]
    pub network: Option<String>,
}

/// The most frequent ones, by falling number of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficTops {
    /// Since when requests were counted: later than what was asked for if there were more than about a million.
    #[schema(format = DateTime)]
    pub counted_from: String,
    #[schema(format = DateTime)]
    pub counted_to: String,
    pub items: Vec<TrafficTop>,
}

/// Requests that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficTop {
    /// The path, the fingerprint of the key (0 without one), the address, or the status (0 without an answer).
    pub value: String,
    pub requests: u64,
    /// Answered with a status of 400 or more, or not at all.
    pub errors: u64,
    pub bytes_out: u64,
}

/// Requests by gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficGateways {
    /// Since when requests were counted: later than what was asked for if there were more than about a million.
    #[schema(format = DateTime)]
    pub counted_from: String,
    #[schema(format = DateTime)]
    pub counted_to: String,
    pub items: Vec<TrafficGateway>,
}

/// What came through one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficGateway {
    /// Its number.
    pub gateway: u8,
    pub requests: u64,
    /// Of the guaranteed and the burst class.
    pub billable_requests: u64,
    /// Answered with a status of 400 or more, or not at all.
    pub errors: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// When the newest request began.
    #[schema(format = DateTime)]
    pub last_request_at: String,
}

fn top_from_name(name: &str) -> Option<Top> {
    match name {
        "paths" => Some(Top::Path),
        "keys" => Some(Top::Key),
        "client_ips" => Some(Top::ClientIp),
        "statuses" => Some(Top::Status),
        _ => None,
    }
}

impl App {
    /// What the caller's requests have most in common, as JSON, a [`TrafficTops`].
    ///
    /// # Errors
    /// As of every customer's query.
    pub async fn traffic_tops(&self, caller: &Caller, params: &TrafficTopsParams) -> Result<Arc<str>, AppError> {
        let now = self.clock.now();
        let mut reading = Reading::default();
        let of = params.of.as_deref().or(Some("paths"));
        let of = reading.word("of", of, "`paths`, `keys`, `client_ips` or `statuses`", top_from_name);
        let limit = reading.limit(params.limit.as_deref(), DEFAULT_LIMIT, MAX_LIMIT);
        let time =
            TimeFields { range: params.range.as_deref(), from: params.from.as_deref(), to: params.to.as_deref() };
        let chart = reading.chart(time, now);
        let scope = reading.scope(caller.customer, params.service.as_deref(), params.network.as_deref());
        let (of, chart) = reading.finish(of.zip(chart))?;
        let find = async {
            let query =
                self.run_traffic(move |traffic, interrupt| traffic.tops(interrupt, &scope, chart.span, of, limit, now));
            let tops = query.await?;
            Ok(TrafficTops {
                counted_from: tops.counted.from.to_string(),
                counted_to: tops.counted.to.to_string(),
                items: tops.items.into_iter().map(top).collect(),
            })
        };
        self.answer_traffic(caller, format!("tops {of:?} {limit} {scope:?} {chart:?}"), find).await
    }

    /// The caller's requests by gateway as JSON, a [`TrafficGateways`].
    ///
    /// # Errors
    /// As of every customer's query.
    pub async fn traffic_gateways(&self, caller: &Caller, params: &TrafficChartParams) -> Result<Arc<str>, AppError> {
        let now = self.clock.now();
        let (scope, chart) = params.read(caller.customer, now)?;
        let find = async {
            let query =
                self.run_traffic(move |traffic, interrupt| traffic.gateways(interrupt, &scope, chart.span, now));
            let shares = query.await?;
            Ok(TrafficGateways {
                counted_from: shares.counted.from.to_string(),
                counted_to: shares.counted.to.to_string(),
                items: shares.items.iter().map(gateway).collect(),
            })
        };
        self.answer_traffic(caller, format!("gateways {scope:?} {chart:?}"), find).await
    }
}

fn top(item: TopItem) -> TrafficTop {
    let TopItem { common, requests, errors, bytes_out } = item;
    let value = match common {
        Common::Path(path) => path,
        Common::Key(fingerprint) => fingerprint.to_string(),
        Common::ClientIp(address) => address.to_canonical().to_string(),
        Common::Status(status) => status.to_string(),
    };
    TrafficTop { value, requests, errors, bytes_out }
}

fn gateway(share: &GatewayShare) -> TrafficGateway {
    let GatewayShare { gateway, requests, billable_requests, errors, bytes_in, bytes_out, last } = *share;
    let last_request_at = last.to_string();
    TrafficGateway { gateway, requests, billable_requests, errors, bytes_in, bytes_out, last_request_at }
}
