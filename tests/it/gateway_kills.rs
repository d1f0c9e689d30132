//! Reloads and kills while a real HAProxy serves: nobody who has a key is refused, and what should be in force is in the end.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rustix::process::{Pid, Signal, kill_process};
use suiftly::core::haproxy_map::{Maps, sources_of};
use suiftly::core::vault::ApiVault;
use suiftly::demo::haproxy::free_addresses;
use suiftly::random::random;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::gateway_world::{Kind, SEAL, World, customer, entry, get, key};
use crate::support::{binary, haproxy};

const WITHIN: Duration = Duration::from_secs(30);

/// One customer who is always there, and many others, so that a change of all of them is a large one.
fn crowd(others: u32, guaranteed: u32) -> ApiVault {
    let others =
        (1000..1000 + others).map(|number| (customer(number), entry(&[&format!("C{number}")], guaranteed, 10)));
    [(customer(7), entry(&["A"], 100_000, 0))].into_iter().chain(others).collect()
}

/// Sends one request after the other, each on a connection of its own, and counts answers by status.
async fn ask_until(address: SocketAddr, stop: CancellationToken) -> BTreeMap<u16, u32> {
    let mut statuses = BTreeMap::new();
    while !stop.is_cancelled() {
        *statuses.entry(get(address, &key("A")).await.0).or_default() += 1;
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_fail_no_request() {
    let mut world = World::start(Kind::Master).await;
    let agent = world.agent();
    let mut sequence = world.vaults.publish(SEAL, &crowd(500, 1000));
    agent.applied(SEAL, sequence).await;
    // A process that is started later reads what the files say.
    agent.until("the files are written", |status| status.files_problem.is_none()).await;
    sleep(Duration::from_millis(1500)).await;
    let (address, stop) = (world.address(suiftly::core::id::Service::Seal), CancellationToken::new());
    let asking = [(); 3].map(|()| tokio::spawn(ask_until(address, stop.clone())));
    let master = Pid::from_raw(i32::try_from(world.haproxy.id().unwrap()).unwrap()).unwrap();
    for round in 1..=4 {
        let before = agent.status.read().haproxy.pid;
        // A master that is still busy with the last reload may not hear of the next one.
        let mut asked = None::<Instant>;
        agent
            .until("another worker", |status| {
                if asked.is_none_or(|asked| asked.elapsed() > Duration::from_secs(3)) {
                    kill_process(master, Signal::USR2).unwrap();
                    asked = Some(Instant::now());
                }
                status.haproxy.pid.is_some_and(|pid| Some(pid) != before)
            })
            .await;
        sequence = world.vaults.publish(SEAL, &crowd(500, 1000 + round));
        agent.applied(SEAL, sequence).await;
    }
    stop.cancel();
    for asked in asking {
        let statuses = asked.await.unwrap();
        assert!(statuses.keys().eq(&[200]) && statuses[&200] > 50, "{statuses:?}");
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_haproxy_that_is_killed_during_a_large_update_comes_back_whole() {
    let mut world = World::start(Kind::Plain).await;
    let agent = world.agent();
    let mut sequence = world.vaults.publish(SEAL, &crowd(3000, 1000));
    agent.applied(SEAL, sequence).await;
    let mut broken = 0;
    for round in 0..10_u32 {
        let others = if round % 2 == 0 { 2500 } else { 3000 };
        sequence = world.vaults.publish(SEAL, &crowd(others, 2000 + round));
        sleep(Duration::from_millis(u64::from(round) * 9)).await;
        let applied = agent.status.read().vaults["sma"].applied;
        broken += u32::from(applied != sequence);
        world.restart().await;
        // It has read files that are older or newer, but of one state and whole.
        assert_eq!(world.ask(&key("A")).await.0, 200, "round {round}");
        let pid = world.until_it_answers().await;
        agent.until("the new process is known", |status| status.haproxy.pid == Some(pid)).await;
        agent.applied(SEAL, sequence).await;
        let last = format!("C{}", 999 + others);
        assert_eq!((world.ask(&key("A")).await.0, world.ask(&key(&last)).await.0), (200, 200), "round {round}");
        let gone = world.ask(&key("C3999")).await.0;
        assert_eq!(gone, if others == 3000 { 200 } else { 401 }, "round {round}");
    }
    assert!(broken > 0, "every update was over before HAProxy was killed");
    agent.stop().await;
}

/// `suiftly gateway` for a world's HAProxy, whose primary is out of reach: its vaults are in its folder already.
struct Process {
    child: Child,
}

impl Process {
    fn start(config: &Path) -> Self {
        let mut command = Command::new(binary());
        command.args(["gateway", "--config"]).arg(config).stdin(Stdio::null()).stdout(Stdio::null());
        let log = fs::OpenOptions::new().create(true).append(true).open(config.with_extension("log")).unwrap();
        Self { child: command.stderr(log).kill_on_drop(true).spawn().unwrap() }
    }

    /// SIGKILL, which no process can prepare for.
    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// The files that such a process needs.
async fn configure(world: &World) -> std::path::PathBuf {
    let folder = world.folder.path();
    let (secrets, config) = (folder.join("gateway-secrets.toml"), folder.join("gateway.toml"));
    let health = free_addresses().await.unwrap()[0].1;
    let hexadecimal = |bytes: &[u8]| HEXLOWER.encode(bytes);
    let text = format!(
        "token = \"{}\"\nvault_public_key = \"{}\"\n[vault_keys]\n1 = \"{}\"\n",
        hexadecimal(&random::<32>().unwrap()),
        world.vaults.public_key(),
        hexadecimal(&world.vaults.key),
    );
    fs::write(&secrets, text).unwrap();
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "number = 1\nprimary = \"http://127.0.0.1:1\"\nsecrets_file = {secrets:?}\ndata_dir = {folder:?}\n\
         map_dir = {folder:?}\nhaproxy_socket = {:?}\nhealth_listen = \"{health}\"\n",
        world.settings.admin_socket
    );
    fs::write(&config, text).unwrap();
    config
}

/// Whether a version is one of maps that are made of this vault alone.
fn is_of(version: Option<&str>, sequence: u64) -> bool {
    let sources = sources_of(version.unwrap_or_default().trim().trim_start_matches("version "));
    sources.len() == 1 && version.is_some_and(|version| version.contains(&format!("/{SEAL}.{sequence}-")))
}

/// Until HAProxy's maps are made of this vault.
async fn until_applied(world: &World, sequence: u64) {
    let deadline = Instant::now() + WITHIN;
    while !is_of(world.runtime().version().await.unwrap().as_deref(), sequence) {
        assert!(Instant::now() < deadline, "the maps do not become those of vault {sequence}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Until the files for HAProxy's own restarts are made of this vault, too.
async fn until_written(world: &World, sequence: u64) {
    let deadline = Instant::now() + WITHIN;
    let file = world.folder.path().join("version.map");
    while !is_of(Some(&fs::read_to_string(&file).unwrap()), sequence) {
        assert!(Instant::now() < deadline, "the files do not become those of vault {sequence}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_process_that_is_killed_at_any_step_is_followed_by_one_that_finishes() {
    let mut world = World::start(Kind::Plain).await;
    let config = configure(&world).await;
    // Vaults are published while no process runs: one that starts clears away what another has not finished writing.
    let mut sequence = world.vaults.publish(SEAL, &crowd(2000, 1000));
    let process = Process::start(&config);
    until_applied(&world, sequence).await;
    until_written(&world, sequence).await;
    process.kill().await;
    let mut unfinished = 0;
    for round in 0..20_u32 {
        // Few changes or many, which are made in different ways.
        let vault = if round % 2 == 0 { crowd(2000, 2000 + round) } else { crowd(2000 - round, 1000) };
        sequence = world.vaults.publish(SEAL, &vault);
        let process = Process::start(&config);
        sleep(Duration::from_millis(10 + u64::from(round) * 12)).await;
        process.kill().await;
        let version = world.runtime().version().await.unwrap();
        unfinished += u32::from(!is_of(version.as_deref(), sequence));
        assert_eq!(world.ask(&key("A")).await.0, 200, "round {round}");
        if round % 5 == 4 {
            // The files are whole whenever HAProxy reads them.
            world.restart().await;
            assert_eq!(world.ask(&key("A")).await.0, 200, "round {round}");
        }
    }
    assert!(unfinished > 0, "no process was killed before it had finished");
    sequence = world.vaults.publish(SEAL, &[(customer(8), entry(&["D"], 5, 0))].into());
    let process = Process::start(&config);
    until_applied(&world, sequence).await;
    assert_eq!((world.ask(&key("A")).await.0, world.ask(&key("D")).await.0), (401, 200));
    process.kill().await;
}

/// Whichever HAProxy is installed: what is rendered is taken without a word of warning.
#[test]
fn haproxy_has_nothing_against_any_rendering() {
    use suiftly::core::haproxy_config::{Settings, UpstreamProtocol, render};
    use suiftly::core::id::Network;
    use suiftly::gateway::map_files::write_maps;

    let folder = tempfile::tempdir().unwrap();
    write_maps(folder.path(), &Maps::default()).unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let plain =
        Settings { map_folder: path(""), admin_socket: path("a.sock"), confinement: None, ..Settings::default() };
    let mut both = plain.clone();
    for service in &mut both.services {
        service.upstreams =
            [(Network::Mainnet, "127.0.0.1:1".to_owned()), (Network::Testnet, "[::1]:2".to_owned())].into();
        service.upstream_protocol = UpstreamProtocol::Http2;
        service.listen = SocketAddr::from(([0; 8], service.listen.port()));
    }
    let ring = Settings { threads: std::num::NonZeroU16::new(2), max_connections: 100, ..plain.clone() };
    for settings in [plain, both, ring] {
        let file = path("haproxy.cfg");
        fs::write(&file, render(&settings).unwrap()).unwrap();
        // `-dW` makes an error of each warning.
        let run = std::process::Command::new(haproxy()).args(["-c", "-dW", "-f", &file]).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned() + &String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && !said.contains("WARNING"), "{said}");
    }
}
