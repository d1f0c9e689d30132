//! Pure: values in, values out. No IO, no clock, no randomness: time and random bytes are arguments.

pub mod calendar;
pub mod haproxy_config;
pub mod haproxy_map;
pub mod id;
pub mod log_line;
pub mod money;
pub mod rollup;
pub mod usage;
