//! Escrow accounts as the chain showed them last, and what of the chain has been taken in.

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

/// An event of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChainEvent {
    /// Of the transaction.
    pub digest: String,
    /// In the transaction.
    pub event_index: u32,
    /// A word, such as `deposited`.
    pub kind: String,
    pub object_id: ObjectId,
    /// Absent: the account is nobody's here.
    pub customer: Option<CustomerId>,
    pub amount: Usd,
    pub at: UtcMillis,
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

/// At most `limit` accounts in the order of their customers' numbers, those after `after` or from the first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn list_escrow_accounts(
    tx: &ReadTx<'_>,
    after: Option<CustomerId>,
    limit: u32,
) -> Result<Vec<StoredEscrowAccount>, LedgerError> {
    let after = after.map_or(0, CustomerId::get);
    tx.all(
        "SELECT * FROM escrow_accounts WHERE customer_id > ?1 ORDER BY customer_id LIMIT ?2",
        (after, limit),
        read_account,
    )
    .map_err(failed("listing escrow accounts after customer", after))
}

/// Notes that an event is taken in. Tells whether it is new: if not, whatever follows from it was done.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn note_chain_event(tx: &WriteTx<'_>, event: &StoredChainEvent) -> Result<bool, LedgerError> {
    tx.execute(
        "INSERT INTO chain_events (digest, event_index, kind, object_id, customer_id, amount_micros, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (digest, event_index) DO NOTHING",
        (&event.digest, event.event_index, &event.kind, &event.object_id, event.customer, event.amount, event.at),
    )
    .map(|rows| rows > 0)
    .map_err(failed("noting an event of the transaction", &event.digest))
}

/// Events of a customer's account, newest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn chain_events_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    limit: u32,
) -> Result<Vec<StoredChainEvent>, LedgerError> {
    tx.all(
        "SELECT * FROM chain_events WHERE customer_id = ?1 ORDER BY at_ms DESC, digest, event_index LIMIT ?2",
        (customer, limit),
        |row| {
            Ok(StoredChainEvent {
                digest: row.get("digest")?,
                event_index: row.get("event_index")?,
                kind: row.get("kind")?,
                object_id: row.get("object_id")?,
                customer: row.get("customer_id")?,
                amount: row.get("amount_micros")?,
                at: row.get("at_ms")?,
            })
        },
    )
    .map_err(failed("listing the events of customer", customer))
}

/// Up to where the events of a chain have been taken in; `None` before the first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn chain_cursor(tx: &ReadTx<'_>, chain: &str) -> Result<Option<String>, LedgerError> {
    tx.first("SELECT position FROM chain_cursor WHERE chain = ?1", (chain,), |row| row.get("position"))
        .map_err(failed("reading the cursor of chain", chain))
}

/// Sets it, in the transaction that has taken the events in.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn set_chain_cursor(tx: &WriteTx<'_>, chain: &str, position: &str, now: UtcMillis) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO chain_cursor (chain, position, updated_at_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (chain) DO UPDATE SET position = excluded.position, updated_at_ms = excluded.updated_at_ms",
        (chain, position, now),
    )
    .map(drop)
    .map_err(failed("setting the cursor of chain", chain))
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
