//! The books, checked: by themselves, and customer by customer against invoices, credits and escrow.

use serde::Serialize;

use super::billing::{BillingFailure, Included, entries_of_customer, load_whole};
use crate::core::billing::{InvoiceNumber, Mismatch, verify};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::ledger::customer::list_customers;
use crate::ledger::verify::{Finding, FindingKind, MAX_FINDINGS, Verification, verify_ledger};
use crate::ledger::{Ledger, ReadTx};

/// Customers that are listed at once.
const LISTED_AT_ONCE: u32 = 1000;

/// What extras cost does not matter to the books.
const NO_EXTRAS: Included = Included { api_keys: u64::MAX, seal_keys: u64::MAX, packages: u64::MAX };

/// What came of checking the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BooksReport {
    pub is_sound: bool,
    pub entries: u64,
    pub postings: u64,
    pub customers: u64,
    /// By account and currency, over all customers.
    pub totals: Vec<AccountTotal>,
    /// All of them.
    pub finding_count: u64,
    /// The first [`MAX_FINDINGS`] of each kind of check.
    pub findings: Vec<BookFinding>,
}

/// What one account adds up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountTotal {
    pub account: String,
    pub currency: String,
    /// Debits less credits, micro-dollars.
    pub balance_micros: i128,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BookFinding {
    pub customer: Option<u32>,
    /// A sentence.
    pub problem: String,
}

/// Checks everything. What is written meanwhile may be seen or not, for each customer as a whole. Blocks.
///
/// # Errors
/// [`BillingFailure`] if it cannot be read, which says nothing about it.
pub fn verify_books(ledger: &Ledger, now: UtcMillis) -> Result<BooksReport, BillingFailure> {
    let verification = ledger.read_blocking(verify_ledger)?;
    let mut report = begin(&verification);
    let month = Month::of(now)?;
    let mut after = None;
    loop {
        let customers = ledger.read_blocking(move |tx| list_customers(tx, after, LISTED_AT_ONCE))?;
        let Some(last) = customers.last() else { break };
        after = Some(last.customer);
        for customer in &customers {
            let customer = customer.customer;
            let found = ledger.read_blocking(move |tx| verify_customer(tx, customer, month))?;
            report.customers += 1;
            found.into_iter().for_each(|problem| report.tell(Some(customer), problem));
        }
    }
    report.is_sound = report.finding_count == 0;
    Ok(report)
}

fn begin(verification: &Verification) -> BooksReport {
    let total = |((account, currency), balance_micros): ((String, crate::ledger::entry::Currency), i128)| {
        AccountTotal { account, currency: currency.name().to_owned(), balance_micros }
    };
    BooksReport {
        is_sound: verification.is_sound(),
        entries: verification.entries,
        postings: verification.postings,
        customers: 0,
        totals: verification.totals().into_iter().map(total).collect(),
        finding_count: verification.finding_count,
        findings: verification.findings.iter().map(finding).collect(),
    }
}

fn finding(found: &Finding) -> BookFinding {
    let number = found.number;
    let subject = match found.kind {
        FindingKind::Credit => format!("credit {number}: "),
        FindingKind::Lines | FindingKind::InvoiceGap => format!("{}: ", InvoiceNumber(number)),
        FindingKind::Index => String::new(),
        _ => format!("entry {number}: "),
    };
    let problem = format!("{subject}{}", found.kind.text());
    BookFinding { customer: found.customer.map(CustomerId::get), problem }
}

impl BooksReport {
    fn tell(&mut self, customer: Option<CustomerId>, problem: String) {
        self.finding_count = self.finding_count.saturating_add(1);
        if self.findings.len() < MAX_FINDINGS.saturating_mul(2) {
            self.findings.push(BookFinding { customer: customer.map(CustomerId::get), problem });
        }
    }
}

/// What differs between a customer's entries and everything else there is of the customer. A record that cannot be read
/// is a finding as well.
fn verify_customer(tx: &ReadTx<'_>, customer: CustomerId, month: Month) -> Result<Vec<String>, BillingFailure> {
    let read = load_whole(tx, customer, &NO_EXTRAS, month)
        .and_then(|account| account.map(|account| Ok((account, entries_of_customer(tx, customer)?))).transpose());
    let (account, entries) = match read {
        Ok(Some(read)) => read,
        Ok(None) => return Ok(Vec::new()),
        Err(error @ BillingFailure::Ledger(_)) => return Err(error),
        Err(error) => return Ok(vec![error.to_string()]),
    };
    // Nobody has a draft before the first thing that is billed.
    let is_new = account.invoices.is_empty();
    let found = verify(&account, &entries).into_iter();
    Ok(found.filter(|found| !(is_new && *found == Mismatch::Drafts(0))).map(|found| found.to_string()).collect())
}
