//! A customer's own bound on what a month's usage may cost. Subscriptions are known beforehand and do not count.
//!
//! It is held against the running month, also while the draft is still of the month before.

use crate::core::calendar::Month;
use crate::core::money::Usd;

/// Per cents of the cap that are told, each once a month and amount.
pub const ALERT_PERCENTS: [u64; 4] = [50, 75, 90, 100];

/// What a customer asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpendCap {
    /// Greater than 0.
    pub amount: Usd,
    /// Whether keys stop when it is reached, until the month ends or the cap is raised.
    pub hard_stop: bool,
}

/// What is known and was told of a month, and whether keys are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapStatus {
    pub month: Month,
    /// The greatest per cent that was told; 0 = none.
    pub told_percent: u64,
    pub stopped: bool,
    /// What its usage costs so far.
    pub spent: Usd,
}

impl CapStatus {
    /// Nothing was told of a month.
    pub const fn of(month: Month) -> Self {
        Self { month, told_percent: 0, stopped: false, spent: Usd::ZERO }
    }
}

/// The status that follows, and the per cents to tell. What was told of a cap's amount is not told again; keys are stopped
/// as long as it is reached.
pub fn review(cap: Option<SpendCap>, before: CapStatus, month: Month, spent: Usd) -> (CapStatus, Vec<u64>) {
    let before = if before.month == month { before } else { CapStatus::of(month) };
    let Some(cap) = cap else { return (CapStatus::of(month), Vec::new()) };
    let reached = |percent: &&u64| {
        let needed = i128::from(cap.amount.micros()) * i128::from(**percent);
        i128::from(spent.micros()) * 100 >= needed
    };
    let reached: Vec<u64> = ALERT_PERCENTS.iter().filter(reached).copied().collect();
    let highest = reached.last().copied().unwrap_or(0);
    let told: Vec<u64> = reached.into_iter().filter(|percent| *percent > before.told_percent).collect();
    let stopped = cap.hard_stop && highest >= 100;
    (CapStatus { month, told_percent: highest.max(before.told_percent), stopped, spent }, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_told_once_a_month_and_the_last_one_can_stop() {
        let month: Month = "2025-01".parse().unwrap();
        let next = month.next().unwrap();
        let cap = |hard_stop| Some(SpendCap { amount: Usd::from_dollars(10), hard_stop });
        let mut status = CapStatus::of(month);
        for (cap, month, spent_micros, told, stopped) in [
            (cap(true), month, 4_999_999, vec![], false),
            (cap(true), month, 5_000_000, vec![50], false),
            (cap(true), month, 5_000_001, vec![], false),
            (cap(true), month, 9_000_000, vec![75, 90], false),
            (cap(false), month, 12_000_000, vec![100], false),
            (cap(true), month, 12_000_000, vec![], true),
            (cap(true), next, 0, vec![], false),
            (cap(true), next, 10_000_000, vec![50, 75, 90, 100], true),
            (None, next, 10_000_000, vec![], false),
        ] {
            let (after, found) = review(cap, status, month, Usd::from_micros(spent_micros));
            assert_eq!((found, after.stopped), (told, stopped), "{spent_micros} in {month}");
            status = after;
        }
    }
}
