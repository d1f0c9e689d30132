//! Invoices that many want paid at the same time, and answers that come late: an invoice is paid once.

use std::sync::Arc;

use suiftly::app::billing::Order;
use suiftly::app::invoice_document::{Issuer, load_document};
use suiftly::core::billing::{
    ChargeAnswer, ChargeKey, CreditNoteId, Event, Invoice, InvoiceState, Outcome, RefundAnswer, Refusal,
};
use suiftly::core::calendar::HOUR_MS;
use suiftly::ledger::ReadTx;

use crate::firm::{BEGIN, Firm, SUBSCRIBE, after_november, deposit, id, november};

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_that_many_want_paid_at_once_is_asked_for_once() {
    let firm = Firm::open(&[7]).await;
    firm.app.bill(id(7), deposit(7, 0, 29)).await.unwrap();
    firm.app.bill(id(7), SUBSCRIBE).await.unwrap();
    firm.answer_all(7, true).await;
    firm.set_time(after_november(HOUR_MS));
    firm.app.run_billing().await.unwrap();
    let invoice = firm.monthly(7, november()).await;
    assert_eq!((invoice.state, invoice.attempts), (InvoiceState::Pending, 0), "nobody can pay it");

    // The next look is due, money comes in parts, and people press the button.
    firm.set_time(invoice.retry_at.unwrap());
    let app = || Arc::clone(&firm.app);
    let mut tasks = Vec::new();
    for index in 1..=40 {
        tasks.push(tokio::spawn({
            let app = app();
            async move { app.bill(id(7), deposit(7, index, 5)).await.map(drop) }
        }));
        tasks.push(tokio::spawn({
            let (app, invoice) = (app(), invoice.id);
            async move { app.bill(id(7), Event::Collect(invoice)).await.map(drop) }
        }));
        tasks.push(tokio::spawn({
            let app = app();
            async move { app.bill(id(7), Event::Tick).await.map(drop) }
        }));
        tasks.push(tokio::spawn({
            let app = app();
            async move {
                app.run_billing().await.unwrap();
                Ok(())
            }
        }));
    }
    let mut refused = 0;
    for task in tasks {
        match task.await.unwrap() {
            Err(failure) if failure.refusal() == Some(&Refusal::PaymentUnderWay) => refused += 1,
            other => other.unwrap(),
        }
    }
    let charges = format!("SELECT state FROM charges WHERE invoice_id = {}", invoice.id);
    assert_eq!(firm.rows(&charges), ["sent"], "with {refused} who were told that it is under way");
    // Answered by several at once, too.
    let answers: Vec<_> = (0..20)
        .map(|_| {
            let outcome = Outcome::Succeeded { reference: "0x1".to_owned() };
            let answer = ChargeAnswer { invoice: invoice.id, attempt: 1, outcome, at: firm.app.clock.now() };
            let app = app();
            tokio::spawn(async move { app.bill(id(7), Event::ChargeAnswered(answer)).await.map(drop) })
        })
        .collect();
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(firm.rows(&charges), ["succeeded"]);
    let paid = "SELECT count(*) FROM ledger_entries WHERE reason = 'invoice_paid'";
    assert_eq!(firm.count(paid), 2, "the subscription and the month, once each");
    assert_eq!(firm.app.verify_books(0).await.unwrap(), firm.count("SELECT max(entry_id) FROM ledger_entries"));
    assert_eq!(firm.parked(7).await, None);
}

/// A subscription whose first attempt was declined, and whose second is under way.
async fn twice_asked() -> (Firm, Invoice) {
    let firm = Firm::open(&[7]).await;
    firm.app.bill(id(7), deposit(7, 0, 100)).await.unwrap();
    firm.app.bill(id(7), SUBSCRIBE).await.unwrap();
    firm.answer_all(7, false).await;
    let pending =
        |invoices: Vec<Invoice>| invoices.into_iter().find(|invoice| invoice.state == InvoiceState::Pending).unwrap();
    firm.set_time(pending(firm.invoices(7).await).retry_at.unwrap());
    firm.app.run_billing().await.unwrap();
    let invoice = pending(firm.invoices(7).await);
    assert_eq!(invoice.attempts, 2);
    (firm, invoice)
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_after_all_is_kept_and_an_invoice_is_paid_once() {
    let states = "SELECT state FROM charges ORDER BY attempt";
    let reasons = "SELECT reason FROM ledger_entries WHERE reason IN ('invoice_paid', 'overpaid') ORDER BY entry_id";
    let escrow = "SELECT balance_micros FROM escrow_accounts";
    for (second, paid_by) in [(true, vec!["overpaid", "invoice_paid"]), (false, vec!["overpaid"])] {
        let (firm, invoice) = twice_asked().await;
        let key = |attempt| ChargeKey { invoice: invoice.id, attempt }.to_string();
        firm.answer(7, &key(1), true).await;
        assert_eq!(firm.rows(states), ["succeeded", "sent"], "the second is still under way");
        firm.answer(7, &key(2), second).await;
        // What came first is a credit by now, and pays if nobody else did.
        firm.set_time(firm.app.clock.now().plus_ms(HOUR_MS));
        firm.app.run_billing().await.unwrap();
        firm.answer(7, &key(1), true).await;
        let after = firm.invoices(7).await.into_iter().find(|one| one.id == invoice.id).unwrap();
        assert_eq!((after.state, after.attempts), (InvoiceState::Paid, 2));
        assert_eq!(firm.rows(reasons), paid_by);
        assert_eq!(firm.count(escrow), if second { 42_000_000 } else { 71_000_000 });
        firm.app.verify_books(0).await.unwrap();
        assert_eq!(firm.parked(7).await, None);
        let issuer = Issuer::default();
        let load = move |tx: &ReadTx<'_>| load_document(tx, invoice.id.0, &issuer, true, BEGIN);
        let printed = firm.app.ledger.read(load).await.unwrap().unwrap().text().unwrap();
        assert_eq!(printed.matches("kept as a credit").count(), 1, "{printed}");
        assert_eq!(printed.matches("from escrow").count(), paid_by.len(), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credit_note_to_escrow_is_sent_with_its_reason_and_never_for_books_in_doubt() {
    let firm = Firm::open_subscribed(&[7]).await;
    let number = 1;
    let reason = "outage of 3 November".to_owned();
    let note = |dollars: i64, to: &str| Order::IssueCreditNote {
        invoice: number,
        amount_micros: dollars * 1_000_000,
        to: to.to_owned(),
        reason: reason.clone(),
    };
    let park = Order::Park { customer: 7, reason: "to be looked at".to_owned() };
    firm.app.carry_out_order(park).await.unwrap();
    let refused = firm.app.carry_out_order(note(5, "escrow")).await.unwrap_err().to_string();
    assert!(refused.contains("billing_on_hold"), "{refused}");
    firm.app.carry_out_order(note(1, "credit")).await.unwrap();
    // The chain does not know the account of this test.
    let unpark = Order::Unpark { customer: 7, reason: "it is right".to_owned() };
    let refused = firm.app.carry_out_order(unpark).await.unwrap_err().to_string();
    let difference = "customer 7 stays parked, for the books do not add up: the books say that $171.00 lie in escrow, and \
                      the chain has no such account";
    assert!(refused.contains(difference), "{refused}");
    firm.app.bill(id(7), Event::Unpark).await.unwrap();

    let done = firm.app.carry_out_order(note(5, "escrow")).await.unwrap();
    let issued = done.credit_note.unwrap();
    assert_eq!((issued.number, issued.state.as_str(), done.credit), (2, "sent", None));
    let refunds =
        "SELECT idempotency_key || ' ' || amount_micros || ' ' || state FROM charges WHERE direction = 'refund'";
    assert_eq!(firm.rows(refunds), ["credit-note-2 5000000 sent"]);
    let outcome = Outcome::Succeeded { reference: "0xback".to_owned() };
    let answer = RefundAnswer { note: CreditNoteId(2), outcome, at: firm.app.clock.now() };
    firm.app.bill(id(7), Event::RefundAnswered(answer)).await.unwrap();
    assert_eq!(firm.rows(refunds), ["credit-note-2 5000000 succeeded"]);
    assert_eq!(firm.rows("SELECT reason FROM credit_notes"), [reason.as_str(), reason.as_str()]);
    let refused = firm.app.carry_out_order(note(24, "escrow")).await.unwrap_err().to_string();
    assert!(refused.contains("at most $23.00 can be given back"), "{refused}");
    firm.app.verify_books(0).await.unwrap();
    assert_eq!(firm.parked(7).await, None);
    let load = move |tx: &ReadTx<'_>| load_document(tx, 2, &Issuer::default(), true, BEGIN);
    let printed = firm.app.ledger.read(load).await.unwrap().unwrap().text().unwrap();
    assert!(printed.contains("gives back $5.00: outage of 3 November."), "{printed}");
}
