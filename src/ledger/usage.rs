//! The copy of what the traffic store has counted, and how far it goes.

use rusqlite::Row;

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::{CustomerId, Service};
use crate::core::usage::{HourUsage, ServiceUsage};
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Columns, Count};

/// Hours, with the columns that [`read_hour`] reads.
macro_rules! select_hours {
    ($rest:literal) => {
        concat!(
            "SELECT customer_id, service, hour_ms, requests, billable_requests, billable_bytes FROM usage_records ",
            $rest
        )
    };
}

/// Sets the usage of one hour to these counts, whatever they were. The customer need not exist.
///
/// # Errors
/// [`LedgerError::Statement`], also for an hour that does not begin on the hour, for more billable requests than
/// requests, and for counts above 2⁶³−1.
pub fn set_usage(tx: &WriteTx<'_>, usage: &HourUsage) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO usage_records (customer_id, service, hour_ms, requests, billable_requests, billable_bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (customer_id, service, hour_ms) DO UPDATE SET
             requests = excluded.requests,
             billable_requests = excluded.billable_requests,
             billable_bytes = excluded.billable_bytes",
        (
            usage.customer,
            usage.service,
            usage.hour,
            Count(usage.requests),
            Count(usage.billable_requests),
            Count(usage.billable_bytes),
        ),
    )
    .map(drop)
    .map_err(failed("setting the usage of an hour of customer", usage.customer))
}

/// Raises the usage of one hour to these counts where they are more than what is there: what is stored of the hour may
/// be less than was counted once.
///
/// # Errors
/// As for [`set_usage`].
pub fn raise_usage(tx: &WriteTx<'_>, usage: &HourUsage) -> Result<(), LedgerError> {
    let known = tx
        .first(
            select_hours!("WHERE customer_id = ?1 AND service = ?2 AND hour_ms = ?3"),
            (usage.customer, usage.service, usage.hour),
            read_hour,
        )
        .map_err(failed("reading the usage of an hour of customer", usage.customer))?;
    let raised = known.map_or(*usage, |known| HourUsage {
        requests: usage.requests.max(known.requests),
        billable_requests: usage.billable_requests.max(known.billable_requests),
        billable_bytes: usage.billable_bytes.max(known.billable_bytes),
        ..*usage
    });
    set_usage(tx, &raised)
}

/// The first hour that was ever counted; `None` before any.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn first_hour(tx: &ReadTx<'_>) -> Result<Option<UtcMillis>, LedgerError> {
    tx.first("SELECT min(hour_ms) AS first FROM usage_records", (), |row| row.get("first"))
        .map(Option::flatten)
        .map_err(failed("finding", "the first hour of usage"))
}

/// The newest hour that was counted; `None` before any.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn last_hour(tx: &ReadTx<'_>) -> Result<Option<UtcMillis>, LedgerError> {
    tx.first("SELECT max(hour_ms) AS last FROM usage_records", (), |row| row.get("last"))
        .map(Option::flatten)
        .map_err(failed("finding", "the newest hour of usage"))
}

/// Every hour of everybody, in no order.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn all_usage(tx: &ReadTx<'_>) -> Result<Vec<HourUsage>, LedgerError> {
    tx.all(select_hours!(""), (), read_hour).map_err(failed("reading", "all usage"))
}

/// The hours of a customer that begin from `from` until before `to`, by service and then by time.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn hours_between(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    from: UtcMillis,
    to: UtcMillis,
) -> Result<Vec<HourUsage>, LedgerError> {
    let of_service = |service| {
        tx.all(
            select_hours!(
                "WHERE customer_id = ?1 AND service = ?2 AND hour_ms >= ?3 AND hour_ms < ?4 ORDER BY hour_ms"
            ),
            (customer, service, from, to),
            read_hour,
        )
    };
    // One service at a time, so that the primary key bounds the hours and other months are not read.
    let hours: rusqlite::Result<Vec<Vec<HourUsage>>> = Service::ALL.into_iter().map(of_service).collect();
    hours.map(|hours| hours.concat()).map_err(failed("reading the hours of customer", customer))
}

fn read_hour(row: &Row<'_>) -> rusqlite::Result<HourUsage> {
    let mut at = Columns::of(row);
    Ok(HourUsage {
        customer: at.next()?,
        service: at.next()?,
        hour: at.next()?,
        requests: at.count()?,
        billable_requests: at.count()?,
        billable_bytes: at.count()?,
    })
}

/// What a customer used in a month, one entry per service with records, in the order of the services' numbers.
///
/// # Errors
/// [`LedgerError::Statement`], also when a sum exceeds 2⁶³−1.
pub fn usage_of_month(tx: &ReadTx<'_>, customer: CustomerId, month: Month) -> Result<Vec<ServiceUsage>, LedgerError> {
    usage_between(tx, customer, month.start(), month.end())
}

/// The same for the hours that begin from `from` until before `to`.
///
/// # Errors
/// [`LedgerError::Statement`], also when a sum exceeds 2⁶³−1.
pub fn usage_between(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    from: UtcMillis,
    to: UtcMillis,
) -> Result<Vec<ServiceUsage>, LedgerError> {
    let of_service = |service| usage_of_service(tx, customer, service, from, to).transpose();
    let sums = Service::ALL.into_iter().filter_map(of_service).collect::<rusqlite::Result<_>>();
    sums.map_err(failed("adding up the hours of customer", customer))
}

/// One service at a time, so that the primary key bounds the hours and other months are not read.
fn usage_of_service(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    service: Service,
    from: UtcMillis,
    to: UtcMillis,
) -> rusqlite::Result<Option<ServiceUsage>> {
    let read = |row: &Row<'_>| {
        Ok(ServiceUsage {
            service,
            requests: row.get::<_, Count>("requests")?.0,
            billable_requests: row.get::<_, Count>("billable_requests")?.0,
            billable_bytes: row.get::<_, Count>("billable_bytes")?.0,
        })
    };
    tx.first(
        "SELECT sum(requests) AS requests, sum(billable_requests) AS billable_requests,
                sum(billable_bytes) AS billable_bytes
         FROM usage_records
         WHERE customer_id = ?1 AND service = ?2 AND hour_ms >= ?3 AND hour_ms < ?4
         HAVING count(*) > 0",
        (customer, service, from, to),
        read,
    )
}

/// The last batch of a traffic store whose hours have been copied, `None` before the first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn metering_position(tx: &ReadTx<'_>, traffic_store: &str) -> Result<Option<u64>, LedgerError> {
    tx.first("SELECT batch FROM metering_position WHERE traffic_store = ?1", (traffic_store,), |row| {
        row.get("batch").map(|Count(batch)| batch)
    })
    .map_err(failed("reading the metering position of", traffic_store))
}

/// Sets the position, in the transaction that has set the usage it stands for.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn set_metering_position(tx: &WriteTx<'_>, traffic_store: &str, batch: u64) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO metering_position (traffic_store, batch) VALUES (?1, ?2)
         ON CONFLICT (traffic_store) DO UPDATE SET batch = excluded.batch",
        (traffic_store, Count(batch)),
    )
    .map(drop)
    .map_err(failed("setting the metering position of", traffic_store))
}

/// Whether a customer has used anything in hours that begin at `from` or later.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn has_usage_since(tx: &ReadTx<'_>, customer: CustomerId, from: UtcMillis) -> Result<bool, LedgerError> {
    tx.first(
        "SELECT 1 FROM usage_records WHERE customer_id = ?1 AND service IN (1, 2, 3) AND hour_ms >= ?2",
        (customer, from),
        |_| Ok(()),
    )
    .map(|found| found.is_some())
    .map_err(failed("asking for newer usage of customer", customer))
}

/// A customer whose draft does not show all usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleDraft {
    pub customer: CustomerId,
    /// In the queue; never given out again.
    pub place: i64,
    /// Higher with each news of the customer in this place.
    pub news: i64,
}

/// Marks a customer's draft as not showing all usage. Who waits already keeps the place.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn mark_stale(tx: &WriteTx<'_>, customer: CustomerId) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO stale_drafts (customer_id) VALUES (?1) ON CONFLICT (customer_id) DO UPDATE SET news = news + 1",
        (customer,),
    )
    .map(drop)
    .map_err(failed("marking the draft of customer", customer))
}

/// At most `limit` marked drafts, those that have waited longest first.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn stale_drafts(tx: &ReadTx<'_>, limit: u32) -> Result<Vec<StaleDraft>, LedgerError> {
    tx.all("SELECT * FROM stale_drafts ORDER BY place LIMIT ?1", (limit,), read_stale)
        .map_err(failed("listing", "stale drafts"))
}

/// Takes a mark off. If there was news since, the customer waits again, behind everybody else.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn unmark_stale(tx: &WriteTx<'_>, stale: &StaleDraft) -> Result<(), LedgerError> {
    let unmarking = "taking the mark off the draft of customer";
    let news: Option<i64> = tx
        .first("DELETE FROM stale_drafts WHERE place = ?1 RETURNING news", (stale.place,), |row| row.get(0))
        .map_err(failed(unmarking, stale.customer))?;
    match news {
        Some(news) if news != stale.news => mark_stale(tx, stale.customer),
        _ => Ok(()),
    }
}

fn read_stale(row: &Row<'_>) -> rusqlite::Result<StaleDraft> {
    Ok(StaleDraft { customer: row.get("customer_id")?, place: row.get("place")?, news: row.get("news")? })
}
