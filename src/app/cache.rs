//! What requests ask for again and again, kept as long as nothing changes for its customer.

use std::hash::Hash;

use quick_cache::sync::Cache;

use crate::app::{App, AppError};
use crate::core::id::CustomerId;
use crate::ledger::ReadTx;

/// Values of customers by key, with the customer's version from before they were read.
pub(super) struct Kept<K, V>(Cache<K, (u64, V)>);

impl<K: Hash + Eq + Clone, V: Clone> Kept<K, V> {
    /// Room for `most` values; the least used make room for others.
    pub(super) fn new(most: usize) -> Self {
        Self(Cache::new(most))
    }
}

impl App {
    /// The kept value, or the one that `load` reads.
    pub(super) async fn keep<K, V>(
        &self,
        kept: &Kept<K, V>,
        customer: CustomerId,
        key: &K,
        load: impl FnOnce(&ReadTx<'_>) -> Result<V, AppError> + Send + 'static,
    ) -> Result<V, AppError>
    where
        K: Hash + Eq + Clone,
        V: Clone + Send + 'static,
    {
        let version = self.ledger.version_of(customer);
        if let Some((_, value)) = kept.0.get(key).filter(|(of, _)| *of == version) {
            return Ok(value);
        }
        let value = self.ledger.read(load).await?;
        kept.0.insert(key.clone(), (version, value.clone()));
        Ok(value)
    }
}
