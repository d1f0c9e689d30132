//! `suiftly traffic status`

use anyhow::Result;
use indicatif::{HumanBytes, HumanCount};

use super::ConfigArgs;
use super::traffic::open_traffic;
use crate::admin::AdminClient;
use crate::app::{IntakeStatus, TrafficStatus, traffic_status};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::calendar::UtcMillis;
use crate::core::source::{SourceState, SourceStatus};
use crate::traffic::StoreSize;

pub(super) fn print(config: &ConfigArgs, json: bool) -> Result<()> {
    let config = Config::load(&config.config)?;
    let status: TrafficStatus = super::block_on(async {
        match AdminClient::connect(&config.data_dir).await? {
            Some(client) => anyhow::Ok(client.ask("/traffic/status", &()).await?),
            None => Ok(traffic_status(&open_traffic(&config)?, None, Clock::System.now())?),
        }
    })??;
    if json {
        return super::print_json(&status);
    }
    match &status.intake {
        Some(intake) => print_intake(intake),
        None => println!("suiftly does not run: no log is read"),
    }
    print_lines(&status);
    print_size(&status.size);
    Ok(())
}

fn print_intake(intake: &IntakeStatus) {
    for SourceStatus { name, format, state } in &intake.sources {
        let format = format.map_or("no format seen yet", |format| format.name());
        match state {
            SourceState::Reading => println!("{name}: read, {format}"),
            SourceState::Waiting => println!("{name}: is not there yet"),
            SourceState::Unreadable(reason) => println!("{name}: cannot be read: {reason}"),
        }
    }
    if intake.is_stalled {
        println!("the newest rows cannot be stored at present: the log says why, and no line is lost");
    }
    if let Some(ms) = intake.line_to_row_ms {
        println!("the newest request was stored {ms} ms after it ended");
    }
}

fn print_lines(status: &TrafficStatus) {
    println!("{} requests counted in all", HumanCount(status.rows));
    for (reason, lines) in &status.rejects {
        println!("{} lines rejected in all: {reason}", HumanCount(*lines));
    }
    for line in &status.gateways {
        let (received, lost) = (HumanCount(line.received), HumanCount(line.lost));
        println!("gateway {}, last 24 hours: {received} lines came, {lost} were lost", line.gateway);
    }
    println!("{} lines came twice in the last 24 hours and were counted once", HumanCount(status.duplicates));
}

fn print_size(size: &StoreSize) {
    let since = |ms: Option<i64>| ms.map_or(String::new(), |ms| format!(" since {}", UtcMillis(ms)));
    println!(
        "{} requests{} in the store, {}",
        HumanCount(size.hot_rows),
        since(size.oldest_hot_ms),
        HumanBytes(size.store_bytes)
    );
    println!(
        "{} requests{} in {} sealed files, {}",
        HumanCount(size.sealed_rows),
        since(size.oldest_sealed_ms),
        size.sealed_files,
        HumanBytes(size.sealed_bytes)
    );
    println!("{} older ones were dropped, their counts are kept", HumanCount(size.dropped_rows));
}
