//! Pure: values in, values out. No IO, no clock, no randomness: time and random bytes are arguments.

pub mod access_token;
pub mod activity;
pub mod api_key;
pub mod api_token;
pub mod calendar;
pub mod challenge;
pub mod config_global;
pub mod customer;
pub mod error_code;
pub mod field_cipher;
pub mod field_error;
pub mod haproxy_config;
pub mod haproxy_map;
pub mod id;
pub mod invoice;
pub mod log_line;
pub mod money;
pub mod name;
pub mod rating;
pub mod rollup;
pub mod session;
pub mod source;
pub mod tier;
pub mod usage;
pub mod used_nonces;
pub mod wallet_signature;
