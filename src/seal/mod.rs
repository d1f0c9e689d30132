//! Vault files on disk: written so that a reader sees a whole file or none, also after a crash, and read with suspicion.
//!
//! ```text
//! <folder>/<code>-<sequence, nine digits>.vault      rma-000000041.vault
//! temporary file ─▶ fsync ─▶ rename ─▶ fsync of the folder ─▶ read back and verify
//! ```
//! What is in a file is said in [`core::vault::file`](mod@crate::core::vault::file). A damaged file is told of and never
//! used; it stays, for a person to look at, until it is one of the old ones.

mod folder;
mod newest;

pub use folder::{SealError, VaultFile, VaultFolder};
pub use newest::{Damage, Damaged, Newest, Whole};

/// Files of each code that are kept.
pub const KEPT_FILES: usize = 20;
