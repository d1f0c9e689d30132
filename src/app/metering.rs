//! Usage from the traffic store to the ledger, and the draft invoices that follow from it.
//!
//! The traffic store owns the counts. Here they are copied hour by hour, set and never added, together with how far
//! the copy goes, in one transaction: running it twice, or after a crash, changes nothing.

use std::collections::BTreeSet;

use tracing::error;

use super::{App, AppError};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::core::invoice;
use crate::core::rating::PricePerRequests;
use crate::ledger::customer::find_customer;
use crate::ledger::invoice::save_draft;
use crate::ledger::usage::{metering_position, set_metering_position, set_usage, usage_of_month};
use crate::ledger::{LedgerError, WriteTx};
use crate::traffic::UsageChanges;

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
    let price = app.config_global.load().request_price();
    app.ledger.write(move |tx| apply(tx, &store, &changes, month, price, now)).await?;
    Ok(through_batch)
}

fn apply(
    tx: &WriteTx<'_>,
    store: &str,
    changes: &UsageChanges,
    month: Month,
    price: PricePerRequests,
    now: UtcMillis,
) -> Result<(), LedgerError> {
    for usage in &changes.hours {
        set_usage(tx, usage)?;
    }
    let customers: BTreeSet<CustomerId> = changes.hours.iter().map(|usage| usage.customer).collect();
    for customer in customers {
        refresh_draft(tx, customer, month, price, now)?;
    }
    set_metering_position(tx, store, changes.through_batch)
}

/// Usage of a number that belongs to no customer is kept, and nobody is invoiced for it.
fn refresh_draft(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    month: Month,
    price: PricePerRequests,
    now: UtcMillis,
) -> Result<(), LedgerError> {
    if find_customer(tx, customer)?.is_none() {
        return Ok(());
    }
    let usage = usage_of_month(tx, customer, month)?;
    match invoice::draft(month, &usage, price) {
        Ok(draft) => save_draft(tx, customer, &draft, now).map(drop),
        // The other customers' usage is right all the same; this draft stays as it was.
        Err(error) => {
            error!(%customer, %month, %error, "a draft invoice cannot be computed");
            Ok(())
        }
    }
}
