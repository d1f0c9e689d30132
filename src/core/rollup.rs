//! Counts per minute: what a batch of lines adds to the rollups.

use std::hash::{Hash, Hasher};

use hashbrown::HashMap;

use crate::core::calendar::UtcMillis;
use crate::core::log_line::RequestLine;

/// What the counts of a rollup are kept by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RollupKey {
    /// Start of the minute or the hour.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupDelta {
    pub requests: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Sum, least and greatest total time in ms over the lines that have one; the latter two are `None` without any.
    pub time_sum_ms: u64,
    pub time_min_ms: Option<u32>,
    pub time_max_ms: Option<u32>,
}

impl RollupDelta {
    fn of(line: &RequestLine<'_>) -> Self {
        let repeat = u64::from(line.repeat);
        let time_ms = u32::try_from(line.times.total_ms).ok();
        Self {
            requests: repeat,
            bytes_in: line.bytes_in.saturating_mul(repeat),
            bytes_out: line.bytes_out,
            time_sum_ms: u64::from(time_ms.unwrap_or(0)) * repeat,
            time_min_ms: time_ms,
            time_max_ms: time_ms,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.time_sum_ms = self.time_sum_ms.saturating_add(other.time_sum_ms);
        self.time_min_ms = [self.time_min_ms, other.time_min_ms].into_iter().flatten().min();
        self.time_max_ms = self.time_max_ms.max(other.time_max_ms);
    }
}

/// The deltas of one batch, by minute.
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
        let delta = RollupDelta::of(line);
        self.minutes.entry(key).and_modify(|sum| sum.merge(&delta)).or_insert(delta);
    }

    /// By minute, in no order.
    pub fn minutes(&self) -> Vec<(RollupKey, RollupDelta)> {
        self.minutes.iter().map(|(key, delta)| (*key, *delta)).collect()
    }

    /// By hour, in no order.
    pub fn hours(&self) -> Vec<(RollupKey, RollupDelta)> {
        let mut hours = HashMap::new();
        for (key, delta) in &self.minutes {
            let key = RollupKey { start: key.start.hour(), ..*key };
            hours.entry(key).and_modify(|sum: &mut RollupDelta| sum.merge(delta)).or_insert(*delta);
        }
        hours.into_iter().collect()
    }

    pub fn clear(&mut self) {
        self.minutes.clear();
    }
}
