//! How lines lie in a segment of the spool.
//!
//! ```text
//! segment: "sfyspool"  version: u32  0: u32                               16 bytes
//! record:  length: u24  kind: u8  checksum: u32  content: length bytes     as many as there are
//! ```
//! Numbers are little-endian. The checksum is the low half of XXH3-64 of the content, seeded with the four bytes before
//! it. A length is never 0, so a stretch of zeros that a crash left behind is no record.
//!
//! | kind | content |
//! |---|---|
//! | 0 | a line, without its end |
//! | 1 | a mark: how much of a remote gateway's stream the lines before it are (stream: u64, length: u64, within a line: u8) |
//!
//! Where bytes are damaged, reading goes on at the next place at which a whole record begins: no record that is intact is
//! lost, and each byte is part of one record or of one damaged stretch. No line holds a byte of 0, of which each length has
//! at least one, so what is in a line is never taken for a record, whoever sent it.

use std::borrow::Cow;

use twox_hash::XxHash3_64;

use crate::core::gateway_stream::StreamPosition;
use crate::core::log_line::MAX_LINE_BYTES;

/// What every segment begins with.
pub const HEADER: [u8; 16] = *b"sfyspool\x01\0\0\0\0\0\0\0";
/// The longest line in a record: one byte more than is ever parsed, so that what was cut is seen to be over-long.
pub const MAX_RECORD_LINE_BYTES: usize = MAX_LINE_BYTES + 1;
const FRAME_BYTES: usize = 8;
/// Stands for a 0 in a line. It is a control character as well, so such a line is no request either way.
const SUBSTITUTE: u8 = 0x1a;
/// The longest record.
pub const MAX_RECORD_BYTES: usize = FRAME_BYTES + MAX_RECORD_LINE_BYTES;

const LINE: u8 = 0;
const MARK: u8 = 1;
const MARK_BYTES: usize = 17;

/// Appends one line as a record. Line ends around it are left out, what is over-long is cut, zeros in it are substituted,
/// and an empty line is none. Tells whether there was anything.
pub fn encode(line: &[u8], records: &mut Vec<u8>) -> bool {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
    let line = without_zeros(line.get(..end.min(MAX_RECORD_LINE_BYTES)).unwrap_or_default());
    if line.is_empty() {
        return false;
    }
    encode_as(LINE, &line, records);
    true
}

fn without_zeros(line: &[u8]) -> Cow<'_, [u8]> {
    match memchr::memchr(0, line) {
        None => Cow::Borrowed(line),
        Some(_) => line.iter().map(|byte| if *byte == 0 { SUBSTITUTE } else { *byte }).collect(),
    }
}

/// Appends a mark.
pub fn encode_mark(position: StreamPosition, records: &mut Vec<u8>) {
    let StreamPosition { stream, length, is_within_line } = position;
    let mut content = [0; MARK_BYTES];
    let parts = stream.to_le_bytes().into_iter().chain(length.to_le_bytes()).chain([u8::from(is_within_line)]);
    content.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
    encode_as(MARK, &content, records);
}

fn encode_as(kind: u8, content: &[u8], records: &mut Vec<u8>) {
    let [a, b, c, _] = u32::try_from(content.len()).unwrap_or(0).to_le_bytes();
    let head = [a, b, c, kind];
    records.extend_from_slice(&head);
    records.extend_from_slice(&checksum(head, content));
    records.extend_from_slice(content);
}

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    Line(&'a [u8]),
    Mark(StreamPosition),
}

impl<'a> Record<'a> {
    fn line(self) -> Option<&'a [u8]> {
        if let Self::Line(line) = self { Some(line) } else { None }
    }
}

/// What bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A whole record, and its length.
    Record { record: Record<'a>, bytes: usize },
    /// The beginning of a record, perhaps.
    Incomplete,
    /// No record.
    Broken,
}

/// Reads the record that the bytes begin with.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let Some(([a, b, c, kind, sum @ ..], rest)) = bytes.split_first_chunk::<FRAME_BYTES>() else {
        return Decoded::Incomplete;
    };
    let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, 0])).unwrap_or(usize::MAX);
    let may_be = match *kind {
        LINE => (1..=MAX_RECORD_LINE_BYTES).contains(&length),
        MARK => length == MARK_BYTES,
        _ => false,
    };
    match rest.get(..length) {
        _ if !may_be => Decoded::Broken,
        None => Decoded::Incomplete,
        Some(content) if checksum([*a, *b, *c, *kind], content) != *sum => Decoded::Broken,
        Some(content) => {
            let record = if *kind == LINE { Some(Record::Line(content)) } else { mark(content).map(Record::Mark) };
            record.map_or(Decoded::Broken, |record| Decoded::Record { record, bytes: FRAME_BYTES + length })
        }
    }
}

fn mark(content: &[u8]) -> Option<StreamPosition> {
    let (stream, rest) = content.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let is_within_line = match rest {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    Some(StreamPosition { stream: u64::from_le_bytes(*stream), length: u64::from_le_bytes(*length), is_within_line })
}

/// What comes behind the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// More bytes, perhaps the rest of a record.
    More,
    /// Nothing: they are all.
    Nothing,
}

/// A stretch of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// An intact record, and its whole length.
    Record { record: Record<'a>, bytes: usize },
    /// So many bytes that are no record. The next part may be damaged, too.
    Damaged { bytes: usize },
}

/// The part that the bytes begin with; `None` if there are no more, or it takes more to tell. With [`MAX_RECORD_BYTES`]
/// at hand there is always one.
pub fn next_part(bytes: &[u8], behind: Behind) -> Option<Part<'_>> {
    match decode(bytes) {
        Decoded::Record { record, bytes } => Some(Part::Record { record, bytes }),
        Decoded::Incomplete if bytes.is_empty() || behind == Behind::More => None,
        Decoded::Incomplete | Decoded::Broken => Some(Part::Damaged { bytes: damaged_bytes(bytes, behind) }),
    }
}

/// How far it is to the first place where a record begins, or may begin.
fn damaged_bytes(bytes: &[u8], behind: Behind) -> usize {
    let may_begin = |at: &usize| match decode(bytes.get(*at..).unwrap_or_default()) {
        Decoded::Record { .. } => true,
        Decoded::Incomplete => behind == Behind::More,
        Decoded::Broken => false,
    };
    (1..bytes.len()).find(may_begin).unwrap_or(bytes.len())
}

/// The lines of whole records that are intact, in order.
pub fn intact_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    intact_records(bytes).filter_map(|(record, _)| record.line())
}

/// How many bytes there are up to the end of the last record that is intact.
pub fn intact_end(bytes: &[u8]) -> usize {
    intact_records(bytes).last().map_or(0, |(_, end)| end)
}

/// The last mark that is intact, and how many bytes end with it.
pub fn last_mark(bytes: &[u8]) -> Option<(StreamPosition, usize)> {
    let mark = |(record, end)| if let Record::Mark(position) = record { Some((position, end)) } else { None };
    intact_records(bytes).filter_map(mark).last()
}

/// Each record that is intact, and where it ends.
fn intact_records(bytes: &[u8]) -> impl Iterator<Item = (Record<'_>, usize)> {
    let mut at = 0;
    let next = move || {
        let (record, length) = match next_part(bytes.get(at..)?, Behind::Nothing)? {
            Part::Record { record, bytes } => (Some(record), bytes),
            Part::Damaged { bytes } => (None, bytes),
        };
        at += length;
        Some(record.map(|record| (record, at)))
    };
    std::iter::from_fn(next).flatten()
}

fn checksum(head: [u8; 4], content: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = XxHash3_64::oneshot_with_seed(u32::from_le_bytes(head).into(), content).to_le_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        intact_lines(bytes).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn the_layout_is_the_documented_one_in_every_version() {
        let mut records = Vec::new();
        assert!(encode(b"<134>a line\n\0", &mut records));
        assert_eq!(records, b"\x0b\0\0\0\xe7\x09\xca\x5f<134>a line");
    }

    #[test]
    fn empty_lines_are_none_and_over_long_ones_are_cut_to_what_is_seen_to_be_over_long() {
        let mut records = Vec::new();
        for line in [&b""[..], b"\n", b"\r\n\0"] {
            assert!(!encode(line, &mut records));
        }
        assert!(records.is_empty());
        assert!(encode(&vec![b'x'; 3 * MAX_LINE_BYTES], &mut records));
        assert_eq!((records.len(), lines(&records)[0].len()), (MAX_RECORD_BYTES, MAX_LINE_BYTES + 1));
    }

    #[test]
    fn a_mark_is_read_back_and_is_no_line() {
        let position = StreamPosition { stream: 1_795_424_400_000, length: 515, is_within_line: true };
        let mut records = Vec::new();
        encode_mark(position, &mut records);
        assert_eq!(records[..8], *b"\x11\0\0\x01\x70\x3f\xcb\xfa");
        assert_eq!(decode(&records), Decoded::Record { record: Record::Mark(position), bytes: 25 });
        // A line of the same bytes is a line: nothing that a gateway sends can be taken for a mark.
        let mut line = Vec::new();
        assert!(encode(&records, &mut line));
        assert!(matches!(decode(&line), Decoded::Record { record: Record::Line(_), .. }));
        records.extend(line);
        assert_eq!(last_mark(&records), Some((position, 25)));
        assert_eq!(last_mark(&records[25..]), None);
        records[24] = 2;
        assert_eq!(decode(&records), Decoded::Broken);
    }

    #[test]
    fn what_a_crash_leaves_behind_is_no_record() {
        for bytes in [&[0; 64][..], &[0xff; 64], b"\x01\0\0\0\0\0\0\0x"] {
            assert_eq!(decode(bytes), Decoded::Broken);
        }
    }

    #[test]
    fn what_is_in_a_line_is_never_taken_for_a_record() {
        let mut inner = Vec::new();
        assert!(encode(b"<134>a line", &mut inner));
        // A whole record, and one that would end with the first byte of the next record's length.
        let next = vec![b'e'; usize::from(b'e')];
        for tail in [0, 1] {
            let outer = [b"outer ", &inner[..inner.len() - tail]].concat();
            let mut records = Vec::new();
            for line in [&outer, &next, &next] {
                assert!(encode(line, &mut records));
            }
            let kept = b"outer \x0b\x1a\x1a\x1a\xe7\x09\xca\x5f<134>a line";
            assert_eq!(lines(&records)[0], kept[..kept.len() - tail]);
            records[3] ^= 1;
            assert_eq!(lines(&records), [next.clone(), next.clone()]);
        }
    }

    #[test]
    fn damage_costs_the_records_that_it_touches_and_no_others() {
        let mut records = Vec::new();
        let written: Vec<_> = (0..5).map(|number| format!("<134>line {number} of a few").into_bytes()).collect();
        let starts: Vec<_> = written
            .iter()
            .map(|line| {
                let start = records.len();
                assert!(encode(line, &mut records));
                start
            })
            .collect();
        let end = records.len();
        // In a length (one that is too large, and one that leads to the beginning of another record), a checksum, a line.
        let size = starts[1];
        for (at, to) in [(0, 0xff), (2, 1), (0, u8::try_from(2 * size - FRAME_BYTES).unwrap()), (5, 0), (20, b'!')] {
            for (damaged, start) in starts.iter().enumerate() {
                let mut bytes = records.clone();
                assert_ne!(bytes[start + at], to);
                bytes[start + at] = to;
                let mut expected = written.clone();
                expected.remove(damaged);
                assert_eq!(lines(&bytes), expected, "byte {at} of record {damaged}");
                assert_eq!(intact_end(&bytes), if damaged == 4 { starts[4] } else { end });
            }
        }
        let hole = [&records[..starts[1]], &[0; 40], &records[starts[2]..]].concat();
        assert_eq!(lines(&hole).len(), 4);
        assert_eq!(next_part(&hole[starts[1]..], Behind::Nothing), Some(Part::Damaged { bytes: 40 }));
        // The last zero and what follows might be a length.
        assert_eq!(next_part(&hole[starts[1]..], Behind::More), Some(Part::Damaged { bytes: 39 }));
    }

    proptest! {
        #[test]
        fn whole_lines_are_read_back_wherever_the_end_is_torn_or_something_is_damaged(
            written in prop::collection::vec(prop::collection::vec(1..=255_u8, 1..60), 1..10),
            cut in any::<prop::sample::Index>(), damage in 1..=255_u8,
        ) {
            let mut records = Vec::new();
            let mut ends = vec![0];
            let mut kept = Vec::new();
            for line in &written {
                if encode(line, &mut records) {
                    ends.push(records.len());
                    let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).unwrap();
                    kept.push(line[..=end].to_vec());
                }
            }
            prop_assume!(!records.is_empty());
            prop_assert_eq!(lines(&records), kept.clone());
            let at = cut.index(records.len());
            let whole = ends.iter().rposition(|end| *end <= at).unwrap();
            prop_assert_eq!(intact_end(&records[..at]), ends[whole]);
            records[at] ^= damage;
            kept.remove(whole);
            prop_assert_eq!(lines(&records), kept);
        }
    }
}
