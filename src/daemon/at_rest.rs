//! The application with its stores and nothing that runs: for whoever does every step by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use super::DaemonError;
use crate::app::billing::BillingOptions;
use crate::app::invoice_document::Issuer;
use crate::app::{
    Accounts, AccountsOptions, App, Fleet, KeptReadiness, TrafficQueries, VAULTS_FOLDER, Vaults, VaultsOptions,
    load_config_global,
};
use crate::chain::Chain;
use crate::clock::Clock;
use crate::config::{NewSecrets, Secrets};
use crate::core::challenge::Site;
use crate::core::id::Network;
use crate::ledger::Ledger;
use crate::ledger::identity::ensure_ledger_id;
use crate::random::random;
use crate::traffic::{Committed, KeptFor, Options, Traffic, Writer};

/// A small store.
const STORE: Options = Options { memory_limit_mib: 256, threads: 1 };

/// Opens or creates the stores in a folder. Keys and sessions are good for this process only. Blocks.
///
/// # Errors
/// [`DaemonError`].
pub fn open_at_rest(folder: &Path, clock: Clock, chain: Chain) -> Result<(App, Writer), DaemonError> {
    let ledger = Ledger::open(&folder.join("ledger.db"), 1)?;
    let config_global = load_config_global(&ledger)?;
    let identity = random()?;
    let ledger_id = ledger.write_blocking(move |tx| ensure_ledger_id(tx, identity))?;
    let (traffic, writer) = Traffic::open(&folder.join("traffic.duckdb"), &STORE)?;
    let secrets = Secrets::temporary(NewSecrets::draw(random)?);
    let vaults = Vaults::open(VaultsOptions {
        folder: folder.join(VAULTS_FOLDER),
        vault_keys: secrets.vault_keys.clone(),
        vault_signing: secrets.vault_signing.clone(),
        seal_network: Network::Mainnet,
    })?;
    let fleet = Fleet::open(&ledger, &vaults, BTreeSet::new(), BTreeMap::new(), clock.now())?;
    let app = App {
        clock,
        ledger,
        traffic,
        kept: KeptFor { chunk_days: 7, seal_after_days: 7, retention_days: 90 },
        config_global: ArcSwap::from_pointee(config_global),
        committed: watch::channel(Committed::default()).1,
        delivered_to: Arc::new(AtomicI64::new(i64::MIN)),
        remote_gateways: BTreeSet::new(),
        sources: Arc::new(Mutex::new(Vec::new())),
        accounts: accounts(secrets)?,
        chain,
        billing: BillingOptions::new(Issuer::default(), 0),
        ledger_id,
        readiness: KeptReadiness::default(),
        outbox: Notify::new(),
        payments: Notify::new(),
        vaults,
        fleet,
        traffic_queries: TrafficQueries::default(),
    };
    Ok((app, writer))
}

fn accounts(secrets: Secrets) -> Result<Accounts, DaemonError> {
    let Secrets { api_key, session_keys, field_keys, .. } = secrets;
    let (domain, chain) = ("localhost".to_owned(), "sui:mainnet".to_owned());
    let site = Site { uri: format!("http://{domain}"), domain, chain };
    let challenge_key = random()?;
    Ok(Accounts::new(AccountsOptions { api_key_secret: api_key, session_keys, field_keys, challenge_key, site })?)
}
