//! The log as an HAProxy with the shipped rules would have written it, where none is installed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::plan::{Arrivals, Credential, LoadPlan, Shot};
use super::{DemoError, LiveCounts, LoadCounts};
use crate::clock::Clock;
use crate::core::calendar::UtcMillis;
use crate::core::haproxy_map::LimitKey;
use crate::core::id::Service;
use crate::core::log_line::{Event, PhaseTimes, RequestLine, TrafficClass, s1};

const TICK: Duration = Duration::from_millis(20);
/// What is later than this is left out, as a real load would.
const MAX_LATENESS: Duration = Duration::from_secs(1);

/// Appends lines as planned until `stop` is cancelled, and returns the final counts: each line an answered request.
///
/// # Errors
/// [`DemoError::File`] if the log file cannot be appended to.
pub async fn run_synthetic(
    plans: Vec<LoadPlan>,
    log_file: &Path,
    clock: Clock,
    live: Arc<LiveCounts>,
    stop: CancellationToken,
    seed: u64,
) -> Result<LoadCounts, DemoError> {
    let failed = |source| DemoError::File { operation: "append to", path: log_file.to_owned(), source };
    let mut file = OpenOptions::new().create(true).append(true).open(log_file).map_err(failed)?;
    let mut gateway = Gateway::new(plans, seed);
    let begun = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let (lines, count) = gateway.lines_until(begun.elapsed(), clock.now()).map_err(failed)?;
        append(&mut file, &lines).map_err(failed)?;
        live.add_answered(count);
    }
    Ok(live.read())
}

/// Whole lines in one call, so that a reader never sees the beginning of one for long.
fn append(file: &mut File, lines: &[u8]) -> io::Result<()> {
    if lines.is_empty() { Ok(()) } else { file.write_all(lines) }
}

/// What a gateway remembers between requests.
struct Gateway {
    rng: Rng,
    plans: Vec<(LoadPlan, Arrivals)>,
    /// Accepted requests in the current second.
    accepted: BTreeMap<LimitKey, u32>,
    second: i64,
    pid: u32,
    requests: u64,
    lines: BTreeMap<Service, u64>,
}

impl Gateway {
    fn new(plans: Vec<LoadPlan>, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let plans = plans.into_iter().map(|plan| (plan.clone(), Arrivals::of(&plan, rng.fork()))).collect();
        let (accepted, lines) = (BTreeMap::new(), BTreeMap::new());
        Self { rng, plans, accepted, second: 0, pid: std::process::id(), requests: 0, lines }
    }

    /// The lines of all requests that are due, and how many they are.
    fn lines_until(&mut self, elapsed: Duration, now: UtcMillis) -> io::Result<(Vec<u8>, u64)> {
        if self.second != now.0.div_euclid(1000) {
            self.second = now.0.div_euclid(1000);
            self.accepted.clear();
        }
        let before = self.requests;
        let mut out = Vec::new();
        let mut plans = std::mem::take(&mut self.plans);
        for (plan, arrivals) in &mut plans {
            arrivals.skip_to(elapsed.saturating_sub(MAX_LATENESS));
            while arrivals.next() <= elapsed {
                for _ in 0..arrivals.advance() {
                    s1::write(&self.line(plan, now), &mut out)?;
                }
            }
        }
        self.plans = plans;
        Ok((out, self.requests - before))
    }

    fn line(&mut self, plan: &LoadPlan, now: UtcMillis) -> RequestLine<'static> {
        let shot = Shot::choose(plan.service, &mut self.rng);
        let known = matches!(shot.credential, Credential::Key | Credential::Bearer);
        let (class, event, refusal) = self.decide(plan, shot.credential);
        let (backend, server) =
            if refusal.is_some() { (plan.service.name(), "<NOSRV>") } else { served_by(plan.service) };
        let request_counter = self.requests;
        self.requests += 1;
        let log_counter = self.lines.entry(plan.service).or_default();
        *log_counter += 1;
        RequestLine {
            ts: now,
            idle_ms: 0,
            gateway: 1,
            pid: self.pid,
            log_counter: *log_counter - 1,
            request_counter,
            customer: known.then_some(plan.customer),
            service: plan.service,
            network: known.then_some(plan.network),
            class,
            event,
            key_fp: if known { plan.key_fingerprint } else { 0 },
            client_ip: client_ip(plan, &mut self.rng),
            client_port: self.rng.u16(32_768..60_999),
            listener_port: 20_001 + u16::from(plan.service.number()),
            method: shot.method,
            path: shot.path.into(),
            status: refusal.unwrap_or_else(|| served_status(&mut self.rng)),
            bytes_in: self.rng.u64(180..420),
            bytes_out: if refusal.is_some() { self.rng.u64(170..300) } else { self.rng.u64(220..1800) },
            times: times(refusal.is_some(), &mut self.rng),
            termination: if refusal.is_some() { "LR--" } else { "----" },
            backend,
            server,
            repeat: 1,
        }
    }

    /// Class and event, and the status of a refusal, in the order of the shipped rules.
    fn decide(&mut self, plan: &LoadPlan, credential: Credential) -> (TrafficClass, Event, Option<u16>) {
        match credential {
            Credential::Nothing => return (TrafficClass::Denied, Event::KEY_MISSING, Some(401)),
            Credential::Unknown => return (TrafficClass::Denied, Event::KEY_REVOKED, Some(401)),
            Credential::Key | Credential::Bearer => {}
        }
        let limit = plan.limit;
        if limit.limits.guaranteed_per_s == 0 {
            return (TrafficClass::Unavailable, Event::OK, Some(503));
        }
        let key = LimitKey { customer: plan.customer, service: plan.service, network: plan.network };
        let accepted = self.accepted.entry(key).or_default();
        if *accepted >= limit.limits.guaranteed_per_s.saturating_add(limit.limits.burst_per_s) {
            return (TrafficClass::DroppedByRate, Event::OK, Some(429));
        }
        *accepted += 1;
        let guaranteed = *accepted <= limit.limits.guaranteed_per_s;
        (if guaranteed { TrafficClass::Guaranteed } else { TrafficClass::Burst }, Event::OK, None)
    }
}

fn served_by(service: Service) -> (&'static str, &'static str) {
    match service {
        Service::Seal => ("be_seal", "s1"),
        Service::Grpc => ("be_grpc", "s1"),
        Service::Graphql => ("be_graphql", "s1"),
    }
}

fn served_status(rng: &mut Rng) -> u16 {
    match rng.u32(0..200) {
        0 => 404,
        1 => 500,
        _ => 200,
    }
}

/// A few addresses for each customer, out of the blocks that are set aside for documentation.
fn client_ip(plan: &LoadPlan, rng: &mut Rng) -> Ipv6Addr {
    let [.., last] = plan.customer.get().to_be_bytes();
    Ipv4Addr::new(203, 0, 113, last.wrapping_add(rng.u8(0..4))).to_ipv6_mapped()
}

fn times(refused: bool, rng: &mut Rng) -> PhaseTimes {
    if refused {
        return PhaseTimes { request_ms: 0, queue_ms: -1, connect_ms: -1, response_ms: -1, total_ms: 0 };
    }
    let connect_ms = i32::from(rng.u8(0..10) == 0);
    let response_ms = if rng.u8(0..50) == 0 { rng.i32(15..60) } else { rng.i32(1..8) };
    PhaseTimes { request_ms: 0, queue_ms: 0, connect_ms, response_ms, total_ms: connect_ms + response_ms }
}
