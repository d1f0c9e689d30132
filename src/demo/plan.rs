//! Who sends what and how often: the same for real requests and for made-up lines.

use std::time::Duration;

use fastrand::Rng;

use crate::core::haproxy_map::LimitEntry;
use crate::core::id::{CustomerId, Network, Service};

/// Share of requests with a key that no gateway knows, as a client does that missed a rotation.
const UNKNOWN_KEY_SHARE: f64 = 0.01;
/// Share of requests without a key, as scanners and beginners send them.
const NO_KEY_SHARE: f64 = 0.003;
/// Share of arrivals that are several requests at once, as a page that loads.
const CLUSTER_SHARE: f64 = 0.05;
const CLUSTER_REQUESTS: u32 = 4;
/// A surge begins this often and lasts this long.
const SURGE_EVERY_S: f64 = 15.0;
const SURGE_S: f64 = 3.0;
/// Below this a plan is as good as silent, and its pauses would no longer be durations.
const LOWEST_RATE: f64 = 0.001;

/// One customer's use of one service.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadPlan {
    /// For whoever shows the plan.
    pub customer_name: String,
    pub customer: CustomerId,
    pub service: Service,
    pub network: Network,
    /// Where the service's frontend is, without a path: `http://127.0.0.1:20002`.
    pub url: String,
    /// The whole API key, 37 characters.
    pub key: String,
    /// Its fingerprint, as in log lines.
    pub key_fingerprint: u32,
    /// Mean rate outside surges.
    pub requests_per_s: f64,
    /// How many times as much comes for three seconds out of fifteen; 1 for never.
    pub surge: f64,
    /// What the gateway allows. A real one reads it from its map; made-up lines follow this.
    pub limit: LimitEntry,
}

/// One request to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shot {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) credential: Credential,
}

/// What is shown to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    /// The plan's key in its own header.
    Key,
    /// The plan's key as bearer token.
    Bearer,
    /// A key of the right length that was never made.
    Unknown,
    Nothing,
}

impl Shot {
    pub(super) fn choose(service: Service, rng: &mut Rng) -> Self {
        let choices: &[(&str, &str)] = match service {
            Service::Seal => &[("POST", "/v1/fetch_key"), ("POST", "/v1/fetch_key"), ("GET", "/v1/service")],
            Service::Grpc => &[
                ("POST", "/sui.rpc.v2.LedgerService/GetObject"),
                ("POST", "/sui.rpc.v2.LedgerService/GetTransaction"),
                ("POST", "/sui.rpc.v2.StateService/ListOwnedObjects"),
            ],
            Service::Graphql => &[("POST", "/graphql"), ("POST", "/graphql"), ("GET", "/graphql/health")],
        };
        let (method, path) = rng.choice(choices).copied().unwrap_or(("GET", "/"));
        Self { method, path, credential: Credential::choose(rng) }
    }
}

impl Credential {
    fn choose(rng: &mut Rng) -> Self {
        let draw = rng.f64();
        if draw < NO_KEY_SHARE {
            Self::Nothing
        } else if draw < NO_KEY_SHARE + UNKNOWN_KEY_SHARE {
            Self::Unknown
        } else if draw > 0.8 {
            Self::Bearer
        } else {
            Self::Key
        }
    }
}

/// The moments at which a plan's requests are due, counted from its start. Pauses are exponentially distributed, as
/// those of many independent users are, so that small clusters come by themselves.
pub(super) struct Arrivals {
    rng: Rng,
    requests_per_s: f64,
    surge: f64,
    /// Plans do not surge at the same time.
    phase_s: f64,
    next: Duration,
}

impl Arrivals {
    pub(super) fn of(plan: &LoadPlan, mut rng: Rng) -> Self {
        let phase_s = rng.f64() * SURGE_EVERY_S;
        let requests_per_s = plan.requests_per_s.max(LOWEST_RATE);
        let mut arrivals = Self { rng, requests_per_s, surge: plan.surge, phase_s, next: Duration::ZERO };
        arrivals.advance();
        arrivals
    }

    /// When the next requests are due.
    pub(super) fn next(&self) -> Duration {
        self.next
    }

    /// Moves on to the moment after, and tells how many requests are due at the one that was next.
    pub(super) fn advance(&mut self) -> u32 {
        let clustered = self.rng.f64() < CLUSTER_SHARE;
        let mean_size = 1.0 + CLUSTER_SHARE * f64::from(CLUSTER_REQUESTS - 1);
        let rate = self.rate_at(self.next.as_secs_f64()) / mean_size;
        let pause_s = -(1.0 - self.rng.f64()).ln() / rate;
        self.next = self.next.saturating_add(Duration::try_from_secs_f64(pause_s).unwrap_or(Duration::from_secs(1)));
        if clustered { CLUSTER_REQUESTS } else { 1 }
    }

    /// Leaves out what was missed before `elapsed`: a machine that could not keep up does not catch up in one blow.
    pub(super) fn skip_to(&mut self, elapsed: Duration) {
        self.next = self.next.max(elapsed);
    }

    fn rate_at(&self, second: f64) -> f64 {
        let surging = (second + self.phase_s) % SURGE_EVERY_S < SURGE_S;
        if surging { self.requests_per_s * self.surge.max(LOWEST_RATE) } else { self.requests_per_s }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals_in(seconds: u64, requests_per_s: f64, surge: f64) -> f64 {
        let plan = LoadPlan {
            customer_name: "Test".to_owned(),
            customer: CustomerId::new(1).unwrap(),
            service: Service::Seal,
            network: Network::Mainnet,
            url: String::new(),
            key: String::new(),
            key_fingerprint: 0,
            requests_per_s,
            surge,
            limit: LimitEntry::new(1, 0),
        };
        let mut arrivals = Arrivals::of(&plan, Rng::with_seed(1));
        let mut requests = 0;
        while arrivals.next() < Duration::from_secs(seconds) {
            requests += arrivals.advance();
        }
        f64::from(requests)
    }

    #[test]
    fn the_planned_rate_is_kept_on_average() {
        for (rate, surge, expected) in [(100.0, 1.0, 100.0), (3.0, 1.0, 3.0), (10.0, 6.0, 20.0), (0.0, 1.0, 0.0)] {
            let measured = arrivals_in(3000, rate, surge) / 3000.0;
            assert!((measured - expected).abs() <= 0.08 * expected + 0.01, "{rate} × {surge}: {measured}");
        }
    }

    #[test]
    fn about_one_request_in_a_hundred_has_a_key_that_nobody_knows() {
        let mut rng = Rng::with_seed(2);
        let shots = (0..100_000).map(|_| Shot::choose(Service::Grpc, &mut rng).credential);
        let (mut unknown, mut nothing) = (0, 0);
        for credential in shots {
            unknown += u32::from(credential == Credential::Unknown);
            nothing += u32::from(credential == Credential::Nothing);
        }
        assert!((800..1200).contains(&unknown), "{unknown}");
        assert!((200..400).contains(&nothing), "{nothing}");
    }
}
