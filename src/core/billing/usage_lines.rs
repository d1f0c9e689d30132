//! From hours of usage to lines: one per service, measure and stretch of time with one price, so that a line can be
//! drilled down to exactly its hours.

use std::fmt;

use sha2::{Digest, Sha256};

use super::line::{Line, LineKind, Measure, Window};
use super::terms::UnitPrice;
use crate::core::calendar::{Month, UtcMillis};
use crate::core::config_global::PricePeriod;
use crate::core::id::{CustomerId, Service};
use crate::core::money::MoneyOverflow;
use crate::core::usage::HourUsage;

/// SHA-256 over the hours that a line was counted from, so that it can be shown later that they are the same.
///
/// The bytes, integers big-endian: `suiftly usage 1` and a zero byte; customer (4), service (1), measure (1: 0
/// requests, 1 bandwidth), the window's first millisecond and the one after it (8 each), the number of hours (8); then
/// in order of time for each hour with a quantity above 0 its first millisecond (8) and the quantity (8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageDigest(pub [u8; 32]);

const DOMAIN: &[u8] = b"suiftly usage 1\0";

/// Hexadecimal.
impl fmt::Display for UsageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for UsageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What usage costs when: the periods of each measure, without gaps and oldest first. What has no period costs nothing
/// and makes no line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsagePrices {
    pub requests: Vec<PricePeriod>,
    /// Empty while bandwidth is free. Per bytes.
    pub bandwidth: Vec<PricePeriod>,
}

/// The lines of a month for one customer's hours, in any order and each hour at most once; hours of other months are
/// left out. In order of service, measure and time; quantities are above 0.
///
/// # Errors
/// [`MoneyOverflow`] when a sum or an amount leaves its range.
pub fn usage_lines(
    customer: CustomerId,
    month: Month,
    hours: &[HourUsage],
    prices: &UsagePrices,
) -> Result<Vec<Line>, MoneyOverflow> {
    let mut lines = Vec::new();
    for service in Service::ALL {
        for (measure, periods) in [(Measure::Requests, &prices.requests), (Measure::Bandwidth, &prices.bandwidth)] {
            for (window, unit) in stretches(month, periods) {
                let counted = Counted { customer, service, measure, window };
                let quantities = counted.quantities(hours);
                lines.extend(line(month, counted, &quantities, unit)?);
            }
        }
    }
    Ok(lines)
}

/// What a line counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub customer: CustomerId,
    pub service: Service,
    pub measure: Measure,
    pub window: Window,
}

impl Counted {
    /// Its hours with their quantities above 0, in order of time.
    pub fn quantities(&self, hours: &[HourUsage]) -> Vec<(UtcMillis, u64)> {
        let is_counted = |usage: &&HourUsage| {
            (usage.customer, usage.service) == (self.customer, self.service)
                && self.window.from <= usage.hour
                && usage.hour < self.window.to
        };
        let quantity = |usage: &HourUsage| match self.measure {
            Measure::Requests => usage.billable_requests,
            Measure::Bandwidth => usage.billable_bytes,
        };
        let counted = hours.iter().filter(is_counted).map(|usage| (usage.hour, quantity(usage)));
        let mut quantities: Vec<_> = counted.filter(|(_, quantity)| *quantity > 0).collect();
        quantities.sort_unstable();
        quantities
    }

    /// The digest of what [`Self::quantities`] gave.
    pub fn digest(&self, quantities: &[(UtcMillis, u64)]) -> UsageDigest {
        let measure: u8 = match self.measure {
            Measure::Requests => 0,
            Measure::Bandwidth => 1,
        };
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(self.customer.get().to_be_bytes());
        hash.update([self.service.number(), measure]);
        hash.update(self.window.from.0.to_be_bytes());
        hash.update(self.window.to.0.to_be_bytes());
        hash.update(u64::try_from(quantities.len()).unwrap_or(u64::MAX).to_be_bytes());
        for (hour, quantity) in quantities {
            hash.update(hour.0.to_be_bytes());
            hash.update(quantity.to_be_bytes());
        }
        UsageDigest(hash.finalize().into())
    }
}

/// What the hours of a line of usage come to by all that is known: their quantity and their digest; `None` for any other
/// line. Both are those of the line if no usage came after it. A line of late usage has the digest of all hours, and
/// only what was new of their quantity.
pub fn recount(customer: CustomerId, line: &Line, hours: &[HourUsage]) -> Option<(u64, UsageDigest)> {
    let (LineKind::Usage(measure) | LineKind::LateUsage(measure)) = line.kind else { return None };
    let (window, _) = line.usage?;
    let counted = Counted { customer, service: line.service?, measure, window };
    let quantities = counted.quantities(hours);
    let quantity = quantities.iter().fold(0, |sum: u64, (_, quantity)| sum.saturating_add(*quantity));
    Some((quantity, counted.digest(&quantities)))
}

/// Stretches of a month with one price, oldest first: neighbours that cost the same are one.
fn stretches(month: Month, periods: &[PricePeriod]) -> Vec<(Window, UnitPrice)> {
    let mut found: Vec<(Window, UnitPrice)> = Vec::new();
    for period in periods {
        let window = Window { from: period.from.max(month.start()), to: period.to.min(month.end()) };
        let unit = UnitPrice::from(period.price);
        match found.last_mut() {
            _ if window.from >= window.to => {}
            Some((last, price)) if last.to == window.from && *price == unit => last.to = window.to,
            _ => found.push((window, unit)),
        }
    }
    found
}

fn line(
    month: Month,
    counted: Counted,
    quantities: &[(UtcMillis, u64)],
    unit: UnitPrice,
) -> Result<Option<Line>, MoneyOverflow> {
    if quantities.is_empty() {
        return Ok(None);
    }
    let add = |sum: u64, (_, quantity): &(UtcMillis, u64)| sum.checked_add(*quantity).ok_or(MoneyOverflow);
    let quantity = quantities.iter().try_fold(0, add)?;
    if unit.amount < crate::core::money::Usd::ZERO {
        return Err(MoneyOverflow);
    }
    let line = Line::new(LineKind::Usage(counted.measure), Some(counted.service), month, quantity, unit)?;
    Ok(Some(Line { usage: Some((counted.window, counted.digest(quantities))), ..line }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::HOUR_MS;
    use crate::core::money::Usd;
    use crate::core::rating::PricePerRequests;

    fn month() -> Month {
        "2025-02".parse().unwrap()
    }

    fn customer() -> CustomerId {
        CustomerId::new(7).unwrap()
    }

    fn used(service: Service, hour: i64, billable_requests: u64) -> HourUsage {
        let hour = month().start().plus_ms(hour * HOUR_MS);
        let billable_bytes = billable_requests * 1_000;
        HourUsage {
            customer: customer(),
            service,
            hour,
            requests: billable_requests,
            billable_requests,
            billable_bytes,
        }
    }

    fn period(from_hour: i64, to_hour: i64, micros: i64) -> PricePeriod {
        let at = |hour: i64| month().start().plus_ms(hour * HOUR_MS);
        let price = PricePerRequests { amount: Usd::from_micros(micros), per: 10_000 };
        PricePeriod { from: at(from_hour), to: at(to_hour), price }
    }

    fn shown(lines: &[Line]) -> Vec<(Service, u64, i64, i64)> {
        let row = |line: &Line| (line.service.unwrap(), line.quantity, line.amount.micros(), line.remainder.micros());
        lines.iter().map(row).collect()
    }

    #[test]
    fn hours_are_added_up_and_rounded_once() {
        let prices = UsagePrices { requests: vec![period(0, 10_000, 1_000_000)], bandwidth: vec![] };
        let hours = [
            used(Service::Grpc, 3, 99),
            used(Service::Seal, 671, 12_000),
            used(Service::Seal, 0, 345),
            used(Service::Seal, 4, 0),
            used(Service::Seal, 672, 5),
            used(Service::Seal, -1, 5),
        ];
        let lines = usage_lines(customer(), month(), &hours, &prices).unwrap();
        assert_eq!(shown(&lines), [(Service::Seal, 12_345, 1_230_000, 4_500), (Service::Grpc, 99, 0, 9_900)]);
        assert!(lines.iter().all(|line| line.broken() == Ok(None)));
        let (window, _) = lines[0].usage.unwrap();
        assert_eq!((window.from, window.to), (month().start(), month().end()));
    }

    #[test]
    fn each_stretch_of_one_price_is_a_line() {
        let requests =
            vec![period(-9, 2, 1_000_000), period(2, 3, 1_000_000), period(3, 5, 3_000_000), period(5, 900, 1_000_000)];
        let prices = UsagePrices { requests, bandwidth: vec![period(4, 900, 1)] };
        let hours: Vec<_> = (0..7).map(|hour| used(Service::Seal, hour, 10_000)).collect();
        let lines = usage_lines(customer(), month(), &hours, &prices).unwrap();
        let expected = [30_000, 20_000, 20_000, 30_000_000].map(|quantity| (Service::Seal, quantity));
        assert_eq!(shown(&lines).iter().map(|row| (row.0, row.1)).collect::<Vec<_>>(), expected);
        assert_eq!(Usd::sum(lines.iter().map(|line| line.exact)).unwrap(), Usd::from_micros(11_003_000));
    }

    #[test]
    fn the_digest_tells_any_difference_and_no_order() {
        let prices = UsagePrices { requests: vec![period(0, 900, 1_000_000)], bandwidth: vec![] };
        let digest =
            |hours: &[HourUsage]| usage_lines(customer(), month(), hours, &prices).unwrap()[0].usage.unwrap().1;
        let (one, two) = (used(Service::Seal, 1, 5), used(Service::Seal, 2, 6));
        let known = digest(&[one, two]);
        // Computed by another program from the bytes as documented.
        assert_eq!(known.to_string(), "5c5abf4f470571dd135ba43623685af922b46e2761d32ad7123954a35b1b538e");
        assert_eq!(digest(&[two, one, used(Service::Seal, 3, 0)]), known);
        for other in [
            vec![one],
            vec![one, used(Service::Seal, 2, 7)],
            vec![used(Service::Seal, 1, 6), used(Service::Seal, 2, 5)],
            vec![one, used(Service::Seal, 3, 6)],
            vec![HourUsage { service: Service::Grpc, ..one }, HourUsage { service: Service::Grpc, ..two }],
        ] {
            assert_ne!(digest(&other), known, "{other:?}");
        }
    }

    #[test]
    fn a_line_is_recounted_from_its_hours() {
        let prices = UsagePrices { requests: vec![period(0, 900, 1_000_000)], bandwidth: vec![] };
        let hours = [used(Service::Seal, 1, 5), used(Service::Seal, 2, 6), used(Service::Grpc, 2, 9)];
        let line = usage_lines(customer(), month(), &hours, &prices).unwrap().remove(0);
        let digest = line.usage.unwrap().1;
        assert_eq!(recount(customer(), &line, &hours), Some((11, digest)));
        let more = [hours.as_slice(), &[used(Service::Seal, 3, 1)]].concat();
        assert!(recount(customer(), &line, &more).is_some_and(|(quantity, other)| quantity == 12 && other != digest));
        assert_eq!(recount(customer(), &Line { kind: LineKind::Tax, ..line }, &hours), None);
    }

    #[test]
    fn what_leaves_the_range_is_an_error() {
        let prices = |micros| UsagePrices { requests: vec![period(0, 900, micros)], bandwidth: vec![] };
        let huge = HourUsage { billable_requests: u64::MAX, billable_bytes: 0, ..used(Service::Seal, 0, 1) };
        for (hours, micros) in
            [(vec![huge], i64::MAX), (vec![huge, used(Service::Seal, 1, 1)], 0), (vec![used(Service::Seal, 1, 1)], -1)]
        {
            assert_eq!(usage_lines(customer(), month(), &hours, &prices(micros)), Err(MoneyOverflow));
        }
    }
}
