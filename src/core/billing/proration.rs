//! Parts of a month. A month has as many equal days as the calendar gives it, and the day something happens on counts
//! as a whole one in the customer's favour.

use crate::core::calendar::{Month, UtcMillis};
use crate::core::money::{MoneyOverflow, Usd};

/// An upgrade costs nothing when at most so many days are left, the day itself included.
pub const FREE_UPGRADE_DAYS: u8 = 2;

/// What a subscription's first payment brings back on the next invoice, for the days before it: whole cents.
/// 0 if `now` lies outside of the month.
///
/// # Errors
/// [`MoneyOverflow`].
pub fn credit_for_days_before(price: Usd, month: Month, now: UtcMillis) -> Result<Usd, MoneyOverflow> {
    let days_before = month.day_of(now).map_or(0, |day| day.saturating_sub(1));
    Ok(price.times_per(u64::from(days_before), u64::from(month.days()))?.floor_cents())
}

/// Days that an upgrade is charged for, of `month.days()`.
pub fn upgrade_days(month: Month, now: UtcMillis) -> u8 {
    let left = month.day_of(now).map_or(0, |day| month.days().saturating_sub(day).saturating_add(1));
    if left <= FREE_UPGRADE_DAYS { 0 } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::DAY_MS;

    fn on(month: &str, day: i64) -> (Month, UtcMillis) {
        let month: Month = month.parse().unwrap();
        (month, month.start().plus_ms((day - 1) * DAY_MS + 3_600_000))
    }

    #[test]
    fn days_before_a_subscription_come_back() {
        for (month, day, cents, credit_cents) in [
            ("2025-01", 15, 2_900, 1_309),
            ("2025-01", 1, 2_900, 0),
            ("2024-02", 29, 900, 868),
            ("2025-02", 28, 900, 867),
            ("2025-12", 31, 18_500, 17_903),
        ] {
            let (month, now) = on(month, day);
            let credit = credit_for_days_before(Usd::from_micros(cents * 10_000), month, now).unwrap();
            assert_eq!(credit, Usd::from_micros(credit_cents * 10_000), "{month} {day}");
        }
    }

    #[test]
    fn an_upgrade_is_charged_by_the_days_left() {
        for (month, day, days) in [
            ("2025-04", 10, 21),
            ("2025-02", 26, 3),
            ("2025-02", 27, 0),
            ("2025-01", 30, 0),
            ("2025-01", 29, 3),
            ("2025-01", 31, 0),
            ("2024-02", 1, 29),
        ] {
            let (month, now) = on(month, day);
            assert_eq!(upgrade_days(month, now), days, "{month} {day}");
        }
    }
}
