//! The comparison, without any store.

use super::{Difference, HourDifference, LineCheck, Verdict};
use crate::app::invoice_document::counted;
use crate::core::billing::{
    Billed, BilledKey, Counted, Invoice, InvoiceState, Line, Measure, UnitPrice, UsagePrices, billed_key,
};
use crate::core::calendar::UtcMillis;
use crate::core::usage::HourUsage;
use crate::traffic::StoredUsage;

/// What came of comparing hours with requests.
pub(super) struct Found {
    pub hours: Vec<HourDifference>,
    pub counted: u64,
    pub not_counted: u64,
}

/// What the ledger says was billed of usage in all, and what it has that from.
#[derive(Debug, Default)]
pub(super) struct InAll {
    pub billed: Vec<(BilledKey, Billed)>,
    /// The lines of usage of all invoices of the customer that are issued and not void.
    pub lines: Vec<Line>,
    /// Whether there was any correction: of quantities that were billed too much only a credit tells.
    pub is_corrected: bool,
}

impl InAll {
    /// `None`: nothing was billed of it.
    fn billed(&self, key: BilledKey) -> Option<&Billed> {
        self.billed.iter().find(|(known, _)| *known == key).map(|(_, billed)| billed)
    }

    /// What all lines say, if that cannot be: less than what was billed, or more although nothing came back. A correction of
    /// less than a cent brings nothing back.
    fn wrong_lines(&self, key: BilledKey) -> Option<Difference> {
        let billed = self.billed(key)?;
        let lines = || self.lines.iter().filter(|line| billed_key(line) == Some(key));
        let quantity = lines().fold(0_u128, |sum, line| sum + u128::from(line.quantity));
        let amount = lines().fold(0_i128, |sum, line| sum + i128::from(line.amount.micros()));
        let more = amount - i128::from(billed.amount.micros());
        let is_wrong = quantity < u128::from(billed.quantity) || more < 0 || (more > 0 && !self.is_corrected);
        is_wrong.then(|| difference("lines", quantity, billed.quantity))
    }
}

/// Every line of usage against the ledger's hours, their price, and what was billed of them in all.
pub(super) fn compare_lines(
    invoice: &Invoice,
    hours: &[HourUsage],
    prices: &UsagePrices,
    in_all: &InAll,
) -> Vec<LineCheck> {
    // What is void bills nothing, and is held against its hours alone.
    let in_all = (invoice.state != InvoiceState::Voided).then_some(in_all);
    let check = |(number, line): (u32, &Line)| {
        let (counted, is_late) = counted(invoice, line)?;
        let (verdict, differences) = compare_line(line, counted, is_late, hours, prices, in_all);
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
    in_all: Option<&InAll>,
) -> (Verdict, Vec<Difference>) {
    let quantities = counted.quantities(hours);
    let now = quantities.iter().fold(0_u128, |sum, (_, quantity)| sum + u128::from(*quantity));
    let digest = counted.digest(&quantities);
    let same_digest = line.usage.is_some_and(|(_, known)| known == digest);
    let Counted { service, measure, window, .. } = counted;
    let key = BilledKey { month: line.month, service, measure, window };
    // A late line bills only what is more than before: its hours are what was billed in all.
    let alone = if is_late { None } else { Some(line.quantity) };
    let billed = in_all.map(|in_all| in_all.billed(key).map_or(line.quantity, |billed| billed.quantity));
    let is_settled = billed.map_or(same_digest, |billed| u128::from(billed) == now);
    let mut differences = Vec::new();
    if !(is_settled && alone.is_none_or(|alone| u128::from(alone) == now)) {
        let invoice = if is_settled { line.quantity } else { billed.unwrap_or(line.quantity) };
        differences.push(difference("quantity", invoice, now));
    }
    if !same_digest {
        let known = line.usage.map(|(_, digest)| digest.to_string()).unwrap_or_default();
        differences.push(difference("digest", known, digest));
    }
    let wrong = [in_all.and_then(|in_all| in_all.wrong_lines(key)), wrong_price(line, counted, prices)];
    let settles =
        is_settled && (alone.is_none_or(|alone| u128::from(alone) != now)) && wrong.iter().all(Option::is_none);
    differences.extend(wrong.into_iter().flatten());
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
