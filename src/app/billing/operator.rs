//! What operators do to a customer's billing.

use serde::{Deserialize, Serialize};

use crate::app::{App, AppError, Refusal};
use crate::core::billing::{Action, CreditReason, Event};
use crate::core::calendar::DAY_MS;
use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;
use crate::core::id::CustomerId;
use crate::core::money::Usd;

/// Credit to be granted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantCredit {
    pub customer: u32,
    /// More than 0, whole cents.
    pub amount_micros: i64,
    /// `reconciliation`, `goodwill`, `promo`, `outage` or `refund`.
    pub reason: String,
    /// Days from now; absent: it stays.
    pub expires_after_days: Option<u16>,
}

/// What was granted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GrantedCredit {
    /// Numbers of the credit, and of invoices that it paid at once.
    pub credit: u64,
    pub paid_invoices: Vec<u64>,
}

impl App {
    /// Grants credit, which pays what is owed at once.
    ///
    /// # Errors
    /// [`Code::NotFound`] for a number that is no customer's, [`Code::InvalidFields`].
    pub async fn grant_credit(&self, asked: GrantCredit) -> Result<GrantedCredit, AppError> {
        let mut errors = FieldErrors::new();
        let reason = CreditReason::from_name(&asked.reason);
        let reason = errors.take("reason", reason.ok_or("use reconciliation, goodwill, promo, outage or refund"));
        let Some(reason) = reason else { return Err(Refusal::from(errors).into()) };
        let customer = CustomerId::new(asked.customer).ok_or_else(|| Refusal::of(Code::NotFound))?;
        let amount = Usd::from_micros(asked.amount_micros);
        let now = self.clock.now();
        let expires_at = asked.expires_after_days.map(|days| now.plus_ms(i64::from(days).saturating_mul(DAY_MS)));
        let decision = self.bill(customer, Event::GrantCredit { reason, amount, expires_at }).await?;
        let credit = decision.actions.iter().find_map(|action| match action {
            Action::SaveCredit(credit) if credit.granted == amount && credit.invoice.is_none() => Some(credit.id.0),
            _ => None,
        });
        let paid = decision.actions.iter().filter_map(|action| match action {
            Action::SaveInvoice(invoice) if invoice.paid_at.is_some() => invoice.number.map(|number| number.0),
            _ => None,
        });
        Ok(GrantedCredit { credit: credit.unwrap_or_default(), paid_invoices: paid.collect() })
    }
}
