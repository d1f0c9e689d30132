//! suiftly

pub mod core;
