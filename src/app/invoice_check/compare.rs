//! The comparison, without any store.

use super::{Difference, HourDifference, LineCheck, Verdict};
use crate::app::invoice_document::counted;
use crate::core::billing::{Billed, BilledKey, Counted, Invoice, Line, Measure, UnitPrice, UsagePrices};
use crate::core::calendar::UtcMillis;
use crate::core::usage::HourUsage;
use crate::traffic::StoredUsage;

/// What came of comparing hours with requests.
pub(super) struct Found {
    pub hours: Vec<HourDifference>,
    pub counted: u64,
    pub not_counted: u64,
}

/// Every line of usage against the ledger's hours, their price, and what was billed of them in all.
pub(super) fn compare_lines(
    invoice: &Invoice,
    hours: &[HourUsage],
    prices: &UsagePrices,
    billed: &[(BilledKey, Billed)],
) -> Vec<LineCheck> {
    let check = |(number, line): (u32, &Line)| {
        let (counted, is_late) = counted(invoice, line)?;
        let (verdict, differences) = compare_line(line, counted, is_late, hours, prices, billed);
        Some(LineCheck { line: number, what: line.to_string(), verdict, differences })
    };
    (1..).zip(&invoice.lines).filter_map(check).collect()
}

fn compare_line(
    line: &Line,
    counted: Counted,
    is_late: bool,
    hours: &[HourUsage],
    prices: &UsagePrices,
    billed: &[(BilledKey, Billed)],
) -> (Verdict, Vec<Difference>) {
    let quantities = counted.quantities(hours);
    let now = quantities.iter().fold(0_u128, |sum, (_, quantity)| sum + u128::from(*quantity));
    let is_key = |key: &BilledKey| {
        (key.month, key.service, key.measure, key.window)
            == (line.month, counted.service, counted.measure, counted.window)
    };
    let in_all = billed.iter().find(|(key, _)| is_key(key)).map_or(line.quantity, |(_, billed)| billed.quantity);
    // A late line bills only what is more than before: its hours are what was billed in all.
    let says = if is_late { in_all } else { line.quantity };
    let digest = counted.digest(&quantities);
    let same_digest = line.usage.is_some_and(|(_, known)| known == digest);
    let mut differences = Vec::new();
    let is_settled = u128::from(in_all) == now;
    if !(is_settled && u128::from(says) == now) {
        let invoice = if is_settled { says } else { in_all };
        differences.push(difference("quantity", invoice, now));
    }
    if !same_digest {
        let known = line.usage.map(|(_, digest)| digest.to_string()).unwrap_or_default();
        differences.push(difference("digest", known, digest));
    }
    let price = wrong_price(line, counted, prices);
    let settles = is_settled && (u128::from(says) != now || is_late) && price.is_none();
    differences.extend(price);
    let verdict = match (differences.is_empty(), settles) {
        (true, _) => Verdict::Equal,
        (false, true) => Verdict::SettledElsewhere,
        (false, false) => Verdict::Differs,
    };
    (verdict, differences)
}

/// The first price in its window that is not the line's.
fn wrong_price(line: &Line, counted: Counted, prices: &UsagePrices) -> Option<Difference> {
    let periods = match counted.measure {
        Measure::Requests => &prices.requests,
        Measure::Bandwidth => &prices.bandwidth,
    };
    let window = counted.window;
    let price = |unit: UnitPrice| format!("{} for {}", unit.amount, unit.per);
    let mut within = periods.iter().filter(|period| period.from < window.to && window.from < period.to);
    let wrong = within.find(|period| UnitPrice::from(period.price) != line.unit)?;
    Some(difference("price", price(line.unit), price(wrong.price.into())))
}

fn difference(of: &str, invoice: impl ToString, ledger: impl ToString) -> Difference {
    Difference { of: of.to_owned(), invoice: invoice.to_string(), ledger: ledger.to_string() }
}

/// The ledger's hours against those counted from requests, as far as these are kept and it is not the running hour.
pub(super) fn compare_hours(invoice: &Invoice, hours: &[HourUsage], stored: &StoredUsage, now: UtcMillis) -> Found {
    let mut found = Found { hours: Vec::new(), counted: 0, not_counted: 0 };
    for (number, line) in (1..).zip(&invoice.lines) {
        let Some((counted, _)) = counted(invoice, line) else { continue };
        let (known, requests) = (counted.quantities(hours), counted.quantities(&stored.hours));
        let mut starts: Vec<_> = known.iter().chain(&requests).map(|(hour, _)| *hour).collect();
        starts.sort_unstable();
        starts.dedup();
        for hour in starts {
            if hour < stored.kept_from || hour == now.hour() {
                found.not_counted += 1;
                continue;
            }
            found.counted += 1;
            let (ledger, requests) = (quantity_of(&known, hour), quantity_of(&requests, hour));
            if ledger != requests {
                let (service, hour) = (counted.service.name().to_owned(), hour.to_string());
                found.hours.push(HourDifference { line: number, service, hour, ledger, requests });
            }
        }
    }
    found
}

fn quantity_of(quantities: &[(UtcMillis, u64)], hour: UtcMillis) -> u64 {
    quantities
        .binary_search_by_key(&hour, |(start, _)| *start)
        .ok()
        .and_then(|at| quantities.get(at))
        .map_or(0, |found| found.1)
}
