//! Signing in with a wallet: a challenge, its signature, and a session that follows.

use std::net::IpAddr;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::app::sessions::end;
use crate::app::{App, AppError, Refusal};
use crate::core::access_token::{Claims, TokenKind};
use crate::core::activity::Activity;
use crate::core::calendar::UtcMillis;
use crate::core::challenge::{CHALLENGE_LIFE_MS, Opened};
use crate::core::customer::{Customer, CustomerStatus, WalletAddress};
use crate::core::error_code::Code;
use crate::core::id::{CustomerId, SessionId};
use crate::core::session::{ACCESS_LIFE_MS, MAX_SESSIONS, REFRESH_LIFE_MS, RevokedBecause, Session, USER_AGENT_CHARS};
use crate::core::used_nonces::FirstUse;
use crate::core::wallet_signature::{self, Scheme, SignatureRefusal};
use crate::ledger::activity::append_activity;
use crate::ledger::chain_event::put_off_chain_events;
use crate::ledger::customer::{find_customer_by_wallet, insert_customer};
use crate::ledger::session::{insert_session, live_sessions};
use crate::ledger::{LedgerError, WriteTx};
use crate::random::random;

/// After it, every challenge that is used up now has expired.
const CHALLENGE_LIFE_S: u64 = CHALLENGE_LIFE_MS.unsigned_abs() / 1000;
/// How often a random number is drawn again because somebody has it.
const DRAWS: usize = 16;
/// Longer signatures are of schemes that cost much more to verify, so that it is not done between other requests.
const SHORT_SIGNATURE: usize = 140;

/// A text to sign.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Challenge)]
pub struct ChallengeView {
    /// The wallet signs exactly this, as a personal message.
    pub message: String,
    /// Comes back with the signature.
    pub nonce: String,
    /// Until when it can be signed.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SignedIn)]
pub struct SignedInView {
    pub customer_id: u32,
    #[schema(pattern = "^0x[0-9a-f]{64}$")]
    pub wallet_address: String,
    pub session_id: String,
    /// Until when requests are answered without a refresh.
    #[schema(format = DateTime)]
    pub access_expires_at: String,
    /// Until when the session can be refreshed.
    #[schema(format = DateTime)]
    pub refresh_expires_at: String,
}

/// A session with the two tokens of its cookies.
pub struct SignedIn {
    pub view: SignedInView,
    pub access: String,
    pub refresh: String,
}

/// A challenge that this server gave for an address, not long ago.
pub struct OpenedFor {
    address: WalletAddress,
    challenge: Opened,
}

/// Where a sign-in comes from.
struct From {
    ip: IpAddr,
    user_agent: String,
}

impl App {
    /// A text for a wallet to sign. Leaves no trace.
    ///
    /// # Errors
    /// [`AppError::Random`].
    pub fn connect_wallet(&self, address: &WalletAddress) -> Result<ChallengeView, AppError> {
        let accounts = &self.accounts;
        let challenge = accounts.challenge_key.issue(&accounts.site, address, random()?, self.clock.now());
        let expires_at = challenge.expires_at.to_string();
        Ok(ChallengeView { message: challenge.message, nonce: challenge.nonce, expires_at })
    }

    /// Opens a challenge that was given for this address and is still good; whether it was used tells
    /// [`App::verify_signature`].
    ///
    /// # Errors
    /// [`Code::SignatureRefused`].
    pub fn open_challenge(&self, address: WalletAddress, nonce: &str) -> Result<OpenedFor, AppError> {
        let accounts = &self.accounts;
        let opened = accounts.challenge_key.open(&accounts.site, &address, nonce, self.clock.now());
        Ok(OpenedFor { address, challenge: opened.map_err(|_| Refusal::of(Code::SignatureRefused))? })
    }

    /// Begins a session for the wallet that signed the challenge; its first one registers the customer.
    ///
    /// # Errors
    /// [`Code::SignatureRefused`] whatever is wrong, [`Code::SignatureSchemeUnsupported`], [`Code::AccountClosed`].
    pub async fn verify_signature(
        &self,
        opened: OpenedFor,
        signature: String,
        ip: IpAddr,
        user_agent: &str,
    ) -> Result<SignedIn, AppError> {
        let now = self.clock.now();
        let OpenedFor { address, challenge } = opened;
        let message = self.use_up(challenge, now)?;
        let scheme = self.check_signature(&address, message, signature).await?;
        let from = From { ip, user_agent: user_agent.chars().take(USER_AGENT_CHARS).collect() };
        let session = SessionId::new(random()?);
        let refresh_id = random()?;
        let refresh_sha256 = Sha256::digest(refresh_id).into();
        let begin = move |tx: &WriteTx<'_>| begin(tx, &address, session, refresh_sha256, scheme, &from, now);
        let (customer, session) = self.ledger.write(begin).await?;
        self.signed_in(&customer, &session, refresh_id, now)
    }

    /// A challenge is used up by its first attempt, right or wrong.
    fn use_up(&self, opened: Opened, now: UtcMillis) -> Result<String, AppError> {
        let mut used = self.accounts.used_nonces.lock().unwrap_or_else(PoisonError::into_inner);
        match used.use_up(opened.id, now) {
            FirstUse::Yes => Ok(opened.message),
            FirstUse::UsedBefore => Err(Refusal::of(Code::SignatureRefused).into()),
            FirstUse::Full => {
                let refusal = Refusal::new(Code::NotReady, "too many sign-ins; try again in some minutes");
                Err(refusal.retry_after(CHALLENGE_LIFE_S).into())
            }
        }
    }

    async fn check_signature(
        &self,
        address: &WalletAddress,
        message: String,
        signature: String,
    ) -> Result<Scheme, AppError> {
        let (address, origin) = (address.clone(), self.accounts.site.uri.clone());
        let is_short = signature.len() <= SHORT_SIGNATURE;
        let verify = move || wallet_signature::verify(&address, &message, &signature, Some(&origin));
        let verified = match is_short {
            true => verify(),
            false => tokio::task::spawn_blocking(verify).await.map_err(|_| AppError::Panicked)?,
        };
        verified.map_err(|refusal| match refusal {
            SignatureRefusal::Invalid => Refusal::of(Code::SignatureRefused).into(),
            refusal @ SignatureRefusal::ZkLoginNeedsChain => {
                Refusal::new(Code::SignatureSchemeUnsupported, refusal).into()
            }
        })
    }

    /// Both tokens of a session's next step.
    pub(super) fn signed_in(
        &self,
        customer: &Customer,
        session: &Session,
        refresh_id: [u8; 16],
        now: UtcMillis,
    ) -> Result<SignedIn, AppError> {
        let access_expires_at = now.plus_ms(ACCESS_LIFE_MS);
        let claims = |kind, token_id, expires_at| Claims {
            kind,
            customer: customer.customer,
            session: session.session.clone(),
            token_id,
            issued_at: now,
            expires_at,
        };
        let keys = &self.accounts.token_keys;
        Ok(SignedIn {
            view: SignedInView {
                customer_id: customer.customer.get(),
                wallet_address: customer.wallet_address.to_string(),
                session_id: session.session.to_string(),
                access_expires_at: access_expires_at.to_string(),
                refresh_expires_at: session.expires_at.to_string(),
            },
            access: keys.sign(&claims(TokenKind::Access, random()?, access_expires_at))?,
            refresh: keys.sign(&claims(TokenKind::Refresh, refresh_id, session.expires_at))?,
        })
    }
}

fn begin(
    tx: &WriteTx<'_>,
    address: &WalletAddress,
    session: SessionId,
    refresh_sha256: [u8; 32],
    scheme: Scheme,
    from: &From,
    now: UtcMillis,
) -> Result<(Customer, Session), AppError> {
    let customer = match find_customer_by_wallet(tx, address)? {
        Some(customer) => customer,
        None => register(tx, address, from, now)?,
    };
    tx.touch(customer.customer);
    if customer.status == CustomerStatus::Closed {
        return Err(Refusal::of(Code::AccountClosed).into());
    }
    for oldest in live_sessions(tx, customer.customer, now)?.iter().skip(MAX_SESSIONS - 1) {
        let ip = from.ip.to_string();
        end(tx, customer.customer, &oldest.session, RevokedBecause::Displaced, ("wallet", &ip), now)?;
    }
    let session = Session {
        session,
        customer: customer.customer,
        refresh_sha256,
        created_at: now,
        refreshed_at: now,
        expires_at: now.plus_ms(REFRESH_LIFE_MS),
        ip: from.ip.to_string(),
        user_agent: from.user_agent.clone(),
        revoked_at: None,
    };
    insert_session(tx, &session)?;
    note(
        tx,
        customer.customer,
        "session.create",
        session.session.as_str(),
        json!({"scheme": scheme.name()}),
        from,
        now,
    )?;
    Ok((customer, session))
}

fn register(tx: &WriteTx<'_>, address: &WalletAddress, from: &From, now: UtcMillis) -> Result<Customer, AppError> {
    for _ in 0..DRAWS {
        let Some(number) = CustomerId::new(u32::from_be_bytes(random()?)) else { continue };
        let customer = Customer::new(number, address.clone(), now);
        match insert_customer(tx, &customer) {
            Ok(()) => {
                note(tx, number, "customer.create", address.as_str(), json!({}), from, now)?;
                // What the chain has told of the wallet before.
                put_off_chain_events(tx, address, Some(now), None)?;
                return Ok(customer);
            }
            Err(LedgerError::CustomerIdTaken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::new(Code::NotReady, "no free customer number was found; try again").into())
}

fn note(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    action: &str,
    subject: &str,
    details: serde_json::Value,
    from: &From,
    at: UtcMillis,
) -> Result<(), AppError> {
    let activity = Activity {
        customer: Some(customer),
        at,
        actor: "wallet".to_owned(),
        ip: from.ip.to_string(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        details: details.to_string(),
    };
    Ok(append_activity(tx, activity)?)
}
