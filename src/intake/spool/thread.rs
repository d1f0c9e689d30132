//! The thread that writes a spool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::error;

use super::{Journal, Spool};
use crate::intake::IntakeError;

/// Records as they are written, so that nothing is copied line by line.
pub type Chunk = Vec<u8>;

/// Chunks that may wait to be written; receivers wait when there are more.
const QUEUE_CHUNKS: usize = 64;
/// How long more is gathered before it is made durable, and how much. With the time that this takes, a line is durable
/// within 100 ms.
const GATHER: Duration = Duration::from_millis(20);
const GATHER_BYTES: usize = 4 << 20;
/// Between looks for more while gathering.
const PAUSE: Duration = Duration::from_millis(2);
/// Between attempts to write, and looks whether there is room.
const RETRY: Duration = Duration::from_millis(500);

/// The running thread. It ends when all senders are gone and what they sent is durable.
pub struct SpoolThread {
    spool: Arc<Spool>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl SpoolThread {
    /// Starts it, and gives the way to send it records.
    ///
    /// # Errors
    /// [`IntakeError::Spawn`] if there can be no more threads.
    pub fn start(journal: Journal) -> Result<(Self, Sender<Chunk>), IntakeError> {
        let (sender, receiver) = channel(QUEUE_CHUNKS);
        let (spool, stop) = (journal.spool().clone(), Arc::new(AtomicBool::new(false)));
        let writing = Writing { journal, receiver, stop: stop.clone() };
        let thread = crate::intake::pipeline::spawn("spool", move || writing.run())?;
        Ok((Self { spool, stop, thread }, sender))
    }

    pub fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// Waits for its end, for which the senders must be gone. Blocks. What cannot be written by now is given up.
    pub fn join(self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            error!("the thread of the spool has panicked");
        }
    }
}

struct Writing {
    journal: Journal,
    receiver: Receiver<Chunk>,
    stop: Arc<AtomicBool>,
}

impl Writing {
    fn run(mut self) {
        while let Some(chunk) = self.receiver.blocking_recv() {
            self.journal.push(&chunk);
            self.gather();
            if !self.write() {
                return;
            }
        }
    }

    fn gather(&mut self) {
        let begun = Instant::now();
        while self.journal.pending() < GATHER_BYTES && begun.elapsed() < GATHER {
            match self.receiver.try_recv() {
                Ok(chunk) => self.journal.push(&chunk),
                Err(_) if self.receiver.is_closed() => return,
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Writes until it succeeds. `false` if it cannot, and a stop was asked for.
    fn write(&mut self) -> bool {
        let spool = self.journal.spool().clone();
        let bytes = u64::try_from(self.journal.pending()).unwrap_or(u64::MAX);
        while !spool.has_room(bytes, RETRY) {
            if self.stop.load(Ordering::Relaxed) {
                error!(bytes, "the spool is full at the end; lines that were received are given up");
                return false;
            }
        }
        loop {
            match self.journal.flush() {
                Ok(()) => {
                    spool.set_trouble(None);
                    return true;
                }
                Err(error) => {
                    error!(folder = %spool.folder.display(), %error, "cannot write to the spool; receivers wait");
                    spool.set_trouble(Some(error.to_string()));
                    if self.stop.load(Ordering::Relaxed) {
                        return false;
                    }
                    thread::sleep(RETRY);
                }
            }
        }
    }
}
