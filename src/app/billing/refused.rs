//! What a customer is told when billing refuses something.

use super::failure::BillingFailure;
use crate::app::{AppError, Refusal};
use crate::core::billing::{self, BillingError};
use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;

/// Somebody who comes when more than a month waits to be closed, as after a long stop, waits for the cycle that closes
/// it. A month that has just ended keeps nobody waiting.
const CATCH_UP_S: u64 = 30;

impl From<BillingFailure> for AppError {
    fn from(failure: BillingFailure) -> Self {
        match failure {
            BillingFailure::Ledger(error) if !error.is_contradiction() => Self::Ledger(error),
            BillingFailure::Decision(BillingError::Refused(refusal)) => Refusal::from(refusal).into(),
            BillingFailure::Decision(BillingError::CatchUpFirst(month)) => {
                let detail = format!("the invoice of {month} is being made: try again in a moment");
                Refusal::new(Code::NotReady, detail).retry_after(CATCH_UP_S).into()
            }
            BillingFailure::NoSuchCustomer(_) => Refusal::new(Code::NotFound, failure).into(),
            failure => Self::Billing(Box::new(failure)),
        }
    }
}

impl From<billing::Refusal> for Refusal {
    fn from(refusal: billing::Refusal) -> Self {
        use billing::Refusal as Why;
        let code = match &refusal {
            Why::Service(refusal) => return refusal.clone().into(),
            Why::PaymentUnderWay => Code::PaymentUnderWay,
            Why::UnpaidInvoice(_) => Code::InvoiceUnpaid,
            Why::CannotPay(_) => Code::CannotPay,
            Why::Parked => Code::BillingOnHold,
            Why::NoSuchInvoice(_) | Why::NoSuchCreditNote(_) => Code::NotFound,
            Why::InvoiceState(_) | Why::Corrected => Code::InvoiceState,
            Why::NoEscrow => Code::NoEscrowAccount,
            Why::BadAmount | Why::MoreThanPaid(_) => return in_field("amount", refusal),
            Why::BadReason => return in_field("reason", refusal),
            Why::Expired => return in_field("expires_at", refusal),
            Why::BadMethods => return in_field("methods", refusal),
            Why::SpendingLimit(_) => return in_field("limit", refusal),
        };
        Self::new(code, refusal)
    }
}

fn in_field(field: &str, refusal: billing::Refusal) -> Refusal {
    let mut errors = FieldErrors::new();
    errors.add(field, refusal);
    errors.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_too_early_is_told_when_to_come_again() {
        let early = BillingFailure::Decision(BillingError::CatchUpFirst("2026-10".parse().unwrap()));
        let AppError::Refused(refusal) = AppError::from(early) else { panic!("it is an error of ours") };
        assert_eq!((refusal.code, refusal.retry_after_s), (Code::NotReady, Some(CATCH_UP_S)));
        assert!(refusal.detail.contains("2026-10"), "{refusal}");
        let parked = AppError::from(BillingFailure::Decision(billing::Refusal::Parked.into()));
        let AppError::Refused(refusal) = parked else { panic!("it is an error of ours") };
        assert_eq!((refusal.code, refusal.retry_after_s), (Code::BillingOnHold, None));
    }
}
