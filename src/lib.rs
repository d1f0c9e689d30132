//! suiftly

pub mod bench;
pub mod clock;
pub mod config;
pub mod core;
pub mod intake;
pub mod telemetry;
pub mod traffic;
