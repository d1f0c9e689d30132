//! Escrow end to end: the application with its ledger on disk and the simulated chain's journal, and what goes wrong
//! between the two.

use std::collections::BTreeMap;
use std::sync::Arc;

use suiftly::app::{App, Caller, InvoiceName, WalletSignature};
use suiftly::chain::SimWallet;
use suiftly::core::billing::{Event, InvoiceNumber};
use suiftly::core::calendar::{DAY_MS, HOUR_MS};
use suiftly::core::error_code::Code;
use suiftly::core::id::Service;
use suiftly::core::tier::Tier;
use suiftly::ledger::activity::activity_of;
use suiftly::ledger::billing_invoice::{StoredInvoiceState, invoices_of};
use suiftly::ledger::chain_event::{StoredEventKind, chain_events_of};
use suiftly::ledger::charge::charges_of_invoice;
use tempfile::TempDir;

use crate::escrow_world::{Business, NOW, Person, asked, close, code, elsewhere, open, signature};

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_in_pays_and_comes_out_again() {
    let mut business = Business::new().await;
    let person = business.customer(1, 100).await;
    assert_eq!(code(business.build(&person, "withdraw", 1).await.unwrap_err()), Code::NoEscrowAccount);

    let built = business.build(&person, "deposit", 40).await.unwrap();
    assert_eq!((built.state.as_str(), built.is_simulated), ("built", true));
    let seen = business.sign(&person, &built).await.unwrap();
    assert_eq!((seen.state.as_str(), seen.content), ("seen", None));
    assert_eq!(business.balance(&person).await, 0, "it is not final");
    business.restart().await;
    business.settle().await;
    let credited = business.app.wallet_transaction(&person.caller, built.digest.clone()).await.unwrap();
    assert_eq!(credited.state, "credited");
    assert_eq!(business.balance(&person).await, 40_000_000);

    business.app.bill(person.caller.customer, subscribe(Service::Grpc, Tier::Pro)).await.unwrap();
    business.settle().await;
    assert_eq!(business.balance(&person).await, 11_000_000);
    let escrow = business.app.escrow(&person.caller).await.unwrap();
    assert_eq!(escrow.period_charged_micros, 29_000_000);
    assert_eq!(
        business.charges_on_chain().await,
        BTreeMap::from([(format!("{}/invoice-2-1", business.app.ledger_id), 1)])
    );

    assert_eq!(business.transact(&person, "set_spending_limit", 10).await.state, "credited");
    assert_eq!(business.app.escrow(&person.caller).await.unwrap().spending_limit_micros, 10_000_000);
    let too_much = business.transact(&person, "withdraw", 12).await;
    assert_eq!(too_much.failure.unwrap(), "the escrow account has $11.00 only");
    assert_eq!(business.transact(&person, "withdraw", 11).await.state, "credited");
    assert_eq!(business.balance(&person).await, 0);
    assert_eq!(business.app.wallet_usdc(&person.caller).await.unwrap().balance_micros, 71_000_000);
    let customer = person.caller.customer;
    let moves = business.app.ledger.read(move |tx| chain_events_of(tx, customer, 9)).await.unwrap();
    let kinds: Vec<StoredEventKind> = moves.iter().map(|event| event.kind).collect();
    use StoredEventKind::{Charged, Created, Deposited, SpendingLimitSet, Withdrawn};
    assert_eq!(kinds, [Withdrawn, SpendingLimitSet, Charged, Deposited, Created]);
    business.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_its_owners_and_for_its_wallet_to_sign() {
    let business = Business::new().await;
    let (person, other) = (business.customer(1, 100).await, business.customer(2, 100).await);
    for (action, micros) in [
        ("deposit", 0),
        ("deposit", -1),
        ("deposit", 1_000_000_000_001),
        ("withdraw", 0),
        ("set_spending_limit", 9_999_999),
        ("set_spending_limit", -1),
        ("set_spending_limit", 2_000_000_000_000),
        ("give", 5),
    ] {
        let refused = business.app.build_wallet_transaction(&person.caller, None, asked(action, micros)).await;
        assert_eq!(code(refused.unwrap_err()), Code::InvalidFields, "{action} {micros}");
    }
    let built = business.build(&person, "deposit", 5).await.unwrap();
    let hand_in = |caller: &Caller, digest: &str, signed: WalletSignature| {
        let (app, caller, digest) = (Arc::clone(&business.app), caller.clone(), digest.to_owned());
        async move { app.hand_in_wallet_transaction(&caller, None, digest, signed).await }
    };
    let by_other = other.sign(&built);
    assert_eq!(code(hand_in(&person.caller, &built.digest, by_other).await.unwrap_err()), Code::InvalidFields);
    assert_eq!(code(hand_in(&person.caller, &built.digest, signature("AAAA")).await.unwrap_err()), Code::InvalidFields);
    let own = || person.sign(&built);
    assert_eq!(code(hand_in(&other.caller, &built.digest, own()).await.unwrap_err()), Code::NotFound);
    assert_eq!(code(hand_in(&person.caller, "nothing", own()).await.unwrap_err()), Code::NotFound);
    hand_in(&person.caller, &built.digest, own()).await.unwrap();
    let again = hand_in(&person.caller, &built.digest, own()).await.unwrap();
    assert_eq!(again.state, "seen", "the same signature again is no mistake");

    let late = business.build(&person, "deposit", 5).await.unwrap();
    business.pass(HOUR_MS + 1);
    assert_eq!(code(business.sign(&person, &late).await.unwrap_err()), Code::TransactionState);
    business.pass(HOUR_MS);
    business.settle().await;
    let failed = business.app.wallet_transaction(&person.caller, late.digest).await.unwrap();
    assert_eq!((failed.state.as_str(), failed.failure.is_some()), ("failed", true));

    let many = business.build(&person, "deposit", 500).await.unwrap();
    business.sign(&person, &many).await.unwrap();
    business.settle().await;
    let failed = business.app.wallet_transaction(&person.caller, many.digest).await.unwrap();
    assert_eq!(failed.failure.as_deref(), Some("the wallet has $95.00 only"));
    for _ in 0..20 {
        business.build(&person, "deposit", 5).await.unwrap();
    }
    assert_eq!(code(business.build(&person, "deposit", 5).await.unwrap_err()), Code::TooManyUnsigned);
    assert_eq!(business.app.wallet_transactions(&other.caller).await.unwrap().items, []);
    assert_eq!(business.balance(&person).await, 5_000_000);
    business.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_can_be_given_up_and_makes_room_for_another() {
    let business = Business::new().await;
    let (person, other) = (business.customer(1, 100).await, business.customer(2, 100).await);
    let give_up = |caller: &Caller, digest: &str| {
        let (app, caller, digest) = (Arc::clone(&business.app), caller.clone(), digest.to_owned());
        async move { app.give_up_wallet_transaction(&caller, None, digest).await }
    };
    let mut last = business.build(&person, "deposit", 5).await.unwrap();
    for _ in 1..20 {
        last = business.build(&person, "deposit", 5).await.unwrap();
    }
    assert_eq!(code(business.build(&person, "deposit", 5).await.unwrap_err()), Code::TooManyUnsigned);
    assert_eq!(code(give_up(&other.caller, &last.digest).await.unwrap_err()), Code::NotFound);
    let over = give_up(&person.caller, &last.digest).await.unwrap();
    assert_eq!((over.state.as_str(), over.content), ("failed", None));
    assert_eq!(over.failure.as_deref(), Some("it was given up before it was signed"));
    let again = give_up(&person.caller, &last.digest).await.unwrap();
    assert_eq!(again.updated_at, over.updated_at, "it is given up once");
    assert_eq!(code(business.sign(&person, &last).await.unwrap_err()), Code::TransactionState);
    let customer = person.caller.customer;
    let noted = business.app.ledger.read(move |tx| activity_of(tx, customer, None, 9)).await.unwrap();
    let noted: Vec<&str> = noted.iter().map(|one| one.activity.action.as_str()).collect();
    assert_eq!(noted, ["transaction.give_up"]);

    let kept = business.build(&person, "deposit", 5).await.unwrap();
    business.sign(&person, &kept).await.unwrap();
    assert_eq!(code(give_up(&person.caller, &kept.digest).await.unwrap_err()), Code::TransactionState);
    business.settle().await;
    assert_eq!(code(give_up(&person.caller, &kept.digest).await.unwrap_err()), Code::TransactionState);
    assert_eq!(business.balance(&person).await, 5_000_000);
    business.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_pays_what_is_owed_at_once_and_once() {
    let business = Business::new().await;
    let person = business.customer(1, 1_000).await;
    let customer = person.caller.customer;
    business.transact(&person, "deposit", 30).await;
    business.app.bill(customer, subscribe(Service::Grpc, Tier::Pro)).await.unwrap();
    business.settle().await;
    // A month later nothing is left to pay with.
    business.pass(30 * DAY_MS);
    business.app.run_billing().await.unwrap();
    business.settle().await;
    let unpaid = move |app: Arc<App>| async move {
        let all = app.ledger.read(move |tx| invoices_of(tx, customer, None, 99)).await.unwrap();
        let unpaid = all.into_iter().filter(|invoice| invoice.state == StoredInvoiceState::Pending);
        unpaid.map(|invoice| invoice.invoice).collect::<Vec<u64>>()
    };
    let owed = unpaid(Arc::clone(&business.app)).await;
    let [owed] = owed[..] else { unreachable!("{owed:?}") };

    // The deposit, the customer and the manager want it paid at the same time.
    let built = business.build(&person, "deposit", 500).await.unwrap();
    business.sign(&person, &built).await.unwrap();
    business.pass(1_000);
    let second = InvoiceName::Number(InvoiceNumber(2));
    let mut together = tokio::task::JoinSet::new();
    for number in 0..24 {
        let (app, caller) = (Arc::clone(&business.app), person.caller.clone());
        together.spawn(async move {
            match number % 3 {
                0 => drop(app.pay_invoice(&caller, None, second).await),
                1 => drop(app.work_on_chain().await.unwrap()),
                _ => app.run_billing().await.unwrap(),
            }
        });
    }
    together.join_all().await;
    business.settle().await;
    assert_eq!(unpaid(Arc::clone(&business.app)).await, Vec::<u64>::new());
    let charges = business.app.ledger.read(move |tx| charges_of_invoice(tx, owed)).await.unwrap();
    assert_eq!(charges.len(), 1, "{charges:?}");
    let on_chain = business.charges_on_chain().await;
    assert_eq!(on_chain.values().copied().collect::<Vec<_>>(), [1, 1], "{on_chain:?}");
    business.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ledger_finds_escrow_again() {
    let business = Business::new().await;
    let person = business.customer(1, 1_000).await;
    business.transact(&person, "deposit", 100).await;
    let subscribe = || subscribe(Service::Grpc, Tier::Pro);
    business.app.bill(person.caller.customer, subscribe()).await.unwrap();
    business.settle().await;
    business.transact(&person, "set_spending_limit", 60).await;
    let escrow = business.app.escrow(&person.caller).await.unwrap();
    assert_eq!(escrow.balance_micros, 71_000_000);
    let Business { folder, clock, app } = business;
    close(app).await;

    let fresh = TempDir::new().unwrap();
    let app = open(fresh.path(), folder.path(), &clock).await;
    let business = Business { folder, clock, app };
    business.settle().await;
    // The wallet signs in again; its number is another one.
    let wallet = SimWallet::numbered(1).unwrap();
    let address = wallet.address().clone();
    let person = business.register(wallet).await;
    let wake = move |tx: &suiftly::ledger::WriteTx<'_>| {
        suiftly::ledger::chain_event::put_off_chain_events(tx, &address, Some(NOW), None)
    };
    business.app.ledger.write(wake).await.unwrap();
    business.settle().await;
    assert_eq!(business.app.escrow(&person.caller).await.unwrap(), escrow);
    business.check().await;
    assert_eq!(business.why_parked(&person).await, None);

    // The first invoice has the number that the first one of the lost ledger had, and is charged all the same.
    business.app.bill(person.caller.customer, subscribe()).await.unwrap();
    business.settle().await;
    assert_eq!(business.balance(&person).await, 42_000_000);
    let on_chain = business.charges_on_chain().await;
    assert_eq!(on_chain.values().sum::<usize>(), 2, "{on_chain:?}");
    business.check().await;
}

/// Somebody has paid for a service since a copy of the ledger was made, and the copy is put back. What was charged since is
/// credit then.
async fn restored() -> (Business, Person) {
    let mut business = Business::new().await;
    let person = business.customer(1, 1_000).await;
    business.transact(&person, "deposit", 100).await;
    business.app.bill(person.caller.customer, subscribe(Service::Grpc, Tier::Pro)).await.unwrap();
    business.settle().await;
    let (ledger, copy) = (business.folder.path().join("ledger.db"), business.folder.path().join("copy.db"));
    rusqlite::Connection::open(&ledger).unwrap().execute("VACUUM INTO ?1", (copy.to_str().unwrap(),)).unwrap();

    business.app.bill(person.caller.customer, subscribe(Service::Seal, Tier::Pro)).await.unwrap();
    business.settle().await;
    business.transact(&person, "deposit", 250).await;
    let balance = business.balance(&person).await;
    close(std::mem::replace(&mut business.app, Arc::new(elsewhere(&business.clock)))).await;
    for leftover in ["ledger.db-wal", "ledger.db-shm"] {
        drop(std::fs::remove_file(business.folder.path().join(leftover)));
    }
    std::fs::rename(&copy, &ledger).unwrap();
    business.app = open(business.folder.path(), business.folder.path(), &business.clock).await;
    business.settle().await;
    assert_eq!(business.balance(&person).await, balance);
    business.check().await;
    (business, person)
}

const fn subscribe(service: Service, tier: Tier) -> Event {
    Event::Subscribe { service, tier }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restored_ledger_bills_again_is_paid_already() {
    let (business, person) = restored().await;
    let balance = business.balance(&person).await;
    business.app.bill(person.caller.customer, subscribe(Service::Seal, Tier::Pro)).await.unwrap();
    business.settle().await;
    assert_eq!(business.balance(&person).await, balance);
    assert_eq!(business.charges_on_chain().await.len(), 2);
    business.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_ledger_takes_another_key_where_the_chain_knows_one_from_before() {
    let (business, person) = restored().await;
    let balance = business.balance(&person).await;
    business.app.bill(person.caller.customer, subscribe(Service::Graphql, Tier::Enterprise)).await.unwrap();
    business.settle().await;
    assert_eq!(business.balance(&person).await, balance, "the chain has declined it");
    business.pass(2 * HOUR_MS);
    business.app.run_billing().await.unwrap();
    business.settle().await;
    // 185.00, less what was charged before the copy was put back and the credit for the days before.
    assert_eq!(business.balance(&person).await, balance - 156_000_000);
    assert!(business.charges_on_chain().await.contains_key(&format!("{}/invoice-3-2", business.app.ledger_id)));
    business.check().await;
}

/// The machine loses power before the chain has written down what it has seen.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_chain_forgets_before_it_is_final_is_handed_in_again() {
    let mut business = Business::new().await;
    let person = business.customer(1, 100).await;
    let built = business.build(&person, "deposit", 40).await.unwrap();
    let (journal, copy) = (business.folder.path().join("sim-chain.journal"), business.folder.path().join("copy"));
    std::fs::copy(&journal, &copy).unwrap();
    assert_eq!(business.sign(&person, &built).await.unwrap().state, "seen");
    close(std::mem::replace(&mut business.app, Arc::new(elsewhere(&business.clock)))).await;
    std::fs::rename(&copy, &journal).unwrap();
    business.app = open(business.folder.path(), business.folder.path(), &business.clock).await;
    business.settle().await;
    let found = business.app.wallet_transaction(&person.caller, built.digest).await.unwrap();
    assert_eq!((found.state.as_str(), business.balance(&person).await), ("credited", 40_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_from_the_chain_is_parked_and_limits_are_taken_over() {
    let mut business = Business::new().await;
    let (person, other) = (business.customer(1, 1_000).await, business.customer(2, 1_000).await);
    business.transact(&person, "deposit", 100).await;
    business.transact(&other, "deposit", 100).await;
    business.check().await;
    let path = business.folder.path().join("ledger.db");
    let change = move |sql: String| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        assert_eq!(connection.execute(&sql, ()).unwrap(), 1, "{sql}");
    };
    let of = |person: &Person| format!("WHERE customer_id = {}", person.caller.customer);
    change(format!("UPDATE escrow_accounts SET balance_micros = 100000001 {}", of(&person)));
    change(format!("UPDATE escrow_accounts SET spending_limit_micros = 20000000 {}", of(&other)));
    let reconciled = business.app.reconcile_escrow(None).await.unwrap();
    assert_eq!((reconciled.compared, reconciled.mended), (2, 1));
    assert_eq!(reconciled.parked, [person.caller.customer]);
    let why = business.why_parked(&person).await.unwrap();
    assert!(why.contains("$100.000001") && why.contains("the chain has $100.00"), "{why}");
    assert_eq!(business.why_parked(&other).await, None);
    assert_eq!(business.app.escrow(&other.caller).await.unwrap().spending_limit_micros, 250_000_000);

    // The chain is another one: nothing of what was there is on it.
    std::fs::remove_file(business.folder.path().join("sim-chain.journal")).unwrap();
    business.restart().await;
    business.settle().await;
    let reconciled = business.app.reconcile_escrow(None).await.unwrap();
    assert_eq!(reconciled.parked.len(), 2);
    assert!(business.why_parked(&other).await.unwrap().contains("no such account"));
}
