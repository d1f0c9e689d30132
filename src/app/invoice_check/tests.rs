use super::compare::{InAll, compare_hours, compare_lines};
use super::*;
use crate::core::billing::{
    Billed, BilledKey, InvoiceId, InvoiceNumber, InvoiceState, LineKind, Measure, Purpose, UnitPrice, usage_lines,
};
use crate::core::calendar::{HOUR_MS, Month};
use crate::core::id::{CustomerId, Service};
use crate::core::money::Usd;
use crate::core::rating::PricePerRequests;

fn month() -> Month {
    "2026-10".parse().unwrap()
}

fn used(quantities: &[(i64, u64)]) -> Vec<HourUsage> {
    let hour = |(hour, billable_requests): &(i64, u64)| HourUsage {
        customer: CustomerId::new(7).unwrap(),
        service: Service::Seal,
        hour: month().start().plus_ms(hour * HOUR_MS),
        requests: *billable_requests,
        billable_requests: *billable_requests,
        billable_bytes: 0,
    };
    quantities.iter().map(hour).collect()
}

fn prices(dollars: i32) -> UsagePrices {
    let price = PricePerRequests { amount: Usd::from_dollars(dollars), per: 10_000 };
    UsagePrices { requests: vec![PricePeriod { from: month().start(), to: month().end(), price }], bandwidth: vec![] }
}

fn invoice(hours: &[HourUsage]) -> Invoice {
    let customer = CustomerId::new(7).unwrap();
    let lines = usage_lines(customer, month(), hours, &prices(1)).unwrap();
    let amount = Usd::sum(lines.iter().map(|line| line.amount)).unwrap();
    let draft = Invoice::draft(InvoiceId(1), customer, Purpose::Monthly, month());
    let at = Some(month().end());
    Invoice { lines, amount, number: Some(InvoiceNumber(1)), state: InvoiceState::Pending, issued_at: at, ..draft }
}

/// What is the same however many lines it is on.
fn billed_in_all(invoice: &Invoice, quantity: u64) -> InAll {
    let line = &invoice.lines[0];
    let (counted, _) = counted(invoice, line).unwrap();
    let key =
        BilledKey { month: line.month, service: counted.service, measure: counted.measure, window: counted.window };
    let billed = Billed { quantity, unit: line.unit, amount: line.amount, tax: Usd::ZERO };
    InAll { billed: vec![(key, billed)], lines: vec![Line { quantity, ..line.clone() }], is_corrected: false }
}

#[test]
fn a_line_is_held_against_its_hours_its_price_and_what_else_was_billed() {
    let hours = used(&[(0, 300), (5, 45)]);
    let invoice = invoice(&hours);
    for (now, in_all, dollars, verdict, differs) in [
        (hours.clone(), 345, 1, Verdict::Equal, vec![]),
        (used(&[(0, 300), (5, 46)]), 345, 1, Verdict::Differs, vec![("quantity", "345", "346")]),
        (used(&[(0, 300), (5, 46)]), 346, 1, Verdict::SettledElsewhere, vec![("quantity", "345", "346")]),
        (used(&[(0, 300), (5, 46)]), 347, 1, Verdict::Differs, vec![("quantity", "347", "346")]),
        (used(&[(0, 300)]), 300, 1, Verdict::SettledElsewhere, vec![("quantity", "345", "300")]),
        (used(&[(0, 300), (6, 45)]), 345, 1, Verdict::Differs, vec![]),
        (hours.clone(), 345, 2, Verdict::Differs, vec![("price", "$1.00 for 10000", "$2.00 for 10000")]),
        (hours.clone(), 346, 1, Verdict::Differs, vec![("quantity", "346", "345")]),
        (vec![], 345, 1, Verdict::Differs, vec![("quantity", "345", "0")]),
    ] {
        let checks = compare_lines(&invoice, &now, &prices(dollars), &billed_in_all(&invoice, in_all));
        let [check] = checks.as_slice() else { panic!("{checks:?}") };
        let told: Vec<_> = check.differences.iter().filter(|difference| difference.of != "digest").collect();
        let told: Vec<_> =
            told.iter().map(|told| (told.of.as_str(), told.invoice.as_str(), told.ledger.as_str())).collect();
        assert_eq!((check.verdict, told), (verdict, differs), "{now:?} {in_all} {dollars}");
        let is_other = check.differences.iter().any(|difference| difference.of == "digest");
        assert_eq!(is_other, now != hours, "{check:?}");
    }
    assert_eq!(invoice.lines[0].unit, UnitPrice { amount: Usd::from_dollars(1), per: 10_000 });
}

#[test]
fn hours_are_held_against_requests_while_these_are_kept() {
    let hours = used(&[(0, 300), (5, 45), (6, 1), (9, 2)]);
    let invoice = invoice(&hours);
    let at = |hour: i64| month().start().plus_ms(hour * HOUR_MS);
    let stored = used(&[(1, 8), (5, 45), (6, 3), (9, 1)]);
    for (kept_from, now, differ, counts) in [
        (at(0), at(10), vec![(0, 300, 0), (1, 0, 8), (6, 1, 3), (9, 2, 1)], (5, 0)),
        (at(1), at(10), vec![(1, 0, 8), (6, 1, 3), (9, 2, 1)], (4, 1)),
        (at(5), at(9), vec![(6, 1, 3)], (2, 3)),
        (at(5), at(6), vec![(9, 2, 1)], (2, 3)),
        (at(700), at(900), vec![], (0, 5)),
    ] {
        let found = compare_hours(&invoice, &hours, &StoredUsage { kept_from, hours: stored.clone() }, now);
        let told: Vec<_> = found.hours.iter().map(|hour| (hour.hour.clone(), hour.ledger, hour.requests)).collect();
        let expected: Vec<_> =
            differ.into_iter().map(|(hour, ledger, requests)| (at(hour).to_string(), ledger, requests)).collect();
        assert_eq!(told, expected);
        assert_eq!((found.counted, found.not_counted), counts);
    }
}

#[test]
fn all_lines_about_the_same_usage_say_what_was_billed_of_it() {
    let hours = used(&[(0, 300), (5, 45)]);
    let first = invoice(&hours).lines.remove(0);
    let late = |quantity| {
        let kind = LineKind::LateUsage(Measure::Requests);
        let line = Line::new(kind, first.service, month(), quantity, first.unit).unwrap();
        Line { usage: first.usage, ..line }
    };
    let before = Line { quantity: 300, ..first.clone() };
    assert_eq!(before.amount, Usd::from_micros(30_000));
    for (quantity, is_corrected, verdict) in [
        (45, false, Verdict::Equal),
        (4_500, false, Verdict::Differs),
        (44, false, Verdict::Differs),
        (44, true, Verdict::Differs),
        (50, false, Verdict::Equal),
        (4_500, true, Verdict::Equal),
    ] {
        let late = late(quantity);
        let with_late = Invoice { lines: vec![late.clone()], amount: late.amount, ..invoice(&hours) };
        let billed = billed_in_all(&invoice(&hours), 345).billed;
        let in_all = InAll { billed, lines: vec![before.clone(), late], is_corrected };
        let check = compare_lines(&with_late, &hours, &prices(1), &in_all).remove(0);
        assert_eq!(check.verdict, verdict, "{quantity} {check:?}");
    }
}

#[test]
fn what_is_void_is_held_against_its_hours_alone() {
    let hours = used(&[(0, 300), (5, 45)]);
    let void = Invoice { state: InvoiceState::Voided, ..invoice(&hours) };
    for (now, verdict) in [(hours.clone(), Verdict::Equal), (used(&[(0, 300)]), Verdict::Differs)] {
        let in_all = InAll { lines: vec![], ..billed_in_all(&void, 0) };
        assert_eq!(compare_lines(&void, &now, &prices(1), &in_all)[0].verdict, verdict, "{now:?}");
    }
}
