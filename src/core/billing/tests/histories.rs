//! Random histories, each lived twice: once by a program that never dies, and once by one that dies between any two
//! steps and goes on by what it had written down. Both must end with the same books. `SUIFTLY_HISTORIES` says how many;
//! `make soak` lives 1,000,000.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::world::{Decided, World};
use super::*;

const HISTORIES: u64 = 10_000;
const STEPS: u64 = 30;

/// One step. All that is random in it comes from `random`, and nothing of what the program does.
fn step(world: &mut World, random: &mut fastrand::Rng) {
    let wait_ms = match random.u8(..100) {
        0..40 => random.i64(0..HOUR_MS),
        40..70 => random.i64(0..2 * DAY_MS),
        70..97 => random.i64(0..12 * DAY_MS),
        _ => random.i64(0..100 * DAY_MS),
    };
    world.desk.now = world.desk.now.plus_ms(wait_ms);
    world.reachable = random.u8(..100) < 85;
    // Sometimes the customer is there before the manager.
    if random.bool() {
        world.manage();
    }
    let service = Service::ALL[random.usize(..2)];
    let tier = Tier::ALL[random.usize(..3)];
    let amount = cents(random.i64(1..=20_000));
    match random.u8(..100) {
        0..12 => drop(world.carry_out(&Event::Subscribe { service, tier })),
        12..26 => drop(world.carry_out(&Event::ChangeTier { service, tier })),
        26..31 => drop(world.carry_out(&Event::Cancel { service })),
        31..35 => drop(world.carry_out(&Event::UndoCancel { service })),
        35..50 => use_service(world, service, random),
        50..66 => deposit(world, amount),
        66..69 => withdraw(world, random),
        69..70 => order_elsewhere(world, random),
        70..74 => change_limit(world, random),
        74..80 => grant(world, random, amount),
        80..83 => void(world, random),
        83..88 => give_back(world, random, amount),
        88..90 => drop(world.carry_out(&Event::Park { reason: "for the test".to_owned() })),
        90..93 => drop(world.carry_out(&Event::Unpark)),
        93..95 => switch(world, service, random),
        95..97 => ask_for_cap(world, random, amount),
        97..99 => repeat_answer(world, random),
        _ => money_after_all(world, random),
    }
    if random.bool() {
        world.manage();
    }
}

fn use_service(world: &mut World, service: Service, random: &mut fastrand::Rng) {
    let month = Month::of(world.desk.now).unwrap();
    let back = if random.u8(..10) == 0 { random.i64(0..60) } else { 0 };
    let of = Month::of(world.desk.now.plus_ms(-back * DAY_MS)).unwrap();
    if of >= Month::of(at("2024-01-15")).unwrap() {
        let used = world.used.entry((of, service)).or_default();
        *used += random.u64(0..100_000);
        if random.u8(..20) == 0 {
            *used /= 2;
        }
    }
    let drawn = world.desk.account.draft().map_or(month, |draft| draft.month);
    let running = (drawn != month).then(|| world.usage_of(month));
    let earlier = world.usage_before(drawn);
    drop(world.carry_out(&Event::Usage(UsageNews { month: world.usage_of(drawn), running, earlier })));
}

fn deposit(world: &mut World, amount: Usd) {
    let now = world.desk.now;
    if world.chain.created_at.is_none() {
        world.chain.created_at = Some(now);
        world.chain.moves.push(Event::EscrowCreated { at: now });
    }
    world.chain.balance += amount.micros();
    let moved = chain_move(world, amount);
    world.chain.moves.push(Event::Deposited(moved));
}

fn withdraw(world: &mut World, random: &mut fastrand::Rng) {
    let amount = Usd::from_micros(random.i64(0..=world.chain.balance.max(0)));
    if amount > Usd::ZERO {
        world.chain.balance -= amount.micros();
        let moved = chain_move(world, amount);
        world.chain.moves.push(Event::Withdrawn(moved));
    }
}

/// Somebody else has the operator's capability, too.
fn order_elsewhere(world: &mut World, random: &mut fastrand::Rng) {
    let Some(created_at) = world.chain.created_at else { return };
    let amount = Usd::from_micros(random.i64(0..=world.chain.balance.max(0)));
    if random.bool() && amount > Usd::ZERO {
        world.chain.balance -= amount.micros();
        world.chain.count_against_limit(amount.micros(), (world.desk.now.0 - created_at.0) / LIMIT_PERIOD_MS);
        let moved = chain_move(world, amount);
        world.chain.moves.push(Event::ForeignCharge(moved));
    } else {
        world.chain.balance += 1_000_000;
        let moved = chain_move(world, Usd::from_dollars(1));
        world.chain.moves.push(Event::ForeignCredit(moved));
    }
}

fn chain_move(world: &World, amount: Usd) -> ChainMove {
    let index = u32::try_from(world.chain.moves.len()).unwrap();
    ChainMove { event: ChainEventId { digest: "0xd".to_owned(), index }, amount, at: world.desk.now }
}

fn change_limit(world: &mut World, random: &mut fastrand::Rng) {
    if world.chain.created_at.is_some() {
        let dollars = [0, 10, 30, 100, 250, 1_000][random.usize(..6)];
        world.chain.limit = SpendingLimit::new(Usd::from_dollars(dollars)).unwrap();
        world.chain.moves.push(Event::LimitChanged(world.chain.limit));
    }
}

fn grant(world: &mut World, random: &mut fastrand::Rng, amount: Usd) {
    let reason = CreditReason::ALL[random.usize(..5)];
    let expires_at = random.bool().then(|| world.desk.now.plus_ms(random.i64(1..90 * DAY_MS)));
    drop(world.carry_out(&Event::GrantCredit { reason, amount, expires_at }));
}

fn void(world: &mut World, random: &mut fastrand::Rng) {
    let unpaid: Vec<InvoiceId> = world.desk.account.unpaid().iter().map(|invoice| invoice.id).collect();
    if let Some(invoice) = random.choice(unpaid) {
        drop(world.carry_out(&Event::VoidInvoice(invoice)));
    }
}

fn give_back(world: &mut World, random: &mut fastrand::Rng, amount: Usd) {
    let payout = if random.bool() { Payout::Credit } else { Payout::Escrow };
    let paid: Vec<InvoiceId> = world.desk.invoices(InvoiceState::Paid).iter().map(|invoice| invoice.id).collect();
    if let Some(invoice) = random.choice(paid) {
        let amount = Usd::from_micros(amount.micros() / 20).floor_cents();
        let reason = format!("outage {}", random.u8(..));
        drop(world.carry_out(&Event::IssueCreditNote { invoice, amount, payout, reason }));
    }
}

fn ask_for_cap(world: &mut World, random: &mut fastrand::Rng, amount: Usd) {
    let cap = random.bool().then_some(SpendCap { amount, hard_stop: random.bool() });
    drop(world.carry_out(&Event::SetSpendCap(cap)));
}

/// Not billing, but billing has to get along with it.
fn switch(world: &mut World, service: Service, random: &mut fastrand::Rng) {
    let account = world.desk.account.service(service);
    let instance = &account.instance;
    let changed = match random.u8(..4) {
        0 | 1 => instance.enable(),
        2 => instance.suspend_maintenance(),
        _ => instance.resume_maintenance(),
    };
    if let Ok(instance) = changed {
        let extras = [(ExtraKind::ApiKey, random.u64(0..3)), (ExtraKind::Package, random.u64(0..2))].into();
        // A ledger counts them from keys, which are not part of a history that is told.
        let extras = if world.decided.is_some() { BTreeMap::new() } else { extras };
        let changed = ServiceAccount { instance, extras, ..account };
        world.desk.account.services.insert(service, changed);
        assert_eq!(world.carry_out(&Event::Tick), Ok(()));
    }
}

/// An answer that was given before comes again.
fn repeat_answer(world: &mut World, random: &mut fastrand::Rng) {
    let answers: Vec<_> = world.chain.charges.iter().map(|(key, answer)| (*key, *answer)).collect();
    if let Some((key, (succeeded, _, at))) = random.choice(answers) {
        let charge = world.desk.account.charges[&key].clone();
        let result = world.carry_out(&desk::answer_to(&charge, succeeded, at));
        assert_eq!(result, Ok(()));
    }
    let moves = world.cursor.min(world.chain.moves.len());
    if let Some(event @ (Event::Deposited(_) | Event::Withdrawn(_))) =
        random.choice(&world.chain.moves[..moves]).cloned()
    {
        assert_eq!(world.carry_out(&event), Ok(()));
    }
}

/// The chain had declined, and the money comes after all.
fn money_after_all(world: &mut World, random: &mut fastrand::Rng) {
    // Until then nothing is known of money that is there.
    world.read_chain();
    let (now, balance) = (world.desk.now, world.chain.balance);
    let answers = world.chain.charges.iter();
    let declined: Vec<ChargeKey> =
        answers.filter(|(_, (succeeded, amount, _))| !succeeded && *amount <= balance).map(|(key, _)| *key).collect();
    if let Some(key) = random.choice(declined) {
        world.chain.move_after_all(key, now);
        let charge = world.desk.account.charges[&key].clone();
        assert_eq!(world.carry_out(&desk::answer_to(&charge, true, now)), Ok(()));
    }
}

/// What happened in a history, by name: a test of nothing is no test.
fn happened(desk: &Desk) -> BTreeSet<String> {
    let notices = desk.notices.iter().map(|notice| format!("told: {}", notice.name()));
    let entries = desk.entries.iter().map(|entry| entry.reason.name().to_owned());
    let invoices = desk.account.invoices.values();
    let lines = invoices.clone().flat_map(|invoice| &invoice.lines).map(|line| line.kind.name().to_owned());
    let states = invoices.clone().map(|invoice| invoice.state.name().to_owned());
    let purposes = invoices.map(|invoice| invoice.purpose.name().to_owned());
    let notes = desk.account.credit_notes.values().map(|note| note.state.name().to_owned());
    notices.chain(entries).chain(lines).chain(states).chain(purposes).chain(notes).collect()
}

/// All that can happen, except that these histories have no bandwidth.
const HAPPENS: [&str; 43] = [
    "told: invoice_issued",
    "told: invoice_paid",
    "told: invoice_failed",
    "told: invoice_voided",
    "told: payment_overdue",
    "told: suspended",
    "told: resumed",
    "told: upgrade_declined",
    "told: subscription_lapsed",
    "told: credit_expired",
    "told: cap_reached",
    "told: overpaid",
    "told: parked",
    "told: month_closed",
    "deposit",
    "withdrawal",
    "foreign_charge",
    "foreign_credit",
    "invoice_issued",
    "invoice_voided",
    "invoice_paid",
    "overpaid",
    "credit_granted",
    "credits_used",
    "credits_returned",
    "credit_expired",
    "refund_paid",
    "subscription",
    "upgrade",
    "extra",
    "requests",
    "late_requests",
    "tax",
    "credit",
    "draft",
    "pending",
    "paid",
    "failed",
    "voided",
    "monthly",
    "subscribe",
    "resume",
    "credited",
];

/// Where two histories part.
fn difference(calm: &Desk, troubled: &Desk) -> String {
    let both = calm.entries.iter().zip(&troubled.entries).find(|(one, other)| one != other);
    let entry = both.map(|(one, other)| format!("{:?} at {}, {:?} at {}", one.key, one.at, other.key, other.at));
    let (more, less) = (calm.entries.len(), troubled.entries.len());
    let standing = (&calm.account.standing, &troubled.account.standing);
    format!("{entry:?}; {more} and {less} entries; {standing:?}")
}

fn live(seed: u64, crashes: Option<u64>) -> World {
    live_in(|begin| World::new(seed, begin, crashes), seed)
}

/// Every decision of a history without crashes, in order.
pub fn decisions(seed: u64) -> Vec<Decided> {
    live_in(|begin| World::told(seed, begin), seed).decided.unwrap()
}

fn live_in(open: impl FnOnce(UtcMillis) -> World, seed: u64) -> World {
    let mut random = fastrand::Rng::with_seed(seed);
    let begin = at("2024-01-15").plus_ms(random.i64(0..500 * DAY_MS));
    let mut world = open(begin);
    if random.u8(..4) == 0 {
        world.desk.terms.tax_basis_points = 1_900;
    }
    for _ in 0..STEPS {
        step(&mut world, &mut random);
    }
    world.check_at_rest();
    world
}

#[test]
fn no_history_loses_a_cent_and_no_crash_makes_a_difference() {
    let histories = std::env::var("SUIFTLY_HISTORIES").ok().map_or(HISTORIES, |text| text.parse().unwrap());
    let (next, crashed, entries) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let seen = Mutex::new(BTreeSet::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= histories {
                return;
            }
            let outcome = std::panic::catch_unwind(|| (live(seed, None), live(seed, Some(!seed))));
            let Ok((calm, troubled)) = outcome else { panic!("history {seed} failed, see above") };
            let same = calm.desk == troubled.desk;
            assert!(same, "history {seed} ends otherwise with crashes: {}", difference(&calm.desk, &troubled.desk));
            seen.lock().unwrap().append(&mut happened(&calm.desk));
            crashed.fetch_add(troubled.crashed, Ordering::Relaxed);
            entries.fetch_add(u64::try_from(calm.desk.entries.len()).unwrap(), Ordering::Relaxed);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let (crashed, entries) = (crashed.into_inner(), entries.into_inner());
    println!("{histories} histories with {entries} entries, {crashed} crashes");
    let seen = seen.into_inner().unwrap();
    let missing: Vec<_> = HAPPENS.into_iter().filter(|name| !seen.contains(*name)).collect();
    assert!(histories < HISTORIES || missing.is_empty(), "never happened: {missing:?}");
    assert!(histories < HISTORIES || crashed > histories, "{crashed} crashes");
}
