//! Invoices for people: HTML, PDF, text, and the hours of usage behind each line as CSV.
//!
//! ```text
//! ledger ──load──▶ InvoiceDocument ──sheet──▶ Sheet: all words and figures ──┬─▶ html
//!                         │                                                  ├─▶ pdf
//!                         │                                                  └─▶ text
//!                         └──usage_csv──▶ CSV
//! ```
//! [`sheet`] is the only place that puts things into words, so that all renderings say the same. The same document
//! gives the same bytes. An invoice that does not add up is not rendered.

mod html;
mod load;
mod page;
mod pdf;
mod sheet;
#[cfg(test)]
mod tests;
mod text;
mod typeface;
mod usage_csv;
mod words;

use std::collections::BTreeMap;

pub use self::load::{hours_of_invoice, load_document};
pub(in crate::app) use self::usage_csv::counted;

pub use self::html::style_sha256;
pub use self::usage_csv::{HourOfLine, HoursOfLine, UsageOfInvoice};

use crate::core::billing::{BrokenInvoice, CreditId, CreditReason, Invoice, PaymentMethod};
use crate::core::calendar::UtcMillis;
use crate::core::customer::WalletAddress;
use crate::core::money::{MoneyOverflow, Usd};

/// Who issues invoices, as printed on them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Issuer {
    /// Empty if the operator has not set it, which is then said.
    pub name: String,
    pub address: Vec<String>,
}

/// Whom an invoice is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// What the customer wants to be called; may be empty.
    pub name: String,
    pub wallet: WalletAddress,
}

/// A payment that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub at: UtcMillis,
    pub method: PaymentMethod,
    pub amount: Usd,
    /// How the chain calls it.
    pub reference: String,
    /// It came when nothing was to be paid any more, and became a credit.
    pub is_overpaid: bool,
}

/// A credit note to the invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrintedCreditNote {
    pub number: u64,
    pub at: UtcMillis,
    pub amount: Usd,
    pub reason: String,
}

/// Everything that is on an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceDocument {
    pub invoice: Invoice,
    pub issuer: Issuer,
    pub billed: Billed,
    /// Why each credit was granted, of those that the invoice uses.
    pub credit_reasons: BTreeMap<CreditId, CreditReason>,
    /// Oldest first.
    pub payments: Vec<Payment>,
    /// Oldest first.
    pub credit_notes: Vec<PrintedCreditNote>,
    /// Whether money on the chain is play money. It is said wherever a payment is shown.
    pub is_chain_simulated: bool,
    /// When it was looked at: drafts change, and say so.
    pub as_of: UtcMillis,
}

/// An invoice cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error(transparent)]
    Broken(#[from] BrokenInvoice),
    #[error("an amount of the invoice cannot be added up")]
    Money(#[from] MoneyOverflow),
    #[error("the invoice cannot be written as PDF: {0}")]
    Pdf(String),
    #[error("the usage cannot be written as CSV")]
    Csv(#[from] csv::Error),
}

impl InvoiceDocument {
    /// One page of HTML: no script, and nothing that is fetched from elsewhere.
    ///
    /// # Errors
    /// [`DocumentError::Broken`], [`DocumentError::Money`].
    pub fn html(&self) -> Result<String, DocumentError> {
        Ok(html::html(&sheet::sheet(self)?))
    }

    /// Plain text, in columns.
    ///
    /// # Errors
    /// [`DocumentError::Broken`], [`DocumentError::Money`].
    pub fn text(&self) -> Result<String, DocumentError> {
        Ok(text::text(&sheet::sheet(self)?))
    }

    /// A PDF/A-2u file: it has its fonts in it, and its text can be searched and copied.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn pdf(&self) -> Result<Vec<u8>, DocumentError> {
        pdf::pdf(&sheet::sheet(self)?)
    }

    /// What files are called, without the ending: `INV-000042`, `draft-2026-11`.
    pub fn file_stem(&self) -> String {
        match self.invoice.number {
            Some(number) => number.to_string(),
            None => format!("draft-{}", self.invoice.month),
        }
    }
}
