//! Sessions: what a sign-in is followed by, and for how long.
//!
//! ```text
//! sign-in ─▶ live ──refresh──▶ live (the old refresh token is used up, the new one lives 30 days)
//!             │ └─ a used refresh token comes again ─▶ ended (replay): one of the two who have it is a thief
//!             ├─ logout, revoke ─▶ ended
//!             └─ 30 days without a refresh ─▶ ended
//! ```

use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, SessionId};

/// How long an access token is good.
pub const ACCESS_LIFE_MS: i64 = 15 * 60 * 1000;
/// How long a refresh token is good, and so how long a session goes on unused.
pub const REFRESH_LIFE_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Sessions of one customer at once; a further one ends the oldest.
pub const MAX_SESSIONS: usize = 100;
/// Characters of a browser's name that are kept.
pub const USER_AGENT_CHARS: usize = 200;

/// Someone is, or was, signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub session: SessionId,
    pub customer: CustomerId,
    /// SHA-256 of the only refresh token that is good.
    pub refresh_sha256: [u8; 32],
    pub created_at: UtcMillis,
    pub refreshed_at: UtcMillis,
    pub expires_at: UtcMillis,
    /// Where it was refreshed last.
    pub ip: String,
    /// What the browser called itself at the sign-in.
    pub user_agent: String,
    pub revoked_at: Option<UtcMillis>,
}

/// Why a session was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokedBecause {
    Logout,
    Revoked,
    Replay,
    /// Too many sessions were live, and this one was the oldest.
    Displaced,
}

impl RevokedBecause {
    /// The word used in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Revoked => "revoked",
            Self::Replay => "replay",
            Self::Displaced => "displaced",
        }
    }
}

/// What follows from a refresh token that was signed by us and names this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// It is the good one: hand out the next.
    Rotate,
    /// It was used before: end the session.
    Replayed,
    /// The session has ended.
    Ended,
}

impl Session {
    /// Whether requests of this session are answered.
    pub fn is_live(&self, now: UtcMillis) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    /// Decides about a refresh token by its SHA-256.
    pub fn refresh(&self, token_sha256: &[u8; 32], now: UtcMillis) -> Refresh {
        if !self.is_live(now) {
            Refresh::Ended
        } else if self.refresh_sha256 == *token_sha256 {
            Refresh::Rotate
        } else {
            Refresh::Replayed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::RECORD_ID_BYTES;

    #[test]
    fn a_refresh_token_is_good_once() {
        let session = Session {
            session: SessionId::new([0; RECORD_ID_BYTES]),
            customer: CustomerId::new(7).unwrap(),
            refresh_sha256: [2; 32],
            created_at: UtcMillis(0),
            refreshed_at: UtcMillis(0),
            expires_at: UtcMillis(100),
            ip: String::new(),
            user_agent: String::new(),
            revoked_at: None,
        };
        let revoked = Session { revoked_at: Some(UtcMillis(5)), ..session.clone() };
        for (session, token, now, expected) in [
            (&session, [2; 32], 99, Refresh::Rotate),
            (&session, [1; 32], 99, Refresh::Replayed),
            (&session, [2; 32], 100, Refresh::Ended),
            (&revoked, [2; 32], 50, Refresh::Ended),
            (&revoked, [1; 32], 50, Refresh::Ended),
        ] {
            assert_eq!(session.refresh(&token, UtcMillis(now)), expected, "{token:?} at {now}");
        }
    }
}
