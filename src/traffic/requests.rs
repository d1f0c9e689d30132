//! Single requests of one customer: page by page, newest first, and one by its id.

use std::net::Ipv6Addr;

use duckdb::Row;
use duckdb::types::Value;

use super::interrupt::{Interrupt, Reader};
use super::relation::Relation;
use super::scope::{Mine, Scope};
use super::window::{self, Told};
use super::{Traffic, TrafficError};
use crate::core::calendar::UtcMillis;
use crate::core::chart::Span;
use crate::core::id::{Network, Service};
use crate::core::log_line::{Event, PhaseTimes, TrafficClass};
use crate::core::request_id::RequestId;

/// Requests that one page looks through, at most, when it filters by what rollups do not know.
const LOOKED_THROUGH: u64 = 200_000;
/// How long a connection may have idled before a request, for the request to be found by its id.
const MAX_IDLE_MS: i64 = 3_600_000;

/// One request, as it was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// The batch that brought it.
    pub batch: u64,
    /// When it began.
    pub ts: UtcMillis,
    pub idle_ms: u32,
    pub gateway: u8,
    pub pid: u32,
    pub log_counter: u64,
    pub request_counter: u64,
    pub service: Service,
    pub network: Option<Network>,
    pub class: TrafficClass,
    pub event: Event,
    pub key_fp: u32,
    /// IPv4 addresses are mapped into IPv6.
    pub client_ip: Ipv6Addr,
    pub client_port: u16,
    pub listener_port: u16,
    /// `OTHER` for a method that is not standard.
    pub method: String,
    pub path: String,
    /// 0: no response.
    pub status: u16,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub times: PhaseTimes,
    pub termination: String,
    pub backend: String,
    pub server: String,
    pub repeat: u32,
}

impl RequestRow {
    /// Its id, which the backend got as `X-Request-ID`.
    pub fn id(&self) -> RequestId {
        RequestId {
            accepted: self.ts.plus_ms(-i64::from(self.idle_ms)),
            gateway: self.gateway,
            pid: self.pid,
            request_counter: self.request_counter,
            client_port: self.client_port,
        }
    }
}

/// Which requests to show; what is `None` is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RequestFilter {
    pub key_fp: Option<u32>,
    pub path_prefix: Option<String>,
    /// From the first to the last.
    pub status: Option<(u16, u16)>,
    pub class: Option<TrafficClass>,
    pub event: Option<u8>,
}

/// Where a page ended: requests up to here, newest first, have been shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub ts: UtcMillis,
    pub request_counter: u64,
    pub pid: u32,
    pub gateway: u8,
    pub log_counter: u64,
    /// Of those that are alike in all of these, how many have been shown.
    pub shown: u32,
}

/// Which page of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestQuery {
    pub span: Span,
    pub filter: RequestFilter,
    /// `None` for the first page.
    pub after: Option<Position>,
    pub limit: u32,
    /// The present, for how far back counts by minute are known.
    pub now: UtcMillis,
}

/// A page, newest first. It may be short, even empty, with more to come after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPage {
    pub rows: Vec<RequestRow>,
    /// `None` if there is nothing more.
    pub next: Option<Position>,
}

impl Traffic {
    /// A page of a customer's requests.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read or the read was interrupted.
    pub fn requests(
        &self,
        interrupt: &Interrupt,
        scope: &Scope,
        query: &RequestQuery,
    ) -> Result<RequestPage, TrafficError> {
        self.read_until(interrupt, |reader| page(reader, scope, query))
    }

    /// The request with an id, or `None` if the customer has none with it. If several lines tell of it, the first.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read or the read was interrupted.
    pub fn request(
        &self,
        interrupt: &Interrupt,
        scope: &Scope,
        id: RequestId,
    ) -> Result<Option<RequestRow>, TrafficError> {
        let span = Span { from: id.accepted, to: id.accepted.plus_ms(MAX_IDLE_MS + 1) };
        self.read_until(interrupt, |reader| {
            let rows = scope
                .rows(Relation::Requests, span)
                .and("request_counter = ?", [Value::UBigInt(id.request_counter)])
                .and("pid = ?", [Value::UInt(id.pid)])
                .and("gateway = ?", [Value::UTinyInt(id.gateway)])
                .and("client_port = ?", [Value::USmallInt(id.client_port)]);
            let rows = read(reader, rows, OLDEST, [])?;
            Ok(rows.into_iter().find(|row| row.id() == id))
        })
    }
}

fn page(reader: &Reader<'_>, scope: &Scope, query: &RequestQuery) -> Result<RequestPage, TrafficError> {
    let RequestQuery { span, ref filter, after, limit, now } = *query;
    let begin = after.map_or(span.to, |after| after.ts.plus_ms(1));
    let span = span.within(Span { from: span.from, to: begin });
    let shown = after.map_or(0, |after| after.shown);
    let more = u64::from(limit) + 1;
    let wanted = if filter.is_told_by_rollups() { more + u64::from(shown) } else { LOOKED_THROUGH };
    let Some(window) = window::newest(reader, scope, filter.told(), span, wanted, now)? else {
        return Ok(RequestPage { rows: Vec::new(), next: None });
    };
    let rows = filter.narrow(scope.rows(Relation::Requests, window.span));
    let up_to = after.map(|after| {
        let Position { ts, request_counter, pid, gateway, log_counter, .. } = after;
        [
            Value::BigInt(ts.micros()),
            Value::UBigInt(request_counter),
            Value::UInt(pid),
            Value::UTinyInt(gateway),
            Value::UBigInt(log_counter),
        ]
    });
    let rows = rows.and(
        "(ts, request_counter, pid, gateway, log_counter) <= (make_timestamp(?), ?, ?, ?, ?)",
        up_to.into_iter().flatten(),
    );
    let mut rows = read(reader, rows, NEWEST, [Value::UBigInt(more), Value::UInt(shown)])?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = if rows.len() > limit {
        rows.truncate(limit);
        position_after(&rows, after)
    } else {
        (!window.is_all).then(|| before(window.span.from))
    };
    Ok(RequestPage { rows, next })
}

/// Where requests before an instant begin.
fn before(instant: UtcMillis) -> Position {
    Position {
        ts: instant.plus_ms(-1),
        request_counter: u64::MAX,
        pid: u32::MAX,
        gateway: u8::MAX,
        log_counter: u64::MAX,
        shown: 0,
    }
}

fn position_after(rows: &[RequestRow], after: Option<Position>) -> Option<Position> {
    let last = position(rows.last()?);
    let alike = rows.iter().rev().take_while(|row| position(row) == last).count();
    let earlier = after.filter(|after| Position { shown: 0, ..*after } == last).map_or(0, |after| after.shown);
    Some(Position { shown: u32::try_from(alike).unwrap_or(u32::MAX).saturating_add(earlier), ..last })
}

fn position(row: &RequestRow) -> Position {
    let RequestRow { ts, request_counter, pid, gateway, log_counter, .. } = *row;
    Position { ts, request_counter, pid, gateway, log_counter, shown: 0 }
}

impl RequestFilter {
    /// Whether rollups count exactly the requests that this is about.
    fn is_told_by_rollups(&self) -> bool {
        let Self { key_fp, path_prefix, status, class: _, event } = self;
        key_fp.is_none() && path_prefix.is_none() && event.is_none() && (status.is_none() || self.hundreds().is_some())
    }

    pub(super) fn told(&self) -> Told {
        let status_class = self.status.and_then(|(first, last)| (first / 100 == last / 100).then_some(first / 100));
        Told { class: self.class, status_class: status_class.and_then(|class| u8::try_from(class).ok()) }
    }

    /// The status class, if the filter is one.
    fn hundreds(&self) -> Option<u16> {
        let (first, last) = self.status?;
        (first % 100 == 0 && last == first + 99).then_some(first / 100)
    }

    pub(super) fn narrow(&self, rows: Mine) -> Mine {
        let status = self.status.map(|(first, last)| [Value::USmallInt(first), Value::USmallInt(last)]);
        rows.and("key_fp = ?", self.key_fp.map(Value::UInt))
            .and("starts_with(path, ?)", self.path_prefix.clone().map(Value::Text))
            .and("status >= ? AND status <= ?", status.into_iter().flatten())
            .and("class = ?", self.class.map(|class| Value::UTinyInt(class.number())))
            .and("event = ?", self.event.map(Value::UTinyInt))
    }
}

macro_rules! request_columns {
    ($of:literal) => {
        concat!(
            "SELECT batch, epoch_ms(ts), idle_ms, gateway, pid, log_counter, request_counter, service, network, class,
                    event, key_fp, client_ip_high, client_ip_low, client_port, listener_port, method, path, status,
                    bytes_in, bytes_out, time_request_ms, time_queue_ms, time_connect_ms, time_response_ms,
                    time_total_ms, termination, backend, server, repeat
             FROM mine ",
            $of
        )
    };
}

const NEWEST: &str = request_columns!(
    "ORDER BY ts DESC, request_counter DESC, pid DESC, gateway DESC, log_counter DESC LIMIT ? OFFSET ?"
);

/// An id is that of one request, so only the lines of a stream can be many.
const OLDEST: &str = request_columns!("ORDER BY ts LIMIT 100");

/// What became known last, newest first.
pub(super) fn newest_known(reader: &Reader<'_>, rows: Mine, limit: u32) -> Result<Vec<RequestRow>, TrafficError> {
    read(reader, rows, NEWEST_KNOWN, [Value::UInt(limit)])
}

const NEWEST_KNOWN: &str = request_columns!("ORDER BY batch DESC, ts DESC LIMIT ?");

fn read(
    reader: &Reader<'_>,
    rows: Mine,
    select: &'static str,
    more: impl IntoIterator<Item = Value>,
) -> Result<Vec<RequestRow>, TrafficError> {
    let columns = rows.query(reader, "read requests", select, more, request)?;
    columns.into_iter().collect()
}

type Checked = Result<RequestRow, TrafficError>;

fn request(row: &Row<'_>) -> Result<Checked, duckdb::Error> {
    let (service, network, class) = (row.get(7)?, row.get::<_, Option<u8>>(8)?, row.get(9)?);
    let (Some(service), Some(class)) = (Service::from_number(service), TrafficClass::from_number(class)) else {
        return Ok(Err(TrafficError::OutOfRange { what: "a service or class" }));
    };
    let (high, low): (u64, u64) = (row.get(12)?, row.get(13)?);
    Ok(Ok(RequestRow {
        batch: row.get(0)?,
        ts: UtcMillis(row.get(1)?),
        idle_ms: row.get(2)?,
        gateway: row.get(3)?,
        pid: row.get(4)?,
        log_counter: row.get(5)?,
        request_counter: row.get(6)?,
        service,
        network: network.and_then(Network::from_number),
        class,
        event: Event(row.get(10)?),
        key_fp: row.get(11)?,
        client_ip: Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)),
        client_port: row.get(14)?,
        listener_port: row.get(15)?,
        method: row.get(16)?,
        path: row.get(17)?,
        status: row.get(18)?,
        bytes_in: row.get(19)?,
        bytes_out: row.get(20)?,
        times: PhaseTimes {
            request_ms: row.get(21)?,
            queue_ms: row.get(22)?,
            connect_ms: row.get(23)?,
            response_ms: row.get(24)?,
            total_ms: row.get(25)?,
        },
        termination: row.get(26)?,
        backend: row.get(27)?,
        server: row.get(28)?,
        repeat: row.get(29)?,
    }))
}
