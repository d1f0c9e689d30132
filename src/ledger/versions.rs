//! A version for each customer, raised when a write that touched the customer is on disk and before it is answered.
//!
//! Whoever keeps what was read notes the version from *before* reading: as long as it is the same, so is the ledger.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;

use crate::core::id::CustomerId;

/// Customers share slots: a neighbour's change costs a read, never a wrong answer.
const SLOTS: usize = 4096;

/// Where triggers number what vaults show.
const VAULT_CHANGES: &str = "vault_changes";

pub(in crate::ledger) struct Versions {
    slots: Vec<AtomicU64>,
    /// Whether the transaction that is being written has changed something that vaults show.
    vaults_touched: AtomicBool,
    vaults: watch::Sender<u64>,
}

impl Versions {
    pub(in crate::ledger) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            vaults_touched: AtomicBool::new(false),
            vaults: watch::channel(0).0,
        }
    }

    /// Called for every row that the writer changes.
    pub(in crate::ledger) fn saw_change_of(&self, table: &str) {
        if table == VAULT_CHANGES {
            self.vaults_touched.store(true, Ordering::Release);
        }
    }

    /// Called when what the writer has changed is on disk, or rolled back; then somebody looks in vain.
    pub(in crate::ledger) fn tell_vault_news(&self) {
        if self.vaults_touched.swap(false, Ordering::AcqRel) {
            self.vaults.send_modify(|commits| *commits += 1);
        }
    }

    pub(in crate::ledger) fn vault_news(&self) -> watch::Receiver<u64> {
        self.vaults.subscribe()
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
        self.slots.get(number % SLOTS)
    }
}
