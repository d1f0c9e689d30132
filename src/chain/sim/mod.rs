//! A simulated chain: escrow accounts with USDC, limits and finality, and whatever goes wrong between us and a chain.
//!
//! ```text
//! ask ──▶ fault? ──▶ journal ──▶ world ──▶ answer, if it is not lost
//! ```
//! The [`world`] is pure and follows from the records of the [`journal`], so that a process that is killed finds at its
//! next start what anybody was told. Object ids and public keys are derived from names, and come out the same on every
//! chain. Without a file everything is gone with the process.

mod content;
mod contract;
mod fault;
mod journal;
mod queries;
mod record;
mod wallet;
mod world;

#[cfg(test)]
mod tests;

pub use fault::{Fault, FaultPlan};
pub use journal::{Genesis, SimError};
pub use wallet::{NotSigned, SimWallet};

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::escrow::{
    EscrowOrder, MAX_KEY_CHARS, OrderOutcome, Receipt, SignedTransaction, UnsignedTransaction, WalletAction,
};
use super::{ChainError, RegisteredSealKey, SealKeyObject};
use crate::core::calendar::{HOUR_MS, UtcMillis};
use crate::core::customer::WalletAddress;
use crate::core::id::SealKeyId;
use crate::core::money::Usd;
use crate::core::seal_key::ObjectId;
use crate::core::wallet_signature;
use content::Content;
use fault::Faults;
use journal::Journal;
use record::{Command, Record};
use world::{Effect, World};

/// From a transaction's arrival until it is final, unless another time is set: about as long as on Sui.
pub const FINAL_AFTER_MS: i64 = 500;
/// How long a wallet has to sign.
pub const TRANSACTION_LIFE_MS: i64 = HOUR_MS;

/// The simulated chain.
#[derive(Debug)]
pub struct SimChain {
    state: Mutex<State>,
    final_after_ms: i64,
}

#[derive(Debug, Default)]
struct State {
    world: World,
    journal: Option<Journal>,
    faults: Faults,
}

/// Where all USDC is: `given = wallets + accounts + collected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimTotals {
    /// By the faucet.
    pub given: Usd,
    pub wallets: Usd,
    pub accounts: Usd,
    /// Charged and not given back.
    pub collected: Usd,
}

/// A chain within the process.
impl Default for SimChain {
    fn default() -> Self {
        Self { state: Mutex::default(), final_after_ms: FINAL_AFTER_MS }
    }
}

impl SimChain {
    /// Opens the file of a chain, or makes a new one with this genesis (random bytes). Blocks.
    ///
    /// # Errors
    /// [`SimError`]; a damaged file is left as it is.
    pub fn open(path: &Path, genesis: Genesis) -> Result<Self, SimError> {
        let (journal, world) = Journal::open(path, genesis)?;
        let state = State { world, journal: Some(journal), faults: Faults::default() };
        Ok(Self { state: Mutex::new(state), final_after_ms: FINAL_AFTER_MS })
    }

    /// The same chain with another time from arrival to finality, for transactions that arrive from here on.
    #[must_use]
    pub fn final_after_ms(self, final_after_ms: u32) -> Self {
        Self { final_after_ms: i64::from(final_after_ms), ..self }
    }

    /// The next operations go wrong like this, in turn.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.inject(faults);
    }

    /// From here on operations go wrong by this plan; what was injected comes first.
    pub fn set_fault_plan(&self, plan: Option<FaultPlan>) {
        self.state().faults.set_plan(plan);
    }

    /// Gives USDC to a wallet, out of nothing.
    ///
    /// # Errors
    /// [`ChainError::Unwritable`].
    pub fn faucet(&self, wallet: &WalletAddress, amount: Usd, now: UtcMillis) -> Result<(), ChainError> {
        let command = Command::Faucet { wallet: wallet.to_string(), amount: amount.micros() };
        self.state().hand_in(command, Some(now), 0).map(drop)
    }

    /// What the chain knows of a Seal key.
    pub fn seal_key(&self, key: &SealKeyId) -> Option<SealKeyObject> {
        self.state().world.seal_keys.get(key).cloned()
    }

    /// How many objects of Seal keys were made; there is never a second one for the same key.
    pub fn created(&self) -> usize {
        self.state().world.seal_keys.len()
    }

    /// Where all USDC is.
    pub fn totals(&self) -> SimTotals {
        let world = &self.state().world;
        let sum = |amounts: &mut dyn Iterator<Item = Usd>| {
            Usd::from_micros(amounts.map(Usd::micros).fold(0, i64::saturating_add))
        };
        SimTotals {
            given: world.given,
            wallets: sum(&mut world.wallets.values().copied()),
            accounts: sum(&mut world.accounts.iter().map(|account| account.balance)),
            collected: world.collected,
        }
    }

    /// Waits until everything that has happened is on disk.
    ///
    /// # Errors
    /// [`ChainError::Unwritable`].
    pub async fn sync(&self) -> Result<(), ChainError> {
        let unwritable = |error: std::io::Error| ChainError::Unwritable(error.to_string());
        let Some(file) = self.state().journal.as_ref().map(Journal::file) else { return Ok(()) };
        let file = file.map_err(unwritable)?;
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
        synced.map_err(|_| ChainError::NoAnswer)?.map_err(unwritable)
    }

    pub(super) async fn put_seal_key(&self, object: &SealKeyObject) -> Result<RegisteredSealKey, ChainError> {
        match self.carry_out(Command::PutSealKey(object.into()), None).await? {
            Effect::Outdated { there } => Err(ChainError::Outdated { asked: object.version, there }),
            Effect::Done | Effect::Settled(_) => registered(object),
        }
    }

    pub(super) async fn charge(&self, order: &EscrowOrder, now: UtcMillis) -> Result<OrderOutcome, ChainError> {
        let EscrowOrder { account, amount, key } = checked(order)?.clone();
        let command = Command::Charge { account: account.to_string(), amount: amount.micros(), key };
        let effect = self.carry_out(command, Some(now)).await?;
        self.outcome(effect)
    }

    pub(super) async fn credit(&self, order: &EscrowOrder, now: UtcMillis) -> Result<OrderOutcome, ChainError> {
        let EscrowOrder { account, amount, key } = checked(order)?.clone();
        let command = Command::Credit { account: account.to_string(), amount: amount.micros(), key };
        let effect = self.carry_out(command, Some(now)).await?;
        self.outcome(effect)
    }

    fn outcome(&self, effect: Effect) -> Result<OrderOutcome, ChainError> {
        match effect {
            Effect::Settled(Ok(fact)) => {
                let state = self.state();
                let fact = state.world.facts.get(fact).ok_or(ChainError::NoAnswer)?;
                let (at, balance) = (UtcMillis(fact.at), fact.balance);
                Ok(OrderOutcome::Done(Receipt { digest: base58(fact.digest), at, balance }))
            }
            Effect::Settled(Err(refusal)) => Ok(OrderOutcome::Refused(refusal)),
            Effect::Done | Effect::Outdated { .. } => Err(ChainError::NoAnswer),
        }
    }

    pub(super) async fn build(
        &self,
        wallet: &WalletAddress,
        action: WalletAction,
        nonce: [u8; 16],
        now: UtcMillis,
    ) -> Result<UnsignedTransaction, ChainError> {
        self.ask(now, |world, _| {
            let expires_at = UtcMillis(world.now).plus_ms(TRANSACTION_LIFE_MS);
            let content = Content { genesis: world.genesis, wallet: wallet.clone(), action, expires_at, nonce }.text();
            Ok(UnsignedTransaction { digest: base58(Content::digest(&content)), content, expires_at })
        })
        .await
    }

    pub(super) async fn submit(&self, signed: &SignedTransaction, now: UtcMillis) -> Result<String, ChainError> {
        let not = ChainError::NotATransaction;
        let content = Content::parse(&signed.content).ok_or(not("it was changed since it was built"))?;
        if content.genesis != self.state().world.genesis {
            return Err(not("it is for another chain"));
        }
        check_signature(&content.wallet, signed)?;
        let digest = Content::digest(&signed.content);
        // An expired one that was seen in time is there, and repeating it is fine.
        let is_known = self.state().world.transactions.contains_key(&digest);
        if now > content.expires_at && !is_known {
            return Err(not("it has expired"));
        }
        let command = Command::Submit { content: signed.content.clone(), final_after_ms: self.final_after_ms };
        self.carry_out(command, Some(now)).await.map(|_| base58(digest))
    }

    /// Hands something in that changes the chain, with what goes wrong about it.
    async fn carry_out(&self, command: Command, now: Option<UtcMillis>) -> Result<Effect, ChainError> {
        let fault = self.state().faults.next();
        let late_ms = match fault {
            Some(Fault::Drop) => return Err(ChainError::NoAnswer),
            Some(Fault::Delay(ms)) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                0
            }
            Some(Fault::Late(ms)) => i64::from(ms),
            _ => 0,
        };
        let effect = self.state().hand_in(command, now, late_ms)?;
        effect.filter(|_| fault != Some(Fault::LoseAnswer)).ok_or(ChainError::NoAnswer)
    }

    /// Reads something, with what goes wrong about it.
    async fn ask<T>(
        &self,
        now: UtcMillis,
        read: impl FnOnce(&World, &mut Faults) -> Result<T, ChainError>,
    ) -> Result<T, ChainError> {
        let fault = self.state().faults.next();
        match fault {
            Some(Fault::Drop | Fault::LoseAnswer | Fault::Late(_)) => return Err(ChainError::NoAnswer),
            Some(Fault::Delay(ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
            None => {}
        }
        let mut state = self.state();
        state.tick(now)?;
        let State { world, faults, .. } = &mut *state;
        read(world, faults)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// First into the journal, then into the world. None if it takes effect later.
    fn hand_in(
        &mut self,
        command: Command,
        now: Option<UtcMillis>,
        late_ms: i64,
    ) -> Result<Option<Effect>, ChainError> {
        let at = now.map_or(self.world.now, |now| now.0.max(self.world.now));
        let record = Record::Order { at, due: at.saturating_add(late_ms), command };
        self.write(&record)?;
        Ok(self.world.take(&record))
    }

    /// Lets time pass. Written down only if something takes effect by it: what was seen once stays so, even if the
    /// clock goes back while the process is down.
    fn tick(&mut self, now: UtcMillis) -> Result<(), ChainError> {
        let at = now.0.max(self.world.now);
        let record = Record::Tick { at };
        if self.world.next_due().is_some_and(|due| due <= at) {
            self.write(&record)?;
        }
        self.world.take(&record);
        Ok(())
    }

    /// A write of some hundred bytes to the page cache: not worth a thread of its own.
    fn write(&mut self, record: &Record) -> Result<(), ChainError> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.append(record).map_err(|error| ChainError::Unwritable(error.to_string()))
    }
}

pub(in crate::chain) fn check_signature(wallet: &WalletAddress, signed: &SignedTransaction) -> Result<(), ChainError> {
    wallet_signature::verify(wallet, &signed.content, &signed.signature, None)
        .map(drop)
        .map_err(|_| ChainError::NotATransaction("the signature is not its wallet's"))
}

fn checked(order: &EscrowOrder) -> Result<&EscrowOrder, ChainError> {
    let length = order.key.chars().count();
    let is_key = (1..=MAX_KEY_CHARS).contains(&length);
    if is_key { Ok(order) } else { Err(ChainError::NotATransaction("a key has 1 to 128 characters")) }
}

fn registered(object: &SealKeyObject) -> Result<RegisteredSealKey, ChainError> {
    let object_id: ObjectId =
        format!("0x{}", digest("object", object.seal_key.as_str())).parse().map_err(|_| ChainError::NoAnswer)?;
    let key = format!("{}/{}", object.process_group.get(), object.derivation_index);
    let digits: String = ["a", "b", "c"].iter().map(|part| digest(part, &key)).collect();
    Ok(RegisteredSealKey { object_id, public_key: format!("0x{digits}") })
}

fn digest(what: &str, of: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("suiftly simulated chain: {what} of {of}")))
}

fn base58(digest: world::Digest) -> String {
    sui_sdk_types::Digest::new(digest).to_base58()
}
