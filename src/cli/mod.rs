//! The command line.

mod accounts;
mod bench;
mod billing;
mod config;
mod demo;
mod docs;
mod gateway;
mod gateways;
mod haproxy;
mod import;
mod init;
mod ledger;
mod notifications;
mod serve;
mod traffic;
mod traffic_status;
mod vault;
mod verify_invoice;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Turns an HAProxy into a business: exact metering, customers, a ledger, invoices, live enforcement.
#[derive(Debug, Parser)]
#[command(name = "suiftly", version, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed (the last line says why), 2 wrong use of the command line.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Counts HAProxy's log and serves the API, until stopped
    #[command(after_help = "Example: suiftly serve --config /etc/suiftly/suiftly.toml")]
    Serve(serve::ServeArgs),
    /// Keeps the HAProxy of this host up to date with the vaults of another host and sends its log there, until stopped
    #[command(after_help = gateway::HELP)]
    Gateway(gateway::GatewayArgs),
    /// Shows how all gateways are, those of other hosts too
    #[command(after_help = gateways::HELP)]
    Gateways(gateways::GatewaysArgs),
    /// Shows what a person must hear of, and notes that somebody has
    #[command(subcommand)]
    Notifications(notifications::NotificationsCommand),
    /// Counts log files that were written before, plain, .gz or .zst, each once
    #[command(after_help = import::HELP)]
    Import(import::ImportArgs),
    /// Shows the product at work with temporary data and, where HAProxy is installed, real traffic
    #[command(after_help = "Examples: suiftly demo\n          suiftly demo --for 20s --json")]
    Demo(demo::DemoArgs),
    /// Creates configuration, secrets and data directory, and says what to do next
    #[command(after_help = "Examples: suiftly init\n          suiftly init --dir ./try --json")]
    Init(init::InitArgs),
    /// Reads API keys
    #[command(subcommand, name = "apikey")]
    ApiKey(accounts::ApiKeyCommand),
    /// Shows customers' billing, and does to it what operators may
    #[command(subcommand)]
    Billing(billing::BillingCommand),
    /// Checks the activity log
    #[command(subcommand)]
    Audit(accounts::AuditCommand),
    /// Checks and shows the books: what every customer has, owes and was charged
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Makes an invoice's usage anew from the hours and requests it was made of, and says where it differs
    #[command(after_help = "Examples: suiftly verify-invoice 42\n          suiftly verify-invoice INV-000042 --json")]
    VerifyInvoice(verify_invoice::VerifyInvoiceArgs),
    /// Prints the API's description (OpenAPI 3.1, JSON)
    #[command(after_help = "Example: suiftly openapi > openapi.json")]
    Openapi,
    /// Checks a configuration and says everything that is wrong with it
    #[command(after_help = "Example: suiftly check-config --config ./suiftly.toml")]
    CheckConfig(ConfigArgs),
    /// Shows and changes prices and limits
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Answers a query of the store of requests (DuckDB's SQL, SELECT only)
    #[command(
        after_help = "Examples: suiftly sql \"SELECT path, count(*) AS requests FROM all_requests GROUP BY path ORDER BY requests DESC LIMIT 10\"\n          suiftly sql - --format csv < query.sql"
    )]
    Sql(traffic::SqlArgs),
    /// Checks the store of requests
    #[command(subcommand)]
    Traffic(traffic::TrafficCommand),
    /// Prints and checks HAProxy's configuration
    #[command(subcommand)]
    Haproxy(haproxy::HaproxyCommand),
    /// Shows and checks what gateways are told: vault files
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Measures this machine
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Prints shell completions
    #[command(after_help = "Example: suiftly completions bash > /usr/share/bash-completion/completions/suiftly")]
    Completions { shell: clap_complete::Shell },
    /// Prints the manual page
    #[command(after_help = "Example: suiftly man | man -l -")]
    Man,
}

#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// The configuration file
    #[arg(long, env = "SUIFTLY_CONFIG", default_value = "/etc/suiftly/suiftly.toml")]
    config: PathBuf,
}

/// Does what the command line says.
///
/// # Errors
/// Whatever went wrong, in a sentence for the operator.
pub fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Serve(args) => serve::serve(&args),
        Command::Gateway(args) => gateway::gateway(&args),
        Command::Gateways(args) => gateways::gateways(&args),
        Command::Notifications(command) => notifications::notifications(&command),
        Command::Import(args) => import::import(&args),
        Command::Demo(args) => demo::demo(&args),
        Command::Init(args) => init::init(&args),
        Command::ApiKey(command) => accounts::api_key(&command),
        Command::Billing(command) => billing::billing(command),
        Command::Audit(command) => accounts::audit(&command),
        Command::Ledger(command) => ledger::ledger(&command),
        Command::VerifyInvoice(args) => verify_invoice::verify_invoice(&args),
        Command::Openapi => docs::openapi(),
        Command::CheckConfig(args) => config::check(&args.config),
        Command::Config(command) => config::config_global(command),
        Command::Sql(args) => traffic::sql(&args),
        Command::Traffic(command) => traffic::traffic(&command),
        Command::Haproxy(command) => haproxy::haproxy(command),
        Command::Vault(command) => vault::vault(&command),
        Command::Bench(command) => bench::run(&command),
        Command::Completions { shell } => docs::completions(shell),
        Command::Man => docs::man(),
    }
}

/// One JSON object on standard output.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// Runs a task on the asynchronous runtime. Blocking work that is still going on when the task has ended is not waited
/// for: a stop that took too long must end the process all the same.
fn block_on<T>(task: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let result = runtime.block_on(task);
    runtime.shutdown_background();
    Ok(result)
}
