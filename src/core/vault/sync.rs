//! Whether what a customer changed is in force: the truth behind "updating…".
//!
//! Each change of a customer's part of the vaults has a number in the ledger, and each version of a vault is known to
//! hold everything up to some number. So the first version that holds a change is known, and gateways tell which version
//! they have applied. A gateway that is reached and says less is waited for; one that is not reached is not, and
//! somebody is told of it.

use std::collections::BTreeMap;

use super::code::VaultCode;
use super::file::VaultHash;

/// Versions of a vault of which it is kept up to which change they go.
const KEPT: usize = 64;

/// Which changes are in which versions of a vault.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// By sequence. A later version never holds less.
    versions: BTreeMap<u64, Held>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    hash: VaultHash,
    /// The last change that is in it.
    through: u64,
}

/// A version of a vault, whichever ledger it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    pub sequence: u64,
    pub hash: VaultHash,
}

impl Coverage {
    /// A version holds everything up to a change: it was built from it, or what has changed since is not in this vault.
    pub fn note(&mut self, version: Applied, through: u64) {
        let Applied { sequence, hash } = version;
        let through = self.versions.get(&sequence).map_or(through, |held| held.through.max(through));
        self.versions.insert(sequence, Held { hash, through });
        while self.versions.len() > KEPT {
            self.versions.pop_first();
        }
    }

    /// The first version known to hold a change; `None`: it is yet to be built.
    pub fn holds(&self, change: u64) -> Option<u64> {
        self.versions.iter().find(|(_, held)| held.through >= change).map(|(sequence, _)| *sequence)
    }

    /// The newest version.
    pub fn newest(&self) -> Option<Applied> {
        self.versions.last_key_value().map(|(sequence, held)| Applied { sequence: *sequence, hash: held.hash })
    }

    /// Whether it is one of these versions. After a restart, older ones are not known any more.
    pub fn knows(&self, version: &Applied) -> bool {
        self.versions.get(&version.sequence).is_some_and(|held| held.hash == version.hash)
    }

    /// The sequence of a gateway's version that the next one must be higher than; 0: nothing stands in its way.
    pub fn beyond(&self, applied: &Applied) -> u64 {
        let is_older = self.newest().is_some_and(|newest| applied.sequence < newest.sequence);
        if self.knows(applied) || is_older { 0 } else { applied.sequence }
    }

    /// The same for a sequence that a gateway has come to with a version of which it does not say more.
    pub fn beyond_sequence(&self, taken: u64) -> u64 {
        if self.newest().is_some_and(|newest| newest.sequence < taken) { taken } else { 0 }
    }
}

/// Whether a gateway answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hearing {
    /// It was asked last, perhaps before a restart, and did not answer.
    #[default]
    Silent,
    /// It has not been asked since the start, and nobody knows that it would not answer.
    Awaited,
    /// It answered when it was asked last.
    Reached,
}

/// What a gateway said when it was asked last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GatewayReport {
    pub hearing: Hearing,
    /// What its HAProxy works with; a vault that is missing is not applied at all.
    pub applied: BTreeMap<VaultCode, Applied>,
    /// Up to which sequence of each vault it has come: it takes nothing that is older.
    pub taken: BTreeMap<VaultCode, u64>,
}

/// What a customer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncState {
    /// Every gateway that is reached works with it.
    Synced,
    /// Not everywhere yet.
    Pending,
    /// No gateway is reached, so that nobody knows.
    Unknown,
}

impl SyncState {
    pub const ALL: [Self; 3] = [Self::Synced, Self::Pending, Self::Unknown];

    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
        }
    }
}

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    pub state: SyncState,
    /// Gateways that are reached and work with it.
    pub in_force: usize,
    /// All gateways, silent ones included.
    pub gateways: usize,
}

/// How far a change has come in all these vaults together.
pub fn spread<'a>(
    change: u64,
    codes: impl IntoIterator<Item = VaultCode>,
    coverage: &BTreeMap<VaultCode, Coverage>,
    gateways: impl IntoIterator<Item = &'a GatewayReport>,
) -> Spread {
    let needed = codes.into_iter().map(|code| {
        let coverage = coverage.get(&code)?;
        Some((code, coverage, coverage.holds(change)?))
    });
    // `None`: there is no version that holds it.
    let needed: Option<Vec<_>> = needed.collect();
    let has_all = |gateway: &GatewayReport| {
        needed.iter().flatten().all(|(code, coverage, sequence)| {
            gateway.applied.get(code).is_some_and(|applied| applied.sequence >= *sequence && coverage.knows(applied))
        })
    };
    let (mut in_force, mut counted, mut all) = (0_usize, 0_usize, 0_usize);
    for gateway in gateways {
        let has_it = needed.is_some() && gateway.hearing == Hearing::Reached && has_all(gateway);
        in_force = in_force.saturating_add(usize::from(has_it));
        counted = counted.saturating_add(usize::from(gateway.hearing != Hearing::Silent));
        all = all.saturating_add(1);
    }
    let state = match (&needed, counted) {
        (Some(_), 0) => SyncState::Unknown,
        (Some(_), _) if in_force == counted => SyncState::Synced,
        _ => SyncState::Pending,
    };
    Spread { state, in_force, gateways: all }
}

#[cfg(test)]
mod tests;
