//! Vaults: the complete picture of who may do what, one for each service, network and purpose.
//!
//! A vault goes from the ledger to gateways and key servers as a file. [`content`] is what it says, [`text`] the one
//! way to write that down, [`picture`] the same while it changes, [`file`](mod@file) how it is compressed, encrypted, signed
//! and chained. [`decide`](mod@decide) makes entries from what the ledger holds, [`sequence`] says which version comes
//! next, and [`sync`] whether a change is in force.
//!
//! - Content that is equal has equal bytes, and nothing else is read.
//! - A sequence belongs to one content; it grows by exactly one with each changed content.
//! - No key and no secret is in a vault: keys are there as their SHA-256.

mod code;
pub mod content;
pub mod decide;
pub mod file;
pub mod picture;
mod proof;
pub mod sequence;
pub mod sync;
pub mod text;

pub use code::{CODE_BYTES, NotAVaultCode, Purpose, VaultCode};
pub use content::{
    ApiEntry, ApiVault, Content, Derivation, Limits, SealEntry, SealKeyEntry, SealVault, Status, VaultKey,
};
pub use file::{
    BadFile, Header, MAX_FILE_BYTES, NewVault, NotAPublicKey, Opened, Packed, VaultHash, VaultOpener, VaultPublicKey,
    VaultSealer, claimed_header,
};
pub use picture::Picture;
pub use proof::{NotAProof, VaultProof};
