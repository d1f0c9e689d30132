//! The `s1` format: the version-tagged line that the shipped HAProxy configuration writes.
//!
//! Twenty-five columns separated by single spaces, nothing optional, `-` for absent (an absent path is empty). The last column is always there,
//! so a line that was cut short is recognised.
//!
//! ```text
//! s1 1763919000123 1 4711 17 42 12345 1 1 1 0 1005F7C 203.0.113.9 51234 20002 GET /v1/keys 200 312 1045 \
//!    0/0/0/0/1/2/3 -- be_seal s1 1
//! ```
//! accept time in ms · gateway · pid · `%lc` · `%rt` · customer · service · network · class · event · key fingerprint
//! (hexadecimal) · client address · client port · listener port · method · path · status · bytes in · bytes out ·
//! handshake/idle/request/queue/connect/response/active ms · termination · backend · server · repeat.

use std::io::Write;

use super::fields::{
    Columns, address, at_most, bytes_out, fingerprint, in_range, network, phase_ms, status, termination, total_ms,
};
pub use super::fields::{MAX_BYTES, MAX_REPEAT};
use super::{Event, PhaseTimes, Reject, RequestLine, TrafficClass};
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Service};

/// What every line begins with.
pub const MARK: &str = "s1 ";

/// The value of HAProxy's `log-format` for one service. The variables are set by the shipped configuration's rules.
pub fn log_format(gateway: u8, service: Service) -> String {
    format!(
        "s1 %Ts%ms {gateway} %pid %lc %rt %[var(txn.cust)] {service} %[var(txn.net)] %[var(txn.class)] \
         %[var(txn.event)] %[var(txn.fp)] %ci %cp %fp %HM %HPO %ST %U %B %Th/%Ti/%TR/%Tw/%Tc/%Tr/%Ta %tsc %b %s 1",
        service = service.number()
    )
}

/// Parses a line that begins with [`MARK`].
pub(super) fn parse(line: &str) -> Result<RequestLine<'_>, Reject> {
    let mut columns = Columns::of(line.get(MARK.len()..).ok_or(Reject::Truncated)?);
    let accepted: i64 = columns.number("ts")?;
    let gateway = columns.number("gateway")?;
    let pid = columns.number("pid")?;
    let log_counter = columns.number("lc")?;
    let request_counter = columns.number("rt")?;
    let customer = columns.number_or_absent("customer")?.and_then(CustomerId::new);
    let service = Service::from_number(columns.number("service")?).ok_or(Reject::BadColumn("service"))?;
    let network = network(columns.number_or_absent("network")?)?;
    let class = columns.number_or_absent("class")?.unwrap_or(0);
    let class = TrafficClass::from_number(class).ok_or(Reject::BadColumn("class"))?;
    let event = columns.number_or_absent("event")?.map_or(Event::OK, Event);
    let key_fp = fingerprint(columns.next()?)?;
    let client_ip = address(columns.next()?)?;
    let client_port = columns.number_or_absent("client port")?.unwrap_or(0);
    let listener_port = columns.number_or_absent("listener port")?.unwrap_or(0);
    let method = columns.text("method")?;
    // HAProxy writes nothing where there is no path: `OPTIONS *`, or a whole URL that ends with the host.
    let path = Some(columns.next()?).filter(|path| !path.is_empty()).unwrap_or("-");
    let status = status(columns.next()?)?;
    let bytes_in = at_most(MAX_BYTES, columns.number("bytes in")?, "bytes in")?;
    let bytes_out = at_most(MAX_BYTES, bytes_out(columns.next()?)?, "bytes out")?;
    let (idle_ms, times) = times(columns.next()?)?;
    let termination = termination(columns.next()?)?;
    let backend = columns.text("backend")?;
    let server = columns.text("server")?;
    let repeat = at_most(MAX_REPEAT, columns.number("repeat")?, "repeat")?;
    columns.finish()?;
    let event = if event == Event::OK { Event::from_termination(termination, status, server) } else { event };
    let ts = UtcMillis(accepted).plus_ms(i64::from(idle_ms));
    Ok(RequestLine {
        ts: in_range(ts)?,
        idle_ms,
        gateway,
        pid,
        log_counter,
        request_counter,
        customer,
        service,
        network,
        class,
        event,
        key_fp,
        client_ip,
        client_port,
        listener_port,
        method,
        path: path.into(),
        status,
        bytes_in,
        bytes_out,
        times,
        termination,
        backend,
        server,
        repeat: if repeat == 0 { return Err(Reject::BadColumn("repeat")) } else { repeat },
    })
}

/// `Th/Ti/TR/Tw/Tc/Tr/Ta`: the time before the request, and its phases.
fn times(column: &str) -> Result<(u32, PhaseTimes), Reject> {
    const BAD: Reject = Reject::BadColumn("times");
    let mut parts = column.split('/');
    let mut next = || parts.next().ok_or(BAD);
    let mut phase = || phase_ms(next()?).ok_or(BAD);
    let (handshake, idle) = (phase()?, phase()?);
    let (request_ms, queue_ms, connect_ms, response_ms) = (phase()?, phase()?, phase()?, phase()?);
    let times = PhaseTimes { request_ms, queue_ms, connect_ms, response_ms, total_ms: total_ms(next()?)? };
    if parts.next().is_some() {
        return Err(BAD);
    }
    let before = u32::try_from(handshake).unwrap_or(0).saturating_add(u32::try_from(idle).unwrap_or(0));
    Ok((before, times))
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
