//! Lines that a real HAProxy wrote (`tests/it/log_formats.rs` does so again), and what is read from them, written as
//! `s1` lines.

use std::fs;
use std::path::PathBuf;

use super::super::*;

const HEADERS: [&str; 3] = ["rfc3164", "rfc5424", "raw"];
/// What comes behind a request in `option httpslog`, of which nothing is read.
const TLS: &str = "\" 0/";

fn text(format: Format, header: &str, kind: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/log_formats");
    fs::read_to_string(folder.join(format!("{format}-{header}.{kind}"))).unwrap()
}

fn each_line(mut check: impl FnMut(Format, &str)) {
    for format in Format::ALL {
        for header in HEADERS {
            let log = text(format, header, "log");
            assert_eq!(log.lines().count(), 18, "{format}-{header}");
            log.lines().for_each(|line| check(format, line));
        }
    }
}

#[test]
fn what_haproxy_wrote_is_read_as_it_was() {
    for format in Format::ALL {
        for header in HEADERS {
            let mut read = Vec::new();
            for line in text(format, header, "log").lines() {
                let (found, request) = parse_any(line.as_bytes()).unwrap_or_else(|reject| panic!("{reject}: {line}"));
                assert_eq!(found, format, "{line}");
                s1::write(&request, &mut read).unwrap();
            }
            let (read, expected) = (String::from_utf8(read).unwrap(), text(format, header, "expected"));
            for (read, expected) in read.lines().zip(expected.lines()) {
                assert_eq!(read, expected, "{format}-{header}");
            }
            assert_eq!(read, expected, "{format}-{header}");
        }
    }
}

/// Cutting anywhere rejects the line, or leaves all that is read from it.
#[test]
fn what_haproxy_wrote_is_never_taken_for_another_line_when_cut() {
    each_line(|format, line| {
        let whole = parse(line.as_bytes()).unwrap();
        let must_have = if format == Format::Httpslog { line.find(TLS).unwrap() + 1 } else { line.len() };
        for length in 0..line.len() {
            let cut = parse(&line.as_bytes()[..length]);
            assert!(cut.is_err() || length >= must_have && cut.as_ref() == Ok(&whole), "{}: {cut:?}", &line[..length]);
        }
    });
}

/// A damaged byte never panics, and one that is no text at all is always noticed.
#[test]
fn a_damaged_byte_is_noticed_or_read() {
    each_line(|_, line| {
        let mut damaged = line.as_bytes().to_vec();
        for at in 0..damaged.len() {
            let good = damaged[at];
            for bad in [b' ', b'"', b'{', b'}', b'/', b'|', b'-', b'0', b'\\', good ^ 1] {
                damaged[at] = bad;
                let _ = parse(&damaged);
            }
            for bad in [0, 0x7f, 0xff] {
                damaged[at] = bad;
                assert_eq!(parse(&damaged), Err(Reject::Binary), "{line} at {at}");
            }
            damaged[at] = good;
        }
    });
}
