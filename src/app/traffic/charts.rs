//! Figures and charts: counts, bandwidth and response times over a stretch of time, from the rollups.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::params::{Reading, TimeFields, TrafficChartParams};
use crate::app::{App, AppError, Caller};
use crate::core::chart::{Chart, Span};
use crate::core::latency_histogram::LatencyHistogram;
use crate::core::log_line::TrafficClass;
use crate::traffic::{By, Totals};

/// What happened in a stretch of time, and in the one of the same length before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficSummary {
    #[schema(format = DateTime)]
    pub from: String,
    /// Without it. The last step is not over yet if this is to come.
    #[schema(format = DateTime)]
    pub to: String,
    #[schema(format = DateTime)]
    pub previous_from: String,
    pub current: TrafficFigures,
    pub previous: TrafficFigures,
}

/// Counts end at 2⁵³ − 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficFigures {
    pub requests: u64,
    /// Of the guaranteed and the burst class.
    pub billable_requests: u64,
    /// Answered with a status of 400 or more, or not at all.
    pub errors: u64,
    /// Answered with a status of 500 or more, or not at all.
    pub server_errors: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Half of the billable requests took no longer, in ms, within 5 %; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p50_ms: Option<u32>,
    /// 95 of 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p95_ms: Option<u32>,
    /// 99 of 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p99_ms: Option<u32>,
}

/// A stretch of time, what to show of it, and of which part of the requests.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TrafficSeriesParams {
    /// `class` (how the gateway treated requests), `status` or `bandwidth`; `class` if it is left out.
    #[param(required = false, nullable = false)]
    pub by: Option<String>,
    /// `1h`, `24h`, `7d`, `30d` or `90d`, up to now; `24h` if neither this nor `from` is given.
    #[param(required = false, nullable = false)]
    pub range: Option<String>,
    /// The beginning, RFC 3339, instead of a range. Moved back to a whole step.
    #[param(required = false, nullable = false)]
    pub from: Option<String>,
    /// The end, RFC 3339, without it; now if it is left out. At most 400 days after `from`.
    #[param(required = false, nullable = false)]
    pub to: Option<String>,
    /// `seal`, `grpc` or `graphql`; all if it is left out.
    #[param(required = false, nullable = false)]
    pub service: Option<String>,
    /// `mainnet` or `testnet`; both if it is left out.
    #[param(required = false, nullable = false)]
    pub network: Option<String>,
}

/// A chart with a value for each step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficSeries {
    #[schema(format = DateTime)]
    pub from: String,
    #[schema(format = DateTime)]
    pub to: String,
    /// Seconds from the beginning of one step to that of the next; steps begin where UTC's minutes, hours or days do.
    pub step_s: u64,
    /// Always the same ones for the same kind of chart.
    pub lines: Vec<TrafficLine>,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficLine {
    /// Such as `guaranteed`, `2xx` or `bytes_out`.
    pub name: String,
    /// One a step, 0 where there was nothing.
    pub values: Vec<u64>,
}

/// Response times of billable requests over time, within 5 %.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficPercentiles {
    #[schema(format = DateTime)]
    pub from: String,
    #[schema(format = DateTime)]
    pub to: String,
    /// Seconds from the beginning of one step to that of the next.
    pub step_s: u64,
    /// Requests that were timed, by step.
    pub requests: Vec<u64>,
    /// In ms; `null` in a step without requests.
    pub p50_ms: Vec<Option<u32>>,
    pub p95_ms: Vec<Option<u32>>,
    pub p99_ms: Vec<Option<u32>>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Requests(By),
    Bandwidth,
}

impl Kind {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "class" => Some(Self::Requests(By::TrafficClass)),
            "status" => Some(Self::Requests(By::StatusClass)),
            "bandwidth" => Some(Self::Bandwidth),
            _ => None,
        }
    }
}

impl App {
    /// The caller's figures as JSON, a [`TrafficSummary`].
    ///
    /// # Errors
    /// As of every customer's query.
    pub async fn traffic_summary(&self, caller: &Caller, params: &TrafficChartParams) -> Result<Arc<str>, AppError> {
        let (scope, chart) = params.read(caller.customer, self.clock.now())?;
        let find = async {
            let both = chart.with_previous();
            let query =
                self.run_traffic(move |traffic, interrupt| traffic.totals(interrupt, &scope, chart.grain(), both));
            let totals = query.await?;
            let of = |step: u64| figures(&totals.get(&step).cloned().unwrap_or_default());
            Ok(TrafficSummary {
                from: chart.span.from.to_string(),
                to: chart.span.to.to_string(),
                previous_from: chart.before().from.to_string(),
                current: of(1),
                previous: of(0),
            })
        };
        self.answer_traffic(caller, format!("summary {scope:?} {chart:?}"), find).await
    }

    /// A chart of the caller's requests as JSON, a [`TrafficSeries`].
    ///
    /// # Errors
    /// As of every customer's query.
    pub async fn traffic_series(&self, caller: &Caller, params: &TrafficSeriesParams) -> Result<Arc<str>, AppError> {
        let now = self.clock.now();
        let mut reading = Reading::default();
        let by = params.by.as_deref().or(Some("class"));
        let kind = reading.word("by", by, "`class`, `status` or `bandwidth`", Kind::from_name);
        let time =
            TimeFields { range: params.range.as_deref(), from: params.from.as_deref(), to: params.to.as_deref() };
        let chart = reading.chart(time, now);
        let scope = reading.scope(caller.customer, params.service.as_deref(), params.network.as_deref());
        let (kind, chart) = reading.finish(kind.zip(chart))?;
        let find = async {
            let lines = self
                .run_traffic(move |traffic, interrupt| match kind {
                    Kind::Requests(by) => {
                        let points = traffic.request_series(interrupt, &scope, chart, by)?;
                        let points = points.iter().map(|point| (point.step, point.line, point.requests));
                        Ok(lines(chart, &names(by), points))
                    }
                    Kind::Bandwidth => {
                        let points = traffic.bandwidth_series(interrupt, &scope, chart)?;
                        let points =
                            points.iter().flat_map(|at| [(at.step, 0, at.bytes_in), (at.step, 1, at.bytes_out)]);
                        Ok(lines(chart, &["bytes_in", "bytes_out"], points))
                    }
                })
                .await?;
            let Span { from, to } = chart.span;
            Ok(TrafficSeries { from: from.to_string(), to: to.to_string(), step_s: step_s(chart), lines })
        };
        self.answer_traffic(caller, format!("series {kind:?} {scope:?} {chart:?}"), find).await
    }

    /// Response times of the caller's requests as JSON, a [`TrafficPercentiles`].
    ///
    /// # Errors
    /// As of every customer's query.
    pub async fn traffic_percentiles(
        &self,
        caller: &Caller,
        params: &TrafficChartParams,
    ) -> Result<Arc<str>, AppError> {
        let (scope, chart) = params.read(caller.customer, self.clock.now())?;
        let find = async {
            let series =
                self.run_traffic(move |traffic, interrupt| traffic.latency_series(interrupt, &scope, chart)).await?;
            Ok(percentiles(chart, series))
        };
        self.answer_traffic(caller, format!("percentiles {scope:?} {chart:?}"), find).await
    }
}

fn step_s(chart: Chart) -> u64 {
    u64::try_from(chart.step_ms / 1000).unwrap_or(0)
}

fn figures(totals: &Totals) -> TrafficFigures {
    let Totals { requests, billable_requests, errors, server_errors, bytes_in, bytes_out, ref latency } = *totals;
    TrafficFigures {
        requests,
        billable_requests,
        errors,
        server_errors,
        bytes_in,
        bytes_out,
        p50_ms: latency.percentile(50),
        p95_ms: latency.percentile(95),
        p99_ms: latency.percentile(99),
    }
}

/// By number of the class, or by hundreds of the status.
fn names(by: By) -> Vec<&'static str> {
    match by {
        By::TrafficClass => {
            TrafficClass::ALL.iter().filter(|class| class.is_counted()).map(|class| class.name()).collect()
        }
        By::StatusClass => vec!["none", "1xx", "2xx", "3xx", "4xx", "5xx", "6xx", "7xx", "8xx", "9xx"],
    }
}

/// Every line with every step. What lies outside of the chart is in nobody's answer.
fn lines(chart: Chart, names: &[&str], points: impl IntoIterator<Item = (u64, u8, u64)>) -> Vec<TrafficLine> {
    let empty = |name: &&str| TrafficLine { name: (*name).to_owned(), values: vec![0; chart.steps()] };
    let mut lines: Vec<_> = names.iter().map(empty).collect();
    for (step, line, value) in points {
        let values = lines.get_mut(usize::from(line)).map(|line| &mut line.values);
        let place = usize::try_from(step).ok().and_then(|step| values?.get_mut(step));
        if let Some(place) = place {
            *place = value;
        }
    }
    lines
}

fn percentiles(chart: Chart, series: Vec<(u64, LatencyHistogram)>) -> TrafficPercentiles {
    let mut steps = vec![LatencyHistogram::default(); chart.steps()];
    for (step, latency) in series {
        if let Some(place) = usize::try_from(step).ok().and_then(|step| steps.get_mut(step)) {
            *place = latency;
        }
    }
    let of = |percent: u8| steps.iter().map(|latency| latency.percentile(percent)).collect();
    TrafficPercentiles {
        from: chart.span.from.to_string(),
        to: chart.span.to.to_string(),
        step_s: step_s(chart),
        requests: steps.iter().map(LatencyHistogram::total).collect(),
        p50_ms: of(50),
        p95_ms: of(95),
        p99_ms: of(99),
    }
}
