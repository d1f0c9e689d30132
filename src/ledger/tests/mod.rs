//! The ledger as its users see it, on real files.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::core::calendar::UtcMillis;
use crate::core::customer::Customer;
use crate::core::id::{CustomerId, Service};
use crate::core::usage::HourUsage;

mod billing;
mod books;
mod escrow;
mod gateways;
mod nouns;
mod prepared;
mod schema;
mod transactions;
mod vault;

/// A ledger in a directory of its own, which goes with it.
struct TestLedger {
    ledger: Ledger,
    directory: TempDir,
}

impl TestLedger {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { ledger: Ledger::open(&directory.path().join("ledger.db"), 2).unwrap(), directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("ledger.db")
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTx<'_>) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.ledger.write_blocking(work)
    }

    fn read<T: Send + 'static>(&self, work: impl FnOnce(&ReadTx<'_>) -> Result<T, LedgerError> + Send + 'static) -> T {
        self.ledger.read_blocking(work).unwrap()
    }
}

fn id(number: u32) -> CustomerId {
    CustomerId::new(number).unwrap()
}

fn customer(number: u32) -> Customer {
    let wallet_address = format!("0x{number:064x}").parse().unwrap();
    let created_at = UtcMillis(1_700_000_000_000);
    Customer { name: format!("customer {number}"), ..Customer::new(id(number), wallet_address, created_at) }
}

/// All requests billable, ten bytes each; `hour` counts from November 2026.
fn usage(number: u32, service: Service, hour: i64, requests: u64) -> HourUsage {
    HourUsage {
        customer: id(number),
        service,
        hour: november().start().plus_ms(hour * 3_600_000),
        requests,
        billable_requests: requests,
        billable_bytes: requests * 10,
    }
}

fn november() -> crate::core::calendar::Month {
    "2026-11".parse().unwrap()
}
