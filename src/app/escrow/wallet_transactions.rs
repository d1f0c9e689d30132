//! What customers do with their escrow account: transactions that are built here, signed by the wallet and handed in.

use serde_json::json;

use super::view::{
    EscrowView, NewWalletTransaction, WalletSignature, WalletTransactionList, WalletTransactionView, WalletUsdc,
    escrow_view, view,
};
use crate::app::change::{Change, Once};
use crate::app::{App, AppError, Caller, Refusal};
use crate::chain::ChainError;
use crate::chain::escrow::{SignedTransaction, UnsignedTransaction, WalletAction};
use crate::core::billing::SpendingLimit;
use crate::core::customer::WalletAddress;
use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::ledger::ReadTx;
use crate::ledger::customer::find_customer;
use crate::ledger::escrow::escrow_account_of;
use crate::ledger::wallet_transaction::{
    Progress, StoredWalletAction, WalletTransaction, WalletTransactionState, advance_wallet_transaction,
    count_unsigned_wallet_transactions, find_wallet_transaction, insert_wallet_transaction, wallet_transactions_of,
};
use crate::random::random;

/// Transactions that wait for a signature of one customer, at most.
const MAX_UNSIGNED: u64 = 20;
/// The most that one transaction moves.
const MAX_AMOUNT: Usd = Usd::from_dollars(1_000_000);
/// Of a list.
const SHOWN: u32 = 100;
/// What the faucet of the simulated chain gives at once, and to whom it gives nothing more.
const FAUCET_GIVES: Usd = Usd::from_dollars(1_000);
const FAUCET_UP_TO: Usd = Usd::from_dollars(10_000);

impl App {
    /// The caller's escrow account.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn escrow(&self, caller: &Caller) -> Result<EscrowView, AppError> {
        let customer = caller.customer;
        let account = self.ledger.read(move |tx| escrow_account_of(tx, customer)).await?;
        Ok(escrow_view(account, self.chain.is_simulated(), self.clock.now()))
    }

    /// What the caller's wallet holds on the chain.
    ///
    /// # Errors
    /// [`Code::ChainUnavailable`].
    pub async fn wallet_usdc(&self, caller: &Caller) -> Result<WalletUsdc, AppError> {
        let wallet = self.wallet_of(caller.customer).await?;
        let balance = self.answer(self.chain.wallet_balance(&wallet, self.clock.now())).await.map_err(refused)?;
        Ok(WalletUsdc { is_simulated: self.chain.is_simulated(), balance_micros: balance.micros() })
    }

    /// Gives the caller's wallet USDC of the simulated chain.
    ///
    /// # Errors
    /// [`Code::NotFound`] on a real chain, [`Code::WalletHasPlenty`].
    pub async fn draw_from_faucet(&self, caller: &Caller) -> Result<WalletUsdc, AppError> {
        let now = self.clock.now();
        let wallet = self.wallet_of(caller.customer).await?;
        let balance = self.answer(self.chain.wallet_balance(&wallet, now)).await.map_err(refused)?;
        if balance >= FAUCET_UP_TO {
            let plenty = format!("the wallet has {balance}: the faucet gives nothing from {FAUCET_UP_TO} on");
            return Err(Refusal::new(Code::WalletHasPlenty, plenty).into());
        }
        match self.chain.draw_from_faucet(&wallet, FAUCET_GIVES, now) {
            None => Err(Refusal::of(Code::NotFound).into()),
            Some(given) => {
                given.map_err(refused)?;
                self.wallet_usdc(caller).await
            }
        }
    }

    /// Makes a transaction for the caller's wallet to sign. Nothing happens on the chain.
    ///
    /// # Errors
    /// [`Code::InvalidFields`], [`Code::NoEscrowAccount`], [`Code::TooManyUnsigned`], [`Code::ChainUnavailable`].
    pub async fn build_wallet_transaction(
        &self,
        caller: &Caller,
        once: Option<Once>,
        asked: NewWalletTransaction,
    ) -> Result<WalletTransactionView, AppError> {
        let asked = read(&asked)?;
        let wallet = self.wallet_of(caller.customer).await?;
        let (now, nonce) = (self.clock.now(), random()?);
        let built = self.answer(self.chain.build(&wallet, asked, nonce, now)).await.map_err(refused)?;
        let is_simulated = self.chain.is_simulated();
        self.change(caller, once, move |change| Ok(view(keep(change, asked, built)?, is_simulated))).await
    }

    /// Takes the wallet's signature of a transaction and hands it in. If the chain does not answer, it is handed in
    /// again until it does.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::InvalidFields`] for a signature that is not the wallet's, [`Code::TransactionState`]
    /// if it is over or was signed before.
    pub async fn hand_in_wallet_transaction(
        &self,
        caller: &Caller,
        once: Option<Once>,
        digest: String,
        WalletSignature { signature }: WalletSignature,
    ) -> Result<WalletTransactionView, AppError> {
        let built = self.own_transaction(caller.customer, digest.clone()).await?;
        let signed = SignedTransaction { content: built.content.clone(), signature: signature.clone() };
        let wallet = self.wallet_of(caller.customer).await?;
        if let Err(ChainError::NotATransaction(why)) = self.chain.check_signature(&wallet, &signed) {
            let mut errors = FieldErrors::new();
            errors.add("signature", why);
            return Err(Refusal::from(errors).into());
        }
        let is_simulated = self.chain.is_simulated();
        let shown = self.change(caller, once, move |change| Ok(view(sign(change, &digest, &signature)?, is_simulated)));
        let shown = shown.await?;
        let signed = self.own_transaction(caller.customer, shown.digest.clone()).await?;
        if signed.state == WalletTransactionState::Signed {
            self.follow(signed).await?;
            self.payments.notify_one();
        }
        self.wallet_transaction(caller, shown.digest).await
    }

    /// Gives up a transaction that is not signed: no signature of it is taken any more. One that has failed already stays
    /// as it is.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::TransactionState`] if it is signed, or in the books.
    pub async fn give_up_wallet_transaction(
        &self,
        caller: &Caller,
        once: Option<Once>,
        digest: String,
    ) -> Result<WalletTransactionView, AppError> {
        let is_simulated = self.chain.is_simulated();
        self.change(caller, once, move |change| Ok(view(give_up(change, &digest)?, is_simulated))).await
    }

    /// One of the caller's transactions.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn wallet_transaction(&self, caller: &Caller, digest: String) -> Result<WalletTransactionView, AppError> {
        Ok(view(self.own_transaction(caller.customer, digest).await?, self.chain.is_simulated()))
    }

    /// The caller's newest transactions.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn wallet_transactions(&self, caller: &Caller) -> Result<WalletTransactionList, AppError> {
        let customer = caller.customer;
        let found = self.ledger.read(move |tx| wallet_transactions_of(tx, customer, SHOWN)).await?;
        let is_simulated = self.chain.is_simulated();
        Ok(WalletTransactionList { items: found.into_iter().map(|found| view(found, is_simulated)).collect() })
    }

    async fn own_transaction(&self, customer: CustomerId, digest: String) -> Result<WalletTransaction, AppError> {
        let find = move |tx: &ReadTx<'_>| find_wallet_transaction(tx, &digest);
        let found = self.ledger.read(find).await?.filter(|found| found.customer == customer);
        Ok(found.ok_or_else(|| Refusal::of(Code::NotFound))?)
    }

    async fn wallet_of(&self, customer: CustomerId) -> Result<WalletAddress, AppError> {
        let found = self.ledger.read(move |tx| find_customer(tx, customer)).await?;
        Ok(found.ok_or_else(|| Refusal::of(Code::SignInRequired))?.wallet_address)
    }
}

fn read(asked: &NewWalletTransaction) -> Result<WalletAction, Refusal> {
    let amount = Usd::from_micros(asked.amount_micros);
    let mut errors = FieldErrors::new();
    let is_moved = (Usd::from_micros(1)..=MAX_AMOUNT).contains(&amount);
    let action = match asked.action.as_str() {
        "deposit" if is_moved => Some(WalletAction::Deposit { amount }),
        "withdraw" if is_moved => Some(WalletAction::Withdraw { amount }),
        "deposit" | "withdraw" => {
            errors
                .add("amount_micros", format!("use more than 0 and at most {} (= {MAX_AMOUNT})", MAX_AMOUNT.micros()));
            None
        }
        "set_spending_limit" => match SpendingLimit::new(amount) {
            Ok(limit) if limit.amount() <= MAX_AMOUNT => Some(WalletAction::SetSpendingLimit { limit: limit.amount() }),
            Ok(_) => {
                errors.add("amount_micros", format!("use at most {}, or 0 for no limit", MAX_AMOUNT.micros()));
                None
            }
            Err(error) => {
                errors.add("amount_micros", error);
                None
            }
        },
        _ => {
            errors.add("action", "use deposit, withdraw or set_spending_limit");
            None
        }
    };
    action.ok_or_else(|| errors.into())
}

/// Keeps what was built. That the balance suffices, the chain decides when it happens.
fn keep(change: &Change<'_>, asked: WalletAction, built: UnsignedTransaction) -> Result<WalletTransaction, AppError> {
    let (tx, customer, now) = (change.tx, change.id(), change.now);
    let (action, amount) = match asked {
        WalletAction::Deposit { amount } => (StoredWalletAction::Deposit, amount),
        WalletAction::Withdraw { amount } => (StoredWalletAction::Withdraw, amount),
        WalletAction::SetSpendingLimit { limit } => (StoredWalletAction::SetSpendingLimit, limit),
    };
    if action != StoredWalletAction::Deposit && escrow_account_of(tx, customer)?.is_none() {
        return Err(Refusal::of(Code::NoEscrowAccount).into());
    }
    if count_unsigned_wallet_transactions(tx, customer, now)? >= MAX_UNSIGNED {
        let many =
            format!("{MAX_UNSIGNED} wait for a signature: sign one, give one up, or wait until they have expired");
        return Err(Refusal::new(Code::TooManyUnsigned, many).into());
    }
    let UnsignedTransaction { digest, content, expires_at } = built;
    let transaction = WalletTransaction {
        digest,
        customer,
        action,
        amount,
        content,
        state: WalletTransactionState::Built,
        signature: None,
        event_index: None,
        failure: None,
        built_at: now,
        expires_at,
        updated_at: now,
    };
    insert_wallet_transaction(tx, &transaction)?;
    Ok(transaction)
}

fn sign(change: &Change<'_>, digest: &str, signature: &str) -> Result<WalletTransaction, AppError> {
    let found =
        || find_wallet_transaction(change.tx, digest).map(|found| found.ok_or_else(|| Refusal::of(Code::NotFound)));
    let built = found()??;
    if built.state == WalletTransactionState::Built && change.now > built.expires_at {
        return Err(Refusal::new(Code::TransactionState, "it has expired: have a new one made").into());
    }
    if !advance_wallet_transaction(change.tx, digest, Progress::Signed { signature }, change.now)? {
        // The same signature again, because the answer was lost, is no mistake.
        if built.signature.as_deref() == Some(signature) {
            return Ok(built);
        }
        let state = format!("it is {} already", built.state.name());
        return Err(Refusal::new(Code::TransactionState, state).into());
    }
    let details = json!({"amount_micros": built.amount.micros()});
    change.note(&format!("escrow.{}", built.action.name()), digest, details)?;
    Ok(found()??)
}

fn give_up(change: &Change<'_>, digest: &str) -> Result<WalletTransaction, AppError> {
    let found = || match find_wallet_transaction(change.tx, digest)? {
        Some(found) if found.customer == change.id() => Ok::<_, AppError>(found),
        _ => Err(Refusal::of(Code::NotFound).into()),
    };
    let known = found()?;
    match known.state {
        WalletTransactionState::Built => {}
        WalletTransactionState::Failed => return Ok(known),
        state => {
            let too_late = format!("it is {} already", state.name());
            return Err(Refusal::new(Code::TransactionState, too_late).into());
        }
    }
    let progress = Progress::Failed { failure: "it was given up before it was signed" };
    advance_wallet_transaction(change.tx, digest, progress, change.now)?;
    let details = json!({"action": known.action.name(), "amount_micros": known.amount.micros()});
    change.note("transaction.give_up", digest, details)?;
    found()
}

/// What a customer is told when the chain does not do something.
fn refused(error: ChainError) -> AppError {
    match error {
        ChainError::NoAnswer => Refusal::of(Code::ChainUnavailable).into(),
        error => error.into(),
    }
}
