//! The Sui side: what is done on the chain and read from it, behind one type.
//!
//! Everything here may fail at any time and may have happened although it seems to have failed, so every operation can
//! be repeated: the chain is asked what is there already before something is made.

mod sim;

pub use sim::{Fault, SimChain};

use crate::core::api_key::ProcessGroup;
use crate::core::id::SealKeyId;
use crate::core::seal_key::{ObjectId, PackageAddress};

/// A chain.
#[derive(Debug)]
pub enum Chain {
    /// A simulation within the process. What it says is worth nothing elsewhere.
    Sim(SimChain),
}

/// What a Seal key's object on the chain shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealKeyObject {
    /// Names the object: the same key is never registered twice.
    pub seal_key: SealKeyId,
    /// From 1; a lower one than the chain has is not taken.
    pub version: u64,
    pub process_group: ProcessGroup,
    pub derivation_index: u64,
    /// Whether key servers shall answer for it. Objects stay: that of a deleted key says no for good.
    pub is_enabled: bool,
    pub packages: Vec<PackageAddress>,
}

/// What the chain answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredSealKey {
    pub object_id: ObjectId,
    /// `0x` and the hexadecimal digits of a BLS12-381 G2 point, compressed: 96 bytes.
    pub public_key: String,
}

/// Something that the chain did not do, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    #[error("the chain did not answer")]
    NoAnswer,
    #[error("the chain has version {there} of this Seal key, which is newer than {asked}")]
    Outdated { asked: u64, there: u64 },
}

impl Chain {
    /// Whether it is a simulation, which is said wherever something of it is shown.
    pub fn is_simulated(&self) -> bool {
        match self {
            Self::Sim(_) => true,
        }
    }

    /// Makes the object of a Seal key say this, creating it if there is none.
    ///
    /// # Errors
    /// [`ChainError`]; it may have been done all the same, and can be repeated.
    pub async fn put_seal_key(&self, object: &SealKeyObject) -> Result<RegisteredSealKey, ChainError> {
        match self {
            Self::Sim(sim) => sim.put_seal_key(object).await,
        }
    }
}
