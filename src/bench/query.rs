//! How fast customers see their requests, among many of everybody's.

use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde::Serialize;

use super::generate::{busy_customer, line};
use super::{BenchError, round};
use crate::core::calendar::{DAY_MS, UtcMillis};
use crate::core::chart::{Chart, Range, Span};
use crate::core::id::CustomerId;
use crate::core::log_line::RequestLine;
use crate::traffic::{
    Batch, By, Interrupt, Options, RequestFilter, RequestQuery, Scope, Top, Traffic, TrafficError, Writer,
};

/// 2026-12-01T12:00:00Z, the present of the made-up requests.
const NOW: UtcMillis = UtcMillis(1_796_126_400_000);
/// Requests are spread evenly over the time before.
const SPREAD_MS: i64 = 30 * DAY_MS;
/// A row group of the store.
const BATCH_ROWS: usize = 122_880;
/// Batches between two merges of the rollups.
const MERGE_EVERY: u64 = 16;
/// Customers that are asked for, each once and in each way.
const ASKED: u32 = 200;
/// Requests of a page.
const PAGE: u32 = 100;

/// What was measured; times in ms.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct QueryReport {
    pub requests: u64,
    pub fill_s: f64,
    /// One customer's requests by class and day, over 30 days.
    pub chart_30d: Spread,
    /// One customer's newest 100 requests.
    pub newest_100: Spread,
    /// One customer's figures of 30 days and of the 30 before.
    pub summary_30d: Spread,
    /// One customer's response times by day, over 30 days.
    pub percentiles_30d: Spread,
    /// One customer's most frequent paths of 24 h.
    pub top_paths_24h: Spread,
}

/// Of the times that a query took.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    pub p50_ms: f64,
    pub p95_ms: f64,
}

/// Fills a store in `folder`, unless it is filled, with `requests` made-up requests of 10,000 customers by Zipf's law, and asks for some of
/// those customers as often as they make requests.
///
/// # Errors
/// [`BenchError`] if the store cannot be written or read.
pub fn measure_queries(folder: &Path, requests: u64, seed: u64, store: &Options) -> Result<QueryReport, BenchError> {
    let (traffic, mut writer) = Traffic::open(&folder.join("traffic.duckdb"), store)?;
    let started = Instant::now();
    match traffic.line_counts()?.0 {
        0 => fill(&traffic, &mut writer, requests, seed)?,
        rows if rows == requests => {}
        rows => return Err(BenchError::OtherStore { rows, requests }),
    }
    let fill_s = round(started.elapsed().as_secs_f64(), 10.0);
    let (interrupt, month) = (Interrupt::default(), Chart::recent(Range::Month, NOW));
    let page = RequestQuery { span: month.span, filter: RequestFilter::default(), after: None, limit: PAGE, now: NOW };
    let day = Span { from: NOW.plus_ms(-DAY_MS), to: NOW };
    Ok(QueryReport {
        requests,
        fill_s,
        chart_30d: measure(seed, |scope| traffic.request_series(&interrupt, scope, month, By::TrafficClass).map(drop))?,
        newest_100: measure(seed, |scope| traffic.requests(&interrupt, scope, &page).map(drop))?,
        summary_30d: measure(seed, |scope| {
            traffic.totals(&interrupt, scope, month.grain(), month.with_previous()).map(drop)
        })?,
        percentiles_30d: measure(seed, |scope| traffic.latency_series(&interrupt, scope, month).map(drop))?,
        top_paths_24h: measure(seed, |scope| traffic.tops(&interrupt, scope, day, Top::Path, 10, NOW).map(drop))?,
    })
}

fn fill(traffic: &Traffic, writer: &mut Writer, requests: u64, seed: u64) -> Result<(), BenchError> {
    let mut rng = Rng::with_seed(seed);
    let mut batch = Batch::new(traffic.new_shapes()?);
    let first = NOW.plus_ms(-SPREAD_MS);
    let mut batches = 0;
    for number in 0..requests {
        let since = u128::from(number) * u128::from(SPREAD_MS.unsigned_abs()) / u128::from(requests);
        let ts = first.plus_ms(i64::try_from(since).unwrap_or(0));
        batch.push(&RequestLine { ts, ..line(&mut rng, number) });
        if batch.lines() == BATCH_ROWS {
            writer.append(&batch.seal(BATCH_ROWS)?)?;
            batches += 1;
            if batches % MERGE_EVERY == 0 {
                writer.compact(ts)?;
            }
        }
    }
    writer.append(&batch.seal(0)?)?;
    writer.compact(NOW)?;
    writer.checkpoint()?;
    Ok(())
}

/// Asks for the same customers each time, the first time of each counted like all others.
fn measure(seed: u64, query: impl Fn(&Scope) -> Result<(), TrafficError>) -> Result<Spread, BenchError> {
    let mut rng = Rng::with_seed(seed.wrapping_add(1));
    let mut times = Vec::new();
    for _ in 0..ASKED {
        let number = busy_customer(&mut rng);
        let customer = CustomerId::new(number).ok_or(BenchError::NoCustomer { number })?;
        let started = Instant::now();
        query(&Scope::of(customer))?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(Spread { p50_ms: rank(&times, 50), p95_ms: rank(&times, 95) })
}

/// The nearest rank, in ms.
fn rank(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |time| round(time.as_secs_f64() * 1000.0, 100.0))
}
