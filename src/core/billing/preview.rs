//! What an action would lead to, for somebody who has not decided yet.

use std::collections::BTreeMap;

use super::account::{Account, ServiceAccount};
use super::action::Action;
use super::credit::CreditReason;
use super::decide::{Decision, decide};
use super::error::{BillingError, Refusal};
use super::event::Event;
use super::ids::{Counters, CreditId};
use super::invoice::{Invoice, InvoiceState};
use super::once_paid::OncePaid;
use super::payment::{Charge, ChargeState};
use super::shortfall::Shortfall;
use super::terms::Terms;
use crate::core::calendar::UtcMillis;
use crate::core::id::Service;
use crate::core::money::{MoneyOverflow, Usd};

/// What an action would lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The invoices that it would make now, without their numbers, as they would be when payment is asked for or done.
    pub invoices: Vec<Invoice>,
    /// What payment methods would be asked for now.
    pub demanded: Usd,
    /// The draft once it is paid: what the month ends with, by all that is known.
    pub draft: Invoice,
    /// Whether all of it can be paid at once.
    pub can_pay_now: bool,
    /// Whether it is not done, because it would have to be paid at once and cannot be.
    pub cannot_pay: bool,
    /// If it cannot be paid at once: what is missing for it, and for what was unpaid before.
    pub shortfall: Option<Shortfall>,
    /// What payment methods would be asked for, invoice by invoice.
    pub charges: Vec<Charge>,
    /// Why credits are granted that the draft may use, those that paying brings included.
    pub credits: BTreeMap<CreditId, CreditReason>,
    /// Services once it is paid.
    pub services: BTreeMap<Service, ServiceAccount>,
}

/// What [`decide`] would do: it is the same function.
///
/// # Errors
/// [`BillingError`], as deciding; except that what cannot be paid is shown.
pub fn preview(
    account: &Account,
    event: &Event,
    terms: &Terms,
    counters: Counters,
    now: UtcMillis,
) -> Result<Preview, BillingError> {
    let asked = match decide(account, event, terms, counters, now) {
        Ok(decision) => decision.asked()?,
        Err(BillingError::Refused(Refusal::CannotPay(invoice))) => Asked {
            invoices: vec![unnumbered(&invoice)],
            demanded: invoice.amount,
            cannot_pay: true,
            charges: Vec::new(),
        },
        Err(error) => return Err(error),
    };
    let mut paid = OncePaid::new(account, terms, counters, now);
    paid.carry_out(event)?;
    let draft = paid.account.draft().cloned().ok_or(BillingError::Incomplete("the draft is missing"))?;
    let services = paid.account.services.clone();
    let credits = paid.account.credits.iter().map(|(id, credit)| (*id, credit.reason)).collect();
    let can_pay_now = asked.can_pay_now()?;
    let shortfall = if can_pay_now {
        None
    } else {
        paid.pay_everything()?;
        account.shortfall_of(paid.asked, now)?
    };
    let Asked { invoices, demanded, cannot_pay, charges } = asked;
    Ok(Preview { invoices, demanded, draft, can_pay_now, cannot_pay, shortfall, charges, credits, services })
}

/// What a decision asks for.
struct Asked {
    invoices: Vec<Invoice>,
    demanded: Usd,
    cannot_pay: bool,
    charges: Vec<Charge>,
}

impl Asked {
    fn can_pay_now(&self) -> Result<bool, MoneyOverflow> {
        Ok(!self.cannot_pay && Usd::sum(self.charges.iter().map(|charge| charge.amount))? == self.demanded)
    }
}

impl Decision {
    fn asked(&self) -> Result<Asked, MoneyOverflow> {
        let issued = self.issued().filter(|invoice| invoice.state != InvoiceState::Voided);
        let invoices: Vec<Invoice> = issued.map(unnumbered).collect();
        let sent = self.actions.iter().filter_map(|action| match action {
            Action::SaveCharge(charge) if charge.state == ChargeState::Sent => Some(charge.clone()),
            _ => None,
        });
        let charges = sent.filter(|charge| invoices.iter().any(|invoice| invoice.id == charge.key.invoice)).collect();
        Ok(Asked { demanded: self.demanded()?, invoices, cannot_pay: false, charges })
    }
}

/// Another customer may take the next number first.
fn unnumbered(invoice: &Invoice) -> Invoice {
    Invoice { number: None, ..invoice.clone() }
}
