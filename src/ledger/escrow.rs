//! Escrow accounts as the chain showed them last.

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::core::seal_key::ObjectId;
use crate::ledger::error::{LedgerError, failed, one_row};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// A copy of an account on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEscrowAccount {
    pub customer: CustomerId,
    pub object_id: ObjectId,
    /// On the chain: its periods are counted from here.
    pub created_at: UtcMillis,
    pub balance: Usd,
    /// For a period; 0: unlimited.
    pub spending_limit: Usd,
    /// From 0.
    pub period: i64,
    /// In that period.
    pub period_charged: Usd,
    pub mirrored_at: UtcMillis,
}

/// Writes the copy of an account. A customer's account object is never another one.
///
/// # Errors
/// [`LedgerError::NotThere`] for another object; [`LedgerError::Statement`].
pub fn put_escrow_account(tx: &WriteTx<'_>, account: &StoredEscrowAccount) -> Result<(), LedgerError> {
    let put = tx.execute(
        "INSERT INTO escrow_accounts (customer_id, object_id, created_at_ms, balance_micros, spending_limit_micros,
             period, period_charged_micros, mirrored_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (customer_id) DO UPDATE SET
             balance_micros = excluded.balance_micros,
             spending_limit_micros = excluded.spending_limit_micros,
             period = excluded.period,
             period_charged_micros = excluded.period_charged_micros,
             mirrored_at_ms = excluded.mirrored_at_ms
         WHERE object_id = excluded.object_id",
        (
            account.customer,
            &account.object_id,
            account.created_at,
            account.balance,
            account.spending_limit,
            account.period,
            account.period_charged,
            account.mirrored_at,
        ),
    );
    one_row("copying the escrow account of customer", account.customer)(put)
}

/// A customer's account.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn escrow_account_of(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<StoredEscrowAccount>, LedgerError> {
    tx.first("SELECT * FROM escrow_accounts WHERE customer_id = ?1", (customer,), read_account)
        .map_err(failed("finding the escrow account of customer", customer))
}

/// The account with an object.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_escrow_account(tx: &ReadTx<'_>, object: &ObjectId) -> Result<Option<StoredEscrowAccount>, LedgerError> {
    tx.first("SELECT * FROM escrow_accounts WHERE object_id = ?1", (object,), read_account)
        .map_err(failed("finding the escrow account", object))
}

/// At most `limit` accounts in the order of their objects' ids, those after `after` or from the first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn escrow_accounts_after(
    tx: &ReadTx<'_>,
    after: Option<&ObjectId>,
    limit: u32,
) -> Result<Vec<StoredEscrowAccount>, LedgerError> {
    let after = after.map_or("", ObjectId::as_str);
    tx.all(
        "SELECT * FROM escrow_accounts WHERE object_id > ?1 ORDER BY object_id LIMIT ?2",
        (after, limit),
        read_account,
    )
    .map_err(failed("listing escrow accounts after", after))
}

fn read_account(row: &Row<'_>) -> rusqlite::Result<StoredEscrowAccount> {
    Ok(StoredEscrowAccount {
        customer: row.get("customer_id")?,
        object_id: row.get("object_id")?,
        created_at: row.get("created_at_ms")?,
        balance: row.get("balance_micros")?,
        spending_limit: row.get("spending_limit_micros")?,
        period: row.get("period")?,
        period_charged: row.get("period_charged_micros")?,
        mirrored_at: row.get("mirrored_at_ms")?,
    })
}
