//! Which nonces were used up, for as long as they could be used again, in bounded memory.

use std::collections::HashSet;

use crate::core::calendar::UtcMillis;

/// Identifies a nonce.
pub type NonceId = [u8; 16];

/// Nonces of one life span that are remembered, at most: 16 MiB or so. Beyond it sign-ins are refused until the oldest
/// are forgotten.
pub const MAX_NONCES: usize = 500_000;

/// Two generations, each as long as a nonce's life: what both have forgotten has expired.
#[derive(Debug)]
pub struct UsedNonces {
    life_ms: i64,
    generation: i64,
    current: HashSet<NonceId>,
    previous: HashSet<NonceId>,
}

/// Whether a nonce could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstUse {
    Yes,
    UsedBefore,
    /// Too many are remembered; nothing was noted.
    Full,
}

impl UsedNonces {
    /// For nonces that live for `life_ms`.
    pub fn new(life_ms: i64) -> Self {
        Self { life_ms: life_ms.max(1), generation: i64::MIN, current: HashSet::new(), previous: HashSet::new() }
    }

    /// Notes that a nonce is used up, if it was not.
    pub fn use_up(&mut self, id: NonceId, now: UtcMillis) -> FirstUse {
        self.forget_expired(now);
        if self.previous.contains(&id) || self.current.contains(&id) {
            FirstUse::UsedBefore
        } else if self.current.len() >= MAX_NONCES {
            FirstUse::Full
        } else {
            self.current.insert(id);
            FirstUse::Yes
        }
    }

    /// A clock that goes back forgets nothing.
    fn forget_expired(&mut self, now: UtcMillis) {
        let generation = now.0.div_euclid(self.life_ms);
        if generation > self.generation {
            let follows = generation == self.generation.saturating_add(1);
            self.previous = std::mem::take(&mut self.current);
            if !follows {
                self.previous.clear();
            }
            self.generation = generation;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE_MS: i64 = 300_000;

    #[test]
    fn a_nonce_is_used_once_within_its_life() {
        let mut used = UsedNonces::new(LIFE_MS);
        for (id, now, expected) in [
            (1, 299_999, FirstUse::Yes),
            (1, 299_999, FirstUse::UsedBefore),
            (2, 299_999, FirstUse::Yes),
            // The next generation still knows the one before it, also when the clock goes back.
            (1, 300_000, FirstUse::UsedBefore),
            (1, 599_999, FirstUse::UsedBefore),
            (3, 599_999, FirstUse::Yes),
            (3, 100_000, FirstUse::UsedBefore),
            // Beyond two lives it has expired by itself.
            (1, 600_000, FirstUse::Yes),
            (3, 600_000, FirstUse::UsedBefore),
            (3, 10 * LIFE_MS, FirstUse::Yes),
        ] {
            assert_eq!(used.use_up([id; 16], UtcMillis(now)), expected, "{id} at {now}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut used = UsedNonces::new(LIFE_MS);
        let id = |number: usize| -> NonceId { u128::try_from(number).unwrap().to_be_bytes() };
        for number in 0..MAX_NONCES {
            assert_eq!(used.use_up(id(number), UtcMillis(0)), FirstUse::Yes);
        }
        assert_eq!(used.use_up(id(MAX_NONCES), UtcMillis(0)), FirstUse::Full);
        assert_eq!(used.use_up(id(0), UtcMillis(0)), FirstUse::UsedBefore);
        assert_eq!(used.use_up(id(MAX_NONCES), UtcMillis(LIFE_MS)), FirstUse::Yes);
    }
}
