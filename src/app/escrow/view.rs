//! Escrow as its owner sees and asks for it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::calendar::UtcMillis;
use crate::ledger::escrow::StoredEscrowAccount;
use crate::ledger::wallet_transaction::{WalletTransaction, WalletTransactionState};

/// The account on the chain, as far as its final events have been seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Escrow)]
pub struct EscrowView {
    /// The chain is simulated: nothing of this is anywhere else, and its USDC is worth nothing.
    pub is_simulated: bool,
    /// Absent before the first deposit, which makes the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub object_id: Option<String>,
    /// Micro-dollars.
    pub balance_micros: i64,
    /// The most that can be charged in a period of 28 days, in micro-dollars; 0: unlimited.
    pub spending_limit_micros: i64,
    /// Charged in the running period, in micro-dollars.
    pub period_charged_micros: i64,
    /// When the next period begins; absent without an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub period_ends_at: Option<String>,
}

/// What the wallet holds besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletUsdc {
    /// The chain is simulated: its USDC is worth nothing.
    pub is_simulated: bool,
    /// Micro-dollars.
    pub balance_micros: i64,
}

/// A transaction to be made for the wallet to sign.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWalletTransaction {
    /// `deposit`, `withdraw` or `set_spending_limit`.
    #[schema(schema_with = action_schema)]
    pub(super) action: String,
    /// Micro-dollars: what is moved, or the new limit of a period, where 0 is none.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub(super) amount_micros: i64,
}

impl NewWalletTransaction {
    /// For whoever does not ask by JSON.
    pub fn new(action: &str, amount: crate::core::money::Usd) -> Self {
        Self { action: action.to_owned(), amount_micros: amount.micros() }
    }
}

impl WalletSignature {
    /// For whoever does not hand it in by JSON.
    pub const fn new(signature: String) -> Self {
        Self { signature }
    }
}

fn action_schema() -> utoipa::openapi::schema::Object {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(["deposit", "withdraw", "set_spending_limit"]))
        .build()
}

/// A wallet's signature of a transaction.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WalletSignature {
    /// Base64, with the scheme's flag in front, of the `content` as a personal message.
    #[schema(min_length = 1, max_length = 8192)]
    pub(super) signature: String,
}

/// A transaction that the wallet is asked to sign, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WalletTransaction)]
pub struct WalletTransactionView {
    /// Names it on the chain, too.
    pub digest: String,
    /// `deposit`, `withdraw` or `set_spending_limit`.
    pub action: String,
    /// Micro-dollars: what is moved, or the new limit.
    pub amount_micros: i64,
    /// `built`, `signed`, `seen`, `final`, `credited` (it is in the books) or `failed`.
    pub state: String,
    /// What is to be signed; absent once it is signed or over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub content: Option<String>,
    /// Why it did not happen; absent unless it has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<String>,
    /// The chain is simulated.
    pub is_simulated: bool,
    #[schema(format = DateTime)]
    pub built_at: String,
    /// What the chain has not seen by then will not happen.
    #[schema(format = DateTime)]
    pub expires_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// The newest transactions, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WalletTransactionList {
    pub items: Vec<WalletTransactionView>,
}

pub(super) fn view(transaction: WalletTransaction, is_simulated: bool) -> WalletTransactionView {
    let is_built = transaction.state == WalletTransactionState::Built;
    WalletTransactionView {
        digest: transaction.digest,
        action: transaction.action.name().to_owned(),
        amount_micros: transaction.amount.micros(),
        state: transaction.state.name().to_owned(),
        content: is_built.then_some(transaction.content),
        failure: transaction.failure,
        is_simulated,
        built_at: transaction.built_at.to_string(),
        expires_at: transaction.expires_at.to_string(),
        updated_at: transaction.updated_at.to_string(),
    }
}

pub(super) fn escrow_view(account: Option<StoredEscrowAccount>, is_simulated: bool, now: UtcMillis) -> EscrowView {
    let mirror = account.as_ref().and_then(|account| crate::app::billing::convert::escrow_from(account).ok());
    let default = crate::core::customer::DEFAULT_SPENDING_LIMIT;
    EscrowView {
        is_simulated,
        object_id: account.as_ref().map(|account| account.object_id.to_string()),
        balance_micros: mirror.map_or(0, |mirror| mirror.balance.micros()),
        spending_limit_micros: mirror.map_or(default, |mirror| mirror.limit.amount()).micros(),
        period_charged_micros: mirror.map_or(0, |mirror| mirror.charged_at(now).micros()),
        period_ends_at: mirror.map(|mirror| mirror.next_period_after(now).to_string()),
    }
}
