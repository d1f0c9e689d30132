//! Who must not spend more, or has not paid, is refused by a real HAProxy, which is told by the maps.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use suiftly::app::{App, Caller, Credential, Depth, ServiceAction, VaultBuilder};
use suiftly::clock::Clock;
use suiftly::core::api_key::{Access, ApiKeySecret, KeyMeta, ProcessGroup, encode};
use suiftly::core::api_key_life::ApiKeyTimes;
use suiftly::core::billing::{CreditReason, Event};
use suiftly::core::calendar::UtcMillis;
use suiftly::core::customer::Customer;
use suiftly::core::haproxy_map::KeyHash;
use suiftly::core::id::{ApiKeyId, CustomerId, Network, Service, SessionId};
use suiftly::core::money::Usd;
use suiftly::core::tier::Tier;
use suiftly::ledger::api_key::{StoredApiKey, insert_api_key};
use suiftly::ledger::customer::insert_customer;

use crate::billing_api::ok;
use crate::gateway_host::{of_world, subscribed, until};
use crate::gateway_world::{Kind, Running, SEAL, World, key};
use crate::server::Server;
use crate::support::app;

/// How many requests cost a cent by default: usage is charged in whole cents.
const OF_A_CENT: i64 = 100;
const CENT_MICROS: i64 = 10_000;

/// Real requests, whose lines are read and paid for, up to the customer's own cap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spend_cap_that_is_reached_stops_the_keys_within_seconds() {
    let world = World::start(Kind::Plain).await;
    let folder = tempfile::tempdir().unwrap();
    // What HAProxy logs is what the server reads.
    symlink(world.folder.path().join("requests.log"), folder.path().join("ha.log")).unwrap();
    let server = Server::start_in(folder, &of_world(&world, ""));
    let (person, key, _) = subscribed(&server);
    until(&world, &key, 200).await;
    let cap = json!({"amount_micros": CENT_MICROS, "hard_stop": true});
    let set = ok(person.send("PUT", "/api/billing/spend-cap", Some(cap)));
    assert_eq!(set["is_stopped"], false, "{set}");
    let mut served = 1;
    while served < OF_A_CENT {
        assert_eq!(world.ask(&key).await.0, 200, "request {served}");
        served += 1;
        // Slower than the limit, which would refuse it for another reason.
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    // The cap is reached by the line of the last one. The customer goes on asking, now and then.
    let reached = Instant::now();
    let answer = loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (status, answer) = world.ask(&key).await;
        if status != 200 {
            break answer;
        }
        served += 1;
        assert!(reached.elapsed() < Duration::from_secs(30), "{served} requests are served");
    };
    println!(
        "refused {} ms after the cap was reached, {} requests above it",
        reached.elapsed().as_millis(),
        served - OF_A_CENT
    );
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\"reason\":\"spend_cap\""), "{answer}");
    // The last of those that were served is in the books as well: more was spent than the cap says, and is shown.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let shown = ok(person.get("/api/billing"))["spend_cap"].clone();
        assert_eq!(shown["is_stopped"], true, "{shown}");
        if shown["spent_micros"] == served / OF_A_CENT * CENT_MICROS {
            break;
        }
        assert!(Instant::now() < deadline, "{served} requests were served: {shown}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Without a cap they work again.
    assert_eq!(person.send("DELETE", "/api/billing/spend-cap", None).status, 204);
    until(&world, &key, 200).await;
}

/// An application with nothing running, whose time is set, and one customer with Seal and a key.
struct Desk {
    app: Arc<App>,
    clock: Clock,
    caller: Caller,
    builder: VaultBuilder,
}

impl Desk {
    async fn new(app: App, clock: Clock) -> Self {
        let customer = CustomerId::new(7).unwrap();
        let now = clock.now();
        let new = Customer::new(customer, format!("0x{:064x}", 7).parse().unwrap(), now);
        app.ledger.write(move |tx| insert_customer(tx, &new)).await.unwrap();
        let credential = Credential::Session(SessionId::new([7; 15]));
        let caller = Caller { customer, credential, ip: [127, 0, 0, 1].into() };
        let desk = Self { app: Arc::new(app), clock, caller, builder: VaultBuilder::default() };
        desk.grant(29).await;
        let subscribe = Event::Subscribe { service: Service::Seal, tier: Tier::Pro };
        desk.app.bill(customer, subscribe).await.unwrap();
        desk.app.act_on_service(&desk.caller, None, Service::Seal, ServiceAction::Enable).await.unwrap();
        let stored = stored(customer, now);
        desk.app.ledger.write(move |tx| insert_api_key(tx, &stored)).await.unwrap();
        desk
    }

    async fn grant(&self, dollars: i32) {
        let (reason, amount) = (CreditReason::Promo, Usd::from_dollars(dollars));
        let event = Event::GrantCredit { reason, amount, expires_at: None };
        self.app.bill(self.caller.customer, event).await.unwrap();
    }

    /// Lets billing do what is due at a time.
    async fn at(&self, text: &str) {
        let at: jiff::Timestamp = text.parse().unwrap();
        assert!(self.clock.set(UtcMillis(at.as_millisecond())));
        self.app.run_billing().await.unwrap();
    }

    /// Writes what has changed into a vault, and waits until HAProxy has it.
    async fn obeyed(&mut self, agent: &Running) {
        let builder = std::mem::take(&mut self.builder);
        let (builder, updated) = self.app.clone().update_vaults(builder, Depth::Changes).await;
        self.builder = builder;
        let written = updated.unwrap().written;
        let (_, sequence) = written.iter().find(|(code, _)| *code == SEAL).expect("a vault of Seal");
        agent.applied(SEAL, *sequence).await;
    }
}

fn stored(customer: CustomerId, now: UtcMillis) -> StoredApiKey {
    let (service, network) = (Service::Seal, Network::Mainnet);
    let process_group = ProcessGroup::new(0).unwrap();
    let meta = KeyMeta { service, network, access: Access::Open, process_group, customer };
    let text = encode(&ApiKeySecret([7; 32]), &meta, [1; 4]);
    StoredApiKey {
        api_key: ApiKeyId::new([1; 15]),
        meta,
        name: "a key".to_owned(),
        fingerprint: text.fingerprint(),
        key_sha256: KeyHash::of(&key("A")).0,
        hint: text.hint(),
        ciphertext: None,
        times: ApiKeyTimes::created(now, None),
        rotated_from: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_not_paid_when_the_grace_is_over_is_refused_until_it_is_paid() {
    let world = World::start(Kind::Plain).await;
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::settable(UtcMillis("2026-11-16T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond()));
    let (app, _writer) = app(folder.path(), clock.clone());
    let agent = world.agent_of(app.vaults.folder().path(), app.vaults.opener());
    let mut desk = Desk::new(app, clock).await;
    desk.obeyed(&agent).await;
    assert_eq!(world.ask(&key("A")).await.0, 200);
    // The balance does not pay for December: a grace of fourteen days, in which everything goes on.
    desk.at("2026-12-01T01:00:00Z").await;
    assert_eq!(world.ask(&key("A")).await.0, 200);
    desk.at("2026-12-15T01:00:00Z").await;
    let suspended = Instant::now();
    desk.obeyed(&agent).await;
    let (status, answer) = world.ask(&key("A")).await;
    println!("refused {} ms after billing had suspended the service", suspended.elapsed().as_millis());
    assert!(status == 503 && answer.contains("\"reason\":\"unpaid\""), "{answer}");
    assert_eq!(world.log_lines(3).await[2], (6, 0, Some(7), 503));
    desk.grant(15).await;
    desk.obeyed(&agent).await;
    assert_eq!(world.ask(&key("A")).await.0, 200);
    agent.stop().await;
}
