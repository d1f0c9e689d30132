//! Carries out the outbox of Seal keys: what is queued is taken in one transaction, done on the chain outside of any,
//! and its outcome recorded in another. The states are in [`crate::core::seal_key::registration`].

use std::time::Duration;

use tracing::{info, warn};

use crate::app::{App, AppError};
use crate::chain::{ChainError, RegisteredSealKey, SealKeyObject};
use crate::core::calendar::UtcMillis;
use crate::core::id::SealKeyId;
use crate::ledger::WriteTx;
use crate::ledger::seal_key::{
    due_registrations, find_seal_key, next_registration_at, registrations_in_progress, save_seal_key, seal_packages_of,
};

/// Registrations that are taken at once.
const AT_ONCE: u32 = 50;
/// After this the chain is taken not to have answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

impl App {
    /// At start-up: whoever was registering is gone.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn recover_registrations(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        let recover = move |tx: &WriteTx<'_>| -> Result<(), AppError> {
            for mut key in registrations_in_progress(tx)? {
                key.registration = key.registration.recovered_after_crash(now);
                save_seal_key(tx, &key)?;
            }
            Ok(())
        };
        self.ledger.write(recover).await
    }

    /// Registers what is due, and tells when the next is; `None` if none waits.
    ///
    /// # Errors
    /// [`AppError::Ledger`]; the next run goes on. What the chain refuses is recorded with its Seal key.
    pub async fn register_due_seal_keys(&self) -> Result<Option<UtcMillis>, AppError> {
        loop {
            let jobs = self.take_registrations().await?;
            if jobs.is_empty() {
                return self.ledger.read(|tx| next_registration_at(tx).map_err(AppError::from)).await;
            }
            for object in jobs {
                let done = tokio::time::timeout(ANSWER_WITHIN, self.chain.put_seal_key(&object)).await;
                let outcome = done.unwrap_or(Err(ChainError::NoAnswer));
                self.record_registration(object.seal_key, object.version, outcome).await?;
            }
        }
    }

    async fn take_registrations(&self) -> Result<Vec<SealKeyObject>, AppError> {
        let now = self.clock.now();
        if self.ledger.read(move |tx| due_registrations(tx, now, 1)).await?.is_empty() {
            return Ok(Vec::new());
        }
        let take = move |tx: &WriteTx<'_>| -> Result<_, AppError> {
            let mut objects = Vec::new();
            for mut key in due_registrations(tx, now, AT_ONCE)? {
                let Some((registration, job)) = key.registration.begin(now) else { continue };
                key.registration = registration;
                save_seal_key(tx, &key)?;
                let packages = seal_packages_of(tx, &key.seal_key)?;
                objects.push(SealKeyObject {
                    seal_key: key.seal_key,
                    version: job.version,
                    process_group: key.process_group,
                    derivation_index: key.derivation_index,
                    is_enabled: key.is_enabled && key.deleted_at.is_none(),
                    packages: packages.into_iter().map(|package| package.address).collect(),
                });
            }
            Ok(objects)
        };
        self.ledger.write(take).await
    }

    async fn record_registration(
        &self,
        id: SealKeyId,
        version: u64,
        outcome: Result<RegisteredSealKey, ChainError>,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        let record = move |tx: &WriteTx<'_>| -> Result<(), AppError> {
            let Some(mut key) = find_seal_key(tx, &id)? else { return Ok(()) };
            let taken = match outcome {
                Ok(RegisteredSealKey { object_id, public_key }) => {
                    info!(seal_key = %id, version, object = %object_id, "a Seal key is registered");
                    let done = key.registration.succeeded(version, object_id, public_key, now);
                    done.or_else(|refusal| key.registration.failed(&refusal.to_string(), now))
                }
                Err(error) => {
                    warn!(seal_key = %id, version, %error, "a Seal key could not be registered; it is tried again");
                    key.registration.failed(&error.to_string(), now)
                }
            };
            match taken {
                Ok(registration) => key.registration = registration,
                Err(refusal) => {
                    warn!(seal_key = %id, %refusal, "the outcome of a registration is not taken");
                    return Ok(());
                }
            }
            Ok(save_seal_key(tx, &key)?)
        };
        self.ledger.write(record).await
    }
}
