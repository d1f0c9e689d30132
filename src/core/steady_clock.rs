//! Which time is believed when the machine's clock is set.
//!
//! Months are closed and suspensions begin by the clock, and neither can be undone. So a clock that jumps is not believed
//! at once: time goes on as it went, by a counter that nobody sets, until the new time has lasted for an hour or the old
//! one is back.
//!
//! ```text
//! believed ──jumps──▶ doubted ──an hour later, and it still says so──▶ believed
//!     ▲                  │
//!     └──it is set back──┘
//! ```

use crate::core::calendar::{HOUR_MS, MINUTE_MS, UtcMillis};

/// What a clock may be set by without being doubted.
pub const TOLERANCE_MS: i64 = 5 * MINUTE_MS;
/// So long after its first look a clock is believed whatever it says.
pub const SETTLES_WITHIN_MS: i64 = 10 * MINUTE_MS;
/// So long a new time must last.
pub const BELIEVED_AFTER_MS: i64 = HOUR_MS;

/// What was believed last, and what is doubted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SteadyClock {
    believed: UtcMillis,
    /// The counter's milliseconds at that moment.
    at_ms: i64,
    /// And at the first look.
    begun_ms: i64,
    doubt: Option<Doubt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    since_ms: i64,
    step_ms: i64,
}

/// What came of a look at the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Believed,
    /// It was set by so much, and that is news.
    Jumped {
        step_ms: i64,
    },
    /// It was set before, and the old time goes on.
    Doubted,
    /// It was set by so much an hour ago, and that counts from here on.
    Accepted {
        step_ms: i64,
    },
}

impl SteadyClock {
    /// The first look: there is nothing to compare with.
    pub fn begin(wall: UtcMillis, counter_ms: i64) -> Self {
        Self { believed: wall, at_ms: counter_ms, begun_ms: counter_ms, doubt: None }
    }

    /// Looks at the machine's clock and at the counter, and tells what time it is.
    pub fn look(&mut self, wall: UtcMillis, counter_ms: i64) -> (UtcMillis, Look) {
        let steady = self.believed.plus_ms(counter_ms.saturating_sub(self.at_ms));
        let step_ms = wall.0.saturating_sub(steady.0);
        // A machine that has just started may get its time only then.
        let has_just_begun = counter_ms.saturating_sub(self.begun_ms) < SETTLES_WITHIN_MS;
        if is_small(step_ms) || has_just_begun {
            self.believe(wall, counter_ms);
            return (wall, Look::Believed);
        }
        match self.doubt.filter(|doubt| is_small(step_ms.saturating_sub(doubt.step_ms))) {
            None => {
                self.doubt = Some(Doubt { since_ms: counter_ms, step_ms });
                (steady, Look::Jumped { step_ms })
            }
            Some(doubt) if counter_ms.saturating_sub(doubt.since_ms) < BELIEVED_AFTER_MS => (steady, Look::Doubted),
            Some(_) => {
                self.believe(wall, counter_ms);
                (wall, Look::Accepted { step_ms })
            }
        }
    }

    fn believe(&mut self, wall: UtcMillis, counter_ms: i64) {
        (self.believed, self.at_ms, self.doubt) = (wall, counter_ms, None);
    }
}

const fn is_small(step_ms: i64) -> bool {
    step_ms.unsigned_abs() <= TOLERANCE_MS.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::DAY_MS;

    #[test]
    fn a_clock_that_jumps_is_believed_after_an_hour() {
        let minute = MINUTE_MS;
        let year = 365 * DAY_MS;
        let mut clock = SteadyClock::begin(UtcMillis(-20 * minute), 1_000 - 20 * minute);
        // Minutes by the counter, what the machine's clock is off by then, what is believed to be off, and why.
        for (minutes, off_ms, believed_off_ms, look) in [
            (-19, year, year, Look::Believed),
            (-18, 0, 0, Look::Believed),
            (1, 0, 0, Look::Believed),
            (2, -4 * minute, -4 * minute, Look::Believed),
            (3, 0, 0, Look::Believed),
            (4, year, 0, Look::Jumped { step_ms: year }),
            (9, year, 0, Look::Doubted),
            (10, 0, 0, Look::Believed),
            (11, year, 0, Look::Jumped { step_ms: year }),
            (70, year + 2 * minute, 0, Look::Doubted),
            // Another time than the one that was doubted begins anew.
            (71, 2 * year, 0, Look::Jumped { step_ms: 2 * year }),
            (130, 2 * year, 0, Look::Doubted),
            (131, 2 * year, 2 * year, Look::Accepted { step_ms: 2 * year }),
            (132, 2 * year, 2 * year, Look::Believed),
            (133, 0, 2 * year, Look::Jumped { step_ms: -2 * year }),
            (193, 0, 0, Look::Accepted { step_ms: -2 * year }),
        ] {
            let real = UtcMillis(minutes * minute);
            let found = clock.look(real.plus_ms(off_ms), 1_000 + minutes * minute);
            assert_eq!(found, (real.plus_ms(believed_off_ms), look), "after {minutes} minutes");
        }
    }

    #[test]
    fn no_clock_is_too_wrong() {
        let mut clock = SteadyClock::begin(UtcMillis(i64::MIN), i64::MIN);
        for (wall, counter_ms) in [(i64::MAX, 0), (i64::MIN, i64::MAX), (i64::MAX, i64::MIN)] {
            clock.look(UtcMillis(wall), counter_ms);
        }
    }
}
