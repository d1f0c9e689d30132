//! From hours in the ledger to the usage lines of a month.

use super::failure::BillingFailure;
use crate::core::billing::{MonthUsage, UsagePrices, usage_lines};
use crate::core::calendar::Month;
use crate::core::config_global::{ConfigGlobal, PRICE_KEYS, PriceChange, price_periods};
use crate::core::id::CustomerId;
use crate::core::rating::PricePerRequests;
use crate::ledger::config_global::{config_changes_since, load_config_global};
use crate::ledger::usage::hours_between;
use crate::ledger::{LedgerError, ReadTx};

/// The prices of a month, as the ledger has them at this moment; `known` if its table is not right.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn usage_prices(tx: &ReadTx<'_>, month: Month, known: PricePerRequests) -> Result<UsagePrices, LedgerError> {
    let current = ConfigGlobal::from_table(&load_config_global(tx)?).map_or(known, |config| config.request_price());
    let changes = config_changes_since(tx, PRICE_KEYS, month.start())?;
    let changes: Vec<_> = changes
        .into_iter()
        .map(|change| PriceChange { at: change.at, key: change.key, old_value: change.old_value })
        .collect();
    let requests = price_periods(current, &changes, month.start(), month.end());
    // Bytes are counted, and cost nothing.
    Ok(UsagePrices { requests, bandwidth: Vec::new() })
}

/// What a customer has used in a month.
///
/// # Errors
/// [`BillingFailure::Ledger`]; [`BillingFailure::Decision`] if it cannot be computed.
pub fn month_usage(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    month: Month,
    prices: &UsagePrices,
) -> Result<MonthUsage, BillingFailure> {
    let hours = hours_between(tx, customer, month.start(), month.end())?;
    Ok(MonthUsage { month, lines: usage_lines(customer, month, &hours, prices)? })
}
