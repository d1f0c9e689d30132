//! What operators see of billing and do to it from the command line, beside a running process and without one.

use std::process::{Command, Output};

use rusqlite::Connection;
use serde_json::Value;
use suiftly::app::billing::{BillingFailure, Tariff, carry_out};
use suiftly::clock::Clock;
use suiftly::core::billing::Event;
use suiftly::core::config_global::{ConfigGlobal, KEYS};
use suiftly::core::customer::Customer;
use suiftly::core::id::{CustomerId, Service};
use suiftly::core::tier::Tier;
use suiftly::ledger::customer::insert_customer;
use suiftly::ledger::{Ledger, WriteTx};

use crate::server::Server;
use crate::support::binary;

const CONFIG: &str = "billing.tax_basis_points = 1900\nbilling.issuer_name = \"Beispiel GmbH\"\n";

fn run(server: &Server, arguments: &[&str]) -> Output {
    let arguments = std::iter::once(&"billing").chain(arguments);
    Command::new(binary()).args(arguments).arg("--config").arg(server.config()).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(server: &Server, arguments: &[&str]) -> Value {
    let output = run(server, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text(&output)).unwrap()
}

/// The last line of what an order was refused with.
fn refusal(server: &Server, arguments: &[&str]) -> String {
    let output = run(server, arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn connection(server: &Server) -> Connection {
    Connection::open(server.folder.path().join("data/ledger.db")).unwrap()
}

fn rows(server: &Server, sql: &str) -> Vec<String> {
    let connection = connection(server);
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Customers 7 and 8, who want Seal and gRPC and have no money.
fn subscribe(server: &Server) {
    let config =
        ConfigGlobal::from_table(&KEYS.iter().map(|key| (key.key.to_owned(), key.default.to_owned())).collect());
    let tariff = Tariff::of(&config.unwrap(), 1_900);
    let work = move |tx: &WriteTx<'_>| -> Result<(), BillingFailure> {
        let now = Clock::System.now();
        for number in [7, 8] {
            let customer = CustomerId::new(number).unwrap();
            let wallet = format!("0x{number:064x}").parse().unwrap();
            insert_customer(tx, &Customer::new(customer, wallet, now))?;
            for service in [Service::Seal, Service::Grpc] {
                carry_out(tx, customer, &Event::Subscribe { service, tier: Tier::Pro }, &tariff, now)?;
            }
        }
        Ok(())
    };
    let ledger = Ledger::open_as_it_is(&server.folder.path().join("data/ledger.db"), 1).unwrap();
    ledger.write_blocking(work).unwrap();
    ledger.close();
}

#[test]
fn operators_pay_void_give_back_and_park_and_all_of_it_is_in_the_log() {
    let server = Server::start_with(CONFIG);
    subscribe(&server);
    let collected = text(&run(&server, &["collect", "--invoice", "1"]));
    assert!(
        collected.starts_with("nobody can pay the $34.51 of INV-000001 at present; the next look is at 2"),
        "{collected}"
    );

    // Half of it is granted, and the rest.
    let granted = json(&server, &["credit", "--customer", "7", "--amount", "14.51", "--reason", "goodwill"]);
    assert_eq!((&granted["credit"], &granted["paid_invoices"]), (&1.into(), &Value::Array(vec![])));
    let granted = text(&run(&server, &["credit", "--customer", "7", "--amount", "20.00", "--reason", "promo"]));
    assert_eq!(granted, "credit 2 of $20.00 is granted to customer 7\ninvoice 1 is paid by it\n");
    let tax = "SELECT kind FROM invoice_lines JOIN invoices USING (invoice_id)
               WHERE state = 'draft' AND customer_id = 7 AND kind IN ('subscription', 'tax') ORDER BY position";
    assert_eq!(rows(&server, tax), ["subscription", "tax"], "the process knows the tax of its configuration");
    let paid = refusal(&server, &["collect", "--invoice", "1"]);
    assert!(paid.contains("invoice_state: this cannot be done with an invoice that is paid"), "{paid}");

    let voided = text(&run(&server, &["void", "--invoice", "INV-000002", "--reason", "ordered by mistake"]));
    assert_eq!(voided, "INV-000002 of customer 7 is void: nothing is owed for it\n");
    assert!(refusal(&server, &["void", "--invoice", "2", "--reason", "again"]).contains("an invoice that is voided"));

    let back =
        |amount, to, reason| vec!["credit-note", "--invoice", "1", "--amount", amount, "--to", to, "--reason", reason];
    let note = text(&run(&server, &back("5.00", "credit", "outage of 3 November")));
    assert_eq!(note, "credit note 1 gives back $5.00 of INV-000001, as credit 4\n");
    for (arguments, why) in [
        (back("29.52", "credit", "x"), "invalid_fields: amount: at most $29.51 can be given back"),
        (back("0.01", "escrow", "x"), "invalid_fields: amount: at most $0.00 can be given back"),
        (back("0.01", "credit", " "), "invalid_fields: reason: give a reason: one line of at most 200 characters"),
        (vec!["void", "--invoice", "9", "--reason", "x"], "not_found: no invoice has the number INV-000009"),
        (vec!["void", "--invoice", "3", "--reason", ""], "invalid_fields: reason: give one line"),
        (vec!["park", "--customer", "9", "--reason", "x"], "not_found: no customer has the number 9"),
        (vec!["unpark", "--customer", "8", "--reason", "x"], "not_found: customer 8 is not parked"),
        (
            vec!["credit", "--customer", "7", "--amount", "1", "--reason", "luck"],
            "invalid_fields: reason: use reconciliation",
        ),
    ] {
        let told = refusal(&server, &arguments);
        assert!(told.contains(why), "{arguments:?}: {told}");
    }

    text(&run(&server, &["park", "--customer", "8", "--reason", "disputed, ticket 17"]));
    let again = refusal(&server, &["park", "--customer", "8", "--reason", "again"]);
    assert!(again.contains("is parked since") && again.contains("ticket 17"), "{again}");
    assert!(refusal(&server, &["collect", "--invoice", "3"]).contains("billing_on_hold"), "nothing is charged");
    assert_eq!(json(&server, &["show", "--customer", "8"])["parked"]["reason"], "disputed, ticket 17");
    let parked = json(&server, &["parked"]);
    assert_eq!((&parked["items"][0]["customer"], parked["items"].as_array().unwrap().len()), (&8.into(), 1));
    assert!(text(&run(&server, &["parked"])).contains(": disputed, ticket 17"));
    text(&run(&server, &["unpark", "--customer", "8", "--reason", "settled, ticket 17"]));
    assert_eq!(json(&server, &["show", "--customer", "8"])["parked"], Value::Null);
    assert_eq!(text(&run(&server, &["parked"])), "nobody is parked\n");

    let log = "SELECT action || ' ' || subject || ' ' || ifnull(customer_id, '-') || ' '
                   || ifnull(json_extract(details, '$.reason'), '')
               FROM activity WHERE actor = 'operator' ORDER BY activity_id";
    assert_eq!(
        rows(&server, log),
        [
            "invoice.collect INV-000001 7 ",
            "credit.grant 1 7 goodwill",
            "credit.grant 2 7 promo",
            "invoice.void INV-000002 7 ordered by mistake",
            "credit_note.issue 1 7 outage of 3 November",
            "customer.park 8 - disputed, ticket 17",
            "customer.unpark 8 - settled, ticket 17",
        ]
    );
}

#[test]
fn who_has_wrong_books_stays_parked() {
    let mut server = Server::start_with(CONFIG);
    subscribe(&server);
    text(&run(&server, &["credit", "--customer", "7", "--amount", "50.00", "--reason", "promo"]));
    text(&run(&server, &["park", "--customer", "7", "--reason", "to be looked at"]));
    let falsify = "UPDATE credits SET remaining_micros = remaining_micros - 10000 WHERE remaining_micros > 0";
    connection(&server).execute_batch(falsify).unwrap();
    let unpark = ["unpark", "--customer", "7", "--reason", "looks fine"];
    let told = refusal(&server, &unpark);
    assert!(told.contains("customer 7 stays parked, for the books do not add up: the books say that"), "{told}");
    assert_eq!(server.terminate(), 0);
    assert!(refusal(&server, &unpark).contains("customer 7 stays parked"), "without the process");
    assert_eq!(rows(&server, "SELECT action FROM activity WHERE action = 'customer.unpark'"), Vec::<String>::new());
}

#[test]
fn billing_is_shown_and_orders_are_taken_without_a_process() {
    let mut server = Server::start_with(CONFIG);
    subscribe(&server);
    text(&run(&server, &["credit", "--customer", "7", "--amount", "34.51", "--reason", "goodwill"]));
    let show = |server: &Server| {
        let shown = json(server, &["show", "--customer", "7"]);
        let states: Vec<Value> =
            shown["invoices"].as_array().unwrap().iter().map(|invoice| invoice["state"].clone()).collect();
        (states, shown["services"].clone(), shown["escrow"].clone())
    };
    let beside = show(&server);
    assert_eq!(beside.0, ["pending", "paid", "draft"]);
    assert_eq!(beside.1[0]["tier"], "pro");
    assert_eq!(beside.2, Value::Null);
    let shown = text(&run(&server, &["show", "--customer", "7"]));
    for word in ["no account on the chain", "seal: pro, disabled", "INV-000001", "told: invoice_paid"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert_eq!(server.terminate(), 0);
    assert_eq!(show(&server), beside);

    let numbers = |arguments: &[&str]| {
        let found = json(&server, arguments);
        let items = found["items"].as_array().unwrap().clone();
        let numbers: Vec<String> =
            items.iter().map(|item| item["number"].as_str().unwrap_or("draft").to_owned()).collect();
        (numbers.join(" "), found["is_cut"] == true)
    };
    assert_eq!(numbers(&["invoices", "--state", "pending"]), ("INV-000004 INV-000003 INV-000002".to_owned(), false));
    assert_eq!(numbers(&["invoices", "--customer", "7"]), ("INV-000002 INV-000001 draft".to_owned(), false));
    assert_eq!(numbers(&["invoices", "--customer", "7", "--state", "paid"]), ("INV-000001".to_owned(), false));
    assert_eq!(numbers(&["invoices", "--limit", "1"]), ("INV-000004".to_owned(), true));

    let printed = text(&run(&server, &["invoice", "--invoice", "1"]));
    assert!(printed.contains("Beispiel GmbH") && printed.contains("Tax of 19.00 %"), "{printed}");
    let draft = text(&run(&server, &["invoice", "--draft-of", "7"]));
    assert!(draft.starts_with("Draft invoice: draft:") && draft.contains("Seal Pro"), "{draft}");
    assert!(refusal(&server, &["invoice", "--draft-of", "9"]).contains("nothing was billed to a customer 9 yet"));
    let html = text(&run(&server, &["invoice", "--invoice", "INV-000001", "--format", "html"]));
    assert!(html.starts_with("<!doctype html>"), "{html}");
    let csv = text(&run(&server, &["invoice", "--invoice", "1", "--format", "csv"]));
    assert!(csv.starts_with("invoice,line,kind,"), "{csv}");
    let pdf = server.folder.path().join("one.pdf");
    text(&run(&server, &["invoice", "--invoice", "1", "--format", "pdf", "--out", pdf.to_str().unwrap()]));
    assert!(std::fs::read(&pdf).unwrap().starts_with(b"%PDF-"));
    assert!(refusal(&server, &["invoice", "--invoice", "9"]).contains("no invoice has the number INV-000009"));
    assert!(refusal(&server, &["show", "--customer", "9"]).contains("no customer has the number 9"));

    let voided = run(&server, &["void", "--invoice", "2", "--reason", "ordered by mistake"]);
    assert_eq!(text(&voided), "INV-000002 of customer 7 is void: nothing is owed for it\n");
    let told = String::from_utf8(voided.stderr).unwrap();
    assert!(told.contains("suiftly does not run: it was done in the ledger itself"), "{told}");
    let refused = refusal(&server, &["void", "--invoice", "2", "--reason", "again"]);
    assert!(refused.contains("an invoice that is voided"), "{refused}");
    let with_escrow = format!(
        "INSERT INTO parked_customers VALUES (8, 'differs from the chain', 0);
         INSERT INTO escrow_accounts (customer_id, object_id, created_at_ms, balance_micros, spending_limit_micros, period,
             period_charged_micros, mirrored_at_ms) VALUES (8, '0x{}', 0, 0, 0, 0, 0, 0)",
        "8".repeat(64)
    );
    connection(&server).execute_batch(&with_escrow).unwrap();
    let refused = refusal(&server, &["unpark", "--customer", "8", "--reason", "looks fine"]);
    assert!(refused.contains("only a running process can compare escrow with the chain"), "{refused}");
    server.restart();
    assert_eq!(show(&server).0, ["voided", "paid", "draft"]);
}
