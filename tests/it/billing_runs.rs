//! Billing as the process runs it: months that are closed when all has come and once, books that are verified, and the
//! tax of the configuration.

use std::sync::Arc;

use suiftly::app::billing::{BillingFailure, Order};
use suiftly::core::billing::{CreditReason, Event, Invoice, InvoiceState, Line, LineKind, Measure, Refusal};
use suiftly::core::calendar::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMillis};
use suiftly::core::id::Service;
use suiftly::core::money::Usd;
use suiftly::core::source::SourceState;
use suiftly::core::tier::Tier;

use crate::firm::{BEGIN, Firm, SUBSCRIBE, after_november, deposit, id, november};
use crate::support::{CUSTOMER, FIRST_LINE_MS, lines};

fn kinds(invoice: &Invoice) -> Vec<&'static str> {
    invoice.lines.iter().map(|line| line.kind.name()).collect()
}

fn requests(invoice: &Invoice, kind: LineKind) -> u64 {
    invoice.lines.iter().filter(|line| line.kind == kind).map(|line| line.quantity).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_closed_when_every_source_has_delivered_it_or_a_day_later() {
    let mut firm = Firm::open_subscribed(&[CUSTOMER]).await;
    firm.append(&lines(1, 301));
    let (reading, past) = (|| SourceState::Reading, after_november(HOUR_MS));
    for (now, delivered_to, state, is_closed) in [
        (after_november(HOUR_MS - 1), past, reading(), false),
        (after_november(HOUR_MS), past.plus_ms(-1), reading(), false),
        (after_november(23 * HOUR_MS), past.plus_ms(-1), reading(), false),
        (after_november(23 * HOUR_MS), past, SourceState::Unreadable("gone".to_owned()), false),
        (after_november(23 * HOUR_MS + 1), past, reading(), true),
    ] {
        firm.set_time(now);
        firm.deliver_to(delivered_to, state.clone());
        firm.app.run_billing().await.unwrap();
        let closed = firm.draft_month(CUSTOMER).await > november();
        assert_eq!(closed, is_closed, "{now}, delivered to {delivered_to}, {state:?}");
    }
    let invoice = firm.monthly(CUSTOMER, november()).await;
    assert_eq!(requests(&invoice, LineKind::Usage(Measure::Requests)), 300, "metered before it was closed");
    assert_eq!(invoice.completeness.unwrap().received, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_on_another_host_is_waited_for_until_a_later_line_of_it_has_come() {
    let mut firm = Firm::open_remote(&[CUSTOMER]).await;
    firm.append(&lines(1, 301));
    let later = |at: UtcMillis| {
        let number = u64::try_from(at.0 - FIRST_LINE_MS).unwrap();
        lines(number, number + 1)
    };
    firm.set_time(after_november(3 * HOUR_MS));
    firm.deliver_to(after_november(3 * HOUR_MS), SourceState::Reading);
    for (line_at, is_closed) in [(None, false), (Some(HOUR_MS - 1_000), false), (Some(HOUR_MS), true)] {
        if let Some(millis) = line_at {
            firm.append(&later(after_november(millis)));
        }
        firm.app.run_billing().await.unwrap();
        assert_eq!(firm.draft_month(CUSTOMER).await > november(), is_closed, "{line_at:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_day_is_on_the_next_invoice_and_once() {
    let mut firm = Firm::open_subscribed(&[CUSTOMER]).await;
    firm.append(&lines(1, 10_001));
    firm.deliver_to(BEGIN, SourceState::Reading);
    firm.set_time(after_november(DAY_MS - 1));
    firm.app.run_billing().await.unwrap();
    assert_eq!(firm.draft_month(CUSTOMER).await, november());
    firm.set_time(after_november(DAY_MS));
    firm.app.run_billing().await.unwrap();
    assert_eq!(firm.monthly(CUSTOMER, november()).await.completeness.unwrap().received, 10_000);

    firm.append(&lines(10_001, 40_001));
    suiftly::app::meter(&firm.app).await.unwrap();
    let december = november().next().unwrap();
    firm.set_time(december.end().plus_ms(HOUR_MS));
    firm.deliver_to(firm.app.clock.now(), SourceState::Reading);
    firm.app.run_billing().await.unwrap();
    let invoice = firm.monthly(CUSTOMER, december).await;
    let late = LineKind::LateUsage(Measure::Requests);
    assert_eq!(requests(&invoice, late), 30_000, "{:?}", kinds(&invoice));
    let line: &Line = invoice.lines.iter().find(|line| line.kind == late).unwrap();
    assert_eq!((line.month, line.amount), (november(), Usd::from_dollars(3)));
    assert_eq!(requests(&invoice, LineKind::Usage(Measure::Requests)), 0);

    let january = december.next().unwrap();
    firm.set_time(january.end().plus_ms(HOUR_MS));
    firm.deliver_to(firm.app.clock.now(), SourceState::Reading);
    firm.app.run_billing().await.unwrap();
    assert_eq!(requests(&firm.monthly(CUSTOMER, january).await, late), 0, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_comes_again_or_beside_another_changes_nothing() {
    let mut firm = Firm::open_subscribed(&[CUSTOMER, 2, 3]).await;
    firm.append(&lines(1, 20_001));
    firm.set_time(after_november(HOUR_MS));
    let run = || {
        let app = Arc::clone(&firm.app);
        tokio::spawn(async move { app.run_billing().await })
    };
    let runs: Vec<_> = (0..8).map(|_| run()).collect();
    for run in runs {
        run.await.unwrap().unwrap();
    }
    for number in [CUSTOMER, 2, 3] {
        let invoice = firm.monthly(number, november()).await;
        assert_eq!(invoice.state, InvoiceState::Pending);
        let charges = format!("SELECT count(*) FROM charges WHERE invoice_id = {}", invoice.id);
        assert_eq!(firm.count(&charges), 1, "one invoice, one charge");
    }
    assert_eq!(firm.count("SELECT count(*) FROM invoices WHERE month = '2026-11' AND purpose = 'monthly'"), 3);
    let first = firm.all();
    firm.app.run_billing().await.unwrap();
    firm.set_time(after_november(HOUR_MS + MINUTE_MS));
    firm.app.run_billing().await.unwrap();
    assert_eq!(firm.all(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_falsified_books_is_parked_and_nobody_else() {
    for (what, sql) in [
        ("a credit", "UPDATE credits SET remaining_micros = remaining_micros - 10000 WHERE customer_id = 2"),
        (
            "a posting",
            "UPDATE ledger_postings SET amount_micros = amount_micros + 1 WHERE entry_id = (SELECT max(entry_id) FROM ledger_entries WHERE customer_id = 2) AND position = 0",
        ),
        ("escrow", "UPDATE escrow_accounts SET balance_micros = balance_micros + 10000 WHERE customer_id = 2"),
        (
            "a paid invoice",
            "UPDATE invoices SET state = 'voided', paid_at_ms = NULL WHERE customer_id = 2 AND state = 'paid'",
        ),
        ("an entry", "UPDATE ledger_entries SET reason = 'other' WHERE customer_id = 2"),
    ] {
        let firm = Firm::open_subscribed(&[1, 2, 3]).await;
        assert!(firm.app.verify_books(0).await.unwrap() > 0);
        assert_eq!(firm.parked(2).await, None, "{what}");
        firm.falsify(sql);
        firm.app.verify_books(0).await.unwrap();
        assert!(firm.parked(2).await.is_some(), "{what}");
        assert_eq!((firm.parked(1).await, firm.parked(3).await), (None, None), "{what}");
        let charges = firm.count("SELECT count(*) FROM charges");
        let upgrade = Event::ChangeTier { service: Service::Seal, tier: Tier::Enterprise };
        let refused = firm.app.bill(id(2), upgrade).await.unwrap_err();
        let is_told = refused.is_for_a_person() || refused.refusal() == Some(&Refusal::Parked);
        assert!(is_told, "{what}: {refused}");
        assert_eq!(firm.count("SELECT count(*) FROM charges"), charges, "{what}: nothing is charged");
        assert_eq!(firm.count("SELECT count(*) FROM billing_notices WHERE kind = 'parked'"), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_whose_month_cannot_be_closed_stops_nobody() {
    let firm = Firm::open_with_credit(&[1, 2, 3]).await;
    firm.falsify("UPDATE invoices SET amount_micros = amount_micros + 10000 WHERE customer_id = 2 AND state = 'draft'");
    firm.set_time(after_november(HOUR_MS));
    firm.app.run_billing().await.unwrap();
    for number in [1, 3] {
        assert_eq!(firm.monthly(number, november()).await.state, InvoiceState::Pending, "{number}");
    }
    assert_eq!(firm.rows("SELECT customer_id FROM unclosed_months"), ["2"]);
    assert!(firm.parked(2).await.is_some());
    assert_eq!(firm.count("SELECT count(*) FROM invoices WHERE customer_id = 2 AND purpose = 'monthly'"), 1);
    let before = firm.all();
    firm.app.run_billing().await.unwrap();
    assert_eq!(firm.all(), before, "what has just failed is left alone for a while");

    // Somebody has put it right: who is unparked is billed like everybody else.
    let unpark = || Order::Unpark { customer: 2, reason: "the draft was changed by hand".to_owned() };
    let refused = firm.app.carry_out_order(unpark()).await.unwrap_err().to_string();
    assert!(refused.contains("customer 2 stays parked"), "{refused}");
    firm.falsify("UPDATE invoices SET amount_micros = amount_micros - 10000 WHERE customer_id = 2 AND state = 'draft'");
    firm.app.carry_out_order(unpark()).await.unwrap();
    firm.set_time(after_november(2 * HOUR_MS + 1));
    firm.app.run_billing().await.unwrap();
    assert_eq!(firm.monthly(2, november()).await.state, InvoiceState::Pending);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tax_of_the_configuration_is_on_every_invoice_and_preview() {
    let firm = Firm::open_with_tax(&[1], 1_900).await;
    let dollars = Usd::from_dollars;
    let credit = Event::GrantCredit { reason: CreditReason::Promo, amount: dollars(500), expires_at: None };
    firm.app.bill(id(1), credit).await.unwrap();
    let foreseen = firm.app.preview(id(1), SUBSCRIBE).await.unwrap();
    firm.app.bill(id(1), SUBSCRIBE).await.unwrap();
    let paid = firm.invoices(1).await.into_iter().find(|invoice| invoice.state == InvoiceState::Paid).unwrap();
    // 19 % of $29.00.
    let charges = |invoice: &Invoice| invoice.charges().unwrap().micros();
    assert_eq!((kinds(&paid), charges(&paid)), (vec!["subscription", "tax", "credit"], 34_510_000));
    assert_eq!((kinds(&foreseen.invoices[0]), charges(&foreseen.invoices[0])), (kinds(&paid), charges(&paid)));
    assert_eq!(
        (kinds(&foreseen.draft)[..2].to_vec(), charges(&foreseen.draft)),
        (vec!["subscription", "tax"], 34_510_000)
    );
    firm.set_time(after_november(HOUR_MS));
    firm.app.run_billing().await.unwrap();
    let month = firm.monthly(1, november()).await;
    assert_eq!((kinds(&month)[..2].to_vec(), charges(&month)), (vec!["subscription", "tax"], 34_510_000));
    let tax = "SELECT -sum(amount_micros) FROM ledger_postings WHERE account = 'revenue' AND sub_account = 'tax'";
    assert_eq!(firm.count(tax), 11_020_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_day_of_a_month_keeps_no_customer_waiting() {
    let firm = Firm::open_subscribed(&[1]).await;
    firm.set_time(after_november(1));
    let upgrade = Event::ChangeTier { service: Service::Seal, tier: Tier::Enterprise };
    for event in [deposit(1, 1, 200), upgrade, Event::Cancel { service: Service::Seal }, SUBSCRIBE] {
        let is_refused = event == SUBSCRIBE;
        let done: Result<_, BillingFailure> = firm.app.bill(id(1), event.clone()).await;
        assert_eq!(done.err().and_then(|failure| failure.refusal().cloned()).is_some(), is_refused, "{event:?}");
        firm.answer_all(1, true).await;
    }
    let grpc = Event::Subscribe { service: Service::Grpc, tier: Tier::Starter };
    firm.app.bill(id(1), grpc).await.unwrap();
    assert_eq!(firm.draft_month(1).await, november(), "and it is still not closed");
}
