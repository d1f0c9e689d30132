//! How money is asked for: one payment method after the other in the customer's order, each for the whole rest; the
//! first one that pays ends it.
//!
//! ```text
//! round:   first able method ──declined──▶ next able one ──declined──▶ … ──▶ none left: wait, then the next round
//! waits:   1 min, 5 min, 10 min, 50 min, 2 h, 6 h, 12 h, 24 h, then the invoice has failed
//! ```
//! A round in which nobody could be asked is not counted; it is tried again when money comes. Only one demand of an
//! invoice is ever under way, and the next one is made once the last is known to be declined.

use super::ids::ChargeKey;
use crate::core::calendar::{HOUR_MS, MINUTE_MS, UtcMillis};
use crate::core::money::Usd;

/// How long to wait after each round that was declined.
pub const RETRY_AFTER_MS: [i64; 8] =
    [MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS, 50 * MINUTE_MS, 2 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS, 24 * HOUR_MS];
/// After a round in which nobody could be asked. A deposit does not wait for it.
pub const LOOK_AGAIN_MS: i64 = 24 * HOUR_MS;

/// What a customer pays with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaymentMethod {
    /// The customer's account on the chain.
    Escrow,
}

impl PaymentMethod {
    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Escrow => "escrow",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Escrow].into_iter().find(|method| method.name() == name)
    }
}

/// What became of a demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeState {
    /// To be sent, or sent, and no answer is known. These are the outbox: after a crash they are sent again.
    Sent,
    Succeeded {
        reference: String,
    },
    Declined {
        reason: String,
    },
}

impl ChargeState {
    /// The word used in JSON and SQL.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Succeeded { .. } => "succeeded",
            Self::Declined { .. } => "declined",
        }
    }
}

/// One demand on a payment method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub key: ChargeKey,
    pub method: PaymentMethod,
    /// The whole rest of the invoice.
    pub amount: Usd,
    /// The invoice's round that it belongs to.
    pub round: u32,
    pub asked_at: UtcMillis,
    pub state: ChargeState,
}

/// The first method in order that was not tried and can pay.
pub fn next_method<M: Copy + PartialEq>(order: &[M], tried: &[M], can_pay: impl Fn(M) -> bool) -> Option<M> {
    order.iter().copied().find(|method| !tried.contains(method) && can_pay(*method))
}

/// When the round after the `retries`-th declined one follows, from 1; `None` = give up.
pub fn retry_at(retries: u32, now: UtcMillis) -> Option<UtcMillis> {
    let place = usize::try_from(retries.checked_sub(1)?).ok()?;
    RETRY_AFTER_MS.get(place).map(|wait_ms| now.plus_ms(*wait_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_asked_in_order_and_once() {
        for (order, tried, able, expected) in [
            ("abc", "", "abc", Some('a')),
            ("bac", "", "abc", Some('b')),
            ("abc", "a", "abc", Some('b')),
            ("abc", "", "c", Some('c')),
            ("abc", "c", "c", None),
            ("abc", "abc", "abc", None),
            ("", "", "abc", None),
        ] {
            let list = |text: &str| text.chars().collect::<Vec<_>>();
            let found = next_method(&list(order), &list(tried), |method| able.contains(method));
            assert_eq!(found, expected, "{order} tried {tried} able {able}");
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let minutes: Vec<_> =
            (0..=9).map(|retries| retry_at(retries, UtcMillis(0)).map(|at| at.0 / MINUTE_MS)).collect();
        let expected = [1, 5, 10, 50, 120, 360, 720, 1_440].map(Some);
        assert_eq!(minutes[1..9], expected);
        assert_eq!((minutes[0], minutes[9]), (None, None));
    }
}
