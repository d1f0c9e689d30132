//! TCP: a stream of messages on each connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Received;
use crate::core::syslog_frame::{Deframer, Garbled};
use crate::intake::spool::Chunk;

/// Connections at once; HAProxy has one for each ring.
const MAX_CONNECTIONS: usize = 256;
/// A connection on which nothing came for so long is closed. A sender that is still there opens another.
const IDLE: Duration = Duration::from_secs(3600);
/// After a connection could not be accepted, because there are too many files open for example.
const PAUSE: Duration = Duration::from_millis(100);
/// Read at once.
const READ_BYTES: usize = 64 << 10;

/// Accepts connections until a stop is asked for, and waits for them to hand over what has arrived.
pub(super) async fn accept(
    listener: TcpListener,
    spool: Sender<Chunk>,
    received: Arc<Received>,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        while connections.try_join_next().is_some() {}
        match (accepted, room.clone().try_acquire_owned()) {
            (Ok((stream, peer)), Ok(place)) => {
                debug!(%peer, "a syslog connection has begun");
                let connection = Connection::new(stream, spool.clone(), received.clone());
                let stop = stop.clone();
                connections.spawn(async move {
                    connection.receive(stop).await;
                    drop(place);
                });
            }
            (Ok((_, peer)), Err(_)) => {
                received.refused_connections.fetch_add(1, Ordering::Relaxed);
                warn!(%peer, most = MAX_CONNECTIONS, "too many syslog connections; one was turned away");
            }
            (Err(error), _) => {
                warn!(%error, "a syslog connection cannot be accepted");
                sleep(PAUSE).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

struct Connection {
    stream: TcpStream,
    spool: Sender<Chunk>,
    received: Arc<Received>,
    deframer: Deframer,
    buffer: Vec<u8>,
}

impl Connection {
    fn new(stream: TcpStream, spool: Sender<Chunk>, received: Arc<Received>) -> Self {
        Self { stream, spool, received, deframer: Deframer::default(), buffer: vec![0; READ_BYTES] }
    }

    async fn receive(mut self, stop: CancellationToken) {
        loop {
            let read = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                read = timeout(IDLE, self.stream.read(&mut self.buffer)) => read,
            };
            let length = match read {
                Ok(Ok(length)) if length > 0 => length,
                Ok(Ok(_)) | Err(_) => break,
                Ok(Err(error)) => {
                    debug!(%error, "a syslog connection has broken");
                    break;
                }
            };
            if !self.take(length).await {
                return;
            }
        }
        // What has arrived by the time of a stop is taken, too.
        while let Ok(length) = self.stream.try_read(&mut self.buffer) {
            if length == 0 || !self.take(length).await {
                break;
            }
        }
        let mut chunk = Chunk::new();
        if self.deframer.finish(|message| self.received.keep(message, &mut chunk)) {
            warn!("a syslog connection has ended within a message");
        }
        if !chunk.is_empty() {
            // Nobody is left to be told if the spool has ended before.
            let _ = self.spool.send(chunk).await;
        }
    }

    /// Hands over the messages in what was read. `false` if the connection is of no more use.
    async fn take(&mut self, length: usize) -> bool {
        let mut chunk = Chunk::new();
        let bytes = self.buffer.get(..length).unwrap_or_default();
        let taken = self.deframer.push(bytes, |message| self.received.keep(message, &mut chunk));
        let is_sent = chunk.is_empty() || self.spool.send(chunk).await.is_ok();
        if taken == Err(Garbled) {
            self.received.garbled_connections.fetch_add(1, Ordering::Relaxed);
            warn!("a syslog connection was closed: what came was neither counted octets nor lines");
        }
        is_sent && taken.is_ok()
    }
}
