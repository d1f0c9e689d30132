//! What was billed of usage, and months whose usage changed after that.

use rusqlite::Row;

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::{CustomerId, Service};
use crate::core::money::Usd;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, word_enums};

word_enums! {
    /// What is metered.
    StoredMeasure {
        Requests = "requests",
        Bandwidth = "bandwidth",
    }
}

/// What was billed of one stretch of time with one price, corrections taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBilled {
    pub customer: CustomerId,
    pub month: Month,
    pub service: Service,
    pub measure: StoredMeasure,
    pub from: UtcMillis,
    /// Exclusive.
    pub to: UtcMillis,
    pub quantity: u64,
    /// For every `price_per` pieces.
    pub price: Usd,
    pub price_per: u64,
    pub amount: Usd,
    /// On the amount, not rounded.
    pub tax: Usd,
}

/// Writes it.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn put_billed(tx: &WriteTx<'_>, billed: &StoredBilled) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO billed_usage (customer_id, month, service, measure, from_ms, to_ms, quantity, price_micros,
             price_per, amount_micros, tax_micros)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (customer_id, month, service, measure, from_ms, to_ms) DO UPDATE SET
             quantity = excluded.quantity,
             price_micros = excluded.price_micros,
             price_per = excluded.price_per,
             amount_micros = excluded.amount_micros,
             tax_micros = excluded.tax_micros",
        (
            billed.customer,
            billed.month,
            billed.service,
            billed.measure,
            billed.from,
            billed.to,
            Count(billed.quantity),
            billed.price,
            Count(billed.price_per),
            billed.amount,
            billed.tax,
        ),
    )
    .map(drop)
    .map_err(failed("noting what was billed of usage of customer", billed.customer))
}

/// What was billed of a month of a customer.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn billed_of(tx: &ReadTx<'_>, customer: CustomerId, month: Month) -> Result<Vec<StoredBilled>, LedgerError> {
    tx.all("SELECT * FROM billed_usage WHERE customer_id = ?1 AND month = ?2", (customer, month), read_billed)
        .map_err(failed("reading what was billed of usage of customer", customer))
}

/// Notes that usage of a month became known after it was billed.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn note_late_usage(tx: &WriteTx<'_>, customer: CustomerId, month: Month) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO late_usage (customer_id, month) VALUES (?1, ?2) ON CONFLICT (customer_id, month) DO NOTHING",
        (customer, month),
    )
    .map(drop)
    .map_err(failed("noting late usage of customer", customer))
}

/// Months of a customer with late usage that was not settled, oldest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn late_usage_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<Month>, LedgerError> {
    tx.all("SELECT month FROM late_usage WHERE customer_id = ?1 ORDER BY month", (customer,), |row| row.get("month"))
        .map_err(failed("listing months with late usage of customer", customer))
}

/// Notes that late usage of a customer's months before `month` is settled.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn settle_late_usage(tx: &WriteTx<'_>, customer: CustomerId, month: Month) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM late_usage WHERE customer_id = ?1 AND month < ?2", (customer, month))
        .map(drop)
        .map_err(failed("settling late usage of customer", customer))
}

fn read_billed(row: &Row<'_>) -> rusqlite::Result<StoredBilled> {
    Ok(StoredBilled {
        customer: row.get("customer_id")?,
        month: row.get("month")?,
        service: row.get("service")?,
        measure: row.get("measure")?,
        from: row.get("from_ms")?,
        to: row.get("to_ms")?,
        quantity: row.get::<_, Count>("quantity")?.0,
        price: row.get("price_micros")?,
        price_per: row.get::<_, Count>("price_per")?.0,
        amount: row.get("amount_micros")?,
        tax: row.get("tax_micros")?,
    })
}
