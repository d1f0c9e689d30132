//! The only reader of time. Everything else gets the instant as an argument, so that tests and the demo can choose it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tracing::{error, warn};

use crate::core::calendar::UtcMillis;
use crate::core::steady_clock::{Look, SteadyClock};

/// Tells what time it is. Clones of a settable clock share their time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// The same, but a jump is believed only when it has lasted, see [`steady_clock`](crate::core::steady_clock).
    Steady(Arc<Mutex<SteadyClock>>),
    /// Stands still until it is set; milliseconds since the epoch.
    Settable(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock as it is now, and as it goes on from here.
    pub fn steady() -> Self {
        Self::Steady(Arc::new(Mutex::new(SteadyClock::begin(system_now(), counter_ms()))))
    }

    /// A clock that stands at an instant.
    pub fn settable(instant: UtcMillis) -> Self {
        Self::Settable(Arc::new(AtomicI64::new(instant.0)))
    }

    /// The current instant. The system's may jump, also backwards, when the machine's clock is corrected.
    pub fn now(&self) -> UtcMillis {
        match self {
            Self::System => system_now(),
            Self::Steady(clock) => steady_now(clock),
            Self::Settable(millis) => UtcMillis(millis.load(Ordering::SeqCst)),
        }
    }

    /// How long it is until an instant; nothing if it is over.
    pub fn until(&self, instant: UtcMillis) -> Duration {
        Duration::from_millis(u64::try_from(instant.0.saturating_sub(self.now().0)).unwrap_or(0))
    }

    /// Moves a settable clock and all its clones. Tells whether it could: the system's clock is not ours to set.
    pub fn set(&self, instant: UtcMillis) -> bool {
        match self {
            Self::System | Self::Steady(_) => false,
            Self::Settable(millis) => {
                millis.store(instant.0, Ordering::SeqCst);
                true
            }
        }
    }
}

fn steady_now(clock: &Mutex<SteadyClock>) -> UtcMillis {
    let mut clock = clock.lock().unwrap_or_else(PoisonError::into_inner);
    let (now, look) = clock.look(system_now(), counter_ms());
    match look {
        Look::Believed | Look::Doubted => {}
        Look::Jumped { step_ms } => {
            error!(step_ms, goes_on_as = %now, "the machine's clock was set: it is believed if it still says so in an hour; \
                if it is wrong, set it right before then");
        }
        Look::Accepted { step_ms } => {
            warn!(step_ms, now = %now, "the machine's clock was set an hour ago, which counts now")
        }
    }
    now
}

/// Milliseconds of a counter that nobody sets, and that goes on while the machine sleeps.
fn counter_ms() -> i64 {
    let counter = clock_gettime(ClockId::Boottime);
    counter.tv_sec.saturating_mul(1000).saturating_add(counter.tv_nsec / 1_000_000)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn system_now() -> UtcMillis {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => UtcMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        // A machine without a battery can start before 1970.
        Err(before) => UtcMillis(i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settable_clock_stands_still_and_moves_with_its_clones() {
        let clock = Clock::settable(UtcMillis(1000));
        let clone = clock.clone();
        assert_eq!(clock.now(), UtcMillis(1000));
        assert_eq!(clock.until(UtcMillis(1500)), Duration::from_millis(500));
        assert_eq!(clock.until(UtcMillis(999)), Duration::ZERO);
        assert!(clone.set(UtcMillis(-5)));
        assert_eq!(clock.now(), UtcMillis(-5));
    }

    #[test]
    fn the_steady_clock_is_the_system_clock_while_nobody_sets_it() {
        let clock = Clock::steady();
        let apart_ms = clock.now().0 - Clock::System.now().0;
        assert!(apart_ms.abs() < 60_000, "{apart_ms}");
        assert!(!clock.set(UtcMillis(0)));
    }

    #[test]
    fn the_system_clock_tells_a_time_after_this_was_written_and_cannot_be_set() {
        let written = UtcMillis(1_780_000_000_000);
        assert!(!Clock::System.set(UtcMillis(0)));
        assert!(Clock::System.now() > written);
    }
}
