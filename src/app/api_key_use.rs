//! When API keys were last used and how often, from the traffic store.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, AppError, Caller};
use crate::core::calendar::{DAY_MS, UtcMillis};
use crate::core::id::{CustomerId, Service};
use crate::ledger::api_key::api_keys_of;

/// How far back requests are looked for.
const LOOKED_BACK_DAYS: i64 = 30;
/// For how long an answer is given again: counting reads all of a customer's requests of the time.
const FRESH_MS: i64 = 5_000;

/// How the keys of a service are used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKeyUseList {
    /// Keys that are not deleted, oldest first.
    pub items: Vec<ApiKeyUse>,
    /// When it was counted; at most five seconds ago.
    #[schema(format = DateTime)]
    pub counted_at: String,
}

/// How a key is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKeyUse {
    pub api_key_id: String,
    /// When its newest request began; absent if there was none in 30 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub last_used_at: Option<String>,
    /// Requests of the last 24 hours, refused ones too.
    pub requests_24h: u64,
}

/// Answers, each good for one span of [`FRESH_MS`] and one version of the customer.
pub(super) type KeptUse = quick_cache::sync::Cache<(CustomerId, Service, u64, i64), Arc<ApiKeyUseList>>;

impl App {
    /// How the caller's keys are used. Counted once for all who ask at the same time.
    ///
    /// # Errors
    /// [`AppError::Ledger`], [`AppError::Traffic`].
    pub async fn api_key_use(&self, caller: &Caller, service: Service) -> Result<Arc<ApiKeyUseList>, AppError> {
        let (customer, now) = (caller.customer, self.clock.now());
        let place = (customer, service, self.ledger.version_of(customer), now.0.div_euclid(FRESH_MS));
        self.accounts.key_use.get_or_insert_async(&place, self.count_key_use(customer, service, now)).await
    }

    async fn count_key_use(
        &self,
        customer: CustomerId,
        service: Service,
        now: UtcMillis,
    ) -> Result<Arc<ApiKeyUseList>, AppError> {
        let (from, day) = (now.plus_ms(-LOOKED_BACK_DAYS * DAY_MS), now.plus_ms(-DAY_MS));
        let used = self.query_traffic(move |traffic| traffic.key_use(customer, service, from, day)).await?;
        let load = move |tx: &crate::ledger::ReadTx<'_>| api_keys_of(tx, customer, service, None, u32::MAX);
        let keys = self.ledger.read(load).await?;
        let use_of = |fingerprint: u32| {
            used.binary_search_by_key(&fingerprint, |used| used.fingerprint).ok().and_then(|index| used.get(index))
        };
        let items = keys.iter().map(|key| ApiKeyUse {
            api_key_id: key.api_key.to_string(),
            last_used_at: use_of(key.fingerprint).map(|used| used.last_used.to_string()),
            requests_24h: use_of(key.fingerprint).map_or(0, |used| used.requests),
        });
        Ok(Arc::new(ApiKeyUseList { items: items.collect(), counted_at: now.to_string() }))
    }
}
