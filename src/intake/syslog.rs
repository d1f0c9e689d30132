//! Syslog receivers: datagrams on a unix socket or UDP, and messages on TCP. What they receive goes to the spool.
//!
//! A message is kept as it came, with its header (RFC 3164 or RFC 5424, or none): the line parser knows them. Nothing
//! is answered, so nothing can be refused: when the spool takes no more, receivers stop reading, the system's buffers
//! fill, and a sender on TCP waits while one that sends datagrams drops. HAProxy's counter in each line (`%lc`) tells
//! later how many those were.
//!
//! Whoever reaches a receiver can make up requests: bind them to this machine or a trusted network only.

mod connections;
mod datagrams;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket, UdpSocket, UnixDatagram};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::datagrams::Datagrams;
use super::IntakeError;
use super::spool::Chunk;

/// What the system is asked to hold for a receiver that is busy. It grants `net.core.rmem_max` at most, unless the
/// process may do as it likes.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// A queue of a unix socket that is shorter loses lines even of a quiet gateway.
const FEW_DATAGRAMS: u32 = 256;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;
/// Records that are given to the spool at once.
const CHUNK_BYTES: usize = 256 << 10;
/// The owner and the group may send.
const UNIX_SOCKET_MODE: u32 = 0o660;
/// How long receivers may take to hand over what they have.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// Between looks at what the system has dropped.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// Where to receive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyslogAddresses {
    pub unix: Option<PathBuf>,
    pub udp: Option<SocketAddr>,
    pub tcp: Option<SocketAddr>,
}

/// What has been received since the start.
#[derive(Debug, Default)]
pub struct Received {
    pub messages: AtomicU64,
    pub bytes: AtomicU64,
    /// Connections that were turned away because there were too many.
    pub refused_connections: AtomicU64,
    /// Connections that were closed because what came was no syslog.
    pub garbled_connections: AtomicU64,
    /// Datagrams that the system had no room for; only those of UDP are told.
    pub dropped_datagrams: AtomicU64,
}

/// Bound receivers, which run once they are started.
pub struct SyslogReceivers {
    datagrams: Vec<Datagrams>,
    tcp: Option<TcpListener>,
    received: Arc<Received>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl SyslogReceivers {
    /// Opens the sockets. What is sent from here on is received.
    ///
    /// # Errors
    /// [`IntakeError::Listen`] with what to do.
    pub async fn bind(addresses: &SyslogAddresses) -> Result<Self, IntakeError> {
        let mut datagrams = Vec::new();
        if let Some(path) = &addresses.unix {
            datagrams.push(Datagrams::Unix(bind_unix(path).map_err(failed(path.display()))?));
        }
        if let Some(address) = addresses.udp {
            let socket = UdpSocket::bind(address).await.map_err(failed(address))?;
            enlarge(&socket);
            datagrams.push(Datagrams::Udp(socket));
        }
        let tcp = addresses.tcp.map(|address| listen(address).map_err(failed(address))).transpose()?;
        let (received, stop) = (Arc::default(), CancellationToken::new());
        Ok(Self { datagrams, tcp, received, stop, tasks: JoinSet::new() })
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty() && self.tcp.is_none()
    }

    /// Where UDP and TCP are received, with the ports that the system chose if 0 was asked for.
    pub fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let udp = self.datagrams.iter().find_map(Datagrams::udp_address);
        (udp, self.tcp.as_ref().and_then(|listener| listener.local_addr().ok()))
    }

    pub fn received(&self) -> &Arc<Received> {
        &self.received
    }

    /// Receives into the spool from now on.
    pub fn start(&mut self, spool: &Sender<Chunk>) {
        for socket in self.datagrams.drain(..) {
            let socket = Arc::new(socket);
            self.tasks.spawn(report_drops(socket.clone(), self.received.clone(), self.stop.clone()));
            let (spool, received) = (spool.clone(), self.received.clone());
            self.tasks.spawn(datagrams::receive(socket, spool, received, self.stop.clone()));
        }
        if let Some(listener) = self.tcp.take() {
            let (spool, received) = (spool.clone(), self.received.clone());
            self.tasks.spawn(connections::accept(listener, spool, received, self.stop.clone()));
        }
    }

    /// Hands over what has arrived, and closes the sockets.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, ended).await.is_err() {
            warn!("the spool takes nothing at the end; received lines are given up");
            self.tasks.shutdown().await;
        }
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let received = &self.received;
        info!(
            messages = count(&received.messages),
            refused_connections = count(&received.refused_connections),
            garbled_connections = count(&received.garbled_connections),
            dropped_datagrams = count(&received.dropped_datagrams),
            "stopped to receive syslog"
        );
    }
}

async fn report_drops(socket: Arc<Datagrams>, received: Arc<Received>, stop: CancellationToken) {
    let mut known = 0;
    let mut is_over = false;
    while !is_over {
        is_over = tokio::time::timeout(REPORT_EVERY, stop.cancelled()).await.is_ok();
        let Some(dropped) = socket.dropped() else { return };
        if dropped > known {
            received.dropped_datagrams.fetch_add(dropped - known, Ordering::Relaxed);
            warn!(
                dropped,
                "the system has dropped syslog datagrams because its buffer was full; raise net.core.rmem_max"
            );
            known = dropped;
        }
    }
}

/// A socket that a process has left behind is replaced; any other file stays.
fn bind_unix(path: &Path) -> io::Result<UnixDatagram> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let queue = fs::read_to_string("/proc/sys/net/unix/max_dgram_qlen").ok().and_then(|text| text.trim().parse().ok());
    if queue.is_some_and(|queue: u32| queue < FEW_DATAGRAMS) {
        warn!(
            queue,
            "the system holds few datagrams of a unix socket, and HAProxy drops lines when it is full: raise \
            net.unix.max_dgram_qlen, or let HAProxy log through a ring to intake.syslog_tcp"
        );
    }
    let socket = UnixDatagram::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(UNIX_SOCKET_MODE))?;
    enlarge(&socket);
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    enlarge(&socket);
    socket.listen(BACKLOG)
}

fn enlarge(socket: &impl AsFd) {
    if sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER_BYTES).is_err() {
        // What is granted is at least what was there before.
        let _ = sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BUFFER_BYTES);
    }
}

fn failed(address: impl ToString) -> impl Fn(io::Error) -> IntakeError {
    move |source| {
        let advice = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "another program has this address: stop it, or set intake.syslog_… to another one"
            }
            io::ErrorKind::NotFound => "create the folder, and let this user write to it",
            io::ErrorKind::PermissionDenied => "let this user write to the folder, or choose a port above 1023",
            _ => "set intake.syslog_… to an address of this machine",
        };
        IntakeError::Listen { address: address.to_string(), advice, source }
    }
}
