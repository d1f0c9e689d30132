//! Vaults from the ledger to the folder: what is written and when, after crashes, damage and restored backups, and what
//! customers are shown meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use suiftly::app::{App, Depth, VAULTS_FOLDER, VaultBuilder, VaultUpdate, Vaults, VaultsOptions};
use suiftly::clock::Clock;
use suiftly::config::Secrets;
use suiftly::core::api_key::{Access, ApiKeySecret, KeyMeta, ProcessGroup, encode};
use suiftly::core::api_key_life::ApiKeyTimes;
use suiftly::core::calendar::UtcMillis;
use suiftly::core::customer::Customer;
use suiftly::core::haproxy_map::KeyHash;
use suiftly::core::id::{ApiKeyId, CustomerId, Network, Service};
use suiftly::core::money::Usd;
use suiftly::core::service_instance::{ServiceInstance, ServiceState};
use suiftly::core::tier::Tier;
use suiftly::core::vault::sync::{Applied, GatewayReport, Hearing, SyncState};
use suiftly::core::vault::{ApiEntry, Content, Opened, Status, VaultCode};
use suiftly::ledger::api_key::{StoredApiKey, insert_api_key, save_api_key};
use suiftly::ledger::customer::insert_customer;
use suiftly::ledger::payment_terms::{StoredSpendCap, set_spend_cap};
use suiftly::ledger::service::save_service;
use suiftly::ledger::vault::newest_vault_version;
use suiftly::ledger::{LedgerError, WriteTx};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support;

const NOW: UtcMillis = UtcMillis(1_795_424_400_000);
const CODE: VaultCode = VaultCode::api(Service::Grpc, Network::Mainnet);

struct Place {
    folder: TempDir,
    clock: Clock,
    secrets: Secrets,
    app: Arc<App>,
    builder: VaultBuilder,
}

/// An application with these secrets, and nothing in memory.
fn opened(folder: &TempDir, clock: &Clock, secrets: &Secrets) -> App {
    let mut app = support::app(folder.path(), clock.clone()).0;
    app.vaults = Vaults::open(VaultsOptions {
        folder: folder.path().join(VAULTS_FOLDER),
        vault_keys: secrets.vault_keys.clone(),
        vault_signing: secrets.vault_signing.clone(),
        seal_network: Network::Mainnet,
    })
    .unwrap();
    app
}

fn id(number: u32) -> CustomerId {
    CustomerId::new(number).unwrap()
}

fn key(customer: u32, index: u32, expires_at: Option<UtcMillis>) -> StoredApiKey {
    let meta = KeyMeta {
        service: Service::Grpc,
        network: Network::Mainnet,
        access: Access::Open,
        process_group: ProcessGroup::new(0).unwrap(),
        customer: id(customer),
    };
    let text = encode(&ApiKeySecret([7; 32]), &meta, index.to_be_bytes());
    let mut random = [0; 15];
    random.copy_from_slice(&text.sha256()[..15]);
    StoredApiKey {
        api_key: ApiKeyId::new(random),
        meta,
        name: "a key".to_owned(),
        fingerprint: text.fingerprint(),
        key_sha256: text.sha256(),
        hint: text.hint(),
        ciphertext: None,
        times: ApiKeyTimes::created(NOW, expires_at),
        rotated_from: None,
    }
}

fn instance(state: ServiceState) -> ServiceInstance {
    ServiceInstance { state, tier: Some(Tier::Pro), paid_once: true, ..ServiceInstance::default() }
}

impl Place {
    /// Customers 1 to 3, each with an enabled service and a key.
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (clock, secrets) = (Clock::settable(NOW), support::secrets());
        let app = Arc::new(opened(&folder, &clock, &secrets));
        let place = Self { folder, clock, secrets, app, builder: VaultBuilder::default() };
        place
            .write(|tx| {
                for number in 1..=3 {
                    let wallet = format!("0x{number:064x}").parse().unwrap();
                    insert_customer(tx, &Customer::new(id(number), wallet, NOW))?;
                    save_service(tx, id(number), Service::Grpc, &instance(ServiceState::Enabled), NOW)?;
                    insert_api_key(tx, &key(number, 0, None))?;
                }
                Ok(())
            })
            .await;
        place
    }

    async fn write(&self, work: impl FnOnce(&WriteTx<'_>) -> Result<(), LedgerError> + Send + 'static) {
        self.app.ledger.write(work).await.unwrap();
    }

    async fn update(&mut self, depth: Depth) -> VaultUpdate {
        let builder = std::mem::take(&mut self.builder);
        let (builder, updated) = self.app.clone().update_vaults(builder, depth).await;
        self.builder = builder;
        updated.unwrap()
    }

    /// The sequence of the vault that tests look at, if it was written.
    async fn changed(&mut self, depth: Depth) -> Option<u64> {
        let written = self.update(depth).await.written;
        written.into_iter().find(|(code, _)| *code == CODE).map(|(_, sequence)| sequence)
    }

    fn opened(&self) -> Opened {
        let vaults = &self.app.vaults;
        let whole = vaults.folder().newest(CODE, vaults.opener()).unwrap().whole.unwrap();
        vaults.opener().open(&fs::read(&whole.file.path).unwrap()).unwrap()
    }

    fn entries(&self) -> BTreeMap<CustomerId, ApiEntry> {
        match self.opened().content {
            Content::Api(vault) => vault,
            Content::SealKeys(_) => unreachable!("another vault"),
        }
    }

    fn status(&self, customer: u32) -> Option<Status> {
        self.entries().get(&id(customer)).map(|entry| entry.status)
    }

    fn file(&self, sequence: u64) -> PathBuf {
        self.app.vaults.folder().path_of(CODE, sequence)
    }

    async fn revoke(&self, customer: u32) {
        let stored = key(customer, 0, None);
        let times = stored.times.revoke(NOW).unwrap();
        self.write(move |tx| save_api_key(tx, &StoredApiKey { times, ..stored })).await;
    }

    async fn noted(&self) -> Option<u64> {
        let noted = self.app.ledger.read(|tx| newest_vault_version(tx, CODE)).await;
        noted.map_err(|error: LedgerError| error).unwrap().map(|version| version.sequence)
    }

    async fn sync(&self, customer: u32) -> SyncState {
        self.app.spreads(id(customer)).await.unwrap()[&Service::Grpc].state
    }

    /// A gateway that has applied what the folder holds.
    fn applied(&self) -> GatewayReport {
        let newest = self.app.vaults.newest().borrow().clone();
        GatewayReport { hearing: Hearing::Reached, applied: newest, ..GatewayReport::default() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_written_when_its_content_changes_and_only_then() {
    let mut place = Place::new().await;
    let first = place.update(Depth::Changes).await.written;
    assert_eq!(first.len(), VaultCode::ALL.len(), "nobody is a vault, too: {first:?}");
    assert_eq!(place.entries().keys().copied().collect::<Vec<_>>(), [1, 2, 3].map(id));
    for depth in [Depth::Changes, Depth::Everything, Depth::Changes] {
        assert_eq!(place.update(depth).await, VaultUpdate::default());
    }
    place.revoke(2).await;
    assert_eq!(place.update(Depth::Changes).await.written, [(CODE, 2)]);
    assert_eq!(place.status(2), None);
    let (one, two) = (fs::read(place.file(1)).unwrap(), place.opened());
    assert_eq!(two.header.previous, place.app.vaults.opener().verify(&one).unwrap().1);
    assert_eq!(place.noted().await, Some(2));

    // To and fro between two looks is no change.
    place.write(|tx| save_service(tx, id(3), Service::Grpc, &instance(ServiceState::Disabled), NOW)).await;
    place.write(|tx| save_service(tx, id(3), Service::Grpc, &instance(ServiceState::Enabled), NOW)).await;
    assert_eq!(place.changed(Depth::Changes).await, None);
    place.write(|tx| save_service(tx, id(3), Service::Grpc, &instance(ServiceState::Disabled), NOW)).await;
    assert_eq!(place.changed(Depth::Changes).await, Some(3));
    assert_eq!((place.status(3), place.status(1)), (Some(Status::Disabled), Some(Status::On)));
}

#[tokio::test(flavor = "multi_thread")]
async fn time_alone_takes_keys_out_and_ends_stops() {
    let mut place = Place::new().await;
    place.write(|tx| insert_api_key(tx, &key(1, 1, Some(NOW.plus_ms(60_000))))).await;
    let november = "2026-11".parse().unwrap();
    let (spent, told_percent) = (Usd::ZERO, 100);
    let cap = StoredSpendCap { cap: None, hard_stop: true, month: november, spent, told_percent, stopped: true };
    place.write(move |tx| set_spend_cap(tx, id(2), cap, NOW)).await;
    place.update(Depth::Changes).await;
    assert_eq!((place.entries()[&id(1)].keys.len(), place.status(2)), (2, Some(Status::SpendCap)));

    place.clock.set(NOW.plus_ms(59_999));
    assert_eq!(place.changed(Depth::Changes).await, None);
    place.clock.set(NOW.plus_ms(60_000));
    assert_eq!(place.changed(Depth::Changes).await, Some(2));
    let keys: Vec<_> = place.entries()[&id(1)].keys.iter().map(|key| key.sha256).collect();
    assert_eq!(keys, [KeyHash(key(1, 0, None).key_sha256)]);

    place.clock.set(november.end());
    assert_eq!(place.changed(Depth::Changes).await, Some(3));
    assert_eq!(place.status(2), Some(Status::On));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_limit_goes_to_everybody() {
    let mut place = Place::new().await;
    place.update(Depth::Changes).await;
    let app = place.app.clone();
    let changing = move || suiftly::app::change_config_global(&app.ledger, "bglim_pro", "17", NOW);
    tokio::task::spawn_blocking(changing).await.unwrap().unwrap();
    assert_eq!(place.update(Depth::Changes).await, VaultUpdate { written: vec![(CODE, 2)], ..VaultUpdate::default() });
    assert!(place.entries().values().all(|entry| entry.limits.guaranteed_per_s == 17));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_is_taken_up_again() {
    let mut place = Place::new().await;
    place.update(Depth::Changes).await;
    // A process that forgets everything: nothing is written again.
    place.builder = VaultBuilder::default();
    assert_eq!(place.update(Depth::Changes).await.written, []);

    // The file was written and not noted.
    let before = Backup::of(&place);
    place.revoke(1).await;
    assert_eq!(place.changed(Depth::Changes).await, Some(2));
    before.restore(&mut place).await;
    assert_eq!(place.noted().await, Some(1), "the ledger is the older one");
    place.revoke(1).await;
    assert_eq!(place.changed(Depth::Changes).await, None, "the file says so already");
    assert_eq!(place.noted().await, Some(2));

    // A restored ledger that wants something else goes on from the file.
    before.restore(&mut place).await;
    assert_eq!(place.changed(Depth::Changes).await, Some(3));
    assert_eq!(place.status(1), Some(Status::On));

    // All files are lost: the ledger's sequence goes on.
    place.builder = VaultBuilder::default();
    for entry in fs::read_dir(place.folder.path().join(VAULTS_FOLDER)).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_eq!(place.changed(Depth::Changes).await, Some(4));
}

/// A copy of the ledger, as a backup would be.
struct Backup {
    copy: Vec<(String, Vec<u8>)>,
}

impl Backup {
    fn of(place: &Place) -> Self {
        let read = |file: &str| Some((file.to_owned(), fs::read(place.folder.path().join(file)).ok()?));
        Self { copy: ["ledger.db", "ledger.db-wal"].into_iter().filter_map(read).collect() }
    }

    async fn restore(&self, place: &mut Place) {
        let elsewhere = TempDir::new().unwrap();
        let other = Arc::new(support::app(elsewhere.path(), place.clock.clone()).0);
        let old = std::mem::replace(&mut place.app, other);
        tokio::task::spawn_blocking(move || old.ledger.close()).await.unwrap();
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            let _ = fs::remove_file(place.folder.path().join(name));
        }
        for (name, content) in &self.copy {
            fs::write(place.folder.path().join(name), content).unwrap();
        }
        place.app = Arc::new(opened(&place.folder, &place.clock, &place.secrets));
        place.builder = VaultBuilder::default();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_missing_file_is_replaced_by_a_higher_one() {
    let mut place = Place::new().await;
    place.update(Depth::Changes).await;
    let mut bytes = fs::read(place.file(1)).unwrap();
    bytes[200] ^= 1;
    fs::write(place.file(1), bytes).unwrap();
    assert_eq!(place.changed(Depth::Changes).await, None, "nothing was committed, so nobody looks");
    assert_eq!(place.changed(Depth::Everything).await, Some(2));
    fs::remove_file(place.file(2)).unwrap();
    assert_eq!(place.changed(Depth::Everything).await, Some(3));
    assert_eq!(place.entries().len(), 3);
    for _ in 0..30 {
        place.revoke(1).await;
        place.update(Depth::Changes).await;
        place.write(|tx| save_api_key(tx, &key(1, 0, None))).await;
        place.update(Depth::Changes).await;
    }
    let files = place.app.vaults.folder().list().unwrap();
    assert_eq!(files.iter().filter(|file| file.code == CODE).count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_pending_until_every_gateway_that_is_reached_has_it() {
    let mut place = Place::new().await;
    assert_eq!(place.sync(1).await, SyncState::Pending, "no vault is there yet");
    place.update(Depth::Changes).await;
    assert_eq!(place.sync(1).await, SyncState::Unknown);
    place.app.vaults.note_gateway(1, place.applied());
    place.app.vaults.note_gateway(2, place.applied());
    assert_eq!(place.sync(1).await, SyncState::Synced);

    place.revoke(1).await;
    assert_eq!(place.sync(1).await, SyncState::Pending);
    assert_eq!(place.sync(2).await, SyncState::Synced, "somebody else's change");
    place.update(Depth::Changes).await;
    assert_eq!(place.sync(1).await, SyncState::Pending);
    place.app.vaults.note_gateway(1, place.applied());
    assert_eq!(place.sync(1).await, SyncState::Pending);
    place.app.vaults.note_gateway(2, GatewayReport::default());
    assert_eq!(place.sync(1).await, SyncState::Synced, "who is not reached is not waited for");
    place.app.vaults.note_gateway(2, place.applied());
    assert_eq!(place.sync(1).await, SyncState::Synced);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_ahead_gets_a_version_beyond_its_own() {
    let mut place = Place::new().await;
    place.update(Depth::Changes).await;
    let foreign = Applied { sequence: 7, hash: suiftly::core::vault::VaultHash([9; 32]) };
    let mut report = place.applied();
    report.applied.insert(CODE, foreign);
    place.app.vaults.note_gateway(1, report);
    assert_eq!(place.sync(1).await, SyncState::Pending);
    tokio::time::timeout(std::time::Duration::from_secs(5), place.app.vaults.woken()).await.unwrap();
    assert_eq!(place.changed(Depth::Changes).await, Some(8));
    assert_eq!(place.changed(Depth::Changes).await, None, "it need not be done again before the gateway has answered");
    place.app.vaults.note_gateway(1, place.applied());
    assert_eq!(place.sync(1).await, SyncState::Synced);
    // One that has taken a version which it does not obey, or does not know any more, takes nothing older all the same.
    let taken = [(CODE, 20)].into();
    place.app.vaults.note_gateway(1, GatewayReport { taken, ..place.applied() });
    assert_eq!(place.changed(Depth::Changes).await, Some(21));
}

/// Changes the ledger beside it, as a damaged disk would.
fn damage(place: &Place, statement: &str) {
    let ledger = rusqlite::Connection::open(place.folder.path().join("ledger.db")).unwrap();
    ledger.execute_batch("PRAGMA ignore_check_constraints = ON").unwrap();
    assert_eq!(ledger.execute(statement, ()).unwrap(), 1, "{statement}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_cannot_be_in_a_vault_stops_nobody_elses_changes() {
    let mut place = Place::new().await;
    place.update(Depth::Changes).await;
    damage(
        &place,
        "UPDATE service_instances SET ip_allowlist = 'nowhere', ip_allowlist_enabled = 1 WHERE customer_id = 2",
    );
    place.revoke(1).await;
    for depth in [Depth::Changes, Depth::Everything] {
        let updated = place.update(depth).await;
        assert_eq!(updated.left_out, [id(2)].into(), "{updated:?}");
        assert_eq!(place.entries().keys().copied().collect::<Vec<_>>(), [id(3)]);
    }
    damage(&place, "UPDATE service_instances SET ip_allowlist = '' WHERE customer_id = 2");
    assert_eq!(place.update(Depth::Changes).await.left_out, [].into());
    assert_eq!(place.entries().keys().copied().collect::<Vec<_>>(), [2, 3].map(id));

    // More keys than a line has room for.
    place.write(|tx| (1..14_000).try_for_each(|index| insert_api_key(tx, &key(2, index, None)))).await;
    place.revoke(3).await;
    for depth in [Depth::Changes, Depth::Everything] {
        let updated = place.update(depth).await;
        assert_eq!(updated.left_out, [id(2)].into(), "{updated:?}");
        assert_eq!(place.entries(), [].into());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumped_and_is_right_again_has_changed_nothing() {
    let mut place = Place::new().await;
    place.write(|tx| insert_api_key(tx, &key(1, 1, Some(NOW.plus_ms(3_600_000))))).await;
    place.update(Depth::Changes).await;
    assert_eq!(place.entries()[&id(1)].keys.len(), 2);
    place.clock.set(NOW.plus_ms(7_200_000));
    place.update(Depth::Changes).await;
    assert_eq!(place.entries()[&id(1)].keys.len(), 1);
    place.clock.set(NOW.plus_ms(1000));
    let updated = place.update(Depth::Changes).await;
    assert_eq!(place.entries()[&id(1)].keys.len(), 2, "{updated:?}");
    assert_eq!(updated.drifted, 0);
    // And it ends when it does.
    place.clock.set(NOW.plus_ms(3_600_000));
    place.update(Depth::Changes).await;
    assert_eq!(place.entries()[&id(1)].keys.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_from_the_ledger_without_a_known_change_is_put_right() {
    let mut place = Place::new().await;
    place.update(Depth::Changes).await;
    // Changes that have no number, as if a trigger had been lost.
    damage(&place, "UPDATE service_instances SET state = 'disabled' WHERE customer_id = 2");
    damage(&place, "UPDATE service_instances SET tier = NULL WHERE customer_id = 3");
    forget_changes(&place, "customer_id IN (2, 3)");
    assert_eq!(place.update(Depth::Changes).await, VaultUpdate::default());
    let updated = place.update(Depth::Everything).await;
    assert_eq!((updated.drifted, updated.written), (2, vec![(CODE, 2)]));
    assert_eq!((place.status(1), place.status(2), place.status(3)), (Some(Status::On), Some(Status::Disabled), None));
    assert_eq!(place.update(Depth::Everything).await, VaultUpdate::default());
}

fn forget_changes(place: &Place, whose: &str) {
    let ledger = rusqlite::Connection::open(place.folder.path().join("ledger.db")).unwrap();
    assert!(ledger.execute(&format!("DELETE FROM vault_changes WHERE {whose}"), ()).unwrap() > 0, "{whose}");
}

/// Otherwise the task looks once a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_wakes_the_task_that_makes_vaults() {
    let place = Place::new().await;
    let mut newest = place.app.vaults.newest();
    let task = tokio::spawn(suiftly::jobs::run_vaults(place.app.clone(), Duration::from_secs(600)));
    let mut soonest = Duration::MAX;
    for round in 1..=6_u64 {
        let is_there =
            |newest: &BTreeMap<VaultCode, Applied>| newest.get(&CODE).is_some_and(|new| new.sequence == round);
        timeout(Duration::from_secs(30), newest.wait_for(is_there)).await.unwrap().unwrap();
        let state = if round % 2 == 0 { ServiceState::Enabled } else { ServiceState::Disabled };
        place.write(move |tx| save_service(tx, id(1), Service::Grpc, &instance(state), NOW)).await;
        let begun = Instant::now();
        let is_there =
            |newest: &BTreeMap<VaultCode, Applied>| newest.get(&CODE).is_some_and(|new| new.sequence == round + 1);
        timeout(Duration::from_secs(30), newest.wait_for(is_there)).await.unwrap().unwrap();
        soonest = soonest.min(begun.elapsed());
    }
    task.abort();
    assert!(soonest < Duration::from_millis(600), "{soonest:?}");
}
