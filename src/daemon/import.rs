//! Importing files while no daemon runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::reading::{IMPORT_FOLDER, intake_options};
use super::{DaemonError, lock_data_dir, store_options, store_path};
use crate::clock::Clock;
use crate::config::Config;
use crate::intake::{ImportStatus, Imports, Inputs, Intake, IntakeError, Until, logs_of, unread_siblings};
use crate::traffic::Traffic;

/// Imports files into the store of the data directory, one after the other, and gives how each ended. `watch` is called
/// once it has begun, with what can be looked at meanwhile. Blocks.
///
/// # Errors
/// [`DaemonError`] if a daemon has the data directory, a file is a log that is followed, or the store cannot be opened.
/// A file that cannot be imported is no error.
pub fn import_files(
    config: &Config,
    files: Vec<PathBuf>,
    watch: impl FnOnce(Arc<Mutex<ImportStatus>>),
) -> Result<(), DaemonError> {
    let folder = config.data_dir.join(IMPORT_FOLDER);
    let _lock = lock_data_dir(&config.data_dir).map_err(|error| match error {
        DaemonError::InUse { owner, .. } => DaemonError::RunsAlready { folder, owner },
        error => error,
    })?;
    let followed: Vec<PathBuf> = logs_of(&config.intake.log_file).iter().filter_map(|log| canonical(log)).collect();
    for path in &files {
        if canonical(path).is_some_and(|path| followed.contains(&path)) {
            return Err(DaemonError::IsFollowed { path: path.clone() });
        }
    }
    let (traffic, writer) = Traffic::open(&store_path(config), &store_options(config))?;
    let mut files_of_logs = BTreeSet::new();
    for log in logs_of(&config.intake.log_file) {
        if let Some(known) = traffic.file_positions(&log.to_string_lossy())? {
            let unread = unread_siblings(&log, &known).map_err(|source| IntakeError::Read { path: log, source })?;
            files_of_logs.extend(unread.iter().filter_map(|path| canonical(path)));
        }
    }
    for path in &files {
        if canonical(path).is_some_and(|path| files_of_logs.contains(&path)) {
            return Err(DaemonError::WillBeRead { path: path.clone() });
        }
    }
    let imports = Imports::of_files(files);
    let status = imports.status();
    let inputs = Inputs { imports: Some(imports), ..Inputs::default() };
    let options = intake_options(config);
    let intake = Intake::start(inputs, options, Until::EndOfFile, &traffic, writer, Clock::System)?;
    watch(status);
    intake.join();
    Ok(())
}

fn canonical(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}
