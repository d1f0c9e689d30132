//! Instants and calendar spans, always UTC.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Milliseconds of spans that are always the same in UTC.
pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// An instant in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMillis(pub i64);

impl UtcMillis {
    /// Start of the minute that this instant lies in.
    pub fn minute(self) -> Self {
        Self(self.0 - self.0.rem_euclid(MINUTE_MS))
    }

    /// Start of the hour that this instant lies in.
    pub fn hour(self) -> Self {
        Self(self.0 - self.0.rem_euclid(HOUR_MS))
    }

    /// Start of the day that this instant lies in.
    pub fn day(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY_MS))
    }

    /// The same instant `ms` milliseconds later (earlier if negative), held within the range of `i64`.
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// What a `Date` header says, such as `Thu, 26 Nov 2026 11:35:18 GMT`; `None` if it is none.
    pub fn from_http_date(text: &str) -> Option<Self> {
        let instant = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Self(instant.as_millisecond()))
    }

    /// Microseconds since the epoch, the unit of DuckDB's `TIMESTAMP`.
    pub fn micros(self) -> i64 {
        self.0.saturating_mul(1000)
    }
}

/// RFC 3339 with milliseconds, e.g. `2026-11-23T17:30:00.123Z`.
impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// A calendar month, e.g. `2026-11`. Ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: Date,
}

/// The text was no month like `2026-11`, or the instant lies outside years −9999…9999.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("not a calendar month: {0}")]
pub struct NotAMonth(String);

impl Month {
    /// The month that an instant lies in.
    ///
    /// # Errors
    /// [`NotAMonth`] outside the calendar's years −9999…9999.
    pub fn of(instant: UtcMillis) -> Result<Self, NotAMonth> {
        let moment = Timestamp::from_millisecond(instant.0).map_err(|_| NotAMonth(instant.to_string()))?;
        Ok(Self { first: moment.to_zoned(TimeZone::UTC).date().first_of_month() })
    }

    /// Its first millisecond.
    pub fn start(self) -> UtcMillis {
        start_of(self.first)
    }

    /// The first millisecond after it.
    pub fn end(self) -> UtcMillis {
        start_of(self.first.last_of_month()).plus_ms(DAY_MS)
    }

    /// 28 to 31.
    pub fn days(self) -> u8 {
        self.first.days_in_month().unsigned_abs()
    }

    /// The month after it.
    ///
    /// # Errors
    /// [`NotAMonth`] after December 9999.
    pub fn next(self) -> Result<Self, NotAMonth> {
        Self::of(self.end())
    }

    /// Which of its days an instant lies on, from 1; `None` if it lies in another month.
    pub fn day_of(self, instant: UtcMillis) -> Option<u8> {
        let inside = self.start() <= instant && instant < self.end();
        let days = instant.0.saturating_sub(self.start().0) / DAY_MS;
        u8::try_from(days).ok().filter(|_| inside).map(|days| days.saturating_add(1))
    }
}

fn start_of(day: Date) -> UtcMillis {
    let millis = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).map(Timestamp::as_millisecond);
    UtcMillis(millis.unwrap_or(if day.year() < 0 { i64::MIN } else { i64::MAX }))
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first.strftime("%Y-%m"))
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let first = Date::from_str(&format!("{text}-01")).map_err(|_| NotAMonth(text.to_owned()))?;
        if text.len() == "2026-11".len() { Ok(Self { first }) } else { Err(NotAMonth(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_answers_are_read() {
        for (text, expected) in [
            ("Mon, 23 Nov 2026 09:00:00 GMT", Some(1_795_424_400_000)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(UtcMillis::from_http_date(text), expected.map(UtcMillis), "{text}");
        }
    }

    #[test]
    fn months_have_exact_edges() {
        for (month, start, end, days) in [
            ("2026-11", "2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z", 30),
            ("2024-02", "2024-02-01T00:00:00.000Z", "2024-03-01T00:00:00.000Z", 29),
            ("2025-12", "2025-12-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", 31),
        ] {
            let month: Month = month.parse().unwrap();
            assert_eq!(month.start().to_string(), start);
            assert_eq!(month.end().to_string(), end);
            assert_eq!(month.days(), days);
            assert_eq!(Month::of(month.start()).unwrap(), month);
            assert_eq!(Month::of(month.end().plus_ms(-1)).unwrap(), month);
            assert!(Month::of(month.end()).unwrap() > month);
        }
    }

    #[test]
    fn months_follow_each_other_and_have_days() {
        for (month, next) in [("2025-12", "2026-01"), ("2024-02", "2024-03"), ("2025-01", "2025-02")] {
            let month: Month = month.parse().unwrap();
            assert_eq!(month.next().unwrap().to_string(), next);
            assert_eq!(month.day_of(month.start()), Some(1));
            assert_eq!(month.day_of(month.start().plus_ms(DAY_MS - 1)), Some(1));
            assert_eq!(month.day_of(month.start().plus_ms(DAY_MS)), Some(2));
            assert_eq!(month.day_of(month.end().plus_ms(-1)), Some(month.days()));
            assert_eq!(month.day_of(month.end()), None);
            assert_eq!(month.day_of(month.start().plus_ms(-1)), None);
        }
        assert!("9999-12".parse::<Month>().unwrap().next().is_err());
    }

    #[test]
    fn text_that_is_no_month_is_refused() {
        for text in ["", "2026", "2026-13", "2026-1", "2026-11-02", "x026-11", "2026-00"] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }

    #[test]
    fn instants_fall_into_minutes_hours_and_days_also_before_1970() {
        assert_eq!(UtcMillis(61_001).minute(), UtcMillis(60_000));
        assert_eq!(UtcMillis(-1).minute(), UtcMillis(-60_000));
        assert_eq!(UtcMillis(7_199_999).hour(), UtcMillis(3_600_000));
        assert_eq!(UtcMillis(86_400_001).day(), UtcMillis(86_400_000));
        assert_eq!(UtcMillis(-1).day(), UtcMillis(-86_400_000));
    }
}
