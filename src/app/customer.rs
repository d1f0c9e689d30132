//! The customer's profile.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::change::Once;
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::customer::{Customer, CustomerName, TermsAcceptance};
use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;
use crate::ledger::ReadTx;
use crate::ledger::customer::{find_customer, set_customer_name, set_terms};

/// The version of the terms of service that is offered.
pub const TERMS_VERSION: u32 = 1;

/// A customer as they see themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Customer)]
pub struct CustomerView {
    pub customer_id: u32,
    #[schema(pattern = "^0x[0-9a-f]{64}$")]
    pub wallet_address: String,
    /// What you want to be called; may be empty.
    pub name: String,
    /// `active`, `suspended` or `closed`.
    pub status: String,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The account object on the chain; absent before the first deposit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub escrow_contract_id: Option<String>,
    /// The version of the terms that was accepted last; absent if none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub terms_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub terms_accepted_at: Option<String>,
    /// The version that is offered.
    pub current_terms_version: u32,
    /// What the escrow account holds.
    pub balance_micros: i64,
    /// The same, for people.
    pub balance: String,
    /// What may be charged in 28 days; 0 is unlimited.
    pub spending_limit_micros: i64,
    /// The same, for people.
    pub spending_limit: String,
}

/// What to change of a profile.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerChange {
    /// At most 80 characters; empty for none.
    #[schema(max_length = 80)]
    name: String,
}

/// Which terms are accepted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermsAccepted {
    /// `current_terms_version` of the profile.
    #[schema(minimum = 1)]
    version: u32,
}

impl App {
    /// The caller's profile.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn get_customer(&self, caller: &Caller) -> Result<CustomerView, AppError> {
        let customer = caller.customer;
        let load = move |tx: &ReadTx<'_>| {
            let found = find_customer(tx, customer)?.ok_or_else(|| Refusal::of(Code::SignInRequired))?;
            Ok(Arc::new(view(&found)))
        };
        Ok(self.keep(&self.accounts.profiles, customer, &customer, load).await?.as_ref().clone())
    }

    /// Changes the caller's profile.
    ///
    /// # Errors
    /// [`Code::InvalidFields`].
    pub async fn update_customer(
        &self,
        caller: &Caller,
        once: Option<Once>,
        asked: CustomerChange,
    ) -> Result<CustomerView, AppError> {
        self.change(caller, once, move |change| {
            let mut errors = FieldErrors::new();
            let name = errors.take("name", asked.name.parse::<CustomerName>());
            errors.finish().map_err(Refusal::from)?;
            let name = name.ok_or_else(|| Refusal::of(Code::InvalidFields))?;
            set_customer_name(change.tx, change.id(), &name)?;
            change.note("customer.rename", change.id(), json!({"from": change.customer.name, "to": name.as_str()}))?;
            Ok(view(&Customer { name: name.as_str().to_owned(), ..change.customer.clone() }))
        })
        .await
    }

    /// Notes that the caller accepts the terms.
    ///
    /// # Errors
    /// [`Code::InvalidFields`] for another version than the one that is offered.
    pub async fn accept_terms(
        &self,
        caller: &Caller,
        once: Option<Once>,
        asked: TermsAccepted,
    ) -> Result<CustomerView, AppError> {
        self.change(caller, once, move |change| {
            if asked.version != TERMS_VERSION {
                let mut errors = FieldErrors::new();
                errors.add("version", format!("version {TERMS_VERSION} is the one that is offered"));
                return Err(Refusal::from(errors).into());
            }
            let terms = TermsAcceptance { version: asked.version, at: change.now };
            set_terms(change.tx, change.id(), terms)?;
            change.note("terms.accept", change.id(), json!({"version": asked.version}))?;
            Ok(view(&Customer { terms: Some(terms), ..change.customer.clone() }))
        })
        .await
    }
}

fn view(customer: &Customer) -> CustomerView {
    CustomerView {
        customer_id: customer.customer.get(),
        wallet_address: customer.wallet_address.to_string(),
        name: customer.name.clone(),
        status: customer.status.name().to_owned(),
        created_at: customer.created_at.to_string(),
        escrow_contract_id: customer.escrow_contract_id.clone(),
        terms_version: customer.terms.map(|terms| terms.version),
        terms_accepted_at: customer.terms.map(|terms| terms.at.to_string()),
        current_terms_version: TERMS_VERSION,
        balance_micros: customer.balance.micros(),
        balance: customer.balance.to_string(),
        spending_limit_micros: customer.spending_limit.micros(),
        spending_limit: customer.spending_limit.to_string(),
    }
}
