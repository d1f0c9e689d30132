//! What follows when a customer does not pay.
//!
//! ```text
//!                      an invoice could not be paid              14 days later
//!   in good standing ───────────────────────────────▶ grace ────────────────────▶ suspended
//!          ▲                                            │                             │
//!          └────────────── everything is paid ──────────┴─────────────────────────────┘
//! ```
//! While a customer is parked, nobody is asked to pay: grace stands still, and begins anew when that is over and it is
//! still unpaid. Who is suspended already stays so.
//!
//! Grace counts from the first failure of the oldest unpaid invoice for running services, so whoever pays the oldest of
//! two has the grace of the other. While suspended, keys stop and everything is kept; months that begin then are not
//! charged for, and the running one is when the service resumes.

use crate::core::calendar::{DAY_MS, UtcMillis};

/// From the first failure to the suspension, for customers who have paid before. Others have nothing to lose.
pub const GRACE_MS: i64 = 14 * DAY_MS;
/// When the customer is written to, after the first failure.
pub const NOTICES_AFTER_MS: [i64; 3] = [0, 7 * DAY_MS, 12 * DAY_MS];

/// What is kept between decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dunning {
    /// The first failure that grace counts from; absent in good standing.
    pub since: Option<UtcMillis>,
    /// How many of the notices were given.
    pub notices: usize,
    /// Whether the suspension was told.
    pub suspended: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DunningStep {
    pub after: Dunning,
    /// A notice with the time of the suspension.
    pub notice: Option<UtcMillis>,
    pub phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    GoodStanding,
    Grace,
    Suspended,
}

/// The step for the oldest failure that is still unpaid.
pub fn step(before: Dunning, oldest_failure: Option<UtcMillis>, has_paid: bool, now: UtcMillis) -> DunningStep {
    let Some(since) = oldest_failure else {
        return DunningStep { after: Dunning::default(), notice: None, phase: Phase::GoodStanding };
    };
    let ends = suspends_at(since, has_paid);
    if ends <= now {
        let after = Dunning { since: Some(since), suspended: true, ..before };
        return DunningStep { after, notice: None, phase: Phase::Suspended };
    }
    let due = NOTICES_AFTER_MS.iter().filter(|after_ms| since.plus_ms(**after_ms) <= now).count();
    let notice = (due > before.notices).then_some(ends);
    let after = Dunning { since: Some(since), notices: due.max(before.notices), suspended: false };
    DunningStep { after, notice, phase: Phase::Grace }
}

/// When the next step is due.
pub fn next_step_at(dunning: Dunning, has_paid: bool) -> Option<UtcMillis> {
    let since = dunning.since.filter(|_| !dunning.suspended)?;
    let notice = NOTICES_AFTER_MS.get(dunning.notices).map(|after_ms| since.plus_ms(*after_ms));
    Some(notice.map_or(suspends_at(since, has_paid), |notice| notice.min(suspends_at(since, has_paid))))
}

/// When grace ends.
pub fn suspends_at(since: UtcMillis, has_paid: bool) -> UtcMillis {
    since.plus_ms(if has_paid { GRACE_MS } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_come_once_each_and_then_the_suspension() {
        let mut dunning = Dunning::default();
        for (day, noticed, phase, next_day) in [
            (0, true, Phase::Grace, 7),
            (1, false, Phase::Grace, 7),
            (6, false, Phase::Grace, 7),
            (7, true, Phase::Grace, 12),
            (13, true, Phase::Grace, 14),
            (14, false, Phase::Suspended, -1),
            (90, false, Phase::Suspended, -1),
        ] {
            let step = step(dunning, Some(UtcMillis(0)), true, UtcMillis(day * DAY_MS));
            assert_eq!((step.notice.is_some(), step.phase), (noticed, phase), "day {day}");
            dunning = step.after;
            let next = next_step_at(dunning, true).map_or(-1, |at| at.0 / DAY_MS);
            assert_eq!(next, next_day, "day {day}");
        }
        let paid = step(dunning, None, true, UtcMillis(91 * DAY_MS));
        assert_eq!((paid.after, paid.phase), (Dunning::default(), Phase::GoodStanding));
    }

    #[test]
    fn who_pays_the_oldest_has_the_grace_of_the_next() {
        let suspended = Dunning { since: Some(UtcMillis(0)), notices: 3, suspended: true };
        let step = step(suspended, Some(UtcMillis(10 * DAY_MS)), true, UtcMillis(20 * DAY_MS));
        assert_eq!((step.phase, step.notice), (Phase::Grace, None));
    }

    #[test]
    fn who_never_paid_has_no_grace() {
        let step = step(Dunning::default(), Some(UtcMillis(0)), false, UtcMillis(0));
        assert_eq!((step.phase, step.notice), (Phase::Suspended, None));
    }
}
