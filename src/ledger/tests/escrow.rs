//! Escrow accounts, wallets' transactions and the monthly cycle in their tables.

use super::billing::{NOW, cents, with_customers};
use super::*;
use crate::core::money::Usd;
use crate::ledger::billing_notice::{BillingNotice, insert_notice, notices_of, read_notices};
use crate::ledger::charge::StoredPaymentMethod;
use crate::ledger::escrow::{
    StoredChainEvent, StoredEscrowAccount, chain_cursor, chain_events_of, escrow_account_of, find_escrow_account,
    list_escrow_accounts, note_chain_event, put_escrow_account, set_chain_cursor,
};
use crate::ledger::payment_terms::{
    StoredDunning, StoredSpendCap, dunning_of, payment_methods_of, set_dunning, set_payment_methods, set_spend_cap,
    spend_cap_of,
};
use crate::ledger::unclosed_month::{forget_unclosed, is_unclosed_since, note_unclosed, unclosed_months};
use crate::ledger::wallet_transaction::{
    Progress, StoredWalletAction, WalletTransaction, WalletTransactionState, advance_wallet_transaction,
    find_wallet_transaction, insert_wallet_transaction, open_wallet_transactions, wallet_transactions_of,
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
    put(account(2, cents(-1))).unwrap_err();
    assert_eq!(test.read(|tx| escrow_account_of(tx, id(1))), Some(account(1, cents(4))));
    let object = account(3, Usd::ZERO).object_id;
    assert_eq!(test.read(move |tx| find_escrow_account(tx, &object)), Some(account(3, cents(6))));
    assert_eq!(test.read(|tx| list_escrow_accounts(tx, Some(id(1)), 9)), [account(3, cents(6))]);
    let shown = test.read(|tx| customer::find_customer(tx, id(1))).unwrap();
    assert_eq!((shown.balance, shown.spending_limit), (cents(4), cents(1_000)));
    assert_eq!(shown.escrow_contract_id, Some(account(1, Usd::ZERO).object_id.to_string()));
    assert_eq!(test.read(|tx| customer::find_customer(tx, id(2))), Some(customer(2)));
}

#[test]
fn an_event_of_the_chain_is_taken_in_once() {
    let test = with_customers(1);
    let event = |digest: &str, event_index| StoredChainEvent {
        digest: digest.to_owned(),
        event_index,
        kind: "deposited".to_owned(),
        object_id: format!("0x{:064x}", 1).parse().unwrap(),
        customer: Some(id(1)),
        amount: cents(5),
        at: NOW,
    };
    for (digest, index, new) in [("a", 0, true), ("a", 1, true), ("a", 0, false), ("b", 0, true), ("a", 1, false)] {
        let taken = test.write(move |tx| note_chain_event(tx, &event(digest, index))).unwrap();
        assert_eq!(taken, new, "{digest} {index}");
    }
    assert_eq!(test.read(|tx| chain_events_of(tx, id(1), 2)), [event("a", 0), event("a", 1)]);
    assert_eq!(test.read(|tx| chain_cursor(tx, "sim")), None);
    for position in ["3", "7"] {
        test.write(move |tx| set_chain_cursor(tx, "sim", position, NOW)).unwrap();
        assert_eq!(test.read(|tx| chain_cursor(tx, "sim")), Some(position.to_owned()));
    }
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
    for digest in ["a", "b", "c"] {
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
        ("z", signed, false, ""),
    ] {
        let told = test.write(move |tx| advance_wallet_transaction(tx, digest, progress, later)).unwrap();
        let found = test.read(move |tx| find_wallet_transaction(tx, digest));
        assert_eq!((told, found.map_or("", |found| found.state.name())), (news, state), "{digest} {progress:?}");
    }
    test.write(move |tx| advance_wallet_transaction(tx, "c", Progress::Seen, later)).expect_err("nothing was signed");
    let credited = WalletTransaction {
        state: WalletTransactionState::Credited,
        signature: Some("s".to_owned()),
        event_index: Some(1),
        updated_at: later,
        ..built("a")
    };
    assert_eq!(test.read(|tx| find_wallet_transaction(tx, "a")), Some(credited));
    assert_eq!(test.read(|tx| open_wallet_transactions(tx, 9)), [built("c")]);
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
        let cap = StoredSpendCap { cap, hard_stop: true, month: november(), told_percent, stopped: false };
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
