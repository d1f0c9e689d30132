//! Escrow accounts, wallets' transactions and the monthly cycle in their tables.

use super::billing::{NOW, cents, with_customers};
use super::*;
use crate::core::money::Usd;
use crate::ledger::billing_notice::{BillingNotice, insert_notice, notices_of, read_notices};
use crate::ledger::chain_event::{
    StoredChainEvent, StoredEventKind, chain_cursor, chain_events_of, chain_events_to_take, forget_chain_cursor,
    has_waiting_chain_events, is_to_be_taken, keep_chain_event, put_off_chain_events, set_chain_cursor,
    settle_chain_event,
};
use crate::ledger::charge::StoredPaymentMethod;
use crate::ledger::escrow::{
    StoredEscrowAccount, escrow_account_of, escrow_accounts_after, find_escrow_account, put_escrow_account,
};
use crate::ledger::identity::{ensure_ledger_id, ledger_id};
use crate::ledger::payment_terms::{
    StoredDunning, StoredSpendCap, dunning_of, payment_methods_of, set_dunning, set_payment_methods, set_spend_cap,
    spend_cap_of,
};
use crate::ledger::unclosed_month::{forget_unclosed, is_unclosed_since, note_unclosed, unclosed_months};
use crate::ledger::wallet_transaction::{
    Progress, StoredWalletAction, WalletTransaction, WalletTransactionState, advance_wallet_transaction,
    count_unsigned_wallet_transactions, find_wallet_transaction, insert_wallet_transaction, wallet_transactions_of,
    wallet_transactions_under_way,
};

#[test]
fn the_copy_of_an_account_is_shown_with_its_customer_and_stays_one_object() {
    let test = with_customers(3);
    let account = |number: u32, balance| StoredEscrowAccount {
        customer: id(number),
        object_id: format!("0x{number:064x}").parse().unwrap(),
        created_at: NOW,
        balance,
        spending_limit: cents(1_000),
        period: 2,
        period_charged: cents(7),
        mirrored_at: NOW,
    };
    let put = |account: StoredEscrowAccount| test.write(move |tx| put_escrow_account(tx, &account));
    for (number, balance) in [(1, cents(5)), (3, cents(6)), (1, cents(4))] {
        put(account(number, balance)).unwrap();
    }
    put(StoredEscrowAccount { object_id: account(2, Usd::ZERO).object_id, ..account(1, Usd::ZERO) }).unwrap_err();
    put(StoredEscrowAccount { object_id: account(1, Usd::ZERO).object_id, ..account(2, Usd::ZERO) }).unwrap_err();
    put(account(3, cents(-1))).unwrap();
    put(account(3, cents(6))).unwrap();
    assert_eq!(test.read(|tx| escrow_account_of(tx, id(1))), Some(account(1, cents(4))));
    let object = account(3, Usd::ZERO).object_id;
    assert_eq!(test.read(move |tx| find_escrow_account(tx, &object)), Some(account(3, cents(6))));
    assert_eq!(
        test.read(move |tx| escrow_accounts_after(tx, Some(&account(1, Usd::ZERO).object_id), 9)),
        [account(3, cents(6))]
    );
    let shown = test.read(|tx| customer::find_customer(tx, id(1))).unwrap();
    assert_eq!((shown.balance, shown.spending_limit), (cents(4), cents(1_000)));
    assert_eq!(shown.escrow_contract_id, Some(account(1, Usd::ZERO).object_id.to_string()));
    assert_eq!(test.read(|tx| customer::find_customer(tx, id(2))), Some(customer(2)));
}

fn event(wallet: u32, digest: &str, kind: StoredEventKind, at_ms: i64) -> StoredChainEvent {
    let is_order = matches!(kind, StoredEventKind::Charged | StoredEventKind::Credited);
    StoredChainEvent {
        digest: digest.to_owned(),
        event_index: 0,
        kind,
        object_id: format!("0x{wallet:064x}").parse().unwrap(),
        owner: format!("0x{wallet:064x}").parse().unwrap(),
        order_key: is_order.then(|| "0123456789abcdef/invoice-1-1".to_owned()),
        amount: cents(5),
        at: NOW.plus_ms(at_ms),
    }
}

#[test]
fn an_event_of_the_chain_is_kept_once_and_taken_in_once() {
    let test = with_customers(1);
    let deposit = || event(1, "a", StoredEventKind::Deposited, 0);
    for new in [true, false] {
        assert_eq!(test.write(move |tx| keep_chain_event(tx, &deposit(), NOW)).unwrap(), new);
    }
    let waiting = test.read(|tx| chain_events_to_take(tx, NOW, 9));
    assert_eq!(waiting.iter().map(|waiting| &waiting.event).collect::<Vec<_>>(), [&deposit()]);
    let number = waiting[0].number;
    assert!(test.read(move |tx| is_to_be_taken(tx, number, NOW)));
    assert_eq!(test.read(|tx| chain_events_of(tx, id(1), 9)), []);
    test.write(move |tx| settle_chain_event(tx, number, id(1), NOW)).unwrap();
    test.write(move |tx| settle_chain_event(tx, number, id(1), NOW)).expect_err("it is in the books");
    assert!(!test.read(move |tx| is_to_be_taken(tx, number, NOW)));
    assert_eq!(test.read(|tx| chain_events_to_take(tx, NOW.plus_ms(99), 9)), []);
    assert_eq!(test.read(|tx| chain_events_of(tx, id(1), 9)), [deposit()]);
    assert!(!test.write(move |tx| keep_chain_event(tx, &deposit(), NOW)).unwrap(), "told again");
    assert_eq!(test.read(|tx| chain_events_to_take(tx, NOW.plus_ms(99), 9)), []);
}

#[test]
fn events_are_taken_in_as_they_happened_and_wait_together() {
    let test = with_customers(2);
    let events = [
        event(1, "late", StoredEventKind::Deposited, 7),
        event(1, "out", StoredEventKind::Withdrawn, 3),
        event(2, "charge", StoredEventKind::Charged, 3),
        event(1, "in", StoredEventKind::Deposited, 3),
        event(1, "new", StoredEventKind::Created, 3),
    ];
    for event in events {
        test.write(move |tx| keep_chain_event(tx, &event, NOW)).unwrap();
    }
    let to_take = |at_ms| {
        let waiting = test.read(move |tx| chain_events_to_take(tx, NOW.plus_ms(at_ms), 9));
        waiting.into_iter().map(|waiting| waiting.event.digest).collect::<Vec<_>>()
    };
    assert_eq!(to_take(0), ["new", "in", "charge", "out", "late"]);
    let owner = || event(1, "", StoredEventKind::Created, 0).owner;
    test.write(move |tx| put_off_chain_events(tx, &owner(), Some(NOW.plus_ms(5)), Some("not now"))).unwrap();
    assert_eq!(to_take(4), ["charge"]);
    assert_eq!(to_take(5), ["new", "in", "charge", "out", "late"]);
    // What comes of the same wallet does not overtake them.
    test.write(|tx| keep_chain_event(tx, &event(1, "last", StoredEventKind::Deposited, 8), NOW)).unwrap();
    assert_eq!(to_take(4), ["charge"]);
    assert_eq!(to_take(5), ["new", "in", "charge", "out", "late", "last"]);
    // A clock that was wrong has put them off for hours.
    test.write(move |tx| put_off_chain_events(tx, &owner(), Some(NOW.plus_ms(7_200_000)), None)).unwrap();
    assert_eq!(to_take(0).len(), 6);
    test.write(move |tx| put_off_chain_events(tx, &owner(), None, None)).unwrap();
    assert_eq!(to_take(1_000_000), ["charge"]);
    assert!(test.read(move |tx| has_waiting_chain_events(tx, &owner())));
    assert!(!test.read(|tx| has_waiting_chain_events(tx, &event(3, "", StoredEventKind::Created, 0).owner)));
}

#[test]
fn the_cursor_is_kept_until_it_is_forgotten() {
    let test = with_customers(0);
    assert_eq!(test.read(|tx| chain_cursor(tx, "sim")), None);
    for position in ["3", "7"] {
        test.write(move |tx| set_chain_cursor(tx, "sim", position, NOW)).unwrap();
        assert_eq!(test.read(|tx| chain_cursor(tx, "sim")), Some(position.to_owned()));
    }
    test.write(|tx| forget_chain_cursor(tx, "sim")).unwrap();
    assert_eq!(test.read(|tx| chain_cursor(tx, "sim")), None);
}

#[test]
fn a_ledger_keeps_its_identity() {
    let test = with_customers(0);
    assert_eq!(test.read(ledger_id), None);
    for fresh in [[0xab; 8], [1; 8]] {
        assert_eq!(test.write(move |tx| ensure_ledger_id(tx, fresh)).unwrap(), "abababababababab");
    }
    assert_eq!(test.read(ledger_id), Some("abababababababab".to_owned()));
    test.ledger.close();
    let connection = rusqlite::Connection::open(test.path()).unwrap();
    connection.execute("UPDATE ledger_identity SET ledger_id = '0000000000000000'", ()).unwrap_err();
    connection.execute("DELETE FROM ledger_identity", ()).unwrap_err();
}

#[test]
fn a_wallets_transaction_goes_forward_only() {
    let test = with_customers(1);
    let built = |digest: &str| WalletTransaction {
        digest: digest.to_owned(),
        customer: id(1),
        action: StoredWalletAction::Deposit,
        amount: cents(5),
        content: "deposit 5 cents".to_owned(),
        state: WalletTransactionState::Built,
        signature: None,
        event_index: None,
        failure: None,
        built_at: NOW,
        expires_at: NOW.plus_ms(9),
        updated_at: NOW,
    };
    for digest in ["a", "b", "c", "d"] {
        test.write(move |tx| insert_wallet_transaction(tx, &built(digest))).unwrap();
        test.write(move |tx| insert_wallet_transaction(tx, &built(digest))).unwrap_err();
    }
    let later = NOW.plus_ms(1);
    let signed = Progress::Signed { signature: "s" };
    let failed = Progress::Failed { failure: "expired" };
    for (digest, progress, news, state) in [
        ("a", signed, true, "signed"),
        ("a", signed, false, "signed"),
        ("a", Progress::Final, true, "final"),
        ("a", Progress::Seen, false, "final"),
        ("a", Progress::Credited { event_index: 1 }, true, "credited"),
        ("a", Progress::Credited { event_index: 2 }, false, "credited"),
        ("a", failed, false, "credited"),
        ("b", failed, true, "failed"),
        ("b", signed, false, "failed"),
        ("b", Progress::Credited { event_index: 0 }, true, "credited"),
        ("d", Progress::Seen, true, "seen"),
        ("z", signed, false, ""),
    ] {
        let told = test.write(move |tx| advance_wallet_transaction(tx, digest, progress, later)).unwrap();
        let found = test.read(move |tx| find_wallet_transaction(tx, digest));
        assert_eq!((told, found.map_or("", |found| found.state.name())), (news, state), "{digest} {progress:?}");
    }
    let credited = WalletTransaction {
        state: WalletTransactionState::Credited,
        signature: Some("s".to_owned()),
        event_index: Some(1),
        updated_at: later,
        ..built("a")
    };
    assert_eq!(test.read(|tx| find_wallet_transaction(tx, "a")), Some(credited));
    let under_way = |after: &'static str, at_ms| {
        let found = test.read(move |tx| wallet_transactions_under_way(tx, after, NOW.plus_ms(at_ms), 9));
        found.into_iter().map(|found| found.digest).collect::<Vec<_>>()
    };
    assert_eq!(under_way("", 9), ["d"]);
    assert_eq!(under_way("", 10), ["c", "d"], "c could not happen any more");
    assert_eq!(under_way("c", 10), ["d"]);
    let unsigned = |at_ms| test.read(move |tx| count_unsigned_wallet_transactions(tx, id(1), NOW.plus_ms(at_ms)));
    assert_eq!((unsigned(9), unsigned(10)), (1, 0));
    assert_eq!(test.read(|tx| wallet_transactions_of(tx, id(1), 2)).len(), 2);
}

#[test]
fn a_month_that_could_not_be_closed_is_listed_until_it_is_closed() {
    let test = with_customers(2);
    for (number, later) in [(2, 0), (1, 1), (2, 2)] {
        test.write(move |tx| note_unclosed(tx, id(number), november(), "broken", NOW.plus_ms(later))).unwrap();
    }
    let listed = || {
        let months = test.read(|tx| unclosed_months(tx, 9));
        months.into_iter().map(|one| (one.customer, one.failures, one.at.0 - NOW.0)).collect::<Vec<_>>()
    };
    assert_eq!(listed(), [(id(1), 1, 1), (id(2), 2, 2)]);
    for (number, month, since, failed) in
        [(1, november(), 1, true), (1, november(), 2, false), (1, november().next().unwrap(), 0, false)]
    {
        let found = test.read(move |tx| is_unclosed_since(tx, id(number), month, NOW.plus_ms(since)));
        assert_eq!(found, failed, "{number} {month} {since}");
    }
    test.write(|tx| forget_unclosed(tx, id(2), november())).unwrap();
    assert_eq!(listed(), [(id(1), 1, 1)]);
}

#[test]
fn what_was_chosen_and_told_is_read_back() {
    let test = with_customers(1);
    let escrow = StoredPaymentMethod::Escrow;
    assert_eq!(test.read(|tx| payment_methods_of(tx, id(1))), []);
    test.write(move |tx| set_payment_methods(tx, id(1), &[escrow])).unwrap();
    test.write(move |tx| set_payment_methods(tx, id(1), &[escrow, escrow])).unwrap_err();
    assert_eq!(test.read(|tx| payment_methods_of(tx, id(1))), [escrow]);

    assert_eq!(test.read(|tx| spend_cap_of(tx, id(1))), None);
    for (cap, told_percent) in [(Some(cents(5)), 50), (None, 0)] {
        let cap = StoredSpendCap {
            cap,
            hard_stop: true,
            month: november(),
            told_percent,
            stopped: false,
            spent: Usd::from_micros(7),
        };
        test.write(move |tx| set_spend_cap(tx, id(1), cap, NOW)).unwrap();
        assert_eq!(test.read(|tx| spend_cap_of(tx, id(1))), Some(cap));
    }

    let dunning = StoredDunning { since: NOW, notices: 2, suspended: true };
    for set in [Some(dunning), Some(StoredDunning { notices: 3, ..dunning }), None] {
        test.write(move |tx| set_dunning(tx, id(1), set)).unwrap();
        assert_eq!(test.read(|tx| dunning_of(tx, id(1))), set);
    }

    let notice = |key: &str| BillingNotice {
        customer: id(1),
        key: key.to_owned(),
        kind: "grace".into(),
        details: "{}".to_owned(),
        at: NOW,
    };
    for (key, new) in [("one", true), ("two", true), ("one", false)] {
        assert_eq!(test.write(move |tx| insert_notice(tx, &notice(key))).unwrap(), new);
    }
    assert_eq!(test.write(|tx| read_notices(tx, id(1), 1, NOW)).unwrap(), 1);
    let listed = test.read(|tx| notices_of(tx, id(1), None, 9));
    let seen: Vec<_> = listed.iter().map(|found| (found.notice.key.as_str(), found.read_at)).collect();
    assert_eq!(seen, [("two", None), ("one", Some(NOW))]);
    assert_eq!(test.read(|tx| notices_of(tx, id(1), Some(2), 9)).len(), 1);
}
