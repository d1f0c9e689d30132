//! The books, verified while the process runs: everybody's once, then of whoever had something posted since.

use std::collections::BTreeSet;

use super::failure::BillingFailure;
use super::park::mismatches_of;
use crate::app::App;
use crate::core::id::CustomerId;
use crate::ledger::ReadTx;
use crate::ledger::customer::list_customers;
use crate::ledger::entry::{entries_after, newest_entry};

/// Entries whose customers are verified in one go.
const ENTRIES_AT_ONCE: u32 = 1000;
/// Customers who are verified in one go.
const CUSTOMERS_AT_ONCE: u32 = 100;

/// How far verifying is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerifyProgress {
    /// The last customer of the first pass; `None` before any.
    customers: Option<CustomerId>,
    is_through: bool,
    /// The last entry whose customer was verified since; what was there before belongs to the first pass.
    entries: Option<u64>,
}

impl App {
    /// Recomputes some books, and parks whose books do not add up. Tells how far that is, and whether there is more to do
    /// at once.
    ///
    /// # Errors
    /// [`BillingFailure::Ledger`]; the next run goes on.
    pub async fn verify_some_books(&self, progress: VerifyProgress) -> Result<(VerifyProgress, bool), BillingFailure> {
        let entries = match progress.entries {
            Some(entries) => entries,
            None => self.ledger.read(newest_entry).await?,
        };
        let progress = VerifyProgress { entries: Some(entries), ..progress };
        if progress.is_through {
            let last = self.verify_books(entries).await?;
            return Ok((VerifyProgress { entries: Some(last), ..progress }, last != entries));
        }
        let after = progress.customers;
        let customers = self.ledger.read(move |tx| list_customers(tx, after, CUSTOMERS_AT_ONCE)).await?;
        let customers: BTreeSet<CustomerId> = customers.into_iter().map(|customer| customer.customer).collect();
        let Some(last) = customers.last().copied() else {
            return Ok((VerifyProgress { is_through: true, ..progress }, true));
        };
        self.verify_customers(customers).await?;
        Ok((VerifyProgress { customers: Some(last), ..progress }, true))
    }

    /// Recomputes the books of those who had entries after entry `after`, and parks whose books do not add up. Returns
    /// the last entry that was looked at.
    ///
    /// # Errors
    /// [`BillingFailure::Ledger`]; the next run goes on.
    pub async fn verify_books(&self, after: u64) -> Result<u64, BillingFailure> {
        let entries = self.ledger.read(move |tx| entries_after(tx, after, ENTRIES_AT_ONCE)).await?;
        let last = entries.last().map_or(after, |entry| entry.number);
        self.verify_customers(entries.iter().map(|entry| entry.entry.customer).collect()).await?;
        Ok(last)
    }

    async fn verify_customers(&self, customers: BTreeSet<CustomerId>) -> Result<(), BillingFailure> {
        let (now, included) = (self.clock.now(), self.tariff().included);
        let check = move |tx: &ReadTx<'_>| {
            let mut found = Vec::new();
            for customer in customers {
                let first = mismatches_of(tx, customer, &included, now)?.into_iter().next();
                found.extend(first.map(|mismatch| (customer, mismatch)));
            }
            Ok::<_, BillingFailure>(found)
        };
        for (customer, mismatch) in self.ledger.read(check).await? {
            self.park(customer, mismatch).await?;
        }
        Ok(())
    }
}
