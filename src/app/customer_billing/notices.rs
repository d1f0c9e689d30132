//! What customers were told about their billing.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::name::name_of;
use crate::app::change::Once;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::error_code::Code;
use crate::ledger::ReadTx;
use crate::ledger::billing_notice::{StoredNotice, count_unread_notices_for, notices_for, read_notices};

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BillingNotice)]
pub struct NoticeView {
    pub notice_id: u64,
    #[schema(format = DateTime)]
    pub at: String,
    /// `invoice_issued`, `invoice_paid`, `invoice_failed`, `invoice_voided`, `payment_overdue`, `suspended`, `resumed`,
    /// `upgrade_declined`, `subscription_lapsed`, `credit_expired` or `cap_reached`.
    pub kind: String,
    /// By kind: `invoice`; `suspends_at`; `service`; `credit` and `amount_micros`; `percent` and `spent_micros`.
    #[schema(value_type = Object)]
    pub details: Value,
    /// Absent until it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub read_at: Option<String>,
}

/// A page of notices, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NoticePage {
    pub items: Vec<NoticeView>,
    /// Of all pages, those that were not read.
    pub unread: u64,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}

/// What was read.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticesRead {
    /// The newest notice that was read, and with it all before.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    up_to: u64,
}

/// What is left to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticesLeft {
    pub unread: u64,
}

impl App {
    /// A page of the caller's notices.
    ///
    /// # Errors
    /// [`Code::InvalidCursor`].
    pub async fn list_notices(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<NoticePage, AppError> {
        let before = cursor.map(str::parse::<u64>).transpose().map_err(|_| Refusal::of(Code::InvalidCursor))?;
        let (customer, more) = (caller.customer, limit.saturating_add(1));
        let read = move |tx: &ReadTx<'_>| {
            let found = notices_for(tx, customer, before, more)?;
            let items = found.iter().map(|notice| view(tx, notice)).collect::<Result<Vec<_>, AppError>>()?;
            Ok::<_, AppError>((items, count_unread_notices_for(tx, customer)?))
        };
        let (mut items, unread) = self.ledger.read(read).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_last = items.len() <= limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| !is_last).map(|last| last.notice_id.to_string());
        Ok(NoticePage { items, unread, next_cursor })
    }

    /// Notes which notices the caller has read.
    ///
    /// # Errors
    /// Those of every change.
    pub async fn note_notices_read(
        &self,
        caller: &Caller,
        once: Option<Once>,
        read: NoticesRead,
    ) -> Result<NoticesLeft, AppError> {
        // A number beyond all notices is all of them.
        let up_to = read.up_to.min(i64::MAX.unsigned_abs());
        self.change(caller, once, move |change| {
            read_notices(change.tx, change.id(), up_to, change.now)?;
            Ok(NoticesLeft { unread: count_unread_notices_for(change.tx, change.id())? })
        })
        .await
    }
}

fn view(tx: &ReadTx<'_>, stored: &StoredNotice) -> Result<NoticeView, AppError> {
    let notice = &stored.notice;
    let mut details: Value = serde_json::from_str(&notice.details).map_err(|source| AppError::Json { source })?;
    // Customers know invoices by their numbers.
    if let Some(invoice) = details.get("invoice").and_then(Value::as_u64) {
        let name = name_of(tx, invoice)?;
        if let Some(place) = details.get_mut("invoice") {
            *place = name.into();
        }
    }
    Ok(NoticeView {
        notice_id: stored.number,
        at: notice.at.to_string(),
        kind: notice.kind.to_string(),
        details,
        read_at: stored.read_at.map(|at| at.to_string()),
    })
}
