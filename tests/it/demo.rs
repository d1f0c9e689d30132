//! `suiftly demo` from the command line to its account, with a real HAProxy and without one.

use std::process::Command;

use serde_json::Value;

use crate::support::binary;

fn demo(arguments: &[&str]) -> Value {
    let output = Command::new(binary())
        .args(["demo", "--for", "4s", "--json", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(report: &Value, key: &str) -> u64 {
    let number = report[key].as_u64();
    assert!(number.is_some(), "{key} in {report}");
    number.unwrap()
}

#[track_caller]
fn check(report: &Value, traffic: &str) {
    assert_eq!(report["traffic"], traffic, "is HAProxy installed? `make setup` does that as root");
    let sent = number(report, "requests_sent");
    assert!(sent > 40, "{report}");
    assert_eq!(number(report, "log_lines"), sent, "{report}");
    assert_eq!(number(report, "rows"), sent, "{report}");
    assert_eq!(number(report, "rejects"), 0, "{report}");
    let billable = number(report, "billable_requests");
    assert!(billable > sent / 2 && billable <= sent, "{report}");
    assert_eq!(number(report, "amount_micros"), billable * 100, "{report}");
    assert!(report["first_visible_s"].as_f64().is_some(), "{report}");
    let waits = &report["line_to_visible_s"];
    assert!(waits["p50"].as_f64().unwrap() <= waits["p99"].as_f64().unwrap(), "{report}");
}

#[test]
fn every_request_through_haproxy_is_one_line_one_row_and_its_price() {
    check(&demo(&[]), "haproxy");
}

#[test]
fn without_haproxy_lines_are_made_up_and_counted_the_same() {
    check(&demo(&["--synthetic", "--seed", "7"]), "synthetic");
}

#[test]
fn a_time_that_is_none_is_refused_with_examples() {
    for text in ["", "soon", "0s", "-5s"] {
        let output = Command::new(binary()).args(["demo", "--for", text]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{text:?}");
    }
}
