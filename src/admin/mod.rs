//! The operator's way into a running process: a unix socket in the data directory, which only the process's own user
//! can open. The command line uses it for what only the process that holds the stores can answer.

mod client;

pub use client::{AdminClient, AdminError};

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::app::billing::{Order, OrderDone};
use crate::app::{
    App, AskAcknowledge, AskNotifications, FleetView, InvoiceCheck, NotificationList, NotificationView, TrafficStatus,
    ask_sql, verify_traffic,
};
use crate::telemetry::chain;
use crate::traffic::{SqlAnswer, VerifyReport};

/// The socket's name in the data directory.
pub const SOCKET: &str = "admin.sock";

/// A query, and how much it may take.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AskSql {
    pub sql: String,
    pub max_rows: usize,
    pub within_ms: u64,
}

/// The invoice to check.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct AskInvoice {
    /// As printed on it.
    pub number: u64,
}

/// Why something was not done.
#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    error: String,
}

/// Makes the socket. Whoever does so holds the data directory's lock, so that one which is there is left over.
///
/// # Errors
/// Those of the file system; also if the path is longer than a socket's can be (107 bytes).
pub fn listen(data_dir: &Path) -> io::Result<UnixListener> {
    let path = data_dir.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until `stop`.
///
/// # Errors
/// Those of the socket.
pub async fn serve(listener: UnixListener, app: Arc<App>, stop: CancellationToken) -> io::Result<()> {
    let router = Router::new()
        .route("/billing/order", post(order))
        .route("/fleet", post(fleet))
        .route("/notifications", post(notifications))
        .route("/notifications/acknowledge", post(acknowledge))
        .route("/traffic/sql", post(sql))
        .route("/traffic/status", post(status))
        .route("/traffic/verify", post(verify))
        .route("/invoice/verify", post(verify_invoice))
        .with_state(app);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn order(State(app): State<Arc<App>>, Json(order): Json<Order>) -> Answer<OrderDone> {
    answer(app.carry_out_order(order).await)
}

async fn fleet(State(app): State<Arc<App>>) -> Json<FleetView> {
    Json(app.fleet())
}

async fn notifications(State(app): State<Arc<App>>, Json(ask): Json<AskNotifications>) -> Answer<NotificationList> {
    answer(app.list_notifications(ask).await)
}

async fn acknowledge(State(app): State<Arc<App>>, Json(ask): Json<AskAcknowledge>) -> Answer<NotificationView> {
    answer(app.acknowledge_notification(ask.notification).await)
}

async fn sql(State(app): State<Arc<App>>, Json(ask): Json<AskSql>) -> Answer<SqlAnswer> {
    let AskSql { sql, max_rows, within_ms } = ask;
    answer(ask_sql(&app.traffic, sql, max_rows, Duration::from_millis(within_ms)).await)
}

async fn status(State(app): State<Arc<App>>) -> Answer<TrafficStatus> {
    answer(app.traffic_status().await)
}

async fn verify(State(app): State<Arc<App>>) -> Answer<VerifyReport> {
    answer(verify_traffic(&app.traffic).await)
}

async fn verify_invoice(State(app): State<Arc<App>>, Json(ask): Json<AskInvoice>) -> Answer<InvoiceCheck> {
    answer(app.check_invoice(ask.number).await)
}

type Answer<T> = Result<Json<T>, (StatusCode, Json<Refused>)>;

/// Operators are told everything.
fn answer<T>(result: Result<T, impl std::error::Error>) -> Answer<T> {
    result.map(Json).map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, Json(Refused { error: chain(&error) })))
}
