//! Changes, builds, crashes, restored backups, damaged files and cut-off gateways in any order: what is shown as in
//! force is, and what is in force is shown after one poll.

use proptest::prelude::*;

use super::*;
use crate::core::id::{Network, Service};
use crate::core::vault::sequence::{Known, Step, Version, next};

const CODE: VaultCode = VaultCode::api(Service::Grpc, Network::Mainnet);
const GATEWAYS: usize = 2;

fn version(sequence: u64, mark: u8) -> Applied {
    Applied { sequence, hash: VaultHash([mark; 32]) }
}

#[test]
fn a_change_is_in_the_first_version_that_was_built_from_it() {
    let mut coverage = Coverage::default();
    assert_eq!(coverage.holds(0), None);
    coverage.note(version(4, 4), 10);
    coverage.note(version(5, 5), 12);
    coverage.note(version(5, 5), 15);
    for (change, expected) in [(0, Some(4)), (10, Some(4)), (11, Some(5)), (15, Some(5)), (16, None)] {
        assert_eq!(coverage.holds(change), expected, "{change}");
    }
    assert_eq!(coverage.newest(), Some(version(5, 5)));
    for (applied, expected) in
        [(version(5, 5), 0), (version(4, 9), 0), (version(5, 9), 5), (version(9, 9), 9), (version(6, 5), 6)]
    {
        assert_eq!(coverage.beyond(&applied), expected, "{applied:?}");
    }
    for (taken, expected) in [(0, 0), (4, 0), (5, 0), (6, 6)] {
        assert_eq!(coverage.beyond_sequence(taken), expected, "{taken}");
    }
    assert_eq!(Coverage::default().beyond_sequence(6), 0, "before the first look at the folder nothing is known");
}

#[test]
fn only_gateways_that_are_reached_or_were_before_a_restart_are_waited_for() {
    use Hearing::{Awaited, Reached, Silent};
    let mut coverage = Coverage::default();
    coverage.note(version(4, 4), 10);
    coverage.note(version(5, 5), 12);
    let coverage = BTreeMap::from([(CODE, coverage)]);
    let gateway = |hearing, applied: Option<Applied>| GatewayReport {
        hearing,
        applied: applied.map(|applied| (CODE, applied)).into_iter().collect(),
        ..GatewayReport::default()
    };
    let (old, new, foreign) = (version(4, 4), version(5, 5), version(5, 9));
    for (change, gateways, expected) in [
        (12, vec![gateway(Reached, Some(new))], SyncState::Synced),
        (12, vec![gateway(Reached, Some(old))], SyncState::Pending),
        (10, vec![gateway(Reached, Some(old)), gateway(Reached, Some(new))], SyncState::Synced),
        (12, vec![gateway(Reached, Some(new)), gateway(Reached, Some(old))], SyncState::Pending),
        (12, vec![gateway(Reached, Some(new)), gateway(Silent, Some(old))], SyncState::Synced),
        (12, vec![gateway(Reached, Some(new)), gateway(Reached, None)], SyncState::Pending),
        (12, vec![gateway(Reached, Some(foreign))], SyncState::Pending),
        (12, vec![gateway(Silent, Some(new))], SyncState::Unknown),
        // Nobody knows whether it still has what it had.
        (12, vec![gateway(Awaited, Some(new))], SyncState::Pending),
        (12, vec![gateway(Reached, Some(new)), gateway(Awaited, Some(new))], SyncState::Pending),
        (12, vec![gateway(Silent, Some(new)), gateway(Awaited, Some(new))], SyncState::Pending),
        (12, vec![], SyncState::Unknown),
        (13, vec![gateway(Reached, Some(new))], SyncState::Pending),
        (13, vec![], SyncState::Pending),
    ] {
        assert_eq!(spread(change, [CODE], &coverage, &gateways).state, expected, "{change} {gateways:?}");
    }
    let state = spread(0, [CODE], &BTreeMap::new(), &[gateway(Reached, Some(new))]).state;
    assert_eq!(state, SyncState::Pending);
}

#[test]
fn gateways_are_counted_with_those_that_do_not_answer() {
    use Hearing::{Awaited, Reached, Silent};
    let mut coverage = Coverage::default();
    coverage.note(version(4, 4), 10);
    coverage.note(version(5, 5), 12);
    let coverage = BTreeMap::from([(CODE, coverage)]);
    let gateways = [(Reached, 5_u8), (Reached, 4), (Silent, 5), (Awaited, 5)].map(|(hearing, number)| GatewayReport {
        hearing,
        applied: BTreeMap::from([(CODE, version(u64::from(number), number))]),
        ..GatewayReport::default()
    });
    for (change, expected) in [(10, 2), (12, 1), (13, 0)] {
        let spread = spread(change, [CODE], &coverage, &gateways);
        assert_eq!((spread.in_force, spread.gateways), (expected, 4), "{change}");
    }
}

/// A content is the number of what it was changed to last; `era` tells apart what restored ledgers count alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fact {
    era: u32,
    change: u64,
    content: u8,
}

#[derive(Debug, Clone)]
struct Ledger {
    fact: Fact,
    noted: Option<Version>,
    /// The gateways that did not answer when they were asked last.
    silent: [bool; GATEWAYS],
}

#[derive(Debug, Clone, Copy)]
struct File {
    version: Version,
    /// What it was built from.
    fact: Fact,
    is_damaged: bool,
}

/// A build that has got so far.
#[derive(Debug, Clone, Copy)]
enum Build {
    Read(Fact),
    Written(Fact, Version),
    Noted(Fact, Version),
}

#[derive(Debug, Clone, Copy)]
struct Gateway {
    is_connected: bool,
    applied: Option<File>,
}

struct World {
    ledger: Ledger,
    backups: Vec<Ledger>,
    files: BTreeMap<u64, File>,
    old_files: Vec<BTreeMap<u64, File>>,
    hashes: u8,
    eras: u32,
    coverage: BTreeMap<VaultCode, Coverage>,
    build: Option<Build>,
    gateways: [Gateway; GATEWAYS],
    reports: [GatewayReport; GATEWAYS],
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Change(u8),
    /// The next step of a build, or the first of another one.
    Work,
    Crash,
    BackUp,
    RestoreLedger,
    RestoreFiles,
    LoseFiles,
    DamageNewest,
    Apply(usize),
    Cut(usize),
    Connect(usize),
    Poll(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..3_u8).prop_map(Act::Change),
        8 => Just(Act::Work),
        1 => Just(Act::Crash),
        1 => Just(Act::BackUp),
        1 => Just(Act::RestoreLedger),
        1 => Just(Act::RestoreFiles),
        1 => Just(Act::LoseFiles),
        1 => Just(Act::DamageNewest),
        4 => (0..GATEWAYS).prop_map(Act::Apply),
        1 => (0..GATEWAYS).prop_map(Act::Cut),
        1 => (0..GATEWAYS).prop_map(Act::Connect),
        4 => (0..GATEWAYS).prop_map(Act::Poll),
    ]
}

impl World {
    fn new() -> Self {
        let ledger = Ledger { fact: Fact { era: 0, change: 0, content: 0 }, noted: None, silent: [false; GATEWAYS] };
        Self {
            ledger,
            backups: Vec::new(),
            files: BTreeMap::new(),
            old_files: Vec::new(),
            hashes: 0,
            eras: 0,
            coverage: BTreeMap::new(),
            build: None,
            gateways: [Gateway { is_connected: true, applied: None }; GATEWAYS],
            reports: unheard([false; GATEWAYS]),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Change(content) => {
                self.ledger.fact.change += 1;
                self.ledger.fact.content = content;
            }
            Act::Work => self.work(),
            Act::Crash => self.restart(),
            Act::BackUp => {
                self.backups.push(self.ledger.clone());
                self.old_files.push(self.files.clone());
            }
            Act::RestoreLedger => {
                let Some(ledger) = self.backups.last().cloned() else { return };
                self.eras += 1;
                self.ledger = Ledger { fact: Fact { era: self.eras, ..ledger.fact }, ..ledger };
                self.restart();
            }
            Act::RestoreFiles => {
                self.files = self.old_files.last().cloned().unwrap_or_default();
                self.restart();
            }
            Act::LoseFiles => {
                self.files.clear();
                self.restart();
            }
            Act::DamageNewest => {
                if let Some(mut newest) = self.files.last_entry() {
                    newest.get_mut().is_damaged = true;
                }
            }
            Act::Apply(gateway) => self.apply(gateway),
            Act::Cut(gateway) => self.gateways[gateway].is_connected = false,
            Act::Connect(gateway) => self.gateways[gateway].is_connected = true,
            Act::Poll(gateway) => self.poll(gateway),
        }
    }

    /// Nothing in memory survives.
    fn restart(&mut self) {
        self.coverage.clear();
        self.reports = unheard(self.ledger.silent);
        self.build = None;
    }

    fn known(&self) -> Known {
        let whole = self.files.values().rev().find(|file| !file.is_damaged);
        let damaged = self.files.values().rev().find(|file| file.is_damaged).map_or(0, |file| file.version.sequence);
        let coverage = self.coverage.get(&CODE).cloned().unwrap_or_default();
        let applied = self.reports.iter().filter_map(|report| report.applied.get(&CODE));
        let foreign = applied.map(|applied| coverage.beyond(applied)).max().unwrap_or(0);
        let beyond =
            if whole.is_some_and(|file| file.version.sequence > damaged) { foreign } else { damaged.max(foreign) };
        Known { noted: self.ledger.noted, file: whole.map(|file| file.version), beyond }
    }

    fn work(&mut self) {
        self.build = match self.build {
            None => Some(Build::Read(self.ledger.fact)),
            Some(Build::Read(fact)) => {
                let content_sha256 = [fact.content; 32];
                let version = match next(&self.known(), content_sha256) {
                    Step::Keep => self.known().file.unwrap(),
                    Step::Write { sequence, previous: _ } => {
                        self.hashes += 1;
                        let version = Version { sequence, hash: VaultHash([self.hashes; 32]), content_sha256 };
                        assert!(self.files.keys().all(|other| *other < sequence), "a sequence was used again");
                        self.files.insert(sequence, File { version, fact, is_damaged: false });
                        version
                    }
                };
                Some(Build::Written(fact, version))
            }
            Some(Build::Written(fact, version)) => {
                self.ledger.noted = Some(version);
                Some(Build::Noted(fact, version))
            }
            Some(Build::Noted(fact, version)) => {
                let Version { sequence, hash, .. } = version;
                self.coverage.entry(CODE).or_default().note(Applied { sequence, hash }, fact.change);
                None
            }
        };
    }

    fn apply(&mut self, gateway: usize) {
        let gateway = &mut self.gateways[gateway];
        let newest = self.files.values().rev().find(|file| !file.is_damaged);
        let applied = gateway.applied.map_or(0, |file| file.version.sequence);
        if let Some(file) = newest.filter(|file| gateway.is_connected && file.version.sequence > applied) {
            gateway.applied = Some(*file);
        }
    }

    fn poll(&mut self, gateway: usize) {
        self.reports[gateway] = self.gateways[gateway].report();
        self.ledger.silent[gateway] = !self.gateways[gateway].is_connected;
    }

    fn state(&self) -> SyncState {
        spread(self.ledger.fact.change, [CODE], &self.coverage, &self.reports).state
    }

    /// What is shown as in force is in force wherever the last poll has reached.
    fn check(&self, history: &[Act]) {
        if self.state() != SyncState::Synced {
            return;
        }
        for (gateway, report) in self.gateways.iter().zip(&self.reports) {
            let applied = gateway.applied.map(|file| file.fact.content);
            assert_ne!(report.hearing, Hearing::Awaited, "synced before a gateway was heard: {history:?}");
            let is_right = report.hearing == Hearing::Silent || applied == Some(self.ledger.fact.content);
            assert!(is_right, "{:?} is shown as synced, and a gateway has {applied:?}: {history:?}", self.ledger.fact);
        }
    }

    /// Everything is left alone: it comes to rest, and one poll later that is shown.
    fn settle(&mut self, history: &[Act]) {
        let reachable = self.gateways.iter().any(|gateway| gateway.is_connected);
        // Gateways tell of versions that the manager does not know; the next build goes beyond them.
        for _ in 0..2 {
            (0..GATEWAYS).for_each(|gateway| self.poll(gateway));
            (0..8).for_each(|_| self.work());
            (0..GATEWAYS).for_each(|gateway| self.apply(gateway));
        }
        (0..GATEWAYS).for_each(|gateway| self.poll(gateway));
        let expected = if reachable { SyncState::Synced } else { SyncState::Unknown };
        assert_eq!(self.state(), expected, "{history:?}");
        self.check(history);
    }
}

impl Gateway {
    fn report(&self) -> GatewayReport {
        let applied = self.applied.map(|file| {
            let Version { sequence, hash, .. } = file.version;
            (CODE, Applied { sequence, hash })
        });
        let hearing = if self.is_connected { Hearing::Reached } else { Hearing::Silent };
        GatewayReport { hearing, applied: applied.into_iter().collect(), ..GatewayReport::default() }
    }
}

/// What is known after a start.
fn unheard(silent: [bool; GATEWAYS]) -> [GatewayReport; GATEWAYS] {
    silent.map(|is_silent| GatewayReport {
        hearing: if is_silent { Hearing::Silent } else { Hearing::Awaited },
        ..GatewayReport::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn what_is_shown_as_in_force_is(history in proptest::collection::vec(act(), 0..60)) {
        let mut world = World::new();
        for act in &history {
            world.act(*act);
            world.check(&history);
        }
        world.settle(&history);
    }
}
