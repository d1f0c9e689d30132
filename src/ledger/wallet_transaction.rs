//! Transactions that we have built for a wallet to sign, until what they did is in the books.
//!
//! ```text
//! built ──▶ signed ──▶ seen ──▶ final ──▶ credited
//!   └─────────┴──────────┴────────┴─▶ failed ─┘
//! ```
//! A wallet may hand in by itself what was built for it: then it is seen without having been signed here.

use rusqlite::Row;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::error::{LedgerError, failed, one_row};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, word_enums};

word_enums! {
    /// What a wallet is asked to sign.
    StoredWalletAction {
        Deposit = "deposit",
        Withdraw = "withdraw",
        SetSpendingLimit = "set_spending_limit",
    }

    /// How far it is.
    WalletTransactionState {
        /// Nothing is signed, and nothing may ever be.
        Built = "built",
        /// The signature is here; to be submitted, until the chain knows it.
        Signed = "signed",
        Seen = "seen",
        /// It has happened, for good.
        Final = "final",
        /// What it did is in the books.
        Credited = "credited",
        /// It will never happen.
        Failed = "failed",
    }
}

impl WalletTransactionState {
    /// Whether anything can follow.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Credited | Self::Failed)
    }

    /// Whether this state may follow `from`. States in between may be left out: what was not looked at has passed. What
    /// happened after it was given up counts.
    pub fn may_follow(self, from: Self) -> bool {
        self == Self::Credited && from == Self::Failed || from.is_open() && self > from
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletTransaction {
    pub digest: String,
    pub customer: CustomerId,
    pub action: StoredWalletAction,
    /// Or the limit.
    pub amount: Usd,
    /// What is signed.
    pub content: String,
    pub state: WalletTransactionState,
    pub signature: Option<String>,
    /// Of the event by which it went into the books: present exactly when it is credited.
    pub event_index: Option<u32>,
    /// Present exactly when it has failed.
    pub failure: Option<String>,
    pub built_at: UtcMillis,
    /// After this instant it cannot happen any more.
    pub expires_at: UtcMillis,
    pub updated_at: UtcMillis,
}

/// What a transaction has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    Signed { signature: &'a str },
    Seen,
    Final,
    Credited { event_index: u32 },
    Failed { failure: &'a str },
}

impl Progress<'_> {
    const fn state(self) -> WalletTransactionState {
        match self {
            Self::Signed { .. } => WalletTransactionState::Signed,
            Self::Seen => WalletTransactionState::Seen,
            Self::Final => WalletTransactionState::Final,
            Self::Credited { .. } => WalletTransactionState::Credited,
            Self::Failed { .. } => WalletTransactionState::Failed,
        }
    }
}

/// Adds one that was built.
///
/// # Errors
/// [`LedgerError::Statement`], also for a digest that is known.
pub fn insert_wallet_transaction(tx: &WriteTx<'_>, built: &WalletTransaction) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO wallet_transactions
             (digest, customer_id, kind, amount_micros, content, state, built_at_ms, expires_at_ms, updated_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, 'built', ?6, ?7, ?6)",
        (&built.digest, built.customer, built.action, built.amount, &built.content, built.built_at, built.expires_at),
    )
    .map(drop)
    .map_err(failed("adding the wallet's transaction", &built.digest))
}

/// Notes what one has become. Tells whether that is news: it may have come further already.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn advance_wallet_transaction(
    tx: &WriteTx<'_>,
    digest: &str,
    progress: Progress<'_>,
    now: UtcMillis,
) -> Result<bool, LedgerError> {
    let known = find_wallet_transaction(tx, digest)?;
    if !known.is_some_and(|known| progress.state().may_follow(known.state)) {
        return Ok(false);
    }
    let (mut signature, mut event_index, mut failure) = (None, None, None);
    match progress {
        Progress::Signed { signature: by_wallet } => signature = Some(by_wallet),
        Progress::Credited { event_index: index } => event_index = Some(index),
        Progress::Failed { failure: why } => failure = Some(why),
        Progress::Seen | Progress::Final => {}
    }
    let noted = tx.execute(
        "UPDATE wallet_transactions
         SET state = ?2, signature = coalesce(?3, signature), event_index = ?4, failure = ?5, updated_at_ms = ?6
         WHERE digest = ?1",
        (digest, progress.state(), signature, event_index, failure, now),
    );
    one_row("noting the progress of the wallet's transaction", digest)(noted).map(|()| true)
}

/// One of them.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn find_wallet_transaction(tx: &ReadTx<'_>, digest: &str) -> Result<Option<WalletTransaction>, LedgerError> {
    tx.first("SELECT * FROM wallet_transactions WHERE digest = ?1", (digest,), read_transaction)
        .map_err(failed("finding the wallet's transaction", digest))
}

/// At most `limit` of a customer, newest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn wallet_transactions_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    limit: u32,
) -> Result<Vec<WalletTransaction>, LedgerError> {
    tx.all(
        "SELECT * FROM wallet_transactions WHERE customer_id = ?1 ORDER BY built_at_ms DESC, digest LIMIT ?2",
        (customer, limit),
        read_transaction,
    )
    .map_err(failed("listing the wallet's transactions of customer", customer))
}

/// How many of a customer wait for a signature and can still happen.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn count_unsigned_wallet_transactions(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    now: UtcMillis,
) -> Result<u64, LedgerError> {
    tx.first(
        "SELECT count(*) FROM wallet_transactions WHERE customer_id = ?1 AND state = 'built' AND expires_at_ms >= ?2",
        (customer, now),
        |row| row.get::<_, Count>(0),
    )
    .map(|count| count.map_or(0, |count| count.0))
    .map_err(failed("counting unsigned transactions of customer", customer))
}

/// At most `limit` whose fate is to be looked up on the chain, in the order of their digests, those after `after` or from
/// the first: what was signed, and what was built and could not happen any more.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn wallet_transactions_under_way(
    tx: &ReadTx<'_>,
    after: &str,
    now: UtcMillis,
    limit: u32,
) -> Result<Vec<WalletTransaction>, LedgerError> {
    tx.all(
        "SELECT * FROM wallet_transactions INDEXED BY wallet_transactions_open
         WHERE state IN ('built', 'signed', 'seen', 'final') AND (state <> 'built' OR expires_at_ms < ?2) AND digest > ?1
         ORDER BY digest LIMIT ?3",
        (after, now, limit),
        read_transaction,
    )
    .map_err(failed("listing", "wallet transactions under way"))
}

fn read_transaction(row: &Row<'_>) -> rusqlite::Result<WalletTransaction> {
    Ok(WalletTransaction {
        digest: row.get("digest")?,
        customer: row.get("customer_id")?,
        action: row.get("kind")?,
        amount: row.get("amount_micros")?,
        content: row.get("content")?,
        state: row.get("state")?,
        signature: row.get("signature")?,
        event_index: row.get("event_index")?,
        failure: row.get("failure")?,
        built_at: row.get("built_at_ms")?,
        expires_at: row.get("expires_at_ms")?,
        updated_at: row.get("updated_at_ms")?,
    })
}
