use std::fs;
use std::path::PathBuf;

use super::*;
use crate::core::gateway_stream::{PieceRefusal, StreamPosition};
use crate::core::spool_record::encode;

const STREAM: u64 = 1_795_424_400_000;
const NOW: UtcMillis = UtcMillis(1_795_424_500_000);

/// Each is some hundred writes that wait for the disk.
fn histories() -> u32 {
    std::env::var("SUIFTLY_HISTORIES").map_or(12, |count| count.parse().unwrap())
}

const LIMITS: OutboxLimits = OutboxLimits { waiting: 1 << 30, sent: 1 << 30 };

fn line(number: u64) -> String {
    let ts = STREAM + number;
    format!("s1 {ts} 2 7 {number} {number} 5 1 1 1 0 0 ::1 5 20002 GET /a 200 1 2 0/0/0/0/0/4/5 ---- b s 1")
}

/// The receiving side, as it keeps lines.
#[derive(Clone, Default)]
struct Primary {
    position: StreamPosition,
    records: Vec<u8>,
}

impl Primary {
    fn length(&self, stream: u64) -> Told {
        match self.position.of_stream(stream) {
            Ok(position) => Told::Length(position.length),
            Err(PieceRefusal::Superseded { newest }) => Told::Superseded { newest },
            Err(gap @ PieceRefusal::Gap { .. }) => panic!("{gap:?}"),
        }
    }

    /// Takes a piece as far as it comes.
    fn take(&mut self, piece: &Packed, arrives: usize) -> Told {
        let text = zstd::decode_all(piece.bytes.as_slice()).unwrap();
        let arrived = &text[..arrives.min(text.len())];
        match self.position.take(piece.stream, piece.offset, arrived, &mut self.records) {
            Ok(position) => self.position = position,
            Err(PieceRefusal::Gap { .. }) => {}
            Err(refusal @ PieceRefusal::Superseded { .. }) => panic!("{refusal:?}"),
        }
        Told::Length(self.position.length)
    }

    fn lines(&self) -> Vec<String> {
        intact_lines(&self.records).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect()
    }
}

struct Host {
    folder: PathBuf,
    limits: OutboxLimits,
    outbox: Outbox,
    journal: Journal,
    written: Vec<String>,
}

impl Host {
    fn open(folder: &Path) -> Self {
        Self::open_with(folder, LIMITS)
    }

    fn open_with(folder: &Path, limits: OutboxLimits) -> Self {
        let (outbox, mut journal) = Outbox::open("t", folder, limits, STREAM).unwrap();
        journal.set_segment_bytes(600);
        Self { folder: folder.to_owned(), limits, outbox, journal, written: Vec::new() }
    }

    fn restart_in_order(&mut self) {
        self.outbox.close().unwrap();
        self.restart();
    }

    fn restart(&mut self) {
        let written = std::mem::take(&mut self.written);
        *self = Self { written, ..Self::open_with(&self.folder.clone(), self.limits) };
    }

    fn write(&mut self, count: usize) {
        for _ in 0..count {
            let line = line(to_u64(self.written.len()));
            let mut record = Vec::new();
            assert!(encode(line.as_bytes(), &mut record));
            self.journal.push(&record);
            self.written.push(line);
        }
        self.journal.flush().unwrap();
    }

    fn ask(&mut self, primary: &Primary) {
        // A new stream is asked for once more.
        for _ in 0..2 {
            self.outbox.heard(primary.length(self.outbox.stream()), NOW).unwrap();
        }
    }

    /// Sends everything.
    fn deliver(&mut self, primary: &mut Primary) {
        self.ask(primary);
        while let Some(piece) = self.outbox.next_piece().unwrap() {
            let told = primary.take(&piece, usize::MAX);
            self.outbox.heard(told, NOW).unwrap();
        }
    }

    fn segments(&self) -> Vec<PathBuf> {
        let paths = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "spool")).collect();
        segments.sort();
        segments
    }

    /// Changes the newest segment's bytes behind the process's back.
    fn change_newest(&self, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(newest) = self.segments().last() {
            let mut bytes = fs::read(newest).unwrap();
            change(&mut bytes);
            fs::write(newest, bytes).unwrap();
        }
    }
}

#[test]
fn every_line_arrives_once_and_in_order_whatever_is_lost_on_the_way_and_whoever_is_killed() {
    for _ in 0..histories() {
        let seed = std::env::var("SUIFTLY_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
        let mut rng = fastrand::Rng::with_seed(seed);
        let folder = tempfile::tempdir().unwrap();
        let (mut host, mut primary) = (Host::open(folder.path()), Primary::default());
        let mut backup = Primary::default();
        for _ in 0..80 {
            match rng.u8(0..12) {
                10 => backup = primary.clone(),
                // One that was made before anything came does not say that it is of this stream.
                11 if backup.position.length > 0 => primary = backup.clone(),
                0..4 => host.write(rng.usize(1..6)),
                4..8 => {
                    if rng.bool() {
                        host.ask(&primary);
                    }
                    let Some(piece) = host.outbox.next_piece().unwrap() else { continue };
                    let arrives = if rng.bool() { usize::MAX } else { rng.usize(0..700) };
                    let told = primary.take(&piece, arrives);
                    // The answer may be lost.
                    if rng.u8(0..4) > 0 {
                        host.outbox.heard(told, NOW).unwrap();
                    }
                }
                8 => {
                    // What was being written when the process was killed.
                    let torn: Vec<u8> = (0..rng.usize(0..30)).map(|_| rng.u8(..)).collect();
                    host.change_newest(|bytes| bytes.extend(torn));
                    host.restart();
                }
                9 => {
                    let saved = fs::read(folder.path().join(PLACE)).unwrap();
                    host.restart();
                    // The writing of the other slot was cut off.
                    let mut torn = saved.clone();
                    torn.resize(4096 + SLOT_BYTES, 0);
                    let writing = host.outbox.place.writing + 1;
                    let slot = if writing.is_multiple_of(2) { 4096 } else { 0 };
                    torn[slot + rng.usize(0..SLOT_BYTES)] ^= 1;
                    fs::write(folder.path().join(PLACE), torn).unwrap();
                    host.restart();
                }
                _ => {}
            }
        }
        host.deliver(&mut primary);
        assert_eq!(primary.lines(), host.written, "SUIFTLY_SEED={seed}");
        assert_eq!((host.outbox.depth().bytes, host.segments().len() <= 1), (0, true), "SUIFTLY_SEED={seed}");
        assert_eq!(host.outbox.delivered().lost_bytes, 0, "SUIFTLY_SEED={seed}");
    }
}

#[test]
fn a_segment_is_deleted_once_all_of_it_is_durable_at_the_primary_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let (mut host, mut primary) = (Host::open(folder.path()), Primary::default());
    (0..5).for_each(|_| host.write(7));
    let segments = host.segments();
    assert_eq!(segments.len(), 5);
    let depth = host.outbox.depth();
    let bytes: u64 = segments.iter().map(|path| fs::metadata(path).unwrap().len() - 16).sum();
    assert_eq!(depth, Depth { bytes, oldest: Some(UtcMillis(i64::try_from(STREAM).unwrap())) });
    host.ask(&primary);
    let piece = host.outbox.next_piece().unwrap().unwrap();
    primary.take(&piece, usize::MAX);
    // Nobody has said so yet.
    assert_eq!(host.outbox.next_piece().unwrap().map(|again| again.offset), Some(0));
    assert_eq!(host.segments(), segments);
    host.ask(&primary);
    assert_eq!(host.outbox.depth().oldest, Some(UtcMillis(i64::try_from(STREAM).unwrap() + 7)));
    assert!(host.outbox.next_piece().unwrap().is_some());
    assert_eq!(host.segments(), segments[1..]);
    host.deliver(&mut primary);
    assert_eq!((host.segments(), host.outbox.depth()), (segments[4..].to_vec(), Depth { bytes: 0, oldest: None }));
    // Numbers are not used again, even if all is gone.
    fs::remove_file(&segments[4]).unwrap();
    host.restart_in_order();
    host.write(1);
    host.deliver(&mut primary);
    assert_eq!(primary.lines(), host.written);
    assert!(host.segments()[0] > segments[4]);
}

#[test]
fn a_primary_that_has_lost_lines_gets_again_what_is_still_here_and_the_rest_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let limits = OutboxLimits { sent: 0, ..LIMITS };
    let (mut host, mut primary) = (Host::open_with(folder.path(), limits), Primary::default());
    host.write(3);
    host.deliver(&mut primary);
    let early = primary.clone();
    host.write(3);
    host.deliver(&mut primary);
    // All of it is in the newest segment, which stays.
    let mut restored = early.clone();
    host.deliver(&mut restored);
    assert_eq!((restored.lines(), host.outbox.delivered().lost_bytes), (host.written.clone(), 0));
    (0..3).for_each(|_| host.write(7));
    host.deliver(&mut restored);
    let (gone, before) = (restored.position.length, host.written.len());
    let mut restored = early.clone();
    host.write(2);
    host.deliver(&mut restored);
    assert_eq!(host.outbox.stream(), u64::try_from(NOW.0).unwrap());
    assert_eq!(restored.lines(), [&early.lines()[..], &host.written[before..]].concat());
    assert_eq!(host.outbox.delivered().lost_bytes, gone - early.position.length);
    // It knows nothing: it may have counted what it had, and its folder is gone.
    let (mut empty, before) = (Primary::default(), host.written.len());
    host.restart_in_order();
    host.write(2);
    host.deliver(&mut empty);
    assert_eq!(empty.lines(), &host.written[before..]);
    assert!(host.outbox.stream() > u64::try_from(NOW.0).unwrap());
}

#[test]
fn what_is_delivered_is_kept_up_to_a_limit_and_the_oldest_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let limits = OutboxLimits { sent: 1200, ..LIMITS };
    let (mut host, mut primary) = (Host::open_with(folder.path(), limits), Primary::default());
    let sent = || {
        let entries = fs::read_dir(folder.path().join("sent")).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> = entries.map(|entry| (entry.file_name(), entry.metadata().unwrap().len())).collect();
        files.sort();
        files
    };
    host.write(7);
    host.deliver(&mut primary);
    let backup = primary.clone();
    (0..12).for_each(|_| host.write(7));
    host.deliver(&mut primary);
    let bytes: u64 = sent().iter().map(|(_, bytes)| bytes).sum();
    assert!(sent().len() > 1 && (600..=1200).contains(&bytes), "{:?}", sent());
    // Of the newest, the last is still in the spool.
    assert!(sent().last().unwrap().0.to_str().unwrap().starts_with("00000000000000000012-"), "{:?}", sent());
    let mut restored = backup;
    host.deliver(&mut restored);
    assert!(host.outbox.delivered().lost_bytes > 0, "what was kept does not reach back far enough");
    let before = host.written.len();
    host.write(7);
    host.deliver(&mut restored);
    let mut recent = restored.clone();
    (0..2).for_each(|_| host.write(7));
    host.deliver(&mut restored);
    host.restart();
    host.deliver(&mut recent);
    assert_eq!(recent.lines(), [&host.written[..7], &host.written[before..]].concat());
    assert_eq!(host.outbox.delivered().lost_bytes, 0, "what was kept does");
}

#[test]
fn another_stream_is_begun_where_the_old_one_was_when_a_newer_one_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (mut host, mut primary) = (Host::open(folder.path()), Primary::default());
    host.write(3);
    host.deliver(&mut primary);
    let newest = u64::try_from(NOW.0).unwrap() + 50;
    primary.position = StreamPosition { stream: newest, ..StreamPosition::default() };
    host.write(2);
    host.restart_in_order();
    host.deliver(&mut primary);
    assert_eq!((host.outbox.stream(), primary.lines()), (newest + 1, host.written.clone()));
    host.restart();
    host.write(1);
    host.deliver(&mut primary);
    assert_eq!(primary.lines(), host.written);
}

#[test]
fn damage_costs_the_lines_that_it_touches_and_moves_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (mut host, mut primary) = (Host::open(folder.path()), Primary::default());
    host.write(6);
    host.ask(&primary);
    let piece = host.outbox.next_piece().unwrap().unwrap();
    let part = primary.take(&piece, 300);
    let record = line(0).len() + 8;
    host.change_newest(|bytes| bytes[16 + 4 * record + 20] ^= 1);
    host.outbox.heard(part, NOW).unwrap();
    host.restart();
    host.write(2);
    host.deliver(&mut primary);
    let mut expected = host.written.clone();
    expected.remove(4);
    assert_eq!(primary.lines(), expected);
    assert_eq!(host.outbox.delivered().damaged_bytes, to_u64(record));
    // The end of what was delivered is damaged, so that the next start cuts it: what follows is not taken for known.
    host.change_newest(|bytes| {
        let last = bytes.len() - 5;
        bytes[last] ^= 1;
    });
    host.restart();
    host.write(3);
    host.deliver(&mut primary);
    expected.extend_from_slice(&host.written[8..]);
    assert_eq!(primary.lines(), expected);
}

#[test]
fn a_damaged_place_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    drop(Host::open(folder.path()));
    fs::write(folder.path().join(PLACE), [7; 48]).unwrap();
    let error = Outbox::open("t", folder.path(), LIMITS, STREAM).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("place is damaged: delete it"), "{error}");
}

#[test]
fn a_stream_that_was_begun_by_a_clock_far_ahead_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = |now_ms| Outbox::open("t", folder.path(), LIMITS, now_ms).unwrap().0;
    let day = DAY_MS.unsigned_abs();
    assert_eq!(open(STREAM + 2 * day).stream(), STREAM + 2 * day);
    assert_eq!(open(STREAM + day).stream(), STREAM + 2 * day, "the primary may have taken it");
    assert_eq!(open(STREAM).stream(), STREAM);
    assert_eq!(open(STREAM + 1).stream(), STREAM);
}
