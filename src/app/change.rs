//! Changes that customers make: in one transaction the account is loaded, the work done, the activity logged and the
//! answer kept for those who ask again.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::billing::Tariff;
use crate::app::caller::Caller;
use crate::app::{App, AppError, Refusal};
use crate::core::activity::Activity;
use crate::core::calendar::UtcMillis;
use crate::core::config_global::ConfigGlobal;
use crate::core::customer::{Customer, CustomerStatus};
use crate::core::error_code::Code;
use crate::core::field_cipher::FieldCipher;
use crate::core::id::CustomerId;
use crate::ledger::WriteTx;
use crate::ledger::activity::append_activity;
use crate::ledger::customer::find_customer;
use crate::ledger::idempotency::{KeptAnswer, find_answer, keep_answer};
use crate::random::random;

/// A request that is to happen once, however often it is sent.
#[derive(Debug, Clone)]
pub struct Once {
    pub key: String,
    /// Of method, path and body.
    pub request_sha256: [u8; 32],
}

/// A change in progress.
pub struct Change<'a> {
    pub tx: &'a WriteTx<'a>,
    pub now: UtcMillis,
    /// As it was when the change began.
    pub customer: &'a Customer,
    pub config: &'a ConfigGlobal,
    pub tariff: &'a Tariff,
    caller: &'a Caller,
}

impl Change<'_> {
    pub fn id(&self) -> CustomerId {
        self.customer.customer
    }

    /// Adds to the activity log what is done.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub fn note(&self, action: &str, subject: impl ToString, details: serde_json::Value) -> Result<(), AppError> {
        let activity = Activity {
            customer: Some(self.id()),
            at: self.now,
            actor: self.caller.actor(),
            ip: self.caller.ip.to_string(),
            action: action.to_owned(),
            subject: subject.to_string(),
            details: details.to_string(),
        };
        Ok(append_activity(self.tx, activity)?)
    }
}

impl App {
    /// Carries out a change of the caller's account.
    ///
    /// # Errors
    /// What `work` returned, and then nothing is changed; [`Code::AccountSuspended`], [`Code::AccountClosed`],
    /// [`Code::IdempotencyKeyReused`].
    pub async fn change<T>(
        &self,
        caller: &Caller,
        once: Option<Once>,
        work: impl FnOnce(&Change<'_>) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let (now, caller, customer) = (self.clock.now(), caller.clone(), caller.customer);
        let (config, cipher) = (self.config_global.load_full(), Arc::clone(&self.accounts.cipher));
        let tariff = Tariff::of(&config, self.billing.tax_basis_points);
        let changing = self.ledger.write(move |tx| {
            tx.touch(customer);
            let account = find_customer(tx, customer)?.ok_or_else(|| Refusal::of(Code::SignInRequired))?;
            let change = Change { tx, now, customer: &account, config: &config, tariff: &tariff, caller: &caller };
            refuse_inactive(&account)?;
            match once {
                Some(once) => do_once(&change, &cipher, &once, work),
                None => work(&change),
            }
        });
        let done = changing.await;
        if let Err(AppError::Billing(failure)) = &done
            && failure.is_for_a_person()
        {
            self.park(customer, failure.to_string()).await?;
        }
        done
    }
}

fn refuse_inactive(customer: &Customer) -> Result<(), AppError> {
    match customer.status {
        CustomerStatus::Active => Ok(()),
        CustomerStatus::Suspended => Err(Refusal::of(Code::AccountSuspended).into()),
        CustomerStatus::Closed => Err(Refusal::of(Code::AccountClosed).into()),
    }
}

/// The answer commits together with the work, so there is no moment at which one is there without the other.
fn do_once<T: Serialize + DeserializeOwned>(
    change: &Change<'_>,
    cipher: &FieldCipher,
    once: &Once,
    work: impl FnOnce(&Change<'_>) -> Result<T, AppError>,
) -> Result<T, AppError> {
    let place = format!("idempotency_keys.answer/{}/{}", change.id(), once.key);
    if let Some(kept) = find_answer(change.tx, change.id(), &once.key)? {
        if kept.request_sha256 != once.request_sha256 {
            return Err(Refusal::of(Code::IdempotencyKeyReused).into());
        }
        let json = cipher.open(&place, &kept.answer)?;
        return serde_json::from_slice(&json).map_err(|source| AppError::Json { source });
    }
    let value = work(change)?;
    let json = zeroize::Zeroizing::new(serde_json::to_vec(&value).map_err(|source| AppError::Json { source })?);
    let answer = cipher.seal(random()?, &place, &json)?;
    let kept = KeptAnswer { request_sha256: once.request_sha256, answer };
    keep_answer(change.tx, change.id(), &once.key, &kept, change.now)?;
    Ok(value)
}
