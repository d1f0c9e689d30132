//! Log lines.

use std::net::{IpAddr, Ipv6Addr};

use suiftly::core::calendar::UtcMillis;
use suiftly::core::id::{CustomerId, Network, Service};
use suiftly::core::log_line::{
    self, Event, Format, LoggedPath, MAX_LINE_BYTES, PhaseTimes, Reject, RequestLine, TrafficClass, httplog, json, s1,
};

/// Any bytes are a line or are refused, and what is read is the same after it was written and read again.
pub fn log_line(bytes: &[u8]) -> bool {
    let Ok(line) = log_line::parse(bytes) else { return false };
    let mut written = Vec::new();
    s1::write(&line, &mut written).expect("memory takes any line");
    let written = written.strip_suffix(b"\n").expect("a line ends with a newline");
    let again = log_line::parse(written);
    // A few absent columns are written longer than they were read.
    let too_long = written.len() > MAX_LINE_BYTES && again == Err(Reject::Overlong);
    assert!(again == Ok(line.clone()) || too_long, "{line:?} was written and read again: {again:?}");
    true
}

/// A line of the `s1` format is read as by the plainest code that does it, which refuses the same lines. What is read of
/// any line says the same when it is written in any format, as far as the format can, and behind a syslog header.
pub fn log_formats(bytes: &[u8]) -> bool {
    let read = log_line::parse_any(bytes);
    if bytes.starts_with(s1::MARK.as_bytes()) {
        let plain = plain_s1(bytes);
        assert_eq!(read.as_ref().ok().map(|(_, line)| line), plain.as_ref(), "{read:?}");
    }
    let Ok((format, line)) = read else { return false };
    check_header(bytes, format, &line);
    for format in Format::ALL.into_iter().filter(|format| can_say(*format, &line)) {
        let written = written(format, &line);
        let expected = as_said(format, &line);
        if written.len() <= MAX_LINE_BYTES {
            assert_eq!(log_line::parse_any(&written), Ok((format, expected)), "{}", String::from_utf8_lossy(&written));
        }
    }
    true
}

/// A header adds nothing but the process, where the line does not tell it.
fn check_header(bytes: &[u8], format: Format, line: &RequestLine<'_>) {
    const HEADERS: [&[u8]; 3] = [
        b"<134>Nov 23 17:30:00 gw1 haproxy[77]: ",
        b"2026-11-23T17:30:00.123456+00:00 gw1 haproxy[77]: ",
        b"<134>1 2026-11-23T17:30:00.123Z gw1 haproxy 77 - [a b=\"\\\"]\"] ",
    ];
    let has_none = bytes.starts_with(s1::MARK.as_bytes()) || bytes.starts_with(b"{");
    if !has_none || bytes.len() + 100 > MAX_LINE_BYTES {
        return;
    }
    for header in HEADERS {
        let whole = [header, bytes].concat();
        assert_eq!(log_line::parse_any(&whole), Ok((format, line.clone())), "{}", String::from_utf8_lossy(&whole));
    }
}

fn written(format: Format, line: &RequestLine<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        Format::S1 => s1::write(line, &mut out),
        Format::Httplog => httplog::write(line, &mut out),
        Format::Httpslog => httplog::write_tls(line, &mut out),
        Format::Json => json::write(line, &mut out),
    }
    .expect("memory takes any line");
    assert_eq!(out.pop(), Some(b'\n'));
    out
}

/// Whether a format has a way to write the line's texts: HAProxy would not have written others in it.
fn can_say(format: Format, line: &RequestLine<'_>) -> bool {
    let texts = [line.method, line.termination, line.backend, line.server];
    let path = line.path.to_string();
    let is_logged = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') && !path.contains('?');
    let has_hash = path.contains('#');
    match format {
        Format::S1 => true,
        // Paths of JSON are of characters, and what `#` stands for is written as itself.
        Format::Json => {
            let is_word = |text: &&str| !text.contains(['"', '\\']);
            texts.iter().all(is_word) && is_logged && !has_hash && line.method != "<BADREQ>"
        }
        Format::Httplog | Format::Httpslog => {
            let is_request = !line.method.contains('"') && is_logged && (path.starts_with('/') || path == "-");
            is_request && line.method != "<BADREQ>" && !line.backend.contains('/')
        }
    }
}

/// What a format says of a line.
fn as_said<'a>(format: Format, line: &RequestLine<'a>) -> RequestLine<'a> {
    match format {
        Format::S1 | Format::Json => line.clone(),
        Format::Httplog | Format::Httpslog => RequestLine {
            idle_ms: 0,
            gateway: 0,
            pid: 0,
            log_counter: 0,
            request_counter: 0,
            listener_port: 0,
            bytes_in: 0,
            repeat: 1,
            event: Event::from_termination(line.termination, line.status, line.server),
            ..line.clone()
        },
    }
}

/// The `s1` format as its documentation has it, read without any haste.
fn plain_s1(bytes: &[u8]) -> Option<RequestLine<'_>> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).ok()?;
    if bytes.len() > MAX_LINE_BYTES || bytes.iter().any(u8::is_ascii_control) {
        return None;
    }
    let columns: [&str; 25] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let [_, ts, gateway, pid, lc, rt, customer, service, network, class, event, fp, ip, cp, lp, rest @ ..] = columns;
    let [method, path, status, bytes_in, bytes_out, times, termination, backend, server, repeat] = rest;
    let times: [&str; 7] = times.split('/').collect::<Vec<_>>().try_into().ok()?;
    let [handshake, idle, request, queue, connect, response, total] = times.map(phase);
    let idle_ms = (handshake?.max(0).unsigned_abs()).saturating_add(idle?.max(0).unsigned_abs());
    let ts = i64::try_from(number(ts)?).ok()?.saturating_add(idle_ms.into());
    let status =
        if status == "-1" { 0 } else { u16::try_from(number(status)?).ok().filter(|status| *status < 1000)? };
    let event = absent_or(event)?.map_or(Some(0), |event| u8::try_from(event).ok())?;
    let is_whole = !method.is_empty() && !backend.is_empty() && !server.is_empty();
    let is_in_range = (946_684_800_000..7_258_118_400_000).contains(&ts) && (2..=4).contains(&termination.len());
    (is_whole && is_in_range).then_some(())?;
    Some(RequestLine {
        ts: UtcMillis(ts),
        idle_ms,
        gateway: u8::try_from(number(gateway)?).ok()?,
        pid: u32::try_from(number(pid)?).ok()?,
        log_counter: number(lc)?,
        request_counter: number(rt)?,
        customer: absent_or(customer)?.map_or(Some(None), |id| Some(CustomerId::new(u32::try_from(id).ok()?)))?,
        service: Service::from_number(u8::try_from(number(service)?).ok()?)?,
        network: match absent_or(network)? {
            None => None,
            Some(number) => Some(Network::from_number(u8::try_from(number).ok()?)?),
        },
        class: TrafficClass::from_number(u8::try_from(absent_or(class)?.unwrap_or(0)).ok()?)?,
        event: if event == 0 { Event::from_termination(termination, status, server) } else { Event(event) },
        key_fp: if fp == "-" { 0 } else { hexadecimal(fp)? },
        client_ip: address(ip)?,
        client_port: u16::try_from(absent_or(cp)?.unwrap_or(0)).ok()?,
        listener_port: u16::try_from(absent_or(lp)?.unwrap_or(0)).ok()?,
        method,
        path: LoggedPath::from(if path.is_empty() { "-" } else { path }),
        status,
        bytes_in: number(bytes_in).filter(|bytes| *bytes <= s1::MAX_BYTES)?,
        bytes_out: number(bytes_out).filter(|bytes| *bytes <= s1::MAX_BYTES)?,
        times: PhaseTimes {
            request_ms: request?,
            queue_ms: queue?,
            connect_ms: connect?,
            response_ms: response?,
            total_ms: total?,
        },
        termination,
        backend,
        server,
        repeat: u32::try_from(number(repeat)?).ok().filter(|repeat| (1..=s1::MAX_REPEAT).contains(repeat))?,
    })
}

fn number(text: &str) -> Option<u64> {
    let is_number = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn absent_or(text: &str) -> Option<Option<u64>> {
    if text == "-" { Some(None) } else { number(text).map(Some) }
}

fn hexadecimal(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_number { u32::from_str_radix(text, 16).ok() } else { None }
}

fn phase(text: &str) -> Option<i32> {
    if text == "-1" { Some(-1) } else { i32::try_from(number(text)?).ok() }
}

fn address(text: &str) -> Option<Ipv6Addr> {
    match text {
        "-" | "unix" => Some(Ipv6Addr::UNSPECIFIED),
        _ => match text.parse().ok()? {
            IpAddr::V4(v4) => Some(v4.to_ipv6_mapped()),
            IpAddr::V6(v6) => Some(v6),
        },
    }
}
