//! News for those who watch their billing: that it has changed. What it is now, they read as always.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::app::{BillingNews, Caller};
use crate::http::extract::{Authorized, BillingRead};
use crate::http::seats::Seats;
use crate::http::{HttpState, Problem};

/// Watchers at once, of one customer: one for each open page.
const MAX_WATCHERS_OF_CUSTOMER: usize = 5;
/// How soon a change is noticed, and how often at most it is told. To look costs nothing: a counter in memory.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Without news, a line that tells proxies and clients that the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After this a stream ends and its client comes again: whoever was signed out meanwhile does not.
const STREAM_LIFE: Duration = Duration::from_secs(10 * 60);

/// Who watches at this moment.
pub(in crate::http) struct Watchers(Seats);

impl Watchers {
    /// Each watcher is a connection: everybody's take three quarters at most, so that who asks something is heard.
    pub(in crate::http) fn new(max_connections: usize) -> Self {
        Self(Seats::new(max_connections / 4 * 3, MAX_WATCHERS_OF_CUSTOMER))
    }
}

/// Tells as server-sent events called `billing` that something of your account has changed, counted requests included:
/// once at the beginning, then at most twice a second, and at times without a change. Read again what you show. Ends
/// after ten minutes: connect again.
#[utoipa::path(
    get, path = "/api/billing/events", tag = "billing", security(("session" = []), ("token" = ["billing.read"])),
    responses((status = 200, description = "Events whose data is a `BillingNews`", body = BillingNews, content_type = "text/event-stream"))
)]
pub(crate) async fn events(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<BillingRead>,
) -> Result<Response, Problem> {
    let seat = state.watchers.0.take(caller.customer)?;
    let (sender, events) = mpsc::channel(1);
    tokio::spawn(async move {
        let _held_while_watching = seat;
        tokio::select! {
            () = watch(&state, &caller, &sender) => {}
            () = sender.closed() => {}
            () = state.stop.cancelled() => {}
            () = tokio::time::sleep(STREAM_LIFE) => {}
        }
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(ReceiverStream::new(events)).keep_alive(keep_alive).into_response())
}

type Told = Result<Event, Infallible>;

async fn watch(state: &HttpState, caller: &Caller, sender: &mpsc::Sender<Told>) {
    let mut told = None;
    loop {
        let news = state.app.billing_news(caller);
        if told != Some(news) {
            let Ok(data) = serde_json::to_string(&news) else { return };
            if sender.send(Ok(Event::default().event("billing").data(data))).await.is_err() {
                return;
            }
            told = Some(news);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
