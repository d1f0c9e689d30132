//! The store of requests: opened, or made anew where its file is damaged.

use std::path::PathBuf;

use tracing::{error, info, warn};

use super::reading::{IMPORT_FOLDER, intake_options, spools, syslog_spool};
use super::{DaemonError, lock_data_dir};
use crate::app::{UnrestoredHours, hours_not_restored};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::calendar::{HOUR_MS, UtcMillis};
use crate::intake::{
    Imports, Inputs, Intake, IntakeError, Until, counted_logs, gateway_spools, imported_files, logs_of, packed_siblings,
};
use crate::ledger::Ledger;
use crate::ledger::usage::{first_hour, last_hour};
use crate::traffic::{Options, Traffic, Writer, is_set_aside, put_in_place, remove_store, set_aside};

const STORE: &str = "traffic.duckdb";
/// Where it is made anew; begun again if that was not finished.
const REBUILDING: &str = "traffic.rebuilding.duckdb";

/// What became of a rebuild.
#[derive(Debug)]
pub struct Rebuilt {
    /// Rows in the new store.
    pub rows: u64,
    /// Sealed files that were taken over.
    pub files: usize,
    /// Sealed files that could not be read.
    pub unreadable: Vec<PathBuf>,
    /// What the ledger knows and the new store does not.
    pub missing: UnrestoredHours,
}

/// Opens the store. A damaged one is set aside, and made anew from sealed files and logs. Blocks.
pub(super) fn open_store(config: &Config, ledger: &Ledger, clock: &Clock) -> Result<(Traffic, Writer), DaemonError> {
    let path = store_path(config);
    let is_damaged = match path.exists() {
        true => match Traffic::open(&path, &store_options(config)) {
            Ok(opened) => return Ok(opened),
            Err(error) if error.is_damage() => {
                let aside = set_aside(&path, clock.now())?;
                error!(%error, aside = %aside.display(), "the store of requests is damaged and was set aside");
                true
            }
            Err(error) => return Err(error.into()),
        },
        false => is_set_aside(&path),
    };
    if is_damaged {
        let rebuilt = rebuild(config, ledger, clock)?;
        tell(&rebuilt);
    }
    Ok(Traffic::open(&path, &store_options(config))?)
}

/// Sets the store aside, whatever its state, and makes it anew, while no daemon runs. Blocks.
///
/// # Errors
/// [`DaemonError`] if a daemon has the data directory, or something cannot be read or written. Then the same again goes
/// on.
pub fn rebuild_store(config: &Config) -> Result<Rebuilt, DaemonError> {
    let _lock = lock_data_dir(&config.data_dir)?;
    let ledger = Ledger::open(&config.data_dir.join("ledger.db"), config.ledger.readers)?;
    let path = store_path(config);
    if path.exists() {
        set_aside(&path, Clock::System.now())?;
    }
    rebuild(config, &ledger, &Clock::System)
}

/// Where the store is.
pub fn store_path(config: &Config) -> PathBuf {
    config.data_dir.join(STORE)
}

/// The configured limits of the store.
pub fn store_options(config: &Config) -> Options {
    Options { memory_limit_mib: config.traffic.memory_limit_mib, threads: config.traffic.threads }
}

fn rebuild(config: &Config, ledger: &Ledger, clock: &Clock) -> Result<Rebuilt, DaemonError> {
    let (path, temporary) = (store_path(config), config.data_dir.join(REBUILDING));
    remove_store(&temporary)?;
    info!("making the store of requests anew from sealed files and logs");
    let (traffic, writer) = Traffic::open(&temporary, &store_options(config))?;
    let adopted = traffic.adopt_parts()?;
    traffic.begin_sources(logs_of(&config.intake.log_file).iter().map(|log| log.to_string_lossy().into_owned()))?;
    let imports = Some(files_to_read_again(config)?);
    let inputs = Inputs { logs: config.intake.log_file.clone(), imports, ..Inputs::default() };
    Intake::start(inputs, intake_options(config), Until::EndOfFile, &traffic, writer, clock.clone())?.join();
    drop(traffic);
    // Opened once more, because intake has taken the one writer.
    let (traffic, mut writer) = Traffic::open(&temporary, &store_options(config))?;
    // Files beside the logs may be older than the first start; nobody was billed for what is in them.
    let now = clock.now();
    let since = ledger.read_blocking(first_hour)?.unwrap_or(UtcMillis(0));
    // What was counted before the damage may not have been billed yet, but by then it was at most minutes old. A clock may
    // have been ahead.
    let last = ledger.read_blocking(last_hour)?.map_or(now.hour(), |last| last.min(now.hour()));
    writer.settle_rebuilt(&traffic, since, last.plus_ms(-HOUR_MS), now)?;
    let rows = traffic.line_counts()?.0;
    let missing = hours_not_restored(ledger, &traffic)?;
    drop((traffic, writer));
    put_in_place(&temporary, &path)?;
    Ok(Rebuilt { rows, files: adopted.parts.len(), unreadable: adopted.unreadable, missing })
}

/// What is not followed but was counted: packed logs, imported files, and what was received. Each counts once.
fn files_to_read_again(config: &Config) -> Result<Imports, IntakeError> {
    let mut files = Vec::new();
    for log in logs_of(&config.intake.log_file) {
        files.extend(packed_siblings(&log).map_err(|source| IntakeError::Read { path: log, source })?);
    }
    let folder = config.data_dir.join(IMPORT_FOLDER);
    files.extend(imported_files(&folder).map_err(|source| IntakeError::Import { path: folder, source })?);
    let kept = |spool: PathBuf| counted_logs(&spool).map_err(|source| IntakeError::Spool { path: spool, source });
    files.extend(kept(syslog_spool(config))?);
    let mut imports = Imports::of_files(files);
    for (gateway, spool) in gateway_spools(&spools(config))? {
        imports = imports.and_of_gateway(gateway, kept(spool)?);
    }
    Ok(imports)
}

fn tell(rebuilt: &Rebuilt) {
    let Rebuilt { rows, files, unreadable, missing } = rebuilt;
    info!(rows, files, "the store of requests is there again");
    for path in unreadable {
        error!(path = %path.display(), "a sealed file could not be read: its requests are missing");
    }
    for (hour, requests) in missing {
        warn!(%hour, requests, "requests that were billed are not in the store any more; their bill stays as it is");
    }
}
