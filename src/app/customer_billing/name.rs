//! How invoices are called.

use std::fmt;
use std::str::FromStr;

use crate::app::{AppError, Refusal};
use crate::core::billing::{InvoiceNumber, NotAnInvoiceNumber};
use crate::core::error_code::Code;
use crate::core::id::CustomerId;
use crate::ledger::ReadTx;
use crate::ledger::billing_invoice::{StoredInvoice, draft_of, find_invoice_by_number, number_of_invoice};

/// The draft of the running month, or an invoice by the number printed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceName {
    Draft,
    Number(InvoiceNumber),
}

impl From<Option<InvoiceNumber>> for InvoiceName {
    fn from(number: Option<InvoiceNumber>) -> Self {
        number.map_or(Self::Draft, Self::Number)
    }
}

/// `draft`, `INV-000042`.
impl fmt::Display for InvoiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draft => f.write_str("draft"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl FromStr for InvoiceName {
    type Err = NotAnInvoiceNumber;

    fn from_str(text: &str) -> Result<Self, NotAnInvoiceNumber> {
        if text == "draft" { Ok(Self::Draft) } else { text.parse().map(Self::Number) }
    }
}

/// An invoice of this customer.
///
/// # Errors
/// [`Code::NotFound`], also for one of somebody else.
pub(super) fn find_named(tx: &ReadTx<'_>, customer: CustomerId, name: InvoiceName) -> Result<StoredInvoice, AppError> {
    let found = match name {
        InvoiceName::Draft => draft_of(tx, customer)?,
        InvoiceName::Number(number) => {
            find_invoice_by_number(tx, number.0)?.filter(|invoice| invoice.customer == customer)
        }
    };
    Ok(found.ok_or_else(|| Refusal::of(Code::NotFound))?)
}

/// The invoice with this id, as it is called; `None` if there is none any more.
pub(super) fn name_of(tx: &ReadTx<'_>, invoice: u64) -> Result<Option<String>, AppError> {
    let number = number_of_invoice(tx, invoice)?;
    Ok(number.map(|number| InvoiceName::from(number.map(InvoiceNumber)).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in [InvoiceName::Draft, InvoiceName::Number(InvoiceNumber(42))] {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        for text in ["", "Draft", "42", "INV-42", "INV-000042 "] {
            assert!(text.parse::<InvoiceName>().is_err(), "{text}");
        }
    }
}
