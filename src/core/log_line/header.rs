//! The syslog header before a line's message.
//!
//! ```text
//! <134>Nov 23 17:30:00 gw1 haproxy[4711]: MESSAGE            RFC 3164; priority, host and tag may be missing
//! 2026-11-23T17:30:00.123456+00:00 gw1 haproxy[4711]: MESSAGE    the same as rsyslog writes it to a file
//! <134>1 2026-11-23T17:30:00.123Z gw1 haproxy 4711 - - MESSAGE   RFC 5424
//! <134>MESSAGE                                               a priority alone
//! ```
//! The header's time is when the line was sent or written, not when the request came: nothing but the process number
//! is taken from a header, and that only where the message does not tell it.

use super::fields::unsigned;

/// A line without its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) text: &'a str,
    /// The process that the header names, 0 if none.
    pub(super) pid: u32,
}

/// Splits the header off; a line without one is all message.
pub(super) fn split(line: &str) -> Message<'_> {
    let behind_priority = after_priority(line);
    if let Some(rest) = behind_priority.and_then(|rest| rest.strip_prefix("1 ")) {
        return rfc5424(rest).unwrap_or(Message { text: line, pid: 0 });
    }
    let rest = behind_priority.unwrap_or(line);
    match after_timestamp(rest) {
        Some(rest) => tagged(rest),
        None if behind_priority.is_some() => tagged(rest),
        None => Message { text: line, pid: 0 },
    }
}

/// `<0>` to `<191>`.
fn after_priority(line: &str) -> Option<&str> {
    let (priority, rest) = line.strip_prefix('<')?.split_once('>')?;
    unsigned::<u8>(priority).filter(|priority| *priority < 192).map(|_| rest)
}

/// `Nov 23 17:30:00 ` or an RFC 3339 time.
fn after_timestamp(rest: &str) -> Option<&str> {
    match rest.as_bytes() {
        [b'A'..=b'Z', b'a'..=b'z', b'a'..=b'z', b' ', _, _, b' ', _, _, b':', _, _, b':', _, _, b' ', ..] => {
            rest.get(16..)
        }
        [b'0'..=b'9', _, _, _, b'-', _, _, b'-', _, _, b'T', ..] => rest.split_once(' ').map(|(_, rest)| rest),
        _ => None,
    }
}

/// What follows `haproxy[4711]: `, with or without a host before it, or everything if there is no tag.
fn tagged(rest: &str) -> Message<'_> {
    let whole = Message { text: rest, pid: 0 };
    let mut behind = rest;
    for _ in 0..2 {
        // A tag never looks like the beginning of a message.
        if behind.starts_with('{') {
            return whole;
        }
        let Some((word, next)) = behind.split_once(' ') else { return whole };
        if let Some(tag) = word.strip_suffix(':') {
            return Message { text: next, pid: pid_of(tag) };
        }
        behind = next;
    }
    whole
}

/// The number in `haproxy[4711]`.
fn pid_of(tag: &str) -> u32 {
    let number = tag.strip_suffix(']').and_then(|tag| tag.rsplit_once('[')).map(|(_, number)| number);
    number.and_then(unsigned).unwrap_or(0)
}

/// `TIME HOST APP PROCESS MESSAGE-ID STRUCTURED-DATA MESSAGE`, the message perhaps behind a byte-order mark.
fn rfc5424(rest: &str) -> Option<Message<'_>> {
    let mut words = rest.splitn(6, ' ');
    let process = words.nth(3)?;
    let message = after_structured_data(words.nth(1)?)?;
    let text = message.strip_prefix('\u{feff}').unwrap_or(message);
    Some(Message { text, pid: unsigned(process).unwrap_or(0) })
}

/// `-`, or elements like `[id name="value"]` in which `\` takes the meaning from `"`, `\` and `]`.
fn after_structured_data(rest: &str) -> Option<&str> {
    if let Some(message) = rest.strip_prefix("- ") {
        return Some(message);
    }
    let (mut in_value, mut escaped, mut inside) = (false, false, false);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_value => escaped = true,
            b'"' if inside => in_value = !in_value,
            b'[' if !inside => inside = true,
            b']' if inside && !in_value => inside = false,
            b' ' if !inside && at > 0 => return rest.get(at + 1..),
            _ if !inside => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_split_off() {
        for (line, text, pid) in [
            ("m x", "m x", 0),
            ("<134>m x", "m x", 0),
            ("<192>m x", "<192>m x", 0),
            ("<134>haproxy[4711]: m x", "m x", 4711),
            ("Nov 23 17:30:00 gw1 haproxy[4711]: m x", "m x", 4711),
            ("Nov  3 17:30:00 haproxy[4711]: m x", "m x", 4711),
            ("<134>Nov 23 17:30:00 gw1 haproxy: m x", "m x", 0),
            ("<134>Nov 23 17:30:00 gw1 haproxy[x]: m x", "m x", 0),
            ("<134>Nov 23 17:30:00 m x y", "m x y", 0),
            ("<134>Nov 23 17:30:00 {\"ts\": 1, \"pid\": 2}", "{\"ts\": 1, \"pid\": 2}", 0),
            ("2026-11-23T17:30:00.123456+00:00 gw1 haproxy[4711]: m x", "m x", 4711),
            ("<134>1 2026-11-23T17:30:00.123Z gw1 haproxy 4711 - - m x", "m x", 4711),
            ("<134>1 2026-11-23T17:30:00.123Z - haproxy - - - \u{feff}m x", "m x", 0),
            ("<134>1 - gw1 haproxy 4711 - [a@1 b=\"] \\\" x\"][c] m x", "m x", 4711),
            ("<134>1 - gw1 haproxy 4711 - [a@1 b=\"", "<134>1 - gw1 haproxy 4711 - [a@1 b=\"", 0),
            ("<134>1 - gw1", "<134>1 - gw1", 0),
            ("", "", 0),
        ] {
            assert_eq!(split(line), Message { text, pid }, "{line}");
        }
    }
}
