//! What is kept for a time only: ended sessions, answers to requests that were to happen once, notifications that are done.

use crate::app::{App, AppError};
use crate::core::calendar::DAY_MS;
use crate::ledger::idempotency::delete_old_answers;
use crate::ledger::notification::delete_old_notifications;
use crate::ledger::session::delete_old_sessions;

/// An ended session is kept for those who look where they were signed in.
const SESSIONS_KEPT_MS: i64 = 30 * DAY_MS;
/// How long the same request is answered as before.
const ANSWERS_KEPT_MS: i64 = DAY_MS;
/// How long an operator can look up what was over and acknowledged.
const NOTIFICATIONS_KEPT_MS: i64 = 90 * DAY_MS;

impl App {
    /// Forgets what has been kept long enough. Writes only if there is something.
    ///
    /// # Errors
    /// [`AppError::Ledger`]; the next run goes on.
    pub async fn forget_what_has_ended(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        self.ledger
            .write(move |tx| {
                delete_old_sessions(tx, now.plus_ms(-SESSIONS_KEPT_MS))?;
                delete_old_answers(tx, now.plus_ms(-ANSWERS_KEPT_MS))?;
                delete_old_notifications(tx, now.plus_ms(-NOTIFICATIONS_KEPT_MS))?;
                Ok(())
            })
            .await
    }
}
