//! Rating: what a number of requests costs.

use crate::core::money::{MoneyOverflow, Usd};

/// A price as it is quoted: `amount` for every `per` requests, e.g. $1.00 per 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PricePerRequests {
    /// Never negative.
    pub amount: Usd,
    /// At least 1.
    pub per: u64,
}

/// The price of `requests`, to the micro-dollar; a smaller fraction is dropped in the customer's favour.
///
/// # Errors
/// [`MoneyOverflow`] when the amount leaves the range, and for a price that is negative or per 0 requests.
pub fn rate(requests: u64, price: PricePerRequests) -> Result<Usd, MoneyOverflow> {
    if price.amount < Usd::ZERO {
        return Err(MoneyOverflow);
    }
    price.amount.times_per(requests, price.per)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_rated_to_the_micro_dollar_and_down() {
        for (requests, amount_micros, per, expected) in [
            (0, 1_000_000, 10_000, Ok(0)),
            (1, 1_000_000, 10_000, Ok(100)),
            (12_345, 1_000_000, 10_000, Ok(1_234_500)),
            (2, 1_000_000, 3, Ok(666_666)),
            (u64::MAX, 1, u64::MAX, Ok(1)),
            (u64::MAX, 0, 1, Ok(0)),
            (u64::MAX, 1_000_000, 10_000, Err(MoneyOverflow)),
            (1, 1_000_000, 0, Err(MoneyOverflow)),
            (1, -1, 10_000, Err(MoneyOverflow)),
        ] {
            let price = PricePerRequests { amount: Usd::from_micros(amount_micros), per };
            assert_eq!(rate(requests, price).map(Usd::micros), expected, "{requests} at {amount_micros} per {per}");
        }
    }
}
