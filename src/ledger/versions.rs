//! A version for each customer, raised when a write that touched the customer is on disk and before it is answered.
//!
//! Whoever keeps what was read notes the version from *before* reading: as long as it is the same, so is the ledger.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::core::id::CustomerId;

/// Customers share slots: a neighbour's change costs a read, never a wrong answer.
const SLOTS: usize = 4096;

pub(in crate::ledger) struct Versions(Vec<AtomicU64>);

impl Versions {
    pub(in crate::ledger) fn new() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    pub(in crate::ledger) fn of(&self, customer: CustomerId) -> u64 {
        self.slot(customer).map_or(0, |slot| slot.load(Ordering::Acquire))
    }

    pub(in crate::ledger) fn raise(&self, customer: CustomerId) {
        if let Some(slot) = self.slot(customer) {
            slot.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn slot(&self, customer: CustomerId) -> Option<&AtomicU64> {
        let number = usize::try_from(customer.get()).unwrap_or(0);
        self.0.get(number % SLOTS)
    }
}
