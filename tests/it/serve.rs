//! `suiftly serve` and `check-config` as an operator meets them.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use suiftly::clock::Clock;

use crate::server::{Server, serve, write_config};
use crate::support::{binary, lines};

fn run(command: &str, config: &Path) -> (Output, String) {
    let output = Command::new(binary()).args([command, "--config"]).arg(config).output().unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (output, said)
}

#[test]
fn health_and_readiness_are_answered_with_security_headers() {
    let server = Server::start();
    for path in ["/health", "/ready"] {
        let (status, head, body) = server.get(path);
        assert_eq!(status, 200, "{body}");
        for header in
            ["content-security-policy: default-src 'self'", "x-content-type-options: nosniff", "x-frame-options"]
        {
            assert!(head.contains(header), "{header} in {head}");
        }
    }
}

#[test]
fn an_unreadable_log_is_not_ready_and_says_what_to_do() {
    let server = Server::start();
    fs::create_dir(server.folder.path().join("ha.log")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (status, head, body) = server.get("/ready");
        if status == 503 {
            assert!(head.contains("content-type: application/problem+json"), "{head}");
            assert!(body.contains("\"code\":\"not_ready\"") && body.contains("log says why"), "{body}");
            assert!(!body.contains(server.folder.path().to_str().unwrap()), "paths are nobody's business: {body}");
            return;
        }
        assert!(Instant::now() < deadline, "{status}: {body}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn prices_are_public_and_cached_by_their_tag() {
    let server = Server::start();
    let (status, head, body) = server.get("/api/config/frontend");
    assert_eq!(status, 200);
    let values: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(values["values"]["freqs_usd"], "1.00");
    assert_eq!(values["is_simulated_chain"], true);
    assert_eq!(values["service_urls"], serde_json::json!({}));
    assert!(values["values"].get("bglim_pro").is_none(), "keys of the backend are not public");
    let etag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let (status, _, body) = server.request(&format!("GET /api/config/frontend HTTP/1.1\r\nIf-None-Match: {etag}"));
    assert_eq!((status, body.as_str()), (304, ""));
}

#[test]
fn nothing_else_is_reachable_without_a_demo() {
    let server = Server::start();
    for path in ["/index.html", "/assets/none.js", "/api/demo/overview", "/api/demo/events", "/x"] {
        let (status, head, body) = server.get(path);
        assert_eq!(status, 404, "{path}");
        assert!(head.contains("application/problem+json") && body.contains("\"code\":\"not_found\""), "{path}: {body}");
    }
    let (status, _, body) = server.request("DELETE /health HTTP/1.1");
    assert_eq!(status, 405, "{body}");
    assert!(body.contains("\"code\":\"method_not_allowed\""), "{body}");
    let (status, _, _) = server.request("POST /health HTTP/1.1\r\nContent-Length: 999999");
    assert!(matches!(status, 405 | 413), "{status}");
}

#[test]
fn a_browser_gets_the_dashboard_at_each_of_its_addresses() {
    let server = Server::start();
    let (status, head, page) = server.get("/");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/html") && head.contains("cache-control: no-cache"), "{head}");
    assert!(head.contains("script-src 'self'"), "{head}");
    for path in ["/billing/invoices/INV-000042?print", "/services/seal/logs"] {
        let (status, _, body) = server.request(&format!("GET {path} HTTP/1.1\r\nAccept: text/html,*/*;q=0.8"));
        assert_eq!((status, body.as_str()), (200, page.as_str()), "{path}");
    }
    for path in ["/api/none", "/assets/none.js", "/gateway/v1/none"] {
        let (status, _, body) = server.request(&format!("GET {path} HTTP/1.1\r\nAccept: text/html"));
        assert!(status == 404 && body.contains("\"code\":\"not_found\""), "{path}: {body}");
    }
}

#[test]
fn a_second_process_on_the_same_data_is_refused_with_what_to_do() {
    let server = Server::start();
    let (output, said) = run("serve", &server.config());
    assert_eq!(output.status.code(), Some(1));
    let owner = format!("process {}", server.child.id());
    assert!(said.contains("is in use by another suiftly") && said.contains(&owner), "{said}");
    assert_eq!(server.get("/health").0, 200);
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_do() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "");
    let text = fs::read_to_string(&config).unwrap().replace("127.0.0.1:0", &server.address);
    fs::write(&config, text).unwrap();
    let (output, said) = run("serve", &config);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&server.address) && said.contains("another program has this port"), "{said}");
}

#[test]
fn sigterm_ends_it_with_everything_stored() {
    let mut server = Server::start();
    let data = server.folder.path().join("data");
    let mut log: File = OpenOptions::new().create(true).append(true).open(server.folder.path().join("ha.log")).unwrap();
    log.write_all(lines(0, 1000).as_bytes()).unwrap();
    // The log is not there at the start, so it takes a poll to notice it.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(server.terminate(), 0);
    let store = duckdb::Connection::open(data.join("traffic.duckdb")).unwrap();
    let rows: u64 = store.query_row("SELECT count(*)::UBIGINT FROM requests", [], |row| row.get(0)).unwrap();
    let offset: u64 = store
        .query_row("SELECT coalesce(max(read_offset), 0)::UBIGINT FROM intake_files", [], |row| row.get(0))
        .unwrap();
    assert_eq!(offset, u64::try_from(lines(0, rows).len()).unwrap(), "the position is where the rows end");
    assert_eq!(rows, 1000);
    for wal in ["traffic.duckdb.wal", "ledger.db-wal"] {
        assert!(!data.join(wal).exists(), "{wal}: everything is in the main file");
    }
}

#[test]
fn every_mistake_in_a_configuration_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "http.lisen = \"x\"\ntraffic.threads = 0\nlog.format = 7\n");
    let (output, said) = run("check-config", &config);
    assert_eq!(output.status.code(), Some(1));
    for part in ["http.lisen", "http.listen", "traffic.threads = 0", "log.format = 7"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let good = write_config(folder.path(), "");
    assert_eq!(run("check-config", &good).0.status.code(), Some(0));
    let (output, said) = run("check-config", Path::new("/nonexistent/suiftly.toml"));
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("/nonexistent/suiftly.toml") && said.contains("--config"), "{said}");
}

/// A clock that was never set, or was set to another year, would close months that are not over.
#[test]
fn a_clock_that_cannot_be_right_is_refused_until_somebody_says_that_it_is() {
    let mut server = Server::start();
    let (config, ledger) = (server.config(), server.folder.path().join("data/ledger.db"));
    assert_eq!(server.terminate(), 0);
    let mark = |days: i64| {
        let connection = rusqlite::Connection::open(&ledger).unwrap();
        let at = Clock::System.now().plus_ms(days * 86_400_000);
        connection.execute("INSERT OR REPLACE INTO clock_mark VALUES (1, ?1)", (at.0,)).unwrap();
    };
    for days in [-36, 1] {
        mark(days);
        let refused = serve(&config).output().unwrap();
        let says = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && says.contains("--accept-clock"), "{days} days: {says}");
    }
    mark(-34);
    server.restart();
    assert_eq!(server.terminate(), 0);
    mark(1);
    let mut accepting = serve(&config);
    let mut accepting = accepting.arg("--accept-clock").spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while rows_of_mark(&ledger) > Clock::System.now().0 {
        assert!(Instant::now() < deadline, "the clock was not accepted");
        std::thread::sleep(Duration::from_millis(50));
    }
    accepting.kill().unwrap();
    accepting.wait().unwrap();
}

fn rows_of_mark(ledger: &Path) -> i64 {
    let connection = rusqlite::Connection::open(ledger).unwrap();
    connection.query_row("SELECT in_use_at_ms FROM clock_mark", (), |row| row.get(0)).unwrap()
}
