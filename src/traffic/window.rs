//! The rollups as an index: they know when a customer was active, so requests are looked for there and nowhere else.

use duckdb::types::Value;

use super::TrafficError;
use super::interrupt::Reader;
use super::relation::Relation;
use super::scope::{Mine, Scope};
use crate::core::calendar::{HOUR_MS, UtcMillis};
use crate::core::chart::{Grain, Span};
use crate::core::log_line::TrafficClass;

/// Counts by minute are relied upon for this long.
const MINUTES_RELIED_MS: i64 = 47 * HOUR_MS;

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

/// The newest minutes, hours or days in which a customer has `wanted` requests, or all if there are fewer. `None` without
/// any. Days are looked at first, then the hours of those days, then their minutes: few rows each time.
pub(super) fn newest(
    reader: &Reader<'_>,
    scope: &Scope,
    told: Told,
    span: Span,
    wanted: u64,
    now: UtcMillis,
) -> Result<Option<Window>, TrafficError> {
    let minutes_from = now.plus_ms(-MINUTES_RELIED_MS);
    let mut window = Window { span, is_all: true };
    for grain in [Grain::Day, Grain::Hour, Grain::Minute] {
        if grain == Grain::Minute && window.span.from < minutes_from {
            break;
        }
        let units = active(reader, scope, told, grain, window.span)?;
        let Some(narrower) = newest_of(units, window.span, wanted) else { return Ok(None) };
        window = Window { span: narrower.span, is_all: window.is_all && narrower.is_all };
    }
    Ok(Some(window))
}

/// The first of these units, newest first, in which there are `wanted` requests.
fn newest_of(units: Vec<(Span, u64)>, span: Span, wanted: u64) -> Option<Window> {
    let mut seen: Option<Span> = None;
    let mut found = 0_u64;
    for (unit, requests) in units {
        seen.get_or_insert(unit).from = unit.from;
        // Of a unit that is cut off, it is not known how many lie on this side.
        if unit.to <= span.to && unit.from >= span.from {
            found = found.saturating_add(requests);
        }
        if found >= wanted {
            return seen.map(|seen| Window { span: seen.within(span), is_all: false });
        }
    }
    seen.map(|seen| Window { span: seen.within(span), is_all: true })
}

/// Units with requests, newest first.
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
        Grain::Hour => (span.from.hour(), HOUR_MS),
        Grain::Day => (span.from.day(), 24 * HOUR_MS),
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
