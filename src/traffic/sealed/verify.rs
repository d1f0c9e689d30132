//! Whether the store holds what it says.

use duckdb::Row;
use serde::{Deserialize, Serialize};

use super::seal::{Part, Totals, sha256_of, totals, within};
use super::view::quoted;
use crate::core::calendar::UtcMillis;
use crate::core::chart::Grain;
use crate::traffic::relation::rollup;
use crate::traffic::writer::merged_batch;
use crate::traffic::{Traffic, TrafficError, failed};

/// Differences that are told, at most; more are counted.
const TOLD: usize = 100;

/// What a check of the whole store found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Sealed files that were read.
    pub files: u64,
    /// Rows in the hot table and in sealed files.
    pub rows: u64,
    /// Hours of a customer, service and class whose rows were held against their rollup.
    pub hours: u64,
    /// A sentence for each thing that is wrong, at most 100.
    pub problems: Vec<String>,
    /// How many things are wrong.
    pub wrong: u64,
}

impl VerifyReport {
    fn tell(&mut self, problem: String) {
        self.wrong += 1;
        if self.problems.len() < TOLD {
            self.problems.push(problem);
        }
    }
}

impl Traffic {
    /// The sealed files that are registered, by span.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn parts(&self) -> Result<Vec<Part>, TrafficError> {
        let listing = failed("list sealed files");
        self.read(|connection| {
            let mut statement = connection
                .prepare(
                    "SELECT file, epoch_ms(span_start), epoch_ms(span_end), rows, requests, bytes_in, bytes_out,
                            file_bytes, sha256
                     FROM sealed_parts ORDER BY span_start, file",
                )
                .map_err(&listing)?;
            let parts = statement.query_map([], part).map_err(&listing)?;
            parts.collect::<Result<_, _>>().map_err(&listing)
        })
    }

    /// When the oldest request that is not sealed began; `None` if there is none.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn oldest_hot(&self) -> Result<Option<UtcMillis>, TrafficError> {
        self.read(|connection| {
            connection
                .query_row("SELECT epoch_ms(min(ts)) FROM request_rows", [], |row| row.get::<_, Option<i64>>(0))
                .map(|oldest| oldest.map(UtcMillis))
                .map_err(failed("find the oldest request that is not sealed"))
        })
    }

    /// Reads every sealed file and holds it against what was noted at sealing; then all requests against the rollups of
    /// their hours. Reads everything there is. Blocks.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read; what is wrong in it is in the report.
    pub fn verify(&self) -> Result<VerifyReport, TrafficError> {
        let mut report = VerifyReport::default();
        for part in self.parts()? {
            report.files += 1;
            if let Err(problem) = self.verify_part(&part) {
                report.tell(format!("{}: {problem}", part.file));
            }
        }
        if report.wrong == 0 {
            self.verify_rollups(&mut report)?;
        }
        Ok(report)
    }

    fn verify_part(&self, part: &Part) -> Result<(), String> {
        let path = self.chunks.join(&part.file);
        let (file_bytes, sha256) = sha256_of(&path).map_err(|error| format!("it cannot be read: {error}"))?;
        if file_bytes != part.file_bytes {
            return Err(format!("it has {file_bytes} bytes instead of {}", part.file_bytes));
        }
        if sha256 != part.sha256 {
            return Err("its content was changed: the SHA-256 is another".to_owned());
        }
        let all = format!("read_parquet({})", quoted(&path));
        let of_span = format!("{all} WHERE {}", within(part.from, part.to));
        let read = self.read(|connection| Ok((totals(connection, &all)?, totals(connection, &of_span)?)));
        let (all, of_span) = read.map_err(|error| sentence(&error))?;
        match (all == part.totals, of_span == all) {
            (true, true) => Ok(()),
            (false, _) => Err(format!("it adds up to {all:?} instead of {:?}", part.totals)),
            (true, false) => Err("it holds requests from outside its span".to_owned()),
        }
    }

    /// Only hours whose requests are all kept.
    fn verify_rollups(&self, report: &mut VerifyReport) -> Result<(), TrafficError> {
        let comparing = failed("compare requests with their rollups");
        let (rows, hours, differences) = self.read(|connection| {
            let rows: u64 = connection
                .query_row("SELECT count(*)::UBIGINT FROM all_requests", [], |row| row.get(0))
                .map_err(&comparing)?;
            let rollup = rollup(Grain::Hour, merged_batch(connection)?);
            let hours: u64 = connection.query_row(&count_hours(&rollup), [], |row| row.get(0)).map_err(&comparing)?;
            let mut statement = connection.prepare(&differences_from(&rollup)).map_err(&comparing)?;
            let differences = statement.query_map([], difference).map_err(&comparing)?;
            let differences: Vec<String> = differences.collect::<Result<_, _>>().map_err(&comparing)?;
            Ok((rows, hours, differences))
        })?;
        (report.rows, report.hours) = (rows, hours);
        differences.into_iter().for_each(|problem| report.tell(problem));
        Ok(())
    }
}

fn count_hours(rollup: &str) -> String {
    format!(
        "SELECT count(*)::UBIGINT FROM (
             SELECT 1 FROM {rollup} WHERE start >= (SELECT dropped_before FROM retirement)
             GROUP BY start, customer_id, service, network, class, status_class)"
    )
}

fn differences_from(rollup: &str) -> String {
    format!(
        "WITH counted AS (
        SELECT epoch_ms(ts) // 3600000 AS hour, coalesce(customer_id, 0) AS customer, service, class,
               sum(repeat)::UBIGINT AS requests, sum(bytes_out)::UBIGINT AS bytes_out
        FROM all_requests WHERE class <> 8 GROUP BY ALL
    ), rolled AS (
        SELECT epoch_ms(start) // 3600000 AS hour, coalesce(customer_id, 0) AS customer, service, class,
               sum(requests)::UBIGINT AS requests, sum(bytes_out)::UBIGINT AS bytes_out
        FROM {rollup} WHERE class <> 8 GROUP BY ALL
    )
    SELECT hour * 3600000, customer, service, class, coalesce(counted.requests, 0)::UBIGINT,
           coalesce(counted.bytes_out, 0)::UBIGINT, coalesce(rolled.requests, 0)::UBIGINT,
           coalesce(rolled.bytes_out, 0)::UBIGINT
    FROM counted FULL OUTER JOIN rolled USING (hour, customer, service, class)
    WHERE hour * 3600000 >= (SELECT epoch_ms(dropped_before) FROM retirement)
          AND (counted.requests IS DISTINCT FROM rolled.requests OR counted.bytes_out IS DISTINCT FROM rolled.bytes_out)
    ORDER BY ALL"
    )
}

fn difference(row: &Row<'_>) -> Result<String, duckdb::Error> {
    let (hour, customer): (i64, u32) = (row.get(0)?, row.get(1)?);
    let (service, class): (u8, u8) = (row.get(2)?, row.get(3)?);
    let numbers: [u64; 4] = [row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?];
    let [requests, bytes, rolled_requests, rolled_bytes] = numbers;
    Ok(format!(
        "hour {} of customer {customer}, service {service}, class {class}: {requests} requests and {bytes} bytes are \
         stored, the rollup says {rolled_requests} and {rolled_bytes}",
        UtcMillis(hour)
    ))
}

fn part(row: &Row<'_>) -> Result<Part, duckdb::Error> {
    Ok(Part {
        file: row.get(0)?,
        from: UtcMillis(row.get(1)?),
        to: UtcMillis(row.get(2)?),
        totals: Totals { rows: row.get(3)?, requests: row.get(4)?, bytes_in: row.get(5)?, bytes_out: row.get(6)? },
        file_bytes: row.get(7)?,
        sha256: row.get(8)?,
    })
}

fn sentence(error: &TrafficError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
