//! Intake of one log, step by step.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use suiftly::intake::Follower;
use suiftly::traffic::{Batch, Traffic, Writer};
use tempfile::TempDir;

use crate::support::STORE;

/// Intake step by step, without its threads: nothing happens between the steps.
pub struct Tail {
    folder: TempDir,
    grace: Duration,
    pub traffic: Traffic,
    pub writer: Writer,
    pub follower: Follower,
    pub batch: Batch,
}

/// No batch of a test is due before it is full.
pub fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

impl Tail {
    pub fn new() -> Self {
        Self::with_grace(Duration::from_secs(60))
    }

    pub fn with_grace(grace: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (traffic, writer) = Traffic::open(&folder.path().join("t.duckdb"), &STORE).unwrap();
        let follower = Follower::new(&folder.path().join("ha.log"), None, grace).unwrap();
        let batch = Batch::new(traffic.new_shapes().unwrap());
        Self { folder, grace, traffic, writer, follower, batch }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub fn truncate(&self, name: &str) {
        OpenOptions::new().write(true).truncate(true).open(self.path(name)).unwrap();
    }

    /// One round of the reader, committed.
    pub fn poll(&mut self) {
        loop {
            self.follower.scan(&mut self.batch);
            while self.follower.read(&mut self.batch, 1_000_000, far()) {}
            if !self.follower.wants_scan() {
                break;
            }
        }
        let sealed = self.batch.seal(1).unwrap();
        self.writer.append(&sealed).unwrap();
    }

    /// As after a crash: only what was committed is known.
    pub fn restart(&mut self) {
        let log = self.path("ha.log");
        let known = self.traffic.file_positions(&log.to_string_lossy()).unwrap();
        self.follower = Follower::new(&log, known, self.grace).unwrap();
        self.batch = Batch::new(self.traffic.new_shapes().unwrap());
    }

    #[track_caller]
    pub fn expect(&self, rows: u64, rejects: u64) {
        assert_eq!(self.traffic.line_counts().unwrap(), (rows, rejects));
        assert_eq!(
            self.traffic.usage_changed_after(0).unwrap().hours.iter().map(|hour| hour.requests).sum::<u64>(),
            rows
        );
    }
}
