//! suiftly

pub mod config;
pub mod core;
