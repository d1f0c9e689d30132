//! Ending a query from outside: because it takes too long, or because nobody waits for it any more.

use std::cell::OnceCell;
use std::sync::{Arc, Mutex};

use duckdb::{Connection, InterruptHandle};

use super::writer::merged_batch;
use super::{Traffic, TrafficError, lock};

/// Ends the reads that are given a clone of it, when it is fired.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_fired: bool,
    running: Option<Arc<InterruptHandle>>,
}

impl Interrupt {
    /// Ends what is running, and what would begin later. A statement that begins at this very moment may escape, so
    /// whoever depends on the end fires again.
    pub fn fire(&self) {
        let mut state = lock(&self.0);
        state.is_fired = true;
        if let Some(running) = &state.running {
            running.interrupt();
        }
    }

    fn begin(&self, connection: &Connection) {
        lock(&self.0).running = Some(connection.interrupt_handle());
    }

    /// From here on the connection may be somebody else's.
    fn end(&self) {
        lock(&self.0).running = None;
    }
}

/// A connection in a read transaction that can be interrupted.
pub(super) struct Reader<'a> {
    pub(super) connection: &'a Connection,
    interrupt: &'a Interrupt,
    merged_batch: OnceCell<u64>,
}

impl Reader<'_> {
    /// The last batch that is in the sums of hours and days, the same for all statements of the transaction.
    pub(super) fn merged_batch(&self) -> Result<u64, TrafficError> {
        if let Some(number) = self.merged_batch.get() {
            return Ok(*number);
        }
        let number = merged_batch(self.connection)?;
        Ok(*self.merged_batch.get_or_init(|| number))
    }

    /// # Errors
    /// [`TrafficError::Interrupted`].
    pub(super) fn go_on(&self) -> Result<(), TrafficError> {
        if lock(&self.interrupt.0).is_fired { Err(TrafficError::Interrupted) } else { Ok(()) }
    }
}

impl Traffic {
    /// Runs `query` in one read transaction that ends early if `interrupt` is fired.
    pub(super) fn read_until<T>(
        &self,
        interrupt: &Interrupt,
        query: impl FnOnce(&Reader<'_>) -> Result<T, TrafficError>,
    ) -> Result<T, TrafficError> {
        self.read(|connection| {
            interrupt.begin(connection);
            let reader = Reader { connection, interrupt, merged_batch: OnceCell::new() };
            let result = reader.go_on().and_then(|()| query(&reader));
            interrupt.end();
            result
        })
    }
}
