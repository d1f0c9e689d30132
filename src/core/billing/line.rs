//! One line of an invoice. A customer pays whole cents: each line is rounded down once, and what was dropped stays on
//! it for display. So for every line `exact = amount + remainder`, with `0 ≤ remainder < 1 cent`.

use std::fmt;

use super::ids::CreditId;
use super::terms::{ExtraKind, UnitPrice};
use super::usage_lines::UsageDigest;
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::Service;
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::tier::Tier;

/// What is metered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Billable requests.
    Requests,
    /// Billable bytes.
    Bandwidth,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineKind {
    /// A month of a tier, prepaid.
    Subscription { tier: Tier },
    /// The rest of a month in a larger tier. Quantity: days; price: the difference for all days of the month.
    Upgrade { from: Tier, to: Tier },
    /// A month of what a tier does not include, prepaid.
    Extra(ExtraKind),
    /// Usage of the invoice's month.
    Usage(Measure),
    /// Usage of an earlier month that arrived after its invoice.
    LateUsage(Measure),
    /// Of all charges. Quantity: basis points; price: the charges for 10,000 of them.
    Tax,
    /// Part of a grant of credit: the only kind that is negative.
    Credit(CreditId),
}

/// Hours from `from` until before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    pub from: UtcMillis,
    pub to: UtcMillis,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub kind: LineKind,
    /// Absent for tax and credits.
    pub service: Option<Service>,
    /// The month it pays for, or in which the usage happened.
    pub month: Month,
    pub quantity: u64,
    pub unit: UnitPrice,
    /// Quantity × price to the micro-dollar.
    pub exact: Usd,
    /// What is charged: `exact` rounded down to whole cents.
    pub amount: Usd,
    /// `exact − amount`; shown, not charged.
    pub remainder: Usd,
    /// Of usage: when it happened, and what it was counted from.
    pub usage: Option<(Window, UsageDigest)>,
}

impl LineKind {
    /// The word used in JSON and SQL; what it does not say stands in columns of its own.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscription { .. } => "subscription",
            Self::Upgrade { .. } => "upgrade",
            Self::Extra(_) => "extra",
            Self::Usage(Measure::Requests) => "requests",
            Self::Usage(Measure::Bandwidth) => "bandwidth",
            Self::LateUsage(Measure::Requests) => "late_requests",
            Self::LateUsage(Measure::Bandwidth) => "late_bandwidth",
            Self::Tax => "tax",
            Self::Credit(_) => "credit",
        }
    }
}

impl Line {
    /// `quantity` pieces at a price.
    ///
    /// # Errors
    /// [`MoneyOverflow`] when an amount leaves its range, and for a price per 0 pieces.
    pub fn new(
        kind: LineKind,
        service: Option<Service>,
        month: Month,
        quantity: u64,
        unit: UnitPrice,
    ) -> Result<Self, MoneyOverflow> {
        let exact = unit.amount.times_per(quantity, unit.per)?;
        let amount = exact.floor_cents();
        let remainder = exact.checked_sub(amount)?;
        Ok(Self { kind, service, month, quantity, unit, exact, amount, remainder, usage: None })
    }

    /// `used` of a grant of credit: whole cents.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub fn credit(credit: CreditId, month: Month, used: Usd) -> Result<Self, MoneyOverflow> {
        Self::new(LineKind::Credit(credit), None, month, 1, UnitPrice::each(used.checked_neg()?))
    }

    /// Whether it takes off what is paid.
    pub const fn is_credit(&self) -> bool {
        matches!(self.kind, LineKind::Credit(_))
    }

    /// Whether it was fixed when the month began: a subscription or what goes with it.
    pub const fn is_prepaid(&self) -> bool {
        matches!(self.kind, LineKind::Subscription { .. } | LineKind::Extra(_))
    }

    /// Whether it is usage of the invoice's month.
    pub const fn is_usage(&self) -> bool {
        matches!(self.kind, LineKind::Usage(_))
    }

    /// Recomputes it. The first thing that does not hold.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub fn broken(&self) -> Result<Option<&'static str>, MoneyOverflow> {
        let expected = Self::new(self.kind, self.service, self.month, self.quantity, self.unit)?;
        let expected = Self { usage: self.usage, ..expected };
        let metered = matches!(self.kind, LineKind::Usage(_) | LineKind::LateUsage(_));
        let rules = [
            ("a line differs from its quantity times its price", *self == expected),
            ("only credits are negative", (self.amount < Usd::ZERO) == self.is_credit()),
            ("a credit is a whole number of cents", !self.is_credit() || self.remainder == Usd::ZERO),
            ("exactly usage has a window and a digest", metered == self.usage.is_some()),
            ("a window ends after it begins", self.usage.is_none_or(|(window, _)| window.from < window.to)),
        ];
        Ok(rules.into_iter().find(|(_, holds)| !holds).map(|(rule, _)| rule))
    }
}

/// What a person reads, e.g. `Seal Pro, 2026-11`.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = self.service.map_or("", Service::title);
        let month = self.month;
        match self.kind {
            LineKind::Subscription { tier } => write!(f, "{service} {}, {month}", tier.title()),
            LineKind::Upgrade { from, to } => {
                let (quantity, days) = (self.quantity, self.unit.per);
                write!(f, "{service} from {} to {}, {quantity} of {days} days of {month}", from.title(), to.title())
            }
            LineKind::Extra(kind) => write!(f, "{service} {}, {month}", kind.title()),
            LineKind::Usage(Measure::Requests) => write!(f, "{service} requests, {month}"),
            LineKind::Usage(Measure::Bandwidth) => write!(f, "{service} bytes sent, {month}"),
            LineKind::LateUsage(Measure::Requests) => write!(f, "{service} requests, late usage of {month}"),
            LineKind::LateUsage(Measure::Bandwidth) => write!(f, "{service} bytes sent, late usage of {month}"),
            LineKind::Tax => {
                write!(f, "tax of {}.{:02} %", self.quantity / 100, self.quantity % 100)
            }
            LineKind::Credit(credit) => write!(f, "credit {credit}"),
        }
    }
}
