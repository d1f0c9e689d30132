//! What became known of a customer's requests since a batch: the tail of the log, as its customer sees it.

use duckdb::types::Value;

use super::interrupt::Interrupt;
use super::relation::Relation;
use super::requests::{self, RequestRow};
use super::scope::Scope;
use super::writer::last_batch;
use super::{Traffic, TrafficError};
use crate::core::calendar::UtcMillis;
use crate::core::chart::{LATEST, Span};

/// What batches brought of one customer. Counts end at 2⁵³ − 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The newest batch that is in it: where to go on from.
    pub through_batch: u64,
    /// The newest of its lines, newest first.
    pub rows: Vec<RequestRow>,
    pub lines: u64,
    pub requests: u64,
    /// Of the guaranteed and the burst class.
    pub billable_requests: u64,
    /// Answered with a status of 400 or more, or not at all.
    pub errors: u64,
    pub bytes_out: u64,
}

type Counts = (u64, u64, u64, u64, u64);

impl Traffic {
    /// What the batches after one brought of the requests that began at `from` or later, with at most `limit` of them.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read or the read was interrupted.
    pub fn news(
        &self,
        interrupt: &Interrupt,
        scope: &Scope,
        after_batch: u64,
        from: UtcMillis,
        limit: u32,
    ) -> Result<News, TrafficError> {
        self.read_until(interrupt, |reader| {
            let through_batch = last_batch(reader.connection)?;
            let span = Span { from, to: LATEST };
            let mine = || scope.rows(Relation::Requests, span).and("batch > ?", [Value::UBigInt(after_batch)]);
            let counts = if through_batch > after_batch {
                mine().query(reader, "count what is new", COUNTS, [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                })?
            } else {
                Vec::new()
            };
            let counts: Counts = counts.into_iter().next().unwrap_or_default();
            let (lines, requests, billable_requests, errors, bytes_out) = counts;
            let rows = if lines > 0 { requests::newest_known(reader, mine(), limit)? } else { Vec::new() };
            Ok(News { through_batch, rows, lines, requests, billable_requests, errors, bytes_out })
        })
    }
}

const COUNTS: &str = "
    SELECT count(*)::UBIGINT, least(coalesce(sum(repeat), 0), 9007199254740991)::UBIGINT,
           least(coalesce(sum(repeat) FILTER (class IN (1, 2)), 0), 9007199254740991)::UBIGINT,
           least(coalesce(sum(repeat) FILTER (status = 0 OR status >= 400), 0), 9007199254740991)::UBIGINT,
           least(coalesce(sum(bytes_out), 0), 9007199254740991)::UBIGINT
    FROM mine";
