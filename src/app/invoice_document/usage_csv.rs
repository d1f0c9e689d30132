//! The hours behind each line of usage, as CSV.
//!
//! A line's hours and their amounts add up to the line to the micro-dollar: an hour's amount is what the line costs
//! through this hour less what it costs until it, so that a fraction of a micro-dollar is dropped once and not every
//! hour. A line of late usage bills what its hours have more than was billed before, so its hours have no amounts.

use super::DocumentError;
use super::words::hour;
use crate::core::billing::{Counted, Invoice, Line, LineKind, Measure, UsageDigest};
use crate::core::calendar::UtcMillis;
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::usage::HourUsage;

/// An invoice, and the hours that it counts, in any order.
#[derive(Debug, Clone, Copy)]
pub struct UsageOfInvoice<'a> {
    pub invoice: &'a Invoice,
    pub hours: &'a [HourUsage],
}

/// What a line of usage was counted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoursOfLine {
    pub counted: Counted,
    /// Of these hours: the line's, as long as they are as they were.
    pub digest: UsageDigest,
    /// Those with a quantity above 0, in order of time.
    pub hours: Vec<HourOfLine>,
}

/// One hour of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourOfLine {
    pub start: UtcMillis,
    /// Of what the line measures.
    pub quantity: u64,
    pub billable_requests: u64,
    pub billable_bytes: u64,
    /// What it adds to the line; absent for late usage.
    pub amount: Option<Usd>,
}

/// The columns. `start` is UTC; `price_usd` is for every `price_per` pieces of what the line measures; `micro_dollars` is
/// empty for late usage.
pub const COLUMNS: [&str; 10] = [
    "invoice",
    "line",
    "kind",
    "service",
    "start",
    "billable_requests",
    "billable_bytes",
    "price_usd",
    "price_per",
    "micro_dollars",
];

impl UsageOfInvoice<'_> {
    /// A heading and a record for each hour of each line, in the order of the lines and of time.
    ///
    /// # Errors
    /// [`DocumentError::Money`], [`DocumentError::Csv`].
    pub fn csv(&self) -> Result<Vec<u8>, DocumentError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS)?;
        for (number, line) in (1_u32..).zip(&self.invoice.lines) {
            self.write_line(&mut writer, number, line)?;
        }
        writer.into_inner().map_err(|error| DocumentError::Csv(error.into_error().into()))
    }

    /// The hours of one of its lines; `None` for one that is not counted from hours.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub fn hours_of(&self, line: &Line) -> Result<Option<HoursOfLine>, MoneyOverflow> {
        let Some((counted, is_late)) = counted(self.invoice, line) else { return Ok(None) };
        let quantities = counted.quantities(self.hours);
        let mut amounts = Amounts { line, quantity: 0, amount: Usd::ZERO };
        let mut hours = Vec::with_capacity(quantities.len());
        for (start, quantity) in &quantities {
            let (start, quantity) = (*start, *quantity);
            let amount = if is_late { None } else { Some(amounts.next(quantity)?) };
            let (billable_requests, billable_bytes) = self.counts(counted, start);
            hours.push(HourOfLine { start, quantity, billable_requests, billable_bytes, amount });
        }
        Ok(Some(HoursOfLine { counted, digest: counted.digest(&quantities), hours }))
    }

    fn write_line(&self, writer: &mut csv::Writer<Vec<u8>>, number: u32, line: &Line) -> Result<(), DocumentError> {
        let Some(HoursOfLine { counted, hours, .. }) = self.hours_of(line)? else { return Ok(()) };
        let invoice = self.invoice.number.map_or_else(|| "draft".to_owned(), |number| number.to_string());
        for of_hour in hours {
            writer.write_record([
                invoice.as_str(),
                &number.to_string(),
                line.kind.name(),
                counted.service.name(),
                &hour(of_hour.start),
                &of_hour.billable_requests.to_string(),
                &of_hour.billable_bytes.to_string(),
                line.unit.amount.to_string().trim_start_matches('$'),
                &line.unit.per.to_string(),
                &of_hour.amount.map_or_else(String::new, |amount| amount.micros().to_string()),
            ])?;
        }
        Ok(())
    }

    /// Billable requests and bytes of an hour.
    fn counts(&self, counted: Counted, start: UtcMillis) -> (u64, u64) {
        let is_it = |usage: &&HourUsage| {
            (usage.customer, usage.service, usage.hour) == (counted.customer, counted.service, start)
        };
        self.hours.iter().find(is_it).map_or((0, 0), |usage| (usage.billable_requests, usage.billable_bytes))
    }
}

/// What a line of usage counts, and whether it is late; `None` for any other line.
pub(in crate::app) fn counted(invoice: &Invoice, line: &Line) -> Option<(Counted, bool)> {
    let (measure, is_late): (Measure, bool) = match line.kind {
        LineKind::Usage(measure) => (measure, false),
        LineKind::LateUsage(measure) => (measure, true),
        _ => return None,
    };
    let (window, _) = line.usage?;
    Some((Counted { customer: invoice.customer, service: line.service?, measure, window }, is_late))
}

/// What hours cost, one after the other.
struct Amounts<'a> {
    line: &'a Line,
    /// Through the last hour.
    quantity: u64,
    amount: Usd,
}

impl Amounts<'_> {
    fn next(&mut self, quantity: u64) -> Result<Usd, MoneyOverflow> {
        self.quantity = self.quantity.checked_add(quantity).ok_or(MoneyOverflow)?;
        let through = self.line.unit.amount.times_per(self.quantity, self.line.unit.per)?;
        let of_hour = through.checked_sub(self.amount)?;
        self.amount = through;
        Ok(of_hour)
    }
}
