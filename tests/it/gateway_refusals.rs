//! Each refusal of a real HAProxy: its status, what the customer is told, and its line in the log.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use suiftly::core::haproxy_map::KeyHash;
use suiftly::core::id::{Network, Service};
use suiftly::core::vault::{ApiEntry, ApiVault, Limits, Status, VaultCode, VaultKey};
use tokio::time::{sleep, sleep_until};

use crate::gateway_world::{Kind, Running, SEAL, World, customer, entry, in_seconds, key};

/// A world whose Seal vault is in force.
async fn obeying(kind: Kind, vault: &ApiVault) -> (World, Running) {
    let mut world = World::start(kind).await;
    let agent = world.agent();
    let sequence = world.vaults.publish(SEAL, vault);
    agent.applied(SEAL, sequence).await;
    (world, agent)
}

fn with(status: Status, name: &str) -> ApiEntry {
    ApiEntry { status, ..entry(&[name], 10, 10) }
}

fn listed(name: &str, networks: &[&str]) -> ApiEntry {
    let mut networks: Vec<_> = networks.iter().map(|network| network.parse().unwrap()).collect();
    networks.sort();
    ApiEntry { allowlist: Some(networks), ..entry(&[name], 1000, 0) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_has_its_status_its_reason_and_its_line() {
    let mut expired = entry(&["E"], 10, 0);
    expired.keys[0].expires_at = Some(in_seconds(-2));
    let mut vault: ApiVault = [(customer(1), entry(&["A"], 1000, 0)), (customer(2), expired)].into();
    let off = Status::ALL.into_iter().filter(|status| !status.is_on()).zip(10..);
    for (status, number) in off.clone() {
        vault.insert(customer(number), with(status, &format!("OFF{number}")));
    }
    vault.insert(customer(3), listed("L", &["203.0.113.0/24"]));
    let one_address = Limits { per_ip_per_s: 1, ..entry(&[], 1000, 0).limits };
    vault.insert(customer(4), ApiEntry { limits: one_address, ..entry(&["P"], 0, 0) });
    vault.insert(customer(5), entry(&["R"], 1, 0));
    let (mut world, agent) = obeying(Kind::Sources, &vault).await;
    let testnet = VaultCode::api(Service::Seal, Network::Testnet);
    let grpc = VaultCode::api(Service::Grpc, Network::Mainnet);
    for (code, name) in [(testnet, "T"), (grpc, "G")] {
        let sequence = world.vaults.publish(code, &[(customer(6), entry(&[name], 10, 0))].into());
        agent.applied(code, sequence).await;
    }
    // The one request that each of these may send in this second.
    assert_eq!((world.ask(&key("P")).await.0, world.ask(&key("R")).await.0), (200, 200));
    let mut cases = vec![
        (String::new(), 401, "\"code\":\"key_missing\"", (3, 10, None)),
        ("short".to_owned(), 401, "\"code\":\"key_malformed\"", (3, 12, None)),
        (key("nobody"), 401, "\"code\":\"key_unknown\"", (3, 31, None)),
        (key("E"), 401, "\"code\":\"key_expired\"", (3, 31, Some(2))),
        (key("G"), 401, "\"code\":\"key_of_other_service\"", (3, 30, Some(6))),
        (key("T"), 401, "\"code\":\"key_of_other_network\"", (3, 30, Some(6))),
        (key("L"), 403, "\"code\":\"ip_not_allowed\"", (3, 20, Some(3))),
        (key("P"), 429, "\"code\":\"ip_rate_limited\"", (5, 21, Some(4))),
        (key("R"), 429, "\"code\":\"rate_limited\"", (4, 0, Some(5))),
    ];
    let reasons: Vec<(String, u32)> =
        off.map(|(status, number)| (format!("\"reason\":\"{}\"", status.name()), number)).collect();
    cases.extend(
        reasons
            .iter()
            .map(|(reason, number)| (key(&format!("OFF{number}")), 503, reason.as_str(), (6, 0, Some(*number)))),
    );
    for (key, status, told, _) in &cases {
        let (answered, answer) = world.ask(key).await;
        assert_eq!(answered, *status, "{told}: {answer}");
        assert!(answer.contains(told) && answer.contains("content-type: application/problem+json"), "{told}: {answer}");
        if *status == 429 {
            for header in ["retry-after: 1\r\n", "ratelimit-limit: 1\r\n", "ratelimit-remaining: 0\r\n"] {
                assert!(answer.contains(header), "{header}: {answer}");
            }
        }
    }
    let lines = world.log_lines(cases.len() + 2).await;
    let expected: Vec<_> =
        cases.iter().map(|(_, status, _, (class, event, customer))| (*class, *event, *customer, *status)).collect();
    assert_eq!(lines[2..], expected);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_ends_by_itself() {
    let mut ending = entry(&["E", "F"], 1000, 0);
    ending.keys.iter_mut().filter(|one| one.sha256 == KeyHash::of(&key("E"))).for_each(|one: &mut VaultKey| {
        one.expires_at = Some(in_seconds(4));
    });
    let (world, agent) = obeying(Kind::Plain, &[(customer(1), ending)].into()).await;
    assert_eq!((world.ask(&key("E")).await.0, world.ask(&key("F")).await.0), (200, 200));
    sleep(Duration::from_millis(5100)).await;
    assert_eq!((world.ask(&key("E")).await.0, world.ask(&key("F")).await.0), (401, 200));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowlist_lets_in_its_networks_and_nobody_else() {
    // As many networks as anybody may have, besides those that are tried.
    let many: Vec<String> = (0..990).map(|n| format!("198.18.{}.{}/32", n / 250, n % 250)).collect();
    let tried =
        ["203.0.113.7/32", "203.0.112.0/23", "10.0.0.0/9", "2001:db8::1/128", "2001:db8:8::/45", "2001:db8:ff00::/40"];
    // A network that holds another is never in a vault, so the first one goes elsewhere.
    let mut networks: Vec<&str> = many.iter().map(String::as_str).chain(tried[1..].iter().copied()).collect();
    networks.push("198.51.100.7/32");
    let vault: ApiVault =
        [(customer(1), listed("A", &networks)), (customer(2), listed("B", &["2001:db8::/32"]))].into();
    let (world, agent) = obeying(Kind::Sources, &vault).await;
    for (name, source, allowed) in [
        ("A", "198.51.100.7", true),
        ("A", "198.51.100.8", false),
        ("A", "203.0.112.0", true),
        ("A", "203.0.113.255", true),
        ("A", "203.0.114.0", false),
        ("A", "203.0.111.255", false),
        ("A", "10.127.255.255", true),
        ("A", "10.128.0.0", false),
        ("A", "198.18.3.239", true),
        ("A", "198.18.3.240", false),
        ("A", "2001:db8::1", true),
        ("A", "2001:db8::2", false),
        ("A", "2001:db8:8::", true),
        ("A", "2001:db8:f:ffff:ffff:ffff:ffff:ffff", true),
        ("A", "2001:db8:10::", false),
        ("A", "2001:db8:ffab::9", true),
        ("A", "::ffff:203.0.113.9", true),
        ("B", "2001:db8:ffff::", true),
        ("B", "2001:db9::", false),
        ("B", "203.0.113.9", false),
    ] {
        let (status, answer) = world.ask_from(&key(name), source).await;
        assert_eq!(status, if allowed { 200 } else { 403 }, "{name} from {source}: {answer}");
    }
    agent.stop().await;
}

/// Sends requests of one key at an even pace, each on a connection of its own, and counts answers by status.
async fn send(world: &World, name: &str, per_s: u32, duration: Duration) -> BTreeMap<u16, u32> {
    let begun = Instant::now();
    let mut answers = Vec::new();
    let key = key(name);
    let mut number = 0;
    while begun.elapsed() < duration {
        sleep_until((begun + Duration::from_secs(number) / per_s).into()).await;
        number += 1;
        let (address, key) = (world.address(Service::Seal), key.clone());
        answers.push(tokio::spawn(async move { crate::gateway_world::get(address, &key).await.0 }));
    }
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.await.unwrap()).or_insert(0) += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tier_gets_its_limit_within_five_percent() {
    // Starter, Pro and Enterprise with their burst.
    let tiers = [("STA", 3, 0), ("PRO", 15, 45), ("ENT", 100, 300)];
    let vault: ApiVault =
        (1..).zip(tiers).map(|(number, (name, g, b))| (customer(number), entry(&[name], g, b))).collect();
    let (world, agent) = obeying(Kind::Plain, &vault).await;
    let sending = tiers.map(|(name, guaranteed, burst)| {
        let world = &world;
        async move {
            let limit = guaranteed + burst;
            // The first second is filled at once: what is exact is the pace after it.
            send(world, name, limit * 2, Duration::from_secs(2)).await;
            let begun = Instant::now();
            let counts = send(world, name, limit * 3 / 2, Duration::from_secs(10)).await;
            let seconds = begun.elapsed().as_secs_f64();
            let rate = f64::from(counts.get(&200).copied().unwrap_or(0)) / seconds;
            (name, f64::from(limit), rate, counts)
        }
    });
    for (name, limit, rate, counts) in futures_util::future::join_all(sending).await {
        assert!((rate - limit).abs() <= limit * 0.05, "{name}: {rate:.2}/s of {limit}: {counts:?}");
        assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [200, 429], "{name}");
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_saturation_guaranteed_requests_go_before_those_within_burst() {
    let mut world = World::start_with(Kind::Plain, |settings| {
        settings.services.iter_mut().for_each(|service| service.upstream_max_connections = 4);
    })
    .await;
    let agent = world.agent();
    let vault = [(customer(1), entry(&["CALM"], 1000, 0)), (customer(2), entry(&["BURSTS"], 1, 10_000))].into();
    let sequence = world.vaults.publish(SEAL, &vault);
    agent.applied(SEAL, sequence).await;
    // Four at a time, 40 ms each: 100 a second, of which twice as many are asked for.
    world.backend.delay_ms.store(40, Ordering::SeqCst);
    let times = |name: &'static str, per_s: u32| {
        let (address, key) = (world.address(Service::Seal), key(name));
        async move {
            let begun = Instant::now();
            let mut asked = Vec::new();
            let mut number = 0;
            while begun.elapsed() < Duration::from_secs(3) {
                sleep_until((begun + Duration::from_secs(number) / per_s).into()).await;
                number += 1;
                let key = key.clone();
                asked.push(tokio::spawn(async move {
                    let begun = Instant::now();
                    let (status, _) = crate::gateway_world::get(address, &key).await;
                    (status, begun.elapsed())
                }));
            }
            let mut times = Vec::new();
            for one in asked {
                let (status, time) = one.await.unwrap();
                assert!(matches!(status, 200 | 503), "{name}: {status}");
                times.push(time);
            }
            times.sort();
            times[times.len() / 2]
        }
    };
    let (bursts, calm) = tokio::join!(times("BURSTS", 180), times("CALM", 20));
    assert!(calm < Duration::from_millis(300), "guaranteed {calm:?}, burst {bursts:?}");
    assert!(bursts > calm * 3, "guaranteed {calm:?}, burst {bursts:?}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_and_its_successor_are_never_refused_while_both_are_valid() {
    let (mut world, agent) = obeying(Kind::Plain, &[(customer(1), entry(&["K0"], 5000, 0))].into()).await;
    let address = world.address(Service::Seal);
    // Whoever uses the newest key of which it has been told, all the time.
    let newest = std::sync::Arc::new(std::sync::Mutex::new("K0".to_owned()));
    let (stop, shared) = (tokio_util::sync::CancellationToken::new(), newest.clone());
    let (until, told) = (stop.clone(), shared.clone());
    let asking = tokio::spawn(async move {
        let mut statuses: BTreeMap<u16, u32> = BTreeMap::new();
        while !until.is_cancelled() {
            let name = told.lock().unwrap().clone();
            *statuses.entry(crate::gateway_world::get(address, &key(&name)).await.0).or_default() += 1;
        }
        statuses
    });
    for round in 1..15 {
        let (old, new) = (format!("K{}", round - 1), format!("K{round}"));
        let sequence = world.vaults.publish(SEAL, &[(customer(1), entry(&[&old, &new], 5000, 0))].into());
        agent.applied(SEAL, sequence).await;
        new.clone_into(&mut newest.lock().unwrap());
        // The overlap ends once nobody can still be using the old one.
        sleep(Duration::from_millis(50)).await;
        let sequence = world.vaults.publish(SEAL, &[(customer(1), entry(&[&new], 5000, 0))].into());
        agent.applied(SEAL, sequence).await;
        assert_eq!(world.ask(&key(&old)).await.0, 401);
    }
    stop.cancel();
    let statuses = asking.await.unwrap();
    assert_eq!(statuses.keys().copied().collect::<Vec<_>>(), [200], "{statuses:?}");
    agent.stop().await;
}
