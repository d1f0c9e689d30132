//! Which stretch of time a chart shows, in which steps, and which rollup knows it.

use crate::core::calendar::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMillis};

/// Steps of a chart, at most.
pub const MAX_STEPS: i64 = 402;
/// The longest stretch of time that can be asked for.
pub const MAX_SPAN_DAYS: i64 = 400;
/// Counts by minute are relied upon for this long.
const MINUTES_RELIED_MS: i64 = 48 * HOUR_MS;
/// 2000-01-01T00:00:00Z: no request is older.
pub const EARLIEST: UtcMillis = UtcMillis(946_684_800_000);
/// 2200-01-01T00:00:00Z: no request is newer.
pub const LATEST: UtcMillis = UtcMillis(7_258_118_400_000);

/// The steps that charts of free ends have, each a divisor of the next, so that they begin where UTC's days do.
const STEPS_MS: [i64; 6] = [MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS];

/// A stretch of time, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    pub from: UtcMillis,
    pub to: UtcMillis,
}

impl Span {
    /// In ms, not negative.
    pub fn length_ms(self) -> i64 {
        self.to.0.saturating_sub(self.from.0).max(0)
    }

    /// What both have.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }
}

/// The stretches that are asked for by name; each ends with the step that the present lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    Hour,
    Day,
    Week,
    Month,
    Quarter,
}

impl Range {
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter];

    /// The word used in URLs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.name() == name)
    }

    const fn length_and_step_ms(self) -> (i64, i64) {
        match self {
            Self::Hour => (HOUR_MS, MINUTE_MS),
            Self::Day => (DAY_MS, 15 * MINUTE_MS),
            Self::Week => (7 * DAY_MS, HOUR_MS),
            Self::Month => (30 * DAY_MS, DAY_MS),
            Self::Quarter => (90 * DAY_MS, DAY_MS),
        }
    }
}

/// By what a rollup counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    Minute,
    Hour,
    Day,
}

/// A stretch of time in equal steps that begin where UTC's minutes, hours or days do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chart {
    pub span: Span,
    pub step_ms: i64,
}

/// No chart can be drawn between these ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSpan {
    #[error("must be after `from`")]
    Backwards,
    #[error("must be at most {MAX_SPAN_DAYS} days after `from`")]
    TooLong,
    #[error("must lie in the years 2000 to 2199")]
    OutOfRange,
}

impl Chart {
    /// The newest of a range.
    pub fn recent(range: Range, now: UtcMillis) -> Self {
        let (length_ms, step_ms) = range.length_and_step_ms();
        let to = floor(now, step_ms).plus_ms(step_ms);
        Self { span: Span { from: to.plus_ms(-length_ms), to }, step_ms }
    }

    /// Between free ends, which move outwards to whole steps: the finest that give at most [`MAX_STEPS`] and are still
    /// known for it and the stretch before.
    ///
    /// # Errors
    /// [`BadSpan`].
    pub fn between(from: UtcMillis, to: UtcMillis, now: UtcMillis) -> Result<Self, BadSpan> {
        if from < EARLIEST || to > LATEST {
            return Err(BadSpan::OutOfRange);
        }
        let length_ms = Span { from, to }.length_ms();
        if length_ms == 0 {
            return Err(BadSpan::Backwards);
        }
        if length_ms > MAX_SPAN_DAYS * DAY_MS {
            return Err(BadSpan::TooLong);
        }
        let are_minutes_known = from.plus_ms(-length_ms) > now.plus_ms(-MINUTES_RELIED_MS);
        let fits = |step_ms: &i64| {
            length_ms.div_euclid(*step_ms) + 2 <= MAX_STEPS && (*step_ms >= HOUR_MS || are_minutes_known)
        };
        let step_ms = STEPS_MS.into_iter().find(fits).unwrap_or(DAY_MS);
        let last = floor(to.plus_ms(-1), step_ms);
        Ok(Self { span: Span { from: floor(from, step_ms), to: last.plus_ms(step_ms) }, step_ms })
    }

    /// The coarsest rollup that has a count for each step.
    pub const fn grain(self) -> Grain {
        if self.step_ms % DAY_MS == 0 {
            Grain::Day
        } else if self.step_ms % HOUR_MS == 0 {
            Grain::Hour
        } else {
            Grain::Minute
        }
    }

    pub fn steps(self) -> usize {
        usize::try_from(self.span.length_ms() / self.step_ms.max(1)).unwrap_or(0)
    }

    /// This stretch as one step, after one as long before it.
    pub fn with_previous(self) -> Self {
        let from = self.before().from;
        Self { span: Span { from, to: self.span.to }, step_ms: self.span.length_ms() }
    }

    /// As long as this one and directly before it.
    pub fn before(self) -> Span {
        Span { from: self.span.from.plus_ms(-self.span.length_ms()), to: self.span.from }
    }
}

fn floor(instant: UtcMillis, step_ms: i64) -> UtcMillis {
    UtcMillis(instant.0 - instant.0.rem_euclid(step_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T09:12:34.567Z
    const NOW: UtcMillis = UtcMillis(1_795_425_154_567);

    fn check(chart: Chart, from: &str, to: &str, steps: usize, grain: Grain) {
        let Span { from: begin, to: end } = chart.span;
        assert_eq!((begin.to_string().as_str(), end.to_string().as_str()), (from, to));
        assert_eq!((chart.steps(), chart.grain()), (steps, grain));
        assert_eq!(chart.before().length_ms(), chart.span.length_ms());
        assert_eq!(chart.with_previous().steps(), 2);
    }

    #[test]
    fn named_ranges_end_with_the_step_of_the_present() {
        for (range, from, to, steps, grain) in [
            (Range::Hour, "2026-11-23T08:13:00.000Z", "2026-11-23T09:13:00.000Z", 60, Grain::Minute),
            (Range::Day, "2026-11-22T09:15:00.000Z", "2026-11-23T09:15:00.000Z", 96, Grain::Minute),
            (Range::Week, "2026-11-16T10:00:00.000Z", "2026-11-23T10:00:00.000Z", 168, Grain::Hour),
            (Range::Month, "2026-10-25T00:00:00.000Z", "2026-11-24T00:00:00.000Z", 30, Grain::Day),
            (Range::Quarter, "2026-08-26T00:00:00.000Z", "2026-11-24T00:00:00.000Z", 90, Grain::Day),
        ] {
            assert_eq!(Range::from_name(range.name()), Some(range));
            check(Chart::recent(range, NOW), from, to, steps, grain);
        }
        assert_eq!(Range::from_name("1y"), None);
    }

    #[test]
    fn free_ends_move_to_whole_steps_that_are_still_known() {
        let ago = |ms: i64| NOW.plus_ms(-ms);
        for (from, to, steps, step_ms) in [
            (ago(1), NOW, 1, MINUTE_MS),
            (ago(6 * HOUR_MS), NOW, 361, MINUTE_MS),
            (ago(8 * HOUR_MS), NOW, 97, 5 * MINUTE_MS),
            // The day before the day before is known by the hour only.
            (ago(25 * HOUR_MS), NOW, 26, HOUR_MS),
            (ago(49 * HOUR_MS), ago(48 * HOUR_MS), 2, HOUR_MS),
            (ago(30 * DAY_MS), NOW, 121, 6 * HOUR_MS),
            (ago(400 * DAY_MS), NOW, 401, DAY_MS),
        ] {
            let chart = Chart::between(from, to, NOW).unwrap();
            assert_eq!((chart.steps(), chart.step_ms), (steps, step_ms));
            assert!(chart.span.from <= from && to <= chart.span.to);
            assert_eq!((chart.span.from.0 % step_ms, chart.span.to.0 % step_ms), (0, 0));
        }
        for (from, to, wrong) in [
            (NOW, NOW, BadSpan::Backwards),
            (NOW, ago(1), BadSpan::Backwards),
            (ago(400 * DAY_MS + 1), NOW, BadSpan::TooLong),
            (UtcMillis(0), NOW, BadSpan::OutOfRange),
            (NOW, UtcMillis(i64::MAX), BadSpan::OutOfRange),
            (UtcMillis(i64::MIN), UtcMillis(i64::MAX), BadSpan::OutOfRange),
        ] {
            assert_eq!(Chart::between(from, to, NOW), Err(wrong));
        }
    }
}
