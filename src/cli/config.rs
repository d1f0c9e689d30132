//! `suiftly check-config`, and `suiftly config` for prices and limits.

use std::path::Path;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde::Serialize;

use super::ConfigArgs;
use crate::app::{change_config_global, list_config_changes, list_config_global};
use crate::clock::Clock;
use crate::config::{Config, process_overrides, unused_overrides};
use crate::core::config_global::{KEYS, check_key};
use crate::ledger::Ledger;
use crate::ledger::config_global::ConfigChange;

pub(super) fn check(path: &Path) -> Result<()> {
    Config::load(path)?;
    for sentence in unused_overrides(&process_overrides()) {
        eprintln!("warning: {sentence}");
    }
    println!("{} is good", path.display());
    Ok(())
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Lists every key with its value, its default and what it may be
    #[command(after_help = "Example: suiftly config list --json")]
    List(ListArgs),
    /// Prints the value of a key
    #[command(after_help = "Example: suiftly config get freqs_usd")]
    Get {
        key: String,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Gives a key a new value: in force within two seconds, without a restart
    #[command(after_help = "Example: suiftly config set fsubs_usd_pro 39")]
    Set {
        key: String,
        value: String,
        #[command(flatten)]
        config: ConfigArgs,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Lists what was changed, newest first
    #[command(after_help = "Example: suiftly config history fsubs_usd_pro")]
    History {
        /// Of this key only
        key: Option<String>,
        /// So many, at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        list: ListArgs,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// A key as it is printed.
#[derive(Debug, Serialize)]
struct Entry {
    key: &'static str,
    value: String,
    default: &'static str,
    allowed: String,
}

/// A change as it is printed.
#[derive(Debug, Serialize)]
struct Changed {
    at: String,
    key: String,
    from: String,
    to: String,
}

impl From<ConfigChange> for Changed {
    fn from(change: ConfigChange) -> Self {
        Self { at: change.at.to_string(), key: change.key, from: change.old_value, to: change.new_value }
    }
}

#[derive(Debug, Serialize)]
struct Items<T> {
    items: Vec<T>,
}

pub(super) fn config_global(command: ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::List(args) => list(&args),
        ConfigCommand::Get { key, config } => get(&key, &config),
        ConfigCommand::Set { key, value, config, json } => set(&key, &value, &config, json),
        ConfigCommand::History { key, limit, list } => history(key.as_deref(), limit, &list),
    }
}

fn list(args: &ListArgs) -> Result<()> {
    let table = list_config_global(&open_ledger(&args.config)?)?;
    let entry = |spec: &crate::core::config_global::KeySpec| Entry {
        key: spec.key,
        value: table.get(spec.key).cloned().unwrap_or_default(),
        default: spec.default,
        allowed: spec.kind.to_string(),
    };
    let items: Vec<_> = KEYS.iter().map(entry).collect();
    if args.json {
        return super::print_json(&Items { items });
    }
    println!("{:<18} {:>10} {:>10}  must be", "key", "value", "default");
    for Entry { key, value, default, allowed } in &items {
        println!("{key:<18} {value:>10} {default:>10}  {allowed}");
    }
    Ok(())
}

fn get(key: &str, config: &ConfigArgs) -> Result<()> {
    check_key(key)?;
    let table = list_config_global(&open_ledger(config)?)?;
    println!("{}", table.get(key).map(String::as_str).unwrap_or_default());
    Ok(())
}

fn set(key: &str, value: &str, config: &ConfigArgs, json: bool) -> Result<()> {
    let changes = change_config_global(&open_ledger(config)?, key, value, Clock::System.now())?;
    let items: Vec<_> = changes.into_iter().map(Changed::from).collect();
    if json {
        return super::print_json(&Items { items });
    }
    if items.is_empty() {
        println!("{key} is {value} already");
    }
    print_changes(&items);
    Ok(())
}

fn history(key: Option<&str>, limit: u32, args: &ListArgs) -> Result<()> {
    key.map(check_key).transpose()?;
    let changes = list_config_changes(&open_ledger(&args.config)?, key, limit)?;
    let items: Vec<_> = changes.into_iter().map(Changed::from).collect();
    if args.json {
        return super::print_json(&Items { items });
    }
    if items.is_empty() {
        println!("nothing was changed");
    }
    print_changes(&items);
    Ok(())
}

fn print_changes(items: &[Changed]) {
    for Changed { at, key, from, to } in items {
        println!("{at}  {key}: {from} → {to}");
    }
}

/// The ledger of a configuration, also beside a running process, whose schema it leaves as it is.
pub(super) fn open_ledger(config: &ConfigArgs) -> Result<Ledger> {
    let path = Config::load(&config.config)?.data_dir.join("ledger.db");
    if !path.exists() {
        bail!("there is no ledger {}: has `suiftly serve` run with this configuration?", path.display());
    }
    Ok(Ledger::open_as_it_is(&path, 1)?)
}
