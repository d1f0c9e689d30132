//! Whether the process lives, and whether it can work.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::{HttpState, Problem};
use crate::app::check_readiness;
use crate::core::error_code::Code;

#[derive(Serialize)]
pub(super) struct Status {
    status: &'static str,
    version: &'static str,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The process answers.
pub(super) async fn live() -> Json<Status> {
    Json(Status { status: "live", version: VERSION })
}

/// The stores answer, and the log can be read.
pub(super) async fn ready(State(state): State<HttpState>) -> Result<Json<Status>, Problem> {
    let readiness = check_readiness(&state.app).await;
    if readiness.hindrances.is_empty() {
        return Ok(Json(Status { status: "ready", version: VERSION }));
    }
    Err(Problem::new(Code::NotReady, readiness.hindrances.join("; ")))
}
