//! Whether something of a customer has changed, for those who watch.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, Caller};

/// Something may have changed: whoever gets it reads again what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct BillingNews {
    /// Another one than in the last event, as long as the server runs.
    pub version: u64,
}

impl App {
    /// The news of the caller, as of this moment. It is another one after each change that is on disk, and at times
    /// without one.
    pub fn billing_news(&self, caller: &Caller) -> BillingNews {
        BillingNews { version: self.ledger.version_of(caller.customer) }
    }
}
