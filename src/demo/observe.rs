//! How long a line takes from the log file to the API, watched from outside: one observer counts the lines in the
//! file, another asks the API how many rows it shows.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio_util::sync::CancellationToken;

use super::DemoError;
use crate::core::log_line::{self, Reject};

const LOOK_EVERY: Duration = Duration::from_millis(5);
const ASK_EVERY: Duration = Duration::from_millis(20);
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// A count that only grows, with the moments at which it did.
pub(super) type Growth = Vec<(Instant, u64)>;

/// Counts the request lines of a log file as it grows, until `stop`. HAProxy's notices are no requests.
pub(super) fn watch_lines(log: &Path, stop: CancellationToken) -> Result<thread::JoinHandle<Growth>, DemoError> {
    let failed = |source| DemoError::File { operation: "watch", path: log.to_owned(), source };
    let mut lines = LineCounter::open(log).map_err(failed)?;
    let watch = move || {
        let mut growth = Growth::new();
        loop {
            let last = stop.is_cancelled();
            // An unreadable log shows in the final count.
            let count = lines.count().unwrap_or(0);
            note(&mut growth, Instant::now(), count);
            if last {
                return growth;
            }
            thread::sleep(LOOK_EVERY);
        }
    };
    thread::Builder::new().name("demo-lines".to_owned()).spawn(watch).map_err(failed)
}

/// Notes a count if it has grown.
pub(super) fn note(growth: &mut Growth, at: Instant, count: u64) {
    if growth.last().map_or(0, |(_, last)| *last) < count {
        growth.push((at, count));
    }
}

/// Counts the request lines of a file, going on where it stopped.
pub(super) struct LineCounter {
    file: File,
    begun: Vec<u8>,
    lines: u64,
}

impl LineCounter {
    pub(super) fn open(log: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(log)?, begun: Vec::new(), lines: 0 })
    }

    /// All complete lines up to the present end of the file.
    pub(super) fn count(&mut self) -> io::Result<u64> {
        self.file.read_to_end(&mut self.begun)?;
        let end = memchr::memrchr(b'\n', &self.begun).map_or(0, |newline| newline + 1);
        let complete: Vec<u8> = self.begun.drain(..end).collect();
        let lines = complete.split_inclusive(|byte| *byte == b'\n');
        let requests = lines.filter(|line| log_line::parse(line.trim_ascii_end()) != Err(Reject::Notice));
        self.lines += u64::try_from(requests.count()).unwrap_or(0);
        Ok(self.lines)
    }
}

/// What the API shows.
#[derive(Clone)]
pub(super) struct Api {
    address: SocketAddr,
    client: Client<HttpConnector, Empty<Bytes>>,
}

/// The figures that the demo checks; the page shows them too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) rows: u64,
    pub(super) rejects: u64,
    pub(super) billable_requests: u64,
    pub(super) amount_micros: i64,
}

impl Api {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// `None` if it did not answer.
    pub(super) async fn shown(&self) -> Option<Shown> {
        let url = format!("http://{}/api/demo/overview", self.address).parse().ok()?;
        let response = self.client.get(url).await.ok()?;
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await.ok()?;
        let overview: serde_json::Value = serde_json::from_slice(&body.to_bytes()).ok()?;
        let number = |pointer: &str| overview.pointer(pointer);
        Some(Shown {
            rows: number("/intake/rows")?.as_u64()?,
            rejects: number("/intake/rejects")?.as_u64()?,
            billable_requests: number("/total/billable_requests")?.as_u64()?,
            amount_micros: number("/total/usage_micros")?.as_i64()?,
        })
    }

    /// Notes how the rows on the page grow, until `stop`.
    pub(super) async fn watch_rows(self, growth: Arc<Mutex<Growth>>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await.is_some() {
            if let Some(shown) = self.shown().await {
                note(&mut growth.lock().unwrap_or_else(PoisonError::into_inner), Instant::now(), shown.rows);
            }
        }
    }
}

/// Seconds from each line's arrival in the file to the page that first counts it, at the given share of the lines
/// (0.5 for the median). `None` without lines.
pub(super) fn line_to_visible_s(lines: &Growth, rows: &Growth, share: f64) -> Option<f64> {
    let mut waits: Vec<(Duration, u64)> = Vec::new();
    let (mut counted, mut shown) = (0, rows.iter().peekable());
    for (at, count) in lines {
        while counted < *count {
            let (seen, visible) = shown.peek()?;
            let through = (*visible).min(*count);
            if through > counted {
                waits.push((seen.saturating_duration_since(*at), through - counted));
                counted = through;
            }
            if *visible <= counted && *visible < *count {
                shown.next();
            }
        }
    }
    waits.sort_unstable();
    let rank = quantile_rank(counted, share);
    let mut passed = 0;
    waits.into_iter().find_map(|(wait, lines)| {
        passed += lines;
        (passed >= rank).then_some(wait.as_secs_f64())
    })
}

#[expect(clippy::as_conversions, reason = "counts below 2⁵³ and a share between 0 and 1")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the same")]
#[expect(clippy::cast_precision_loss, reason = "the same")]
fn quantile_rank(count: u64, share: f64) -> u64 {
    ((count as f64 * share).ceil() as u64).max(1)
}

/// A file that is watched must exist.
pub(super) fn touch(path: &Path) -> Result<PathBuf, DemoError> {
    let failed = |source| DemoError::File { operation: "create", path: path.to_owned(), source };
    std::fs::OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[(u64, u64)], rows: &[(u64, u64)], share: f64, expected_ms: Option<u128>) {
        let start = Instant::now();
        let growth = |steps: &[(u64, u64)]| -> Growth {
            steps.iter().map(|(ms, count)| (start + Duration::from_millis(*ms), *count)).collect()
        };
        let measured = line_to_visible_s(&growth(lines), &growth(rows), share);
        assert_eq!(measured.map(|seconds| Duration::from_secs_f64(seconds).as_millis()), expected_ms);
    }

    #[test]
    fn each_line_waits_from_its_arrival_to_the_first_page_that_counts_it() {
        check(&[], &[], 0.5, None);
        check(&[(0, 1)], &[(150, 1)], 0.5, Some(150));
        check(&[(0, 1), (100, 2)], &[(150, 2)], 0.5, Some(50));
        check(&[(0, 1), (100, 2)], &[(150, 2)], 0.99, Some(150));
        check(&[(0, 4)], &[(10, 1), (20, 3), (90, 4)], 0.5, Some(20));
        check(&[(0, 4)], &[(10, 1), (20, 3), (90, 4)], 1.0, Some(90));
        check(&[(0, 100), (10, 200)], &[(50, 150), (70, 200)], 0.5, Some(50));
        // A line that was never shown is no measurement.
        check(&[(0, 2)], &[(10, 1)], 0.5, None);
    }

    #[test]
    fn notices_and_half_lines_are_not_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = touch(&folder.path().join("l")).unwrap();
        let mut counter = LineCounter::open(&path).unwrap();
        assert_eq!(counter.count().unwrap(), 0);
        std::fs::write(&path, "one\nProxy seal stopped (cumulated conns: FE: 31, BE: 0).\ntw").unwrap();
        assert_eq!(counter.count().unwrap(), 1);
        std::fs::write(&path, "one\nProxy seal stopped (cumulated conns: FE: 31, BE: 0).\ntwo\n").unwrap();
        assert_eq!(counter.count().unwrap(), 2);
    }
}
