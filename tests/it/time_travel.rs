//! Months of business at a stroke, by the command that shows them.

use std::process::Command;

use serde_json::Value;

use crate::support::binary;

fn travel(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(binary()).args(["demo", "--time-travel"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_same_seed_leads_to_the_same_books_and_they_balance() {
    let of = |seed: &'static str| move || travel(&["--json", "--months", "4", "--seed", seed]).1;
    let running = [of("7"), of("7"), of("8")].map(std::thread::spawn);
    let [once, again, other] = running.map(|running| running.join().unwrap());
    assert_eq!(once, again);
    assert_ne!(once, other);
    let report: Value = serde_json::from_str(&once).unwrap();
    assert_eq!((&report["balanced"], &report["problems"]), (&Value::from(true), &Value::from(Vec::<String>::new())));
    let totals = report["totals_micros"].as_object().unwrap();
    assert_eq!(totals.values().map(|total| total.as_i64().unwrap()).sum::<i64>(), 0, "{totals:?}");
    assert_eq!(totals["escrow"].as_i64().unwrap(), -report["chain_escrow_micros"].as_i64().unwrap());
    for state in ["draft", "paid"] {
        assert!(report["invoices"][state].as_u64().unwrap() > 5, "{report}");
    }
    assert_eq!(report["months"].as_array().unwrap().len(), 4);
}

#[test]
fn people_are_shown_a_table_and_options_that_do_not_go_together_are_refused() {
    let (_, text) = travel(&["--months", "1"]);
    assert!(text.contains("2025-01") && text.ends_with("Everything adds up.\n"), "{text}");
    for wrong in [&["--time-travel", "--for", "5s"][..], &["--time-travel", "--months", "0"], &["--months", "3"]] {
        let output = Command::new(binary()).arg("demo").args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
