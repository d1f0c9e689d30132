//! `suiftly ledger`: reads the books, also beside a running process, and changes nothing.

use anyhow::{Result, bail};
use clap::Subcommand;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::ConfigArgs;
use crate::app::{BooksReport, verify_books};
use crate::clock::Clock;
use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::ledger::balance::{Balance, EVER, balances_of, trial_balance};
use crate::ledger::customer::find_customer;
use crate::ledger::entry::{NumberedEntry, entries_of_after};
use crate::ledger::{Ledger, LedgerError};

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Recomputes everything in the books, and holds them against invoices, credits and escrow
    #[command(after_help = "Example: suiftly ledger verify --json")]
    Verify {
        #[command(flatten)]
        config: ConfigArgs,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Shows what accounts hold, of a customer or in all: what customers owe is positive, what is owed to them negative
    #[command(after_help = "Examples: suiftly ledger balance\n          suiftly ledger balance 12345 --at 2026-11-01")]
    Balance {
        /// The customer's number; none: all customers together
        #[arg(value_parser = read_customer)]
        customer: Option<CustomerId>,
        /// As of this instant, itself included: RFC 3339, or a date, which is when it begins (UTC)
        #[arg(long, value_name = "TIME", value_parser = read_time)]
        at: Option<UtcMillis>,
        #[command(flatten)]
        config: ConfigArgs,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Lists the entries of a customer, oldest first
    #[command(
        after_help = "Examples: suiftly ledger entries 12345\n          suiftly ledger entries 12345 --after 400 --limit 50 --json"
    )]
    Entries {
        /// The customer's number
        #[arg(value_parser = read_customer)]
        customer: CustomerId,
        /// Those behind this entry only
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u64,
        /// So many, at most
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        config: ConfigArgs,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn read_customer(text: &str) -> Result<CustomerId, String> {
    let customer = text.parse().ok().and_then(CustomerId::new).filter(|_| !text.starts_with('+'));
    customer.ok_or_else(|| "a customer's number is a whole number from 1".to_owned())
}

fn read_time(text: &str) -> Result<UtcMillis, String> {
    let midnight = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp());
    let at = text.parse::<Timestamp>().ok().or_else(midnight);
    let wrong = || "a time is like 2026-11-01T00:00:00Z or 2026-11-01".to_owned();
    at.map(|at| UtcMillis(at.as_millisecond())).ok_or_else(wrong)
}

pub(super) fn ledger(command: &LedgerCommand) -> Result<()> {
    match command {
        LedgerCommand::Verify { config, json } => verify(config, *json),
        LedgerCommand::Balance { customer, at, config, json } => balance(*customer, *at, config, *json),
        LedgerCommand::Entries { customer, after, limit, config, json } => {
            entries(*customer, (*after, *limit), config, *json)
        }
    }
}

fn verify(config: &ConfigArgs, json: bool) -> Result<()> {
    let ledger = super::config::open_ledger(config)?;
    let report = verify_books(&ledger, Clock::System.now())?;
    if json {
        super::print_json(&report)?;
    } else {
        print_report(&report);
    }
    match report.finding_count {
        0 => Ok(()),
        count => bail!("the books do not hold what they say: {count} findings"),
    }
}

fn print_report(report: &BooksReport) {
    let BooksReport { entries, postings, customers, totals, findings, finding_count, .. } = report;
    println!("{entries} entries with {postings} postings of {customers} customers were checked");
    let mut table = table(["account", "currency", "balance"]);
    for total in totals {
        let balance = i64::try_from(total.balance_micros).map_or_else(|_| total.balance_micros.to_string(), usd);
        table.add_row([total.account.clone(), total.currency.clone(), balance]);
    }
    print_table(table, 2);
    for finding in findings {
        match finding.customer {
            Some(customer) => println!("customer {customer}: {}", finding.problem),
            None => println!("{}", finding.problem),
        }
    }
    let shown = u64::try_from(findings.len()).unwrap_or(u64::MAX);
    if *finding_count > shown {
        println!("and {} more", finding_count.saturating_sub(shown));
    }
}

/// An account as it is printed.
#[derive(Debug, Serialize)]
struct ShownBalance {
    account: String,
    sub_account: String,
    currency: &'static str,
    balance_micros: i64,
}

impl From<Balance> for ShownBalance {
    fn from(balance: Balance) -> Self {
        Self {
            account: balance.account.into_owned(),
            sub_account: balance.sub_account.into_owned(),
            currency: balance.currency.name(),
            balance_micros: balance.amount.micros(),
        }
    }
}

fn balance(customer: Option<CustomerId>, at: Option<UtcMillis>, config: &ConfigArgs, json: bool) -> Result<()> {
    let ledger = super::config::open_ledger(config)?;
    let until = at.unwrap_or(EVER);
    let balances = match customer {
        Some(customer) => {
            require_customer(&ledger, customer)?;
            ledger.read_blocking::<_, LedgerError, _>(move |tx| balances_of(tx, customer, until))?
        }
        None => ledger.read_blocking::<_, LedgerError, _>(move |tx| trial_balance(tx, until))?,
    };
    let items: Vec<_> = balances.into_iter().map(ShownBalance::from).collect();
    if json {
        let customer = customer.map(CustomerId::get);
        let at = at.map(|at| at.to_string());
        return super::print_json(&serde_json::json!({"customer": customer, "at": at, "items": items}));
    }
    let mut table = table(["account", "of", "currency", "balance"]);
    for ShownBalance { account, sub_account, currency, balance_micros } in items {
        table.add_row([account, sub_account, currency.to_owned(), usd(balance_micros)]);
    }
    print_table(table, 3);
    Ok(())
}

/// An entry as it is printed.
#[derive(Debug, Serialize)]
struct ShownEntry {
    number: u64,
    at: String,
    reason: String,
    key: String,
    invoice: Option<u64>,
    credit: Option<u64>,
    credit_note: Option<u64>,
    charge: Option<String>,
    reference: Option<String>,
    postings: Vec<ShownPosting>,
}

#[derive(Debug, Serialize)]
struct ShownPosting {
    account: String,
    sub_account: String,
    currency: &'static str,
    amount_micros: i64,
}

impl From<NumberedEntry> for ShownEntry {
    fn from(NumberedEntry { number, entry }: NumberedEntry) -> Self {
        let postings = entry.postings.into_iter().map(|posting| ShownPosting {
            account: posting.account.into_owned(),
            sub_account: posting.sub_account.into_owned(),
            currency: posting.currency.name(),
            amount_micros: posting.amount.micros(),
        });
        Self {
            number,
            at: entry.at.to_string(),
            reason: entry.reason.into_owned(),
            key: entry.key,
            invoice: entry.links.invoice,
            credit: entry.links.credit,
            credit_note: entry.links.credit_note,
            charge: entry.links.charge,
            reference: entry.links.reference,
            postings: postings.collect(),
        }
    }
}

fn entries(customer: CustomerId, (after, limit): (u64, u32), config: &ConfigArgs, json: bool) -> Result<()> {
    let ledger = super::config::open_ledger(config)?;
    require_customer(&ledger, customer)?;
    let mut found = ledger
        .read_blocking::<_, LedgerError, _>(move |tx| entries_of_after(tx, customer, after, limit.saturating_add(1)))?;
    let limit = usize::try_from(limit)?;
    let is_cut = found.len() > limit;
    found.truncate(limit);
    let items: Vec<_> = found.into_iter().map(ShownEntry::from).collect();
    if json {
        let customer = customer.get();
        return super::print_json(&serde_json::json!({"customer": customer, "items": items, "is_cut": is_cut}));
    }
    let last = items.last().map(|entry| entry.number);
    let mut table = table(["entry", "at", "reason", "account", "of", "currency", "amount"]);
    items.iter().for_each(|entry| add_entry(&mut table, entry));
    print_table(table, 6);
    if let Some(last) = last.filter(|_| is_cut) {
        eprintln!("there are more entries: --after {last} gives the next ones");
    }
    Ok(())
}

/// A row for each posting; what is the entry's is on the first.
fn add_entry(table: &mut Table, entry: &ShownEntry) {
    for (index, posting) in entry.postings.iter().enumerate() {
        let of_entry = [entry.number.to_string(), entry.at.clone(), entry.reason.clone()];
        let of_entry = if index == 0 { of_entry } else { Default::default() };
        let amount = usd(posting.amount_micros);
        let of_posting = [&posting.account, &posting.sub_account, posting.currency, &amount].map(str::to_owned);
        table.add_row(of_entry.into_iter().chain(of_posting));
    }
}

fn require_customer(ledger: &Ledger, customer: CustomerId) -> Result<()> {
    match ledger.read_blocking::<_, LedgerError, _>(move |tx| find_customer(tx, customer))? {
        Some(_) => Ok(()),
        None => bail!("no customer has the number {customer}"),
    }
}

pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header);
    table
}

/// The column of figures goes to the right.
fn print_table(mut table: Table, figures: usize) {
    if let Some(column) = table.column_mut(figures) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{}", table.trim_fmt());
}

pub(super) fn usd(micros: i64) -> String {
    crate::core::money::Usd::from_micros(micros).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_customers_are_read_or_refused() {
        let november = UtcMillis(1_793_491_200_000);
        for (text, at) in [
            ("2026-11-01", Some(november)),
            ("2026-11-01T00:00:00Z", Some(november)),
            ("2026-11-01T01:00:00.5+01:00", Some(november.plus_ms(500))),
            ("2026-11", None),
            ("yesterday", None),
            ("2026-02-30", None),
            ("", None),
        ] {
            assert_eq!(read_time(text).ok(), at, "{text}");
        }
        for (text, number) in [("12345", Some(12_345)), ("0", None), ("-1", None), ("+1", None), ("x", None)] {
            assert_eq!(read_customer(text).ok().map(CustomerId::get), number, "{text}");
        }
    }
}
