//! What accounts work with: secrets, the site that is signed in to, and what is kept in memory.

use std::fmt;
use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use crate::app::api_key_use::KeptUse;
use crate::app::api_keys::PageKey;
use crate::app::cache::Kept;
use crate::app::customer::CustomerView;
use crate::core::access_token::TokenKeys;
use crate::core::api_key::ApiKeySecret;
use crate::core::challenge::{CHALLENGE_LIFE_MS, ChallengeKey, Site};
use crate::core::field_cipher::FieldCipher;
use crate::core::id::{CustomerId, Service, SessionId};
use crate::core::service_instance::ServiceInstance;
use crate::core::session::Session;
use crate::core::used_nonces::UsedNonces;
use crate::ledger::api_key::StoredApiKey;
use crate::ledger::api_token::StoredApiToken;

/// Sessions, tokens and profiles kept in memory, at most, of each.
const KEPT: usize = 20_000;
/// Pages of keys, each of which can hold many.
const KEPT_PAGES: usize = 4_000;

/// Keys by number, of which the highest is in use.
pub type NumberedKeys = std::collections::BTreeMap<u32, Zeroizing<[u8; 32]>>;

/// What [`Accounts`] are made of.
pub struct AccountsOptions {
    pub api_key_secret: Zeroizing<[u8; 32]>,
    /// At least one.
    pub session_keys: NumberedKeys,
    /// At least one.
    pub field_keys: NumberedKeys,
    pub challenge_key: [u8; 32],
    pub site: Site,
}

/// The part of [`App`](crate::app::App) that signs people in and keeps what is theirs.
pub struct Accounts {
    pub(super) api_key_secret: ApiKeySecret,
    pub(super) token_keys: TokenKeys,
    pub(super) cipher: Arc<FieldCipher>,
    pub(super) challenge_key: ChallengeKey,
    pub(super) site: Site,
    pub(super) used_nonces: Mutex<UsedNonces>,
    pub(super) sessions: Kept<SessionId, Option<Arc<Session>>>,
    /// Whose token a SHA-256 is of; that never changes.
    pub(super) token_owners: quick_cache::sync::Cache<[u8; 32], CustomerId>,
    pub(super) tokens: Kept<[u8; 32], Option<Arc<StoredApiToken>>>,
    pub(super) profiles: Kept<CustomerId, Arc<CustomerView>>,
    pub(super) services: Kept<CustomerId, Arc<Vec<(Service, ServiceInstance)>>>,
    pub(super) api_keys: Kept<PageKey, Arc<Vec<StoredApiKey>>>,
    pub(super) key_use: KeptUse,
}

/// There is no key to use.
#[derive(Debug, thiserror::Error)]
#[error("the secrets hold no key for {0}")]
pub struct NoKey(pub(super) &'static str);

impl Accounts {
    /// # Errors
    /// [`NoKey`].
    pub fn new(options: AccountsOptions) -> Result<Self, NoKey> {
        let AccountsOptions { api_key_secret, session_keys, field_keys, challenge_key, site } = options;
        let plain = |(number, key): (&u32, &Zeroizing<[u8; 32]>)| (*number, **key);
        let mut field_keys = field_keys.iter().map(plain).rev();
        let newest_field_key = field_keys.next().ok_or(NoKey("fields"))?;
        let mut session_keys = session_keys.iter().map(|(number, key)| (*number, &**key)).rev();
        let newest_session_key = session_keys.next().ok_or(NoKey("sessions"))?;
        Ok(Self {
            api_key_secret: ApiKeySecret(*api_key_secret),
            token_keys: TokenKeys::new(newest_session_key, session_keys),
            cipher: Arc::new(FieldCipher::new(newest_field_key, field_keys)),
            challenge_key: ChallengeKey::new(challenge_key),
            site,
            used_nonces: Mutex::new(UsedNonces::new(CHALLENGE_LIFE_MS)),
            sessions: Kept::new(KEPT),
            token_owners: quick_cache::sync::Cache::new(KEPT),
            tokens: Kept::new(KEPT),
            profiles: Kept::new(KEPT),
            services: Kept::new(KEPT),
            api_keys: Kept::new(KEPT_PAGES),
            key_use: KeptUse::new(KEPT_PAGES),
        })
    }
}

/// Shows nothing of the secrets.
impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("site", &self.site).finish_non_exhaustive()
    }
}
