//! The Sui side: what is done on the chain and read from it, behind one type.
//!
//! Everything here may fail at any time and may have happened although it seems to have failed, so every operation can
//! be repeated: the chain is asked what is there already before something is made, and whoever moves money bears a key.
//! Times are arguments: a chain has a clock of its own, and the simulated one takes it from its caller.

pub mod escrow;
mod sim;

pub use sim::{
    FINAL_AFTER_MS, Fault, FaultPlan, Genesis, NotSigned, SimChain, SimError, SimTotals, SimWallet, TRANSACTION_LIFE_MS,
};

use crate::chain::escrow::{
    EscrowAccount, EscrowOrder, EventCursor, EventPage, OrderOutcome, SignedTransaction, TransactionStatus,
    UnsignedTransaction, WalletAction,
};
use crate::core::api_key::ProcessGroup;
use crate::core::calendar::UtcMillis;
use crate::core::customer::WalletAddress;
use crate::core::id::SealKeyId;
use crate::core::money::Usd;
use crate::core::seal_key::{ObjectId, PackageAddress};

/// A chain.
#[derive(Debug)]
pub enum Chain {
    /// A simulation within the process. What it says is worth nothing elsewhere.
    Sim(SimChain),
}

/// What a Seal key's object on the chain shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealKeyObject {
    /// Names the object: the same key is never registered twice.
    pub seal_key: SealKeyId,
    /// From 1; a lower one than the chain has is not taken.
    pub version: u64,
    pub process_group: ProcessGroup,
    pub derivation_index: u64,
    /// Whether key servers shall answer for it. Objects stay: that of a deleted key says no for good.
    pub is_enabled: bool,
    pub packages: Vec<PackageAddress>,
}

/// What the chain answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredSealKey {
    pub object_id: ObjectId,
    /// `0x` and the hexadecimal digits of a BLS12-381 G2 point, compressed: 96 bytes.
    pub public_key: String,
}

/// Something that the chain did not do, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    #[error("the chain did not answer")]
    NoAnswer,
    #[error("the chain has version {there} of this Seal key, which is newer than {asked}")]
    Outdated { asked: u64, there: u64 },
    /// It was not done, and never will be in this form.
    #[error("the chain does not take this transaction: {0}")]
    NotATransaction(&'static str),
    /// Read everything from the beginning, and compare.
    #[error("the cursor {0:?} is none of this chain: the chain was replaced, or the cursor's store was")]
    UnknownCursor(String),
    /// It was not done.
    #[error("the simulated chain cannot be written: {0}")]
    Unwritable(String),
}

impl Chain {
    /// Whether it is a simulation, which is said wherever something of it is shown.
    pub fn is_simulated(&self) -> bool {
        match self {
            Self::Sim(_) => true,
        }
    }

    /// Under which name the place in its events is kept.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sim(_) => "sim",
        }
    }

    /// Gives USDC to a wallet where that is possible: on a simulated chain. `None` elsewhere.
    pub fn draw_from_faucet(
        &self,
        wallet: &WalletAddress,
        amount: Usd,
        now: UtcMillis,
    ) -> Option<Result<(), ChainError>> {
        match self {
            Self::Sim(sim) => Some(sim.faucet(wallet, amount, now)),
        }
    }

    /// Checks that a wallet has signed what was built for it, without handing it in.
    ///
    /// # Errors
    /// [`ChainError::NotATransaction`].
    pub fn check_signature(&self, wallet: &WalletAddress, signed: &SignedTransaction) -> Result<(), ChainError> {
        match self {
            Self::Sim(_) => sim::check_signature(wallet, signed),
        }
    }

    /// Waits until what the chain has told stays so through a power failure: to be done before it is in the ledger.
    ///
    /// # Errors
    /// [`ChainError::Unwritable`].
    pub async fn settle(&self) -> Result<(), ChainError> {
        match self {
            Self::Sim(sim) => sim.sync().await,
        }
    }

    /// Makes the object of a Seal key say this, creating it if there is none.
    ///
    /// # Errors
    /// [`ChainError`]; it may have been done all the same, and can be repeated.
    pub async fn put_seal_key(&self, object: &SealKeyObject) -> Result<RegisteredSealKey, ChainError> {
        match self {
            Self::Sim(sim) => sim.put_seal_key(object).await,
        }
    }

    /// Takes an amount from an account, within its limit; once for each key.
    ///
    /// # Errors
    /// [`ChainError`]; it may have been done all the same: repeat it with the same key until there is an outcome.
    pub async fn charge(&self, order: &EscrowOrder, now: UtcMillis) -> Result<OrderOutcome, ChainError> {
        match self {
            Self::Sim(sim) => sim.charge(order, now).await,
        }
    }

    /// Gives an amount back to an account, from what was charged; once for each key. What was given back is not taken
    /// off what counts against the limit.
    ///
    /// # Errors
    /// As for [`Chain::charge`].
    pub async fn credit(&self, order: &EscrowOrder, now: UtcMillis) -> Result<OrderOutcome, ChainError> {
        match self {
            Self::Sim(sim) => sim.credit(order, now).await,
        }
    }

    /// Makes a transaction for a wallet to sign. Nothing happens on the chain.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn build(
        &self,
        wallet: &WalletAddress,
        action: WalletAction,
        nonce: [u8; 16],
        now: UtcMillis,
    ) -> Result<UnsignedTransaction, ChainError> {
        match self {
            Self::Sim(sim) => sim.build(wallet, action, nonce, now).await,
        }
    }

    /// Hands in a signed transaction and tells its digest. Repeating it does nothing more.
    ///
    /// # Errors
    /// [`ChainError::NotATransaction`] for one that is expired or not signed by its wallet; otherwise it may have been
    /// taken all the same.
    pub async fn submit(&self, signed: &SignedTransaction, now: UtcMillis) -> Result<String, ChainError> {
        match self {
            Self::Sim(sim) => sim.submit(signed, now).await,
        }
    }

    /// How far a transaction is.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn transaction(&self, digest: &str, now: UtcMillis) -> Result<TransactionStatus, ChainError> {
        match self {
            Self::Sim(sim) => sim.transaction(digest, now).await,
        }
    }

    /// The account of a wallet.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn escrow_account(
        &self,
        owner: &WalletAddress,
        now: UtcMillis,
    ) -> Result<Option<EscrowAccount>, ChainError> {
        match self {
            Self::Sim(sim) => sim.escrow_account(owner, now).await,
        }
    }

    /// At most `limit` accounts of this operator in the order of their ids, those after `after` or from the first: all
    /// that is needed to find them again after the ledger was lost.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn escrow_accounts(
        &self,
        after: Option<&ObjectId>,
        limit: u32,
        now: UtcMillis,
    ) -> Result<Vec<EscrowAccount>, ChainError> {
        match self {
            Self::Sim(sim) => sim.escrow_accounts(after, limit, now).await,
        }
    }

    /// The USDC in a wallet.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn wallet_balance(&self, wallet: &WalletAddress, now: UtcMillis) -> Result<Usd, ChainError> {
        match self {
            Self::Sim(sim) => sim.wallet_balance(wallet, now).await,
        }
    }

    /// At most `limit` events after a cursor, or from the first. Each is told at least once, perhaps out of order.
    ///
    /// # Errors
    /// [`ChainError::UnknownCursor`] if the cursor is of another chain; otherwise ask again.
    pub async fn events(
        &self,
        after: Option<&EventCursor>,
        limit: u32,
        now: UtcMillis,
    ) -> Result<EventPage, ChainError> {
        match self {
            Self::Sim(sim) => sim.events(after, limit, now).await,
        }
    }
}
