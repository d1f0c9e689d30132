//! The simulated chain itself: pure, so that the same records always lead to the same world.
//!
//! USDC is neither made nor lost but by the faucet: wallets + accounts + what was collected = what the faucet gave.

use std::collections::{BTreeMap, HashMap};

use super::content::Content;
use super::contract::Account;
use super::journal::Genesis;
use super::record::{Command, Record, SealKeyRecord};
use crate::chain::SealKeyObject;
use crate::chain::escrow::{Refusal, WalletAction};
use crate::core::calendar::UtcMillis;
use crate::core::customer::WalletAddress;
use crate::core::id::SealKeyId;
use crate::core::money::Usd;
use crate::core::seal_key::ObjectId;

/// Names a transaction.
pub(super) type Digest = [u8; 32];

/// Everything.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) genesis: Genesis,
    /// The chain's own clock. Never goes back, whatever its callers' do.
    pub(super) now: i64,
    /// How often something took effect: makes digests of the operator's orders unique.
    steps: u64,
    pub(super) wallets: BTreeMap<WalletAddress, Usd>,
    /// What was charged and not given back.
    pub(super) collected: Usd,
    /// What the faucet gave.
    pub(super) given: Usd,
    /// In the order of their creation.
    pub(super) accounts: Vec<Account>,
    pub(super) by_object: BTreeMap<ObjectId, usize>,
    pub(super) orders: HashMap<Box<str>, Settled>,
    pub(super) transactions: HashMap<Digest, Transaction>,
    pub(super) facts: Vec<Fact>,
    pub(super) seal_keys: BTreeMap<SealKeyId, SealKeyObject>,
    /// What takes effect later, by when, then by which was handed in first.
    pending: BTreeMap<(i64, u64), Pending>,
    handed_in: u64,
}

/// Which way an order of the operator moves money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Charge,
    Credit,
}

/// An order that has its outcome, for good.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    pub(super) direction: Direction,
    pub(super) account: Option<usize>,
    pub(super) amount: Usd,
    /// The number of the fact, or why there is none.
    pub(super) outcome: Result<usize, Refusal>,
}

/// A transaction of a wallet that was seen.
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    pub(super) content: Content,
    pub(super) state: TransactionState,
}

#[derive(Debug, Clone)]
pub(super) enum TransactionState {
    Seen {
        at: i64,
    },
    /// With so many facts, from this one.
    Final {
        at: i64,
        first: usize,
        count: usize,
    },
    Failed {
        at: i64,
        refusal: Refusal,
    },
}

/// What an event tells.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) digest: Digest,
    pub(super) index: u32,
    pub(super) at: i64,
    pub(super) account: usize,
    pub(super) kind: FactKind,
    pub(super) amount: Usd,
    pub(super) balance: Usd,
}

#[derive(Debug, Clone)]
pub(super) enum FactKind {
    Created,
    Deposited,
    Withdrawn,
    Charged(Box<str>),
    Credited(Box<str>),
    SpendingLimitSet,
}

#[derive(Debug, Clone)]
enum Pending {
    Command(Command),
    Execute(Digest),
}

/// What came of a command that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Done,
    /// Of an order: the number of its fact.
    Settled(Result<usize, Refusal>),
    /// The chain has a newer version of this Seal key.
    Outdated {
        there: u64,
    },
}

impl World {
    pub(super) fn new(genesis: Genesis) -> Self {
        Self { genesis, ..Self::default() }
    }

    /// When something takes effect next.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.pending.first_key_value().map(|((due, _), _)| *due)
    }

    /// Carries out a record. What came of it, if it took effect at once.
    pub(super) fn take(&mut self, record: &Record) -> Option<Effect> {
        match record {
            Record::Tick { at } => {
                self.advance(*at);
                None
            }
            Record::Order { at, due, command } => {
                self.advance(*at);
                if *due > self.now {
                    self.wait(*due, Pending::Command(command.clone()));
                    return None;
                }
                let at = self.now;
                Some(self.carry_out(at, command))
            }
        }
    }

    /// Everything that is due by then takes effect, in order.
    fn advance(&mut self, to: i64) {
        while let Some(due) = self.next_due().filter(|due| *due <= to) {
            self.now = self.now.max(due);
            let at = self.now;
            match self.pending.pop_first() {
                Some((_, Pending::Command(command))) => drop(self.carry_out(at, &command)),
                Some((_, Pending::Execute(digest))) => self.execute(at, digest),
                None => {}
            }
        }
        self.now = self.now.max(to);
    }

    fn wait(&mut self, due: i64, pending: Pending) {
        self.handed_in = self.handed_in.saturating_add(1);
        self.pending.insert((due, self.handed_in), pending);
    }

    fn carry_out(&mut self, at: i64, command: &Command) -> Effect {
        self.steps = self.steps.saturating_add(1);
        match command {
            Command::Faucet { wallet, amount } => self.faucet(wallet, Usd::from_micros(*amount)),
            Command::Charge { account, amount, key } => {
                self.order(at, Direction::Charge, (account, Usd::from_micros(*amount)), key)
            }
            Command::Credit { account, amount, key } => {
                self.order(at, Direction::Credit, (account, Usd::from_micros(*amount)), key)
            }
            Command::Submit { content, final_after_ms } => self.see(at, content, *final_after_ms),
            Command::PutSealKey(record) => self.put_seal_key(record),
        }
    }

    /// Nothing, for an amount that would leave the range.
    fn faucet(&mut self, wallet: &str, amount: Usd) -> Effect {
        let Ok(wallet) = wallet.parse::<WalletAddress>() else { return Effect::Done };
        let given = self.given.checked_add(amount);
        if let (Ok(given), true) = (given, amount > Usd::ZERO) {
            // Every balance is part of what was given, so that none can leave the range if that does not.
            let before = self.wallets.get(&wallet).copied().unwrap_or_default();
            if let Ok(after) = before.checked_add(amount) {
                self.given = given;
                self.wallets.insert(wallet, after);
            }
        }
        Effect::Done
    }

    /// An order has one outcome, whatever comes again with its key.
    fn order(&mut self, at: i64, direction: Direction, (account, amount): (&str, Usd), key: &str) -> Effect {
        let object: Option<ObjectId> = account.parse().ok();
        let account = object.and_then(|object| self.by_object.get(&object).copied());
        if let Some(known) = self.orders.get(key) {
            let same = (known.direction, known.account, known.amount) == (direction, account, amount);
            return Effect::Settled(if same { known.outcome.clone() } else { Err(Refusal::KeyReused) });
        }
        let outcome = self.move_money(at, direction, account, amount).map(|balance| {
            let kind = match direction {
                Direction::Charge => FactKind::Charged(key.into()),
                Direction::Credit => FactKind::Credited(key.into()),
            };
            let digest = self.digest_of_order(key);
            self.facts.push(Fact {
                digest,
                index: 0,
                at,
                account: account.unwrap_or(usize::MAX),
                kind,
                amount,
                balance,
            });
            self.facts.len() - 1
        });
        self.orders.insert(key.into(), Settled { direction, account, amount, outcome: outcome.clone() });
        Effect::Settled(outcome)
    }

    /// The balance of the account after it.
    fn move_money(
        &mut self,
        at: i64,
        direction: Direction,
        account: Option<usize>,
        amount: Usd,
    ) -> Result<Usd, Refusal> {
        let account = account.and_then(|account| self.accounts.get_mut(account)).ok_or(Refusal::NoSuchAccount)?;
        match direction {
            Direction::Charge => {
                let collected = self.collected.checked_add(amount).map_err(|_| Refusal::OutOfRange)?;
                account.charge(at, amount)?;
                self.collected = collected;
            }
            Direction::Credit => {
                let collected =
                    minus(self.collected, amount).ok_or(Refusal::NotEnoughCollected { balance: self.collected })?;
                account.pay_in(amount)?;
                self.collected = collected;
            }
        }
        Ok(account.balance)
    }

    fn digest_of_order(&self, key: &str) -> Digest {
        Content::digest(&format!("{:?} step {} order {key}", self.genesis, self.steps))
    }

    /// What has expired, and what has been seen, is passed over.
    fn see(&mut self, at: i64, text: &str, final_after_ms: i64) -> Effect {
        let digest = Content::digest(text);
        let content = Content::parse(text).filter(|content| at <= content.expires_at.0);
        if let Some(content) = content.filter(|_| !self.transactions.contains_key(&digest)) {
            self.transactions.insert(digest, Transaction { content, state: TransactionState::Seen { at } });
            self.wait(at.saturating_add(final_after_ms.max(0)), Pending::Execute(digest));
        }
        Effect::Done
    }

    fn execute(&mut self, at: i64, digest: Digest) {
        self.steps = self.steps.saturating_add(1);
        let Some(content) = self.transactions.get(&digest).map(|transaction| transaction.content.clone()) else {
            return;
        };
        let first = self.facts.len();
        let state = match self.act(at, digest, &content) {
            Ok(()) => TransactionState::Final { at, first, count: self.facts.len() - first },
            Err(refusal) => TransactionState::Failed { at, refusal },
        };
        if let Some(transaction) = self.transactions.get_mut(&digest) {
            transaction.state = state;
        }
    }

    /// All of it, or nothing.
    fn act(&mut self, at: i64, digest: Digest, content: &Content) -> Result<(), Refusal> {
        let wallet = &content.wallet;
        let account = self.account_of(wallet);
        match content.action {
            WalletAction::Deposit { amount } => self.deposit(at, digest, wallet, amount),
            WalletAction::Withdraw { amount } => {
                let number = account.ok_or(Refusal::NoSuchAccount)?;
                let in_wallet = self.wallet(wallet).checked_add(amount).map_err(|_| Refusal::OutOfRange)?;
                let account = self.accounts.get_mut(number).ok_or(Refusal::NoSuchAccount)?;
                account.pay_out(amount)?;
                self.wallets.insert(wallet.clone(), in_wallet);
                self.tell((digest, 0), at, number, FactKind::Withdrawn, amount);
                Ok(())
            }
            WalletAction::SetSpendingLimit { limit } => {
                let number = account.ok_or(Refusal::NoSuchAccount)?;
                self.accounts.get_mut(number).ok_or(Refusal::NoSuchAccount)?.set_limit(limit)?;
                self.tell((digest, 0), at, number, FactKind::SpendingLimitSet, limit);
                Ok(())
            }
        }
    }

    fn deposit(&mut self, at: i64, digest: Digest, wallet: &WalletAddress, amount: Usd) -> Result<(), Refusal> {
        let balance = self.wallet(wallet);
        if amount <= Usd::ZERO {
            return Err(Refusal::NoAmount);
        }
        let left = minus(balance, amount).ok_or(Refusal::NotEnoughInWallet { balance })?;
        let known = self.account_of(wallet);
        let number = match known {
            Some(number) => number,
            None => self.create(at, wallet).ok_or(Refusal::OutOfRange)?,
        };
        self.accounts.get_mut(number).ok_or(Refusal::NoSuchAccount)?.pay_in(amount)?;
        self.wallets.insert(wallet.clone(), left);
        let index = u32::from(known.is_none());
        if known.is_none() {
            self.facts.push(Fact {
                digest,
                index: 0,
                at,
                account: number,
                kind: FactKind::Created,
                amount: Usd::ZERO,
                balance: Usd::ZERO,
            });
        }
        self.tell((digest, index), at, number, FactKind::Deposited, amount);
        Ok(())
    }

    fn create(&mut self, at: i64, owner: &WalletAddress) -> Option<usize> {
        let object_id = object_of(owner)?;
        let number = self.accounts.len();
        self.by_object.insert(object_id.clone(), number);
        self.accounts.push(Account::created(object_id, owner.clone(), UtcMillis(at)));
        Some(number)
    }

    fn tell(&mut self, (digest, index): (Digest, u32), at: i64, account: usize, kind: FactKind, amount: Usd) {
        let balance = self.accounts.get(account).map(|account| account.balance).unwrap_or_default();
        self.facts.push(Fact { digest, index, at, account, kind, amount, balance });
    }

    pub(super) fn account_of(&self, owner: &WalletAddress) -> Option<usize> {
        object_of(owner).and_then(|object| self.by_object.get(&object).copied())
    }

    pub(super) fn wallet(&self, wallet: &WalletAddress) -> Usd {
        self.wallets.get(wallet).copied().unwrap_or_default()
    }

    fn put_seal_key(&mut self, record: &SealKeyRecord) -> Effect {
        let Some(object) = record.object() else { return Effect::Done };
        match self.seal_keys.get(&object.seal_key) {
            Some(known) if known.version > object.version => Effect::Outdated { there: known.version },
            _ => {
                self.seal_keys.insert(object.seal_key.clone(), object);
                Effect::Done
            }
        }
    }

    /// Whether USDC is where it came to be.
    #[cfg(test)]
    pub(super) fn is_conserved(&self) -> bool {
        let sum =
            |amounts: &mut dyn Iterator<Item = Usd>| amounts.map(|amount| i128::from(amount.micros())).sum::<i128>();
        let all = sum(&mut self.wallets.values().copied())
            + sum(&mut self.accounts.iter().map(|account| account.balance))
            + i128::from(self.collected.micros());
        all == i128::from(self.given.micros())
    }
}

/// The object of a wallet's account: the same for ever.
pub(super) fn object_of(owner: &WalletAddress) -> Option<ObjectId> {
    format!("0x{}", super::digest("escrow account", owner.as_str())).parse().ok()
}

/// None below 0.
pub(super) fn minus(balance: Usd, amount: Usd) -> Option<Usd> {
    balance.micros().checked_sub(amount.micros()).filter(|left| *left >= 0).map(Usd::from_micros)
}
