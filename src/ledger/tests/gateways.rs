//! Gateways as they were noted, and what operators must hear of.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::core::gateway_fleet::{GatewayState, GatewayStatus, Standing, Trouble, Watched};
use crate::core::notification::{Notification, Severity};
use crate::ledger::gateway::{forget_other_gateways, note_gateway, noted_gateways};
use crate::ledger::notification::{
    Which, acknowledge_notification, clear_notification, delete_old_notifications, list_notifications,
    open_notification, open_notifications,
};

fn at(second: i64) -> UtcMillis {
    UtcMillis(1_795_424_400_000 + second * 1000)
}

fn watched(state: GatewayState) -> Watched {
    let status = GatewayStatus { version: "1.2".to_owned(), clock_ahead_ms: Some(-3), ..GatewayStatus::default() };
    let troubles = [(Trouble::MapFiles, 5)].into();
    Watched {
        state,
        since: at(1),
        heard_at: Some(at(2)),
        silent_since: Some(at(3)),
        standing: Standing { status, silence: Some("refused".to_owned()), troubles, ..Standing::default() },
    }
}

#[test]
fn gateways_are_read_as_they_were_noted_last() {
    let test = TestLedger::new();
    let expected: BTreeMap<u8, Watched> =
        [(1, Watched::new(at(0))), (2, watched(GatewayState::Unreachable)), (255, watched(GatewayState::HaproxyDown))]
            .into();
    let noted = expected.clone();
    test.write(move |tx| {
        note_gateway(tx, 1, &watched(GatewayState::Ok))?;
        noted.iter().try_for_each(|(gateway, watched)| note_gateway(tx, *gateway, watched))
    })
    .unwrap();
    assert_eq!(test.read(noted_gateways), expected);
    test.write(|tx| forget_other_gateways(tx, &BTreeSet::from([2, 9]))).unwrap();
    assert_eq!(test.read(noted_gateways).into_keys().collect::<Vec<_>>(), [2]);
    // Written by a version that this one cannot read: what counts is that it goes on.
    test.write(|tx| {
        tx.execute("UPDATE gateways SET standing = '{\"troubles\": {\"boredom\": 1}}'", ()).unwrap();
        Ok(())
    })
    .unwrap();
    let read = test.read(noted_gateways).remove(&2).unwrap();
    assert_eq!((read.state, read.standing), (GatewayState::Unreachable, Standing::default()));
}

fn notification(key: &str, text: &str) -> Notification {
    let (severity, text) = (Severity::Error, text.to_owned());
    Notification { key: key.to_owned(), code: "gateway_unreachable", category: "gateway", severity, text }
}

/// A step of its life, at its second.
enum Do {
    Open(&'static str),
    Clear,
    Acknowledge(u64),
}

/// Number, text, first, last, count, cleared and acknowledged.
type Told = (u64, String, i64, i64, u64, Option<i64>, Option<i64>);

fn told(test: &TestLedger, which: Which) -> Vec<Told> {
    let second = |at: UtcMillis| (at.0 - 1_795_424_400_000) / 1000;
    let listed = test.read(move |tx| list_notifications(tx, which, 100));
    let row = |item: crate::ledger::notification::StoredNotification| {
        let (cleared, seen) = (item.cleared_at.map(second), item.acknowledged_at.map(second));
        (item.number, item.text, second(item.first_at), second(item.last_at), item.openings, cleared, seen)
    };
    listed.into_iter().map(row).collect()
}

#[test]
fn what_is_the_same_is_one_notification_until_it_is_over_and_acknowledged() {
    use Do::{Acknowledge, Clear, Open};
    let all = |steps: &[(i64, Do)]| {
        let test = TestLedger::new();
        for (second, step) in steps {
            let now = at(*second);
            match step {
                Open(text) => {
                    let new = notification("gateway_unreachable/3", text);
                    test.write(move |tx| open_notification(tx, &new, now)).unwrap();
                }
                Clear => test.write(move |tx| clear_notification(tx, "gateway_unreachable/3", now)).unwrap(),
                Acknowledge(number) => {
                    let number = *number;
                    test.write(move |tx| acknowledge_notification(tx, number, now).map(drop)).unwrap();
                }
            }
        }
        let open = test.read(|tx| open_notifications(tx, "gateway"));
        assert_eq!(open.len(), told(&test, Which::All).iter().filter(|told| told.5.is_none()).count());
        told(&test, Which::All)
    };
    let one = |text: &str, first, last, count, cleared, seen| (1, text.to_owned(), first, last, count, cleared, seen);
    assert_eq!(all(&[(1, Open("a"))]), [one("a", 1, 1, 1, None, None)]);
    assert_eq!(all(&[(1, Open("a")), (2, Open("b"))]), [one("b", 1, 1, 1, None, None)]);
    assert_eq!(all(&[(1, Open("a")), (2, Clear), (3, Clear)]), [one("a", 1, 1, 1, Some(2), None)]);
    assert_eq!(all(&[(1, Open("a")), (2, Clear), (3, Open("b"))]), [one("b", 1, 3, 2, None, None)]);
    let seen_while_open = [(1, Open("a")), (2, Acknowledge(1)), (3, Open("a")), (4, Acknowledge(1))];
    assert_eq!(all(&seen_while_open), [one("a", 1, 1, 1, None, Some(2))]);
    let done = [(1, Open("a")), (2, Acknowledge(1)), (3, Clear), (4, Open("b"))];
    assert_eq!(all(&done), [(2, "b".to_owned(), 4, 4, 1, None, None), one("a", 1, 1, 1, Some(3), Some(2))]);
    let done_later = [(1, Open("a")), (2, Clear), (3, Acknowledge(1)), (4, Open("b")), (5, Clear)];
    assert_eq!(all(&done_later), [(2, "b".to_owned(), 4, 4, 1, Some(5), None), one("a", 1, 1, 1, Some(2), Some(3))]);
}

#[test]
fn what_is_done_is_listed_on_demand_and_forgotten_later() {
    let test = TestLedger::new();
    test.write(|tx| {
        for (second, key) in [(1, "done"), (2, "over"), (3, "seen"), (4, "open")] {
            open_notification(tx, &notification(key, key), at(second))?;
        }
        for key in ["done", "over"] {
            clear_notification(tx, key, at(5))?;
        }
        for number in [1, 3] {
            assert_eq!(acknowledge_notification(tx, number, at(6))?.map(|one| one.number), Some(number));
        }
        assert_eq!(acknowledge_notification(tx, 99, at(6))?, None);
        Ok(())
    })
    .unwrap();
    let texts = |which| told(&test, which).into_iter().map(|told| told.1).collect::<Vec<_>>();
    assert_eq!(texts(Which::NotDone), ["open", "seen", "over"]);
    assert_eq!(texts(Which::All), ["open", "seen", "over", "done"]);
    for (before, left) in [(6, 4), (7, 3), (1_000_000, 3)] {
        test.write(move |tx| delete_old_notifications(tx, at(before)).map(drop)).unwrap();
        assert_eq!(texts(Which::All).len(), left, "{before}");
    }
}
