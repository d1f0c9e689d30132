//! A customer, a chain and a program that may die at any moment.

use std::collections::BTreeMap;

use super::desk::month_end;
use super::*;

/// The other side: it knows what it did, and does nothing twice.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    pub balance: i64,
    pub limit: SpendingLimit,
    pub created_at: Option<UtcMillis>,
    /// What was charged in each period.
    charged: BTreeMap<i64, i64>,
    /// Answers by key, with amounts in micro-dollars.
    pub charges: BTreeMap<ChargeKey, (bool, i64, UtcMillis)>,
    pub refunds: BTreeMap<CreditNoteId, (bool, i64, UtcMillis)>,
    /// Deposits and withdrawals, in order.
    pub moves: Vec<Event>,
    /// Faults depend on the key only, so that they are the same whenever it is asked.
    seed: u64,
}

/// One decision, with all that it was made from.
#[derive(Debug, Clone)]
pub struct Decided {
    pub event: Event,
    pub loaded: Account,
    pub terms: Terms,
    pub now: UtcMillis,
    pub decision: Decision,
}

/// Why the program stops here.
pub struct Crash;

/// Everything together. What is in `desk` and `chain` survives a crash.
pub struct World {
    pub desk: Desk,
    pub chain: Chain,
    /// Requests so far, by month and service.
    pub used: BTreeMap<(Month, Service), u64>,
    /// How far the chain's moves were read.
    pub cursor: usize,
    /// Whether the chain answers at all.
    pub reachable: bool,
    /// What was decided, in order, if somebody wants to know.
    pub decided: Option<Vec<Decided>>,
    crashes: Option<fastrand::Rng>,
    pub crashed: u64,
}

fn micros(amount: Usd) -> i64 {
    amount.micros()
}

impl Chain {
    fn is_faulty(&self, key: &str) -> bool {
        let mix = key.bytes().fold(self.seed, |mix, byte| (mix ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        // Some chains hardly ever do what they are asked.
        let faulty_percent = if self.seed.is_multiple_of(8) { 93 } else { 15 };
        fastrand::Rng::with_seed(mix).u8(..100) < faulty_percent
    }

    fn period(&self, at: UtcMillis) -> i64 {
        (at.0 - self.created_at.unwrap().0) / LIMIT_PERIOD_MS
    }

    /// In a period.
    pub fn count_against_limit(&mut self, amount: i64, period: i64) {
        *self.charged.entry(period).or_default() += amount;
    }

    fn charge(&mut self, charge: &Charge, at: UtcMillis) -> (bool, i64, UtcMillis) {
        if let Some(answer) = self.charges.get(&charge.key) {
            assert_eq!(answer.1, micros(charge.amount), "the same key asks for another amount");
            return *answer;
        }
        let (amount, limit) = (micros(charge.amount), micros(self.limit.amount()));
        let period = self.period(at);
        let charged = self.charged.entry(period).or_default();
        let allowed = amount <= self.balance && (limit == 0 || *charged + amount <= limit);
        let answer = (allowed && !self.is_faulty(&charge.key.to_string()), amount, at);
        if answer.0 {
            self.balance -= amount;
            self.count_against_limit(amount, period);
        }
        self.charges.insert(charge.key, answer);
        answer
    }

    /// What was declined happens after all.
    pub fn move_after_all(&mut self, key: ChargeKey, at: UtcMillis) {
        let period = self.period(at);
        let answer = self.charges.get_mut(&key).unwrap();
        *answer = (true, answer.1, at);
        self.balance -= answer.1;
        *self.charged.entry(period).or_default() += answer.1;
    }

    fn refund(&mut self, note: &CreditNote, at: UtcMillis) -> (bool, i64, UtcMillis) {
        if let Some(answer) = self.refunds.get(&note.id) {
            return *answer;
        }
        let answer = (!self.is_faulty(&format!("credit-note-{}", note.id)), micros(note.amount), at);
        if answer.0 {
            self.balance += answer.1;
        }
        self.refunds.insert(note.id, answer);
        answer
    }
}

impl World {
    pub fn new(seed: u64, now: UtcMillis, crashes: Option<u64>) -> Self {
        let chain = Chain { seed, ..Chain::default() };
        let crashes = crashes.map(fastrand::Rng::with_seed);
        let (used, cursor, reachable) = (BTreeMap::new(), 0, true);
        Self { desk: Desk::open(now), chain, used, cursor, reachable, decided: None, crashes, crashed: 0 }
    }

    /// A world without crashes of which every decision is kept.
    pub fn told(seed: u64, now: UtcMillis) -> Self {
        Self { decided: Some(Vec::new()), ..Self::new(seed, now, None) }
    }

    /// A place where the program may die.
    fn may_crash(&mut self) -> Result<(), Crash> {
        let Some(crashes) = &mut self.crashes else { return Ok(()) };
        if crashes.u8(..100) < 8 {
            self.crashed += 1;
            return Err(Crash);
        }
        Ok(())
    }

    /// Does something until it is done, however often the program dies meanwhile. `Err`: it was refused.
    pub fn carry_out(&mut self, event: &Event) -> Result<(), Refusal> {
        loop {
            let done = self.try_once(event);
            if let Ok(result) = done {
                return result;
            }
        }
    }

    fn try_once(&mut self, event: &Event) -> Result<Result<(), Refusal>, Crash> {
        self.may_crash()?;
        if event.entry_key().is_some_and(|key| self.desk.keys.contains(&key)) {
            return Ok(Ok(()));
        }
        let decision = match self.desk.decide(event) {
            Ok(decision) => decision,
            Err(BillingError::CatchUpFirst(month)) => {
                self.close(month);
                return self.try_once(event);
            }
            Err(BillingError::Refused(refusal)) => return Ok(Err(refusal)),
            Err(error) => panic!("{event:?}: {error}"),
        };
        self.may_crash()?;
        if let Some(decided) = &mut self.decided {
            let (loaded, terms, now) = (self.desk.loaded(event), self.desk.terms.clone(), self.desk.now);
            decided.push(Decided { event: event.clone(), loaded, terms, now, decision: decision.clone() });
        }
        assert!(self.desk.commit(&decision), "an entry was made twice by {event:?}");
        self.check(&decision);
        // What is delivered again after a crash changes nothing. What a customer asked for is not: the answer is kept.
        if self.may_crash().is_err() && is_delivered_again(event) {
            let before = self.desk.clone();
            self.desk.try_to(event).unwrap();
            let same = self.desk.account == before.account && self.desk.entries.len() == before.entries.len();
            assert!(same, "again it is another thing: {}", self.difference(&before, event));
            self.desk = before;
        }
        Ok(Ok(()))
    }

    /// What is new, in few words.
    fn difference(&self, before: &Desk, event: &Event) -> String {
        let posted: Vec<_> = self.desk.entries.iter().skip(before.entries.len()).map(|entry| &entry.key).collect();
        let name: String = format!("{event:?}").chars().take(40).collect();
        let changed =
            self.desk.account.invoices.iter().filter(|(id, one)| before.account.invoices.get(id) != Some(one));
        let changed: Vec<_> = changed.map(|(id, _)| id).collect();
        format!("{name} at {}: entries {posted:?}, invoices {changed:?}", self.desk.now)
    }

    pub fn close(&mut self, month: Month) {
        let mut end = month_end(self.usage_of(month));
        if let Event::CloseMonth(end) = &mut end {
            end.earlier = self.usage_before(month);
        }
        self.carry_out(&end).unwrap();
    }

    /// Of all earlier months.
    pub fn usage_before(&self, month: Month) -> Vec<MonthUsage> {
        let earlier: std::collections::BTreeSet<Month> =
            self.used.keys().map(|(month, _)| *month).filter(|earlier| *earlier < month).collect();
        earlier.into_iter().map(|month| self.usage_of(month)).collect()
    }

    pub fn usage_of(&self, month: Month) -> MonthUsage {
        let mut lines = Vec::new();
        for ((_, service), requests) in self.used.iter().filter(|((of, _), _)| *of == month) {
            lines.extend(super::desk::usage(month, *service, *requests).lines);
        }
        MonthUsage { month, lines }
    }

    /// What the periodic manager does: close what is over, carry out what is due, read the chain, send what waits.
    pub fn manage(&mut self) {
        while let Some(month) = self.desk.account.draft().map(|draft| draft.month)
            && self.desk.now >= month.end().plus_ms(HOUR_MS)
        {
            self.close(month);
        }
        self.tick();
        if self.reachable {
            self.read_chain();
            self.send();
            self.tick();
            self.send();
        }
    }

    /// Before it is due it does nothing, and then it does everything.
    fn tick(&mut self) {
        let (now, due) = (self.desk.now, next_due(&self.desk.account));
        if due.is_some_and(|due| now < due) {
            let early = self.desk.decide(&Event::Tick).unwrap();
            assert!(early.actions.is_empty(), "due at {due:?}, and at {now} already: {:?}", early.actions);
        }
        self.carry_out(&Event::Tick).unwrap();
        let due = next_due(&self.desk.account).unwrap();
        assert!(due > now, "it stays due at {due} after {now}");
    }

    pub fn read_chain(&mut self) {
        while let Some(event) = self.chain.moves.get(self.cursor).cloned() {
            self.carry_out(&event).unwrap();
            if self.may_crash().is_ok() {
                self.cursor += 1;
            }
        }
    }

    /// Sends the outbox until it is empty; every answer may lead to more.
    fn send(&mut self) {
        while self.desk.outbox().len() + self.refunds_to_send().len() > 0 {
            let _ = self.send_once();
        }
    }

    fn refunds_to_send(&self) -> Vec<CreditNote> {
        let notes = self.desk.account.credit_notes.values();
        notes.filter(|note| note.state == CreditNoteState::Sent).cloned().collect()
    }

    /// The first thing that waits, so that the order is the same however often the program dies.
    fn send_once(&mut self) -> Result<(), Crash> {
        if let Some(charge) = self.desk.outbox().first() {
            self.may_crash()?;
            let (succeeded, _, at) = self.chain.charge(charge, self.desk.now);
            self.may_crash()?;
            self.carry_out(&super::desk::answer_to(charge, succeeded, at)).unwrap();
        } else if let Some(note) = self.refunds_to_send().first() {
            self.may_crash()?;
            let (succeeded, _, at) = self.chain.refund(note, self.desk.now);
            self.may_crash()?;
            let outcome = match succeeded {
                true => Outcome::Succeeded { reference: "0x2".to_owned() },
                false => Outcome::Declined { reason: "no".to_owned() },
            };
            self.carry_out(&Event::RefundAnswered(RefundAnswer { note: note.id, outcome, at })).unwrap();
        }
        Ok(())
    }

    /// What must hold after every step.
    fn check(&self, decision: &Decision) {
        let (desk, account) = (&self.desk, &self.desk.account);
        let balance = |name| desk.balances.get(&name).copied().unwrap_or(0);
        assert_eq!(desk.balances.values().sum::<i128>(), 0, "every entry sums to zero");
        let escrow = account.escrow.map_or(0, |escrow| micros(escrow.balance));
        assert_eq!(balance(AccountName::Escrow), -i128::from(escrow));

        let (mut charged, mut refunded) = (0, 0);
        for (key, (succeeded, amount, _)) in &self.chain.charges {
            let known = matches!(account.charges[key].state, ChargeState::Succeeded { .. });
            charged += if known { i128::from(*amount) } else { 0 };
            assert!(*succeeded || !known, "{key} counts, but the chain has declined it");
        }
        for (note, (_, amount, _)) in &self.chain.refunds {
            let known = matches!(account.credit_notes[note].state, CreditNoteState::Paid { .. });
            refunded += if known { i128::from(*amount) } else { 0 };
        }
        let moved = balance(AccountName::ChainClearing);
        assert_eq!(-balance(AccountName::Escrow), moved - charged + refunded, "money is conserved");

        let unpaid = account.unpaid();
        let owed: i128 = unpaid.iter().map(|invoice| i128::from(micros(invoice.amount))).sum();
        assert_eq!(balance(AccountName::Receivable), owed);
        let drafts = account.invoices.values().filter(|invoice| invoice.state == InvoiceState::Draft).count();
        assert_eq!(drafts, 1);
        for invoice in decision.actions.iter().filter_map(|action| match action {
            Action::SaveInvoice(invoice) => Some(invoice),
            _ => None,
        }) {
            assert_eq!(invoice.verify(), Ok(()));
            let successes =
                self.chain.charges.iter().filter(|(key, (succeeded, ..))| key.invoice == invoice.id && *succeeded);
            let paid: Vec<i64> = successes.map(|(_, (_, amount, _))| *amount).collect();
            let pays =
                |entry: &&Entry| entry.reason == EntryReason::InvoicePaid && entry.links.invoice == Some(invoice.id);
            let times = desk.entries.iter().filter(pays).count();
            assert!(times <= 1, "{} is paid {times} times", invoice.id);
            let charges = micros(invoice.charges().unwrap());
            assert!(paid.iter().all(|paid| *paid <= charges), "{} is paid more than it charges", invoice.id);
            let sent = account.charges_of(invoice.id).filter(|charge| charge.state == ChargeState::Sent).count();
            assert!(sent <= 1, "{} is asked for twice at once", invoice.id);
        }
        for credit in account.credits.values() {
            assert!(Usd::ZERO <= credit.remaining && credit.remaining <= credit.granted, "{credit:?}");
        }
    }

    /// What must hold when nothing is under way any more.
    pub fn check_at_rest(&mut self) {
        self.reachable = true;
        self.manage();
        self.desk.check();
        let escrow = self.desk.account.escrow.map_or(0, |escrow| micros(escrow.balance));
        assert_eq!(escrow, self.chain.balance, "the copy is what the chain has");
        for (name, balance) in &self.desk.balances {
            assert!(
                !matches!(name, AccountName::Escrow | AccountName::Credit(_)) || *balance <= 0,
                "{name}: {balance}"
            );
        }
    }
}

fn is_delivered_again(event: &Event) -> bool {
    matches!(
        event,
        Event::Tick
            | Event::Usage(_)
            | Event::CloseMonth(_)
            | Event::EscrowCreated { .. }
            | Event::Deposited(_)
            | Event::Withdrawn(_)
            | Event::ForeignCharge(_)
            | Event::ForeignCredit(_)
            | Event::ForgottenCharge(_)
            | Event::LimitChanged(_)
            | Event::ChargeAnswered(_)
            | Event::RefundAnswered(_)
    )
}
