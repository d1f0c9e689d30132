//! What is heard of gateways, second by second.

use super::*;
use crate::core::id::{Network, Service};
use crate::core::notification::Notification;
use crate::core::vault::VaultHash;
use crate::core::vault::{NewVault, Picture, VaultOpener, VaultProof, VaultSealer};

const BEGUN: UtcMillis = UtcMillis(1_795_424_400_000);
const CODE: VaultCode = VaultCode::api(Service::Grpc, Network::Mainnet);
const VERSION: &str = "1.0";

fn version(sequence: u8) -> Applied {
    Applied { sequence: sequence.into(), hash: VaultHash([sequence; 32]) }
}

/// Has this version in force, and nothing is wrong.
fn status(applied: u8) -> GatewayStatus {
    let vault = VaultStanding {
        applied: applied.into(),
        applied_hash: Some(version(applied).hash.to_string()),
        taken: applied.into(),
        ..VaultStanding::default()
    };
    GatewayStatus {
        version: VERSION.to_owned(),
        vaults: [(CODE.to_string(), vault)].into(),
        haproxy: HaproxyStanding { state: HaproxyState::InForce, ..HaproxyStanding::default() },
        ..GatewayStatus::default()
    }
}

fn haproxy(applied: u8, state: HaproxyState, problem: Option<&str>) -> GatewayStatus {
    let problem = problem.map(str::to_owned);
    GatewayStatus { haproxy: HaproxyStanding { state, problem, version: None }, ..status(applied) }
}

/// Seconds after the begin, the newest vault, what was answered.
type Polls<'a> = &'a [(i64, u8, Result<GatewayStatus, &'a str>)];

fn at(seconds: i64) -> UtcMillis {
    BEGUN.plus_ms(seconds * 1000)
}

fn watched(polls: Polls<'_>) -> Watched {
    let mut watched = Watched::new(BEGUN);
    for (seconds, newest, answer) in polls {
        hear(&mut watched, *seconds, *newest, answer.clone());
    }
    watched
}

fn hear(watched: &mut Watched, seconds: i64, newest: u8, answer: Result<GatewayStatus, &str>) {
    // Vaults of key servers are none of a gateway's.
    let newest = BTreeMap::from([(CODE, version(newest)), (VaultCode::seal_keys(Network::Mainnet), version(9))]);
    let expected = Expected { newest: &newest, version: VERSION };
    watched.note(answer.map_err(str::to_owned), &expected, at(seconds));
}

fn told(watched: &Watched, seconds: i64) -> Vec<String> {
    alarms(&[(3, watched.clone())].into(), at(seconds)).iter().map(ToString::to_string).collect()
}

#[test]
fn a_state_begins_when_what_it_comes_from_does() {
    use GatewayState::{Behind, HaproxyDown, NeverSeen, Ok as Fine, Unreachable};
    let down = || haproxy(4, HaproxyState::Unreachable, Some("refused"));
    for (polls, state, since) in [
        (&[][..], NeverSeen, 0),
        (&[(5, 4, Err("refused")), (10, 4, Err("refused"))], NeverSeen, 0),
        (&[(5, 4, Ok(status(4))), (10, 4, Ok(status(4)))], Fine, 5),
        (&[(5, 4, Ok(status(4))), (10, 4, Err("refused")), (15, 4, Err("refused"))], Unreachable, 10),
        (&[(5, 4, Err("refused")), (10, 4, Ok(status(4)))], Fine, 10),
        // Every vault needs a moment.
        (&[(5, 4, Ok(status(4))), (10, 5, Ok(status(4)))], Fine, 5),
        (&[(5, 4, Ok(status(4))), (10, 5, Ok(status(4))), (15, 5, Ok(status(4)))], Behind, 10),
        (&[(5, 4, Ok(status(4))), (10, 5, Ok(status(4))), (15, 6, Ok(status(4)))], Behind, 10),
        // The one that was waited for is there, and the next wait is a new one.
        (&[(5, 4, Ok(status(4))), (10, 5, Ok(status(4))), (15, 6, Ok(status(5)))], Fine, 5),
        (&[(10, 5, Ok(status(4))), (15, 6, Ok(status(5))), (20, 6, Ok(status(5)))], Behind, 15),
        (&[(10, 5, Ok(status(4))), (15, 5, Ok(status(4))), (20, 5, Ok(status(5)))], Fine, 20),
        (&[(5, 4, Ok(status(4))), (10, 4, Ok(down())), (15, 4, Ok(down()))], HaproxyDown, 10),
        (&[(10, 4, Ok(down())), (15, 4, Err("refused"))], Unreachable, 15),
    ] {
        let watched = watched(polls);
        assert_eq!((watched.state, watched.since), (state, at(since)), "{polls:?}");
    }
}

#[test]
fn a_version_of_another_history_is_not_in_force_and_what_a_restored_primary_lost_is_not_waited_for() {
    let mut foreign = status(5);
    let vault = foreign.vaults.get_mut(CODE.as_str()).unwrap();
    vault.applied_hash = Some(version(9).hash.to_string());
    let polls = [(0, 5, Ok(foreign.clone())), (10, 5, Ok(foreign))];
    assert_eq!((watched(&polls).state, watched(&polls).behind_ms(at(12))), (GatewayState::Behind, 12_000));
    // Before it was restored, 9 was the newest; since then, it is 6.
    let polls = [(0, 9, Ok(status(4))), (10, 6, Ok(status(4))), (12, 6, Ok(status(4)))];
    assert_eq!(watched(&polls).behind_ms(at(12)), 2_000);
}

#[test]
fn alarms_name_what_is_wrong_and_nothing_else() {
    let refuses = || {
        let mut status = status(4);
        status.vaults.get_mut(CODE.as_str()).unwrap().refused = Some("the signature is wrong".to_owned());
        status
    };
    let files = || GatewayStatus { files_problem: Some("the disk is full".to_owned()), ..status(4) };
    let clock = |ahead_ms| GatewayStatus { clock_ahead_ms: Some(ahead_ms), ..status(4) };
    let other = || GatewayStatus { version: "0.9".to_owned(), ..status(4) };
    let no_primary = || {
        let mut status = status(4);
        status.vaults.get_mut(CODE.as_str()).unwrap().primary_problem = Some("no such host".to_owned());
        status
    };
    let down = || haproxy(4, HaproxyState::Unreachable, Some("refused"));
    let silent: Polls<'_> = &[(0, 4, Ok(status(4))), (5, 4, Err("refused"))];
    let late = "gateway 3 has not had the newest limits in force for 15 s";
    let unreachable = "gateway 3 has not answered for 5 minutes: refused";
    let version = "gateway 3 runs suiftly 0.9: bring all hosts to the same version";
    for (polls, seconds, expected) in [
        (silent, 305, vec![]),
        (silent, 306, vec![unreachable]),
        (&[(5, 4, Err("refused"))], 306, vec![unreachable]),
        (&[(5, 4, Err("refused")), (300, 4, Ok(status(4)))], 400, vec![]),
        (&[(0, 5, Ok(status(4)))], 15, vec![]),
        (&[(0, 5, Ok(status(4)))], 16, vec![late]),
        (
            &[(0, 5, Ok(no_primary()))],
            16,
            vec!["gateway 3 has not had the newest limits in force for 15 s: no such host"],
        ),
        (&[(0, 4, Ok(no_primary()))], 16, vec![]),
        // Everything newer meanwhile does not make it less late.
        (&[(0, 5, Ok(status(4))), (10, 6, Ok(status(4))), (16, 7, Ok(status(4)))], 16, vec![late]),
        (&[(0, 5, Ok(status(4))), (16, 5, Ok(status(5)))], 16, vec![]),
        // What it said before it fell silent is not known to be true any more.
        (&[(0, 5, Ok(status(4))), (5, 5, Err("refused"))], 306, vec![unreachable]),
        (&[(0, 4, Ok(down()))], 15, vec![]),
        (&[(0, 5, Ok(down()))], 16, vec!["gateway 3 has an HAProxy that does not answer its agent: refused"]),
        (&[(0, 4, Ok(haproxy(4, HaproxyState::Behind, None)))], 16, vec![]),
        (
            &[(0, 4, Ok(haproxy(4, HaproxyState::Behind, Some("no map"))))],
            16,
            vec!["gateway 3 has not had the newest limits in force for 15 s: no map"],
        ),
        (&[(0, 4, Ok(refuses()))], 16, vec!["gateway 3 passes over a vault: the signature is wrong"]),
        (&[(0, 4, Ok(refuses())), (5, 4, Ok(status(4)))], 16, vec![]),
        (
            &[(0, 4, Ok(files()))],
            16,
            vec!["gateway 3 cannot write the map files that HAProxy starts with: the disk is full"],
        ),
        (&[(0, 4, Ok(clock(5_000)))], 16, vec![]),
        (&[(0, 4, Ok(clock(-5_001)))], 16, vec!["gateway 3 has a clock that is more than 5 s off: set it right"]),
        (&[(0, 4, Ok(other()))], 0, vec![version]),
        (&[(0, 4, Ok(other())), (5, 4, Err("refused"))], 306, vec![unreachable, version]),
    ] {
        assert_eq!(told(&watched(polls), seconds), expected, "{polls:?} after {seconds} s");
    }
}

#[test]
fn a_log_that_is_not_taken_in_or_does_not_come_is_an_alarm() {
    let full = LogStanding { spool_problem: Some("it is full".to_owned()), ..LogStanding::default() };
    let waiting = |lag_ms| {
        let problem = Some("no such host".to_owned());
        LogStanding { lag_ms, problem, ..LogStanding::default() }
    };
    let late = "gateway 3 has lines of its log that have waited for more than 5 minutes: no such host";
    for (log, expected) in [
        (full, vec!["gateway 3 does not take in the lines of its log: it is full"]),
        (waiting(300_000), vec![]),
        (waiting(300_001), vec![late]),
    ] {
        let polls = [(0, 4, Ok(GatewayStatus { log: Some(log), ..status(4) }))];
        assert_eq!(told(&watched(&polls), 16), expected);
    }
}

#[test]
fn an_alarm_has_one_key_whatever_its_words() {
    let alarm = |gateway, problem: &str| Alarm { gateway, what: What::Slow { problem: problem.to_owned() } };
    let keys =
        [(2, "x"), (2, "y"), (3, "x")].map(|(gateway, problem)| Notification::from(&alarm(gateway, problem)).key);
    assert_eq!(keys, ["gateway_behind/2", "gateway_behind/2", "gateway_behind/3"]);
}

#[test]
fn the_ledger_is_told_of_what_matters_and_now_and_then_that_nothing_does() {
    let silent = Err("refused");
    let log = |spool_bytes| LogStanding { spool_bytes, lag_ms: 3, ..LogStanding::default() };
    let stored = watched(&[(0, 4, Ok(GatewayStatus { log: Some(log(1)), ..status(4) }))]);
    let status = |applied| GatewayStatus { log: Some(log(1)), ..status(applied) };
    let stuck = LogStanding { problem: Some("refused".to_owned()), ..log(1) };
    let stuck = GatewayStatus { log: Some(stuck), ..status(4) };
    let busy = GatewayStatus { log: Some(log(9)), clock_ahead_ms: Some(1), ..status(4) };
    let full = GatewayStatus { files_problem: Some("full".to_owned()), ..status(4) };
    for (seconds, newest, answer, expected) in [
        (5, 4, Ok(status(4)), false),
        (5, 4, Ok(busy), false),
        (59, 4, Ok(status(4)), false),
        (60, 4, Ok(status(4)), true),
        (5, 5, Ok(status(4)), true),
        (5, 4, Ok(status(5)), true),
        (5, 4, Ok(full), true),
        (5, 4, Ok(stuck), true),
        (5, 4, silent.clone(), true),
    ] {
        let mut later = stored.clone();
        hear(&mut later, seconds, newest, answer.clone());
        assert_eq!(later.is_news_after(&stored), expected, "{seconds} {newest} {answer:?}");
    }
    let stored = watched(&[(0, 4, Ok(status(4))), (5, 4, silent.clone())]);
    let mut later = stored.clone();
    hear(&mut later, 4000, 4, silent);
    assert!(!later.is_news_after(&stored), "it is as silent as it was");
}

#[test]
fn what_was_stored_is_what_is_known_after_a_restart() {
    let report = |polls: Polls<'_>| {
        let report = watched(polls).report_before();
        (report.hearing, report.applied.get(&CODE).copied(), report.taken.get(&CODE).copied())
    };
    assert_eq!(report(&[]), (Hearing::Awaited, None, None));
    assert_eq!(report(&[(0, 4, Ok(status(4)))]), (Hearing::Awaited, Some(version(4)), Some(4)));
    let silent: Polls<'_> = &[(0, 4, Ok(status(4))), (5, 4, Err("refused"))];
    assert_eq!(report(silent), (Hearing::Silent, Some(version(4)), Some(4)));
    let standing = watched(silent).standing;
    let text = serde_json::to_string(&standing).unwrap();
    assert_eq!(serde_json::from_str::<Standing>(&text).unwrap(), standing);
    assert_eq!(serde_json::from_str::<Standing>("{}").unwrap(), Standing::default());
}

#[test]
fn states_have_words() {
    for state in GatewayState::ALL {
        assert_eq!(GatewayState::from_name(state.name()), Some(state));
        assert_eq!(serde_json::to_value(state).unwrap(), state.name());
    }
    assert_eq!(GatewayState::from_name("fine"), None);
}

#[test]
fn what_a_gateway_says_of_sequences_is_believed_as_far_as_it_is_signed() {
    let code = VaultCode::api(Service::Seal, Network::Mainnet);
    let sealer = VaultSealer::new((1, [7; 32]), &[8; 32]);
    let opener = VaultOpener::new([], sealer.public_key());
    let proof_of = |sequence| {
        let new = NewVault { code, sequence, created: UtcMillis(1), previous: VaultHash::NONE };
        let (file, _) = sealer.seal(&new, Picture::new(code).pack().unwrap(), [9; 12]).unwrap();
        VaultProof::of(&file).unwrap().to_string()
    };
    let believed = |name: &str, applied, taken, proof: Option<String>| {
        let applied_hash = Some("09".repeat(32));
        let vault = VaultStanding { applied, applied_hash, taken, proof, ..VaultStanding::default() };
        let status = GatewayStatus { vaults: [(name.to_owned(), vault)].into(), ..GatewayStatus::default() };
        let vault = status.believed(&opener).vaults[name].clone();
        assert_eq!(vault.proof, None);
        (vault.taken, vault.applied_hash.is_some())
    };
    assert_eq!(believed("sma", 11, 12, Some(proof_of(12))), (12, true));
    assert_eq!(believed("sma", 12, 12, Some(proof_of(12))), (12, true));
    // More than is proven, what another vault proves, and nothing.
    assert_eq!(believed("sma", 999_999_998, 999_999_998, Some(proof_of(12))), (12, false));
    assert_eq!(believed("sta", 12, 12, Some(proof_of(12))), (0, false));
    assert_eq!(believed("sma", 12, 12, None), (0, false));
    assert_eq!(believed("sma", 12, 12, Some("00".repeat(224))), (0, false));
}
