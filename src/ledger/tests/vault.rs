//! What the vaults are made from: every change has a number, and what is read is what is there.

use std::collections::BTreeSet;

use super::*;
use crate::core::vault::decide::CustomerFacts;
use crate::core::vault::{VaultCode, VaultHash};
use crate::ledger::vault::{
    Scope, VaultChanges, VaultVersion, forget_vault_versions, newest_vault_version, note_vault_version,
    vault_changes_of, vault_changes_since, vault_facts,
};

const NOW: UtcMillis = UtcMillis(1_795_424_400_000);

const SETUP: &[&str] = &[
    "INSERT INTO service_instances VALUES (7, 2, 'enabled', 'pro', 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, 1, 1,
        '203.0.113.0/24 10.0.0.1', NULL, 0, 1)",
    "INSERT INTO service_instances VALUES (7, 1, 'disabled', 'starter', 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0,
        '10.0.0.9', NULL, 0, 1)",
    "INSERT INTO service_instances VALUES (9, 3, 'not_provisioned', NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0,
        0, '', NULL, 0, 1)",
    "INSERT INTO api_keys (api_key_id, customer_id, service, name, network, access, process_group, fingerprint,
        key_sha256, hint, created_at_ms) VALUES ('key_a', 7, 2, 'a', 1, 'open', 0, 5, randomblob(32), 'h', 1)",
    "INSERT INTO api_keys (api_key_id, customer_id, service, name, network, access, process_group, fingerprint,
        key_sha256, hint, created_at_ms, expires_at_ms)
     VALUES ('key_b', 7, 2, 'b', 0, 'open', 0, 6, randomblob(32), 'h', 1, 1795424400001)",
    "INSERT INTO spend_caps VALUES (7, 1000000, 1, '2026-11', 0, 0, 0, 1)",
    "INSERT INTO seal_keys VALUES ('sk_a', 7, 's', 0, 4, 1, 1, NULL, 'queued', 1, 0, 0, 1, NULL, NULL, NULL)",
    "INSERT INTO seal_packages VALUES ('pkg_a', 'sk_a', '0x' || printf('%064d', 1), 'p', 1)",
];

fn prepared() -> TestLedger {
    let test = TestLedger::new();
    test.write(|tx| {
        for number in [7, 8, 9] {
            customer::insert_customer(tx, &customer(number))?;
        }
        crate::ledger::config_global::insert_missing_config(tx, crate::core::config_global::KEYS)?;
        run(tx, SETUP)
    })
    .unwrap();
    test
}

fn run(tx: &WriteTx<'_>, statements: &[&'static str]) -> Result<(), LedgerError> {
    for statement in statements {
        tx.execute(statement, ()).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    Ok(())
}

fn facts(test: &TestLedger, of: Option<&[u32]>) -> Vec<CustomerFacts> {
    let of: Option<BTreeSet<_>> = of.map(|numbers| numbers.iter().copied().map(id).collect());
    test.read(move |tx| vault_facts(tx, of.as_ref().map_or(Scope::Everybody, Scope::Customers), NOW)).customers
}

fn newest(test: &TestLedger) -> u64 {
    test.read(|tx| vault_changes_since(tx, 0)).newest
}

/// Every statement that must be numbered, and whose part of the vaults it changes: (customer, service), 0 = all.
const NUMBERED: &[(&str, u32, u8)] = &[
    ("UPDATE service_instances SET state = 'disabled' WHERE customer_id = 7 AND service = 2", 7, 2),
    ("UPDATE service_instances SET tier = 'enterprise' WHERE customer_id = 7 AND service = 2", 7, 2),
    ("UPDATE service_instances SET burst = 0 WHERE customer_id = 7 AND service = 2", 7, 2),
    ("UPDATE service_instances SET ip_allowlist_enabled = 0 WHERE customer_id = 7 AND service = 2", 7, 2),
    ("UPDATE service_instances SET ip_allowlist = '' WHERE customer_id = 7 AND service = 2", 7, 2),
    ("DELETE FROM service_instances WHERE customer_id = 9", 9, 3),
    ("UPDATE api_keys SET revoked_at_ms = 2 WHERE api_key_id = 'key_a'", 7, 2),
    ("UPDATE api_keys SET revoked_at_ms = NULL WHERE api_key_id = 'key_a'", 7, 2),
    ("UPDATE api_keys SET expires_at_ms = 5 WHERE api_key_id = 'key_a'", 7, 2),
    ("UPDATE api_keys SET deleted_at_ms = 2 WHERE api_key_id = 'key_a'", 7, 2),
    ("DELETE FROM api_keys WHERE api_key_id = 'key_b'", 7, 2),
    ("UPDATE customers SET status = 'suspended' WHERE customer_id = 8", 8, 0),
    ("UPDATE spend_caps SET stopped = 1", 7, 0),
    ("UPDATE spend_caps SET month = '2027-01'", 7, 0),
    ("UPDATE spend_caps SET stopped = 0", 7, 0),
    ("INSERT INTO spend_caps VALUES (8, 1000000, 1, '2026-11', 100, 1, 0, 1)", 8, 0),
    ("DELETE FROM spend_caps WHERE customer_id = 8", 8, 0),
    ("UPDATE seal_keys SET object_id = '0x' || printf('%064d', 2)", 7, 1),
    ("UPDATE seal_keys SET enabled = 0", 7, 1),
    ("UPDATE seal_packages SET address = '0x' || printf('%064d', 3)", 7, 1),
    ("DELETE FROM seal_packages", 7, 1),
    ("UPDATE seal_keys SET deleted_at_ms = 4", 7, 1),
    ("UPDATE config_global SET value = '16' WHERE key = 'bglim_pro'", 0, 0),
    ("UPDATE config_global SET value = '46' WHERE key = 'bblim_pro'", 0, 0),
    ("UPDATE config_global SET value = '6' WHERE key = 'bilim_sta'", 0, 0),
];

const NOT_NUMBERED: &[&str] = &[
    "UPDATE service_instances SET billed_through = '2026-11', updated_at_ms = 9, paid_once = 0",
    "UPDATE service_instances SET state = state, tier = tier, burst = burst",
    "UPDATE api_keys SET name = 'other', expires_at_ms = expires_at_ms",
    "UPDATE customers SET name = 'other', status = status",
    "UPDATE spend_caps SET told_percent = 50, month = '2026-12'",
    "UPDATE seal_keys SET state = 'processing', attempts = 3",
    "UPDATE seal_packages SET name = 'other'",
    "UPDATE config_global SET value = '2.00' WHERE key = 'freqs_usd'",
];

#[test]
fn every_change_that_a_vault_shows_has_a_number_and_no_other_has() {
    let test = prepared();
    for statement in NOT_NUMBERED {
        let before = newest(&test);
        test.write(|tx| run(tx, &[statement])).unwrap();
        assert_eq!(newest(&test), before, "{statement}");
    }
    for (statement, customer, service) in NUMBERED {
        let before = newest(&test);
        test.write(|tx| run(tx, &[statement])).unwrap();
        let changes = test.read(move |tx| vault_changes_since(tx, before));
        let customers: BTreeSet<_> = CustomerId::new(*customer).into_iter().collect();
        let expected = VaultChanges { newest: changes.newest, everybody: customers.is_empty(), customers };
        assert!(changes.newest > before, "{statement}");
        assert_eq!(changes, expected, "{statement}");
        let of = id((*customer).max(7));
        for (known, change) in test.read(move |tx| vault_changes_of(tx, of)) {
            let concerns = *service == 0 || *service == known.number();
            assert_eq!(change == changes.newest, concerns, "{statement}: {}", known.name());
        }
    }
}

#[test]
fn what_is_rolled_back_has_no_number() {
    let test = prepared();
    let before = newest(&test);
    let undone = test.write(|tx| {
        run(tx, &["UPDATE api_keys SET revoked_at_ms = 2"])?;
        Err::<(), _>(LedgerError::Closed)
    });
    assert!(undone.is_err());
    assert_eq!(newest(&test), before);
}

#[test]
fn news_come_with_the_commit() {
    let test = prepared();
    let mut news = test.ledger.vault_news();
    news.mark_unchanged();
    test.write(|tx| run(tx, &["UPDATE customers SET name = 'quiet'"])).unwrap();
    assert!(!news.has_changed().unwrap());
    test.write(|tx| run(tx, &["UPDATE api_keys SET revoked_at_ms = 2"])).unwrap();
    assert!(news.has_changed().unwrap());
}

#[test]
fn facts_are_those_of_the_tables() {
    let test = prepared();
    test.write(|tx| run(tx, &["UPDATE spend_caps SET stopped = 1", "UPDATE customers SET status = 'suspended'"]))
        .unwrap();
    let all = facts(&test, None);
    assert_eq!(all.len(), 1, "{all:?}");
    let [found] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(found.customer, id(7));
    assert_eq!(found.status, crate::core::customer::CustomerStatus::Suspended);
    assert_eq!(found.stopped_in, Some(november()));
    let services: Vec<_> = found
        .services
        .iter()
        .map(|(service, facts)| (*service, facts.burst, facts.allowlist.as_ref().map(ToString::to_string)))
        .collect();
    let list = Some("203.0.113.0/24 10.0.0.1".to_owned());
    assert_eq!(services, [(Service::Seal, false, None), (Service::Grpc, true, list)]);
    let keys: Vec<_> = found.keys.iter().map(|key| (key.network.number(), key.key.fingerprint)).collect();
    assert_eq!(keys, [(0, 6), (1, 5)]);
    let seal: Vec<_> = found.seal_keys.iter().map(|(key, entry)| (key.index, entry.packages.len())).collect();
    assert_eq!(seal, [(4, 1)]);

    assert_eq!(facts(&test, Some(&[6, 7, 8])), all);
    assert_eq!(facts(&test, Some(&[8, 9])), []);
    assert_eq!(facts(&test, Some(&[])), []);
}

#[test]
fn a_row_that_cannot_be_read_concerns_its_customer_alone() {
    for (table, statement) in [
        (
            "service_instances",
            "UPDATE service_instances SET ip_allowlist = 'nowhere' WHERE customer_id = 7 AND service = 2",
        ),
        ("service_instances", "UPDATE service_instances SET tier = 'golden' WHERE customer_id = 7 AND service = 1"),
        ("api_keys", "UPDATE api_keys SET network = 9 WHERE api_key_id = 'key_b'"),
        ("customers", "UPDATE customers SET status = 'lost' WHERE customer_id = 7"),
        ("spend_caps", "UPDATE spend_caps SET month = 'May', stopped = 1"),
        ("seal_keys", "UPDATE seal_keys SET process_group = 200"),
    ] {
        let test = prepared();
        // As a damaged disk would: no constraint is asked.
        let unguarded = "PRAGMA ignore_check_constraints = ON;
            UPDATE service_instances SET tier = 'pro' WHERE customer_id = 9;";
        rusqlite::Connection::open(test.path()).unwrap().execute_batch(&format!("{unguarded} {statement}")).unwrap();
        let read = test.read(|tx| vault_facts(tx, Scope::Everybody, NOW));
        let others: Vec<_> = read.customers.iter().map(|facts| facts.customer).collect();
        assert_eq!((others, read.unreadable), (vec![id(9)], [(id(7), table)].into()), "{statement}");
    }
}

#[test]
fn keys_that_are_not_in_force_are_not_read() {
    for statement in [
        "UPDATE api_keys SET revoked_at_ms = 2",
        "UPDATE api_keys SET deleted_at_ms = 2",
        "UPDATE api_keys SET expires_at_ms = 1795424400000",
    ] {
        let test = prepared();
        test.write(move |tx| run(tx, &[statement])).unwrap();
        assert_eq!(facts(&test, None)[0].keys, [], "{statement}");
    }
}

#[test]
fn versions_are_noted_and_old_ones_forgotten() {
    let test = TestLedger::new();
    let code: VaultCode = "rma".parse().unwrap();
    let version = move |sequence: u8| VaultVersion {
        code,
        sequence: sequence.into(),
        hash: VaultHash([sequence; 32]),
        previous: VaultHash([sequence - 1; 32]),
        content_sha256: [9; 32],
        entries: 4,
        change: 17,
        created: NOW,
    };
    assert_eq!(test.read(move |tx| newest_vault_version(tx, code)), None);
    for sequence in [1, 2, 3, 3] {
        test.write(move |tx| note_vault_version(tx, &version(sequence))).unwrap();
    }
    assert_eq!(test.read(move |tx| newest_vault_version(tx, code)), Some(version(3)));
    test.write(move |tx| forget_vault_versions(tx, code, 2)).unwrap();
    let left = test.read(|tx| {
        tx.all("SELECT sequence FROM vault_versions", (), |row| row.get::<_, u8>(0))
            .map_err(crate::ledger::error::failed("listing", ""))
    });
    assert_eq!(left, [2, 3]);
}
