//! What can be asked of a chain about escrow accounts, and what it answers.
//!
//! A customer's account is one shared object that holds USDC. The wallet pays in, takes out, at any time everything,
//! and sets the limit of what the operator can charge in a period of 28 days; the operator charges and gives back.
//!
//! ```text
//! wallet:    build ──▶ sign (by the wallet) ──▶ submit ──▶ seen ──▶ final, with events, or failed
//! operator:  charge, credit ──▶ done, with a receipt, or refused; the same for each repetition of the same key
//! ```

use crate::core::calendar::{DAY_MS, UtcMillis};
use crate::core::customer::WalletAddress;
use crate::core::money::Usd;
use crate::core::seal_key::ObjectId;

/// The contract's period: exactly 28 × 86 400 000 ms, counted from the creation of each account.
pub const PERIOD_MS: i64 = 28 * DAY_MS;
/// The contract takes no limit below this, except 0 for none.
pub const LEAST_SPENDING_LIMIT: Usd = Usd::from_dollars(10);
/// Characters of an idempotency key, at most.
pub const MAX_KEY_CHARS: usize = 128;
/// Events or accounts in one answer, at most.
pub const MAX_PAGE: u32 = 1000;

/// An account as the chain has it. USDC counts as USD, one to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscrowAccount {
    pub object_id: ObjectId,
    pub owner: WalletAddress,
    /// Period 0 begins here.
    pub created_at: UtcMillis,
    pub balance: Usd,
    /// The most that can be charged in a period; 0 = unlimited.
    pub spending_limit: Usd,
    /// The period in which something was charged last; `period_charged` is of it.
    pub period: i64,
    pub period_charged: Usd,
}

impl EscrowAccount {
    /// The number of the period that an instant lies in.
    pub fn period_at(&self, at: UtcMillis) -> i64 {
        at.0.saturating_sub(self.created_at.0).max(0) / PERIOD_MS
    }
}

/// An order of the operator: to charge an account, or to give something back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscrowOrder {
    pub account: ObjectId,
    /// More than 0.
    pub amount: Usd,
    /// What is sent again bears the same key, and has the same outcome for ever: done once, or refused for good. Who
    /// wants to try again after a refusal takes another key.
    pub key: String,
}

/// What became of an order, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderOutcome {
    Done(Receipt),
    Refused(Refusal),
}

/// Proof of an order that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Of the transaction.
    pub digest: String,
    pub at: UtcMillis,
    /// Of the account, right after it.
    pub balance: Usd,
}

/// Why the contract does not do something. Nothing has been moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such escrow account")]
    NoSuchAccount,
    #[error("the amount is not more than 0")]
    NoAmount,
    #[error("the escrow account has {balance} only")]
    NotEnough { balance: Usd },
    #[error("the spending limit of {limit} would be exceeded: {charged} of it is used up in this period")]
    LimitExceeded { limit: Usd, charged: Usd, period_ends_at: UtcMillis },
    #[error("the wallet has {balance} only")]
    NotEnoughInWallet { balance: Usd },
    #[error("the operator has {balance} only")]
    NotEnoughCollected { balance: Usd },
    #[error("a spending limit is 0 for none, or at least {LEAST_SPENDING_LIMIT}")]
    NoSuchLimit,
    #[error("the key stands for another order")]
    KeyReused,
    #[error("a balance would leave its range")]
    OutOfRange,
}

/// What a wallet can be asked to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalletAction {
    /// Creates the account if there is none.
    Deposit {
        amount: Usd,
    },
    Withdraw {
        amount: Usd,
    },
    /// 0 = unlimited.
    SetSpendingLimit {
        limit: Usd,
    },
}

/// A transaction for a wallet to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedTransaction {
    /// Names it from here on.
    pub digest: String,
    /// What is signed.
    pub content: String,
    /// What the chain has not seen by then will never happen.
    pub expires_at: UtcMillis,
}

/// A transaction with the wallet's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    pub content: String,
    /// Base64, with the scheme's flag in front.
    pub signature: String,
}

/// How far a transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionStatus {
    /// The chain has not seen it.
    Unknown,
    Seen {
        at: UtcMillis,
    },
    /// It has happened, for good.
    Final {
        at: UtcMillis,
        events: Vec<EscrowEvent>,
    },
    /// It will never happen.
    Failed {
        at: UtcMillis,
        refusal: Refusal,
    },
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    Created,
    Deposited,
    Withdrawn,
    Charged { key: String },
    Credited { key: String },
    SpendingLimitSet,
}

impl EventKind {
    /// The word used in JSON and SQL.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Deposited => "deposited",
            Self::Withdrawn => "withdrawn",
            Self::Charged { .. } => "charged",
            Self::Credited { .. } => "credited",
            Self::SpendingLimitSet => "spending_limit_set",
        }
    }
}

/// Something that happened to an account, for good. Digest and index name it; it may be told more than once, and not in
/// order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscrowEvent {
    /// Of the transaction.
    pub digest: String,
    /// In the transaction.
    pub index: u32,
    pub at: UtcMillis,
    pub account: ObjectId,
    pub owner: WalletAddress,
    pub kind: EventKind,
    /// That was moved, or the new limit; 0 for a creation.
    pub amount: Usd,
    /// Of the account, right after it.
    pub balance: Usd,
}

/// Up to where events have been read: a text of the chain's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCursor(pub String);

/// Some events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    pub events: Vec<EscrowEvent>,
    /// To be kept together with what follows from the events.
    pub next: EventCursor,
    /// Whether there are more already.
    pub has_more: bool,
}
