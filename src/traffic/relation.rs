//! What customers' queries read, by name: the only place that says where a row is.

use crate::core::chart::Grain;

/// Every request that is kept.
pub(super) const REQUESTS: &str = "all_requests";

/// Rows that customers can be shown some of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// Single requests.
    Requests,
    /// Counts.
    Rollup(Grain),
}

impl Relation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Requests => REQUESTS,
            Self::Rollup(Grain::Minute) => "minute_deltas",
            Self::Rollup(Grain::Hour) => "hour_deltas",
            Self::Rollup(Grain::Day) => "day_deltas",
        }
    }

    /// The column with the time, by which rows lie roughly in order.
    pub(super) const fn time(self) -> &'static str {
        match self {
            Self::Requests => "ts",
            Self::Rollup(_) => "start",
        }
    }
}
