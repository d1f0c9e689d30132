//! What operators must hear of.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::{App, AppError, Refusal};
use crate::core::activity::Activity;
use crate::core::calendar::UtcMillis;
use crate::core::error_code::Code;
use crate::core::notification::{Notification, Step, settle};
use crate::ledger::activity::append_activity;
use crate::ledger::notification::{
    StoredNotification, Which, acknowledge_notification, clear_notification, list_notifications, open_notification,
    open_notifications,
};
use crate::ledger::{Ledger, LedgerError, WriteTx};

/// So many are listed, at most.
const LISTED: u32 = 1000;

/// Which notifications are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskNotifications {
    /// Also those that are over and acknowledged.
    pub all: bool,
}

/// The notification that somebody has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskAcknowledge {
    pub notification: u64,
}

/// Those that are so first, then the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationList {
    pub items: Vec<NotificationView>,
}

/// Something that an operator must hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationView {
    pub notification: u64,
    /// A word for what it is.
    pub code: String,
    /// A word for what it is about, such as `gateway`.
    pub category: String,
    /// `error`: a person must act; `warning`.
    pub severity: String,
    pub text: String,
    /// When it began, RFC 3339.
    pub first_at: String,
    /// When it began last.
    pub last_at: String,
    /// How many times it has begun.
    pub count: u64,
    /// When it was over; absent while it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<String>,
}

impl App {
    /// What operators must hear of, at most 1000.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn list_notifications(&self, ask: AskNotifications) -> Result<NotificationList, AppError> {
        let stored = self.ledger.read(move |tx| list_notifications(tx, which(ask), LISTED)).await?;
        Ok(list(stored))
    }

    /// Notes that an operator has seen a notification.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn acknowledge_notification(&self, number: u64) -> Result<NotificationView, AppError> {
        let now = self.clock.now();
        self.ledger.write(move |tx| acknowledge(tx, number, now)).await
    }
}

/// As [`App::list_notifications`], of a ledger at hand. Blocks.
///
/// # Errors
/// [`LedgerError`].
pub fn notifications_of(ledger: &Ledger, ask: AskNotifications) -> Result<NotificationList, LedgerError> {
    ledger.read_blocking(move |tx| list_notifications(tx, which(ask), LISTED)).map(list)
}

/// As [`App::acknowledge_notification`], in a ledger that no process holds. Blocks.
///
/// # Errors
/// [`Code::NotFound`].
pub fn acknowledge_without_process(ledger: &Ledger, number: u64, now: UtcMillis) -> Result<NotificationView, AppError> {
    ledger.write_blocking(move |tx| acknowledge(tx, number, now))
}

fn acknowledge(tx: &WriteTx<'_>, number: u64, now: UtcMillis) -> Result<NotificationView, AppError> {
    let unknown = || Refusal::new(Code::NotFound, format!("there is no notification {number}"));
    let stored = acknowledge_notification(tx, number, now)?.ok_or_else(unknown)?;
    // Only the first time.
    if stored.acknowledged_at == Some(now) {
        let details = json!({"code": stored.code, "text": stored.text});
        append_activity(
            tx,
            Activity {
                customer: None,
                at: now,
                actor: "operator".to_owned(),
                ip: String::new(),
                action: "notification.acknowledge".to_owned(),
                subject: number.to_string(),
                details: details.to_string(),
            },
        )?;
    }
    Ok(view(stored))
}

/// Brings the notifications of a category to what is so at present. Gives what was noted, nothing if they agree.
///
/// # Errors
/// [`LedgerError`].
pub(super) fn settle_notifications(
    tx: &WriteTx<'_>,
    category: &str,
    current: &[Notification],
    now: UtcMillis,
) -> Result<Vec<Step>, LedgerError> {
    let steps = settle(&open_notifications(tx, category)?, current);
    for step in &steps {
        match step {
            Step::Open(notification) | Step::Retell(notification) => open_notification(tx, notification, now)?,
            Step::Clear(key) => clear_notification(tx, key, now)?,
        }
    }
    Ok(steps)
}

const fn which(ask: AskNotifications) -> Which {
    if ask.all { Which::All } else { Which::NotDone }
}

fn list(stored: Vec<StoredNotification>) -> NotificationList {
    NotificationList { items: stored.into_iter().map(view).collect() }
}

fn view(stored: StoredNotification) -> NotificationView {
    NotificationView {
        notification: stored.number,
        code: stored.code,
        category: stored.category,
        severity: stored.severity.name().to_owned(),
        text: stored.text,
        first_at: stored.first_at.to_string(),
        last_at: stored.last_at.to_string(),
        count: stored.openings,
        cleared_at: stored.cleared_at.map(|at| at.to_string()),
        acknowledged_at: stored.acknowledged_at.map(|at| at.to_string()),
    }
}
