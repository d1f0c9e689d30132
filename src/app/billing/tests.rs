//! Random histories of the core, carried out in a real ledger: what is loaded is what was in memory, and what is decided
//! is the same.

mod cycle;

use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::*;
use crate::core::billing::tests::histories::decisions;
use crate::core::billing::tests::world::Decided;
use crate::core::billing::{Account, Event, verify};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::customer::Customer;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::billing_invoice::next_numbers;
use crate::ledger::billing_standing::{StoredStanding, put_standing};
use crate::ledger::escrow::{StoredEscrowAccount, put_escrow_account};
use crate::ledger::service::save_service;
use crate::ledger::verify::verify_ledger;
use crate::ledger::{Ledger, LedgerError, WriteTx};

const HISTORIES: u64 = 200;
/// Nothing is included: tests set what there is beyond it themselves.
const INCLUDED: Included = Included { api_keys: 0, seal_keys: 0, packages: 0 };

fn customer() -> CustomerId {
    CustomerId::new(7).unwrap()
}

fn open() -> (Ledger, TempDir) {
    let directory = TempDir::new().unwrap();
    let ledger = Ledger::open(&directory.path().join("ledger.db"), 1).unwrap();
    let wallet = format!("0x{:064x}", 7).parse().unwrap();
    let customer = Customer::new(customer(), wallet, UtcMillis(0));
    let insert = move |tx: &WriteTx<'_>| crate::ledger::customer::insert_customer(tx, &customer);
    ledger.write_blocking(insert).unwrap();
    (ledger, directory)
}

fn as_loaded(account: &Account, event: &Event) -> Account {
    let months = load::settled_months(event, &account.invoices);
    let billed = account.billed.iter().filter(|(key, _)| months.contains(&key.month));
    let mut account =
        Account { billed: billed.map(|(key, billed)| (*key, billed.clone())).collect(), ..account.clone() };
    // Counted from keys and packages, which these histories do not have.
    account.services.values_mut().for_each(|service| service.extras.clear());
    account
}

/// The object that the chain's news of a new account names.
fn note_escrow(tx: &WriteTx<'_>, created_at: UtcMillis) -> Result<(), LedgerError> {
    let account = StoredEscrowAccount {
        customer: customer(),
        object_id: format!("0x{:064x}", 1).parse().unwrap(),
        created_at,
        balance: Usd::ZERO,
        spending_limit: crate::core::billing::SpendingLimit::default().amount(),
        period: 0,
        period_charged: Usd::ZERO,
        mirrored_at: created_at,
    };
    put_escrow_account(tx, &account)
}

/// What others than billing have done to services meanwhile.
fn take_over_services(tx: &WriteTx<'_>, decided: &Decided, known: &Account) -> Result<(), LedgerError> {
    for (service, account) in &decided.loaded.services {
        if known.service(*service).instance != account.instance {
            save_service(tx, customer(), *service, &account.instance, decided.now)?;
        }
    }
    Ok(())
}

fn repeat(tx: &WriteTx<'_>, decided: &Decided) -> Result<(), BillingFailure> {
    let Decided { event, loaded, terms, now, decision } = decided;
    let (now, month) = (*now, Month::of(*now)?);
    let tariff = Tariff { terms: terms.clone(), included: INCLUDED };
    let known = load_account(tx, customer(), event, &INCLUDED, month)?.unwrap();
    take_over_services(tx, decided, &known)?;
    let known = load_account(tx, customer(), event, &INCLUDED, month)?.unwrap();
    assert_eq!(known, as_loaded(loaded, event), "before {event:?}");
    if let Event::EscrowCreated { at } = event
        && loaded.escrow.is_none()
    {
        note_escrow(tx, *at)?;
    }
    let done = carry_out(tx, customer(), event, &tariff, now)?;
    assert_eq!(as_loaded(&done.account, event), as_loaded(&decision.account, event), "after {event:?}");
    assert_eq!(done.counters, decision.counters);
    let next = next_numbers(tx)?;
    let next = (next.invoice, next.invoice_number, next.credit, next.credit_note);
    let counters = decision.counters;
    let expected =
        (counters.next_invoice, counters.next_invoice_number, counters.next_credit, counters.next_credit_note);
    assert_eq!(next, expected, "numbers have no gaps");
    Ok(())
}

fn check(ledger: &Ledger, now: UtcMillis) {
    let check = move |tx: &crate::ledger::ReadTx<'_>| -> Result<(), BillingFailure> {
        let whole = load_whole(tx, customer(), &INCLUDED, Month::of(now)?)?.unwrap();
        let entries = entries_of_customer(tx, customer())?;
        assert_eq!(verify(&whole, &entries), vec![]);
        assert_eq!(verify_ledger(tx)?.findings, vec![]);
        Ok(())
    };
    ledger.read_blocking(check).unwrap();
}

/// Histories begin before the first decision.
fn begun_in(month: Month) -> StoredStanding {
    StoredStanding { customer: customer(), month, draft_month: month, has_paid: false, next_due: None }
}

fn live(seed: u64) -> u64 {
    let decisions = decisions(seed);
    let (ledger, _directory) = open();
    let begin = decisions.first().unwrap().loaded.standing.month;
    ledger.write_blocking(move |tx| put_standing(tx, &begun_in(begin))).unwrap();
    let (count, last) = (decisions.len(), decisions.last().unwrap().now);
    // In a few transactions, so that the disk is not what is tested.
    let mut rest = decisions;
    while !rest.is_empty() {
        let later = rest.split_off(rest.len().min(25));
        let batch = std::mem::replace(&mut rest, later);
        let work = move |tx: &WriteTx<'_>| batch.iter().try_for_each(|decided| repeat(tx, decided));
        ledger.write_blocking(work).unwrap_or_else(|error: BillingFailure| panic!("history {seed}: {error}"));
    }
    check(&ledger, last);
    count.try_into().unwrap()
}

#[test]
fn every_history_is_the_same_in_the_ledger_as_in_memory() {
    let histories = std::env::var("SUIFTLY_LEDGER_HISTORIES").map_or(HISTORIES, |text| text.parse().unwrap());
    let (next, decisions) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= histories {
                return;
            }
            decisions.fetch_add(live(seed), Ordering::Relaxed);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let decisions = decisions.into_inner();
    println!("{histories} histories with {decisions} decisions");
    assert!(decisions > histories * 10, "histories in which nothing happens prove nothing");
}
