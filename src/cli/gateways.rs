//! `suiftly gateways`

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use indicatif::HumanBytes;

use super::ConfigArgs;
use crate::admin::AdminClient;
use crate::app::{FleetGateway, FleetVault, FleetView, fleet_at_rest};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::calendar::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::core::gateway_fleet::LogStanding;
use crate::daemon::heard_gateways;
use crate::ledger::Ledger;

pub(super) const HELP: &str = "Examples: suiftly gateways\n          suiftly gateways --json\n          suiftly gateways show 3\n\nStates: ok; behind: it has not got the newest limits into its HAProxy; haproxy_down: its HAProxy does not answer; unreachable: its agent does not answer; never_seen: it never has.";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct GatewaysArgs {
    #[command(subcommand)]
    command: Option<GatewaysCommand>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum GatewaysCommand {
    /// Lists all gateways, which is also done without this word
    #[command(after_help = "Example: suiftly gateways list --json")]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Shows everything that is known of one gateway
    #[command(after_help = "Example: suiftly gateways show 3")]
    Show {
        /// Its number, as in its log lines
        #[arg(value_parser = clap::value_parser!(u8).range(1..))]
        gateway: u8,
        #[command(flatten)]
        place: Place,
    },
}

/// Whose gateways, and how to answer.
#[derive(Debug, Args)]
struct Place {
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn gateways(args: &GatewaysArgs) -> Result<()> {
    match &args.command {
        None => list(&args.place),
        Some(GatewaysCommand::List { place }) => list(place),
        Some(GatewaysCommand::Show { gateway, place }) => show(*gateway, place),
    }
}

/// From the process that runs, or else as it was noted last.
fn fleet(place: &Place) -> Result<FleetView> {
    let config = Config::load(&place.config.config)?;
    let asked = super::block_on(async {
        match AdminClient::connect(&config.data_dir).await? {
            Some(client) => Ok(Some(client.ask("/fleet", &()).await?)),
            None => anyhow::Ok(None),
        }
    })??;
    if let Some(fleet) = asked {
        return Ok(fleet);
    }
    let path = config.data_dir.join("ledger.db");
    if !path.exists() {
        bail!("there is no ledger {}: has `suiftly serve` run with this configuration?", path.display());
    }
    let (ledger, gateways) = (Ledger::open_as_it_is(&path, 1)?, heard_gateways(&config.gateway));
    let fleet = fleet_at_rest(&ledger, &gateways, &config.gateway.regions, Clock::System.now())?;
    eprintln!("suiftly does not run: this is what it noted last");
    Ok(fleet)
}

fn list(place: &Place) -> Result<()> {
    let fleet = fleet(place)?;
    if place.json {
        return super::print_json(&fleet);
    }
    if fleet.gateways.is_empty() {
        println!("no gateway is configured: see gateway.haproxy_socket and gateway.remotes");
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_header(["gateway", "region", "state", "since", "heard", "behind", "version", "HAProxy"]);
    for gateway in &fleet.gateways {
        table.add_row([
            gateway.gateway.to_string(),
            gateway.region.clone().unwrap_or_default(),
            gateway.state.name().to_owned(),
            gateway.since.clone(),
            gateway.heard_at.clone().unwrap_or_else(|| "never".to_owned()),
            gateway.lag_ms.map(duration).unwrap_or_default(),
            gateway.version.clone(),
            gateway.haproxy.version.clone().unwrap_or_default(),
        ]);
    }
    println!("{}", table.trim_fmt());
    for alarm in fleet.gateways.iter().flat_map(|gateway| &gateway.alarms) {
        println!("{alarm}");
    }
    Ok(())
}

fn show(number: u8, place: &Place) -> Result<()> {
    let fleet = fleet(place)?;
    let Some(gateway) = fleet.gateways.into_iter().find(|gateway| gateway.gateway == number) else {
        bail!("gateway {number} is not configured: see gateway.number and gateway.remotes");
    };
    if place.json {
        return super::print_json(&gateway);
    }
    print_gateway(&gateway);
    Ok(())
}

fn print_gateway(gateway: &FleetGateway) {
    let line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            println!("{name:<10} {value}");
        }
    };
    line("gateway", Some(&gateway.gateway.to_string()));
    line("region", gateway.region.as_deref());
    line("state", Some(&format!("{} since {}", gateway.state.name(), gateway.since)));
    line("heard", Some(gateway.heard_at.as_deref().unwrap_or("never")));
    line("silence", gateway.silence.as_deref());
    line("behind", gateway.lag_ms.map(duration).as_deref());
    line("version", Some(&gateway.version));
    line("HAProxy", gateway.haproxy.version.as_deref());
    line("problem", gateway.haproxy.problem.as_deref());
    line("map files", gateway.files_problem.as_deref());
    line("vaults", gateway.source_problem.as_deref());
    line("clock", gateway.clock_ahead_ms.filter(|ms| *ms != 0).map(|ms| format!("{ms} ms ahead")).as_deref());
    if let Some(LogStanding { spool_bytes, lag_ms, problem, spool_problem }) = &gateway.log {
        line("log", Some(&format!("{} wait, the first for {} s", HumanBytes(*spool_bytes), lag_ms / 1000)));
        line("delivery", problem.as_deref());
        line("spool", spool_problem.as_deref());
    }
    println!();
    print_vaults(gateway);
    for alarm in &gateway.alarms {
        println!("{alarm}");
    }
}

fn print_vaults(gateway: &FleetGateway) {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header([
        "vault",
        "applied",
        "processing",
        "newest",
        "customers",
        "propagation",
        "awaited since",
    ]);
    for (code, vault) in &gateway.vaults {
        let FleetVault { applied, processing, newest, entries, propagation_ms, awaited_since, .. } = vault;
        table.add_row([
            code.clone(),
            applied.to_string(),
            processing.map(|sequence| sequence.to_string()).unwrap_or_default(),
            newest.to_string(),
            entries.to_string(),
            propagation_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
            awaited_since.clone().unwrap_or_default(),
        ]);
    }
    println!("{}", table.trim_fmt());
    for (code, vault) in &gateway.vaults {
        for problem in vault.refused.iter().chain(&vault.primary_problem) {
            println!("{code}: {problem}");
        }
    }
}

/// In words, from milliseconds.
fn duration(ms: i64) -> String {
    match ms {
        0 => "no".to_owned(),
        1..MINUTE_MS => format!("{} s", ms / 1000),
        MINUTE_MS..HOUR_MS => format!("{} min", ms / MINUTE_MS),
        HOUR_MS..DAY_MS => format!("{} h", ms / HOUR_MS),
        _ => format!("{} days", ms / DAY_MS),
    }
}
