//! Figures and times as invoices print them.

use jiff::Timestamp;

use crate::core::calendar::UtcMillis;

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2026-11-01 00:00:07 UTC`.
pub(super) fn time(at: UtcMillis) -> String {
    Timestamp::from_millisecond(at.0)
        .map_or_else(|_| at.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// An hour of usage, for machines: `2026-11-01T00:00:00Z`.
pub(super) fn hour(at: UtcMillis) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// `1 micro-dollar`, `4,500 micro-dollars`.
pub(super) fn micros(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let unit = if micros.unsigned_abs() == 1 { "micro-dollar" } else { "micro-dollars" };
    format!("{sign}{} {unit}", grouped(micros.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_times_are_utc() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!([micros(1), micros(-4_500)], ["1 micro-dollar", "-4,500 micro-dollars"]);
        assert_eq!(time(UtcMillis(1_795_424_400_000)), "2026-11-23 09:00:00 UTC");
        assert_eq!(hour(UtcMillis(1_795_424_400_000)), "2026-11-23T09:00:00Z");
        assert_eq!(time(UtcMillis(i64::MAX)), "9223372036854775807 ms");
    }
}
