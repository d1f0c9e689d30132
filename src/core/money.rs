//! Money: whole micro-dollars, checked, never a float.

use std::fmt;

const MICROS_PER_CENT: i64 = 10_000;
const MICROS_PER_DOLLAR: i64 = 1_000_000;

/// An amount in micro-dollars (10⁻⁶ USD). Negative amounts are credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Usd(i64);

/// A sum or product left the range of ±9.2 trillion dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount of money is out of range")]
pub struct MoneyOverflow;

impl Usd {
    pub const ZERO: Self = Self(0);

    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn from_dollars(dollars: i32) -> Self {
        #[expect(clippy::as_conversions, reason = "widening, in a const fn; i32 × 10⁶ fits i64")]
        Self(dollars as i64 * MICROS_PER_DOLLAR)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    /// # Errors
    /// [`MoneyOverflow`] when the sum leaves the range.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyOverflow> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyOverflow)
    }

    /// # Errors
    /// [`MoneyOverflow`] when the difference leaves the range.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyOverflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(MoneyOverflow)
    }

    /// The same amount owed the other way round.
    ///
    /// # Errors
    /// [`MoneyOverflow`] for the least amount there is.
    pub fn checked_neg(self) -> Result<Self, MoneyOverflow> {
        self.0.checked_neg().map(Self).ok_or(MoneyOverflow)
    }

    /// # Errors
    /// [`MoneyOverflow`] when the sum leaves the range on the way.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyOverflow> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// The price of `quantity` pieces when `per` pieces cost this much, rounded down to a micro-dollar.
    ///
    /// # Errors
    /// [`MoneyOverflow`] when the amount leaves the range, or `per` is 0.
    pub fn times_per(self, quantity: u64, per: u64) -> Result<Self, MoneyOverflow> {
        let product = i128::from(self.0).checked_mul(i128::from(quantity)).ok_or(MoneyOverflow)?;
        if per == 0 {
            return Err(MoneyOverflow);
        }
        i64::try_from(product.div_euclid(i128::from(per))).map(Self).map_err(|_| MoneyOverflow)
    }

    /// The whole cents in this amount, rounded down: what a customer pays.
    pub const fn floor_cents(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(MICROS_PER_CENT)))
    }

    /// Whether a customer can pay exactly this.
    pub const fn is_whole_cents(self) -> bool {
        self.0.rem_euclid(MICROS_PER_CENT) == 0
    }
}

/// At least two decimals, more only where they are not zero: `$1.23`, `$0.0124`, `-$3.00`, `$1,234.50`.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let micros_per_dollar = MICROS_PER_DOLLAR.unsigned_abs();
        let fraction = format!("{:06}", magnitude % micros_per_dollar);
        let (cents, rest) = fraction.split_at(2);
        let dollars = with_thousands(magnitude / micros_per_dollar);
        write!(f, "{sign}${dollars}.{cents}{}", rest.trim_end_matches('0'))
    }
}

fn with_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_cents_and_no_useless_zeros() {
        for (micros, text) in [
            (0, "$0.00"),
            (1, "$0.000001"),
            (12_400, "$0.0124"),
            (1_230_000, "$1.23"),
            (-3_000_000, "-$3.00"),
            (1_234_500_000, "$1,234.50"),
            (1_000_000_000_000, "$1,000,000.00"),
            (i64::MIN, "-$9,223,372,036,854.775808"),
        ] {
            assert_eq!(Usd(micros).to_string(), text);
        }
    }

    #[test]
    fn cents_are_rounded_down_also_below_zero() {
        for (micros, cents) in [(0, 0), (9_999, 0), (10_000, 10_000), (1_234_500, 1_230_000), (-1, -10_000)] {
            assert_eq!(Usd(micros).floor_cents(), Usd(cents));
        }
    }

    #[test]
    fn sums_and_products_never_wrap() {
        assert_eq!(Usd(i64::MAX).checked_add(Usd(1)), Err(MoneyOverflow));
        assert_eq!(Usd(i64::MIN).checked_sub(Usd(1)), Err(MoneyOverflow));
        assert_eq!(Usd(i64::MIN).checked_neg(), Err(MoneyOverflow));
        assert_eq!(Usd::sum([Usd(i64::MAX), Usd(1), Usd(-1)]), Err(MoneyOverflow));
        assert_eq!(Usd::sum([Usd(5), Usd(-7)]), Ok(Usd(-2)));
        assert!(Usd(-10_000).is_whole_cents() && !Usd(10_001).is_whole_cents());
        assert_eq!(Usd(1_000_000).times_per(u64::MAX, 1), Err(MoneyOverflow));
        assert_eq!(Usd(1_000_000).times_per(1, 0), Err(MoneyOverflow));
        assert_eq!(Usd(1_000_000).times_per(12_345, 10_000), Ok(Usd(1_234_500)));
    }
}
