//! What the demo's page shows. Until accounts exist it is the only page, and only `suiftly demo` serves it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{App, AppError};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::{CustomerId, Service};
use crate::core::log_line::TrafficClass;
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::tier::Tier;
use crate::core::usage::ServiceUsage;
use crate::ledger::billing_invoice::{StoredInvoice, draft_of};
use crate::ledger::usage::usage_of_month;
use crate::traffic::{Recent, RecentBucket, RecentQuery};

const STEP_MS: u32 = 5000;
const STEPS: usize = 60;

/// Who is shown, and where the traffic comes from.
#[derive(Debug, Clone)]
pub struct DemoPage {
    pub traffic: DemoTraffic,
    pub customers: Vec<DemoCustomer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DemoTraffic {
    /// A real HAProxy writes the log.
    Haproxy,
    /// Lines are made up in its format.
    Synthetic,
}

/// A customer of the demo, with one service.
#[derive(Debug, Clone)]
pub struct DemoCustomer {
    pub customer: CustomerId,
    pub name: String,
    pub service: Service,
    pub tier: Tier,
    /// The key's first and last characters.
    pub key_hint: String,
}

/// Everything on the page at one moment. Money is in micro-dollars beside its display text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// RFC 3339, UTC.
    pub now: String,
    pub month: String,
    pub traffic: DemoTraffic,
    pub intake: OverviewIntake,
    pub price: OverviewPrice,
    pub total: OverviewTotal,
    pub customers: Vec<OverviewCustomer>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverviewIntake {
    pub rows: u64,
    pub rejects: u64,
    /// Over the last whole step of the series.
    pub lines_per_s: f64,
    /// From the end of a request to its committed row.
    pub line_to_row_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverviewPrice {
    pub amount_micros: i64,
    pub per_requests: u64,
    pub display: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverviewTotal {
    pub requests: u64,
    pub billable_requests: u64,
    pub usage_micros: i64,
    pub usage_display: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverviewCustomer {
    pub customer_id: u32,
    pub name: String,
    pub service: &'static str,
    pub tier: &'static str,
    pub guaranteed_per_s: u64,
    pub burst_per_s: u64,
    pub key_hint: String,
    /// This month, every class.
    pub requests: u64,
    pub billable_requests: u64,
    /// Billable requests × price.
    pub usage_micros: i64,
    pub usage_display: String,
    /// The draft invoice: each line in whole cents, rounded down.
    pub invoice_micros: i64,
    pub invoice_display: String,
    pub series: OverviewSeries,
}

/// Requests by step, oldest first; the last step is still running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverviewSeries {
    pub from: String,
    pub step_ms: u32,
    pub guaranteed: Vec<u64>,
    pub burst: Vec<u64>,
    /// Over a rate limit.
    pub limited: Vec<u64>,
    /// Without a right to the service.
    pub refused: Vec<u64>,
    /// The service was turned off, or the class is not known.
    pub failed: Vec<u64>,
}

/// One customer's counts as the ledger has them.
struct Account {
    usage: Vec<ServiceUsage>,
    usage_total: Usd,
    invoice_total: Usd,
}

/// The traffic store's part of the page, taken first: the ledger's part must know these batches, too, or the month
/// would show less than its last minutes.
pub struct DemoCounts {
    now: UtcMillis,
    window: RecentQuery,
    recent: Recent,
}

impl DemoCounts {
    /// The newest batch in these counts.
    pub fn through_batch(&self) -> u64 {
        self.recent.through_batch
    }
}

impl App {
    /// Counts the recent requests that the page shows.
    ///
    /// # Errors
    /// [`AppError`] if the traffic store cannot be read.
    pub async fn demo_counts(&self) -> Result<DemoCounts, AppError> {
        let now = self.clock.now();
        let window = window(now);
        let recent = self.query_traffic(move |traffic| traffic.recent(window)).await?;
        Ok(DemoCounts { now, window, recent })
    }

    /// Completes the page with this month's usage and cost from the ledger.
    ///
    /// # Errors
    /// [`AppError`] if the ledger cannot be read.
    pub async fn demo_overview(&self, page: &DemoPage, counts: DemoCounts) -> Result<Overview, AppError> {
        let DemoCounts { now, window, recent: Recent { rows, rejects, buckets, .. } } = counts;
        let month = Month::of(now)?;
        let accounts = self.accounts(page, month).await?;
        let customers: Vec<_> = page
            .customers
            .iter()
            .map(|customer| self.overview_customer(customer, accounts.get(&customer.customer), &buckets, window))
            .collect();
        let price = self.config_global.load().request_price();
        Ok(Overview {
            now: now.to_string(),
            month: month.to_string(),
            traffic: page.traffic,
            intake: OverviewIntake {
                rows,
                rejects,
                lines_per_s: lines_per_s(&buckets),
                line_to_row_ms: self.committed.borrow().line_to_row_ms,
            },
            price: OverviewPrice {
                amount_micros: price.amount.micros(),
                per_requests: price.per,
                display: price.amount.to_string(),
            },
            total: total(&customers)?,
            customers,
        })
    }

    async fn accounts(&self, page: &DemoPage, month: Month) -> Result<BTreeMap<CustomerId, Account>, AppError> {
        let customers: Vec<_> = page.customers.iter().map(|customer| customer.customer).collect();
        let accounts = self.ledger.read(move |tx| {
            customers
                .into_iter()
                .map(|customer| {
                    let draft = draft_of(tx, customer)?.filter(|draft| draft.month == month);
                    let account = Account {
                        usage: usage_of_month(tx, customer, month)?,
                        usage_total: draft.as_ref().map_or(Ok(Usd::ZERO), usage_total)?,
                        invoice_total: draft.as_ref().map_or(Usd::ZERO, |draft| draft.amount),
                    };
                    Ok((customer, account))
                })
                .collect()
        });
        accounts.await
    }

    fn overview_customer(
        &self,
        customer: &DemoCustomer,
        account: Option<&Account>,
        buckets: &[RecentBucket],
        window: RecentQuery,
    ) -> OverviewCustomer {
        let limits = self.config_global.load().limits(customer.tier);
        let usage = account.map_or(&[][..], |account| &account.usage);
        let usage_total = account.map_or(Usd::ZERO, |account| account.usage_total);
        let invoice_total = account.map_or(Usd::ZERO, |account| account.invoice_total);
        OverviewCustomer {
            customer_id: customer.customer.get(),
            name: customer.name.clone(),
            service: customer.service.name(),
            tier: customer.tier.name(),
            guaranteed_per_s: limits.guaranteed_per_s,
            burst_per_s: limits.burst_per_s,
            key_hint: customer.key_hint.clone(),
            requests: usage.iter().map(|usage| usage.requests).sum(),
            billable_requests: usage.iter().map(|usage| usage.billable_requests).sum(),
            usage_micros: usage_total.micros(),
            usage_display: usage_total.to_string(),
            invoice_micros: invoice_total.micros(),
            invoice_display: invoice_total.to_string(),
            series: series(customer.customer, buckets, window),
        }
    }
}

/// What the usage on a draft comes to, to the micro-dollar.
fn usage_total(draft: &StoredInvoice) -> Result<Usd, MoneyOverflow> {
    let usage = draft.lines.iter().filter(|line| line.usage.is_some());
    usage.map(|line| line.amount.checked_add(line.remainder)).try_fold(Usd::ZERO, |sum, line| sum.checked_add(line?))
}

/// The last [`STEPS`] steps, aligned, up to the end of the one that is running.
fn window(now: UtcMillis) -> RecentQuery {
    let step = i64::from(STEP_MS);
    let to = UtcMillis(now.0 - now.0.rem_euclid(step) + step);
    let length = i64::try_from(STEPS).map_or(0, |steps| steps * step);
    RecentQuery { from: to.plus_ms(-length), to, step_ms: STEP_MS }
}

fn series(customer: CustomerId, buckets: &[RecentBucket], window: RecentQuery) -> OverviewSeries {
    let empty = || vec![0; STEPS];
    let mut series = OverviewSeries {
        from: window.from.to_string(),
        step_ms: window.step_ms,
        guaranteed: empty(),
        burst: empty(),
        limited: empty(),
        refused: empty(),
        failed: empty(),
    };
    for bucket in buckets.iter().filter(|bucket| bucket.customer_id == Some(customer.get())) {
        let counts = match bucket.class {
            TrafficClass::Guaranteed | TrafficClass::StreamDelta => &mut series.guaranteed,
            TrafficClass::Burst => &mut series.burst,
            TrafficClass::DroppedByRate | TrafficClass::DroppedPerIp => &mut series.limited,
            TrafficClass::Denied => &mut series.refused,
            TrafficClass::Unavailable | TrafficClass::None | TrafficClass::StreamClose => &mut series.failed,
        };
        if let Some(count) = usize::try_from(bucket.step).ok().and_then(|step| counts.get_mut(step)) {
            *count += bucket.requests;
        }
    }
    series
}

/// Requests in the last step that is over, whoever they were for, by its length.
fn lines_per_s(buckets: &[RecentBucket]) -> f64 {
    let last_whole = u64::try_from(STEPS).unwrap_or(0).saturating_sub(2);
    let requests: u64 = buckets.iter().filter(|bucket| bucket.step == last_whole).map(|bucket| bucket.requests).sum();
    u32::try_from(requests).map_or(f64::INFINITY, f64::from) * 1000.0 / f64::from(STEP_MS)
}

fn total(customers: &[OverviewCustomer]) -> Result<OverviewTotal, MoneyOverflow> {
    let usage = customers
        .iter()
        .try_fold(Usd::ZERO, |sum, customer| sum.checked_add(Usd::from_micros(customer.usage_micros)))?;
    Ok(OverviewTotal {
        requests: customers.iter().map(|customer| customer.requests).sum(),
        billable_requests: customers.iter().map(|customer| customer.billable_requests).sum(),
        usage_micros: usage.micros(),
        usage_display: usage.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_ends_with_the_running_step_and_has_five_minutes() {
        let window = window(UtcMillis(1_795_424_401_234));
        assert_eq!((window.to.0, window.to.0 - window.from.0), (1_795_424_405_000, 300_000));
    }

    #[test]
    fn each_class_is_shown_in_its_series_and_other_customers_are_not() {
        let customer = CustomerId::new(5).unwrap();
        let bucket = |id, step, class, requests| RecentBucket { customer_id: id, step, class, requests };
        let buckets = [
            bucket(Some(5), 0, TrafficClass::Guaranteed, 1),
            bucket(Some(5), 59, TrafficClass::Burst, 2),
            bucket(Some(5), 59, TrafficClass::DroppedByRate, 3),
            bucket(Some(5), 59, TrafficClass::DroppedPerIp, 4),
            bucket(Some(5), 58, TrafficClass::Denied, 5),
            bucket(Some(5), 58, TrafficClass::Unavailable, 6),
            bucket(Some(5), 60, TrafficClass::Burst, 9),
            bucket(Some(6), 58, TrafficClass::Burst, 7),
            bucket(None, 58, TrafficClass::Denied, 8),
        ];
        let series = series(customer, &buckets, window(UtcMillis(0)));
        assert_eq!((series.guaranteed[0], series.guaranteed.iter().sum::<u64>()), (1, 1));
        assert_eq!((series.burst[59], series.burst.iter().sum::<u64>()), (2, 2));
        assert_eq!((series.limited[59], series.refused[58], series.failed[58]), (7, 5, 6));
        assert!((lines_per_s(&buckets) - f64::from(5 + 6 + 7 + 8) / 5.0).abs() < 1e-9);
    }
}
