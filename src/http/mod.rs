//! The HTTP API and the embedded dashboard. Handlers extract typed input, call `app` once, and answer.

mod api;
mod assets;
mod config;
mod cookies;
mod demo;
mod extract;
mod feed;
mod gate;
mod gateway_streams;
mod gateway_vaults;
mod health;
mod limits;
mod openapi;
mod problem;
mod router;
mod seats;
mod server;

pub use config::PageFacts;
pub use feed::Feed;
pub use gate::GateOptions;
pub use limits::Quotas;
pub use openapi::openapi;
pub use problem::Problem;
pub use router::router;
pub use server::serve;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::intake::GatewayStreams;
use api::billing_stream::Watchers;
use api::traffic_stream::Streams;
use gate::Gate;

/// What handlers share.
#[derive(Clone)]
pub struct HttpState {
    app: Arc<App>,
    gate: Arc<Gate>,
    /// Where remote gateways send their logs.
    gateways: Arc<GatewayStreams>,
    /// Only in a demo: what its page shows.
    demo: Option<Feed>,
    facts: Arc<PageFacts>,
    streams: Arc<Streams>,
    watchers: Arc<Watchers>,
    /// Ends answers that go on.
    stop: CancellationToken,
}

impl HttpState {
    /// `max_connections`: at once, of which those who only watch leave some for others.
    pub fn new(
        app: Arc<App>,
        gate: GateOptions,
        max_connections: usize,
        gateways: Arc<GatewayStreams>,
        demo: Option<Feed>,
        facts: PageFacts,
        stop: CancellationToken,
    ) -> Self {
        Self {
            app,
            gate: Arc::new(Gate::new(gate)),
            gateways,
            demo,
            facts: Arc::new(facts),
            streams: Arc::default(),
            watchers: Arc::new(Watchers::new(max_connections)),
            stop,
        }
    }

    /// Keeps the memory of rate limits small, for ever.
    pub async fn forget_quiet_clients(self) {
        loop {
            tokio::time::sleep(limits::FORGET_EVERY).await;
            self.gate.limits.forget_quiet();
        }
    }
}
