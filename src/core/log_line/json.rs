//! JSON lines: one flat object a line, whose keys are the table's column names.
//!
//! ```json
//! {"accept_ts":1763919000123,"gateway":1,"pid":4711,"log_counter":17,"request_counter":42,"customer_id":"12345",
//!  "service":1,"network":"1","class":"1","event":"0","key_fp":"1005F7C","client_ip":"203.0.113.9",
//!  "client_port":"51234","listener_port":"20002","method":"GET","path":"\/v1\/keys","status":200,"bytes_in":312,
//!  "bytes_out":1045,"time_handshake_ms":0,"time_idle_ms":0,"time_request_ms":0,"time_queue_ms":0,"time_connect_ms":1,
//!  "time_response_ms":2,"time_total_ms":3,"termination":"----","backend":"be_seal","server":"s1","repeat":1}
//! ```
//! Every key must be there once, in any order; other keys are passed over, as long as their values are neither objects
//! nor arrays. Only `repeat` may be missing, which is 1 then.
//!
//! - HAProxy knows when it accepted the connection, `accept_ts`, and how long it took until the request began,
//!   `time_handshake_ms` and `time_idle_ms`; the table has the sum of the three, `ts`, and that of the latter two,
//!   `idle_ms`. Instead of the three keys a line may have those two. All are in milliseconds, times since 1970 UTC.
//! - A number may be in quotes. `"-"`, `""` or `null` is an absent one, for the columns that may be absent.
//! - `key_fp` is hexadecimal, and therefore in quotes.
//! - `path` is the request's own path with JSON's escapes, not in the encoding that HAProxy's log has otherwise.
//!   `"-"` or an empty one is none. All other texts must not need escapes.

use std::cell::Cell;
use std::io::{self, Write};

use super::fields::{
    MAX_BYTES, MAX_REPEAT, address, at_most, bytes_out, fingerprint, in_range, network, phase_ms, status, termination,
    total_ms, unsigned,
};
use super::header::Message;
use super::path::{LoggedPath, unescape_unicode};
use super::{BAD_REQUEST, Event, PhaseTimes, Reject, RequestLine, TrafficClass};
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Service};

/// The keys, in the order in which HAProxy and [`write`] write them.
#[rustfmt::skip]
const KEYS: [&str; 32] = [
    "accept_ts", "ts", "idle_ms", "gateway", "pid", "log_counter", "request_counter", "customer_id", "service",
    "network", "class", "event", "key_fp", "client_ip", "client_port", "listener_port", "method", "path", "status",
    "bytes_in", "bytes_out", "time_handshake_ms", "time_idle_ms", "time_request_ms", "time_queue_ms",
    "time_connect_ms", "time_response_ms", "time_total_ms", "termination", "backend", "server", "repeat",
];

/// The value of HAProxy's `log-format` for one service, to be put in single quotes. The variables are set by the
/// shipped configuration's rules.
pub fn log_format(gateway: u8, service: Service) -> String {
    format!(
        concat!(
            r#"{{"accept_ts":%Ts%ms,"gateway":{gateway},"pid":%pid,"log_counter":%lc,"request_counter":%rt,"#,
            r#""customer_id":"%[var(txn.key),field(1,/)]","service":{service},"network":"%[var(txn.key),field(3,/)]","#,
            r#""class":"%[var(txn.class)]","event":"%[var(txn.event)]","key_fp":"%[var(txn.key),field(4,/)]","#,
            r#""client_ip":"%ci","client_port":"%cp","listener_port":"%fp","method":"%HM","#,
            r#""path":"%[capture.req.uri,field(1,?),json(utf8s)]","status":%ST,"bytes_in":%U,"bytes_out":%B,"#,
            r#""time_handshake_ms":%Th,"time_idle_ms":%Ti,"time_request_ms":%TR,"time_queue_ms":%Tw,"#,
            r#""time_connect_ms":%Tc,"time_response_ms":%Tr,"time_total_ms":%Ta,"#,
            r#""termination":"%tsc","backend":"%b","server":"%s","repeat":1}}"#,
        ),
        gateway = gateway,
        service = service.number()
    )
}

/// One value: the inside of a string, or a bare word.
#[derive(Debug, Clone, Copy)]
struct Value<'a> {
    text: &'a str,
    is_string: bool,
    has_escapes: bool,
}

/// Parses a message that begins with `{`.
pub(super) fn parse(message: Message<'_>) -> Result<RequestLine<'_>, Reject> {
    let object = Object::read(message.text)?;
    let (ts, idle_ms) = object.times_before()?;
    let text = |key| object.text(key);
    let bad = Reject::BadColumn;
    let (status, server) = (status(text("status")?)?, object.word("server")?);
    let termination = termination(object.word("termination")?)?;
    let event = object.number_or_absent("event")?.map_or(Event::OK, Event);
    let class = object.number_or_absent("class")?.unwrap_or(0);
    let method = object.word("method")?;
    let repeat = if object.get("repeat").is_some() { object.number("repeat")? } else { 1 };
    let phase = |key| phase_ms(text(key)?).ok_or(bad(key));
    Ok(RequestLine {
        ts: in_range(ts)?,
        idle_ms,
        gateway: object.number("gateway")?,
        pid: object.number("pid")?,
        log_counter: object.number("log_counter")?,
        request_counter: object.number("request_counter")?,
        customer: object.number_or_absent("customer_id")?.and_then(CustomerId::new),
        service: Service::from_number(object.number("service")?).ok_or(bad("service"))?,
        network: network(object.number_or_absent("network")?)?,
        class: TrafficClass::from_number(class).ok_or(bad("class"))?,
        event: if event == Event::OK { Event::from_termination(termination, status, server) } else { event },
        key_fp: object.fingerprint()?,
        client_ip: address(text("client_ip")?)?,
        client_port: object.number_or_absent("client_port")?.unwrap_or(0),
        listener_port: object.number_or_absent("listener_port")?.unwrap_or(0),
        method,
        path: object.path(method)?,
        status,
        bytes_in: at_most(MAX_BYTES, object.number("bytes_in")?, "bytes_in")?,
        bytes_out: at_most(MAX_BYTES, bytes_out(text("bytes_out")?)?, "bytes_out")?,
        times: PhaseTimes {
            request_ms: phase("time_request_ms")?,
            queue_ms: phase("time_queue_ms")?,
            connect_ms: phase("time_connect_ms")?,
            response_ms: phase("time_response_ms")?,
            total_ms: total_ms(text("time_total_ms")?)?,
        },
        termination,
        backend: object.word("backend")?,
        server,
        repeat: at_most(MAX_REPEAT, if repeat == 0 { return Err(bad("repeat")) } else { repeat }, "repeat")?,
    })
}

/// The values of the known keys.
struct Object<'a> {
    values: [Option<Value<'a>>; KEYS.len()],
    /// Where the key that is asked for next is likely to be: most are asked for in their order.
    next: Cell<usize>,
}

impl<'a> Object<'a> {
    fn read(text: &'a str) -> Result<Self, Reject> {
        let mut scanner = Scanner { rest: text.strip_prefix('{').ok_or(Reject::BadJson)? };
        let mut object = Self { values: [None; KEYS.len()], next: Cell::new(0) };
        let mut expected = 0;
        loop {
            let key = scanner.string()?;
            scanner.sign(':')?;
            let value = scanner.value()?;
            if let Some(index) = position(key.text, expected) {
                expected = index + 1;
                let slot = object.values.get_mut(index).ok_or(Reject::BadJson)?;
                if slot.replace(value).is_some() {
                    return Err(Reject::BadJson);
                }
            }
            if !scanner.is_followed()? {
                break;
            }
        }
        Ok(object)
    }

    fn get(&self, key: &'static str) -> Option<Value<'a>> {
        let index = position(key, self.next.get())?;
        self.next.set(index + 1);
        self.values.get(index).copied().flatten()
    }

    /// What a key holds, with `-` for absent.
    fn text(&self, key: &'static str) -> Result<&'a str, Reject> {
        let value = self.get(key).filter(|value| !value.has_escapes).ok_or(Reject::BadColumn(key))?;
        let is_absent = value.text.is_empty() || !value.is_string && value.text == "null";
        Ok(if is_absent { "-" } else { value.text })
    }

    /// A string that could be a column of an `s1` line.
    fn word(&self, key: &'static str) -> Result<&'a str, Reject> {
        let value = self.get(key).filter(|value| value.is_string && !value.has_escapes && !value.text.is_empty());
        value.map(|value| value.text).filter(|text| !text.contains(' ')).ok_or(Reject::BadColumn(key))
    }

    fn number<T: TryFrom<u64>>(&self, key: &'static str) -> Result<T, Reject> {
        unsigned(self.text(key)?).ok_or(Reject::BadColumn(key))
    }

    fn number_or_absent<T: TryFrom<u64>>(&self, key: &'static str) -> Result<Option<T>, Reject> {
        match self.text(key)? {
            "-" => Ok(None),
            text => unsigned(text).map(Some).ok_or(Reject::BadColumn(key)),
        }
    }

    /// Bare digits might be meant as a decimal number.
    fn fingerprint(&self) -> Result<u32, Reject> {
        match self.get("key_fp") {
            Some(value) if !value.is_string && value.text != "null" => Err(Reject::BadColumn("key_fp")),
            _ => fingerprint(self.text("key_fp")?),
        }
    }

    /// When the request began, and how long the connection had been open.
    fn times_before(&self) -> Result<(UtcMillis, u32), Reject> {
        if self.get("ts").is_some() {
            return if self.get("accept_ts").is_some() {
                Err(Reject::BadColumn("accept_ts"))
            } else {
                Ok((UtcMillis(self.number("ts")?), self.number("idle_ms")?))
            };
        }
        let before = |key| phase_ms(self.text(key)?).ok_or(Reject::BadColumn(key));
        let (handshake, idle) = (before("time_handshake_ms")?, before("time_idle_ms")?);
        let idle_ms = u32::try_from(handshake).unwrap_or(0).saturating_add(u32::try_from(idle).unwrap_or(0));
        Ok((UtcMillis(self.number("accept_ts")?).plus_ms(idle_ms.into()), idle_ms))
    }

    fn path(&self, method: &'a str) -> Result<LoggedPath<'a>, Reject> {
        let value = self.get("path").filter(|value| value.is_string).ok_or(Reject::BadColumn("path"))?;
        match value.text {
            "" | "-" if method == BAD_REQUEST => Ok(LoggedPath::from(BAD_REQUEST)),
            "" => Ok(LoggedPath::from("-")),
            text => Ok(LoggedPath::of_json(text)),
        }
    }
}

/// The place of a key in [`KEYS`], looked for at `expected` first.
fn position(key: &str, expected: usize) -> Option<usize> {
    if KEYS.get(expected) == Some(&key) {
        return Some(expected);
    }
    KEYS.iter().position(|known| *known == key)
}

/// Reads tokens from the front of a text. Control characters have been refused before.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    fn sign(&mut self, sign: char) -> Result<(), Reject> {
        self.skip_spaces();
        self.rest = self.rest.strip_prefix(sign).ok_or_else(|| self.ended_or_bad())?;
        Ok(())
    }

    /// Whether a comma follows rather than the end of the object, which must be that of the text.
    fn is_followed(&mut self) -> Result<bool, Reject> {
        self.skip_spaces();
        match self.rest.strip_prefix(',') {
            Some(rest) => {
                self.rest = rest;
                Ok(true)
            }
            None => {
                self.sign('}')?;
                if self.rest.trim_start_matches(' ').is_empty() { Ok(false) } else { Err(Reject::BadJson) }
            }
        }
    }

    fn value(&mut self) -> Result<Value<'a>, Reject> {
        self.skip_spaces();
        if self.rest.starts_with('"') {
            return self.string();
        }
        let end = self.rest.find([',', '}', ' ']).ok_or(Reject::Truncated)?;
        let (text, rest) = self.rest.split_at_checked(end).ok_or(Reject::BadJson)?;
        self.rest = rest;
        if is_bare(text) { Ok(Value { text, is_string: false, has_escapes: false }) } else { Err(Reject::BadJson) }
    }

    fn string(&mut self) -> Result<Value<'a>, Reject> {
        self.sign('"')?;
        let mut from = 0;
        loop {
            let rest = self.rest.as_bytes().get(from..).unwrap_or_default();
            let at = from + memchr::memchr2(b'"', b'\\', rest).ok_or(Reject::Truncated)?;
            if self.rest.as_bytes().get(at) == Some(&b'"') {
                let (text, rest) = self.rest.split_at_checked(at).ok_or(Reject::BadJson)?;
                self.rest = rest.get(1..).unwrap_or_default();
                return Ok(Value { text, is_string: true, has_escapes: from > 0 });
            }
            from = at + 1 + self.escape(at + 1)?;
        }
    }

    /// The length of the escape behind a `\`, if JSON has it.
    fn escape(&self, at: usize) -> Result<usize, Reject> {
        let mut chars = self.rest.get(at..).unwrap_or_default().chars();
        let before = chars.as_str().len();
        match chars.next() {
            None => return Err(Reject::Truncated),
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => {}
            Some('u') if unescape_unicode(&mut chars).is_some() => {}
            Some(_) => return Err(if self.rest.contains('}') { Reject::BadJson } else { Reject::Truncated }),
        }
        Ok(before - chars.as_str().len())
    }

    fn ended_or_bad(&self) -> Reject {
        if self.rest.is_empty() { Reject::Truncated } else { Reject::BadJson }
    }
}

/// A number or a word, without anything that belongs to an object or an array. A `+` is HAProxy's, for a value that
/// is not final.
fn is_bare(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
}

/// Writes the object that is read back as this line, with `ts` and `idle_ms`, and a newline.
///
/// # Errors
/// Those of the writer.
pub fn write(line: &RequestLine<'_>, out: &mut impl Write) -> io::Result<()> {
    let PhaseTimes { request_ms, queue_ms, connect_ms, response_ms, total_ms } = line.times;
    write!(out, r#"{{"ts":{},"idle_ms":{},"gateway":{},"#, line.ts.0, line.idle_ms, line.gateway)?;
    write!(out, r#""pid":{},"log_counter":{},"#, line.pid, line.log_counter)?;
    write!(out, r#""request_counter":{},"customer_id":"#, line.request_counter)?;
    write_or_null(line.customer.map(CustomerId::get), out)?;
    write!(out, r#","service":{},"network":"#, line.service.number())?;
    write_or_null(line.network.map(|network| network.number().into()), out)?;
    write!(out, r#","class":{},"event":{},"key_fp":"{:X}","#, line.class.number(), line.event.0, line.key_fp)?;
    write!(out, r#""client_ip":"{}","client_port":{},"#, line.client_ip.to_canonical(), line.client_port)?;
    write!(out, r#""listener_port":{},"method":"{}","path":""#, line.listener_port, line.method)?;
    write_path(&line.path, out)?;
    write!(out, r#"","status":{},"bytes_in":{},"bytes_out":{},"#, line.status, line.bytes_in, line.bytes_out)?;
    write!(out, r#""time_request_ms":{request_ms},"time_queue_ms":{queue_ms},"time_connect_ms":{connect_ms},"#)?;
    write!(out, r#""time_response_ms":{response_ms},"time_total_ms":{total_ms},"#)?;
    write!(out, r#""termination":"{}","backend":"{}","#, line.termination, line.backend)?;
    writeln!(out, r#""server":"{}","repeat":{}}}"#, line.server, line.repeat)
}

fn write_or_null(number: Option<u32>, out: &mut impl Write) -> io::Result<()> {
    match number {
        Some(number) => write!(out, "{number}"),
        None => out.write_all(b"null"),
    }
}

/// Two hexadecimal digits.
fn code_of(digits: &str) -> Option<u8> {
    let is_code = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_code { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// The path itself: the encoding of HAProxy's log undone, JSON's escapes where it needs them.
fn write_path(path: &LoggedPath<'_>, out: &mut impl Write) -> io::Result<()> {
    let logged = path.to_string();
    let mut rest = logged.as_str();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some(char) = rest.chars().next() {
        let code = rest.get(1..3).filter(|_| char == '#').and_then(code_of);
        let length = if code.is_some() { 3 } else { char.len_utf8() };
        match code {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    for char in String::from_utf8_lossy(&bytes).chars() {
        match char {
            '"' | '\\' => write!(out, "\\{char}")?,
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => write!(out, "\\u{:04x}", u32::from(char))?,
            _ => write!(out, "{char}")?,
        }
    }
    Ok(())
}
