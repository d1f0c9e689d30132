//! Invoices: from a month's usage to lines and a total.
//!
//! A customer pays whole cents. Each line is rounded down once, after its whole quantity has been rated; what was
//! dropped stays on the line as its remainder. So for every line `usage = amount + remainder`, and the total is the
//! sum of the amounts, never a rounding of its own.

use crate::core::calendar::Month;
use crate::core::id::Service;
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::rating::{PricePerRequests, rate};
use crate::core::usage::ServiceUsage;

/// What a line charges for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineKind {
    /// Billable requests of one service in the invoice's month.
    Requests,
}

impl LineKind {
    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Requests].into_iter().find(|kind| kind.name() == name)
    }
}

/// Usage with the price of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PricedUsage {
    pub usage: ServiceUsage,
    pub price: PricePerRequests,
}

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceLine {
    pub kind: LineKind,
    pub service: Service,
    /// Billable requests, at least 1.
    pub quantity: u64,
    pub price: PricePerRequests,
    /// Quantity × price to the micro-dollar.
    pub usage: Usd,
    /// What is charged: `usage` rounded down to whole cents.
    pub amount: Usd,
    /// `usage − amount`, less than a cent; shown, not charged.
    pub remainder: Usd,
}

/// The invoice of a month that is still running, as it would be if the month ended here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftInvoice {
    pub month: Month,
    /// At most one line per service and price, in the order of the services' numbers.
    pub lines: Vec<InvoiceLine>,
    /// Σ amounts: whole cents.
    pub total: Usd,
    /// Σ usage, to the micro-dollar.
    pub usage_total: Usd,
}

/// An invoice could not be drafted, or does not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceError {
    /// A quantity, an amount or their sum left its range.
    #[error("drafting the invoice of {month}: {source}")]
    OutOfRange { month: Month, source: MoneyOverflow },
    /// Lines and totals contradict each other. Nothing may be charged.
    #[error("the invoice of {month} does not add up: {broken}")]
    Inconsistent { month: Month, broken: &'static str },
}

/// The draft of one customer's invoice: one line per service with billable requests and price that it had.
///
/// Entries of one service and price are added up before they are rated, so it does not matter how usage was split.
/// Lines of one service are in the order in which its prices first appear.
///
/// # Errors
/// [`InvoiceError`] when a sum leaves its range, or the result does not add up.
pub fn draft(month: Month, usage: &[PricedUsage]) -> Result<DraftInvoice, InvoiceError> {
    let out_of_range = |source| InvoiceError::OutOfRange { month, source };
    let lines = billable_by_price(usage)
        .and_then(|quantities| quantities.into_iter().map(line).collect::<Result<Vec<_>, _>>())
        .map_err(out_of_range)?;
    let total = sum(lines.iter().map(|line| line.amount)).map_err(out_of_range)?;
    let usage_total = sum(lines.iter().map(|line| line.usage)).map_err(out_of_range)?;
    let drafted = DraftInvoice { month, lines, total, usage_total };
    drafted.verify()?;
    Ok(drafted)
}

impl DraftInvoice {
    /// Recomputes every line and both totals. Asked on both sides of the store, before writing and after reading.
    ///
    /// # Errors
    /// [`InvoiceError::Inconsistent`] names what is broken, [`InvoiceError::OutOfRange`] a sum too large.
    pub fn verify(&self) -> Result<(), InvoiceError> {
        let out_of_range = |source| InvoiceError::OutOfRange { month: self.month, source };
        for line in &self.lines {
            let expected = self::line(Quantity { service: line.service, price: line.price, requests: line.quantity })
                .map_err(out_of_range)?;
            self.require(*line == expected, "a line differs from its quantity times its price")?;
            self.require(line.quantity > 0, "a line has no quantity")?;
            self.require(line.amount >= Usd::ZERO && line.amount <= line.usage, "a line charges more than was used")?;
            self.require(line.amount == line.amount.floor_cents(), "a line charges a fraction of a cent")?;
        }
        let ordered = self.lines.is_sorted_by_key(|line| line.service);
        self.require(ordered, "lines are out of order")?;
        let same = |one: &InvoiceLine, other: &InvoiceLine| (one.service, one.price) == (other.service, other.price);
        let mut rest = self.lines.as_slice();
        while let [first, others @ ..] = rest {
            self.require(!others.iter().any(|other| same(first, other)), "a service has two lines of one price")?;
            rest = others;
        }
        let amounts = sum(self.lines.iter().map(|line| line.amount)).map_err(out_of_range)?;
        self.require(amounts == self.total, "the total differs from the sum of the lines")?;
        let usages = sum(self.lines.iter().map(|line| line.usage)).map_err(out_of_range)?;
        self.require(usages == self.usage_total, "the usage total differs from the sum of the lines")
    }

    fn require(&self, holds: bool, broken: &'static str) -> Result<(), InvoiceError> {
        if holds { Ok(()) } else { Err(InvoiceError::Inconsistent { month: self.month, broken }) }
    }
}

/// Billable requests of one service at one price, at least 1.
struct Quantity {
    service: Service,
    price: PricePerRequests,
    requests: u64,
}

fn billable_by_price(usage: &[PricedUsage]) -> Result<Vec<Quantity>, MoneyOverflow> {
    let mut quantities: Vec<Quantity> = Vec::new();
    for PricedUsage { usage, price } in usage.iter().filter(|entry| entry.usage.billable_requests > 0) {
        let (service, requests) = (usage.service, usage.billable_requests);
        match quantities.iter_mut().find(|known| known.service == service && known.price == *price) {
            Some(known) => known.requests = known.requests.checked_add(requests).ok_or(MoneyOverflow)?,
            None => quantities.push(Quantity { service, price: *price, requests }),
        }
    }
    quantities.sort_by_key(|quantity| quantity.service);
    Ok(quantities)
}

fn line(of: Quantity) -> Result<InvoiceLine, MoneyOverflow> {
    let Quantity { service, price, requests: quantity } = of;
    let usage = rate(quantity, price)?;
    let amount = usage.floor_cents();
    let remainder = usage.micros().checked_sub(amount.micros()).map(Usd::from_micros).ok_or(MoneyOverflow)?;
    Ok(InvoiceLine { kind: LineKind::Requests, service, quantity, price, usage, amount, remainder })
}

fn sum(mut amounts: impl Iterator<Item = Usd>) -> Result<Usd, MoneyOverflow> {
    amounts.try_fold(Usd::ZERO, Usd::checked_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CENT_MICROS: i64 = 10_000;

    fn month() -> Month {
        "2026-11".parse().unwrap()
    }

    fn price(amount_micros: i64, per: u64) -> PricePerRequests {
        PricePerRequests { amount: Usd::from_micros(amount_micros), per }
    }

    fn priced(usage: &[ServiceUsage], price: PricePerRequests) -> Vec<PricedUsage> {
        usage.iter().map(|usage| PricedUsage { usage: *usage, price }).collect()
    }

    fn used(service: Service, billable_requests: u64) -> ServiceUsage {
        ServiceUsage { service, requests: billable_requests, billable_requests, billable_bytes: 0 }
    }

    #[track_caller]
    fn check(usage: &[(Service, u64)], expected_lines: &[(Service, u64, i64, i64)], total: i64, usage_total: i64) {
        let usage: Vec<_> = usage.iter().map(|(service, requests)| used(*service, *requests)).collect();
        let invoice = draft(month(), &priced(&usage, price(1_000_000, 10_000))).unwrap();
        let lines: Vec<_> = invoice
            .lines
            .iter()
            .map(|line| (line.service, line.quantity, line.amount.micros(), line.remainder.micros()))
            .collect();
        assert_eq!(lines, expected_lines);
        assert_eq!((invoice.total.micros(), invoice.usage_total.micros()), (total, usage_total));
    }

    #[test]
    fn each_service_used_is_one_line_rounded_down_once() {
        use Service::{Graphql, Grpc, Seal};
        check(&[], &[], 0, 0);
        check(&[(Seal, 0)], &[], 0, 0);
        check(&[(Seal, 99)], &[(Seal, 99, 0, 9_900)], 0, 9_900);
        check(&[(Seal, 12_345)], &[(Seal, 12_345, 1_230_000, 4_500)], 1_230_000, 1_234_500);
        // Two remainders of 0.99 cent stay two remainders: lines are rounded, not the sum.
        check(&[(Grpc, 99), (Seal, 199)], &[(Seal, 199, 10_000, 9_900), (Grpc, 99, 0, 9_900)], 10_000, 29_800);
        // Pieces of one service are rated together.
        check(&[(Graphql, 50), (Graphql, 49), (Graphql, 1)], &[(Graphql, 100, 10_000, 0)], 10_000, 10_000);
    }

    #[test]
    fn a_service_has_one_line_for_each_price_that_it_had() {
        let (old, new) = (price(1_000_000, 10_000), price(2_000_000, 10_000));
        let usage = [
            PricedUsage { usage: used(Service::Seal, 10_050), price: new },
            PricedUsage { usage: used(Service::Grpc, 100), price: new },
            PricedUsage { usage: used(Service::Seal, 10_000), price: old },
            PricedUsage { usage: used(Service::Seal, 50), price: new },
        ];
        let invoice = draft(month(), &usage).unwrap();
        let lines: Vec<_> =
            invoice.lines.iter().map(|line| (line.service, line.quantity, line.amount.micros())).collect();
        let expected =
            [(Service::Seal, 10_100, 2_020_000), (Service::Seal, 10_000, 1_000_000), (Service::Grpc, 100, 20_000)];
        assert_eq!(lines, expected);
        let mut twice = invoice;
        twice.lines[1].price = new;
        assert!(matches!(twice.verify(), Err(InvoiceError::Inconsistent { .. })));
    }

    #[test]
    fn what_leaves_the_range_is_an_error() {
        for (usage, price) in [
            (vec![used(Service::Seal, u64::MAX)], price(1_000_000, 1)),
            (vec![used(Service::Seal, u64::MAX), used(Service::Seal, 1)], price(1, 1)),
            (vec![used(Service::Seal, i64::MAX.unsigned_abs()), used(Service::Grpc, 20_000)], price(1, 1)),
            (vec![used(Service::Seal, 1)], price(1, 0)),
            (vec![used(Service::Seal, 1)], price(-1, 1)),
        ] {
            let expected = InvoiceError::OutOfRange { month: month(), source: MoneyOverflow };
            assert_eq!(draft(month(), &priced(&usage, price)), Err(expected));
        }
    }

    #[test]
    fn an_invoice_that_does_not_add_up_is_refused() {
        let usage = [used(Service::Seal, 12_345), used(Service::Grpc, 500)];
        let good = draft(month(), &priced(&usage, price(1_000_000, 10_000))).unwrap();
        let spoil: [fn(&mut DraftInvoice); 7] = [
            |invoice| invoice.total = Usd::from_micros(1),
            |invoice| invoice.usage_total = Usd::ZERO,
            |invoice| invoice.lines[0].amount = Usd::from_dollars(2),
            |invoice| invoice.lines[0].remainder = Usd::ZERO,
            |invoice| invoice.lines[1].quantity += 1,
            |invoice| invoice.lines.reverse(),
            |invoice| {
                invoice.lines.pop();
            },
        ];
        for (number, spoil) in spoil.into_iter().enumerate() {
            let mut invoice = good.clone();
            spoil(&mut invoice);
            assert!(matches!(invoice.verify(), Err(InvoiceError::Inconsistent { .. })), "{number}: {invoice:?}");
        }
    }

    prop_compose! {
        fn any_usage()(number in 1_u8..4, requests in 0_u64..10_000_000_000) -> ServiceUsage {
            used(Service::from_number(number).unwrap(), requests)
        }
    }

    proptest! {
        #[test]
        fn money_is_conserved(
            usage in prop::collection::vec(any_usage(), 0..8),
            amount_micros in 0_i64..10_000_000, per in 1_u64..100_000,
        ) {
            let invoice = draft(month(), &priced(&usage, price(amount_micros, per))).unwrap();
            let amounts: i64 = invoice.lines.iter().map(|line| line.amount.micros()).sum();
            let remainders: i64 = invoice.lines.iter().map(|line| line.remainder.micros()).sum();
            prop_assert_eq!(amounts, invoice.total.micros());
            prop_assert_eq!(amounts + remainders, invoice.usage_total.micros());
            prop_assert_eq!(invoice.total.micros() % CENT_MICROS, 0);
            for line in &invoice.lines {
                prop_assert!(line.amount <= line.usage);
                prop_assert!((0..CENT_MICROS).contains(&line.remainder.micros()));
                let exact = i128::from(amount_micros) * i128::from(line.quantity);
                prop_assert_eq!(i128::from(line.usage.micros()), exact / i128::from(per));
            }
        }

        #[test]
        fn how_usage_is_split_makes_no_difference(
            usage in prop::collection::vec(any_usage(), 0..5),
            cuts in prop::collection::vec(0_u64..=100, 5),
            amount_micros in 0_i64..10_000_000, per in 1_u64..100_000,
        ) {
            let mut pieces = Vec::new();
            for (entry, cut_percent) in usage.iter().zip(&cuts) {
                let first = entry.billable_requests * cut_percent / 100;
                pieces.push(used(entry.service, entry.billable_requests - first));
                pieces.insert(0, used(entry.service, first));
            }
            let price = price(amount_micros, per);
            prop_assert_eq!(draft(month(), &priced(&pieces, price)), draft(month(), &priced(&usage, price)));
        }
    }
}
