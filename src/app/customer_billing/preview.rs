//! What something would cost, before it is done: by the same decision that is made when it is done.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::invoices::{InvoiceSums, credit_reasons, sums};
use super::lines::{InvoiceLineView, line_views};
use super::shortfall::{ShortfallView, shortfall_view};
use crate::app::billing::foresee;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::billing::{Event, Invoice, Preview};
use crate::core::calendar::UtcMillis;
use crate::core::field_error::FieldErrors;
use crate::core::id::Service;
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::tier::Tier;
use crate::ledger::ReadTx;

/// What would be done.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewAsked {
    #[schema(schema_with = action_schema)]
    action: String,
    /// To subscribe or change to; for `subscribe` and `change_tier`.
    #[serde(default)]
    #[schema(schema_with = tier_schema, required = false)]
    tier: Option<String>,
}

const ACTIONS: [&str; 4] = ["subscribe", "change_tier", "cancel", "undo_cancel"];

fn action_schema() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(ACTIONS)).build()
}

fn tier_schema() -> Object {
    let about = "To subscribe or change to; for `subscribe` and `change_tier` only.";
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(Tier::ALL.map(Tier::name)))
        .description(Some(about))
        .build()
}

/// What doing it now would lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Preview)]
pub struct PreviewView {
    #[schema(format = DateTime)]
    pub as_of: String,
    /// When it takes effect, once what it costs is paid.
    #[schema(format = DateTime)]
    pub takes_effect_at: String,
    /// The invoices that it makes at once: none if it costs nothing now.
    pub invoices: Vec<PreviewedInvoice>,
    /// What they demand of payment methods.
    pub demanded_micros: i64,
    /// The same, for people.
    pub demanded: String,
    /// Whether all of it can be paid at once, by all that is known here.
    pub can_pay_now: bool,
    /// By what, in this order.
    pub paid_by: Vec<PreviewPayment>,
    /// If it cannot be paid at once: `waits` for the payment, or is `refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub if_unpaid: Option<String>,
    /// If it cannot be paid at once: what is missing for it, and for what was unpaid before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub shortfall: Option<ShortfallView>,
    /// What the end of the month is billed afterwards, by all that is known: usage so far, and the next month prepaid.
    pub next_invoice: PreviewedInvoice,
}

/// An invoice that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PreviewedInvoice {
    #[serde(flatten)]
    pub sums: InvoiceSums,
    pub lines: Vec<InvoiceLineView>,
}

/// What pays how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PreviewPayment {
    /// `credits`, or a payment method: `escrow`.
    pub method: String,
    pub amount_micros: i64,
    /// The same, for people.
    pub amount: String,
}

impl App {
    /// Shows what doing something to a service of the caller would lead to. Nothing is done.
    ///
    /// # Errors
    /// Those of doing it, but that what cannot be paid is shown; [`Code::InvalidFields`].
    ///
    /// [`Code::InvalidFields`]: crate::core::error_code::Code::InvalidFields
    pub async fn preview_service(
        &self,
        caller: &Caller,
        service: Service,
        asked: PreviewAsked,
    ) -> Result<PreviewView, AppError> {
        let event = asked.event(service)?;
        let (customer, now, tariff) = (caller.customer, self.clock.now(), self.tariff());
        let read = move |tx: &ReadTx<'_>| {
            let preview = foresee(tx, customer, &event, &tariff, now)?;
            view(tx, &preview, takes_effect_at(&preview, service, &event, now), now)
        };
        self.ledger.read(read).await
    }
}

impl PreviewAsked {
    fn event(&self, service: Service) -> Result<Event, Refusal> {
        let mut errors = FieldErrors::new();
        let takes_tier = matches!(self.action.as_str(), "subscribe" | "change_tier");
        let tier = match &self.tier {
            Some(_) if !takes_tier => {
                errors.add("tier", "is for subscribe and change_tier only");
                None
            }
            Some(name) => errors.take("tier", Tier::from_name(name).ok_or("use starter, pro or enterprise")),
            None if takes_tier => {
                errors.add("tier", "give starter, pro or enterprise");
                None
            }
            None => None,
        };
        let event = match (self.action.as_str(), tier) {
            ("subscribe", Some(tier)) => Some(Event::Subscribe { service, tier }),
            ("change_tier", Some(tier)) => Some(Event::ChangeTier { service, tier }),
            ("cancel", _) => Some(Event::Cancel { service }),
            ("undo_cancel", _) => Some(Event::UndoCancel { service }),
            ("subscribe" | "change_tier", None) => None,
            _ => {
                errors.add("action", "use subscribe, change_tier, cancel or undo_cancel");
                None
            }
        };
        errors.clone().finish()?;
        event.ok_or_else(|| errors.into())
    }
}

/// A smaller tier and the end of a service wait for the month's end; everything else begins when it is paid.
fn takes_effect_at(preview: &Preview, service: Service, event: &Event, now: UtcMillis) -> UtcMillis {
    let after = preview.services.get(&service).map(|account| &account.instance);
    let at = after.and_then(|after| match event {
        Event::ChangeTier { tier, .. } => {
            after.scheduled_tier.filter(|(scheduled, _)| scheduled == tier).map(|(_, at)| at)
        }
        Event::Cancel { .. } => after.cancel_at,
        _ => None,
    });
    at.unwrap_or(now)
}

fn view(tx: &ReadTx<'_>, preview: &Preview, effect: UtcMillis, now: UtcMillis) -> Result<PreviewView, AppError> {
    let can_pay_now = preview.can_pay_now;
    let if_unpaid = if preview.cannot_pay { "refused" } else { "waits" };
    Ok(PreviewView {
        as_of: now.to_string(),
        takes_effect_at: effect.to_string(),
        invoices: preview.invoices.iter().map(|invoice| previewed(tx, invoice)).collect::<Result<_, _>>()?,
        demanded_micros: preview.demanded.micros(),
        demanded: preview.demanded.to_string(),
        can_pay_now,
        paid_by: paid_by(preview)?,
        if_unpaid: (!can_pay_now).then(|| if_unpaid.to_owned()),
        shortfall: preview.shortfall.map(shortfall_view),
        next_invoice: PreviewedInvoice {
            sums: sums(&preview.draft)?,
            lines: line_views(&preview.draft, &preview.credits),
        },
    })
}

fn paid_by(preview: &Preview) -> Result<Vec<PreviewPayment>, MoneyOverflow> {
    let mut credits = Usd::ZERO;
    for invoice in &preview.invoices {
        credits = Usd::sum(invoice.credits()?.into_iter().map(|(_, used)| used).chain([credits]))?;
    }
    let by_credits = (credits > Usd::ZERO).then_some(("credits", credits));
    let by_methods = preview.charges.iter().map(|charge| (charge.method.name(), charge.amount));
    let payment = |(method, amount): (&str, Usd)| PreviewPayment {
        method: method.to_owned(),
        amount_micros: amount.micros(),
        amount: amount.to_string(),
    };
    Ok(by_credits.into_iter().chain(by_methods).map(payment).collect())
}

fn previewed(tx: &ReadTx<'_>, invoice: &Invoice) -> Result<PreviewedInvoice, AppError> {
    Ok(PreviewedInvoice { sums: sums(invoice)?, lines: line_views(invoice, &credit_reasons(tx, invoice)?) })
}
