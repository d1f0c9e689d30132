//! What a store of requests that was made anew does not know any more.

use std::collections::BTreeMap;

use super::AppError;
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Service};
use crate::ledger::Ledger;
use crate::ledger::usage::all_usage;
use crate::traffic::Traffic;

/// Hours, with how many requests of each the ledger knows more than the store.
pub type UnrestoredHours = BTreeMap<UtcMillis, u64>;

/// Holds the ledger's copy of all usage against what the store has. Blocks.
///
/// # Errors
/// [`AppError::Ledger`], [`AppError::Traffic`].
pub fn hours_not_restored(ledger: &Ledger, traffic: &Traffic) -> Result<UnrestoredHours, AppError> {
    let stored = traffic.usage_changed_after(0)?.hours;
    let stored: BTreeMap<(CustomerId, Service, UtcMillis), u64> =
        stored.into_iter().map(|usage| ((usage.customer, usage.service, usage.hour), usage.requests)).collect();
    let mut missing = UnrestoredHours::new();
    for usage in ledger.read_blocking(all_usage)? {
        let there = stored.get(&(usage.customer, usage.service, usage.hour)).copied().unwrap_or(0);
        if usage.requests > there {
            *missing.entry(usage.hour).or_default() += usage.requests - there;
        }
    }
    Ok(missing)
}
