//! Customers, configuration, usage and what is marked in their tables.

use super::*;
use crate::core::config_global::{ConfigGlobal, KEYS};
use crate::core::money::Usd;
use crate::core::usage::ServiceUsage;

#[test]
fn customers_are_found_and_listed_by_their_numbers() {
    let test = TestLedger::new();
    test.write(|tx| [30, 10, u32::MAX, 20].into_iter().try_for_each(|n| customer::insert_customer(tx, &customer(n))))
        .unwrap();
    for (after, limit, expected) in [
        (None, 10, vec![10, 20, 30, u32::MAX]),
        (None, 2, vec![10, 20]),
        (Some(20), 2, vec![30, u32::MAX]),
        (Some(u32::MAX), 2, vec![]),
        (None, 0, vec![]),
    ] {
        let listed = test.read(move |tx| customer::list_customers(tx, after.map(id), limit));
        assert_eq!(listed, expected.into_iter().map(customer).collect::<Vec<_>>(), "{limit} after {after:?}");
    }
    assert_eq!(test.read(|tx| customer::find_customer(tx, id(11))), None);
}

#[test]
fn a_number_or_wallet_that_is_taken_is_told_apart() {
    let test = TestLedger::new();
    test.write(|tx| customer::insert_customer(tx, &customer(1))).unwrap();
    let number = Customer { customer: id(1), ..customer(2) };
    let error = test.write(move |tx| customer::insert_customer(tx, &number)).unwrap_err();
    assert!(matches!(error, LedgerError::CustomerIdTaken(taken) if taken == id(1)), "{error:?}");
    let wallet = Customer { wallet_address: customer(1).wallet_address, ..customer(2) };
    let error = test.write(move |tx| customer::insert_customer(tx, &wallet)).unwrap_err();
    assert!(matches!(&error, LedgerError::WalletTaken(taken) if *taken == customer(1).wallet_address), "{error:?}");
}

#[test]
fn new_keys_get_their_defaults_and_edits_stay() {
    let test = TestLedger::new();
    let add = || test.write(|tx| config_global::insert_missing_config(tx, KEYS)).unwrap();
    assert_eq!(add(), KEYS.len());
    let edit = "UPDATE config_global SET value = '2.50' WHERE key = 'freqs_usd'";
    let forget = "DELETE FROM config_global WHERE key = 'fver'";
    test.write(move |tx| Ok((tx.execute(edit, ()).unwrap(), tx.execute(forget, ()).unwrap()))).unwrap();
    assert_eq!(add(), 1);
    let table = test.read(config_global::load_config_global);
    let config = ConfigGlobal::from_table(&table).unwrap();
    assert_eq!(config.request_price().amount, Usd::from_micros(2_500_000));
}

#[test]
fn usage_is_set_and_not_added_to() {
    let test = TestLedger::new();
    for requests in [5, 5, 7, 7] {
        test.write(move |tx| usage::set_usage(tx, &usage(1, Service::Seal, 3, requests))).unwrap();
    }
    let expected = ServiceUsage { service: Service::Seal, requests: 7, billable_requests: 7, billable_bytes: 70 };
    assert_eq!(test.read(|tx| usage::usage_of_month(tx, id(1), november())), [expected]);
}

#[test]
fn a_month_adds_up_its_own_hours_of_its_own_customer() {
    let test = TestLedger::new();
    let last_hour = 30 * 24 - 1;
    test.write(move |tx| {
        for (number, service, hour, requests) in [
            (1, Service::Seal, -1, 1_000),
            (1, Service::Seal, 0, 1),
            (1, Service::Seal, last_hour, 2),
            (1, Service::Seal, last_hour + 1, 1_000),
            (1, Service::Graphql, 5, 4),
            (2, Service::Seal, 0, 1_000),
            (2, Service::Grpc, 0, 1_000),
        ] {
            usage::set_usage(tx, &usage(number, service, hour, requests))?;
        }
        Ok(())
    })
    .unwrap();
    let month = test.read(|tx| usage::usage_of_month(tx, id(1), november()));
    let requests: Vec<_> = month.iter().map(|entry| (entry.service, entry.requests)).collect();
    assert_eq!(requests, [(Service::Seal, 3), (Service::Graphql, 4)]);
    assert_eq!(test.read(|tx| usage::usage_of_month(tx, id(3), november())), []);
}

#[test]
fn counts_that_a_column_cannot_hold_are_refused() {
    let test = TestLedger::new();
    let largest = i64::MAX.unsigned_abs();
    for (requests, billable_requests, billable_bytes, stored) in
        [(largest, largest, largest, true), (largest + 1, 0, 0, false), (1, 2, 0, false), (0, 0, u64::MAX, false)]
    {
        let hour = HourUsage { requests, billable_requests, billable_bytes, ..usage(1, Service::Seal, 0, 0) };
        let set = test.write(move |tx| usage::set_usage(tx, &hour));
        assert_eq!(set.is_ok(), stored, "{hour:?}: {set:?}");
    }
    test.write(|tx| usage::set_usage(tx, &usage(1, Service::Seal, 1, 1))).unwrap();
    let sum = test.ledger.read_blocking(|tx| usage::usage_of_month(tx, id(1), november()));
    assert!(matches!(sum, Err(LedgerError::Statement { .. })), "a sum above the range is no number: {sum:?}");
}

#[test]
fn each_traffic_store_has_its_position() {
    let test = TestLedger::new();
    let position = |store: &'static str| test.read(move |tx| usage::metering_position(tx, store));
    assert_eq!(position("a"), None);
    for (store, batch) in [("a", 0), ("a", 8), ("b", 3)] {
        test.write(move |tx| usage::set_metering_position(tx, store, batch)).unwrap();
        assert_eq!(position(store), Some(batch));
    }
    assert_eq!(position("a"), Some(8));
}

#[test]
fn the_table_itself_holds_one_draft_per_customer() {
    let test = TestLedger::new();
    test.write(|tx| customer::insert_customer(tx, &customer(1))).unwrap();
    let insert = |state: &'static str| {
        test.write(move |tx| {
            let sql = "INSERT INTO invoices (customer_id, month, state, amount_micros, usage_micros, updated_at_ms)
                       VALUES (1, '2026-11', ?1, 0, 0, 0)";
            Ok(tx.execute(sql, (state,)).is_ok())
        })
        .unwrap()
    };
    for (state, accepted) in [("draft", true), ("draft", false), ("pending", false), ("paid", false), ("lost", false)] {
        assert_eq!(insert(state), accepted, "{state}");
    }
}

#[test]
fn anybody_has_usage() {
    let test = TestLedger::new();
    test.write(|tx| usage::set_usage(tx, &usage(9, Service::Seal, 0, 1))).unwrap();
    assert_eq!(test.read(|tx| usage::usage_of_month(tx, id(9), november())).len(), 1);
}

#[test]
fn everybodys_draft_has_its_turn_however_much_is_heard_of_the_others() {
    let test = TestLedger::new();
    let mark = || test.write(|tx| (1..=5).try_for_each(|number| usage::mark_stale(tx, id(number)))).unwrap();
    let mut drawn = Vec::new();
    for _ in 0..5 {
        mark();
        let first = test.read(|tx| usage::stale_drafts(tx, 1))[0];
        mark();
        test.write(move |tx| usage::unmark_stale(tx, &first)).unwrap();
        drawn.push(first.customer.get());
    }
    assert_eq!(drawn, [1, 2, 3, 4, 5]);
}

#[test]
fn a_draft_that_became_stale_again_stays_marked() {
    let test = TestLedger::new();
    test.write(|tx| [1, 2].into_iter().try_for_each(|n| customer::insert_customer(tx, &customer(n)))).unwrap();
    let mark = |number| test.write(move |tx| usage::mark_stale(tx, id(number))).unwrap();
    mark(1);
    mark(2);
    let seen = test.read(|tx| usage::stale_drafts(tx, 9));
    assert_eq!(seen.iter().map(|stale| stale.customer).collect::<Vec<_>>(), [id(1), id(2)], "the oldest first");
    mark(1);
    let drawn = seen.clone();
    test.write(move |tx| drawn.iter().try_for_each(|stale| usage::unmark_stale(tx, stale))).unwrap();
    let left = test.read(|tx| usage::stale_drafts(tx, 9));
    assert_eq!(left.iter().map(|stale| stale.customer).collect::<Vec<_>>(), [id(1)]);
    assert_ne!(left[0], seen[0]);
}
