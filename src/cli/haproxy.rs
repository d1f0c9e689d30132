//! `suiftly haproxy`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::config::HaproxyHost;
use crate::core::haproxy_config::check::{Finding, FindingKind, check};
use crate::core::haproxy_config::version::{admin_socket, concern};
use crate::core::haproxy_config::{Settings, render};
use crate::core::id::{Network, Service};
use crate::gateway::runtime::Runtime;

#[derive(Debug, Subcommand)]
pub(super) enum HaproxyCommand {
    /// Prints a whole configuration for HAProxy, made from suiftly's own
    #[command(after_help = "Examples: suiftly haproxy print > /etc/haproxy/haproxy.cfg\n          \
                            suiftly haproxy print --upstream grpc=10.0.0.7:9000 --listen grpc=0.0.0.0:443\n          \
                            suiftly haproxy print --config /etc/suiftly/gateway.toml --network testnet")]
    Print(PrintArgs),
    /// Says what an existing configuration lacks (rules, their order, log lines), and what in it lets requests past them
    #[command(after_help = "Example: suiftly haproxy check /etc/haproxy/haproxy.cfg\n\n\
                            Exit code 1 if something is missing or too much. What says the same in other words is told as \
                            missing, too.\n\
                            If the HAProxy of this configuration runs and may be asked (`stats socket`), a warning tells \
                            whether its version is one that suiftly is for.")]
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(super) struct PrintArgs {
    /// This host's configuration, which says the gateway's number, the folder of maps, HAProxy's socket and the network:
    /// that of `suiftly serve` or of `suiftly gateway` [default: /etc/suiftly/suiftly.toml, or
    /// /etc/suiftly/gateway.toml where only that is]
    #[arg(long, env = "SUIFTLY_CONFIG")]
    config: Option<PathBuf>,
    /// The gateway's number; without it, that of the configuration
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    gateway: Option<u8>,
    /// A backend: service=host:port; repeat it for each service
    #[arg(long, value_parser = read_pair)]
    upstream: Vec<(Service, String)>,
    /// A backend of the other network, whose keys are refused without one: service=host:port
    #[arg(long, value_parser = read_pair)]
    other_upstream: Vec<(Service, String)>,
    /// Where a service is reached: service=address:port
    #[arg(long, value_parser = read_pair)]
    listen: Vec<(Service, String)>,
    /// The network of the backends; without it, that of the configuration, or mainnet where it names none
    #[arg(long)]
    network: Option<NetworkArg>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NetworkArg {
    Mainnet,
    Testnet,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    file: PathBuf,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// The HAProxy that runs with the configuration.
#[derive(Debug, Serialize)]
struct Running {
    version: String,
    /// Why it is not the right one.
    concern: Option<String>,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    section: &'a str,
    directive: &'a str,
    reason: &'a str,
}

pub(super) fn haproxy(command: HaproxyCommand) -> Result<()> {
    match command {
        HaproxyCommand::Print(args) => print(&args),
        HaproxyCommand::Check(args) => check_file(&args),
    }
}

fn print(args: &PrintArgs) -> Result<()> {
    let host = HaproxyHost::load(args.config.as_deref())?;
    let network = match args.network {
        None => host.network.unwrap_or(Network::Mainnet),
        Some(NetworkArg::Mainnet) => Network::Mainnet,
        Some(NetworkArg::Testnet) => Network::Testnet,
    };
    let other = match network {
        Network::Mainnet => Network::Testnet,
        Network::Testnet => Network::Mainnet,
    };
    let mut settings = Settings {
        gateway: args.gateway.unwrap_or(host.number),
        map_folder: host.map_dir.to_string_lossy().into_owned(),
        ..Settings::default()
    };
    if let Some(socket) = &host.haproxy_socket {
        settings.admin_socket = socket.to_string_lossy().into_owned();
    }
    for service in &mut settings.services {
        let named = |pairs: &[(Service, String)]| {
            pairs.iter().rev().find(|(name, _)| *name == service.service).map(|(_, value)| value.clone())
        };
        let default = service.upstreams.pop_first().map(|(_, upstream)| upstream).unwrap_or_default();
        service.upstreams.insert(network, named(&args.upstream).unwrap_or(default));
        if let Some(upstream) = named(&args.other_upstream) {
            service.upstreams.insert(other, upstream);
        }
        if let Some(address) = named(&args.listen) {
            let read: Result<SocketAddr, _> = address.parse();
            service.listen = read.with_context(|| format!("{address} is no address and port, like 0.0.0.0:20002"))?;
        }
    }
    std::io::Write::write_all(&mut std::io::stdout(), render(&settings)?.as_bytes())?;
    Ok(())
}

fn check_file(args: &CheckArgs) -> Result<()> {
    let path = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("cannot read {path}"))?;
    let findings = check(&text);
    let running = running(&text)?;
    if let Some(concern) = running.as_ref().and_then(|running| running.concern.as_ref()) {
        eprintln!("warning: {concern}");
    }
    if args.json {
        let of = |kind| -> Vec<Told<'_>> {
            let findings = findings.iter().filter(|finding| finding.kind == kind);
            findings.map(|Finding { section, directive, reason, .. }| Told { section, directive, reason }).collect()
        };
        super::print_json(&serde_json::json!({
            "complete": findings.is_empty(),
            "missing": of(FindingKind::Missing),
            "unwanted": of(FindingKind::Unwanted),
            "haproxy": running,
        }))?;
    } else {
        findings.iter().for_each(|finding| println!("{finding}"));
    }
    match findings.len() {
        0 if args.json => Ok(()),
        0 => {
            println!("{path} has everything");
            Ok(())
        }
        1 => bail!("{path} lacks something, or has too much; compare it with `suiftly haproxy print`"),
        count => bail!("{path} lacks {count} things, or has too much; compare it with `suiftly haproxy print`"),
    }
}

/// Who answers at the configuration's socket, if anybody does.
fn running(configuration: &str) -> Result<Option<Running>> {
    let Some(socket) = admin_socket(configuration) else { return Ok(None) };
    let runtime = Runtime::new(Path::new(&socket), Path::new(""));
    let Ok(process) = super::block_on(async { runtime.process().await })? else { return Ok(None) };
    let concern = concern(&process.version, configuration);
    Ok(Some(Running { version: process.version, concern }))
}

fn read_pair(text: &str) -> Result<(Service, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as service=value, like seal=127.0.0.1:21002")?;
    let service = Service::from_name(name).ok_or("the service is seal, grpc or graphql")?;
    Ok((service, value.to_owned()))
}
