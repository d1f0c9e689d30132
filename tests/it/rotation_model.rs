//! Every step of a rotating tool, in any order with every step of the follower: each line is counted once.
//!
//! The steps are as small as the system calls that a tool makes: half a chain of renames, an empty copy, half a copy,
//! a copy that is complete while its log is not yet truncated. Between any two of them the follower may look, read a
//! part, commit or crash.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use suiftly::intake::Follower;
use suiftly::traffic::{Batch, Traffic, Writer};

use crate::support::{STORE, line};

const STEPS: u32 = 120;
/// Longer than a test: half a line is not given up.
const GRACE: Duration = Duration::from_secs(60);

/// `make soak` sets more.
fn histories() -> u64 {
    std::env::var("SUIFTLY_HISTORIES").map_or(200, |count| count.parse().expect("SUIFTLY_HISTORIES is a number"))
}

/// What a tool does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// `name.N` becomes `name.N+1`.
    Shift(u32),
    /// The log becomes `name.1`; its writer still holds it.
    Rename,
    /// The writer opens a new log.
    Reopen,
    BeginCopy,
    /// So many more bytes of the log, or all that are left.
    Copy(usize),
    Truncate,
}

struct Scribe {
    folder: PathBuf,
    log: File,
    plan: VecDeque<Step>,
    written: u64,
    files: u32,
    rest: String,
}

impl Scribe {
    fn new(folder: &Path) -> Self {
        let log = open(&folder.join("ha.log"));
        Self { folder: folder.to_owned(), log, plan: VecDeque::new(), written: 0, files: 0, rest: String::new() }
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("ha.log.{number}"))
    }

    /// Whole lines, or a line up to its middle, which the next call ends.
    fn write(&mut self, rng: &mut fastrand::Rng) {
        let mut text = std::mem::take(&mut self.rest);
        for _ in 0..rng.u64(0..12) {
            text.push_str(&line(self.written));
            self.written += 1;
        }
        if rng.u8(..) < 60 {
            let next = line(self.written);
            let (first, rest) = next.split_at(rng.usize(1..next.len()));
            text.push_str(first);
            self.rest = rest.to_owned();
            self.written += 1;
        }
        self.log.write_all(text.as_bytes()).unwrap();
    }

    /// The two halves of a line are never in two files.
    fn end_line(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        self.log.write_all(rest.as_bytes()).unwrap();
    }

    fn advance(&mut self, rng: &mut fastrand::Rng) {
        let Some(step) = self.plan.pop_front() else {
            return self.make_plan(rng);
        };
        if matches!(step, Step::Reopen | Step::BeginCopy) {
            self.end_line();
        }
        let log = self.folder.join("ha.log");
        match step {
            Step::Shift(number) => fs::rename(self.path(number), self.path(number + 1)).unwrap(),
            Step::Rename => fs::rename(log, self.path(1)).unwrap(),
            Step::Reopen => self.log = open(&log),
            Step::BeginCopy => drop(File::create(self.path(1)).unwrap()),
            Step::Copy(bytes) => {
                let (text, copied) = (fs::read(&log).unwrap(), fs::metadata(self.path(1)).unwrap().len());
                let left = &text[usize::try_from(copied).unwrap()..];
                open(&self.path(1)).write_all(&left[..bytes.min(left.len())]).unwrap();
            }
            Step::Truncate => {
                self.wait_for_tick();
                self.log.set_len(0).unwrap();
            }
        }
    }

    /// Until a change of the log has another time than its last one: file systems' clocks tick every few milliseconds.
    fn wait_for_tick(&self) {
        let scratch = self.folder.join("scratch");
        let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        while fs::write(&scratch, "").is_ok() && modified(&scratch) == modified(&self.folder.join("ha.log")) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn make_plan(&mut self, rng: &mut fastrand::Rng) {
        self.plan.extend((1..=self.files).rev().map(Step::Shift));
        self.files += 1;
        if rng.bool() {
            self.plan.extend([Step::Rename, Step::Reopen]);
        } else {
            let part = [1, 20, 100, 500, 1000, 2000][rng.usize(0..6)];
            self.plan.extend([Step::BeginCopy, Step::Copy(part), Step::Copy(usize::MAX), Step::Truncate]);
        }
    }

    /// Its inode is the next file's, with many file systems.
    fn delete_oldest(&mut self) {
        if self.plan.is_empty() && self.files > 0 {
            fs::remove_file(self.path(self.files)).unwrap();
            self.files -= 1;
        }
    }

    /// What is written between a copy and the truncation is lost with any tool.
    fn may_write(&self) -> bool {
        !self.plan.iter().any(|step| matches!(step, Step::Truncate))
            || self.plan.iter().any(|step| matches!(step, Step::BeginCopy))
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

struct Tail<'a> {
    log: PathBuf,
    traffic: &'a Traffic,
    writer: &'a mut Writer,
    follower: Follower,
    batch: Batch,
}

impl<'a> Tail<'a> {
    fn new(log: PathBuf, traffic: &'a Traffic, writer: &'a mut Writer) -> Self {
        let follower = Follower::new(&log, None, GRACE).unwrap();
        let batch = Batch::new(traffic.new_shapes().unwrap());
        let mut tail = Self { log, traffic, writer, follower, batch };
        tail.follower.scan(&mut tail.batch);
        tail.commit();
        tail
    }

    fn commit(&mut self) {
        if !self.batch.is_empty() {
            self.writer.append(&self.batch.seal(1).unwrap()).unwrap();
        }
    }

    fn read(&mut self, max_lines: usize) -> bool {
        self.follower.read(&mut self.batch, max_lines, Instant::now() + Duration::from_secs(3600))
    }

    fn crash(&mut self) {
        let known = self.traffic.file_positions(&self.log.to_string_lossy()).unwrap();
        self.follower = Follower::new(&self.log, known, GRACE).unwrap();
        self.batch = Batch::new(self.traffic.new_shapes().unwrap());
        // A new process looks before it does anything else.
        self.follower.scan(&mut self.batch);
    }

    fn finish(&mut self) {
        for _ in 0..4 {
            self.follower.scan(&mut self.batch);
            while self.read(1_000_000) {}
            self.commit();
        }
    }

    /// Tells whether all is counted.
    fn advance(&mut self, rng: &mut fastrand::Rng) -> bool {
        let step = rng.u8(0..10);
        match step {
            0..4 => self.follower.scan(&mut self.batch),
            4..6 => drop(self.read(rng.usize(1..30))),
            6..8 => self.commit(),
            8 => self.crash(),
            _ => self.finish(),
        }
        step == 9
    }
}

#[test]
fn in_every_history_of_rotating_reading_and_crashing_each_line_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let (traffic, mut writer) = Traffic::open(&folder.path().join("t.duckdb"), &STORE).unwrap();
    let first = std::env::var("SUIFTLY_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    for seed in (0..histories()).map(|number| first.wrapping_add(number)) {
        let home = folder.path().join(seed.to_string());
        fs::create_dir(&home).unwrap();
        let before = traffic.line_counts().unwrap();
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut scribe = Scribe::new(&home);
        let mut tail = Tail::new(home.join("ha.log"), &traffic, &mut writer);
        for _ in 0..STEPS {
            match rng.u8(0..10) {
                0..3 if scribe.may_write() => scribe.write(&mut rng),
                0..7 => scribe.advance(&mut rng),
                _ => {
                    if tail.advance(&mut rng) {
                        scribe.delete_oldest();
                    }
                }
            }
        }
        while !scribe.plan.is_empty() {
            scribe.advance(&mut rng);
        }
        scribe.end_line();
        tail.finish();
        let after = traffic.line_counts().unwrap();
        assert_eq!((after.0 - before.0, after.1 - before.1), (scribe.written, 0), "with SUIFTLY_SEED={seed}");
    }
}
