//! `suiftly notifications`

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ConfigArgs;
use crate::admin::AdminClient;
use crate::app::{
    AskAcknowledge, AskNotifications, NotificationList, NotificationView, acknowledge_without_process, notifications_of,
};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{check_clock, with_ledger};
use crate::ledger::Ledger;

#[derive(Debug, Subcommand)]
pub(super) enum NotificationsCommand {
    /// Lists what is wrong, and what was and nobody has acknowledged
    #[command(after_help = "Examples: suiftly notifications list\n          suiftly notifications list --all --json")]
    List {
        /// Also those of the last 90 days that are over and acknowledged
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Notes that somebody has seen a notification; what is wrong stays listed until it is over
    #[command(after_help = "Example: suiftly notifications ack 17 18")]
    Ack {
        /// Numbers of notifications
        #[arg(required = true, value_name = "N")]
        notifications: Vec<u64>,
        #[command(flatten)]
        place: Place,
    },
}

/// Whose notifications, and how to answer.
#[derive(Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn notifications(command: &NotificationsCommand) -> Result<()> {
    match command {
        NotificationsCommand::List { all, place } => list(*all, place),
        NotificationsCommand::Ack { notifications, place } => acknowledge(notifications, place),
    }
}

fn list(all: bool, place: &Place) -> Result<()> {
    let (config, ask) = (Config::load(&place.config.config)?, AskNotifications { all });
    let list: NotificationList = match ask_process(&config, "/notifications", &ask)? {
        Some(list) => list,
        None => notifications_of(&Ledger::open_as_it_is(&ledger_of(&config)?, 1)?, ask)?,
    };
    if place.json {
        return super::print_json(&list);
    }
    if list.items.is_empty() {
        println!("nothing needs anybody");
    }
    for item in &list.items {
        print(item);
    }
    Ok(())
}

fn acknowledge(numbers: &[u64], place: &Place) -> Result<()> {
    let config = Config::load(&place.config.config)?;
    let mut items = Vec::new();
    for notification in numbers.iter().copied() {
        let item = match ask_process(&config, "/notifications/acknowledge", &AskAcknowledge { notification })? {
            Some(item) => item,
            None => acknowledge_here(&config, notification)?,
        };
        if !place.json {
            print(&item);
        }
        items.push(item);
    }
    if place.json { super::print_json(&NotificationList { items }) } else { Ok(()) }
}

fn acknowledge_here(config: &Config, number: u64) -> Result<NotificationView> {
    ledger_of(config)?;
    let now = Clock::System.now();
    let done = with_ledger(config, |ledger| {
        check_clock(ledger, now).map(|()| acknowledge_without_process(ledger, number, now))
    })??;
    Ok(done?)
}

/// `None` if no process runs.
fn ask_process<T: DeserializeOwned>(config: &Config, route: &str, ask: &impl Serialize) -> Result<Option<T>> {
    super::block_on(async {
        match AdminClient::connect(&config.data_dir).await? {
            Some(client) => Ok(Some(client.ask(route, ask).await?)),
            None => anyhow::Ok(None),
        }
    })?
}

fn ledger_of(config: &Config) -> Result<std::path::PathBuf> {
    let path = config.data_dir.join("ledger.db");
    if !path.exists() {
        bail!("there is no ledger {}: has `suiftly serve` run with this configuration?", path.display());
    }
    Ok(path)
}

fn print(item: &NotificationView) {
    let NotificationView { notification, severity, text, first_at, last_at, count, .. } = item;
    let times = match count {
        1 => format!("since {first_at}"),
        _ => format!("{count} times since {first_at}, last at {last_at}"),
    };
    let over = item.cleared_at.as_ref().map_or(String::new(), |at| format!("; over at {at}"));
    let seen = item.acknowledged_at.as_ref().map_or(String::new(), |at| format!("; acknowledged at {at}"));
    println!("{notification:>5}  {severity:<7}  {text} ({times}{over}{seen})");
}
