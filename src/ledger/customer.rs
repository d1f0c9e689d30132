//! Customers.

use rusqlite::{ErrorCode, Row, ffi};

use crate::core::calendar::UtcMillis;
use crate::core::customer::{Customer, CustomerName, DEFAULT_SPENDING_LIMIT, TermsAcceptance, WalletAddress};
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};

/// Customers with what the chain said last about their money.
macro_rules! customers {
    () => {
        "SELECT customers.*, escrow_accounts.object_id, escrow_accounts.spending_limit_micros,
                escrow_accounts.balance_micros
         FROM customers LEFT JOIN escrow_accounts USING (customer_id) "
    };
}

/// Registers a customer under the random number that the caller has drawn.
///
/// # Errors
/// [`LedgerError::CustomerIdTaken`]: draw another number. [`LedgerError::WalletTaken`]: the customer exists.
pub fn insert_customer(tx: &WriteTx<'_>, new: &Customer) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO customers (customer_id, wallet_address, name, status, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        (new.customer, &new.wallet_address, &new.name, new.status, new.created_at),
    )
    .map(drop)
    .map_err(|error| match taken(&error) {
        Some(Taken::CustomerId) => LedgerError::CustomerIdTaken(new.customer),
        Some(Taken::Wallet) => LedgerError::WalletTaken(new.wallet_address.clone()),
        None => failed("inserting a customer", new.customer)(error),
    })
}

/// One customer.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_customer(tx: &ReadTx<'_>, customer: CustomerId) -> Result<Option<Customer>, LedgerError> {
    tx.first(concat!(customers!(), "WHERE customer_id = ?1"), (customer,), read_customer)
        .map_err(failed("finding a customer", customer))
}

/// The customer who has a wallet.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_customer_by_wallet(tx: &ReadTx<'_>, wallet: &WalletAddress) -> Result<Option<Customer>, LedgerError> {
    tx.first(concat!(customers!(), "WHERE wallet_address = ?1"), (wallet,), read_customer)
        .map_err(failed("finding the customer of a wallet", wallet))
}

/// Gives a customer another name.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn set_customer_name(tx: &WriteTx<'_>, customer: CustomerId, name: &CustomerName) -> Result<(), LedgerError> {
    tx.execute("UPDATE customers SET name = ?2 WHERE customer_id = ?1", (customer, name.as_str()))
        .map(drop)
        .map_err(failed("naming a customer", customer))
}

/// Notes which terms a customer has accepted.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn set_terms(tx: &WriteTx<'_>, customer: CustomerId, terms: TermsAcceptance) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE customers SET terms_version = ?2, terms_accepted_at_ms = ?3 WHERE customer_id = ?1",
        (customer, terms.version, terms.at),
    )
    .map(drop)
    .map_err(failed("noting accepted terms of customer", customer))
}

/// At most `limit` customers in the order of their numbers, those after `after` or from the first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn list_customers(tx: &ReadTx<'_>, after: Option<CustomerId>, limit: u32) -> Result<Vec<Customer>, LedgerError> {
    let after = after.map_or(0, CustomerId::get);
    tx.all(concat!(customers!(), "WHERE customer_id > ?1 ORDER BY customer_id LIMIT ?2"), (after, limit), read_customer)
        .map_err(failed("listing customers after", after))
}

fn read_customer(row: &Row<'_>) -> rusqlite::Result<Customer> {
    Ok(Customer {
        customer: row.get("customer_id")?,
        wallet_address: row.get("wallet_address")?,
        name: row.get("name")?,
        status: row.get("status")?,
        created_at: row.get("created_at_ms")?,
        terms: read_terms(row)?,
        escrow_contract_id: row.get("object_id")?,
        spending_limit: row.get::<_, Option<Usd>>("spending_limit_micros")?.unwrap_or(DEFAULT_SPENDING_LIMIT),
        balance: row.get::<_, Option<Usd>>("balance_micros")?.unwrap_or_default(),
    })
}

fn read_terms(row: &Row<'_>) -> rusqlite::Result<Option<TermsAcceptance>> {
    let version: Option<u32> = row.get("terms_version")?;
    let at: Option<UtcMillis> = row.get("terms_accepted_at_ms")?;
    Ok(version.zip(at).map(|(version, at)| TermsAcceptance { version, at }))
}

enum Taken {
    CustomerId,
    Wallet,
}

fn taken(error: &rusqlite::Error) -> Option<Taken> {
    let code = error.sqlite_error().filter(|error| error.code == ErrorCode::ConstraintViolation)?;
    match code.extended_code {
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => Some(Taken::CustomerId),
        // The wallet is the only other column that is unique.
        ffi::SQLITE_CONSTRAINT_UNIQUE => Some(Taken::Wallet),
        _ => None,
    }
}
