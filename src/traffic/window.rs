//! The rollups as an index: they know when a customer was active, so requests are looked for there and nowhere else.

use duckdb::types::Value;

use super::TrafficError;
use super::interrupt::Reader;
use super::relation::Relation;
use super::scope::{Mine, Scope};
use crate::core::calendar::UtcMillis;
use crate::core::chart::{EARLIEST, Grain, LATEST, Span};
use crate::core::log_line::TrafficClass;

const HOUR_MS: i64 = 3_600_000;
/// Counts by minute are relied upon for this long; whole hours, so that hours go on where minutes end.
const MINUTES_RELIED_MS: i64 = 47 * HOUR_MS;
/// How far hours are looked through before all of them are.
const NEAR_MS: i64 = 7 * 24 * HOUR_MS;

/// Where to look for the newest requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub span: Span,
    /// Whether there are none before it.
    pub is_all: bool,
}

/// Which requests count, as far as rollups tell them apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub class: Option<TrafficClass>,
    /// The hundreds of the status.
    pub status_class: Option<u8>,
}

/// The newest minutes or hours in which a customer has `wanted` requests, or all if there are fewer. `None` without any.
pub(super) fn newest(
    reader: &Reader<'_>,
    scope: &Scope,
    told: Told,
    span: Span,
    wanted: u64,
    now: UtcMillis,
) -> Result<Option<Window>, TrafficError> {
    let minutes_from = now.plus_ms(-MINUTES_RELIED_MS).hour();
    let near_from = minutes_from.plus_ms(-NEAR_MS);
    let (earliest, latest) = (EARLIEST, LATEST);
    let parts = [
        (Grain::Minute, Span { from: minutes_from, to: latest }),
        (Grain::Hour, Span { from: near_from, to: minutes_from }),
        (Grain::Hour, Span { from: earliest, to: near_from }),
    ];
    let mut seen: Option<Span> = None;
    let mut found = 0_u64;
    for (grain, part) in parts {
        for (unit, requests) in active(reader, scope, told, grain, span.within(part))? {
            let whole = seen.get_or_insert(unit);
            whole.from = whole.from.min(unit.from);
            // Of a unit that is cut off, it is not known how many lie on this side.
            if unit.to <= span.to && unit.from >= span.from {
                found = found.saturating_add(requests);
            }
            if found >= wanted {
                return Ok(seen.map(|seen| Window { span: seen.within(span), is_all: false }));
            }
        }
    }
    Ok(seen.map(|seen| Window { span: seen.within(span), is_all: true }))
}

/// Minutes or hours with requests, newest first.
fn active(
    reader: &Reader<'_>,
    scope: &Scope,
    told: Told,
    grain: Grain,
    span: Span,
) -> Result<Vec<(Span, u64)>, TrafficError> {
    if span.length_ms() == 0 {
        return Ok(Vec::new());
    }
    let (from, unit_ms) = match grain {
        Grain::Minute => (span.from.minute(), 60_000),
        Grain::Hour | Grain::Day => (span.from.hour(), HOUR_MS),
    };
    let rows = narrowed(scope.rows(Relation::Rollup(grain), Span { from, to: span.to }), told);
    let select = "SELECT epoch_ms(start), least(sum(requests), 9007199254740991)::UBIGINT
                  FROM mine GROUP BY start ORDER BY start DESC";
    let units = rows.query(reader, "find when requests were made", select, [], |row| {
        Ok((UtcMillis(row.get(0)?), row.get::<_, u64>(1)?))
    })?;
    Ok(units.into_iter().map(|(from, requests)| (Span { from, to: from.plus_ms(unit_ms) }, requests)).collect())
}

fn narrowed(rows: Mine, told: Told) -> Mine {
    rows.and("class = ?", told.class.map(|class| Value::UTinyInt(class.number())))
        .and("status_class = ?", told.status_class.map(Value::UTinyInt))
}
