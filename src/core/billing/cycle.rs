//! The turn of the month, one step after the other, each of which changes nothing the second time.
//!
//! ```text
//!  the draft's month is running
//!     │ it ends                                            (roll_month: at the first decision of the next month)
//!     ▼
//!  smaller tiers begin ─▶ cancellations begin ─▶ prepaid lines of the next month are put on the draft and stay
//!     │ its usage is final                                 (close_month: an hour to a day later)
//!     ▼
//!  usage, late usage, corrections ─▶ issued with its number ─▶ credits ─▶ payment ─▶ the draft of the next month
//! ```
//! Corrections do not wait for that, if they are known before: then the draft is what the month ends with.
//!
//! Between the two steps customers go on in the new month: what they buy then is on invoices of its own. Missed months
//! are closed one after the other, oldest first; other decisions wait for that.

use std::collections::{BTreeMap, BTreeSet};

use super::account::ServiceAccount;
use super::action::{Action, Notice, ServiceChange};
use super::books::{Books, Done};
use super::credit::{CreditReason, plan_use};
use super::error::{BillingError, Refusal};
use super::event::{MonthEnd, MonthUsage, UsageNews};
use super::invoice::{Invoice, Purpose};
use super::late_usage::{BilledKey, Settlement, billed_key, settle, with_line, without_line};
use super::line::{Line, LineKind, WHOLE_BASIS_POINTS};
use super::terms::{Terms, UnitPrice};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::Service;
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::service_instance::{DueEvent, ServiceInstance, ServiceState};

/// Usage that comes later than so many months after its own is not charged any more, and not corrected.
pub const LATE_USAGE_MONTHS: u8 = 3;

impl Books<'_> {
    /// Makes the first draft.
    pub fn ensure_draft(&mut self) -> Done {
        if self.account.draft().is_some() {
            return Ok(());
        }
        let draft = self.new_invoice(Purpose::Monthly, self.account.standing.month);
        self.save_invoice(draft)
    }

    /// Carries out the beginning of the month of `now`.
    pub fn roll_to_now(&mut self) -> Done {
        let now = Month::of(self.now)?;
        let draft = self.draft()?.month;
        if self.account.standing.month < now && draft == self.account.standing.month {
            self.roll_month()?;
        }
        if self.account.standing.month < now { Err(BillingError::CatchUpFirst(draft)) } else { Ok(()) }
    }

    /// The running month ends. Its draft must be there, and no older one.
    fn roll_month(&mut self) -> Done {
        let month = self.account.standing.month;
        self.advance_services(month.end());
        let next = month.next()?;
        let lines = prepaid_lines(&self.account.services, next, self.terms)?;
        let billed: Vec<Service> = self.account.services.keys().copied().collect();
        for service in billed {
            let account = self.account.service(service);
            if is_renewed(&account, next) {
                let billed = ServiceAccount { billed_through: Some(next), ..account };
                self.save_service(service, billed, ServiceChange::Billed);
            }
        }
        let draft = self.draft()?;
        let usage = draft.lines.iter().filter(|line| line.is_metered()).cloned().collect();
        let lines = self.with_tax([lines, usage].concat(), month)?;
        self.save_invoice(draft.with_lines(lines)?)?;
        self.change_standing(|standing| standing.month = next);
        Ok(())
    }

    /// What time has brought about for services.
    pub fn advance_services(&mut self, now: UtcMillis) {
        let services: Vec<Service> = self.account.services.keys().copied().collect();
        for service in services {
            while let Some((instance, event)) = self.account.service(service).instance.due(now) {
                let account = self.account.service(service);
                let (change, billed_through) = match event {
                    DueEvent::TierChanged { from, to } => {
                        (ServiceChange::TierChanged { from, to }, account.billed_through)
                    }
                    DueEvent::CancellationBegan => (ServiceChange::CancellationBegan, account.billed_through),
                    DueEvent::CleanedUp => (ServiceChange::Ended, None),
                };
                self.save_service(service, ServiceAccount { instance, billed_through, ..account }, change);
            }
        }
    }

    /// The month's invoice. Nothing if it was made before.
    pub fn close_month(&mut self, end: &MonthEnd) -> Done {
        let draft = self.draft()?;
        let month = end.usage.month;
        if month < draft.month {
            return Ok(());
        }
        if month > draft.month || self.now < month.end() {
            return Err(BillingError::CatchUpFirst(draft.month));
        }
        if self.account.standing.month == month {
            self.roll_month()?;
        }
        let late = self.settle_earlier(&end.earlier, month)?;
        let draft = self.draft()?;
        let prepaid = draft.lines.iter().filter(|line| line.is_prepaid()).cloned().collect();
        let usage = own_usage(&end.usage)?;
        self.record_billed([usage.as_slice(), late.as_slice()].concat().as_slice())?;
        let lines = self.with_tax([prepaid, usage, late].concat(), month)?;
        let completeness = Some(end.completeness);
        let invoice = Invoice { completeness, ..draft.with_lines(lines)? };
        self.issue_monthly(invoice, month.next()?)?;
        self.notify(Notice::MonthClosed { month });
        Ok(())
    }

    /// A month without anything to charge makes no invoice: its draft goes on as that of the next one.
    fn issue_monthly(&mut self, invoice: Invoice, next: Month) -> Done {
        if invoice.lines.is_empty() {
            return self.save_invoice(Invoice { month: next, completeness: None, ..invoice });
        }
        let id = self.issue(invoice)?;
        let draft = self.new_invoice(Purpose::Monthly, next);
        self.save_invoice(draft)?;
        self.collect(id)
    }

    /// Late usage as lines, to be billed; corrections as credits, which can be used at once. Those are settled then.
    fn settle_earlier(&mut self, earlier: &[MonthUsage], month: Month) -> Done<Vec<Line>> {
        let months: BTreeSet<Month> = earlier.iter().map(|usage| usage.month).collect();
        if months.len() != earlier.len() {
            return Err(BillingError::Incomplete("a month's usage is given twice"));
        }
        let mut lines = Vec::new();
        for usage in earlier {
            if !is_shortly_before(usage.month, month)? {
                continue;
            }
            let found = own_usage(usage)?;
            let mut keys: Vec<BilledKey> = found.iter().filter_map(billed_key).collect();
            keys.extend(self.account.billed.keys().filter(|key| key.month == usage.month));
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let line = found.iter().find(|line| billed_key(line) == Some(key));
                match settle(key, self.account.billed.get(&key), line)? {
                    Some(Settlement::Late(line)) => lines.push(line),
                    Some(Settlement::Correction { key, too_much, remains }) => {
                        if too_much > Usd::ZERO {
                            self.grant_credit(CreditReason::Reconciliation, too_much, None, None)?;
                        }
                        self.act(Action::SaveBilled(key, remains));
                    }
                    None => {}
                }
            }
        }
        Ok(lines)
    }

    fn record_billed(&mut self, lines: &[Line]) -> Done {
        for line in lines {
            let key = billed_key(line).ok_or(BillingError::Incomplete("a line of usage has no window"))?;
            let billed = with_line(self.account.billed.get(&key), line, self.terms.tax_basis_points)?;
            self.act(Action::SaveBilled(key, billed));
        }
        Ok(())
    }

    /// The usage on an invoice that is void is billed by nothing any more: if it is settled later, it is as if it came
    /// late. Refused when it was corrected before: what was too much came back already.
    pub fn unbill(&mut self, invoice: &Invoice) -> Done {
        for (key, line) in invoice.lines.iter().filter_map(|line| Some((billed_key(line)?, line))) {
            let missing = BillingError::Incomplete("what was billed of usage is missing");
            let billed = self.account.billed.get(&key).ok_or(missing)?;
            let billed = without_line(billed, line, invoice.tax_basis_points())?.ok_or(Refusal::Corrected)?;
            self.act(Action::SaveBilled(key, billed));
        }
        Ok(())
    }

    /// Usage of the draft's month so far is drawn with what came late, that of the running month is held against the cap; of
    /// any other month it is nothing new.
    pub fn take_usage(&mut self, news: &UsageNews) -> Done {
        let (drawn, running) = (self.draft()?.month, self.account.standing.month);
        for usage in [Some(&news.month), news.running.as_ref()].into_iter().flatten() {
            let lines = own_usage(usage)?;
            if usage.month == running {
                self.spent = Some(Usd::sum(lines.iter().map(|line| line.amount))?);
            }
            if usage.month == drawn {
                self.usage = Some(lines);
            }
        }
        if news.month.month != drawn {
            return Ok(());
        }
        let credits = self.account.credits.len();
        let late = self.settle_earlier(&news.earlier, drawn)?;
        self.usage.get_or_insert_default().extend(late);
        // A correction may be of what is not paid yet.
        if self.account.credits.len() > credits { self.collect_all() } else { Ok(()) }
    }

    /// The draft as the invoice that closing its month would make of it, by all that is known.
    pub fn redraw(&mut self) -> Done {
        let draft = self.draft()?;
        let month = draft.month;
        let drawn = || draft.lines.iter().filter(|line| line.is_metered()).cloned().collect();
        let usage: Vec<Line> = self.usage.take().unwrap_or_else(drawn);
        let prepaid = if self.account.standing.month == month {
            let mut services = self.account.services.clone();
            services.values_mut().for_each(|account| account.instance = settled(&account.instance, month.end()));
            prepaid_lines(&services, month.next()?, self.terms)?
        } else {
            draft.lines.iter().filter(|line| line.is_prepaid()).cloned().collect()
        };
        let lines = self.with_tax([prepaid, usage].concat(), month)?;
        let drawn = draft.clone().with_lines(lines)?;
        let uses = plan_use(self.account.credits.values(), drawn.amount, self.now.max(month.end()))?;
        let drawn = drawn.with_credits(&uses)?;
        if drawn == draft { Ok(()) } else { self.save_invoice(drawn) }
    }

    /// A line for the tax on all others, unless there is no tax.
    pub fn with_tax(&self, mut lines: Vec<Line>, month: Month) -> Result<Vec<Line>, MoneyOverflow> {
        let quantity = self.terms.tax_basis_points;
        let charges = Usd::sum(lines.iter().map(|line| line.amount))?;
        if quantity > 0 && !lines.is_empty() {
            lines.push(Line::new(
                LineKind::Tax,
                None,
                month,
                quantity,
                UnitPrice { amount: charges, per: WHOLE_BASIS_POINTS },
            )?);
        }
        Ok(lines)
    }

    /// Services whose running month is on no invoice because they were suspended when it began, or were paid for later.
    pub fn bill_missing(&mut self) -> Done {
        let month = self.account.standing.month;
        let services: Vec<Service> = self.account.services.keys().copied().collect();
        for service in services {
            if is_renewed(&self.account.service(service), month) {
                self.bill_month_of(service, Purpose::Resume { service })?;
            }
        }
        Ok(())
    }

    /// A service that was never paid for owes nothing for a month that is over: it is asked to pay for the running one
    /// instead, once. If that is not paid either, it ends; but not while nobody may be asked.
    pub fn renew_unpaid(&mut self) -> Done {
        let month = self.account.standing.month;
        let services: Vec<Service> = self.account.services.keys().copied().collect();
        for service in services {
            let account = self.account.service(service);
            let purpose = Purpose::Subscribe { service };
            let is_asked = |invoice: &Invoice| invoice.purpose == purpose && self.account.is_under_way(invoice.id);
            let under_way = self.account.unpaid().into_iter().any(is_asked);
            let waits = account.instance.tier.is_some() && !account.instance.paid_once;
            if waits && account.billed_through < Some(month) && !under_way {
                self.void_unpaid_of(service)?;
                if account.renewed_unpaid && self.account.standing.parked.is_none() {
                    self.end_unpaid(service)?;
                } else {
                    let renewed = ServiceAccount { renewed_unpaid: true, ..account };
                    self.save_service(service, renewed, ServiceChange::Billed);
                    self.bill_month_of(service, purpose)?;
                }
            }
        }
        Ok(())
    }

    fn end_unpaid(&mut self, service: Service) -> Done {
        let account = self.account.service(service);
        let instance = account.instance.cancel(self.now)?;
        let ended = ServiceAccount { instance, billed_through: None, renewed_unpaid: false, ..account };
        self.save_service(service, ended, ServiceChange::Ended);
        self.notify(Notice::SubscriptionLapsed { service });
        Ok(())
    }
}

/// Whether a service that runs has a month to be billed. What is suspended for want of payment is not charged for.
fn is_renewed(account: &ServiceAccount, month: Month) -> bool {
    let runs = matches!(
        account.instance.state,
        ServiceState::Disabled | ServiceState::Enabled | ServiceState::SuspendedMaintenance
    );
    runs && account.instance.paid_once && account.billed_through < Some(month)
}

/// The prepaid lines of a month, with services as they are when it begins.
fn prepaid_lines(
    services: &BTreeMap<Service, ServiceAccount>,
    month: Month,
    terms: &Terms,
) -> Result<Vec<Line>, MoneyOverflow> {
    let mut lines = Vec::new();
    for (service, account) in services {
        if is_renewed(account, month) {
            lines.extend(month_lines(*service, account, month, terms)?);
        }
    }
    Ok(lines)
}

/// A month of a service: its tier, and what it has beyond that. Nothing without a tier.
pub(super) fn month_lines(
    service: Service,
    account: &ServiceAccount,
    month: Month,
    terms: &Terms,
) -> Result<Vec<Line>, MoneyOverflow> {
    let Some(tier) = account.instance.tier else { return Ok(Vec::new()) };
    let price = UnitPrice::each(terms.tier(tier));
    let mut lines = vec![Line::new(LineKind::Subscription { tier }, Some(service), month, 1, price)?];
    for (kind, quantity) in account.extras.iter().filter(|(_, quantity)| **quantity > 0) {
        let price = UnitPrice::each(terms.extra(*kind));
        lines.push(Line::new(LineKind::Extra(*kind), Some(service), month, *quantity, price)?);
    }
    Ok(lines)
}

/// Whether a month is one of the [`LATE_USAGE_MONTHS`] before another.
fn is_shortly_before(earlier: Month, month: Month) -> Done<bool> {
    let mut later = earlier;
    for _ in 0..LATE_USAGE_MONTHS {
        later = later.next()?;
        if later == month {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Only what is usage of its month.
fn own_usage(usage: &MonthUsage) -> Done<Vec<Line>> {
    let right = usage.lines.iter().all(|line| line.is_usage() && line.month == usage.month);
    if right { Ok(usage.lines.clone()) } else { Err(BillingError::Incomplete("a line of usage is of another month")) }
}

fn settled(instance: &ServiceInstance, at: UtcMillis) -> ServiceInstance {
    let mut instance = instance.clone();
    while let Some((next, _)) = instance.due(at) {
        instance = next;
    }
    instance
}
