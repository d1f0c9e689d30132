//! Events of the chain: read page by page and kept with the cursor, then taken into the books one by one.
//!
//! ```text
//! told ──▶ to be taken ──▶ taken, in a customer's books
//!              │  ▲
//!              │  └── the wallet becomes a customer's, or the time for another try has come
//!              └────▶ waits
//! ```

use rusqlite::Row;

use crate::core::calendar::{HOUR_MS, UtcMillis};
use crate::core::customer::WalletAddress;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::core::seal_key::ObjectId;
use crate::ledger::error::{LedgerError, failed, one_row};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Count, word_enums};

word_enums! {
    /// What happened to an account.
    StoredEventKind {
        Created = "created",
        Deposited = "deposited",
        Withdrawn = "withdrawn",
        Charged = "charged",
        Credited = "credited",
        SpendingLimitSet = "spending_limit_set",
    }
}

impl StoredEventKind {
    /// What happened at the same instant is taken in by this: nothing can be taken out that was not put in.
    const fn rank(self) -> u8 {
        match self {
            Self::Created => 0,
            Self::Deposited => 1,
            Self::Credited => 2,
            Self::SpendingLimitSet => 3,
            Self::Charged => 4,
            Self::Withdrawn => 5,
        }
    }
}

/// An event of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChainEvent {
    /// Of the transaction.
    pub digest: String,
    /// In the transaction.
    pub event_index: u32,
    pub kind: StoredEventKind,
    pub object_id: ObjectId,
    /// The account's wallet.
    pub owner: WalletAddress,
    /// Of what the operator ordered: present exactly for charges and credits.
    pub order_key: Option<String>,
    /// Or the new limit.
    pub amount: Usd,
    pub at: UtcMillis,
}

/// One that is to be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingEvent {
    /// Its number in the ledger.
    pub number: u64,
    pub event: StoredChainEvent,
}

/// Nothing waits longer: what seems to was put off by a clock that was wrong, and is due.
const LONGEST_WAIT_MS: i64 = HOUR_MS;

/// Keeps an event, to be taken in at once, or with those of the same wallet that wait already. Tells whether it is new.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn keep_chain_event(tx: &WriteTx<'_>, event: &StoredChainEvent, now: UtcMillis) -> Result<bool, LedgerError> {
    tx.execute(
        "INSERT INTO chain_events
             (digest, event_index, kind, rank, object_id, owner, order_key, amount_micros, at_ms, try_at_ms)
         VALUES (?1, ?2, ?3, ?10, ?4, ?5, ?6, ?7, ?8,
             coalesce((SELECT max(try_at_ms) FROM chain_events WHERE owner = ?5 AND taken_at_ms IS NULL), ?9))
         ON CONFLICT (digest, event_index) DO NOTHING",
        (
            &event.digest,
            event.event_index,
            event.kind,
            &event.object_id,
            &event.owner,
            &event.order_key,
            event.amount,
            event.at,
            now,
            event.kind.rank(),
        ),
    )
    .map(|rows| rows > 0)
    .map_err(failed("keeping an event of the transaction", &event.digest))
}

/// At most `limit` events that are to be taken in, in the order in which they happened. Of the same instant, those come
/// first that others need: nothing can be taken out that was not put in.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn chain_events_to_take(tx: &ReadTx<'_>, now: UtcMillis, limit: u32) -> Result<Vec<WaitingEvent>, LedgerError> {
    tx.all(
        "SELECT * FROM chain_events WHERE try_at_ms IS NOT NULL AND (try_at_ms <= ?1 OR try_at_ms > ?3)
         ORDER BY at_ms, rank, chain_event_id LIMIT ?2",
        (now, limit, now.plus_ms(LONGEST_WAIT_MS)),
        |row| Ok(WaitingEvent { number: row.get::<_, Count>("chain_event_id")?.0, event: read_event(row)? }),
    )
    .map_err(failed("listing", "events of the chain to take in"))
}

/// Whether an event still waits to be taken in at this instant.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn is_to_be_taken(tx: &ReadTx<'_>, number: u64, now: UtcMillis) -> Result<bool, LedgerError> {
    tx.first(
        "SELECT 1 FROM chain_events WHERE chain_event_id = ?1 AND (try_at_ms <= ?2 OR try_at_ms > ?3)",
        (Count(number), now, now.plus_ms(LONGEST_WAIT_MS)),
        |_| Ok(()),
    )
    .map(|found| found.is_some())
    .map_err(failed("looking up event of the chain", number))
}

/// Notes that an event is in a customer's books.
///
/// # Errors
/// [`LedgerError::NotThere`] if it is in somebody's already.
pub fn settle_chain_event(
    tx: &WriteTx<'_>,
    number: u64,
    customer: CustomerId,
    now: UtcMillis,
) -> Result<(), LedgerError> {
    let settled = tx.execute(
        "UPDATE chain_events SET customer_id = ?2, taken_at_ms = ?3, try_at_ms = NULL, error = NULL
         WHERE chain_event_id = ?1 AND taken_at_ms IS NULL",
        (Count(number), customer, now),
    );
    one_row("noting that an event of the chain is taken in:", number)(settled)
}

/// Puts off everything that waits of a wallet, so that its order is kept; until it is a customer's, if there is no time.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn put_off_chain_events(
    tx: &WriteTx<'_>,
    owner: &WalletAddress,
    until: Option<UtcMillis>,
    error: Option<&str>,
) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE chain_events SET try_at_ms = ?2, error = ?3 WHERE owner = ?1 AND taken_at_ms IS NULL",
        (owner, until, error),
    )
    .map(drop)
    .map_err(failed("putting off the events of wallet", owner))
}

/// The place in its transaction of a charge or credit that is in somebody's books; `None` if it is in nobody's.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn taken_order_event(tx: &ReadTx<'_>, digest: &str) -> Result<Option<u32>, LedgerError> {
    tx.first(
        "SELECT event_index FROM chain_events
         WHERE digest = ?1 AND order_key IS NOT NULL AND taken_at_ms IS NOT NULL",
        (digest,),
        |row| row.get(0),
    )
    .map_err(failed("looking up the order of the transaction", digest))
}

/// How many events wait of wallets that are customers'.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn count_events_to_take(tx: &ReadTx<'_>) -> Result<u64, LedgerError> {
    tx.first("SELECT count(*) FROM chain_events WHERE try_at_ms IS NOT NULL", (), |row| row.get::<_, Count>(0))
        .map(|count| count.map_or(0, |count| count.0))
        .map_err(failed("counting", "events of the chain to take in"))
}

/// Whether something of a wallet waits to be taken in.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn has_waiting_chain_events(tx: &ReadTx<'_>, owner: &WalletAddress) -> Result<bool, LedgerError> {
    tx.first("SELECT 1 FROM chain_events WHERE owner = ?1 AND taken_at_ms IS NULL LIMIT 1", (owner,), |_| Ok(()))
        .map(|found| found.is_some())
        .map_err(failed("looking for waiting events of wallet", owner))
}

/// At most `limit` events in a customer's books, newest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn chain_events_of(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    limit: u32,
) -> Result<Vec<StoredChainEvent>, LedgerError> {
    tx.all(
        "SELECT * FROM chain_events WHERE customer_id = ?1 ORDER BY at_ms DESC, chain_event_id DESC LIMIT ?2",
        (customer, limit),
        read_event,
    )
    .map_err(failed("listing the events of customer", customer))
}

/// Up to where the events of a chain have been read; `None` before the first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn chain_cursor(tx: &ReadTx<'_>, chain: &str) -> Result<Option<String>, LedgerError> {
    tx.first("SELECT position FROM chain_cursor WHERE chain = ?1", (chain,), |row| row.get("position"))
        .map_err(failed("reading the cursor of chain", chain))
}

/// Sets it, in the transaction that keeps the events.
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

/// Forgets it: events are read from the first again.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn forget_chain_cursor(tx: &WriteTx<'_>, chain: &str) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM chain_cursor WHERE chain = ?1", (chain,))
        .map(drop)
        .map_err(failed("forgetting the cursor of chain", chain))
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<StoredChainEvent> {
    Ok(StoredChainEvent {
        digest: row.get("digest")?,
        event_index: row.get("event_index")?,
        kind: row.get("kind")?,
        object_id: row.get("object_id")?,
        owner: row.get("owner")?,
        order_key: row.get("order_key")?,
        amount: row.get("amount_micros")?,
        at: row.get("at_ms")?,
    })
}
