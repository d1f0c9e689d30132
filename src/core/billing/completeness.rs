//! How much of what the gateways logged was received: said on each invoice. What was lost is not billed.

use std::fmt;

use crate::core::lost_lines::HourOfLines;

/// Log lines of a month, over all customers: whose the lost ones were, nobody can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Completeness {
    pub received: u64,
    pub lost: u64,
}

impl Completeness {
    /// The sum of hours.
    pub fn of(hours: &[HourOfLines]) -> Self {
        hours.iter().fold(Self::default(), |sum, hour| Self {
            received: sum.received.saturating_add(hour.received),
            lost: sum.lost.saturating_add(hour.lost),
        })
    }
}

/// `received 99.9993 %; 41 lines lost; not billed`. Rounded down, so that it is 100 % only if nothing was lost.
impl fmt::Display for Completeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lost == 0 {
            return f.write_str("received 100 %; no lines lost");
        }
        let all = u128::from(self.received).saturating_add(u128::from(self.lost));
        let parts = u128::from(self.received).saturating_mul(1_000_000) / all;
        let lines = if self.lost == 1 { "line" } else { "lines" };
        write!(f, "received {}.{:04} %; {} {lines} lost; not billed", parts / 10_000, parts % 10_000, self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_never_rounded_away() {
        for (received, lost, text) in [
            (0, 0, "received 100 %; no lines lost"),
            (6_300_000, 0, "received 100 %; no lines lost"),
            (6_300_000, 41, "received 99.9993 %; 41 lines lost; not billed"),
            (u64::MAX, 1, "received 99.9999 %; 1 line lost; not billed"),
            (0, 7, "received 0.0000 %; 7 lines lost; not billed"),
            (1, 2, "received 33.3333 %; 2 lines lost; not billed"),
        ] {
            assert_eq!(Completeness { received, lost }.to_string(), text);
        }
    }
}
