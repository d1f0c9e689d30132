//! Why a decision is not made. Then there are no actions, and everything is as it was.

use super::credit_note::MAX_REASON;
use super::escrow::NotASpendingLimit;
use super::ids::{CreditNoteId, InvoiceId};
use super::invoice::{BrokenInvoice, Invoice, InvoiceState};
use crate::core::calendar::{Month, NotAMonth};
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::service_instance::ServiceRefusal;

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillingError {
    /// Somebody asked for what cannot be: to be told to them.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Months have to be closed first, this one next: run the cycle and decide again.
    #[error("the month {0} has to be closed first")]
    CatchUpFirst(Month),
    #[error(transparent)]
    Money(#[from] MoneyOverflow),
    #[error(transparent)]
    Calendar(#[from] NotAMonth),
    /// The books contradict themselves: park the customer.
    #[error(transparent)]
    Broken(#[from] BrokenInvoice),
    /// What was loaded lacks something that the event is about, or contradicts itself: park the customer.
    #[error("the account that was loaded is not complete: {0}")]
    Incomplete(&'static str),
}

/// What somebody asked for that cannot be, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Service(#[from] ServiceRefusal),
    #[error("a payment for this is under way: try again in a moment")]
    PaymentUnderWay,
    #[error("an invoice is unpaid: pay it first")]
    UnpaidInvoice(InvoiceId),
    /// The invoice that would have been made.
    #[error("{} is to be paid for this and cannot be at present: deposit, or raise your spending limit", .0.amount)]
    CannotPay(Box<Invoice>),
    #[error("billing of this account is on hold until it was looked into")]
    Parked,
    #[error("there is no invoice {0}")]
    NoSuchInvoice(InvoiceId),
    #[error("there is no credit note {0}")]
    NoSuchCreditNote(CreditNoteId),
    #[error("this cannot be done with an invoice that is {}", .0.name())]
    InvoiceState(InvoiceState),
    #[error(
        "usage on this invoice was corrected since, and what was too much has come back: grant credit for the rest"
    )]
    Corrected,
    #[error("an amount must be more than nothing and a whole number of cents")]
    BadAmount,
    #[error("at most {0} can be given back")]
    MoreThanPaid(Usd),
    #[error("give a reason: one line of at most {MAX_REASON} characters")]
    BadReason,
    #[error("it would be over before it begins")]
    Expired,
    #[error("there is no account on the chain: deposit first")]
    NoEscrow,
    #[error("give at least one way to pay, and each once")]
    BadMethods,
    #[error(transparent)]
    SpendingLimit(#[from] NotASpendingLimit),
}

impl From<ServiceRefusal> for BillingError {
    fn from(refusal: ServiceRefusal) -> Self {
        Self::Refused(refusal.into())
    }
}
