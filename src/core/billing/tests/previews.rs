//! What is shown beforehand is what is done: for every day of a leap year and a common one, every tier and various
//! credits; and both are what the calendar and the price list say, computed in another way.

use super::desk::{month_end, terms};
use super::*;

const SEAL: Service = Service::Seal;
const CREDIT_CENTS: [i64; 3] = [0, 500, 100_000];

fn days() -> Vec<(Month, i64)> {
    let mut days = Vec::new();
    for year in [2024, 2025] {
        for number in 1..=12 {
            let month: Month = format!("{year}-{number:02}").parse().unwrap();
            days.extend((1..=i64::from(month.days())).map(|day| (month, day)));
        }
    }
    assert_eq!(days.len(), 366 + 365);
    days
}

/// Some time of a day, another one on each.
fn during(month: Month, day: i64) -> UtcMillis {
    month.start().plus_ms((day - 1) * DAY_MS + (day * 7_654_321) % DAY_MS)
}

fn price(tier: Tier) -> i64 {
    terms().tier(tier).micros() / 10_000
}

/// What has to be equal: all but numbers, which other customers may take first, and how far payment has come.
type Shape = (Purpose, Month, Vec<Line>, Usd, Usd);

fn shape(invoice: &Invoice) -> Shape {
    (invoice.purpose, invoice.month, invoice.lines.clone(), invoice.amount, invoice.credit_on_payment)
}

/// A shape in which credits have no numbers: payment grants new ones.
fn unnamed(invoice: &Invoice) -> Shape {
    let mut shape = shape(invoice);
    for line in &mut shape.2 {
        if let LineKind::Credit(credit) = &mut line.kind {
            *credit = CreditId(0);
        }
    }
    shape
}

/// Previews an event as if other customers had taken numbers meanwhile, carries it out, and compares.
fn previewed(desk: &mut Desk, event: &Event) -> Preview {
    let others = Counters { next_invoice: 9_001, next_invoice_number: 77, next_credit: 5_001, next_credit_note: 3 };
    let shown = preview(&desk.loaded(event), event, &desk.terms, others, desk.now).unwrap();
    let decision = desk.must(event);
    let done: Vec<Shape> = decision.issued().map(|invoice| shape(&desk.account.invoices[&invoice.id])).collect();
    assert_eq!(shown.invoices.iter().map(shape).collect::<Vec<_>>(), done, "{event:?}");
    let asked = Usd::sum(desk.outbox().iter().map(|charge| charge.amount)).unwrap();
    assert_eq!(shown.demanded, asked, "{event:?}");
    assert_eq!(Usd::sum(shown.charges.iter().map(|charge| charge.amount)), Ok(asked), "{event:?}");
    let mut paid = desk.clone();
    paid.pay();
    assert_eq!(unnamed(&shown.draft), unnamed(paid.account.draft().unwrap()), "{event:?}");
    assert_eq!(shown.services, paid.account.services, "{event:?}");
    shown
}

/// The draft is what closing the month makes.
fn ends_as_drawn(desk: &mut Desk) {
    let drawn = desk.account.draft().unwrap().clone();
    desk.now = desk.now.max(drawn.month.end().plus_ms(HOUR_MS));
    let event = month_end(MonthUsage { month: drawn.month, lines: vec![] });
    let shown = previewed(desk, &event);
    let expected: Vec<Shape> = if drawn.lines.is_empty() { vec![] } else { vec![shape(&drawn)] };
    assert_eq!(shown.invoices.iter().map(shape).collect::<Vec<_>>(), expected);
    desk.pay();
    desk.check();
}

fn with_credit(now: UtcMillis, credit_cents: i64) -> Desk {
    let mut desk = Desk::with_balance(now, cents(1_000_000));
    desk.must(&Event::LimitChanged(SpendingLimit::UNLIMITED));
    if credit_cents > 0 {
        let (reason, amount) = (CreditReason::Promo, cents(credit_cents));
        desk.must(&Event::GrantCredit { reason, amount, expires_at: None });
    }
    desk
}

#[test]
fn subscribing_costs_what_is_shown_on_every_day() {
    for (month, day) in days() {
        for (tier, credit) in Tier::ALL.into_iter().flat_map(|tier| CREDIT_CENTS.map(|credit| (tier, credit))) {
            let mut desk = with_credit(during(month, day), credit);
            let shown = previewed(&mut desk, &Event::Subscribe { service: SEAL, tier });
            let back = price(tier) * (day - 1) / i64::from(month.days());
            assert_eq!(shown.invoices[0].charges().unwrap(), cents(price(tier)));
            assert_eq!(shown.demanded, cents((price(tier) - credit).max(0)), "{month} {day} {tier:?} {credit}");
            assert_eq!(shown.invoices[0].credit_on_payment, cents(back), "{month} {day} {tier:?}");
            desk.pay();
            let left: i64 = desk.credits().iter().sum();
            assert_eq!(left, (credit - price(tier)).max(0) + back);
            ends_as_drawn(&mut desk);
        }
    }
}

#[test]
fn changing_tiers_costs_what_is_shown_on_every_day() {
    for (month, day) in days() {
        for (from, to) in Tier::ALL.into_iter().flat_map(|from| Tier::ALL.map(|to| (from, to))) {
            let credit = CREDIT_CENTS[usize::try_from(day % 3).unwrap()];
            let mut desk = with_credit(month.start(), credit + price(from));
            desk.must(&Event::Subscribe { service: SEAL, tier: from });
            desk.now = during(month, day);
            let shown = previewed(&mut desk, &Event::ChangeTier { service: SEAL, tier: to });
            let days_left = i64::from(month.days()) - day + 1;
            let charged_days = if days_left <= 2 { 0 } else { days_left };
            let cost = ((price(to) - price(from)) * charged_days / i64::from(month.days())).max(0);
            assert_eq!(shown.demanded, cents((cost - credit).max(0)), "{month} {day} {from:?} to {to:?}");
            assert_eq!(shown.invoices.len(), usize::from(to > from));
            desk.pay();
            assert_eq!(desk.tier(SEAL), Some(from.max(to)));
            let next = desk.account.draft().unwrap();
            assert_eq!(next.charges().unwrap(), cents(price(to)));
            ends_as_drawn(&mut desk);
            assert_eq!(desk.tier(SEAL), Some(to));
        }
    }
}

#[test]
fn cancelling_and_undoing_show_what_the_month_ends_with_on_every_day() {
    for (month, day) in days() {
        let mut desk = with_credit(month.start(), 100);
        for (service, tier) in [(SEAL, Tier::Pro), (Service::Grpc, Tier::Starter)] {
            desk.must(&Event::Subscribe { service, tier });
        }
        desk.pay();
        desk.now = during(month, day);
        let cancelled = previewed(&mut desk, &Event::Cancel { service: SEAL });
        assert_eq!((cancelled.invoices.len(), cancelled.draft.amount), (0, cents(900)));
        if day % 2 == 0 {
            let undone = previewed(&mut desk, &Event::UndoCancel { service: SEAL });
            assert_eq!(undone.draft.amount, cents(3_800));
        }
        ends_as_drawn(&mut desk);
    }
}

#[test]
fn what_cannot_be_paid_is_shown_all_the_same() {
    let mut desk = Desk::with_balance(at("2025-04-01"), cents(900));
    desk.must(&Event::Subscribe { service: SEAL, tier: Tier::Starter });
    desk.pay();
    desk.now = at("2025-04-10");
    let event = Event::ChangeTier { service: SEAL, tier: Tier::Pro };
    let shown = preview(&desk.loaded(&event), &event, &desk.terms, desk.counters, desk.now).unwrap();
    assert_eq!((shown.cannot_pay, shown.demanded, shown.invoices[0].amount), (true, cents(1_400), cents(1_400)));
    assert_eq!(shown.draft.amount, cents(2_900), "what the month ends with, once it is paid");
    // All of the $9 went into the first month.
    let short = shown.shortfall.unwrap();
    assert_eq!((short.balance, short.limit), (cents(1_400), None));
    desk.deposit(short.balance);
    assert_eq!(previewed(&mut desk, &event).shortfall, None, "with that it can be paid");
}

#[test]
fn a_deposit_that_is_named_suffices_although_something_else_waits() {
    let mut desk = Desk::with_balance(at("2025-04-01"), cents(900));
    desk.must(&Event::Subscribe { service: SEAL, tier: Tier::Starter });
    desk.pay();
    desk.now = at("2025-04-10");
    desk.must(&Event::Subscribe { service: Service::Grpc, tier: Tier::Starter });
    let event = Event::ChangeTier { service: SEAL, tier: Tier::Pro };
    let seen = |desk: &Desk| preview(&desk.loaded(&event), &event, &desk.terms, desk.counters, desk.now).unwrap();
    let short = seen(&desk).shortfall.unwrap();
    assert_eq!(short.balance, cents(900 + 1_400));
    desk.deposit(short.balance);
    desk.pay();
    assert!(seen(&desk).can_pay_now, "a deposit pays the oldest first");
}

#[test]
fn what_a_suspended_customer_is_told_to_pay_covers_the_month_that_begins_with_it() {
    let mut desk = Desk::with_balance(at("2025-04-01"), cents(900));
    desk.must(&Event::Subscribe { service: SEAL, tier: Tier::Starter });
    desk.pay();
    desk.now = at("2025-05-01").plus_ms(HOUR_MS);
    desk.must(&month_end(MonthUsage { month: month("2025-04"), lines: vec![] }));
    desk.now = at("2025-05-20");
    desk.must(&Event::Tick);
    assert!(desk.account.standing.dunning.suspended);
    desk.now = at("2025-06-01").plus_ms(HOUR_MS);
    desk.must(&month_end(MonthUsage { month: month("2025-05"), lines: vec![] }));
    let missing = |desk: &Desk| shortfall(&desk.loaded(&Event::Tick), &desk.terms, desk.counters, desk.now).unwrap();
    let short = missing(&desk).unwrap();
    assert_eq!(short.balance, cents(900 + 900), "May, and June with it");
    desk.deposit(short.balance);
    desk.pay();
    assert_eq!(missing(&desk), None);
    assert_eq!(desk.account.unpaid().len(), 0);
    assert!(desk.account.standing.dunning.since.is_none());
}
