//! Months of several customers.

use super::*;
use crate::app::metering::{draw, read_drawings};
use crate::core::billing::{Completeness, SpendCap};
use crate::core::calendar::HOUR_MS;
use crate::core::id::Service;
use crate::core::rating::PricePerRequests;
use crate::core::tier::Tier;
use crate::core::usage::HourUsage;
use crate::ledger::billed_usage::{late_usage_of, note_late_usage};
use crate::ledger::billing_invoice::{StoredInvoice, draft_of, invoices_of};
use crate::ledger::config_global::insert_missing_config;
use crate::ledger::customer::insert_customer;
use crate::ledger::entry::{append_entry, entries_of};
use crate::ledger::payment_terms::spend_cap_of;
use crate::ledger::unclosed_month::unclosed_months;
use crate::ledger::usage::set_usage;

fn id(number: u32) -> CustomerId {
    CustomerId::new(number).unwrap()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn tariff() -> Tariff {
    let (terms, included) = (crate::core::billing::tests::desk::terms(), INCLUDED);
    Tariff { terms, included }
}

fn use_seal(tx: &WriteTx<'_>, number: u32, month: Month, requests: u64) -> Result<(), LedgerError> {
    let (customer, service, hour) = (id(number), Service::Seal, month.start().plus_ms(20 * 24 * HOUR_MS));
    set_usage(tx, &HourUsage { customer, service, hour, requests, billable_requests: requests, billable_bytes: 0 })
}

/// Three customers with credit and a subscription in January, and usage.
fn open_with_three() -> (Ledger, TempDir) {
    let directory = TempDir::new().unwrap();
    let ledger = Ledger::open(&directory.path().join("ledger.db"), 1).unwrap();
    let work = |tx: &WriteTx<'_>| -> Result<(), BillingFailure> {
        insert_missing_config(tx, crate::core::config_global::KEYS)?;
        let now = month("2025-01").start().plus_ms(HOUR_MS);
        for number in 1..=3 {
            let wallet = format!("0x{number:064x}").parse().unwrap();
            insert_customer(tx, &Customer::new(id(number), wallet, now))?;
            let reason = crate::core::billing::CreditReason::Promo;
            let credit = Event::GrantCredit { reason, amount: Usd::from_dollars(500), expires_at: None };
            carry_out(tx, id(number), &credit, &tariff(), now)?;
            let subscribe = Event::Subscribe { service: Service::Seal, tier: Tier::Starter };
            carry_out(tx, id(number), &subscribe, &tariff(), now)?;
            use_seal(tx, number, month("2025-01"), 10_000 * u64::from(number))?;
        }
        Ok(())
    };
    ledger.write_blocking(work).unwrap();
    (ledger, directory)
}

fn close(ledger: &Ledger, of: &str) -> Closed {
    let month = month(of);
    let closing = Closing {
        month,
        completeness: Completeness { received: 10, lost: 1 },
        tariff: tariff(),
        price: PricePerRequests { amount: Usd::from_dollars(1), per: 10_000 },
        now: month.end().plus_ms(HOUR_MS),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(close_month(ledger, closing)).unwrap()
}

fn monthly(ledger: &Ledger, number: u32) -> Vec<(String, &'static str, i64)> {
    let read = move |tx: &crate::ledger::ReadTx<'_>| invoices_of(tx, id(number), None, 99);
    let mut invoices: Vec<StoredInvoice> = ledger.read_blocking(read).unwrap();
    invoices.retain(|invoice| invoice.service.is_none());
    invoices.reverse();
    let row = |one: StoredInvoice| (one.month.to_string(), one.state.name(), one.usage.micros() / 10_000);
    invoices.into_iter().map(row).collect()
}

/// All charges without credits, in cents.
fn charges(ledger: &Ledger, number: u32, of: &str) -> i64 {
    let of = month(of);
    let read = move |tx: &crate::ledger::ReadTx<'_>| invoices_of(tx, id(number), None, 99);
    let invoices = ledger.read_blocking(read).unwrap();
    let invoice = invoices.iter().find(|one| one.service.is_none() && one.month == of).unwrap();
    invoice.lines.iter().filter(|line| line.credit.is_none()).map(|line| line.amount.micros() / 10_000).sum()
}

#[test]
fn a_month_is_closed_once_and_missed_months_follow_each_other() {
    let (ledger, _directory) = open_with_three();
    assert_eq!(close(&ledger, "2025-01"), Closed { customers: 3, failures: 0 });
    assert_eq!(close(&ledger, "2025-01"), Closed::default(), "again changes nothing");
    for number in 1..=3 {
        let rows = monthly(&ledger, number);
        assert_eq!((rows[0].0.as_str(), rows[0].1), ("2025-01", "paid"), "{rows:?}");
        // A month of Starter, and a dollar for every 10,000 requests.
        assert_eq!(charges(&ledger, number, "2025-01"), 900 + 100 * i64::from(number));
        assert_eq!((rows[1].0.as_str(), rows[1].1), ("2025-02", "draft"));
    }
    assert_eq!(close(&ledger, "2025-02").customers, 3);
    assert_eq!(close(&ledger, "2025-03").customers, 3);
    assert_eq!(monthly(&ledger, 2).len(), 4);
    let sound = ledger.read_blocking(verify_ledger).unwrap();
    assert_eq!(sound.findings, vec![]);
}

#[test]
fn usage_that_came_late_is_on_the_next_invoice() {
    let (ledger, _directory) = open_with_three();
    close(&ledger, "2025-01");
    let late = |tx: &WriteTx<'_>| -> Result<(), LedgerError> {
        use_seal(tx, 1, month("2025-01"), 30_000)?;
        note_late_usage(tx, id(1), month("2025-01"))
    };
    ledger.write_blocking(late).unwrap();
    close(&ledger, "2025-02");
    assert_eq!(charges(&ledger, 1, "2025-02"), 900 + 200, "30,000 requests, of which 10,000 were billed");
    assert_eq!(charges(&ledger, 2, "2025-02"), 900);
    assert_eq!(ledger.read_blocking(|tx| late_usage_of(tx, id(1))).unwrap(), vec![]);
}

#[test]
fn a_draft_shows_what_came_late_and_a_cap_the_month_that_is_running() {
    let (ledger, _directory) = open_with_three();
    close(&ledger, "2025-01");
    let now = month("2025-03").start().plus_ms(HOUR_MS / 2);
    let news = move |tx: &WriteTx<'_>| -> Result<(), BillingFailure> {
        use_seal(tx, 1, month("2025-01"), 30_000)?;
        note_late_usage(tx, id(1), month("2025-01"))?;
        use_seal(tx, 1, month("2025-03"), 20_000)?;
        // Whoever sets a cap has the draft drawn anew.
        let cap = SpendCap { amount: Usd::from_dollars(2), hard_stop: true };
        carry_out(tx, id(1), &Event::SetSpendCap(Some(cap)), &tariff(), now).map(drop)
    };
    ledger.write_blocking(news).unwrap();
    let price = PricePerRequests { amount: Usd::from_dollars(1), per: 10_000 };
    let drawings = ledger.read_blocking(move |tx| read_drawings(tx, month("2025-03"), price)).unwrap();
    assert_eq!(drawings.len(), 1);
    let drawing = move |tx: &WriteTx<'_>| drawings.iter().try_for_each(|one| draw(tx, one, &tariff(), now));
    ledger.write_blocking(drawing).unwrap();
    assert_eq!(charges(&ledger, 1, "2025-02"), 900 + 200);
    let cap = ledger.read_blocking(|tx| spend_cap_of(tx, id(1))).unwrap().unwrap();
    assert_eq!((cap.spent, cap.told_percent, cap.stopped), (Usd::from_dollars(2), 100, true));
    close(&ledger, "2025-02");
    assert_eq!(charges(&ledger, 1, "2025-02"), 900 + 200, "as it was drawn");
}

#[test]
fn one_customer_who_fails_is_noted_and_parked_and_the_others_are_billed() {
    let (ledger, _directory) = open_with_three();
    // More than can be paid for with all the money there is.
    let overflow = |tx: &WriteTx<'_>| {
        (1..5).try_for_each(|day| {
            let (customer, service) = (id(2), Service::Seal);
            let hour = month("2025-01").start().plus_ms(day * 24 * HOUR_MS);
            let requests = u64::try_from(i64::MAX).unwrap();
            set_usage(
                tx,
                &HourUsage { customer, service, hour, requests, billable_requests: requests, billable_bytes: 0 },
            )
        })
    };
    ledger.write_blocking(overflow).unwrap();
    let closing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| close(&ledger, "2025-01")));
    let closed = closing.unwrap();
    assert_eq!(closed, Closed { customers: 2, failures: 1 });
    let failed = ledger.read_blocking(|tx| unclosed_months(tx, 9)).unwrap();
    assert_eq!(failed.iter().map(|one| one.customer).collect::<Vec<_>>(), [id(2)]);
    assert!(ledger.read_blocking(|tx| crate::ledger::parked::parked(tx, id(2))).unwrap().is_some());
}

#[test]
fn what_the_tables_refuse_for_one_customer_keeps_nobody_else_from_being_billed() {
    let (ledger, _directory) = open_with_three();
    // The entry that issuing the second customer's invoice will want to make.
    let spoil = |tx: &WriteTx<'_>| -> Result<(), LedgerError> {
        let draft = draft_of(tx, id(2))?.unwrap().invoice;
        let mut entry = entries_of(tx, id(2), None, 1)?.remove(0).entry;
        entry.key = format!("invoice-{draft}-issued");
        append_entry(tx, &entry).map(drop)
    };
    ledger.write_blocking(spoil).unwrap();
    assert_eq!(close(&ledger, "2025-01"), Closed { customers: 2, failures: 1 });
    for (number, state) in [(1, "paid"), (2, "draft"), (3, "paid")] {
        assert_eq!(monthly(&ledger, number)[0].1, state, "{number}");
    }
    assert!(ledger.read_blocking(|tx| crate::ledger::parked::parked(tx, id(2))).unwrap().is_some());
    assert_eq!(close(&ledger, "2025-01"), Closed::default(), "what has just failed is left alone");
    assert_eq!(close(&ledger, "2025-02"), Closed { customers: 2, failures: 0 });
}
