use proptest::prelude::*;

use super::RegistrationState::{Processing, Queued, Registered};
use super::*;

const NOW: UtcMillis = UtcMillis(1_795_424_400_000);

fn object(digits: &str) -> ObjectId {
    format!("0x{}", digits.repeat(32)).parse().unwrap()
}

fn begun(registration: &Registration, now: UtcMillis) -> (Registration, RegistrationJob) {
    registration.begin(now).unwrap_or_else(|| panic!("nothing to begin: {registration:?}"))
}

fn done(registration: &Registration, version: u64) -> Result<Registration, RegistrationRefusal> {
    registration.succeeded(version, object("01"), "pk".to_owned(), NOW)
}

#[test]
fn states_are_read_back() {
    for state in RegistrationState::ALL {
        assert_eq!(RegistrationState::from_name(state.name()), Some(state));
    }
    assert_eq!(RegistrationState::from_name("Queued"), None);
}

#[test]
fn a_new_key_is_created_and_a_changed_one_updated() {
    let new = Registration::new(NOW);
    assert_eq!(new.begin(NOW.plus_ms(-1)), None, "not before its time");
    let (processing, job) = begun(&new, NOW);
    assert_eq!(job, RegistrationJob { kind: JobKind::Create, version: 1 });
    let registered = done(&processing, 1).unwrap();
    assert_eq!((registered.state, registered.registered_version), (Registered, 1));
    assert_eq!((registered.object_id.clone(), registered.public_key.as_deref()), (Some(object("01")), Some("pk")));
    assert_eq!(registered.begin(NOW.plus_ms(1_000_000)), None, "there is nothing to do");
    let (_, job) = begun(&registered.changed(NOW), NOW);
    assert_eq!(job, RegistrationJob { kind: JobKind::Update, version: 2 });
}

#[test]
fn changes_during_a_job_are_one_update_after_it() {
    let (processing, job) = begun(&Registration::new(NOW), NOW);
    let changed = processing.changed(NOW).changed(NOW).changed(NOW);
    assert_eq!((changed.state, changed.begin(NOW)), (Processing, None), "one job at a time");
    let again = done(&changed, job.version).unwrap();
    assert_eq!((again.state, again.registered_version), (Queued, 1));
    let (processing, job) = begun(&again, NOW);
    assert_eq!(job, RegistrationJob { kind: JobKind::Update, version: 4 });
    assert_eq!(done(&processing, job.version).unwrap().state, Registered);
}

#[test]
fn failures_wait_longer_and_longer_and_a_success_forgets_them() {
    let mut registration = Registration::new(NOW);
    let mut now = NOW;
    for (attempts, wait_s) in (1..).zip([0, 5, 15, 45, 135, 300, 300, 300]) {
        let failed = begun(&registration, now).0.failed("no gas", now).unwrap();
        assert_eq!((failed.state, failed.attempts), (Queued, attempts));
        assert_eq!(failed.last_error.as_deref(), Some("no gas"));
        assert_eq!(failed.next_attempt_at, now.plus_ms(wait_s * 1000), "after failure {attempts}");
        assert_eq!(failed.changed(now).next_attempt_at, failed.next_attempt_at, "a change does not cut the wait short");
        assert_eq!(failed.begin(failed.next_attempt_at.plus_ms(-1)), None, "after failure {attempts}");
        now = failed.next_attempt_at;
        registration = failed;
    }
    let registered = done(&begun(&registration, now).0, 1).unwrap();
    assert_eq!((registered.attempts, registered.last_error), (0, None));
}

#[test]
fn an_error_is_kept_up_to_its_limit() {
    let failed = begun(&Registration::new(NOW), NOW).0.failed(&"é".repeat(ERROR_CHARS + 1), NOW).unwrap();
    assert_eq!(failed.last_error, Some("é".repeat(ERROR_CHARS)));
}

#[test]
fn after_a_crash_a_job_that_was_being_done_is_queued_at_once() {
    let later = NOW.plus_ms(60_000);
    let new = Registration::new(NOW);
    let processing = begun(&new, NOW).0;
    let waiting = processing.failed("x", NOW).unwrap();
    let registered = done(&processing, 1).unwrap();
    assert_eq!(processing.recovered_after_crash(later), Registration { next_attempt_at: later, ..new });
    for other in [waiting, registered] {
        assert_eq!(other.recovered_after_crash(later), other, "nothing was being done");
    }
}

#[test]
fn outcomes_of_no_job_are_refused() {
    let new = Registration::new(NOW);
    let first = begun(&new, NOW).0;
    let registered = done(&first, 1).unwrap();
    let second = begun(&registered.changed(NOW), NOW).0;
    let wrong = |version, registered_version, wanted_version| {
        Err(RegistrationRefusal::NotThatVersion { version, registered_version, wanted_version })
    };
    let not_processing = Err(RegistrationRefusal::NotProcessing);
    for (registration, version, expected) in [
        (&new, 1, not_processing),
        (&registered, 1, not_processing),
        (&first, 0, wrong(0, 0, 1)),
        (&first, 2, wrong(2, 0, 1)),
        (&second, 1, wrong(1, 1, 2)),
        (&second, 2, Ok(Registered)),
    ] {
        assert_eq!(done(registration, version).map(|done| done.state), expected, "{registration:?} {version}");
    }
    for idle in [&new, &registered] {
        assert_eq!(idle.failed("x", NOW), Err(RegistrationRefusal::NotProcessing));
    }
    for (object, key) in [(object("02"), "pk"), (object("01"), "other")] {
        assert_eq!(second.succeeded(2, object, key.to_owned(), NOW), Err(RegistrationRefusal::AnotherObject));
    }
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Change,
    Begin,
    Succeed,
    Fail,
    Crash,
    Wait { seconds: i64 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        Just(Event::Change),
        Just(Event::Begin),
        Just(Event::Succeed),
        Just(Event::Fail),
        Just(Event::Crash),
        (0..400i64).prop_map(|seconds| Event::Wait { seconds }),
    ];
    prop::collection::vec(event, 0..60)
}

/// A registration with the only one who carries out its jobs, and what the chain has.
struct World {
    registration: Registration,
    in_hand: Option<RegistrationJob>,
    now: UtcMillis,
    wanted: u64,
    on_chain: u64,
}

impl World {
    fn new() -> Self {
        Self { registration: Registration::new(NOW), in_hand: None, now: NOW, wanted: 1, on_chain: 0 }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Change => {
                self.registration = self.registration.changed(self.now);
                self.wanted += 1;
            }
            Event::Begin => self.begin(),
            Event::Succeed => self.succeed(),
            Event::Fail if self.in_hand.take().is_some() => {
                self.registration = self.registration.failed("x", self.now).unwrap();
            }
            Event::Fail => {}
            Event::Crash => {
                self.in_hand = None;
                self.registration = self.registration.recovered_after_crash(self.now);
            }
            Event::Wait { seconds } => self.now = self.now.plus_ms(seconds * 1000),
        }
    }

    fn begin(&mut self) {
        let Some((processing, job)) = self.registration.begin(self.now) else { return };
        assert!(self.in_hand.is_none(), "two jobs at once: {:?} and {job:?}", self.in_hand);
        assert!(job.version > self.on_chain, "{job:?} is on the chain already");
        assert_eq!(job.kind == JobKind::Create, self.on_chain == 0, "{job:?}");
        (self.registration, self.in_hand) = (processing, Some(job));
    }

    fn succeed(&mut self) {
        let Some(job) = self.in_hand.take() else { return };
        let outcome = self.registration.succeeded(job.version, object("01"), "pk".to_owned(), self.now);
        self.registration = outcome.unwrap();
        self.on_chain = job.version;
    }

    /// What must hold after each event.
    fn check(&self) {
        let registration = &self.registration;
        assert_eq!((registration.wanted_version, registration.registered_version), (self.wanted, self.on_chain));
        assert_eq!(registration.state == Processing, self.in_hand.is_some(), "{registration:?}");
        assert_eq!(registration.state == Registered, self.on_chain == self.wanted, "{registration:?}");
        assert_eq!(registration.object_id.is_some(), self.on_chain > 0, "{registration:?}");
    }
}

proptest! {
    #[test]
    fn whatever_happens_it_ends_registered_once_failures_stop(events in events()) {
        let mut world = World::new();
        for event in events {
            world.apply(event);
            world.check();
        }
        // A job that is in hand, then at most one update.
        for _ in 0..2 {
            world.succeed();
            world.now = world.now.max(world.registration.next_attempt_at);
            world.begin();
        }
        world.succeed();
        world.check();
        prop_assert_eq!(world.registration.state, Registered);
    }
}
