//! Stories of one customer, from one end to the other.

use super::desk::{answer_to, month_end, so_far, usage};
use super::*;
use crate::core::billing::payment::RETRY_AFTER_MS;
use crate::core::service_instance::ServiceState;

pub(super) const SEAL: Service = Service::Seal;
pub(super) const GRPC: Service = Service::Grpc;

pub(super) fn subscribe(service: Service, tier: Tier) -> Event {
    Event::Subscribe { service, tier }
}

pub(super) fn change(service: Service, tier: Tier) -> Event {
    Event::ChangeTier { service, tier }
}

/// Pro since the 1st of January 2025 and paid, with nothing left.
pub(super) fn penniless() -> Desk {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(2_900));
    desk.must(&subscribe(SEAL, Tier::Pro));
    desk.pay();
    desk
}

pub(super) fn tick_at(desk: &mut Desk, now: UtcMillis) {
    desk.now = now;
    desk.must(&Event::Tick);
}

#[test]
fn a_smaller_tier_begins_with_the_month_and_can_be_undone() {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(100_000));
    desk.must(&subscribe(SEAL, Tier::Enterprise));
    desk.pay();
    desk.now = at("2025-01-10");
    desk.must(&change(SEAL, Tier::Pro));
    desk.must(&change(SEAL, Tier::Starter));
    assert_eq!(desk.account.draft().unwrap().amount, cents(900), "the last one wins");
    desk.must(&change(SEAL, Tier::Enterprise));
    assert_eq!(desk.account.draft().unwrap().amount, cents(18_500), "undone");
    desk.must(&change(SEAL, Tier::Starter));
    desk.close_quietly();
    assert_eq!((desk.tier(SEAL), desk.pay()), (Some(Tier::Starter), cents(900)));
    desk.check();
}

#[test]
fn a_cancellation_ends_at_the_end_of_the_month_and_subscribing_again_works() {
    let mut desk = Desk::with_balance(at("2025-01-15"), cents(100_000));
    desk.must(&subscribe(SEAL, Tier::Pro));
    desk.pay();
    desk.must(&Event::Cancel { service: SEAL });
    assert_eq!(desk.account.draft().unwrap().amount, Usd::ZERO);
    desk.must(&Event::UndoCancel { service: SEAL });
    assert_eq!(desk.account.draft().unwrap().amount, cents(2_900 - 1_309));
    desk.must(&Event::Cancel { service: SEAL });
    desk.close_quietly();
    assert_eq!(desk.state(SEAL), ServiceState::CancellationPending);
    assert_eq!(desk.pay(), Usd::ZERO);
    assert!(matches!(desk.refused(&Event::UndoCancel { service: SEAL }), Refusal::Service(_)));
    tick_at(&mut desk, at("2025-02-08"));
    assert_eq!(desk.state(SEAL), ServiceState::NotProvisioned);
    assert!(matches!(desk.refused(&subscribe(SEAL, Tier::Pro)), Refusal::Service(_)));
    desk.now = at("2025-02-15");
    desk.must(&subscribe(SEAL, Tier::Pro));
    assert_eq!(desk.pay(), cents(2_900 - 1_309), "the credit of the first time is there still");
    assert_eq!(desk.credits(), [0, 1_450]);
    desk.check();
}

#[test]
fn what_was_never_paid_for_is_changed_and_cancelled_at_once() {
    let mut desk = Desk::open(at("2025-01-15"));
    desk.must(&subscribe(SEAL, Tier::Pro));
    desk.must(&change(SEAL, Tier::Starter));
    desk.must(&change(SEAL, Tier::Starter));
    desk.must(&change(SEAL, Tier::Enterprise));
    assert_eq!(desk.amounts(InvoiceState::Voided), [2_900, 900]);
    assert_eq!(desk.amounts(InvoiceState::Pending), [18_500]);
    desk.must(&Event::Cancel { service: SEAL });
    assert_eq!(desk.state(SEAL), ServiceState::NotProvisioned);
    assert_eq!(desk.amounts(InvoiceState::Pending), Vec::<i64>::new());
    desk.must(&subscribe(SEAL, Tier::Pro));
    desk.check();
}

#[test]
fn a_month_that_was_never_paid_for_is_not_owed() {
    let mut desk = Desk::open(at("2025-01-15"));
    desk.must(&subscribe(SEAL, Tier::Pro));
    tick_at(&mut desk, at("2025-02-01"));
    assert_eq!(desk.amounts(InvoiceState::Voided), [2_900]);
    let now = desk.invoices(InvoiceState::Pending);
    assert_eq!((now.len(), now[0].amount, now[0].credit_on_payment), (1, cents(2_900), Usd::ZERO));
    desk.close_quietly();
    desk.escrow(desk.now);
    desk.deposit(cents(2_900));
    assert_eq!(desk.pay(), cents(2_900));
    assert!(desk.account.service(SEAL).instance.paid_once);
    desk.check();
}

#[test]
fn a_payment_under_way_over_the_end_of_a_month_counts_for_the_old_one() {
    let mut desk = Desk::with_balance(at("2025-01-15"), cents(100_000));
    desk.must(&subscribe(SEAL, Tier::Pro));
    let asked = desk.outbox().remove(0);
    assert_eq!(desk.refused(&change(SEAL, Tier::Starter)), Refusal::PaymentUnderWay);
    assert_eq!(desk.refused(&Event::Cancel { service: SEAL }), Refusal::PaymentUnderWay);
    assert_eq!(desk.refused(&Event::VoidInvoice(asked.key.invoice)), Refusal::PaymentUnderWay);
    desk.close_quietly();
    assert_eq!(desk.outbox(), std::slice::from_ref(&asked));
    desk.now = at("2025-02-02");
    desk.must(&answer_to(&asked, true, desk.now));
    // January is paid and brings its credit back; February is billed in full, less one day.
    assert_eq!(desk.outbox()[0].amount, cents(2_900 - 1_309));
    desk.pay();
    assert_eq!(desk.credits(), [0, 103]);
    desk.check();
}

#[test]
fn an_upgrade_that_is_declined_changes_nothing() {
    let mut desk = Desk::with_balance(at("2025-04-01"), cents(5_000));
    desk.must(&subscribe(SEAL, Tier::Starter));
    desk.pay();
    desk.now = at("2025-04-10");
    let amount = cents(500);
    desk.must(&Event::GrantCredit { reason: CreditReason::Promo, amount, expires_at: None });
    let before = desk.account.draft().cloned();
    desk.must(&change(SEAL, Tier::Pro));
    assert_eq!((desk.outbox()[0].amount, desk.credits()), (cents(900), vec![0]));
    desk.answer(false);
    assert_eq!((desk.tier(SEAL), desk.credits()), (Some(Tier::Starter), vec![500]));
    assert_eq!(desk.amounts(InvoiceState::Voided), [1_400]);
    assert_eq!(desk.account.draft().cloned(), before);
    assert!(desk.notices.contains(&Notice::UpgradeDeclined { service: SEAL }));
    desk.check();
}

#[test]
fn an_upgrade_that_nobody_could_pay_is_refused_with_its_price() {
    let mut desk = penniless();
    desk.now = at("2025-01-10");
    let before = desk.clone();
    match desk.refused(&change(SEAL, Tier::Enterprise)) {
        Refusal::CannotPay(invoice) => assert_eq!(invoice.amount, cents(11_070)),
        other => panic!("{other}"),
    }
    assert_eq!(desk, before);
}

#[test]
fn retries_follow_their_schedule_and_then_credits_come_back() {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(10_000));
    desk.must(&subscribe(SEAL, Tier::Pro));
    desk.pay();
    desk.now = at("2025-01-05");
    let amount = cents(100);
    desk.must(&Event::GrantCredit { reason: CreditReason::Promo, amount, expires_at: None });
    desk.close_quietly();
    for (number, wait_ms) in RETRY_AFTER_MS.into_iter().enumerate() {
        assert_eq!(desk.outbox()[0].key.attempt, u32::try_from(number).unwrap() + 1);
        desk.answer(false);
        let due = desk.now.plus_ms(wait_ms);
        assert_eq!(next_due(&desk.account), Some(due));
        tick_at(&mut desk, due.plus_ms(-1));
        assert_eq!((desk.outbox().len(), desk.credits()), (0, vec![0]));
        tick_at(&mut desk, due);
    }
    desk.answer(false);
    assert_eq!((desk.amounts(InvoiceState::Failed), desk.credits()), (vec![2_900], vec![100]));
    tick_at(&mut desk, at("2025-02-10"));
    assert_eq!(desk.outbox(), []);
    desk.deposit(cents(1));
    assert_eq!((desk.outbox()[0].key.attempt, desk.pay(), desk.credits()), (10, cents(2_800), vec![0]));
    desk.check();
}

#[test]
fn while_nobody_can_pay_no_attempt_is_lost_and_a_deposit_pays_at_once() {
    let mut desk = penniless();
    desk.close_quietly();
    let first_failure = desk.now;
    for day in 1..30 {
        tick_at(&mut desk, first_failure.plus_ms(day * DAY_MS - 5 * HOUR_MS));
        assert_eq!(desk.outbox(), []);
    }
    let owed = desk.invoices(InvoiceState::Pending).remove(0);
    assert_eq!((owed.attempts, owed.retries, owed.first_failure_at), (0, 0, Some(first_failure)));
    desk.deposit(cents(2_899));
    assert_eq!(desk.outbox(), []);
    desk.deposit(cents(1));
    assert_eq!(desk.outbox()[0].amount, cents(2_900));
}

#[test]
fn fourteen_days_after_the_first_failure_services_stop_until_all_is_paid() {
    let mut desk = penniless();
    let mut enabled = desk.account.service(SEAL);
    enabled.instance = enabled.instance.enable().unwrap();
    desk.account.services.insert(SEAL, enabled);
    desk.close_quietly();
    let failed = desk.now;
    let overdue = Notice::PaymentOverdue { suspends_at: failed.plus_ms(14 * DAY_MS) };
    for (day, state, notices) in [
        (0, ServiceState::Enabled, 1),
        (7, ServiceState::Enabled, 2),
        (12, ServiceState::Enabled, 3),
        (13, ServiceState::Enabled, 3),
        (14, ServiceState::SuspendedNoPayment, 3),
    ] {
        let due = next_due(&desk.account).unwrap();
        assert!(day == 0 || due <= failed.plus_ms(day * DAY_MS), "{day}");
        tick_at(&mut desk, failed.plus_ms(day * DAY_MS));
        assert_eq!(desk.state(SEAL), state, "{day}");
        assert_eq!(desk.notices.iter().filter(|notice| **notice == overdue).count(), notices, "{day}");
    }
    assert!(matches!(desk.refused(&subscribe(GRPC, Tier::Pro)), Refusal::UnpaidInvoice(_)));
    // The months that begin while it is suspended are not charged for.
    desk.close_quietly();
    desk.now = at("2025-03-11");
    desk.deposit(cents(10_000));
    assert_eq!(desk.answer(true), cents(2_900));
    assert_eq!(desk.state(SEAL), ServiceState::Enabled);
    // The running one is, less the ten days that are over.
    assert_eq!(desk.answer(true), cents(2_900));
    assert_eq!(desk.credits(), [935]);
    assert_eq!((desk.notices.contains(&Notice::Suspended), desk.notices.contains(&Notice::Resumed)), (true, true));
    desk.close_quietly();
    assert_eq!(desk.pay(), cents(2_900 - 935));
    desk.check();
}

#[test]
fn usage_that_comes_late_is_charged_later_and_too_much_comes_back() {
    let mut desk = penniless();
    desk.deposit(cents(50_000));
    let (january, february) = (month("2025-01"), month("2025-02"));
    desk.now = at("2025-02-01T01:00");
    desk.close(usage(january, SEAL, 20_000));
    assert_eq!(desk.pay(), cents(3_100));
    desk.now = at("2025-03-01T01:00");
    let end = |month: Month, earlier: Vec<MonthUsage>| {
        let usage = MonthUsage { month, lines: vec![] };
        Event::CloseMonth(MonthEnd { usage, earlier, completeness: Completeness::default() })
    };
    let twice = end(february, vec![usage(january, SEAL, 30_150), usage(january, GRPC, 1)]);
    assert!(matches!(desk.decide(&twice), Err(BillingError::Incomplete(_))));
    desk.must(&end(february, vec![usage(january, SEAL, 30_150)]));
    let invoice = desk.invoices(InvoiceState::Pending).remove(0);
    let late = invoice.lines.iter().find(|line| matches!(line.kind, LineKind::LateUsage(_))).unwrap();
    assert_eq!((late.quantity, late.amount, late.month), (10_150, cents(101), january));
    assert_eq!(late.to_string(), "Seal requests, late usage of 2025-01");
    assert_eq!(desk.pay(), cents(3_001));
    desk.now = at("2025-04-01T01:00");
    desk.must(&end(month("2025-03"), vec![usage(january, SEAL, 10_000)]));
    // 2.00 and 1.01 were charged, 1.00 is right.
    assert_eq!(desk.pay(), cents(2_900 - 201));
    desk.now = at("2025-05-01T01:00");
    desk.must(&end(month("2025-04"), vec![usage(january, SEAL, 10_000)]));
    assert_eq!(desk.pay(), cents(2_900), "it is settled once");
    desk.now = at("2025-06-01T01:00");
    desk.must(&end(month("2025-05"), vec![usage(january, SEAL, 99_999)]));
    assert_eq!(desk.pay(), cents(2_900), "and not after three months");
    desk.check();
}

#[test]
fn missed_months_are_closed_in_order_before_anything_else() {
    let mut desk = penniless();
    desk.deposit(cents(50_000));
    desk.must(&Event::LimitChanged(SpendingLimit::UNLIMITED));
    desk.now = at("2025-01-20");
    desk.must(&change(SEAL, Tier::Starter));
    desk.now = at("2025-04-10");
    let catch_up = |month| Err(BillingError::CatchUpFirst(month));
    assert_eq!(desk.decide(&Event::Tick).map(drop), catch_up(month("2025-01")));
    let february = month_end(usage(month("2025-02"), SEAL, 0));
    assert_eq!(desk.decide(&february).map(drop), catch_up(month("2025-01")));
    desk.close_quietly();
    assert_eq!(desk.decide(&Event::Tick).map(drop), catch_up(month("2025-02")));
    desk.close_quietly();
    desk.close_quietly();
    desk.must(&Event::Tick);
    assert_eq!(desk.pay(), cents(3 * 900));
    assert_eq!(desk.account.standing.month, month("2025-04"));
    desk.check();
}

#[test]
fn what_is_bought_before_the_old_month_is_closed_is_not_charged_twice() {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(100_000));
    desk.must(&subscribe(SEAL, Tier::Starter));
    desk.pay();
    desk.now = at("2025-02-01T00:30");
    desk.must(&subscribe(GRPC, Tier::Starter));
    desk.must(&change(SEAL, Tier::Pro));
    assert_eq!(desk.pay(), cents(900 + 2_000));
    desk.close_quietly();
    assert_eq!(desk.pay(), cents(900), "February of Seal, as it was when the month began");
    desk.close_quietly();
    assert_eq!(desk.pay(), cents(2_900 + 900));
    desk.check();
}

#[test]
fn credit_notes_give_back_at_most_what_was_paid() {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(2_400));
    let amount = cents(500);
    desk.must(&Event::GrantCredit { reason: CreditReason::Promo, amount, expires_at: None });
    desk.must(&subscribe(SEAL, Tier::Pro));
    let invoice = desk.outbox()[0].key.invoice;
    let note = |amount, payout| Event::IssueCreditNote {
        invoice,
        amount: cents(amount),
        payout,
        reason: " an outage".to_owned(),
    };
    assert!(matches!(desk.refused(&note(100, Payout::Credit)), Refusal::InvoiceState(InvoiceState::Pending)));
    desk.pay();
    assert_eq!(desk.refused(&note(2_401, Payout::Escrow)), Refusal::MoreThanPaid(cents(2_400)));
    for reason in ["", " ", "two\nlines", &"x".repeat(MAX_REASON + 1)] {
        let (amount, payout, reason) = (cents(1), Payout::Credit, reason.to_owned());
        assert_eq!(desk.refused(&Event::IssueCreditNote { invoice, amount, payout, reason }), Refusal::BadReason);
    }
    desk.must(&note(2_000, Payout::Escrow));
    assert_eq!(desk.refused(&note(401, Payout::Escrow)), Refusal::MoreThanPaid(cents(400)));
    let outcome = Outcome::Succeeded { reference: "0x1".to_owned() };
    let answer = Event::RefundAnswered(RefundAnswer { note: CreditNoteId(1), outcome, at: desk.now });
    desk.must(&answer);
    assert_eq!(desk.must(&answer).actions, []);
    assert_eq!(desk.account.escrow.unwrap().balance, cents(2_000));
    desk.must(&note(400, Payout::Escrow));
    let outcome = Outcome::Declined { reason: "no".to_owned() };
    desk.must(&Event::RefundAnswered(RefundAnswer { note: CreditNoteId(2), outcome, at: desk.now }));
    assert_eq!(desk.refused(&note(501, Payout::Credit)), Refusal::MoreThanPaid(cents(500)));
    desk.must(&note(500, Payout::Credit));
    assert_eq!(desk.credits(), [0, 400, 500]);
    assert_eq!(desk.balances[&AccountName::Refunds], 29_000_000);
    assert!(desk.account.credit_notes.values().all(|note| note.reason == "an outage"));
    desk.check();
}

#[test]
fn money_that_comes_after_all_is_not_lost() {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(10_000));
    desk.must(&subscribe(SEAL, Tier::Pro));
    let first = desk.outbox().remove(0);
    desk.answer(false);
    let due = next_due(&desk.account).unwrap();
    tick_at(&mut desk, due);
    desk.must(&answer_to(&first, true, desk.now));
    assert_eq!(desk.credits(), [2_900], "the second demand is under way");
    desk.pay();
    assert_eq!((desk.amounts(InvoiceState::Paid), desk.credits()), (vec![2_900], vec![2_900]));
    assert_eq!(desk.must(&answer_to(&first, true, desk.now)).actions, []);
    desk.check();
}

#[test]
fn a_parked_customer_is_not_charged() {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(100_000));
    desk.must(&subscribe(SEAL, Tier::Starter));
    desk.pay();
    desk.must(&Event::Park { reason: "the books differ".to_owned() });
    assert_eq!(desk.refused(&change(SEAL, Tier::Pro)), Refusal::Parked);
    desk.must(&subscribe(GRPC, Tier::Pro));
    desk.close_quietly();
    assert_eq!(desk.outbox(), []);
    desk.must(&Event::Unpark);
    assert_eq!(desk.pay(), cents(2_900 + 900));
    desk.check();
}

#[test]
fn usage_moves_the_draft_and_the_cap_is_told() {
    let mut desk = penniless();
    desk.deposit(cents(10_000));
    desk.now = at("2025-01-10");
    desk.must(&Event::SetSpendCap(Some(SpendCap { amount: cents(400), hard_stop: true })));
    let january = month("2025-01");
    for (requests, draft, stopped) in [(19_999, 3_099, false), (30_000, 3_200, false), (40_000, 3_300, true)] {
        desk.must(&so_far(usage(january, SEAL, requests)));
        assert_eq!(desk.account.draft().unwrap().amount, cents(draft));
        assert_eq!(desk.account.standing.cap_status.stopped, stopped);
        assert_eq!(desk.must(&so_far(usage(january, SEAL, requests))).actions, []);
    }
    let told = |notice: &Notice| match notice {
        Notice::CapReached { percent, .. } => Some(*percent),
        _ => None,
    };
    assert_eq!(desk.notices.iter().filter_map(told).collect::<Vec<_>>(), [50, 75, 90, 100]);
    desk.now = at("2025-02-01");
    desk.must(&Event::Tick);
    assert!(!desk.account.standing.cap_status.stopped);
}

#[test]
fn a_service_that_never_ran_waits_for_older_debts() {
    let mut desk = penniless();
    desk.must(&subscribe(GRPC, Tier::Starter));
    desk.close_quietly();
    let failed = desk.now;
    tick_at(&mut desk, failed.plus_ms(14 * DAY_MS));
    desk.deposit(cents(900));
    assert_eq!(desk.outbox(), [], "it would be suspended at once");
    desk.deposit(cents(2_900));
    assert_eq!((desk.answer(true), desk.answer(true)), (cents(2_900), cents(900)));
    assert_eq!((desk.state(SEAL), desk.state(GRPC)), (ServiceState::Disabled, ServiceState::Disabled));
    desk.check();
}

#[test]
fn only_who_is_more_than_a_month_behind_waits_and_who_is_parked_is_told_so() {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(50_000));
    desk.must(&subscribe(SEAL, Tier::Starter));
    desk.pay();
    // The 1st has begun, and January is not closed: everything goes on.
    desk.now = at("2025-02-01");
    let moved =
        ChainMove { event: ChainEventId { digest: "0xf".to_owned(), index: 0 }, amount: cents(1), at: desk.now };
    for event in [
        Event::Deposited(moved),
        change(SEAL, Tier::Pro),
        subscribe(Service::Grpc, Tier::Starter),
        Event::Cancel { service: SEAL },
        Event::UndoCancel { service: SEAL },
        Event::SetSpendCap(None),
    ] {
        desk.must(&event);
        desk.pay();
    }
    assert_eq!(desk.account.draft().unwrap().month, month("2025-01"), "it still is not closed");

    desk.now = at("2025-03-01");
    let cancel = Event::Cancel { service: SEAL };
    let waits = Err(BillingError::CatchUpFirst(month("2025-01")));
    assert_eq!(desk.decide(&cancel), waits);
    desk.account.standing.parked = Some("for the test".to_owned());
    assert_eq!(desk.decide(&cancel), Err(Refusal::Parked.into()));
    assert_eq!(desk.decide(&Event::Tick), waits, "time is not told that it is parked");
    desk.account.standing.parked = None;
    desk.close_quietly();
    desk.must(&cancel);
    desk.check();
}
