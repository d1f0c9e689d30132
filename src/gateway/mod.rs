//! Beside an HAProxy: brings what suiftly decided about keys and limits into it.
//!
//! ```text
//! vault files ─▶ [vaults] newest valid one of each code ─▶ core::haproxy_map::Maps ─▶ plan ─▶ [runtime] running HAProxy
//!                                                                             └────▶ [map_files] for HAProxy's restarts
//! ```
//! [`agent`] is the loop around that. On a host without a ledger, [`remote`] receives the vault files from the [`primary`],
//! and the log goes there as a [`log_stream`]. The agent keeps the last good state: what cannot be read or applied changes nothing.
//! [`status`] is what it says about itself, which [`health`] serves.

pub mod agent;
pub mod health;
pub mod log_stream;
pub mod map_files;
pub mod primary;
pub mod remote;
pub mod runtime;
pub mod status;
pub mod vaults;
