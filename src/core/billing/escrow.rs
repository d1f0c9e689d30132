//! What the chain lets us charge: a copy of the customer's account there, which is right as of the last event seen. The
//! contract decides; this copy only keeps us from asking in vain.

use super::ids::InvoiceId;
use crate::core::calendar::{DAY_MS, UtcMillis};
use crate::core::money::{MoneyOverflow, Usd};

/// The contract's period: exactly 28 × 86 400 000 ms.
pub const LIMIT_PERIOD_MS: i64 = 28 * DAY_MS;
/// No limit below this, except none at all.
pub const MIN_SPENDING_LIMIT: Usd = Usd::from_dollars(10);

/// The most that can be charged in one period, as the customer set it on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpendingLimit(Usd);

/// The amount is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a spending limit is 0 for none, or at least {MIN_SPENDING_LIMIT}")]
pub struct NotASpendingLimit;

impl SpendingLimit {
    pub const UNLIMITED: Self = Self(Usd::ZERO);

    /// # Errors
    /// [`NotASpendingLimit`] for an amount that is neither 0 nor at least [`MIN_SPENDING_LIMIT`].
    pub fn new(amount: Usd) -> Result<Self, NotASpendingLimit> {
        let allowed = amount == Usd::ZERO || amount >= MIN_SPENDING_LIMIT;
        if allowed { Ok(Self(amount)) } else { Err(NotASpendingLimit) }
    }

    /// 0 = unlimited.
    pub const fn amount(self) -> Usd {
        self.0
    }

    /// Whether `charged + amount ≤ limit`.
    pub fn allows(self, charged: Usd, amount: Usd) -> bool {
        self == Self::UNLIMITED || charged.checked_add(amount).is_ok_and(|sum| sum <= self.0)
    }
}

/// What a new account on the chain has.
impl Default for SpendingLimit {
    fn default() -> Self {
        Self(crate::core::customer::DEFAULT_SPENDING_LIMIT)
    }
}

/// The customer's account on the chain, as far as its final events have been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EscrowMirror {
    /// On the chain. Period 0 begins here.
    pub created_at: UtcMillis,
    pub balance: Usd,
    pub limit: SpendingLimit,
    /// The period that `charged` is of.
    pub period: i64,
    /// Charged in that period.
    pub charged: Usd,
}

impl EscrowMirror {
    /// An account as it is created.
    pub fn created(at: UtcMillis) -> Self {
        let (balance, charged) = (Usd::ZERO, Usd::ZERO);
        Self { created_at: at, balance, limit: SpendingLimit::default(), period: 0, charged }
    }

    /// The number of the period that an instant lies in; 0 before the account existed.
    pub fn period_at(&self, at: UtcMillis) -> i64 {
        at.0.saturating_sub(self.created_at.0).max(0) / LIMIT_PERIOD_MS
    }

    /// When the period after that of `at` begins.
    pub fn next_period_after(&self, at: UtcMillis) -> UtcMillis {
        self.created_at.plus_ms(self.period_at(at).saturating_add(1).saturating_mul(LIMIT_PERIOD_MS))
    }

    /// What was charged in the period of an instant. A period that is older than the newest one known is over.
    pub fn charged_at(&self, at: UtcMillis) -> Usd {
        if self.period_at(at) > self.period { Usd::ZERO } else { self.charged }
    }

    /// The account after a charge that the chain made at an instant. One of a period that is over, of which it is only
    /// learnt now, does not count against the limit of the newest.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub fn after_charge(&self, amount: Usd, at: UtcMillis) -> Result<Self, MoneyOverflow> {
        let balance = self.balance.checked_sub(amount)?;
        let period = self.period_at(at);
        if period < self.period {
            return Ok(Self { balance, ..*self });
        }
        Ok(Self { balance, period, charged: self.charged_at(at).checked_add(amount)?, ..*self })
    }

    /// Whether `amount` can be charged, if `asked` is under way already.
    pub fn can_pay(&self, amount: Usd, asked: Usd, at: UtcMillis) -> Ability {
        let Ok(together) = asked.checked_add(amount) else { return Ability::NotEnough };
        if together > self.balance {
            Ability::NotEnough
        } else if !self.limit.allows(self.charged_at(at), together) {
            Ability::LimitReached { until: self.next_period_after(at) }
        } else {
            Ability::Able
        }
    }
}

/// Whether a payment method can pay an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    Able,
    /// More has to be paid in first.
    NotEnough,
    /// The spending limit does not allow it before the next period.
    LimitReached {
        until: UtcMillis,
    },
}

/// Where on the chain something happened: unique, so that it is counted once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainEventId {
    /// Of the transaction.
    pub digest: String,
    /// Of the event in it.
    pub index: u32,
}

/// A deposit or withdrawal that is final on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainMove {
    pub event: ChainEventId,
    /// Greater than 0.
    pub amount: Usd,
    /// On the chain.
    pub at: UtcMillis,
}

/// The answer to a demand for money or to a payment, from whoever carried it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Final; how the other side calls it.
    Succeeded { reference: String },
    /// Final: nothing was moved.
    Declined { reason: String },
}

/// For which invoice somebody was asked and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeAnswer {
    pub invoice: InvoiceId,
    pub attempt: u32,
    pub outcome: Outcome,
    /// When it was carried out.
    pub at: UtcMillis,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(cents: i64) -> Usd {
        Usd::from_micros(cents * 10_000)
    }

    #[test]
    fn a_limit_is_nothing_or_at_least_ten_dollars() {
        for (amount, allowed) in [(0, true), (1, false), (999, false), (1_000, true), (25_000, true), (-1_000, false)] {
            assert_eq!(SpendingLimit::new(cents(amount)).is_ok(), allowed, "{amount}");
        }
        assert_eq!(SpendingLimit::default().amount(), cents(25_000));
    }

    #[test]
    fn the_limit_itself_may_be_reached_and_not_passed() {
        let limit = SpendingLimit::new(cents(25_000)).unwrap();
        for (charged, amount, allowed) in [(19_500, 5_500, true), (19_500, 5_501, false), (0, 25_000, true)] {
            assert_eq!(limit.allows(cents(charged), cents(amount)), allowed);
        }
        assert!(!limit.allows(Usd::from_micros(i64::MAX), cents(1)));
        assert!(SpendingLimit::UNLIMITED.allows(cents(99_999_999), cents(99_999_999)));
    }

    #[test]
    fn periods_are_exactly_28_days_from_the_creation() {
        let created = UtcMillis(1_700_000_000_123);
        let account = EscrowMirror { charged: cents(1), period: 2, ..EscrowMirror::created(created) };
        for (offset_ms, period) in [
            (-1, 0),
            (0, 0),
            (LIMIT_PERIOD_MS - 1, 0),
            (LIMIT_PERIOD_MS, 1),
            (3 * LIMIT_PERIOD_MS - 1, 2),
            (3 * LIMIT_PERIOD_MS, 3),
        ] {
            let at = created.plus_ms(offset_ms);
            assert_eq!(account.period_at(at), period, "{offset_ms}");
            assert_eq!(account.next_period_after(at), created.plus_ms((period + 1) * LIMIT_PERIOD_MS));
            assert_eq!(account.charged_at(at), if period > 2 { Usd::ZERO } else { cents(1) });
        }
    }

    #[test]
    fn a_charge_counts_in_the_period_that_it_was_made_in() {
        let created = UtcMillis(1_700_000_000_123);
        let mut account = EscrowMirror { balance: cents(1_000), ..EscrowMirror::created(created) };
        for (number, at_period, charged, period, balance) in
            [(1, 0, 100, 0, 900), (2, 0, 200, 0, 800), (3, 2, 100, 2, 700), (4, 0, 100, 2, 600), (5, 2, 200, 2, 500)]
        {
            let at = created.plus_ms(at_period * LIMIT_PERIOD_MS + number);
            account = account.after_charge(cents(100), at).unwrap();
            assert_eq!((account.charged, account.period), (cents(charged), period), "charge {number}");
            assert_eq!(account.balance, cents(balance));
        }
    }

    #[test]
    fn what_is_under_way_counts() {
        let account = EscrowMirror { balance: cents(40_000), ..EscrowMirror::created(UtcMillis(0)) };
        let at = UtcMillis(5);
        let until = UtcMillis(LIMIT_PERIOD_MS);
        for (amount, asked, expected) in [
            (25_000, 0, Ability::Able),
            (25_000, 1, Ability::LimitReached { until }),
            (40_001, 0, Ability::NotEnough),
            (1, 40_000, Ability::NotEnough),
        ] {
            assert_eq!(account.can_pay(cents(amount), cents(asked), at), expected, "{amount} beside {asked}");
        }
    }
}
