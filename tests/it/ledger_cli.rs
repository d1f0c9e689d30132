//! The books and invoices are checked from the command line, beside a running process and without one.

use std::fs;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suiftly::core::billing::{Invoice, Line, UsagePrices, usage_lines};
use suiftly::core::calendar::{Month, UtcMillis};
use suiftly::core::config_global::PricePeriod;
use suiftly::core::customer::{Customer, CustomerStatus};
use suiftly::core::id::{CustomerId, Service};
use suiftly::core::money::Usd;
use suiftly::core::rating::PricePerRequests;
use suiftly::core::usage::HourUsage;
use suiftly::ledger::billing_invoice::{StoredInvoice, StoredInvoiceState, StoredPurpose, insert_invoice};
use suiftly::ledger::customer::insert_customer;
use suiftly::ledger::entry::{Currency, Entry, Links, Posting, append_entry};
use suiftly::ledger::invoice_line::{StoredLine, StoredLineKind, UsageWindow};
use suiftly::ledger::usage::set_usage;
use suiftly::ledger::{Ledger, LedgerError, WriteTx};

use crate::server::Server;
use crate::support::{CUSTOMER, FIRST_LINE_MS, binary, lines};

fn run(server: &Server, arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).arg("--config").arg(server.config()).output().unwrap()
}

fn answer(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn write(server: &Server, work: impl FnOnce(&WriteTx<'_>) -> Result<(), LedgerError> + Send + 'static) {
    let ledger = Ledger::open_as_it_is(&server.folder.path().join("data/ledger.db"), 1).unwrap();
    ledger.write_blocking(work).unwrap();
    ledger.close();
}

fn customer() -> CustomerId {
    CustomerId::new(CUSTOMER).unwrap()
}

fn new_customer() -> Customer {
    Customer {
        customer: customer(),
        wallet_address: format!("0x{}", "4f".repeat(32)).parse().unwrap(),
        name: String::new(),
        status: CustomerStatus::Active,
        created_at: UtcMillis(FIRST_LINE_MS),
        terms: None,
        escrow_contract_id: None,
        spending_limit: Usd::ZERO,
        balance: Usd::ZERO,
    }
}

/// Money that came into escrow, or went.
fn moved(number: i64, dollars: i32) -> Entry {
    let posting = |account: &'static str, amount| Posting {
        account: account.into(),
        sub_account: "".into(),
        currency: Currency::Usd,
        amount: Usd::from_dollars(amount),
    };
    Entry {
        key: format!("test-{number}"),
        at: UtcMillis(FIRST_LINE_MS + number * 86_400_000),
        reason: if dollars > 0 { "deposit".into() } else { "withdrawal".into() },
        customer: customer(),
        links: Links { reference: Some(format!("digest-{number}")), ..Links::default() },
        postings: vec![posting("chain_clearing", dollars), posting("escrow", -dollars)],
    }
}

#[test]
fn the_books_are_shown_as_of_any_time_and_checked() {
    let mut server = Server::start();
    write(&server, |tx| {
        insert_customer(tx, &new_customer())?;
        for (number, dollars) in [(0, 20), (1, 5), (2, -25)] {
            append_entry(tx, &moved(number, dollars))?;
        }
        Ok(())
    });
    let balances = |arguments: &[&str]| {
        let found = answer(&run(&server, &[&["ledger", "balance", "--json"], arguments].concat()), 0);
        let items = found["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["balance_micros"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(balances(&[]), [0, 0]);
    assert_eq!(balances(&["12345"]), [0, 0]);
    assert_eq!(balances(&["12345", "--at", "2026-11-25"]), [25_000_000, -25_000_000]);
    assert_eq!(balances(&["--at", "2026-11-23T09:00:00Z"]), [20_000_000, -20_000_000]);
    assert_eq!(balances(&["12345", "--at", "2026-11-23"]), Vec::<i64>::new());
    let table = String::from_utf8(run(&server, &["ledger", "balance", "--at", "2026-11-25"]).stdout).unwrap();
    assert!(table.contains("escrow") && table.contains("-$25.00"), "{table}");

    let entries = |arguments: &[&str]| {
        let found = answer(&run(&server, &[&["ledger", "entries", "12345", "--json"], arguments].concat()), 0);
        let number = |item: &Value| item["number"].as_u64().unwrap();
        (found["items"].as_array().unwrap().iter().map(number).collect::<Vec<_>>(), found["is_cut"] == true)
    };
    assert_eq!(entries(&[]), (vec![1, 2, 3], false));
    assert_eq!(entries(&["--limit", "2"]), (vec![1, 2], true));
    assert_eq!(entries(&["--after", "2", "--limit", "1"]), (vec![3], false));
    let table = String::from_utf8(run(&server, &["ledger", "entries", "12345"]).stdout).unwrap();
    assert!(table.contains("withdrawal") && table.contains("-$25.00"), "{table}");
    for arguments in [&["ledger", "entries", "999"][..], &["ledger", "balance", "999"]] {
        let refused = run(&server, arguments);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("no customer has the number 999"), "{refused:?}");
    }

    let sound = answer(&run(&server, &["ledger", "verify", "--json"]), 0);
    assert_eq!((&sound["is_sound"], &sound["entries"], &sound["postings"]), (&true.into(), &3.into(), &6.into()));
    // Nothing of it lies on the chain.
    write(&server, |tx| append_entry(tx, &moved(3, 7)).map(drop));
    let unsound = run(&server, &["ledger", "verify", "--json"]);
    let report = answer(&unsound, 1);
    assert_eq!(report["findings"][0]["customer"], CUSTOMER);
    assert!(report["findings"][0]["problem"].as_str().unwrap().contains("$7.00 lie in escrow"), "{report}");
    assert!(String::from_utf8_lossy(&unsound.stderr).contains("1 findings"), "{unsound:?}");
    assert_eq!(server.terminate(), 0);
    assert_eq!(answer(&run(&server, &["ledger", "verify", "--json"]), 1), report, "without the process");
}

fn stored_line(line: &Line) -> StoredLine {
    let (window, digest) = line.usage.unwrap();
    StoredLine {
        kind: StoredLineKind::Requests,
        service: line.service,
        month: line.month,
        tier: None,
        from_tier: None,
        extra: None,
        credit: None,
        quantity: line.quantity,
        price: line.unit.amount,
        price_per: line.unit.per,
        amount: line.amount,
        remainder: line.remainder,
        usage: Some(UsageWindow { from: window.from, to: window.to, sha256: digest.0 }),
    }
}

/// Three requests of one hour, in the ledger and on an issued invoice.
fn bill(tx: &WriteTx<'_>) -> Result<(), LedgerError> {
    insert_customer(tx, &new_customer())?;
    let hour = UtcMillis(FIRST_LINE_MS);
    let usage = used(3);
    set_usage(tx, &usage)?;
    let month = Month::of(hour).unwrap();
    let price = PricePerRequests { amount: Usd::from_dollars(1), per: 10_000 };
    let requests = vec![PricePeriod { from: month.start(), to: month.end(), price }];
    let prices = UsagePrices { requests, bandwidth: vec![] };
    let found = usage_lines(customer(), month, &[usage], &prices).unwrap();
    let draft = Invoice::draft(
        suiftly::core::billing::InvoiceId(1),
        customer(),
        suiftly::core::billing::Purpose::Monthly,
        month,
    );
    let invoice = StoredInvoice {
        invoice: draft.id.0,
        customer: customer(),
        month,
        purpose: StoredPurpose::Monthly,
        service: None,
        to_tier: None,
        state: StoredInvoiceState::Pending,
        number: Some(1),
        lines: found.iter().map(stored_line).collect(),
        amount: Usd::ZERO,
        usage: Usd::from_micros(300),
        credit_on_payment: Usd::ZERO,
        completeness: None,
        issued_at: Some(month.end()),
        paid_at: None,
        attempts: 0,
        round: 0,
        retries: 0,
        retry_at: None,
        first_failure_at: None,
        credit_changes: 0,
    };
    insert_invoice(tx, &invoice, month.end())
}

fn used(billable_requests: u64) -> HourUsage {
    let hour = UtcMillis(FIRST_LINE_MS);
    HourUsage { customer: customer(), service: Service::Seal, hour, requests: 3, billable_requests, billable_bytes: 0 }
}

#[test]
fn an_invoice_is_made_anew_from_hours_and_from_requests() {
    let mut server = Server::start();
    fs::write(server.folder.path().join("ha.log"), lines(0, 3)).unwrap();
    let is_there = |server: &Server| {
        let rows = run(server, &["sql", "SELECT count(*) AS rows FROM all_requests", "--format", "csv"]);
        rows.stdout == b"rows\n3\n"
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_there(&server) {
        assert!(Instant::now() < deadline, "the lines are not stored");
        thread::sleep(Duration::from_millis(50));
    }
    write(&server, bill);
    let good = answer(&run(&server, &["verify-invoice", "INV-000001", "--json"]), 0);
    assert_eq!((&good["is_equal"], &good["lines"][0]["verdict"]), (&true.into(), &"equal".into()), "{good}");
    assert_eq!((&good["hours_counted"], &good["hours"]), (&1.into(), &json!([])), "{good}");

    assert_eq!(server.terminate(), 0);
    assert_eq!(answer(&run(&server, &["verify-invoice", "1", "--json"]), 0), good, "without the process");
    write(&server, |tx| set_usage(tx, &used(2)));
    let bad = answer(&run(&server, &["verify-invoice", "1", "--json"]), 1);
    let difference = &bad["lines"][0]["differences"][0];
    assert_eq!(
        (&difference["of"], &difference["invoice"], &difference["ledger"]),
        (&"quantity".into(), &"3".into(), &"2".into())
    );
    assert_eq!((&bad["hours"][0]["ledger"], &bad["hours"][0]["requests"]), (&2.into(), &3.into()));
    let told = run(&server, &["verify-invoice", "1"]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains("hour 2026-11-23T09:00:00.000Z: the ledger has 2, stored requests make 3"), "{text}");
    let none = run(&server, &["verify-invoice", "2"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("no invoice has the number 2"), "{none:?}");
}
