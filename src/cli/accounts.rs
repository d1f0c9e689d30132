//! `suiftly apikey` and `suiftly audit`

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::Serialize;
use zeroize::Zeroizing;

use super::ConfigArgs;
use crate::config::{Config, Secrets};
use crate::core::api_key::{Access, ApiKey, ApiKeySecret, KeyMeta, Source, decode};

#[derive(Debug, Subcommand)]
pub(super) enum ApiKeyCommand {
    /// Tells whose key it is and what for, without a database
    #[command(after_help = "Examples: suiftly apikey decode SAE1… --json\n          suiftly apikey decode - < key.txt")]
    Decode {
        /// The key, or - to read it from standard input, where no list of processes shows it
        key: String,
        /// A file with the secret: 64 hexadecimal digits, or a file of secrets; without it, the configuration's
        #[arg(long)]
        secret_file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// What a key says about itself.
#[derive(Debug, Serialize)]
struct Decoded {
    customer: u32,
    service: &'static str,
    network: &'static str,
    access: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    process_group: u8,
    /// As in log lines, unsigned.
    fingerprint: u32,
}

pub(super) fn api_key(command: &ApiKeyCommand) -> Result<()> {
    let ApiKeyCommand::Decode { key, secret_file, config, json } = command;
    let secret = match secret_file {
        Some(path) => read_secret(path)?,
        None => ApiKeySecret(*Secrets::load(&Config::load(&config.config)?.secrets_file)?.api_key),
    };
    let text = read_key(key)?;
    let meta = decode(&secret, &text).context("this is no key of this installation")?;
    let decoded = describe(&meta, text.parse::<ApiKey>()?.fingerprint());
    if *json { super::print_json(&decoded) } else { print_decoded(&decoded) }
}

fn read_key(argument: &str) -> Result<Zeroizing<String>> {
    if argument != "-" {
        return Ok(Zeroizing::new(argument.trim().to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    // More than any key has: what is longer is refused by its length.
    std::io::stdin().take(1024).read_to_string(&mut text).context("cannot read the key from standard input")?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn read_secret(path: &Path) -> Result<ApiKeySecret> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the secret {}", path.display()))?;
    let text = Zeroizing::new(text);
    match HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).map(<[u8; 32]>::try_from) {
        Ok(Ok(secret)) => Ok(ApiKeySecret(secret)),
        _ => Ok(ApiKeySecret(*Secrets::load(path)?.api_key)),
    }
}

fn describe(meta: &KeyMeta, fingerprint: u32) -> Decoded {
    let (access, source) = match meta.access {
        Access::Open => ("open", None),
        Access::Permission { source: Source::Derived } => ("permission", Some("derived")),
        Access::Permission { source: Source::Imported } => ("permission", Some("imported")),
    };
    Decoded {
        customer: meta.customer.get(),
        service: meta.service.name(),
        network: meta.network.name(),
        access,
        source,
        process_group: meta.process_group.get(),
        fingerprint,
    }
}

fn print_decoded(decoded: &Decoded) -> Result<()> {
    let Decoded { customer, service, network, access, source, process_group, fingerprint } = decoded;
    println!("customer       {customer}");
    println!("service        {service}");
    println!("network        {network}");
    println!("access         {access}");
    if let Some(source) = source {
        println!("source         {source}");
    }
    println!("process group  {process_group}");
    println!("fingerprint    {fingerprint} ({fingerprint:08x} in log lines)");
    println!();
    println!("The key was minted here. Whether it is in force is for the gateway's map to say.");
    Ok(())
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Checks that no entry of the activity log was changed, left out or put in later
    #[command(after_help = "Examples: suiftly audit verify\n          suiftly audit verify --expect-head 9f86d081…")]
    Verify {
        #[command(flatten)]
        config: ConfigArgs,
        /// The hash of the newest entry as noted elsewhere: tells whether entries are missing at the end
        #[arg(long, value_name = "HEX")]
        expect_head: Option<String>,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Serialize)]
struct AuditReport {
    entries: u64,
    head: String,
    intact: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<String>,
}

pub(super) fn audit(command: &AuditCommand) -> Result<()> {
    let AuditCommand::Verify { config, expect_head, json } = command;
    let expected = expect_head.as_deref().map(read_hash).transpose()?;
    let ledger = super::config::open_ledger(config)?;
    let audit = crate::app::audit(&ledger, expected)?;
    let report = AuditReport {
        entries: audit.entries,
        head: HEXLOWER.encode(&audit.head),
        intact: audit.broken.is_none(),
        broken: audit.broken.map(|broken| broken.to_string()),
    };
    if *json {
        super::print_json(&report)?;
    } else {
        println!("{} entries hold; the newest one's hash is {}", report.entries, report.head);
    }
    match report.broken {
        None => Ok(()),
        Some(broken) => bail!("the activity log was tampered with: {broken}"),
    }
}

fn read_hash(text: &str) -> Result<[u8; 32]> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap_or_default();
    bytes.try_into().map_err(|_| anyhow::anyhow!("--expect-head takes the 64 hexadecimal digits of a hash"))
}
