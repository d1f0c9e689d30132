//! The `s1` format: the version-tagged line that the shipped HAProxy configuration writes.
//!
//! Twenty-five columns separated by single spaces, nothing optional, `-` for absent. An absent path (`OPTIONS *`) is
//! empty, or from HAProxy 3.0 on not there at all. The last column is always there, so a line that was cut short is
//! recognised.
//!
//! ```text
//! s1 1763919000123 1 4711 17 42 12345 1 1 1 0 1005F7C 203.0.113.9 51234 20002 GET /v1/keys 200 312 1045 \
//!    0/0/0/0/1/2/3 -- be_seal s1 1
//! ```
//! accept time in ms · gateway · pid · `%lc` · `%rt` · customer · service · network · class · event · key fingerprint
//! (hexadecimal) · client address · client port · listener port · method · path · status · bytes in · bytes out ·
//! handshake/idle/request/queue/connect/response/active ms · termination · backend · server · repeat.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::cut::{Cut, ipv4, short_hexadecimal};
pub use super::fields::{MAX_BYTES, MAX_REPEAT};
use super::fields::{
    address, at_most, bytes_out, fingerprint, in_range, network, phase_ms, status, termination, total_ms,
};
use super::path::LoggedPath;
use super::{Event, Format, PhaseTimes, Reject, RequestLine, TrafficClass};
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Service};

/// What every line begins with.
pub const MARK: &str = "s1 ";

/// The value of HAProxy's `log-format` for one service. The variables are set by the shipped configuration's rules.
pub fn log_format(gateway: u8, service: Service) -> String {
    format!(
        "s1 %Ts%ms {gateway} %pid %lc %rt %[var(txn.key),field(1,/)] {service} %[var(txn.key),field(3,/)] \
         %[var(txn.class)] %[var(txn.event)] %[var(txn.key),field(4,/)] %ci %cp %fp %HM %HPO %ST %U %B %Th/%Ti/%TR/%Tw/%Tc/%Tr/%Ta %tsc %b %s 1",
        service = service.number()
    )
}

/// The columns with their mark.
const COLUMNS: usize = 25;

/// Where the path is, counted from 0.
const PATH: usize = 16;

/// Parses a line that begins with [`MARK`]; its characters need not have been checked.
#[inline]
pub(super) fn parse(line: &[u8]) -> Result<(Format, RequestLine<'_>), Reject> {
    match Cut::of(line, &mut [0; COLUMNS]) {
        Ok(columns) => read(&columns),
        Err(Reject::Truncated) => without_path(line),
        Err(reject) => Err(reject),
    }
}

/// From HAProxy 3.0 on, a request without a path has no column for it, where older ones write an empty one. The next
/// column is a status, which no path is: a line that was cut short is still recognised.
#[cold]
fn without_path(line: &[u8]) -> Result<(Format, RequestLine<'_>), Reject> {
    let mut ends = [0; COLUMNS - 1];
    let columns = Cut::of(line, &mut ends)?;
    if status_at(&columns, PATH).is_err() {
        return Err(Reject::Truncated);
    }
    read(&columns)
}

/// What the columns say; those behind the path are counted from the last one.
#[inline]
fn read<'a, const N: usize>(columns: &Cut<'a, '_, N>) -> Result<(Format, RequestLine<'a>), Reject> {
    let (idle_ms, times) = times(columns, N - 5)?;
    let ts = UtcMillis(columns.number(1, "ts")?).plus_ms(i64::from(idle_ms));
    let class = columns.number_or_absent(9, "class")?.unwrap_or(0);
    let event = columns.number_or_absent(10, "event")?.map_or(Event::OK, Event);
    let path = if N == COLUMNS { columns.text(PATH) } else { "" };
    let status = status_at(columns, N - 8)?;
    let termination = termination(columns.text(N - 4))?;
    let server = text(columns, N - 2, "server")?;
    let repeat = at_most(MAX_REPEAT, columns.number(N - 1, "repeat")?, "repeat")?;
    let line = RequestLine {
        ts: in_range(ts)?,
        idle_ms,
        gateway: columns.number(2, "gateway")?,
        pid: columns.number(3, "pid")?,
        log_counter: columns.number(4, "lc")?,
        request_counter: columns.number(5, "rt")?,
        customer: columns.number_or_absent(6, "customer")?.and_then(CustomerId::new),
        service: Service::from_number(columns.number(7, "service")?).ok_or(Reject::BadColumn("service"))?,
        network: network(columns.number_or_absent(8, "network")?)?,
        class: TrafficClass::from_number(class).ok_or(Reject::BadColumn("class"))?,
        event: if event == Event::OK { Event::from_termination(termination, status, server) } else { event },
        key_fp: key_fp(columns, 11)?,
        client_ip: client_ip(columns, 12)?,
        client_port: columns.number_or_absent(13, "client port")?.unwrap_or(0),
        listener_port: columns.number_or_absent(14, "listener port")?.unwrap_or(0),
        method: text(columns, 15, "method")?,
        // HAProxy writes nothing where there is no path: `OPTIONS *`, or a whole URL that ends with the host.
        path: LoggedPath::from(if path.is_empty() { "-" } else { path }),
        status,
        bytes_in: at_most(MAX_BYTES, columns.number(N - 7, "bytes in")?, "bytes in")?,
        bytes_out: at_most(MAX_BYTES, bytes_out_at(columns, N - 6)?, "bytes out")?,
        times,
        termination,
        backend: text(columns, N - 3, "backend")?,
        server,
        repeat: if repeat == 0 { return Err(Reject::BadColumn("repeat")) } else { repeat },
    };
    Ok((Format::S1, line))
}

#[inline]
fn text<'a, const N: usize>(columns: &Cut<'a, '_, N>, index: usize, name: &'static str) -> Result<&'a str, Reject> {
    match columns.text(index) {
        "" => Err(Reject::BadColumn(name)),
        text => Ok(text),
    }
}

#[inline]
fn status_at<const N: usize>(columns: &Cut<'_, '_, N>, index: usize) -> Result<u16, Reject> {
    match columns.number(index, "status") {
        Ok(status @ 0..1000) => Ok(status),
        _ => status(columns.text(index)),
    }
}

#[inline]
fn bytes_out_at<const N: usize>(columns: &Cut<'_, '_, N>, index: usize) -> Result<u64, Reject> {
    columns.number(index, "bytes out").or_else(|_| bytes_out(columns.text(index)))
}

#[inline(always)]
fn key_fp<const N: usize>(columns: &Cut<'_, '_, N>, index: usize) -> Result<u32, Reject> {
    let (from, to) = columns.span(index);
    let short = short_hexadecimal(columns.bytes(), from, to).and_then(|value| u32::try_from(value).ok());
    short.map_or_else(|| fingerprint(columns.text(index)), Ok)
}

#[inline]
fn client_ip<const N: usize>(columns: &Cut<'_, '_, N>, index: usize) -> Result<Ipv6Addr, Reject> {
    let (from, to) = columns.span(index);
    match ipv4(columns.bytes(), from, to) {
        Some(octets) => Ok(Ipv4Addr::from_octets(octets).to_ipv6_mapped()),
        None => address(columns.text(index)),
    }
}

/// `Th/Ti/TR/Tw/Tc/Tr/Ta`: the time before the request, and its phases.
#[inline]
fn times<const N: usize>(columns: &Cut<'_, '_, N>, index: usize) -> Result<(u32, PhaseTimes), Reject> {
    match columns.phases::<7>(index) {
        Some(phases) => Ok(of_phases(phases)),
        None => long_times(columns.text(index)),
    }
}

#[inline]
fn of_phases(phases: [i32; 7]) -> (u32, PhaseTimes) {
    let [handshake, idle, request_ms, queue_ms, connect_ms, response_ms, total_ms] = phases;
    let before = u32::try_from(handshake).unwrap_or(0).saturating_add(u32::try_from(idle).unwrap_or(0));
    (before, PhaseTimes { request_ms, queue_ms, connect_ms, response_ms, total_ms })
}

/// Longer than usual, or bad.
#[cold]
fn long_times(column: &str) -> Result<(u32, PhaseTimes), Reject> {
    const BAD: Reject = Reject::BadColumn("times");
    let mut parts = column.split('/');
    let mut phases = [0; 7];
    let (last, others) = phases.split_last_mut().ok_or(BAD)?;
    for phase in others {
        *phase = parts.next().and_then(phase_ms).ok_or(BAD)?;
    }
    *last = total_ms(parts.next().ok_or(BAD)?)?;
    if parts.next().is_some() { Err(BAD) } else { Ok(of_phases(phases)) }
}

/// Writes the line that [`super::parse`] reads back, with a newline. Used where lines are made without HAProxy.
///
/// # Errors
/// Those of the writer.
pub fn write(line: &RequestLine<'_>, out: &mut impl Write) -> std::io::Result<()> {
    /// The most that one phase can say; the rest of a longer idle time is written as handshake.
    const LONGEST_PHASE_MS: u32 = u32::MAX >> 1;
    let idle_ms = line.idle_ms.min(LONGEST_PHASE_MS);
    let PhaseTimes { request_ms, queue_ms, connect_ms, response_ms, total_ms } = line.times;
    write!(out, "{MARK}{} {} {} ", line.ts.0 - i64::from(line.idle_ms), line.gateway, line.pid)?;
    write!(out, "{} {} ", line.log_counter, line.request_counter)?;
    write_or_dash(out, line.customer.map(CustomerId::get).map(u64::from))?;
    write!(out, "{} ", line.service.number())?;
    write_or_dash(out, line.network.map(|network| network.number().into()))?;
    write!(out, "{} {} {:X} ", line.class.number(), line.event.0, line.key_fp)?;
    write!(out, "{} {} {} ", line.client_ip.to_canonical(), line.client_port, line.listener_port)?;
    write!(out, "{} {} {} {} {} ", line.method, line.path, line.status, line.bytes_in, line.bytes_out)?;
    write!(out, "{}/{idle_ms}/{request_ms}/{queue_ms}/", line.idle_ms - idle_ms)?;
    write!(out, "{connect_ms}/{response_ms}/{total_ms} ")?;
    writeln!(out, "{} {} {} {}", line.termination, line.backend, line.server, line.repeat)
}

fn write_or_dash(out: &mut impl Write, number: Option<u64>) -> std::io::Result<()> {
    match number {
        Some(number) => write!(out, "{number} "),
        None => out.write_all(b"- "),
    }
}
