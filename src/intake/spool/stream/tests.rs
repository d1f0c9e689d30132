use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Instant;

use super::*;
use crate::core::source::SourceState;
use crate::intake::spool::SpoolReader;
use crate::traffic::{Batch, Options, Traffic, Writer};

const STORE: Options = Options { memory_limit_mib: 256, threads: 1 };
const PLENTY: u64 = 1 << 30;
const GATEWAY: u8 = 2;
const NAME: &str = "gateway-2";

fn to_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap()
}

fn lines(from: u64, to: u64) -> String {
    let line = |number| {
        format!(
            "s1 1795424400000 2 7 {number} {number} 5 1 1 1 0 0 ::1 5 20002 GET /a 200 1 2 0/0/0/0/0/4/5 ---- b s 1\n"
        )
    };
    (from..to).map(line).collect()
}

fn open(folder: &Path, max_bytes: u64, counted: Option<SpoolPosition>) -> StreamJournal {
    let mut journal = StreamJournal::open(GATEWAY, NAME, folder, max_bytes, counted).unwrap();
    journal.journal.set_segment_bytes(900);
    journal
}

/// The newest segment and its length on disk.
fn newest(folder: &Path) -> (PathBuf, u64) {
    let segments = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let path = segments.max().unwrap();
    let bytes = fs::metadata(&path).unwrap().len();
    (path, bytes)
}

/// A stream with whoever writes and reads it, and its store.
struct Life<'a> {
    folder: PathBuf,
    traffic: &'a Traffic,
    writer: &'a mut Writer,
    journal: StreamJournal,
    reader: SpoolReader,
    batch: Batch,
    sent: u64,
}

impl<'a> Life<'a> {
    fn new(folder: &Path, traffic: &'a Traffic, writer: &'a mut Writer) -> Self {
        let counted = traffic.spool_position(NAME).unwrap();
        let journal = open(folder, PLENTY, counted);
        let reader = SpoolReader::new(journal.spool().clone(), counted);
        let batch = Batch::new(traffic.new_shapes().unwrap());
        Self { folder: folder.to_owned(), traffic, writer, journal, reader, batch, sent: 0 }
    }

    fn read(&mut self, max_lines: usize) -> bool {
        self.reader.read(&mut self.batch, max_lines, Instant::now() + Duration::from_secs(3600))
    }

    fn commit(&mut self) {
        if !self.batch.is_empty() {
            self.sent += 1;
            self.reader.sent(self.sent);
            self.writer.append(&self.batch.seal(0).unwrap()).unwrap();
            self.reader.stored(self.sent);
        }
    }

    /// Ends everything that is not on disk, and begins again.
    fn restart(&mut self) {
        let counted = self.traffic.spool_position(NAME).unwrap();
        self.journal = open(&self.folder, PLENTY, counted);
        self.reader = SpoolReader::new(self.journal.spool().clone(), counted);
        self.batch = Batch::new(self.traffic.new_shapes().unwrap());
        self.sent = 0;
    }
}

#[test]
fn whatever_byte_of_whatever_piece_a_crash_comes_at_every_line_is_counted_once() {
    let home = tempfile::tempdir().unwrap();
    let (traffic, mut writer) = Traffic::open(&home.path().join("t.duckdb"), &STORE).unwrap();
    let text = lines(0, 120);
    let whole = to_u64(text.len());
    // Each history is a stream of its own, in the same spool.
    for stream in 1..=10 {
        let seed = std::env::var("SUIFTLY_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
        let mut rng = fastrand::Rng::with_seed(seed);
        let before = traffic.line_counts().unwrap();
        let mut life = Life::new(&home.path().join("s"), &traffic, &mut writer);
        let mut length = 0;
        for _ in 0..60 {
            let offset = u64::saturating_sub(length, if rng.bool() { 0 } else { rng.u64(0..700) });
            let begin = usize::try_from(offset).unwrap();
            let piece = &text.as_bytes()[begin..text.len().min(begin + rng.usize(0..900))];
            match rng.u8(0..10) {
                0..5 => {
                    let next = life.journal.append(stream, offset, piece).unwrap();
                    assert!(next >= length && next <= length.max(offset + to_u64(piece.len())), "SUIFTLY_SEED={seed}");
                    length = next;
                }
                5..8 => drop(life.read(rng.usize(1..12))),
                8 => life.commit(),
                _ => {
                    // Killed within the write: some of it is on disk, and perhaps something else behind it.
                    let old = life.journal.spool().last_segment();
                    let kept = old.map_or(0, |_| newest(&life.folder).1);
                    life.journal.append(stream, offset, piece).unwrap();
                    if let Some(last) = life.journal.spool().last_segment() {
                        let (path, bytes) = newest(&life.folder);
                        let file = OpenOptions::new().write(true).open(path).unwrap();
                        // A header is synced before anything follows it.
                        let end = rng.u64(if Some(last) == old { kept } else { 16 }..=bytes);
                        let garbage = [&[][..], &[0; 40], b"garbage!garbage!", &[0xff; 9]][rng.usize(0..4)];
                        file.set_len(end).unwrap();
                        file.write_all_at(garbage, end).unwrap();
                    }
                    life.restart();
                    let next = life.journal.length(stream).unwrap();
                    assert!(next >= length, "{next} of {length} that were durable; SUIFTLY_SEED={seed}");
                    length = next;
                }
            }
        }
        let rest = usize::try_from(length).unwrap();
        assert_eq!(life.journal.append(stream, length, &text.as_bytes()[rest..]).unwrap(), whole);
        while life.read(1_000_000) {}
        life.commit();
        assert!(life.journal.spool().lock().segments.len() <= 1, "SUIFTLY_SEED={seed}");
        let after = traffic.line_counts().unwrap();
        assert_eq!((after.0 - before.0, after.1), (120, before.1), "SUIFTLY_SEED={seed}");
    }
}

#[test]
fn what_could_not_be_written_is_written_once_it_can() {
    let home = tempfile::tempdir().unwrap();
    let (folder, away) = (home.path().join("s"), home.path().join("away"));
    let mut journal = open(&folder, PLENTY, None);
    fs::rename(&folder, &away).unwrap();
    let text = lines(0, 3);
    for _ in 0..2 {
        assert!(matches!(journal.append(7, 0, text.as_bytes()), Err(AppendError::Write(_))));
        assert!(matches!(journal.length(7), Err(AppendError::Write(_))), "it is not durable");
        assert!(matches!(journal.spool().source_state(), SourceState::Unreadable(_)));
    }
    fs::rename(&away, &folder).unwrap();
    assert_eq!(journal.length(7).unwrap(), to_u64(text.len()));
    assert_eq!(journal.append(7, 0, text.as_bytes()).unwrap(), to_u64(text.len()));
    assert_eq!(journal.spool().source_state(), SourceState::Reading);
    let once = 16 + to_u64(text.len()) + 3 * (8 - 1) + 25;
    assert_eq!(newest(&folder).1, once);
}

#[test]
fn a_full_spool_takes_no_piece_until_something_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path(), 3000, None);
    let text = lines(0, 100);
    let mut length = 0;
    let append = |journal: &mut StreamJournal, length: &mut u64| {
        let begin = usize::try_from(*length).unwrap();
        *length = journal.append(7, *length, &text.as_bytes()[begin..begin + 300])?;
        Ok::<_, AppendError>(())
    };
    while append(&mut journal, &mut length).is_ok() {}
    assert!(journal.spool().bytes() <= 3000 && journal.spool().bytes() > 2500);
    assert!(matches!(append(&mut journal, &mut length), Err(AppendError::Full)));
    assert!(matches!(journal.spool().source_state(), SourceState::Unreadable(_)));
    assert_eq!(journal.length(7).unwrap(), length);
    let newest = journal.spool().last_segment().unwrap();
    journal.spool().release_before(newest);
    assert_eq!(journal.spool().source_state(), SourceState::Reading);
    append(&mut journal, &mut length).unwrap();
    // What was packed is the lines, without the marks between them.
    let packed = crate::intake::counted_logs(folder.path()).unwrap();
    let packed: Vec<u8> =
        packed.iter().flat_map(|log| zstd::decode_all(fs::File::open(log).unwrap()).unwrap()).collect();
    assert!(!packed.is_empty() && text.as_bytes().starts_with(&packed));
}

#[test]
fn a_stream_whose_counted_end_is_lost_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let text = lines(0, 4);
    let half = lines(0, 2).len();
    let mut journal = open(folder.path(), PLENTY, None);
    journal.append(7, 0, &text.as_bytes()[..half]).unwrap();
    journal.append(7, to_u64(half), &text.as_bytes()[half..]).unwrap();
    let (path, bytes) = newest(folder.path());
    for (damage, counted, expected) in [
        // Not counted yet: it comes again, and counts once.
        (bytes - 3, (1, 16), Ok(to_u64(half))),
        (bytes - 3, (1, bytes), Err(PieceRefusal::Superseded { newest: 8 })),
        (bytes - 3, (2, 99), Err(PieceRefusal::Superseded { newest: 8 })),
    ] {
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[usize::try_from(damage).unwrap()] ^= 1;
        fs::write(&path, bad).unwrap();
        let (segment, read_offset) = counted;
        let mut journal = open(folder.path(), PLENTY, Some(SpoolPosition { segment, read_offset }));
        let length = journal.length(7).map_err(|error| match error {
            AppendError::Refused(refusal) => refusal,
            error => panic!("{error}"),
        });
        assert_eq!(length, expected, "{counted:?}");
        assert_eq!(journal.length(8).unwrap(), 0, "another one can begin");
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn a_stream_of_which_no_mark_is_left_is_not_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let counted = Some(SpoolPosition { segment: 3, read_offset: 99 });
    let error = StreamJournal::open(GATEWAY, NAME, folder.path(), PLENTY, counted).err().unwrap().to_string();
    assert!(error.contains("gateway 2") && error.contains("begin another stream"), "{error}");
}

#[test]
fn no_segment_is_shown_before_it_has_a_mark() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path(), PLENTY, None);
    let mut sent = 0;
    for number in 0..20 {
        let text = lines(number, number + 1);
        sent = journal.append(7, sent, text.as_bytes()).unwrap();
        let (path, _) = newest(folder.path());
        let bytes = fs::read(path).unwrap();
        assert!(crate::core::spool_record::last_mark(&bytes[16..]).is_some());
    }
}
