//! Counted usage, the value that travels from the traffic store to the ledger.

use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Service};

/// What one customer used of one service in one hour (UTC), over both networks.
///
/// A copy of what the traffic store has counted so far: it is set, never added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourUsage {
    pub customer: CustomerId,
    pub service: Service,
    /// First millisecond of the hour.
    pub hour: UtcMillis,
    /// Requests of every class except stream closings.
    pub requests: u64,
    /// Requests of the guaranteed and the burst class, whatever their status.
    pub billable_requests: u64,
    /// Bytes sent to the client by guaranteed, burst and stream requests.
    pub billable_bytes: u64,
}

/// What one customer used of one service in a stretch of time, over both networks: the sum of its hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceUsage {
    pub service: Service,
    /// Requests of every class except stream closings.
    pub requests: u64,
    /// Requests of the guaranteed and the burst class, whatever their status.
    pub billable_requests: u64,
    /// Bytes sent to the client by guaranteed, burst and stream requests.
    pub billable_bytes: u64,
}
