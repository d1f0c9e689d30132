//! Messages out of a TCP stream of syslog (RFC 6587): by octet counting or by newlines, as the stream's first bytes say.
//!
//! ```text
//! 134 <134>1 2026-…      a count and a space before each message
//! <134>1 2026-…\n        a newline after each message
//! ```
//! A stream that begins with digits and a space counts octets; any other does not, so a line that begins with a date is
//! told from a count. What a connection has left over when it ends is given out, too: the parser says what is wrong with
//! it, and it is seen.

use super::spool_record::MAX_RECORD_LINE_BYTES;

/// A count above it is none: the sender speaks something else.
const MOST_OCTETS: usize = 16 << 20;
/// Digits of the largest count.
const COUNT_DIGITS: usize = 8;

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is known yet.
    Begin,
    /// In a line.
    Line,
    /// At a count.
    Count,
    /// In a message with so many octets to come.
    Octets(usize),
    /// The stream cannot be understood any more.
    Broken,
}

/// Cuts one connection's bytes into messages.
#[derive(Debug)]
pub struct Deframer {
    state: State,
    /// The message so far, as much of it as is kept; or the digits of a count.
    part: Vec<u8>,
}

/// The stream is not what RFC 6587 describes; the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Garbled;

impl Default for Deframer {
    fn default() -> Self {
        Self { state: State::Begin, part: Vec::new() }
    }
}

impl Deframer {
    /// Takes the next bytes, and gives every message that they complete. An over-long message is cut.
    ///
    /// # Errors
    /// [`Garbled`] where a count should be and is none; messages before it were given.
    pub fn push(&mut self, mut bytes: &[u8], mut message: impl FnMut(&[u8])) -> Result<(), Garbled> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Begin => self.begin(bytes),
                State::Line => self.line(bytes, &mut message),
                State::Count => self.count(bytes)?,
                State::Octets(left) => self.octets(bytes, left, &mut message),
                State::Broken => return Err(Garbled),
            };
        }
        Ok(())
    }

    /// Gives what is left when the connection has ended. Tells whether it was a part of a message rather than a last
    /// line without its newline.
    pub fn finish(&mut self, mut message: impl FnMut(&[u8])) -> bool {
        let is_message = matches!(self.state, State::Begin | State::Line | State::Octets(_));
        if is_message && !self.part.is_empty() {
            message(&self.part);
        }
        self.part.clear();
        matches!(self.state, State::Octets(_))
    }

    /// Decides by the first bytes, a byte at a time, as they may come.
    fn begin<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some((first, rest)) = bytes.split_first() else { return bytes };
        if first.is_ascii_digit() && self.part.len() < COUNT_DIGITS && (*first != b'0' || !self.part.is_empty()) {
            self.part.push(*first);
            return rest;
        }
        // The digits so far are a count, or the beginning of a line.
        self.state = if *first == b' ' && !self.part.is_empty() { State::Count } else { State::Line };
        bytes
    }

    fn line<'b>(&mut self, bytes: &'b [u8], message: &mut impl FnMut(&[u8])) -> &'b [u8] {
        let Some(newline) = memchr::memchr(b'\n', bytes) else {
            self.keep(bytes);
            return &[];
        };
        let (line, rest) = bytes.split_at_checked(newline).unwrap_or_default();
        if self.part.is_empty() {
            message(cut(line));
        } else {
            self.keep(line);
            message(&self.part);
            self.part.clear();
        }
        rest.get(1..).unwrap_or_default()
    }

    fn count<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Garbled> {
        let Some((first, rest)) = bytes.split_first() else { return Ok(bytes) };
        if first.is_ascii_digit() && self.part.len() < COUNT_DIGITS {
            self.part.push(*first);
            return Ok(rest);
        }
        // Some senders end a counted message with a newline that they did not count.
        if *first == b'\n' && self.part.is_empty() {
            return Ok(rest);
        }
        let count = std::str::from_utf8(&self.part).ok().and_then(|digits| digits.parse::<usize>().ok());
        self.part.clear();
        match count {
            Some(octets) if *first == b' ' && (1..=MOST_OCTETS).contains(&octets) => {
                self.state = State::Octets(octets);
                Ok(rest)
            }
            _ => {
                self.state = State::Broken;
                Err(Garbled)
            }
        }
    }

    fn octets<'b>(&mut self, bytes: &'b [u8], left: usize, message: &mut impl FnMut(&[u8])) -> &'b [u8] {
        let (taken, rest) = bytes.split_at_checked(left).unwrap_or((bytes, &[]));
        if taken.len() < left {
            self.keep(taken);
            self.state = State::Octets(left - taken.len());
            return rest;
        }
        if self.part.is_empty() {
            message(cut(taken));
        } else {
            self.keep(taken);
            message(&self.part);
            self.part.clear();
        }
        self.state = State::Count;
        rest
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_RECORD_LINE_BYTES.saturating_sub(self.part.len());
        self.part.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

/// As much of a message as is kept.
fn cut(message: &[u8]) -> &[u8] {
    message.get(..MAX_RECORD_LINE_BYTES).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The messages of a stream that comes in pieces of the given sizes, and how it ended.
    fn messages(stream: &[u8], pieces: &[usize]) -> (Vec<String>, Result<bool, Garbled>) {
        let mut deframer = Deframer::default();
        let mut found = Vec::new();
        let mut rest = stream;
        let mut sizes = pieces.iter().cycle();
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            if deframer.push(piece, |message| found.push(String::from_utf8_lossy(message).into_owned())).is_err() {
                return (found, Err(Garbled));
            }
            rest = tail;
        }
        let is_cut = deframer.finish(|message| found.push(String::from_utf8_lossy(message).into_owned()));
        (found, Ok(is_cut))
    }

    #[test]
    fn the_first_bytes_tell_how_messages_end() {
        for (stream, expected, end) in [
            ("5 <1>ab7 <1>a\nbc", vec!["<1>ab", "<1>a\nbc"], Ok(false)),
            ("5 <1>ab\n5 <1>cd\n", vec!["<1>ab", "<1>cd"], Ok(false)),
            ("<1>ab\n<1>cd\n", vec!["<1>ab", "<1>cd"], Ok(false)),
            ("<1>ab\n5 x\n", vec!["<1>ab", "5 x"], Ok(false)),
            ("2026-11-23T09:00:00Z x\n", vec!["2026-11-23T09:00:00Z x"], Ok(false)),
            ("s1 1\n", vec!["s1 1"], Ok(false)),
            ("0 x\n", vec!["0 x"], Ok(false)),
            ("123456789 x\n", vec!["123456789 x"], Ok(false)),
            ("", vec![], Ok(false)),
            ("<1>no end", vec!["<1>no end"], Ok(false)),
            ("20 <1>cut", vec!["<1>cut"], Ok(true)),
            ("17", vec!["17"], Ok(false)),
            ("3 abc4", vec!["abc"], Ok(false)),
            ("3 abcx", vec!["abc"], Err(Garbled)),
            ("3 abc4abcd", vec!["abc"], Err(Garbled)),
            ("99999999 x", vec![], Err(Garbled)),
        ] {
            for size in [1, 2, 3, 7, 100] {
                let (found, ended) = messages(stream.as_bytes(), &[size]);
                assert_eq!((found, ended), (expected.iter().map(|text| (*text).to_owned()).collect(), end), "{stream}");
            }
        }
    }

    #[test]
    fn an_over_long_message_is_cut_and_the_next_is_whole() {
        let long = "x".repeat(3 * MAX_RECORD_LINE_BYTES);
        for stream in [format!("{long}\nnext\n"), format!("{} {long}4 next", long.len())] {
            for size in [5000, stream.len()] {
                let (found, _) = messages(stream.as_bytes(), &[size]);
                assert_eq!((found[0].len(), found[1].as_str()), (MAX_RECORD_LINE_BYTES, "next"), "{size} at once");
            }
        }
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_a_stream_comes_do_not_matter(
            lines in prop::collection::vec("<[0-9]{1,3}>[ -~]{0,40}", 1..8),
            pieces in prop::collection::vec(1..50_usize, 1..6),
        ) {
            let by_line: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let counted: String = lines.iter().map(|line| format!("{} {line}", line.len())).collect();
            for stream in [by_line, counted] {
                prop_assert_eq!(messages(stream.as_bytes(), &pieces), (lines.clone(), Ok(false)));
            }
        }

        #[test]
        fn any_bytes_are_cut_without_a_panic(stream in prop::collection::vec(any::<u8>(), 0..400), piece in 1..50_usize) {
            let _ = messages(&stream, &[piece]);
        }
    }
}
