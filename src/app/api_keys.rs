//! API keys of a service: created, shown, revoked, rotated, deleted.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::change::{Change, Once};
use crate::app::key_list::{process_group, read_cursor, read_id, write_cursor};
use crate::app::services::current_service;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::api_key::{Access, ApiKeySecret, KeyMeta, Source, encode};
use crate::core::api_key_life::{ApiKeyTimes, KeyRefusal, check_expiry, check_pace, check_room, check_rotation_room};
use crate::core::calendar::{HOUR_MS, UtcMillis};
use crate::core::error_code::Code;
use crate::core::field_cipher::FieldCipher;
use crate::core::field_error::FieldErrors;
use crate::core::id::{ApiKeyId, Network, Service};
use crate::core::name::Name;
use crate::ledger::ReadTx;
use crate::ledger::api_key::{
    StoredApiKey, api_keys_of, count_api_keys, find_api_key, has_successor, insert_api_key, save_api_key,
};
use crate::random::random;

/// A key to create.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// Absent: `api-key-` and a number.
    #[schema(min_length = 1, max_length = 64, nullable = false)]
    name: Option<String>,
    /// `mainnet` or `testnet`; absent: mainnet.
    #[schema(nullable = false, example = "mainnet")]
    network: Option<String>,
    /// When it ends by itself (RFC 3339); absent: never.
    #[schema(format = DateTime, nullable = false)]
    expires_at: Option<String>,
    /// Whether its text is kept, encrypted, so that it can be shown again.
    #[serde(default)]
    is_revealable: bool,
}

/// What to change of a key; what is absent stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyChange {
    #[schema(min_length = 1, max_length = 64, nullable = false)]
    name: Option<String>,
    /// When it ends by itself (RFC 3339); an empty text: never.
    #[schema(nullable = false)]
    expires_at: Option<String>,
}

/// How to rotate a key.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Seconds that the old key goes on working.
    #[schema(maximum = 2_592_000)]
    overlap_s: u32,
}

/// A key without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyView {
    pub api_key_id: String,
    pub name: String,
    /// Enough to recognise it by.
    pub hint: String,
    /// As in log lines.
    pub fingerprint: u32,
    /// `active`, `revoked` or `expired`; `deleted` in the answer to a deletion.
    pub state: String,
    pub network: String,
    /// `open` or `permission`.
    pub access: String,
    pub is_revealable: bool,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub revoked_at: Option<String>,
    /// The key that it follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rotated_from: Option<String>,
}

/// A key that was just created.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedApiKey {
    #[serde(flatten)]
    pub api_key: ApiKeyView,
    /// The key itself. It is in this answer only, unless the key is revealable.
    pub text: String,
}

/// The text of a key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RevealedApiKey {
    pub api_key_id: String,
    pub text: String,
}

/// A page of keys that are not deleted, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKeyPage {
    pub items: Vec<ApiKeyView>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
    /// Keys that the tier includes; each further one is billed.
    pub included: u64,
    /// Keys that there can be.
    pub max: u64,
}

/// Where a list of keys is asked for, as it is kept in memory.
pub(super) type PageKey = (crate::core::id::CustomerId, Service, Option<String>, u32);

/// What is done to one key.
#[derive(Debug, Clone)]
pub enum ApiKeyAction {
    Revoke,
    ReEnable,
    Delete,
    Change(ApiKeyChange),
}

impl App {
    /// Creates a key.
    ///
    /// # Errors
    /// [`Code::ServiceState`], [`Code::PaymentPending`], [`Code::InvalidFields`], [`Code::LimitReached`],
    /// [`Code::CreationsLimited`].
    pub async fn create_api_key(
        &self,
        caller: &Caller,
        once: Option<Once>,
        service: Service,
        new: NewApiKey,
    ) -> Result<CreatedApiKey, AppError> {
        let mint = self.mint();
        self.change(caller, once, move |change| {
            let instance = current_service(change, service)?;
            instance.may_create_keys().map_err(Refusal::from)?;
            let (live, created) = count_recent(change, service)?;
            let (name, network, expires_at) = new.read(live, change.now)?;
            check_room(live, change.config.max_api_keys()).map_err(Refusal::from)?;
            check_pace(&created, change.now).map_err(Refusal::from)?;
            let times = ApiKeyTimes::created(change.now, expires_at);
            let meta = meta(change, service, network)?;
            mint.insert(change, meta, name, times, new.is_revealable, None)
        })
        .await
    }

    /// Creates a key's successor; the old one works on for the overlap. One that is revealable is followed by one that
    /// is, too.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::KeyState`], [`Code::CreationsLimited`], [`Code::InvalidFields`].
    pub async fn rotate_api_key(
        &self,
        caller: &Caller,
        once: Option<Once>,
        service: Service,
        key: &str,
        rotation: Rotation,
    ) -> Result<CreatedApiKey, AppError> {
        let (mint, id) = (self.mint(), read_id(key)?);
        self.change(caller, once, move |change| {
            let mut old = find(change, service, &id)?;
            let instance = current_service(change, service)?;
            instance.may_create_keys().map_err(Refusal::from)?;
            let rotated = old.times.rotated(rotation.overlap_s, change.now);
            let (live, created) = count_recent(change, service)?;
            check_rotation_room(live, change.config.max_api_keys()).map_err(Refusal::from)?;
            check_pace(&created, change.now).map_err(Refusal::from)?;
            let times = ApiKeyTimes::created(change.now, old.times.expires_at);
            let name: Name = old.name.parse().map_err(|_| Refusal::of(Code::InvalidFields))?;
            let is_revealable = old.ciphertext.is_some();
            old.times = rotated.map_err(|refusal| in_field(refusal, "overlap_s"))?;
            save_api_key(change.tx, &old)?;
            mint.insert(change, old.meta, name, times, is_revealable, Some(old.api_key))
        })
        .await
    }

    /// The text of a key that is kept.
    ///
    /// # Errors
    /// [`Code::SessionRequired`], [`Code::NotFound`], [`Code::NotRevealable`].
    pub async fn reveal_api_key(
        &self,
        caller: &Caller,
        service: Service,
        key: &str,
    ) -> Result<RevealedApiKey, AppError> {
        caller.session()?;
        let (id, cipher) = (read_id(key)?, Arc::clone(&self.accounts.cipher));
        self.change(caller, None, move |change| {
            let found = find(change, service, &id)?;
            let sealed = found.ciphertext.ok_or_else(|| Refusal::of(Code::NotRevealable))?;
            let text = cipher.open(&place(&id), &sealed)?;
            change.note("api_key.reveal", &id, json!({"name": found.name}))?;
            let text = String::from_utf8_lossy(&text).into_owned();
            Ok(RevealedApiKey { api_key_id: id.to_string(), text })
        })
        .await
    }

    /// Does something to one key.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::KeyState`], [`Code::InvalidFields`].
    pub async fn act_on_api_key(
        &self,
        caller: &Caller,
        once: Option<Once>,
        service: Service,
        key: &str,
        action: ApiKeyAction,
    ) -> Result<ApiKeyView, AppError> {
        let id = read_id(key)?;
        self.change(caller, once, move |change| {
            let before = find(change, service, &id)?;
            let after = decide(&before, &action, change.now)?;
            if prolongs(&before.times, &after.times) && has_successor(change.tx, &id)? {
                return Err(Refusal::new(Code::KeyState, "the key was rotated: it ends when its overlap does").into());
            }
            if after != before {
                save_api_key(change.tx, &after)?;
                change.note(action.name(), &id, json!({"name": after.name, "service": service.name()}))?;
            }
            Ok(view(&after, change.now))
        })
        .await
    }

    /// A page of the caller's keys.
    ///
    /// # Errors
    /// [`Code::InvalidCursor`].
    pub async fn list_api_keys(
        &self,
        caller: &Caller,
        service: Service,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<ApiKeyPage, AppError> {
        let after = cursor.as_deref().map(read_cursor).transpose()?;
        let (customer, more) = (caller.customer, limit.saturating_add(1));
        let load = move |tx: &ReadTx<'_>| Ok(Arc::new(api_keys_of(tx, customer, service, after.as_ref(), more)?));
        let page: PageKey = (customer, service, cursor, limit);
        let found = self.keep(&self.accounts.api_keys, customer, &page, load).await?;
        let (now, config) = (self.clock.now(), self.config_global.load());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let last = found.get(limit.saturating_sub(1)).filter(|_| found.len() > limit);
        Ok(ApiKeyPage {
            items: found.iter().take(limit).map(|key| view(key, now)).collect(),
            next_cursor: last.map(|key| write_cursor(key.times.created_at, &key.api_key)),
            included: config.included_api_keys(),
            max: config.max_api_keys(),
        })
    }

    fn mint(&self) -> Mint {
        Mint { secret: self.accounts.api_key_secret.clone(), cipher: Arc::clone(&self.accounts.cipher) }
    }
}

/// What new keys are made with.
struct Mint {
    secret: ApiKeySecret,
    cipher: Arc<FieldCipher>,
}

impl Mint {
    fn insert(
        &self,
        change: &Change<'_>,
        meta: KeyMeta,
        name: Name,
        times: ApiKeyTimes,
        is_revealable: bool,
        rotated_from: Option<ApiKeyId>,
    ) -> Result<CreatedApiKey, AppError> {
        let text = encode(&self.secret, &meta, random()?);
        let id = ApiKeyId::new(random()?);
        let seal = || self.cipher.seal(random()?, &place(&id), text.as_str().as_bytes()).map_err(AppError::from);
        let key = StoredApiKey {
            meta,
            name: name.to_string(),
            fingerprint: text.fingerprint(),
            key_sha256: text.sha256(),
            hint: text.hint(),
            ciphertext: is_revealable.then(seal).transpose()?,
            times,
            rotated_from,
            api_key: id,
        };
        insert_api_key(change.tx, &key)?;
        let action = if key.rotated_from.is_some() { "api_key.rotate" } else { "api_key.create" };
        let details = json!({
            "name": key.name, "service": meta.service.name(), "hint": key.hint,
            "rotated_from": key.rotated_from.as_ref().map(ApiKeyId::as_str),
        });
        change.note(action, &key.api_key, details)?;
        Ok(CreatedApiKey { api_key: view(&key, change.now), text: text.as_str().to_owned() })
    }
}

impl NewApiKey {
    fn read(&self, live: usize, now: UtcMillis) -> Result<(Name, Network, Option<UtcMillis>), Refusal> {
        let mut errors = FieldErrors::new();
        let number = u64::try_from(live).unwrap_or(u64::MAX).saturating_add(1);
        let name = match &self.name {
            None => Some(Name::numbered("api-key", number)),
            Some(name) => errors.take("name", name.parse()),
        };
        let network = self.network.as_deref().map_or(Some(Network::Mainnet), Network::from_name);
        let network = errors.take("network", network.ok_or("use mainnet or testnet"));
        let expires_at = self.expires_at.as_deref().map(|text| read_expiry(text, now)).transpose();
        let expires_at = errors.take("expires_at", expires_at);
        match (name, network, expires_at) {
            (Some(name), Some(network), Some(expires_at)) => Ok((name, network, expires_at)),
            _ => Err(errors.into()),
        }
    }
}

fn read_expiry(text: &str, now: UtcMillis) -> Result<UtcMillis, String> {
    let instant: Timestamp = text.parse().map_err(|_| "give a time like 2027-01-31T00:00:00Z".to_owned())?;
    let at = UtcMillis(instant.as_millisecond());
    check_expiry(Some(at), now).map(|()| at).map_err(|refusal| refusal.to_string())
}

fn decide(before: &StoredApiKey, action: &ApiKeyAction, now: UtcMillis) -> Result<StoredApiKey, AppError> {
    let mut after = before.clone();
    match action {
        ApiKeyAction::Revoke => after.times = before.times.revoke(now).map_err(Refusal::from)?,
        ApiKeyAction::ReEnable => after.times = before.times.re_enable(now).map_err(Refusal::from)?,
        ApiKeyAction::Delete => after.times = before.times.delete(now).map_err(Refusal::from)?,
        ApiKeyAction::Change(asked) => {
            let mut errors = FieldErrors::new();
            if let Some(name) = &asked.name
                && let Some(name) = errors.take("name", name.parse::<Name>())
            {
                after.name = name.to_string();
            }
            let expiry = asked.expires_at.as_deref();
            let expiry = expiry.map(|text| if text.is_empty() { Ok(None) } else { read_expiry(text, now).map(Some) });
            let expiry = expiry.and_then(|read| errors.take("expires_at", read));
            errors.finish().map_err(Refusal::from)?;
            if let Some(expires_at) = expiry {
                after.times = before.times.set_expiry(expires_at, now).map_err(Refusal::from)?;
            }
        }
    }
    Ok(after)
}

/// Whether a key ends later than it did.
fn prolongs(before: &ApiKeyTimes, after: &ApiKeyTimes) -> bool {
    let end = |times: &ApiKeyTimes| times.expires_at.unwrap_or(UtcMillis(i64::MAX));
    end(after) > end(before)
}

impl ApiKeyAction {
    const fn name(&self) -> &'static str {
        match self {
            Self::Revoke => "api_key.revoke",
            Self::ReEnable => "api_key.enable",
            Self::Delete => "api_key.delete",
            Self::Change(_) => "api_key.change",
        }
    }
}

impl From<KeyRefusal> for Refusal {
    fn from(refusal: KeyRefusal) -> Self {
        match refusal {
            KeyRefusal::Full(_) => Self::new(Code::LimitReached, refusal),
            KeyRefusal::TooOften { wait_s } => Self::new(Code::CreationsLimited, refusal).retry_after(wait_s),
            KeyRefusal::Expiry => in_field(refusal, "expires_at"),
            KeyRefusal::Overlap => in_field(refusal, "overlap_s"),
            KeyRefusal::Deleted | KeyRefusal::Expired | KeyRefusal::Revoked => Self::new(Code::KeyState, refusal),
        }
    }
}

/// A refusal that is about one field of the request.
fn in_field(refusal: KeyRefusal, field: &str) -> Refusal {
    match refusal {
        KeyRefusal::Expiry | KeyRefusal::Overlap => {
            let mut errors = FieldErrors::new();
            errors.add(field, refusal);
            errors.into()
        }
        refusal => refusal.into(),
    }
}

fn count_recent(change: &Change<'_>, service: Service) -> Result<(usize, Vec<UtcMillis>), AppError> {
    Ok(count_api_keys(change.tx, change.id(), service, change.now.plus_ms(-HOUR_MS))?)
}

/// Seal keys are derived by permission; everything else is open to whoever has the key.
fn meta(change: &Change<'_>, service: Service, network: Network) -> Result<KeyMeta, AppError> {
    let access = match service {
        Service::Seal => Access::Permission { source: Source::Derived },
        Service::Grpc | Service::Graphql => Access::Open,
    };
    Ok(KeyMeta { service, network, access, process_group: process_group()?, customer: change.id() })
}

/// A deleted key does not exist any more for its customer.
fn find(change: &Change<'_>, service: Service, id: &ApiKeyId) -> Result<StoredApiKey, AppError> {
    let found = find_api_key(change.tx, change.id(), service, id)?.filter(|key| key.times.deleted_at.is_none());
    Ok(found.ok_or_else(|| Refusal::of(Code::NotFound))?)
}

/// Where a ciphertext belongs.
fn place(id: &ApiKeyId) -> String {
    format!("api_keys.ciphertext/{id}")
}

fn view(key: &StoredApiKey, now: UtcMillis) -> ApiKeyView {
    ApiKeyView {
        api_key_id: key.api_key.to_string(),
        name: key.name.clone(),
        hint: key.hint.clone(),
        fingerprint: key.fingerprint,
        state: key.times.state(now).name().to_owned(),
        network: key.meta.network.name().to_owned(),
        access: if key.meta.access == Access::Open { "open" } else { "permission" }.to_owned(),
        is_revealable: key.ciphertext.is_some(),
        created_at: key.times.created_at.to_string(),
        expires_at: key.times.expires_at.map(|at| at.to_string()),
        revoked_at: key.times.revoked_at.map(|at| at.to_string()),
        rotated_from: key.rotated_from.as_ref().map(ToString::to_string),
    }
}
