//! What a customer's newest requests have most in common, and which gateways they came through.

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

/// Requests that are counted, about and at most: the newest ones of the stretch of time.
pub const COUNTED_REQUESTS: u64 = 1_000_000;

/// By what requests are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Top {
    Path,
    Key,
    ClientIp,
    Status,
}

/// What several requests have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Common {
    Path(String),
    /// The fingerprint of the key.
    Key(u32),
    /// IPv4 addresses are mapped into IPv6.
    ClientIp(Ipv6Addr),
    /// 0: no response.
    Status(u16),
}

/// Requests with something in common. Counts end at 2⁵³ − 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopItem {
    pub common: Common,
    pub requests: u64,
    /// Answered with a status of 400 or more, or not at all.
    pub errors: u64,
    pub bytes_out: u64,
}

/// Requests that came through one gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayShare {
    pub gateway: u8,
    pub requests: u64,
    /// Of the guaranteed and the burst class.
    pub billable_requests: u64,
    /// Answered with a status of 400 or more, or not at all.
    pub errors: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// When the newest of them began.
    pub last: UtcMillis,
}

/// Something that was counted, and where: since `counted.from`, which is later than what was asked for if there were
/// more than [`COUNTED_REQUESTS`] requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted<T> {
    pub counted: Span,
    pub items: Vec<T>,
}

impl Traffic {
    /// The `limit` most frequent ones, by falling number of requests.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read or the read was interrupted.
    pub fn tops(
        &self,
        interrupt: &Interrupt,
        scope: &Scope,
        span: Span,
        of: Top,
        limit: u32,
        now: UtcMillis,
    ) -> Result<Counted<TopItem>, TrafficError> {
        self.read_until(interrupt, |reader| {
            count(reader, scope, span, now, |rows| {
                rows.query(reader, "count what is most frequent", select(of), [Value::UInt(limit)], item(of))
            })
        })
    }

    /// By number of the gateway.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read or the read was interrupted.
    pub fn gateways(
        &self,
        interrupt: &Interrupt,
        scope: &Scope,
        span: Span,
        now: UtcMillis,
    ) -> Result<Counted<GatewayShare>, TrafficError> {
        self.read_until(interrupt, |reader| {
            count(reader, scope, span, now, |rows| {
                rows.query(reader, "count requests by gateway", GATEWAYS, [], gateway)
            })
        })
    }
}

fn count<T>(
    reader: &Reader<'_>,
    scope: &Scope,
    span: Span,
    now: UtcMillis,
    query: impl FnOnce(Mine) -> Result<Vec<T>, TrafficError>,
) -> Result<Counted<T>, TrafficError> {
    let window = window::newest(reader, scope, Told::default(), span, COUNTED_REQUESTS, now)?;
    let Some(window) = window else { return Ok(Counted { counted: span, items: Vec::new() }) };
    let items = query(scope.rows(Relation::Requests, window.span))?;
    let from = if window.is_all { span.from } else { window.span.from };
    Ok(Counted { counted: Span { from, to: span.to }, items })
}

macro_rules! top {
    ($columns:literal) => {
        concat!(
            "SELECT least(sum(repeat), 9007199254740991)::UBIGINT AS requests,
                    least(coalesce(sum(repeat) FILTER (status = 0 OR status >= 400), 0), 9007199254740991)::UBIGINT,
                    least(sum(bytes_out), 9007199254740991)::UBIGINT, ",
            $columns,
            " FROM mine GROUP BY ",
            $columns,
            " ORDER BY requests DESC, ",
            $columns,
            " LIMIT ?"
        )
    };
}

const fn select(of: Top) -> &'static str {
    match of {
        Top::Path => top!("path"),
        Top::Key => top!("key_fp"),
        Top::ClientIp => top!("client_ip_high, client_ip_low"),
        Top::Status => top!("status"),
    }
}

fn item(of: Top) -> fn(&Row<'_>) -> Result<TopItem, duckdb::Error> {
    match of {
        Top::Path => |row| top_item(row, Common::Path(row.get(3)?)),
        Top::Key => |row| top_item(row, Common::Key(row.get(3)?)),
        Top::ClientIp => |row| {
            let (high, low): (u64, u64) = (row.get(3)?, row.get(4)?);
            top_item(row, Common::ClientIp(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low))))
        },
        Top::Status => |row| top_item(row, Common::Status(row.get(3)?)),
    }
}

fn top_item(row: &Row<'_>, common: Common) -> Result<TopItem, duckdb::Error> {
    Ok(TopItem { common, requests: row.get(0)?, errors: row.get(1)?, bytes_out: row.get(2)? })
}

const GATEWAYS: &str = "
    SELECT gateway, least(sum(repeat), 9007199254740991)::UBIGINT,
           least(coalesce(sum(repeat) FILTER (class IN (1, 2)), 0), 9007199254740991)::UBIGINT,
           least(coalesce(sum(repeat) FILTER (status = 0 OR status >= 400), 0), 9007199254740991)::UBIGINT,
           least(sum(bytes_in * repeat), 9007199254740991)::UBIGINT,
           least(sum(bytes_out), 9007199254740991)::UBIGINT, epoch_ms(max(ts))
    FROM mine GROUP BY gateway ORDER BY gateway";

fn gateway(row: &Row<'_>) -> Result<GatewayShare, duckdb::Error> {
    Ok(GatewayShare {
        gateway: row.get(0)?,
        requests: row.get(1)?,
        billable_requests: row.get(2)?,
        errors: row.get(3)?,
        bytes_in: row.get(4)?,
        bytes_out: row.get(5)?,
        last: UtcMillis(row.get(6)?),
    })
}
