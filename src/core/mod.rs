//! Pure: values in, values out. No IO, no clock, no randomness: time and random bytes are arguments.

pub mod calendar;
pub mod id;
pub mod money;
pub mod usage;
