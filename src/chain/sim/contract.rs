//! The rules of the contract for one account.

use super::world::minus;
use crate::chain::escrow::{EscrowAccount, LEAST_SPENDING_LIMIT, PERIOD_MS, Refusal};
use crate::core::calendar::UtcMillis;
use crate::core::customer::{DEFAULT_SPENDING_LIMIT, WalletAddress};
use crate::core::money::Usd;
use crate::core::seal_key::ObjectId;

/// An account.
pub(super) type Account = EscrowAccount;

impl Account {
    pub(super) fn created(object_id: ObjectId, owner: WalletAddress, created_at: UtcMillis) -> Self {
        let (balance, period_charged) = (Usd::ZERO, Usd::ZERO);
        Self {
            object_id,
            owner,
            created_at,
            balance,
            spending_limit: DEFAULT_SPENDING_LIMIT,
            period: 0,
            period_charged,
        }
    }

    /// Takes an amount within the limit of the period that `at` lies in: `charged + amount ≤ limit`.
    pub(super) fn charge(&mut self, at: i64, amount: Usd) -> Result<(), Refusal> {
        if amount <= Usd::ZERO {
            return Err(Refusal::NoAmount);
        }
        let period = self.period_at(UtcMillis(at));
        let charged = if period > self.period { Usd::ZERO } else { self.period_charged };
        let after = charged.checked_add(amount).map_err(|_| Refusal::OutOfRange)?;
        let limit = self.spending_limit;
        if limit != Usd::ZERO && after > limit {
            let period_ends_at = self.created_at.plus_ms(period.saturating_add(1).saturating_mul(PERIOD_MS));
            return Err(Refusal::LimitExceeded { limit, charged, period_ends_at });
        }
        self.balance = minus(self.balance, amount).ok_or(Refusal::NotEnough { balance: self.balance })?;
        (self.period, self.period_charged) = (period, after);
        Ok(())
    }

    pub(super) fn pay_in(&mut self, amount: Usd) -> Result<(), Refusal> {
        if amount <= Usd::ZERO {
            return Err(Refusal::NoAmount);
        }
        self.balance = self.balance.checked_add(amount).map_err(|_| Refusal::OutOfRange)?;
        Ok(())
    }

    /// Everything can be taken out at any time.
    pub(super) fn pay_out(&mut self, amount: Usd) -> Result<(), Refusal> {
        if amount <= Usd::ZERO {
            return Err(Refusal::NoAmount);
        }
        self.balance = minus(self.balance, amount).ok_or(Refusal::NotEnough { balance: self.balance })?;
        Ok(())
    }

    pub(super) fn set_limit(&mut self, limit: Usd) -> Result<(), Refusal> {
        if limit != Usd::ZERO && limit < LEAST_SPENDING_LIMIT {
            return Err(Refusal::NoSuchLimit);
        }
        self.spending_limit = limit;
        Ok(())
    }
}
