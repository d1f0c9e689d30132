//! Who may use which operation: a row for every one of the API. A new operation without a row fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::server::Server;
use crate::wallet::{SignedIn, Wallet};

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Anybody.
    Nothing,
    /// A signed-in person; no token will do.
    Person,
    /// A person, or a token with this scope.
    Scope(&'static str),
}

use Needs::{Nothing, Person, Scope};

/// Method, path as documented, needs, a body that is right, and whether the path names something of a customer.
const TABLE: [(&str, &str, Needs, Option<&str>, bool); 76] = [
    ("post", "/api/auth/connect-wallet", Nothing, Some("{}"), false),
    ("post", "/api/auth/verify-signature", Nothing, Some("{}"), false),
    ("post", "/api/auth/refresh", Nothing, None, false),
    ("post", "/api/auth/logout", Nothing, None, false),
    ("get", "/api/auth/sessions", Person, None, false),
    ("post", "/api/auth/sessions/revoke-others", Person, None, false),
    ("delete", "/api/auth/sessions/{session_id}", Person, None, true),
    ("get", "/api/auth/tokens", Person, None, false),
    (
        "post",
        "/api/auth/tokens",
        Person,
        Some(r#"{"name": "x", "scopes": ["keys.read"], "expires_in_days": 1}"#),
        false,
    ),
    ("delete", "/api/auth/tokens/{api_token_id}", Person, None, true),
    ("get", "/api/customer", Scope("account.read"), None, false),
    ("patch", "/api/customer", Scope("account.write"), Some(r#"{"name": "x"}"#), false),
    ("post", "/api/customer/terms", Person, Some(r#"{"version": 1}"#), false),
    ("get", "/api/activity", Scope("activity.read"), None, false),
    ("get", "/api/services", Scope("services.read"), None, false),
    ("get", "/api/services/{service}", Scope("services.read"), None, false),
    ("patch", "/api/services/{service}", Scope("services.write"), Some("{}"), false),
    ("post", "/api/services/{service}/subscribe", Scope("services.write"), Some(r#"{"tier": "pro"}"#), false),
    ("post", "/api/services/{service}/tier", Scope("services.write"), Some(r#"{"tier": "pro"}"#), false),
    ("post", "/api/services/{service}/enable", Scope("services.write"), None, false),
    ("post", "/api/services/{service}/disable", Scope("services.write"), None, false),
    ("post", "/api/services/{service}/cancel", Scope("services.write"), None, false),
    ("post", "/api/services/{service}/undo-cancel", Scope("services.write"), None, false),
    ("get", "/api/services/{service}/api-keys", Scope("keys.read"), None, false),
    ("post", "/api/services/{service}/api-keys", Scope("keys.write"), Some("{}"), false),
    ("patch", "/api/services/{service}/api-keys/{api_key_id}", Scope("keys.write"), Some(r#"{"name": "x"}"#), true),
    ("delete", "/api/services/{service}/api-keys/{api_key_id}", Scope("keys.write"), None, true),
    ("post", "/api/services/{service}/api-keys/{api_key_id}/revoke", Scope("keys.write"), None, true),
    ("post", "/api/services/{service}/api-keys/{api_key_id}/enable", Scope("keys.write"), None, true),
    (
        "post",
        "/api/services/{service}/api-keys/{api_key_id}/rotate",
        Scope("keys.write"),
        Some(r#"{"overlap_s": 60}"#),
        true,
    ),
    ("post", "/api/services/{service}/api-keys/{api_key_id}/reveal", Person, None, true),
    ("get", "/api/services/{service}/api-keys/usage", Scope("keys.read"), None, false),
    ("get", "/api/services/seal/keys", Scope("keys.read"), None, false),
    ("post", "/api/services/seal/keys", Scope("keys.write"), Some("{}"), false),
    ("patch", "/api/services/seal/keys/{seal_key_id}", Scope("keys.write"), Some(r#"{"name": "x"}"#), true),
    ("delete", "/api/services/seal/keys/{seal_key_id}", Scope("keys.write"), None, true),
    (
        "post",
        "/api/services/seal/keys/{seal_key_id}/packages",
        Scope("keys.write"),
        Some(r#"{"address": "0x00000000000000000000000000000000000000000000000000000000000000aa"}"#),
        true,
    ),
    (
        "patch",
        "/api/services/seal/keys/{seal_key_id}/packages/{seal_package_id}",
        Scope("keys.write"),
        Some(r#"{"name": "x"}"#),
        true,
    ),
    ("delete", "/api/services/seal/keys/{seal_key_id}/packages/{seal_package_id}", Scope("keys.write"), None, true),
    ("get", "/api/traffic/summary", Scope("traffic.read"), None, false),
    ("get", "/api/traffic/series", Scope("traffic.read"), None, false),
    ("get", "/api/traffic/percentiles", Scope("traffic.read"), None, false),
    ("get", "/api/traffic/tops", Scope("traffic.read"), None, false),
    ("get", "/api/traffic/gateways", Scope("traffic.read"), None, false),
    ("get", "/api/traffic/requests", Scope("traffic.read"), None, false),
    ("get", "/api/traffic/requests/{request_id}", Scope("traffic.read"), None, false),
    ("get", "/api/traffic/export", Scope("traffic.read"), None, false),
    ("get", "/api/traffic/live", Scope("traffic.read"), None, false),
    ("get", "/api/network", Scope("services.read"), None, false),
    ("get", "/api/billing", Scope("billing.read"), None, false),
    ("get", "/api/billing/credits", Scope("billing.read"), None, false),
    ("get", "/api/billing/entries", Scope("billing.read"), None, false),
    ("get", "/api/billing/notices", Scope("billing.read"), None, false),
    ("post", "/api/billing/notices/read", Scope("billing.write"), Some(r#"{"up_to": 1}"#), false),
    ("put", "/api/billing/payment-methods", Scope("billing.write"), Some(r#"{"methods": ["escrow"]}"#), false),
    (
        "put",
        "/api/billing/spend-cap",
        Scope("billing.write"),
        Some(r#"{"amount_micros": 1000000, "hard_stop": false}"#),
        false,
    ),
    ("delete", "/api/billing/spend-cap", Scope("billing.write"), None, false),
    ("get", "/api/billing/events", Scope("billing.read"), None, false),
    ("get", "/api/billing/escrow", Scope("billing.read"), None, false),
    ("get", "/api/billing/escrow/wallet", Scope("billing.read"), None, false),
    ("post", "/api/billing/escrow/faucet", Scope("billing.write"), None, false),
    ("get", "/api/billing/escrow/transactions", Scope("billing.read"), None, false),
    (
        "post",
        "/api/billing/escrow/transactions",
        Scope("billing.write"),
        Some(r#"{"action": "deposit", "amount_micros": 1000000}"#),
        false,
    ),
    ("get", "/api/billing/escrow/transactions/{digest}", Scope("billing.read"), None, true),
    ("delete", "/api/billing/escrow/transactions/{digest}", Scope("billing.write"), None, true),
    (
        "post",
        "/api/billing/escrow/transactions/{digest}/signature",
        Scope("billing.write"),
        Some(r#"{"signature": "AA=="}"#),
        true,
    ),
    ("get", "/api/billing/invoices", Scope("billing.read"), None, false),
    ("get", "/api/billing/invoices/{invoice}", Scope("billing.read"), None, true),
    ("get", "/api/billing/invoices/{invoice}/html", Scope("billing.read"), None, true),
    ("get", "/api/billing/invoices/{invoice}/pdf", Scope("billing.read"), None, true),
    ("get", "/api/billing/invoices/{invoice}/usage.csv", Scope("billing.read"), None, true),
    ("get", "/api/billing/invoices/{invoice}/lines/{position}/hours", Scope("billing.read"), None, true),
    ("post", "/api/billing/invoices/{invoice}/pay", Scope("billing.write"), None, true),
    (
        "post",
        "/api/services/{service}/preview",
        Scope("billing.read"),
        Some(r#"{"action": "change_tier", "tier": "starter"}"#),
        false,
    ),
    ("get", "/api/config/frontend", Nothing, None, false),
    // Of which the document itself speaks nowhere.
    ("get", "/api/openapi.json", Nothing, None, false),
];

const SCOPES: [&str; 10] = [
    "account.read",
    "account.write",
    "services.read",
    "services.write",
    "keys.read",
    "keys.write",
    "activity.read",
    "traffic.read",
    "billing.read",
    "billing.write",
];

fn includes(granted: &str, needed: &str) -> bool {
    granted == needed || granted.strip_suffix("write").is_some_and(|area| needed == format!("{area}read"))
}

/// Somebody with a service, a key and a token.
struct Owner<'s> {
    person: SignedIn<'s>,
    key: String,
    token: String,
    seal_key: String,
    seal_package: String,
    invoice: String,
    digest: String,
}

impl<'s> Owner<'s> {
    fn new(server: &'s Server) -> Self {
        let person = Wallet::new().sign_in(server).with_credit(1000);
        assert_eq!(person.send("POST", "/api/services/grpc/subscribe", Some(json!({"tier": "pro"}))).status, 200);
        let key = person.send("POST", "/api/services/grpc/api-keys", Some(json!({"is_revealable": true})));
        assert_eq!(key.status, 201, "{key:?}");
        assert_eq!(person.send("POST", "/api/services/seal/subscribe", Some(json!({"tier": "pro"}))).status, 200);
        let seal_key = person.send("POST", "/api/services/seal/keys", Some(json!({}))).body["seal_key_id"].clone();
        let seal_key = seal_key.as_str().unwrap().to_owned();
        let package = json!({"address": format!("0x{}", "0b".repeat(32))});
        let added = person.send("POST", &format!("/api/services/seal/keys/{seal_key}/packages"), Some(package));
        let seal_package = added.body["packages"][0]["seal_package_id"].as_str().unwrap().to_owned();
        let tokens = || person.get("/api/auth/tokens").body["items"].clone();
        person.token(&["keys.read"]);
        let token = tokens()[0]["api_token_id"].as_str().unwrap().to_owned();
        let invoices = person.get("/api/billing/invoices").body["items"].clone();
        let invoice = invoices[1]["invoice"].as_str().unwrap().to_owned();
        let deposit = json!({"action": "deposit", "amount_micros": 1_000_000});
        let built = person.send("POST", "/api/billing/escrow/transactions", Some(deposit));
        let digest = built.body["digest"].as_str().unwrap().to_owned();
        Self {
            invoice,
            digest,
            key: key.body["api_key_id"].as_str().unwrap().to_owned(),
            token,
            seal_key,
            seal_package,
            person,
        }
    }

    fn path(&self, template: &str) -> String {
        let session = self.person.view["session_id"].as_str().unwrap();
        template
            .replace("{service}", "grpc")
            .replace("{api_key_id}", &self.key)
            .replace("{seal_key_id}", &self.seal_key)
            .replace("{seal_package_id}", &self.seal_package)
            .replace("{api_token_id}", &self.token)
            .replace("{session_id}", session)
            .replace("{invoice}", &self.invoice)
            .replace("{position}", "1")
            .replace("{digest}", &self.digest)
    }
}

fn server() -> Server {
    Server::start_with(
        "limits.sign_in_ip_per_min = 100000\nlimits.ip_per_min = 1000000\nlimits.customer_per_min = 1000000\n",
    )
}

#[test]
fn every_operation_of_the_document_has_a_row() {
    let document = server().send("GET", "/api/openapi.json", &[], None).body;
    let mut documented = BTreeSet::from([("get".to_owned(), "/api/openapi.json".to_owned())]);
    for (path, item) in document["paths"].as_object().unwrap() {
        documented.extend(item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())));
    }
    let listed: BTreeSet<_> = TABLE.iter().map(|row| (row.0.to_owned(), row.1.to_owned())).collect();
    assert_eq!(listed.len(), TABLE.len());
    assert_eq!(documented, listed);
    for (method, path, needs, body, _) in TABLE.iter().filter(|row| row.1 != "/api/openapi.json") {
        let has_body = document["paths"][path][method].get("requestBody").is_some();
        assert_eq!(has_body, body.is_some(), "{method} {path}: the document says what is sent");
        let security = &document["paths"][path][method]["security"];
        let expected = match needs {
            Nothing => Value::Null,
            Person => json!([{"session": []}]),
            Scope(scope) => json!([{"session": []}, {"token": [scope]}]),
        };
        assert_eq!(security, &expected, "{method} {path}: the document says who is let in");
    }
}

#[test]
fn nobody_is_let_in_where_only_customers_are() {
    let server = server();
    let owner = Owner::new(&server);
    for (method, template, needs, body, _) in TABLE {
        let answer = server.send(&method.to_uppercase(), &owner.path(template), &[], body);
        if needs == Nothing {
            assert_ne!(answer.code(), "sign_in_required", "{method} {template}");
        } else {
            assert_eq!((answer.status, answer.code()), (401, "sign_in_required"), "{method} {template}");
            let junk = [("Authorization", "Bearer suiftly_pat_junk"), ("Cookie", "__Host-suiftly-access=junk")];
            for header in junk {
                let answer = server.send(&method.to_uppercase(), &owner.path(template), &[header], body);
                assert_eq!(answer.status, 401, "{method} {template} {header:?}");
            }
        }
    }
}

#[test]
fn what_belongs_to_somebody_else_does_not_exist() {
    let server = server();
    let (owner, stranger) = (Owner::new(&server), Owner::new(&server));
    for (method, template, _, body, _) in TABLE.iter().filter(|row| row.4) {
        let body = body.map(|body| serde_json::from_str(body).unwrap());
        let answer = stranger.person.send(&method.to_uppercase(), &owner.path(template), body);
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{method} {template}");
    }
    let listed = |path: &str| stranger.person.get(path).body.to_string();
    for path in ["/api/services/grpc/api-keys", "/api/auth/tokens", "/api/auth/sessions", "/api/activity"] {
        for mine in [&owner.key, &owner.token, owner.person.view["session_id"].as_str().unwrap()] {
            assert!(!listed(path).contains(mine), "{path} shows {mine}");
        }
    }
}

#[test]
fn a_token_is_let_in_by_its_scope_and_by_no_other() {
    let server = server();
    let owner = Owner::new(&server);
    for scope in SCOPES {
        let bearer = format!("Bearer {}", owner.person.token(&[scope]));
        for (method, template, needs, body, _) in TABLE {
            let send = || {
                // A tail has no end to wait for.
                let is_tail = (template == "/api/traffic/live" && includes(scope, "traffic.read"))
                    || (template == "/api/billing/events" && includes(scope, "billing.read"));
                let method = if is_tail { "HEAD".to_owned() } else { method.to_uppercase() };
                server.send(&method, &owner.path(template), &[("Authorization", &bearer)], body)
            };
            match needs {
                Nothing => {}
                Person => assert_eq!(send().code(), "session_required", "{method} {template} with {scope}"),
                Scope(needed) if includes(scope, needed) => {
                    // Whatever it does, it is not refused for want of a right.
                    let answer = send();
                    assert!(!matches!(answer.status, 401 | 403), "{method} {template} with {scope}: {answer:?}");
                }
                Scope(_) => assert_eq!(send().code(), "scope_missing", "{method} {template} with {scope}"),
            }
        }
    }
}
