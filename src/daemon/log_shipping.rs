//! The log of a gateway's host on its way to the primary.
//!
//! ```text
//! HAProxy ─▶ receivers ─▶ spool ─▶ outbox ─▶ pieces ─▶ the primary's answer: so much is durable ─▶ outbox deletes
//! ```
//! One piece is on its way at a time, so that memory does not grow with what waits. On any failure the primary is asked again
//! how much it has, later and later.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::config::GatewayIntakeConfig;
use crate::core::backoff::Backoff;
use crate::gateway::log_stream::{LogStream, LogStreamError};
use crate::gateway::status::{LogStatus, SharedStatus};
use crate::intake::{IntakeError, Outbox, OutboxLimits, Received, SpoolThread, SyslogAddresses, SyslogReceivers};
use crate::telemetry::chain;

/// In the folder of spools; its name, too.
const SPOOL: &str = "to-primary";
/// After a failure.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(15) };
/// Between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// A primary that nothing is sent to is asked so often whether it still has everything.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// Over so many reports the rate is taken.
const RATE_REPORTS: usize = 10;

/// One attempt that failed.
#[derive(Debug, thiserror::Error)]
enum ShippingError {
    #[error(transparent)]
    Primary(#[from] LogStreamError),
    #[error("the spool cannot be read, or not noted how much of it is delivered")]
    Spool(#[from] std::io::Error),
    #[error("a task has panicked")]
    Panicked(#[from] JoinError),
}

/// What is known of the way to the primary, between two reports.
#[derive(Default)]
struct Course {
    problem: Option<String>,
    last_error: Option<(i64, String)>,
    delivered_ms: Option<i64>,
}

/// Receivers and spool, once everything that can fail is done.
pub(super) struct LogShipping {
    receivers: SyslogReceivers,
    spool: SpoolThread,
    outbox: Arc<Mutex<Outbox>>,
}

impl LogShipping {
    /// Receives from here on. `None` if nothing is to be received and nothing waits.
    ///
    /// # Errors
    /// [`IntakeError`] with what to do.
    pub(super) async fn start(
        config: &GatewayIntakeConfig,
        spools: &Path,
        clock: &Clock,
    ) -> Result<Option<Self>, IntakeError> {
        let GatewayIntakeConfig { syslog_unix: unix, syslog_udp: udp, syslog_tcp: tcp, spool_max_mib, sent_max_mib } =
            config.clone();
        let mut receivers = SyslogReceivers::bind(&SyslogAddresses { unix, udp, tcp }).await?;
        let folder = spools.join(SPOOL);
        // What was received while it was configured is sent, whatever is configured since.
        if receivers.is_empty() && !folder.exists() {
            return Ok(None);
        }
        let limits = OutboxLimits { waiting: spool_max_mib << 20, sent: sent_max_mib << 20 };
        let stream = u64::try_from(clock.now().0).unwrap_or(1).max(1);
        let (outbox, journal) = Outbox::open(SPOOL, &folder, limits, stream)
            .map_err(|source| IntakeError::Spool { path: folder, source })?;
        let (spool, sender) = SpoolThread::start(journal)?;
        receivers.start(&sender);
        Ok(Some(Self { receivers, spool, outbox: Arc::new(Mutex::new(outbox)) }))
    }

    /// Sends until `stop`; ends when everything that was received by then is on disk.
    pub(super) fn run(
        self,
        stream: LogStream,
        status: Arc<SharedStatus>,
        clock: Clock,
        stop: CancellationToken,
    ) -> JoinHandle<()> {
        let Self { receivers, spool, outbox } = self;
        let course = Arc::new(Mutex::new(Course::default()));
        let shipper = Shipper { outbox: outbox.clone(), stream, course: course.clone(), clock: clock.clone() };
        let received = receivers.received().clone();
        let report = Report { outbox: outbox.clone(), course, received, clock, totals: VecDeque::new() };
        tokio::spawn(async move {
            stop.run_until_cancelled(async { tokio::join!(shipper.run(), report.run(status)) }).await;
            receivers.stop().await;
            let ending = move || {
                spool.join();
                locked(&outbox).close()
            };
            if let Err(error) = spawn_blocking(ending).await.map_err(ShippingError::from).and_then(|end| Ok(end?)) {
                warn!(error = %chain(&error), "how much of the log is delivered is asked anew at the next start");
            }
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Shipper {
    outbox: Arc<Mutex<Outbox>>,
    stream: LogStream,
    course: Arc<Mutex<Course>>,
    clock: Clock,
}

impl Shipper {
    /// For ever.
    async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            let Err(error) = self.deliver(&mut failures).await;
            let problem = chain(&error);
            if failures == 0 {
                warn!(problem, "the log does not get to the primary; it waits on this host's disk");
            }
            let retry_after = if let ShippingError::Primary(error) = &error { error.retry_after() } else { None };
            self.note(Some(problem));
            failures = failures.saturating_add(1);
            tokio::time::sleep(BACKOFF.after(failures).max(retry_after.unwrap_or_default())).await;
        }
    }

    /// Sends what there is and what comes, until something fails.
    async fn deliver(&mut self, failures: &mut u32) -> Result<std::convert::Infallible, ShippingError> {
        let (stream, spool) = {
            let outbox = locked(&self.outbox);
            (outbox.stream(), outbox.spool().clone())
        };
        let mut told = self.stream.length(stream).await?;
        let mut is_taking = false;
        loop {
            let (outbox, now) = (self.outbox.clone(), self.clock.now());
            let next = spawn_blocking(move || {
                let mut outbox = locked(&outbox);
                outbox.heard(told, now)?;
                outbox.next_piece()
            });
            let mut piece = next.await??;
            // A primary that answers may still take nothing.
            if is_taking || piece.is_none() {
                self.note(None);
                if std::mem::take(failures) > 0 {
                    info!("the log gets to the primary again");
                }
            }
            while piece.is_none() && timeout(ASK_EVERY, spool.written()).await.is_ok() {
                let outbox = self.outbox.clone();
                piece = spawn_blocking(move || locked(&outbox).next_piece()).await??;
            }
            told = match piece {
                Some(piece) => self.stream.append(piece.stream, piece.offset, piece.bytes).await?,
                None => {
                    let stream = locked(&self.outbox).stream();
                    self.stream.length(stream).await?
                }
            };
            is_taking = true;
        }
    }

    /// How it went.
    fn note(&self, problem: Option<String>) {
        let now = self.clock.now().0;
        let mut course = locked(&self.course);
        match &problem {
            Some(problem) => course.last_error = Some((now, problem.clone())),
            None => course.delivered_ms = Some(now),
        }
        course.problem = problem;
    }
}

struct Report {
    outbox: Arc<Mutex<Outbox>>,
    course: Arc<Mutex<Course>>,
    received: Arc<Received>,
    clock: Clock,
    /// What was delivered in all at the last reports, oldest first.
    totals: VecDeque<(Instant, u64)>,
}

impl Report {
    /// For ever, unless it panics.
    async fn run(mut self, status: Arc<SharedStatus>) {
        loop {
            let looking = spawn_blocking(move || {
                let log = self.next();
                (self, log)
            });
            let Ok((report, log)) = looking.await else { return };
            self = report;
            status.log_is(log);
            tokio::time::sleep(REPORT_EVERY).await;
        }
    }

    fn next(&mut self) -> LogStatus {
        let (depth, delivered, spool_problem, stream) = {
            let outbox = locked(&self.outbox);
            (outbox.depth(), outbox.delivered(), outbox.hindrance(), outbox.stream())
        };
        let now = self.clock.now().0;
        let course = locked(&self.course);
        LogStatus {
            spool_bytes: depth.bytes,
            oldest_ms: depth.oldest.map(|oldest| oldest.0),
            lag_ms: depth.oldest.map_or(0, |oldest| now.saturating_sub(oldest.0).max(0)),
            received_lines: self.received.messages.load(Ordering::Relaxed),
            dropped_lines: self.received.dropped_datagrams.load(Ordering::Relaxed),
            delivered_bytes: delivered.bytes,
            delivered_bytes_per_s: rate(&mut self.totals, Instant::now(), delivered.bytes),
            delivered_ms: course.delivered_ms,
            problem: course.problem.clone(),
            last_error: course.last_error.as_ref().map(|(_, problem)| problem.clone()),
            last_error_ms: course.last_error.as_ref().map(|(at, _)| *at),
            spool_problem,
            lost_bytes: delivered.lost_bytes,
            damaged_bytes: delivered.damaged_bytes,
            stream,
        }
    }
}

/// By how much a total has grown in a second, on average of the last reports.
fn rate(totals: &mut VecDeque<(Instant, u64)>, now: Instant, total: u64) -> u64 {
    totals.push_back((now, total));
    if totals.len() > RATE_REPORTS + 1 {
        totals.pop_front();
    }
    let Some((since, before)) = totals.front() else { return 0 };
    let millis = u64::try_from(now.duration_since(*since).as_millis()).unwrap_or(u64::MAX).max(1);
    total.saturating_sub(*before).saturating_mul(1000) / millis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_ten_reports() {
        let (mut totals, begun) = (VecDeque::new(), Instant::now());
        let mut at = |second: u64, total| rate(&mut totals, begun + Duration::from_secs(second), total);
        assert_eq!([at(0, 0), at(1, 1000), at(2, 1000)], [0, 1000, 500]);
        for second in 3..20 {
            at(second, 1000 + 100 * (second - 2));
        }
        assert_eq!(at(20, 2800), 100);
    }
}
