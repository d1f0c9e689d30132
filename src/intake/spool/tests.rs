use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use super::*;
use crate::core::calendar::UtcMillis;
use crate::core::spool_record::{Decoded, HEADER, decode, encode};
use crate::traffic::{Batch, Options, SpoolPosition, Traffic, Writer};

const STORE: Options = Options { memory_limit_mib: 256, threads: 1 };
const PLENTY: u64 = 1 << 30;

/// `make soak` sets more.
fn histories() -> u64 {
    std::env::var("SUIFTLY_HISTORIES").map_or(40, |count| count.parse().unwrap())
}

fn line(number: u64) -> String {
    format!(
        "<134>1 - gw haproxy 7 - - s1 1795424400000 1 7 {number} {number} 5 1 1 1 0 0 ::1 5 20002 GET /a 200 1 2 0/0/0/0/0/4/5 ---- b s 1"
    )
}

fn records(from: u64, to: u64) -> Vec<u8> {
    let mut records = Vec::new();
    for number in from..to {
        assert!(encode(line(number).as_bytes(), &mut records));
    }
    records
}

/// A spool with whoever writes and reads it, and its store.
struct Life<'a> {
    folder: PathBuf,
    traffic: &'a Traffic,
    writer: &'a mut Writer,
    journal: Journal,
    reader: SpoolReader,
    batch: Batch,
    sent: u64,
}

impl<'a> Life<'a> {
    fn new(folder: &Path, traffic: &'a Traffic, writer: &'a mut Writer) -> Self {
        let (journal, reader) = Self::open(folder, traffic);
        let batch = Batch::new(traffic.new_shapes().unwrap());
        Self { folder: folder.to_owned(), traffic, writer, journal, reader, batch, sent: 0 }
    }

    fn open(folder: &Path, traffic: &Traffic) -> (Journal, SpoolReader) {
        let name = folder.to_string_lossy();
        let counted = traffic.spool_position(&name).unwrap();
        let mut journal = Journal::open(&name, folder, PLENTY, counted).unwrap();
        journal.set_segment_bytes(900);
        let reader = SpoolReader::new(journal.spool().clone(), counted);
        (journal, reader)
    }

    fn read(&mut self, max_lines: usize) -> bool {
        self.reader.read(&mut self.batch, max_lines, Instant::now() + Duration::from_secs(3600))
    }

    fn commit(&mut self) {
        if !self.batch.is_empty() {
            self.writer.append(&self.batch.seal(1).unwrap()).unwrap();
            self.sent += 1;
            self.reader.sent(self.sent);
            self.reader.stored(self.sent);
        }
    }

    /// The process ends while `torn` was being written, after so many of its bytes; the machine may lose what was not
    /// synced, but not what was.
    fn crash(&mut self, torn: &[u8], garbage: &[u8]) {
        let last = self.journal.spool().lock().segments.last_key_value().map(|(number, bytes)| (*number, *bytes));
        match last {
            Some((number, durable)) if durable < 900 => {
                let file = OpenOptions::new().write(true).open(self.journal.spool().path(number)).unwrap();
                file.write_all_at(torn, durable).unwrap();
                file.write_all_at(garbage, durable + u64::try_from(torn.len()).unwrap()).unwrap();
            }
            last => {
                let begun: Vec<u8> = HEADER.iter().chain(torn).copied().collect();
                let next = last.map_or(1, |(number, _)| number + 1);
                let next = next.max(
                    self.traffic.spool_position(self.journal.spool().name()).unwrap().map_or(1, |at| at.segment + 1),
                );
                fs::write(self.journal.spool().path(next), &begun[..begun.len().min(torn.len())]).unwrap();
            }
        }
        (self.journal, self.reader) = Self::open(&self.folder, self.traffic);
        self.batch = Batch::new(self.traffic.new_shapes().unwrap());
        self.sent = 0;
    }
}

#[test]
fn whatever_byte_of_whatever_write_a_crash_comes_at_every_durable_line_is_counted_once() {
    let home = tempfile::tempdir().unwrap();
    let (traffic, mut writer) = Traffic::open(&home.path().join("t.duckdb"), &STORE).unwrap();
    let first = std::env::var("SUIFTLY_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    for seed in (0..histories()).map(|number| first.wrapping_add(number)) {
        let before = traffic.line_counts().unwrap();
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut life = Life::new(&home.path().join(seed.to_string()), &traffic, &mut writer);
        let (mut written, mut pending) = (0, Vec::new());
        // Lines that were in a torn write count if they were whole, as nobody was told that they are lost either.
        let (mut durable, mut perhaps) = (0, 0);
        for _ in 0..60 {
            match rng.u8(0..10) {
                0..4 => {
                    let count = rng.u64(1..6);
                    let more = records(written, written + count);
                    life.journal.push(&more);
                    pending.extend(more);
                    written += count;
                }
                4..6 => {
                    let lines = count_lines(&pending);
                    life.journal.flush().unwrap();
                    durable += lines;
                    pending.clear();
                }
                6..8 => drop(life.read(rng.usize(1..12))),
                8 => life.commit(),
                _ => {
                    let torn = &pending[..rng.usize(0..=pending.len())];
                    let garbage = [&[][..], &[0; 40], b"garbage!garbage!", &[0xff; 9]][rng.usize(0..4)];
                    perhaps += count_lines(torn);
                    life.crash(torn, garbage);
                    pending.clear();
                }
            }
        }
        life.journal.flush().unwrap();
        durable += count_lines(&pending);
        while life.read(1_000_000) {}
        life.commit();
        let segments = life.journal.spool().lock().segments.len();
        let after = traffic.line_counts().unwrap();
        let counted = after.0 - before.0;
        assert_eq!(after.1, before.1, "SUIFTLY_SEED={seed}");
        assert!(
            (durable..=durable + perhaps).contains(&counted),
            "{durable} durable lines and perhaps {perhaps} more, {counted} counted; SUIFTLY_SEED={seed}"
        );
        assert!(segments <= 1, "{segments} segments are left although all is counted; SUIFTLY_SEED={seed}");
    }
}

/// Whole records.
fn count_lines(bytes: &[u8]) -> u64 {
    let mut lines = 0;
    let mut rest = bytes;
    while let Decoded::Record { bytes, .. } = decode(rest) {
        rest = &rest[bytes..];
        lines += 1;
    }
    lines
}

#[test]
fn a_full_spool_takes_no_more_until_something_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open("s", folder.path(), 3000, None).unwrap();
    journal.set_segment_bytes(900);
    let spool = journal.spool().clone();
    for number in 0.. {
        let more = records(number, number + 1);
        if !spool.has_room(u64::try_from(more.len()).unwrap(), Duration::ZERO) {
            break;
        }
        journal.push(&more);
        journal.flush().unwrap();
    }
    assert!(spool.bytes() <= 3000 && spool.bytes() > 2500, "{}", spool.bytes());
    let SourceState::Unreadable(reason) = spool.source_state() else { panic!("it says nothing") };
    assert!(reason.contains("is full") && reason.contains("intake.spool_max_mib"), "{reason}");
    let newest = *spool.lock().segments.last_key_value().unwrap().0;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| spool.has_room(200, Duration::from_secs(30)));
        spool.release_before(newest);
        assert!(waiting.join().unwrap(), "whoever waits learns that there is room");
    });
    assert_eq!(spool.source_state(), SourceState::Reading);
    let segments = || fs::read_dir(folder.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file());
    assert_eq!(segments().count(), 1, "what is counted is packed");
    let kept = counted_logs(folder.path()).unwrap();
    assert!(!kept.is_empty(), "until it is sealed");
    spool.forget_sealed(UtcMillis(0));
    assert_eq!(counted_logs(folder.path()).unwrap(), kept);
    spool.forget_sealed(UtcMillis(i64::MAX));
    assert!(counted_logs(folder.path()).unwrap().is_empty());
}

/// Damaged bytes cost the records that they are in, also across a restart; all others are counted once, and are still
/// there in what is packed when all is counted.
#[test]
fn damage_costs_the_records_that_it_touches_and_no_others() {
    let home = tempfile::tempdir().unwrap();
    let (traffic, mut writer) = Traffic::open(&home.path().join("t.duckdb"), &STORE).unwrap();
    let first = std::env::var("SUIFTLY_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    for seed in (0..histories()).map(|number| first.wrapping_add(number)) {
        let before = traffic.line_counts().unwrap();
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut life = Life::new(&home.path().join(seed.to_string()), &traffic, &mut writer);
        let mut written = 0;
        for _ in 0..rng.u64(1..8) {
            let count = rng.u64(1..8);
            life.journal.push(&records(written, written + count));
            life.journal.flush().unwrap();
            written += count;
        }
        let places = record_places(&life.folder);
        assert_eq!(u64::try_from(places.len()).unwrap(), written);
        // A last record that is damaged cannot be told from one that was torn.
        let damaged: BTreeSet<_> = (1..rng.usize(1..6)).map(|_| rng.usize(0..places.len())).collect();
        let damaged: BTreeSet<_> = damaged.into_iter().filter(|index| index + 1 < places.len()).collect();
        for (path, at, length) in damaged.iter().map(|index| &places[*index]) {
            let mut bytes = fs::read(path).unwrap();
            bytes[at + rng.usize(0..*length)] ^= rng.u8(1..);
            fs::write(path, bytes).unwrap();
        }
        if rng.bool() {
            life.read(rng.usize(1..12));
            life.commit();
            life.crash(&[], &[]);
        }
        while life.read(rng.usize(1..12)) {
            life.commit();
        }
        let after = traffic.line_counts().unwrap();
        let (intact, rejected) = (written - u64::try_from(damaged.len()).unwrap(), after.1 - before.1);
        assert_eq!(after.0 - before.0, intact, "SUIFTLY_SEED={seed}");
        assert!(rejected <= written - intact, "{rejected} stretches; SUIFTLY_SEED={seed}");
        assert_eq!(rejected > 0, intact < written, "SUIFTLY_SEED={seed}");
        life.reader.spool().release_before(u64::MAX);
        let logs = counted_logs(&life.folder).unwrap();
        let lines: Vec<u8> =
            logs.iter().flat_map(|log| zstd::decode_all(fs::File::open(log).unwrap()).unwrap()).collect();
        let kept = lines.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(u64::try_from(kept).unwrap(), intact, "SUIFTLY_SEED={seed}");
    }
}

/// Where each record of a spool's segments is, and how long.
fn record_places(folder: &Path) -> Vec<(PathBuf, usize, usize)> {
    let mut places = Vec::new();
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let mut at = HEADER.len();
        while let Decoded::Record { bytes: length, .. } = decode(&bytes[at..]) {
            places.push((path.clone(), at, length));
            at += length;
        }
    }
    places
}

#[test]
fn damage_is_told_where_it_is_also_when_a_segment_is_read_in_parts_or_is_cut() {
    let home = tempfile::tempdir().unwrap();
    let (traffic, mut writer) = Traffic::open(&home.path().join("t.duckdb"), &STORE).unwrap();
    let mut life = Life::new(&home.path().join("s"), &traffic, &mut writer);
    // Several times what is read at once; none of it are requests.
    let mut long = Vec::new();
    for number in 0..60_u8 {
        assert!(encode(&vec![b'a' + number % 26; 60_000], &mut long));
    }
    life.journal.push(&long);
    life.journal.flush().unwrap();
    life.journal.push(&records(0, 2));
    life.journal.flush().unwrap();
    let path = life.journal.spool().path(1);
    let mut bytes = fs::read(&path).unwrap();
    // The length of one of them becomes 0, another one is damaged in its middle, and the last two are gone.
    let size = 8 + 60_000;
    bytes[HEADER.len() + 15 * size..][..4].fill(0);
    bytes[HEADER.len() + 40 * size + 30_000] ^= 1;
    bytes.truncate(HEADER.len() + 58 * size);
    fs::write(&path, bytes).unwrap();
    while life.read(7) {
        life.commit();
    }
    assert_eq!(traffic.line_counts().unwrap(), (2, 60 - 4 + 3));
    assert_eq!(traffic.spool_position(life.journal.spool().name()).unwrap().unwrap().segment, 2);
    assert!(!path.exists());
}

#[test]
fn a_segment_of_a_later_version_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("00000000000000000001.spool");
    fs::write(&path, b"sfyspool\x02\0\0\0\0\0\0\0more").unwrap();
    let error = Journal::open("s", folder.path(), PLENTY, None).err().unwrap();
    assert!(error.to_string().contains("no segment that this version knows"), "{error}");
    assert_eq!(fs::read(&path).unwrap().len(), 20);
}

#[test]
fn numbers_of_counted_segments_are_not_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let counted = Some(SpoolPosition { segment: 41, read_offset: 99 });
    let mut journal = Journal::open("s", folder.path(), PLENTY, counted).unwrap();
    journal.push(&records(0, 1));
    journal.flush().unwrap();
    assert_eq!(journal.spool().segment_from(0).map(|(number, _, has_later)| (number, has_later)), Some((42, false)));
}
