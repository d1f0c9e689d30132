//! The API's description: what is committed is what the server serves, and every error is in it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use suiftly::core::error_code::Code;

use crate::server::Server;

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/web/openapi.json");
    let committed: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let server = Server::start();
    let served = server.send("GET", "/api/openapi.json", &[], None).body;
    assert!(
        served == committed,
        "it has changed: run `suiftly openapi > assets/web/openapi.json` and `packaging/setup.sh npm run gen:api`"
    );
    assert_eq!(served["openapi"], "3.1.0");
}

#[test]
fn every_error_that_can_be_told_is_documented() {
    let document = serde_json::to_value(suiftly::http::openapi()).unwrap();
    let listed = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array().unwrap().clone();
    let about = document["info"]["description"].as_str().unwrap();
    for code in Code::ALL {
        assert!(listed.contains(&code.name().into()), "{code:?}");
        assert!(about.contains(&format!("| `{}` |", code.name())) && about.contains(code.meaning()), "{code:?}");
    }
    assert_eq!(listed.len(), Code::ALL.len());
}

#[test]
fn the_rendered_page_asks_no_other_host() {
    let server = Server::start();
    let (status, head, body) = server.get("/api/docs");
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("content-security-policy: default-src 'self'"), "{head}");
    assert!(!body.contains("http://") && !body.contains("https://"), "{body}");
}
