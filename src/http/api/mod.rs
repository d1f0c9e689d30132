//! The API's operations, by noun. All routes on one screen.

pub(super) mod account;
pub(super) mod api_keys;
pub(super) mod auth;
pub(super) mod billing;
pub(super) mod billing_stream;
pub(super) mod escrow;
pub(super) mod invoices;
pub(super) mod network;
pub(super) mod page;
pub(super) mod seal_keys;
pub(super) mod services;
pub(super) mod traffic;
pub(super) mod traffic_stream;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::HttpState;
use super::config;
use super::openapi::{add_errors, described};

/// Every operation that the OpenAPI document describes.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    let mut router = described()
        .routes(routes!(auth::connect_wallet))
        .routes(routes!(auth::verify_signature))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::list_sessions))
        .routes(routes!(auth::revoke_other_sessions))
        .routes(routes!(auth::revoke_session))
        .routes(routes!(auth::list_tokens, auth::create_token))
        .routes(routes!(auth::revoke_token))
        .routes(routes!(account::get_customer, account::update_customer))
        .routes(routes!(account::accept_terms))
        .routes(routes!(account::list_activity))
        .routes(routes!(services::list_services))
        .routes(routes!(services::get_service, services::update_service))
        .routes(routes!(services::subscribe))
        .routes(routes!(services::change_tier))
        .routes(routes!(services::enable))
        .routes(routes!(services::disable))
        .routes(routes!(services::cancel))
        .routes(routes!(services::undo_cancel))
        .routes(routes!(services::preview))
        .routes(routes!(api_keys::list_api_keys, api_keys::create_api_key))
        .routes(routes!(api_keys::api_key_use))
        .routes(routes!(api_keys::update_api_key, api_keys::delete_api_key))
        .routes(routes!(api_keys::revoke_api_key))
        .routes(routes!(api_keys::enable_api_key))
        .routes(routes!(api_keys::rotate_api_key))
        .routes(routes!(api_keys::reveal_api_key))
        .routes(routes!(seal_keys::list_seal_keys, seal_keys::create_seal_key))
        .routes(routes!(seal_keys::update_seal_key, seal_keys::delete_seal_key))
        .routes(routes!(seal_keys::add_seal_package))
        .routes(routes!(seal_keys::update_seal_package, seal_keys::remove_seal_package))
        .routes(routes!(traffic::summary))
        .routes(routes!(traffic::series))
        .routes(routes!(traffic::percentiles))
        .routes(routes!(traffic::tops))
        .routes(routes!(traffic::gateways))
        .routes(routes!(traffic::requests))
        .routes(routes!(traffic::request))
        .routes(routes!(traffic_stream::export))
        .routes(routes!(traffic_stream::live))
        .routes(routes!(network::network))
        .routes(routes!(billing::overview))
        .routes(routes!(billing::list_credits))
        .routes(routes!(billing::list_entries))
        .routes(routes!(billing::list_notices))
        .routes(routes!(billing::note_notices_read))
        .routes(routes!(billing::set_payment_methods))
        .routes(routes!(billing::set_spend_cap, billing::remove_spend_cap))
        .routes(routes!(billing_stream::events))
        .routes(routes!(escrow::get_escrow))
        .routes(routes!(escrow::get_wallet))
        .routes(routes!(escrow::draw_from_faucet))
        .routes(routes!(escrow::list_transactions, escrow::build_transaction))
        .routes(routes!(escrow::get_transaction, escrow::give_up_transaction))
        .routes(routes!(escrow::hand_in_signature))
        .routes(routes!(invoices::list_invoices))
        .routes(routes!(invoices::get_invoice))
        .routes(routes!(invoices::pay_invoice))
        .routes(routes!(invoices::invoice_html))
        .routes(routes!(invoices::invoice_pdf))
        .routes(routes!(invoices::invoice_usage_csv))
        .routes(routes!(invoices::line_hours))
        .routes(routes!(config::frontend));
    add_errors(router.get_openapi_mut());
    router
}
