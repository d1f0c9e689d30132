//! The id of a request, rebuilt from the columns that it is made of: it is never stored.
//!
//! ```text
//! %Ts%ms-<gateway>-%pid-%rt-%cp      1763919000123-1-4711-42-51234
//! ```
//! accept time in ms - gateway - pid - request counter - client port. The first four tell a request of the shipped
//! configuration from all others; the port does where the log format has no counter. HAProxy's own `unique-id-format` with
//! addresses in hexadecimal costs a tenth of all that HAProxy does for a request, and this one hardly anything.

use std::fmt;
use std::str::FromStr;

use crate::core::calendar::UtcMillis;
use crate::core::log_line::in_range;

/// What the shipped configuration sends to the backend as `X-Request-ID`, in HAProxy's log format.
pub fn log_format(gateway: u8) -> String {
    format!("%Ts%ms-{gateway}-%pid-%rt-%cp")
}

/// What a request is recognised by, within and across gateways and processes of HAProxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId {
    /// Without the wait before a later request on the same connection.
    pub accepted: UtcMillis,
    pub gateway: u8,
    pub pid: u32,
    pub request_counter: u64,
    pub client_port: u16,
}

/// The text is no request id in the shipped configuration's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request id looks like 1763919000123-1-4711-42-51234")]
pub struct NotARequestId;

/// As HAProxy writes it.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, gateway, pid, request_counter, client_port } = self;
        write!(f, "{}-{gateway}-{pid}-{request_counter}-{client_port}", accepted.0)
    }
}

impl FromStr for RequestId {
    type Err = NotARequestId;

    fn from_str(text: &str) -> Result<Self, NotARequestId> {
        let mut parts = text.split('-');
        let mut next = || parts.next().unwrap_or_default();
        let id = Self {
            accepted: in_range(UtcMillis(number(next())?)).map_err(|_| NotARequestId)?,
            gateway: number(next())?,
            pid: number(next())?,
            request_counter: number(next())?,
            client_port: number(next())?,
        };
        if parts.next().is_some() { Err(NotARequestId) } else { Ok(id) }
    }
}

/// Digits only: no sign.
fn number<T: FromStr>(text: &str) -> Result<T, NotARequestId> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| NotARequestId)
    } else {
        Err(NotARequestId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_haproxy_does_and_read_back() {
        let id = RequestId {
            accepted: UtcMillis(1_763_919_000_123),
            gateway: 1,
            pid: 4711,
            request_counter: 42,
            client_port: 51_234,
        };
        let text = "1763919000123-1-4711-42-51234";
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "1763919000123",
            "1763919000123-1-4711-42",
            "1763919000123-1-4711-42-",
            "1763919000123-1-4711-42-51234-1",
            "1763919000123-256-4711-42-51234",
            "1763919000123-1-4711-42-65536",
            "1763919000123-1-4711-+42-51234",
            "-1763919000123-1-4711-42-51234",
            "9223372036854775807-1-4711-42-51234",
            "9223372036854775808-1-4711-42-51234",
            "1763919000123-1-4711-18446744073709551616-51234",
            "1763919000123-1-4711-42-51234' OR 1=1 --",
            "1763919000123-1-4711-4\u{0662}-51234",
        ] {
            assert_eq!(text.parse::<RequestId>(), Err(NotARequestId), "{text}");
        }
    }
}
