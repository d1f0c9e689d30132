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

/// Basis points in a whole.
pub(super) const WHOLE_BASIS_POINTS: u64 = 10_000;

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

/// What a kind says besides its word: columns of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KindFacts {
    /// Of a subscription; of an upgrade the new one.
    pub tier: Option<Tier>,
    pub from_tier: Option<Tier>,
    pub extra: Option<ExtraKind>,
    pub credit: Option<CreditId>,
}

impl LineKind {
    /// The columns beside [`Self::name`].
    pub fn facts(self) -> KindFacts {
        let none = KindFacts::default();
        match self {
            Self::Subscription { tier } => KindFacts { tier: Some(tier), ..none },
            Self::Upgrade { from, to } => KindFacts { tier: Some(to), from_tier: Some(from), ..none },
            Self::Extra(extra) => KindFacts { extra: Some(extra), ..none },
            Self::Credit(credit) => KindFacts { credit: Some(credit), ..none },
            Self::Usage(_) | Self::LateUsage(_) | Self::Tax => none,
        }
    }

    /// The kind with this word and exactly these facts; `None` if there is none.
    pub fn from_facts(name: &str, facts: KindFacts) -> Option<Self> {
        let kind = match name {
            "subscription" => Self::Subscription { tier: facts.tier? },
            "upgrade" => Self::Upgrade { from: facts.from_tier?, to: facts.tier? },
            "extra" => Self::Extra(facts.extra?),
            "requests" => Self::Usage(Measure::Requests),
            "bandwidth" => Self::Usage(Measure::Bandwidth),
            "late_requests" => Self::LateUsage(Measure::Requests),
            "late_bandwidth" => Self::LateUsage(Measure::Bandwidth),
            "tax" => Self::Tax,
            "credit" => Self::Credit(facts.credit?),
            _ => return None,
        };
        (kind.facts() == facts).then_some(kind)
    }

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

    /// Whether it is usage, late or not.
    pub const fn is_metered(&self) -> bool {
        matches!(self.kind, LineKind::Usage(_) | LineKind::LateUsage(_))
    }

    /// Recomputes it. The first thing that does not hold.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub fn broken(&self) -> Result<Option<&'static str>, MoneyOverflow> {
        let expected = Self::new(self.kind, self.service, self.month, self.quantity, self.unit)?;
        let expected = Self { usage: self.usage, ..expected };
        let rules = [
            ("a line differs from its quantity times its price", *self == expected),
            ("only credits are negative", (self.amount < Usd::ZERO) == self.is_credit()),
            ("a credit is a whole number of cents", !self.is_credit() || self.remainder == Usd::ZERO),
            ("exactly usage has a window and a digest", self.is_metered() == self.usage.is_some()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_back_from_their_columns() {
        let tier = Tier::Pro;
        for kind in [
            LineKind::Subscription { tier },
            LineKind::Upgrade { from: Tier::Starter, to: tier },
            LineKind::Extra(ExtraKind::Package),
            LineKind::Usage(Measure::Requests),
            LineKind::Usage(Measure::Bandwidth),
            LineKind::LateUsage(Measure::Requests),
            LineKind::LateUsage(Measure::Bandwidth),
            LineKind::Tax,
            LineKind::Credit(CreditId(7)),
        ] {
            assert_eq!(LineKind::from_facts(kind.name(), kind.facts()), Some(kind));
            let too_much = KindFacts { extra: Some(ExtraKind::ApiKey), credit: Some(CreditId(1)), ..kind.facts() };
            assert_eq!(LineKind::from_facts(kind.name(), too_much), None, "{kind:?}");
        }
        assert_eq!(LineKind::from_facts("subscription", KindFacts::default()), None);
        assert_eq!(LineKind::from_facts("gift", KindFacts::default()), None);
    }

    #[test]
    fn a_line_is_rounded_once_and_down() {
        let month: Month = "2025-02".parse().unwrap();
        for (quantity, micros, per, amount, remainder) in [
            (12_345, 1_000_000, 10_000, 1_230_000, 4_500),
            (3, 156_000_000, 28, 16_710_000, 4_285),
            (0, 156_000_000, 28, 0, 0),
            (1_900, 29_000_000, 10_000, 5_510_000, 0),
        ] {
            let unit = UnitPrice { amount: Usd::from_micros(micros), per };
            let line = Line::new(LineKind::Tax, None, month, quantity, unit).unwrap();
            assert_eq!((line.amount.micros(), line.remainder.micros()), (amount, remainder));
            assert_eq!(line.broken(), Ok(None));
        }
        let credit = Line::credit(CreditId(1), month, Usd::from_micros(10_001)).unwrap();
        assert_eq!(credit.broken(), Ok(Some("a credit is a whole number of cents")));
    }
}
