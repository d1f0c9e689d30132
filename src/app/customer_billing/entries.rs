//! The statement of the account: the entries of the books that are about a customer, with what each of them left.

use serde::Serialize;
use utoipa::ToSchema;

use super::name::name_of;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::error_code::Code;
use crate::core::id::CustomerId;
use crate::core::money::{MoneyOverflow, Usd};
use crate::ledger::ReadTx;
use crate::ledger::balance::balance_after_entry;
use crate::ledger::entry::{Currency, NumberedEntry, Posting, entries_of};

/// Something that happened to money: its postings sum to zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Entry)]
pub struct EntryView {
    pub entry_id: u64,
    #[schema(format = DateTime)]
    pub at: String,
    /// Such as `deposit`, `withdrawal`, `invoice_issued`, `invoice_paid`, `credit_granted` or `credits_used`.
    pub reason: String,
    /// The invoice that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub invoice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub credit_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub credit_note_id: Option<u64>,
    /// The transaction on the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reference: Option<String>,
    pub postings: Vec<PostingView>,
    pub after: BalancesView,
}

/// An amount that goes to one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Posting)]
pub struct PostingView {
    /// `escrow`, `credit`, `receivable`, `revenue`, `refunds` or `chain_clearing`.
    pub account: String,
    /// The number of a credit, the kind of a revenue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sub_account: Option<String>,
    /// `USD`, or `USDC` on the chain.
    pub currency: String,
    /// Positive: debit; negative: credit.
    pub amount_micros: i64,
    /// The same, for people.
    pub amount: String,
}

/// What the customer has and owes after an entry and all before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Balances)]
pub struct BalancesView {
    pub escrow_micros: i64,
    /// The same, for people.
    pub escrow: String,
    pub credits_micros: i64,
    /// The same, for people.
    pub credits: String,
    /// What invoices demand.
    pub owed_micros: i64,
    /// The same, for people.
    pub owed: String,
}

/// A page of the statement, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EntryPage {
    pub items: Vec<EntryView>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}

impl App {
    /// A page of the caller's statement.
    ///
    /// # Errors
    /// [`Code::InvalidCursor`].
    pub async fn list_entries(&self, caller: &Caller, cursor: Option<&str>, limit: u32) -> Result<EntryPage, AppError> {
        let before = cursor.map(str::parse::<u64>).transpose().map_err(|_| Refusal::of(Code::InvalidCursor))?;
        let (customer, more) = (caller.customer, limit.saturating_add(1));
        let read = move |tx: &ReadTx<'_>| {
            let found = entries_of(tx, customer, before, more)?;
            let mut running = match found.first() {
                Some(newest) => Running::after(tx, customer, newest.number)?,
                None => Running::default(),
            };
            let mut items = Vec::with_capacity(found.len());
            for entry in &found {
                items.push(view(tx, entry, running)?);
                running = running.before(entry)?;
            }
            Ok::<_, AppError>(items)
        };
        let mut items = self.ledger.read(read).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_last = items.len() <= limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| !is_last).map(|last| last.entry_id.to_string());
        Ok(EntryPage { items, next_cursor })
    }
}

/// Balances as the books have them: debits less credits.
#[derive(Debug, Clone, Copy, Default)]
struct Running {
    escrow: Usd,
    credit: Usd,
    receivable: Usd,
}

impl Running {
    fn after(tx: &ReadTx<'_>, customer: CustomerId, entry: u64) -> Result<Self, AppError> {
        let of = |account| balance_after_entry(tx, customer, account, entry);
        Ok(Self { escrow: of("escrow")?, credit: of("credit")?, receivable: of("receivable")? })
    }

    fn before(self, entry: &NumberedEntry) -> Result<Self, MoneyOverflow> {
        let without = |account: &str, after: Usd| {
            let is_its = |posting: &&Posting| posting.account == account && posting.currency == Currency::Usd;
            let postings = entry.entry.postings.iter().filter(is_its);
            after.checked_sub(Usd::sum(postings.map(|posting| posting.amount))?)
        };
        Ok(Self {
            escrow: without("escrow", self.escrow)?,
            credit: without("credit", self.credit)?,
            receivable: without("receivable", self.receivable)?,
        })
    }

    /// What is the customer's is owed by us: a credit balance.
    fn view(self) -> Result<BalancesView, MoneyOverflow> {
        let (escrow, credits) = (self.escrow.checked_neg()?, self.credit.checked_neg()?);
        Ok(BalancesView {
            escrow_micros: escrow.micros(),
            escrow: escrow.to_string(),
            credits_micros: credits.micros(),
            credits: credits.to_string(),
            owed_micros: self.receivable.micros(),
            owed: self.receivable.to_string(),
        })
    }
}

fn view(tx: &ReadTx<'_>, numbered: &NumberedEntry, after: Running) -> Result<EntryView, AppError> {
    let entry = &numbered.entry;
    let posting = |posting: &Posting| PostingView {
        account: posting.account.to_string(),
        sub_account: Some(posting.sub_account.to_string()).filter(|sub_account| !sub_account.is_empty()),
        currency: posting.currency.name().to_owned(),
        amount_micros: posting.amount.micros(),
        amount: posting.amount.to_string(),
    };
    Ok(EntryView {
        entry_id: numbered.number,
        at: entry.at.to_string(),
        reason: entry.reason.to_string(),
        invoice: entry.links.invoice.map(|invoice| name_of(tx, invoice)).transpose()?.flatten(),
        credit_id: entry.links.credit,
        credit_note_id: entry.links.credit_note,
        reference: entry.links.reference.clone(),
        postings: entry.postings.iter().map(posting).collect(),
        after: after.view()?,
    })
}
