//! Invoices.
//!
//! ```text
//!            issued: gets its number           paid, by credits or by a payment method
//!   draft ─────────────────────────▶ pending ──────────────────────────────────────────▶ paid
//!                                    │  ▲  │
//!              every retry declined: │  │  │ voided, or the upgrade it was for is declined
//!                credits come back   ▼  │  ▼
//!                                 failed│  voided: credits come back, nothing is owed; usage counts as not billed
//!                                    │  │
//!                                    └──┘ money came: asked for again      (failed → voided, too)
//! ```
//! `amount` is the sum of all lines. Lines of credit are negative, so that it is also what payment methods are asked
//! for: charges − credits. Once issued, only lines of credit come and go.

use super::completeness::Completeness;
use super::ids::{CreditId, InvoiceId, InvoiceNumber};
use super::line::{Line, LineKind};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::{CustomerId, Service};
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::tier::Tier;

/// Where an invoice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvoiceState {
    Draft,
    Pending,
    Paid,
    Failed,
    Voided,
}

impl InvoiceState {
    pub const ALL: [Self; 5] = [Self::Draft, Self::Pending, Self::Paid, Self::Failed, Self::Voided];

    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Voided => "voided",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the state may follow this one.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Draft, Self::Pending)
                | (Self::Pending, Self::Paid | Self::Failed | Self::Voided)
                | (Self::Failed, Self::Pending | Self::Voided)
        )
    }

    /// Whether its amount is owed.
    pub const fn is_unpaid(self) -> bool {
        matches!(self, Self::Pending | Self::Failed)
    }
}

/// What an invoice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The usage of its month and the next month prepaid.
    Monthly,
    /// The first month of a subscription. Until it is paid, the service cannot be used.
    Subscribe { service: Service },
    /// The running month of a service that was suspended when the month began.
    Resume { service: Service },
    /// The rest of the month in a larger tier, which begins once it is paid.
    Upgrade { service: Service, to: Tier },
}

impl Purpose {
    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monthly => "monthly",
            Self::Subscribe { .. } => "subscribe",
            Self::Resume { .. } => "resume",
            Self::Upgrade { .. } => "upgrade",
        }
    }

    /// The service it is for; the monthly one is for all.
    pub const fn service(self) -> Option<Service> {
        match self {
            Self::Monthly => None,
            Self::Subscribe { service } | Self::Resume { service } | Self::Upgrade { service, .. } => Some(service),
        }
    }

    /// The tier that is bought: only by an upgrade.
    pub const fn tier(self) -> Option<Tier> {
        match self {
            Self::Upgrade { to, .. } => Some(to),
            _ => None,
        }
    }

    /// The purpose with this word, service and tier; `None` if there is none.
    pub fn from_facts(name: &str, service: Option<Service>, tier: Option<Tier>) -> Option<Self> {
        let purpose = match name {
            "monthly" => Self::Monthly,
            "subscribe" => Self::Subscribe { service: service? },
            "resume" => Self::Resume { service: service? },
            "upgrade" => Self::Upgrade { service: service?, to: tier? },
            _ => return None,
        };
        ((purpose.service(), purpose.tier()) == (service, tier)).then_some(purpose)
    }

    /// Whether a customer who does not pay it is suspended in the end. What cannot be used before it is paid need not
    /// be taken away.
    pub const fn is_for_running_services(self) -> bool {
        matches!(self, Self::Monthly | Self::Resume { .. })
    }
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    pub id: InvoiceId,
    pub customer: CustomerId,
    /// Absent exactly while it is a draft.
    pub number: Option<InvoiceNumber>,
    pub purpose: Purpose,
    /// Of a monthly one the month whose usage it bills; of any other the month it pays for.
    pub month: Month,
    pub state: InvoiceState,
    /// Charges, then tax, then credits.
    pub lines: Vec<Line>,
    /// Σ lines: whole cents, never below 0.
    pub amount: Usd,
    /// Granted as credit when it is paid.
    pub credit_on_payment: Usd,
    pub issued_at: Option<UtcMillis>,
    pub paid_at: Option<UtcMillis>,
    /// How often a payment method was asked: the last attempt's number.
    pub attempts: u32,
    /// Of asking one method after the other. Only goes up.
    pub round: u32,
    /// Rounds since it was issued, or asked for again after it had failed: the place in the schedule of retries.
    pub retries: u32,
    /// When it is tried again.
    pub retry_at: Option<UtcMillis>,
    /// When it first could not be paid.
    pub first_failure_at: Option<UtcMillis>,
    /// How often credits were applied or came back, so that each time has an entry of its own.
    pub credit_changes: u32,
    /// Said on monthly invoices.
    pub completeness: Option<Completeness>,
}

/// An invoice does not add up. Nothing may be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invoice {invoice} does not add up: {broken}")]
pub struct BrokenInvoice {
    pub invoice: InvoiceId,
    pub broken: &'static str,
}

impl Invoice {
    /// An empty draft.
    pub fn draft(id: InvoiceId, customer: CustomerId, purpose: Purpose, month: Month) -> Self {
        Self {
            id,
            customer,
            number: None,
            purpose,
            month,
            state: InvoiceState::Draft,
            lines: Vec::new(),
            amount: Usd::ZERO,
            credit_on_payment: Usd::ZERO,
            issued_at: None,
            paid_at: None,
            attempts: 0,
            round: 0,
            retries: 0,
            retry_at: None,
            first_failure_at: None,
            credit_changes: 0,
            completeness: None,
        }
    }

    /// What it charges: all but credits.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub fn charges(&self) -> Result<Usd, MoneyOverflow> {
        Usd::sum(self.lines.iter().filter(|line| !line.is_credit()).map(|line| line.amount))
    }

    /// The tax that it charges; 0 without a line for it.
    pub fn tax_basis_points(&self) -> u64 {
        self.lines.iter().find(|line| line.kind == LineKind::Tax).map_or(0, |line| line.quantity)
    }

    /// Credits that are used for it, as positive amounts.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub fn credits(&self) -> Result<Vec<(CreditId, Usd)>, MoneyOverflow> {
        let used = |line: &Line| match line.kind {
            LineKind::Credit(credit) => Some(line.amount.checked_neg().map(|used| (credit, used))),
            _ => None,
        };
        self.lines.iter().filter_map(used).collect()
    }

    /// The same with other lines.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub(super) fn with_lines(self, lines: Vec<Line>) -> Result<Self, MoneyOverflow> {
        let amount = Usd::sum(lines.iter().map(|line| line.amount))?;
        Ok(Self { lines, amount, ..self })
    }

    /// Adds credits, each as a line.
    pub(super) fn with_credits(self, uses: &[(CreditId, Usd)]) -> Result<Self, MoneyOverflow> {
        let mut lines = self.lines.clone();
        for (credit, used) in uses {
            lines.push(Line::credit(*credit, self.month, *used)?);
        }
        self.with_lines(lines)
    }

    /// Takes all credits off.
    pub(super) fn without_credits(self) -> Result<Self, MoneyOverflow> {
        let lines = self.lines.iter().filter(|line| !line.is_credit()).cloned().collect();
        self.with_lines(lines)
    }

    /// Another state, if it may follow.
    pub(super) fn into_state(self, next: InvoiceState) -> Result<Self, BrokenInvoice> {
        let broken = BrokenInvoice { invoice: self.id, broken: "a state that cannot follow" };
        if self.state.may_become(next) { Ok(Self { state: next, ..self }) } else { Err(broken) }
    }

    /// Recomputes it. Asked on both sides of the store, before writing and after reading.
    ///
    /// # Errors
    /// [`BrokenInvoice`] names what does not hold.
    pub fn verify(&self) -> Result<(), BrokenInvoice> {
        let fail = |broken| BrokenInvoice { invoice: self.id, broken };
        let out_of_range = |_| fail("an amount leaves its range");
        for line in &self.lines {
            if let Some(broken) = line.broken().map_err(out_of_range)? {
                return Err(fail(broken));
            }
        }
        let sum = Usd::sum(self.lines.iter().map(|line| line.amount)).map_err(out_of_range)?;
        let issued = self.state != InvoiceState::Draft;
        let rules = [
            ("the amount differs from the sum of the lines", sum == self.amount),
            ("the amount is below 0", self.amount >= Usd::ZERO),
            ("the amount is no whole number of cents", self.amount.is_whole_cents()),
            (
                "a number exactly when it is issued",
                issued == self.number.is_some() && issued == self.issued_at.is_some(),
            ),
            ("a time of payment exactly when it is paid", (self.state == InvoiceState::Paid) == self.paid_at.is_some()),
            ("a retry of what is not pending", self.state == InvoiceState::Pending || self.retry_at.is_none()),
            ("credits of what failed or is void", self.has_no_credits() || !self.gave_credits_back()),
            ("more than one line of one thing", self.has_no_line_twice()),
        ];
        match rules.into_iter().find(|(_, holds)| !holds) {
            Some((broken, _)) => Err(fail(broken)),
            None => Ok(()),
        }
    }

    fn has_no_credits(&self) -> bool {
        !self.lines.iter().any(Line::is_credit)
    }

    fn gave_credits_back(&self) -> bool {
        matches!(self.state, InvoiceState::Failed | InvoiceState::Voided)
    }

    /// A credit may be used in two goes.
    fn has_no_line_twice(&self) -> bool {
        let key = |line: &Line| (line.kind, line.service, line.month, line.usage.map(|(window, _)| window));
        let mut keys: Vec<_> = self.lines.iter().filter(|line| !line.is_credit()).map(key).collect();
        keys.sort_unstable();
        keys.windows(2).all(|pair| pair.first() != pair.last())
    }
}

#[cfg(test)]
mod tests {
    use super::InvoiceState::{Draft, Failed, Paid, Pending, Voided};
    use super::*;
    use crate::core::billing::terms::UnitPrice;

    #[test]
    fn states_follow_as_drawn() {
        let drawn = [
            (Draft, Pending),
            (Pending, Paid),
            (Pending, Failed),
            (Pending, Voided),
            (Failed, Pending),
            (Failed, Voided),
        ];
        for from in InvoiceState::ALL {
            assert_eq!(InvoiceState::from_name(from.name()), Some(from));
            for to in InvoiceState::ALL {
                assert_eq!(from.may_become(to), drawn.contains(&(from, to)), "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn purposes_are_read_back_from_their_columns() {
        let (service, to) = (Service::Grpc, Tier::Pro);
        for purpose in [
            Purpose::Monthly,
            Purpose::Subscribe { service },
            Purpose::Resume { service },
            Purpose::Upgrade { service, to },
        ] {
            assert_eq!(Purpose::from_facts(purpose.name(), purpose.service(), purpose.tier()), Some(purpose));
        }
        assert_eq!(Purpose::from_facts("monthly", Some(service), None), None);
        assert_eq!(Purpose::from_facts("upgrade", Some(service), None), None);
    }

    fn invoice() -> Invoice {
        let month: Month = "2025-02".parse().unwrap();
        let kind = LineKind::Subscription { tier: Tier::Pro };
        let price = UnitPrice::each(Usd::from_dollars(29));
        let line = Line::new(kind, Some(Service::Seal), month, 1, price).unwrap();
        let draft = Invoice::draft(InvoiceId(1), CustomerId::new(1).unwrap(), Purpose::Monthly, month);
        draft.with_lines(vec![line]).unwrap().with_credits(&[(CreditId(1), Usd::from_dollars(9))]).unwrap()
    }

    #[test]
    fn what_does_not_add_up_is_found() {
        assert_eq!(invoice().verify(), Ok(()));
        assert_eq!(invoice().amount, Usd::from_dollars(20));
        type Change = fn(&mut Invoice);
        let changes: [(&str, Change); 9] = [
            ("amount", |invoice| invoice.amount = Usd::from_dollars(21)),
            ("line", |invoice| invoice.lines[0].amount = Usd::from_dollars(30)),
            ("lost line", |invoice| invoice.lines.truncate(1)),
            ("number", |invoice| invoice.number = Some(InvoiceNumber(1))),
            ("paid", |invoice| invoice.paid_at = Some(UtcMillis(1))),
            ("retry", |invoice| invoice.retry_at = Some(UtcMillis(1))),
            ("state", |invoice| invoice.state = Pending),
            ("below 0", |invoice| {
                *invoice = invoice.clone().with_credits(&[(CreditId(2), Usd::from_dollars(21))]).unwrap()
            }),
            ("twice", |invoice| {
                let lines = [invoice.lines.clone(), invoice.lines.clone()].concat();
                *invoice = invoice.clone().with_lines(lines).unwrap();
            }),
        ];
        for (name, change) in changes {
            let mut changed = invoice();
            change(&mut changed);
            assert!(changed.verify().is_err(), "{name}");
        }
    }
}
