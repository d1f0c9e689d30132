//! The two threads: one reads and parses, the other appends.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;
use tracing::{error, warn};

use super::IntakeError;
use super::room::Room;
use super::sources::{Inputs, Sources};
use crate::clock::Clock;
use crate::core::calendar::UtcMillis;
use crate::core::source::SourceStatus;
use crate::telemetry::chain;
use crate::traffic::{Batch, Committed, SealedBatch, Traffic, Writer};

/// Batches that may wait between the threads: one fills while one is appended.
const QUEUE_BATCHES: usize = 1;
/// After reading to the end, so that a busy log is read in pieces worth a system call.
const BREATH: Duration = Duration::from_millis(10);
/// How long a batch may take to fill while there is more to read: the store takes whole row groups at a fraction of what
/// odd ones cost, so a busy machine that sent odd ones would fall behind further.
const FILL_FOR: Duration = Duration::from_secs(1);
/// Between attempts to append when the store cannot write.
const RETRY: Duration = Duration::from_secs(1);
/// How often deltas are merged.
const COMPACT_EVERY: Duration = Duration::from_secs(60);
/// Requests after which they are merged earlier: what is merged at once must fit the store's memory.
const COMPACT_AFTER_ROWS: usize = 4_000_000;

/// How to read.
#[derive(Debug, Clone)]
pub struct IntakeOptions {
    /// Looks for rotation at least this often, also when no notification comes.
    pub poll_interval: Duration,
    /// The longest that a line waits for its batch to fill, once there is nothing more to read.
    pub flush_after: Duration,
    pub max_batch_rows: usize,
    /// How long a rotated file is watched for late lines.
    pub rotation_grace: Duration,
    /// Nothing is stored while the disk has less.
    pub room: Room,
}

/// When to stop reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Follow the log until asked to stop.
    Stopped,
    /// Stop at the end of the file.
    EndOfFile,
}

/// The running threads.
pub struct Intake {
    stop: Arc<AtomicBool>,
    sources: Arc<Mutex<Vec<SourceStatus>>>,
    delivered_to: Arc<AtomicI64>,
    committed: watch::Receiver<Committed>,
    threads: Vec<JoinHandle<()>>,
}

impl Intake {
    /// Starts to read the inputs from where the store says.
    ///
    /// # Errors
    /// [`IntakeError`] if a path is no file's, the positions cannot be read, or no thread can be started.
    pub fn start(
        inputs: impl Into<Inputs>,
        options: IntakeOptions,
        until: Until,
        traffic: &Traffic,
        mut writer: Writer,
        clock: Clock,
    ) -> Result<Self, IntakeError> {
        let mut sources = Sources::new(inputs.into(), traffic, options.rotation_grace)?;
        let mut batch = Batch::new(traffic.new_shapes()?);
        batch.recognise_duplicates(traffic.recent_requests()?);
        // What is history must be on disk before anything is read: after a crash, a file that was rotated away meanwhile
        // would look like history, too.
        if sources.scan(&mut batch) && !batch.is_empty() {
            writer.append(&batch.seal(0)?)?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let statuses = Arc::new(Mutex::new(sources.statuses()));
        let (sender, receiver) = sync_channel(QUEUE_BATCHES);
        let (publish, committed) = watch::channel(Committed::default());
        let stored = Arc::new(AtomicU64::new(0));
        let delivered_to = Arc::new(AtomicI64::new(i64::MIN));
        let wake = Wake::new(&sources.folders());
        sources.wake_by(&wake.sender);
        let room = options.room.clone();
        let reading = Reading {
            options,
            until,
            stop: stop.clone(),
            sources: statuses.clone(),
            sender,
            wake,
            sent: 0,
            stored: stored.clone(),
            clock: clock.clone(),
            at_end: None,
            delivered_to: delivered_to.clone(),
        };
        let appending = Appending { writer, clock, room, stop: stop.clone(), publish, stored };
        let threads = vec![
            spawn("intake-read", move || reading.run(sources, batch))?,
            spawn("intake-append", move || appending.run(&receiver))?,
        ];
        Ok(Self { stop, sources: statuses, delivered_to, committed, threads })
    }

    /// News of every committed batch; closed when intake has stopped, by itself or because it was asked.
    pub fn committed(&self) -> watch::Receiver<Committed> {
        self.committed.clone()
    }

    /// A handle to ask how the sources fare.
    pub fn sources(&self) -> Arc<Mutex<Vec<SourceStatus>>> {
        self.sources.clone()
    }

    /// The instant (milliseconds) before which everything that was written to a source that can be read is stored; it
    /// goes on while nothing comes, too. The least number there is until that is known.
    pub fn delivered_to(&self) -> Arc<AtomicI64> {
        self.delivered_to.clone()
    }

    /// Appends what has been read, checkpoints, and ends the threads. Blocks.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.join();
    }

    /// Waits for the threads to end. Blocks.
    pub fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                error!("a thread of intake has panicked");
            }
        }
    }
}

pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, IntakeError> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|source| IntakeError::Spawn { source })
}

struct Reading {
    options: IntakeOptions,
    until: Until,
    stop: Arc<AtomicBool>,
    sources: Arc<Mutex<Vec<SourceStatus>>>,
    sender: SyncSender<SealedBatch>,
    wake: Wake,
    /// Batches given to the other thread, and those that it has stored.
    sent: u64,
    stored: Arc<AtomicU64>,
    clock: Clock,
    /// When every source was read to its end, and how many batches have to be stored until that counts.
    at_end: Option<(UtcMillis, u64)>,
    delivered_to: Arc<AtomicI64>,
}

impl Reading {
    fn run(mut self, mut sources: Sources, mut batch: Batch) {
        let mut first_line: Option<Instant> = None;
        let mut scanned: Option<Instant> = None;
        while !self.stop.load(Ordering::Relaxed) {
            if scanned.is_none_or(|at| at.elapsed() >= self.options.poll_interval) || sources.wants_scan() {
                let begins = sources.scan(&mut batch);
                scanned = Some(Instant::now());
                if (begins || batch.lines() == 0) && self.send(&mut batch, &mut sources).is_err() {
                    return;
                }
            }
            let stored = self.stored.load(Ordering::Acquire);
            sources.stored(stored, batch.is_empty() && stored == self.sent);
            let now = Instant::now();
            let pause = (first_line.unwrap_or(now) + self.options.flush_after).max(now + BREATH);
            let any = sources.read(&mut batch, self.options.max_batch_rows, pause);
            self.note_end(any, &batch);
            let is_behind = any && Instant::now() >= pause;
            *self.sources.lock().unwrap_or_else(PoisonError::into_inner) = sources.statuses();
            if batch.lines() > 0 {
                first_line.get_or_insert_with(Instant::now);
            }
            let waited = first_line.map_or(Duration::ZERO, |at| at.elapsed());
            let longest = if is_behind { FILL_FOR.max(self.options.flush_after) } else { self.options.flush_after };
            if batch.is_full(self.options.max_batch_rows) || waited >= longest {
                if self.send(&mut batch, &mut sources).is_err() {
                    return;
                }
                first_line = None;
            }
            let is_busy = any || sources.wants_scan();
            if !is_busy && self.until == Until::EndOfFile {
                break;
            }
            // A batch that was sent while there was more to read is followed by the next at once.
            if !any || first_line.is_some() && !is_behind {
                self.rest(is_busy, first_line);
            }
        }
        let _ = self.send(&mut batch, &mut sources);
        if self.until == Until::EndOfFile {
            self.await_stored(&mut sources);
        }
    }

    /// Notes how far everything has been delivered: an end that was seen counts once all that was read before it is
    /// stored.
    fn note_end(&mut self, any: bool, batch: &Batch) {
        if let Some((at, batches)) = self.at_end
            && self.stored.load(Ordering::Acquire) >= batches
        {
            self.delivered_to.store(at.0, Ordering::Release);
            self.at_end = None;
        }
        if !any && self.at_end.is_none() {
            let unsent = u64::from(!batch.is_empty());
            self.at_end = Some((self.clock.now(), self.sent.saturating_add(unsent)));
        }
    }

    /// Until all that was sent is stored, or never will be.
    fn await_stored(&self, sources: &mut Sources) {
        while !self.stop.load(Ordering::Relaxed) {
            let stored = self.stored.load(Ordering::Acquire);
            sources.stored(stored, stored == self.sent);
            if stored >= self.sent {
                return;
            }
            thread::sleep(BREATH);
        }
    }

    /// Fails if the other thread has ended.
    fn send(&mut self, batch: &mut Batch, sources: &mut Sources) -> Result<(), ()> {
        if batch.is_empty() {
            return Ok(());
        }
        let sealed = batch.seal(self.options.max_batch_rows).map_err(|error| error!(%error, "cannot seal a batch"))?;
        self.sent += 1;
        sources.sent(self.sent);
        self.sender.send(sealed).map_err(|_| ())
    }

    /// Waits for news: briefly while lines come, until the batch is due or the next poll otherwise.
    fn rest(&mut self, is_busy: bool, first_line: Option<Instant>) {
        if is_busy {
            thread::sleep(BREATH);
            return;
        }
        let due = first_line.map(|at| self.options.flush_after.saturating_sub(at.elapsed()));
        self.wake.wait(due.unwrap_or(self.options.poll_interval).min(self.options.poll_interval));
    }
}

/// Change notifications of the logs' folders: a hint, never relied upon.
struct Wake {
    _watcher: Option<RecommendedWatcher>,
    changes: Receiver<()>,
    /// For sources that can tell themselves; it keeps the channel open, too, when there is no watcher.
    sender: SyncSender<()>,
}

impl Wake {
    fn new(folders: &BTreeSet<PathBuf>) -> Self {
        let (sender, changes) = sync_channel(1);
        let notify = sender.clone();
        let watcher = notify::recommended_watcher(move |_| match notify.try_send(()) {
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        });
        let watcher = watcher.inspect_err(|error| warn!(%error, "no change notifications; polling instead")).ok();
        let watcher = watcher.map(|mut watcher| {
            for folder in folders {
                if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                    warn!(folder = %folder.display(), %error, "no change notifications for a folder; polling instead");
                }
            }
            watcher
        });
        Self { _watcher: watcher, changes, sender }
    }

    fn wait(&self, longest: Duration) {
        match self.changes.recv_timeout(longest) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => thread::sleep(longest),
        }
    }
}

struct Appending {
    writer: Writer,
    clock: Clock,
    room: Room,
    stop: Arc<AtomicBool>,
    publish: watch::Sender<Committed>,
    stored: Arc<AtomicU64>,
}

impl Appending {
    fn run(mut self, batches: &Receiver<SealedBatch>) {
        let (mut compacted, mut rows) = (Instant::now(), 0);
        for batch in batches {
            if !self.append(&batch) {
                self.stop.store(true, Ordering::Relaxed);
                return;
            }
            rows += batch.rows();
            if compacted.elapsed() >= COMPACT_EVERY || rows >= COMPACT_AFTER_ROWS {
                if let Err(error) = self.writer.compact(self.clock.now()) {
                    warn!(error = %chain(&error), "cannot merge rollups");
                }
                (compacted, rows) = (Instant::now(), 0);
            }
        }
        if let Err(error) = self.writer.checkpoint() {
            warn!(error = %chain(&error), "cannot checkpoint the traffic store");
        }
    }

    /// Appends until it succeeds. `false` if it never will, or if a stop was asked for meanwhile: then the lines stay
    /// in their files and are read again after the next start.
    fn append(&mut self, batch: &SealedBatch) -> bool {
        if !self.wait_for_room() {
            return false;
        }
        loop {
            match self.writer.append(batch) {
                Ok(number) => {
                    self.stored.fetch_add(1, Ordering::Release);
                    self.announce(number, batch);
                    return true;
                }
                Err(error) => {
                    error!(
                        error = %chain(&error),
                        "cannot append to the traffic store; intake waits"
                    );
                    self.publish.send_modify(|committed| committed.stalled = true);
                    if error.is_fatal() || self.stop.load(Ordering::Relaxed) {
                        return false;
                    }
                    thread::sleep(RETRY);
                }
            }
        }
    }

    /// `false` if a stop was asked for meanwhile.
    fn wait_for_room(&self) -> bool {
        let mut said = false;
        while let Some(missing_bytes) = self.room.missing() {
            if !said {
                error!(missing_bytes, path = %self.room.path.display(), "the disk is too full: intake waits for room");
                self.publish.send_modify(|committed| committed.stalled = true);
                said = true;
            }
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            thread::sleep(RETRY);
        }
        true
    }

    fn announce(&self, number: u64, batch: &SealedBatch) {
        let now = self.clock.now();
        let lag = |end: UtcMillis| u64::try_from(now.0.saturating_sub(end.0)).unwrap_or(0);
        self.publish.send_modify(|committed| {
            committed.batch = number;
            committed.stalled = false;
            committed.rows += u64::try_from(batch.rows()).unwrap_or(0);
            committed.rejects += u64::try_from(batch.rejects()).unwrap_or(0);
            committed.line_to_row_ms = batch.newest_end().map(lag).or(committed.line_to_row_ms);
        });
    }
}
