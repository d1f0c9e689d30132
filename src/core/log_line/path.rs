//! A request's path, as HAProxy logs it.

use std::fmt::{self, Write};

/// A path without its query, in the encoding of HAProxy's log: a quote, `#`, a space, control characters and bytes
/// from 127 on are written as `#` and two hexadecimal digits; `-` for none.
///
/// It is a slice of its line. A string of JSON holds the path itself, with escapes of its own, and is put into that
/// encoding while it is written, so that the same path is the same text whatever format its line has.
#[derive(Debug, Clone, Copy)]
pub struct LoggedPath<'a> {
    text: &'a str,
    is_json: bool,
}

impl<'a> LoggedPath<'a> {
    /// The inside of a JSON string, whose escapes must have been checked with [`super::json`]'s scanner.
    pub(super) fn of_json(text: &'a str) -> Self {
        let is_json = text.bytes().any(|byte| byte == b'\\' || is_encoded(byte));
        Self { text, is_json }
    }

    /// The text, if it can be taken from the line as it is. [`fmt::Display`] always can.
    pub fn as_plain(&self) -> Option<&'a str> {
        if self.is_json { None } else { Some(self.text) }
    }
}

impl<'a> From<&'a str> for LoggedPath<'a> {
    /// Of a path in HAProxy's encoding.
    fn from(text: &'a str) -> Self {
        Self { text, is_json: false }
    }
}

impl PartialEq for LoggedPath<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_plain(), other.as_plain()) {
            (Some(this), Some(other)) => this == other,
            _ => self.to_string() == other.to_string(),
        }
    }
}

impl Eq for LoggedPath<'_> {}

impl fmt::Display for LoggedPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_json {
            return f.write_str(self.text);
        }
        let mut rest = self.text.chars();
        while let Some(char) = rest.next() {
            write_encoded(f, if char == '\\' { unescape(&mut rest) } else { char })?;
        }
        Ok(())
    }
}

fn is_encoded(byte: u8) -> bool {
    !byte.is_ascii_graphic() || matches!(byte, b'"' | b'#')
}

fn write_encoded(f: &mut fmt::Formatter<'_>, char: char) -> fmt::Result {
    for byte in char.encode_utf8(&mut [0; 4]).bytes() {
        if is_encoded(byte) {
            write!(f, "#{byte:02X}")?;
        } else {
            f.write_char(char::from(byte))?;
        }
    }
    Ok(())
}

/// The character that follows a `\`. Escapes that JSON does not have never get here.
pub(super) fn unescape(rest: &mut std::str::Chars<'_>) -> char {
    match rest.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => unescape_unicode(rest).unwrap_or(char::REPLACEMENT_CHARACTER),
        Some(char) => char,
        None => char::REPLACEMENT_CHARACTER,
    }
}

/// Four hexadecimal digits, and `\u` with four more if they are the first half of a pair.
pub(super) fn unescape_unicode(rest: &mut std::str::Chars<'_>) -> Option<char> {
    let first = hex4(rest)?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first);
    }
    let is_pair = rest.next() == Some('\\') && rest.next() == Some('u');
    let second = hex4(rest).filter(|second| is_pair && (0xDC00..0xE000).contains(second))?;
    char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
}

fn hex4(rest: &mut std::str::Chars<'_>) -> Option<u32> {
    let mut value = 0;
    for _ in 0..4 {
        value = value << 4 | rest.next()?.to_digit(16)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_whatever_its_line_says() {
        for (json, logged) in [
            ("/v1/keys", "/v1/keys"),
            (r"\/v1\/keys", "/v1/keys"),
            (r#"/a\"b\\c"#, r"/a#22b\c"),
            ("/a b#c", "/a#20b#23c"),
            (r"/\u00e9\ud83d\ude00", "/#C3#A9#F0#9F#98#80"),
            ("/é", "/#C3#A9"),
            (r"/\n\t\u007f", "/#0A#09#7F"),
        ] {
            let path = LoggedPath::of_json(json);
            assert_eq!(path.to_string(), logged, "{json}");
            assert_eq!(path, LoggedPath::from(logged), "{json}");
            assert_eq!(path.as_plain().is_some(), json == logged, "{json}");
        }
        assert_ne!(LoggedPath::of_json(r"\/a"), LoggedPath::from("/b"));
    }
}
