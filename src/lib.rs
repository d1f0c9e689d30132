//! suiftly

pub mod bench;
pub mod clock;
pub mod core;
pub mod intake;
pub mod ledger;
pub mod traffic;
