//! HAProxy's own formats: `option httplog`, and `option httpslog`, which has TLS columns behind.
//!
//! ```text
//! 203.0.113.9:51234 [26/Nov/2026:01:51:59.123] seal be_seal/s1 0/0/1/2/3 200 1045 - - ---- 2/2/0/0/0 0/0 \
//!    {12345|1|1|1|1005F7C} "GET /v1/keys?x=1 HTTP/1.1"
//! ```
//! client:port · when the request began · frontend (`~` behind it: over TLS) · backend/server ·
//! request/queue/connect/response/active ms · status · bytes out · captured cookies of request and response ·
//! termination · connections and retries · queues · captured headers of request and response · request; with
//! `option httpslog` then `errors/…/resumed` and `server name/TLS version/cipher`, of which nothing is taken.
//!
//! # The captured headers
//!
//! `{customer|service|network|class|key_fp}`: five values in the request's block, as in an [`s1`](super::s1) line, the
//! fingerprint hexadecimal, and `-` or nothing for an absent one. The frontend captures them:
//!
//! ```text
//! option httplog
//! http-request capture var(txn.key),field(1,/) len 10
//! http-request capture int(1) len 1
//! http-request capture var(txn.key),field(3,/) len 1
//! http-request capture var(txn.class) len 1
//! http-request capture var(txn.key),field(4,/) len 8
//! ```
//! The first block is the request's; a second one, the response's, is passed over. HAProxy writes no block, or an empty
//! one, where nothing was captured, as for a malformed request: then the request was not authenticated and its class
//! is 0. If no service was captured, it is the one whose name is a word of the frontend's name (`seal`, `fe-grpc`,
//! `graphql_mainnet`); a line whose frontend says nothing either is rejected, because nothing can be counted for it.
//!
//! # What these formats do not say
//!
//! - Gateway and listener port are 0, `idle_ms` and bytes in, too; the event is what the termination state tells.
//! - The process is the syslog header's, 0 without one. There are no counters: both are 0, and such a line cannot be
//!   recognised as a duplicate. Whoever looks for duplicates must leave out lines whose request counter is 0.
//! - HAProxy writes the date in its local time and without an offset. It is read as UTC, so HAProxy must run with
//!   `TZ=UTC` (the system's default on servers). The syslog header's time, which may have an offset, is when the line
//!   was sent, and is not used.
//!
//! # What is rejected, and what is not
//!
//! - A line that was cut (HAProxy does at 1024 bytes, or `len`) has no closing quote: [`Reject::Truncated`]. A line of
//!   `option httpslog` that was cut behind the quote has all that is read from it.
//! - HAProxy cuts a long request (`tune.http.logurilen`, 1024 bytes) and closes the quote. That request was served and
//!   counts; its path is as long as it was logged, which is so in every format.
//! - `option logasap` writes sizes and times with `+` before the request has ended: [`Reject::Unfinished`].
//! - The error line of a connection that failed before it carried a request: [`Reject::ConnectionFailed`].
//! - Cookies that are captured (`capture cookie`) must not have spaces, or the columns do not fit.

use std::io::{self, Write};
use std::net::Ipv6Addr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::detect::Format;
use super::fields::{
    Columns, MAX_BYTES, address, at_most, bytes_out, fingerprint, in_range, phase_ms, status, termination, total_ms,
    unsigned,
};
use super::header::Message;
use super::path::LoggedPath;
use super::{BAD_REQUEST, Event, PhaseTimes, Reject, RequestLine, TrafficClass};
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Network, Service};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The five captured values.
#[derive(Debug, Default)]
struct Captured {
    customer: Option<CustomerId>,
    service: Option<Service>,
    network: Option<Network>,
    class: Option<TrafficClass>,
    key_fp: u32,
}

/// Whether a message begins like these formats: the second column is a date in brackets.
pub(super) fn looks_like(message: &str) -> bool {
    memchr::memchr(b' ', message.as_bytes()).is_some_and(|space| message.as_bytes().get(space + 1) == Some(&b'['))
}

/// Parses a message that [`looks_like`] one.
pub(super) fn parse(message: Message<'_>) -> Result<(Format, RequestLine<'_>), Reject> {
    let mut columns = Columns::of(message.text);
    let (client_ip, client_port) = client(columns.next()?)?;
    let ts = in_range(date(columns.next()?).ok_or(Reject::BadColumn("ts"))?)?;
    let frontend = columns.text("frontend")?;
    if frontend.ends_with(':') {
        return Err(Reject::ConnectionFailed);
    }
    let (backend, server) = columns.next()?.split_once('/').ok_or(Reject::BadColumn("backend"))?;
    let times = times(columns.next()?)?;
    let status = status(columns.next()?)?;
    let bytes_out = at_most(MAX_BYTES, bytes_out(columns.next()?)?, "bytes out")?;
    let _cookies = (columns.text("request cookie")?, columns.text("response cookie")?);
    let termination = termination(columns.next()?)?;
    counts::<5>(columns.next()?, "connections")?;
    counts::<2>(columns.next()?, "queues")?;
    let (captured, rest) = captured(columns.rest().ok_or(Reject::Truncated)?)?;
    let (request, tail) = quoted(rest)?;
    let (method, path) = request_line(request)?;
    let service = captured.service.or_else(|| service_of(frontend)).ok_or(Reject::NoService)?;
    if backend.is_empty() || server.is_empty() {
        return Err(Reject::BadColumn("backend"));
    }
    let line = RequestLine {
        ts,
        idle_ms: 0,
        gateway: 0,
        pid: message.pid,
        log_counter: 0,
        request_counter: 0,
        customer: captured.customer,
        service,
        network: captured.network,
        class: captured.class.unwrap_or(TrafficClass::None),
        event: Event::from_termination(termination, status, server),
        key_fp: captured.key_fp,
        client_ip,
        client_port,
        listener_port: 0,
        method,
        path: LoggedPath::from(path),
        status,
        bytes_in: 0,
        bytes_out,
        times,
        termination,
        backend,
        server,
        repeat: 1,
    };
    Ok((format_by(tail)?, line))
}

/// `203.0.113.9:51234`, `2001:db8::1:51234`, `unix:1`.
fn client(column: &str) -> Result<(Ipv6Addr, u16), Reject> {
    let (ip, port) = column.rsplit_once(':').ok_or(Reject::BadColumn("client address"))?;
    let port = if port == "-" { Some(0) } else { unsigned(port) };
    Ok((address(ip)?, port.ok_or(Reject::BadColumn("client port"))?))
}

/// `[26/Nov/2026:01:51:59.123]`, always with milliseconds.
fn date(column: &str) -> Option<UtcMillis> {
    let text = column.strip_prefix('[')?.strip_suffix(']')?;
    let [_, _, b'/', _, _, _, b'/', _, _, _, _, b':', _, _, b':', _, _, b':', _, _, b'.', _, _, _] = text.as_bytes()
    else {
        return None;
    };
    let number = |from: usize, to: usize| text.get(from..to).and_then(unsigned::<u16>);
    let small = |from: usize| number(from, from + 2).and_then(|value| i8::try_from(value).ok());
    let month = text.get(3..6).and_then(|name| MONTHS.iter().position(|month| *month == name))?;
    let (year, millis) = (i16::try_from(number(7, 11)?).ok()?, number(21, 24)?);
    let month = i8::try_from(month + 1).ok()?;
    let nanos = i32::from(millis) * 1_000_000;
    let moment = DateTime::new(year, month, small(0)?, small(12)?, small(15)?, small(18)?, nanos).ok()?;
    Some(UtcMillis(TimeZone::UTC.to_timestamp(moment).ok()?.as_millisecond()))
}

/// `TR/Tw/Tc/Tr/Ta`.
fn times(column: &str) -> Result<PhaseTimes, Reject> {
    const BAD: Reject = Reject::BadColumn("times");
    let mut parts = column.split('/');
    let mut next = || parts.next().ok_or(BAD);
    let mut phase = || phase_ms(next()?).ok_or(BAD);
    let (request_ms, queue_ms, connect_ms, response_ms) = (phase()?, phase()?, phase()?, phase()?);
    let total_ms = total_ms(next()?)?;
    if parts.next().is_some() {
        return Err(BAD);
    }
    Ok(PhaseTimes { request_ms, queue_ms, connect_ms, response_ms, total_ms })
}

/// Whether a column is `N` numbers with slashes between; the last may have a `+` (a retry on another server).
fn counts<const N: usize>(column: &str, name: &'static str) -> Result<(), Reject> {
    let is_count = |(index, part): (usize, &str)| {
        let part = if index + 1 == N { part.strip_prefix('+').unwrap_or(part) } else { part };
        unsigned::<u64>(part).is_some()
    };
    let parts = column.split('/');
    if parts.clone().count() == N && parts.enumerate().all(is_count) { Ok(()) } else { Err(Reject::BadColumn(name)) }
}

/// The values of the first block, and what follows the blocks. A value never contains `}`: HAProxy encodes it.
fn captured(rest: &str) -> Result<(Captured, &str), Reject> {
    let Some((request, rest)) = block(rest)? else { return Ok((Captured::default(), rest)) };
    let rest = block(rest)?.map_or(rest, |(_, rest)| rest);
    if request.is_empty() {
        return Ok((Captured::default(), rest));
    }
    let mut values = request.split('|');
    let mut next = || values.next().map(|value| if value.is_empty() { "-" } else { value });
    let (Some(customer), Some(service), Some(network), Some(class), Some(key_fp), None) =
        (next(), next(), next(), next(), next(), next())
    else {
        return Err(Reject::BadColumn("captured headers"));
    };
    let captured = Captured {
        customer: number(customer, "customer")?.and_then(CustomerId::new),
        service: known(number(service, "service")?, Service::from_number, "service")?,
        network: super::fields::network(number(network, "network")?)?,
        class: known(number(class, "class")?, TrafficClass::from_number, "class")?,
        key_fp: fingerprint(key_fp)?,
    };
    Ok((captured, rest))
}

fn number<T: TryFrom<u64>>(value: &str, name: &'static str) -> Result<Option<T>, Reject> {
    if value == "-" { Ok(None) } else { unsigned(value).map(Some).ok_or(Reject::BadColumn(name)) }
}

fn known<T>(number: Option<u8>, of: fn(u8) -> Option<T>, name: &'static str) -> Result<Option<T>, Reject> {
    number.map(|number| of(number).ok_or(Reject::BadColumn(name))).transpose()
}

/// The inside of `{…} ` at the beginning, and what follows it.
fn block(rest: &str) -> Result<Option<(&str, &str)>, Reject> {
    let Some(inside) = rest.strip_prefix('{') else { return Ok(None) };
    let (block, rest) = inside.split_once('}').ok_or(Reject::Truncated)?;
    match rest.strip_prefix(' ') {
        Some(rest) => Ok(Some((block, rest))),
        None if rest.is_empty() => Err(Reject::Truncated),
        None => Err(Reject::BadColumn("captured headers")),
    }
}

/// The inside of quotes at the beginning, and what follows. A request never contains a quote: HAProxy encodes it.
fn quoted(rest: &str) -> Result<(&str, &str), Reject> {
    match rest.strip_prefix('"') {
        Some(inside) => inside.split_once('"').ok_or(Reject::Truncated),
        None if rest.is_empty() => Err(Reject::Truncated),
        None => Err(Reject::BadColumn("request")),
    }
}

/// Method and path of `GET /path?query HTTP/1.1`, where the end may have been cut.
fn request_line(request: &str) -> Result<(&str, &str), Reject> {
    const BAD: Reject = Reject::BadColumn("request");
    if request == BAD_REQUEST {
        return Ok((BAD_REQUEST, BAD_REQUEST));
    }
    let mut words = request.split(' ');
    let (method, uri) = (words.next().ok_or(BAD)?, words.next().unwrap_or_default());
    let is_version = words.next().is_none_or(|version| is_part_of_version(version.as_bytes()));
    if method.is_empty() || !is_version || words.next().is_some() {
        return Err(BAD);
    }
    Ok((method, path_of(uri)))
}

/// `HTTP/1.1`, or the first characters of it.
fn is_part_of_version(version: &[u8]) -> bool {
    const PATTERN: &[u8] = b"HTTP/0.0";
    let fits = |(byte, pattern): (&u8, &u8)| if *pattern == b'0' { byte.is_ascii_digit() } else { byte == pattern };
    version.len() <= PATTERN.len() && version.iter().zip(PATTERN).all(fits)
}

/// As HAProxy finds it: from the first slash behind a whole URL's host, up to the query; `-` if there is none.
fn path_of(uri: &str) -> &str {
    let from_path = if uri.starts_with('/') {
        uri
    } else {
        let behind_scheme = uri.split_once("://").map(|(_, rest)| rest);
        let path = behind_scheme.and_then(|rest| rest.find('/').and_then(|slash| rest.get(slash..)));
        path.unwrap_or_default()
    };
    let path = memchr::memchr(b'?', from_path.as_bytes()).and_then(|query| from_path.get(..query));
    Some(path.unwrap_or(from_path)).filter(|path| !path.is_empty()).unwrap_or("-")
}

/// The service whose name is a word of a frontend's name.
fn service_of(frontend: &str) -> Option<Service> {
    frontend.split(|c: char| !c.is_ascii_alphanumeric()).find_map(Service::from_name)
}

/// What follows the request tells which of the two formats it is.
fn format_by(tail: &str) -> Result<Format, Reject> {
    if tail.is_empty() {
        return Ok(Format::Httplog);
    }
    let columns = tail.strip_prefix(' ').ok_or(Reject::BadColumn("request"))?;
    let (errors, connection) = columns.split_once(' ').ok_or(Reject::Truncated)?;
    let is_error =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric());
    if errors.split('/').count() != 5 || !errors.split('/').all(is_error) {
        return Err(Reject::BadColumn("TLS errors"));
    }
    // The client chooses the server name, so it may be any text.
    if connection.split('/').count() < 3 { Err(Reject::Truncated) } else { Ok(Format::Httpslog) }
}

/// Writes the line of `option httplog` that is read back as this one, as far as the format has its columns, with a
/// newline. The frontend is named after the service.
///
/// # Errors
/// Those of the writer.
pub fn write(line: &RequestLine<'_>, out: &mut impl Write) -> io::Result<()> {
    write_request(line, "", out)?;
    out.write_all(b"\n")
}

/// The same for `option httpslog`.
///
/// # Errors
/// Those of the writer.
pub fn write_tls(line: &RequestLine<'_>, out: &mut impl Write) -> io::Result<()> {
    write_request(line, "~", out)?;
    out.write_all(b" 0/0000000000000000/0/0/0 -/TLSv1.3/TLS_AES_256_GCM_SHA384\n")
}

fn write_request(line: &RequestLine<'_>, mark: &str, out: &mut impl Write) -> io::Result<()> {
    let PhaseTimes { request_ms, queue_ms, connect_ms, response_ms, total_ms } = line.times;
    let service = line.service;
    write!(out, "{}:{} [", line.client_ip.to_canonical(), line.client_port)?;
    write_date(line.ts, out)?;
    write!(out, "] {}{mark} {}/{} ", service.name(), line.backend, line.server)?;
    write!(out, "{request_ms}/{queue_ms}/{connect_ms}/{response_ms}/{total_ms} {} {} ", line.status, line.bytes_out)?;
    write!(out, "- - {} 2/2/0/0/0 0/0 {{", line.termination)?;
    write_or_dash(line.customer.map(CustomerId::get), out)?;
    write!(out, "|{}|", service.number())?;
    write_or_dash(line.network.map(|network| network.number().into()), out)?;
    write!(out, "|{}|{:X}}} \"", line.class.number(), line.key_fp)?;
    match line.method {
        BAD_REQUEST => write!(out, "{BAD_REQUEST}\""),
        // A path of `-` stands for none, as of this request.
        method if line.path == LoggedPath::from("-") => write!(out, "{method} * HTTP/1.1\""),
        method => write!(out, "{method} {} HTTP/1.1\"", line.path),
    }
}

fn write_or_dash(number: Option<u32>, out: &mut impl Write) -> io::Result<()> {
    match number {
        Some(number) => write!(out, "{number}"),
        None => out.write_all(b"-"),
    }
}

/// An instant outside the calendar is written as 1970.
fn write_date(ts: UtcMillis, out: &mut impl Write) -> io::Result<()> {
    let moment = jiff::Timestamp::from_millisecond(ts.0).unwrap_or_default();
    let moment = TimeZone::UTC.to_datetime(moment);
    let month = usize::try_from(moment.month() - 1).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"Jan");
    write!(out, "{:02}/{month}/{:04}:", moment.day(), moment.year())?;
    write!(out, "{:02}:{:02}:{:02}.{:03}", moment.hour(), moment.minute(), moment.second(), moment.millisecond())
}
