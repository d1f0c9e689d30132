//! Keeps the store of requests small: seals what is old, drops what is too old.

use tracing::info;

use super::{App, AppError};

impl App {
    /// One round. Reading and appending go on meanwhile.
    ///
    /// # Errors
    /// [`AppError::Traffic`]; the next round goes on.
    pub async fn keep_requests(&self) -> Result<(), AppError> {
        let (kept, now) = (self.kept, self.clock.now());
        let dropped = self.query_traffic(move |traffic| traffic.retain(&kept, now)).await?;
        if dropped.retired > 0 {
            info!(files = dropped.retired, days = kept.retention_days, "requests that are too old were dropped");
        }
        let sealed = self.query_traffic(move |traffic| traffic.seal(&kept, now)).await?;
        for part in &sealed.parts {
            info!(file = %part.file, rows = part.totals.rows, bytes = part.file_bytes, "requests were sealed");
        }
        if sealed.postponed > 0 {
            info!(spans = sealed.postponed, "late lines wait for a later round to be sealed");
        }
        Ok(())
    }
}
