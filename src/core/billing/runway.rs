//! How long a balance lasts at the present rate: shown, and nothing is decided by it.
//!
//! Usage is owed day by day and paid on the 1st together with the next month. So each day takes its share of the
//! balance, each 1st the renewal; and on each 1st the invoice must pass under the limit of its 28-day period.

use super::account::Account;
use super::escrow::EscrowMirror;
use super::line::Line;
use crate::core::calendar::{DAY_MS, Month, NotAMonth, UtcMillis};
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::rating::PricePerRequests;
use crate::core::usage::HourUsage;

/// Nobody needs to know it further ahead.
pub const HORIZON_DAYS: u32 = 365;

/// What a runway is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// What can be used of credits.
    pub credits: Usd,
    /// What invoices demand already, under way or not.
    pub unpaid: Usd,
    /// This month's usage so far.
    pub used: Usd,
    /// What a day's usage costs at the present rate.
    pub per_day: Usd,
    /// What each 1st costs besides usage.
    pub renewal: Usd,
}

/// The outlook of an account, for a rate of `per_day`.
///
/// # Errors
/// [`MoneyOverflow`].
pub fn outlook(account: &Account, per_day: Usd, now: UtcMillis) -> Result<Outlook, MoneyOverflow> {
    let of_draft = |counts: fn(&Line) -> bool| {
        let lines = account.draft().into_iter().flat_map(|draft| &draft.lines);
        Usd::sum(lines.filter(|line| counts(line)).map(|line| line.amount))
    };
    Ok(Outlook {
        credits: Usd::sum(account.credits.values().map(|credit| credit.usable(now)))?,
        unpaid: Usd::sum(account.unpaid().iter().map(|invoice| invoice.amount))?,
        used: of_draft(Line::is_usage)?,
        per_day,
        renewal: of_draft(Line::is_prepaid)?,
    })
}

/// The present rate is that of so many days.
pub const RATE_DAYS: i64 = 7;

/// What a day costs at the present rate: the requests of the last [`RATE_DAYS`], in `hours`, at the present price. Who
/// began later has a rate of the time since then, and at least of a day.
///
/// # Errors
/// [`MoneyOverflow`].
pub fn per_day(hours: &[HourUsage], price: PricePerRequests, now: UtcMillis) -> Result<Usd, MoneyOverflow> {
    let recent = || hours.iter().filter(|usage| usage.hour > now.plus_ms(-RATE_DAYS * DAY_MS) && usage.hour <= now);
    let requests = recent().map(|usage| usage.billable_requests).fold(0, u64::saturating_add);
    let first = recent().map(|usage| usage.hour).min();
    let span_ms = first.map_or(DAY_MS, |first| now.0.saturating_sub(first.0).max(DAY_MS));
    price.amount.times_per(requests, price.per)?.times_per(DAY_MS.unsigned_abs(), span_ms.unsigned_abs())
}

/// Why it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunwayEnd {
    /// The balance and the credits are used up.
    Balance,
    /// The spending limit does not allow an invoice.
    SpendingLimit,
    /// Not within the horizon.
    Beyond,
}

impl RunwayEnd {
    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::SpendingLimit => "spending_limit",
            Self::Beyond => "beyond",
        }
    }
}

/// Full days from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runway {
    pub days: u32,
    pub end: RunwayEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRunway {
    #[error(transparent)]
    Money(#[from] MoneyOverflow),
    #[error("the time is out of the calendar's range")]
    Calendar,
}

impl From<NotAMonth> for NoRunway {
    fn from(_: NotAMonth) -> Self {
        Self::Calendar
    }
}

/// Day by day until something does not suffice.
///
/// # Errors
/// [`NoRunway`] when an amount or a date leaves its range.
pub fn runway(escrow: &EscrowMirror, outlook: &Outlook, now: UtcMillis) -> Result<Runway, NoRunway> {
    let mut state = State {
        left: escrow.balance.checked_add(outlook.credits)?.checked_sub(outlook.unpaid)?.checked_sub(outlook.used)?,
        credits: outlook.credits,
        invoice: outlook.used,
        escrow: *escrow,
    };
    let mut month = Month::of(now)?;
    for days in 0..=HORIZON_DAYS {
        if let Some(end) = state.ends() {
            return Ok(Runway { days: days.saturating_sub(1), end });
        }
        let at = now.plus_ms(i64::from(days).saturating_add(1).saturating_mul(DAY_MS));
        state.use_a_day(outlook)?;
        if at >= month.end() {
            if !state.pay_a_month(outlook, month.end())? {
                return Ok(Runway { days, end: RunwayEnd::SpendingLimit });
            }
            month = month.next()?;
        }
    }
    Ok(Runway { days: HORIZON_DAYS, end: RunwayEnd::Beyond })
}

struct State {
    /// Balance and credits less all that is owed: below 0, it does not suffice.
    left: Usd,
    credits: Usd,
    /// What the next invoice will demand for usage.
    invoice: Usd,
    escrow: EscrowMirror,
}

impl State {
    fn ends(&self) -> Option<RunwayEnd> {
        (self.left < Usd::ZERO).then_some(RunwayEnd::Balance)
    }

    fn use_a_day(&mut self, outlook: &Outlook) -> Result<(), MoneyOverflow> {
        self.left = self.left.checked_sub(outlook.per_day)?;
        self.invoice = self.invoice.checked_add(outlook.per_day)?;
        Ok(())
    }

    /// Whether the limit allows it. What is wanting in the balance is seen by the caller.
    fn pay_a_month(&mut self, outlook: &Outlook, at: UtcMillis) -> Result<bool, MoneyOverflow> {
        let invoice = self.invoice.checked_add(outlook.renewal)?;
        self.left = self.left.checked_sub(outlook.renewal)?;
        let by_credit = self.credits.min(invoice);
        let demanded = invoice.checked_sub(by_credit)?;
        let charged = self.escrow.charged_at(at);
        let allowed = self.left < Usd::ZERO || self.escrow.limit.allows(charged, demanded);
        self.escrow.charged = charged.checked_add(demanded)?;
        self.escrow.period = self.escrow.period_at(at);
        self.credits = self.credits.checked_sub(by_credit)?;
        self.invoice = Usd::ZERO;
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::billing::escrow::SpendingLimit;
    use crate::core::calendar::HOUR_MS;
    use crate::core::id::{CustomerId, Service};

    fn usd(dollars: i32) -> Usd {
        Usd::from_dollars(dollars)
    }

    /// On the 21st of January 2025 at noon: the 1st of February is the 11th day from then.
    fn check(balance: i32, limit: i32, outlook: Outlook, expected: (u32, RunwayEnd)) {
        let month: Month = "2025-01".parse().unwrap();
        let now = month.start().plus_ms(20 * DAY_MS + DAY_MS / 2);
        let limit = SpendingLimit::new(usd(limit)).unwrap();
        let escrow = EscrowMirror { balance: usd(balance), limit, ..EscrowMirror::created(month.start()) };
        let found = runway(&escrow, &outlook, now).unwrap();
        assert_eq!((found.days, found.end), expected, "{balance} {limit:?} {outlook:?}");
    }

    #[test]
    fn a_balance_lasts_until_a_day_or_a_renewal_is_too_much() {
        let nothing = Outlook { credits: usd(0), unpaid: usd(0), used: usd(0), per_day: usd(0), renewal: usd(0) };
        let balance = RunwayEnd::Balance;
        check(0, 0, nothing, (365, RunwayEnd::Beyond));
        check(5, 0, Outlook { per_day: usd(1), ..nothing }, (5, balance));
        check(5, 0, Outlook { per_day: usd(1), used: usd(2), ..nothing }, (3, balance));
        check(5, 0, Outlook { per_day: usd(1), credits: usd(3), unpaid: usd(1), ..nothing }, (7, balance));
        check(28, 0, Outlook { renewal: usd(29), ..nothing }, (10, balance));
        check(29, 0, Outlook { renewal: usd(29), ..nothing }, (38, balance));
        check(29, 0, Outlook { renewal: usd(29), per_day: usd(1), ..nothing }, (10, balance));
    }

    #[test]
    fn the_rate_is_of_a_week_or_of_the_time_since_the_beginning() {
        let now = UtcMillis(100 * DAY_MS);
        let price = PricePerRequests { amount: usd(1), per: 10_000 };
        let hour = |hours_ago: i64, billable_requests| HourUsage {
            customer: CustomerId::new(1).unwrap(),
            service: Service::Grpc,
            hour: now.plus_ms(-hours_ago * HOUR_MS),
            requests: billable_requests,
            billable_requests,
            billable_bytes: 0,
        };
        for (hours, micros) in [
            (vec![], 0),
            (vec![hour(1, 20_000)], 2_000_000),
            (vec![hour(48, 20_000), hour(1, 20_000)], 2_000_000),
            (vec![hour(48, 20_000), hour(0, 20_000)], 2_000_000),
            (vec![hour(48, 20_000), hour(-1, 20_000)], 1_000_000),
            (vec![hour(167, 70_000)], 1_005_988),
            (vec![hour(168, 70_000)], 0),
        ] {
            assert_eq!(per_day(&hours, price, now), Ok(Usd::from_micros(micros)), "{hours:?}");
        }
    }

    #[test]
    fn the_limit_of_28_days_ends_it_too() {
        let outlook = Outlook { credits: usd(0), unpaid: usd(0), used: usd(0), per_day: usd(10), renewal: usd(29) };
        // 11 days and a renewal are 139 on the 1st of February; February is 280 and a renewal.
        check(9_999, 0, outlook, (365, RunwayEnd::Beyond));
        check(9_999, 139, outlook, (38, RunwayEnd::SpendingLimit));
        check(9_999, 138, outlook, (10, RunwayEnd::SpendingLimit));
        check(9_999, 138, Outlook { credits: usd(1), ..outlook }, (38, RunwayEnd::SpendingLimit));
        check(9_999, 309, Outlook { per_day: usd(0), renewal: usd(309), ..outlook }, (365, RunwayEnd::Beyond));
    }
}
