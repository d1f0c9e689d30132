//! Seal keys: through the API of a real server, and onto a chain on which everything goes wrong.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suiftly::app::{App, Caller, Credential, NewSealKey, SealKeyAction, ServiceAction};
use suiftly::chain::{Chain, Fault, SimChain};
use suiftly::clock::Clock;
use suiftly::core::billing::{CreditReason, Event};
use suiftly::core::calendar::UtcMillis;
use suiftly::core::customer::Customer;
use suiftly::core::id::{CustomerId, SealKeyId, Service, SessionId};
use suiftly::core::money::Usd;
use suiftly::ledger::customer::insert_customer;
use tempfile::TempDir;

use crate::server::{Answer, Server};
use crate::support::{CUSTOMER, FIRST_LINE_MS, app};
use crate::wallet::{SignedIn, Wallet};

const KEYS: &str = "/api/services/seal/keys";

fn address(digit: char) -> String {
    format!("0x{}", String::from(digit).repeat(64))
}

fn customer(server: &Server) -> SignedIn<'_> {
    let person = Wallet::new().sign_in(server).with_credit(1000);
    assert_eq!(person.send("POST", "/api/services/seal/subscribe", Some(json!({"tier": "pro"}))).status, 200);
    person
}

fn create(person: &SignedIn<'_>) -> Answer {
    person.send("POST", KEYS, Some(json!({})))
}

fn path(answer: &Answer) -> String {
    format!("{KEYS}/{}", answer.body["seal_key_id"].as_str().unwrap())
}

/// The keys as they are once all of them are registered.
fn registered(person: &SignedIn<'_>) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let items = person.get(KEYS).body["items"].as_array().unwrap().clone();
        if items.iter().all(|item| item["registration"]["state"] == "registered") {
            return items;
        }
        assert!(Instant::now() < deadline, "{items:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_seal_key_is_created_registered_changed_and_deleted() {
    let server = Server::start();
    let stranger = Wallet::new().sign_in(&server);
    assert_eq!(create(&stranger).code(), "service_state");
    let person = customer(&server);
    let first = create(&person);
    assert_eq!((first.status, first.body["name"].as_str()), (201, Some("seal-key-1")), "{first:?}");
    let before = registered(&person)[0].clone();
    assert_eq!(before["registration"]["is_simulated"], true);
    assert_eq!(before["registration"]["public_key"].as_str().unwrap().len(), 2 + 192);
    let named = person.send("PATCH", &path(&first), Some(json!({"name": "vault", "is_enabled": false})));
    assert_eq!((named.body["name"].as_str(), named.body["is_enabled"].as_bool()), (Some("vault"), Some(false)));
    let packages = format!("{}/packages", path(&first));
    let wrong = person.send("POST", &packages, Some(json!({"address": "0x2", "name": ""})));
    let fields: Vec<_> = wrong.body["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!((wrong.status, fields), (422, vec![json!("address"), json!("name")]));
    let added = person.send("POST", &packages, Some(json!({"address": address('A')})));
    assert_eq!((added.status, added.body["packages"][0]["name"].as_str()), (201, Some("package-1")), "{added:?}");
    assert_eq!(added.body["packages"][0]["address"], address('a'));
    let twice = person.send("POST", &packages, Some(json!({"address": address('a')})));
    assert_eq!((twice.status, twice.code()), (409, "already_exists"));
    let package = format!("{packages}/{}", added.body["packages"][0]["seal_package_id"].as_str().unwrap());
    assert_eq!(person.send("PATCH", &package, Some(json!({"name": "x"}))).body["packages"][0]["name"], "x");
    let after = registered(&person)[0].clone();
    assert_eq!(after["registration"], before["registration"], "the same object and key, updated");
    assert_eq!(person.send("DELETE", &package, None).body["packages"], json!([]));
    assert_eq!(person.send("DELETE", &package, None).status, 404);
    assert_eq!(person.send("DELETE", &path(&first), None).status, 200);
    assert_eq!(person.send("PATCH", &path(&first), Some(json!({"name": "y"}))).status, 404);
    assert_eq!(person.get(KEYS).body["items"], json!([]));
    let second = create(&person);
    assert_eq!((&second.body["name"], &second.body["derivation_index"]), (&json!("seal-key-1"), &json!(2)));
}

#[test]
fn limits_hold_also_for_requests_at_once_and_pages_go_on() {
    let server = Server::start();
    let person = customer(&server);
    let answers: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = (0..20).map(|_| scope.spawn(|| create(&person))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(created.len(), 5, "five an hour");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "creations_limited"));
    let packages = format!("{}/packages", path(created[0]));
    for digit in "0123456789".chars() {
        assert_eq!(person.send("POST", &packages, Some(json!({"address": address(digit)}))).status, 201);
    }
    let full = person.send("POST", &packages, Some(json!({"address": address('f')})));
    assert_eq!((full.status, full.code()), (409, "limit_reached"), "{full:?}");
    let mut seen = Vec::new();
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let page = person.get(&format!("{KEYS}?limit=2{cursor}")).body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["derivation_index"].as_u64().unwrap()));
        next = page["next_cursor"].as_str().map(|cursor| format!("&cursor={cursor}"));
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    assert_eq!(person.get(&format!("{KEYS}?cursor=nonsense")).code(), "invalid_cursor");
}

/// A customer with Seal on, on a chain of the test's own.
struct Owner {
    _folder: TempDir,
    app: App,
    caller: Caller,
}

impl Owner {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (app, _) = app(folder.path(), Clock::settable(UtcMillis(FIRST_LINE_MS)));
        let id = CustomerId::new(CUSTOMER).unwrap();
        let customer = Customer::new(id, format!("0x{CUSTOMER:064x}").parse().unwrap(), UtcMillis(FIRST_LINE_MS));
        app.ledger.write(move |tx| insert_customer(tx, &customer)).await.unwrap();
        let credit =
            Event::GrantCredit { reason: CreditReason::Promo, amount: Usd::from_dollars(1000), expires_at: None };
        app.bill(id, credit).await.unwrap();
        let credential = Credential::Session(SessionId::new([0; 15]));
        let caller = Caller { customer: id, credential, ip: IpAddr::from([127, 0, 0, 1]) };
        let subscribe = ServiceAction::Subscribe(serde_json::from_value(json!({"tier": "pro"})).unwrap());
        app.act_on_service(&caller, None, Service::Seal, subscribe).await.unwrap();
        Self { _folder: folder, app, caller }
    }

    fn chain(&self) -> &SimChain {
        let Chain::Sim(sim) = &self.app.chain;
        sim
    }

    async fn create(&self) -> SealKeyId {
        let new: NewSealKey = serde_json::from_value(json!({})).unwrap();
        let created = self.app.create_seal_key(&self.caller, None, new).await.unwrap();
        created.seal_key_id.parse().unwrap()
    }

    async fn add_package(&self, key: &SealKeyId, digit: char) {
        let new = serde_json::from_value(json!({"address": address(digit)})).unwrap();
        self.app.act_on_seal_key(&self.caller, None, key.as_str(), SealKeyAction::AddPackage(new)).await.unwrap();
    }

    async fn state(&self) -> (String, Option<String>) {
        let page = self.app.list_seal_keys(&self.caller, None, 10).await.unwrap();
        let registration = page.items[0].registration.clone();
        (registration.state, registration.last_error)
    }

    fn pass_seconds(&self, seconds: i64) {
        self.app.clock.set(self.app.clock.now().plus_ms(seconds * 1000));
    }
}

#[tokio::test]
async fn failures_are_tried_again_after_growing_pauses_and_make_one_object() {
    let owner = Owner::new().await;
    let key = owner.create().await;
    owner.chain().inject([Fault::Drop, Fault::LoseAnswer, Fault::Drop]);
    // The first is repeated at once, the second after 5 s.
    let next = owner.app.register_due_seal_keys().await.unwrap().unwrap();
    assert_eq!(next, owner.app.clock.now().plus_ms(5_000));
    assert_eq!(owner.state().await, ("queued".to_owned(), Some("the chain did not answer".to_owned())));
    owner.pass_seconds(5);
    let next = owner.app.register_due_seal_keys().await.unwrap().unwrap();
    assert_eq!(next, owner.app.clock.now().plus_ms(15_000));
    owner.add_package(&key, 'c').await;
    assert_eq!(owner.app.register_due_seal_keys().await.unwrap(), Some(next), "a change hurries nothing");
    owner.pass_seconds(15);
    assert_eq!(owner.app.register_due_seal_keys().await.unwrap(), None);
    assert_eq!(owner.state().await, ("registered".to_owned(), None));
    let object = owner.chain().seal_key(&key).unwrap();
    assert_eq!((object.version, object.packages, owner.chain().created()), (2, vec![address('c').parse().unwrap()], 1));
}

#[tokio::test]
async fn changes_while_it_is_registered_are_one_update_after_it() {
    let owner = Owner::new().await;
    let key = owner.create().await;
    owner.chain().inject([Fault::Delay(200)]);
    let changing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(owner.state().await.0, "processing");
        owner.add_package(&key, '1').await;
        owner.add_package(&key, '2').await;
    };
    let (registered, ()) = tokio::join!(owner.app.register_due_seal_keys(), changing);
    assert_eq!(registered.unwrap(), None);
    let object = owner.chain().seal_key(&key).unwrap();
    assert_eq!((object.version, object.packages.len(), owner.chain().created()), (3, 2, 1));
}

#[tokio::test]
async fn the_chain_is_told_that_a_key_is_off_and_that_it_is_gone() {
    let owner = Owner::new().await;
    let key = owner.create().await;
    let act = |action| owner.app.act_on_seal_key(&owner.caller, None, key.as_str(), action);
    for (json, is_enabled, version) in
        [("{}", true, 1), (r#"{"is_enabled": false}"#, false, 2), (r#"{"is_enabled": true, "name": "x"}"#, true, 3)]
    {
        act(SealKeyAction::Change(serde_json::from_str(json).unwrap())).await.unwrap();
        assert_eq!(owner.app.register_due_seal_keys().await.unwrap(), None);
        let object = owner.chain().seal_key(&key).unwrap();
        assert_eq!((object.is_enabled, object.version), (is_enabled, version), "{json}");
    }
    act(SealKeyAction::Delete).await.unwrap();
    owner.chain().inject([Fault::LoseAnswer]);
    for _ in 0..2 {
        assert_eq!(owner.app.register_due_seal_keys().await.unwrap(), None);
    }
    let object = owner.chain().seal_key(&key).unwrap();
    assert_eq!((object.is_enabled, object.version, owner.chain().created()), (false, 4, 1));
}

#[tokio::test]
async fn what_a_crash_left_half_done_is_done_again_and_what_was_deleted_is_not() {
    let owner = Owner::new().await;
    let (key, deleted) = (owner.create().await, owner.create().await);
    owner.app.act_on_seal_key(&owner.caller, None, deleted.as_str(), SealKeyAction::Delete).await.unwrap();
    owner.chain().inject([Fault::Delay(60_000)]);
    // It dies while the chain has not answered.
    let died = tokio::time::timeout(Duration::from_millis(50), owner.app.register_due_seal_keys()).await;
    assert!(died.is_err());
    assert_eq!(owner.app.register_due_seal_keys().await.unwrap(), None, "nobody else takes it");
    assert_eq!(owner.state().await.0, "processing");
    owner.app.recover_registrations().await.unwrap();
    assert_eq!(owner.app.register_due_seal_keys().await.unwrap(), None);
    assert_eq!(owner.state().await.0, "registered");
    assert!(owner.chain().seal_key(&key).is_some() && owner.chain().seal_key(&deleted).is_none());
}
