//! Answers that come piece by piece: a file of requests, and the tail of those that arrive.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tracing::error;

use crate::app::{
    AppError, EXPORT_ROWS, Export, ExportFormat, LivePosition, TrafficExportParams, TrafficLiveParams, TrafficNews,
    TrafficScope,
};
use crate::core::error_code::Code;
use crate::http::extract::{Authorized, Params, TrafficRead};
use crate::http::seats::Seats;
use crate::http::{HttpState, Problem};
use crate::telemetry::chain;

/// Files that are written at once.
const EXPORTS_AT_ONCE: usize = 2;
/// After this a client that takes nothing of its export loses it: others wait for its place.
const TAKE_WITHIN: Duration = Duration::from_secs(30);
/// Tails at once, of everybody.
const MAX_TAILS: usize = 64;
/// Tails at once, of one customer.
const MAX_TAILS_OF_CUSTOMER: usize = 5;
/// Between two pieces of a tail: with 20 requests each, what an eye can follow.
const TAIL_INTERVAL: Duration = Duration::from_secs(1);
/// Without news, a line that tells proxies and clients that the tail is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After this a tail ends and its client comes back where it was: whoever was signed out meanwhile does not.
const TAIL_LIFE: Duration = Duration::from_secs(10 * 60);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const ROW_LIMIT: HeaderName = HeaderName::from_static("suiftly-row-limit");

/// How many may have an answer that goes on.
pub(in crate::http) struct Streams {
    exports: Arc<Semaphore>,
    tails: Seats,
}

impl Default for Streams {
    fn default() -> Self {
        Self { exports: Arc::new(Semaphore::new(EXPORTS_AT_ONCE)), tails: Seats::new(MAX_TAILS, MAX_TAILS_OF_CUSTOMER) }
    }
}

/// Gives requests as a file, newest first, at most a million (`Suiftly-Row-Limit`). If something goes wrong on the way,
/// the connection ends without the last chunk.
#[utoipa::path(
    get, path = "/api/traffic/export", tag = "traffic", security(("session" = []), ("token" = ["traffic.read"])),
    params(TrafficExportParams),
    responses((status = 200, description = "The file", content((String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"))))
)]
pub(crate) async fn export(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<TrafficRead>,
    Params(params): Params<TrafficExportParams>,
) -> Result<Response, Problem> {
    let (format, mut export) = state.app.read_export(&caller, &params)?;
    let seat = Arc::clone(&state.streams.exports).try_acquire_owned().map_err(|_| Problem::of(Code::QueriesBusy))?;
    // What is wrong from the beginning is told as a problem.
    let first = state.app.next_piece(&mut export).await?.unwrap_or_default();
    let (sender, pieces) = mpsc::channel(1);
    tokio::spawn(async move {
        let _held_while_writing = seat;
        write_file(&state, export, first, &sender).await;
    });
    let kind = match format {
        ExportFormat::Csv => "text/csv; charset=utf-8",
        ExportFormat::Parquet => "application/vnd.apache.parquet",
    };
    let name = format!("attachment; filename=\"requests.{}\"", format.name());
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name), (ROW_LIMIT, EXPORT_ROWS.to_string())];
    Ok((headers, Body::from_stream(ReceiverStream::new(pieces))).into_response())
}

type Piece = Result<Vec<u8>, io::Error>;

async fn write_file(state: &HttpState, mut export: Export, first: Vec<u8>, sender: &mpsc::Sender<Piece>) {
    let mut next = Ok(Some(first));
    loop {
        let piece = match next {
            Ok(None) => return,
            Ok(Some(bytes)) if bytes.is_empty() => None,
            Ok(Some(bytes)) => Some(Ok(bytes)),
            Err(error) => {
                error!(error = %chain(&error), "an export could not be finished");
                Some(Err(io::Error::other("the export could not be finished")))
            }
        };
        let is_broken = matches!(piece, Some(Err(_)));
        // Whoever does not take the file any more, has gone, or keeps others waiting.
        if let Some(piece) = piece
            && !matches!(tokio::time::timeout(TAKE_WITHIN, sender.send(piece)).await, Ok(Ok(())))
        {
            return;
        }
        if is_broken {
            return;
        }
        match state.stop.run_until_cancelled(state.app.next_piece(&mut export)).await {
            Some(piece) => next = piece,
            None => next = Err(AppError::Stopping),
        }
    }
}

/// Follows your newest requests as server-sent events called `requests`, at most one a second with at most 20 of them.
/// `Last-Event-ID` goes on where a tail ended, within 15 minutes. Ends after ten minutes: connect again.
#[utoipa::path(
    get, path = "/api/traffic/live", tag = "traffic", security(("session" = []), ("token" = ["traffic.read"])),
    params(TrafficLiveParams, ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event")),
    responses((status = 200, description = "Events whose data is a `TrafficNews`", body = TrafficNews, content_type = "text/event-stream"))
)]
pub(crate) async fn live(
    State(state): State<HttpState>,
    Authorized(caller, _): Authorized<TrafficRead>,
    Params(params): Params<TrafficLiveParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = state.app.read_live(&caller, &params)?;
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let position = last.and_then(|text| state.app.read_live_position(text)).unwrap_or_default();
    let seat = state.streams.tails.take(caller.customer)?;
    // What is wrong from the beginning is told as a problem.
    let first = state.app.live_news(scope, position).await?;
    let (sender, events) = mpsc::channel(1);
    tokio::spawn(async move {
        let _held_while_following = seat;
        tokio::select! {
            () = follow(&state, scope, first, &sender) => {}
            () = sender.closed() => {}
            () = state.stop.cancelled() => {}
            () = tokio::time::sleep(TAIL_LIFE) => {}
        }
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(ReceiverStream::new(events)).keep_alive(keep_alive).into_response())
}

type Told = Result<Event, Infallible>;

/// Sends the first piece whatever is in it, then those with something new, until there is nothing left to follow.
async fn follow(
    state: &HttpState,
    scope: TrafficScope,
    first: (TrafficNews, LivePosition),
    sender: &mpsc::Sender<Told>,
) {
    let mut committed = state.app.committed.clone();
    let (mut news, mut position) = first;
    let mut is_first = true;
    let mut is_behind = false;
    loop {
        if is_first || !news.items.is_empty() {
            let Ok(data) = serde_json::to_string(&news) else { return };
            let id = state.app.write_live_position(position);
            if sender.send(Ok(Event::default().event("requests").id(id).data(data))).await.is_err() {
                return;
            }
        }
        is_first = false;
        tokio::time::sleep(TAIL_INTERVAL).await;
        if !is_behind && committed.changed().await.is_err() {
            return;
        }
        match state.app.live_news(scope, position).await {
            Ok(next) => {
                (news, position) = next;
                is_behind = false;
            }
            // Others ask for much: what was missed comes with the next piece, whether or not there is more by then.
            Err(AppError::Refused(_)) => {
                news.items.clear();
                is_behind = true;
            }
            Err(error) => {
                error!(error = %chain(&error), "a tail of requests cannot go on");
                return;
            }
        }
    }
}
