//! What follows from not paying, from being parked, and from answers that come late.

use super::desk::answer_to;
use super::scenarios::{SEAL, change, penniless, subscribe, tick_at};
use super::*;
use crate::core::service_instance::ServiceState;

fn overdue(desk: &Desk) -> Vec<UtcMillis> {
    let told = |notice: &Notice| match notice {
        Notice::PaymentOverdue { suspends_at } => Some(*suspends_at),
        _ => None,
    };
    desk.notices.iter().filter_map(told).collect()
}

#[test]
fn grace_stands_still_while_nobody_may_be_asked_to_pay() {
    let mut desk = penniless();
    desk.close_quietly();
    let failed = desk.now;
    desk.now = at("2025-02-03");
    desk.must(&Event::Park { reason: "a false alarm".to_owned() });
    desk.now = at("2025-02-04");
    desk.deposit(cents(2_000));
    for day in 4..27 {
        tick_at(&mut desk, at("2025-02-01").plus_ms(day * DAY_MS));
        assert_eq!(desk.state(SEAL), ServiceState::Disabled, "day {day}");
    }
    assert_eq!(overdue(&desk), [failed.plus_ms(14 * DAY_MS)]);
    desk.must(&Event::Unpark);
    let anew = desk.now;
    assert_eq!(overdue(&desk).last(), Some(&anew.plus_ms(14 * DAY_MS)));
    desk.close_quietly();
    tick_at(&mut desk, anew.plus_ms(14 * DAY_MS - 1));
    assert_eq!(desk.state(SEAL), ServiceState::Disabled);
    tick_at(&mut desk, anew.plus_ms(14 * DAY_MS));
    assert_eq!(desk.state(SEAL), ServiceState::SuspendedNoPayment);
    // Who is suspended for not paying is not saved by it.
    desk.must(&Event::Park { reason: "another one".to_owned() });
    desk.must(&Event::Unpark);
    assert_eq!(desk.state(SEAL), ServiceState::SuspendedNoPayment);
    desk.check();
}

#[test]
fn an_upgrade_that_is_paid_when_its_month_is_over_is_none() {
    let mut desk = penniless();
    desk.deposit(cents(100_000));
    desk.must(&Event::LimitChanged(SpendingLimit::UNLIMITED));
    desk.now = at("2025-01-29");
    desk.must(&change(SEAL, Tier::Enterprise));
    let asked = desk.outbox().remove(0);
    assert_eq!(asked.amount, cents(1_509));
    desk.now = at("2025-02-01T00:05");
    desk.must(&answer_to(&asked, true, desk.now));
    assert_eq!((desk.tier(SEAL), desk.credits()), (Some(Tier::Pro), vec![1_509]));
    assert!(desk.notices.contains(&Notice::UpgradeDeclined { service: SEAL }));
    desk.close_quietly();
    assert_eq!(desk.pay(), cents(2_900 - 1_509));
    desk.must(&change(SEAL, Tier::Enterprise));
    desk.pay();
    assert_eq!(desk.tier(SEAL), Some(Tier::Enterprise), "in the new month for its price");
    desk.check();
}

#[test]
fn what_is_beyond_the_tier_is_billed_when_a_service_resumes() {
    let mut desk = penniless();
    let mut service = desk.account.service(SEAL);
    service.extras = [(ExtraKind::ApiKey, 50)].into();
    desk.account.services.insert(SEAL, service);
    desk.close_quietly();
    let failed = desk.now;
    tick_at(&mut desk, failed.plus_ms(14 * DAY_MS));
    desk.close_quietly();
    desk.now = at("2025-03-11");
    desk.deposit(cents(20_000));
    assert_eq!(desk.answer(true), cents(2_900 + 5_000), "February");
    assert_eq!(desk.answer(true), cents(2_900 + 5_000), "March, like a renewal");
    assert_eq!(desk.credits(), [7_900 * 10 / 31], "less the days that are over");
    desk.close_quietly();
    assert_eq!(desk.amounts(InvoiceState::Pending), [7_900 - 7_900 * 10 / 31]);
    desk.check();
}

#[test]
fn a_subscription_that_is_never_paid_for_is_renewed_once_and_then_ends() {
    let mut desk = Desk::open(at("2025-01-15"));
    desk.must(&subscribe(SEAL, Tier::Pro));
    desk.close_quietly();
    tick_at(&mut desk, at("2025-02-20"));
    assert_eq!((desk.tier(SEAL), desk.amounts(InvoiceState::Pending)), (Some(Tier::Pro), vec![2_900]));
    // Nobody may be asked to pay meanwhile.
    desk.must(&Event::Park { reason: "the books differ".to_owned() });
    desk.close_quietly();
    desk.must(&Event::Unpark);
    assert_eq!((desk.tier(SEAL), desk.amounts(InvoiceState::Pending)), (Some(Tier::Pro), vec![2_900]));
    desk.close_quietly();
    assert_eq!((desk.tier(SEAL), desk.amounts(InvoiceState::Pending)), (None, vec![]));
    assert_eq!(desk.notices.last(), Some(&Notice::SubscriptionLapsed { service: SEAL }));
    assert_eq!(desk.amounts(InvoiceState::Voided), [2_900; 3]);
    desk.close_quietly();
    assert_eq!(desk.amounts(InvoiceState::Voided), [2_900; 3], "and nothing follows");
    // Who pays in time begins like anybody else.
    desk.must(&subscribe(SEAL, Tier::Pro));
    desk.close_quietly();
    desk.escrow(desk.now);
    desk.deposit(cents(10_000));
    desk.pay();
    assert!(!desk.account.service(SEAL).renewed_unpaid);
    desk.close_quietly();
    desk.pay();
    assert_eq!(desk.tier(SEAL), Some(Tier::Pro));
    desk.check();
}
