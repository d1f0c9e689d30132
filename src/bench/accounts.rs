//! How fast a key is found among many, in a ledger with many customers.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{BenchError, percentile_us};
use crate::core::api_key::{Access, ApiKeySecret, KeyMeta, ProcessGroup, decode, encode};
use crate::core::api_key_life::ApiKeyTimes;
use crate::core::calendar::UtcMillis;
use crate::core::customer::Customer;
use crate::core::id::{ApiKeyId, CustomerId, Network, RECORD_ID_BYTES, Service};
use crate::ledger::api_key::{StoredApiKey, find_api_key_by_sha256, insert_api_key};
use crate::ledger::customer::insert_customer;
use crate::ledger::{Ledger, ReadTx, WriteTx};

/// Of no value: the keys are made up.
const SECRET: ApiKeySecret = ApiKeySecret([7; 32]);
const CREATED: UtcMillis = UtcMillis(1_795_424_400_000);
/// Customers that are written in one transaction, each with one key.
const AT_ONCE: u32 = 10_000;
const LOOK_UPS: u32 = 100_000;

/// What was measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AccountsReport {
    pub customers: u32,
    pub keys: u32,
    /// Decoding a presented key and finding it by its SHA-256, within a read transaction.
    pub look_up_p50_us: f64,
    pub look_up_p99_us: f64,
    /// Of it, decoding alone.
    pub decode_p50_us: f64,
}

/// Fills the ledger of a data directory with `count` customers, each with a key, and looks keys up at random.
///
/// # Errors
/// [`BenchError`] if the directory has a ledger already or cannot be written.
pub fn measure_accounts(data_dir: &Path, count: u32) -> Result<AccountsReport, BenchError> {
    let path = data_dir.join("ledger.db");
    if path.exists() {
        return Err(BenchError::LedgerExists { path });
    }
    std::fs::create_dir_all(data_dir).map_err(|source| BenchError::File { path: data_dir.to_owned(), source })?;
    let ledger = Ledger::open(&path, 1)?;
    for first in (1..=count).step_by(usize::try_from(AT_ONCE).unwrap_or(1)) {
        let last = first.saturating_add(AT_ONCE - 1).min(count);
        ledger.write_blocking(move |tx| (first..=last).try_for_each(|number| insert(tx, number)))?;
    }
    let times = ledger.read_blocking(move |tx| look_up(tx, count))?;
    ledger.close();
    let (look_ups, decoding): (Vec<_>, Vec<_>) = times.into_iter().unzip();
    Ok(AccountsReport {
        customers: count,
        keys: count,
        look_up_p50_us: percentile_us(50, look_ups.clone()),
        look_up_p99_us: percentile_us(99, look_ups),
        decode_p50_us: percentile_us(50, decoding),
    })
}

/// How long each look-up took, and its decoding.
fn look_up(tx: &ReadTx<'_>, count: u32) -> Result<Vec<(Duration, Duration)>, BenchError> {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut times = Vec::new();
    for _ in 0..LOOK_UPS {
        let number = rng.u32(1..=count);
        let presented = encode(&SECRET, &meta(number)?, number.to_be_bytes());
        let started = Instant::now();
        let meta = decode(&SECRET, presented.as_str());
        let decoded = started.elapsed();
        let found = find_api_key_by_sha256(tx, &presented.sha256())?;
        let took = started.elapsed();
        match (meta, found) {
            (Ok(meta), Some(found)) if found.meta == meta => times.push((took, decoded)),
            _ => return Err(BenchError::KeyNotFound),
        }
    }
    Ok(times)
}

/// Customer numbers are spread over all there are, as random ones would be; none comes twice.
fn meta(number: u32) -> Result<KeyMeta, BenchError> {
    let customer = CustomerId::new(number.wrapping_mul(2_654_435_761));
    let (Some(customer), Some(process_group)) = (customer, ProcessGroup::new(1)) else {
        return Err(BenchError::NoCustomer { number });
    };
    Ok(KeyMeta { service: Service::Grpc, network: Network::Mainnet, access: Access::Open, process_group, customer })
}

fn insert(tx: &WriteTx<'_>, number: u32) -> Result<(), BenchError> {
    let meta = meta(number)?;
    let wallet = format!("0x{number:064x}").parse().map_err(|_| BenchError::NoCustomer { number })?;
    insert_customer(tx, &Customer::new(meta.customer, wallet, CREATED))?;
    let text = encode(&SECRET, &meta, number.to_be_bytes());
    let mut id = [0; RECORD_ID_BYTES];
    id.iter_mut().zip(text.sha256()).for_each(|(byte, random)| *byte = random);
    let stored = StoredApiKey {
        api_key: ApiKeyId::new(id),
        meta,
        name: "api-key-1".to_owned(),
        fingerprint: text.fingerprint(),
        key_sha256: text.sha256(),
        hint: text.hint(),
        ciphertext: None,
        times: ApiKeyTimes::created(CREATED, None),
        rotated_from: None,
    };
    Ok(insert_api_key(tx, &stored)?)
}
