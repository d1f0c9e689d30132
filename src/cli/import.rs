//! `suiftly import`

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::ConfigArgs;
use crate::config::Config;
use crate::daemon::import_files;
use crate::intake::{ImportStatus, Outcome};
use crate::telemetry;

pub(super) const HELP: &str = "\
Example: suiftly import /var/log/haproxy.log.*.gz

A file is known by its content, so it is counted once, packed or not and whatever its name; what was counted while it
was followed as a log is not counted again. If it is interrupted, the same command goes on where it was. While `suiftly
serve` runs, put files into the folder import/ of its data directory instead.";

/// Between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Where nobody watches, a line for so many looks.
const LOOKS_A_LINE: u32 = 100;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Log files: plain, .gz or .zst
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn import(args: &ImportArgs) -> Result<()> {
    let mut config = Config::load(&args.config.config)?;
    "warn".clone_into(&mut config.log.level);
    telemetry::init(&config.log)?;
    let files = args.files.len();
    let mut failed = 0;
    import_files(&config, args.files.clone(), |status| failed = watch(&status, files))?;
    if failed > 0 {
        bail!("{failed} of {files} files could not be imported to their ends");
    }
    Ok(())
}

/// Shows how far it is until all files have ended, and tells how many have failed.
fn watch(status: &Arc<Mutex<ImportStatus>>, files: usize) -> usize {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    let is_watched = std::io::stderr().is_terminal();
    let (mut told, mut failed) = (0, 0);
    for look in 1_u32.. {
        // A status that nobody else holds is one that will not change any more.
        let is_over = Arc::strong_count(status) == 1;
        let ImportStatus { current, ended } = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (path, outcome) in ended.iter().skip(told) {
            failed += usize::from(matches!(outcome, Outcome::Failed { .. }));
            bar.suspend(|| println!("{}: {}", path.display(), sentence(outcome)));
        }
        told = ended.len();
        if told >= files || is_over {
            break;
        }
        if let Some((path, read, all, lines)) = current {
            if is_watched {
                bar.set_length(all);
                bar.set_position(read);
                bar.set_message(format!("{} {lines} lines", path.display()));
            } else if look.is_multiple_of(LOOKS_A_LINE) {
                println!("{}: {lines} lines, {read} of {all} bytes", path.display());
            }
        }
        thread::sleep(LOOK_EVERY);
    }
    bar.finish_and_clear();
    failed + files.saturating_sub(told)
}

fn sentence(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Imported { lines } => format!("{lines} lines imported"),
        Outcome::AlreadyCounted => "already imported, nothing is counted again".to_owned(),
        Outcome::Failed { reason, lines } => format!("failed: {reason}; {lines} lines before that are counted"),
    }
}
