//! Wallets' transactions on their way: handed in until the chain knows them, and watched until they are final.

use tracing::{debug, info};

use crate::app::{App, AppError};
use crate::chain::ChainError;
use crate::chain::escrow::{SignedTransaction, TransactionStatus};
use crate::core::calendar::{MINUTE_MS, UtcMillis};
use crate::ledger::WriteTx;
use crate::ledger::wallet_transaction::{
    Progress, WalletTransaction, WalletTransactionState, advance_wallet_transaction, wallet_transactions_under_way,
};

use super::AT_ONCE;
use super::inbox::keep_events;

/// So long after its end a transaction that the chain does not know is still looked for: it may just be arriving.
const GIVE_UP_AFTER_MS: i64 = 5 * MINUTE_MS;

impl App {
    /// Looks after everything that is under way. Tells whether something still is.
    pub(super) async fn follow_wallet_transactions(&self) -> Result<bool, AppError> {
        let (mut after, mut is_under_way) = (String::new(), false);
        loop {
            let now = self.clock.now();
            let from = std::mem::take(&mut after);
            let page = self.ledger.read(move |tx| wallet_transactions_under_way(tx, &from, now, AT_ONCE)).await?;
            let Some(last) = page.last() else { return Ok(is_under_way) };
            after.clone_from(&last.digest);
            for transaction in page {
                match self.follow(transaction).await? {
                    Followed::Over => {}
                    Followed::UnderWay => is_under_way = true,
                    // It would not answer for the others, either.
                    Followed::NoAnswer => return Ok(true),
                }
            }
        }
    }

    /// Looks after one.
    pub(super) async fn follow(&self, transaction: WalletTransaction) -> Result<Followed, AppError> {
        let now = self.clock.now();
        let digest = transaction.digest.clone();
        let status = self.answer(self.chain.transaction(&digest, now)).await;
        let status = match status {
            Ok(TransactionStatus::Unknown) => self.hand_in(&transaction, now).await,
            status => status.map(Found::from),
        };
        let found = match status {
            Ok(found) => found,
            Err(error) => {
                debug!(digest, %error, "the fate of a wallet's transaction is not known; it is looked up again");
                let is_silent = matches!(error, ChainError::NoAnswer | ChainError::Unwritable(_));
                return Ok(if is_silent { Followed::NoAnswer } else { Followed::UnderWay });
            }
        };
        let followed = if matches!(found, Found::Failed(_)) { Followed::Over } else { Followed::UnderWay };
        if let Found::Failed(why) = &found {
            info!(digest, why, "a wallet's transaction did not happen");
        }
        if matches!(found, Found::Final(_)) {
            self.chain.settle().await?;
        }
        let customer = transaction.customer;
        let record = move |tx: &WriteTx<'_>| {
            let progress = match &found {
                Found::Nothing => return Ok(()),
                Found::Seen => Progress::Seen,
                Found::Final(events) => {
                    keep_events(tx, events, now)?;
                    Progress::Final
                }
                Found::Failed(failure) => Progress::Failed { failure },
            };
            if advance_wallet_transaction(tx, &digest, progress, now)? {
                tx.touch(customer);
            }
            Ok(())
        };
        self.ledger.write::<_, AppError, _>(record).await?;
        Ok(followed)
    }

    /// The chain does not know it: it is handed in, again, or given up.
    async fn hand_in(&self, transaction: &WalletTransaction, now: UtcMillis) -> Result<Found, ChainError> {
        let is_over = now > transaction.expires_at.plus_ms(GIVE_UP_AFTER_MS);
        let signature = match (&transaction.signature, transaction.state) {
            // A chain may forget what it has only seen.
            (Some(signature), WalletTransactionState::Signed | WalletTransactionState::Seen) => signature.clone(),
            (None, WalletTransactionState::Built) if is_over => {
                return Ok(Found::Failed("it was not signed in time".to_owned()));
            }
            _ => return Ok(Found::Nothing),
        };
        let signed = SignedTransaction { content: transaction.content.clone(), signature };
        match self.answer(self.chain.submit(&signed, now)).await {
            Ok(_) => Ok(Found::Seen),
            Err(ChainError::NotATransaction(why)) if is_over => Ok(Found::Failed(why.to_owned())),
            // It may still be arriving by an earlier try.
            Err(ChainError::NotATransaction(_)) if now > transaction.expires_at => Ok(Found::Nothing),
            Err(ChainError::NotATransaction(why)) => Ok(Found::Failed(why.to_owned())),
            Err(error) => Err(error),
        }
    }
}

/// What came of looking after one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    Over,
    UnderWay,
    NoAnswer,
}

/// What was found out about a transaction.
enum Found {
    Nothing,
    Seen,
    Final(Vec<crate::chain::escrow::EscrowEvent>),
    Failed(String),
}

impl From<TransactionStatus> for Found {
    fn from(status: TransactionStatus) -> Self {
        match status {
            TransactionStatus::Unknown => Self::Nothing,
            TransactionStatus::Seen { .. } => Self::Seen,
            TransactionStatus::Final { events, .. } => Self::Final(events),
            TransactionStatus::Failed { refusal, .. } => Self::Failed(refusal.to_string()),
        }
    }
}
