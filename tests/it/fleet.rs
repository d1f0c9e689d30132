//! The fleet of gateways: what is known of it at any time, who is told, and what a restored primary does to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use suiftly::app::{App, AskNotifications, Fleet, seals};
use suiftly::clock::Clock;
use suiftly::config::Secrets;
use suiftly::core::calendar::UtcMillis;
use suiftly::core::gateway_fleet::{GatewayState, GatewayStatus};
use suiftly::core::vault::{Purpose, VaultOpener, VaultProof};
use suiftly::demo::haproxy::free_addresses;
use suiftly::random::random;
use suiftly::seal::VaultFolder;

use crate::gateway_host::{host, of_world, until};
use crate::gateway_world::{Kind, World};
use crate::server::Server;
use crate::support::{app, binary, create_secrets};
use crate::wallet::{SignedIn, Wallet};

const WITHIN: Duration = Duration::from_secs(60);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Secrets with tokens of these gateways.
fn secrets_in(folder: &Path, gateways: &[u8]) -> Secrets {
    let path = folder.join("secrets.toml");
    create_secrets(&path);
    let token = |number: &u8| format!("{number} = \"{}\"\n", HEXLOWER.encode(&random::<32>().unwrap()));
    let tokens: String = gateways.iter().map(token).collect();
    fs::write(&path, fs::read_to_string(&path).unwrap() + "[gateways]\n" + &tokens).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    Secrets::load(&path).unwrap()
}

/// A customer with Seal on: a key, and its number.
fn subscribe(person: &SignedIn<'_>) -> (String, String) {
    for (action, body) in [("subscribe", Some(json!({"tier": "enterprise"}))), ("enable", None)] {
        let answer = person.send("POST", &format!("/api/services/seal/{action}"), body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let created = person.send("POST", "/api/services/seal/api-keys", Some(json!({"name": "a", "network": "mainnet"})));
    assert_eq!(created.status, 201, "{created:?}");
    let text = |field: &str| created.body[field].as_str().unwrap().to_owned();
    (text("text"), text("api_key_id"))
}

fn sync_of(server: &Server, cookie: &str) -> String {
    let answer = server.send("GET", "/api/services/seal", &[("Cookie", cookie)], None);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["sync"].as_str().unwrap().to_owned()
}

/// Asks until the answer is right.
fn eventually<T: std::fmt::Debug>(what: &str, mut ask: impl FnMut() -> T, is_right: impl Fn(&T) -> bool) -> T {
    let begun = Instant::now();
    loop {
        let answer = ask();
        if is_right(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < WITHIN, "{what} does not happen: {answer:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn run(server: &Server, arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).arg("--config").arg(server.config()).output().unwrap()
}

fn told(server: &Server, arguments: &[&str]) -> Value {
    let output = run(server, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What an agent of a test does when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Has everything that the primary has in force.
    Obeys,
    OtherVersion,
    /// Says that it is another gateway.
    Another,
    /// Its host's clock stands at the beginning of time.
    OldClock,
    Breaks,
    /// Lets who asks wait until they have given up.
    Holds,
}

#[derive(Debug)]
struct Doing {
    mode: Mode,
    /// Whether somebody has given up waiting.
    has_given_up: bool,
}

/// The agent of a gateway on another host, without the host.
struct FakeAgent {
    address: String,
    doing: Arc<Mutex<Doing>>,
}

impl FakeAgent {
    fn start(number: u8, vaults: &Path, opener: VaultOpener) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let doing = Arc::new(Mutex::new(Doing { mode: Mode::Obeys, has_given_up: false }));
        let (vaults, shared) = (VaultFolder::at(vaults), doing.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mode = shared.lock().unwrap().mode;
                let version = if mode == Mode::OtherVersion { "9.9.9" } else { VERSION };
                let number = if mode == Mode::Another { 9 } else { number };
                match mode {
                    Mode::Obeys | Mode::OtherVersion | Mode::Another | Mode::OldClock => {
                        let date = if mode == Mode::OldClock { "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" } else { "" };
                        answer(stream.unwrap(), date, &status(number, version, &vaults, &opener));
                    }
                    Mode::Breaks => drop(stream),
                    Mode::Holds => {
                        let _ = stream.unwrap().read_to_end(&mut Vec::new());
                        shared.lock().unwrap().has_given_up = true;
                    }
                }
            }
        });
        Self { address, doing }
    }

    fn set(&self, mode: Mode) {
        *self.doing.lock().unwrap() = Doing { mode, has_given_up: false };
    }
}

fn answer(mut stream: TcpStream, date: &str, body: &Value) {
    let mut request = [0; 4000];
    let _ = stream.read(&mut request);
    let body = body.to_string();
    let length = body.len();
    let _ = write!(stream, "HTTP/1.1 200 OK\r\n{date}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
}

/// The newest files, in force.
fn status(number: u8, version: &str, vaults: &VaultFolder, opener: &VaultOpener) -> Value {
    let mut said = serde_json::Map::new();
    for file in vaults.list().unwrap_or_default().into_iter().filter(|file| file.code.purpose() == Purpose::Api) {
        // It may be one of the old ones just now.
        let Ok(bytes) = vaults.read(file.code, file.sequence) else { continue };
        let (header, hash) = opener.verify(&bytes).unwrap();
        let vault = json!({
            "applied": file.sequence,
            "applied_hash": hash.to_string(),
            "taken": file.sequence,
            "proof": VaultProof::of(&bytes).unwrap().to_string(),
            "entries": header.entries,
        });
        said.insert(file.code.to_string(), vault);
    }
    let haproxy = json!({"state": "in_force", "version": "3.2.1"});
    json!({"gateway": number, "version": version, "vaults": said, "haproxy": haproxy, "from_the_future": {"a": 1}})
}

fn states(fleet: &Value) -> Vec<(u64, String)> {
    let gateways = fleet["gateways"].as_array().unwrap().iter();
    gateways.map(|one| (one["gateway"].as_u64().unwrap(), one["state"].as_str().unwrap().to_owned())).collect()
}

fn are(expected: [(u64, &str); 2]) -> impl Fn(&Value) -> bool {
    move |fleet| states(fleet) == expected.map(|(gateway, state)| (gateway, state.to_owned()))
}

/// Two gateways whose agents answer, and a customer.
struct Place {
    server: Server,
    agents: [FakeAgent; 2],
    cookie: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets = secrets_in(folder.path(), &[]);
        let (_, opener) = seals(&secrets.vault_keys, &secrets.vault_signing).unwrap();
        let vaults = folder.path().join("data/vaults");
        let agents = [2, 3].map(|number| FakeAgent::start(number, &vaults, opener.clone()));
        let remotes = format!("2=http://{}, 3=http://{}", agents[0].address, agents[1].address);
        let more = format!("[gateway]\nremotes = \"{remotes}\"\nregions = \"2=Tokyo\"\n");
        let server = Server::start_in(folder, &more);
        let person = Wallet::new().sign_in(&server).with_credit(1000);
        subscribe(&person);
        let cookie = format!("__Host-suiftly-access={}", person.access);
        drop(person);
        Self { server, agents, cookie }
    }

    fn fleet(&self) -> Value {
        told(&self.server, &["gateways"])
    }

    fn network(&self) -> Value {
        self.server.send("GET", "/api/network", &[("Cookie", &self.cookie)], None).body
    }

    fn notifications(&self) -> Vec<Value> {
        told(&self.server, &["notifications", "list"])["items"].as_array().unwrap().clone()
    }

    fn restart(&mut self) {
        assert_eq!(self.server.terminate(), 0);
        self.server.restart();
    }
}

#[test]
fn operators_and_customers_are_told_how_gateways_are() {
    let place = Place::new();
    let fleet = eventually("both are ok", || place.fleet(), are([(2, "ok"), (3, "ok")]));
    let near = &fleet["gateways"][0];
    assert_eq!(
        (&near["region"], &near["version"], &near["haproxy"]["version"]),
        (&json!("Tokyo"), &json!(VERSION), &json!("3.2.1"))
    );
    assert_eq!((&fleet["is_running"], &near["alarms"]), (&json!(true), &json!([])));
    eventually("synced", || sync_of(&place.server, &place.cookie), |sync| sync == "synced");
    let vault = eventually(
        "the vault is in force",
        || place.fleet()["gateways"][0]["vaults"]["sma"].clone(),
        |vault| vault["applied"].as_u64() > Some(0) && vault["applied"] == vault["newest"] && vault["entries"] == 1,
    );
    assert_eq!(vault["awaited_since"], Value::Null, "{vault}");
    let network = place.network();
    assert_eq!((&network["gateways"][0]["region"], &network["gateways"][1]["region"]), (&json!("Tokyo"), &Value::Null));
    for gateway in network["gateways"].as_array().unwrap() {
        assert_eq!(
            (&gateway["state"], gateway["services"].as_array().unwrap().len()),
            (&json!("healthy"), 3),
            "{network}"
        );
    }
    assert_eq!(network["services"][0], json!({"service": "seal", "limits": "current"}), "{network}");
    let text = network.to_string();
    assert!(!text.contains(VERSION) && !text.contains("127.0.0.1"), "{text}");
    let shown = String::from_utf8(run(&place.server, &["gateways", "show", "2"]).stdout).unwrap();
    assert!(shown.contains("region     Tokyo") && shown.contains("state      ok since"), "{shown}");
    assert_eq!(run(&place.server, &["gateways", "show", "9"]).status.code(), Some(1));

    place.agents[1].set(Mode::Breaks);
    let fleet = eventually("the other is unreachable", || place.fleet(), are([(2, "ok"), (3, "unreachable")]));
    assert!(!fleet["gateways"][1]["silence"].as_str().unwrap().is_empty(), "{fleet}");
    assert_eq!(fleet["gateways"][1]["alarms"], json!([]), "not before 5 minutes have passed");
    let network = place.network();
    assert_eq!(
        (&network["gateways"][1]["state"], &network["services"][0]["limits"]),
        (&json!("unreachable"), &json!("current"))
    );
    assert_eq!(network["gateways"][1]["services"][0]["limits"], "unknown", "{network}");
    let listed = String::from_utf8(run(&place.server, &["gateways"]).stdout).unwrap();
    assert!(listed.contains("unreachable") && listed.contains("Tokyo"), "{listed}");

    place.agents[1].set(Mode::Another);
    let silence = || place.fleet()["gateways"][1]["silence"].to_string();
    eventually("its number is seen", silence, |silence| silence.contains("is gateway 9: compare gateway.remotes"));
    place.agents[1].set(Mode::OldClock);
    let ahead = || place.fleet()["gateways"][1]["clock_ahead_ms"].as_i64();
    eventually("its clock is seen", ahead, |ahead| ahead.is_some_and(|ms| ms < -1_000_000_000_000));
}

#[test]
fn after_a_restart_the_fleet_is_known_and_nothing_is_synced_before_it_was_heard() {
    let mut place = Place::new();
    eventually("both are ok", || place.fleet(), are([(2, "ok"), (3, "ok")]));
    eventually("synced", || sync_of(&place.server, &place.cookie), |sync| sync == "synced");
    let in_force = |place: &Place| place.fleet()["gateways"][0]["vaults"]["sma"]["applied"].clone();
    let applied = eventually("the vault is noted", || in_force(&place), |applied| applied.as_u64() > Some(0));
    // What is noted is noted by then.
    thread::sleep(Duration::from_secs(6));

    place.agents[0].set(Mode::Holds);
    place.restart();
    let fleet = place.fleet();
    assert_eq!((states(&fleet)[0].1.as_str(), &in_force(&place)), ("ok", &applied), "known at once: {fleet}");
    eventually("synced", || sync_of(&place.server, &place.cookie), |sync| sync == "synced");
    assert!(place.agents[0].doing.lock().unwrap().has_given_up, "synced while a gateway was still being asked");

    // One that is known to be silent is not waited for.
    let silent = are([(2, "unreachable"), (3, "ok")]);
    eventually("the first is unreachable", || place.fleet(), &silent);
    place.agents[0].set(Mode::Holds);
    place.restart();
    assert!(silent(&place.fleet()) || states(&place.fleet())[0].1 == "unreachable");
    eventually("synced", || sync_of(&place.server, &place.cookie), |sync| sync == "synced");

    assert_eq!(place.server.terminate(), 0);
    let fleet = place.fleet();
    assert_eq!((&fleet["is_running"], states(&fleet)[0].1.as_str()), (&json!(false), "unreachable"), "{fleet}");
}

#[test]
fn an_alarm_is_one_notification_until_it_is_over_and_acknowledged() {
    let mut place = Place::new();
    eventually("both are ok", || place.fleet(), are([(2, "ok"), (3, "ok")]));
    assert_eq!(place.notifications(), Vec::<Value>::new());
    place.agents[0].set(Mode::OtherVersion);
    let found = eventually("a notification", || place.notifications(), |found| found.len() == 1);
    let text = "gateway 2 runs suiftly 9.9.9: bring all hosts to the same version";
    assert_eq!(
        (&found[0]["code"], &found[0]["text"], &found[0]["severity"]),
        (&json!("gateway_version"), &json!(text), &json!("warning"))
    );
    // It goes on through a restart, as the same one.
    place.restart();
    eventually("heard again", || place.fleet(), |fleet| fleet["gateways"][0]["alarms"] == json!([text]));
    thread::sleep(Duration::from_secs(6));
    assert_eq!(place.notifications(), found);
    let number = found[0]["notification"].to_string();
    let seen = told(&place.server, &["notifications", "ack", &number])["items"][0].clone();
    assert!(seen["acknowledged_at"].is_string() && seen["cleared_at"].is_null(), "{seen}");
    assert_eq!(place.notifications().len(), 1, "it is still so");
    assert_eq!(run(&place.server, &["notifications", "ack", "999"]).status.code(), Some(1));

    place.agents[0].set(Mode::Obeys);
    eventually("it is over", || place.notifications(), Vec::is_empty);
    let all =
        |place: &Place| told(&place.server, &["notifications", "list", "--all"])["items"].as_array().unwrap().clone();
    assert!(all(&place)[0]["cleared_at"].is_string() && all(&place).len() == 1, "{:?}", all(&place));
    // Begun again it is news, and what begins twice before somebody has looked is one with a count.
    for _ in 0..2 {
        place.agents[0].set(Mode::OtherVersion);
        eventually("again", || place.notifications(), |found| found.iter().any(|one| one["cleared_at"].is_null()));
        place.agents[0].set(Mode::Obeys);
        eventually("over", || place.notifications(), |found| found.iter().all(|one| one["cleared_at"].is_string()));
    }
    let again = place.notifications();
    assert_eq!((again.len(), &again[0]["count"], all(&place).len()), (1, &json!(2), 2), "{again:?}");
    assert_eq!(place.server.terminate(), 0);
    assert_eq!(place.notifications(), again, "without a process");
    told(&place.server, &["notifications", "ack", &again[0]["notification"].to_string()]);
    assert_eq!(place.notifications(), Vec::<Value>::new());
    let shown = String::from_utf8(run(&place.server, &["notifications", "list"]).stdout).unwrap();
    assert_eq!(shown, "nothing needs anybody\n");
}

const NOW: UtcMillis = UtcMillis(1_795_424_400_000);

fn at(seconds: i64) -> UtcMillis {
    NOW.plus_ms(seconds * 1000)
}

/// Codes, counts, and whether they are over.
async fn open(app: &App) -> Vec<(String, u64, bool)> {
    let found = app.list_notifications(AskNotifications { all: false }).await.unwrap().items;
    found.into_iter().map(|item| (item.code, item.count, item.cleared_at.is_some())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_news_is_not_written_and_silence_is_told_after_five_minutes() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::settable(NOW);
    let (mut app, _writer) = app(folder.path(), clock.clone());
    let ok = || GatewayStatus { version: VERSION.to_owned(), ..GatewayStatus::default() };
    let noted = || {
        let ledger = rusqlite::Connection::open(folder.path().join("ledger.db")).unwrap();
        let row = "SELECT heard_at_ms FROM gateways WHERE gateway = 3";
        ledger.query_row(row, (), |row| row.get::<_, Option<i64>>(0)).unwrap().map(UtcMillis)
    };
    let newest = BTreeMap::new();
    for (second, expected) in [(0, 0), (5, 0), (55, 0), (60, 60), (65, 60)] {
        clock.set(at(second));
        app.note_fleet([(3, Ok(ok()))].into(), &newest).await.unwrap();
        assert_eq!(noted(), Some(at(expected)), "{second}");
    }
    for second in [70, 75, 370] {
        clock.set(at(second));
        app.note_fleet([(3, Err("refused".to_owned()))].into(), &newest).await.unwrap();
        assert_eq!(open(&app).await, [], "{second}");
    }
    clock.set(at(371));
    app.note_fleet([(3, Err("refused".to_owned()))].into(), &newest).await.unwrap();
    let told = |is_over| vec![("gateway_unreachable".to_owned(), 1, is_over)];
    assert_eq!(open(&app).await, told(false));

    // As after a restart: what was silent is, and since when.
    let reopen = |app: &App, gateways: BTreeSet<u8>| {
        tokio::task::block_in_place(|| {
            Fleet::open(&app.ledger, &app.vaults, gateways, BTreeMap::new(), at(400)).unwrap()
        })
    };
    app.fleet = reopen(&app, [3].into());
    clock.set(at(400));
    let known = &app.fleet().gateways[0];
    assert_eq!((known.state, &known.since), (GatewayState::Unreachable, &at(70).to_string()));
    app.note_fleet([(3, Err("refused".to_owned()))].into(), &newest).await.unwrap();
    assert_eq!(open(&app).await, told(false));
    app.note_fleet([(3, Ok(ok()))].into(), &newest).await.unwrap();
    assert_eq!(open(&app).await, told(true));
    // One that is no gateway any more is forgotten, with its alarms.
    app.note_fleet([(3, Ok(GatewayStatus::default()))].into(), &newest).await.unwrap();
    assert_eq!(open(&app).await.len(), 2);
    app.fleet = reopen(&app, [4].into());
    app.note_fleet([(4, Ok(ok()))].into(), &newest).await.unwrap();
    assert!(open(&app).await.iter().all(|(_, _, is_over)| *is_over), "{:?}", open(&app).await);
    assert_eq!(app.fleet().gateways.iter().map(|one| one.gateway).collect::<Vec<_>>(), [4]);
}

/// The ledger and the vaults of a stopped server.
fn copy(from: &Path, to: &Path) {
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(to.join(name));
    }
    let _ = fs::remove_dir_all(to.join("vaults"));
    fs::create_dir_all(to.join("vaults")).unwrap();
    fs::copy(from.join("ledger.db"), to.join("ledger.db")).unwrap();
    for entry in fs::read_dir(from.join("vaults")).unwrap() {
        let file = entry.unwrap();
        fs::copy(file.path(), to.join("vaults").join(file.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_was_restored_is_obeyed_by_gateways_that_nobody_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let backup = tempfile::tempdir().unwrap();
    let secrets = secrets_in(folder.path(), &[2]);
    let http = free_addresses().await.unwrap()[1].1.to_string();
    let here = World::start(Kind::Plain).await;
    let there = host(2, &format!("http://{http}"), None, &secrets).await;
    // The port of the health is chosen, for the other one is put into the configuration by its text.
    let health = free_addresses().await.unwrap()[0].1.to_string();
    let more = of_world(&here, &format!("remotes = \"2=http://{}\"\n", there.health)).replace("127.0.0.1:0", &health);
    let mut server = Server::start_at(folder, &http, &more);
    let data = server.folder.path().join("data");
    let wallet = Wallet::new();
    let (key, id) = subscribe(&wallet.sign_in(&server).with_credit(1000));
    for world in [&here, &there.world] {
        until(world, &key, 200).await;
    }
    assert_eq!(server.terminate(), 0);
    copy(&data, backup.path());
    server.restart();
    // What the backup does not have: some versions, and in the last one the key is revoked.
    for (action, status) in [("revoke", 401), ("enable", 200), ("revoke", 401)] {
        let path = format!("/api/services/seal/api-keys/{id}/{action}");
        assert_eq!(wallet.sign_in(&server).send("POST", &path, None).status, 200, "{action}");
        for world in [&here, &there.world] {
            until(world, &key, status).await;
        }
    }
    assert_eq!(server.terminate(), 0);
    let sequence = |folder: &Path| {
        let files = VaultFolder::at(&folder.join("vaults")).list().unwrap();
        files.iter().filter(|file| file.code.as_str() == "sma").map(|file| file.sequence).max().unwrap()
    };
    let lost = sequence(&data);
    assert_eq!(lost, sequence(backup.path()) + 3);

    copy(backup.path(), &data);
    server.restart();
    // In the backup, the key is good. Nothing has to change for that to be in force again.
    for world in [&here, &there.world] {
        until(world, &key, 200).await;
    }
    assert!(sequence(&data) > lost);
    let person = wallet.sign_in(&server);
    assert_eq!(person.send("POST", &format!("/api/services/seal/api-keys/{id}/revoke"), None).status, 200);
    for world in [&here, &there.world] {
        until(world, &key, 401).await;
    }
    let cookie = format!("__Host-suiftly-access={}", person.access);
    eventually("synced", || sync_of(&server, &cookie), |sync| sync == "synced");
    let log = fs::read_to_string(there.world.folder.path().join("gateway.log")).unwrap();
    assert!(log.contains("it was restored from a backup"), "{log}");
}
