//! The request explorer: single requests, filtered, page by page, and one by its id.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::cursor::{read_cursor, write_cursor};
use super::params::{Reading, TimeFields};
use crate::app::billing::usage_prices;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::chart::Chart;
use crate::core::config_global::PricePeriod;
use crate::core::error_code::Code;
use crate::core::id::Network;
use crate::core::log_line::TrafficClass;
use crate::core::request_id::RequestId;
use crate::traffic::{RequestFilter, RequestQuery, RequestRow, Scope};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
/// Bytes of a path's beginning.
const MAX_PATH_BYTES: usize = 1024;

/// Which requests, and which page of them.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TrafficRequestsParams {
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
    /// The `fingerprint` of an API key.
    #[param(required = false, nullable = false)]
    pub key: Option<String>,
    /// How the path begins, at most 1024 bytes.
    #[param(required = false, nullable = false)]
    pub path: Option<String>,
    /// A status such as `404`, a class such as `4xx`, or `none` for no answer.
    #[param(required = false, nullable = false)]
    pub status: Option<String>,
    /// How the gateway treated it, such as `guaranteed`, `burst`, `denied` or `dropped_by_rate`.
    #[param(required = false, nullable = false)]
    pub class: Option<String>,
    /// The number of the gateway's event, 0 to 255.
    #[param(required = false, nullable = false)]
    pub event: Option<String>,
    /// `next_cursor` of the page before; absent for the first.
    #[param(required = false, nullable = false)]
    pub cursor: Option<String>,
    /// Requests of the page, 1 to 200; 50 if it is left out.
    #[param(required = false, nullable = false)]
    pub limit: Option<String>,
}

/// A page of requests, newest first. It may be short, even empty, and still have a `next_cursor`: a page looks through
/// a bounded number of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficRequestPage {
    pub items: Vec<TrafficRequest>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}

/// One request, as the gateway logged it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficRequest {
    /// As in the answer's `X-Request-ID`.
    pub request_id: String,
    /// When it began.
    #[schema(format = DateTime)]
    pub at: String,
    pub service: String,
    /// Absent if the key did not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub network: Option<String>,
    /// How the gateway treated it.
    pub class: String,
    /// Whether it is charged.
    pub is_billable: bool,
    /// The gateway's event, 0 for none.
    pub event: u8,
    /// Of the key that came with it; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub key_fingerprint: Option<u32>,
    pub client_ip: String,
    /// `OTHER` for a method that is not standard.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Absent if there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<u16>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub times: TrafficTimes,
    /// How HAProxy says that it ended.
    pub termination: String,
    pub backend: String,
    pub server: String,
    /// The number of the gateway.
    pub gateway: u8,
    /// Requests that this line stands for, usually 1.
    pub repeat: u32,
}

/// One request, with what it is charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficRequestDetail {
    #[serde(flatten)]
    pub request: TrafficRequest,
    /// Absent if it is not charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub price: Option<RequestPrice>,
}

/// What requests cost in the hour that one was in. Amounts are of hours and months, not of single requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RequestPrice {
    /// Of `per_requests` requests.
    pub amount_micros: i64,
    /// The same, for people.
    pub amount: String,
    pub per_requests: u64,
}

/// The phases of a request in ms; a phase that did not happen is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficTimes {
    /// The connection's wait for this request.
    pub idle_ms: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub queue_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connect_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub response_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total_ms: Option<u32>,
}

/// The words that requests are filtered by.
#[derive(Clone, Copy)]
pub(super) struct FilterFields<'a> {
    pub time: TimeFields<'a>,
    pub service: Option<&'a str>,
    pub network: Option<&'a str>,
    pub key: Option<&'a str>,
    pub path: Option<&'a str>,
    pub status: Option<&'a str>,
    pub class: Option<&'a str>,
    pub event: Option<&'a str>,
}

/// What was asked for, checked.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub scope: Scope,
    pub chart: Chart,
    pub filter: RequestFilter,
}

impl TrafficRequestsParams {
    fn fields(&self) -> FilterFields<'_> {
        FilterFields {
            time: TimeFields { range: self.range.as_deref(), from: self.from.as_deref(), to: self.to.as_deref() },
            service: self.service.as_deref(),
            network: self.network.as_deref(),
            key: self.key.as_deref(),
            path: self.path.as_deref(),
            status: self.status.as_deref(),
            class: self.class.as_deref(),
            event: self.event.as_deref(),
        }
    }

    /// What a cursor belongs to: all but the page.
    fn asked(&self) -> String {
        format!("{:?}", Self { cursor: None, limit: None, ..self.clone() })
    }
}

impl Reading {
    pub(super) fn wanted(&mut self, caller: &Caller, app: &App, fields: FilterFields<'_>) -> Option<Wanted> {
        let FilterFields { time, service, network, key, path, status, class, event } = fields;
        let chart = self.chart(time, app.clock.now());
        let scope = self.scope(caller.customer, service, network);
        let key_fp = self.word("key", key, "a key's fingerprint, 1 to 4294967295", |text| {
            text.parse().ok().filter(|fingerprint| *fingerprint > 0)
        });
        let path_prefix = self.word("path", path, "1 to 1024 bytes, beginning with `/`", |text| {
            (text.starts_with('/') && text.len() <= MAX_PATH_BYTES).then(|| text.to_owned())
        });
        let status = self.word("status", status, "like `404`, `4xx` or `none`", read_status);
        let known = "`none`, `guaranteed`, `burst`, `denied`, `dropped_by_rate`, `dropped_per_ip`, `unavailable` or \
                     `stream_delta`";
        let class =
            self.word("class", class, known, |text| TrafficClass::from_name(text).filter(|class| class.is_counted()));
        let event = self.word("event", event, "a number from 0 to 255", |text| text.parse().ok());
        Some(Wanted { scope, chart: chart?, filter: RequestFilter { key_fp, path_prefix, status, class, event } })
    }

    pub(super) fn limit(&mut self, text: Option<&str>, default: u32, most: u32) -> u32 {
        let limit = self.word("limit", text, &format!("a number from 1 to {most}"), |text| {
            text.parse().ok().filter(|limit| (1..=most).contains(limit))
        });
        limit.unwrap_or(default)
    }
}

/// The first and the last status that are meant.
fn read_status(text: &str) -> Option<(u16, u16)> {
    if text == "none" {
        return Some((0, 0));
    }
    if let Some(hundreds) = text.strip_suffix("xx") {
        let first = hundreds.parse::<u16>().ok().filter(|hundreds| (1..=9).contains(hundreds))? * 100;
        return Some((first, first + 99));
    }
    let status = text.parse().ok().filter(|status| (100..=999).contains(status))?;
    Some((status, status))
}

impl App {
    /// A page of the caller's requests as JSON, a [`TrafficRequestPage`].
    ///
    /// # Errors
    /// [`Code::InvalidCursor`], and as of every customer's query.
    pub async fn traffic_requests(
        &self,
        caller: &Caller,
        params: &TrafficRequestsParams,
    ) -> Result<Arc<str>, AppError> {
        let mut reading = Reading::default();
        let wanted = reading.wanted(caller, self, params.fields());
        let limit = reading.limit(params.limit.as_deref(), DEFAULT_LIMIT, MAX_LIMIT);
        let Wanted { scope, chart, filter } = reading.finish(wanted)?;
        let (customer, asked) = (caller.customer, params.asked());
        let after = params.cursor.as_deref().map(|text| {
            read_cursor(customer, &asked, text).ok_or_else(|| AppError::from(Refusal::of(Code::InvalidCursor)))
        });
        let after = after.transpose()?;
        let query = RequestQuery { span: chart.span, filter, after, limit, now: self.clock.now() };
        let find = async {
            let page = self.run_traffic(move |traffic, interrupt| traffic.requests(interrupt, &scope, &query)).await?;
            Ok(TrafficRequestPage {
                items: page.rows.iter().map(view).collect(),
                next_cursor: page.next.map(|next| write_cursor(customer, &asked, next)),
            })
        };
        self.answer_traffic(caller, format!("{params:?}"), find).await
    }

    /// One of the caller's requests.
    ///
    /// # Errors
    /// [`Code::NotFound`], and as of every customer's query.
    pub async fn traffic_request(&self, caller: &Caller, id: &str) -> Result<TrafficRequestDetail, AppError> {
        let id: RequestId = id.parse().map_err(|_| Refusal::of(Code::NotFound))?;
        let scope = Scope::of(caller.customer);
        let row = self.run_traffic(move |traffic, interrupt| traffic.request(interrupt, &scope, id)).await?;
        let row = row.ok_or_else(|| Refusal::of(Code::NotFound))?;
        let price = if row.class.is_billable() { self.request_price_at(row.ts).await? } else { None };
        Ok(TrafficRequestDetail { request: view(&row), price })
    }

    /// The price that was in force when the hour of an instant began.
    async fn request_price_at(&self, at: UtcMillis) -> Result<Option<RequestPrice>, AppError> {
        let (month, known) = (Month::of(at)?, self.config_global.load().request_price());
        let prices = self.ledger.read(move |tx| usage_prices(tx, month, known)).await?;
        let period = prices.requests.iter().find(|period| (period.from..period.to).contains(&at));
        Ok(period.map(|PricePeriod { price, .. }| RequestPrice {
            amount_micros: price.amount.micros(),
            amount: price.amount.to_string(),
            per_requests: price.per,
        }))
    }
}

/// As customers see it.
pub(super) fn view(row: &RequestRow) -> TrafficRequest {
    let phase = |ms: i32| u32::try_from(ms).ok();
    TrafficRequest {
        request_id: row.id().to_string(),
        at: row.ts.to_string(),
        service: row.service.name().to_owned(),
        network: row.network.map(Network::name).map(str::to_owned),
        class: row.class.name().to_owned(),
        is_billable: row.class.is_billable(),
        event: row.event.0,
        key_fingerprint: Some(row.key_fp).filter(|fingerprint| *fingerprint != 0),
        client_ip: row.client_ip.to_canonical().to_string(),
        method: row.method.clone(),
        path: row.path.clone(),
        status: Some(row.status).filter(|status| *status != 0),
        bytes_in: row.bytes_in,
        bytes_out: row.bytes_out,
        times: TrafficTimes {
            idle_ms: row.idle_ms,
            request_ms: phase(row.times.request_ms),
            queue_ms: phase(row.times.queue_ms),
            connect_ms: phase(row.times.connect_ms),
            response_ms: phase(row.times.response_ms),
            total_ms: phase(row.times.total_ms),
        },
        termination: row.termination.clone(),
        backend: row.backend.clone(),
        server: row.server.clone(),
        gateway: row.gateway,
        repeat: row.repeat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_a_hundred_or_none() {
        for (text, expected) in [
            ("404", Some((404, 404))),
            ("4xx", Some((400, 499))),
            ("none", Some((0, 0))),
            ("0", None),
            ("0xx", None),
            ("10xx", None),
            ("-1", None),
            ("4XX", None),
            ("", None),
        ] {
            assert_eq!(read_status(text), expected, "{text}");
        }
    }
}
