//! What customers ask for: subscribing, changing tiers, cancelling and undoing it. Which state allows what is said in
//! [`crate::core::service_instance`]; here is what it costs.
//!
//! ```text
//! subscribe ──▶ invoice for the whole month ──paid──▶ usable; the days before come back as credit
//! larger tier ──▶ invoice for the rest of the month ──paid──▶ the tier begins
//!                            │                     └─declined──▶ void, nothing has changed
//!                            └──paid when the month is over──▶ nothing has changed, its cost comes back as credit
//! smaller tier ──▶ on the next 1st; asking for the present tier undoes it
//! cancel ──▶ at the end of the month; can be undone until then
//!
//! never paid for: every change is at once; the old invoice is void, and there is one for the new tier
//!                 month over ──▶ void, one for the next month ──month over──▶ void, and the subscription ends
//! ```

use super::account::ServiceAccount;
use super::action::ServiceChange;
use super::books::{Books, Done};
use super::cycle::month_lines;
use super::error::Refusal;
use super::ids::InvoiceId;
use super::invoice::{Invoice, Purpose};
use super::line::{Line, LineKind};
use super::proration::{credit_for_days_before, upgrade_days};
use super::terms::UnitPrice;
use crate::core::id::Service;
use crate::core::money::Usd;
use crate::core::service_instance::{ServiceInstance, ServiceRefusal};
use crate::core::tier::Tier;

impl Books<'_> {
    pub fn subscribe(&mut self, service: Service, tier: Tier) -> Done {
        let account = self.account.service(service);
        let instance = account.instance.subscribe(tier, self.now)?;
        if let Some(unpaid) = self.account.unpaid().first().filter(|_| self.account.standing.dunning.suspended) {
            return Err(Refusal::UnpaidInvoice(unpaid.id).into());
        }
        self.save_service(service, ServiceAccount { instance, ..account }, ServiceChange::Subscribed);
        self.bill_month_of(service, Purpose::Subscribe { service })
    }

    /// An invoice for the whole running month of a service and what it has beyond its tier, with a credit for the days
    /// before.
    pub fn bill_month_of(&mut self, service: Service, purpose: Purpose) -> Done {
        let account = self.account.service(service);
        let month = self.account.standing.month;
        if account.instance.tier.is_none() {
            return Err(ServiceRefusal::NotProvisioned.into());
        }
        let lines = month_lines(service, &account, month, self.terms)?;
        let price = Usd::sum(lines.iter().map(|line| line.amount))?;
        let draft = self.new_invoice(purpose, month);
        let credit_on_payment = credit_for_days_before(price, month, self.now)?;
        let billed = ServiceAccount { billed_through: Some(month), ..account };
        self.save_service(service, billed, ServiceChange::Billed);
        let lines = self.with_tax(lines, month)?;
        let id = self.issue(Invoice { credit_on_payment, ..draft.with_lines(lines)? })?;
        self.collect(id)
    }

    pub fn change_tier(&mut self, service: Service, to: Tier) -> Done {
        let account = self.account.service(service);
        let before = &account.instance;
        let instance = before.change_tier(to, self.now)?;
        let from = before.tier.unwrap_or(to);
        self.require_nothing_under_way(service)?;
        if !before.paid_once {
            return if to == from { Ok(()) } else { self.replace_unpaid(service, instance, from, to) };
        }
        if to > from {
            return self.upgrade(service, from, to);
        }
        if instance != *before {
            self.save_service(service, ServiceAccount { instance, ..account }, ServiceChange::TierScheduled);
        }
        Ok(())
    }

    fn replace_unpaid(&mut self, service: Service, instance: ServiceInstance, from: Tier, to: Tier) -> Done {
        self.void_unpaid_of(service)?;
        let account = self.account.service(service);
        let change = ServiceChange::TierChanged { from, to };
        self.save_service(service, ServiceAccount { instance, ..account }, change);
        self.bill_month_of(service, Purpose::Subscribe { service })
    }

    fn upgrade(&mut self, service: Service, from: Tier, to: Tier) -> Done {
        if self.account.standing.parked.is_some() {
            return Err(Refusal::Parked.into());
        }
        if let Some(unpaid) =
            self.account.unpaid().into_iter().find(|invoice| invoice.purpose.is_for_running_services())
        {
            return Err(Refusal::UnpaidInvoice(unpaid.id).into());
        }
        let month = self.account.standing.month;
        let difference = self.terms.tier(to).checked_sub(self.terms.tier(from))?.max(Usd::ZERO);
        let unit = UnitPrice { amount: difference, per: u64::from(month.days()) };
        let days = u64::from(upgrade_days(month, self.now));
        let lines = vec![Line::new(LineKind::Upgrade { from, to }, Some(service), month, days, unit)?];
        let draft = self.new_invoice(Purpose::Upgrade { service, to }, month);
        let lines = self.with_tax(lines, month)?;
        let id = self.issue(draft.with_lines(lines)?)?;
        self.apply_credits(id)?;
        let invoice = self.invoice(id)?;
        self.require_payable(&invoice)?;
        self.collect(id)
    }

    pub fn cancel(&mut self, service: Service) -> Done {
        let account = self.account.service(service);
        let instance = account.instance.cancel(self.now)?;
        self.require_nothing_under_way(service)?;
        if account.instance.paid_once {
            if instance != account.instance {
                self.save_service(service, ServiceAccount { instance, ..account }, ServiceChange::Cancelled);
            }
            return Ok(());
        }
        self.void_unpaid_of(service)?;
        let gone = ServiceAccount { instance, billed_through: None, renewed_unpaid: false, ..account };
        self.save_service(service, gone, ServiceChange::Ended);
        Ok(())
    }

    pub fn undo_cancel(&mut self, service: Service) -> Done {
        let account = self.account.service(service);
        let instance = account.instance.undo_cancel()?;
        self.save_service(service, ServiceAccount { instance, ..account }, ServiceChange::CancellationUndone);
        Ok(())
    }

    /// Unpaid invoices of a service that was never paid for.
    pub fn void_unpaid_of(&mut self, service: Service) -> Done {
        let is_its = |invoice: &&Invoice| invoice.purpose == Purpose::Subscribe { service };
        let unpaid: Vec<InvoiceId> =
            self.account.unpaid().into_iter().filter(is_its).map(|invoice| invoice.id).collect();
        unpaid.into_iter().try_for_each(|id| self.void(id))
    }

    /// While an answer is awaited that decides about the service, nothing else is decided.
    fn require_nothing_under_way(&self, service: Service) -> Done {
        let decides = |invoice: &Invoice| {
            let begins = matches!(invoice.purpose, Purpose::Subscribe { .. } | Purpose::Upgrade { .. });
            begins && invoice.purpose.service() == Some(service) && self.account.is_under_way(invoice.id)
        };
        if self.account.unpaid().into_iter().any(decides) { Err(Refusal::PaymentUnderWay.into()) } else { Ok(()) }
    }
}
