//! How long to wait before something that failed is tried again.

use std::time::Duration;

/// Doublings after which no wait grows any more.
const MOST_DOUBLINGS: u32 = 16;

/// A first pause, which is doubled with each failure in a row up to a longest one.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Backoff {
    /// After so many failures in a row; the first pause after one, and none after none.
    pub fn after(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(doublings.min(MOST_DOUBLINGS)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(10) };
        let pauses = [0, 1, 2, 3, 6, 7, 40, u32::MAX].map(|failures| backoff.after(failures).as_millis());
        assert_eq!(pauses, [0, 200, 400, 800, 6_400, 10_000, 10_000, 10_000]);
    }
}
