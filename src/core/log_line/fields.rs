//! Cutting a line into columns and reading numbers from them.

use super::Reject;

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

    /// The next column as an unsigned decimal number.
    pub(super) fn number<T: TryFrom<u64>>(&mut self, name: &'static str) -> Result<T, Reject> {
        unsigned(self.next()?).ok_or(Reject::BadColumn(name))
    }

    /// The same, with `-` for absent.
    pub(super) fn number_or_absent<T: TryFrom<u64>>(&mut self, name: &'static str) -> Result<Option<T>, Reject> {
        match self.next()? {
            "-" => Ok(None),
            column => unsigned(column).map(Some).ok_or(Reject::BadColumn(name)),
        }
    }

    /// The next column, which must hold something.
    pub(super) fn text(&mut self, name: &'static str) -> Result<&'a str, Reject> {
        match self.next()? {
            "" => Err(Reject::BadColumn(name)),
            column => Ok(column),
        }
    }

    /// Whether the line ends here, as it should.
    pub(super) fn finish(self) -> Result<(), Reject> {
        if self.rest.is_none() { Ok(()) } else { Err(Reject::TooManyColumns) }
    }
}

/// Decimal digits only: no sign, no space, at most what fits.
pub(super) fn unsigned<T: TryFrom<u64>>(column: &str) -> Option<T> {
    if column.is_empty() || column.len() > 20 {
        return None;
    }
    let mut value: u64 = 0;
    for byte in column.bytes() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    T::try_from(value).ok()
}

/// Milliseconds of a phase: a number that fits `i32`, or −1.
pub(super) fn phase_ms(column: &str) -> Option<i32> {
    if column == "-1" { Some(-1) } else { unsigned(column) }
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
