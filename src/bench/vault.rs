//! How fast a change gets into a vault, among many customers.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{BenchError, percentile_us, round};
use crate::app::{Depth, VAULTS_FOLDER, VaultBuilder, Vaults, VaultsOptions, load_config_global};
use crate::core::api_key::{Access, ApiKeySecret, KeyMeta, ProcessGroup, encode};
use crate::core::api_key_life::ApiKeyTimes;
use crate::core::calendar::UtcMillis;
use crate::core::customer::Customer;
use crate::core::id::{ApiKeyId, CustomerId, Network, RECORD_ID_BYTES, Service};
use crate::core::service_instance::{ServiceInstance, ServiceSettings, ServiceState};
use crate::core::tier::Tier;
use crate::ledger::api_key::{StoredApiKey, insert_api_key, save_api_key};
use crate::ledger::customer::insert_customer;
use crate::ledger::service::save_service;
use crate::ledger::{Ledger, WriteTx};
use crate::random::random;

/// Of no value: the keys are made up.
const SECRET: ApiKeySecret = ApiKeySecret([7; 32]);
const CREATED: UtcMillis = UtcMillis(1_795_424_400_000);
/// Customers that are written in one transaction. Within a large one, SQLite walks through everything that it has put
/// aside for each statement that fires a trigger.
const AT_ONCE: u32 = 100;
/// What a running server waits for more changes.
const COALESCED: Duration = Duration::from_millis(50);
const KEYS_EACH: u32 = 2;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct VaultReport {
    pub customers: u32,
    pub keys: u32,
    pub changes: u32,
    /// From nothing to all files, without any kept in memory.
    pub full_build_ms: f64,
    /// Reading everything again and finding that every file is right.
    pub check_ms: f64,
    /// From the commit of a revoked key to the file that says so, with the 50 ms that more changes are waited for.
    pub commit_to_file_p50_ms: f64,
    pub commit_to_file_p99_ms: f64,
    /// The file of all these customers.
    pub file_bytes: u64,
}

/// Fills the ledger of a data directory with customers who have two keys each, makes their vaults, and revokes keys one
/// after the other.
///
/// # Errors
/// [`BenchError`] if the directory has a ledger already or cannot be written.
pub fn measure_vaults(data_dir: &Path, customers: u32, changes: u32) -> Result<VaultReport, BenchError> {
    let path = data_dir.join("ledger.db");
    if path.exists() {
        return Err(BenchError::LedgerExists { path });
    }
    std::fs::create_dir_all(data_dir).map_err(|source| BenchError::File { path: data_dir.to_owned(), source })?;
    let ledger = Ledger::open(&path, 1)?;
    load_config_global(&ledger)?;
    for first in (1..=customers).step_by(usize::try_from(AT_ONCE).unwrap_or(1)) {
        let last = first.saturating_add(AT_ONCE - 1).min(customers);
        ledger.write_blocking(move |tx| (first..=last).try_for_each(|number| insert(tx, number)))?;
    }
    let vaults = Vaults::open(VaultsOptions {
        folder: data_dir.join(VAULTS_FOLDER),
        vault_keys: [(1, zeroize::Zeroizing::new(random()?))].into(),
        vault_signing: zeroize::Zeroizing::new(random()?),
        seal_network: Network::Mainnet,
    })?;
    let mut builder = VaultBuilder::default();
    let full = timed(|| vaults.update(&ledger, &mut builder, Depth::Everything, CREATED))?;
    let check = timed(|| vaults.update(&ledger, &mut builder, Depth::Everything, CREATED))?;
    let mut times = Vec::new();
    for change in 0..changes {
        let number = change.wrapping_mul(7_919) % customers + 1;
        let revoked = key(number, change % KEYS_EACH)?;
        let revoked = StoredApiKey { times: revoked.times.revoke(CREATED).unwrap_or(revoked.times), ..revoked };
        ledger.write_blocking(move |tx| save_api_key(tx, &revoked))?;
        let committed = Instant::now();
        std::thread::sleep(COALESCED);
        if vaults.update(&ledger, &mut builder, Depth::Changes, CREATED)?.written.is_empty() {
            return Err(BenchError::NoVault);
        }
        times.push(committed.elapsed());
    }
    let newest = std::fs::read_dir(vaults.folder().path()).into_iter().flatten().flatten();
    let sizes = newest.filter_map(|entry| Some(entry.metadata().ok()?.len()));
    let file_bytes = sizes.max().unwrap_or(0);
    ledger.close();
    Ok(VaultReport {
        customers,
        keys: customers.saturating_mul(KEYS_EACH),
        changes,
        full_build_ms: ms(full),
        check_ms: ms(check),
        commit_to_file_p50_ms: percentile_us(50, times.clone()) / 1000.0,
        commit_to_file_p99_ms: percentile_us(99, times) / 1000.0,
        file_bytes,
    })
}

fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<Duration, E> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed())
}

fn ms(time: Duration) -> f64 {
    round(time.as_secs_f64() * 1000.0, 10.0)
}

/// Customer numbers are spread over all there are, as random ones would be; none comes twice.
fn customer(number: u32) -> Result<CustomerId, BenchError> {
    CustomerId::new(number.wrapping_mul(2_654_435_761)).ok_or(BenchError::NoCustomer { number })
}

fn insert(tx: &WriteTx<'_>, number: u32) -> Result<(), BenchError> {
    let customer = customer(number)?;
    let wallet = format!("0x{number:064x}").parse().map_err(|_| BenchError::NoCustomer { number })?;
    insert_customer(tx, &Customer::new(customer, wallet, CREATED))?;
    let instance = ServiceInstance {
        state: ServiceState::Enabled,
        tier: Some(Tier::ALL.into_iter().nth(usize::try_from(number % 3).unwrap_or(0)).unwrap_or(Tier::Pro)),
        paid_once: true,
        settings: ServiceSettings { burst: number.is_multiple_of(2), ..ServiceSettings::default() },
        ..ServiceInstance::default()
    };
    save_service(tx, customer, Service::Grpc, &instance, CREATED)?;
    for index in 0..KEYS_EACH {
        insert_api_key(tx, &key(number, index)?)?;
    }
    Ok(())
}

fn key(number: u32, index: u32) -> Result<StoredApiKey, BenchError> {
    let process_group = ProcessGroup::new(1).ok_or(BenchError::NoCustomer { number })?;
    let meta = KeyMeta {
        service: Service::Grpc,
        network: Network::Mainnet,
        access: Access::Open,
        process_group,
        customer: customer(number)?,
    };
    let text = encode(&SECRET, &meta, number.wrapping_mul(KEYS_EACH).wrapping_add(index).to_be_bytes());
    let mut id = [0; RECORD_ID_BYTES];
    id.iter_mut().zip(text.sha256()).for_each(|(byte, random)| *byte = random);
    Ok(StoredApiKey {
        api_key: ApiKeyId::new(id),
        meta,
        name: format!("api-key-{index}"),
        fingerprint: text.fingerprint(),
        key_sha256: text.sha256(),
        hint: text.hint(),
        ciphertext: None,
        times: ApiKeyTimes::created(CREATED, None),
        rotated_from: None,
    })
}
