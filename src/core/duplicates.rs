//! Recognises a line that a shipper has delivered a second time.
//!
//! HAProxy numbers the requests of a worker (`%rt` with `%pid`), so for each worker there is a table with a place for
//! each of the newest numbers. A number may come again when a worker has ended and another one has its pid, so a line is
//! a duplicate only if everything else that tells requests apart is the same, too: when it began, the client's address
//! and port, the listener, the line's own number, its class, size and time. Two real requests are never the same in all.
//!
//! The window is counted in requests, not in time: [`WORKER_SLOTS`] newest numbers of a worker, [`ALL_SLOTS`] of all. A
//! line that comes again after more than these is taken for a new one.

use hashbrown::HashMap;

use crate::core::log_line::RequestLine;

/// The most numbers that are remembered of one worker: a million requests, 16 MiB of memory.
pub const WORKER_SLOTS: usize = 1 << 20;
/// The most that are remembered of all workers: 32 MiB of memory.
pub const ALL_SLOTS: usize = 1 << 21;
/// A table begins with so many places, and doubles as its worker goes on.
const FIRST_SLOTS: usize = 64;
/// Workers that are remembered; the one that was heard of least recently is forgotten.
const MAX_WORKERS: usize = 1024;

/// What tells a request from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub gateway: u8,
    pub pid: u32,
    /// 0 if the line's format does not tell.
    pub request_counter: u64,
    /// Of everything else.
    pub fingerprint: u64,
}

impl Identity {
    pub fn of(line: &RequestLine<'_>) -> Self {
        let [high, low] = halves(line.client_ip.to_bits());
        let total_ms = i64::from(line.times.total_ms);
        let numbers = [
            line.ts.0.cast_unsigned(),
            high,
            low,
            u64::from(line.client_port) << 32 | u64::from(line.listener_port) << 16 | u64::from(line.class.number()),
            line.log_counter,
            line.bytes_out,
            total_ms.cast_unsigned(),
        ];
        Self::from_numbers(line.gateway, line.pid, line.request_counter, numbers)
    }

    /// From what the store keeps: begin in ms, address in two halves, ports and class, `%lc`, bytes out, total ms.
    pub fn from_numbers(gateway: u8, pid: u32, request_counter: u64, numbers: [u64; 7]) -> Self {
        Self { gateway, pid, request_counter, fingerprint: fingerprint(numbers) }
    }
}

fn halves(address: u128) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, low @ ..] = address.to_be_bytes();
    [u64::from_be_bytes([a, b, c, d, e, f, g, h]), u64::from_be_bytes(low)]
}

/// Nobody can choose two requests of one worker that have the same number, so it need not withstand an attack.
fn fingerprint(numbers: [u64; 7]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    numbers.iter().fold(FACTOR, |sum, number| (sum ^ number).wrapping_mul(FACTOR).rotate_left(29))
}

/// The newest requests of all workers.
#[derive(Debug, Default)]
pub struct Duplicates {
    workers: HashMap<(u8, u32), Worker>,
    slots: usize,
    lines: u64,
}

#[derive(Debug)]
struct Worker {
    /// A power of two; a number's place is its remainder.
    slots: Vec<Slot>,
    last_line: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    /// 0 is an empty place.
    counter: u64,
    fingerprint: u64,
}

const EMPTY: Slot = Slot { counter: 0, fingerprint: 0 };

impl Duplicates {
    /// Notes a request. Tells whether it was noted before.
    pub fn is_known(&mut self, identity: &Identity) -> bool {
        if identity.request_counter == 0 {
            return false;
        }
        self.lines += 1;
        let key = (identity.gateway, identity.pid);
        if !self.workers.contains_key(&key) {
            self.begin(key);
        }
        let slot = Slot { counter: identity.request_counter, fingerprint: identity.fingerprint };
        let Some(worker) = self.workers.get_mut(&key) else { return false };
        worker.last_line = self.lines;
        let Some(place) = worker.place(slot.counter) else { return false };
        if *place == slot {
            return true;
        }
        if place.counter == 0 || place.counter == slot.counter {
            *place = slot;
            return false;
        }
        self.grow(key);
        if let Some(place) = self.workers.get_mut(&key).and_then(|worker| worker.place(slot.counter)) {
            *place = slot;
        }
        false
    }

    fn begin(&mut self, key: (u8, u32)) {
        if self.workers.len() >= MAX_WORKERS {
            self.forget_one_but(key);
        }
        self.slots += FIRST_SLOTS;
        self.workers.insert(key, Worker { slots: vec![EMPTY; FIRST_SLOTS], last_line: self.lines });
    }

    /// Doubles a worker's table, if it may, at the cost of workers that were not heard of for longer.
    fn grow(&mut self, key: (u8, u32)) {
        let Some(length) = self.workers.get(&key).map(|worker| worker.slots.len()) else { return };
        while length < WORKER_SLOTS && self.slots + length > ALL_SLOTS && self.forget_one_but(key) {}
        if length >= WORKER_SLOTS || self.slots + length > ALL_SLOTS {
            return;
        }
        self.slots += length;
        let Some(worker) = self.workers.get_mut(&key) else { return };
        let old = std::mem::replace(&mut worker.slots, vec![EMPTY; 2 * length]);
        for slot in old.into_iter().filter(|slot| slot.counter > 0) {
            if let Some(place) = worker.place(slot.counter) {
                *place = slot;
            }
        }
    }

    fn forget_one_but(&mut self, key: (u8, u32)) -> bool {
        let others = self.workers.iter().filter(|(other, _)| **other != key);
        let Some(oldest) = others.min_by_key(|(_, worker)| worker.last_line).map(|(other, _)| *other) else {
            return false;
        };
        self.slots -= self.workers.remove(&oldest).map_or(0, |worker| worker.slots.len());
        true
    }
}

impl Worker {
    fn place(&mut self, counter: u64) -> Option<&mut Slot> {
        let length = u64::try_from(self.slots.len()).ok().filter(|length| *length > 0)?;
        self.slots.get_mut(usize::try_from(counter & (length - 1)).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::core::log_line::parse;

    const GOOD: &str = "s1 1763919000123 1 4711 17 42 12345 1 1 1 0 1005F7C 203.0.113.9 51234 20002 GET /v1/keys 200 312 \
                        1045 0/0/0/0/1/2/3 ---- be_seal s1 1";

    fn identity(line: &str) -> Identity {
        Identity::of(&parse(line.as_bytes()).unwrap())
    }

    #[test]
    fn only_a_line_that_is_the_same_in_all_that_tells_requests_apart_is_a_duplicate() {
        let header = format!("<134>1 2026-11-23T17:30:00.123Z gw1 haproxy 4711 - - {GOOD}");
        for (again, expected) in [
            (GOOD.to_owned(), true),
            (header, true),
            // A new worker with an old one's pid and number.
            (GOOD.replace("1763919000123", "1763919000124"), false),
            (GOOD.replace("203.0.113.9", "203.0.113.8"), false),
            (GOOD.replace("51234", "51235"), false),
            (GOOD.replace(" 20002 ", " 20003 "), false),
            (GOOD.replace(" 17 42 ", " 18 42 "), false),
            // Another part of one stream.
            (GOOD.replace("1045", "1046"), false),
            (GOOD.replace("12345 1 1 1 ", "12345 1 1 7 "), false),
            (GOOD.replace("0/0/0/0/1/2/3", "0/0/0/0/1/2/4"), false),
            // Other workers, and other requests.
            (GOOD.replace(" 1 4711 ", " 2 4711 "), false),
            (GOOD.replace(" 4711 ", " 4712 "), false),
            (GOOD.replace(" 17 42 ", " 17 43 "), false),
        ] {
            let mut duplicates = Duplicates::default();
            assert!(!duplicates.is_known(&identity(GOOD)));
            assert_eq!(duplicates.is_known(&identity(&again)), expected, "{again}");
        }
    }

    #[test]
    fn lines_without_a_number_are_never_duplicates() {
        let line = GOOD.replace(" 17 42 ", " 17 0 ");
        let mut duplicates = Duplicates::default();
        assert!(!duplicates.is_known(&identity(&line)) && !duplicates.is_known(&identity(&line)));
    }

    fn request(gateway: u8, pid: u32, request_counter: u64) -> Identity {
        Identity { gateway, pid, request_counter, fingerprint: request_counter ^ 7 }
    }

    #[test]
    fn memory_is_bounded_and_the_newest_are_remembered() {
        let mut duplicates = Duplicates::default();
        let window = u64::try_from(WORKER_SLOTS).unwrap();
        for pid in 0..4 {
            for counter in 1..=window + 1000 {
                assert!(!duplicates.is_known(&request(1, pid, counter)), "{pid} {counter}");
            }
            let slots: usize = duplicates.workers.values().map(|worker| worker.slots.len()).sum();
            assert!(slots == duplicates.slots && slots <= ALL_SLOTS, "{slots}");
        }
        for counter in 1001..=window + 1000 {
            assert!(duplicates.is_known(&request(1, 3, counter)), "{counter}");
        }
        for pid in 0..u32::try_from(MAX_WORKERS).unwrap() + 100 {
            duplicates.is_known(&request(2, pid, 1));
        }
        assert!(duplicates.workers.len() <= MAX_WORKERS);
    }

    proptest! {
        #[test]
        fn within_the_window_it_is_the_same_as_a_set(
            requests in prop::collection::vec((0..3_u8, 0..3_u32, 1..64_u64), 0..600),
        ) {
            let mut duplicates = Duplicates::default();
            let mut set = BTreeSet::new();
            for (gateway, pid, counter) in requests {
                let known = duplicates.is_known(&request(gateway, pid, counter));
                prop_assert_eq!(known, !set.insert((gateway, pid, counter)));
            }
        }
    }
}
