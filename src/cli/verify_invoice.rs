//! `suiftly verify-invoice`

use anyhow::{Result, bail};
use clap::Args;

use super::ConfigArgs;
use crate::admin::{AdminClient, AskInvoice};
use crate::app::{InvoiceCheck, LineCheck, Verdict, check_invoice};
use crate::clock::Clock;
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct VerifyInvoiceArgs {
    /// The number printed on it
    #[arg(value_parser = read_number)]
    number: u64,
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// `42` or `INV-000042`.
pub(super) fn read_number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("INV-").unwrap_or(text);
    let number = digits.parse().ok().filter(|number| *number > 0 && !digits.starts_with('+'));
    number.ok_or_else(|| "an invoice's number is like 42 or INV-000042".to_owned())
}

pub(super) fn verify_invoice(args: &VerifyInvoiceArgs) -> Result<()> {
    let number = args.number;
    let config = Config::load(&args.config.config)?;
    let check: InvoiceCheck = super::block_on(async {
        match AdminClient::connect(&config.data_dir).await? {
            Some(client) => anyhow::Ok(client.ask("/invoice/verify", &AskInvoice { number }).await?),
            None => {
                let ledger = super::config::open_ledger(&args.config)?;
                let traffic = super::traffic::open_traffic(&config)?;
                Ok(check_invoice(&ledger, &traffic, number, Clock::System.now()).await?)
            }
        }
    })??;
    if args.json {
        super::print_json(&check)?;
    } else {
        print(&check);
    }
    if !check.is_equal {
        bail!("invoice {} differs from what it was made of", check.number);
    }
    Ok(())
}

fn print(check: &InvoiceCheck) {
    let InvoiceCheck { number, customer, month, state, lines, hours, hours_counted, hours_not_counted, .. } = check;
    println!("invoice {number} of customer {customer}, {month}, {state}");
    if lines.is_empty() {
        println!("it bills no usage");
    }
    lines.iter().for_each(print_line);
    for hour in hours {
        println!(
            "line {}, {}, hour {}: the ledger has {}, stored requests make {}",
            hour.line, hour.service, hour.hour, hour.ledger, hour.requests
        );
    }
    println!("{hours_counted} hours were counted anew from stored requests; of {hours_not_counted} these are not kept");
}

fn print_line(line: &LineCheck) {
    let verdict = match line.verdict {
        Verdict::Equal => "equal",
        Verdict::SettledElsewhere => "its hours changed afterwards, which another line or a credit has settled",
        Verdict::Differs => "differs",
    };
    println!("line {}, {}: {verdict}", line.line, line.what);
    for difference in &line.differences {
        println!("  {}: invoiced {}, the ledger has {}", difference.of, difference.invoice, difference.ledger);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_printed() {
        for (text, number) in [("42", Some(42)), ("INV-000042", Some(42)), ("INV-1000000", Some(1_000_000))] {
            assert_eq!(read_number(text).ok(), number, "{text}");
        }
        for text in ["", "0", "-1", "+1", "INV-", "inv-1", "INV-+1", "1.0", "99999999999999999999"] {
            assert!(read_number(text).is_err(), "{text}");
        }
    }
}
