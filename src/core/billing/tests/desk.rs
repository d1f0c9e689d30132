//! One customer, with a ledger in memory that keeps everything and refuses what a database would refuse.

use std::collections::BTreeMap;

use super::*;

/// What a ledger holds of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desk {
    /// Everything there ever was; a decision gets [`Desk::loaded`].
    pub account: Account,
    pub counters: Counters,
    pub terms: Terms,
    pub entries: Vec<Entry>,
    pub balances: BTreeMap<AccountName, i128>,
    pub keys: std::collections::BTreeSet<EntryKey>,
    pub notices: Vec<Notice>,
    pub now: UtcMillis,
}

/// Prices of the examples.
pub fn terms() -> Terms {
    Terms {
        starter: cents(900),
        pro: cents(2_900),
        enterprise: cents(18_500),
        api_key: cents(100),
        seal_key: cents(500),
        package: cents(100),
        tax_basis_points: 0,
    }
}

impl Desk {
    /// Somebody who has just come.
    pub fn open(now: UtcMillis) -> Self {
        Self {
            account: Account::new(CustomerId::new(7).unwrap(), Month::of(now).unwrap()),
            counters: Counters::default(),
            terms: terms(),
            entries: Vec::new(),
            balances: BTreeMap::new(),
            keys: std::collections::BTreeSet::new(),
            notices: Vec::new(),
            now,
        }
    }

    /// Somebody with an account on the chain that holds so much.
    pub fn with_balance(now: UtcMillis, balance: Usd) -> Self {
        let mut desk = Self::open(now);
        desk.escrow(now);
        if balance > Usd::ZERO {
            desk.deposit(balance);
        }
        desk
    }

    /// A new account on the chain, of an instant.
    pub fn escrow(&mut self, at: UtcMillis) {
        self.must(&Event::EscrowCreated { at });
    }

    pub fn deposit(&mut self, amount: Usd) {
        let index = u32::try_from(self.entries.len()).unwrap();
        let event = ChainEventId { digest: "deposit".to_owned(), index };
        self.must(&Event::Deposited(ChainMove { event, amount, at: self.now }));
    }

    /// What a real ledger would load: see [`Account`].
    pub fn loaded(&self, event: &Event) -> Account {
        let all = &self.account;
        let named = match event {
            Event::ChargeAnswered(answer) => Some(answer.invoice),
            Event::VoidInvoice(invoice) | Event::Collect(invoice) => Some(*invoice),
            Event::IssueCreditNote { invoice, .. } => Some(*invoice),
            Event::RefundAnswered(answer) => all.credit_notes.get(&answer.note).map(|note| note.invoice),
            _ => None,
        };
        let is_open = |invoice: &Invoice| invoice.state.is_unpaid() || invoice.state == InvoiceState::Draft;
        let invoices = all.invoices.iter().filter(|(id, invoice)| is_open(invoice) || Some(**id) == named);
        let invoices: BTreeMap<_, _> = invoices.map(|(id, invoice)| (*id, invoice.clone())).collect();
        let used: Vec<CreditId> =
            invoices.values().flat_map(|invoice| invoice.credits().unwrap()).map(|(credit, _)| credit).collect();
        let charges = all.charges.iter().filter(|(key, _)| invoices.contains_key(&key.invoice));
        let credits = all.credits.iter().filter(|(id, credit)| credit.remaining > Usd::ZERO || used.contains(id));
        let notes = all.credit_notes.iter().filter(|(_, note)| Some(note.invoice) == named);
        Account {
            customer: all.customer,
            standing: all.standing.clone(),
            services: all.services.clone(),
            charges: charges.map(|(key, charge)| (*key, charge.clone())).collect(),
            credits: credits.map(|(id, credit)| (*id, credit.clone())).collect(),
            credit_notes: notes.map(|(id, note)| (*id, note.clone())).collect(),
            billed: all.billed.clone(),
            escrow: all.escrow,
            invoices,
        }
    }

    /// Only decides.
    pub fn decide(&self, event: &Event) -> Result<Decision, BillingError> {
        decide(&self.loaded(event), event, &self.terms, self.counters, self.now)
    }

    /// Carries a decision out, all or nothing. `false`: an entry with one of the keys exists.
    #[must_use]
    pub fn commit(&mut self, decision: &Decision) -> bool {
        let posted = |action: &Action| match action {
            Action::Post(entry) => Some(entry.clone()),
            _ => None,
        };
        let entries: Vec<Entry> = decision.actions.iter().filter_map(posted).collect();
        if entries.iter().any(|entry| self.keys.contains(&entry.key)) {
            return false;
        }
        for entry in entries {
            assert!(self.keys.insert(entry.key.clone()), "one decision posts {:?} twice", entry.key);
            for posting in &entry.postings {
                *self.balances.entry(posting.account).or_default() += i128::from(posting.amount.micros());
            }
            self.entries.push(entry);
        }
        for action in &decision.actions {
            if let Action::Notify(notice) = action {
                self.notices.push(notice.clone());
            }
            self.account.apply(action);
        }
        self.counters = decision.counters;
        true
    }

    /// Decides and carries out.
    pub fn try_to(&mut self, event: &Event) -> Result<Decision, BillingError> {
        if event.entry_key().is_some_and(|key| self.keys.contains(&key)) {
            let (account, counters) = (self.account.clone(), self.counters);
            return Ok(Decision { account, counters, actions: Vec::new() });
        }
        let decision = self.decide(event)?;
        assert!(self.commit(&decision), "an entry was made twice by {event:?}");
        Ok(decision)
    }

    #[track_caller]
    pub fn must(&mut self, event: &Event) -> Decision {
        self.try_to(event).unwrap_or_else(|error| panic!("{event:?}: {error}"))
    }

    pub fn refused(&mut self, event: &Event) -> Refusal {
        match self.try_to(event) {
            Err(BillingError::Refused(refusal)) => refusal,
            other => panic!("{event:?} is not refused: {other:?}"),
        }
    }

    /// Charges that wait for an answer.
    pub fn outbox(&self) -> Vec<Charge> {
        self.account.charges.values().filter(|charge| charge.state == ChargeState::Sent).cloned().collect()
    }

    /// Answers all of them in one way. Returns what they came to.
    pub fn answer(&mut self, succeed: bool) -> Usd {
        let mut sum = Usd::ZERO;
        for charge in self.outbox() {
            sum = sum.checked_add(charge.amount).unwrap();
            self.must(&answer_to(&charge, succeed, self.now));
        }
        sum
    }

    /// Pays whatever is asked for, also what follows from it.
    pub fn pay(&mut self) -> Usd {
        let mut sum = Usd::ZERO;
        while !self.outbox().is_empty() {
            sum = sum.checked_add(self.answer(true)).unwrap();
        }
        sum
    }

    pub fn close(&mut self, usage: MonthUsage) -> Decision {
        self.must(&month_end(usage))
    }

    /// Ends the draft's month without usage, one hour after its end.
    pub fn close_quietly(&mut self) {
        let month = self.account.draft().unwrap().month;
        self.now = self.now.max(month.end().plus_ms(HOUR_MS));
        self.close(MonthUsage { month, lines: vec![] });
    }

    pub fn invoices(&self, state: InvoiceState) -> Vec<Invoice> {
        let found = self.account.invoices.values().filter(|invoice| invoice.state == state);
        let mut found: Vec<Invoice> = found.cloned().collect();
        found.sort_by_key(|invoice| invoice.number);
        found
    }

    pub fn amounts(&self, state: InvoiceState) -> Vec<i64> {
        self.invoices(state).iter().map(|invoice| invoice.amount.micros() / 10_000).collect()
    }

    /// What is left of each credit, in cents.
    pub fn credits(&self) -> Vec<i64> {
        self.account.credits.values().map(|credit| credit.remaining.micros() / 10_000).collect()
    }

    pub fn state(&self, service: Service) -> crate::core::service_instance::ServiceState {
        self.account.service(service).instance.state
    }

    pub fn tier(&self, service: Service) -> Option<Tier> {
        self.account.service(service).instance.tier
    }

    /// Everything that must always hold.
    #[track_caller]
    pub fn check(&self) {
        assert_eq!(verify(&self.account, &self.entries), vec![]);
        let numbers = self.account.invoices.values().filter_map(|invoice| invoice.number);
        let mut numbers: Vec<_> = numbers.collect();
        numbers.sort_unstable();
        assert_eq!(first_gap(numbers), None);
    }
}

pub fn answer_to(charge: &Charge, succeed: bool, at: UtcMillis) -> Event {
    let outcome = match succeed {
        true => Outcome::Succeeded { reference: format!("0x{}", charge.key) },
        false => Outcome::Declined { reason: "no".to_owned() },
    };
    Event::ChargeAnswered(ChargeAnswer { invoice: charge.key.invoice, attempt: charge.key.attempt, outcome, at })
}

pub fn month_end(usage: MonthUsage) -> Event {
    Event::CloseMonth(MonthEnd { usage, earlier: vec![], completeness: Completeness::default() })
}

/// News of the draft's month.
pub fn so_far(month: MonthUsage) -> Event {
    Event::Usage(UsageNews { month, running: None, earlier: vec![] })
}

/// Requests of one service in the first hour of a month, at $1.00 per 10,000.
pub fn usage(month: Month, service: Service, billable_requests: u64) -> MonthUsage {
    use crate::core::config_global::PricePeriod;
    use crate::core::rating::PricePerRequests;
    use crate::core::usage::HourUsage;
    let customer = CustomerId::new(7).unwrap();
    let price = PricePerRequests { amount: Usd::from_dollars(1), per: 10_000 };
    let requests = vec![PricePeriod { from: month.start(), to: month.end(), price }];
    let prices = UsagePrices { requests, bandwidth: vec![] };
    let (requests, billable_bytes) = (billable_requests, 0);
    let hour = HourUsage { customer, service, hour: month.start(), requests, billable_requests, billable_bytes };
    MonthUsage { month, lines: usage_lines(customer, month, &[hour], &prices).unwrap() }
}
