//! The threads that SQLite works on, and the bounded queues in front of them.
//!
//! ```text
//! write() ─▶ queue ─▶ ledger-writer ─▶ reply
//! read()  ─▶ queue ─▶ ledger-reader-1 … n ─▶ reply
//! ```
//!
//! A full queue makes callers wait. Work that has been queued is done even if nobody waits for its reply. A queue
//! ends when its sender has been dropped and everything in it is done.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::ledger::error::LedgerError;

/// Work waiting for a thread, at most, per queue.
const QUEUED_WORK: usize = 1024;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// A queue with the threads that serve it.
pub(in crate::ledger) struct Pool {
    state: Mutex<Option<Running>>,
}

struct Running {
    sender: mpsc::Sender<Work>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts one thread per connection; each runs `at_end` on its connection when the queue has ended.
    pub(in crate::ledger) fn start(
        connections: Vec<(String, Connection)>,
        at_end: fn(&Connection),
    ) -> Result<Self, LedgerError> {
        let (sender, receiver) = mpsc::channel(QUEUED_WORK);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::with_capacity(connections.len());
        for (thread, mut connection) in connections {
            let receiver = Arc::clone(&receiver);
            let serve = move || {
                while let Some(work) = next(&receiver) {
                    work(&mut connection);
                }
                at_end(&connection);
            };
            let started = Builder::new().name(format!("ledger-{thread}")).spawn(serve);
            threads.push(started.map_err(|source| LedgerError::Thread { thread, source })?);
        }
        Ok(Self { state: Mutex::new(Some(Running { sender, threads })) })
    }

    /// Has `work` done by a thread and waits for it without blocking.
    pub(in crate::ledger) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (work, reply) = with_reply(work);
        self.sender()?.send(work).await.map_err(|_| LedgerError::Closed)?;
        reply.await.unwrap_or(Err(LedgerError::Closed))
    }

    /// Has `work` done by a thread and blocks until it is.
    pub(in crate::ledger) fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (work, reply) = with_reply(work);
        self.sender()?.blocking_send(work).map_err(|_| LedgerError::Closed)?;
        reply.blocking_recv().unwrap_or(Err(LedgerError::Closed))
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

    fn sender(&self) -> Result<mpsc::Sender<Work>, LedgerError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().map(|running| running.sender.clone()).ok_or(LedgerError::Closed)
    }
}

fn next(receiver: &Mutex<mpsc::Receiver<Work>>) -> Option<Work> {
    // One idle thread waits in the queue, the other idle ones for the lock; nobody works while holding it.
    receiver.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

fn with_reply<T: Send + 'static>(
    work: impl FnOnce(&mut Connection) -> Result<T, LedgerError> + Send + 'static,
) -> (Work, oneshot::Receiver<Result<T, LedgerError>>) {
    let (reply, receiver) = oneshot::channel();
    let work: Work = Box::new(move |connection| {
        // Whoever asked may have gone; the work counts all the same.
        let _ = reply.send(work(connection));
    });
    (work, receiver)
}
