//! `suiftly haproxy check`: what a configuration lacks, and which HAProxy runs with it.

use std::fs;
use std::process::Command;

use serde_json::Value;
use suiftly::core::haproxy_config::{Settings, render};

use crate::gateway_world::{Kind, World};
use crate::support::binary;

/// Exit code, standard output, standard error.
fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(binary()).args(["haproxy", "check"]).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A configuration from which something was taken is told to lack just that, whatever it is and wherever it stood.
#[test]
fn each_rule_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("haproxy.cfg");
    let name = file.to_str().unwrap();
    let whole = render(&Settings { admin_socket: "/nowhere/admin.sock".to_owned(), ..Settings::default() }).unwrap();
    fs::write(&file, &whole).unwrap();
    let (code, told, error) = check(&[name]);
    assert_eq!((code, told.as_str(), error.as_str()), (Some(0), format!("{name} has everything\n").as_str(), ""));
    // One of each kind, of the service in the middle.
    for (section, rule) in [
        ("global", "  tune.http.logurilen "),
        ("global", "  stats socket "),
        ("global", "  hard-stop-after "),
        ("defaults", "  option dontlognull"),
        ("frontend grpc", "  log-format "),
        ("frontend grpc", "  stick-table "),
        ("frontend grpc", "  http-request set-var(txn.refused) int(16) "),
        ("frontend grpc", "  http-request set-var(txn.limits) "),
        ("frontend grpc", "  http-request track-sc0 "),
        ("frontend grpc", "  http-request set-priority-class "),
        ("frontend grpc", "  http-request del-header ^(connection"),
        ("frontend grpc", "  http-request add-header X-Suiftly-Customer-ID "),
        ("frontend grpc", "  http-request del-header Authorization"),
        ("frontend grpc", "  use_backend refuse_grpc "),
        ("backend refuse_grpc", "  http-request return status 405 "),
        ("backend refuse_grpc", "  http-request return status 503 "),
        ("backend refuse_grpc", "  http-request return status 429 "),
        ("backend ip_grpc", "  stick-table "),
        ("backend be_grpc", "  http-response deny "),
    ] {
        let begin = whole.find(&format!("\n{section}\n")).unwrap_or_else(|| panic!("no {section}")) + 1;
        let at = begin + whole[begin..].find(&format!("\n{rule}")).unwrap_or_else(|| panic!("no {rule}")) + 1;
        let line = whole[at..].lines().next().unwrap();
        fs::write(&file, format!("{}{}", &whole[..at], &whole[at + line.len() + 1..])).unwrap();
        let (code, told, error) = check(&["--json", name]);
        let told: Value = serde_json::from_str(&told).unwrap();
        let missing = told["missing"].as_array().unwrap();
        let is_it = |finding: &Value| {
            let named = finding["directive"].as_str().unwrap().trim_end_matches('…');
            let is_named =
                line.trim().starts_with(named) || named.starts_with("stats socket") && rule.contains("stats");
            finding["section"] == section && is_named
        };
        assert!(missing.iter().any(is_it), "{section}: {rule}: {told}");
        assert_eq!((code, &told["complete"], &told["haproxy"]), (Some(1), &Value::Bool(false), &Value::Null));
        assert!(error.contains("lacks"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_of_a_running_haproxy_is_told() {
    let world = World::start(Kind::Plain).await;
    let version = world.runtime().process().await.unwrap().version;
    let file = world.folder.path().join("haproxy.cfg");
    let (code, told, error) = check(&["--json", file.to_str().unwrap()]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["haproxy"]["version"], error.as_str()), (Some(0), &Value::String(version), ""), "{told}");
    assert_eq!(told["haproxy"]["concern"], Value::Null);
    // One that is too old answers at the socket.
    let socket = world.folder.path().join("old.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 100]).await;
            let answer = "Name: HAProxy\nVersion: 2.2.9-2+deb11u6\nPid: 7\nUptime_sec: 1\n\n";
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(&world.settings.admin_socket, socket.to_str().unwrap())).unwrap();
    let (code, told, error) = check(&[file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{told}");
    assert!(error.starts_with("warning: HAProxy 2.2.9-2+deb11u6 is too old"), "{error}");
}
