//! Signing in, sessions, API tokens, the profile and the activity log, through a real server.

use std::process::Command;

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::binary;
use crate::wallet::{SignedIn, Wallet};

/// Many sign-ins from one place in a short time.
const GENEROUS: &str = "limits.sign_in_ip_per_min = 100000\nlimits.sign_in_address_per_min = 100000\n\
                        limits.ip_per_min = 100000\n";

#[test]
fn a_wallet_signs_in_and_is_the_same_customer_each_time() {
    let server = Server::start();
    let wallet = Wallet::new();
    let first = wallet.sign_in(&server);
    let again = wallet.sign_in(&server);
    assert_eq!(first.view["customer_id"], again.view["customer_id"]);
    assert_ne!(first.view["session_id"], again.view["session_id"]);
    let profile = first.get("/api/customer");
    assert_eq!(profile.status, 200, "{profile:?}");
    assert_eq!(profile.body["wallet_address"], wallet.address);
    assert_eq!(profile.body["status"], "active");
    assert!(profile.header("ratelimit").is_some() && profile.header("x-request-id").is_some(), "{profile:?}");
    assert_ne!(Wallet::new().sign_in(&server).view["customer_id"], first.view["customer_id"]);
}

#[test]
fn a_challenge_is_good_for_one_attempt_right_or_wrong() {
    let server = Server::start();
    let wallet = Wallet::new();
    let challenge = wallet.challenge(&server);
    let good = wallet.sign(challenge["message"].as_str().unwrap());
    let wrong = wallet.verify(&server, &challenge, &wallet.sign("something else"));
    assert_eq!((wrong.status, wrong.code()), (401, "signature_refused"));
    let late = wallet.verify(&server, &challenge, &good);
    assert_eq!((late.status, late.code()), (401, "signature_refused"), "the attempt has used it up");
    // Whatever is wrong, the answer is the same.
    let (mut one, mut other) = (wrong.body.clone(), late.body.clone());
    for body in [&mut one, &mut other] {
        body.as_object_mut().unwrap().remove("instance");
    }
    assert_eq!(one, other);
    let stranger = Wallet::new();
    let foreign = stranger.verify(&server, &challenge, &stranger.sign(challenge["message"].as_str().unwrap()));
    assert_eq!(foreign.body, wrong.body);
}

#[test]
fn attempts_to_sign_in_are_limited_by_place() {
    let server = Server::start_with("limits.sign_in_ip_per_min = 3\n");
    let wallet = Wallet::new();
    let asked = json!({"address": wallet.address}).to_string();
    let ask = || server.send("POST", "/api/auth/connect-wallet", &[], Some(&asked));
    for _ in 0..3 {
        assert_eq!(ask().status, 200);
    }
    let refused = ask();
    assert_eq!((refused.status, refused.code()), (429, "rate_limited"));
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let elsewhere =
        server.send("POST", "/api/auth/connect-wallet", &[("X-Forwarded-For", "203.0.113.9")], Some(&asked));
    assert_eq!(elsewhere.status, 200, "the proxy on this machine says where from");
}

#[test]
fn nobody_keeps_a_wallet_out_by_asking_in_its_name() {
    let server = Server::start_with("limits.sign_in_address_per_min = 2\n");
    let wallet = Wallet::new();
    let challenge = wallet.challenge(&server);
    let made_up = json!({"nonce": "a".repeat(64)});
    let attempt = |challenge: &serde_json::Value, from: &str| {
        let signed = json!({"address": wallet.address, "nonce": challenge["nonce"], "signature": "AA=="}).to_string();
        server.send("POST", "/api/auth/verify-signature", &[("X-Forwarded-For", from)], Some(&signed)).status
    };
    for _ in 0..5 {
        assert_eq!(attempt(&made_up, "203.0.113.9"), 401);
    }
    for expected in [401, 401, 429, 429] {
        assert_eq!(attempt(&wallet.challenge(&server), "203.0.113.9"), expected);
    }
    let good = wallet.sign(challenge["message"].as_str().unwrap());
    assert_eq!(wallet.verify(&server, &challenge, &good).status, 200, "from another place");
}

#[test]
fn the_limit_that_was_reached_is_named_and_every_answer_has_an_id() {
    let server = Server::start_with("limits.ip_per_min = 2\nlimits.sign_in_ip_per_min = 1\n");
    let asked = json!({"address": Wallet::new().address}).to_string();
    let ask = || server.send("POST", "/api/auth/connect-wallet", &[], Some(&asked));
    assert_eq!(ask().status, 200);
    for limit in ["\"sign-in-ip\";r=0;t=60", "\"ip\";r=0;t=60"] {
        let answer = ask();
        assert_eq!((answer.status, answer.header("ratelimit")), (429, Some(limit)), "{answer:?}");
    }
    for path in ["/health", "/ready", "/nowhere", "/api/config/frontend"] {
        assert!(server.send("GET", path, &[], None).header("x-request-id").is_some(), "{path}");
    }
}

#[test]
fn browsers_are_told_to_come_encrypted_where_customers_do() {
    let hsts = |server: &Server| server.send("GET", "/health", &[], None).header("strict-transport-security").is_some();
    assert!(!hsts(&Server::start()));
    assert!(hsts(&Server::start_with("http.public_url = \"https://dash.example.com\"\n")));
}

#[test]
fn a_refresh_token_is_good_once_and_its_replay_ends_the_session() {
    let server = Server::start();
    let signed_in = Wallet::new().sign_in(&server);
    let answer = signed_in.send_refresh("/api/auth/refresh");
    assert_eq!(answer.status, 200, "{answer:?}");
    let next = SignedIn::new(&server, &answer);
    assert_eq!(next.get("/api/customer").status, 200);
    let replay = signed_in.send_refresh("/api/auth/refresh");
    assert_eq!((replay.status, replay.code()), (401, "refresh_refused"));
    assert!(replay.cookies().values().all(String::is_empty), "{replay:?}");
    assert_eq!(next.get("/api/customer").code(), "sign_in_required", "the whole session has ended, at once");
    assert_eq!(next.send_refresh("/api/auth/refresh").status, 401);
    // One kind of token does not do for the other.
    let fresh = Wallet::new().sign_in(&server);
    let swapped = SignedIn { access: fresh.refresh.clone(), refresh: fresh.access.clone(), ..fresh };
    assert_eq!(swapped.get("/api/customer").status, 401);
    assert_eq!(swapped.send_refresh("/api/auth/refresh").status, 401);
}

#[test]
fn sessions_are_listed_and_each_can_be_ended() {
    let server = Server::start();
    let wallet = Wallet::new();
    let [one, two, three] = [(); 3].map(|()| wallet.sign_in(&server));
    let listed = one.get("/api/auth/sessions").body["items"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 3);
    let current: Vec<_> = listed.iter().filter(|item| item["is_current"] == true).collect();
    assert_eq!(current.len(), 1);
    assert_eq!(current[0]["session_id"], one.view["session_id"]);
    let id = two.view["session_id"].as_str().unwrap();
    assert_eq!(one.send("DELETE", &format!("/api/auth/sessions/{id}"), None).status, 204);
    assert_eq!(two.get("/api/customer").status, 401);
    assert_eq!(one.send("DELETE", &format!("/api/auth/sessions/{id}"), None).status, 404);
    let stranger = Wallet::new().sign_in(&server);
    let id = three.view["session_id"].as_str().unwrap();
    assert_eq!(stranger.send("DELETE", &format!("/api/auth/sessions/{id}"), None).status, 404, "not theirs");
    assert_eq!(one.send("POST", "/api/auth/sessions/revoke-others", None).status, 200);
    assert_eq!((three.get("/api/customer").status, one.get("/api/customer").status), (401, 200));
    let answer = one.send("POST", "/api/auth/logout", None);
    assert_eq!(answer.status, 204);
    assert!(answer.cookies().values().all(String::is_empty) && answer.cookies().len() == 2, "{answer:?}");
    assert_eq!(one.get("/api/customer").status, 401);
}

#[test]
fn a_token_does_what_its_scopes_say_until_it_is_revoked() {
    let server = Server::start();
    let signed_in = Wallet::new().sign_in(&server);
    let token = signed_in.token(&["account.read"]);
    let bearer = format!("Bearer {token}");
    let send = |method: &str, path: &str, body: Option<&str>| {
        server.send(method, path, &[("Authorization", bearer.as_str())], body)
    };
    assert_eq!(send("GET", "/api/customer", None).status, 200);
    let refused = send("PATCH", "/api/customer", Some(r#"{"name": "x"}"#));
    assert_eq!((refused.status, refused.code()), (403, "scope_missing"));
    let refused = send("GET", "/api/auth/tokens", None);
    assert_eq!((refused.status, refused.code()), (403, "session_required"));
    let listed = signed_in.get("/api/auth/tokens").body["items"].clone();
    assert!(listed[0]["last_used_at"].is_string(), "{listed}");
    assert!(!listed.to_string().contains(&token), "the text is told once");
    let id = listed[0]["api_token_id"].as_str().unwrap();
    assert_eq!(signed_in.send("DELETE", &format!("/api/auth/tokens/{id}"), None).status, 200);
    assert_eq!(send("GET", "/api/customer", None).status, 401);
    let wrong = json!({"name": "", "scopes": ["account.read", "fly"], "expires_in_days": 400});
    let answer = signed_in.send("POST", "/api/auth/tokens", Some(wrong));
    assert_eq!((answer.status, answer.code()), (422, "invalid_fields"));
    let fields: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["name", "scopes[1]", "expires_in_days"]);
}

#[test]
fn a_change_with_an_idempotency_key_happens_once() {
    let server = Server::start();
    let signed_in = Wallet::new().sign_in(&server);
    let create = |key: &str, name: &str| {
        let asked = json!({"name": name, "scopes": ["keys.read"], "expires_in_days": 1});
        signed_in.send_with("POST", "/api/auth/tokens", &[("Idempotency-Key", key)], Some(asked))
    };
    let first = create("k1", "a");
    let again = create("k1", "a");
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body, "also the text of the token, which is told in this answer only");
    let reused = create("k1", "b");
    assert_eq!((reused.status, reused.code()), (422, "idempotency_key_reused"));
    assert_eq!(create("k2", "b").status, 201);
    assert_eq!(signed_in.get("/api/auth/tokens").body["items"].as_array().unwrap().len(), 2);
    assert_eq!(create("with blank", "b").code(), "invalid_parameter");
    let files = std::fs::read(server.folder.path().join("data/ledger.db-wal")).unwrap();
    let text = first.body["text"].as_str().unwrap().as_bytes();
    assert!(!files.windows(text.len()).any(|window| window == text), "a kept answer is encrypted");
}

#[test]
fn the_activity_log_tells_what_was_done_and_an_audit_tells_what_was_changed() {
    let mut server = Server::start();
    let signed_in = Wallet::new().sign_in(&server);
    let renamed = signed_in.send("PATCH", "/api/customer", Some(json!({"name": " Ada "})));
    assert_eq!(renamed.body["name"], "Ada");
    assert_eq!(signed_in.get("/api/customer").body["name"], "Ada");
    assert_eq!(signed_in.send("POST", "/api/customer/terms", Some(json!({"version": 1}))).body["terms_version"], 1);
    assert_eq!(signed_in.send("POST", "/api/customer/terms", Some(json!({"version": 2}))).status, 422);
    let page = signed_in.get("/api/activity?limit=3").body;
    let actions: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["action"].clone()).collect();
    assert_eq!(actions, ["terms.accept", "customer.rename", "session.create"]);
    let next = page["next_cursor"].as_str().unwrap();
    let rest = signed_in.get(&format!("/api/activity?cursor={next}")).body;
    assert_eq!(rest["items"][0]["action"], "customer.create");
    assert!(rest.get("next_cursor").is_none());
    assert_eq!(signed_in.get("/api/activity?cursor=x").code(), "invalid_cursor");

    let audit = |server: &Server| {
        let command = ["audit", "verify", "--json", "--config"];
        let output = Command::new(binary()).args(command).arg(server.config()).output().unwrap();
        (output.status.success(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    assert_eq!(audit(&server).1["entries"], 4, "beside the running server");
    server.terminate();
    let ledger = rusqlite::Connection::open(server.folder.path().join("data/ledger.db")).unwrap();
    let refused = ledger.execute("UPDATE activity SET subject = 'x' WHERE activity_id = 2", ()).unwrap_err();
    assert!(refused.to_string().contains("append-only"), "{refused}");
    ledger
        .execute_batch("DROP TRIGGER activity_no_update; UPDATE activity SET subject = 'x' WHERE activity_id = 2")
        .unwrap();
    let (good, report) = audit(&server);
    assert!(!good);
    assert_eq!(report["broken"], "entry 2 was changed: its hash is not that of its content");
}

#[test]
fn changes_from_other_sites_and_odd_requests_are_refused() {
    let server = Server::start_with(GENEROUS);
    let signed_in = Wallet::new().sign_in(&server);
    let evil = [("Origin", "https://evil.example")];
    let answer = signed_in.send_with("PATCH", "/api/customer", &evil, Some(json!({"name": "x"})));
    assert_eq!((answer.status, answer.code()), (403, "origin_refused"));
    let own = format!("http://{}", server.address);
    let answer = signed_in.send_with("PATCH", "/api/customer", &[("Origin", &own)], Some(json!({"name": "x"})));
    assert_eq!(answer.status, 200);
    for (body, status, code) in [
        (r#"{"name": 5}"#, 400, "invalid_body"),
        (r#"{"name": "x", "nam": 1}"#, 400, "invalid_body"),
        ("{", 400, "invalid_body"),
        (r#"{"name": "a\nb"}"#, 422, "invalid_fields"),
    ] {
        let cookie = format!("__Host-suiftly-access={}", signed_in.access);
        let answer = server.send("PATCH", "/api/customer", &[("Cookie", &cookie)], Some(body));
        assert_eq!((answer.status, answer.code()), (status, code), "{body}: {answer:?}");
    }
    let huge = json!({"name": "x".repeat(70_000)});
    let answer = signed_in.send("PATCH", "/api/customer", Some(huge));
    assert_eq!((answer.status, answer.code()), (413, "body_too_large"));
    let answer = signed_in.send("PATCH", "/api/customer", None);
    assert_eq!((answer.status, answer.code()), (415, "unsupported_media_type"));
    let answer = signed_in.send("PUT", "/api/customer", Some(json!({})));
    assert_eq!((answer.status, answer.code()), (405, "method_not_allowed"));
    assert_eq!(signed_in.get("/api/activity?limit=x").code(), "invalid_parameter");
    assert_eq!(signed_in.get("/api/activity?colour=x").code(), "invalid_parameter");
}

#[test]
fn a_server_whose_cookies_would_travel_unencrypted_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = crate::server::write_config(folder.path(), "http.public_url = \"http://dash.example.com\"\n");
    let output = crate::server::serve(&config).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("http.public_url") && said.contains("https"), "{said}");
}

#[test]
fn init_makes_what_serve_needs_and_does_no_harm_again() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("try");
    let init = || {
        let output = Command::new(binary()).args(["init", "--json", "--dir"]).arg(&dir).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(init()["created"].as_array().unwrap().len(), 3);
    let secrets = std::fs::read(dir.join("secrets.toml")).unwrap();
    assert_eq!(init()["created"].as_array().unwrap().len(), 0);
    assert_eq!(std::fs::read(dir.join("secrets.toml")).unwrap(), secrets);
    let check =
        Command::new(binary()).args(["check-config", "--config"]).arg(dir.join("suiftly.toml")).output().unwrap();
    assert!(check.status.success(), "{check:?}");
}

#[test]
fn a_key_is_decoded_without_a_database() {
    let vectors = include_str!("../data/api-keys.jsonl");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for vector in vectors.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        std::fs::write(&path, vector["secret"].as_str().unwrap()).unwrap();
        let key = vector["key"].as_str().unwrap();
        let output =
            Command::new(binary()).args(["apikey", "decode", key, "--json", "--secret-file"]).arg(&path).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        let decoded: Value = serde_json::from_slice(&output.stdout).unwrap();
        for (field, expected) in [
            ("customer", &vector["customer"]),
            ("service", &vector["svc"]),
            ("network", &vector["network"]),
            ("access", &vector["access"]),
            ("process_group", &vector["pg"]),
            ("fingerprint", &vector["fp_unsigned"]),
        ] {
            assert_eq!(&decoded[field], expected, "{field} of {key}");
        }
        assert_eq!(decoded.get("source").unwrap_or(&Value::Null), &vector["source"], "{key}");
    }
    let wrong = Command::new(binary()).args(["apikey", "decode", "SAE1", "--secret-file"]).arg(&path).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("37 characters"), "{wrong:?}");
}
