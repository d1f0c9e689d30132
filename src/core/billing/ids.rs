//! Names of billing's records. Numbers come from [`Counters`], which are loaded and saved in the transaction of the
//! decision that takes them: so they have no gaps, and deciding stays pure.

use std::fmt;
use std::str::FromStr;

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

numbers! {
    /// An invoice, draft or not, for as long as it exists.
    InvoiceId;
    /// A grant of credit.
    CreditId;
    /// A credit note. It is the number printed on it as well: there are no drafts of credit notes.
    CreditNoteId;
}

/// The number printed on an invoice: from 1, without gaps over all customers, given when it ceases to be a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvoiceNumber(pub u64);

/// `INV-000042`.
impl fmt::Display for InvoiceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "INV-{:06}", self.0)
    }
}

/// The text is no number of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the number of an invoice is like INV-000042")]
pub struct NotAnInvoiceNumber;

/// Only the one spelling that [`fmt::Display`] writes.
impl FromStr for InvoiceNumber {
    type Err = NotAnInvoiceNumber;

    fn from_str(text: &str) -> Result<Self, NotAnInvoiceNumber> {
        let number = text.strip_prefix("INV-").and_then(|digits| digits.parse().ok());
        let number = Self(number.ok_or(NotAnInvoiceNumber)?);
        if number.to_string() == text { Ok(number) } else { Err(NotAnInvoiceNumber) }
    }
}

/// One demand on a payment method; what is sent again after a crash bears the same key, `invoice-<id>-<attempt>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChargeKey {
    pub invoice: InvoiceId,
    /// From 1.
    pub attempt: u32,
}

/// The text is no key of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key of a charge is invoice-<id>-<attempt>")]
pub struct NotAChargeKey;

impl fmt::Display for ChargeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invoice-{}-{}", self.invoice, self.attempt)
    }
}

/// Only the one spelling that [`fmt::Display`] writes.
impl FromStr for ChargeKey {
    type Err = NotAChargeKey;

    fn from_str(text: &str) -> Result<Self, NotAChargeKey> {
        let numbers = text.strip_prefix("invoice-").and_then(|rest| rest.split_once('-'));
        let (invoice, attempt) = numbers.ok_or(NotAChargeKey)?;
        let invoice = InvoiceId(invoice.parse().map_err(|_| NotAChargeKey)?);
        let key = Self { invoice, attempt: attempt.parse().map_err(|_| NotAChargeKey)? };
        if key.to_string() == text { Ok(key) } else { Err(NotAChargeKey) }
    }
}

/// The numbers that come next, over all customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    pub next_invoice: u64,
    pub next_invoice_number: u64,
    pub next_credit: u64,
    pub next_credit_note: u64,
}

/// Everything begins with 1.
impl Default for Counters {
    fn default() -> Self {
        Self { next_invoice: 1, next_invoice_number: 1, next_credit: 1, next_credit_note: 1 }
    }
}

impl Counters {
    pub(super) fn take_invoice(&mut self) -> InvoiceId {
        InvoiceId(take(&mut self.next_invoice))
    }

    pub(super) fn take_invoice_number(&mut self) -> InvoiceNumber {
        InvoiceNumber(take(&mut self.next_invoice_number))
    }

    pub(super) fn take_credit(&mut self) -> CreditId {
        CreditId(take(&mut self.next_credit))
    }

    pub(super) fn take_credit_note(&mut self) -> CreditNoteId {
        CreditNoteId(take(&mut self.next_credit_note))
    }
}

/// At the end of the range numbers would repeat, and the ledger's unique keys refuse that.
fn take(next: &mut u64) -> u64 {
    let taken = *next;
    *next = next.saturating_add(1);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_charges_have_one_spelling() {
        let key = ChargeKey { invoice: InvoiceId(42), attempt: 3 };
        assert_eq!(key.to_string(), "invoice-42-3");
        assert_eq!("invoice-42-3".parse(), Ok(key));
        for text in ["", "invoice-", "invoice-42", "invoice-42-", "invoice-042-3", "invoice-42-3-1", "invoice-+42-3"] {
            assert_eq!(text.parse::<ChargeKey>(), Err(NotAChargeKey), "{text}");
        }
    }

    #[test]
    fn numbers_of_invoices_have_one_spelling() {
        for (number, text) in [(42, "INV-000042"), (1_234_567, "INV-1234567")] {
            assert_eq!(InvoiceNumber(number).to_string(), text);
            assert_eq!(text.parse(), Ok(InvoiceNumber(number)));
        }
        for text in ["", "42", "INV-", "INV-42", "inv-000042", "INV-0000042", "INV-+00042", "INV-99999999999999999999"]
        {
            assert_eq!(text.parse::<InvoiceNumber>(), Err(NotAnInvoiceNumber), "{text}");
        }
    }

    #[test]
    fn numbers_follow_each_other() {
        let mut counters = Counters::default();
        assert_eq!((counters.take_invoice(), counters.take_invoice()), (InvoiceId(1), InvoiceId(2)));
        assert_eq!(counters.take_invoice_number(), InvoiceNumber(1));
        assert_eq!((counters.take_credit(), counters.take_credit_note()), (CreditId(1), CreditNoteId(1)));
    }
}
