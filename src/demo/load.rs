//! Customers that send requests to the demonstration's HAProxy.
//!
//! What is counted as sent has a line in HAProxy's log. Three things make that so: a request is never repeated behind
//! our back; one that never got a connection is not counted; and a connection is not used again after
//! `POOL_IDLE`, long before HAProxy closes it, so that no request meets a connection that is closing.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::plan::{Arrivals, Credential, LoadPlan, Shot};
use super::{LiveCounts, LoadCounts};

/// HAProxy closes a connection ten seconds after it was opened without a request, sixty after the last one.
const POOL_IDLE: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests of one plan that wait for an answer at the same time; beyond, arrivals are left out.
const MAX_IN_FLIGHT: usize = 64;
/// A plan that is later than this leaves out what it missed.
const MAX_LATENESS: Duration = Duration::from_secs(1);
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const BODY: &str = r#"{"id":"demo"}"#;

type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Answered,
    /// Written, but no whole response.
    Failed,
    NotWritten,
}

/// Sends requests as planned until `stop` is cancelled, then waits for those in flight and returns the final counts.
/// The seed decides about pauses, paths and bad keys.
pub async fn run_load(plans: Vec<LoadPlan>, live: Arc<LiveCounts>, stop: CancellationToken, seed: u64) -> LoadCounts {
    let client = client();
    let tracker = TaskTracker::new();
    let mut rng = Rng::with_seed(seed);
    for plan in plans {
        let customer = Customer { plan, client: client.clone(), live: Arc::clone(&live), tracker: tracker.clone() };
        tracker.spawn(customer.send_until(stop.clone(), rng.fork()));
    }
    // Waits also for the requests that the plans spawned.
    tracker.close();
    tracker.wait().await;
    live.read()
}

fn client() -> HttpClient {
    Client::builder(TokioExecutor::new())
        .retry_canceled_requests(false)
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .build_http()
}

struct Customer {
    plan: LoadPlan,
    client: HttpClient,
    live: Arc<LiveCounts>,
    tracker: TaskTracker,
}

impl Customer {
    async fn send_until(self, stop: CancellationToken, mut rng: Rng) {
        let begun = Instant::now();
        let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let mut arrivals = Arrivals::of(&self.plan, rng.fork());
        while stop.run_until_cancelled(sleep_until((begun + arrivals.next()).into())).await.is_some() {
            for _ in 0..arrivals.advance() {
                let shot = Shot::choose(self.plan.service, &mut rng);
                if let Ok(permit) = Arc::clone(&in_flight).try_acquire_owned() {
                    self.send(shot, permit);
                }
            }
            arrivals.skip_to(begun.elapsed().saturating_sub(MAX_LATENESS));
        }
    }

    /// Sends one request on a task of its own, which holds the permit until the answer is there.
    fn send(&self, shot: Shot, permit: tokio::sync::OwnedSemaphorePermit) {
        let request = match request(&self.plan, shot) {
            Ok(request) => request,
            Err(error) => {
                warn!(customer = self.plan.customer_name, url = self.plan.url, %error, "a planned request is not valid");
                return;
            }
        };
        let (client, live) = (self.client.clone(), Arc::clone(&self.live));
        self.tracker.spawn(async move {
            match outcome_of(&client, request).await {
                Outcome::Answered => live.add_answered(1),
                Outcome::Failed => live.add_failed(1),
                Outcome::NotWritten => {}
            }
            drop(permit);
        });
    }
}

fn request(plan: &LoadPlan, shot: Shot) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let builder = Request::builder().method(shot.method).uri(format!("{}{}", plan.url, shot.path));
    let builder = match shot.credential {
        Credential::Key => builder.header(API_KEY, &plan.key),
        Credential::Bearer => builder.header(AUTHORIZATION, format!("Bearer {}", plan.key)),
        Credential::Unknown => builder.header(API_KEY, unknown_key(&plan.key)),
        Credential::Nothing => builder,
    };
    if shot.method == "POST" {
        builder.header(CONTENT_TYPE, "application/json").body(Full::from(BODY))
    } else {
        builder.body(Full::default())
    }
}

/// As long as a real one, but never made: 0 is no character of a key's body.
fn unknown_key(key: &str) -> String {
    key.chars().enumerate().map(|(place, c)| if place == 1 { '0' } else { c }).collect()
}

async fn outcome_of(client: &HttpClient, mut request: Request<Full<Bytes>>) -> Outcome {
    let connection = capture_connection(&mut request);
    let exchange = async {
        let response = client.request(request).await?;
        // To the end, so that the connection can be used again and HAProxy sees no broken-off request.
        Ok::<_, Box<dyn Error + Send + Sync>>(response.into_body().collect().await?)
    };
    match timeout(REQUEST_TIMEOUT, exchange).await {
        Ok(Ok(_)) => Outcome::Answered,
        Ok(Err(error)) if is_unstarted(error.as_ref()) => Outcome::NotWritten,
        Ok(Err(_)) | Err(_) => if_connected(&connection),
    }
}

/// A connection takes a request only when it can write it, so having one means having written.
fn if_connected(connection: &CaptureConnection) -> Outcome {
    if connection.connection_metadata().is_some() { Outcome::Failed } else { Outcome::NotWritten }
}

/// Whether the connection closed before it took the request from us.
fn is_unstarted(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        cause = error.source();
    }
    false
}
