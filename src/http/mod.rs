//! The HTTP API and the embedded dashboard. Handlers extract typed input, call `app` once, and answer.

mod assets;
mod config;
mod demo;
mod feed;
mod health;
mod problem;
mod router;

pub use feed::Feed;
pub use problem::Problem;
pub use router::router;

use std::sync::Arc;

use crate::app::App;

/// What handlers share.
#[derive(Clone)]
pub struct HttpState {
    pub app: Arc<App>,
    /// Only in a demo: what its page shows.
    pub demo: Option<Feed>,
}
