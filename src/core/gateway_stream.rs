//! What a remote gateway sends: the bytes of its log, a stream that only grows, in pieces that say where they begin.
//!
//! A gateway numbers its streams upwards and begins a new one when it cannot go on with the old one, because it has lost
//! what it had not yet delivered, for example. There is one stream of a gateway at a time: a newer one ends the older.
//!
//! ```text
//! stream 7:  line ⏎ line ⏎ line ⏎ li            what was sent
//!            ├───── taken ──────┤               its length; the beginning of a line is not taken, and comes again
//!                  ├── sent once more ──┤       what is known is passed over, what is new is taken
//! ```

use memchr::memchr;

use crate::core::log_line::MAX_LINE_BYTES;
use crate::core::spool_record;

/// The highest number of a stream: it is exact in every language's numbers.
pub const MAX_STREAM: u64 = (1 << 53) - 1;
/// Of a piece, packed and unpacked. Many lines, and always more than the longest.
pub const MAX_PIECE_BYTES: usize = 1 << 20;

/// How much of the newest stream is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamPosition {
    pub stream: u64,
    /// Bytes from its beginning.
    pub length: u64,
    /// Whether this is inside an over-long line, whose beginning is taken already and whose rest is passed over.
    pub is_within_line: bool,
}

/// Why a piece is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PieceRefusal {
    #[error("a newer stream has begun: {newest}")]
    Superseded { newest: u64 },
    #[error("bytes are missing before it: {length} are known")]
    Gap { length: u64 },
}

impl StreamPosition {
    /// How much of a stream is taken, which is nothing of a newer one.
    ///
    /// # Errors
    /// [`PieceRefusal::Superseded`].
    pub fn of_stream(self, stream: u64) -> Result<Self, PieceRefusal> {
        match stream.cmp(&self.stream) {
            std::cmp::Ordering::Less => Err(PieceRefusal::Superseded { newest: self.stream }),
            std::cmp::Ordering::Equal => Ok(self),
            std::cmp::Ordering::Greater => Ok(Self { stream, length: 0, is_within_line: false }),
        }
    }

    /// Takes the whole lines of what is new in a piece as records, and gives the position behind them.
    ///
    /// # Errors
    /// [`PieceRefusal`]; then nothing is taken.
    pub fn take(self, stream: u64, offset: u64, piece: &[u8], records: &mut Vec<u8>) -> Result<Self, PieceRefusal> {
        let at = self.of_stream(stream)?;
        let known = at.length.checked_sub(offset).ok_or(PieceRefusal::Gap { length: at.length })?;
        let fresh = usize::try_from(known).ok().and_then(|known| piece.get(known..)).unwrap_or_default();
        Ok(at.take_lines(fresh, records))
    }

    fn take_lines(self, fresh: &[u8], records: &mut Vec<u8>) -> Self {
        let (mut rest, mut is_within_line) = (fresh, self.is_within_line);
        while let Some((line, behind)) = memchr(b'\n', rest).and_then(|newline| rest.split_at_checked(newline + 1)) {
            if !is_within_line {
                spool_record::encode(line, records);
            }
            // A gateway fills up with blank lines, which are none.
            let blank = behind.iter().take_while(|byte| **byte == b'\n').count();
            (rest, is_within_line) = (behind.get(blank..).unwrap_or_default(), false);
        }
        // Longer than any line may be: to wait for its end would be to wait for ever.
        if rest.len() > MAX_LINE_BYTES && !is_within_line {
            spool_record::encode(rest, records);
            is_within_line = true;
        }
        if is_within_line {
            rest = &[];
        }
        let taken = u64::try_from(fresh.len() - rest.len()).unwrap_or(0);
        Self { length: self.length + taken, is_within_line, ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::spool_record::intact_lines;

    fn to_u64(bytes: usize) -> u64 {
        u64::try_from(bytes).unwrap()
    }

    fn lines(records: &[u8]) -> Vec<Vec<u8>> {
        intact_lines(records).map(<[u8]>::to_vec).collect()
    }

    fn at(stream: u64, length: u64) -> StreamPosition {
        StreamPosition { stream, length, is_within_line: false }
    }

    #[test]
    fn whole_lines_that_are_new_are_taken() {
        use PieceRefusal::{Gap, Superseded};
        for (begun, stream, offset, piece, expected, taken) in [
            (at(0, 0), 7, 0, "a\nb\n", Ok(at(7, 4)), &["a", "b"][..]),
            (at(0, 0), 7, 0, "a\nb", Ok(at(7, 2)), &["a"]),
            (at(0, 0), 7, 0, "b", Ok(at(7, 0)), &[]),
            (at(0, 0), 7, 1, "b\n", Err(Gap { length: 0 }), &[]),
            (at(7, 2), 7, 2, "b\n", Ok(at(7, 4)), &["b"]),
            (at(7, 2), 7, 0, "a\nb\n", Ok(at(7, 4)), &["b"]),
            (at(7, 4), 7, 0, "a\nb\n", Ok(at(7, 4)), &[]),
            (at(7, 4), 7, 0, "a\n", Ok(at(7, 4)), &[]),
            (at(7, 4), 7, 5, "c\n", Err(Gap { length: 4 }), &[]),
            (at(7, 4), 7, u64::MAX, "c\n", Err(Gap { length: 4 }), &[]),
            (at(7, 4), 8, 0, "c\n", Ok(at(8, 2)), &["c"]),
            (at(7, 4), 8, 4, "c\n", Err(Gap { length: 0 }), &[]),
            (at(7, 4), 6, 4, "c\n", Err(Superseded { newest: 7 }), &[]),
            (at(7, 4), 7, 4, "\n\r\n", Ok(at(7, 7)), &[]),
        ] {
            let mut records = Vec::new();
            assert_eq!(begun.take(stream, offset, piece.as_bytes(), &mut records), expected, "{offset} {piece:?}");
            assert_eq!(lines(&records), taken.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_over_long_line_is_one_line_however_it_is_sent() {
        let long = "x".repeat(MAX_LINE_BYTES + 1);
        let whole = format!("a\n{long}{long}\nb\n");
        for cuts in
            [&[][..], &[2 + MAX_LINE_BYTES + 1], &[2 + MAX_LINE_BYTES], &[10, 2 + long.len() + 5, whole.len() - 3]]
        {
            let (mut position, mut records) = (at(7, 0), Vec::new());
            for end in cuts.iter().copied().chain([whole.len()]) {
                let from = usize::try_from(position.length).unwrap();
                position = position.take(7, position.length, &whole.as_bytes()[from..end], &mut records).unwrap();
            }
            let lengths: Vec<_> = lines(&records).iter().map(Vec::len).collect();
            assert_eq!((position.length, lengths), (to_u64(whole.len()), vec![1, MAX_LINE_BYTES + 1, 1]), "{cuts:?}");
        }
    }

    proptest! {
        #[test]
        fn every_line_is_taken_once_however_the_stream_is_cut_and_repeated(
            written in prop::collection::vec("[a-z]{1,20}", 1..30),
            pieces in prop::collection::vec((any::<prop::sample::Index>(), 0..60_usize), 0..60),
        ) {
            let text: String = written.iter().map(|line| format!("{line}\n")).collect();
            let (mut position, mut records) = (at(7, 0), Vec::new());
            for (begin, length) in pieces {
                let begin = begin.index(text.len());
                let piece = &text.as_bytes()[begin..(begin + length).min(text.len())];
                match position.take(7, to_u64(begin), piece, &mut records) {
                    Ok(next) => {
                        prop_assert!(next.length >= position.length && next.length <= to_u64(text.len()));
                        position = next;
                    }
                    Err(refusal) => prop_assert_eq!(refusal, PieceRefusal::Gap { length: position.length }),
                }
            }
            let rest = &text.as_bytes()[usize::try_from(position.length).unwrap()..];
            position = position.take(7, position.length, rest, &mut records).unwrap();
            prop_assert_eq!(position.length, to_u64(text.len()));
            let taken: Vec<_> = lines(&records).into_iter().map(|line| String::from_utf8(line).unwrap()).collect();
            prop_assert_eq!(taken, written);
        }
    }
}
