//! Finding a line's columns and reading its numbers, many bytes at a time.
//!
//! A busy gateway's lines are all read here, so this is written for speed: one pass finds every space and whatever
//! must not be in a line, and a number is read without a loop, as the last bytes of a word of eight. Arithmetic on such
//! words is meant to wrap.

use super::Reject;

/// So many bytes are looked at in one step.
const BLOCK: usize = 64;
/// So many bytes at the end of a column are searched in one step.
const WINDOW: usize = 32;
/// The same byte eight times is this times the byte.
const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = EACH * 0x80;
const LOW_BITS: u64 = EACH * 0x7f;

/// A line of `N` columns with single spaces between, none of its bytes a control character.
pub(super) struct Cut<'a, 'b, const N: usize> {
    text: &'a str,
    /// Where each column ends.
    ends: &'b [usize; N],
}

impl<'a, 'b, const N: usize> Cut<'a, 'b, N> {
    /// Fills `ends` with where the columns end.
    ///
    /// # Errors
    /// [`Reject::Binary`], [`Reject::Truncated`] or [`Reject::TooManyColumns`].
    #[inline]
    pub(super) fn of(line: &'a [u8], ends: &'b mut [usize; N]) -> Result<Self, Reject> {
        let (mut spaces_before, mut odd, mut base) = (0, 0, 0);
        let (blocks, rest) = line.as_chunks::<BLOCK>();
        for block in blocks {
            odd |= oddities(block);
            spaces_before = note_places(spaces(block), base, ends, spaces_before);
            base += BLOCK;
        }
        let last = last_block(line, rest);
        odd |= oddities(&last);
        // Its first bytes were in the block before.
        let spaces_in_rest = spaces(&last).checked_shr(to_u32(BLOCK - rest.len())).unwrap_or(0);
        let spaces = note_places(spaces_in_rest, base, ends, spaces_before);
        let text = text_of(line, odd)?;
        match ends.last_mut() {
            Some(end) if spaces + 1 == N => *end = line.len(),
            _ if spaces < N => return Err(Reject::Truncated),
            _ => return Err(Reject::TooManyColumns),
        }
        Ok(Self { text, ends })
    }

    /// Where a column, counted from 0, begins and ends.
    #[inline(always)]
    pub(super) fn span(&self, index: usize) -> (usize, usize) {
        let end = |index: usize| self.ends.get(index).copied().unwrap_or_default();
        (if index == 0 { 0 } else { end(index - 1) + 1 }, end(index))
    }

    #[inline(always)]
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// A column, which may be empty.
    #[inline(always)]
    pub(super) fn text(&self, index: usize) -> &'a str {
        let (from, to) = self.span(index);
        self.text.get(from..to).unwrap_or_default()
    }

    /// A column as an unsigned decimal number.
    #[inline(always)]
    pub(super) fn number<T: TryFrom<u64>>(&self, index: usize, name: &'static str) -> Result<T, Reject> {
        let (from, to) = self.span(index);
        number(self.bytes(), from, to).and_then(|value| T::try_from(value).ok()).ok_or(Reject::BadColumn(name))
    }

    /// The same, with `-` for absent.
    #[inline(always)]
    pub(super) fn number_or_absent<T: TryFrom<u64>>(
        &self,
        index: usize,
        name: &'static str,
    ) -> Result<Option<T>, Reject> {
        let (from, to) = self.span(index);
        if from + 1 == to && self.bytes().get(from) == Some(&b'-') {
            return Ok(None);
        }
        self.number(index, name).map(Some)
    }

    /// A column of `M` times with slashes between: numbers that fit `i32`, or −1.
    #[inline(always)]
    pub(super) fn phases<const M: usize>(&self, index: usize) -> Option<[i32; M]> {
        let (from, to) = self.span(index);
        let (mut start, mut slashes) = (from, places(self.bytes(), from, to, b'/')?);
        let mut phases = [0; M];
        let (last, others) = phases.split_last_mut()?;
        for phase in others {
            let end = from + to_usize(slashes.trailing_zeros());
            *phase = phase_at(self.bytes(), start, end)?;
            start = end + 1;
            slashes &= slashes.wrapping_sub(1);
        }
        *last = phase_at(self.bytes(), start, to)?;
        Some(phases)
    }
}

/// Notes the place of each bit, for as many as there is room; tells how many there are with those before.
#[inline(always)]
fn note_places<const N: usize>(mut bits: u64, base: usize, places: &mut [usize; N], before: usize) -> usize {
    let mut count = before;
    while bits != 0 {
        if let Some(place) = places.get_mut(count) {
            *place = base + to_usize(bits.trailing_zeros());
        }
        count += 1;
        bits &= bits - 1;
    }
    count
}

/// The block that ends with the line; of a line that is shorter than a block, behind something harmless.
#[inline(always)]
fn last_block(line: &[u8], rest: &[u8]) -> [u8; BLOCK] {
    if let Some(block) = line.last_chunk::<BLOCK>() {
        return *block;
    }
    let mut block = [b'.'; BLOCK];
    for (to, from) in block.iter_mut().skip(BLOCK - rest.len()).zip(rest) {
        *to = *from;
    }
    block
}

/// The line as text, if it is UTF-8 without control characters.
pub(super) fn checked_text(line: &[u8]) -> Result<&str, Reject> {
    let (blocks, rest) = line.as_chunks::<BLOCK>();
    let odd = blocks.iter().fold(0, |odd, block| odd | oddities(block));
    text_of(line, odd | oddities(&last_block(line, rest)))
}

#[inline(always)]
fn text_of(line: &[u8], odd: u8) -> Result<&str, Reject> {
    if odd == 0 { std::str::from_utf8(line).map_err(|_| Reject::Binary) } else { Err(Reject::Binary) }
}

/// Not 0 if there is a control character.
#[inline(always)]
fn oddities(block: &[u8; BLOCK]) -> u8 {
    block.iter().fold(0, |odd, byte| odd | u8::from(*byte < b' ') | u8::from(*byte == 0x7f))
}

/// One bit for each space.
#[inline(always)]
fn spaces(block: &[u8; BLOCK]) -> u64 {
    let is_space = block.map(|byte| u8::from(byte == b' '));
    let (words, _) = is_space.as_chunks::<8>();
    words.iter().rev().fold(0, |bits, word| bits << 8 | gather(*word))
}

/// The lowest bits of eight bytes, all others being 0, next to each other.
#[inline(always)]
fn gather(word: [u8; 8]) -> u64 {
    // Moves bit 8·i to bit 56 + i.
    u64::from_le_bytes(word).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// One bit for each place of a byte in a column, the lowest for its first. `None` if the column is too long, or too
/// near to the line's beginning.
#[inline(always)]
fn places(bytes: &[u8], from: usize, to: usize, wanted: u8) -> Option<u64> {
    let before = WINDOW.checked_sub(to.checked_sub(from)?)?;
    let window: &[u8; WINDOW] = bytes.get(to.checked_sub(WINDOW)?..to)?.try_into().ok()?;
    let is_wanted = window.map(|byte| u8::from(byte == wanted));
    let (words, _) = is_wanted.as_chunks::<8>();
    Some(words.iter().rev().fold(0, |bits, word| bits << 8 | gather(*word)) >> before)
}

#[inline(always)]
fn phase_at(bytes: &[u8], from: usize, to: usize) -> Option<i32> {
    if let Some(value) = short_number(bytes, from, to) {
        return i32::try_from(value).ok();
    }
    long_phase_at(bytes, from, to)
}

#[cold]
fn long_phase_at(bytes: &[u8], from: usize, to: usize) -> Option<i32> {
    match bytes.get(from..to)? {
        b"-1" => Some(-1),
        digits => i32::try_from(long_number(digits)?).ok(),
    }
}

/// An unsigned decimal number: digits only, at most what fits.
#[inline(always)]
fn number(bytes: &[u8], from: usize, to: usize) -> Option<u64> {
    if to.wrapping_sub(from) <= 8 {
        return short_number(bytes, from, to).or_else(|| long_number(bytes.get(from..to)?));
    }
    let low = to - 8;
    match (short_number(bytes, from, low), short_number(bytes, low, to)) {
        (Some(high), Some(low)) => Some(high.wrapping_mul(100_000_000).wrapping_add(low)),
        _ => long_number(bytes.get(from..to)?),
    }
}

/// A number of one to eight digits that is not among the first bytes of a line.
#[inline(always)]
fn short_number(bytes: &[u8], from: usize, to: usize) -> Option<u64> {
    let digits = to.wrapping_sub(from);
    let word = u64::from_le_bytes(bytes.get(to.checked_sub(8)?..to)?.try_into().ok()?);
    if digits.wrapping_sub(1) >= 8 {
        return None;
    }
    // What is before the number becomes leading zeros.
    let values = (word ^ (EACH * 0x30)) & (u64::MAX << ((8 - digits) * 8));
    let beyond_nine = (values & LOW_BITS).wrapping_add(EACH * (0x80 - 10)) | values;
    if beyond_nine & HIGH_BITS != 0 {
        return None;
    }
    // Neighbours are joined three times: two, four, eight digits.
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let first_and_third = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let second_and_fourth = (pairs >> 16 & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    Some(first_and_third.wrapping_add(second_and_fourth) >> 32)
}

/// Any number of up to twenty digits.
pub(super) fn long_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    let mut value: u64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// A hexadecimal number of one to eight digits that is not among the first bytes of a line.
#[inline(always)]
pub(super) fn short_hexadecimal(bytes: &[u8], from: usize, to: usize) -> Option<u64> {
    let digits = to.wrapping_sub(from);
    let word = u64::from_le_bytes(bytes.get(to.checked_sub(8)?..to)?.try_into().ok()?);
    if digits.wrapping_sub(1) >= 8 {
        return None;
    }
    let own = u64::MAX << ((8 - digits) * 8);
    let chars = word & own | (EACH * 0x30) & !own;
    // The high bit of each byte: whether it is at least this one.
    let least = |chars: u64, least: u64| (chars & LOW_BITS).wrapping_add(EACH.wrapping_mul(0x80 - least));
    let is_decimal = least(chars, 0x30) & !least(chars, 0x3a);
    let lower = chars | (EACH * 0x20);
    let is_letter = least(lower, 0x61) & !least(lower, 0x67);
    if (is_decimal | is_letter) & !chars & HIGH_BITS != HIGH_BITS {
        return None;
    }
    let values = (chars & (EACH * 0x0f))
        .wrapping_add((is_letter & HIGH_BITS) >> 7 & EACH)
        .wrapping_add((is_letter & HIGH_BITS) >> 4);
    let pairs = (values << 4 | values >> 8) & 0x00ff_00ff_00ff_00ff;
    let quads = (pairs << 8 | pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some((quads << 16 | quads >> 32) & 0xffff_ffff)
}

/// An IPv4 address as std reads it, four numbers without leading zeros, that is not among the first bytes of a line.
#[inline(always)]
pub(super) fn ipv4(bytes: &[u8], from: usize, to: usize) -> Option<[u8; 4]> {
    let mut dots = places(bytes, from, to, b'.')?;
    let (mut octets, mut start) = ([0; 4], from);
    let [first, second, third, last] = &mut octets;
    for octet in [first, second, third] {
        let end = from + to_usize(dots.trailing_zeros());
        *octet = octet_at(bytes, start, end)?;
        start = end + 1;
        dots &= dots.wrapping_sub(1);
    }
    *last = octet_at(bytes, start, to)?;
    Some(octets)
}

#[inline(always)]
fn octet_at(bytes: &[u8], from: usize, to: usize) -> Option<u8> {
    let has_leading_zero = to.wrapping_sub(from) > 1 && bytes.get(from) == Some(&b'0');
    if has_leading_zero { None } else { u8::try_from(short_number(bytes, from, to)?).ok() }
}

#[inline(always)]
fn to_usize(bit: u32) -> usize {
    usize::try_from(bit).unwrap_or_default()
}

#[inline(always)]
fn to_u32(bits: usize) -> u32 {
    u32::try_from(bits).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    /// A column behind so much text that the fast ways are open to it.
    fn placed(column: &str) -> (String, usize, usize) {
        let before = "s1 1763919000123 1 4711 17 99 12345 ";
        (format!("{before}{column} 17"), before.len(), before.len() + column.len())
    }

    #[track_caller]
    fn check(column: &str) {
        let (line, from, to) = placed(column);
        let bytes = line.as_bytes();
        let is_decimal = !column.is_empty() && column.len() <= 20 && column.bytes().all(|byte| byte.is_ascii_digit());
        let expected = if is_decimal { column.parse::<u64>().ok() } else { None };
        assert_eq!(number(bytes, from, to), expected, "{column:?}");
        let is_phase = column == "-1" || is_decimal;
        assert_eq!(phase_at(bytes, from, to), if is_phase { column.parse().ok() } else { None }, "{column:?}");
        let is_short = (1..=8).contains(&column.len()) && column.bytes().all(|byte| byte.is_ascii_hexdigit());
        let expected = if is_short { u64::from_str_radix(column, 16).ok() } else { None };
        assert_eq!(short_hexadecimal(bytes, from, to), expected, "{column:?}");
        let expected = column.parse::<Ipv4Addr>().ok().map(|address| address.octets());
        assert_eq!(ipv4(bytes, from, to), expected, "{column:?}");
    }

    #[test]
    fn columns_are_read_as_the_standard_library_does() {
        for column in [
            "",
            "-",
            "0",
            "9",
            ":",
            "/",
            "-1",
            "+1",
            "1 ",
            "12345678",
            "123456789",
            "1234567x",
            "x2345678",
            "2147483647",
            "2147483648",
            "9999999999999999",
            "10000000000000000",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999",
            "000000000000000000001",
            "0x1",
            "deadBEEF",
            "deadBEEG",
            "0deadbeef",
            "@",
            "G",
            "`",
            "g",
            "\u{e9}",
            "1.2.3.4",
            "01.2.3.4",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "1..2.3",
            ".1.2.3",
            "1.2.3.",
            "255.255.255.255",
            "0.0.0.0",
            "1.2.3.4x",
            "1.2.3.04",
            "1,2,3,4",
        ] {
            check(column);
        }
    }

    #[test]
    fn every_byte_of_a_line_is_looked_at() {
        for length in 0..200 {
            let mut line = vec![b'x'; length];
            for at in 0..length {
                for odd in [0, 9, 0x1f, 0x7f] {
                    line[at] = odd;
                    assert_eq!(checked_text(&line), Err(Reject::Binary), "{odd} at {at} of {length}");
                    assert_eq!(Cut::of(&line, &mut [0; 1]).err(), Some(Reject::Binary), "{odd} at {at} of {length}");
                }
                line[at] = b' ';
                let mut ends = [0; 2];
                let cut = Cut::of(&line, &mut ends).unwrap();
                assert_eq!((cut.span(0), cut.span(1)), ((0, at), (at + 1, length)));
                assert_eq!(Cut::of(&line, &mut [0; 1]).err(), Some(Reject::TooManyColumns));
                assert_eq!(Cut::of(&line, &mut [0; 3]).err(), Some(Reject::Truncated));
                line[at] = b'x';
            }
            assert!(checked_text(&line).is_ok());
        }
    }

    proptest! {
        #[test]
        fn any_column_is_read_as_the_standard_library_does(column in "[0-9]{1,21}|[0-9.]{1,16}|[0-9a-fA-F]{1,9}|[!-~]{0,17}") {
            check(&column);
        }

        #[test]
        fn any_address_is_read_as_the_standard_library_does(octets in any::<[u8; 4]>()) {
            check(&Ipv4Addr::from(octets).to_string());
        }

        #[test]
        fn times_are_read_each_by_itself(phases in prop::array::uniform4(-1..9999_i32)) {
            let (line, _, _) = placed(&phases.map(|phase| phase.to_string()).join("/"));
            let mut ends = [0; 9];
            let cut = Cut::of(line.as_bytes(), &mut ends).unwrap();
            prop_assert_eq!(cut.phases::<4>(7), Some(phases));
            prop_assert_eq!((cut.phases::<3>(7), cut.phases::<5>(7)), (None, None));
        }
    }
}
