//! What the agent of a gateway says about itself, as far as the fleet is concerned.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::core::vault::sync::Applied;
use crate::core::vault::{VaultCode, VaultHash, VaultOpener};

/// The agent's answer. What is not in it, as that of another version, is as if it had said nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayStatus {
    /// Of its program.
    pub version: String,
    /// By code.
    pub vaults: BTreeMap<String, VaultStanding>,
    pub haproxy: HaproxyStanding,
    /// Why the files for HAProxy's restarts are not written.
    pub files_problem: Option<String>,
    /// Why nothing of its folder of vaults can be taken.
    pub source_problem: Option<String>,
    /// How its log gets to the primary; `None` where no log is sent anywhere.
    pub log: Option<LogStanding>,
    /// By how much its clock is ahead of the one who asked, in ms; 0: within what an answer can show; `None`: unknown.
    pub clock_ahead_ms: Option<i64>,
}

/// How it is with one vault.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VaultStanding {
    /// In force in HAProxy; 0: none yet.
    pub applied: u64,
    /// Names it besides the sequence, in hexadecimal.
    pub applied_hash: Option<String>,
    /// Taken, and not in force yet.
    pub processing: Option<u64>,
    /// The newest that was ever taken: nothing that is older is.
    pub taken: u64,
    /// That the primary has made it. It is looked at when it comes, and not kept.
    pub proof: Option<String>,
    /// Customers in the newest that was taken.
    pub entries: u64,
    /// From when the vault was created until HAProxy obeyed it.
    pub propagation_ms: Option<i64>,
    /// Why a newer one is not taken.
    pub refused: Option<String>,
    /// Why the primary gives none.
    pub primary_problem: Option<String>,
}

/// How the log of its HAProxy gets to the primary.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogStanding {
    /// Waiting on its disk.
    pub spool_bytes: u64,
    /// How long ago the first line that waits was logged.
    pub lag_ms: i64,
    /// Why nothing is delivered.
    pub problem: Option<String>,
    /// Why nothing is taken in.
    pub spool_problem: Option<String>,
}

/// What HAProxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaproxyState {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// It obeys the newest vaults that were taken.
    InForce,
    /// It answers, and has not got them all.
    Behind,
    /// It does not answer.
    Unreachable,
}

/// How it is with HAProxy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HaproxyStanding {
    pub state: HaproxyState,
    pub version: Option<String>,
    /// Why it is not in force.
    pub problem: Option<String>,
}

impl GatewayStatus {
    /// Without what is not proven about sequences: a gateway that is ahead has the primary write higher ones, and they
    /// come to an end. So an agent that lies, or whoever answers in its place, can hold up nothing but itself.
    pub fn believed(mut self, opener: &VaultOpener) -> Self {
        for (code, vault) in &mut self.vaults {
            let proof = vault.proof.take().and_then(|text| text.parse().ok());
            let header = proof.and_then(|proof| opener.verify_proof(&proof).ok()).map(|(header, _)| header);
            let proven = header.filter(|header| header.code.as_str() == code).map_or(0, |header| header.sequence);
            vault.taken = vault.taken.min(proven);
            if vault.applied > proven {
                vault.applied_hash = None;
            }
        }
        self
    }

    /// The versions that HAProxy works with.
    pub fn applied(&self) -> BTreeMap<VaultCode, Applied> {
        let applied = self.vaults.iter().filter_map(|(code, vault)| Some((code.parse().ok()?, vault.version()?)));
        applied.collect()
    }

    /// Up to which sequences it has come.
    pub fn taken(&self) -> BTreeMap<VaultCode, u64> {
        self.vaults.iter().filter_map(|(code, vault)| Some((code.parse().ok()?, vault.taken))).collect()
    }
}

impl VaultStanding {
    /// The version in force; `None` as long as its hash is not known.
    fn version(&self) -> Option<Applied> {
        let hash = HEXLOWER.decode(self.applied_hash.as_ref()?.as_bytes()).ok()?;
        Some(Applied { sequence: self.applied, hash: VaultHash(hash.try_into().ok()?) })
    }
}
