//! Escrow: what is asked of the chain for the ledger's sake, and what the chain tells.
//!
//! ```text
//! decision ──▶ outbox of orders ──▶ chain: charge, give back ──▶ answer ──▶ decision          (orders)
//! customer ──▶ built ──▶ signed by the wallet ──▶ chain ──▶ seen ──▶ final                    (wallet_transactions, follow)
//! chain ──▶ events, kept with the cursor ──▶ into the books, one by one                       (inbox)
//! chain's accounts ◀──compared──▶ ledger's copies                                             (reconcile)
//! ```
//! Everything here may stop at any instant and happen again: orders bear a key by which the chain knows them, events
//! have their place in a transaction, and each is in the books once. An order's key begins with the ledger's identity, so
//! that another ledger on the same chain (also the one that follows a lost one) never takes its orders for its own. When
//! a ledger was lost, the events of the chain lead to the same accounts and balances again, as soon as their wallets
//! sign in. When one was restored from a copy, what it had charged since becomes credit.

mod follow;
mod inbox;
mod orders;
mod reconcile;
mod view;
mod wallet_transactions;

pub use reconcile::Reconciled;
pub use view::{
    EscrowView, NewWalletTransaction, WalletSignature, WalletTransactionList, WalletTransactionView, WalletUsdc,
};

use std::future::Future;
use std::time::Duration;

use crate::app::{App, AppError};
use crate::chain::ChainError;
use crate::core::calendar::{MINUTE_MS, UtcMillis};

/// After this the chain is taken not to have answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// What shares a transaction of the ledger, or is looked at in one go.
const AT_ONCE: u32 = 256;
/// How long what could not be taken into a customer's books waits until it is tried again.
const TRY_AGAIN_MS: i64 = MINUTE_MS;
/// How often the chain is asked for events while nothing is under way.
const QUIET_POLL: Duration = Duration::from_secs(1);
/// The same while a wallet's transaction is on its way.
const BUSY_POLL: Duration = Duration::from_millis(200);

impl App {
    /// Does whatever waits for the chain, and takes in what the chain tells. Returns when to look again.
    ///
    /// # Errors
    /// [`AppError::Chain`] if the chain could not be read: then nothing was ordered, and everything else was done. Otherwise [`AppError::Ledger`]; the
    /// next run goes on.
    pub async fn work_on_chain(&self) -> Result<Duration, AppError> {
        let read = self.read_chain_events().await;
        self.take_in_chain_events().await?;
        let is_under_way = self.follow_wallet_transactions().await?;
        self.take_in_chain_events().await?;
        // Whoever does not know what was taken out asks in vain, or for what an earlier ledger was paid for.
        read?;
        let next = self.send_orders().await?;
        let poll = if is_under_way { BUSY_POLL } else { QUIET_POLL };
        Ok(next.map_or(poll, |at| self.clock.until(at).clamp(BUSY_POLL, poll)))
    }

    /// Waits for the chain, but not for ever.
    async fn answer<T>(&self, asking: impl Future<Output = Result<T, ChainError>>) -> Result<T, ChainError> {
        tokio::time::timeout(ANSWER_WITHIN, asking).await.unwrap_or(Err(ChainError::NoAnswer))
    }
}

/// When what got no answer is sent again: after 1 s, 2 s, 4 s … 5 min.
fn send_again_at(sends: u32, now: UtcMillis) -> UtcMillis {
    let wait_ms = 1_000_i64.saturating_mul(1_i64.checked_shl(sends.min(16)).unwrap_or(i64::MAX));
    now.plus_ms(wait_ms.min(5 * MINUTE_MS))
}
