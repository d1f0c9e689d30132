//! Two gateways on hosts of their own, one of which loses its network.
//!
//! The hosts are network namespaces. Each has two cables to the namespace of the primary: one for what gateway and
//! primary have to say to each other, which is pulled out, and one for the customers' requests.
//!
//! ```text
//!    primary ── 10.99.2.0/24 ── gateway 2        customers ── 10.98.2.0/24 ── HAProxy of gateway 2
//!            ── 10.99.3.0/24 ── gateway 3                  ── 10.98.3.0/24 ── HAProxy of gateway 3
//! ```

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rustix::process::geteuid;
use suiftly::app::seals;
use suiftly::config::Secrets;
use suiftly::core::haproxy_config::render;
use suiftly::core::haproxy_map::Maps;
use suiftly::core::id::Service;
use suiftly::demo::haproxy::{free_addresses, local_settings};
use suiftly::gateway::map_files::write_maps;
use suiftly::random::random;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::gateway_host::{Running, Tls, subscribed, sync, until_sync};
use crate::gateway_world::get;
use crate::server::Server;
use crate::support::{binary, create_secrets, haproxy};
use crate::wallet::SignedIn;

const WITHIN: Duration = Duration::from_secs(40);
const INNER: &str = "gateway_cut_off::in_a_network_of_its_own";
/// Set for the test that may change the network, because it is not the machine's.
const MARK: &str = "SUIFTLY_TEST_NETWORK";

/// Root may have a network of its own; others, if they may be root in a namespace of users.
fn unshare() -> Option<Command> {
    let ways: &[&[&str]] = if geteuid().is_root() { &[&["--net"]] } else { &[&["--user", "--map-root-user", "--net"]] };
    ways.iter().find_map(|way| {
        let may = Command::new("unshare").args(*way).args(["ip", "link", "set", "dev", "lo", "up"]).output();
        let mut command = Command::new("unshare");
        command.args(*way);
        may.is_ok_and(|output| output.status.success()).then_some(command)
    })
}

#[test]
fn a_gateway_that_loses_its_network_is_not_waited_for_goes_on_and_catches_up() {
    let Some(mut command) = unshare() else {
        let why = "this machine lets nobody have a network of its own (`unshare --net ip link set dev lo up` as root), or \
                   iproute2 is missing";
        assert!(std::env::var_os("CI").is_none(), "gateway_cut_off was NOT tested: {why}");
        // Past the test harness, which would show it of failed tests only.
        writeln!(std::io::stderr(), "\ngateway_cut_off was NOT tested: {why}").unwrap();
        return;
    };
    command.arg(std::env::current_exe().unwrap()).args([INNER, "--exact", "--ignored", "--nocapture"]);
    let run = command.env(MARK, "1").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it changes the network that it runs in: the test above gives it one of its own"]
async fn in_a_network_of_its_own() {
    assert!(std::env::var_os(MARK).is_some(), "run the test that starts this one");
    say("ip link set dev lo up");
    let folder = tempfile::tempdir().unwrap();
    let secrets = secrets(folder.path());
    let http = free_addresses().await.unwrap()[1].1.to_string();
    let tls = Tls::at(folder.path(), &http, "0.0.0.0", "IP:10.99.2.1,IP:10.99.3.1").await;
    let _running_tls = tls.start();
    let [near, far] = [2, 3].map(|number| Host::start(number, &tls, &secrets));
    let remotes = "[gateway]\nremotes = \"2=http://10.99.2.2:22610, 3=http://10.99.3.2:22610\"\n";
    let server = Server::start_at(folder, &http, remotes);
    let (person, key, id) = subscribed(&server);
    near.until(&key, 200).await;
    far.until(&key, 200).await;
    until_sync(&person, "synced").await;

    say("ip link set dev main3 down");
    let answer = person.send("POST", &format!("/api/services/seal/api-keys/{id}/revoke"), None);
    assert_eq!(answer.status, 200, "{answer:?}");
    // Nobody knows yet that one of them cannot be told.
    assert_eq!(sync(&person), "pending");
    near.until(&key, 401).await;
    // It does not answer, so that it is not waited for. It serves what it knew last.
    until_sync(&person, "synced").await;
    assert_eq!((near.ask(&key).await, far.ask(&key).await), (401, 200));
    until_known(&person, ["healthy", "unreachable"]).await;
    say("ip link set dev main3 up");
    far.until(&key, 401).await;
    until_known(&person, ["healthy", "healthy"]).await;
    until_sync(&person, "synced").await;
    // Both are told of what comes next, as before.
    let created = person.send(
        "POST",
        "/api/services/seal/api-keys",
        Some(serde_json::json!({"name": "b", "network": "mainnet"})),
    );
    let key = created.body["text"].as_str().unwrap();
    assert_eq!(sync(&person), "pending");
    until_sync(&person, "synced").await;
    assert_eq!((near.ask(key).await, far.ask(key).await), (200, 200));
}

/// Until customers are told that gateways 2 and 3 are in these states.
async fn until_known(person: &SignedIn<'_>, states: [&str; 2]) {
    let deadline = Instant::now() + WITHIN;
    loop {
        let network = person.get("/api/network").body;
        let [first, second] = [0, 1].map(|place| &network["gateways"][place]);
        if (&first["gateway"], &second["gateway"]) == (&2.into(), &3.into())
            && [&first["state"], &second["state"]] == states
        {
            return;
        }
        assert!(Instant::now() < deadline, "not {states:?} but {network}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Runs a program with its arguments, which must succeed.
fn say(command: &str) {
    let mut words = command.split(' ');
    let run = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(run.status.success(), "{command}: {}", String::from_utf8_lossy(&run.stderr));
}

/// The primary's, with a token for each gateway.
fn secrets(folder: &Path) -> Secrets {
    let path = folder.join("secrets.toml");
    create_secrets(&path);
    let tokens =
        [2, 3].map(|number| format!("{number} = \"{}\"\n", HEXLOWER.encode(&random::<32>().unwrap()))).concat();
    write_secret(&path, &(fs::read_to_string(&path).unwrap() + "[gateways]\n" + &tokens));
    Secrets::load(&path).unwrap()
}

fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A host with an HAProxy and an agent.
struct Host {
    customers: SocketAddr,
    _processes: [Running; 3],
    _folder: TempDir,
}

impl Host {
    fn start(number: u8, tls: &Tls, secrets: &Secrets) -> Self {
        // A namespace lasts as long as somebody is in it.
        let holder = Running(Command::new("unshare").args(["--net", "sleep", "600"]).spawn().unwrap());
        let pid = holder.0.id();
        let network = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
        let deadline = Instant::now() + WITHIN;
        while network(&pid.to_string()).is_none_or(|theirs| Some(theirs) == network("self")) {
            assert!(Instant::now() < deadline, "there is no network for gateway {number}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let enter = format!("nsenter -t {pid} -n");
        say(&format!("{enter} ip link set dev lo up"));
        for (cable, net) in [("main", 99), ("cust", 98)] {
            say(&format!("ip link add {cable}{number} type veth peer name {cable} netns {pid}"));
            say(&format!("ip addr add 10.{net}.{number}.1/24 dev {cable}{number}"));
            say(&format!("ip link set dev {cable}{number} up"));
            say(&format!("{enter} ip addr add 10.{net}.{number}.2/24 dev {cable}"));
            say(&format!("{enter} ip link set dev {cable} up"));
        }
        let folder = tempfile::tempdir().unwrap();
        let customers: SocketAddr = format!("10.98.{number}.2:20002").parse().unwrap();
        let haproxy = start_haproxy(&enter, folder.path(), customers);
        let agent = start_agent(&enter, folder.path(), number, tls, secrets);
        Self { customers, _processes: [haproxy, agent, holder], _folder: folder }
    }

    async fn ask(&self, key: &str) -> u16 {
        get(self.customers, key).await.0
    }

    async fn until(&self, key: &str, status: u16) {
        let deadline = Instant::now() + WITHIN;
        while self.ask(key).await != status {
            assert!(Instant::now() < deadline, "{} does not answer {status}", self.customers);
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The rest of a command that is run elsewhere.
fn command(enter: &str, program: &Path) -> Command {
    let mut words = enter.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(program).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// HAProxy with a backend on its own host.
fn start_haproxy(enter: &str, folder: &Path, customers: SocketAddr) -> Running {
    let backend = SocketAddr::from(([127, 0, 0, 1], 9000));
    let settings = local_settings(folder, &[(Service::Seal, customers)], backend);
    write_maps(folder, &Maps::default()).unwrap();
    let backend = format!("\nfrontend answers\n  bind {backend}\n  http-request return status 200\n");
    let file = folder.join("haproxy.cfg");
    fs::write(&file, render(&settings).unwrap() + &backend).unwrap();
    let log = fs::File::create(folder.join("haproxy.err")).unwrap();
    let mut command = command(enter, &haproxy());
    command.arg("-db").arg("-f").arg(file).stderr(log);
    let running = Running(command.spawn().unwrap());
    let deadline = Instant::now() + WITHIN;
    while std::net::TcpStream::connect(customers).is_err() {
        let said = fs::read_to_string(folder.join("haproxy.err")).unwrap();
        assert!(Instant::now() < deadline, "HAProxy does not start: {said}");
        std::thread::sleep(Duration::from_millis(20));
    }
    running
}

fn start_agent(enter: &str, folder: &Path, number: u8, tls: &Tls, secrets: &Secrets) -> Running {
    let (secrets_file, config) = (folder.join("gateway-secrets.toml"), folder.join("gateway.toml"));
    let (sealer, _) = seals(&secrets.vault_keys, &secrets.vault_signing).unwrap();
    let text = format!(
        "token = \"{}\"\nvault_public_key = \"{}\"\n[vault_keys]\n1 = \"{}\"\n",
        HEXLOWER.encode(&*secrets.gateways[&number]),
        sealer.public_key(),
        HEXLOWER.encode(&*secrets.vault_keys[&1]),
    );
    write_secret(&secrets_file, &text);
    let text = format!(
        "number = {number}\nprimary = \"https://10.99.{number}.1:{}\"\nca_file = {:?}\nsecrets_file = {secrets_file:?}\n\
         data_dir = {:?}\nmap_dir = {folder:?}\nhaproxy_socket = {:?}\nhealth_listen = \"10.99.{number}.2:22610\"\n",
        tls.port,
        tls.ca_file(),
        folder.join("data"),
        folder.join("admin.sock"),
    );
    fs::write(&config, text).unwrap();
    let log = fs::File::create(folder.join("gateway.log")).unwrap();
    let mut command = command(enter, binary());
    command.args(["gateway", "--config"]).arg(&config).stderr(log);
    Running(command.spawn().unwrap())
}
