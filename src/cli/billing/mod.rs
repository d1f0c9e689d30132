//! `suiftly billing`: what operators see of customers' billing, and do to it.

mod order;
mod show;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};

use super::ConfigArgs;
use super::ledger::read_customer;
use super::verify_invoice::read_number;
use crate::app::billing::{Order, Which};
use crate::core::config_global::parse_dollars;
use crate::core::id::CustomerId;

#[derive(Debug, Subcommand)]
pub(super) enum BillingCommand {
    /// Shows how a customer's billing stands: services, escrow, credits, invoices, what is under way, what was told
    #[command(after_help = "Example: suiftly billing show --customer 12345 --json")]
    Show {
        /// The customer's number
        #[arg(long, value_parser = read_customer)]
        customer: CustomerId,
        #[command(flatten)]
        place: Place,
    },
    /// Lists the customers who are charged nothing until somebody has looked, and why, longest first
    #[command(after_help = "Example: suiftly billing parked --json")]
    Parked {
        #[command(flatten)]
        place: Place,
    },
    /// Lists invoices, newest first
    #[command(
        after_help = "Examples: suiftly billing invoices --state failed\n          suiftly billing invoices --customer 12345 --json"
    )]
    Invoices {
        /// Of this customer only
        #[arg(long, value_parser = read_customer)]
        customer: Option<CustomerId>,
        /// In this state only
        #[arg(long)]
        state: Option<State>,
        /// So many, at most
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        place: Place,
    },
    /// Prints an invoice, or the hours of usage behind it as CSV
    #[command(
        after_help = "Examples: suiftly billing invoice --invoice INV-000042 --format pdf --out INV-000042.pdf\n          suiftly billing invoice --draft-of 12345"
    )]
    Invoice {
        /// The number printed on it
        #[arg(long, value_name = "N", value_parser = read_number, required_unless_present = "draft_of")]
        invoice: Option<u64>,
        /// In its place, the draft of this customer: the running month so far
        #[arg(long, value_name = "CUSTOMER", value_parser = read_customer, conflicts_with = "invoice")]
        draft_of: Option<CustomerId>,
        /// How it is printed
        #[arg(long, default_value = "text")]
        format: Format,
        /// Where it goes; without it, to standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Grants a customer credit, which pays what is owed at once
    #[command(after_help = "Example: suiftly billing credit --customer 12345 --amount 25.00 --reason goodwill")]
    Credit {
        /// The customer's number
        #[arg(long, value_parser = read_customer)]
        customer: CustomerId,
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
        place: Place,
    },
    /// Makes an unpaid invoice void: nothing is owed for it, and the credits that it used come back
    #[command(after_help = "Example: suiftly billing void --invoice 42 --reason \"billed twice by mistake\"")]
    Void {
        /// The number printed on it
        #[arg(long, value_name = "N", value_parser = read_number)]
        invoice: u64,
        /// One line for the activity log, which the customer sees
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        place: Place,
    },
    /// Gives back what was paid for an invoice, or a part of it
    #[command(
        after_help = "Example: suiftly billing credit-note --invoice 42 --amount 5.00 --to escrow --reason \"outage of 3 November\""
    )]
    CreditNote {
        /// The number printed on the invoice
        #[arg(long, value_name = "N", value_parser = read_number)]
        invoice: u64,
        /// Dollars, whole cents
        #[arg(long, value_parser = micros)]
        amount: i64,
        /// Where it goes: to escrow at most what escrow paid
        #[arg(long)]
        to: To,
        /// One line, printed on the invoice and in the activity log
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        place: Place,
    },
    /// Tries at once to get an unpaid invoice paid, by credits and then by the customer's payment methods
    #[command(after_help = "Example: suiftly billing collect --invoice 42")]
    Collect {
        /// The number printed on it
        #[arg(long, value_name = "N", value_parser = read_number)]
        invoice: u64,
        #[command(flatten)]
        place: Place,
    },
    /// Charges a customer nothing any more, until unparked
    #[command(after_help = "Example: suiftly billing park --customer 12345 --reason \"disputed, ticket 17\"")]
    Park {
        /// The customer's number
        #[arg(long, value_parser = read_customer)]
        customer: CustomerId,
        /// One line for the operator's log, which the customer does not see
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        place: Place,
    },
    /// Charges a parked customer again, if the books add up and agree with the chain: nothing overrides that, for the next
    /// check would park again
    #[command(after_help = "Example: suiftly billing unpark --customer 12345 --reason \"settled, ticket 17\"")]
    Unpark {
        /// The customer's number
        #[arg(long, value_parser = read_customer)]
        customer: CustomerId,
        /// One line for the operator's log: what was found
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Whose ledger, and how to answer.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// Where a credit note goes.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum To {
    Credit,
    Escrow,
}

/// Where an invoice stands.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum State {
    Draft,
    Pending,
    Paid,
    Failed,
    Voided,
}

/// How an invoice is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Html,
    Pdf,
    /// The hours of usage behind its lines
    Csv,
}

fn micros(text: &str) -> Result<i64, &'static str> {
    let dollars = parse_dollars(text).filter(|dollars| dollars.is_whole_cents());
    dollars.map(|dollars| dollars.micros()).ok_or("give dollars with at most two decimals, such as 25.00")
}

pub(super) fn billing(command: BillingCommand) -> Result<()> {
    let (order, place) = match command {
        BillingCommand::Show { customer, place } => return show::customer(customer, &place),
        BillingCommand::Parked { place } => return show::parked(&place),
        BillingCommand::Invoices { customer, state, limit, place } => {
            return show::invoices(customer, state, limit, &place);
        }
        BillingCommand::Invoice { invoice, draft_of, format, out, config } => {
            let which = match (draft_of, invoice) {
                (Some(customer), _) => Which::DraftOf(customer),
                (None, number) => Which::Number(number.unwrap_or_default()),
            };
            return show::invoice(which, format, out.as_deref(), &config);
        }
        BillingCommand::Credit { customer, amount, reason, expires_after_days, place } => {
            let (customer, amount_micros) = (customer.get(), amount);
            (Order::GrantCredit { customer, amount_micros, reason, expires_after_days }, place)
        }
        BillingCommand::Void { invoice, reason, place } => (Order::VoidInvoice { invoice, reason }, place),
        BillingCommand::CreditNote { invoice, amount: amount_micros, to, reason, place } => {
            let to = match to {
                To::Credit => "credit",
                To::Escrow => "escrow",
            };
            (Order::IssueCreditNote { invoice, amount_micros, to: to.to_owned(), reason }, place)
        }
        BillingCommand::Collect { invoice, place } => (Order::Collect { invoice }, place),
        BillingCommand::Park { customer, reason, place } => (Order::Park { customer: customer.get(), reason }, place),
        BillingCommand::Unpark { customer, reason, place } => {
            (Order::Unpark { customer: customer.get(), reason }, place)
        }
    };
    order::carry_out(order, &place)
}
