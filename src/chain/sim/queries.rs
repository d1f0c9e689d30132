//! What can be read from the simulated chain.

use std::ops::Bound;

use data_encoding::HEXLOWER;

use super::fault::Faults;
use super::world::{Fact, FactKind, TransactionState, World};
use super::{SimChain, base58};
use crate::chain::ChainError;
use crate::chain::escrow::{
    EscrowAccount, EscrowEvent, EventCursor, EventKind, EventPage, MAX_PAGE, TransactionStatus,
};
use crate::core::calendar::UtcMillis;
use crate::core::customer::WalletAddress;
use crate::core::money::Usd;
use crate::core::seal_key::ObjectId;

impl SimChain {
    pub(in crate::chain) async fn transaction(
        &self,
        digest: &str,
        now: UtcMillis,
    ) -> Result<TransactionStatus, ChainError> {
        let digest = sui_sdk_types::Digest::from_base58(digest).map(sui_sdk_types::Digest::into_inner);
        self.ask(now, |world, _| {
            let known = digest.ok().and_then(|digest| world.transactions.get(&digest));
            Ok(known.map_or(TransactionStatus::Unknown, |known| status(world, &known.state)))
        })
        .await
    }

    pub(in crate::chain) async fn escrow_account(
        &self,
        owner: &WalletAddress,
        now: UtcMillis,
    ) -> Result<Option<EscrowAccount>, ChainError> {
        self.ask(now, |world, _| Ok(world.account_of(owner).and_then(|number| world.accounts.get(number)).cloned()))
            .await
    }

    pub(in crate::chain) async fn escrow_accounts(
        &self,
        after: Option<&ObjectId>,
        limit: u32,
        now: UtcMillis,
    ) -> Result<Vec<EscrowAccount>, ChainError> {
        self.ask(now, |world, _| {
            let first = after.map_or(Bound::Unbounded, Bound::Excluded);
            let page = world.by_object.range::<ObjectId, _>((first, Bound::Unbounded));
            let page = page.filter_map(|(_, number)| world.accounts.get(*number)).cloned();
            Ok(page.take(page_of(limit)).collect())
        })
        .await
    }

    pub(in crate::chain) async fn wallet_balance(
        &self,
        wallet: &WalletAddress,
        now: UtcMillis,
    ) -> Result<Usd, ChainError> {
        self.ask(now, |world, _| Ok(world.wallet(wallet))).await
    }

    pub(in crate::chain) async fn events(
        &self,
        after: Option<&EventCursor>,
        limit: u32,
        now: UtcMillis,
    ) -> Result<EventPage, ChainError> {
        self.ask(now, |world, faults| {
            let first = after.map_or(Ok(0), |cursor| position(world, cursor))?;
            let count = page_of(limit).min(world.facts.len() - first);
            let next = first + count;
            let told = told(first, count, faults);
            let events = told.into_iter().filter_map(|number| event(world, world.facts.get(number)?)).collect();
            Ok(EventPage { events, next: cursor(world, next), has_more: next < world.facts.len() })
        })
        .await
    }
}

/// The numbers of the facts that are told: those of a page, and with a fault some of them again, some from before, or in
/// another order.
fn told(first: usize, count: usize, faults: &mut Faults) -> Vec<usize> {
    let mut told: Vec<usize> = (first..first + count).collect();
    if faults.duplicates_events() {
        let again = told.clone();
        told.extend(first.saturating_sub(3)..first);
        told.extend(again);
    }
    if faults.reorders_events() {
        faults.shuffle(&mut told);
    }
    told
}

fn page_of(limit: u32) -> usize {
    usize::try_from(limit.min(MAX_PAGE)).unwrap_or(0)
}

fn cursor(world: &World, next: usize) -> EventCursor {
    EventCursor(format!("{}:{next}", HEXLOWER.encode(&world.genesis)))
}

fn position(world: &World, EventCursor(text): &EventCursor) -> Result<usize, ChainError> {
    let number = text.split_once(':').filter(|(genesis, _)| *genesis == HEXLOWER.encode(&world.genesis));
    let number = number.and_then(|(_, number)| number.parse::<usize>().ok());
    number.filter(|number| *number <= world.facts.len()).ok_or_else(|| ChainError::UnknownCursor(text.clone()))
}

fn status(world: &World, state: &TransactionState) -> TransactionStatus {
    match state {
        TransactionState::Seen { at } => TransactionStatus::Seen { at: UtcMillis(*at) },
        TransactionState::Failed { at, refusal } => {
            TransactionStatus::Failed { at: UtcMillis(*at), refusal: refusal.clone() }
        }
        TransactionState::Final { at, first, count } => {
            let facts = world.facts.iter().skip(*first).take(*count);
            TransactionStatus::Final {
                at: UtcMillis(*at),
                events: facts.filter_map(|fact| event(world, fact)).collect(),
            }
        }
    }
}

/// None for a fact about no account, which there is not.
fn event(world: &World, fact: &Fact) -> Option<EscrowEvent> {
    let account = world.accounts.get(fact.account)?;
    let kind = match &fact.kind {
        FactKind::Created => EventKind::Created,
        FactKind::Deposited => EventKind::Deposited,
        FactKind::Withdrawn => EventKind::Withdrawn,
        FactKind::Charged(key) => EventKind::Charged { key: key.to_string() },
        FactKind::Credited(key) => EventKind::Credited { key: key.to_string() },
        FactKind::SpendingLimitSet => EventKind::SpendingLimitSet,
    };
    Some(EscrowEvent {
        digest: base58(fact.digest),
        index: fact.index,
        at: UtcMillis(fact.at),
        account: account.object_id.clone(),
        owner: account.owner.clone(),
        kind,
        amount: fact.amount,
        balance: fact.balance,
    })
}
