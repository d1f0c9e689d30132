//! What requests cost.

use crate::core::money::Usd;

/// A price as it is quoted: `amount` for every `per` requests, e.g. $1.00 per 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PricePerRequests {
    /// Never negative.
    pub amount: Usd,
    /// At least 1.
    pub per: u64,
}
