//! `suiftly demo`

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::SignedDuration;

use super::serve::StopSignals;
use crate::config::Config;
use crate::core::money::Usd;
use crate::demo::DemoTraffic;
use crate::demo::run::{DemoOptions, DemoReport, run_demo};
use crate::demo::time_travel::{MAX_MONTHS, MonthReport, TravelOptions, travel};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Stops by itself after this long, e.g. 20s or 5m; without it, Ctrl-C stops
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    length: Option<Duration>,
    /// Prints one JSON object at the end, and nothing else
    #[arg(long)]
    json: bool,
    /// Where the page is served
    #[arg(long, default_value = "127.0.0.1:22700")]
    listen: SocketAddr,
    /// Makes up log lines even if HAProxy is installed
    #[arg(long)]
    synthetic: bool,
    /// Decides about the traffic's shape
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lives through a year of customers, invoices and payments within a minute, and prints the books
    #[arg(long, conflicts_with_all = ["length", "listen", "synthetic"])]
    time_travel: bool,
    /// How many months, from January 2025 on
    #[arg(long, default_value_t = 12, requires = "time_travel", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_MONTHS)))]
    months: u16,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give a time like 20s, 5m or 1h".to_owned();
    let length: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(length).ok().filter(|length| !length.is_zero()).ok_or_else(wrong)
}

pub(super) fn demo(args: &DemoArgs) -> Result<()> {
    let mut log = Config::default().log;
    "warn".clone_into(&mut log.level);
    telemetry::init(&log)?;
    if args.time_travel {
        return time_travel(args);
    }
    let options = DemoOptions { listen: args.listen, synthetic: args.synthetic, seed: args.seed };
    let until = async {
        let Ok(mut signals) = StopSignals::listen() else { return };
        match args.length {
            Some(length) => tokio::select! {
                () = tokio::time::sleep(length) => {}
                () = signals.wait() => {}
            },
            None => signals.wait().await,
        }
    };
    let ready = |address, traffic| {
        if !args.json {
            greet(address, traffic, args);
        }
    };
    let report = super::block_on(run_demo(&options, ready, until))?.context("the demo cannot run")?;
    if args.json {
        super::print_json(&report)?
    } else {
        print(&report)
    }
    if !report.adds_up() {
        bail!("requests, lines, rows and what is billed of them do not add up");
    }
    Ok(())
}

fn time_travel(args: &DemoArgs) -> Result<()> {
    if !args.json {
        println!(
            "Twelve customers, {} months, a simulated chain: its USDC is worth nothing. Requests are made up.",
            args.months
        );
        println!();
        println!("{:<9}{:>12}{:>16}{:>16}{:>16}{:>11}", "month", "requests", "revenue", "owed", "escrow", "suspended");
    }
    let tell = |month: &MonthReport| {
        if !args.json {
            println!("{}", row(month));
        }
    };
    let options = TravelOptions { seed: args.seed, months: args.months };
    let report = super::block_on(travel(options, tell))?.context("the demo cannot go on")?;
    if args.json {
        super::print_json(&report)?;
    } else {
        println!();
        report.lines().iter().for_each(|line| println!("{line}"));
        println!();
        println!("{}", if report.balanced { "Everything adds up." } else { "It does not add up." });
    }
    if !report.balanced {
        bail!("the books do not add up");
    }
    Ok(())
}

fn row(month: &MonthReport) -> String {
    let usd = |micros: i128| Usd::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)).to_string();
    let MonthReport { month, requests, revenue_micros, owed_micros, escrow_micros, suspended, .. } = month;
    let (revenue, owed, escrow) = (usd(*revenue_micros), usd(*owed_micros), usd(*escrow_micros));
    format!("{month:<9}{requests:>12}{revenue:>16}{owed:>16}{escrow:>16}{suspended:>11}")
}

fn greet(address: SocketAddr, traffic: DemoTraffic, args: &DemoArgs) {
    match traffic {
        DemoTraffic::Haproxy => println!("Three customers send requests through a real HAProxy."),
        DemoTraffic::Synthetic if args.synthetic => println!("Log lines are made up, as asked."),
        DemoTraffic::Synthetic => {
            println!("HAProxy is not installed here, so log lines are made up in its format.");
            println!("With it the traffic is real: apt-get install haproxy");
        }
    }
    println!("Data is temporary, nothing is charged, and payments run on a simulated chain.");
    println!();
    println!("  Watch it at  http://{address}/");
    println!();
    println!("{}", if args.length.is_some() { "It stops by itself." } else { "Ctrl-C stops it." });
}

fn print(report: &DemoReport) {
    println!();
    println!("{} requests sent, {} log lines, {} rows", report.requests_sent, report.log_lines, report.rows);
    println!("{} billable: {}", report.billable_requests, Usd::from_micros(report.amount_micros));
    if let (Some(p50), Some(p99)) = (report.line_to_visible_s.p50, report.line_to_visible_s.p99) {
        println!("from line to page: {p50} s at the median, {p99} s for 99 of 100");
    }
}
