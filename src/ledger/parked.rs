//! Customers whose books do not add up: nothing is charged until a person has looked.

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// Why and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    pub customer: CustomerId,
    pub reason: String,
    pub since: UtcMillis,
}

/// Parks a customer. Who is parked already stays so for the first reason. Tells whether it is new.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn park(tx: &WriteTx<'_>, parked: &Parked) -> Result<bool, LedgerError> {
    tx.execute(
        "INSERT INTO parked_customers (customer_id, reason, since_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (customer_id) DO NOTHING",
        (parked.customer, &parked.reason, parked.since),
    )
    .map(|rows| rows > 0)
    .map_err(failed("parking customer", parked.customer))
}

/// Ends it. Tells whether the customer was parked.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn unpark(tx: &WriteTx<'_>, customer: CustomerId) -> Result<bool, LedgerError> {
    tx.execute("DELETE FROM parked_customers WHERE customer_id = ?1", (customer,))
        .map(|rows| rows > 0)
        .map_err(failed("unparking customer", customer))
}

/// Whether a customer is parked, and why.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn parked(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<Parked>, LedgerError> {
    tx.first("SELECT * FROM parked_customers WHERE customer_id = ?1", (customer,), read_parked)
        .map_err(failed("asking whether a customer is parked:", customer))
}

/// Everybody who is parked, longest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn all_parked(tx: &ReadTx<'_>) -> Result<Vec<Parked>, LedgerError> {
    tx.all("SELECT * FROM parked_customers ORDER BY since_ms, customer_id", (), read_parked)
        .map_err(failed("listing", "parked customers"))
}

fn read_parked(row: &rusqlite::Row<'_>) -> rusqlite::Result<Parked> {
    Ok(Parked { customer: row.get("customer_id")?, reason: row.get("reason")?, since: row.get("since_ms")? })
}
