//! What customers choose about paying: methods in their order, and a cap on what a month's usage may cost.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::overview::{SpendCapView, spend_cap_view};
use crate::app::billing::carry_out;
use crate::app::change::Once;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::billing::{Event, PaymentMethod, SpendCap};
use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;
use crate::core::money::Usd;

/// A cap beyond this is as good as none.
const MAX_CAP: Usd = Usd::from_dollars(1_000_000);

/// Which payment methods are asked, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentMethods {
    /// Each for the whole of what credits do not cover; the first that pays ends it. There is `escrow` only.
    #[schema(min_items = 1, max_items = 8)]
    methods: Vec<String>,
}

/// A cap to set.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SpendCapChange {
    /// What a month's usage may cost. Subscriptions do not count: they are known beforehand.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_i64)]
    amount_micros: i64,
    /// Whether keys stop when it is reached, until the month ends or the cap is raised. Without it, reaching 50, 75, 90
    /// and 100 per cent is told only.
    hard_stop: bool,
}

impl App {
    /// Sets the caller's payment methods, and asks them for what is unpaid.
    ///
    /// # Errors
    /// [`Code::InvalidFields`].
    pub async fn set_payment_methods(
        &self,
        caller: &Caller,
        once: Option<Once>,
        asked: PaymentMethods,
    ) -> Result<PaymentMethods, AppError> {
        let methods = asked.read()?;
        let set = self.change(caller, once, move |change| {
            let event = Event::SetMethods(methods);
            let decision = carry_out(change.tx, change.id(), &event, change.tariff, change.now)?;
            let methods = decision.account.standing.methods.iter().map(|method| method.name().to_owned()).collect();
            let methods = PaymentMethods { methods };
            change.note("billing.set_payment_methods", "payment_methods", json!(methods))?;
            Ok(methods)
        });
        let set = set.await?;
        self.payments.notify_one();
        Ok(set)
    }

    /// Caps what the usage of a month may cost the caller.
    ///
    /// # Errors
    /// [`Code::InvalidFields`].
    pub async fn set_spend_cap(
        &self,
        caller: &Caller,
        once: Option<Once>,
        asked: SpendCapChange,
    ) -> Result<SpendCapView, AppError> {
        let cap = asked.read()?;
        self.change(caller, once, move |change| {
            let event = Event::SetSpendCap(Some(cap));
            let decision = carry_out(change.tx, change.id(), &event, change.tariff, change.now)?;
            let details = json!({"amount_micros": cap.amount.micros(), "hard_stop": cap.hard_stop});
            change.note("billing.set_spend_cap", "spend_cap", details)?;
            Ok(spend_cap_view(&decision.account)?.ok_or_else(|| Refusal::of(Code::Internal))?)
        })
        .await
    }

    /// Takes the caller's cap away, if there is one.
    ///
    /// # Errors
    /// Those of every change.
    pub async fn remove_spend_cap(&self, caller: &Caller, once: Option<Once>) -> Result<(), AppError> {
        self.change(caller, once, move |change| {
            carry_out(change.tx, change.id(), &Event::SetSpendCap(None), change.tariff, change.now)?;
            change.note("billing.remove_spend_cap", "spend_cap", json!({}))
        })
        .await
    }
}

impl PaymentMethods {
    fn read(&self) -> Result<Vec<PaymentMethod>, Refusal> {
        let mut errors = FieldErrors::new();
        let mut methods = Vec::with_capacity(self.methods.len());
        for (place, name) in self.methods.iter().enumerate() {
            let method = PaymentMethod::from_name(name).ok_or("use escrow");
            methods.extend(errors.take(format!("methods[{place}]"), method));
        }
        errors.finish()?;
        Ok(methods)
    }
}

impl SpendCapChange {
    fn read(&self) -> Result<SpendCap, Refusal> {
        let amount = Usd::from_micros(self.amount_micros);
        if amount <= Usd::ZERO || amount > MAX_CAP {
            let mut errors = FieldErrors::new();
            errors.add("amount_micros", format!("use more than 0 and at most {} (= {MAX_CAP})", MAX_CAP.micros()));
            return Err(errors.into());
        }
        Ok(SpendCap { amount, hard_stop: self.hard_stop })
    }
}
