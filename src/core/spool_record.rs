//! How lines lie in a segment of the spool.
//!
//! ```text
//! segment: "sfyspool"  version: u32  0: u32                 16 bytes
//! record:  length: u32  checksum: u32  line: length bytes    as many as there are
//! ```
//! Numbers are little-endian. The checksum is the low half of XXH3-64 of the line, seeded with its length. A length
//! is never 0, so a stretch of zeros that a crash left behind is no record.

use twox_hash::XxHash3_64;

use crate::core::log_line::MAX_LINE_BYTES;

/// What every segment begins with.
pub const HEADER: [u8; 16] = *b"sfyspool\x01\0\0\0\0\0\0\0";
/// The longest line in a record: one byte more than is ever parsed, so that what was cut is seen to be over-long.
pub const MAX_RECORD_LINE_BYTES: usize = MAX_LINE_BYTES + 1;
const FRAME_BYTES: usize = 8;
/// The longest record.
pub const MAX_RECORD_BYTES: usize = FRAME_BYTES + MAX_RECORD_LINE_BYTES;

/// Appends one line as a record. Line ends around it are left out, what is over-long is cut, and an empty line is
/// none. Tells whether there was anything.
pub fn encode(line: &[u8], records: &mut Vec<u8>) -> bool {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
    let line = line.get(..end.min(MAX_RECORD_LINE_BYTES)).unwrap_or_default();
    let Some(length) = u32::try_from(line.len()).ok().filter(|length| *length > 0) else { return false };
    records.extend_from_slice(&length.to_le_bytes());
    records.extend_from_slice(&checksum(line));
    records.extend_from_slice(line);
    true
}

/// What bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded<'a> {
    Record {
        line: &'a [u8],
        /// Its whole length.
        bytes: usize,
    },
    /// The beginning of a record, perhaps.
    Incomplete,
    /// No record.
    Broken,
}

/// Reads the record that the bytes begin with.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    let Some(([a, b, c, d, sum @ ..], rest)) = bytes.split_first_chunk::<FRAME_BYTES>() else {
        return Decoded::Incomplete;
    };
    let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
    if length == 0 || length > MAX_RECORD_LINE_BYTES {
        return Decoded::Broken;
    }
    match rest.get(..length) {
        None => Decoded::Incomplete,
        Some(line) if checksum(line) == *sum => Decoded::Record { line, bytes: FRAME_BYTES + length },
        Some(_) => Decoded::Broken,
    }
}

/// How many bytes at the start are whole records.
pub fn whole_records(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Decoded::Record { bytes: length, .. } = decode(bytes.get(end..).unwrap_or_default()) {
        end += length;
    }
    end
}

fn checksum(line: &[u8]) -> [u8; 4] {
    let seed = u64::try_from(line.len()).unwrap_or(0);
    let [a, b, c, d, ..] = XxHash3_64::oneshot_with_seed(seed, line).to_le_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        while let Decoded::Record { line, bytes: length } = decode(bytes) {
            lines.push(line.to_vec());
            bytes = &bytes[length..];
        }
        lines
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
    fn what_a_crash_leaves_behind_is_no_record() {
        for bytes in [&[0; 64][..], &[0xff; 64], b"\x01\0\0\0\0\0\0\0x"] {
            assert_eq!(decode(bytes), Decoded::Broken);
        }
    }

    proptest! {
        #[test]
        fn whole_lines_are_read_back_wherever_the_end_is_torn_or_damaged(
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
            prop_assert_eq!(whole_records(&records[..at]), ends[whole]);
            records[at] ^= damage;
            prop_assert_eq!(lines(&records), kept[..whole].to_vec());
        }
    }
}
