//! Sessions: whose requests they carry, how they go on, and how they end.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::app::caller::Credential;
use crate::app::sign_in::SignedIn;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::access_token::TokenKind;
use crate::core::activity::Activity;
use crate::core::calendar::UtcMillis;
use crate::core::customer::{Customer, CustomerStatus};
use crate::core::error_code::Code;
use crate::core::id::{CustomerId, SessionId};
use crate::core::session::{REFRESH_LIFE_MS, Refresh, RevokedBecause, Session};
use crate::ledger::activity::append_activity;
use crate::ledger::customer::find_customer;
use crate::ledger::session::{find_session, live_sessions, revoke_session, rotate_session};
use crate::ledger::{ReadTx, WriteTx};
use crate::random::random;

/// Somewhere a customer is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    pub session_id: String,
    /// Whether it is the one that asks.
    pub is_current: bool,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last active, to within 15 minutes.
    #[schema(format = DateTime)]
    pub last_active_at: String,
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// Where it was last active.
    pub ip: String,
    /// What the browser called itself at the sign-in.
    pub user_agent: String,
}

/// Everywhere a customer is signed in, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionList {
    pub items: Vec<SessionView>,
}

/// What became of a refresh token.
enum Refreshed {
    On(Box<(Customer, Session)>),
    Refused,
}

impl App {
    /// Whose request it is, by an access token.
    ///
    /// # Errors
    /// [`Code::SignInRequired`].
    pub async fn caller_of_session(&self, access: &str, ip: IpAddr) -> Result<Caller, AppError> {
        let now = self.clock.now();
        let claims = self.accounts.token_keys.verify(access, TokenKind::Access, now);
        let claims = claims.map_err(|_| Refusal::of(Code::SignInRequired))?;
        let (customer, id) = (claims.customer, claims.session.clone());
        let load = move |tx: &ReadTx<'_>| Ok(find_session(tx, &id)?.map(Arc::new));
        let session = self.keep(&self.accounts.sessions, customer, &claims.session, load).await?;
        match session.filter(|session| session.customer == customer && session.is_live(now)) {
            Some(_) => Ok(Caller { customer, credential: Credential::Session(claims.session), ip }),
            None => Err(Refusal::of(Code::SignInRequired).into()),
        }
    }

    /// Exchanges a refresh token for new tokens. One that was used before ends its session.
    ///
    /// # Errors
    /// [`Code::RefreshRefused`].
    pub async fn refresh(&self, refresh: Option<String>, ip: IpAddr) -> Result<SignedIn, AppError> {
        let now = self.clock.now();
        let claims = refresh.and_then(|text| self.accounts.token_keys.verify(&text, TokenKind::Refresh, now).ok());
        let claims = claims.ok_or_else(|| Refusal::of(Code::RefreshRefused))?;
        let presented = Sha256::digest(claims.token_id).into();
        let refresh_id: [u8; 16] = random()?;
        let next = Sha256::digest(refresh_id).into();
        let (id, ip) = (claims.session, ip.to_string());
        let rotate = move |tx: &WriteTx<'_>| rotate(tx, &id, presented, next, &ip, now);
        match self.ledger.write(rotate).await? {
            Refreshed::On(both) => self.signed_in(&both.0, &both.1, refresh_id, now),
            Refreshed::Refused => Err(Refusal::of(Code::RefreshRefused).into()),
        }
    }

    /// Ends the caller's session, or that of a refresh token whose access token has expired.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn logout(&self, caller: Option<Caller>, refresh: Option<String>, ip: IpAddr) -> Result<(), AppError> {
        let now = self.clock.now();
        let by_access = caller.and_then(|caller| Some((caller.customer, caller.session().ok()?.clone())));
        let keys = &self.accounts.token_keys;
        let by_refresh = || {
            let claims = keys.verify(&refresh?, TokenKind::Refresh, now).ok()?;
            Some((claims.customer, claims.session))
        };
        let Some((customer, session)) = by_access.or_else(by_refresh) else { return Ok(()) };
        let end = move |tx: &WriteTx<'_>| {
            end(tx, customer, &session, RevokedBecause::Logout, (session.as_str(), &ip.to_string()), now)
        };
        self.ledger.write(end).await
    }

    /// Where the caller is signed in.
    ///
    /// # Errors
    /// [`Code::SessionRequired`].
    pub async fn list_sessions(&self, caller: &Caller) -> Result<SessionList, AppError> {
        let (current, customer, now) = (caller.session()?.clone(), caller.customer, self.clock.now());
        let sessions = self.ledger.read(move |tx| live_sessions(tx, customer, now)).await.map_err(AppError::from)?;
        Ok(SessionList { items: sessions.into_iter().map(|session| view(session, &current)).collect() })
    }

    /// Ends one session of the caller.
    ///
    /// # Errors
    /// [`Code::NotFound`] if the caller has no such session.
    pub async fn revoke_session(&self, caller: &Caller, session: &str) -> Result<(), AppError> {
        let (actor, customer, now, ip) = (caller.actor(), caller.customer, self.clock.now(), caller.ip.to_string());
        let session: SessionId = session.parse().map_err(|_| Refusal::of(Code::NotFound))?;
        let revoke = move |tx: &WriteTx<'_>| match find_session(tx, &session)? {
            Some(found) if found.customer == customer && found.is_live(now) => {
                end(tx, customer, &session, RevokedBecause::Revoked, (&actor, &ip), now)
            }
            _ => Err(Refusal::of(Code::NotFound).into()),
        };
        self.ledger.write(revoke).await
    }

    /// Ends every session of the caller but the one that asks.
    ///
    /// # Errors
    /// [`Code::SessionRequired`].
    pub async fn revoke_other_sessions(&self, caller: &Caller) -> Result<(), AppError> {
        let current = caller.session()?.clone();
        let (customer, now, ip) = (caller.customer, self.clock.now(), caller.ip.to_string());
        let revoke = move |tx: &WriteTx<'_>| {
            let others = live_sessions(tx, customer, now)?.into_iter().filter(|session| session.session != current);
            for other in others {
                end(tx, customer, &other.session, RevokedBecause::Revoked, (current.as_str(), &ip), now)?;
            }
            Ok(())
        };
        self.ledger.write(revoke).await
    }
}

/// Refusals are answers here and no errors, so that what a replay led to is committed.
fn rotate(
    tx: &WriteTx<'_>,
    id: &SessionId,
    presented: [u8; 32],
    next: [u8; 32],
    ip: &str,
    now: UtcMillis,
) -> Result<Refreshed, AppError> {
    let Some(session) = find_session(tx, id)? else { return Ok(Refreshed::Refused) };
    let customer = find_customer(tx, session.customer)?;
    let Some(customer) = customer.filter(|customer| customer.status != CustomerStatus::Closed) else {
        return Ok(Refreshed::Refused);
    };
    match session.refresh(&presented, now) {
        Refresh::Rotate => {
            tx.touch(session.customer);
            let expires_at = now.plus_ms(REFRESH_LIFE_MS);
            rotate_session(tx, id, next, (now, expires_at), ip)?;
            Ok(Refreshed::On(Box::new((customer, Session { expires_at, ..session }))))
        }
        Refresh::Replayed => {
            end(tx, session.customer, id, RevokedBecause::Replay, (id.as_str(), ip), now)?;
            Ok(Refreshed::Refused)
        }
        Refresh::Ended => Ok(Refreshed::Refused),
    }
}

/// Ends a session and notes it.
pub(super) fn end(
    tx: &WriteTx<'_>,
    customer: CustomerId,
    session: &SessionId,
    because: RevokedBecause,
    (actor, ip): (&str, &str),
    at: UtcMillis,
) -> Result<(), AppError> {
    tx.touch(customer);
    if !revoke_session(tx, session, because, at)? {
        return Ok(());
    }
    let activity = Activity {
        customer: Some(customer),
        at,
        actor: actor.to_owned(),
        ip: ip.to_owned(),
        action: "session.end".to_owned(),
        subject: session.to_string(),
        details: json!({"because": because.name()}).to_string(),
    };
    Ok(append_activity(tx, activity)?)
}

fn view(session: Session, current: &SessionId) -> SessionView {
    SessionView {
        is_current: session.session == *current,
        session_id: session.session.to_string(),
        created_at: session.created_at.to_string(),
        last_active_at: session.refreshed_at.to_string(),
        expires_at: session.expires_at.to_string(),
        ip: session.ip,
        user_agent: session.user_agent,
    }
}
