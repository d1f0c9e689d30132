//! One HAProxy log line, parsed in place: no allocation, every text a slice of the line.
//!
//! [`parse`] takes a line without its newline, strips a syslog header if there is one, and returns either a
//! [`RequestLine`] or the [`Reject`] under which the line goes to quarantine. A line is never refused because its
//! customer is unknown.
//!
//! The message behind the header tells its [`Format`] by how it begins: `s1 ` is [`s1`], `{` is [`json`], an address
//! and a date in brackets are [`httplog`]. A format does not guess: what it has no columns for is absent, as its module
//! says, and what is in the wrong place rejects the line.

mod cut;
mod detect;
mod fields;
mod header;
pub mod httplog;
pub mod json;
mod path;
pub mod s1;

pub use detect::{Detection, Format};
pub(super) use fields::in_range;
pub use path::LoggedPath;

use std::fmt;
use std::net::Ipv6Addr;

use header::Message;

use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Network, Service};

/// The longest line that is looked at, in bytes. HAProxy cuts its lines at 8192 with the shipped configuration.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// How many bytes at the start of a line may be a header of another kind than syslog's.
const MAX_HEADER_BYTES: usize = 256;

/// What HAProxy writes for method and path of a request that it could not read.
const BAD_REQUEST: &str = "<BADREQ>";

/// What HAProxy writes as server when it gave the request to none.
const NO_SERVER: &str = "<NOSRV>";

/// What HAProxy's messages about itself and its servers say, in the same log if the configuration sends them there.
/// A proxy's stop cannot be sent elsewhere: it goes where the proxy's requests go.
const NOTICES: [&str; 7] = [
    " stopped (cumulated conns: ",
    " remaining conns will be closed)",
    " has no server available!",
    " is DOWN, reason: ",
    " is DOWN via ",
    " is UP, reason: ",
    " is UP via ",
];

/// One request as the gateway saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// When the request began: the connection's accept time, or for a later request on the same connection that
    /// time plus the wait before it. Billing hours follow this, so an idle connection cannot move a request back.
    pub ts: UtcMillis,
    /// Handshake and idle time before the request, so that `ts` minus this is HAProxy's accept time.
    pub idle_ms: u32,
    /// Which gateway wrote the line; 0 if it does not say.
    pub gateway: u8,
    /// HAProxy's process; 0 if neither the line nor its header say.
    pub pid: u32,
    /// `%lc`: counts the lines of one frontend; two threads may show the same number. 0 if the format has none.
    pub log_counter: u64,
    /// `%rt`: counts the requests of one process. 0 if the format has none, and then a duplicate of the line cannot be
    /// recognised. A process's first request has 0, too, and shares that fate.
    pub request_counter: u64,
    /// `None` if the request was not authenticated.
    pub customer: Option<CustomerId>,
    pub service: Service,
    /// `None` if the key did not tell.
    pub network: Option<Network>,
    pub class: TrafficClass,
    pub event: Event,
    /// Fingerprint of the presented key, 0 if none.
    pub key_fp: u32,
    /// IPv4 addresses are mapped into IPv6; unspecified if the client had no address.
    pub client_ip: Ipv6Addr,
    pub client_port: u16,
    /// The port that the request came in on; 0 if the format does not say.
    pub listener_port: u16,
    pub method: &'a str,
    /// Without the query string; `-` for a request that has none, like `OPTIONS *`.
    pub path: LoggedPath<'a>,
    /// 0 if no response was sent.
    pub status: u16,
    /// 0 if the format does not say.
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub times: PhaseTimes,
    /// HAProxy's termination state, two to four characters.
    pub termination: &'a str,
    pub backend: &'a str,
    pub server: &'a str,
    /// Identical requests that a shipper merged into this line; `bytes_out` is their sum.
    pub repeat: u32,
}

impl RequestLine<'_> {
    /// A request of which nothing is known but when it began.
    pub fn nothing(ts: UtcMillis) -> Self {
        const NO_PHASE: i32 = -1;
        Self {
            ts,
            idle_ms: 0,
            gateway: 0,
            pid: 0,
            log_counter: 0,
            request_counter: 0,
            customer: None,
            service: Service::Seal,
            network: None,
            class: TrafficClass::None,
            event: Event::OK,
            key_fp: 0,
            client_ip: Ipv6Addr::UNSPECIFIED,
            client_port: 0,
            listener_port: 0,
            method: "-",
            path: "-".into(),
            status: 0,
            bytes_in: 0,
            bytes_out: 0,
            times: PhaseTimes {
                request_ms: NO_PHASE,
                queue_ms: NO_PHASE,
                connect_ms: NO_PHASE,
                response_ms: NO_PHASE,
                total_ms: NO_PHASE,
            },
            termination: "--",
            backend: "-",
            server: "-",
            repeat: 1,
        }
    }
}

/// Milliseconds in each phase of a request; −1 when the phase did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseTimes {
    pub request_ms: i32,
    pub queue_ms: i32,
    pub connect_ms: i32,
    pub response_ms: i32,
    pub total_ms: i32,
}

/// How the gateway treated the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TrafficClass {
    None = 0,
    Guaranteed = 1,
    Burst = 2,
    Denied = 3,
    DroppedByRate = 4,
    DroppedPerIp = 5,
    Unavailable = 6,
    StreamDelta = 7,
    StreamClose = 8,
}

impl TrafficClass {
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::Guaranteed,
        Self::Burst,
        Self::Denied,
        Self::DroppedByRate,
        Self::DroppedPerIp,
        Self::Unavailable,
        Self::StreamDelta,
        Self::StreamClose,
    ];

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    #[expect(clippy::as_conversions, reason = "the discriminant of a repr(u8) enum")]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The word used in URLs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Guaranteed => "guaranteed",
            Self::Burst => "burst",
            Self::Denied => "denied",
            Self::DroppedByRate => "dropped_by_rate",
            Self::DroppedPerIp => "dropped_per_ip",
            Self::Unavailable => "unavailable",
            Self::StreamDelta => "stream_delta",
            Self::StreamClose => "stream_close",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether a request of this class is charged, whatever its status.
    pub const fn is_billable(self) -> bool {
        matches!(self, Self::Guaranteed | Self::Burst)
    }

    /// Whether a line of this class counts in sums at all.
    pub const fn is_counted(self) -> bool {
        !matches!(self, Self::StreamClose)
    }
}

/// The gateway's event code (`log-ingest.md` lists them): 0 is "ok". Codes that this version does not know are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event(pub u8);

impl Event {
    pub const OK: Self = Self(0);
    pub const KEY_MISSING: Self = Self(10);
    pub const MALFORMED: Self = Self(12);
    pub const TOO_LARGE: Self = Self(13);
    pub const REQUEST_TIMEOUT: Self = Self(14);
    pub const KEY_REVOKED: Self = Self(31);
    pub const BACKEND_ERROR: Self = Self(50);
    pub const REFUSED: Self = Self(60);
    pub const TIMEOUT: Self = Self(61);
    pub const NO_BACKEND: Self = Self(62);
    pub const QUEUE_TIMEOUT: Self = Self(63);

    /// What HAProxy's termination state tells when the configuration's rules could not set a code, because the
    /// request never reached them (a malformed one) or had left them (a backend that failed).
    #[inline]
    pub fn from_termination(termination: &str, status: u16, server: &str) -> Self {
        if termination == "----" || termination == "--" {
            return Self::OK;
        }
        Self::from_unusual_termination(termination, status, server)
    }

    fn from_unusual_termination(termination: &str, status: u16, server: &str) -> Self {
        match (termination.as_bytes(), status) {
            // Broken by the client: refused by the parser, or given up before it was whole.
            ([b'P' | b'C', b'R', ..], 400) => Self::MALFORMED,
            // Before version 3.1, HAProxy answers 400 to this as well.
            ([b'P', b'R', ..], 414 | 431) => Self::TOO_LARGE,
            ([b'c', b'R', ..], _) => Self::REQUEST_TIMEOUT,
            ([b's', b'C' | b'H' | b'D', ..], _) => Self::TIMEOUT,
            ([b's', b'Q', ..], _) => Self::QUEUE_TIMEOUT,
            ([b'S', b'C', ..], 503) if server == NO_SERVER => Self::NO_BACKEND,
            ([b'S', b'C', ..], 503) => Self::REFUSED,
            ([b'S', ..], 503) => Self::NO_BACKEND,
            // The last is an answer that is no HTTP.
            ([b'S', ..], _) | ([b'P', b'H', ..], 502) => Self::BACKEND_ERROR,
            _ => Self::OK,
        }
    }
}

/// Why a line went to quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    Empty,
    /// Not UTF-8, or with control characters.
    Binary,
    /// Neither a known format nor a syslog header before one.
    UnknownFormat,
    /// HAProxy's message about itself or a server: no request, and nothing wrong.
    Notice,
    /// Fewer columns than the format has.
    Truncated,
    /// More columns than the format has.
    TooManyColumns,
    /// Begins like a JSON object, and is none, or has a key twice or values in values.
    BadJson,
    /// Written before the request had ended (`option logasap`), so its size and time are not known.
    Unfinished,
    /// Neither the captured headers nor the frontend's name tell which service it is.
    NoService,
    /// The connection failed before it carried a request, as when the TLS handshake does.
    ConnectionFailed,
    /// The named column does not hold what the format says.
    BadColumn(&'static str),
    /// Longer than [`MAX_LINE_BYTES`].
    Overlong,
    /// The file ended without a newline and will not grow.
    Unterminated,
    /// Sent by a remote gateway, and says that it is another one's.
    OtherGateway,
    /// Bytes of the spool that were lines once, and are not what was written.
    Damaged,
}

/// The reason in a few stable words, as stored and shown.
impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty line"),
            Self::Binary => f.write_str("binary"),
            Self::UnknownFormat => f.write_str("unknown format"),
            Self::Notice => f.write_str("notice of HAProxy"),
            Self::Truncated => f.write_str("truncated"),
            Self::TooManyColumns => f.write_str("too many columns"),
            Self::BadJson => f.write_str("bad JSON"),
            Self::Unfinished => f.write_str("logged before its end"),
            Self::NoService => f.write_str("no service"),
            Self::ConnectionFailed => f.write_str("connection without a request"),
            Self::BadColumn(column) => write!(f, "bad column {column}"),
            Self::Overlong => f.write_str("over-long"),
            Self::OtherGateway => f.write_str("of another gateway"),
            Self::Unterminated => f.write_str("no newline at the end of the file"),
            Self::Damaged => f.write_str("damaged in the spool"),
        }
    }
}

/// Parses one line, given without its newline (a carriage return at its end is ignored).
///
/// # Errors
/// The reason under which the line is quarantined.
pub fn parse(line: &[u8]) -> Result<RequestLine<'_>, Reject> {
    parse_any(line).map(|(_, line)| line)
}

/// The same, and tells the format that the line has.
///
/// # Errors
/// The reason under which the line is quarantined.
pub fn parse_any(line: &[u8]) -> Result<(Format, RequestLine<'_>), Reject> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(Reject::Empty);
    }
    if line.len() > MAX_LINE_BYTES {
        return Err(Reject::Overlong);
    }
    if line.starts_with(s1::MARK.as_bytes()) {
        return s1::parse(line);
    }
    parse_message(header::split(cut::checked_text(line)?))
}

fn parse_message(message: Message<'_>) -> Result<(Format, RequestLine<'_>), Reject> {
    if message.text.starts_with('{') {
        return json::parse(message).map(|line| (Format::Json, line));
    }
    if httplog::looks_like(message.text) {
        return httplog::parse(message);
    }
    let is_s1 = message.text.starts_with(s1::MARK);
    let line = if is_s1 { message.text } else { behind_other_header(message.text)? };
    s1::parse(line.as_bytes())
}

/// The `s1` line somewhere behind a header that is not syslog's, as shippers put them.
fn behind_other_header(line: &str) -> Result<&str, Reject> {
    let window = line.as_bytes().get(..MAX_HEADER_BYTES).unwrap_or(line.as_bytes());
    let mark = memchr::memmem::find(window, b" s1 ").ok_or_else(|| without_request(line))?;
    line.get(mark + 1..).ok_or(Reject::UnknownFormat)
}

#[cold]
fn without_request(line: &str) -> Reject {
    if NOTICES.iter().any(|part| line.contains(part)) { Reject::Notice } else { Reject::UnknownFormat }
}

#[cfg(test)]
mod tests;
