//! suiftly

pub mod bench;
pub mod clock;
pub mod core;
pub mod demo;
pub mod gateway;
pub mod intake;
pub mod traffic;
