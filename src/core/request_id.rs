//! HAProxy's unique id of a request, rebuilt from the columns that it is made of: it is never stored.
//!
//! ```text
//! unique-id-format %{+X}o%ci:%cp_%fp_%Ts_%rt:%pid      CB007109:C822_4E22_6922CC98_002A:1267
//! ```
//! client address : client port _ listener port _ accept time in s _ request counter : pid, all in hexadecimal.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Characters of the longest one: an IPv6 address, two ports, and three numbers of 64 bits.
const MAX_CHARS: usize = 96;

/// What a request is recognised by, within and across processes of HAProxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId {
    /// IPv4 addresses are mapped into IPv6.
    pub client_ip: Ipv6Addr,
    pub client_port: u16,
    pub listener_port: u16,
    /// In seconds since the epoch, without the wait before a later request on the same connection.
    pub accepted_s: u64,
    pub request_counter: u64,
    pub pid: u32,
}

/// The text is no unique id in the shipped configuration's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request id looks like CB007109:C822_4E22_6922CC98_002A:1267")]
pub struct NotARequestId;

/// As HAProxy writes it.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client_ip, client_port, listener_port, accepted_s, request_counter, pid } = self;
        match client_ip.to_ipv4_mapped() {
            Some(v4) => write!(f, "{:08X}", v4.to_bits())?,
            None => write!(f, "{:032X}", client_ip.to_bits())?,
        }
        write!(f, ":{client_port:04X}_{listener_port:04X}_{accepted_s:04X}_{request_counter:04X}:{pid:04X}")
    }
}

impl FromStr for RequestId {
    type Err = NotARequestId;

    fn from_str(text: &str) -> Result<Self, NotARequestId> {
        if text.len() > MAX_CHARS {
            return Err(NotARequestId);
        }
        let (address, rest) = text.split_once(':').ok_or(NotARequestId)?;
        let (middle, pid) = rest.split_once(':').ok_or(NotARequestId)?;
        let mut parts = middle.split('_');
        let mut next = || hex(parts.next().unwrap_or_default());
        let id = Self {
            client_ip: client_ip(address)?,
            client_port: small(next()?)?,
            listener_port: small(next()?)?,
            accepted_s: next()?,
            request_counter: next()?,
            pid: small(hex(pid)?)?,
        };
        if parts.next().is_some() { Err(NotARequestId) } else { Ok(id) }
    }
}

fn client_ip(text: &str) -> Result<Ipv6Addr, NotARequestId> {
    match text.len() {
        8 => Ok(Ipv4Addr::from_bits(small(hex(text)?)?).to_ipv6_mapped()),
        32 if is_hex(text) => u128::from_str_radix(text, 16).map(Ipv6Addr::from_bits).map_err(|_| NotARequestId),
        _ => Err(NotARequestId),
    }
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn hex(text: &str) -> Result<u64, NotARequestId> {
    if is_hex(text) { u64::from_str_radix(text, 16).map_err(|_| NotARequestId) } else { Err(NotARequestId) }
}

fn small<T: TryFrom<u64>>(number: u64) -> Result<T, NotARequestId> {
    T::try_from(number).map_err(|_| NotARequestId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_haproxy_does_and_read_back() {
        for (client_ip, text) in [
            ("::ffff:203.0.113.9", "CB007109:C822_4E22_6922CC98_002A:1267"),
            ("2001:db8::1", "20010DB8000000000000000000000001:C822_4E22_6922CC98_002A:1267"),
        ] {
            let id = RequestId {
                client_ip: client_ip.parse().unwrap(),
                client_port: 51_234,
                listener_port: 20_002,
                accepted_s: 1_763_888_280,
                request_counter: 42,
                pid: 4711,
            };
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id));
            assert_eq!(text.to_lowercase().parse(), Ok(id));
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "CB007109",
            "CB007109:C822_4E22_6922CC98_002A",
            "CB007109:C822_4E22_6922CC98_002A:",
            "CB00710:C822_4E22_6922CC98_002A:1267",
            "CB007109:1C822_4E22_6922CC98_002A:1267",
            "CB007109:C822_4E22_6922CC98_002A_1:1267",
            "CB007109:+822_4E22_6922CC98_002A:1267",
            "CB007109:C822_4E22_11111111111111111_002A:1267",
            "CB007109:C822_4E22_6922CC98_002A:1267' OR 1=1 --",
            "ä",
        ] {
            assert_eq!(text.parse::<RequestId>(), Err(NotARequestId), "{text}");
        }
    }
}
