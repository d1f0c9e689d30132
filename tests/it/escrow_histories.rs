//! Random histories of escrow, with a chain that fails and a process that ends at any moment.

use std::time::Duration;

use suiftly::chain::FaultPlan;
use suiftly::core::billing::{CreditReason, Event, SpendCap};
use suiftly::core::calendar::{DAY_MS, HOUR_MS};
use suiftly::core::id::Service;
use suiftly::core::money::Usd;
use suiftly::core::tier::Tier;
use suiftly::ledger::billing_invoice::{StoredInvoiceState, invoices_of};
use suiftly::ledger::charge::charges_of_invoice;
use suiftly::ledger::customer::find_customer;
use suiftly::ledger::escrow::escrow_account_of;

use crate::escrow_world::{Business, Person};

/// Three customers do all that they can while the chain drops, delays, repeats and mixes up, and the process ends between
/// any two steps. In the end books, copies and chain agree, and nothing was charged twice.
#[tokio::test(flavor = "multi_thread")]
async fn random_histories_with_faults_and_crashes_end_in_agreement() {
    let histories = std::env::var("SUIFTLY_ESCROW_HISTORIES").map_or(6, |text| text.parse().unwrap());
    for seed in 0..histories {
        live(seed).await;
    }
}

async fn live(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut business = Business::new().await;
    let mut people = Vec::new();
    for number in 1..=3 {
        people.push(business.customer(number, 2_000).await);
    }
    let faults = |seed| FaultPlan {
        seed,
        drop_permille: 150,
        lose_answer_permille: 150,
        late_permille: 150,
        late_up_to_ms: 90_000,
        duplicate_permille: 300,
        reorder_permille: 300,
    };
    business.sim().set_fault_plan(Some(faults(seed)));
    for step in 0..60 {
        business.pass(match random.u8(..10) {
            0..6 => random.i64(0..5_000),
            6..9 => random.i64(0..HOUR_MS),
            _ => random.i64(0..9 * DAY_MS),
        });
        let person = &people[random.usize(..3)];
        act(&business, person, &mut random).await;
        match random.u8(..10) {
            0 => {
                business.restart().await;
                business.sim().set_fault_plan(Some(faults(seed * 1_000 + step)));
            }
            // It ends wherever it is.
            1..4 => {
                let some = Duration::from_micros(random.u64(0..3_000));
                let _ = tokio::time::timeout(some, business.app.work_on_chain()).await;
            }
            4..9 => drop(business.app.work_on_chain().await),
            _ => drop(business.app.run_billing().await),
        }
    }
    business.sim().set_fault_plan(None);
    business.pass(2 * HOUR_MS);
    business.app.run_billing().await.unwrap();
    business.settle().await;
    business.pass(HOUR_MS);
    business.settle().await;
    for person in &people {
        assert_eq!(business.why_parked(person).await, None, "history {seed}");
    }
    business.check().await;
    check_charges(&business, &people, seed).await;
}

/// One thing that a customer does. It may be refused.
async fn act(business: &Business, person: &Person, random: &mut fastrand::Rng) {
    let customer = person.caller.customer;
    let service = Service::ALL[random.usize(..2)];
    let tier = Tier::ALL[random.usize(..3)];
    let transaction = match random.u8(..10) {
        0..4 => Some(("deposit", random.i64(1..100))),
        4 => Some(("withdraw", random.i64(1..100))),
        5 => Some(("set_spending_limit", random.i64(0..300))),
        _ => None,
    };
    if let Some((action, dollars)) = transaction {
        if let Ok(built) = business.build(person, action, dollars).await {
            drop(business.sign(person, &built).await);
        }
        return;
    }
    let cap = SpendCap { amount: Usd::from_dollars(5), hard_stop: random.bool() };
    let credit = Event::GrantCredit { reason: CreditReason::Promo, amount: Usd::from_dollars(3), expires_at: None };
    let event = match random.u8(..10) {
        0..5 => Event::Subscribe { service, tier },
        5..8 => Event::ChangeTier { service, tier },
        8 => Event::SetSpendCap(Some(cap)),
        _ => credit,
    };
    drop(business.app.bill(customer, event).await);
}

/// Each order was carried out once, and each paid invoice was charged by at most one.
async fn check_charges(business: &Business, people: &[Person], seed: u64) {
    let on_chain = business.charges_on_chain().await;
    assert!(on_chain.values().all(|times| *times == 1), "history {seed}: {on_chain:?}");
    let mut charged = 0;
    for person in people {
        let customer = person.caller.customer;
        let read = move |tx: &suiftly::ledger::ReadTx<'_>| {
            let mut counts = Vec::new();
            for invoice in invoices_of(tx, customer, None, 999)? {
                let charges = charges_of_invoice(tx, invoice.invoice)?;
                let is_paid = |answer: &Option<_>| {
                    matches!(answer, Some((suiftly::ledger::charge::StoredAnswer::Succeeded { .. }, _)))
                };
                counts.push((invoice.state, charges.iter().filter(|charge| is_paid(&charge.answer)).count()));
            }
            let account = escrow_account_of(tx, customer)?;
            let shown = find_customer(tx, customer)?.map(|customer| customer.balance);
            assert_eq!(shown, Some(account.map_or(Usd::ZERO, |account| account.balance)));
            Ok::<_, suiftly::ledger::LedgerError>(counts)
        };
        for (state, succeeded) in business.app.ledger.read(read).await.unwrap() {
            assert!(succeeded <= 1, "history {seed}: an invoice was charged {succeeded} times");
            assert!(succeeded == 0 || state == StoredInvoiceState::Paid, "history {seed}: charged and {state:?}");
            charged += succeeded;
        }
    }
    assert_eq!(charged, on_chain.len(), "history {seed}");
}
