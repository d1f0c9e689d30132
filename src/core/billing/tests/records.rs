//! What is kept of money, and what is foretold of it.

use super::desk::{so_far, usage};
use super::scenarios::{GRPC, SEAL, change, penniless, subscribe, tick_at};
use super::*;

#[test]
fn a_clock_that_is_set_back_changes_no_price() {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(100_000));
    desk.must(&subscribe(SEAL, Tier::Starter));
    desk.pay();
    desk.close_quietly();
    desk.pay();
    desk.now = at("2025-01-30");
    desk.must(&change(SEAL, Tier::Pro));
    assert_eq!(desk.pay(), cents(2_000), "February is the month");
    desk.must(&change(SEAL, Tier::Starter));
    assert_eq!(desk.tier(SEAL), Some(Tier::Pro), "until March");
    desk.check();
}

#[test]
fn the_outlook_is_that_of_the_draft() {
    let mut desk = penniless();
    desk.must(&Event::GrantCredit { reason: CreditReason::Promo, amount: cents(500), expires_at: None });
    desk.must(&so_far(usage(month("2025-01"), SEAL, 12_345)));
    desk.must(&subscribe(GRPC, Tier::Starter));
    let found = outlook(&desk.account, cents(7), desk.now).unwrap();
    let (credits, unpaid, used, per_day, renewal) = (cents(0), cents(400), cents(123), cents(7), cents(2_900));
    assert_eq!(found, Outlook { credits, unpaid, used, per_day, renewal });
}

#[test]
fn expired_credit_is_gone_and_posted() {
    let mut desk = penniless();
    let over = desk.now.plus_ms(DAY_MS);
    let grant = |expires_at| Event::GrantCredit { reason: CreditReason::Promo, amount: cents(500), expires_at };
    assert_eq!(desk.refused(&grant(Some(desk.now))), Refusal::Expired);
    desk.must(&grant(Some(over)));
    assert_eq!(next_due(&desk.account), Some(over));
    tick_at(&mut desk, over);
    assert_eq!(desk.credits(), [0]);
    assert_eq!(desk.balances[&AccountName::Revenue(RevenueKind::Expired)], -5_000_000);
    desk.check();
}

#[test]
fn the_draft_uses_no_credit_that_will_be_gone() {
    let mut desk = penniless();
    let grant = |expires_at: UtcMillis| {
        let (reason, amount, expires_at) = (CreditReason::Promo, cents(500), Some(expires_at));
        Event::GrantCredit { reason, amount, expires_at }
    };
    desk.must(&grant(at("2025-01-31")));
    assert_eq!(desk.account.draft().unwrap().amount, cents(2_900));
    desk.must(&grant(at("2025-02-02")));
    assert_eq!(desk.account.draft().unwrap().amount, cents(2_400));
    desk.close_quietly();
    assert_eq!(desk.amounts(InvoiceState::Pending), [2_400]);
    desk.check();
}

#[test]
fn tax_is_a_line_of_its_own() {
    let mut desk = Desk::with_balance(at("2025-01-01"), cents(10_000));
    desk.terms.tax_basis_points = 1_900;
    desk.must(&subscribe(SEAL, Tier::Pro));
    assert_eq!(desk.pay(), cents(3_451));
    let invoice = desk.invoices(InvoiceState::Paid).remove(0);
    assert_eq!(invoice.lines[1].to_string(), "tax of 19.00 %");
    assert_eq!(desk.balances[&AccountName::Revenue(RevenueKind::Tax)], -5_510_000);
    desk.check();
}

#[test]
fn a_difference_in_the_books_is_found() {
    let mut desk = penniless();
    desk.must(&Event::GrantCredit { reason: CreditReason::Promo, amount: cents(500), expires_at: None });
    desk.close_quietly();
    desk.check();
    type Damage = fn(&mut Desk);
    let damages: [(&str, Damage); 7] = [
        ("an amount", |desk| desk.entries[0].postings[0].amount = cents(1)),
        ("a lost entry", |desk| desk.entries.truncate(desk.entries.len() - 1)),
        ("an entry twice", |desk| desk.entries.push(desk.entries[0].clone())),
        ("another customer's", |desk| desk.entries[0].customer = CustomerId::new(8).unwrap()),
        ("escrow", |desk| desk.account.escrow.as_mut().unwrap().balance = cents(1)),
        ("credit", |desk| desk.account.credits.values_mut().for_each(|credit| credit.remaining = cents(1))),
        ("invoice", |desk| {
            let unpaid = desk.account.invoices.values_mut().find(|invoice| invoice.state.is_unpaid()).unwrap();
            unpaid.lines.clear();
            unpaid.amount = Usd::ZERO;
        }),
    ];
    for (name, damage) in damages {
        let mut damaged = desk.clone();
        damage(&mut damaged);
        assert_ne!(verify(&damaged.account, &damaged.entries), vec![], "{name}");
    }
    let until = balances(&desk.entries, UtcMillis(0)).unwrap();
    assert_eq!(until, Balances::new());
    assert_eq!(first_gap([1, 2, 4].map(InvoiceNumber)), Some(InvoiceNumber(3)));
}
