//! The outbox through which a Seal key gets onto the chain and stays equal to what its owner wants.
//!
//! ```text
//!            begin, if its time has come                 succeeded
//!   queued ──────────────────────────────▶ processing ─────────────▶ registered
//!     ▲                                        │                         │
//!     ├── failed: after a back-off ────────────┤                         │
//!     ├── succeeded, but changed meanwhile ────┤                         │
//!     ├── crash ───────────────────────────────┘                         │
//!     └── changed ───────────────────────────────────────────────────────┘
//! ```
//!
//! A change only raises the version that is wanted, so that any number of changes during a job is one update after it.
//! There is one job at a time, because only `queued` hands one out. A crash between the chain's answer and its record
//! repeats a job: whoever carries out jobs looks on the chain first for what is there already.

use crate::core::calendar::UtcMillis;
use crate::core::seal_key::ObjectId;

/// Seconds to wait after the first failure in a row, the second and so on; the last for all that follow.
const BACK_OFF_S: [i64; 6] = [0, 5, 15, 45, 135, LONGEST_BACK_OFF_S];
const LONGEST_BACK_OFF_S: i64 = 300;
/// Characters of an error that are kept.
pub const ERROR_CHARS: usize = 500;

/// Where a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegistrationState {
    Queued,
    Processing,
    Registered,
}

impl RegistrationState {
    pub const ALL: [Self; 3] = [Self::Queued, Self::Processing, Self::Registered];

    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Registered => "registered",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What the chain knows of a Seal key, and what it shall know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    pub state: RegistrationState,
    /// From 1; raised with each change of what is registered.
    pub wanted_version: u64,
    /// The version that the chain has; 0 = never registered.
    pub registered_version: u64,
    /// Failures in a row.
    pub attempts: u32,
    /// While queued: not before this instant.
    pub next_attempt_at: UtcMillis,
    /// Present once registered; never another one.
    pub object_id: Option<ObjectId>,
    /// Present once registered; never another one.
    pub public_key: Option<String>,
    /// What went wrong last; absent after a success.
    pub last_error: Option<String>,
}

/// Whether there is an object on the chain yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    Create,
    Update,
}

/// What to do on the chain. [`Registration::succeeded`] takes the version back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationJob {
    pub kind: JobKind,
    pub version: u64,
}

/// Why the outcome of a job is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationRefusal {
    #[error("no job of this registration is being done")]
    NotProcessing,
    #[error("version {version} is not being registered: {registered_version} is on the chain, {wanted_version} wanted")]
    NotThatVersion { version: u64, registered_version: u64, wanted_version: u64 },
    #[error("the chain answered with another object or public key than the one that is registered")]
    AnotherObject,
}

impl Registration {
    /// Of a Seal key that has just been created: queued at once.
    pub fn new(now: UtcMillis) -> Self {
        Self {
            state: RegistrationState::Queued,
            wanted_version: 1,
            registered_version: 0,
            attempts: 0,
            next_attempt_at: now,
            object_id: None,
            public_key: None,
            last_error: None,
        }
    }

    /// What is registered has changed. A back-off goes on: a change is no reason to trouble an unwell chain sooner.
    pub fn changed(&self, now: UtcMillis) -> Self {
        let changed = Self { wanted_version: self.wanted_version.saturating_add(1), ..self.clone() };
        match self.state {
            RegistrationState::Queued | RegistrationState::Processing => changed,
            RegistrationState::Registered => changed.queued(now),
        }
    }

    /// Hands out the next job if it is time for one.
    pub fn begin(&self, now: UtcMillis) -> Option<(Self, RegistrationJob)> {
        if self.state != RegistrationState::Queued || now < self.next_attempt_at {
            return None;
        }
        let kind = if self.registered_version == 0 { JobKind::Create } else { JobKind::Update };
        let job = RegistrationJob { kind, version: self.wanted_version };
        Some((Self { state: RegistrationState::Processing, ..self.clone() }, job))
    }

    /// The chain has this version.
    ///
    /// # Errors
    /// [`RegistrationRefusal`]: the answer is to no job that is being done, or about something else.
    pub fn succeeded(
        &self,
        version: u64,
        object_id: ObjectId,
        public_key: String,
        now: UtcMillis,
    ) -> Result<Self, RegistrationRefusal> {
        self.check_outcome(version, &object_id, &public_key)?;
        let known = Self {
            registered_version: version,
            attempts: 0,
            object_id: Some(object_id),
            public_key: Some(public_key),
            last_error: None,
            ..self.clone()
        };
        if version < self.wanted_version {
            Ok(known.queued(now))
        } else {
            Ok(Self { state: RegistrationState::Registered, ..known })
        }
    }

    /// The job was not done; it is repeated after a back-off.
    ///
    /// # Errors
    /// [`RegistrationRefusal::NotProcessing`].
    pub fn failed(&self, error: &str, now: UtcMillis) -> Result<Self, RegistrationRefusal> {
        if self.state != RegistrationState::Processing {
            return Err(RegistrationRefusal::NotProcessing);
        }
        let failed = Self {
            attempts: self.attempts.saturating_add(1),
            last_error: Some(error.chars().take(ERROR_CHARS).collect()),
            ..self.clone()
        };
        Ok(failed.queued(now.plus_ms(back_off_ms(self.attempts))))
    }

    /// At start-up: whoever was doing a job is gone, so that it is queued at once.
    pub fn recovered_after_crash(&self, now: UtcMillis) -> Self {
        match self.state {
            RegistrationState::Processing => self.clone().queued(now),
            RegistrationState::Queued | RegistrationState::Registered => self.clone(),
        }
    }

    fn queued(self, at: UtcMillis) -> Self {
        Self { state: RegistrationState::Queued, next_attempt_at: at, ..self }
    }

    fn check_outcome(&self, version: u64, object_id: &ObjectId, key: &str) -> Result<(), RegistrationRefusal> {
        let (registered_version, wanted_version) = (self.registered_version, self.wanted_version);
        if self.state != RegistrationState::Processing {
            Err(RegistrationRefusal::NotProcessing)
        } else if version <= registered_version || version > wanted_version {
            Err(RegistrationRefusal::NotThatVersion { version, registered_version, wanted_version })
        } else if self.object_id.as_ref().is_some_and(|known| known != object_id)
            || self.public_key.as_ref().is_some_and(|known| known != key)
        {
            Err(RegistrationRefusal::AnotherObject)
        } else {
            Ok(())
        }
    }
}

/// How long to wait after a failure that `earlier` others preceded in a row.
fn back_off_ms(earlier: u32) -> i64 {
    let step = usize::try_from(earlier).unwrap_or(usize::MAX);
    BACK_OFF_S.get(step).unwrap_or(&LONGEST_BACK_OFF_S).saturating_mul(1000)
}

#[cfg(test)]
mod tests;
