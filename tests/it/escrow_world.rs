//! A business on disk with the simulated chain's journal beside it, and people with wallets.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use suiftly::app::billing::show_parked;
use suiftly::app::{App, AppError, Caller, Credential, NewWalletTransaction, WalletSignature, WalletTransactionView};
use suiftly::chain::escrow::{EventKind, UnsignedTransaction};
use suiftly::chain::{Chain, SimChain, SimWallet};
use suiftly::clock::Clock;
use suiftly::core::calendar::UtcMillis;
use suiftly::core::customer::Customer;
use suiftly::core::error_code::Code;
use suiftly::core::id::CustomerId;
use suiftly::core::money::Usd;
use suiftly::ledger::customer::insert_customer;
use suiftly::ledger::parked::parked;
use tempfile::TempDir;

use crate::support;

pub const GENESIS: [u8; 16] = [7; 16];
/// 2026-03-10T12:00:00Z
pub const NOW: UtcMillis = UtcMillis(1_773_144_000_000);

/// A business on disk, and a process that may end at any time.
pub struct Business {
    pub folder: TempDir,
    pub clock: Clock,
    pub app: Arc<App>,
}

impl Business {
    pub async fn new() -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), Clock::settable(NOW));
        let app = open(folder.path(), folder.path(), &clock).await;
        Self { folder, clock, app }
    }

    /// The process ends without a word, and another one begins.
    pub async fn restart(&mut self) {
        let old = std::mem::replace(&mut self.app, Arc::new(elsewhere(&self.clock)));
        close(old).await;
        self.app = open(self.folder.path(), self.folder.path(), &self.clock).await;
    }

    pub fn pass(&self, ms: i64) {
        assert!(self.clock.set(self.clock.now().plus_ms(ms)));
    }

    /// Lets time pass until nothing is under way.
    pub async fn settle(&self) {
        for _ in 0..40 {
            self.pass(1_000);
            self.app.work_on_chain().await.unwrap();
        }
    }

    pub fn sim(&self) -> &SimChain {
        let Chain::Sim(sim) = &self.app.chain;
        sim
    }

    /// A customer with USDC in the wallet.
    pub async fn customer(&self, number: u64, dollars: i32) -> Person {
        let wallet = SimWallet::numbered(number).unwrap();
        self.sim().faucet(wallet.address(), Usd::from_dollars(dollars), self.clock.now()).unwrap();
        self.register(wallet).await
    }

    pub async fn register(&self, wallet: SimWallet) -> Person {
        let number =
            CustomerId::new(u32::from_le_bytes(wallet.address().as_str().as_bytes()[60..64].try_into().unwrap()));
        let customer = number.unwrap();
        let new = Customer::new(customer, wallet.address().clone(), self.clock.now());
        self.app.ledger.write(move |tx| insert_customer(tx, &new)).await.unwrap();
        let credential = Credential::Session(suiftly::core::id::SessionId::new([1; _]));
        Person { caller: Caller { customer, credential, ip: "203.0.113.9".parse().unwrap() }, wallet }
    }

    pub async fn build(&self, person: &Person, action: &str, dollars: i64) -> Result<WalletTransactionView, AppError> {
        self.app.build_wallet_transaction(&person.caller, None, asked(action, dollars * 1_000_000)).await
    }

    pub async fn sign(
        &self,
        person: &Person,
        built: &WalletTransactionView,
    ) -> Result<WalletTransactionView, AppError> {
        let signature = person.sign(built);
        self.app.hand_in_wallet_transaction(&person.caller, None, built.digest.clone(), signature).await
    }

    /// Built, signed, handed in, and waited for.
    pub async fn transact(&self, person: &Person, action: &str, dollars: i64) -> WalletTransactionView {
        let built = self.build(person, action, dollars).await.unwrap();
        self.sign(person, &built).await.unwrap();
        self.settle().await;
        self.app.wallet_transaction(&person.caller, built.digest).await.unwrap()
    }

    pub async fn balance(&self, person: &Person) -> i64 {
        self.app.escrow(&person.caller).await.unwrap().balance_micros
    }

    /// How often the chain charged for each order.
    pub async fn charges_on_chain(&self) -> BTreeMap<String, usize> {
        let mut charges = BTreeMap::new();
        let page = self.app.chain.events(None, 1000, self.clock.now()).await.unwrap();
        assert!(!page.has_more);
        for event in page.events {
            if let EventKind::Charged { key } = event.kind {
                *charges.entry(key).or_default() += 1;
            }
        }
        charges
    }

    pub async fn why_parked(&self, person: &Person) -> Option<String> {
        let customer = person.caller.customer;
        self.app.ledger.read(move |tx| parked(tx, customer)).await.unwrap().map(|parked| parked.reason)
    }

    /// Books, copies and chain agree.
    pub async fn check(&self) {
        let reconciled = self.app.reconcile_escrow(None).await.unwrap();
        assert_eq!((reconciled.parked.as_slice(), reconciled.mended), ([].as_slice(), 0));
        self.app.verify_books(0).await.unwrap();
        let parked = self.app.ledger.read(show_parked).await.unwrap();
        assert_eq!(parked.len(), 0, "{parked:?}");
        let totals = self.sim().totals();
        assert_eq!(
            totals.given.micros(),
            (totals.wallets.micros() + totals.accounts.micros() + totals.collected.micros())
        );
    }
}

/// Somebody with a wallet.
pub struct Person {
    pub caller: Caller,
    pub wallet: SimWallet,
}

impl Person {
    pub fn sign(&self, built: &WalletTransactionView) -> WalletSignature {
        let content = built.content.clone().unwrap_or_default();
        let unsigned = UnsignedTransaction { digest: built.digest.clone(), content, expires_at: NOW };
        signature(&self.wallet.sign(&unsigned).unwrap().signature)
    }
}

pub fn signature(text: &str) -> WalletSignature {
    serde_json::from_value(serde_json::json!({"signature": text})).unwrap()
}

pub fn asked(action: &str, amount_micros: i64) -> NewWalletTransaction {
    serde_json::from_value(serde_json::json!({"action": action, "amount_micros": amount_micros})).unwrap()
}

/// The ledger's folder and the chain's.
pub async fn open(ledger: &Path, chain: &Path, clock: &Clock) -> Arc<App> {
    let mut app = support::app(ledger, clock.clone()).0;
    app.chain = Chain::Sim(SimChain::open(&chain.join("sim-chain.journal"), GENESIS).unwrap());
    Arc::new(app)
}

/// To put in the place of one that is closed.
pub fn elsewhere(clock: &Clock) -> App {
    let folder = TempDir::new().unwrap();
    support::app(folder.path(), clock.clone()).0
}

pub async fn close(app: Arc<App>) {
    tokio::task::spawn_blocking(move || app.ledger.close()).await.unwrap();
}

pub fn code(error: AppError) -> Code {
    match error {
        AppError::Refused(refusal) => refusal.code,
        error => unreachable!("{error:?}"),
    }
}
