//! A service that a customer has: its states, its tier and its settings. Every transition is one function here.
//!
//! ```text
//!                     subscribe                     enable
//! not_provisioned ──────────────▶ disabled ◀─────────────────▶ enabled
//!        ▲                         │    ▲      disable          │   ▲
//!        │                         ▼    │ resume                ▼   │ resume (as it was before)
//!        │                     suspended_maintenance, suspended_no_payment
//!        │                         │
//!        │        the month of a cancel ends (from any of the states above)
//!        │                         ▼
//!        └────── 7 days ── cancellation_pending        (then no subscription for another 7 days)
//! ```
//!
//! A tier that grows grows at once; one that shrinks does so on the next 1st, and the last request wins. What was never
//! paid for is changed and cancelled at once.

mod banner;

use crate::core::calendar::{DAY_MS, Month, NotAMonth, UtcMillis};
use crate::core::field_error::FieldErrors;
use crate::core::ip_allowlist::IpAllowlist;
use crate::core::tier::Tier;

pub use banner::{Banner, Severity};

/// From the end of the last paid month to the clean-up.
pub const PENDING_MS: i64 = 7 * DAY_MS;
/// After the clean-up, the service cannot be subscribed to for this long.
pub const COOLDOWN_MS: i64 = 7 * DAY_MS;

/// Where a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceState {
    NotProvisioned,
    Disabled,
    Enabled,
    SuspendedMaintenance,
    SuspendedNoPayment,
    CancellationPending,
}

impl ServiceState {
    pub const ALL: [Self; 6] = [
        Self::NotProvisioned,
        Self::Disabled,
        Self::Enabled,
        Self::SuspendedMaintenance,
        Self::SuspendedNoPayment,
        Self::CancellationPending,
    ];

    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotProvisioned => "not_provisioned",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::SuspendedMaintenance => "suspended_maintenance",
            Self::SuspendedNoPayment => "suspended_no_payment",
            Self::CancellationPending => "cancellation_pending",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A service of a customer. The default is one that nobody has subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceInstance {
    pub state: ServiceState,
    /// Absent exactly while not provisioned.
    pub tier: Option<Tier>,
    /// Keys and enabling wait for the first payment.
    pub paid_once: bool,
    /// What a resumption goes back to.
    pub enabled_before_suspension: bool,
    /// A smaller tier, and when it takes effect.
    pub scheduled_tier: Option<(Tier, UtcMillis)>,
    /// When [`ServiceState::CancellationPending`] begins.
    pub cancel_at: Option<UtcMillis>,
    /// When the clean-up follows.
    pub pending_until: Option<UtcMillis>,
    /// From when it can be subscribed to again.
    pub cooldown_until: Option<UtcMillis>,
    pub settings: ServiceSettings,
}

/// What a customer sets. Both need Pro or Enterprise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceSettings {
    pub burst: bool,
    pub ip_allowlist_enabled: bool,
    pub ip_allowlist: IpAllowlist,
}

/// Settings to change; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingsChange {
    pub burst: Option<bool>,
    pub ip_allowlist_enabled: Option<bool>,
    pub ip_allowlist: Option<Vec<String>>,
}

/// Why a transition is not made, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceRefusal {
    #[error("you have not subscribed to this service: subscribe first")]
    NotProvisioned,
    #[error("you have this service already: change its tier instead")]
    Provisioned,
    #[error("this service was cancelled; it can be subscribed to again from {0}")]
    CoolingDown(UtcMillis),
    #[error("this service is suspended for maintenance: wait until it is resumed")]
    Maintenance,
    #[error("this service is suspended for want of payment: deposit, and it resumes by itself")]
    NoPayment,
    #[error(
        "this service has ended: what is left of it is deleted on {0}, and 7 days later it can be subscribed to again"
    )]
    Pending(UtcMillis),
    #[error("nothing is cancelled that could be undone")]
    NotCancelled,
    #[error("this service is cancelled: undo the cancellation first")]
    Cancelled,
    #[error("the first payment is still to come: deposit, and it is possible once that is paid")]
    PaymentPending,
    #[error("it is not suspended in this way")]
    NotSuspended,
    #[error(transparent)]
    Clock(#[from] NotAMonth),
}

/// What time has brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueEvent {
    TierChanged { from: Tier, to: Tier },
    CancellationBegan,
    CleanedUp,
}

type Next = Result<ServiceInstance, ServiceRefusal>;

impl Default for ServiceInstance {
    fn default() -> Self {
        Self {
            state: ServiceState::NotProvisioned,
            tier: None,
            paid_once: false,
            enabled_before_suspension: false,
            scheduled_tier: None,
            cancel_at: None,
            pending_until: None,
            cooldown_until: None,
            settings: ServiceSettings::default(),
        }
    }
}

impl ServiceInstance {
    /// not_provisioned → disabled.
    pub fn subscribe(&self, tier: Tier, now: UtcMillis) -> Next {
        if self.state != ServiceState::NotProvisioned {
            return Err(ServiceRefusal::Provisioned);
        }
        match self.cooldown_until {
            Some(until) if now < until => Err(ServiceRefusal::CoolingDown(until)),
            _ => Ok(Self { state: ServiceState::Disabled, tier: Some(tier), ..Self::default() }),
        }
    }

    /// The first payment has come.
    pub fn mark_paid(&self) -> Next {
        self.tier().map(|_| Self { paid_once: true, ..self.clone() })
    }

    /// disabled → enabled; enabled stays.
    pub fn enable(&self) -> Next {
        self.working()?;
        if !self.paid_once {
            return Err(ServiceRefusal::PaymentPending);
        }
        Ok(Self { state: ServiceState::Enabled, ..self.clone() })
    }

    /// enabled → disabled; disabled stays.
    pub fn disable(&self) -> Next {
        self.working()?;
        Ok(Self { state: ServiceState::Disabled, ..self.clone() })
    }

    /// Whether keys can be made.
    ///
    /// # Errors
    /// [`ServiceRefusal`].
    pub fn may_create_keys(&self) -> Result<(), ServiceRefusal> {
        self.working()?;
        if self.paid_once { Ok(()) } else { Err(ServiceRefusal::PaymentPending) }
    }

    /// Subscribed to, and the first payment is still to come.
    pub fn awaits_payment(&self) -> bool {
        self.tier.is_some() && !self.paid_once
    }

    /// disabled, enabled → suspended_maintenance, by the operator.
    pub fn suspend_maintenance(&self) -> Next {
        self.suspend(ServiceState::SuspendedMaintenance)
    }

    /// suspended_maintenance → what it was before.
    pub fn resume_maintenance(&self) -> Next {
        self.resume(ServiceState::SuspendedMaintenance)
    }

    /// disabled, enabled → suspended_no_payment.
    pub fn suspend_no_payment(&self) -> Next {
        self.suspend(ServiceState::SuspendedNoPayment)
    }

    /// suspended_no_payment → what it was before.
    pub fn resume_no_payment(&self) -> Next {
        self.resume(ServiceState::SuspendedNoPayment)
    }

    fn suspend(&self, into: ServiceState) -> Next {
        self.working()?;
        Ok(Self { state: into, enabled_before_suspension: self.state == ServiceState::Enabled, ..self.clone() })
    }

    fn resume(&self, from: ServiceState) -> Next {
        if self.state != from {
            return Err(ServiceRefusal::NotSuspended);
        }
        let state = if self.enabled_before_suspension { ServiceState::Enabled } else { ServiceState::Disabled };
        Ok(Self { state, enabled_before_suspension: false, ..self.clone() })
    }

    /// A larger tier at once, a smaller one on the next 1st; the one it has undoes a scheduled one.
    pub fn change_tier(&self, to: Tier, now: UtcMillis) -> Next {
        self.working()?;
        if self.cancel_at.is_some() {
            return Err(ServiceRefusal::Cancelled);
        }
        let from = self.tier()?;
        if to == from {
            Ok(Self { scheduled_tier: None, ..self.clone() })
        } else if to > from || !self.paid_once {
            Ok(self.with_tier(to))
        } else {
            Ok(Self { scheduled_tier: Some((to, Month::of(now)?.end())), ..self.clone() })
        }
    }

    /// At the end of the month; at once if it was never paid for.
    pub fn cancel(&self, now: UtcMillis) -> Next {
        self.tier()?;
        match self.state {
            ServiceState::CancellationPending => self.pending(),
            _ if !self.paid_once => Ok(Self::default()),
            _ => Ok(Self {
                cancel_at: Some(self.cancel_at.unwrap_or(Month::of(now)?.end())),
                scheduled_tier: None,
                ..self.clone()
            }),
        }
    }

    /// Until the month has ended.
    pub fn undo_cancel(&self) -> Next {
        match (self.state, self.cancel_at) {
            (ServiceState::CancellationPending, _) => self.pending(),
            (_, Some(_)) => Ok(Self { cancel_at: None, ..self.clone() }),
            (_, None) => Err(ServiceRefusal::NotCancelled),
        }
    }

    /// The next step that time has brought about, however late it is asked for; to be called until it is `None`.
    pub fn due(&self, now: UtcMillis) -> Option<(Self, DueEvent)> {
        if let Some(until) = self.pending_until.filter(|until| *until <= now) {
            let cooldown_until = Some(until.plus_ms(COOLDOWN_MS));
            return Some((Self { cooldown_until, ..Self::default() }, DueEvent::CleanedUp));
        }
        if let Some(at) = self.cancel_at.filter(|at| *at <= now) {
            let pending = Self {
                state: ServiceState::CancellationPending,
                cancel_at: None,
                scheduled_tier: None,
                pending_until: Some(at.plus_ms(PENDING_MS)),
                ..self.clone()
            };
            return Some((pending, DueEvent::CancellationBegan));
        }
        let (to, _) = self.scheduled_tier.filter(|(_, at)| *at <= now)?;
        let from = self.tier?;
        Some((self.with_tier(to), DueEvent::TierChanged { from, to }))
    }

    /// When [`Self::due`] has something to say next.
    pub fn due_at(&self) -> Option<UtcMillis> {
        [self.scheduled_tier.map(|(_, at)| at), self.cancel_at, self.pending_until].into_iter().flatten().min()
    }

    /// Whether a gateway lets its keys pass. Otherwise every key answers 503.
    pub fn keys_work(&self) -> bool {
        self.state == ServiceState::Enabled
    }

    /// Settings with a change, of which everything that is not right is told at once.
    ///
    /// # Errors
    /// [`FieldErrors`]; then nothing is changed.
    pub fn change_settings(&self, change: &SettingsChange, max_entries: u64) -> Result<ServiceSettings, FieldErrors> {
        let mut errors = FieldErrors::new();
        let mut settings = self.settings.clone();
        let includes = self.tier.is_some_and(includes_extras);
        if let Some(burst) = change.burst {
            if burst && !includes {
                errors.add("burst", NEEDS_PRO);
            }
            settings.burst = burst;
        }
        if let Some(entries) = &change.ip_allowlist {
            match IpAllowlist::parse(entries, max_entries) {
                Ok(list) => settings.ip_allowlist = list,
                Err(bad) => bad.list().iter().for_each(|error| errors.add(error.field.as_str(), &error.message)),
            }
        }
        if let Some(enabled) = change.ip_allowlist_enabled {
            settings.ip_allowlist_enabled = enabled;
        }
        let is_touched = change.ip_allowlist_enabled.is_some() || change.ip_allowlist.is_some();
        if is_touched && settings.ip_allowlist_enabled && !includes {
            errors.add("ip_allowlist_enabled", NEEDS_PRO);
        } else if is_touched
            && settings.ip_allowlist_enabled
            && settings.ip_allowlist.is_empty()
            && errors.list().is_empty()
        {
            errors.add("ip_allowlist_enabled", "an empty allowlist would let nobody in: give an address first");
        }
        errors.finish().map(|()| settings)
    }

    /// The tier of something that is provisioned.
    fn tier(&self) -> Result<Tier, ServiceRefusal> {
        self.tier.ok_or(ServiceRefusal::NotProvisioned)
    }

    /// Neither suspended nor ended.
    fn working(&self) -> Result<(), ServiceRefusal> {
        match self.state {
            ServiceState::Disabled | ServiceState::Enabled => Ok(()),
            ServiceState::NotProvisioned => Err(ServiceRefusal::NotProvisioned),
            ServiceState::SuspendedMaintenance => Err(ServiceRefusal::Maintenance),
            ServiceState::SuspendedNoPayment => Err(ServiceRefusal::NoPayment),
            ServiceState::CancellationPending => self.pending().map(drop),
        }
    }

    fn pending(&self) -> Next {
        Err(ServiceRefusal::Pending(self.pending_until.unwrap_or(UtcMillis(i64::MAX))))
    }

    /// What the tier does not include is switched off.
    fn with_tier(&self, tier: Tier) -> Self {
        let mut settings = self.settings.clone();
        if !includes_extras(tier) {
            settings.burst = false;
            settings.ip_allowlist_enabled = false;
        }
        Self { tier: Some(tier), scheduled_tier: None, settings, ..self.clone() }
    }
}

const NEEDS_PRO: &str = "this needs the tier Pro or Enterprise";

fn includes_extras(tier: Tier) -> bool {
    tier >= Tier::Pro
}

#[cfg(test)]
mod tests;
