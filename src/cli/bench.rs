//! `suiftly bench`

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::bench::{IntakeReport, generate, measure_accounts, measure_intake};
use crate::config::Config;
use crate::daemon::intake_options;
use crate::traffic::Options;

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Reads a log file through the whole of intake into a new store, and says how fast that was
    #[command(after_help = "Example: suiftly bench generate /tmp/b.log && suiftly bench intake /tmp/b.log --json")]
    Intake(IntakeArgs),
    /// Fills a new ledger with customers, each with a key, and says how fast keys are found
    #[command(after_help = "Example: suiftly bench accounts /tmp/data --count 1000000 --json")]
    Accounts(AccountsArgs),
    /// Writes a log file with made-up requests; the same seed gives the same file
    #[command(after_help = "Example: suiftly bench generate --lines 5000000 /tmp/b.log")]
    Generate(GenerateArgs),
}

#[derive(Debug, Args)]
pub(super) struct IntakeArgs {
    /// The log file; it is only read
    file: PathBuf,
    /// Rows a transaction
    #[arg(long, value_name = "ROWS")]
    batch: Option<usize>,
    /// Threads of the store
    #[arg(long)]
    threads: Option<u32>,
    /// Where the store is made, and removed again; by default the system's folder for temporary files
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// A folder to make for the store, which stays there to be looked into
    #[arg(long, value_name = "DIR", conflicts_with = "folder")]
    keep: Option<PathBuf>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct AccountsArgs {
    /// A data directory without a ledger; the ledger stays there
    data_dir: PathBuf,
    /// Customers, and keys
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    count: u32,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// The file to write; it must not exist
    file: PathBuf,
    #[arg(long, default_value_t = 3_000_000)]
    lines: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Generate(args) => Ok(generate(&args.file, args.lines, args.seed)?),
        BenchCommand::Intake(args) => intake(args),
        BenchCommand::Accounts(args) => accounts(args),
    }
}

fn accounts(args: &AccountsArgs) -> Result<()> {
    let report = measure_accounts(&args.data_dir, args.count)?;
    if args.json {
        return super::print_json(&report);
    }
    println!("{} customers, {} keys", report.customers, report.keys);
    println!("a key is decoded and found in {} µs, 99 of 100 in {} µs", report.look_up_p50_us, report.look_up_p99_us);
    println!("of it, decoding takes {} µs", report.decode_p50_us);
    Ok(())
}

fn intake(args: &IntakeArgs) -> Result<()> {
    let config = Config::default();
    let mut options = intake_options(&config);
    options.max_batch_rows = args.batch.unwrap_or(options.max_batch_rows);
    let store = Options {
        memory_limit_mib: config.traffic.memory_limit_mib,
        threads: args.threads.unwrap_or(config.traffic.threads),
    };
    let report = if let Some(folder) = &args.keep {
        // One that is there could hold a store that has read the file already.
        std::fs::create_dir(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        measure_intake(&args.file, folder, options, &store)?
    } else {
        let parent = args.folder.clone().unwrap_or_else(std::env::temp_dir);
        let folder =
            tempfile::tempdir_in(&parent).with_context(|| format!("cannot make a folder in {}", parent.display()))?;
        measure_intake(&args.file, folder.path(), options, &store)?
    };
    if args.json { super::print_json(&report) } else { print(&report) }
}

fn print(report: &IntakeReport) -> Result<()> {
    println!("{} lines in {} s: {} lines/s", report.lines, report.seconds, report.lines_per_s);
    println!("{} rejected; {} bytes a row in the store", report.rejects, report.bytes_per_row);
    println!("sealed in {} s into {} bytes a row", report.seal_s, report.sealed_bytes_per_row);
    println!("{} MiB of memory at the most", report.peak_rss >> 20);
    Ok(())
}
