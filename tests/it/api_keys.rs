//! Services and their API keys, through a real server.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suiftly::clock::Clock;
use suiftly::config::Secrets;
use suiftly::core::api_key::{ApiKeySecret, decode};

use crate::server::{Answer, Server};
use crate::wallet::{SignedIn, Wallet};

const KEYS: &str = "/api/services/grpc/api-keys";

/// A customer with a service on.
fn customer(server: &Server) -> SignedIn<'_> {
    let person = Wallet::new().sign_in(server).with_credit(1000);
    let answer = person.send("POST", "/api/services/grpc/subscribe", Some(json!({"tier": "pro"})));
    assert_eq!((answer.status, answer.body["state"].as_str()), (200, Some("disabled")), "{answer:?}");
    assert_eq!(person.send("POST", "/api/services/grpc/enable", None).body["keys_work"], true);
    person
}

fn create(person: &SignedIn<'_>, asked: Value) -> Answer {
    person.send("POST", KEYS, Some(asked))
}

fn id(answer: &Answer) -> String {
    answer.body["api_key_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_service_is_subscribed_to_switched_and_cancelled() {
    let server = Server::start();
    let person = Wallet::new().sign_in(&server).with_credit(1000);
    let states = |person: &SignedIn<'_>| {
        let items = person.get("/api/services").body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(&person), ["not_provisioned"; 3]);
    let act = |action: &str, body: Option<Value>| person.send("POST", &format!("/api/services/seal/{action}"), body);
    let refused = act("enable", None);
    assert_eq!((refused.status, refused.code()), (409, "service_state"));
    assert!(refused.body["detail"].as_str().unwrap().contains("subscribe first"), "{refused:?}");
    let wrong = act("subscribe", Some(json!({"tier": "gold"})));
    assert_eq!((wrong.status, wrong.body["errors"][0]["field"].as_str()), (422, Some("tier")));
    assert_eq!(act("subscribe", Some(json!({"tier": "starter"}))).status, 200);
    assert_eq!(act("subscribe", Some(json!({"tier": "pro"}))).code(), "service_state");
    assert_eq!(act("enable", None).body["guaranteed_per_s"], 3);
    let upgraded = act("tier", Some(json!({"tier": "enterprise"}))).body;
    assert_eq!((upgraded["tier"].as_str(), upgraded["guaranteed_per_s"].as_u64()), (Some("enterprise"), Some(100)));
    let scheduled = act("tier", Some(json!({"tier": "pro"}))).body;
    assert_eq!((scheduled["tier"].as_str(), scheduled["scheduled_tier"].as_str()), (Some("enterprise"), Some("pro")));
    let cancelled = act("cancel", None).body;
    assert!(cancelled["banner"].as_str().unwrap().contains("You can undo this"), "{cancelled}");
    assert_eq!(cancelled["keys_work"], true, "until the month ends");
    assert!(act("undo-cancel", None).body.get("cancel_at").is_none());
    assert_eq!(act("undo-cancel", None).code(), "service_state");
    assert_eq!(states(&person), ["enabled", "not_provisioned", "not_provisioned"]);
    assert_eq!(person.get("/api/services/sealing").status, 404);
}

#[test]
fn settings_are_changed_as_a_whole_or_not_at_all() {
    let server = Server::start();
    let person = customer(&server);
    let change = |asked: Value| person.send("PATCH", "/api/services/grpc", Some(asked));
    let wrong = change(json!({"burst": true, "ip_allowlist": ["10.0.0.1/8", "203.0.113.9", "x"]}));
    let fields: Vec<_> = wrong.body["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!((wrong.status, fields), (422, vec![json!("ip_allowlist[0]"), json!("ip_allowlist[2]")]));
    assert_eq!(person.get("/api/services/grpc").body["burst"], false, "nothing was saved");
    let right = change(
        json!({"burst": true, "ip_allowlist_enabled": true, "ip_allowlist": ["2001:DB8::/48", "203.0.113.9/32"]}),
    );
    assert_eq!(right.body["ip_allowlist"], json!(["2001:db8::/48", "203.0.113.9"]));
    assert_eq!(right.body["burst_per_s"], 45);
    let (mut read, mut answered) = (person.get("/api/services/grpc").body, right.body);
    // How far it has come to gateways may have changed meanwhile.
    for body in [&mut read, &mut answered] {
        body["sync"] = Value::Null;
    }
    assert_eq!(read, answered);
    let many: Vec<_> = (0..21).map(|number| format!("203.0.113.{number}")).collect();
    assert_eq!(
        change(json!({"ip_allowlist": many})).body["errors"][0]["message"],
        "give at most 20 addresses and networks"
    );
}

#[test]
fn a_key_lives_from_its_creation_to_its_deletion() {
    let server = Server::start();
    let person = customer(&server);
    let created = create(&person, json!({"name": "first", "network": "testnet", "is_revealable": true}));
    assert_eq!(created.status, 201, "{created:?}");
    let text = created.body["text"].as_str().unwrap();
    let secrets = Secrets::load(&server.folder.path().join("secrets.toml")).unwrap();
    let meta = decode(&ApiKeySecret(*secrets.api_key), text).unwrap();
    assert_eq!(
        (meta.customer.get(), meta.network.name()),
        (u32::try_from(person.view["customer_id"].as_u64().unwrap()).unwrap(), "testnet")
    );
    let path = format!("{KEYS}/{}", id(&created));
    let act = |action: &str| person.send("POST", &format!("{path}/{action}"), None);
    assert_eq!(act("reveal").body["text"], text);
    assert_eq!(act("revoke").body["state"], "revoked");
    assert_eq!(act("revoke").body["state"], "revoked", "again changes nothing");
    let refused = person.send("POST", &format!("{path}/rotate"), Some(json!({"overlap_s": 60})));
    assert_eq!((refused.status, refused.code()), (409, "key_state"));
    assert_eq!(act("enable").body["state"], "active");
    assert_eq!(person.send("PATCH", &path, Some(json!({"name": "second"}))).body["name"], "second");
    let wrong = person.send("PATCH", &path, Some(json!({"name": "", "expires_at": "yesterday"})));
    assert_eq!((wrong.status, wrong.body["errors"].as_array().unwrap().len()), (422, 2), "{wrong:?}");
    let rotated = person.send("POST", &format!("{path}/rotate"), Some(json!({"overlap_s": 60})));
    assert_eq!((rotated.status, rotated.body["rotated_from"].as_str()), (201, Some(id(&created).as_str())));
    assert_ne!(rotated.body["text"], text);
    let prolonged = person.send("PATCH", &path, Some(json!({"expires_at": ""})));
    assert_eq!((prolonged.status, prolonged.code()), (409, "key_state"), "a rotated key ends with its overlap");
    let listed = person.get(KEYS).body;
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, ["second", "second"]);
    assert!(listed["items"][0]["expires_at"].is_string(), "the old key ends by itself: {listed}");
    assert!(!listed.to_string().contains(text), "a list shows no key");
    assert_eq!(person.send("DELETE", &path, None).body["state"], "deleted");
    assert_eq!(person.send("DELETE", &path, None).status, 404);
    let once = create(&person, json!({}));
    assert_eq!(once.body["name"], "api-key-2");
    let reveal = person.send("POST", &format!("{KEYS}/{}/reveal", id(&once)), None);
    assert_eq!((reveal.status, reveal.code()), (409, "not_revealable"));
    let files = std::fs::read(server.folder.path().join("data/ledger.db-wal")).unwrap();
    assert!(!files.windows(text.len()).any(|window| window == text.as_bytes()), "keys are at rest only encrypted");
}

#[test]
fn lists_are_read_page_by_page() {
    let server = Server::start();
    let person = customer(&server);
    let all: Vec<_> = (0..5).map(|_| id(&create(&person, json!({})))).collect();
    let mut seen = Vec::new();
    let mut path = format!("{KEYS}?limit=2");
    loop {
        let page = person.get(&path).body;
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["api_key_id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{KEYS}?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(all.iter().all(|id| seen.contains(id)));
    assert_eq!(person.get(&format!("{KEYS}?cursor=nonsense")).code(), "invalid_cursor");
}

#[test]
fn fifty_at_once_never_make_more_keys_than_there_can_be() {
    let server = Server::start();
    let person = customer(&server);
    let statuses: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(|| create(&person, json!({})).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 45, "{statuses:?}");
    assert_eq!(person.get(KEYS).body["items"].as_array().unwrap().len(), 5);
    let refused = create(&person, json!({}));
    assert_eq!(refused.code(), "creations_limited");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 3000, "{refused:?}");
}

#[test]
fn rotating_again_and_again_never_makes_more_keys_than_there_can_be() {
    let server = Server::start();
    // Waits for the server's own writes by itself.
    let ledger = rusqlite::Connection::open(server.folder.path().join("data/ledger.db")).unwrap();
    let person = customer(&server);
    let mut key = id(&create(&person, json!({})));
    // As if every hour had passed: the limit of an hour is not what is tested.
    let an_hour_passes = || {
        let earlier = "UPDATE api_keys SET created_at_ms = created_at_ms - 3600000";
        ledger.execute(earlier, ()).unwrap();
    };
    let outcomes: Vec<_> = (0..14)
        .map(|_| {
            an_hour_passes();
            let path = format!("{KEYS}/{key}/rotate");
            let answer = person.send("POST", &path, Some(json!({"overlap_s": 2_592_000})));
            if answer.status == 201 {
                key = id(&answer);
            }
            answer.status
        })
        .collect();
    let live = person.get(&format!("{KEYS}?limit=200")).body["items"].as_array().unwrap().len();
    assert!(outcomes.contains(&409) && live <= 11, "{live} keys after {outcomes:?}");
}

#[test]
fn keys_tell_when_they_were_last_used_and_how_often_in_a_day() {
    let server = Server::start();
    let person = customer(&server);
    let (used, unused) = (create(&person, json!({})), create(&person, json!({})));
    let number = person.get("/api/customer").body["customer_id"].as_u64().unwrap();
    let now = Clock::System.now();
    let line = |ago_ms: i64, counter: u64, fingerprint: &Value| {
        let ts = now.plus_ms(-ago_ms).0;
        let fingerprint = fingerprint.as_u64().unwrap();
        format!(
            "s1 {ts} 1 7 {counter} {counter} {number} 2 1 1 0 {fingerprint:X} 203.0.113.9 51234 20002 GET /v1 200 1 1 \
             0/0/0/0/1/2/3 ---- be_grpc s1 1\n"
        )
    };
    let key = &used.body["fingerprint"];
    // Two of today, one of the day before yesterday, and one with a key that is nobody's.
    let text = [line(48 * 3_600_000, 1, key), line(5000, 2, key), line(3000, 3, key), line(1000, 4, &json!(1))];
    std::fs::write(server.folder.path().join("ha.log"), text.concat()).unwrap();
    let usage = || person.get("/api/services/grpc/api-keys/usage").body;
    let of = |counted: &Value, key: &crate::server::Answer| {
        let mut items = counted["items"].as_array().unwrap().iter();
        items.find(|item| item["api_key_id"] == key.body["api_key_id"]).unwrap().clone()
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    let counted = loop {
        let counted = usage();
        // Two keys of the same millisecond are in the order of their ids.
        if of(&counted, &used)["requests_24h"] == 2 {
            break counted;
        }
        assert!(Instant::now() < deadline, "{counted}");
        thread::sleep(Duration::from_millis(100));
    };
    let items = counted["items"].as_array().unwrap();
    assert_eq!(of(&counted, &used)["last_used_at"], now.plus_ms(-3000).to_string());
    assert_eq!(of(&counted, &unused)["requests_24h"], 0);
    assert!(of(&counted, &unused).get("last_used_at").is_none() && items.len() == 2, "{counted}");
    create(&person, json!({}));
    assert_eq!(usage()["items"].as_array().unwrap().len(), 3, "a new key shows at once");
}
