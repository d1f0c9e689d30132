//! A real HAProxy as a child process: started with the rendered configuration, its log appended to a file.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::DemoError;
use crate::core::haproxy_config::{ServiceSettings, Settings, UpstreamProtocol, render};
use crate::core::id::{Network, Service};

/// Debian has it outside an ordinary user's search path.
const PROGRAMS: [&str; 2] = ["haproxy", "/usr/sbin/haproxy"];
const CONFIGURATION_FILE: &str = "haproxy.cfg";
const ERROR_FILE: &str = "haproxy.err";
/// Ports to choose from: below 32768, where Linux's outgoing connections begin.
const FIRST_PORT: u32 = 20_100;
const PORTS: u32 = 12_000;
const PORT_ATTEMPTS: u32 = 200;
const START_TIMEOUT: Duration = Duration::from_secs(5);
const ADMIN_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(20);

/// A running HAProxy. It is killed when this is dropped; only [`Self::stop`] lets it finish its requests.
#[derive(Debug)]
pub struct HaproxyProcess {
    child: Child,
}

/// Settings for an HAProxy of our own: everything on the loopback address and in one folder, one backend for all
/// services, the log on standard output. One thread, because HAProxy drops a line when two threads write there at once.
pub fn local_settings(folder: &Path, listen: &[(Service, SocketAddr)], upstream: SocketAddr) -> Settings {
    let in_folder = |name: &str| folder.join(name).to_string_lossy().into_owned();
    Settings {
        map_folder: folder.to_string_lossy().into_owned(),
        services: listen
            .iter()
            .map(|&(service, listen)| ServiceSettings {
                service,
                listen,
                upstreams: [(Network::Mainnet, upstream.to_string())].into(),
                upstream_protocol: UpstreamProtocol::Http1,
                upstream_max_connections: 1000,
            })
            .collect(),
        log_target: "stdout len 8192 format raw local0 info".to_owned(),
        admin_socket: in_folder("admin.sock"),
        confinement: None,
        threads: Some(NonZeroU16::MIN),
        max_connections: 1000,
        ..Settings::default()
    }
}

/// A free loopback address for each service. Nobody reserves them until HAProxy binds them, so they are outside the
/// range from which Linux serves outgoing connections, and one process never gets the same one twice in a row.
///
/// # Errors
/// [`DemoError::Port`] if there are not enough.
pub async fn free_addresses() -> Result<Vec<(Service, SocketAddr)>, DemoError> {
    let mut addresses = Vec::new();
    for service in Service::ALL {
        addresses.push((service, free_address().await?));
    }
    Ok(addresses)
}

async fn free_address() -> Result<SocketAddr, DemoError> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin at different places.
    let begin = std::process::id().wrapping_mul(97);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..PORT_ATTEMPTS {
        let offset = begin.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let port = u16::try_from(FIRST_PORT + offset).unwrap_or(u16::MAX);
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.and_then(|listener| listener.local_addr()) {
            Ok(address) => return Ok(address),
            Err(error) => last = error,
        }
    }
    Err(DemoError::Port { purpose: "HAProxy", source: last })
}

impl HaproxyProcess {
    /// Starts HAProxy with its files in `folder` (where the settings' maps must be already) and waits until it
    /// accepts connections on all ports. `None` if no HAProxy is installed.
    ///
    /// # Errors
    /// A file that cannot be written, a configuration that HAProxy refuses, or listeners that do not open.
    pub async fn start(settings: &Settings, folder: &Path, log_file: &Path) -> Result<Option<Self>, DemoError> {
        let configuration = folder.join(CONFIGURATION_FILE);
        std::fs::write(&configuration, render(settings)?).map_err(file_failed("write", &configuration))?;
        let Some(program) = checked_program(&configuration).await? else { return Ok(None) };
        let error_file = folder.join(ERROR_FILE);
        let mut child = spawn(program, &configuration, log_file, &error_file)?;
        wait_until_running(&mut child, Path::new(&settings.admin_socket), &error_file).await?;
        Ok(Some(Self { child }))
    }

    /// Lets HAProxy finish and log the requests in flight, for at most three seconds; then ends it.
    ///
    /// # Errors
    /// [`DemoError::Process`] if it cannot be signalled.
    pub async fn stop(mut self) -> Result<(), DemoError> {
        let failed = |source| DemoError::Process { operation: "stop", source };
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        // No number means that it ended by itself.
        let Some(pid) = pid else { return Ok(()) };
        kill_process(pid, Signal::USR1).map_err(|errno| failed(errno.into()))?;
        match timeout(STOP_TIMEOUT, self.child.wait()).await {
            Ok(ended) => ended.map(|_| ()).map_err(failed),
            Err(_) => self.child.kill().await.map_err(failed),
        }
    }
}

/// The first installed HAProxy, if it accepts the configuration.
async fn checked_program(configuration: &Path) -> Result<Option<&'static str>, DemoError> {
    for program in PROGRAMS {
        let check = Command::new(program).arg("-c").arg("-f").arg(configuration).output().await;
        match check {
            Ok(output) if output.status.success() => return Ok(Some(program)),
            Ok(output) => {
                let path = configuration.to_owned();
                return Err(DemoError::ConfigurationRefused { path, message: said(&output) });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(DemoError::Process { operation: "run", source }),
        }
    }
    Ok(None)
}

fn said(output: &Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{stdout}{stderr}").trim().to_owned()
}

fn spawn(program: &str, configuration: &Path, log_file: &Path, error_file: &Path) -> Result<Child, DemoError> {
    // Appending, so that lines go to the end also after somebody truncated the file.
    let log =
        OpenOptions::new().create(true).append(true).open(log_file).map_err(file_failed("append to", log_file))?;
    let errors = File::create(error_file).map_err(file_failed("create", error_file))?;
    Command::new(program)
        .arg("-db")
        .arg("-f")
        .arg(configuration)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| DemoError::Process { operation: "start", source })
}

/// HAProxy answers on its admin socket only after it has bound every port. Trying the ports themselves would not tell
/// whose they are: another program may have one of them.
async fn wait_until_running(child: &mut Child, admin_socket: &Path, error_file: &Path) -> Result<(), DemoError> {
    let begun = Instant::now();
    let ended = |child: &mut Child| child.try_wait().is_ok_and(|status| status.is_some());
    while !ended(child) && begun.elapsed() < START_TIMEOUT {
        let answer = timeout(ADMIN_TIMEOUT, pid_behind(admin_socket)).await;
        if answer.is_ok_and(|pid| pid.is_ok_and(|pid| pid == child.id())) {
            return Ok(());
        }
        sleep(POLL).await;
    }
    let message = std::fs::read_to_string(error_file).unwrap_or_default().trim().to_owned();
    Err(DemoError::NotRunning { message })
}

/// The number of the process that answers on an admin socket.
async fn pid_behind(admin_socket: &Path) -> io::Result<Option<u32>> {
    let mut stream = UnixStream::connect(admin_socket).await?;
    stream.write_all(b"show info\n").await?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer).await?;
    Ok(answer.lines().find_map(|line| line.strip_prefix("Pid: ")?.trim().parse().ok()))
}

fn file_failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DemoError {
    let path: PathBuf = path.to_owned();
    move |source| DemoError::File { operation, path, source }
}
