//! The server against its own description: whatever `schemathesis` thinks of, there is no 5xx and no answer that the
//! document does not speak of.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::server::Server;
use crate::wallet::Wallet;

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,unsupported_method";
/// Operations that want a person rather than a token, but for those that would end the run's own session.
const FOR_PERSONS: &str =
    "^/api/(auth/(tokens|sessions$|sessions/revoke-others)|customer/terms|services/\\{service\\}/api-keys/.*/reveal)";

/// Test cases for each operation; `SUIFTLY_EXAMPLES` sets more.
fn examples() -> String {
    std::env::var("SUIFTLY_EXAMPLES").unwrap_or_else(|_| "30".to_owned())
}

/// Where packaging/setup.sh has installed it.
fn schemathesis() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let program = cache.join("suiftly/schemathesis/bin/schemathesis");
    assert!(program.exists(), "{} is missing: run packaging/setup.sh", program.display());
    program
}

fn check(server: &Server, header: &str, only: &[&str]) {
    let mut command = Command::new(schemathesis());
    command.args(["run", &format!("http://{}/api/openapi.json", server.address), "--checks", CHECKS]);
    command.args(["--header", header, "--max-examples", &examples(), "--no-shrink", "--continue-on-failure"]);
    command.args(["--suppress-health-check", "all", "--no-color", "--warnings", "off"]).args(only);
    let output = command.current_dir(server.folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
}

#[test]
fn no_request_makes_the_server_answer_with_what_its_document_does_not_say() {
    let server = Server::start_with(
        "limits.sign_in_ip_per_min = 1000000\nlimits.ip_per_min = 10000000\nlimits.customer_per_min = 10000000\n",
    );
    let person = Wallet::new().sign_in(&server).with_credit(1000);
    for service in ["seal", "grpc"] {
        let path = format!("/api/services/{service}/subscribe");
        assert_eq!(person.send("POST", &path, Some(json!({"tier": "enterprise"}))).status, 200);
    }
    let scopes = ["account.write", "services.write", "keys.write", "activity.read", "traffic.read", "billing.write"];
    let bearer = format!("Bearer {}", person.token(&scopes));
    // These have no end to wait for.
    check(
        &server,
        &format!("Authorization: {bearer}"),
        &["--exclude-path", "/api/traffic/live", "--exclude-path", "/api/billing/events"],
    );
    let still = server.send("GET", "/api/services/seal", &[("Authorization", &bearer)], None);
    assert_eq!(still.status, 200, "its token was good all the time: {still:?}");
    let cookie = format!("Cookie: __Host-suiftly-access={}", person.access);
    check(&server, &cookie, &["--include-path-regex", FOR_PERSONS]);
    assert_eq!(person.get("/api/auth/sessions").status, 200, "it was signed in all the time");
}
