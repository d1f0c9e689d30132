//! What differs between a month's usage and what was billed of it: more becomes a line "late usage" on the next
//! invoice, less becomes a credit, together with the tax that was charged on it.

use super::line::{Line, LineKind, Measure, WHOLE_BASIS_POINTS, Window};
use super::terms::UnitPrice;
use crate::core::calendar::Month;
use crate::core::id::Service;
use crate::core::money::{MoneyOverflow, Usd};

/// What is billed together: one stretch of one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BilledKey {
    pub month: Month,
    pub service: Service,
    pub measure: Measure,
    pub window: Window,
}

/// What was billed of it in all, less corrections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    pub quantity: u64,
    pub unit: UnitPrice,
    pub amount: Usd,
    /// Charged on the amount, not rounded.
    pub tax: Usd,
}

/// What to do about a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// A line for what was more.
    Late(Line),
    /// What was billed too much, with the whole cents of tax on it, and what remains billed. The amount may be 0.
    Correction { key: BilledKey, too_much: Usd, remains: Billed },
}

/// What a line of usage bills.
pub fn billed_key(line: &Line) -> Option<BilledKey> {
    let (LineKind::Usage(measure) | LineKind::LateUsage(measure)) = line.kind else { return None };
    let (window, _) = line.usage?;
    Some(BilledKey { month: line.month, service: line.service?, measure, window })
}

/// What was billed with one line more, on an invoice with a tax of so many basis points.
///
/// # Errors
/// [`MoneyOverflow`].
pub fn with_line(before: Option<&Billed>, line: &Line, basis_points: u64) -> Result<Billed, MoneyOverflow> {
    let tax = tax_on(line.amount, basis_points)?;
    let Some(before) = before else {
        return Ok(Billed { quantity: line.quantity, unit: line.unit, amount: line.amount, tax });
    };
    Ok(Billed {
        quantity: before.quantity.checked_add(line.quantity).ok_or(MoneyOverflow)?,
        unit: before.unit,
        amount: before.amount.checked_add(line.amount)?,
        tax: before.tax.checked_add(tax)?,
    })
}

/// What was billed without one line of such an invoice; `None` if more than the rest came back by corrections already.
///
/// # Errors
/// [`MoneyOverflow`].
pub fn without_line(before: &Billed, line: &Line, basis_points: u64) -> Result<Option<Billed>, MoneyOverflow> {
    let rest = Billed {
        quantity: before.quantity.saturating_sub(line.quantity),
        unit: before.unit,
        amount: before.amount.checked_sub(line.amount)?,
        tax: before.tax.checked_sub(tax_on(line.amount, basis_points)?)?.max(Usd::ZERO),
    };
    Ok((rest.amount >= Usd::ZERO).then_some(rest))
}

fn tax_on(amount: Usd, basis_points: u64) -> Result<Usd, MoneyOverflow> {
    amount.times_per(basis_points, WHOLE_BASIS_POINTS)
}

/// What to do about one stretch of an earlier month: `now` is its line by all that is known, `None` if there is no
/// usage at all.
///
/// # Errors
/// [`MoneyOverflow`].
pub fn settle(
    key: BilledKey,
    billed: Option<&Billed>,
    now: Option<&Line>,
) -> Result<Option<Settlement>, MoneyOverflow> {
    let billed_quantity = billed.map_or(0, |billed| billed.quantity);
    let quantity = now.map_or(0, |line| line.quantity);
    match (billed, now) {
        (_, Some(line)) if quantity > billed_quantity => {
            let kind = LineKind::LateUsage(key.measure);
            let more = quantity.saturating_sub(billed_quantity);
            let late = Line::new(kind, Some(key.service), key.month, more, line.unit)?;
            Ok(Some(Settlement::Late(Line { usage: line.usage, ..late })))
        }
        (Some(billed), _) if quantity < billed_quantity => {
            let due = billed.unit.amount.times_per(quantity, billed.unit.per)?.floor_cents().min(billed.amount);
            let tax = share(billed.tax, due, billed.amount)?;
            // Rounded down before and after, several corrections give back exactly what one would.
            let too_much_tax = billed.tax.floor_cents().checked_sub(tax.floor_cents())?;
            let too_much = billed.amount.checked_sub(due)?.checked_add(too_much_tax)?;
            let remains = Billed { quantity, unit: billed.unit, amount: due, tax };
            Ok(Some(Settlement::Correction { key, too_much, remains }))
        }
        _ => Ok(None),
    }
}

/// As much of the tax on `whole` as is on `part` of it.
fn share(tax: Usd, part: Usd, whole: Usd) -> Result<Usd, MoneyOverflow> {
    let count = |amount: Usd| u64::try_from(amount.micros()).map_err(|_| MoneyOverflow);
    if whole == Usd::ZERO { Ok(Usd::ZERO) } else { tax.times_per(count(part)?, count(whole)?) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::billing::usage_lines::UsageDigest;

    const UNIT: UnitPrice = UnitPrice { amount: Usd::from_dollars(1), per: 10_000 };

    fn line(quantity: u64) -> Line {
        let month: Month = "2025-01".parse().unwrap();
        let window = Window { from: month.start(), to: month.end() };
        let kind = LineKind::Usage(Measure::Requests);
        let line = Line::new(kind, Some(Service::Seal), month, quantity, UNIT).unwrap();
        Line { usage: Some((window, UsageDigest([0; 32]))), ..line }
    }

    #[test]
    fn more_is_a_line_and_less_is_a_correction() {
        let key = billed_key(&line(1)).unwrap();
        for (billed, now, expected) in [
            (None, None, None),
            (None, Some(12_345), Some((12_345, 1_230_000))),
            (Some(12_345), Some(12_345), None),
            (Some(12_345), Some(12_400), Some((55, 0))),
            (Some(12_345), Some(22_345), Some((10_000, 1_000_000))),
            (Some(12_345), Some(12_300), Some((12_300, 0))),
            (Some(12_345), Some(12_299), Some((12_299, 10_000))),
            (Some(12_345), None, Some((0, 1_230_000))),
        ] {
            let billed = billed.map(|quantity| with_line(None, &line(quantity), 0).unwrap());
            let found = settle(key, billed.as_ref(), now.map(line).as_ref()).unwrap();
            let shown = found.map(|settlement| match settlement {
                Settlement::Late(line) => (line.quantity, line.amount.micros()),
                Settlement::Correction { too_much, remains, .. } => (remains.quantity, too_much.micros()),
            });
            assert_eq!(shown, expected, "{billed:?} {now:?}");
        }
    }

    #[test]
    fn what_comes_in_parts_is_never_more_than_at_once() {
        let mut billed = with_line(None, &line(12_345), 0).unwrap();
        let key = billed_key(&line(1)).unwrap();
        for quantity in [12_399, 12_400, 12_450, 30_000, 29_000, 29_060, 29_150] {
            match settle(key, Some(&billed), Some(&line(quantity))).unwrap().unwrap() {
                Settlement::Late(late) => billed = with_line(Some(&billed), &late, 0).unwrap(),
                Settlement::Correction { remains, .. } => billed = remains,
            }
            assert_eq!(billed.quantity, quantity);
            assert!(billed.amount <= line(quantity).amount, "{quantity}");
        }
    }

    #[test]
    fn the_tax_on_what_was_too_much_comes_back_in_whole_cents() {
        let key = billed_key(&line(1)).unwrap();
        for (basis_points, billed, rights, cents) in [
            (1_900, 5_000_000, vec![500_000], vec![53_550]),
            (1_900, 5_000_000, vec![0], vec![59_500]),
            // 1.23 and a tax of 0.2337, of which 0.23 were charged.
            (1_900, 12_345, vec![0], vec![146]),
            (1_900, 12_345, vec![10_000, 5_000, 100, 0], vec![27, 60, 58, 1]),
            (0, 12_345, vec![10_000, 0], vec![23, 100]),
        ] {
            let mut billed = with_line(None, &line(billed), basis_points).unwrap();
            let mut found = Vec::new();
            for right in rights {
                let settled = settle(key, Some(&billed), Some(&line(right))).unwrap();
                let Some(Settlement::Correction { too_much, remains, .. }) = settled else { panic!("{settled:?}") };
                found.push(too_much.micros() / 10_000);
                billed = remains;
            }
            assert_eq!(found, cents, "{basis_points}");
        }
    }

    #[test]
    fn what_is_void_was_not_billed() {
        let first = with_line(None, &line(12_345), 1_900).unwrap();
        let both = with_line(Some(&first), &line(30_000), 700).unwrap();
        assert_eq!(without_line(&both, &line(30_000), 700), Ok(Some(first.clone())));
        let nothing = Billed { quantity: 0, unit: UNIT, amount: Usd::ZERO, tax: Usd::ZERO };
        assert_eq!(without_line(&first, &line(12_345), 1_900), Ok(Some(nothing)));
        assert_eq!(without_line(&first, &line(30_000), 1_900), Ok(None), "more than that came back");
    }
}
