//! Why an event was not carried out. Then nothing of it is written.

use crate::core::billing::{BillingError, Refusal};
use crate::core::calendar::NotAMonth;
use crate::core::id::CustomerId;
use crate::core::money::MoneyOverflow;
use crate::ledger::LedgerError;

/// Why.
#[derive(Debug, thiserror::Error)]
pub enum BillingFailure {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Refused, months to be closed first, or what a person has to look into.
    #[error(transparent)]
    Decision(#[from] BillingError),
    #[error("no customer has the number {0}")]
    NoSuchCustomer(CustomerId),
    /// Somebody wrote it who is not this program.
    #[error("the ledger holds what cannot be: {what} ({subject})")]
    Unreadable { what: &'static str, subject: String },
    /// An entry of the books was there before: what was decided was decided twice.
    #[error("there is an entry {0} in the books already")]
    Repeated(String),
}

impl BillingFailure {
    /// What somebody asked for and cannot have.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Decision(BillingError::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the customer's books contradict themselves, so that nothing may be charged until a person has looked.
    pub fn is_for_a_person(&self) -> bool {
        match self {
            Self::Decision(error) => {
                matches!(error, BillingError::Broken(_) | BillingError::Incomplete(_) | BillingError::Money(_))
            }
            Self::Unreadable { .. } | Self::Repeated(_) => true,
            Self::Ledger(error) => error.is_contradiction(),
            Self::NoSuchCustomer(_) => false,
        }
    }
}

impl From<MoneyOverflow> for BillingFailure {
    fn from(overflow: MoneyOverflow) -> Self {
        Self::Decision(overflow.into())
    }
}

impl From<NotAMonth> for BillingFailure {
    fn from(error: NotAMonth) -> Self {
        Self::Decision(error.into())
    }
}
