//! Writes that are prepared on one thread while they are carried out on another.
//!
//! ```text
//! writer     BEGIN ──▶ apply 1 ──▶ apply 2 ──▶ … ──▶ COMMIT
//!               │        ▲           ▲
//! preparer      └▶ read 1 ┴▶ read 2 ──┴▶ …
//! ```
//! The writer begins first. From then on nobody else can commit, neither in this process nor in another, so the
//! preparer sees what the writer would see, but for what the writer has written since. Nothing has to be looked at again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

use tokio::sync::oneshot;

use super::{Ledger, LedgerError, ReadTx, Share, WriteTx, answer, read_job, write_job};

/// What is prepared and not yet applied, at most.
const AHEAD: usize = 8;

/// Where what is prepared goes.
pub struct Giving<M>(SyncSender<M>);

impl<M> Giving<M> {
    /// Gives it to the writer, and waits while the writer has enough.
    ///
    /// # Errors
    /// [`LedgerError::Closed`] when the writer takes no more: there is no use in going on.
    pub fn give(&self, prepared: M) -> Result<(), LedgerError> {
        self.0.send(prepared).map_err(|_| LedgerError::Closed)
    }
}

impl Ledger {
    /// Runs `apply` in a write transaction of its own and, at the same time, `prepare` in a read transaction that sees
    /// the ledger as it is when the other one begins. What `prepare` gives, `apply` takes in the same order; it comes to
    /// an end when `prepare` does. Both succeed or nothing is kept.
    ///
    /// # Errors
    /// As [`Ledger::write`]; what `prepare` returned, if `apply` has nothing to complain about.
    pub async fn write_prepared<M, T, E, P, A>(&self, prepare: P, apply: A) -> Result<T, E>
    where
        M: Send + 'static,
        T: Send + 'static,
        E: From<LedgerError> + Send + 'static,
        P: FnOnce(&ReadTx<'_>, &Giving<M>) -> Result<(), E> + Send + 'static,
        A: FnOnce(&WriteTx<'_>, Receiver<M>) -> Result<T, E> + Send + 'static,
    {
        let preparer = Arc::clone(&self.preparer);
        let work = move |tx: &WriteTx<'_>| {
            let (sender, prepared) = sync_channel(AHEAD);
            let (told, ended) = channel();
            let prepare = move |tx: &ReadTx<'_>| prepare(tx, &Giving(sender));
            preparer.send_blocking(read_job(prepare, move |result| drop(told.send(result))))?;
            let applied = apply(tx, prepared)?;
            ended.recv().unwrap_or_else(|_| Err(LedgerError::Closed.into()))?;
            Ok(applied)
        };
        let (sender, reply) = oneshot::channel();
        self.writer.send(write_job(Share::Alone, work, answer(sender))).await?;
        reply.await.unwrap_or_else(|_| Err(LedgerError::Closed.into()))
    }
}
