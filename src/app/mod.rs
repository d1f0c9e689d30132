//! Use cases: read the clock once, load, ask `core` to decide, apply in one transaction.

mod accounts;
mod activity;
mod api_key_use;
mod api_keys;
mod api_tokens;
pub mod billing;
mod books;
mod cache;
mod caller;
mod change;
mod config_global;
mod customer;
mod customer_billing;
mod demo_page;
mod escrow;
mod fleet;
mod forgetting;
mod invoice_check;
pub mod invoice_document;
mod key_list;
mod metering;
mod notifications;
mod operator;
mod readiness;
mod refusal;
mod registrations;
mod restored;
mod run_within;
mod seal_keys;
mod services;
mod sessions;
mod sign_in;
mod storage;
mod traffic;
mod vaults;

pub use accounts::{Accounts, AccountsOptions, NoKey, NumberedKeys};
pub use activity::{ActivityPage, ActivityView, Audit, audit};
pub use api_key_use::{ApiKeyUse, ApiKeyUseList};
pub use api_keys::{
    ApiKeyAction, ApiKeyChange, ApiKeyPage, ApiKeyView, CreatedApiKey, NewApiKey, RevealedApiKey, Rotation,
};
pub use api_tokens::{ApiTokenList, ApiTokenView, CreatedApiToken, NewApiToken};
pub use books::{AccountTotal, BookFinding, BooksReport, verify_books};
pub use caller::{Caller, Credential};
pub use change::Once;
pub use config_global::{
    ConfigChangeError, LoadedConfig, change_config_global, list_config_changes, list_config_global, load_config_global,
};
pub use customer::{CustomerChange, CustomerView, TermsAccepted};
pub use customer_billing::{
    BalancesView, BillingEscrow, BillingNews, BillingOverview, CompletenessView, CreditNoteView, CreditPage,
    CreditView, EntryPage, EntryView, HourOfLineView, InvoiceDetail, InvoiceFile, InvoiceLineView, InvoiceName,
    InvoicePage, InvoiceSums, InvoiceView, LineHours, NoticePage, NoticeView, NoticesLeft, NoticesRead, PaymentAttempt,
    PaymentMethods, PostingView, PreviewAsked, PreviewPayment, PreviewView, PreviewedInvoice, RunwayView,
    ShortfallView, SpendCapChange, SpendCapView, SpendingLimitShortfall,
};
pub use demo_page::{
    DemoCounts, DemoCustomer, DemoPage, DemoTraffic, Overview, OverviewCustomer, OverviewIntake, OverviewPrice,
    OverviewSeries, OverviewTotal,
};
pub use escrow::{
    EscrowView, NewWalletTransaction, Reconciled, WalletSignature, WalletTransactionList, WalletTransactionView,
    WalletUsdc,
};
pub use fleet::{
    Answers, Fleet, FleetGateway, FleetHaproxy, FleetVault, FleetView, NetworkFreshness, NetworkGateway,
    NetworkService, NetworkState, NetworkView, fleet_at_rest,
};
pub use invoice_check::{CheckError, Difference, HourDifference, InvoiceCheck, LineCheck, Verdict, check_invoice};
pub use metering::{meter, note_usage_news};
pub use notifications::{
    AskAcknowledge, AskNotifications, NotificationList, NotificationView, acknowledge_without_process, notifications_of,
};
pub use operator::{GatewayLines, IntakeStatus, TrafficStatus, ask_sql, traffic_status, verify_traffic};
pub use readiness::{KeptReadiness, Readiness, check_readiness};
pub use refusal::Refusal;
pub use restored::{UnrestoredHours, hours_not_restored};
pub use seal_keys::{
    NewSealKey, NewSealPackage, RegistrationView, SealKeyAction, SealKeyChange, SealKeyPage, SealKeyView,
    SealPackageChange, SealPackageView,
};
pub use services::{ServiceAction, ServiceList, ServiceSettingsChange, ServiceView, TierChoice};
pub use sessions::{SessionList, SessionView};
pub use sign_in::{ChallengeView, OpenedFor, SignedIn, SignedInView};
pub use traffic::{
    EXPORT_ROWS, Export, ExportFileError, ExportFormat, LivePosition, RequestPrice, TrafficChartParams,
    TrafficExportParams, TrafficFigures, TrafficGateway, TrafficGateways, TrafficLine, TrafficLiveParams, TrafficNews,
    TrafficPercentiles, TrafficQueries, TrafficRequest, TrafficRequestDetail, TrafficRequestPage,
    TrafficRequestsParams, TrafficScope, TrafficSeries, TrafficSeriesParams, TrafficSummary, TrafficTimes, TrafficTop,
    TrafficTops, TrafficTopsParams,
};

pub use vaults::{Depth, Spreads, VAULTS_FOLDER, VaultBuilder, VaultUpdate, Vaults, VaultsOptions, seals};

use std::collections::BTreeSet;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use crate::app::billing::{BillingFailure, BillingOptions};
use crate::app::invoice_document::DocumentError;
use crate::chain::{Chain, ChainError};
use crate::clock::Clock;
use crate::core::access_token::BadToken;
use crate::core::calendar::NotAMonth;
use crate::core::config_global::BadConfig;
use crate::core::field_cipher::CipherError;
use crate::core::money::MoneyOverflow;
use crate::core::source::SourceStatus;
use crate::core::vault::file::NotSealed;
use crate::core::vault::picture::NotPacked;
use crate::ledger::{Ledger, LedgerError};
use crate::random::NoRandomness;
use crate::seal::SealError;
use crate::traffic::{Committed, KeptFor, Traffic, TrafficError};

/// What use cases work with. Shared by everything that serves requests or runs jobs.
pub struct App {
    pub clock: Clock,
    pub ledger: Ledger,
    pub traffic: Traffic,
    /// How long requests are kept, and where.
    pub kept: KeptFor,
    /// Prices and limits; replaced as a whole when an operator changes one.
    pub config_global: ArcSwap<LoadedConfig>,
    /// News of committed batches; closed when intake has stopped.
    pub committed: watch::Receiver<Committed>,
    /// Milliseconds: everything that was written before to a source that can be read is stored.
    pub delivered_to: Arc<AtomicI64>,
    /// Gateways on other hosts, which deliver their logs themselves.
    pub remote_gateways: BTreeSet<u8>,
    /// How logs and spools fare.
    pub sources: Arc<Mutex<Vec<SourceStatus>>>,
    /// Signs people in, and keeps what is theirs.
    pub accounts: Accounts,
    pub readiness: KeptReadiness,
    pub chain: Chain,
    /// What the configuration says of billing.
    pub billing: BillingOptions,
    /// What its orders on the chain begin with.
    pub ledger_id: String,
    /// Rung when Seal keys wait to be registered on the chain.
    pub outbox: Notify,
    /// Rung when payments wait to be sent, or something else of escrow to be looked after.
    pub payments: Notify,
    /// Makes vaults, and knows how far they have come.
    pub vaults: Vaults,
    /// Knows the gateways that apply them.
    pub fleet: Fleet,
    /// Bounds what customers ask of `traffic`.
    pub traffic_queries: TrafficQueries,
}

/// A use case that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    #[error("config_global holds values that are not allowed")]
    ConfigGlobal(#[from] BadConfig),
    #[error("an amount cannot be computed")]
    Money(#[from] MoneyOverflow),
    #[error("the clock shows no month of the calendar")]
    Clock(#[from] NotAMonth),
    #[error("an answer cannot be written as JSON")]
    Json { source: serde_json::Error },
    #[error("a file cannot be written")]
    ExportFile(#[from] ExportFileError),
    #[error("the server stops")]
    Stopping,
    #[error("a query has panicked")]
    Panicked,
    /// The client can do something about it.
    #[error(transparent)]
    Refused(Box<Refusal>),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error("a field of the ledger cannot be decrypted")]
    Cipher(#[from] CipherError),
    #[error("the chain could not be asked")]
    Chain(#[from] ChainError),
    #[error("billing has failed")]
    Billing(#[source] Box<BillingFailure>),
    #[error("an invoice cannot be rendered")]
    Document(#[from] DocumentError),
    #[error("a token cannot be signed")]
    Token(#[from] BadToken),
    #[error("a vault's file cannot be worked with")]
    VaultFile(#[source] Box<SealError>),
    #[error(transparent)]
    VaultPacking(#[from] NotPacked),
    #[error(transparent)]
    VaultSealing(#[from] NotSealed),
    #[error(transparent)]
    NoKey(#[from] NoKey),
}

impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl App {
    /// Runs a query of the traffic store where it may block.
    async fn query_traffic<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Traffic) -> Result<T, TrafficError> + Send + 'static,
    ) -> Result<T, AppError> {
        let traffic = self.traffic.clone();
        let result = tokio::task::spawn_blocking(move || query(&traffic)).await;
        Ok(result.map_err(|_| AppError::Panicked)??)
    }
}
