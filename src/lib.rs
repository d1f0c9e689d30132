//! suiftly

pub mod app;
pub mod bench;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod daemon;
pub mod demo;
pub mod gateway;
pub mod http;
pub mod intake;
pub mod jobs;
pub mod ledger;
pub mod telemetry;
pub mod traffic;
