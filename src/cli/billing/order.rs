//! Orders: by the process that runs, or in the ledger itself if none does.

use anyhow::{Context, Result, bail};

use super::Place;
use crate::admin::AdminClient;
use crate::app::billing::{Order, OrderDone, order_without_process};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::money::Usd;
use crate::daemon::{check_clock, with_ledger};

pub(super) fn carry_out(order: Order, place: &Place) -> Result<()> {
    let config = Config::load(&place.config.config)?;
    let done = match ask_process(&order, &config)? {
        Some(done) => done,
        None => do_it_here(order.clone(), &config)?,
    };
    if place.json {
        return crate::cli::print_json(&done);
    }
    println!("{}", sentence(&order, &done));
    for number in &done.paid_invoices {
        println!("invoice {number} is paid by it");
    }
    Ok(())
}

/// `None` if no process runs.
fn ask_process(order: &Order, config: &Config) -> Result<Option<OrderDone>> {
    crate::cli::block_on(async {
        match AdminClient::connect(&config.data_dir).await? {
            Some(client) => Ok(Some(client.ask("/billing/order", order).await?)),
            None => anyhow::Ok(None),
        }
    })?
}

/// Nothing is sent to the chain from here.
fn do_it_here(order: Order, config: &Config) -> Result<OrderDone> {
    if !config.data_dir.join("ledger.db").exists() {
        let data_dir = config.data_dir.display();
        bail!("there is no ledger in {data_dir}: has `suiftly serve` run with this configuration?");
    }
    let (tax, now) = (config.billing.tax_basis_points, Clock::System.now());
    let done = with_ledger(config, |ledger| {
        check_clock(ledger, now).map(|()| order_without_process(ledger, order, tax, now))
    })??;
    let done = done.context("suiftly does not run, and it cannot be done in the ledger itself")?;
    eprintln!("suiftly does not run: it was done in the ledger itself, and what is to be sent is sent when it runs");
    Ok(done)
}

fn sentence(order: &Order, done: &OrderDone) -> String {
    let customer = done.customer;
    let amount = |micros| Usd::from_micros(micros);
    let invoice = done.invoice.as_ref();
    let number = invoice.map(|invoice| invoice.number.as_str()).unwrap_or_default();
    match order {
        Order::GrantCredit { amount_micros, .. } => {
            let credit = done.credit.unwrap_or_default();
            format!("credit {credit} of {} is granted to customer {customer}", amount(*amount_micros))
        }
        Order::VoidInvoice { .. } => format!("{number} of customer {customer} is void: nothing is owed for it"),
        Order::IssueCreditNote { amount_micros, .. } => {
            let note = done.credit_note.as_ref().map(|note| note.number).unwrap_or_default();
            let goes = match done.credit {
                Some(credit) => format!("as credit {credit}"),
                None => "and is on its way to escrow".to_owned(),
            };
            format!("credit note {note} gives back {} of {number}, {goes}", amount(*amount_micros))
        }
        Order::Collect { .. } => match invoice {
            Some(invoice) if invoice.state == "paid" => format!("{number} is paid by credits"),
            _ if done.demanded_micros > 0 => format!("{} are asked for", amount(done.demanded_micros)),
            Some(invoice) => {
                let owed = amount(invoice.amount_micros);
                let next = invoice.retry_at.as_ref().map(|at| format!("; the next look is at {at}"));
                format!("nobody can pay the {owed} of {number} at present{}", next.unwrap_or_default())
            }
            None => "nothing is asked for".to_owned(),
        },
        Order::Park { .. } => format!("customer {customer} is parked: nothing is charged"),
        Order::Unpark { .. } => format!("customer {customer} is not parked any more; the books add up"),
    }
}
