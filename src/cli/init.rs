//! `suiftly init`

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use crate::config::{Config, NewSecrets, Secrets};
use crate::random::random;

/// Every key, commented.
const SHIPPED: &str = include_str!("../../etc/suiftly.toml");

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Puts everything below this directory, for a trial; without it, into /etc/suiftly and /var/lib/suiftly
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// What was made, and what was there already.
#[derive(Debug, Serialize)]
struct Report {
    config: PathBuf,
    secrets: PathBuf,
    data_dir: PathBuf,
    created: Vec<PathBuf>,
}

pub(super) fn init(args: &InitArgs) -> Result<()> {
    let report = create(args.dir.as_deref())?;
    if args.json { super::print_json(&report) } else { print(&report) }
}

/// What exists stays as it is, so that running it again does no harm.
fn create(dir: Option<&Path>) -> Result<Report> {
    let default = Config::default();
    let mut report = match dir {
        None => Report {
            config: PathBuf::from(crate::config::DEFAULT_PATH),
            secrets: default.secrets_file,
            data_dir: default.data_dir,
            created: Vec::new(),
        },
        Some(dir) => {
            create_folder(dir)?;
            let dir = fs::canonicalize(dir).with_context(|| format!("cannot use {}", dir.display()))?;
            let [config, secrets, data_dir] = ["suiftly.toml", "secrets.toml", "data"].map(|name| dir.join(name));
            Report { config, secrets, data_dir, created: Vec::new() }
        }
    };
    for folder in [report.config.parent(), report.secrets.parent()].into_iter().flatten() {
        create_folder(folder)?;
    }
    if create_folder(&report.data_dir)? {
        report.created.push(report.data_dir.clone());
    }
    if !report.secrets.exists() {
        Secrets::create(&report.secrets, &NewSecrets::draw(random)?)?;
        report.created.push(report.secrets.clone());
    }
    if !report.config.exists() {
        let text = dir.map_or_else(|| SHIPPED.to_owned(), |_| placed(&report));
        write_new(&report.config, &text)?;
        report.created.push(report.config.clone());
    }
    Ok(report)
}

/// The shipped file with the two places set.
fn placed(report: &Report) -> String {
    let set = |text: String, key: &str, default: &str, path: &Path| {
        text.replace(&format!("#{key} = {default:?}"), &format!("{key} = {:?}", path.display().to_string()))
    };
    let text = set(SHIPPED.to_owned(), "data_dir", "/var/lib/suiftly", &report.data_dir);
    set(text, "secrets_file", "/etc/suiftly/secrets.toml", &report.secrets)
}

/// Tells whether it was missing.
fn create_folder(path: &Path) -> Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    let advice = "create it as root, or give another place with --dir";
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot create {}: {advice}", path.display()))?;
    Ok(true)
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn print(report: &Report) -> Result<()> {
    for (what, path) in
        [("configuration", &report.config), ("secrets", &report.secrets), ("data directory", &report.data_dir)]
    {
        let state = if report.created.contains(path) { "created" } else { "kept, it exists" };
        println!("{what:<16}{}  ({state})", path.display());
    }
    println!();
    println!("Next:");
    println!("  1. Copy {} to a safe place: without it no API key can be read again.", report.secrets.display());
    println!("  2. Set http.public_url and intake.log_file in {}.", report.config.display());
    println!("  3. suiftly check-config --config {}", report.config.display());
    println!("  4. suiftly serve --config {}", report.config.display());
    Ok(())
}
