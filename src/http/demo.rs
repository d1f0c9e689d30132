//! The data of the demo's page, once and as it changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt};

use super::{Feed, HttpState, Problem};
use crate::core::error_code::Code;

const HEARTBEAT: Duration = Duration::from_secs(15);

/// The newest overview.
pub(super) async fn overview(State(state): State<HttpState>) -> Result<Response, Problem> {
    let json = feed(&state)?.watch().borrow().to_string();
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], json).into_response())
}

/// Each new overview as an event called `overview`. Ends when the feed does, so that a shutdown need not wait for it.
pub(super) async fn events(
    State(state): State<HttpState>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let feed = feed(&state)?;
    let seat = Arc::clone(&feed.seats).try_acquire_owned().map_err(|_| Problem::of(Code::TooManyWatchers))?;
    let overviews = WatchStream::new(feed.watch()).map(move |overview| {
        let _held_while_watching = &seat;
        Ok(Event::default().event("overview").data(&*overview))
    });
    Ok(Sse::new(overviews).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

fn feed(state: &HttpState) -> Result<&Feed, Problem> {
    state.demo.as_ref().ok_or_else(|| Problem::of(Code::Internal))
}
