//! The only reader of time. Everything else gets the instant as an argument, so that tests and the demo can choose it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::core::calendar::UtcMillis;

/// Tells what time it is. Clones of a settable clock share their time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// Stands still until it is set; milliseconds since the epoch.
    Settable(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at an instant.
    pub fn settable(instant: UtcMillis) -> Self {
        Self::Settable(Arc::new(AtomicI64::new(instant.0)))
    }

    /// The current instant. The system's may jump, also backwards, when the machine's clock is corrected.
    pub fn now(&self) -> UtcMillis {
        match self {
            Self::System => system_now(),
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
            Self::System => false,
            Self::Settable(millis) => {
                millis.store(instant.0, Ordering::SeqCst);
                true
            }
        }
    }
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
    fn the_system_clock_tells_a_time_after_this_was_written_and_cannot_be_set() {
        let written = UtcMillis(1_780_000_000_000);
        assert!(!Clock::System.set(UtcMillis(0)));
        assert!(Clock::System.now() > written);
    }
}
