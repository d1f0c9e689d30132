//! The life of an API key: created, revoked and enabled again, rotated, expired, deleted.
//!
//! ```text
//!            revoke
//! active ◀────────────▶ revoked          rotate: a successor is created, and the old key expires
//!   │       re-enable      │             by itself when the overlap is over
//!   ├── time ─▶ expired    │
//!   └──────────┴───────────┴─ delete ─▶ deleted (for good; its record stays)
//! ```

use crate::core::calendar::{DAY_MS, HOUR_MS, UtcMillis};

/// Keys of one service that can be created in an hour.
pub const CREATIONS_PER_HOUR: usize = 5;
/// An expiry must be this far ahead at least.
const MIN_LIFE_MS: i64 = 60 * 1000;
const MAX_LIFE_MS: i64 = 3660 * DAY_MS;
/// Seconds that a rotated key goes on working, at most.
pub const MAX_OVERLAP_S: u32 = 30 * 24 * 60 * 60;

/// What a key is at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyState {
    Active,
    Revoked,
    Expired,
    Deleted,
}

impl ApiKeyState {
    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }
}

/// What has happened to a key, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiKeyTimes {
    pub created_at: UtcMillis,
    pub expires_at: Option<UtcMillis>,
    pub revoked_at: Option<UtcMillis>,
    pub deleted_at: Option<UtcMillis>,
}

/// Why something is not done to a key, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    #[error("there are {0} keys, as many as there can be: delete one first")]
    Full(u64),
    #[error("{CREATIONS_PER_HOUR} keys were created within an hour: the next can be in {wait_s} s")]
    TooOften { wait_s: u64 },
    #[error("the key is deleted")]
    Deleted,
    #[error("the key has expired: create another one")]
    Expired,
    #[error("the key is revoked: enable it again first")]
    Revoked,
    #[error("give a time between a minute and ten years from now")]
    Expiry,
    #[error("give 0 to {MAX_OVERLAP_S} seconds")]
    Overlap,
}

impl ApiKeyTimes {
    /// A key that has just been created.
    pub fn created(now: UtcMillis, expires_at: Option<UtcMillis>) -> Self {
        Self { created_at: now, expires_at, revoked_at: None, deleted_at: None }
    }

    pub fn state(&self, now: UtcMillis) -> ApiKeyState {
        if self.deleted_at.is_some() {
            ApiKeyState::Deleted
        } else if self.expires_at.is_some_and(|at| at <= now) {
            ApiKeyState::Expired
        } else if self.revoked_at.is_some() {
            ApiKeyState::Revoked
        } else {
            ApiKeyState::Active
        }
    }

    /// Active → revoked; a revoked one stays.
    ///
    /// # Errors
    /// [`KeyRefusal`].
    pub fn revoke(self, now: UtcMillis) -> Result<Self, KeyRefusal> {
        self.usable(now)?;
        Ok(Self { revoked_at: self.revoked_at.or(Some(now)), ..self })
    }

    /// Revoked → active; an active one stays.
    ///
    /// # Errors
    /// [`KeyRefusal`].
    pub fn re_enable(self, now: UtcMillis) -> Result<Self, KeyRefusal> {
        self.usable(now)?;
        Ok(Self { revoked_at: None, ..self })
    }

    /// For good.
    ///
    /// # Errors
    /// [`KeyRefusal::Deleted`].
    pub fn delete(self, now: UtcMillis) -> Result<Self, KeyRefusal> {
        match self.deleted_at {
            Some(_) => Err(KeyRefusal::Deleted),
            None => Ok(Self { deleted_at: Some(now), ..self }),
        }
    }

    /// `None` takes the expiry away.
    ///
    /// # Errors
    /// [`KeyRefusal`].
    pub fn set_expiry(self, expires_at: Option<UtcMillis>, now: UtcMillis) -> Result<Self, KeyRefusal> {
        self.usable(now)?;
        check_expiry(expires_at, now)?;
        Ok(Self { expires_at, ..self })
    }

    /// The old key of a rotation: it goes on working for the overlap, or until it expires anyway.
    ///
    /// # Errors
    /// [`KeyRefusal`].
    pub fn rotated(self, overlap_s: u32, now: UtcMillis) -> Result<Self, KeyRefusal> {
        self.usable(now)?;
        if self.revoked_at.is_some() {
            return Err(KeyRefusal::Revoked);
        }
        if overlap_s > MAX_OVERLAP_S {
            return Err(KeyRefusal::Overlap);
        }
        let end = now.plus_ms(i64::from(overlap_s).saturating_mul(1000));
        Ok(Self { expires_at: Some(self.expires_at.map_or(end, |at| at.min(end))), ..self })
    }

    fn usable(&self, now: UtcMillis) -> Result<(), KeyRefusal> {
        match self.state(now) {
            ApiKeyState::Active | ApiKeyState::Revoked => Ok(()),
            ApiKeyState::Expired => Err(KeyRefusal::Expired),
            ApiKeyState::Deleted => Err(KeyRefusal::Deleted),
        }
    }
}

/// Whether an expiry can be given.
///
/// # Errors
/// [`KeyRefusal::Expiry`].
pub fn check_expiry(expires_at: Option<UtcMillis>, now: UtcMillis) -> Result<(), KeyRefusal> {
    let allowed = now.plus_ms(MIN_LIFE_MS)..=now.plus_ms(MAX_LIFE_MS);
    match expires_at {
        Some(at) if !allowed.contains(&at) => Err(KeyRefusal::Expiry),
        _ => Ok(()),
    }
}

/// Whether one more key can be created beside those that are not deleted, by when each was created.
///
/// # Errors
/// [`KeyRefusal::Full`].
pub fn check_room(not_deleted: usize, max: u64) -> Result<(), KeyRefusal> {
    let count = u64::try_from(not_deleted).unwrap_or(u64::MAX);
    if count < max { Ok(()) } else { Err(KeyRefusal::Full(count)) }
}

/// Whether a key can have a successor. The two count as one, so that it is possible at the limit too; but not for ever
/// more keys whose overlaps have not ended.
///
/// # Errors
/// [`KeyRefusal::Full`].
pub fn check_rotation_room(not_deleted: usize, max: u64) -> Result<(), KeyRefusal> {
    let count = u64::try_from(not_deleted).unwrap_or(u64::MAX);
    if count <= max { Ok(()) } else { Err(KeyRefusal::Full(count)) }
}

/// How many keys are billed beyond those that are included. Revoked and expired ones count until they are deleted.
pub fn extra_keys(not_deleted: u64, included: u64) -> u64 {
    not_deleted.saturating_sub(included)
}

/// Whether one more key can be created now, by when others were, deleted ones too.
///
/// # Errors
/// [`KeyRefusal::TooOften`].
pub fn check_pace(created_at: &[UtcMillis], now: UtcMillis) -> Result<(), KeyRefusal> {
    let mut recent: Vec<_> = created_at.iter().filter(|at| at.plus_ms(HOUR_MS) > now).copied().collect();
    recent.sort_unstable();
    match recent.len().checked_sub(CREATIONS_PER_HOUR).and_then(|over| recent.get(over)) {
        None => Ok(()),
        Some(blocking) => {
            let wait_ms = blocking.plus_ms(HOUR_MS).0.saturating_sub(now.0);
            Err(KeyRefusal::TooOften { wait_s: u64::try_from(wait_ms).unwrap_or(0).div_ceil(1000) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_424_400_000);

    fn key(expires: Option<i64>, revoked: bool, deleted: bool) -> ApiKeyTimes {
        ApiKeyTimes {
            created_at: NOW.plus_ms(-DAY_MS),
            expires_at: expires.map(|ms| NOW.plus_ms(ms)),
            revoked_at: revoked.then_some(NOW),
            deleted_at: deleted.then_some(NOW),
        }
    }

    #[test]
    fn each_state_allows_what_the_picture_shows() {
        use ApiKeyState::{Active, Deleted, Revoked};
        let active = key(Some(DAY_MS), false, false);
        let revoked = key(None, true, false);
        let expired = key(Some(0), false, false);
        let deleted = key(None, false, true);
        type Action = fn(ApiKeyTimes) -> Result<ApiKeyTimes, KeyRefusal>;
        let revoke: Action = |key| key.revoke(NOW);
        let enable: Action = |key| key.re_enable(NOW);
        let delete: Action = |key| key.delete(NOW);
        let rotate: Action = |key| key.rotated(60, NOW);
        for (name, key, action, expected) in [
            ("revoke active", active, revoke, Ok(Revoked)),
            ("revoke revoked", revoked, revoke, Ok(Revoked)),
            ("revoke expired", expired, revoke, Err(KeyRefusal::Expired)),
            ("revoke deleted", deleted, revoke, Err(KeyRefusal::Deleted)),
            ("enable revoked", revoked, enable, Ok(Active)),
            ("enable active", active, enable, Ok(Active)),
            ("enable expired", expired, enable, Err(KeyRefusal::Expired)),
            ("delete active", active, delete, Ok(Deleted)),
            ("delete revoked", revoked, delete, Ok(Deleted)),
            ("delete expired", expired, delete, Ok(Deleted)),
            ("delete deleted", deleted, delete, Err(KeyRefusal::Deleted)),
            ("rotate active", active, rotate, Ok(Active)),
            ("rotate revoked", revoked, rotate, Err(KeyRefusal::Revoked)),
            ("rotate expired", expired, rotate, Err(KeyRefusal::Expired)),
        ] {
            assert_eq!(action(key).map(|key| key.state(NOW)), expected, "{name}");
        }
    }

    #[test]
    fn a_rotated_key_ends_with_the_overlap_or_before() {
        for (expires, overlap_s, end) in [
            (None, 60, Some(60_000)),
            (None, 0, Some(0)),
            (Some(30_000), 60, Some(30_000)),
            (Some(90_000), 60, Some(60_000)),
            (None, MAX_OVERLAP_S + 1, None),
        ] {
            let rotated = key(expires, false, false).rotated(overlap_s, NOW).ok();
            assert_eq!(
                rotated.and_then(|key| key.expires_at),
                end.map(|ms| NOW.plus_ms(ms)),
                "{expires:?} {overlap_s}"
            );
        }
    }

    #[test]
    fn an_expiry_lies_a_minute_to_ten_years_ahead() {
        for (ms, good) in [(59_999, false), (60_000, true), (MAX_LIFE_MS, true), (MAX_LIFE_MS + 1, false), (-1, false)]
        {
            assert_eq!(check_expiry(Some(NOW.plus_ms(ms)), NOW).is_ok(), good, "{ms}");
        }
        assert_eq!(check_expiry(None, NOW), Ok(()));
    }

    #[test]
    fn five_are_created_in_an_hour_and_so_many_at_once() {
        let ago = |minutes: i64| NOW.plus_ms(-minutes * 60_000);
        for (created, wait_s) in [
            (vec![], None),
            (vec![ago(1); 4], None),
            (vec![ago(59), ago(1), ago(1), ago(1), ago(1)], Some(60)),
            (vec![ago(60), ago(1), ago(1), ago(1), ago(1)], None),
            (vec![ago(50), ago(40), ago(1), ago(1), ago(1), ago(1)], Some(20 * 60)),
        ] {
            let expected = wait_s.map_or(Ok(()), |wait_s| Err(KeyRefusal::TooOften { wait_s }));
            assert_eq!(check_pace(&created, NOW), expected, "{created:?}");
        }
        assert_eq!(check_room(9, 10), Ok(()));
        assert_eq!(check_room(10, 10), Err(KeyRefusal::Full(10)));
    }

    #[test]
    fn a_rotation_is_possible_at_the_limit_once() {
        for (not_deleted, expected) in [(1, Ok(())), (10, Ok(())), (11, Err(KeyRefusal::Full(11)))] {
            assert_eq!(check_rotation_room(not_deleted, 10), expected, "{not_deleted}");
        }
    }

    #[test]
    fn keys_beyond_the_included_number_are_billed() {
        for (not_deleted, included, extra) in [(0, 2, 0), (2, 2, 0), (3, 2, 1), (3, 0, 3)] {
            assert_eq!(extra_keys(not_deleted, included), extra, "{not_deleted} of {included}");
        }
    }
}
