//! The gateway agent with a real HAProxy: what vaults say is obeyed, whatever is killed, reloaded or damaged.

use std::time::Duration;

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use suiftly::core::haproxy_map::Maps;
use suiftly::core::vault::{ApiVault, Status};
use suiftly::gateway::map_files::write_maps;
use suiftly::gateway::status::HaproxyState;
use tokio::time::sleep;

use crate::gateway_world::{Kind, SEAL, World, customer, entry, file_name, key};

fn one(guaranteed: u32) -> ApiVault {
    [(customer(7), entry(&["A", "B"], guaranteed, 10))].into()
}

/// Many customers besides, so that a change of all of them is many changes.
fn crowd(count: u32, guaranteed: u32) -> ApiVault {
    let crowd = (1000..1000 + count).map(|number| (customer(number), entry(&[&format!("C{number}")], guaranteed, 10)));
    one(guaranteed).into_iter().chain(crowd).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_haproxy_obeys_each_vault_that_appears() {
    let mut world = World::start(Kind::Plain).await;
    let agent = world.agent();
    // Nothing is there yet, so that nothing is touched.
    assert_eq!(world.ask(&key("A")).await.0, 401);
    let first = world.vaults.publish(SEAL, &one(1000));
    let status = agent.applied(SEAL, first).await;
    assert_eq!((status.maps.keys, status.maps.limits, status.vaults["sma"].entries), (2, 1, 1));
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("B")).await.0), (200, 200));
    // A single line, then all lines at once, then back.
    let revoked: ApiVault = [(customer(7), entry(&["B"], 1000, 10))].into();
    let second = world.vaults.publish(SEAL, &revoked);
    agent.applied(SEAL, second).await;
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("B")).await.0), (401, 200));
    let third = world.vaults.publish(SEAL, &crowd(2000, 1000));
    let status = agent.applied(SEAL, third).await;
    assert_eq!((status.maps.keys, status.maps.limits), (2002, 2001));
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("C2999")).await.0), (200, 200));
    let fourth = world.vaults.publish(SEAL, &one(0));
    agent.applied(SEAL, fourth).await;
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("C2999")).await.0), (503, 401));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reloaded_and_a_restarted_haproxy_get_the_newest_state() {
    let mut world = World::start(Kind::Master).await;
    let agent = world.agent();
    let first = world.vaults.publish(SEAL, &one(1000));
    let before = agent.applied(SEAL, first).await.haproxy.pid;
    // The files are as old as a crash could leave them.
    sleep(Duration::from_millis(300)).await;
    write_maps(world.folder.path(), &Maps::default()).unwrap();
    let master = Pid::from_raw(i32::try_from(world.haproxy.id().unwrap()).unwrap()).unwrap();
    kill_process(master, Signal::USR2).unwrap();
    agent.until("the reload is noticed", |status| status.haproxy.pid.is_some_and(|pid| Some(pid) != before)).await;
    agent.applied(SEAL, first).await;
    assert_eq!(world.ask(&key("A")).await.0, 200);
    // Gone for a while, and back with what the files say.
    world.haproxy.kill().await.unwrap();
    let status = agent.until("its end is noticed", |status| status.haproxy.state == HaproxyState::Unreachable).await;
    assert!(status.haproxy.problem.unwrap().starts_with("cannot connect to HAProxy's socket"));
    let second = world.vaults.publish(SEAL, &crowd(10, 1000));
    agent.until("a vault waits", |status| status.vaults["sma"].processing == Some(second)).await;
    world.restart().await;
    agent.applied(SEAL, second).await;
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("C1009")).await.0), (200, 200));
    agent.stop().await;
}

/// As on a new host, where somebody has made the files by `touch`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_haproxy_that_was_started_with_empty_files_is_filled() {
    let mut world = World::start(Kind::Plain).await;
    for file in ["keys.map", "limits.map", "allowlist.map", "version.map"] {
        std::fs::write(world.folder.path().join(file), "").unwrap();
    }
    world.restart().await;
    let agent = world.agent();
    let first = world.vaults.publish(SEAL, &one(1000));
    let status = agent.applied(SEAL, first).await;
    assert_eq!((world.ask(&key("A")).await.0, status.haproxy.applications), (200, 1));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy_starts_with_the_files_that_the_agent_left() {
    let mut world = World::start(Kind::Plain).await;
    let agent = world.agent();
    let sequence = world.vaults.publish(SEAL, &one(1000));
    agent.applied(SEAL, sequence).await;
    agent.stop().await;
    world.restart().await;
    assert_eq!(world.ask(&key("A")).await.0, 200);
    let version = world.runtime().version().await.unwrap();
    assert!(version.unwrap().starts_with("2/sma.1-"));
    // An agent that begins finds everything done.
    let agent = world.agent();
    let status = agent.applied(SEAL, sequence).await;
    assert_eq!(status.haproxy.applications, 0);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_at_any_step_is_followed_by_one_that_finishes() {
    let mut world = World::start(Kind::Plain).await;
    let mut rng = Rng::with_seed(11);
    let mut sequence = 0;
    let agent = world.agent();
    sequence += world.vaults.publish(SEAL, &crowd(900, 1000));
    agent.applied(SEAL, sequence).await;
    agent.stop().await;
    for round in 0..25_u32 {
        let agent = world.agent();
        // Few changes or many, which are made in different ways.
        let guaranteed = 1000 + round;
        let vault = if rng.bool() { crowd(900, guaranteed) } else { crowd(900 - round, 1000) };
        sequence = world.vaults.publish(SEAL, &vault);
        sleep(Duration::from_micros(rng.u64(0..60_000))).await;
        agent.kill().await;
        // Whoever had a key and has one is served at any moment.
        assert_eq!(world.ask(&key("A")).await.0, 200, "round {round}");
    }
    let last = world.vaults.publish(SEAL, &[(customer(8), entry(&["D"], 5, 0))].into());
    assert_eq!(last, sequence + 1);
    let agent = world.agent();
    agent.applied(SEAL, last).await;
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("D")).await.0), (401, 200));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_was_changed_in_any_byte_or_is_not_the_newest_is_never_obeyed() {
    let mut world = World::start(Kind::Plain).await;
    let agent = world.agent();
    let first = world.vaults.publish(SEAL, &one(1000));
    agent.applied(SEAL, first).await;
    let off: ApiVault = [(customer(7), {
        let mut off = entry(&["A"], 5, 5);
        off.status = Status::Disabled;
        off
    })]
    .into();
    let (good, second, _) = world.vaults.seal(SEAL, &off);
    let name = file_name(SEAL, second);
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 1;
        assert!(world.vaults.opener.open(&bad).is_err(), "byte {place}");
    }
    for place in [0, 10, 20, 50, 90, 110, 125, 140, good.len() - 1] {
        let mut bad = good.clone();
        bad[place] ^= 1;
        world.vaults.put(&name, &bad);
        let status = agent.until("it is refused", |status| status.vaults["sma"].refused.is_some()).await;
        assert_eq!((status.vaults["sma"].applied, status.vaults["sma"].newest), (first, second), "byte {place}");
        std::fs::remove_file(world.vaults.folder.join(&name)).unwrap();
        agent.until("it is gone", |status| status.vaults["sma"].refused.is_none()).await;
        assert_eq!(world.ask(&key("A")).await.0, 200, "byte {place}");
    }
    // A good vault under another one's name, and one of the past.
    world.vaults.put(&file_name(SEAL, 9), &good);
    let status = agent.until("it is refused", |status| status.vaults["sma"].refused.is_some()).await;
    let reason = status.vaults["sma"].refused.clone().unwrap();
    assert!(reason.ends_with("it is another one than its name says"), "{reason}");
    std::fs::remove_file(world.vaults.folder.join(file_name(SEAL, 9))).unwrap();
    let second = world.vaults.publish(SEAL, &one(999));
    agent.applied(SEAL, second).await;
    let third = world.vaults.publish(SEAL, &one(998));
    agent.applied(SEAL, third).await;
    assert_eq!(world.ask(&key("A")).await.0, 200);
    agent.stop().await;
    // The files say what was taken: also an agent that begins anew does not go back.
    std::fs::remove_file(world.vaults.folder.join(file_name(SEAL, third))).unwrap();
    let agent = world.agent();
    agent.until("the older ones are seen", |status| status.vaults.contains_key("sma")).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(agent.status.read().vaults["sma"].applied, 0);
    assert_eq!(world.ask(&key("A")).await.0, 200);
    agent.stop().await;
}
