//! The integration tests, one binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, and says where"
)]

mod api_keys;
mod architecture;
mod authorization;
mod billing_account;
mod billing_api;
mod billing_cli;
mod billing_payments;
mod billing_runs;
mod billing_standing;
mod config_global;
mod demo;
mod escrow;
mod escrow_histories;
mod escrow_world;
mod exactly_once;
mod firm;
mod fleet;
mod fuzz_seeds;
mod gateway;
mod gateway_backend;
mod gateway_check;
mod gateway_cut_off;
mod gateway_doubts;
mod gateway_host;
mod gateway_kills;
mod gateway_money;
mod gateway_outcomes;
mod gateway_refusals;
mod gateway_unverified;
mod gateway_world;
mod import;
mod ledger_cli;
mod log_formats;
mod log_shipping;
mod metering;
mod openapi;
mod rebuild;
mod remote_gateways;
mod rotation;
mod rotation_model;
mod schemathesis;
mod seal_keys;
mod serve;
mod server;
mod sign_in;
mod sql;
mod sql_functions;
mod support;
mod syslog;
mod tail;
mod time_travel;
mod traffic_api;
mod vault_cli;
mod vault_transfer;
mod vaults;
mod wallet;
