//! Services: subscribing, switching on and off, tiers, settings and cancelling. What costs something or ends it is
//! decided by billing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::billing::carry_out;
use crate::app::change::{Change, Once};
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::billing::Event;
use crate::core::calendar::{DAY_MS, Month, UtcMillis};
use crate::core::config_global::ConfigGlobal;
use crate::core::error_code::Code;
use crate::core::id::{CustomerId, Service};
use crate::core::money::Usd;
use crate::core::service_instance::{ServiceInstance, ServiceRefusal, SettingsChange};
use crate::core::tier::Tier;
use crate::core::vault::sync::{Spread, SyncState};
use crate::ledger::ReadTx;
use crate::ledger::billing_invoice::subscribed_since;
use crate::ledger::payment_terms::{StoredSpendCap, spend_cap_of};
use crate::ledger::service::{find_service, save_service};

/// Of one customer, over all services.
const SUBSCRIPTIONS_A_DAY: u32 = 20;

/// A service of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Service)]
pub struct ServiceView {
    /// `seal`, `grpc` or `graphql`.
    pub service: String,
    /// `not_provisioned`, `disabled`, `enabled`, `suspended_maintenance`, `suspended_no_payment` or
    /// `cancellation_pending`.
    pub state: String,
    /// `starter`, `pro` or `enterprise`; absent while not provisioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tier: Option<String>,
    /// Whether gateways work with it as it is here: `synced`; `pending` until every gateway that is reached does;
    /// `unknown` while none is reached.
    pub sync: String,
    /// Gateways that answer and work with it as it is here.
    pub in_force_at: usize,
    /// All gateways, those that do not answer included.
    pub gateways: usize,
    /// Whether its keys are let pass.
    pub keys_work: bool,
    /// Whether the first payment is still to come: until then it cannot be turned on, has no keys, and is cancelled at
    /// once.
    pub awaits_payment: bool,
    /// What a person should know about the state; absent if all is as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub banner: Option<String>,
    /// The smaller tier that follows, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scheduled_tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub scheduled_tier_at: Option<String>,
    /// When a cancellation takes effect; it can be undone until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub cancel_at: Option<String>,
    /// Until when keys are kept after a cancellation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub pending_until: Option<String>,
    /// From when the service can be subscribed to again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub cooldown_until: Option<String>,
    /// Requests a second that are always served.
    pub guaranteed_per_s: u64,
    /// Requests a second beyond that, served as far as there is room; 0 while burst is off.
    pub burst_per_s: u64,
    pub burst: bool,
    pub ip_allowlist_enabled: bool,
    pub ip_allowlist: Vec<String>,
}

/// All services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServiceList {
    pub items: Vec<ServiceView>,
}

/// A tier to subscribe or change to.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TierChoice {
    /// `starter`, `pro` or `enterprise`.
    #[schema(schema_with = tier_schema)]
    tier: String,
    /// `demanded_micros` of the preview that was agreed to: if it would cost anything else, nothing is done.
    #[serde(default)]
    #[schema(nullable = false)]
    expected_micros: Option<i64>,
}

fn tier_schema() -> utoipa::openapi::schema::Object {
    let names = Tier::ALL.map(Tier::name);
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(names))
        .build()
}

/// Settings to change; what is absent stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettingsChange {
    /// Serves more than is guaranteed while there is room. Pro and Enterprise.
    #[schema(nullable = false)]
    burst: Option<bool>,
    /// Whether requests from other addresses are refused. Pro and Enterprise.
    #[schema(nullable = false)]
    ip_allowlist_enabled: Option<bool>,
    /// IPv4 and IPv6 addresses, and networks in CIDR notation. Replaces the list.
    #[schema(nullable = false, max_items = 1000)]
    ip_allowlist: Option<Vec<String>>,
}

/// What is done to a service, with what it needs to know.
#[derive(Debug, Clone)]
pub enum ServiceAction {
    Subscribe(TierChoice),
    Enable,
    Disable,
    ChangeTier(TierChoice),
    Cancel,
    UndoCancel,
    ChangeSettings(ServiceSettingsChange),
}

impl App {
    /// All services of the caller.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn list_services(&self, caller: &Caller) -> Result<ServiceList, AppError> {
        let instances = self.services_of(caller.customer).await?;
        let spreads = self.spreads(caller.customer).await?;
        let (config, now) = (self.config_global.load(), self.clock.now());
        let cap = self.cap_of(caller.customer).await?;
        let items = instances.iter().map(|(service, instance)| {
            view(*service, instance, &config, spread_of(&spreads, *service), now).stopped_by(cap, now)
        });
        Ok(ServiceList { items: items.collect() })
    }

    /// One service of the caller.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn get_service(&self, caller: &Caller, service: Service) -> Result<ServiceView, AppError> {
        let instances = self.services_of(caller.customer).await?;
        let found = instances.iter().find(|(known, _)| *known == service);
        let (_, instance) = found.ok_or_else(|| Refusal::of(Code::NotFound))?;
        let spreads = self.spreads(caller.customer).await?;
        let (cap, now) = (self.cap_of(caller.customer).await?, self.clock.now());
        let shown = view(service, instance, &self.config_global.load(), spread_of(&spreads, service), now);
        Ok(shown.stopped_by(cap, now))
    }

    async fn cap_of(&self, customer: CustomerId) -> Result<Option<StoredSpendCap>, AppError> {
        Ok(self.ledger.read(move |tx| spend_cap_of(tx, customer)).await?)
    }

    async fn services_of(&self, customer: CustomerId) -> Result<Arc<Vec<(Service, ServiceInstance)>>, AppError> {
        let load = move |tx: &ReadTx<'_>| {
            let find = |service| Ok::<_, AppError>((service, find_service(tx, customer, service)?));
            Ok(Arc::new(Service::ALL.into_iter().map(find).collect::<Result<_, _>>()?))
        };
        self.keep(&self.accounts.services, customer, &customer, load).await
    }

    /// Does something to a service of the caller.
    ///
    /// # Errors
    /// [`Code::ServiceState`], [`Code::PaymentPending`], [`Code::InvalidFields`]; where money is needed
    /// [`Code::CannotPay`], [`Code::PriceChanged`], [`Code::InvoiceUnpaid`], [`Code::PaymentUnderWay`],
    /// [`Code::BillingOnHold`].
    pub async fn act_on_service(
        &self,
        caller: &Caller,
        once: Option<Once>,
        service: Service,
        action: ServiceAction,
    ) -> Result<ServiceView, AppError> {
        let spreads = self.vaults.spreads();
        let done = self.change(caller, once, move |change| {
            if let ServiceAction::Subscribe(_) = action {
                check_subscriptions(change)?;
            }
            let before = current_service(change, service)?;
            let after = match action.event(service)? {
                Some(event) => billed_as_agreed(change, service, &event, action.agreed())?,
                None => {
                    let after = decide(change, &before, &action)?;
                    if after != before {
                        save_service(change.tx, change.id(), service, &after, change.now)?;
                    }
                    after
                }
            };
            if after != before {
                change.note(action.name(), service.name(), difference(&before, &after))?;
            }
            let spreads = spreads.of(change.tx, change.id())?;
            let cap = spend_cap_of(change.tx, change.id())?;
            let shown = view(service, &after, change.config, spread_of(&spreads, service), change.now);
            Ok(shown.stopped_by(cap, change.now))
        });
        let done = done.await;
        self.payments.notify_one();
        done
    }
}

/// Each subscription makes an invoice with a number, also if it is cancelled unpaid.
fn check_subscriptions(change: &Change<'_>) -> Result<(), AppError> {
    let since = change.now.plus_ms(-DAY_MS);
    if subscribed_since(change.tx, change.id(), since, SUBSCRIPTIONS_A_DAY)? < u64::from(SUBSCRIPTIONS_A_DAY) {
        return Ok(());
    }
    let many = format!("at most {SUBSCRIPTIONS_A_DAY} subscriptions a day");
    Err(Refusal::new(Code::SubscriptionsLimited, many).retry_after(3_600).into())
}

/// A service after an event of billing.
fn billed(change: &Change<'_>, service: Service, event: &Event) -> Result<ServiceInstance, AppError> {
    billed_as_agreed(change, service, event, None)
}

/// The same, if it demands what the customer has agreed to.
fn billed_as_agreed(
    change: &Change<'_>,
    service: Service,
    event: &Event,
    agreed: Option<Usd>,
) -> Result<ServiceInstance, AppError> {
    let decision = carry_out(change.tx, change.id(), event, change.tariff, change.now)?;
    let demanded = decision.demanded()?;
    if let Some(agreed) = agreed.filter(|agreed| *agreed != demanded) {
        let detail = format!("it costs {demanded} now, and not {agreed}: look at it again");
        return Err(Refusal::new(Code::PriceChanged, detail).into());
    }
    Ok(decision.account.service(service).instance)
}

/// What is none of billing's concern.
fn decide(change: &Change<'_>, before: &ServiceInstance, action: &ServiceAction) -> Result<ServiceInstance, AppError> {
    let after = match action {
        ServiceAction::Enable => before.enable(),
        ServiceAction::Disable => before.disable(),
        ServiceAction::ChangeSettings(asked) => {
            if before.tier.is_none() {
                return Err(Refusal::from(ServiceRefusal::NotProvisioned).into());
            }
            let asked = SettingsChange {
                burst: asked.burst,
                ip_allowlist_enabled: asked.ip_allowlist_enabled,
                ip_allowlist: asked.ip_allowlist.clone(),
            };
            let settings = before.change_settings(&asked, change.config.max_ip_entries()).map_err(Refusal::from)?;
            Ok(ServiceInstance { settings, ..before.clone() })
        }
        _ => Ok(before.clone()),
    };
    Ok(after.map_err(Refusal::from)?)
}

/// A service as it is now: what time has brought about since the manager last looked is carried out first, so that no
/// decision is made on what is over.
pub(super) fn current_service(change: &Change<'_>, service: Service) -> Result<ServiceInstance, AppError> {
    let instance = find_service(change.tx, change.id(), service)?;
    if instance.due_at().is_some_and(|at| at <= change.now) {
        return billed(change, service, &Event::Tick);
    }
    Ok(instance)
}

impl TierChoice {
    /// A tier.
    pub fn of(tier: Tier) -> Self {
        Self { tier: tier.name().to_owned(), expected_micros: None }
    }

    fn read(&self) -> Result<Tier, Refusal> {
        let mut errors = crate::core::field_error::FieldErrors::new();
        let tier = errors.take("tier", Tier::from_name(&self.tier).ok_or("use starter, pro or enterprise"));
        tier.ok_or_else(|| errors.into())
    }
}

impl ServiceAction {
    /// What billing has to decide, if it is its concern.
    fn event(&self, service: Service) -> Result<Option<Event>, Refusal> {
        Ok(match self {
            Self::Subscribe(choice) => Some(Event::Subscribe { service, tier: choice.read()? }),
            Self::ChangeTier(choice) => Some(Event::ChangeTier { service, tier: choice.read()? }),
            Self::Cancel => Some(Event::Cancel { service }),
            Self::UndoCancel => Some(Event::UndoCancel { service }),
            Self::Enable | Self::Disable | Self::ChangeSettings(_) => None,
        })
    }

    /// What the customer was told that it costs, if they have said so.
    fn agreed(&self) -> Option<Usd> {
        match self {
            Self::Subscribe(choice) | Self::ChangeTier(choice) => choice.expected_micros.map(Usd::from_micros),
            _ => None,
        }
    }

    /// As the activity log names it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Subscribe(_) => "service.subscribe",
            Self::Enable => "service.enable",
            Self::Disable => "service.disable",
            Self::ChangeTier(_) => "service.change_tier",
            Self::Cancel => "service.cancel",
            Self::UndoCancel => "service.undo_cancel",
            Self::ChangeSettings(_) => "service.change_settings",
        }
    }
}

impl From<ServiceRefusal> for Refusal {
    fn from(refusal: ServiceRefusal) -> Self {
        let code = match refusal {
            ServiceRefusal::PaymentPending => Code::PaymentPending,
            _ => Code::ServiceState,
        };
        Self::new(code, refusal)
    }
}

/// What is different afterwards, for the activity log.
fn difference(before: &ServiceInstance, after: &ServiceInstance) -> Value {
    let facts = |instance: &ServiceInstance| {
        json!({
            "state": instance.state.name(),
            "tier": instance.tier.map(Tier::name),
            "scheduled_tier": instance.scheduled_tier.map(|(tier, _)| tier.name()),
            "cancel_at": instance.cancel_at.map(|at| at.to_string()),
            "burst": instance.settings.burst,
            "ip_allowlist_enabled": instance.settings.ip_allowlist_enabled,
            "ip_allowlist": instance.settings.ip_allowlist.entries().collect::<Vec<_>>(),
        })
    };
    let (before, after) = (facts(before), facts(after));
    let changed = after.as_object().into_iter().flatten().filter(|(name, value)| before.get(*name) != Some(*value));
    changed.map(|(name, value)| (name.clone(), json!({"from": before.get(name), "to": value}))).collect()
}

/// Of a customer of whom nothing was to be brought to gateways yet, nothing is known there.
fn spread_of(spreads: &BTreeMap<Service, Spread>, service: Service) -> Spread {
    spreads.get(&service).copied().unwrap_or(Spread { state: SyncState::Unknown, in_force: 0, gateways: 0 })
}

impl ServiceView {
    /// The same, where the month's spend cap has stopped keys.
    fn stopped_by(self, cap: Option<StoredSpendCap>, now: UtcMillis) -> Self {
        let is_of_now = |cap: &StoredSpendCap| Month::of(now).is_ok_and(|month| month == cap.month);
        if !self.keys_work || !cap.is_some_and(|cap| cap.stopped && is_of_now(&cap)) {
            return self;
        }
        let why = "The spend cap of this month is reached: keys answer 503 until the month ends or the cap is raised.";
        Self { keys_work: false, banner: self.banner.or_else(|| Some(why.to_owned())), ..self }
    }
}

fn view(
    service: Service,
    instance: &ServiceInstance,
    config: &ConfigGlobal,
    spread: Spread,
    now: UtcMillis,
) -> ServiceView {
    let limits = instance.tier.map(|tier| config.limits(tier));
    let text = |at: UtcMillis| at.to_string();
    ServiceView {
        service: service.name().to_owned(),
        state: instance.state.name().to_owned(),
        tier: instance.tier.map(|tier| tier.name().to_owned()),
        sync: spread.state.name().to_owned(),
        in_force_at: spread.in_force,
        gateways: spread.gateways,
        keys_work: instance.keys_work(),
        awaits_payment: instance.awaits_payment(),
        banner: instance.banner(service, now).map(|banner| banner.text),
        scheduled_tier: instance.scheduled_tier.map(|(tier, _)| tier.name().to_owned()),
        scheduled_tier_at: instance.scheduled_tier.map(|(_, at)| text(at)),
        cancel_at: instance.cancel_at.map(text),
        pending_until: instance.pending_until.map(text),
        cooldown_until: instance.cooldown_until.map(text),
        guaranteed_per_s: limits.map_or(0, |limits| limits.guaranteed_per_s),
        burst_per_s: limits.filter(|_| instance.settings.burst).map_or(0, |limits| limits.burst_per_s),
        burst: instance.settings.burst,
        ip_allowlist_enabled: instance.settings.ip_allowlist_enabled,
        ip_allowlist: instance.settings.ip_allowlist.entries().collect(),
    }
}
