//! `suiftly bench`

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::bench::{
    IntakeReport, PropagationOptions, generate, measure_accounts, measure_billing, measure_intake, measure_ledger,
    measure_parse, measure_propagation, measure_queries, measure_vaults,
};
use crate::config::Config;
use crate::daemon::{intake_options, store_options};
use crate::traffic::Options;

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Reads a log file through the whole of intake into a new store, and says how fast that was
    #[command(after_help = "Example: suiftly bench generate /tmp/b.log && suiftly bench intake /tmp/b.log --json")]
    Intake(IntakeArgs),
    /// Parses made-up lines of every format on one core, without storing them, and says how fast that was
    #[command(after_help = "Example: suiftly bench parse --runs 11 --json")]
    Parse(ParseArgs),
    /// Fills a new ledger with customers, each with a key, and says how fast keys are found
    #[command(after_help = "Example: suiftly bench accounts /tmp/data --count 1000000 --json")]
    Accounts(AccountsArgs),
    /// Fills a new ledger with customers, closes their month, and says how fast that was
    #[command(after_help = "Example: suiftly bench billing --customers 100000 --json")]
    Billing(BillingArgs),
    /// Fills the books of a new ledger with entries, and says how fast they are written, read and verified
    #[command(after_help = "Example: suiftly bench ledger --entries 1000000 --json")]
    Ledger(LedgerArgs),
    /// Fills a new ledger with customers who have two keys each, and says how fast changes get into vaults
    #[command(after_help = "Example: suiftly bench vault --customers 100000 --json")]
    Vault(VaultArgs),
    /// Says how soon a real HAProxy obeys a revoked key, with many customers and under load
    #[command(after_help = "Example: suiftly bench propagation --customers 100000 --json")]
    Propagation(PropagationArgs),
    /// Fills a new store with made-up requests, and says how fast one customer's are found
    #[command(after_help = "Example: suiftly bench query --requests 5000000 --json")]
    Query(QueryArgs),
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
pub(super) struct ParseArgs {
    /// Lines of each format, held in memory
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    lines: u64,
    /// How often each format is parsed; the median counts
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// Prints one JSON array
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
pub(super) struct BillingArgs {
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    customers: u32,
    /// Where the ledger is made, and removed again; by default the system's folder for temporary files
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct LedgerArgs {
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    entries: u64,
    /// Where the ledger is made, and removed again; by default the system's folder for temporary files
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct VaultArgs {
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    customers: u32,
    /// Keys that are revoked one after the other
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    changes: u32,
    /// Where the ledger and the vaults are made, and removed again; by default the system's folder for temporary files
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// A data directory to make, which stays there: `suiftly serve` can be started with it
    #[arg(long, value_name = "DIR", conflicts_with = "folder")]
    keep: Option<PathBuf>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct PropagationArgs {
    /// Customers, each with two keys
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    customers: u32,
    /// Keys that are revoked one after the other
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    revocations: u32,
    /// Customers whose limits are changed at once
    #[arg(long, default_value_t = 10_000)]
    changed: u32,
    /// Requests a second meanwhile
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// Where vaults and maps are made, and removed again; by default the system's folder for temporary files
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    /// Requests, spread over 30 days and 10,000 customers
    #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    requests: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads of the store
    #[arg(long)]
    threads: Option<u32>,
    /// Where the store is made, and removed again; by default the system's folder for temporary files
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// A folder for the store, which stays there; if it has the requests already, they are not made up again
    #[arg(long, value_name = "DIR", conflicts_with = "folder")]
    keep: Option<PathBuf>,
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
        BenchCommand::Parse(args) => parse(args),
        BenchCommand::Accounts(args) => accounts(args),
        BenchCommand::Billing(args) => billing(args),
        BenchCommand::Ledger(args) => ledger(args),
        BenchCommand::Vault(args) => vault(args),
        BenchCommand::Propagation(args) => propagation(args),
        BenchCommand::Query(args) => query(args),
    }
}

fn parse(args: &ParseArgs) -> Result<()> {
    let reports = measure_parse(args.lines, args.runs.into())?;
    if args.json {
        return super::print_json(&reports);
    }
    for report in reports {
        let (slowest, fastest) = (report.slowest_lines_per_s, report.fastest_lines_per_s);
        println!("{}: {} lines/s (from {slowest} to {fastest})", report.format, report.lines_per_s);
        if let Some(lines) = report.lines_per_cpu_s {
            println!("  {lines} lines in a second of the core's time");
        }
    }
    Ok(())
}

fn propagation(args: &PropagationArgs) -> Result<()> {
    let folder = folder_in(args.folder.as_ref())?;
    let PropagationArgs { customers, revocations, changed, rate: requests_per_s, .. } = *args;
    let options = PropagationOptions { customers, revocations, changed, requests_per_s };
    let report = super::block_on(measure_propagation(folder.path(), options))??;
    if args.json {
        return super::print_json(&report);
    }
    println!(
        "{} customers, {} keys: all new to HAProxy in {} ms",
        report.customers, report.keys, report.first_apply_ms
    );
    println!("a revoked key is in a file in {} ms, 99 of 100 in {} ms", report.file_p50_ms, report.file_p99_ms);
    println!("and refused in {} ms, 99 of 100 in {} ms", report.revoke_p50_ms, report.revoke_p99_ms);
    println!(
        "{} customers changed at once: {} ms, of it HAProxy {} ms",
        report.changed, report.changed_ms, report.changed_apply_ms
    );
    println!("{} requests meanwhile, {} failed", report.requests, report.failed);
    Ok(())
}

fn query(args: &QueryArgs) -> Result<()> {
    let config = Config::default();
    let store = store_options_with(&config, args.threads);
    let report = if let Some(folder) = &args.keep {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        measure_queries(folder, args.requests, args.seed, &store)?
    } else {
        measure_queries(folder_in(args.folder.as_ref())?.path(), args.requests, args.seed, &store)?
    };
    if args.json {
        return super::print_json(&report);
    }
    println!("{} requests, made up and stored in {} s", report.requests, report.fill_s);
    for (what, times) in [
        ("a chart of 30 days", report.chart_30d),
        ("the newest 100 requests", report.newest_100),
        ("figures of 30 days and the 30 before", report.summary_30d),
        ("response times of 30 days", report.percentiles_30d),
        ("the most frequent paths of 24 h", report.top_paths_24h),
    ] {
        println!("{what}: {} ms, 95 of 100 within {} ms", times.p50_ms, times.p95_ms);
    }
    Ok(())
}

fn store_options_with(config: &Config, threads: Option<u32>) -> Options {
    let configured = store_options(config);
    Options { threads: threads.unwrap_or(configured.threads), ..configured }
}

/// A folder that is gone when it is dropped.
fn folder_in(parent: Option<&PathBuf>) -> Result<tempfile::TempDir> {
    let parent = parent.cloned().unwrap_or_else(std::env::temp_dir);
    tempfile::tempdir_in(&parent).with_context(|| format!("cannot make a folder in {}", parent.display()))
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

fn billing(args: &BillingArgs) -> Result<()> {
    let report = measure_billing(folder_in(args.folder.as_ref())?.path(), args.customers)?;
    if args.json {
        return super::print_json(&report);
    }
    println!("{} customers, made up in {} s", report.customers, report.fill_s);
    println!("a month closed in {} s: {} customers a second", report.close_s, report.customers_per_second);
    if let Some((all, busiest)) = report.close_cpu_s.zip(report.close_busiest_s) {
        println!("  {all} s of the cores' time, {busiest} s of it in the busiest thread");
    }
    println!("a preview in {} µs, 99 of 100 within {} µs", report.preview_p50_us, report.preview_p99_us);
    println!("{} entries verified in {} s", report.entries, report.verify_s);
    Ok(())
}

fn ledger(args: &LedgerArgs) -> Result<()> {
    let report = measure_ledger(folder_in(args.folder.as_ref())?.path(), args.entries)?;
    if args.json {
        return super::print_json(&report);
    }
    let (entries, postings, customers) = (report.entries, report.postings, report.customers);
    println!("{entries} entries with {postings} postings of {customers} customers");
    println!("{} entries a second written, ten by ten", report.appends_per_second);
    println!("all verified in {} s", report.verify_s);
    println!("a balance in {} µs, 99 of 100 within {} µs", report.balance_p50_us, report.balance_p99_us);
    println!("a page of fifty entries: 99 of 100 within {} µs", report.page_p99_us);
    Ok(())
}

fn vault(args: &VaultArgs) -> Result<()> {
    let report = match &args.keep {
        Some(folder) => measure_vaults(folder, args.customers, args.changes)?,
        None => measure_vaults(folder_in(args.folder.as_ref())?.path(), args.customers, args.changes)?,
    };
    if args.json {
        return super::print_json(&report);
    }
    println!("{} customers, {} keys; a file of {} bytes", report.customers, report.keys, report.file_bytes);
    println!("all vaults made in {} ms; checked against the ledger in {} ms", report.full_build_ms, report.check_ms);
    let (p50, p99) = (report.commit_to_file_p50_ms, report.commit_to_file_p99_ms);
    println!("from a commit to the file {p50} ms, 99 of 100 within {p99} ms (50 ms of it wait for more changes)");
    Ok(())
}

fn intake(args: &IntakeArgs) -> Result<()> {
    let config = Config::default();
    let mut options = intake_options(&config);
    options.max_batch_rows = args.batch.unwrap_or(options.max_batch_rows);
    let store = store_options_with(&config, args.threads);
    let report = if let Some(folder) = &args.keep {
        // One that is there could hold a store that has read the file already.
        std::fs::create_dir(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        measure_intake(&args.file, folder, options, &store)?
    } else {
        let folder = folder_in(args.folder.as_ref())?;
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
