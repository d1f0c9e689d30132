//! The spool: lines that cannot be read a second time are written here first, and then read like a file.
//!
//! ```text
//! receivers ─▶ queue ─▶ spool thread: gather ≤ 20 ms, write, fsync ─▶ segments ─▶ reader: rows and position, committed
//!                ↑                                                        │              together
//!     full: receivers stop reading                                        └─ packed when counted to the end,
//!                                                                            deleted when sealed
//! ```
//! Segments are files of records (`core::spool_record` has the layout), numbered upwards; each process begins a new one,
//! so that nothing is ever written before a place that is counted already.
//!
//! On the host of a remote gateway nothing is counted: what is read is sent to the primary (`outbox`), and a segment is
//! deleted when the primary has it durable.
//!
//! The stream of a remote gateway has a spool of its own at the primary (`intake::remote`), which differs in what writes it: whoever
//! sends waits until it is durable, and a mark behind the lines tells how much of the stream they are.
//!
//! Invariants:
//! - A record is read once it is durable, at most 100 ms after it came, and never before.
//! - After a crash at any byte the last segment is cut behind its last whole record. Every durable record is still there.
//! - A record that is damaged on the disk costs itself: it goes to quarantine, and reading goes on at the next whole one.
//! - Segments that are not counted stay below the limit together: when it is reached, nothing is taken in until room is made.

mod journal;
mod kept;
mod outbox;
mod reader;
mod sent;
mod stream;
#[cfg(test)]
mod tests;
mod thread;

pub use journal::Journal;
pub use kept::counted_logs;
pub use outbox::{Delivered, Depth, Outbox, OutboxLimits, Packed};
pub(super) use reader::SpoolReader;
pub use stream::AppendError;
pub(super) use stream::StreamJournal;
pub use thread::{Chunk, SpoolThread};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::warn;

use crate::core::log_shipment::Segments;
use crate::core::source::SourceState;

/// A segment that has grown to this is followed by the next.
pub(super) const SEGMENT_BYTES: u64 = 16 << 20;

const EXTENSION: &str = "spool";

/// The segments of one spool, shared by whoever writes and whoever reads.
#[derive(Debug)]
pub struct Spool {
    name: String,
    /// The one gateway whose lines these are, if they come from one.
    gateway: Option<u8>,
    folder: PathBuf,
    max_bytes: u64,
    state: Mutex<State>,
    freed: Condvar,
    written: Notify,
}

#[derive(Debug, Default)]
struct State {
    segments: Segments,
    is_full: bool,
    /// Why nothing can be written at present.
    trouble: Option<String>,
    /// Wakes the reader.
    wake: Option<SyncSender<()>>,
}

impl Spool {
    /// What the store knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it fares: in trouble while nothing can be written or it is full.
    pub fn source_state(&self) -> SourceState {
        let hindrance = self.hindrance("some of it is counted: see why rows are not stored");
        hindrance.map_or(SourceState::Reading, SourceState::Unreadable)
    }

    /// Why nothing can be taken in at present. `until` says what makes room, and what to do for it.
    fn hindrance(&self, until: &str) -> Option<String> {
        let state = self.lock();
        let (folder, mib) = (self.folder.display(), self.max_bytes >> 20);
        match &state.trouble {
            Some(trouble) => Some(format!("the spool {folder} cannot be written: {trouble}")),
            None if state.is_full => Some(format!(
                "the spool {folder} is full ({mib} MiB), so no more lines are received until {until}, or raise \
                 intake.spool_max_mib"
            )),
            None => None,
        }
    }

    /// Returns when more was written since the last time; for one listener.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// The durable bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.lock().segments.values().sum()
    }

    /// Packs the segments before one, which are counted, and keeps them like that until their requests are sealed.
    pub(super) fn release_before(&self, segment: u64) {
        self.delete_before(segment, |number| {
            if self.path(number).exists() { kept::put_away(&self.folder, &self.path(number), number) } else { Ok(()) }
        });
    }

    /// Deletes the segments before one, each after something was done with it.
    fn delete_before(&self, segment: u64, first: impl Fn(u64) -> io::Result<()>) {
        let released: Vec<u64> = self.lock().segments.range(..segment).map(|(number, _)| *number).collect();
        for number in released {
            if let Err(error) = first(number) {
                warn!(segment = number, %error, "a segment of the spool that is done with cannot be packed; it stays");
                return;
            }
            match fs::remove_file(self.path(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    warn!(segment = number, %error, "cannot delete a segment of the spool that is done with");
                    return;
                }
                _ => {
                    let mut state = self.lock();
                    state.segments.remove(&number);
                    state.is_full = false;
                }
            }
        }
        self.freed.notify_all();
    }

    /// Has a reader woken whenever there is more to read.
    pub(super) fn wake_by(&self, wake: SyncSender<()>) {
        self.lock().wake = Some(wake);
    }

    /// The durable length of each segment.
    fn segments(&self) -> Segments {
        self.lock().segments.clone()
    }

    fn last_segment(&self) -> Option<u64> {
        self.lock().segments.last_key_value().map(|(number, _)| *number)
    }

    /// The first segment from `number` on, with its durable length, and whether there is a later one.
    fn segment_from(&self, number: u64) -> Option<(u64, u64, bool)> {
        let state = self.lock();
        let mut segments = state.segments.range(number..);
        let (number, bytes) = segments.next()?;
        Some((*number, *bytes, segments.next().is_some()))
    }

    fn set_durable(&self, segment: u64, bytes: u64) {
        let mut state = self.lock();
        state.segments.insert(segment, bytes);
        self.written.notify_one();
        if let Some(wake) = &state.wake {
            // Whoever is awake already needs no second call.
            let _ = wake.try_send(());
        }
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.lock().trouble = trouble;
    }

    /// Whether there is room for so many bytes, which is waited for, for a while.
    fn has_room(&self, bytes: u64, wait: Duration) -> bool {
        let fits = |state: &State| state.segments.values().sum::<u64>().saturating_add(bytes) <= self.max_bytes;
        let mut state = self.lock();
        if !fits(&state) {
            if !state.is_full {
                warn!(folder = %self.folder.display(), max_bytes = self.max_bytes, "the spool is full; receivers wait");
            }
            state.is_full = true;
            state = self.freed.wait_timeout(state, wait).map_or_else(|error| error.into_inner().0, |(state, _)| state);
        }
        state.is_full = !fits(&state);
        !state.is_full
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.folder.join(segment_name(segment))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn segment_name(number: u64) -> String {
    format!("{number:020}.{EXTENSION}")
}

/// The number in a segment's name.
fn segment_number(path: &Path) -> Option<u64> {
    let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
    path.file_stem().filter(|_| is_segment)?.to_str()?.parse().ok()
}
