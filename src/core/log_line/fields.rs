//! Cutting a line into columns, and reading what all formats have in common.

use std::net::{IpAddr, Ipv6Addr};

use super::Reject;
use super::cut::long_number;
use crate::core::calendar::UtcMillis;
use crate::core::id::Network;

/// A tebibyte: no request moves more, and sums of such numbers stay far from any limit.
pub const MAX_BYTES: u64 = 1 << 40;
/// A shipper merges requests of a few seconds; more than this would be a garbled line on somebody's invoice.
pub const MAX_REPEAT: u32 = 1_000_000;

/// The columns of a line, separated by single spaces.
pub(super) struct Columns<'a> {
    rest: Option<&'a str>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: Some(text) }
    }

    /// The next column, which may be empty.
    pub(super) fn next(&mut self) -> Result<&'a str, Reject> {
        let rest = self.rest.ok_or(Reject::Truncated)?;
        match memchr::memchr(b' ', rest.as_bytes()).and_then(|space| rest.split_at_checked(space)) {
            Some((column, tail)) => {
                self.rest = tail.get(1..);
                Ok(column)
            }
            None => {
                self.rest = None;
                Ok(rest)
            }
        }
    }

    /// The next column, which must hold something.
    pub(super) fn text(&mut self, name: &'static str) -> Result<&'a str, Reject> {
        match self.next()? {
            "" => Err(Reject::BadColumn(name)),
            column => Ok(column),
        }
    }

    /// Everything that follows; `None` if the line ended with the last column.
    pub(super) fn rest(self) -> Option<&'a str> {
        self.rest
    }
}

/// Decimal digits only: no sign, no space, at most what fits.
#[inline]
pub(super) fn unsigned<T: TryFrom<u64>>(column: &str) -> Option<T> {
    T::try_from(long_number(column.as_bytes())?).ok()
}

/// Milliseconds of a phase: a number that fits `i32`, or −1.
#[inline]
pub(super) fn phase_ms(column: &str) -> Option<i32> {
    if column == "-1" { Some(-1) } else { unsigned(column) }
}

/// The time of the whole request, which `option logasap` writes with a `+` before it is over.
#[inline]
pub(super) fn total_ms(column: &str) -> Result<i32, Reject> {
    phase_ms(column).ok_or_else(|| unfinished_or_bad(column, "times"))
}

/// The bytes of the response, with which it does the same.
#[inline]
pub(super) fn bytes_out(column: &str) -> Result<u64, Reject> {
    unsigned(column).ok_or_else(|| unfinished_or_bad(column, "bytes out"))
}

#[cold]
fn unfinished_or_bad(column: &str, name: &'static str) -> Reject {
    if column.starts_with('+') { Reject::Unfinished } else { Reject::BadColumn(name) }
}

#[inline]
pub(super) fn at_most<T: PartialOrd>(limit: T, value: T, column: &'static str) -> Result<T, Reject> {
    if value <= limit { Ok(value) } else { Err(Reject::BadColumn(column)) }
}

/// A clock that is off by centuries is a garbled line, and would not fit the stores' timestamps.
#[inline]
pub fn in_range(ts: UtcMillis) -> Result<UtcMillis, Reject> {
    const YEAR_2000: i64 = 946_684_800_000;
    const YEAR_2200: i64 = 7_258_118_400_000;
    if (YEAR_2000..YEAR_2200).contains(&ts.0) { Ok(ts) } else { Err(Reject::BadColumn("ts")) }
}

#[inline]
pub(super) fn network(number: Option<u8>) -> Result<Option<Network>, Reject> {
    match number {
        None => Ok(None),
        Some(number) => Network::from_number(number).map(Some).ok_or(Reject::BadColumn("network")),
    }
}

#[inline]
pub(super) fn fingerprint(column: &str) -> Result<u32, Reject> {
    match column {
        "-" => Ok(0),
        _ if column.starts_with('+') => Err(Reject::BadColumn("key fingerprint")),
        _ => u32::from_str_radix(column, 16).map_err(|_| Reject::BadColumn("key fingerprint")),
    }
}

/// HAProxy writes `unix` for clients of a unix socket.
#[inline]
pub(super) fn address(column: &str) -> Result<Ipv6Addr, Reject> {
    if matches!(column, "-" | "unix") {
        return Ok(Ipv6Addr::UNSPECIFIED);
    }
    match column.parse() {
        Ok(IpAddr::V4(v4)) => Ok(v4.to_ipv6_mapped()),
        Ok(IpAddr::V6(v6)) => Ok(v6),
        Err(_) => Err(Reject::BadColumn("client address")),
    }
}

/// HAProxy writes −1 when it sent no response.
#[inline]
pub(super) fn status(column: &str) -> Result<u16, Reject> {
    match column {
        "-1" => Ok(0),
        _ => unsigned(column).filter(|status| *status < 1000).ok_or(Reject::BadColumn("status")),
    }
}

#[inline]
pub(super) fn termination(column: &str) -> Result<&str, Reject> {
    if (2..=4).contains(&column.len()) { Ok(column) } else { Err(Reject::BadColumn("termination")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_digits_are_numbers() {
        for (column, expected) in [
            ("0", Some(0)),
            ("255", Some(255_u8)),
            ("256", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1 ", None),
            ("0x1", None),
            ("99999999999999999999", None),
            ("000000000000000000001", None),
        ] {
            assert_eq!(unsigned::<u8>(column), expected, "{column:?}");
        }
    }
}
