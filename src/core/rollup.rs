//! Counts per minute: what a batch of lines adds to the rollups. Hours and days are sums of minutes.

use std::hash::{Hash, Hasher};

use hashbrown::HashMap;

use crate::core::calendar::{HOUR_MS, UtcMillis};
use crate::core::latency_histogram::LatencyHistogram;
use crate::core::log_line::RequestLine;

/// For how long counts by minute are kept: 48 h, and one for a chart of 24 h and the 24 h before to begin in.
pub const MINUTES_KEPT_MS: i64 = 49 * HOUR_MS;
/// For how long counts by hour are kept: two years. Those by day are kept for ever.
pub const HOURS_KEPT_MS: i64 = 2 * 366 * 24 * HOUR_MS;

/// What the counts of a rollup are kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RollupKey {
    /// Start of the minute.
    pub start: UtcMillis,
    /// `None` for requests that were not authenticated.
    pub customer: Option<u32>,
    pub service: u8,
    pub network: Option<u8>,
    pub class: u8,
    /// The hundreds of the status: 0 (no response) to 9.
    pub status_class: u8,
}

/// Two words instead of six: this is on the path of every line.
impl Hash for RollupKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let customer = self.customer.unwrap_or(0).to_be_bytes();
        let [a, b, c, d] = customer;
        let network = self.network.unwrap_or(u8::MAX);
        state.write_i64(self.start.0);
        state.write_u64(u64::from_be_bytes([a, b, c, d, self.service, network, self.class, self.status_class]));
    }
}

/// Additive: the delta of two batches together is the merged delta of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollupDelta {
    pub requests: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Sum, least and greatest total time in ms over the lines that have one; the latter two are `None` without any.
    pub time_sum_ms: u64,
    pub time_min_ms: Option<u32>,
    pub time_max_ms: Option<u32>,
    /// The same total times, each by its bucket.
    pub latency: LatencyHistogram,
}

impl RollupDelta {
    fn add(&mut self, line: &RequestLine<'_>) {
        let repeat = u64::from(line.repeat);
        self.requests = self.requests.saturating_add(repeat);
        self.bytes_in = self.bytes_in.saturating_add(line.bytes_in.saturating_mul(repeat));
        self.bytes_out = self.bytes_out.saturating_add(line.bytes_out);
        // −1: the request had no total time.
        let Ok(time_ms) = u32::try_from(line.times.total_ms) else { return };
        self.time_sum_ms = self.time_sum_ms.saturating_add(u64::from(time_ms) * repeat);
        self.time_min_ms = Some(self.time_min_ms.map_or(time_ms, |least| least.min(time_ms)));
        self.time_max_ms = self.time_max_ms.max(Some(time_ms));
        self.latency.record(time_ms, repeat);
    }
}

/// Keys with what is added to each, in no order.
pub type Deltas = Vec<(RollupKey, RollupDelta)>;

/// The deltas of one batch while it fills, by minute.
#[derive(Debug, Default)]
pub struct Rollup {
    minutes: HashMap<RollupKey, RollupDelta>,
}

impl Rollup {
    /// Adds one line. Stream closings count in no sum.
    pub fn add(&mut self, line: &RequestLine<'_>) {
        if !line.class.is_counted() {
            return;
        }
        let key = RollupKey {
            start: line.ts.minute(),
            customer: line.customer.map(super::id::CustomerId::get),
            service: line.service.number(),
            network: line.network.map(super::id::Network::number),
            class: line.class.number(),
            status_class: u8::try_from(line.status / 100).unwrap_or(9),
        };
        self.minutes.entry(key).or_default().add(line);
    }

    /// What was added so far; nothing is left.
    pub fn take(&mut self) -> Deltas {
        self.minutes.drain().collect()
    }
}
