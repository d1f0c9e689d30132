//! What the journal keeps: everything that was asked of the simulated chain and has changed it.

use serde::{Deserialize, Serialize};

use crate::chain::SealKeyObject;
use crate::core::api_key::ProcessGroup;

/// One record. What follows from it is computed again when the journal is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    /// Something was handed in at `at` and takes effect at `due`; milliseconds since 1970.
    Order { at: i64, due: i64, command: Command },
    /// What was due by then has taken effect.
    Tick { at: i64 },
}

/// Something that changes the chain. Amounts are millionths of a USDC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    Faucet {
        wallet: String,
        amount: i64,
    },
    Charge {
        account: String,
        amount: i64,
        key: String,
    },
    Credit {
        account: String,
        amount: i64,
        key: String,
    },
    /// Signed by its wallet, which was checked before it was written.
    Submit {
        content: String,
        final_after_ms: i64,
    },
    PutSealKey(SealKeyRecord),
}

/// [`SealKeyObject`] in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealKeyRecord {
    seal_key: String,
    version: u64,
    process_group: u8,
    derivation_index: u64,
    is_enabled: bool,
    packages: Vec<String>,
}

impl From<&SealKeyObject> for SealKeyRecord {
    fn from(object: &SealKeyObject) -> Self {
        Self {
            seal_key: object.seal_key.to_string(),
            version: object.version,
            process_group: object.process_group.get(),
            derivation_index: object.derivation_index,
            is_enabled: object.is_enabled,
            packages: object.packages.iter().map(ToString::to_string).collect(),
        }
    }
}

impl SealKeyRecord {
    /// None if a record that is whole says something that never was a Seal key.
    pub(super) fn object(&self) -> Option<SealKeyObject> {
        Some(SealKeyObject {
            seal_key: self.seal_key.parse().ok()?,
            version: self.version,
            process_group: ProcessGroup::new(self.process_group)?,
            derivation_index: self.derivation_index,
            is_enabled: self.is_enabled,
            packages: self.packages.iter().map(|package| package.parse().ok()).collect::<Option<_>>()?,
        })
    }
}
