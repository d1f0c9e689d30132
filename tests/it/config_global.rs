//! Prices and limits are changed beside a running process, which takes them over.

use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::Server;
use crate::support::binary;

fn config(server: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("config").args(arguments).arg("--config").arg(server.config());
    command.output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_price_is_changed_while_the_process_runs_and_stays_changed() {
    let mut server = Server::start();
    let etag =
        |server: &Server| server.send("GET", "/api/config/frontend", &[], None).header("etag").unwrap().to_owned();
    let public = |server: &Server| server.send("GET", "/api/config/frontend", &[], None).body.to_string();
    let before = etag(&server);
    assert!(public(&server).contains(r#""fsubs_usd_pro":"29""#), "{}", public(&server));
    let changed = json(&config(&server, &["set", "fsubs_usd_pro", "39", "--json"]));
    assert_eq!((&changed["items"][0]["from"], &changed["items"][0]["to"]), (&"29".into(), &"39".into()));
    assert_eq!(changed["items"][1]["key"], "fver", "dashboards reload");
    let deadline = Instant::now() + Duration::from_secs(20);
    while etag(&server) == before {
        assert!(Instant::now() < deadline, "it does not take it over");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(public(&server).contains(r#""fsubs_usd_pro":"39""#));
    assert_eq!(json(&config(&server, &["set", "fsubs_usd_pro", "39", "--json"]))["items"], serde_json::json!([]));
    let history = json(&config(&server, &["history", "fsubs_usd_pro", "--json"]));
    assert_eq!(history["items"].as_array().unwrap().len(), 1);
    let audit = Command::new(binary()).args(["audit", "verify", "--json", "--config"]).arg(server.config()).output();
    assert_eq!(json(&audit.unwrap())["entries"], 2, "each change is in the activity log");
    assert_eq!(server.terminate(), 0);
    assert_eq!(config(&server, &["get", "fsubs_usd_pro"]).stdout, b"39\n");
}

#[test]
fn looking_changes_nothing_and_another_schema_is_left_alone() {
    let mut server = Server::start();
    assert_eq!(server.terminate(), 0);
    let path = server.folder.path().join("data/ledger.db");
    let ledger = rusqlite::Connection::open(&path).unwrap();
    ledger.execute("DELETE FROM config_global WHERE key = 'fmax_pkg'", []).unwrap();
    assert_eq!(config(&server, &["get", "fmax_pkg"]).stdout, b"10\n");
    json(&config(&server, &["list", "--json"]));
    let count = |sql: &str| ledger.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM config_global WHERE key = 'fmax_pkg'"), 0);
    json(&config(&server, &["set", "fmax_pkg", "11", "--json"]));
    assert_eq!(count("SELECT CAST(value AS INTEGER) FROM config_global WHERE key = 'fmax_pkg'"), 11);
    for (version, advice) in [(1, "restart"), (99, "install")] {
        ledger.pragma_update(None, "user_version", version).unwrap();
        assert!(refused(&config(&server, &["list"])).contains(advice), "{version}");
        let audit = Command::new(binary()).args(["audit", "verify", "--config"]).arg(server.config()).output().unwrap();
        assert!(refused(&audit).contains(advice), "{version}");
        assert_eq!(count("SELECT user_version FROM pragma_user_version"), version);
    }
}

#[test]
fn what_is_not_allowed_is_refused_with_what_is_and_changes_nothing() {
    let server = Server::start();
    for (key, value, expected) in [
        ("fsubs_usd_pro", "cheap", "dollars from 0"),
        ("fsubs_usd_por", "39", "no key that this version knows"),
        ("fapikey_incl", "11", "change the other one first"),
        ("bglim_pro", "0", "give at least 1"),
        ("fver", "7", "counts changes"),
    ] {
        let said = refused(&config(&server, &["set", key, value]));
        assert!(said.contains(expected), "{key}: {said}");
    }
    assert!(refused(&config(&server, &["get", "nonsense"])).contains("suiftly config list"));
    assert_eq!(json(&config(&server, &["history", "--json"]))["items"], serde_json::json!([]));
    let listed = json(&config(&server, &["list", "--json"]));
    let items = listed["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["value"] == item["default"]) && items.len() > 20, "{listed}");
}
