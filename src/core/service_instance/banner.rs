//! What the dashboard says above a service: one or two sentences for its state and what is scheduled.

use super::{ServiceInstance, ServiceState};
use crate::core::calendar::UtcMillis;
use crate::core::id::Service;

/// How much a person should mind. Ordered from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

impl Severity {
    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Sentences for the customer, in plain English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    pub severity: Severity,
    pub text: String,
}

impl ServiceInstance {
    /// What a person should know; `None` if all is as it should be. What is scheduled is told beside the state, since
    /// a service that is off or suspended ends all the same.
    pub fn banner(&self, service: Service, now: UtcMillis) -> Option<Banner> {
        let title = service.title();
        let told = [self.state_banner(title, now), self.schedule_banner(title)];
        told.into_iter().flatten().reduce(|one, other| Banner {
            severity: one.severity.max(other.severity),
            text: format!("{} {}", one.text, other.text),
        })
    }

    fn state_banner(&self, title: &str, now: UtcMillis) -> Option<Banner> {
        match self.state {
            ServiceState::NotProvisioned => {
                let until = self.cooldown_until.filter(|until| now < *until)?;
                let day = day(until);
                info(format!("{title} was cancelled. It can be subscribed to again from {day}."))
            }
            ServiceState::Disabled if !self.paid_once => {
                info(format!("{title} waits for its first payment. Keys can be made once it is paid for."))
            }
            ServiceState::Disabled => info(format!("{title} is off: its keys answer 503 until you enable it.")),
            ServiceState::Enabled => None,
            ServiceState::SuspendedMaintenance => {
                warning(format!("{title} is paused for maintenance. You need not do anything."))
            }
            ServiceState::SuspendedNoPayment => {
                critical(format!("{title} is paused for want of payment. Deposit, and it resumes by itself."))
            }
            ServiceState::CancellationPending => {
                let day = day(self.pending_until?);
                critical(format!("{title} has ended: its keys answer 503, and they are deleted on {day}."))
            }
        }
    }

    fn schedule_banner(&self, title: &str) -> Option<Banner> {
        if let Some(at) = self.cancel_at {
            return warning(format!("{title} ends on {}. You can undo this until then.", day(at)));
        }
        let (tier, at) = self.scheduled_tier?;
        info(format!("{title} changes to {} on {}.", tier.title(), day(at)))
    }
}

fn info(text: String) -> Option<Banner> {
    Some(Banner { severity: Severity::Info, text })
}

fn warning(text: String) -> Option<Banner> {
    Some(Banner { severity: Severity::Warning, text })
}

fn critical(text: String) -> Option<Banner> {
    Some(Banner { severity: Severity::Critical, text })
}

/// `2026-12-01`: all that is told of begins at midnight.
fn day(at: UtcMillis) -> String {
    at.to_string().chars().take("2026-12-01".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::tier::Tier;
    use Severity::{Critical, Info, Warning};

    /// 2026-11-23T09:00:00Z
    const NOW: UtcMillis = UtcMillis(1_795_424_400_000);
    /// 2026-12-01T00:00:00Z
    const NEXT_MONTH: UtcMillis = UtcMillis(1_796_083_200_000);

    fn check(service: ServiceInstance, expected: Option<(Severity, &str)>) {
        let found = service.banner(Service::Grpc, NOW);
        let expected = expected.map(|(severity, text)| Banner { severity, text: text.to_owned() });
        assert_eq!(found, expected, "{service:?}");
    }

    fn paid(state: ServiceState) -> ServiceInstance {
        ServiceInstance { state, tier: Some(Tier::Pro), paid_once: true, ..ServiceInstance::default() }
    }

    #[test]
    fn each_state_has_its_sentence() {
        let fresh = ServiceInstance::default();
        check(fresh.clone(), None);
        check(
            ServiceInstance { cooldown_until: Some(NEXT_MONTH), ..fresh.clone() },
            Some((Info, "gRPC was cancelled. It can be subscribed to again from 2026-12-01.")),
        );
        check(ServiceInstance { cooldown_until: Some(NOW), ..fresh }, None);
        check(
            ServiceInstance { paid_once: false, ..paid(ServiceState::Disabled) },
            Some((Info, "gRPC waits for its first payment. Keys can be made once it is paid for.")),
        );
        for (state, expected) in [
            (ServiceState::Enabled, None),
            (ServiceState::Disabled, Some((Info, "gRPC is off: its keys answer 503 until you enable it."))),
            (
                ServiceState::SuspendedMaintenance,
                Some((Warning, "gRPC is paused for maintenance. You need not do anything.")),
            ),
            (
                ServiceState::SuspendedNoPayment,
                Some((Critical, "gRPC is paused for want of payment. Deposit, and it resumes by itself.")),
            ),
        ] {
            check(paid(state), expected);
        }
        check(
            ServiceInstance { pending_until: Some(NEXT_MONTH), ..paid(ServiceState::CancellationPending) },
            Some((Critical, "gRPC has ended: its keys answer 503, and they are deleted on 2026-12-01.")),
        );
    }

    #[test]
    fn what_is_scheduled_is_told_beside_the_state() {
        let cancelled = |state| ServiceInstance { cancel_at: Some(NEXT_MONTH), ..paid(state) };
        let smaller = |state| ServiceInstance { scheduled_tier: Some((Tier::Starter, NEXT_MONTH)), ..paid(state) };
        for (service, expected) in [
            (cancelled(ServiceState::Enabled), (Warning, "gRPC ends on 2026-12-01. You can undo this until then.")),
            (smaller(ServiceState::Enabled), (Info, "gRPC changes to Starter on 2026-12-01.")),
            (
                cancelled(ServiceState::Disabled),
                (
                    Warning,
                    "gRPC is off: its keys answer 503 until you enable it. gRPC ends on 2026-12-01. You can undo this \
                     until then.",
                ),
            ),
            (
                smaller(ServiceState::SuspendedNoPayment),
                (
                    Critical,
                    "gRPC is paused for want of payment. Deposit, and it resumes by itself. gRPC changes to Starter on \
                     2026-12-01.",
                ),
            ),
        ] {
            check(service, Some(expected));
        }
    }
}
