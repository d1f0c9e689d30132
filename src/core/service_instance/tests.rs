use super::ServiceState::{
    CancellationPending, Disabled, Enabled, NotProvisioned, SuspendedMaintenance, SuspendedNoPayment,
};
use super::*;

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

const ACTIONS: [(&str, Action); 9] = [
    ("subscribe", |service| service.subscribe(Tier::Pro, NOW)),
    ("enable", ServiceInstance::enable),
    ("disable", ServiceInstance::disable),
    ("suspend_maintenance", |service| service.suspend(SuspendedMaintenance)),
    ("suspend_no_payment", |service| service.suspend(SuspendedNoPayment)),
    ("resume_maintenance", |service| service.resume(SuspendedMaintenance)),
    ("resume_no_payment", |service| service.resume(SuspendedNoPayment)),
    ("cancel", |service| service.cancel(NOW)),
    ("undo_cancel", ServiceInstance::undo_cancel),
];

/// Which state follows; what is not listed is refused.
const ALLOWED: [(ServiceState, &str, bool, ServiceState); 28] = [
    (NotProvisioned, "subscribe", false, Disabled),
    (NotProvisioned, "subscribe", true, Disabled),
    (Disabled, "enable", true, Enabled),
    (Disabled, "disable", false, Disabled),
    (Disabled, "disable", true, Disabled),
    (Disabled, "suspend_maintenance", false, SuspendedMaintenance),
    (Disabled, "suspend_maintenance", true, SuspendedMaintenance),
    (Disabled, "suspend_no_payment", false, SuspendedNoPayment),
    (Disabled, "suspend_no_payment", true, SuspendedNoPayment),
    (Disabled, "cancel", false, NotProvisioned),
    (Disabled, "cancel", true, Disabled),
    (Enabled, "enable", true, Enabled),
    (Enabled, "disable", false, Disabled),
    (Enabled, "disable", true, Disabled),
    (Enabled, "suspend_maintenance", false, SuspendedMaintenance),
    (Enabled, "suspend_maintenance", true, SuspendedMaintenance),
    (Enabled, "suspend_no_payment", false, SuspendedNoPayment),
    (Enabled, "suspend_no_payment", true, SuspendedNoPayment),
    (Enabled, "cancel", false, NotProvisioned),
    (Enabled, "cancel", true, Enabled),
    (SuspendedMaintenance, "resume_maintenance", false, Disabled),
    (SuspendedMaintenance, "resume_maintenance", true, Disabled),
    (SuspendedMaintenance, "cancel", false, NotProvisioned),
    (SuspendedMaintenance, "cancel", true, SuspendedMaintenance),
    (SuspendedNoPayment, "resume_no_payment", false, Disabled),
    (SuspendedNoPayment, "resume_no_payment", true, Disabled),
    (SuspendedNoPayment, "cancel", false, NotProvisioned),
    (SuspendedNoPayment, "cancel", true, SuspendedNoPayment),
];

#[test]
fn every_action_in_every_state_leads_where_the_table_says_or_is_refused() {
    for state in ServiceState::ALL {
        for (name, action) in ACTIONS {
            for paid_once in [false, true] {
                let before = at(state, Tier::Pro, paid_once);
                let allowed = ALLOWED.iter().find(|row| (row.0, row.1, row.2) == (state, name, paid_once));
                let after = action(&before);
                let found = after.as_ref().ok().map(|after| after.state);
                assert_eq!(found, allowed.map(|row| row.3), "{name} in {state:?}, paid {paid_once}: {after:?}");
                if let Ok(after) = after {
                    assert_eq!(after.tier.is_none(), after.state == NotProvisioned, "{name} in {state:?}");
                    assert!(!after.keys_work() || after.paid_once, "{name} in {state:?}");
                }
            }
        }
    }
}

#[test]
fn a_resumption_goes_back_to_what_was_before() {
    for before in [at(Enabled, Tier::Pro, true), at(Disabled, Tier::Pro, true)] {
        for suspended in [SuspendedMaintenance, SuspendedNoPayment] {
            let during = before.suspend(suspended).unwrap();
            assert!(!during.keys_work());
            assert_eq!(during.resume(suspended).unwrap(), before);
        }
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
