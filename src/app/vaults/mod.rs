//! Vaults: from what customers and operators change to files that gateways apply, and whether they have.
//!
//! ```text
//! commit ─▶ 50 ms ─▶ read whom it concerns ─▶ their lines ─▶ pack ─▶ file ─▶ note it ─▶ tell who waits for it
//!                    (everybody, at start, when limits change, and once in each cycle)
//! ```
//! - A vault is written exactly when its content has changed, its newest file is damaged or gone, or a gateway is ahead.
//! - What is committed while vaults are being made is in the next ones: they are made from one reading transaction, and
//!   hold every change up to the last that it sees.
//! - A balance that is gone stops keys when billing suspends the service, after its grace; a spend cap that is to stop
//!   them does at once. Parked customers go on.

mod builder;
mod update;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use zeroize::Zeroizing;

use crate::app::{App, AppError, NoKey, NumberedKeys};
use crate::core::id::{CustomerId, Network, Service};
use crate::core::vault::sync::{Applied, Coverage, GatewayReport, Spread, spread};
use crate::core::vault::{VaultCode, VaultOpener, VaultPublicKey, VaultSealer};
use crate::ledger::vault::vault_changes_of;
use crate::ledger::{LedgerError, ReadTx};
use crate::seal::{SealError, VaultFolder};

pub use builder::VaultBuilder;
pub use update::{Depth, VaultUpdate};

/// The folder of vaults, in the data directory.
pub const VAULTS_FOLDER: &str = "vaults";

/// What [`Vaults`] are made of.
pub struct VaultsOptions {
    pub folder: PathBuf,
    /// At least one; the highest encrypts.
    pub vault_keys: NumberedKeys,
    pub vault_signing: Zeroizing<[u8; 32]>,
    /// On which Seal keys are registered.
    pub seal_network: Network,
}

/// The part of [`App`] that makes vaults and knows how far they have come.
pub struct Vaults {
    folder: VaultFolder,
    sealer: VaultSealer,
    opener: VaultOpener,
    seal_network: Network,
    progress: Arc<Mutex<Progress>>,
    newest: watch::Sender<BTreeMap<VaultCode, Applied>>,
    /// Rung when vaults have to be looked at although nothing was committed.
    wake: Notify,
}

/// What "updating…" is decided from.
#[derive(Debug, Default)]
struct Progress {
    coverage: BTreeMap<VaultCode, Coverage>,
    /// By the gateway's number, as in its log lines.
    gateways: BTreeMap<u8, GatewayReport>,
}

/// Tells customers how far their changes have come; for work that has no [`App`].
#[derive(Clone)]
pub struct Spreads(Arc<Mutex<Progress>>);

impl Vaults {
    /// Opens or creates the folder. Blocks.
    ///
    /// # Errors
    /// [`AppError::VaultFile`], [`AppError::NoKey`].
    pub fn open(options: VaultsOptions) -> Result<Self, AppError> {
        let (sealer, opener) = seals(&options.vault_keys, &options.vault_signing)?;
        Ok(Self {
            folder: VaultFolder::open(&options.folder)?,
            sealer,
            opener,
            seal_network: options.seal_network,
            progress: Arc::default(),
            newest: watch::Sender::default(),
            wake: Notify::new(),
        })
    }

    /// Where the files are.
    pub fn folder(&self) -> &VaultFolder {
        &self.folder
    }

    /// Verifies and decrypts the files, as a gateway does.
    pub fn opener(&self) -> &VaultOpener {
        &self.opener
    }

    /// What gateways on other hosts verify with.
    pub fn public_key(&self) -> VaultPublicKey {
        self.sealer.public_key()
    }

    /// The newest version of each vault, told when its file is there.
    pub fn newest(&self) -> watch::Receiver<BTreeMap<VaultCode, Applied>> {
        self.newest.subscribe()
    }

    /// Takes in what a gateway has said, or that it has not answered.
    pub fn note_gateway(&self, gateway: u8, report: GatewayReport) {
        let mut progress = locked(&self.progress);
        let is_ahead = VaultCode::ALL.into_iter().any(|code| progress.beyond(code, &report) > 0);
        progress.gateways.insert(gateway, report);
        drop(progress);
        if is_ahead {
            self.wake.notify_one();
        }
    }

    /// Every gateway with what it said last.
    pub fn gateways(&self) -> BTreeMap<u8, GatewayReport> {
        locked(&self.progress).gateways.clone()
    }

    /// Returns when vaults have to be looked at although nothing was committed.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    pub fn spreads(&self) -> Spreads {
        Spreads(Arc::clone(&self.progress))
    }

    /// What the next version of a vault has to be higher than, as far as gateways say.
    fn beyond(&self, code: VaultCode) -> u64 {
        let progress = locked(&self.progress);
        progress.gateways.values().map(|gateway| progress.beyond(code, gateway)).max().unwrap_or(0)
    }

    /// A version holds everything up to a change.
    fn note_progress(&self, code: VaultCode, version: Applied, change: u64) {
        locked(&self.progress).coverage.entry(code).or_default().note(version, change);
        self.newest.send_if_modified(|newest| newest.insert(code, version) != Some(version));
    }
}

impl Progress {
    fn beyond(&self, code: VaultCode, gateway: &GatewayReport) -> u64 {
        // Before the first look at the folder nothing is known that a gateway could be ahead of.
        let Some(coverage) = self.coverage.get(&code) else { return 0 };
        let applied = gateway.applied.get(&code).map_or(0, |applied| coverage.beyond(applied));
        applied.max(gateway.taken.get(&code).map_or(0, |taken| coverage.beyond_sequence(*taken)))
    }
}

impl Spreads {
    /// How far each service of a customer is in force as it is in the ledger.
    ///
    /// # Errors
    /// [`LedgerError::Statement`].
    pub fn of(&self, tx: &ReadTx<'_>, customer: CustomerId) -> Result<BTreeMap<Service, Spread>, LedgerError> {
        let changes = vault_changes_of(tx, customer)?;
        let progress = locked(&self.0);
        let of_service = |(service, change)| {
            let codes = [Network::Mainnet, Network::Testnet].map(|network| VaultCode::api(service, network));
            (service, spread(change, codes, &progress.coverage, progress.gateways.values()))
        };
        Ok(changes.into_iter().map(of_service).collect())
    }
}

impl App {
    /// How far each service of a customer is in force at the gateways as the customer has set it.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn spreads(&self, customer: CustomerId) -> Result<BTreeMap<Service, Spread>, AppError> {
        let spreads = self.vaults.spreads();
        Ok(self.ledger.read(move |tx| spreads.of(tx, customer)).await?)
    }
}

/// What seals vaults and what opens them, from the secrets.
///
/// # Errors
/// [`NoKey`].
pub fn seals(
    vault_keys: &NumberedKeys,
    vault_signing: &Zeroizing<[u8; 32]>,
) -> Result<(VaultSealer, VaultOpener), NoKey> {
    let (number, newest) = vault_keys.last_key_value().ok_or(NoKey("vaults"))?;
    let sealer = VaultSealer::new((*number, **newest), vault_signing);
    let opener = VaultOpener::new(vault_keys.iter().map(|(number, key)| (*number, **key)), sealer.public_key());
    Ok((sealer, opener))
}

fn locked(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<SealError> for AppError {
    fn from(error: SealError) -> Self {
        Self::VaultFile(Box::new(error))
    }
}
