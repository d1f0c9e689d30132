//! The threads that SQLite works on, and the bounded queues in front of them.
//!
//! ```text
//! write() ─▶ queue ─▶ ledger-writer, everything that waits in one transaction ─▶ replies once it is on disk
//! read()  ─▶ queue ─▶ ledger-reader-1 … n ─▶ reply
//! write_prepared() ─▶ ledger-writer, alone in a transaction, with ledger-preparer reading for it ─▶ reply
//! ```
//!
//! A full queue makes callers wait. Work that has been queued is done even if nobody waits for its reply. A queue
//! ends when its sender has been dropped and everything in it is done.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::ledger::error::LedgerError;

/// Work waiting for a thread, at most, per queue.
const QUEUED_WORK: usize = 1024;

/// A queue of work `W` with the threads that serve it.
pub(in crate::ledger) struct Pool<W> {
    state: Mutex<Option<Running<W>>>,
}

struct Running<W> {
    sender: mpsc::Sender<W>,
    threads: Vec<JoinHandle<()>>,
}

pub(in crate::ledger) type Serve<W> = Arc<dyn Fn(&mut Connection, Vec<W>) + Send + Sync>;

/// How a thread serves its queue.
pub(in crate::ledger) struct Service<W> {
    /// Does everything in the list, in order, and replies.
    pub serve: Serve<W>,
    /// Work that is taken from the queue at once, if so much is waiting.
    pub at_once: usize,
    /// Runs when the queue has ended.
    pub at_end: fn(&Connection),
}

impl<W: Send + 'static> Pool<W> {
    /// Starts one thread per connection.
    pub(in crate::ledger) fn start(
        connections: Vec<(String, Connection)>,
        service: Service<W>,
    ) -> Result<Self, LedgerError> {
        let (sender, receiver) = mpsc::channel(QUEUED_WORK);
        let receiver = Arc::new(Mutex::new(receiver));
        let Service { serve, at_once, at_end } = service;
        let mut threads = Vec::with_capacity(connections.len());
        for (thread, mut connection) in connections {
            let (receiver, serve) = (Arc::clone(&receiver), Arc::clone(&serve));
            let run = move || {
                while let Some(work) = next(&receiver, at_once) {
                    serve(&mut connection, work);
                }
                at_end(&connection);
            };
            let started = Builder::new().name(format!("ledger-{thread}")).spawn(run);
            threads.push(started.map_err(|source| LedgerError::Thread { thread, source })?);
        }
        Ok(Self { state: Mutex::new(Some(Running { sender, threads })) })
    }

    /// Queues work, and waits without blocking while the queue is full.
    pub(in crate::ledger) async fn send(&self, work: W) -> Result<(), LedgerError> {
        self.sender()?.send(work).await.map_err(|_| LedgerError::Closed)
    }

    /// Queues work, and blocks while the queue is full.
    pub(in crate::ledger) fn send_blocking(&self, work: W) -> Result<(), LedgerError> {
        self.sender()?.blocking_send(work).map_err(|_| LedgerError::Closed)
    }

    /// Takes no more work, has what is queued done, and waits for the threads. Again: does nothing.
    pub(in crate::ledger) fn close(&self) {
        let running = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { sender, threads }) = running {
            drop(sender);
            for thread in threads {
                // Panics of work are caught where it runs, so that there is nothing to learn from the result.
                let _ = thread.join();
            }
        }
    }

    fn sender(&self) -> Result<mpsc::Sender<W>, LedgerError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().map(|running| running.sender.clone()).ok_or(LedgerError::Closed)
    }
}

/// Waits for work, then takes what else is waiting.
fn next<W>(receiver: &Mutex<mpsc::Receiver<W>>, at_once: usize) -> Option<Vec<W>> {
    // One idle thread waits in the queue, the other idle ones for the lock; nobody works while holding it.
    let mut receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
    let mut work = Vec::new();
    (receiver.blocking_recv_many(&mut work, at_once) > 0).then_some(work)
}
