//! Seal keys and their packages, as their owner sees and changes them. How they get onto the chain:
//! [`super::registrations`].

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::change::{Change, Once};
use crate::app::key_list::{process_group, read_cursor, read_id, write_cursor};
use crate::app::services::current_service;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::api_key_life::check_pace;
use crate::core::calendar::HOUR_MS;
use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;
use crate::core::id::{SealKeyId, SealPackageId, Service};
use crate::core::name::Name;
use crate::core::seal_key::registration::Registration;
use crate::core::seal_key::{
    PackageAddress, SealRefusal, check_package, check_seal_key_room, default_package_name, default_seal_key_name,
};
use crate::ledger::ReadTx;
use crate::ledger::seal_key::{
    StoredSealKey, StoredSealPackage, count_seal_keys, delete_seal_package, find_seal_key, insert_seal_package,
    next_derivation_index, rename_seal_package, save_seal_key, seal_keys_of, seal_packages_of,
};
use crate::random::random;

/// A Seal key to create.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSealKey {
    /// Absent: `seal-key-` and a number.
    #[schema(min_length = 1, max_length = 64, nullable = false)]
    name: Option<String>,
}

/// What to change of a Seal key; what is absent stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealKeyChange {
    #[schema(min_length = 1, max_length = 64, nullable = false)]
    name: Option<String>,
    /// Whether key servers answer for it.
    #[schema(nullable = false)]
    is_enabled: Option<bool>,
}

/// A package that a Seal key shall answer to.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSealPackage {
    /// Where it is published: `0x` and 64 hexadecimal digits.
    #[schema(pattern = "^0x[0-9a-fA-F]{64}$")]
    address: String,
    /// Absent: `package-` and a number.
    #[schema(min_length = 1, max_length = 64, nullable = false)]
    name: Option<String>,
}

/// Another name for a package.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealPackageChange {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
}

/// A Seal key with its packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SealKey)]
pub struct SealKeyView {
    pub seal_key_id: String,
    pub name: String,
    pub is_enabled: bool,
    /// Which of the keys it is that the servers derive; never given out again.
    pub derivation_index: u64,
    #[schema(format = DateTime)]
    pub created_at: String,
    pub registration: RegistrationView,
    pub packages: Vec<SealPackageView>,
}

/// Where the registration of a Seal key on the chain stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SealRegistration)]
pub struct RegistrationView {
    /// `queued`, `processing` or `registered`.
    pub state: String,
    /// The chain is simulated: nothing of this is anywhere else.
    pub is_simulated: bool,
    /// Absent until it is registered for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub object_id: Option<String>,
    /// Absent until it is registered for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub public_key: Option<String>,
    /// What went wrong last; absent after a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<String>,
    /// When it is tried again; absent if nothing went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub next_attempt_at: Option<String>,
}

/// A package of a Seal key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SealPackage)]
pub struct SealPackageView {
    pub seal_package_id: String,
    pub address: String,
    pub name: String,
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// A page of Seal keys that are not deleted, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SealKeyPage {
    pub items: Vec<SealKeyView>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
    /// Seal keys that the tier includes; each further one is billed.
    pub included: u64,
    /// Seal keys that there can be.
    pub max: u64,
    /// Packages that each Seal key includes; each further one is billed.
    pub included_packages: u64,
    /// Packages that a Seal key can have.
    pub max_packages: u64,
}

/// What is done to one Seal key.
#[derive(Debug, Clone)]
pub enum SealKeyAction {
    Change(SealKeyChange),
    Delete,
    AddPackage(NewSealPackage),
    /// The package's id, as in the address.
    RenamePackage(String, SealPackageChange),
    RemovePackage(String),
}

impl App {
    /// Creates a Seal key and queues its registration.
    ///
    /// # Errors
    /// [`Code::ServiceState`], [`Code::PaymentPending`], [`Code::InvalidFields`], [`Code::LimitReached`],
    /// [`Code::CreationsLimited`].
    pub async fn create_seal_key(
        &self,
        caller: &Caller,
        once: Option<Once>,
        new: NewSealKey,
    ) -> Result<SealKeyView, AppError> {
        let is_simulated = self.chain.is_simulated();
        let created = self.change(caller, once, move |change| {
            may_create(change)?;
            let (live, created) = count_seal_keys(change.tx, change.id(), change.now.plus_ms(-HOUR_MS))?;
            let default = || Ok(default_seal_key_name(live.saturating_add(1)));
            let name = new.name.as_deref().map_or_else(default, read_name)?;
            check_seal_key_room(live, change.config.max_seal_keys()).map_err(Refusal::from)?;
            check_pace(&created, change.now).map_err(Refusal::from)?;
            let process_group = process_group()?;
            let key = StoredSealKey {
                seal_key: SealKeyId::new(random()?),
                customer: change.id(),
                name: name.to_string(),
                process_group,
                derivation_index: next_derivation_index(change.tx, process_group)?,
                is_enabled: true,
                created_at: change.now,
                deleted_at: None,
                registration: Registration::new(change.now),
            };
            save_seal_key(change.tx, &key)?;
            let details = json!({"name": key.name, "derivation_index": key.derivation_index});
            change.note("seal_key.create", &key.seal_key, details)?;
            Ok(view(&key, &[], is_simulated))
        });
        let created = created.await?;
        self.outbox.notify_one();
        Ok(created)
    }

    /// Does something to one Seal key. What the chain shall know of is registered again.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::ServiceState`], [`Code::InvalidFields`], [`Code::LimitReached`],
    /// [`Code::AlreadyExists`].
    pub async fn act_on_seal_key(
        &self,
        caller: &Caller,
        once: Option<Once>,
        key: &str,
        action: SealKeyAction,
    ) -> Result<SealKeyView, AppError> {
        let (id, is_simulated): (SealKeyId, _) = (read_id(key)?, self.chain.is_simulated());
        let done = self.change(caller, once, move |change| {
            let before = find(change, &id)?;
            let after = act(change, &before, action)?;
            if after != before {
                save_seal_key(change.tx, &after)?;
            }
            Ok(view(&after, &seal_packages_of(change.tx, &id)?, is_simulated))
        });
        let done = done.await?;
        self.outbox.notify_one();
        Ok(done)
    }

    /// A page of the caller's Seal keys.
    ///
    /// # Errors
    /// [`Code::InvalidCursor`].
    pub async fn list_seal_keys(
        &self,
        caller: &Caller,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<SealKeyPage, AppError> {
        let after = cursor.as_deref().map(read_cursor).transpose()?;
        let (customer, is_simulated) = (caller.customer, self.chain.is_simulated());
        let load = move |tx: &ReadTx<'_>| -> Result<_, AppError> {
            let mut found = seal_keys_of(tx, customer, after.as_ref(), limit.saturating_add(1))?;
            let is_last = found.len() <= usize::try_from(limit).unwrap_or(usize::MAX);
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            let last = found.last().filter(|_| !is_last);
            let next_cursor = last.map(|key| write_cursor(key.created_at, &key.seal_key));
            let view = |key: &StoredSealKey| Ok(view(key, &seal_packages_of(tx, &key.seal_key)?, is_simulated));
            Ok((found.iter().map(view).collect::<Result<_, AppError>>()?, next_cursor))
        };
        let (items, next_cursor) = self.ledger.read(load).await?;
        let config = self.config_global.load();
        Ok(SealKeyPage {
            items,
            next_cursor,
            included: config.included_seal_keys(),
            max: config.max_seal_keys(),
            included_packages: config.included_packages(),
            max_packages: config.max_packages(),
        })
    }
}

fn may_create(change: &Change<'_>) -> Result<(), AppError> {
    let instance = current_service(change, Service::Seal)?;
    Ok(instance.may_create_keys().map_err(Refusal::from)?)
}

fn act(change: &Change<'_>, before: &StoredSealKey, action: SealKeyAction) -> Result<StoredSealKey, AppError> {
    let mut after = before.clone();
    match action {
        SealKeyAction::Change(asked) => {
            if let Some(name) = asked.name {
                after.name = read_name(&name)?.to_string();
            }
            after.is_enabled = asked.is_enabled.unwrap_or(before.is_enabled);
            if after.is_enabled != before.is_enabled {
                after.registration = before.registration.changed(change.now);
            }
            if after != *before {
                let details = json!({"name": after.name, "is_enabled": after.is_enabled});
                change.note("seal_key.change", &before.seal_key, details)?;
            }
        }
        SealKeyAction::Delete => {
            after.deleted_at = Some(change.now);
            after.registration = before.registration.changed(change.now);
            change.note("seal_key.delete", &before.seal_key, json!({"name": before.name}))?;
        }
        SealKeyAction::AddPackage(new) => {
            may_create(change)?;
            let package = add_package(change, before, &new)?;
            after.registration = before.registration.changed(change.now);
            change.note("seal_package.add", &package.seal_package, about(&package))?;
        }
        SealKeyAction::RenamePackage(id, asked) => {
            let package = find_package(change, before, &id)?;
            let name = read_name(&asked.name)?;
            if package.name != name.as_str() {
                rename_seal_package(change.tx, &package.seal_package, name.as_str())?;
                let details = json!({"from": package.name, "to": name.as_str()});
                change.note("seal_package.change", &package.seal_package, details)?;
            }
        }
        SealKeyAction::RemovePackage(id) => {
            let package = find_package(change, before, &id)?;
            delete_seal_package(change.tx, &package.seal_package)?;
            after.registration = before.registration.changed(change.now);
            change.note("seal_package.remove", &package.seal_package, about(&package))?;
        }
    }
    Ok(after)
}

fn about(package: &StoredSealPackage) -> serde_json::Value {
    json!({"seal_key_id": package.seal_key.as_str(), "address": package.address.as_str(), "name": package.name})
}

fn add_package(change: &Change<'_>, key: &StoredSealKey, new: &NewSealPackage) -> Result<StoredSealPackage, AppError> {
    let there = seal_packages_of(change.tx, &key.seal_key)?;
    let number = u64::try_from(there.len()).unwrap_or(u64::MAX).saturating_add(1);
    let mut errors = FieldErrors::new();
    let address = errors.take("address", new.address.parse::<PackageAddress>());
    let name = new.name.as_deref().map_or_else(|| Ok(default_package_name(number)), str::parse);
    let name: Option<Name> = errors.take("name", name);
    let (Some(address), Some(name)) = (address, name) else { return Err(Refusal::from(errors).into()) };
    let addresses: Vec<_> = there.into_iter().map(|package| package.address).collect();
    check_package(&addresses, &address, change.config.max_packages()).map_err(Refusal::from)?;
    let package = StoredSealPackage {
        seal_package: SealPackageId::new(random()?),
        seal_key: key.seal_key.clone(),
        address,
        name: name.to_string(),
        created_at: change.now,
    };
    insert_seal_package(change.tx, &package)?;
    Ok(package)
}

fn find_package(change: &Change<'_>, key: &StoredSealKey, id: &str) -> Result<StoredSealPackage, AppError> {
    let packages = seal_packages_of(change.tx, &key.seal_key)?;
    let found = packages.into_iter().find(|package| package.seal_package.as_str() == id);
    Ok(found.ok_or_else(|| Refusal::of(Code::NotFound))?)
}

/// A deleted key does not exist any more for its customer, and another customer's never did.
fn find(change: &Change<'_>, id: &SealKeyId) -> Result<StoredSealKey, AppError> {
    let found = find_seal_key(change.tx, id)?;
    let found = found.filter(|key| key.customer == change.id() && key.deleted_at.is_none());
    Ok(found.ok_or_else(|| Refusal::of(Code::NotFound))?)
}

fn read_name(name: &str) -> Result<Name, Refusal> {
    let mut errors = FieldErrors::new();
    errors.take("name", name.parse()).ok_or_else(|| errors.into())
}

impl From<SealRefusal> for Refusal {
    fn from(refusal: SealRefusal) -> Self {
        match refusal {
            SealRefusal::KeysFull(_) | SealRefusal::PackagesFull(_) => Self::new(Code::LimitReached, refusal),
            SealRefusal::PackageTwice(_) => Self::new(Code::AlreadyExists, refusal),
        }
    }
}

fn view(key: &StoredSealKey, packages: &[StoredSealPackage], is_simulated: bool) -> SealKeyView {
    let Registration { state, object_id, public_key, last_error, next_attempt_at, .. } = &key.registration;
    SealKeyView {
        seal_key_id: key.seal_key.to_string(),
        name: key.name.clone(),
        is_enabled: key.is_enabled,
        derivation_index: key.derivation_index,
        created_at: key.created_at.to_string(),
        registration: RegistrationView {
            state: state.name().to_owned(),
            is_simulated,
            object_id: object_id.as_ref().map(ToString::to_string),
            public_key: public_key.clone(),
            next_attempt_at: last_error.as_ref().map(|_| next_attempt_at.to_string()),
            last_error: last_error.clone(),
        },
        packages: packages
            .iter()
            .map(|package| SealPackageView {
                seal_package_id: package.seal_package.to_string(),
                address: package.address.to_string(),
                name: package.name.clone(),
                created_at: package.created_at.to_string(),
            })
            .collect(),
    }
}
