//! What an agent does not believe: an HAProxy that says yes and does nothing, and a folder in which a vault is missing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use suiftly::core::id::{Network, Service};
use suiftly::core::vault::{ApiVault, VaultCode};
use suiftly::gateway::status::{AgentStatus, HaproxyState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;

use crate::gateway_world::{Kind, SEAL, World, customer, entry, file_name, get, key};

/// A socket in front of HAProxy's. While it is told so, changes of `keys.map` are answered as if they had been made, and
/// are not.
fn front(world: &mut World) -> Arc<AtomicBool> {
    let behind = PathBuf::from(&world.settings.admin_socket);
    let path = world.folder.path().join("front.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let swallows = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&swallows);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, behind.clone(), Arc::clone(&told)));
        }
    });
    world.settings.admin_socket = path.to_string_lossy().into_owned();
    swallows
}

async fn pass_on(mut client: UnixStream, behind: PathBuf, swallows: Arc<AtomicBool>) {
    let mut command = vec![0; 20_000];
    let mut length = 0;
    while length == 0 || command[length - 1] != b'\n' {
        match client.read(&mut command[length..]).await {
            Ok(more @ 1..) => length += more,
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&command[..length]).into_owned();
    let is_change = ["add map ", "set map ", "del map "].iter().any(|verb| text.starts_with(verb));
    let mut answer = Vec::new();
    if swallows.load(Ordering::SeqCst) && is_change && text.contains("keys.map") {
        answer.push(b'\n');
    } else {
        let Ok(mut server) = UnixStream::connect(&behind).await else { return };
        server.write_all(text.as_bytes()).await.unwrap();
        server.read_to_end(&mut answer).await.unwrap();
    }
    let _ = client.write_all(&answer).await;
}

fn with_keys(names: &[&str]) -> ApiVault {
    [(customer(7), entry(names, 1000, 10))].into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_haproxy_only_says_that_it_has_done_is_not_in_force() {
    let mut world = World::start(Kind::Plain).await;
    let swallows = front(&mut world);
    swallows.store(true, Ordering::SeqCst);
    let agent = world.agent();
    let not_taken =
        |problem: &Option<String>| problem.as_ref().is_some_and(|text| text.contains("has not taken the line"));
    // A whole map first, then a single line of it.
    let first = world.vaults.publish(SEAL, &with_keys(&["A", "B"]));
    let status = agent.until("it is noticed", |status| not_taken(&status.haproxy.problem)).await;
    assert_eq!((status.haproxy.state, status.vaults["sma"].applied), (HaproxyState::Behind, 0));
    swallows.store(false, Ordering::SeqCst);
    agent.applied(SEAL, first).await;
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("B")).await.0), (200, 200));

    swallows.store(true, Ordering::SeqCst);
    let second = world.vaults.publish(SEAL, &with_keys(&["B"]));
    let status = agent.until("it is noticed", |status| not_taken(&status.haproxy.problem)).await;
    assert_eq!(status.haproxy.state, HaproxyState::Behind);
    assert_ne!(status.vaults["sma"].applied, second);
    swallows.store(false, Ordering::SeqCst);
    agent.applied(SEAL, second).await;
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("B")).await.0), (401, 200));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_does_not_find_a_vault_that_was_in_force_changes_nothing() {
    let mut world = World::start(Kind::Plain).await;
    let grpc = VaultCode::api(Service::Grpc, Network::Mainnet);
    let agent = world.agent();
    let other = world.vaults.publish(grpc, &[(customer(8), entry(&["G"], 1000, 10))].into());
    agent.applied(grpc, other).await;
    let first = world.vaults.publish(SEAL, &with_keys(&["A"]));
    agent.applied(SEAL, first).await;
    agent.stop().await;

    let place = world.vaults.folder.join(file_name(grpc, other));
    let lost = std::fs::read(&place).unwrap();
    std::fs::remove_file(&place).unwrap();
    let second = world.vaults.publish(SEAL, &with_keys(&["B"]));
    let agent = world.agent();
    let is_missed =
        |problem: &Option<String>| problem.as_ref().is_some_and(|text| text.contains("rma 1, which was in force"));
    agent.until("it is missed", |status| is_missed(&status.source_problem) && status.vaults.contains_key("sma")).await;
    sleep(Duration::from_millis(1200)).await;
    // Whoever is in the vault that is lost goes on.
    assert_eq!(get(world.address(Service::Grpc), &key("G")).await.0, 200);
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("B")).await.0), (200, 401));
    world.vaults.put(&file_name(grpc, other), &lost);
    agent.applied(SEAL, second).await;
    assert_eq!(get(world.address(Service::Grpc), &key("G")).await.0, 200);
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("B")).await.0), (401, 200));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_haproxy_that_was_started_with_older_maps_is_said_to_have_them() {
    let mut world = World::start(Kind::Plain).await;
    let swallows = front(&mut world);
    let files = ["keys.map", "limits.map", "allowlist.map", "version.map"];
    let agent = world.agent();
    let first = world.vaults.publish(SEAL, &with_keys(&["A"]));
    agent.applied(SEAL, first).await;
    agent.stop().await;
    let old = files.map(|file| std::fs::read(world.folder.path().join(file)).unwrap());
    let agent = world.agent();
    let second = world.vaults.publish(SEAL, &with_keys(&["B"]));
    agent.applied(SEAL, second).await;
    agent.stop().await;
    for (file, content) in files.iter().zip(old) {
        std::fs::write(world.folder.path().join(file), content).unwrap();
    }
    world.restart().await;
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("B")).await.0), (200, 401));
    // It cannot be changed: what is told is what it has.
    swallows.store(true, Ordering::SeqCst);
    let agent = world.agent();
    let is_told = |status: &AgentStatus| status.vaults.get("sma").is_some_and(|vault| vault.applied == first);
    let status = agent.until("the first is told", is_told).await;
    assert_eq!((status.vaults["sma"].applied_hash.as_ref(), status.vaults["sma"].processing), (None, Some(second)));
    swallows.store(false, Ordering::SeqCst);
    agent.applied(SEAL, second).await;
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("B")).await.0), (401, 200));
    agent.stop().await;
}
