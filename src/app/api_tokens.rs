//! Personal API tokens: made, listed, revoked, and recognised.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::warn;
use utoipa::ToSchema;

use crate::app::caller::Credential;
use crate::app::change::{Change, Once};
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::api_token::{ApiToken, Scope};
use crate::core::calendar::{DAY_MS, UtcMillis};
use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;
use crate::core::id::ApiTokenId;
use crate::core::name::Name;
use crate::ledger::api_token::{
    StoredApiToken, api_tokens_of, find_api_token, insert_api_token, note_api_token_use, revoke_api_token,
};
use crate::ledger::{ReadTx, WriteTx};
use crate::random::random;

/// Tokens of one customer at once.
const MAX_TOKENS: usize = 50;
const MAX_LIFE_DAYS: u32 = 365;
/// How exactly the last use is noted: a write for each request would be too much.
const USE_NOTED_EVERY_MS: i64 = 5 * 60 * 1000;

/// A token to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiToken {
    /// What it is for, in your words.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// What it may be used for; to write includes to read. One or more of `account.read`, `account.write`,
    /// `services.read`, `services.write`, `keys.read`, `keys.write`, `activity.read`,
    /// `traffic.read`, `billing.read`, `billing.write`.
    #[schema(min_items = 1, max_items = 10)]
    scopes: Vec<String>,
    /// Days until it ends by itself.
    #[schema(minimum = 1, maximum = 365)]
    expires_in_days: u32,
}

/// A token without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApiToken)]
pub struct ApiTokenView {
    pub api_token_id: String,
    pub name: String,
    /// Enough to recognise it by.
    pub hint: String,
    pub scopes: Vec<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// To within five minutes; absent if it was never used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub last_used_at: Option<String>,
}

/// A token that was just made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedApiToken {
    #[serde(flatten)]
    pub api_token: ApiTokenView,
    /// The token itself. It is in this answer only.
    pub text: String,
}

/// Tokens, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiTokenList {
    pub items: Vec<ApiTokenView>,
}

impl App {
    /// Whose request it is, by an API token.
    ///
    /// # Errors
    /// [`Code::SignInRequired`].
    pub async fn caller_of_token(&self, text: &str, ip: IpAddr) -> Result<Caller, AppError> {
        let unknown = || Refusal::of(Code::SignInRequired);
        let now = self.clock.now();
        let sha256 = text.parse::<ApiToken>().map_err(|_| unknown())?.sha256();
        let customer = match self.accounts.token_owners.get(&sha256) {
            Some(customer) => customer,
            None => {
                let found = self.ledger.read(move |tx| find_api_token(tx, &sha256)).await?;
                let customer = found.ok_or_else(unknown)?.customer;
                self.accounts.token_owners.insert(sha256, customer);
                customer
            }
        };
        let load = move |tx: &ReadTx<'_>| Ok(find_api_token(tx, &sha256)?.map(Arc::new));
        let token = self.keep(&self.accounts.tokens, customer, &sha256, load).await?;
        let token = token.filter(|token| token.revoked_at.is_none() && now < token.expires_at).ok_or_else(unknown)?;
        self.note_use(&token, now).await;
        let credential = Credential::Token(token.api_token.clone(), token.scopes.as_slice().into());
        Ok(Caller { customer, credential, ip })
    }

    /// A request that only reads is answered also when nothing can be written.
    async fn note_use(&self, token: &StoredApiToken, now: UtcMillis) {
        if token.last_used_at.is_some_and(|last| now < last.plus_ms(USE_NOTED_EVERY_MS)) {
            return;
        }
        let (id, customer) = (token.api_token.clone(), token.customer);
        let note = move |tx: &WriteTx<'_>| {
            tx.touch(customer);
            note_api_token_use(tx, &id, now)
        };
        if let Err(error) = self.ledger.write(note).await {
            warn!(%error, token = %token.api_token, "the use of an API token could not be noted");
        }
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`Code::InvalidFields`], [`Code::LimitReached`].
    pub async fn create_token(
        &self,
        caller: &Caller,
        once: Option<Once>,
        new: NewApiToken,
    ) -> Result<CreatedApiToken, AppError> {
        caller.session()?;
        self.change(caller, once, move |change| create(change, &new)).await
    }

    /// The caller's tokens that are not revoked.
    ///
    /// # Errors
    /// [`Code::SessionRequired`].
    pub async fn list_tokens(&self, caller: &Caller) -> Result<ApiTokenList, AppError> {
        caller.session()?;
        let customer = caller.customer;
        let tokens = self.ledger.read(move |tx| api_tokens_of(tx, customer)).await.map_err(AppError::from)?;
        Ok(ApiTokenList { items: tokens.iter().map(view).collect() })
    }

    /// Revokes a token for good.
    ///
    /// # Errors
    /// [`Code::NotFound`] if the caller has no such token.
    pub async fn revoke_token(
        &self,
        caller: &Caller,
        once: Option<Once>,
        token: &str,
    ) -> Result<ApiTokenView, AppError> {
        caller.session()?;
        let id: ApiTokenId = token.parse().map_err(|_| Refusal::of(Code::NotFound))?;
        self.change(caller, once, move |change| {
            let tokens = api_tokens_of(change.tx, change.id())?;
            let found = tokens.iter().find(|token| token.api_token == id).ok_or_else(|| Refusal::of(Code::NotFound))?;
            revoke_api_token(change.tx, &id, change.now)?;
            change.note("api_token.revoke", &id, json!({"name": found.name}))?;
            Ok(view(found))
        })
        .await
    }
}

fn create(change: &Change<'_>, new: &NewApiToken) -> Result<CreatedApiToken, AppError> {
    let (name, scopes, days) = read(new)?;
    if api_tokens_of(change.tx, change.id())?.len() >= MAX_TOKENS {
        return Err(Refusal::new(Code::LimitReached, format!("there are {MAX_TOKENS} tokens")).into());
    }
    let text = ApiToken::mint(random()?);
    let token = StoredApiToken {
        api_token: ApiTokenId::new(random()?),
        customer: change.id(),
        name: name.to_string(),
        token_sha256: text.sha256(),
        hint: text.hint(),
        scopes,
        created_at: change.now,
        expires_at: change.now.plus_ms(DAY_MS.saturating_mul(days.into())),
        last_used_at: None,
        revoked_at: None,
    };
    insert_api_token(change.tx, &token)?;
    let api_token = view(&token);
    change.note("api_token.create", &token.api_token, json!({"name": token.name, "scopes": api_token.scopes}))?;
    Ok(CreatedApiToken { api_token, text: text.as_str().to_owned() })
}

fn read(new: &NewApiToken) -> Result<(Name, Vec<Scope>, u32), Refusal> {
    let mut errors = FieldErrors::new();
    let name = errors.take("name", new.name.parse::<Name>());
    let mut scopes: Vec<Scope> = Vec::new();
    for (index, text) in new.scopes.iter().enumerate() {
        match Scope::from_name(text) {
            Some(scope) if scopes.contains(&scope) => {
                errors.add(format!("scopes[{index}]"), "this scope is there twice")
            }
            Some(scope) => scopes.push(scope),
            None => errors.add(format!("scopes[{index}]"), format!("use one of {}", scope_names().join(", "))),
        }
    }
    if new.scopes.is_empty() {
        errors.add("scopes", "give one scope or more");
    }
    if !(1..=MAX_LIFE_DAYS).contains(&new.expires_in_days) {
        errors.add("expires_in_days", format!("give 1 to {MAX_LIFE_DAYS} days"));
    }
    match name {
        Some(name) if errors.list().is_empty() => Ok((name, scopes, new.expires_in_days)),
        _ => Err(errors.into()),
    }
}

fn scope_names() -> Vec<&'static str> {
    Scope::ALL.iter().map(|scope| scope.name()).collect()
}

fn view(token: &StoredApiToken) -> ApiTokenView {
    ApiTokenView {
        api_token_id: token.api_token.to_string(),
        name: token.name.clone(),
        hint: token.hint.clone(),
        scopes: token.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        created_at: token.created_at.to_string(),
        expires_at: token.expires_at.to_string(),
        last_used_at: token.last_used_at.map(|at| at.to_string()),
    }
}
