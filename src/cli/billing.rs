//! `suiftly billing`

use anyhow::{Result, bail};
use clap::Subcommand;

use super::ConfigArgs;
use crate::admin::AdminClient;
use crate::app::billing::{GrantCredit, GrantedCredit};
use crate::config::Config;
use crate::core::config_global::parse_dollars;

#[derive(Debug, Subcommand)]
pub(super) enum BillingCommand {
    /// Grants a customer credit, which pays what is owed at once
    #[command(after_help = "Example: suiftly billing credit --customer 12345 --amount 25.00 --reason goodwill")]
    Credit {
        /// The customer's number
        #[arg(long)]
        customer: u32,
        /// Dollars, whole cents
        #[arg(long, value_parser = micros)]
        amount: i64,
        /// reconciliation, goodwill, promo, outage or refund
        #[arg(long)]
        reason: String,
        /// Days after which what is left of it is gone; without it, it stays
        #[arg(long)]
        expires_after_days: Option<u16>,
        #[command(flatten)]
        config: ConfigArgs,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
}

fn micros(text: &str) -> Result<i64, &'static str> {
    let dollars = parse_dollars(text).filter(|dollars| dollars.is_whole_cents());
    dollars.map(|dollars| dollars.micros()).ok_or("give dollars with at most two decimals, such as 25.00")
}

pub(super) fn billing(command: &BillingCommand) -> Result<()> {
    let BillingCommand::Credit { customer, amount, reason, expires_after_days, config, json } = command;
    let config = Config::load(&config.config)?;
    let expires_after_days = *expires_after_days;
    let (customer, amount_micros, reason) = (*customer, *amount, reason.clone());
    let asked = GrantCredit { customer, amount_micros, reason, expires_after_days };
    let granted: GrantedCredit = super::block_on(async {
        match AdminClient::connect(&config.data_dir).await? {
            Some(client) => Ok(client.ask("/billing/credit", &asked).await?),
            None => bail!("no suiftly runs on {}: start `suiftly serve` first", config.data_dir.display()),
        }
    })??;
    if *json {
        return super::print_json(&granted);
    }
    println!("credit {} is granted; {} invoices were paid by it", granted.credit, granted.paid_invoices.len());
    Ok(())
}
