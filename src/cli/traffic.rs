//! `suiftly sql` and `suiftly traffic`

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::Value;

use super::{ConfigArgs, traffic_status};
use crate::admin::{AdminClient, AskSql};
use crate::app::{ask_sql, verify_traffic};
use crate::config::Config;
use crate::daemon::{Rebuilt, rebuild_store, store_options, store_path};
use crate::telemetry;
use crate::traffic::{SqlAnswer, Traffic, VerifyReport};

#[derive(Debug, Args)]
pub(super) struct SqlArgs {
    /// One SELECT; - reads it from standard input
    sql: String,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Rows at most
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// Seconds after which it is given up
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    timeout: u32,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum TrafficCommand {
    /// Says how sources fare, what was lost on the way, and how much is kept
    #[command(after_help = "Example: suiftly traffic status --json")]
    Status {
        #[command(flatten)]
        config: ConfigArgs,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Checks every sealed file, and all requests against the counts made of them
    #[command(after_help = "Example: suiftly traffic verify --json")]
    Verify {
        #[command(flatten)]
        config: ConfigArgs,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Sets the store aside and makes it anew from sealed files and logs, while `serve` does not run
    ///
    /// `serve` does so by itself when it finds the store damaged. It reads the logs and what was rotated away from them,
    /// packed or not, what was imported from the folder `import/`, and what came by syslog. Logs that are gone and counts
    /// older than the requests that are kept do not come back; what was billed stays billed.
    #[command(after_help = "Example: suiftly traffic rebuild --json")]
    Rebuild {
        #[command(flatten)]
        config: ConfigArgs,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn sql(args: &SqlArgs) -> Result<()> {
    let sql = if args.sql == "-" {
        io::read_to_string(io::stdin()).context("cannot read the query from standard input")?
    } else {
        args.sql.clone()
    };
    let (max_rows, within) = (usize::try_from(args.limit)?, Duration::from_secs(args.timeout.into()));
    let config = Config::load(&args.config.config)?;
    let answer: SqlAnswer = super::block_on(async {
        match AdminClient::connect(&config.data_dir).await? {
            Some(client) => {
                let within_ms = u64::try_from(within.as_millis())?;
                anyhow::Ok(client.ask("/traffic/sql", &AskSql { sql, max_rows, within_ms }).await?)
            }
            None => Ok(ask_sql(&open_traffic(&config)?, sql, max_rows, within).await?),
        }
    })??;
    match args.format {
        Format::Table => print_table(&answer),
        Format::Csv => print_csv(&answer)?,
        Format::Json => super::print_json(&answer)?,
    }
    if answer.is_cut {
        eprintln!("there are more rows: --limit gives more");
    }
    Ok(())
}

pub(super) fn traffic(command: &TrafficCommand) -> Result<()> {
    match command {
        TrafficCommand::Status { config, json } => traffic_status::print(config, *json),
        TrafficCommand::Verify { config, json } => verify(config, *json),
        TrafficCommand::Rebuild { config, json } => rebuild(config, *json),
    }
}

fn rebuild(config: &ConfigArgs, json: bool) -> Result<()> {
    let mut config = Config::load(&config.config)?;
    "warn".clone_into(&mut config.log.level);
    telemetry::init(&config.log)?;
    let Rebuilt { rows, files, unreadable, missing } = rebuild_store(&config)?;
    if json {
        let missing: Vec<_> = missing
            .iter()
            .map(|(hour, requests)| serde_json::json!({"hour": hour.to_string(), "requests": requests}))
            .collect();
        return super::print_json(
            &serde_json::json!({"rows": rows, "files": files, "unreadable": unreadable, "missing": missing}),
        );
    }
    println!("{rows} requests are there again, of which {files} sealed files have some");
    unreadable.iter().for_each(|path| println!("cannot be read: {}", path.display()));
    for (hour, requests) in &missing {
        println!("{hour}: {requests} requests that were billed are missing; their bill stays as it is");
    }
    Ok(())
}

fn verify(config: &ConfigArgs, json: bool) -> Result<()> {
    let config = Config::load(&config.config)?;
    let report: VerifyReport = super::block_on(async {
        match AdminClient::connect(&config.data_dir).await? {
            Some(client) => anyhow::Ok(client.ask("/traffic/verify", &()).await?),
            None => Ok(verify_traffic(&open_traffic(&config)?).await?),
        }
    })??;
    let VerifyReport { files, rows, hours, problems, wrong } = &report;
    if json {
        super::print_json(&report)?;
    } else {
        println!("{files} sealed files, {rows} requests and {hours} hourly counts were checked");
        problems.iter().for_each(|problem| println!("{problem}"));
    }
    if *wrong > 0 {
        bail!("the store of requests does not hold what it says: {wrong} differences");
    }
    Ok(())
}

/// The store of a configuration whose process does not run.
pub(super) fn open_traffic(config: &Config) -> Result<Traffic> {
    let path = store_path(config);
    if !path.exists() {
        bail!("there is no store {}: has `suiftly serve` run with this configuration?", path.display());
    }
    Ok(Traffic::open(&path, &store_options(config))?.0)
}

fn print_table(answer: &SqlAnswer) {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(answer.columns.iter().map(|column| &column.name));
    table.add_rows(answer.rows.iter().map(|row| row.iter().map(shown)));
    for (index, column) in table.column_iter_mut().enumerate() {
        let is_number =
            answer.rows.iter().filter_map(|row| row.get(index)).all(|value| value.is_number() || value.is_null());
        if is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{}", table.trim_fmt());
}

fn print_csv(answer: &SqlAnswer) -> Result<()> {
    let mut writer = csv::Writer::from_writer(io::stdout().lock());
    writer.write_record(answer.columns.iter().map(|column| &column.name))?;
    for row in &answer.rows {
        writer.write_record(row.iter().map(shown))?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?.flush()?)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
