//! Billing as a whole: decisions, one after the other, with everything that they lead to.

pub mod desk;
mod examples;
pub mod histories;
mod previews;
mod records;
mod scenarios;
mod settlements;
mod standing;
pub mod world;

use super::*;
use crate::core::calendar::{DAY_MS, HOUR_MS, MINUTE_MS, Month, UtcMillis};
use crate::core::id::{CustomerId, Service};
use crate::core::money::Usd;
use crate::core::tier::Tier;
use desk::Desk;

fn cents(cents: i64) -> Usd {
    Usd::from_micros(cents * 10_000)
}

/// `2025-01-15` or `2025-01-15T10:30`.
fn at(text: &str) -> UtcMillis {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00"));
    let month: Month = date[..7].parse().unwrap();
    let day: i64 = date[8..].parse().unwrap();
    let (hour, minute) = time.split_once(':').unwrap();
    let (hour, minute): (i64, i64) = (hour.parse().unwrap(), minute.parse().unwrap());
    month.start().plus_ms((day - 1) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS)
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}
