//! What is billed of usage in the end, whatever became known of it, and when.

use super::desk::{answer_to, so_far, usage};
use super::scenarios::{SEAL, change, penniless, tick_at};
use super::*;

/// The end of a month without usage of its own.
fn end(of: &str, earlier: Vec<MonthUsage>) -> Event {
    let usage = MonthUsage { month: month(of), lines: vec![] };
    Event::CloseMonth(MonthEnd { usage, earlier, completeness: Completeness::default() })
}

#[test]
fn what_is_void_was_not_billed_and_what_is_right_is_asked_for() {
    let mut desk = penniless();
    let january = month("2025-01");
    desk.now = at("2025-02-01T01:00");
    desk.close(usage(january, SEAL, 5_000_000));
    let wrong = desk.invoices(InvoiceState::Pending).remove(0);
    assert_eq!(wrong.amount, cents(50_000 + 2_900));
    desk.must(&Event::VoidInvoice(wrong.id));
    desk.now = at("2025-03-01T01:00");
    desk.must(&end("2025-02", vec![usage(january, SEAL, 500_000)]));
    let right = desk.invoices(InvoiceState::Pending).remove(0);
    let late = right.lines.iter().find(|line| matches!(line.kind, LineKind::LateUsage(_))).unwrap();
    assert_eq!((late.quantity, late.amount, late.month), (500_000, cents(5_000), january));
    assert_eq!(desk.credits(), Vec::<i64>::new(), "nothing was paid that could come back");
    desk.now = at("2025-04-01T01:00");
    desk.must(&end("2025-03", vec![usage(january, SEAL, 500_000)]));
    assert_eq!(desk.invoices(InvoiceState::Pending).remove(1).amount, cents(2_900), "it is asked for once");
    desk.check();
}

#[test]
fn what_was_too_much_comes_back_with_its_tax() {
    let mut desk = penniless();
    desk.terms.tax_basis_points = 1_900;
    desk.deposit(cents(100_000));
    desk.must(&Event::LimitChanged(SpendingLimit::UNLIMITED));
    let january = month("2025-01");
    desk.now = at("2025-02-01T01:00");
    desk.close(usage(january, SEAL, 5_000_000));
    assert_eq!(desk.pay(), cents(62_951), "500.00 and 29.00, with a tax of 19 %");
    // Today's rate is not the one that was charged.
    desk.terms.tax_basis_points = 700;
    desk.now = at("2025-03-01T01:00");
    desk.must(&end("2025-02", vec![usage(january, SEAL, 500_000)]));
    assert_eq!(desk.account.credits.values().map(|credit| credit.granted).collect::<Vec<_>>(), [cents(53_550)]);
    desk.check();
}

#[test]
fn a_cap_watches_the_running_month_while_the_draft_is_of_the_one_before() {
    let mut desk = penniless();
    desk.deposit(cents(100_000));
    desk.now = at("2025-01-20");
    desk.must(&Event::SetSpendCap(Some(SpendCap { amount: cents(400), hard_stop: true })));
    let (january, february) = (month("2025-01"), month("2025-02"));
    desk.must(&so_far(usage(january, SEAL, 30_000)));
    assert_eq!(desk.account.standing.cap_status.told_percent, 75);
    desk.now = at("2025-02-01T00:30");
    let news = |requests: u64| {
        let running = Some(usage(february, SEAL, requests));
        Event::Usage(UsageNews { month: usage(january, SEAL, 30_000), running, earlier: vec![] })
    };
    desk.must(&Event::Tick);
    assert_eq!(desk.account.standing.cap_status, CapStatus::of(february));
    for (requests, told, stopped) in [(19_999, 0, false), (20_000, 50, false), (40_000, 100, true)] {
        desk.must(&news(requests));
        let status = desk.account.standing.cap_status;
        assert_eq!((status.told_percent, status.stopped), (told, stopped), "{requests}");
        assert_eq!(desk.must(&news(requests)).actions, []);
    }
    // Neither the end of January nor time releases the keys, and the new draft has no usage at first.
    desk.now = at("2025-02-01T01:00");
    desk.close(usage(january, SEAL, 30_000));
    desk.must(&Event::Tick);
    assert!(desk.account.standing.cap_status.stopped);
    assert_eq!(desk.amounts(InvoiceState::Pending), [2_900 + 300]);
    desk.must(&Event::SetSpendCap(Some(SpendCap { amount: cents(401), hard_stop: true })));
    assert!(!desk.account.standing.cap_status.stopped, "4.00 are less than 4.01");
    desk.must(&so_far(usage(february, SEAL, 40_100)));
    assert!(desk.account.standing.cap_status.stopped);
}

#[test]
fn the_draft_is_what_the_month_ends_with_also_with_what_came_late() {
    for (january_so_far, late, granted) in
        [(20_000, None, vec![]), (30_150, Some(10_150), vec![]), (5_000, None, vec![179]), (0, None, vec![238])]
    {
        let mut desk = penniless();
        desk.terms.tax_basis_points = 1_900;
        desk.deposit(cents(100_000));
        let (january, february) = (month("2025-01"), month("2025-02"));
        desk.now = at("2025-02-01T01:00");
        desk.close(usage(january, SEAL, 20_000));
        desk.pay();
        desk.now = at("2025-02-10");
        let news = Event::Usage(UsageNews {
            month: usage(february, SEAL, 12_345),
            running: None,
            earlier: vec![usage(january, SEAL, january_so_far)],
        });
        desk.must(&news);
        assert_eq!(desk.must(&news).actions, [], "again it is nothing new");
        assert_eq!(
            desk.account.credits.values().map(|credit| credit.granted.micros() / 10_000).collect::<Vec<_>>(),
            granted
        );
        let drawn = desk.account.draft().unwrap().clone();
        let of = |line: &&Line| matches!(line.kind, LineKind::LateUsage(_));
        assert_eq!(drawn.lines.iter().find(of).map(|line| line.quantity), late, "{january_so_far}");
        // The beginning of March does not change it.
        tick_at(&mut desk, at("2025-03-01T00:10"));
        assert_eq!(desk.account.draft().unwrap().lines, drawn.lines);
        desk.now = at("2025-03-01T01:00");
        let earlier = vec![usage(january, SEAL, january_so_far)];
        let usage = usage(february, SEAL, 12_345);
        desk.must(&Event::CloseMonth(MonthEnd { usage, earlier, completeness: Completeness::default() }));
        let ended = desk.invoices(InvoiceState::Pending).remove(0);
        assert_eq!((ended.lines, ended.amount), (drawn.lines, drawn.amount), "{january_so_far}");
        assert_eq!(desk.account.credits.len(), granted.len());
        desk.pay();
        desk.check();
    }
}

#[test]
fn a_correction_pays_what_was_not_paid_for_want_of_money() {
    let mut desk = penniless();
    let (january, february) = (month("2025-01"), month("2025-02"));
    desk.now = at("2025-02-01T01:00");
    desk.close(usage(january, SEAL, 5_000_000));
    desk.deposit(cents(7_900));
    assert_eq!(desk.pay(), Usd::ZERO, "529.00 are too much");
    let month = MonthUsage { month: february, lines: vec![] };
    desk.must(&Event::Usage(UsageNews { month, running: None, earlier: vec![usage(january, SEAL, 500_000)] }));
    assert_eq!(desk.pay(), cents(7_900));
    desk.check();
}

#[test]
fn another_cap_is_told_anew() {
    let mut desk = penniless();
    let january = month("2025-01");
    let cap = |dollars, hard_stop| Event::SetSpendCap(Some(SpendCap { amount: Usd::from_dollars(dollars), hard_stop }));
    let told = |desk: &mut Desk| {
        let told = desk.notices.drain(..).filter_map(|notice| match notice {
            Notice::CapReached { percent, .. } => Some(percent),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    desk.must(&cap(10, true));
    desk.must(&so_far(usage(january, SEAL, 120_000)));
    assert_eq!((told(&mut desk), desk.account.standing.cap_status.stopped), (vec![50, 75, 90, 100], true));
    desk.must(&cap(10, false));
    assert_eq!((told(&mut desk), desk.account.standing.cap_status.stopped), (vec![], false), "it is the same amount");
    desk.must(&cap(1_000, true));
    assert_eq!((told(&mut desk), desk.account.standing.cap_status.stopped), (vec![], false));
    desk.must(&so_far(usage(january, SEAL, 9_500_000)));
    assert_eq!(told(&mut desk), [50, 75, 90]);
    desk.must(&so_far(usage(january, SEAL, 10_000_000)));
    assert_eq!((told(&mut desk), desk.account.standing.cap_status.stopped), (vec![100], true));
}

#[test]
fn a_refund_goes_back_to_the_credits_that_were_used_last() {
    let mut desk = penniless();
    for (amount, until) in [(500, "2025-02-10"), (600, "2025-03-10")] {
        let (reason, expires_at) = (CreditReason::Promo, Some(at(until)));
        desk.must(&Event::GrantCredit { reason, amount: cents(amount), expires_at });
    }
    desk.deposit(cents(100_000));
    desk.now = at("2025-01-29");
    desk.must(&change(SEAL, Tier::Enterprise));
    let asked = desk.outbox().remove(0);
    assert_eq!(asked.amount, cents(1_509 - 1_100));
    desk.now = at("2025-02-01T00:05");
    desk.must(&answer_to(&asked, true, desk.now));
    assert_eq!(desk.credits(), [500, 600, 409]);
    assert_eq!(desk.balances[&AccountName::Refunds], 15_090_000);
    desk.check();
}

#[test]
fn what_came_back_by_a_correction_does_not_come_back_by_a_void_again() {
    let mut desk = penniless();
    let (january, february) = (month("2025-01"), month("2025-02"));
    desk.now = at("2025-02-01T01:00");
    desk.close(usage(january, SEAL, 5_000_000));
    let wrong = desk.invoices(InvoiceState::Pending).remove(0);
    let news = |requests| {
        let month = MonthUsage { month: february, lines: vec![] };
        Event::Usage(UsageNews { month, running: None, earlier: vec![usage(january, SEAL, requests)] })
    };
    desk.must(&news(4_999_999));
    assert_eq!(desk.account.credits.values().map(|credit| credit.granted).collect::<Vec<_>>(), [cents(1)]);
    assert_eq!(desk.refused(&Event::VoidInvoice(wrong.id)), Refusal::Corrected);
    desk.must(&news(500_000));
    assert_eq!(desk.refused(&Event::VoidInvoice(wrong.id)), Refusal::Corrected);
    // With the credit that came back used up, what is right is owed.
    desk.deposit(cents(7_900));
    assert_eq!(desk.pay(), cents(7_900));
    desk.check();
}
