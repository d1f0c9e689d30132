//! What requests cost at which time. An hour is charged at the price that was in force when it began, so that a change
//! never touches what was used before it.

use super::{parse_micros, parse_whole, usd_of};
use crate::core::calendar::{HOUR_MS, UtcMillis};
use crate::core::rating::PricePerRequests;

/// The keys that make up the price of requests.
pub const PRICE_KEYS: [&str; 2] = ["freqs_usd", "freqs_count"];

/// One of [`PRICE_KEYS`] got another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceChange {
    pub at: UtcMillis,
    pub key: String,
    pub old_value: String,
}

/// Hours that begin from `from` until before `to` cost this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PricePeriod {
    pub from: UtcMillis,
    pub to: UtcMillis,
    pub price: PricePerRequests,
}

/// The prices between two full hours, oldest first, without a gap. `changes` are those since `from`, newest first, and
/// `current` is the price after them. An old value that is none was never in force: who mended it set the price.
pub fn price_periods(
    current: PricePerRequests,
    changes: &[PriceChange],
    from: UtcMillis,
    to: UtcMillis,
) -> Vec<PricePeriod> {
    let mut periods = Vec::new();
    let (mut price, mut end) = (current, to);
    for change in changes {
        let begins = next_full_hour(change.at);
        if begins <= from {
            break;
        }
        if begins < end {
            periods.push(PricePeriod { from: begins, to: end, price });
            end = begins;
        }
        price = before(price, change);
    }
    if from < end {
        periods.push(PricePeriod { from, to: end, price });
    }
    periods.reverse();
    periods
}

fn before(after: PricePerRequests, change: &PriceChange) -> PricePerRequests {
    match change.key.as_str() {
        "freqs_usd" => {
            parse_micros(&change.old_value).map_or(after, |old| PricePerRequests { amount: usd_of(old), ..after })
        }
        "freqs_count" => match parse_whole(&change.old_value) {
            Some(per) if per > 0 => PricePerRequests { per, ..after },
            _ => after,
        },
        _ => after,
    }
}

fn next_full_hour(at: UtcMillis) -> UtcMillis {
    at.plus_ms((-at.0).rem_euclid(HOUR_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::money::Usd;

    fn price(micros: i64, per: u64) -> PricePerRequests {
        PricePerRequests { amount: Usd::from_micros(micros), per }
    }

    /// Changes as (minute, key, old value), periods as (first hour, hour after the last, micro-dollars, requests).
    #[track_caller]
    fn check(changes: &[(i64, &str, &str)], expected: &[(i64, i64, i64, u64)]) {
        let changes: Vec<_> = changes
            .iter()
            .map(|(minute, key, old)| PriceChange {
                at: UtcMillis(minute * 60_000),
                key: (*key).to_owned(),
                old_value: (*old).to_owned(),
            })
            .collect();
        let periods = price_periods(price(2_000_000, 10_000), &changes, UtcMillis(0), UtcMillis(10 * HOUR_MS));
        let shown: Vec<_> = periods
            .iter()
            .map(|period| {
                (period.from.0 / HOUR_MS, period.to.0 / HOUR_MS, period.price.amount.micros(), period.price.per)
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_hour_costs_what_was_in_force_when_it_began() {
        check(&[], &[(0, 10, 2_000_000, 10_000)]);
        check(&[(90, "freqs_usd", "1.00")], &[(0, 2, 1_000_000, 10_000), (2, 10, 2_000_000, 10_000)]);
        // On the full hour it is in force for that hour.
        check(&[(120, "freqs_usd", "1.00")], &[(0, 2, 1_000_000, 10_000), (2, 10, 2_000_000, 10_000)]);
        check(
            &[(300, "freqs_count", "5000"), (90, "freqs_usd", "1")],
            &[(0, 2, 1_000_000, 5_000), (2, 5, 2_000_000, 5_000), (5, 10, 2_000_000, 10_000)],
        );
    }

    #[test]
    fn what_was_in_force_at_no_full_hour_costs_nobody_anything() {
        check(
            &[(115, "freqs_usd", "9"), (65, "freqs_usd", "1")],
            &[(0, 2, 1_000_000, 10_000), (2, 10, 2_000_000, 10_000)],
        );
        check(&[(599, "freqs_usd", "1")], &[(0, 10, 1_000_000, 10_000)]);
        check(&[(900, "freqs_usd", "1")], &[(0, 10, 1_000_000, 10_000)]);
        check(&[(0, "freqs_usd", "1")], &[(0, 10, 2_000_000, 10_000)]);
        check(&[(90, "freqs_usd", "x")], &[(0, 2, 2_000_000, 10_000), (2, 10, 2_000_000, 10_000)]);
        check(&[(90, "freqs_count", "0")], &[(0, 2, 2_000_000, 10_000), (2, 10, 2_000_000, 10_000)]);
        check(&[(90, "fver", "0")], &[(0, 2, 2_000_000, 10_000), (2, 10, 2_000_000, 10_000)]);
    }
}
