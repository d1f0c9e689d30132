//! From the API to HAProxy: on the host of the ledger, and on two other hosts with nothing but `suiftly gateway`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use suiftly::app::seals;
use suiftly::config::Secrets;
use suiftly::demo::haproxy::free_addresses;
use suiftly::random::random;
use tokio::time::sleep;

use crate::gateway_world::{Kind, World};
use crate::server::Server;
use crate::support::{binary, create_secrets, haproxy};
use crate::wallet::{SignedIn, Wallet};

const WITHIN: Duration = Duration::from_secs(40);

/// A child that ends with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub async fn until(world: &World, key: &str, status: u16) -> Duration {
    let begun = Instant::now();
    loop {
        let (answered, answer) = world.ask(key).await;
        if answered == status {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < WITHIN, "not {status} but {answer}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A customer with Seal on, and a key.
pub fn subscribed(server: &Server) -> (SignedIn<'_>, String, String) {
    let person = Wallet::new().sign_in(server).with_credit(1000);
    for (action, body) in [("subscribe", Some(json!({"tier": "enterprise"}))), ("enable", None)] {
        let answer = person.send("POST", &format!("/api/services/seal/{action}"), body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let created = person.send("POST", "/api/services/seal/api-keys", Some(json!({"name": "a", "network": "mainnet"})));
    assert_eq!(created.status, 201, "{created:?}");
    let text = |field: &str| created.body[field].as_str().unwrap().to_owned();
    (person, text("text"), text("api_key_id"))
}

pub fn of_world(world: &World, more: &str) -> String {
    let (socket, maps) = (&world.settings.admin_socket, world.folder.path());
    format!("[gateway]\nhaproxy_socket = {socket:?}\nmap_dir = {maps:?}\nhealth_listen = \"127.0.0.1:0\"\n{more}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_customer_changes_is_obeyed_by_haproxy() {
    let world = World::start(Kind::Plain).await;
    let server = Server::start_with(&of_world(&world, ""));
    let (person, key, id) = subscribed(&server);
    until(&world, &key, 200).await;
    let act = |path: &str| {
        let answer = person.send("POST", path, None);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    };
    act("/api/services/seal/disable");
    until(&world, &key, 503).await;
    assert!(world.ask(&key).await.1.contains("\"reason\":\"disabled\""));
    act("/api/services/seal/enable");
    until(&world, &key, 200).await;
    let list = json!({"ip_allowlist_enabled": true, "ip_allowlist": ["203.0.113.0/24"]});
    assert_eq!(person.send("PATCH", "/api/services/seal", Some(list)).status, 200);
    until(&world, &key, 403).await;
    let list = json!({"ip_allowlist": ["127.0.0.0/8"]});
    assert_eq!(person.send("PATCH", "/api/services/seal", Some(list)).status, 200);
    until(&world, &key, 200).await;
    act(&format!("/api/services/seal/api-keys/{id}/revoke"));
    until(&world, &key, 401).await;
}

/// Where one gateway has its files, and what runs for it.
pub struct Host {
    pub world: World,
    pub health: String,
    _process: Running,
}

pub async fn host(number: u8, primary: &str, ca: Option<&Path>, secrets: &Secrets) -> Host {
    let world = World::start(Kind::Plain).await;
    let folder = world.folder.path();
    let (health, file) = (free_addresses().await.unwrap()[0].1.to_string(), folder.join("gateway-secrets.toml"));
    let (sealer, _) = seals(&secrets.vault_keys, &secrets.vault_signing).unwrap();
    let text = format!(
        "token = \"{}\"\nvault_public_key = \"{}\"\n[vault_keys]\n1 = \"{}\"\n",
        HEXLOWER.encode(&*secrets.gateways[&number]),
        sealer.public_key(),
        HEXLOWER.encode(&*secrets.vault_keys[&1]),
    );
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let ca = ca.map_or(String::new(), |ca| format!("ca_file = {ca:?}\n"));
    let config = folder.join("gateway.toml");
    let text = format!(
        "number = {number}\nprimary = \"{primary}\"\n{ca}secrets_file = {file:?}\ndata_dir = {:?}\nmap_dir = {folder:?}\n\
         haproxy_socket = {:?}\nhealth_listen = \"{health}\"\n",
        folder.join("data"),
        world.settings.admin_socket,
    );
    fs::write(&config, text).unwrap();
    let log = fs::File::create(folder.join("gateway.log")).unwrap();
    let mut command = Command::new(binary());
    command.args(["gateway", "--config"]).arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let process = Running(command.spawn().unwrap());
    Host { world, health, _process: process }
}

/// TLS in front of the primary, with a certificate of an authority of its own.
pub struct Tls {
    folder: PathBuf,
    pub port: u16,
}

impl Tls {
    pub async fn new(folder: &Path, primary: &str) -> Self {
        Self::at(folder, primary, "127.0.0.1", "DNS:localhost").await
    }

    /// At an address of this host, with a certificate for these names.
    pub async fn at(folder: &Path, primary: &str, address: &str, names: &str) -> Self {
        let folder = folder.to_owned();
        let openssl = |arguments: &str| {
            let run = Command::new("openssl").args(arguments.split(' ')).current_dir(&folder).output().unwrap();
            assert!(run.status.success(), "{arguments}: {}", String::from_utf8_lossy(&run.stderr));
        };
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(&format!("req -x509 {new_key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca"));
        openssl(&format!("req {new_key} -keyout leaf.key -out leaf.csr -subj /CN=localhost"));
        let extensions = format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n");
        fs::write(folder.join("leaf.ext"), extensions).unwrap();
        openssl(
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.crt -days 2 -extfile leaf.ext",
        );
        let pem = ["leaf.crt", "leaf.key"].map(|name| fs::read_to_string(folder.join(name)).unwrap()).concat();
        fs::write(folder.join("leaf.pem"), pem).unwrap();
        let port = free_addresses().await.unwrap()[0].1.port();
        let text = format!(
            "defaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout connect 5s\nfrontend f\n  \
             bind {address}:{port} ssl crt {}\n  default_backend b\nbackend b\n  server s {primary}\n",
            folder.join("leaf.pem").display()
        );
        fs::write(folder.join("tls.cfg"), text).unwrap();
        Self { folder, port }
    }

    /// The authority of the certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub fn start(&self) -> Running {
        let mut command = Command::new(haproxy());
        command.arg("-db").arg("-f").arg(self.folder.join("tls.cfg"));
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

/// Whether the customer is told that all changes of Seal are in force.
pub fn sync(person: &SignedIn<'_>) -> String {
    person.get("/api/services/seal").body["sync"].as_str().unwrap_or_default().to_owned()
}

pub async fn until_sync(person: &SignedIn<'_>, state: &str) {
    let begun = Instant::now();
    while sync(person) != state {
        assert!(begun.elapsed() < WITHIN, "not {state} but {}", sync(person));
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_gateways_the_one_that_is_cut_off_is_waited_for_and_catches_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.toml");
    create_secrets(&path);
    let tokens =
        [2, 3].map(|number| format!("{number} = \"{}\"\n", HEXLOWER.encode(&random::<32>().unwrap()))).concat();
    fs::write(&path, fs::read_to_string(&path).unwrap() + "[gateways]\n" + &tokens).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let secrets = Secrets::load(&path).unwrap();
    // The primary is told where the gateways are, and they where it is: its port is chosen before it starts.
    let http = free_addresses().await.unwrap()[1].1.to_string();
    let tls = Tls::new(folder.path(), &http).await;
    let running_tls = tls.start();
    let near = host(2, &format!("http://{http}"), None, &secrets).await;
    let far = host(3, &format!("https://localhost:{}", tls.port), Some(&tls.ca_file()), &secrets).await;
    let remotes = format!("[gateway]\nremotes = \"2=http://{}, 3=http://{}\"\n", near.health, far.health);
    let server = Server::start_at(folder, &http, &remotes);
    let (person, key, id) = subscribed(&server);
    until(&near.world, &key, 200).await;
    until(&far.world, &key, 200).await;
    until_sync(&person, "synced").await;

    drop(running_tls);
    let revoke = |action: &str| {
        let answer = person.send("POST", &format!("/api/services/seal/api-keys/{id}/{action}"), None);
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    revoke("revoke");
    assert_eq!(sync(&person), "pending");
    until(&near.world, &key, 401).await;
    // It answers when it is asked how it is, and says the truth: it has not got the change.
    sleep(Duration::from_secs(6)).await;
    assert_eq!((sync(&person).as_str(), far.world.ask(&key).await.0), ("pending", 200));
    let _running_tls = tls.start();
    until(&far.world, &key, 401).await;
    until_sync(&person, "synced").await;
    let health: Value = {
        let url = format!("http://{}", far.health);
        let primary = suiftly::gateway::primary::Primary::new(
            url.trim_start_matches("http://"),
            false,
            String::new().into(),
            None,
        );
        serde_json::to_value(primary.unwrap().status().await.unwrap()).unwrap()
    };
    assert_eq!((&health["gateway"], &health["haproxy"]["state"]), (&json!(3), &json!("in_force")), "{health}");
}

#[test]
fn the_configuration_is_printed_for_this_host_and_checked_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("suiftly.toml");
    fs::write(&config, "[gateway]\nnumber = 4\nmap_dir = \"/srv/maps\"\nhaproxy_socket = \"/srv/ha.sock\"\n").unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(binary()).arg("haproxy").args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let path = config.to_str().unwrap();
    let arguments =
        ["print", "--config", path, "--upstream", "grpc=10.0.0.7:9000", "--other-upstream", "seal=10.0.0.8:1"];
    let (code, printed, _) = run(&arguments);
    assert_eq!(code, Some(0));
    for part in [
        "s1 %Ts%ms 4 ",
        "map_str(/srv/maps/keys.map)",
        "stats socket /srv/ha.sock",
        "server s1 10.0.0.7:9000",
        "backend be_seal_testnet",
    ] {
        assert!(printed.contains(part), "{part}");
    }
    let file = folder.path().join("haproxy.cfg");
    fs::write(&file, &printed).unwrap();
    let file_name = file.to_str().unwrap();
    assert_eq!(run(&["check", file_name]).0, Some(0));
    fs::write(&file, printed.replacen("  http-request sc-inc-gpc0(0)", "  http-request sc-inc-gpc1(0)", 1)).unwrap();
    let (code, told, error) = run(&["check", file_name]);
    assert_eq!(code, Some(1));
    assert!(told.starts_with("frontend seal: missing: http-request sc-inc-gpc0(0) if"), "{told}");
    assert!(error.contains("lacks something"), "{error}");
    let (_, told, _) = run(&["check", "--json", file_name]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["complete"], told["missing"].as_array().unwrap().len()), (&json!(false), 1));
    assert_eq!(run(&["print", "--upstream", "grpc"]).0, Some(2));
}

#[test]
fn each_host_prints_its_own_number_folder_and_socket() {
    let folder = tempfile::tempdir().unwrap();
    let (ledgers, gateways) = (folder.path().join("suiftly.toml"), folder.path().join("gateway.toml"));
    fs::write(&ledgers, "[gateway]\nnumber = 4\n[chain]\nnetwork = \"testnet\"\n").unwrap();
    fs::write(&gateways, "number = 5\nmap_dir = \"/srv/maps\"\nhaproxy_socket = \"/srv/ha.sock\"\n").unwrap();
    let print = |config: &Path, environment: &[(&str, &str)], more: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["haproxy", "print"]).args(more).env("SUIFTLY_CONFIG", config);
        let output = command.envs(environment.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let testnet = "backend be_seal_testnet";
    for (config, environment, more, expected) in [
        (&ledgers, &[][..], &[][..], ["s1 %Ts%ms 4 ", "socket /run/haproxy/admin.sock", testnet]),
        (&ledgers, &[("SUIFTLY_GATEWAY_NUMBER", "6")], &[], ["s1 %Ts%ms 6 ", "socket /run/haproxy/", testnet]),
        (&ledgers, &[("SUIFTLY_GATEWAY_NUMBER", "6")], &["--gateway", "8"], ["s1 %Ts%ms 8 ", "%Ts%ms-8-%pid", testnet]),
        (&gateways, &[], &[], ["s1 %Ts%ms 5 ", "map_str(/srv/maps/keys.map)", "backend be_seal\n"]),
        (&gateways, &[("SUIFTLY_NUMBER", "7")], &["--network", "testnet"], ["s1 %Ts%ms 7 ", "/srv/ha.sock", testnet]),
    ] {
        let printed = print(config, environment, more);
        for part in expected {
            assert!(printed.contains(part), "{part}: {printed}");
        }
    }
    // No file at all is told, as by every other command.
    let output = Command::new(binary()).args(["haproxy", "print", "--config", "/nonexistent/a.toml"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("/nonexistent/a.toml"), "{said}");
    let zero = ["haproxy", "print", "--gateway", "0"];
    assert_eq!(Command::new(binary()).args(zero).output().unwrap().status.code(), Some(2));
}
