//! Datagrams: one message each.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::fstat;
use tokio::net::{UdpSocket, UnixDatagram};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{CHUNK_BYTES, Received};
use crate::core::spool_record::{MAX_RECORD_LINE_BYTES, encode};
use crate::intake::spool::Chunk;

/// A socket.
pub(super) enum Datagrams {
    Unix(UnixDatagram),
    Udp(UdpSocket),
}

impl Datagrams {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.readable().await,
            Self::Udp(socket) => socket.readable().await,
        }
    }

    fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(socket) => socket.try_recv(buffer),
            Self::Udp(socket) => socket.try_recv(buffer),
        }
    }

    pub(super) fn udp_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Unix(_) => None,
            Self::Udp(socket) => socket.local_addr().ok(),
        }
    }

    /// How many datagrams the system had no room for. `None` where it does not tell: of a unix socket, only the sender
    /// learns it.
    pub(super) fn dropped(&self) -> Option<u64> {
        let Self::Udp(socket) = self else { return None };
        let inode = fstat(fd(socket)).ok()?.st_ino;
        let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"];
        tables.iter().find_map(|path| dropped_of(&fs::read_to_string(path).ok()?, inode))
    }
}

fn fd(socket: &UdpSocket) -> BorrowedFd<'_> {
    socket.as_fd()
}

/// The last column of the row with this inode, which is the tenth.
fn dropped_of(table: &str, inode: u64) -> Option<u64> {
    let inode = inode.to_string();
    let row = table.lines().skip(1).find(|row| row.split_ascii_whitespace().nth(9) == Some(&inode))?;
    row.split_ascii_whitespace().last()?.parse().ok()
}

/// Receives until a stop is asked for, and then what has arrived by then.
pub(super) async fn receive(
    socket: Arc<Datagrams>,
    spool: Sender<Chunk>,
    received: Arc<Received>,
    stop: CancellationToken,
) {
    let mut buffer = vec![0; MAX_RECORD_LINE_BYTES];
    loop {
        let is_over = tokio::select! {
            biased;
            () = stop.cancelled() => true,
            readable = socket.readable() => {
                if let Err(error) = readable {
                    warn!(%error, "a syslog socket cannot be waited for");
                }
                false
            }
        };
        loop {
            let chunk = take(&socket, &mut buffer, &received);
            let is_empty = chunk.is_empty();
            if !is_empty && spool.send(chunk).await.is_err() {
                return;
            }
            if is_empty || !is_over {
                break;
            }
        }
        if is_over {
            return;
        }
    }
}

/// What has arrived, up to a chunk.
fn take(socket: &Datagrams, buffer: &mut [u8], received: &Received) -> Chunk {
    let mut chunk = Chunk::new();
    while chunk.len() < CHUNK_BYTES {
        match socket.try_recv(buffer) {
            Ok(length) => received.keep(buffer.get(..length).unwrap_or_default(), &mut chunk),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => {
                warn!(%error, "a syslog datagram cannot be received");
                break;
            }
        }
    }
    chunk
}

impl Received {
    /// Takes one message into a chunk, and counts it.
    pub(super) fn keep(&self, message: &[u8], chunk: &mut Chunk) {
        if encode(message, chunk) {
            self.messages.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(u64::try_from(message.len()).unwrap_or(0), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_table_tells_how_many_were_dropped() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  314: 0100007F:CE8B 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 29301 2 0000000000000000 0
 2571: 0100007F:1F5D 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 31415 2 0000000000000000 271
";
        for (inode, expected) in [(29301, Some(0)), (31415, Some(271)), (0, None)] {
            assert_eq!(dropped_of(table, inode), expected, "{inode}");
        }
    }
}
