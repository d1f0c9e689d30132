//! Credits: money that a customer can use up but not withdraw.
//!
//! ```text
//! granted ──▶ used, part by part ──▶ used up
//!    │  ▲          │
//!    │  └──────────┘ the invoice is voided, nobody could be charged for the rest of it, or it is given back
//!    ▼
//! expired: what is left is gone
//! ```
//! A part that comes back after the expiry expires with the rest: the expiry belongs to the grant.

use super::ids::{CreditId, InvoiceId};
use crate::core::calendar::UtcMillis;
use crate::core::money::{MoneyOverflow, Usd};

/// Why credit was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CreditReason {
    /// For days before a subscription, and for usage that was billed and turned out to be less.
    Reconciliation,
    Goodwill,
    Promo,
    Outage,
    /// In place of money that was paid.
    Refund,
}

impl CreditReason {
    pub const ALL: [Self; 5] = [Self::Reconciliation, Self::Goodwill, Self::Promo, Self::Outage, Self::Refund];

    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reconciliation => "reconciliation",
            Self::Goodwill => "goodwill",
            Self::Promo => "promo",
            Self::Outage => "outage",
            Self::Refund => "refund",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// One grant. Amounts are whole cents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    pub id: CreditId,
    pub reason: CreditReason,
    pub granted: Usd,
    /// Neither used nor expired.
    pub remaining: Usd,
    pub granted_at: UtcMillis,
    /// From this instant it cannot be used; absent = never.
    pub expires_at: Option<UtcMillis>,
    /// How often something of it expired: what comes back later expires later.
    pub expirations: u32,
    /// The invoice that it is for.
    pub invoice: Option<InvoiceId>,
}

impl Credit {
    /// What can be used of it.
    pub fn usable(&self, at: UtcMillis) -> Usd {
        if self.is_expired(at) { Usd::ZERO } else { self.remaining }
    }

    pub fn is_expired(&self, at: UtcMillis) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= at)
    }

    /// Oldest expiry first, never-expiring last, then the oldest.
    fn rank(&self) -> (UtcMillis, UtcMillis, CreditId) {
        (self.expires_at.unwrap_or(UtcMillis(i64::MAX)), self.granted_at, self.id)
    }
}

/// What is used of which credit, in order, for charges of `charges` at an instant: never more than either.
///
/// # Errors
/// [`MoneyOverflow`].
pub fn plan_use<'a>(
    credits: impl IntoIterator<Item = &'a Credit>,
    charges: Usd,
    at: UtcMillis,
) -> Result<Vec<(CreditId, Usd)>, MoneyOverflow> {
    let mut usable: Vec<_> = credits.into_iter().filter(|credit| credit.usable(at) > Usd::ZERO).collect();
    usable.sort_by_key(|credit| credit.rank());
    let mut left = charges;
    let mut uses = Vec::new();
    for credit in usable {
        if left <= Usd::ZERO {
            break;
        }
        let used = credit.usable(at).min(left);
        left = left.checked_sub(used)?;
        uses.push((credit.id, used));
    }
    Ok(uses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credit(id: u64, cents: i64, granted_at: i64, expires_at: Option<i64>) -> Credit {
        let amount = Usd::from_micros(cents * 10_000);
        Credit {
            id: CreditId(id),
            reason: CreditReason::Promo,
            granted: amount,
            remaining: amount,
            granted_at: UtcMillis(granted_at),
            expires_at: expires_at.map(UtcMillis),
            expirations: 0,
            invoice: None,
        }
    }

    #[test]
    fn what_expires_first_is_used_first_and_nothing_twice() {
        let credits = [
            credit(1, 2_000, 0, None),
            credit(2, 1_500, 0, Some(60)),
            credit(3, 1_000, 0, Some(30)),
            credit(4, 100, -5, None),
            credit(5, 9_999, 0, Some(10)),
        ];
        for (charges_cents, expected) in [
            (0, vec![]),
            (-5, vec![]),
            (2_500, vec![(3, 1_000), (2, 1_500)]),
            (2_501, vec![(3, 1_000), (2, 1_500), (4, 1)]),
            (9_000, vec![(3, 1_000), (2, 1_500), (4, 100), (1, 2_000)]),
        ] {
            let uses = plan_use(&credits, Usd::from_micros(charges_cents * 10_000), UtcMillis(10)).unwrap();
            let uses: Vec<_> = uses.iter().map(|(id, used)| (id.0, used.micros() / 10_000)).collect();
            assert_eq!(uses, expected, "{charges_cents}");
        }
    }

    #[test]
    fn reasons_are_read_back() {
        for reason in CreditReason::ALL {
            assert_eq!(CreditReason::from_name(reason.name()), Some(reason));
        }
    }
}
