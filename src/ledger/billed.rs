//! What was billed: of each month's usage, and up to which month each subscription.

use rusqlite::{Row, params};

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

/// One stretch of one price of a month's usage, and what was billed of it in all, less corrections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledUsage {
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
}

/// Writes it, in place of what was there of the same stretch.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn put_billed_usage(tx: &WriteTx<'_>, customer: CustomerId, billed: &BilledUsage) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO billed_usage (customer_id, month, service, measure, from_ms, to_ms, quantity, price_micros,
             price_per, amount_micros)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (customer_id, month, service, measure, from_ms, to_ms) DO UPDATE SET
             quantity = excluded.quantity,
             price_micros = excluded.price_micros,
             price_per = excluded.price_per,
             amount_micros = excluded.amount_micros",
        params![
            customer,
            billed.month,
            billed.service,
            billed.measure,
            billed.from,
            billed.to,
            Count(billed.quantity),
            billed.price,
            Count(billed.price_per),
            billed.amount,
        ],
    )
    .map(drop)
    .map_err(failed("noting what was billed of the usage of customer", customer))
}

/// Everything that was billed of a customer's usage from a month on, in order.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn billed_usage_since(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    month: Month,
) -> Result<Vec<BilledUsage>, LedgerError> {
    tx.all(
        "SELECT * FROM billed_usage WHERE customer_id = ?1 AND month >= ?2
         ORDER BY month, service, measure, from_ms, to_ms",
        (customer, month),
        read_billed,
    )
    .map_err(failed("listing what was billed of the usage of customer", customer))
}

/// Notes the last month for which a subscription was put on an invoice; `None`: none is.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn set_billed_through(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    service: Service,
    month: Option<Month>,
) -> Result<(), LedgerError> {
    let set = match month {
        None => {
            tx.execute("DELETE FROM billed_subscriptions WHERE customer_id = ?1 AND service = ?2", (customer, service))
        }
        Some(month) => tx.execute(
            "INSERT INTO billed_subscriptions (customer_id, service, month) VALUES (?1, ?2, ?3)
             ON CONFLICT (customer_id, service) DO UPDATE SET month = excluded.month",
            (customer, service, month),
        ),
    };
    set.map(drop).map_err(failed("noting how far subscriptions are billed for customer", customer))
}

/// The last month for which each subscription of a customer was put on an invoice, by service.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn billed_through(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Vec<(Service, Month)>, LedgerError> {
    tx.all(
        "SELECT service, month FROM billed_subscriptions WHERE customer_id = ?1 ORDER BY service",
        (customer,),
        |row| Ok((row.get("service")?, row.get("month")?)),
    )
    .map_err(failed("reading how far subscriptions are billed for customer", customer))
}

fn read_billed(row: &Row<'_>) -> rusqlite::Result<BilledUsage> {
    Ok(BilledUsage {
        month: row.get("month")?,
        service: row.get("service")?,
        measure: row.get("measure")?,
        from: row.get("from_ms")?,
        to: row.get("to_ms")?,
        quantity: row.get::<_, Count>("quantity")?.0,
        price: row.get("price_micros")?,
        price_per: row.get::<_, Count>("price_per")?.0,
        amount: row.get("amount_micros")?,
    })
}
