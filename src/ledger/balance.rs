//! Balances: what postings add up to, now or as of any instant. Nothing is kept: an index has all it takes.
//!
//! A balance is debits less credits: what a customer owes is positive, what we owe a customer is negative.

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::entry::{Currency, Word};
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::ReadTx;
use crate::ledger::values::Count;

/// Later than everything: balances as they are.
pub const EVER: UtcMillis = UtcMillis(i64::MAX);

/// What one account adds up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    pub account: Word,
    /// Empty in a total over all of them.
    pub sub_account: Word,
    pub currency: Currency,
    /// Debits less credits.
    pub amount: Usd,
}

/// The balance of one account with all its sub-accounts, as of `until` (inclusive).
///
/// # Errors
/// [`LedgerError::Statement`], also when the sum leaves its range.
pub fn balance_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    account: &str,
    currency: Currency,
    until: UtcMillis,
) -> Result<Usd, LedgerError> {
    tx.first(
        "SELECT coalesce(sum(amount_micros), 0) AS amount_micros FROM ledger_postings
         WHERE customer_id = ?1 AND account = ?2 AND currency = ?3 AND at_ms <= ?4",
        (customer, account, currency.name(), until),
        |row| row.get("amount_micros"),
    )
    .map(|amount| amount.unwrap_or_default())
    .map_err(failed("adding up the account", account))
}

/// The balance of one sub-account, as of `until` (inclusive).
///
/// # Errors
/// As [`balance_of`].
pub fn balance_of_sub_account(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    (account, sub_account): (&str, &str),
    currency: Currency,
    until: UtcMillis,
) -> Result<Usd, LedgerError> {
    tx.first(
        "SELECT coalesce(sum(amount_micros), 0) AS amount_micros FROM ledger_postings
         WHERE customer_id = ?1 AND account = ?2 AND sub_account = ?3 AND currency = ?4 AND at_ms <= ?5",
        (customer, account, sub_account, currency.name(), until),
        |row| row.get("amount_micros"),
    )
    .map(|amount| amount.unwrap_or_default())
    .map_err(failed("adding up the account", account))
}

/// The balance of one account with all its sub-accounts in dollars, after an entry and all before it.
///
/// # Errors
/// As [`balance_of`].
pub fn balance_after_entry(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    account: &str,
    entry: u64,
) -> Result<Usd, LedgerError> {
    tx.first(
        "SELECT coalesce(sum(amount_micros), 0) AS amount_micros FROM ledger_postings
         WHERE customer_id = ?1 AND account = ?2 AND currency = 'USD' AND entry_id <= ?3",
        (customer, account, Count(entry)),
        |row| row.get("amount_micros"),
    )
    .map(|amount| amount.unwrap_or_default())
    .map_err(failed("adding up the account", account))
}

/// Every account of a customer that ever had a posting, as of `until` (inclusive), by name.
///
/// # Errors
/// As [`balance_of`].
pub fn balances_of(tx: &ReadTx<'_>, customer: CustomerId, until: UtcMillis) -> Result<Vec<Balance>, LedgerError> {
    tx.all(
        "SELECT account, sub_account, currency, sum(amount_micros) AS amount_micros FROM ledger_postings
         WHERE customer_id = ?1 AND at_ms <= ?2 GROUP BY account, sub_account, currency
         ORDER BY account, sub_account, currency",
        (customer, until),
        read_balance,
    )
    .map_err(failed("adding up the accounts of customer", customer))
}

/// Every account over all customers, as of `until` (inclusive), by name: the trial balance. Reads the whole index.
///
/// # Errors
/// As [`balance_of`].
pub fn trial_balance(tx: &ReadTx<'_>, until: UtcMillis) -> Result<Vec<Balance>, LedgerError> {
    tx.all(
        // First in the order of the index, which needs no sorting; what is left to sort is little.
        "SELECT account, '' AS sub_account, currency, sum(amount_micros) AS amount_micros FROM (
             SELECT account, currency, sum(amount_micros) AS amount_micros FROM ledger_postings
             WHERE at_ms <= ?1 GROUP BY customer_id, account, sub_account, currency)
         GROUP BY account, currency ORDER BY account, currency",
        (until,),
        read_balance,
    )
    .map_err(failed("adding up", "all accounts"))
}

/// Calls `take` with the balance of one account of every customer that has it, with all its sub-accounts, in the order
/// of their numbers: to compare it with what is kept elsewhere.
///
/// # Errors
/// As [`balance_of`].
pub fn each_balance(
    tx: &ReadTx<'_>,
    account: &str,
    currency: Currency,
    mut take: impl FnMut(CustomerId, Usd),
) -> Result<(), LedgerError> {
    tx.each(
        "SELECT customer_id, sum(amount_micros) AS amount_micros FROM ledger_postings
         WHERE account = ?1 AND currency = ?2 GROUP BY customer_id ORDER BY customer_id",
        (account, currency.name()),
        |row| {
            take(row.get("customer_id")?, row.get("amount_micros")?);
            Ok(())
        },
    )
    .map_err(failed("adding up everybody's account", account))
}

fn read_balance(row: &Row<'_>) -> rusqlite::Result<Balance> {
    Ok(Balance {
        account: row.get::<_, String>("account")?.into(),
        sub_account: row.get::<_, String>("sub_account")?.into(),
        currency: row.get("currency")?,
        amount: row.get("amount_micros")?,
    })
}
