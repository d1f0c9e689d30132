//! What a customer lacks to pay something: money, a spending limit that allows it, or both.

use super::account::Account;
use super::error::BillingError;
use super::escrow::EscrowMirror;
use super::ids::Counters;
use super::once_paid::OncePaid;
use super::payment::PaymentMethod;
use super::terms::Terms;
use crate::core::calendar::UtcMillis;
use crate::core::money::{MoneyOverflow, Usd};

/// What is missing; never nothing of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortfall {
    /// To be paid in; 0 if the balance suffices.
    pub balance: Usd,
    /// If the spending limit does not allow it.
    pub limit: Option<LimitShortfall>,
}

/// A spending limit that is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitShortfall {
    /// The smallest that allows it at once.
    pub needed: Usd,
    /// When the present one does, in the next period; `None` if it never does.
    pub allows_at: Option<UtcMillis>,
}

impl EscrowMirror {
    /// What is missing before `amount` can be charged, if `asked` is under way already: `None` exactly if it can be.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub fn shortfall(&self, amount: Usd, asked: Usd, at: UtcMillis) -> Result<Option<Shortfall>, MoneyOverflow> {
        let together = asked.checked_add(amount)?;
        let balance = together.checked_sub(self.balance)?.max(Usd::ZERO);
        let charged = self.charged_at(at);
        let limit = if self.limit.allows(charged, together) {
            None
        } else {
            let allows_at = self.limit.allows(Usd::ZERO, together).then(|| self.next_period_after(at));
            Some(LimitShortfall { needed: charged.checked_add(together)?, allows_at })
        };
        Ok((balance > Usd::ZERO || limit.is_some()).then_some(Shortfall { balance, limit }))
    }
}

/// What is missing before everything is paid that is unpaid and not asked for already, and what is billed because of that:
/// services that were suspended resume, and have a running month. `None` if nothing is missing. As long as nothing can be
/// decided, because a month is still to be closed, what follows is left out.
///
/// # Errors
/// [`BillingError::Money`].
pub fn shortfall(
    account: &Account,
    terms: &Terms,
    counters: Counters,
    now: UtcMillis,
) -> Result<Option<Shortfall>, BillingError> {
    let mut paid = OncePaid::new(account, terms, counters, now);
    match paid.pay_everything() {
        Ok(()) => account.shortfall_of(paid.asked, now),
        Err(_) => account.shortfall_of(account.waiting(now)?, now),
    }
}

impl Account {
    /// What is unpaid and not asked for, less the credits that can be used.
    fn waiting(&self, now: UtcMillis) -> Result<Usd, BillingError> {
        let waiting = self.unpaid().into_iter().filter(|invoice| !self.is_under_way(invoice.id));
        let credits = Usd::sum(self.credits.values().map(|credit| credit.usable(now)))?;
        let owed = Usd::sum(waiting.map(|invoice| invoice.amount))?.checked_sub(credits)?;
        Ok(owed.max(Usd::ZERO))
    }

    /// What is missing before payment methods can pay `amount`.
    ///
    /// # Errors
    /// [`BillingError::Money`].
    pub(super) fn shortfall_of(&self, amount: Usd, now: UtcMillis) -> Result<Option<Shortfall>, BillingError> {
        if amount == Usd::ZERO {
            return Ok(None);
        }
        // Whoever has no account on the chain gets one like this with the first deposit.
        let escrow = self.escrow.unwrap_or(EscrowMirror::created(now));
        Ok(escrow.shortfall(amount, self.asked(PaymentMethod::Escrow)?, now)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::billing::escrow::{Ability, LIMIT_PERIOD_MS, SpendingLimit};

    const NOW: UtcMillis = UtcMillis(1_000);
    const NEXT: UtcMillis = UtcMillis(LIMIT_PERIOD_MS);

    fn dollars(amount: i32) -> Usd {
        Usd::from_dollars(amount)
    }

    #[track_caller]
    fn check(
        limit: SpendingLimit,
        charged: i32,
        asked: i32,
        amount: i32,
        expected: Option<(i32, Option<LimitShortfall>)>,
    ) {
        let escrow = EscrowMirror {
            balance: dollars(100),
            charged: dollars(charged),
            limit,
            ..EscrowMirror::created(UtcMillis(0))
        };
        let found = escrow.shortfall(dollars(amount), dollars(asked), NOW).unwrap();
        let expected = expected.map(|(balance, limit)| Shortfall { balance: dollars(balance), limit });
        assert_eq!(found, expected);
        let is_able = escrow.can_pay(dollars(amount), dollars(asked), NOW) == Ability::Able;
        assert_eq!(found.is_none(), is_able, "both say the same");
    }

    #[test]
    fn money_the_limit_or_both_are_missing() {
        let limit = |amount| SpendingLimit::new(dollars(amount)).unwrap();
        let too_small = |needed, allows_at| Some(LimitShortfall { needed: dollars(needed), allows_at });
        check(SpendingLimit::UNLIMITED, 500, 0, 100, None);
        check(SpendingLimit::UNLIMITED, 500, 0, 101, Some((1, None)));
        check(SpendingLimit::UNLIMITED, 500, 60, 50, Some((10, None)));
        check(limit(100), 0, 0, 100, None);
        check(limit(100), 50, 0, 60, Some((0, too_small(110, Some(NEXT)))));
        check(limit(100), 0, 50, 60, Some((10, too_small(110, None))));
        check(limit(50), 0, 0, 60, Some((0, too_small(60, None))));
        check(limit(150), 100, 0, 120, Some((20, too_small(220, Some(NEXT)))));
    }
}
