//! Credits: what was granted, why, and what is left of it.

use serde::Serialize;
use utoipa::ToSchema;

use super::name::name_of;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::calendar::UtcMillis;
use crate::core::error_code::Code;
use crate::core::money::Usd;
use crate::ledger::ReadTx;
use crate::ledger::credit::{StoredCredit, list_credits};

/// Money that can be used for invoices, and not be withdrawn. Credits that expire first are used first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Credit)]
pub struct CreditView {
    pub credit_id: u64,
    /// `reconciliation`, `goodwill`, `promo`, `outage` or `refund`.
    pub reason: String,
    /// `open`, `used` or `expired`.
    pub state: String,
    pub granted_micros: i64,
    /// The same, for people.
    pub granted: String,
    /// What can still be used.
    pub remaining_micros: i64,
    /// The same, for people.
    pub remaining: String,
    #[schema(format = DateTime)]
    pub granted_at: String,
    /// Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub expires_at: Option<String>,
    /// The invoice that it was granted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub invoice: Option<String>,
    /// May be empty.
    pub note: String,
}

/// A page of credits, newest first, also those that are used up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CreditPage {
    pub items: Vec<CreditView>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}

impl App {
    /// A page of the caller's credits.
    ///
    /// # Errors
    /// [`Code::InvalidCursor`].
    pub async fn list_credits(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<CreditPage, AppError> {
        let before = cursor.map(str::parse::<u64>).transpose().map_err(|_| Refusal::of(Code::InvalidCursor))?;
        let (customer, more, now) = (caller.customer, limit.saturating_add(1), self.clock.now());
        let read = move |tx: &ReadTx<'_>| {
            let found = list_credits(tx, customer, before, more)?;
            found.iter().map(|credit| view(tx, credit, now)).collect::<Result<Vec<_>, AppError>>()
        };
        let mut items = self.ledger.read(read).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_last = items.len() <= limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| !is_last).map(|last| last.credit_id.to_string());
        Ok(CreditPage { items, next_cursor })
    }
}

fn view(tx: &ReadTx<'_>, credit: &StoredCredit, now: UtcMillis) -> Result<CreditView, AppError> {
    let is_expired = credit.expires_at.is_some_and(|at| at <= now);
    let remaining = if is_expired { Usd::ZERO } else { credit.remaining };
    let state = if remaining > Usd::ZERO {
        "open"
    } else if is_expired && (credit.expirations > 0 || credit.remaining > Usd::ZERO) {
        "expired"
    } else {
        "used"
    };
    Ok(CreditView {
        credit_id: credit.credit,
        reason: credit.reason.name().to_owned(),
        state: state.to_owned(),
        granted_micros: credit.granted.micros(),
        granted: credit.granted.to_string(),
        remaining_micros: remaining.micros(),
        remaining: remaining.to_string(),
        granted_at: credit.granted_at.to_string(),
        expires_at: credit.expires_at.map(|at| at.to_string()),
        invoice: credit.invoice.map(|invoice| name_of(tx, invoice)).transpose()?.flatten(),
        note: credit.note.clone(),
    })
}
