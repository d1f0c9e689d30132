//! Figures and charts of one customer, from the rollups only: their cost follows the time that is shown, not the
//! requests in it.

use std::collections::BTreeMap;

use duckdb::Row;
use duckdb::types::Value;

use super::interrupt::{Interrupt, Reader};
use super::relation::Relation;
use super::scope::Scope;
use super::{Traffic, TrafficError};
use crate::core::chart::{Chart, Grain};
use crate::core::latency_histogram::LatencyHistogram;

/// What happened in a stretch of time. Counts end at 2⁵³ − 1, so that they are exact in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    pub requests: u64,
    /// Of the guaranteed and the burst class.
    pub billable_requests: u64,
    /// Answered with a status of 400 or more, or not at all.
    pub errors: u64,
    /// Answered with a status of 500 or more, or not at all.
    pub server_errors: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Of the requests that a server answered: those of the guaranteed and the burst class.
    pub latency: LatencyHistogram,
}

/// What a chart's lines are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    TrafficClass,
    StatusClass,
}

/// Requests of one line in one step. Steps without requests are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Counted from 0.
    pub step: u64,
    /// The number of the traffic class, or the hundreds of the status.
    pub line: u8,
    pub requests: u64,
}

/// Bytes in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bandwidth {
    pub step: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

impl Traffic {
    /// What happened in each step of a chart whose steps begin and end with units of the grain; steps without requests
    /// are left out.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read or the read was interrupted.
    pub fn totals(
        &self,
        interrupt: &Interrupt,
        scope: &Scope,
        grain: Grain,
        chart: Chart,
    ) -> Result<BTreeMap<u64, Totals>, TrafficError> {
        self.read_until(interrupt, |reader| {
            let rows = scope.rows(Relation::Rollup(grain), chart.span);
            let sums = rows.query(reader, "sum up traffic", SUMS, steps(chart), totals)?;
            let mut totals: BTreeMap<_, _> = sums.into_iter().collect();
            for (step, latency) in latencies(reader, scope, grain, chart)? {
                totals.entry(step).or_default().latency = latency;
            }
            Ok(totals)
        })
    }

    /// Requests by step and line, in this order.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read or the read was interrupted.
    pub fn request_series(
        &self,
        interrupt: &Interrupt,
        scope: &Scope,
        chart: Chart,
        by: By,
    ) -> Result<Vec<Point>, TrafficError> {
        let select = match by {
            By::TrafficClass => {
                "SELECT ((epoch_ms(start) - ?) // ?)::UBIGINT AS step, class,
                        least(sum(requests), 9007199254740991)::UBIGINT
                 FROM mine GROUP BY step, class ORDER BY step, class"
            }
            By::StatusClass => {
                "SELECT ((epoch_ms(start) - ?) // ?)::UBIGINT AS step, status_class,
                        least(sum(requests), 9007199254740991)::UBIGINT
                 FROM mine GROUP BY step, status_class ORDER BY step, status_class"
            }
        };
        self.read_until(interrupt, |reader| {
            let rows = scope.rows(Relation::Rollup(chart.grain()), chart.span);
            rows.query(reader, "chart requests", select, steps(chart), |row| {
                Ok(Point { step: row.get(0)?, line: row.get(1)?, requests: row.get(2)? })
            })
        })
    }

    /// Bytes by step; steps without requests are left out.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read or the read was interrupted.
    pub fn bandwidth_series(
        &self,
        interrupt: &Interrupt,
        scope: &Scope,
        chart: Chart,
    ) -> Result<Vec<Bandwidth>, TrafficError> {
        let select = "SELECT ((epoch_ms(start) - ?) // ?)::UBIGINT AS step,
                             least(sum(bytes_in), 9007199254740991)::UBIGINT,
                             least(sum(bytes_out), 9007199254740991)::UBIGINT
                      FROM mine GROUP BY step ORDER BY step";
        self.read_until(interrupt, |reader| {
            let rows = scope.rows(Relation::Rollup(chart.grain()), chart.span);
            rows.query(reader, "chart bandwidth", select, steps(chart), |row| {
                Ok(Bandwidth { step: row.get(0)?, bytes_in: row.get(1)?, bytes_out: row.get(2)? })
            })
        })
    }

    /// How long answers took, by step; steps without any are left out.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read or the read was interrupted.
    pub fn latency_series(
        &self,
        interrupt: &Interrupt,
        scope: &Scope,
        chart: Chart,
    ) -> Result<Vec<(u64, LatencyHistogram)>, TrafficError> {
        self.read_until(interrupt, |reader| latencies(reader, scope, chart.grain(), chart))
    }
}

fn steps(chart: Chart) -> [Value; 2] {
    [Value::BigInt(chart.span.from.0), Value::BigInt(chart.step_ms)]
}

const SUMS: &str = "
    SELECT ((epoch_ms(start) - ?) // ?)::UBIGINT AS step, least(sum(requests), 9007199254740991)::UBIGINT,
           least(coalesce(sum(requests) FILTER (class IN (1, 2)), 0), 9007199254740991)::UBIGINT,
           least(coalesce(sum(requests) FILTER (status_class = 0 OR status_class >= 4), 0), 9007199254740991)::UBIGINT,
           least(coalesce(sum(requests) FILTER (status_class = 0 OR status_class >= 5), 0), 9007199254740991)::UBIGINT,
           least(sum(bytes_in), 9007199254740991)::UBIGINT, least(sum(bytes_out), 9007199254740991)::UBIGINT
    FROM mine GROUP BY step";

fn totals(row: &Row<'_>) -> Result<(u64, Totals), duckdb::Error> {
    let totals = Totals {
        requests: row.get(1)?,
        billable_requests: row.get(2)?,
        errors: row.get(3)?,
        server_errors: row.get(4)?,
        bytes_in: row.get(5)?,
        bytes_out: row.get(6)?,
        latency: LatencyHistogram::default(),
    };
    Ok((row.get(0)?, totals))
}

/// Requests that were refused at the gateway would only say how fast it refuses.
fn latencies(
    reader: &Reader<'_>,
    scope: &Scope,
    grain: Grain,
    chart: Chart,
) -> Result<Vec<(u64, LatencyHistogram)>, TrafficError> {
    let select = "SELECT step, bucket, least(sum(times), 9007199254740991)::UBIGINT
                  FROM (SELECT ((epoch_ms(start) - ?) // ?)::UBIGINT AS step, unnest(latency_buckets) AS bucket,
                               unnest(latency_counts) AS times
                        FROM mine WHERE class IN (1, 2))
                  GROUP BY step, bucket ORDER BY step, bucket";
    let rows = scope.rows(Relation::Rollup(grain), chart.span).query(
        reader,
        "read latencies",
        select,
        steps(chart),
        |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u8>(1)?, row.get::<_, u64>(2)?)),
    )?;
    let mut series: Vec<(u64, LatencyHistogram)> = Vec::new();
    for (step, bucket, times) in rows {
        match series.last_mut() {
            Some((last, histogram)) if *last == step => histogram.add(bucket, times),
            _ => {
                let mut histogram = LatencyHistogram::default();
                histogram.add(bucket, times);
                series.push((step, histogram));
            }
        }
    }
    Ok(series)
}
