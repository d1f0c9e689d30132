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
