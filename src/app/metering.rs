//! Usage from the traffic store to the ledger, and the drafts that follow from it.
//!
//! The traffic store owns the counts. Here they are copied hour by hour, set and never added, together with how far
//! the copy goes, in one transaction: running it twice, or after a crash, changes nothing. The same transaction marks
//! the drafts of whoever has used something; [`App::draw_drafts`] draws those anew, some at a time, so that nobody waits
//! for many.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use tracing::error;

use super::billing::{BillingFailure, Tariff, carry_out, month_usage, usage_prices};
use super::{App, AppError};
use crate::core::billing::{BillingError, Event, UsageNews, UsagePrices};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::core::rating::PricePerRequests;
use crate::core::usage::HourUsage;
use crate::ledger::billed_usage::{late_usage_of, note_late_usage};
use crate::ledger::billing_standing::standing_of;
use crate::ledger::customer::find_customer;
use crate::ledger::usage::{
    StaleDraft, mark_stale, metering_position, raise_usage, set_metering_position, set_usage, stale_drafts,
    unmark_stale,
};
use crate::ledger::{LedgerError, ReadTx, WriteTx};
use crate::traffic::{Rebuild, Traffic, UsageChanges};

/// Drafts that are drawn in one transaction.
const DRAWN_AT_ONCE: u32 = 64;

/// Copies the usage that changed since the last time. Returns the newest batch of the traffic store that the ledger now
/// knows.
///
/// # Errors
/// [`AppError`]; then the ledger is as it was.
pub async fn meter(app: &App) -> Result<u64, AppError> {
    loop {
        if let Some(metered_to) = meter_once(app).await? {
            return Ok(metered_to);
        }
    }
}

/// `None` if somebody else was faster: then there may be more.
async fn meter_once(app: &App) -> Result<Option<u64>, AppError> {
    let store = app.traffic.store_id().to_owned();
    let position = {
        let store = store.clone();
        app.ledger.read(move |tx| metering_position(tx, &store)).await?.unwrap_or(0)
    };
    let changes = app.query_traffic(move |traffic| traffic.usage_changed_after(position)).await?;
    let through_batch = changes.through_batch;
    if through_batch == position {
        return Ok(Some(position));
    }
    let rebuild = app.query_traffic(Traffic::rebuild).await?;
    app.ledger.write(move |tx| apply(tx, &store, position, &changes, rebuild)).await
}

fn apply(
    tx: &WriteTx<'_>,
    store: &str,
    position: u64,
    changes: &UsageChanges,
    rebuild: Option<Rebuild>,
) -> Result<Option<u64>, AppError> {
    // What was read before somebody else wrote is older than what is there.
    if metering_position(tx, store)?.unwrap_or(0) != position {
        return Ok(None);
    }
    for usage in &changes.hours {
        match rebuild {
            Some(rebuild) if usage.hour < rebuild.billed_before && position < rebuild.batch => continue,
            // Of these hours the store may have forgotten what was billed.
            Some(rebuild) if usage.hour < rebuild.at => raise_usage(tx, usage)?,
            _ => set_usage(tx, usage)?,
        }
    }
    note_usage_news(tx, &changes.hours)?;
    set_metering_position(tx, store, changes.through_batch)?;
    Ok(Some(changes.through_batch))
}

/// Notes what follows from hours that were written: drafts are to be drawn anew, and what is of a month whose invoice is
/// made is late, whatever the clock says.
///
/// # Errors
/// [`AppError`].
pub fn note_usage_news(tx: &WriteTx<'_>, hours: &[HourUsage]) -> Result<(), AppError> {
    let mut months: BTreeMap<CustomerId, BTreeSet<Month>> = BTreeMap::new();
    for usage in hours {
        months.entry(usage.customer).or_default().insert(Month::of(usage.hour)?);
    }
    for (customer, months) in months {
        let draft = standing_of(tx, customer)?.map(|standing| standing.draft_month);
        for late in months.into_iter().filter(|month| draft.is_some_and(|draft| *month < draft)) {
            note_late_usage(tx, customer, late)?;
        }
        mark_stale(tx, customer)?;
        // Whoever watches is told of requests also while no draft can be drawn.
        tx.touch(customer);
    }
    Ok(())
}

/// A draft to draw, with the usage that it shows then. Nobody's usage is kept, and nobody is invoiced for it.
pub(super) type Drawing = (StaleDraft, Option<UsageNews>);

impl App {
    /// Draws some of the drafts that do not show all usage. Tells whether there are more.
    ///
    /// # Errors
    /// [`AppError::Ledger`]; the next run goes on.
    pub async fn draw_drafts(&self) -> Result<bool, AppError> {
        let (now, price) = (self.clock.now(), self.config_global.load().request_price());
        let month = Month::of(now)?;
        let drawings = self.ledger.read(move |tx| read_drawings(tx, month, price)).await?;
        let is_full = u32::try_from(drawings.len()).is_ok_and(|count| count >= DRAWN_AT_ONCE);
        if drawings.is_empty() {
            return Ok(false);
        }
        let (tariff, all) = (self.tariff(), drawings.clone());
        let drawn = self.ledger.write(move |tx| all.iter().try_for_each(|one| draw(tx, one, &tariff, now)));
        if let Err(failure) = drawn.await {
            error!(error = %failure, "drafts could not be drawn together; each is drawn by itself");
            for drawing in drawings {
                self.draw_alone(drawing, now).await?;
            }
        }
        Ok(is_full)
    }

    /// What cannot be drawn is left as it was, until there is news.
    async fn draw_alone(&self, drawing: Drawing, now: UtcMillis) -> Result<(), AppError> {
        let (tariff, stale) = (self.tariff(), drawing.0);
        let drawn = self.ledger.write(move |tx| draw(tx, &drawing, &tariff, now)).await;
        if let Err(failure) = drawn {
            error!(customer = %stale.customer, error = %failure, "a draft cannot be drawn");
            self.ledger.write(move |tx| unmark_stale(tx, &stale)).await?;
            if failure.is_for_a_person() {
                self.park(stale.customer, failure.to_string()).await?;
            }
        }
        Ok(())
    }
}

pub(super) fn read_drawings(tx: &ReadTx<'_>, month: Month, price: PricePerRequests) -> Result<Vec<Drawing>, AppError> {
    let mut prices = Prices { tx, price, months: BTreeMap::new() };
    let mut drawings = Vec::new();
    for stale in stale_drafts(tx, DRAWN_AT_ONCE)? {
        let standing = standing_of(tx, stale.customer)?;
        if standing.is_none() && find_customer(tx, stale.customer)?.is_none() {
            drawings.push((stale, None));
            continue;
        }
        let of = standing.map_or(month, |standing| standing.draft_month);
        match read_news(tx, stale.customer, of, month, &mut prices) {
            Ok(news) => drawings.push((stale, Some(news))),
            Err(BillingFailure::Ledger(error)) => return Err(error.into()),
            // The other customers' drafts are right all the same; this one stays as it was.
            Err(failure) => {
                error!(customer = %stale.customer, error = %failure, "a draft cannot be computed");
                drawings.push((stale, None));
            }
        }
    }
    Ok(drawings)
}

/// The draft's month, the running one if that is another, and what came late.
fn read_news(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    of: Month,
    running: Month,
    prices: &mut Prices<'_>,
) -> Result<UsageNews, BillingFailure> {
    let late = late_usage_of(tx, customer)?.into_iter().filter(|late| *late < of);
    let mut usage = |month: Month| month_usage(tx, customer, month, prices.of(month)?);
    Ok(UsageNews {
        month: usage(of)?,
        running: (of < running).then(|| usage(running)).transpose()?,
        earlier: late.map(usage).collect::<Result<_, _>>()?,
    })
}

/// Prices of usage, each month read once.
struct Prices<'a> {
    tx: &'a ReadTx<'a>,
    /// Of requests, if the ledger's table of prices is not right.
    price: PricePerRequests,
    months: BTreeMap<Month, UsagePrices>,
}

impl Prices<'_> {
    fn of(&mut self, month: Month) -> Result<&UsagePrices, LedgerError> {
        Ok(match self.months.entry(month) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(usage_prices(self.tx, month, self.price)?),
        })
    }
}

/// What billing refuses to decide leaves the draft as it is.
pub(super) fn draw(
    tx: &WriteTx<'_>,
    (stale, usage): &Drawing,
    tariff: &Tariff,
    now: UtcMillis,
) -> Result<(), BillingFailure> {
    if let Some(usage) = usage {
        match carry_out(tx, stale.customer, &Event::Usage(usage.clone()), tariff, now) {
            Ok(_) => {}
            Err(BillingFailure::Decision(error @ (BillingError::CatchUpFirst(_) | BillingError::Refused(_)))) => {
                tracing::debug!(customer = %stale.customer, %error, "a draft is not drawn");
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(unmark_stale(tx, stale)?)
}
