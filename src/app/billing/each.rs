//! Many customers' work in one transaction, to share the disk's time.

use std::sync::Arc;

use super::batch::stop_if_closed;
use super::failure::BillingFailure;
use crate::ledger::{Ledger, WriteTx};

/// Does the same for each of `all` in one transaction. If it fails for one of them, each gets a transaction of its own,
/// in the same order, and a failure is noted by `note` in another one before it goes on.
///
/// # Errors
/// [`BillingFailure::Ledger`] if the ledger is closed, or a failure cannot be noted.
pub async fn write_each<T: Send + Sync + 'static>(
    ledger: &Ledger,
    all: Vec<T>,
    work: impl Fn(&WriteTx<'_>, &T) -> Result<(), BillingFailure> + Send + Sync + 'static,
    note: impl Fn(&WriteTx<'_>, &T, &BillingFailure) -> Result<(), BillingFailure> + Send + Sync + 'static,
) -> Result<(), BillingFailure> {
    let (all, work, note) = (Arc::new(all), Arc::new(work), Arc::new(note));
    let (together, of_each) = (Arc::clone(&all), Arc::clone(&work));
    let done = ledger.write(move |tx| together.iter().try_for_each(|one| of_each(tx, one))).await;
    let Err(failure) = done else { return Ok(()) };
    stop_if_closed(&failure)?;
    for place in 0..all.len() {
        let (one, alone) = (Arc::clone(&all), Arc::clone(&work));
        let done = ledger.write(move |tx| one.get(place).map_or(Ok(()), |one| alone(tx, one))).await;
        if let Err(failure) = done {
            stop_if_closed(&failure)?;
            let (one, note) = (Arc::clone(&all), Arc::clone(&note));
            ledger.write(move |tx| one.get(place).map_or(Ok(()), |one| note(tx, one, &failure))).await?;
        }
    }
    Ok(())
}
