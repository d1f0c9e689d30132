//! Usage from the traffic store to the ledger, and the draft invoices that follow from it.
//!
//! The traffic store owns the counts. Here they are copied hour by hour, set and never added, together with how far
//! the copy goes, in one transaction: running it twice, or after a crash, changes nothing.

use std::collections::BTreeSet;

use tracing::error;

use super::{App, AppError};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::config_global::{ConfigGlobal, PRICE_KEYS, PriceChange, PricePeriod, price_periods};
use crate::core::id::CustomerId;
use crate::core::invoice::{self, PricedUsage};
use crate::core::rating::PricePerRequests;
use crate::ledger::config_global::{config_changes_since, load_config_global};
use crate::ledger::customer::find_customer;
use crate::ledger::invoice::save_draft;
use crate::ledger::usage::{metering_position, raise_usage, set_metering_position, set_usage, usage_between};
use crate::ledger::{LedgerError, ReadTx, WriteTx};
use crate::traffic::{Rebuild, Traffic, UsageChanges};

/// Copies the usage that changed since the last time and brings the drafts of its customers up to date. Returns the
/// newest batch of the traffic store that the ledger now knows.
///
/// # Errors
/// [`AppError`]; then the ledger is as it was.
pub async fn meter(app: &App) -> Result<u64, AppError> {
    let now = app.clock.now();
    let month = Month::of(now)?;
    let store = app.traffic.store_id().to_owned();
    let position = {
        let store = store.clone();
        app.ledger.read(move |tx| metering_position(tx, &store)).await?.unwrap_or(0)
    };
    let changes = app.query_traffic(move |traffic| traffic.usage_changed_after(position)).await?;
    let through_batch = changes.through_batch;
    if through_batch == position {
        return Ok(position);
    }
    let rebuild = app.query_traffic(Traffic::rebuild).await?;
    let price = app.config_global.load().request_price();
    app.ledger.write(move |tx| apply(tx, &store, &changes, rebuild, month, price, now)).await?;
    Ok(through_batch)
}

fn apply(
    tx: &WriteTx<'_>,
    store: &str,
    changes: &UsageChanges,
    rebuild: Option<Rebuild>,
    month: Month,
    price: PricePerRequests,
    now: UtcMillis,
) -> Result<(), LedgerError> {
    for usage in &changes.hours {
        match rebuild {
            Some(rebuild) if usage.hour < rebuild.billed_before => {}
            // Of these hours the store may have forgotten what was billed.
            Some(rebuild) if usage.hour < rebuild.at => raise_usage(tx, usage)?,
            _ => set_usage(tx, usage)?,
        }
    }
    let periods = periods_of(tx, month, price)?;
    let customers: BTreeSet<CustomerId> = changes.hours.iter().map(|usage| usage.customer).collect();
    for customer in customers {
        refresh_draft(tx, customer, month, &periods, now)?;
    }
    set_metering_position(tx, store, changes.through_batch)
}

/// The prices of a month, as the ledger has them at this moment; `known` if its table is not right.
fn periods_of(tx: &ReadTx<'_>, month: Month, known: PricePerRequests) -> Result<Vec<PricePeriod>, LedgerError> {
    let current = ConfigGlobal::from_table(&load_config_global(tx)?).map_or(known, |config| config.request_price());
    let changes = config_changes_since(tx, PRICE_KEYS, month.start())?;
    let changes: Vec<_> = changes
        .into_iter()
        .map(|change| PriceChange { at: change.at, key: change.key, old_value: change.old_value })
        .collect();
    Ok(price_periods(current, &changes, month.start(), month.end()))
}

/// Usage of a number that belongs to no customer is kept, and nobody is invoiced for it.
fn refresh_draft(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    month: Month,
    periods: &[PricePeriod],
    now: UtcMillis,
) -> Result<(), LedgerError> {
    if find_customer(tx, customer)?.is_none() {
        return Ok(());
    }
    let mut usage = Vec::new();
    for PricePeriod { from, to, price } in periods {
        let of_period = usage_between(tx, customer, *from, *to)?;
        usage.extend(of_period.into_iter().map(|usage| PricedUsage { usage, price: *price }));
    }
    match invoice::draft(month, &usage) {
        Ok(draft) => save_draft(tx, customer, &draft, now).map(drop),
        // The other customers' usage is right all the same; this draft stays as it was.
        Err(error) => {
            error!(%customer, %month, %error, "a draft invoice cannot be computed");
            Ok(())
        }
    }
}
