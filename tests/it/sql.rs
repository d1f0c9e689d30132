//! An operator asks the store of requests, beside the running process and without it.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{binary, lines};

fn run(server: &Server, arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).arg("--config").arg(server.config()).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

const COUNT: &str = "SELECT count(*) AS requests, min(status) AS status FROM all_requests";

#[test]
fn the_store_is_asked_and_checked_beside_the_process_and_without_it() {
    let mut server = Server::start();
    std::fs::write(server.folder.path().join("ha.log"), lines(0, 250)).unwrap();
    let expected = json!([[250, 200]]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while json(&run(&server, &["sql", COUNT, "--format", "json"]))["rows"] != expected {
        assert!(Instant::now() < deadline, "the lines are not there");
        std::thread::sleep(Duration::from_millis(50));
    }
    let csv = run(&server, &["sql", "SELECT 1 AS a, 'x,\"y' AS b", "--format", "csv"]);
    assert_eq!(String::from_utf8(csv.stdout).unwrap(), "a,b\n1,\"x,\"\"y\"\n");
    let table = run(&server, &["sql", COUNT]);
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("requests") && text.contains("250"), "{text}");
    let cut = run(&server, &["sql", "SELECT * FROM range(10)", "--limit", "3", "--format", "json"]);
    assert!(String::from_utf8_lossy(&cut.stderr).contains("--limit"), "{cut:?}");
    assert_eq!(json(&cut)["rows"].as_array().unwrap().len(), 3);
    assert!(said(&run(&server, &["sql", "DELETE FROM requests"])).contains("SELECT"));
    assert!(said(&run(&server, &["sql", "SELECT nowhere FROM requests"])).contains("nowhere"));
    let slow = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a.range) = hash(b.range)";
    assert!(said(&run(&server, &["sql", slow, "--timeout", "1"])).contains("1000 ms"));
    assert_eq!(json(&run(&server, &["traffic", "verify", "--json"]))["rows"], 250);
    let log = server.folder.path().join("ha.log");
    let running = json(&run(&server, &["traffic", "status", "--json"]));
    let source = json!({"name": log, "format": "s1", "state": "reading"});
    assert_eq!(running["intake"]["sources"], json!([source]));
    assert_eq!((&running["rows"], &running["size"]["hot_rows"]), (&json!(250), &json!(250)));
    let said_to_people = String::from_utf8(run(&server, &["traffic", "status"]).stdout).unwrap();
    assert!(said_to_people.contains("ha.log: read, s1") && said_to_people.contains("250 requests"), "{said_to_people}");

    assert_eq!(server.terminate(), 0);
    assert_eq!(json(&run(&server, &["sql", COUNT, "--format", "json"]))["rows"], expected);
    assert_eq!(json(&run(&server, &["traffic", "verify", "--json"]))["wrong"], 0);
    let stopped = json(&run(&server, &["traffic", "status", "--json"]));
    assert_eq!((&stopped["intake"], &stopped["size"]["hot_rows"]), (&Value::Null, &json!(250)));
}
