//! The books: what the tables refuse, what is added up, and what the verifier finds.

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::core::money::Usd;
use crate::ledger::balance::{EVER, balance_of, balance_of_sub_account, balances_of, each_balance, trial_balance};
use crate::ledger::entry::{
    Appended, Currency, Entry, Links, Posting, append_entry, append_new_entries, entries_after, entries_of, find_entry,
};
use crate::ledger::verify::{FindingKind, verify_ledger};

fn posting(account: &'static str, sub_account: &'static str, micros: i64) -> Posting {
    let amount = Usd::from_micros(micros);
    Posting { account: account.into(), sub_account: sub_account.into(), currency: Currency::Usd, amount }
}

fn entry(key: &str, number: u32, at: i64, postings: Vec<Posting>) -> Entry {
    Entry {
        key: key.to_owned(),
        at: UtcMillis(at),
        reason: "test".into(),
        customer: id(number),
        links: Links::default(),
        postings,
    }
}

fn deposit(key: &str, number: u32, at: i64, micros: i64) -> Entry {
    entry(key, number, at, vec![posting("clearing", "", micros), posting("escrow", "", -micros)])
}

fn with_customers(numbers: std::ops::RangeInclusive<u32>) -> TestLedger {
    let test = TestLedger::new();
    test.write(move |tx| numbers.into_iter().try_for_each(|n| customer::insert_customer(tx, &customer(n)))).unwrap();
    test
}

impl TestLedger {
    fn append(&self, entry: &Entry) -> Result<Appended, LedgerError> {
        let entry = entry.clone();
        self.write(move |tx| append_entry(tx, &entry))
    }

    fn verified(&self) -> Vec<(u64, FindingKind)> {
        let found = self.read(verify_ledger);
        assert_eq!(found.finding_count, u64::try_from(found.findings.len()).unwrap());
        assert_eq!(found.is_sound(), found.findings.is_empty());
        found.findings.iter().map(|finding| (finding.number, finding.kind)).collect()
    }

    /// Does to the file what the program cannot.
    fn tamper(&self, statements: &str) {
        let connection = Connection::open(self.path()).unwrap();
        let unguarded = "PRAGMA foreign_keys = OFF;
             DROP TRIGGER ledger_entries_no_update; DROP TRIGGER ledger_entries_no_delete;
             DROP TRIGGER ledger_postings_no_update; DROP TRIGGER ledger_postings_no_delete;
             DROP TRIGGER ledger_entries_seal; DROP TRIGGER ledger_postings_before_entry;
             DROP TRIGGER credits_stay; DROP TRIGGER invoice_lines_no_delete; DROP TRIGGER invoices_stay;";
        connection.execute_batch(&format!("{unguarded} {statements}")).unwrap();
    }
}

#[test]
fn an_entry_is_kept_as_it_is_and_what_is_repeated_is_known() {
    let test = with_customers(1..=2);
    let links = Links { reference: Some("9x".to_owned()), charge: Some("c".to_owned()), ..Links::default() };
    let first = Entry { links, ..deposit("deposit-1", 1, 5, 10_000_000) };
    assert_eq!(test.append(&first).unwrap(), Appended::New(1));
    assert_eq!(test.append(&first).unwrap(), Appended::Known(1));
    let later = Entry { at: UtcMillis(9), ..first.clone() };
    assert_eq!(test.append(&later).unwrap(), Appended::Known(1), "who repeats it does so later");
    assert_eq!(test.append(&deposit("deposit-2", 2, 3, 1)).unwrap(), Appended::New(2));
    let stored = test.read(|tx| find_entry(tx, "deposit-1")).unwrap();
    assert_eq!((stored.number, stored.entry), (1, first.clone()));
    for other in [
        Entry { customer: id(2), ..first.clone() },
        Entry { reason: "other".into(), ..first.clone() },
        Entry { links: Links::default(), ..first.clone() },
        Entry { postings: deposit("", 1, 5, 10_000_001).postings, ..first.clone() },
        Entry { postings: first.postings.iter().rev().cloned().collect(), ..first.clone() },
    ] {
        let error = test.append(&other).unwrap_err();
        assert!(matches!(&error, LedgerError::EntryKeyReused { key, number: 1 } if key == "deposit-1"), "{error:?}");
    }
    assert_eq!(test.verified(), []);
}

#[test]
fn new_entries_follow_each_other_and_none_of_them_stays_if_one_was_there() {
    let test = with_customers(1..=1);
    let add = |keys: &'static [&'static str]| {
        test.write(move |tx| append_new_entries(tx, &keys.iter().map(|key| deposit(key, 1, 5, 7)).collect::<Vec<_>>()))
    };
    add(&[]).unwrap();
    add(&["a", "b"]).unwrap();
    let error = add(&["c", "b"]).unwrap_err();
    assert!(matches!(&error, LedgerError::EntryKeyReused { key, number: 2 } if key == "b"), "{error:?}");
    add(&["d"]).unwrap();
    let entries = test.read(|tx| entries_after(tx, 0, 9));
    let entries: Vec<_> = entries.iter().map(|found| (found.number, found.entry.key.as_str())).collect();
    assert_eq!(entries, [(1, "a"), (2, "b"), (3, "d")]);
    assert_eq!(test.verified(), []);
}

#[test]
fn an_entry_that_does_not_balance_is_refused_and_leaves_nothing_whatever_is_made_of_the_error() {
    let test = with_customers(1..=1);
    let usdc = Posting { currency: Currency::Usdc, ..posting("escrow", "", -5) };
    let wrong = [
        vec![],
        vec![posting("escrow", "", 5)],
        vec![posting("escrow", "", 5), posting("clearing", "", -4)],
        vec![posting("escrow", "", 5), usdc],
        vec![posting("escrow", "", 0), posting("clearing", "", 0)],
        vec![posting("escrow", "", i64::MAX), posting("clearing", "", i64::MAX), posting("x", "", 2)],
    ];
    for postings in wrong {
        let wrong = entry("wrong", 1, 0, postings);
        let error = test.append(&wrong).unwrap_err();
        assert!(matches!(error, LedgerError::EntryRefused { .. }), "{wrong:?}: {error:?}");
    }
    // Postings are in when the entry turns out to be impossible; the caller goes on as if nothing were.
    let no_invoice = Entry { links: Links { invoice: Some(77), ..Links::default() }, ..deposit("no invoice", 1, 0, 5) };
    let no_customer = deposit("no customer", 9, 0, 5);
    let no_word = Entry { reason: "No Word".into(), ..deposit("no word", 1, 0, 5) };
    for wrong in [no_invoice, no_customer, no_word] {
        let outcome = test.write(move |tx| {
            let error = append_entry(tx, &wrong).unwrap_err();
            assert!(matches!(error, LedgerError::Statement { .. }), "{error:?}");
            Ok(())
        });
        assert!(matches!(outcome, Err(LedgerError::NotCommitted { .. })), "{outcome:?}");
    }
    assert_eq!(test.append(&deposit("right", 1, 0, 5)).unwrap(), Appended::New(1));
    assert_eq!(test.read(|tx| balance_of(tx, id(1), "escrow", Currency::Usd, EVER)), Usd::from_micros(-5));
    assert_eq!(test.verified(), []);
}

/// What the tables refuse by themselves, also to whoever writes SQL.
#[test]
fn the_tables_refuse_what_is_unsound() {
    let test = with_customers(1..=2);
    test.append(&deposit("one", 1, 7, 5)).unwrap();
    let of = |entry: i64, position: i64, customer: i64, amount: i64, at: i64| {
        format!("INSERT INTO ledger_postings VALUES ({entry}, {position}, {customer}, 'a', '', 'USD', {amount}, {at});")
    };
    let head = |entry: i64| {
        format!("INSERT INTO ledger_entries VALUES ({entry}, 'two', 7, 'test', 1, NULL, NULL, NULL, NULL, NULL);")
    };
    let pair = of(2, 0, 1, 5, 7) + &of(2, 1, 1, -5, 7);
    for (what, statements, accepted) in [
        ("an entry", pair.clone() + &head(2), true),
        ("an update", "UPDATE ledger_postings SET amount_micros = 1;".to_owned(), false),
        ("a deletion", "DELETE FROM ledger_postings;".to_owned(), false),
        ("an update of an entry", "UPDATE ledger_entries SET reference = 'x';".to_owned(), false),
        ("a deletion of an entry", "DELETE FROM ledger_entries;".to_owned(), false),
        (
            "a replacement",
            "REPLACE INTO ledger_entries VALUES (1, 'x', 7, 't', 1, NULL, NULL, NULL, NULL, NULL);".into(),
            false,
        ),
        ("a replacement by key", pair.replace(", 7)", ", 8)") + &head(2).replace("INSERT", "REPLACE"), false),
        ("postings alone", pair.clone(), false),
        ("an entry alone", head(2), false),
        ("a late posting", of(1, 2, 1, 5, 7), false),
        ("a gap", pair.replace("(2,", "(3,") + &head(3), false),
        ("an unbalanced entry", of(2, 0, 1, 5, 7) + &of(2, 1, 1, -4, 7) + &head(2), false),
        ("balanced in two currencies", pair.replacen("USD", "USDC", 1) + &head(2), false),
        ("another's posting", of(2, 0, 1, 5, 7) + &of(2, 1, 2, -5, 7) + &head(2), false),
        ("another time", of(2, 0, 1, 5, 7) + &of(2, 1, 1, -5, 8) + &head(2), false),
        ("missing positions", pair.replace("(2, 1", "(2, 2") + &head(2), false),
        ("a key again", pair.clone() + &head(2).replace("'two'", "'one'"), false),
        (
            "a customer who does not exist",
            pair.replace(", 1, 'a'", ", 9, 'a'") + &head(2).replace("7, 'test', 1", "7, 'test', 9"),
            false,
        ),
    ] {
        let outcome = test.write(move |tx| -> Result<(), LedgerError> {
            tx.connection().execute_batch(&statements).map_err(|source| LedgerError::Statement {
                operation: "trying",
                subject: statements.clone(),
                source,
            })?;
            // What is deferred is checked at a commit, which the accepted one must not see here.
            let open =
                "SELECT count(*) FROM ledger_postings WHERE entry_id NOT IN (SELECT entry_id FROM ledger_entries)";
            let open: i64 = tx.connection().query_row(open, (), |row| row.get(0)).unwrap();
            if accepted {
                Err(LedgerError::Closed)
            } else if open > 0 {
                Ok(())
            } else {
                panic!("accepted")
            }
        });
        match outcome {
            Err(LedgerError::Closed) => assert!(accepted, "{what}"),
            Err(LedgerError::Statement { .. } | LedgerError::NotCommitted { .. }) => assert!(!accepted, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!(test.verified(), []);
    assert_eq!(test.read(|tx| entries_after(tx, 0, 10)).len(), 1);
}

#[test]
fn balances_can_be_asked_as_of_any_time() {
    let test = with_customers(1..=2);
    for (key, number, at, micros) in [("a", 1, 10, 100), ("b", 1, 30, 20), ("c", 2, 20, 7), ("d", 1, 5, 1)] {
        test.append(&deposit(key, number, at, micros)).unwrap();
    }
    let revenue = vec![posting("escrow", "", 60), posting("revenue", "seal", -50), posting("revenue", "grpc", -10)];
    test.append(&entry("e", 1, 40, revenue)).unwrap();
    for (account, until, expected) in [
        ("escrow", 4, 0),
        ("escrow", 5, -1),
        ("escrow", 10, -101),
        ("escrow", 39, -121),
        ("escrow", 40, -61),
        ("revenue", 39, 0),
        ("revenue", 40, -60),
        ("nothing", i64::MAX, 0),
    ] {
        let found = test.read(move |tx| balance_of(tx, id(1), account, Currency::Usd, UtcMillis(until)));
        assert_eq!(found.micros(), expected, "{account} {until}");
    }
    let sub = test.read(|tx| balance_of_sub_account(tx, id(1), ("revenue", "grpc"), Currency::Usd, EVER));
    assert_eq!(sub.micros(), -10);
    let usdc = test.read(|tx| balance_of(tx, id(1), "escrow", Currency::Usdc, EVER));
    assert_eq!(usdc, Usd::ZERO);
    let list = |until| {
        let all = test.read(move |tx| balances_of(tx, id(1), until));
        let one = |balance: &balance::Balance| {
            format!("{}/{} {}", balance.account, balance.sub_account, balance.amount.micros())
        };
        all.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(list(UtcMillis(30)), ["clearing/ 121", "escrow/ -121"]);
    assert_eq!(list(EVER), ["clearing/ 121", "escrow/ -61", "revenue/grpc -10", "revenue/seal -50"]);
    let trial: Vec<_> = test.read(|tx| trial_balance(tx, EVER)).iter().map(|total| total.amount.micros()).collect();
    assert_eq!(trial, [128, -68, -60]);
    let mut each = Vec::new();
    let all = test.read(move |tx| {
        each_balance(tx, "escrow", Currency::Usd, |customer, amount| each.push((customer.get(), amount.micros())))?;
        Ok(each)
    });
    assert_eq!(all, [(1, -61), (2, -7)]);
}

#[test]
fn balances_come_from_the_index_alone() {
    let test = with_customers(1..=1);
    for sql in [
        "SELECT sum(amount_micros) FROM ledger_postings WHERE customer_id = 1 AND account = 'a' AND sub_account = '' AND currency = 'USD' AND at_ms <= 5",
        "SELECT sum(amount_micros) FROM ledger_postings WHERE customer_id = 1 AND account = 'a' AND currency = 'USD' AND at_ms <= 5",
    ] {
        let plan = test.read(move |tx| {
            let plan = format!("EXPLAIN QUERY PLAN {sql}");
            Ok(tx.connection().query_row(&plan, (), |row| row.get::<_, String>(3)).unwrap())
        });
        assert!(plan.contains("SEARCH") && plan.contains("COVERING INDEX ledger_postings_by_account"), "{plan}");
    }
}

#[test]
fn entries_are_listed_by_customer_page_by_page() {
    let test = with_customers(1..=2);
    for number in 0..10 {
        test.append(&deposit(&format!("key {number}"), 1 + number % 2, 0, 5)).unwrap();
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = test.read(move |tx| entries_of(tx, id(1), before, 2));
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        seen.extend(page.iter().map(|entry| entry.number));
        assert!(page.iter().all(|entry| entry.entry.postings.len() == 2));
    }
    assert_eq!(seen, [9, 7, 5, 3, 1]);
    let rest = test.read(|tx| entries_after(tx, 7, 2));
    assert_eq!(rest.iter().map(|entry| entry.number).collect::<Vec<_>>(), [8, 9]);
}

#[test]
fn the_verifier_finds_what_was_done_to_the_file() {
    use FindingKind::{Gap, Index, Orphan, Positions, Strayed, Unbalanced};
    for (tampering, expected) in [
        ("", vec![]),
        (
            "UPDATE ledger_postings SET amount_micros = amount_micros + 1 WHERE entry_id = 2 AND position = 0",
            vec![(2, Unbalanced)],
        ),
        ("DELETE FROM ledger_postings WHERE entry_id = 2 AND position = 1", vec![(2, Unbalanced), (2, Positions)]),
        ("DELETE FROM ledger_postings WHERE entry_id = 3", vec![(3, Positions)]),
        ("DELETE FROM ledger_entries WHERE entry_id = 2", vec![(2, Orphan), (2, Orphan), (3, Gap)]),
        ("DELETE FROM ledger_entries WHERE entry_id = 3", vec![(3, Orphan), (3, Orphan)]),
        (
            "DELETE FROM ledger_entries WHERE entry_id = 1; DELETE FROM ledger_postings WHERE entry_id = 1",
            vec![(2, Gap)],
        ),
        ("UPDATE ledger_postings SET position = 5 WHERE entry_id = 1 AND position = 1", vec![(1, Positions)]),
        ("UPDATE ledger_postings SET customer_id = 2 WHERE entry_id = 1 AND position = 1", vec![(1, Strayed)]),
        ("UPDATE ledger_entries SET at_ms = 1 WHERE entry_id = 1", vec![(1, Strayed)]),
        ("UPDATE ledger_postings SET currency = 'USDC' WHERE entry_id = 1 AND position = 1", vec![(1, Unbalanced)]),
        // Changes the table behind the index's back.
        (
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'credit_notes_of_invoice') WHERE name = 'ledger_postings_by_account'; PRAGMA writable_schema = OFF",
            vec![(0, Index)],
        ),
    ] {
        let test = with_customers(1..=2);
        for (key, number) in [("a", 1), ("b", 2), ("c", 1)] {
            test.append(&deposit(key, number, 7, 5)).unwrap();
        }
        test.ledger.close();
        test.tamper(tampering);
        let again = TestLedger { ledger: Ledger::open_as_it_is(&test.path(), 1).unwrap(), directory: test.directory };
        assert_eq!(again.verified(), expected, "{tampering}");
    }
}

#[test]
fn who_is_parked_stays_so_for_the_first_reason() {
    use crate::ledger::parked::{Parked, all_parked, park, parked, unpark};
    let test = with_customers(1..=3);
    let one =
        |number, reason: &str, since| Parked { customer: id(number), reason: reason.into(), since: UtcMillis(since) };
    for (row, new) in [(one(1, "first", 5), true), (one(1, "second", 6), false), (one(2, "other", 4), true)] {
        assert_eq!(test.write(move |tx| park(tx, &row)).unwrap(), new);
    }
    assert_eq!(test.read(all_parked), [one(2, "other", 4), one(1, "first", 5)]);
    assert!(test.write(|tx| unpark(tx, id(2))).unwrap());
    assert!(!test.write(|tx| unpark(tx, id(2))).unwrap());
    let both = test.read(|tx| Ok((parked(tx, id(1))?, parked(tx, id(2))?)));
    assert_eq!(both, (Some(one(1, "first", 5)), None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is tried, in whatever order and however often, the books balance and say what was accepted.
    #[test]
    fn random_entries_keep_the_books_sound(
        tries in proptest::collection::vec((0_u32..12, 1_u32..4, -3_i64..4, -3_i64..4, 0_i64..50, any::<bool>()), 0..60)
    ) {
        let test = with_customers(1..=3);
        let mut accepted: std::collections::BTreeMap<u32, Entry> = std::collections::BTreeMap::new();
        for (key, number, one, other, at, balanced) in tries {
            let third = if balanced { -one - other } else { other };
            let postings = vec![posting("escrow", "", one), posting("revenue", "a", other), posting("clearing", "", third)];
            let new = entry(&key.to_string(), number, at, postings);
            let amounts = [one, other, third];
            let sound = amounts.iter().sum::<i64>() == 0 && !amounts.contains(&0);
            let outcome = test.append(&new);
            match (accepted.get(&key), sound) {
                (Some(known), _) => {
                    let same = Entry { at: known.at, ..new.clone() } == *known;
                    let known = matches!(outcome, Ok(Appended::Known(_)));
                    let reused = matches!(outcome, Err(LedgerError::EntryKeyReused { .. }));
                    prop_assert!((known, reused) == (same, !same));
                }
                (None, true) => {
                    prop_assert_eq!(outcome.unwrap(), Appended::New(u64::try_from(accepted.len()).unwrap() + 1));
                    accepted.insert(key, new);
                }
                (None, false) => {
                    let refused = matches!(outcome, Err(LedgerError::EntryRefused { .. }));
                    prop_assert!(refused);
                }
            }
        }
        prop_assert_eq!(test.verified(), []);
        for (number, until) in [(1, 10), (2, 25), (3, i64::MAX)] {
            let of = |entry: &&Entry| entry.customer == id(number) && entry.at.0 <= until;
            let sum: i64 = accepted.values().filter(of).map(|entry| entry.postings[0].amount.micros()).sum();
            let found = test.read(move |tx| balance_of(tx, id(number), "escrow", Currency::Usd, UtcMillis(until)));
            prop_assert_eq!(found.micros(), sum);
        }
    }
}
