//! Invoices, credits and charges in their tables, and what the tables refuse.

use super::*;
use crate::core::money::Usd;
use crate::core::tier::Tier;
use crate::ledger::billing_invoice::{
    StoredCompleteness, StoredInvoice, StoredInvoiceState, StoredPurpose, find_invoice, find_invoice_by_number,
    insert_invoice, invoices_of, next_numbers, open_invoices_of, update_invoice,
};
use crate::ledger::charge::{
    Direction, StoredAnswer, StoredCharge, StoredPaymentMethod, answer_charge, charges_of_invoice, charges_to_send,
    find_charge, insert_charge, note_no_answer, unanswered_charges_of,
};
use crate::ledger::credit::{
    StoredCredit, StoredCreditReason, credits_of, find_credit, insert_credit, open_credits_of, set_remaining,
};
use crate::ledger::credit_note::{StoredCreditNote, StoredNoteState, credit_notes_of, insert_credit_note};
use crate::ledger::entry::{Currency, Entry, Links, Posting, append_entry};
use crate::ledger::invoice_line::{StoredLine, StoredLineKind, UsageWindow};
use crate::ledger::verify::{FindingKind, verify_ledger};

pub const NOW: UtcMillis = UtcMillis(1_764_547_200_000);

pub fn with_customers(last: u32) -> TestLedger {
    let test = TestLedger::new();
    test.write(move |tx| (1..=last).try_for_each(|number| customer::insert_customer(tx, &customer(number)))).unwrap();
    test
}

pub fn cents(cents: i64) -> Usd {
    Usd::from_micros(cents * 10_000)
}

fn line(kind: StoredLineKind, amount_cents: i64) -> StoredLine {
    StoredLine {
        kind,
        service: (kind != StoredLineKind::Credit).then_some(Service::Seal),
        month: november(),
        tier: None,
        from_tier: None,
        extra: None,
        credit: (kind == StoredLineKind::Credit).then_some(7),
        quantity: 1,
        price: cents(amount_cents),
        price_per: 1,
        amount: cents(amount_cents),
        remainder: Usd::ZERO,
        usage: None,
    }
}

fn draft(invoice: u64, number: u32, lines: Vec<StoredLine>) -> StoredInvoice {
    let amount = Usd::from_micros(lines.iter().map(|line| line.amount.micros()).sum());
    StoredInvoice {
        invoice,
        customer: id(number),
        month: november(),
        purpose: StoredPurpose::Monthly,
        service: None,
        to_tier: None,
        state: StoredInvoiceState::Draft,
        number: None,
        lines,
        amount,
        usage: amount,
        credit_on_payment: Usd::ZERO,
        completeness: None,
        issued_at: None,
        paid_at: None,
        attempts: 0,
        round: 0,
        retries: 0,
        retry_at: None,
        first_failure_at: None,
        credit_changes: 0,
    }
}

fn issued(number: u64, draft: &StoredInvoice) -> StoredInvoice {
    let state = StoredInvoiceState::Pending;
    StoredInvoice { state, number: Some(number), issued_at: Some(NOW), ..draft.clone() }
}

fn paid(invoice: &StoredInvoice) -> StoredInvoice {
    StoredInvoice { state: StoredInvoiceState::Paid, paid_at: Some(NOW), ..invoice.clone() }
}

impl TestLedger {
    fn put(&self, invoice: &StoredInvoice) -> Result<(), LedgerError> {
        let invoice = invoice.clone();
        self.write(move |tx| match find_invoice(tx, invoice.invoice)? {
            None => insert_invoice(tx, &invoice, NOW),
            Some(known) => update_invoice(tx, &known, &invoice, NOW),
        })
    }
}

#[test]
fn an_invoice_is_read_as_it_was_written_in_every_state() {
    let test = with_customers(1);
    let usage = UsageWindow { from: november().start(), to: november().end(), sha256: [9; 32] };
    let requests = StoredLine {
        quantity: 12_345,
        price_per: 10_000,
        remainder: Usd::from_micros(4_500),
        usage: Some(usage),
        ..line(StoredLineKind::Requests, 123)
    };
    let upgrade =
        StoredLine { tier: Some(Tier::Pro), from_tier: Some(Tier::Starter), ..line(StoredLineKind::Upgrade, 1_400) };
    let extra = StoredLine { extra: Some("api_key".to_owned()), ..line(StoredLineKind::Extra, 100) };
    let first = StoredInvoice {
        completeness: Some(StoredCompleteness { received: 10, lost: 1 }),
        credit_on_payment: cents(1_309),
        ..draft(1, 1, vec![requests, upgrade, extra, line(StoredLineKind::Credit, -500)])
    };
    let pending = StoredInvoice { attempts: 2, round: 1, retries: 1, retry_at: Some(NOW), ..issued(1, &first) };
    let failed = StoredInvoice {
        state: StoredInvoiceState::Failed,
        retry_at: None,
        first_failure_at: Some(NOW),
        credit_changes: 1,
        lines: first.lines[..3].to_vec(),
        amount: cents(1_623),
        ..pending.clone()
    };
    let again = StoredInvoice { state: StoredInvoiceState::Pending, credit_changes: 2, ..pending.clone() };
    for invoice in [first.clone(), pending, failed, again.clone(), paid(&again)] {
        test.put(&invoice).unwrap();
        assert_eq!(test.read(|tx| find_invoice(tx, 1)).as_ref(), Some(&invoice));
        assert_eq!(test.read(|tx| find_invoice_by_number(tx, 1)), invoice.number.map(|_| invoice.clone()));
    }
    // One that was decided at once, from draft to paid.
    let upgrade = StoredInvoice {
        purpose: StoredPurpose::Upgrade,
        service: Some(Service::Seal),
        to_tier: Some(Tier::Pro),
        ..draft(2, 1, vec![line(StoredLineKind::Upgrade, 5)])
    };
    test.put(&paid(&issued(2, &upgrade))).unwrap();
    assert_eq!(test.read(|tx| find_invoice(tx, 2)), Some(paid(&issued(2, &upgrade))));
    assert!(test.read(verify_ledger).is_sound());
}

#[test]
fn what_an_issued_invoice_says_stays_whatever_is_tried() {
    let test = with_customers(2);
    let lines = vec![line(StoredLineKind::Subscription, 2_900), line(StoredLineKind::Credit, -1_309)];
    let pending = issued(1, &draft(1, 1, lines));
    test.put(&pending).unwrap();
    let voided = StoredInvoice { state: StoredInvoiceState::Voided, ..pending.clone() };
    let dearer = vec![line(StoredLineKind::Subscription, 3_000), line(StoredLineKind::Credit, -1_409)];
    for (what, wrong) in [
        ("a draft again", draft(1, 1, pending.lines.clone())),
        ("another amount", StoredInvoice { amount: cents(1), ..pending.clone() }),
        ("another line", StoredInvoice { lines: dearer, ..pending.clone() }),
        ("a line less", StoredInvoice { lines: Vec::new(), amount: Usd::ZERO, ..pending.clone() }),
        ("another number", StoredInvoice { number: Some(2), ..pending.clone() }),
        ("another month", StoredInvoice { month: "2026-12".parse().unwrap(), ..pending.clone() }),
        ("another customer", StoredInvoice { customer: id(2), ..pending.clone() }),
        ("another time", StoredInvoice { issued_at: Some(UtcMillis(1)), ..pending.clone() }),
        ("paid without a time", StoredInvoice { state: StoredInvoiceState::Paid, ..pending.clone() }),
        ("a second of the month", issued(2, &draft(2, 1, pending.lines.clone()))),
        ("a number with a gap", issued(3, &draft(2, 2, pending.lines.clone()))),
        ("a number again", issued(1, &draft(2, 2, pending.lines.clone()))),
        ("lines that do not add up", issued(2, &StoredInvoice { amount: cents(1), ..draft(2, 2, Vec::new()) })),
    ] {
        assert!(test.put(&wrong).is_err(), "{what}");
        assert_eq!(test.read(|tx| find_invoice(tx, 1)).as_ref(), Some(&pending), "{what}");
        assert_eq!(test.read(|tx| find_invoice(tx, 2)), None, "{what}");
    }
    for (what, sql) in [
        ("deleting it", "DELETE FROM invoices"),
        ("deleting a line", "DELETE FROM invoice_lines WHERE kind <> 'credit'"),
        ("changing a line", "UPDATE invoice_lines SET quantity = 2"),
        (
            "replacing it",
            "REPLACE INTO invoices (invoice_id, customer_id, month, state, amount_micros, usage_micros,
                              updated_at_ms) VALUES (1, 1, '2026-11', 'draft', 0, 0, 0)",
        ),
    ] {
        let outcome = test.write(move |tx| Ok(tx.execute(sql, ()).is_err())).unwrap();
        assert!(outcome, "{what}");
    }
    // Credits may come and go until it is voided or paid; then nothing does.
    let without = StoredInvoice { lines: pending.lines[..1].to_vec(), amount: cents(2_900), ..pending.clone() };
    test.put(&without).unwrap();
    test.put(&voided).unwrap();
    for wrong in [without, paid(&voided), pending] {
        assert!(test.put(&wrong).is_err(), "{wrong:?}");
    }
    // The month is free again.
    test.put(&issued(2, &draft(2, 1, Vec::new()))).unwrap();
    assert!(test.read(verify_ledger).is_sound());
}

#[test]
fn numbers_come_one_after_the_other_and_lists_page_by_page() {
    let test = with_customers(2);
    for number in 1..=5_u64 {
        let next = test.read(next_numbers);
        assert_eq!((next.invoice, next.invoice_number, next.credit, next.credit_note), (number, number, 1, 1));
        let month = format!("2026-0{number}").parse().unwrap();
        test.put(&StoredInvoice { month, ..issued(number, &draft(number, 1, Vec::new())) }).unwrap();
    }
    test.put(&issued(6, &draft(6, 2, Vec::new()))).unwrap();
    let page = |before| {
        test.read(move |tx| invoices_of(tx, id(1), before, 2)).iter().map(|found| found.invoice).collect::<Vec<_>>()
    };
    assert_eq!((page(None), page(Some(4)), page(Some(1))), (vec![5, 4], vec![3, 2], vec![]));
    assert_eq!(test.read(|tx| open_invoices_of(tx, id(1))).len(), 5);
}

fn credit(number: u64, remaining_cents: i64, expires_at: Option<UtcMillis>) -> StoredCredit {
    StoredCredit {
        credit: number,
        customer: id(1),
        reason: StoredCreditReason::Promo,
        granted: cents(1_000),
        remaining: cents(remaining_cents),
        granted_at: NOW,
        expires_at,
        expirations: 0,
        invoice: None,
        note: "welcome".to_owned(),
    }
}

fn credit_entry(key: &str, credit: u64, amount_cents: i64) -> Entry {
    let posting = |account: &'static str, sub_account: String, amount| Posting {
        account: account.into(),
        sub_account: sub_account.into(),
        currency: Currency::Usd,
        amount,
    };
    Entry {
        key: key.to_owned(),
        at: NOW,
        reason: "credit_granted".into(),
        customer: id(1),
        links: Links { credit: Some(credit), ..Links::default() },
        postings: vec![
            posting("credit", credit.to_string(), cents(-amount_cents)),
            posting("revenue", "allowance".to_owned(), cents(amount_cents)),
        ],
    }
}

#[test]
fn what_is_left_of_a_credit_is_what_its_account_says() {
    let test = with_customers(2);
    let set = |credit: StoredCredit| test.write(move |tx| set_remaining(tx, &credit));
    for granted in [credit(1, 1_000, None), credit(2, 1_000, Some(NOW))] {
        let new = granted.clone();
        test.write(move |tx| insert_credit(tx, &new)).unwrap();
        assert_eq!(test.read(move |tx| find_credit(tx, granted.credit)), Some(granted.clone()));
        assert!(test.read(|tx| open_credits_of(tx, id(1))).contains(&granted));
    }
    let found = |test: &TestLedger| {
        let found = test.read(verify_ledger);
        found.findings.iter().map(|finding| (finding.number, finding.kind)).collect::<Vec<_>>()
    };
    assert_eq!(found(&test), [(1, FindingKind::Credit), (2, FindingKind::Credit)]);
    test.write(|tx| {
        append_entry(tx, &credit_entry("one", 1, 1_000))?;
        append_entry(tx, &credit_entry("two", 2, 1_000)).map(drop)
    })
    .unwrap();
    assert_eq!(found(&test), []);
    set(credit(1, 400, None)).unwrap();
    assert_eq!(found(&test), [(1, FindingKind::Credit)]);
    test.write(|tx| append_entry(tx, &credit_entry("three", 1, -600))).unwrap();
    assert_eq!(found(&test), []);
    for wrong in [
        credit(1, 1_001, None),
        credit(1, -1, None),
        StoredCredit { customer: id(2), ..credit(1, 400, None) },
        credit(3, 400, None),
    ] {
        assert!(set(wrong.clone()).is_err(), "{wrong:?}");
    }
    for sql in [
        "UPDATE credits SET expires_at_ms = 1",
        "UPDATE credits SET granted_micros = 20000000",
        "UPDATE credits SET customer_id = 2",
        "UPDATE credits SET reason = 'refund'",
        "DELETE FROM credits",
    ] {
        assert!(test.write(move |tx| Ok(tx.execute(sql, ()).is_err())).unwrap(), "{sql}");
    }
    set(credit(2, 0, Some(NOW))).unwrap();
    assert_eq!(test.read(|tx| open_credits_of(tx, id(1))), [credit(1, 400, None)]);
    assert_eq!(test.read(|tx| credits_of(tx, id(1))).len(), 2);
    let someone_elses = Entry { customer: id(2), ..credit_entry("four", 1, 5) };
    assert!(test.write(move |tx| append_entry(tx, &someone_elses)).is_err());
}

#[test]
fn credit_notes_have_no_gaps_and_stay() {
    let test = with_customers(1);
    test.put(&issued(1, &draft(1, 1, Vec::new()))).unwrap();
    let note = |number| StoredCreditNote {
        credit_note: number,
        customer: id(1),
        invoice: 1,
        amount: cents(5),
        reason: "an outage".to_owned(),
        issued_at: NOW,
        state: StoredNoteState::Sent,
    };
    for (number, accepted) in [(2, false), (1, true), (1, false), (3, false), (2, true)] {
        let outcome = test.write(move |tx| insert_credit_note(tx, &note(number)));
        assert_eq!(outcome.is_ok(), accepted, "{number}: {outcome:?}");
    }
    assert_eq!(test.read(|tx| credit_notes_of(tx, 1)), [note(1), note(2)]);
    for sql in ["UPDATE credit_notes SET reason = 'x'", "DELETE FROM credit_notes"] {
        assert!(test.write(move |tx| Ok(tx.execute(sql, ()).is_err())).unwrap(), "{sql}");
    }
}

fn charge(attempt: u32, direction: Direction) -> StoredCharge {
    StoredCharge {
        key: format!("{}-1-{attempt}", if direction == Direction::Charge { "invoice" } else { "refund" }),
        customer: id(1),
        invoice: 1,
        direction,
        attempt,
        round: 1,
        method: StoredPaymentMethod::Escrow,
        amount: cents(2_900),
        asked_at: NOW,
        send_at: NOW,
        sends: 0,
        last_error: None,
        answer: None,
    }
}

#[test]
fn an_invoice_is_charged_once_and_an_answer_stays() {
    let test = with_customers(1);
    test.put(&issued(1, &draft(1, 1, vec![line(StoredLineKind::Subscription, 2_900)]))).unwrap();
    let insert = |charge: StoredCharge| test.write(move |tx| insert_charge(tx, &charge));
    let answer = |key: &'static str, answer: &StoredAnswer| {
        let answer = answer.clone();
        test.write(move |tx| answer_charge(tx, key, &answer, NOW))
    };
    let declined = StoredAnswer::Declined { reason: "not enough".to_owned() };
    let succeeded = StoredAnswer::Succeeded { reference: "digest".to_owned() };
    insert(charge(1, Direction::Charge)).unwrap();
    insert(charge(2, Direction::Charge)).expect_err("the first has no answer");
    assert_eq!(test.read(|tx| charges_to_send(tx, NOW, 9)), [charge(1, Direction::Charge)]);
    test.write(|tx| note_no_answer(tx, "invoice-1-1", "silence", NOW.plus_ms(5))).unwrap();
    assert_eq!(test.read(|tx| charges_to_send(tx, NOW, 9)), []);
    let waiting = StoredCharge {
        sends: 1,
        last_error: Some("silence".to_owned()),
        send_at: NOW.plus_ms(5),
        ..charge(1, Direction::Charge)
    };
    assert_eq!(test.read(|tx| charges_to_send(tx, NOW.plus_ms(5), 9)), std::slice::from_ref(&waiting));
    // A clock that was wrong has put it off for hours.
    let before = NOW.plus_ms(-7_200_000);
    assert_eq!(test.read(move |tx| charges_to_send(tx, before, 9)), std::slice::from_ref(&waiting));
    assert_eq!(test.read(|tx| unanswered_charges_of(tx, id(1))), std::slice::from_ref(&waiting));
    answer("invoice-1-1", &declined).unwrap();
    answer("invoice-1-1", &declined).expect("the same answer again");
    answer("invoice-1-1", &StoredAnswer::Declined { reason: "no".to_owned() }).expect_err("another answer");
    answer("invoice-1-9", &succeeded).expect_err("no such charge");
    test.write(|tx| note_no_answer(tx, "invoice-1-1", "", NOW)).expect_err("there is an answer");
    let first = StoredCharge { answer: Some((declined, NOW)), ..waiting };
    assert_eq!(test.read(|tx| find_charge(tx, "invoice-1-1")), Some(first.clone()));

    insert(charge(1, Direction::Charge)).expect_err("the same attempt");
    insert(StoredCharge { amount: cents(2_899), ..charge(2, Direction::Charge) }).expect_err("less than is owed");
    insert(charge(2, Direction::Charge)).unwrap();
    answer("invoice-1-2", &succeeded).unwrap();
    answer("invoice-1-2", &first.answer.clone().unwrap().0).expect_err("money that came does not go again");
    test.put(&paid(&issued(1, &draft(1, 1, vec![line(StoredLineKind::Subscription, 2_900)])))).unwrap();
    insert(charge(3, Direction::Charge)).expect_err("it is paid");
    insert(charge(1, Direction::Refund)).expect("money goes back");
    insert(charge(2, Direction::Refund)).expect("in two parts");
    assert_eq!(test.read(|tx| charges_of_invoice(tx, 1)).len(), 4);
    assert_eq!(test.read(|tx| charges_of_invoice(tx, 1))[0], first);
    for sql in [
        "UPDATE charges SET state = 'succeeded', reference = 'x', amount_micros = 10000 WHERE attempt = 1",
        "UPDATE charges SET state = 'succeeded', reference = 'x', reason = NULL WHERE attempt = 1",
        "UPDATE charges SET amount_micros = 10000 WHERE idempotency_key = 'refund-1-1'",
        "UPDATE charges SET state = 'sent', reference = NULL, answered_at_ms = NULL WHERE attempt = 2",
        "DELETE FROM charges",
    ] {
        assert!(test.write(move |tx| Ok(tx.execute(sql, ()).is_err())).unwrap(), "{sql}");
    }
}

#[test]
fn money_that_came_after_all_is_noted_and_pays_an_invoice_once() {
    let test = with_customers(1);
    test.put(&issued(1, &draft(1, 1, vec![line(StoredLineKind::Subscription, 2_900)]))).unwrap();
    let insert = |charge: StoredCharge| test.write(move |tx| insert_charge(tx, &charge));
    let answer = |key: &'static str, answer: StoredAnswer| test.write(move |tx| answer_charge(tx, key, &answer, NOW));
    let declined = || StoredAnswer::Declined { reason: "not enough".to_owned() };
    let succeeded = |reference: &str| StoredAnswer::Succeeded { reference: reference.to_owned() };
    insert(charge(1, Direction::Charge)).unwrap();
    answer("invoice-1-1", declined()).unwrap();
    insert(charge(2, Direction::Charge)).unwrap();
    answer("invoice-1-1", succeeded("late")).expect("while another one is under way");
    answer("invoice-1-1", succeeded("late")).expect("the same answer again");
    answer("invoice-1-1", succeeded("later")).expect_err("by another transaction");
    answer("invoice-1-1", declined()).expect_err("money that came does not go again");
    insert(charge(3, Direction::Charge)).expect_err("the second has no answer");
    answer("invoice-1-2", declined()).unwrap();
    insert(charge(3, Direction::Charge)).expect("what came is a credit, and may have paid another invoice");
    answer("invoice-1-3", succeeded("third")).unwrap();
    answer("invoice-1-2", succeeded("second")).expect("after another one has paid");
    let answers = test.read(|tx| charges_of_invoice(tx, 1));
    let answers: Vec<_> = answers.into_iter().filter_map(|charge| charge.answer).map(|(answer, _)| answer).collect();
    assert_eq!(answers, [succeeded("late"), succeeded("second"), succeeded("third")]);
    let reasons = |tx: &ReadTx<'_>| {
        tx.all("SELECT reason FROM charges ORDER BY attempt", (), |row| row.get::<_, Option<String>>("reason"))
            .map_err(crate::ledger::error::failed("listing", "reasons"))
    };
    assert_eq!(test.read(reasons), [Some("not enough".to_owned()), Some("not enough".to_owned()), None]);

    insert(charge(1, Direction::Refund)).unwrap();
    answer("refund-1-1", declined()).unwrap();
    answer("refund-1-1", succeeded("refund")).expect_err("what could not be paid back is a credit");

    let pays = |key: &'static str, reason: &'static str| {
        let links = Links { invoice: Some(1), ..Links::default() };
        let entry = Entry { reason: reason.into(), links, ..credit_entry(key, 1, 5) };
        test.write(move |tx| append_entry(tx, &entry))
    };
    pays("invoice-1-3", "invoice_paid").unwrap();
    pays("invoice-1-1", "invoice_paid").expect_err("it is paid");
    pays("invoice-1-1", "overpaid").unwrap();
}
