//! `suiftly vault`: what gateways are told, and whether the files are what they should be.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use super::ConfigArgs;
use crate::app::{VAULTS_FOLDER, seals};
use crate::config::{Config, Secrets};
use crate::core::id::CustomerId;
use crate::core::vault::{VaultCode, VaultHash, VaultOpener, VaultPublicKey, claimed_header, text};
use crate::seal::{Damage, VaultFile, VaultFolder, Whole};

#[derive(Debug, Subcommand)]
pub(super) enum VaultCommand {
    /// Lists vault files, and shows the public key that gateways on other hosts need
    #[command(after_help = "Examples: suiftly vault list\n          suiftly vault list --json")]
    List(ListArgs),
    /// Prints what a vault says, a line of JSON for each customer
    #[command(after_help = "Examples: suiftly vault show rma\n          suiftly vault show rma --customer 3141592653")]
    Show(ShowArgs),
    /// Shows what has changed from one version of a vault to another
    #[command(after_help = "Examples: suiftly vault diff rma 41\n          suiftly vault diff rma 41 44 --json")]
    Diff(DiffArgs),
    /// Checks every vault file: signature, encryption, content, and that each names the one before
    #[command(after_help = "Example: suiftly vault verify --json")]
    Verify(ListArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// sma, sta, rma, rta, gma, gta, smk or stk: service, network, and keys and limits (a) or Seal keys (k)
    code: VaultCode,
    /// A version; by default the newest whole one
    #[arg(long)]
    sequence: Option<u64>,
    /// This customer only
    #[arg(long, value_parser = read_customer)]
    customer: Option<CustomerId>,
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// sma, sta, rma, rta, gma, gta, smk or stk
    code: VaultCode,
    /// The older version
    from: u64,
    /// The newer version; by default the newest whole one
    to: Option<u64>,
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

fn read_customer(text: &str) -> Result<CustomerId, String> {
    text.parse().ok().and_then(CustomerId::new).ok_or_else(|| "a customer's number is 1 to 4294967295".to_owned())
}

pub(super) fn vault(command: &VaultCommand) -> Result<()> {
    match command {
        VaultCommand::List(args) => list(args),
        VaultCommand::Show(args) => show(args),
        VaultCommand::Diff(args) => diff(args),
        VaultCommand::Verify(args) => verify(args),
    }
}

struct Place {
    folder: VaultFolder,
    opener: VaultOpener,
    public_key: VaultPublicKey,
}

impl Place {
    fn open(args: &ConfigArgs) -> Result<Self> {
        let config = Config::load(&args.config)?;
        let secrets = Secrets::load(&config.secrets_file)?;
        let (sealer, opener) = seals(&secrets.vault_keys, &secrets.vault_signing)?;
        let folder = VaultFolder::at(&config.data_dir.join(VAULTS_FOLDER));
        Ok(Self { folder, opener, public_key: sealer.public_key() })
    }

    fn files(&self) -> Result<Vec<VaultFile>> {
        let advice = "`suiftly serve` makes vaults when it starts";
        self.folder.list().with_context(|| advice)
    }

    /// A version, or the newest whole one.
    fn version(&self, code: VaultCode, sequence: Option<u64>) -> Result<Whole> {
        let Some(sequence) = sequence else {
            let newest = self.folder.newest(code, &self.opener)?;
            return newest.whole.with_context(|| format!("there is no whole file of the vault {code}"));
        };
        let file = VaultFile { code, sequence, path: self.folder.path_of(code, sequence) };
        let whole = VaultFolder::examine(&file, &self.opener);
        whole.with_context(|| format!("{} cannot be used", file.path.display()))
    }
}

/// A file, as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    code: &'static str,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u32>,
    bytes: u64,
    /// Absent for a damaged file.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct Listing {
    folder: String,
    public_key: String,
    vaults: Vec<Listed>,
    problems: usize,
}

/// How closely to look at a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// At its signature.
    Signature,
    /// At everything.
    Whole,
}

fn listing(place: &Place, look: Look) -> Result<Listing> {
    let mut vaults = Vec::new();
    let mut before: Option<(VaultCode, u64, VaultHash)> = None;
    for file in place.files()? {
        let bytes = std::fs::metadata(&file.path).map_or(0, |data| data.len());
        let examined = examine(place, &file, look);
        let mut listed = Listed {
            code: file.code.as_str(),
            sequence: file.sequence,
            created: None,
            entries: None,
            bytes,
            hash: None,
            previous: None,
            problem: None,
        };
        match examined {
            Ok((header, hash)) => {
                let follows = before.is_none_or(|(code, sequence, hash)| {
                    (code, sequence + 1) != (file.code, file.sequence) || header.previous == hash
                });
                listed.created = Some(header.created.to_string());
                listed.entries = Some(header.entries);
                listed.hash = Some(hash.to_string());
                listed.previous = Some(header.previous.to_string());
                listed.problem = (!follows).then(|| "it names another vault than the one before it".to_owned());
                before = Some((file.code, file.sequence, hash));
            }
            Err(problem) => {
                listed.problem = Some(problem);
                before = None;
            }
        }
        vaults.push(listed);
    }
    Ok(Listing {
        folder: place.folder.path().display().to_string(),
        public_key: place.public_key.to_string(),
        problems: vaults.iter().filter(|listed| listed.problem.is_some()).count(),
        vaults,
    })
}

fn examine(place: &Place, file: &VaultFile, look: Look) -> Result<(crate::core::vault::Header, VaultHash), String> {
    let (header, hash) = match look {
        Look::Whole => {
            let whole = VaultFolder::examine(file, &place.opener).map_err(|damage| damage.to_string())?;
            let content = text::parse(file.code, &whole.text).map_err(|bad| bad.to_string())?;
            if usize::try_from(whole.header.entries) != Ok(content.len()) {
                return Err("it holds another number of entries than its header says".to_owned());
            }
            (whole.header, whole.hash)
        }
        Look::Signature => {
            let bytes = place.folder.read(file.code, file.sequence).map_err(|error| error.to_string())?;
            place.opener.verify(&bytes).map_err(|bad| match claimed_header(&bytes) {
                Ok(header) => format!("{bad}; it claims to be {} {}", header.code, header.sequence),
                Err(_) => bad.to_string(),
            })?
        }
    };
    if (header.code, header.sequence) == (file.code, file.sequence) {
        Ok((header, hash))
    } else {
        Err(Damage::Misnamed { code: header.code, sequence: header.sequence }.to_string())
    }
}

fn list(args: &ListArgs) -> Result<()> {
    let listing = listing(&Place::open(&args.config)?, Look::Signature)?;
    if args.json { super::print_json(&listing) } else { print(&listing) }
}

fn print(listing: &Listing) -> Result<()> {
    println!("folder      {}", listing.folder);
    println!("public key  {}", listing.public_key);
    println!();
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["vault", "sequence", "created", "customers", "bytes", "state"]);
    for listed in &listing.vaults {
        table.add_row([
            listed.code.to_owned(),
            listed.sequence.to_string(),
            listed.created.clone().unwrap_or_default(),
            listed.entries.map_or(String::new(), |entries| entries.to_string()),
            listed.bytes.to_string(),
            listed.problem.clone().unwrap_or_else(|| "good".to_owned()),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn verify(args: &ListArgs) -> Result<()> {
    let listing = listing(&Place::open(&args.config)?, Look::Whole)?;
    if args.json {
        super::print_json(&listing)?;
    } else {
        print(&listing)?;
    }
    match listing.problems {
        0 => Ok(()),
        problems => bail!("{problems} of {} vault files are not right", listing.vaults.len()),
    }
}

/// The lines of a content after its first, by customer.
fn lines(whole: &Whole) -> Result<BTreeMap<CustomerId, &str>> {
    let content = std::str::from_utf8(&whole.text).context("the content is no text")?;
    content.lines().skip(1).map(|line| Ok((customer_of(line)?, line))).collect()
}

fn customer_of(line: &str) -> Result<CustomerId> {
    let entry: Value = serde_json::from_str(line)?;
    let number = entry.get("customer").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    number.and_then(CustomerId::new).context("an entry names no customer")
}

#[derive(Debug, Serialize)]
struct Shown {
    code: &'static str,
    sequence: u64,
    created: String,
    hash: String,
    previous: String,
    entries: Vec<Value>,
}

fn show(args: &ShowArgs) -> Result<()> {
    let whole = Place::open(&args.config)?.version(args.code, args.sequence)?;
    let mut lines = lines(&whole)?;
    if let Some(wanted) = args.customer {
        lines.retain(|customer, _| *customer == wanted);
        if lines.is_empty() {
            bail!("customer {wanted} is not in the vault {} {}", args.code, whole.header.sequence);
        }
    }
    if args.json {
        return super::print_json(&Shown {
            code: args.code.as_str(),
            sequence: whole.header.sequence,
            created: whole.header.created.to_string(),
            hash: whole.hash.to_string(),
            previous: whole.header.previous.to_string(),
            entries: lines.values().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?,
        });
    }
    lines.values().for_each(|line| println!("{line}"));
    Ok(())
}

#[derive(Debug, Serialize)]
struct Diff {
    code: &'static str,
    from: u64,
    to: u64,
    added: Vec<Value>,
    removed: Vec<Value>,
    changed: Vec<Pair>,
}

#[derive(Debug, Serialize)]
struct Pair {
    from: Value,
    to: Value,
}

fn diff(args: &DiffArgs) -> Result<()> {
    let place = Place::open(&args.config)?;
    let (old, new) = (place.version(args.code, Some(args.from))?, place.version(args.code, args.to)?);
    let (old_lines, new_lines) = (lines(&old)?, lines(&new)?);
    let customers: std::collections::BTreeSet<_> = old_lines.keys().chain(new_lines.keys()).collect();
    let pairs = customers.into_iter().map(|customer| (old_lines.get(customer), new_lines.get(customer)));
    let different: Vec<_> = pairs.filter(|(old, new)| old != new).collect();
    if !args.json {
        for (old, new) in different {
            old.iter().for_each(|line| println!("-{line}"));
            new.iter().for_each(|line| println!("+{line}"));
        }
        return Ok(());
    }
    let mut diff = Diff {
        code: args.code.as_str(),
        from: old.header.sequence,
        to: new.header.sequence,
        added: Vec::new(),
        removed: Vec::new(),
        changed: Vec::new(),
    };
    for (old, new) in different {
        let read = |line: Option<&&str>| line.map(|line| serde_json::from_str(line)).transpose();
        match (read(old)?, read(new)?) {
            (Some(from), Some(to)) => diff.changed.push(Pair { from, to }),
            (Some(entry), None) => diff.removed.push(entry),
            (None, Some(entry)) => diff.added.push(entry),
            (None, None) => {}
        }
    }
    super::print_json(&diff)
}
