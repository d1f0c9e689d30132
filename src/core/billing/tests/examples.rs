//! Worked examples, to the cent.

use super::desk::{month_end, usage};
use super::*;

const SEAL: Service = Service::Seal;

fn subscribe(tier: Tier) -> Event {
    Event::Subscribe { service: SEAL, tier }
}

fn upgrade(tier: Tier) -> Event {
    Event::ChangeTier { service: SEAL, tier }
}

/// Subscribed on the 1st of an earlier month and paid, with money for more.
fn running(now: &str, tier: Tier) -> Desk {
    let now = at(now);
    let month = Month::of(now).unwrap();
    let mut desk = Desk::with_balance(month.start(), cents(100_000));
    desk.must(&Event::LimitChanged(SpendingLimit::UNLIMITED));
    desk.must(&subscribe(tier));
    desk.pay();
    desk.now = now;
    desk
}

#[test]
fn a_subscription_is_paid_in_full_and_the_days_before_come_back() {
    for (date, tier, price, credit) in [
        ("2025-01-15", Tier::Pro, 2_900, vec![1_309]),
        ("2025-01-01", Tier::Pro, 2_900, vec![]),
        ("2024-02-29", Tier::Starter, 900, vec![868]),
    ] {
        let mut desk = Desk::with_balance(at(date), cents(10_000));
        desk.must(&subscribe(tier));
        assert_eq!(desk.credits(), Vec::<i64>::new(), "nothing before it is paid");
        assert_eq!(desk.pay(), cents(price), "{date}");
        assert_eq!(desk.amounts(InvoiceState::Paid), [price]);
        assert_eq!(desk.credits(), credit, "{date}");

        desk.close_quietly();
        let credit = credit.first().copied().unwrap_or(0);
        assert_eq!(desk.pay(), cents(price - credit), "{date}: the next month less the credit");
        assert_eq!(desk.credits().iter().sum::<i64>(), 0);
        desk.check();
    }
}

#[test]
fn an_upgrade_costs_the_difference_for_the_days_left() {
    for (date, from, to, cost) in [
        ("2025-04-10", Tier::Starter, Tier::Pro, 1_400),
        ("2025-02-26", Tier::Pro, Tier::Enterprise, 1_671),
        ("2025-01-30", Tier::Starter, Tier::Enterprise, 0),
    ] {
        let mut desk = running(date, from);
        desk.must(&upgrade(to));
        assert_eq!(desk.tier(SEAL), Some(if cost == 0 { to } else { from }), "it begins when it is paid");
        assert_eq!(desk.pay(), cents(cost), "{date}");
        assert_eq!(desk.tier(SEAL), Some(to));
        assert_eq!(desk.amounts(InvoiceState::Paid).last(), Some(&cost));
        desk.check();
    }
}

#[test]
fn requests_are_charged_in_whole_cents_and_the_rest_is_shown() {
    let mut desk = Desk::with_balance(at("2025-01-31"), cents(1_000));
    desk.now = at("2025-02-01T01:00");
    desk.close(usage(month("2025-01"), SEAL, 12_345));
    let invoice = desk.invoices(InvoiceState::Pending).remove(0);
    let line = &invoice.lines[0];
    assert_eq!((line.amount, line.remainder.micros()), (cents(123), 4_500));
    assert_eq!(desk.pay(), cents(123));
    desk.check();
}

#[test]
fn credits_that_expire_first_are_used_first_and_nobody_is_asked() {
    let now = at("2025-02-01");
    let mut desk = Desk::open(now);
    for (amount, days) in [(1_000, Some(30)), (1_500, Some(60)), (2_000, None)] {
        let expires_at = days.map(|days: i64| now.plus_ms(days * DAY_MS));
        desk.must(&Event::GrantCredit { reason: CreditReason::Promo, amount: cents(amount), expires_at });
    }
    desk.terms.pro = cents(2_500);
    desk.must(&subscribe(Tier::Pro));
    assert_eq!(desk.credits(), [0, 0, 2_000]);
    assert_eq!(desk.outbox(), []);
    let invoice = desk.invoices(InvoiceState::Paid).remove(0);
    assert_eq!((invoice.charges().unwrap(), invoice.amount), (cents(2_500), Usd::ZERO));
    desk.check();
}

#[test]
fn a_credit_is_counted_once() {
    let mut desk = running("2025-01-20", Tier::Pro);
    let amount = cents(1_887);
    desk.must(&Event::GrantCredit { reason: CreditReason::Goodwill, amount, expires_at: None });
    desk.close_quietly();
    assert_eq!(desk.amounts(InvoiceState::Pending), [1_013]);
    assert_eq!(desk.pay(), cents(1_013));
    assert_eq!(desk.credits(), [0]);
    desk.check();
}

#[test]
fn the_spending_limit_may_be_reached_and_not_passed() {
    for (price, asked) in [(5_500, Some(5_500)), (5_501, None)] {
        let now = at("2025-01-01");
        let mut desk = Desk::with_balance(now, cents(100_000));
        desk.terms.starter = cents(19_500);
        desk.terms.pro = cents(price);
        desk.must(&subscribe(Tier::Starter));
        assert_eq!(desk.pay(), cents(19_500));
        desk.must(&Event::Subscribe { service: Service::Grpc, tier: Tier::Pro });
        assert_eq!(desk.outbox().first().map(|charge| charge.amount), asked.map(cents));
        desk.now = now.plus_ms(LIMIT_PERIOD_MS - 1);
        desk.must(&Event::Tick);
        assert_eq!(desk.outbox().len(), usize::from(asked.is_some()), "the period is not over");
        desk.now = now.plus_ms(LIMIT_PERIOD_MS);
        desk.must(&Event::Tick);
        assert_eq!(desk.pay(), cents(price), "in the next period it is");
        desk.check();
    }
}

#[test]
fn a_month_is_closed_once_whoever_tries() {
    let mut desk = running("2025-01-20", Tier::Pro);
    desk.now = at("2025-02-01T01:00");
    let event = month_end(usage(month("2025-01"), SEAL, 12_345));
    // Two runs decide by the same state: the second one's entries exist already, and nothing of it is kept.
    let (one, other) = (desk.decide(&event).unwrap(), desk.decide(&event).unwrap());
    assert!(desk.commit(&one));
    let after_one = desk.clone();
    assert!(!desk.commit(&other));
    assert_eq!(desk, after_one);
    // Deciding again finds nothing to do, before and after the payment.
    assert_eq!(desk.must(&event).actions, []);
    assert_eq!(desk.outbox().len(), 1);
    assert_eq!(desk.pay(), cents(2_900 + 123));
    assert_eq!(desk.must(&event).actions, []);
    assert_eq!(desk.amounts(InvoiceState::Paid), [2_900, 3_023]);
    desk.check();
}

#[test]
fn an_invoice_is_charged_once_whoever_asks_for_it_at_the_same_time() {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(2_900));
    desk.must(&subscribe(Tier::Pro));
    desk.pay();
    desk.close_quietly();
    desk.must(&Event::LimitChanged(SpendingLimit::UNLIMITED));
    let invoice = desk.account.unpaid()[0].id;
    desk.now = desk.now.plus_ms(DAY_MS);
    let event = ChainEventId { digest: "0xd".to_owned(), index: 1 };
    let deposit = Event::Deposited(ChainMove { event, amount: cents(10_000), at: desk.now });
    desk.must(&deposit);
    desk.answer(false);
    // The retry is due: the manager, the API and a deposit all decide by the same state, and all ask by the same key.
    desk.now = next_due(&desk.account).unwrap();
    let events = [Event::Tick, Event::Collect(invoice), Event::LimitChanged(SpendingLimit::UNLIMITED)];
    let decisions: Vec<Decision> = events.iter().map(|event| desk.decide(event).unwrap()).collect();
    for decision in &decisions {
        let asked = |action: &Action| match action {
            Action::SaveCharge(charge) => Some(charge.key.to_string()),
            _ => None,
        };
        assert_eq!(decision.actions.iter().filter_map(asked).collect::<Vec<_>>(), [format!("invoice-{invoice}-2")]);
    }
    // One after the other, as the ledger writes, the first one asks and the others find it under way.
    desk.must(&events[0]);
    assert_eq!(desk.refused(&events[1]), Refusal::PaymentUnderWay);
    assert_eq!(
        desk.must(&events[2]).actions.iter().filter(|action| matches!(action, Action::SaveCharge(_))).count(),
        0
    );
    assert_eq!(desk.must(&deposit).actions, [], "the chain tells it twice");
    assert_eq!((desk.pay(), desk.outbox().len()), (cents(2_900), 0));
    desk.check();
}
