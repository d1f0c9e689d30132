//! What customers' queries read, by name: the only place that says where a row is.
//!
//! Batches append to `minute_deltas` only. Merging adds the minutes of the batches since the last time to their hours and
//! days, in one transaction with the number of the last batch that is in them. So hours and days are what was merged and
//! the minutes of later batches: every batch counts exactly once, and at once.

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
    /// What to select from, given the last batch that was merged.
    pub(super) fn name(self, merged_batch: u64) -> String {
        match self {
            Self::Requests => REQUESTS.to_owned(),
            Self::Rollup(grain) => rollup(grain, merged_batch),
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

/// The table with what was merged by a grain.
pub(super) const fn table(grain: Grain) -> &'static str {
    match grain {
        Grain::Minute => "minute_deltas",
        Grain::Hour => "hour_deltas",
        Grain::Day => "day_deltas",
    }
}

/// All counts by a grain.
pub(super) fn rollup(grain: Grain, merged_batch: u64) -> String {
    match grain {
        Grain::Minute => table(grain).to_owned(),
        Grain::Hour | Grain::Day => {
            let (table, later) = (table(grain), unmerged(grain, merged_batch));
            format!("(SELECT * FROM {table} UNION ALL SELECT * FROM {later})")
        }
    }
}

/// What the batches brought that are not yet merged, by a grain.
pub(super) fn unmerged(grain: Grain, merged_batch: u64) -> String {
    let unit_ms = match grain {
        Grain::Minute => 60_000,
        Grain::Hour => 3_600_000,
        Grain::Day => 86_400_000,
    };
    format!(
        "(SELECT * REPLACE (make_timestamp(epoch_ms(start) // {unit_ms} * {unit_ms} * 1000) AS start)
          FROM minute_deltas WHERE batch > {merged_batch})"
    )
}
