use proptest::prelude::*;

use super::ServiceState::{
    CancellationPending, Disabled, Enabled, NotProvisioned, SuspendedMaintenance, SuspendedNoPayment,
};
use super::*;
use crate::core::id::Service;

/// 2026-11-23T09:00:00Z
const NOW: UtcMillis = UtcMillis(1_795_424_400_000);
/// 2026-12-01T00:00:00Z
const NEXT_MONTH: UtcMillis = UtcMillis(1_796_083_200_000);

fn at(state: ServiceState, tier: Tier, paid_once: bool) -> ServiceInstance {
    let tier = (state != NotProvisioned).then_some(tier);
    let pending_until = (state == CancellationPending).then_some(NOW.plus_ms(PENDING_MS));
    ServiceInstance { state, tier, paid_once, pending_until, ..ServiceInstance::default() }
}

type Action = fn(&ServiceInstance) -> Next;

const ACTIONS: [(&str, Action); 13] = [
    ("subscribe", |service| service.subscribe(Tier::Pro, NOW)),
    ("mark_paid", ServiceInstance::mark_paid),
    ("upgrade", |service| service.change_tier(Tier::Enterprise, NOW)),
    ("downgrade", |service| service.change_tier(Tier::Starter, NOW)),
    ("same_tier", |service| service.change_tier(Tier::Pro, NOW)),
    ("enable", ServiceInstance::enable),
    ("disable", ServiceInstance::disable),
    ("suspend_maintenance", ServiceInstance::suspend_maintenance),
    ("suspend_no_payment", ServiceInstance::suspend_no_payment),
    ("resume_maintenance", ServiceInstance::resume_maintenance),
    ("resume_no_payment", ServiceInstance::resume_no_payment),
    ("cancel", |service| service.cancel(NOW)),
    ("undo_cancel", ServiceInstance::undo_cancel),
];

/// What is scheduled in an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheduled {
    Nothing,
    SmallerTier,
    Cancellation,
}

/// Every instance that can be, with Pro: what was never paid for has nothing scheduled and is not enabled.
fn instances() -> Vec<(ServiceInstance, Scheduled)> {
    let mut found = Vec::new();
    for state in ServiceState::ALL {
        for (paid_once, scheduled) in [
            (false, Scheduled::Nothing),
            (true, Scheduled::Nothing),
            (true, Scheduled::SmallerTier),
            (true, Scheduled::Cancellation),
        ] {
            let instance = ServiceInstance {
                scheduled_tier: (scheduled == Scheduled::SmallerTier).then_some((Tier::Starter, NEXT_MONTH)),
                cancel_at: (scheduled == Scheduled::Cancellation).then_some(NEXT_MONTH),
                ..at(state, Tier::Pro, paid_once)
            };
            if broken(&instance).is_none() {
                found.push((instance, scheduled));
            }
        }
    }
    found
}

/// What must hold of every instance; the first thing that does not.
fn broken(service: &ServiceInstance) -> Option<&'static str> {
    let provisioned = service.state != NotProvisioned;
    let pending = service.state == CancellationPending;
    let extras = service.settings.burst || service.settings.ip_allowlist_enabled;
    let rules = [
        ("a tier exactly while provisioned", service.tier.is_some() == provisioned),
        ("only what is provisioned was paid for", provisioned || !service.paid_once),
        ("what ends or ended was paid for", service.paid_once || (!pending && service.cancel_at.is_none())),
        ("a cancellation of what has not ended", service.cancel_at.is_none() || (provisioned && !pending)),
        ("an end of pending exactly while pending", service.pending_until.is_some() == pending),
        ("a cool-down only while not provisioned", service.cooldown_until.is_none() || !provisioned),
        ("only a smaller tier is scheduled", service.scheduled_tier.is_none_or(|(to, _)| Some(to) < service.tier)),
        ("no tier for what is cancelled", service.scheduled_tier.is_none() || service.cancel_at.is_none()),
        ("no tier for what has ended", service.scheduled_tier.is_none() || (service.paid_once && !pending)),
        ("keys of what was paid for", !service.keys_work() || service.paid_once),
        ("extras of a tier that includes them", !extras || service.tier.is_some_and(includes_extras)),
    ];
    rules.into_iter().find(|(_, holds)| !holds).map(|(rule, _)| rule)
}

/// Which state follows; `None`: refused.
fn documented(before: &ServiceInstance, scheduled: Scheduled, action: &str) -> Option<ServiceState> {
    let (state, paid) = (before.state, before.paid_once);
    let working = matches!(state, Disabled | Enabled);
    let suspended = matches!(state, SuspendedMaintenance | SuspendedNoPayment);
    let cancelled = scheduled == Scheduled::Cancellation;
    match action {
        "subscribe" if state == NotProvisioned => Some(Disabled),
        "mark_paid" if state != NotProvisioned => Some(state),
        "enable" if working && paid => Some(Enabled),
        "disable" if working => Some(Disabled),
        "suspend_maintenance" if working => Some(SuspendedMaintenance),
        "suspend_no_payment" if working => Some(SuspendedNoPayment),
        "resume_maintenance" if state == SuspendedMaintenance => Some(Disabled),
        "resume_no_payment" if state == SuspendedNoPayment => Some(Disabled),
        "upgrade" | "downgrade" | "same_tier" if working && !cancelled => Some(state),
        "cancel" if (working || suspended) && !paid => Some(NotProvisioned),
        "cancel" if working || suspended => Some(state),
        "undo_cancel" if cancelled => Some(state),
        _ => None,
    }
}

#[test]
fn every_action_in_every_state_leads_where_it_is_documented_to_or_is_refused() {
    let instances = instances();
    assert_eq!(instances.len(), 1 + 3 + 4 + 4 + 4 + 1, "{instances:?}");
    for (before, scheduled) in instances {
        for (name, action) in ACTIONS {
            let after = action(&before);
            let found = after.as_ref().ok().map(|after| after.state);
            assert_eq!(found, documented(&before, scheduled, name), "{name} of {before:?}: {after:?}");
            assert_eq!(after.ok().and_then(|after| broken(&after)), None, "{name} of {before:?}");
        }
    }
}

#[test]
fn what_is_done_twice_is_done_once() {
    for (before, _) in instances() {
        for name in ["enable", "disable", "mark_paid", "upgrade", "downgrade", "same_tier"] {
            let (_, action) = ACTIONS.into_iter().find(|row| row.0 == name).unwrap();
            if let Ok(once) = action(&before) {
                assert_eq!(action(&once).unwrap(), once, "{name} of {before:?}");
            }
        }
    }
}

/// Everything that is due, one step after the other.
fn settled(service: &ServiceInstance, now: UtcMillis) -> ServiceInstance {
    let mut service = service.clone();
    let mut steps = 0;
    while let Some((next, _)) = service.due(now) {
        assert_eq!(broken(&next), None, "{service:?}");
        assert!(service.due_at().is_some_and(|at| at <= now), "{service:?}");
        service = next;
        steps += 1;
        assert!(steps < 4, "it goes on for ever: {service:?}");
    }
    assert!(service.due_at().is_none_or(|at| at > now), "{service:?}");
    service
}

fn any_action() -> impl Strategy<Value = (usize, usize, i64)> {
    (0..12usize, 0..3usize, 0..20i64)
}

fn act(service: &ServiceInstance, action: usize, tier: Tier, now: UtcMillis) -> Next {
    match action {
        0 => service.subscribe(tier, now),
        1 | 2 => service.mark_paid(),
        3 => service.enable(),
        4 => service.disable(),
        5 => service.suspend_maintenance(),
        6 => service.suspend_no_payment(),
        7 => service.resume_maintenance(),
        8 => service.resume_no_payment(),
        9 => service.change_tier(tier, now),
        10 => service.cancel(now),
        _ => service.undo_cancel(),
    }
}

proptest! {
    #[test]
    fn whatever_is_done_the_rules_hold_and_lateness_changes_nothing(
        actions in prop::collection::vec(any_action(), 0..40),
        wait_days in 0..60i64,
    ) {
        let (mut service, mut now) = (ServiceInstance::default(), NOW);
        for (action, tier, days) in actions {
            if let Ok(next) = act(&service, action, Tier::ALL[tier], now) {
                prop_assert_eq!(broken(&next), None, "{} of {:?}", action, service);
                service = next;
            }
            let later = now.plus_ms(days * DAY_MS);
            let halfway = now.plus_ms(days * DAY_MS / 2);
            let late = settled(&service, later);
            prop_assert_eq!(&settled(&settled(&service, halfway), later), &late);
            prop_assert!(late.banner(Service::Seal, later).is_none_or(|banner| banner.text.starts_with("Seal ")));
            (service, now) = (late, later);
        }
        if service.cancel_at.is_some() || service.pending_until.is_some() {
            let end = settled(&service, now.plus_ms((31 + 7 + wait_days) * DAY_MS));
            prop_assert_eq!(end.state, NotProvisioned, "a cancellation comes to its end");
        }
    }
}

#[test]
fn a_resumption_goes_back_to_what_was_before() {
    for before in [at(Enabled, Tier::Pro, true), at(Disabled, Tier::Pro, true)] {
        let maintenance = before.suspend_maintenance().unwrap();
        let no_payment = before.suspend_no_payment().unwrap();
        assert!(!maintenance.keys_work() && !no_payment.keys_work());
        assert_eq!(maintenance.resume_maintenance().unwrap(), before);
        assert_eq!(no_payment.resume_no_payment().unwrap(), before);
    }
}

#[test]
fn a_tier_grows_at_once_and_shrinks_with_the_month() {
    let pro = at(Enabled, Tier::Pro, true);
    let up = pro.change_tier(Tier::Enterprise, NOW).unwrap();
    assert_eq!((up.tier, up.scheduled_tier), (Some(Tier::Enterprise), None));
    let down = up.change_tier(Tier::Starter, NOW).unwrap();
    assert_eq!((down.tier, down.scheduled_tier), (Some(Tier::Enterprise), Some((Tier::Starter, NEXT_MONTH))));
    let last_wins = down.change_tier(Tier::Pro, NOW).unwrap();
    assert_eq!(last_wins.scheduled_tier, Some((Tier::Pro, NEXT_MONTH)));
    assert_eq!(last_wins.change_tier(Tier::Enterprise, NOW).unwrap(), up, "the tier it has undoes it");
    assert_eq!(down.due(NEXT_MONTH.plus_ms(-1)), None);
    let (after, event) = down.due(NEXT_MONTH.plus_ms(1_000_000)).unwrap();
    assert_eq!(event, DueEvent::TierChanged { from: Tier::Enterprise, to: Tier::Starter });
    assert_eq!((after.tier, after.due_at()), (Some(Tier::Starter), None));
    let unpaid = at(Disabled, Tier::Enterprise, false).change_tier(Tier::Starter, NOW).unwrap();
    assert_eq!(unpaid.tier, Some(Tier::Starter), "what was never paid for changes at once");
}

#[test]
fn a_first_payment_is_waited_for_from_the_subscription_on() {
    let fresh = ServiceInstance::default();
    let subscribed = fresh.subscribe(Tier::Pro, NOW).unwrap();
    let paid = subscribed.mark_paid().unwrap();
    let suspended = subscribed.suspend_no_payment().unwrap();
    for (service, expected) in [(&fresh, false), (&subscribed, true), (&suspended, true), (&paid, false)] {
        assert_eq!(service.awaits_payment(), expected, "{service:?}");
        assert_eq!(service.cancel(NOW).is_ok_and(|after| after.tier.is_none()), expected, "ends at once: {service:?}");
    }
}

#[test]
fn a_cancellation_runs_its_course_however_late_it_is_looked_at() {
    let cancelled = at(Enabled, Tier::Pro, true).cancel(NOW).unwrap();
    assert!(cancelled.keys_work(), "until the month ends");
    assert_eq!(cancelled.due_at(), Some(NEXT_MONTH));
    assert_eq!(cancelled.undo_cancel().unwrap(), at(Enabled, Tier::Pro, true));
    assert!(matches!(cancelled.change_tier(Tier::Starter, NOW), Err(ServiceRefusal::Cancelled)));
    assert_eq!(cancelled.cancel(NEXT_MONTH.plus_ms(5)).unwrap().cancel_at, Some(NEXT_MONTH), "again changes nothing");

    let late = NEXT_MONTH.plus_ms(100 * DAY_MS);
    let (pending, event) = cancelled.due(late).unwrap();
    assert_eq!((pending.state, event), (CancellationPending, DueEvent::CancellationBegan));
    let end = NEXT_MONTH.plus_ms(PENDING_MS);
    assert!(matches!(pending.undo_cancel(), Err(ServiceRefusal::Pending(until)) if until == end));
    let (gone, event) = pending.due(late).unwrap();
    assert_eq!((gone.state, event), (NotProvisioned, DueEvent::CleanedUp));
    assert_eq!(gone.due(late), None);
    let cool = end.plus_ms(COOLDOWN_MS);
    assert_eq!(gone.subscribe(Tier::Pro, cool.plus_ms(-1)), Err(ServiceRefusal::CoolingDown(cool)));
    assert_eq!(gone.subscribe(Tier::Starter, cool).unwrap(), at(Disabled, Tier::Starter, false));
}

#[test]
fn settings_need_the_tier_that_includes_them_and_go_with_it() {
    let entries = |list: &[&str]| Some(list.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>());
    let change = |burst, enabled, list: Option<Vec<String>>| SettingsChange {
        burst,
        ip_allowlist_enabled: enabled,
        ip_allowlist: list,
    };
    for (tier, asked, expected) in [
        (Tier::Pro, change(Some(true), Some(true), entries(&["203.0.113.9"])), Ok("true true 203.0.113.9")),
        (Tier::Enterprise, change(Some(true), None, None), Ok("true false ")),
        (Tier::Starter, change(Some(false), Some(false), None), Ok("false false ")),
        (Tier::Starter, change(None, None, entries(&["203.0.113.9"])), Ok("false false 203.0.113.9")),
        (Tier::Starter, change(Some(true), Some(true), None), Err("burst, ip_allowlist_enabled")),
        (Tier::Pro, change(None, Some(true), None), Err("ip_allowlist_enabled")),
        (Tier::Pro, change(None, Some(true), entries(&["x", "y"])), Err("ip_allowlist[0], ip_allowlist[1]")),
        (Tier::Pro, change(Some(true), None, entries(&["1.1.1.1", "2.2.2.2", "3.3.3.3"])), Err("ip_allowlist")),
    ] {
        let outcome = at(Enabled, tier, true).change_settings(&asked, 2);
        let fields =
            |errors: FieldErrors| errors.list().iter().map(|error| error.field.clone()).collect::<Vec<_>>().join(", ");
        let shown = outcome
            .map(|settings| format!("{} {} {}", settings.burst, settings.ip_allowlist_enabled, settings.ip_allowlist))
            .map_err(fields);
        assert_eq!(shown, expected.map(str::to_owned).map_err(str::to_owned), "{tier:?} {asked:?}");
    }
    let settings =
        at(Enabled, Tier::Pro, true).change_settings(&change(Some(true), Some(true), entries(&["1.1.1.1"])), 2);
    let pro = ServiceInstance { settings: settings.unwrap(), ..at(Enabled, Tier::Pro, false) };
    let starter = pro.change_tier(Tier::Starter, NOW).unwrap();
    assert!(!starter.settings.burst && !starter.settings.ip_allowlist_enabled);
    assert!(!starter.settings.ip_allowlist.is_empty(), "the list itself is kept for those who come back");
}
