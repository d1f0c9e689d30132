//! What a customer lacks to pay something, as shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::core::billing::{LimitShortfall, Shortfall};

/// What is missing before something can be paid: money, a higher spending limit, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Shortfall)]
pub struct ShortfallView {
    /// To be deposited; 0 if the balance suffices.
    pub balance_micros: i64,
    /// The same, for people.
    pub balance: String,
    /// If the spending limit does not allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub spending_limit: Option<SpendingLimitShortfall>,
}

/// A spending limit that is too small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpendingLimitShortfall {
    /// The smallest limit that allows it at once.
    pub needed_micros: i64,
    /// The same, for people.
    pub needed: String,
    /// When the present limit allows it, in the next period; absent if it never does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub allows_at: Option<String>,
}

pub(super) fn shortfall_view(shortfall: Shortfall) -> ShortfallView {
    ShortfallView {
        balance_micros: shortfall.balance.micros(),
        balance: shortfall.balance.to_string(),
        spending_limit: shortfall.limit.map(limit_view),
    }
}

fn limit_view(limit: LimitShortfall) -> SpendingLimitShortfall {
    SpendingLimitShortfall {
        needed_micros: limit.needed.micros(),
        needed: limit.needed.to_string(),
        allows_at: limit.allows_at.map(|at| at.to_string()),
    }
}
