//! Lines on their way: out of a stream, and into the spool and back.

use suiftly::core::spool_record::{
    Behind, MAX_RECORD_BYTES, MAX_RECORD_LINE_BYTES, Part, Record, encode, intact_end, intact_lines, next_part,
};
use suiftly::core::syslog_frame::Deframer;

/// Messages, whether the stream was understood to its end, and whether it ended within a message.
type Stream = (Vec<Vec<u8>>, bool, bool);

/// The first byte tells how the rest, a stream, is cut into what is read at once: however it is, the same messages come
/// out, and they are those of RFC 6587. Messages that are written either way are read back.
pub fn syslog_frame(bytes: &[u8]) -> bool {
    /// Where it comes first, more than is kept of a message comes before it: a fuzzer would not write so much.
    const LONG: u8 = 0xf5;
    let Some((size, rest)) = bytes.split_first() else { return false };
    let (before, after) = rest.split_at(rest.iter().position(|byte| *byte == LONG).unwrap_or(rest.len()));
    let long = if after.is_empty() { 0 } else { MAX_RECORD_LINE_BYTES };
    let stream: &[u8] = &[before, &vec![b'x'; long], after].concat();
    let size = usize::from(*size).max(1) + long / 100;
    let whole = deframe([stream].into_iter());
    assert_eq!(deframe(stream.chunks(size)), whole, "in pieces of {size}");
    assert_eq!(deframe(stream.chunks(1 + long / 1000)), whole, "in small pieces");
    assert_eq!(plainly(stream), whole, "by the plainest code");
    let lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let cut: Vec<Vec<u8>> = lines.iter().map(|line| line[..line.len().min(MAX_RECORD_LINE_BYTES)].to_vec()).collect();
    let counted: Vec<u8> =
        lines.iter().flat_map(|line| [format!("{} ", line.len()).as_bytes(), line].concat()).collect();
    assert_eq!(deframe(counted.chunks(size)), (cut.clone(), true, false), "octets counted");
    // A line that begins like a count would be one; none that follows is.
    let by_line: Vec<u8> =
        [b"<1>".as_slice()].iter().chain(&lines).flat_map(|line| [line, b"\n".as_slice()].concat()).collect();
    let (mut read, is_understood, _) = deframe(by_line.chunks(size));
    assert_eq!((read.remove(0), is_understood), (b"<1>".to_vec(), true));
    assert_eq!(read, cut, "ended by newlines");
    whole.1 && !whole.0.is_empty()
}

fn deframe<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Stream {
    let (mut deframer, mut messages) = (Deframer::default(), Vec::new());
    for piece in pieces {
        if deframer.push(piece, |message| messages.push(message.to_vec())).is_err() {
            let (before, again) = (messages.len(), deframer.push(b"1 x", |message| messages.push(message.to_vec())));
            assert!(again.is_err() && messages.len() == before, "a garbled stream is understood again");
            return (messages, false, false);
        }
    }
    let is_within = deframer.finish(|message| messages.push(message.to_vec()));
    assert!(messages.iter().all(|message| message.len() <= MAX_RECORD_LINE_BYTES));
    (messages, true, is_within)
}

/// All of a stream at once.
fn plainly(stream: &[u8]) -> Stream {
    let cut = |message: &[u8]| message[..message.len().min(MAX_RECORD_LINE_BYTES)].to_vec();
    let digits = |bytes: &[u8]| bytes.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
    let (mut messages, mut rest) = (Vec::new(), stream);
    let first = digits(stream);
    let counts = first > 0 && stream[0] != b'0' && stream.get(first) == Some(&b' ');
    if !counts {
        while let Some(newline) = rest.iter().position(|byte| *byte == b'\n') {
            messages.push(cut(&rest[..newline]));
            rest = &rest[newline + 1..];
        }
        if !rest.is_empty() {
            messages.push(cut(rest));
        }
        return (messages, true, false);
    }
    loop {
        while !messages.is_empty() && rest.first() == Some(&b'\n') {
            rest = &rest[1..];
        }
        let length = digits(rest);
        if length == rest.len() {
            return (messages, true, false);
        }
        let count = std::str::from_utf8(&rest[..length]).ok().and_then(|text| text.parse::<usize>().ok());
        let Some(count) = count.filter(|count| rest[length] == b' ' && (1..=16 << 20).contains(count)) else {
            return (messages, false, false);
        };
        rest = &rest[length + 1..];
        if count > rest.len() {
            if !rest.is_empty() {
                messages.push(cut(rest));
            }
            return (messages, true, true);
        }
        messages.push(cut(&rest[..count]));
        rest = &rest[count..];
    }
}

/// The bytes, taken for a segment of the spool, are records and damage side by side, however they are read. Cut into lines
/// they become records; damaged at one place, these lose one line, and torn at one they keep all that is whole.
pub fn spool_record(bytes: &[u8]) -> bool {
    let at_once = read_in_windows(bytes, bytes.len());
    let windows = bytes.first().map_or(1, |byte| usize::from(*byte).max(1));
    assert_eq!(read_in_windows(bytes, windows), at_once, "in windows of {windows} bytes");
    // Marks are as empty as no line is.
    let lines: Vec<Vec<u8>> =
        at_once.iter().filter_map(|(line, _)| line.clone()).filter(|line| !line.is_empty()).collect();
    assert_eq!(intact_lines(bytes).map(<[u8]>::to_vec).collect::<Vec<_>>(), lines);
    check_records(bytes);
    !lines.is_empty()
}

/// A line, or none where bytes are damaged, and where it ends.
type Stretch = (Option<Vec<u8>>, usize);

/// What is read with so many bytes at hand, and more where that is not enough.
fn read_in_windows(bytes: &[u8], size: usize) -> Vec<Stretch> {
    let (mut parts, mut at, mut size_now) = (Vec::<Stretch>::new(), 0, size);
    while at < bytes.len() {
        let window = &bytes[at..bytes.len().min(at + size_now)];
        let behind = if at + window.len() < bytes.len() { Behind::More } else { Behind::Nothing };
        match next_part(window, behind) {
            Some(Part::Record { record, bytes }) => {
                at += bytes;
                let line = if let Record::Line(line) = record { line } else { &[] };
                parts.push((Some(line.to_vec()), at));
            }
            Some(Part::Damaged { bytes }) => {
                assert!(bytes > 0 && bytes <= window.len());
                at += bytes;
                match parts.last_mut() {
                    Some((None, end)) => *end = at,
                    _ => parts.push((None, at)),
                }
            }
            None => {
                assert!(behind == Behind::More && window.len() < MAX_RECORD_BYTES, "nothing is read");
                size_now = 2 * size_now.max(8);
                continue;
            }
        }
        size_now = size;
    }
    assert_eq!(at, bytes.len(), "some bytes are none's");
    parts
}

fn check_records(bytes: &[u8]) {
    let (mut records, mut ends, mut kept) = (Vec::new(), vec![0], Vec::new());
    for line in bytes.split(|byte| *byte == b'\n') {
        if encode(line, &mut records) {
            let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | 0)).expect("it is no empty line");
            let line = &line[..line.len().min(end + 1).min(MAX_RECORD_LINE_BYTES)];
            kept.push(line.iter().map(|byte| if *byte == 0 { 0x1a } else { *byte }).collect::<Vec<u8>>());
            ends.push(records.len());
        }
    }
    assert_eq!(intact_lines(&records).collect::<Vec<_>>(), kept);
    if records.is_empty() {
        return;
    }
    let seed = bytes.iter().fold(7_usize, |seed, byte| seed.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let at = seed % records.len();
    let touched = ends.iter().rposition(|end| *end <= at).expect("they begin at 0");
    assert!(intact_end(&records[..at]) >= ends[touched], "a whole record is torn off");
    records[at] ^= u8::try_from(seed >> 16 & 0xff).expect("a byte").max(1);
    kept.remove(touched);
    assert_eq!(intact_lines(&records).collect::<Vec<_>>(), kept, "damage at {at} of record {touched}");
}
