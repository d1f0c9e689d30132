//! What the chain tells: kept with the cursor, then taken into the books of whoever owns the wallet.

use tracing::{error, warn};

use crate::app::billing::{BillingFailure, Tariff, carry_out, park_customer, write_each};
use crate::app::{App, AppError};
use crate::chain::ChainError;
use crate::chain::escrow::{EscrowEvent, EventCursor, EventKind, MAX_PAGE};
use crate::core::billing::{BillingError, ChainEventId, ChainMove, EscrowMirror, Event, Outcome, SpendingLimit};
use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::ledger::chain_event::{
    StoredChainEvent, StoredEventKind, WaitingEvent, chain_cursor, chain_events_to_take, forget_chain_cursor,
    is_to_be_taken, keep_chain_event, put_off_chain_events, set_chain_cursor, settle_chain_event,
};
use crate::ledger::charge::{StoredAnswer, StoredCharge, find_charge};
use crate::ledger::customer::find_customer_by_wallet;
use crate::ledger::escrow::{StoredEscrowAccount, escrow_account_of, put_escrow_account};
use crate::ledger::wallet_transaction::{Progress, advance_wallet_transaction};
use crate::ledger::{LedgerError, ReadTx, WriteTx};

use super::orders::{answer_of, own_key};
use super::{AT_ONCE, TRY_AGAIN_MS};

/// What taking in needs to know.
#[derive(Clone)]
struct Taking {
    ledger_id: String,
    tariff: Tariff,
    now: UtcMillis,
}

impl App {
    /// Keeps what the chain has told since the last time, to its end.
    pub(super) async fn read_chain_events(&self) -> Result<(), AppError> {
        let chain = self.chain.name();
        loop {
            let now = self.clock.now();
            let cursor = self.ledger.read(move |tx| chain_cursor(tx, chain)).await?.map(EventCursor);
            let page = match self.answer(self.chain.events(cursor.as_ref(), MAX_PAGE, now)).await {
                Err(error @ ChainError::UnknownCursor(_)) => {
                    error!(%error, "events of the chain are read from the first again; those that are known count once");
                    self.ledger.write(move |tx| forget_chain_cursor(tx, chain)).await?;
                    continue;
                }
                page => page?,
            };
            let (has_more, is_news) = (page.has_more, cursor.as_ref() != Some(&page.next));
            if is_news {
                self.chain.settle().await?;
                let keep = move |tx: &WriteTx<'_>| {
                    keep_events(tx, &page.events, now)?;
                    set_chain_cursor(tx, chain, &page.next.0, now)
                };
                self.ledger.write(keep).await?;
            }
            if !has_more {
                return Ok(());
            }
        }
    }

    /// Takes in what was kept. What cannot be taken in waits, and everything else of the same wallet behind it; nobody
    /// else does.
    pub(super) async fn take_in_chain_events(&self) -> Result<(), AppError> {
        loop {
            let now = self.clock.now();
            let waiting = self.ledger.read(move |tx| chain_events_to_take(tx, now, AT_ONCE)).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let taking = Taking { ledger_id: self.ledger_id.clone(), tariff: self.tariff(), now };
            let take = move |tx: &WriteTx<'_>, waiting: &WaitingEvent| take_in(tx, waiting, &taking);
            let put_off = move |tx: &WriteTx<'_>, waiting: &WaitingEvent, failure: &BillingFailure| {
                put_off(tx, waiting, failure, now)
            };
            write_each(&self.ledger, waiting, take, put_off).await?;
        }
    }
}

/// Keeps events to be taken in; those that are known already are not kept again.
pub(super) fn keep_events(tx: &WriteTx<'_>, events: &[EscrowEvent], now: UtcMillis) -> Result<(), LedgerError> {
    events.iter().try_for_each(|event| keep_chain_event(tx, &stored(event), now).map(drop))
}

fn stored(event: &EscrowEvent) -> StoredChainEvent {
    let (kind, order_key) = match &event.kind {
        EventKind::Created => (StoredEventKind::Created, None),
        EventKind::Deposited => (StoredEventKind::Deposited, None),
        EventKind::Withdrawn => (StoredEventKind::Withdrawn, None),
        EventKind::Charged { key } => (StoredEventKind::Charged, Some(key.clone())),
        EventKind::Credited { key } => (StoredEventKind::Credited, Some(key.clone())),
        EventKind::SpendingLimitSet => (StoredEventKind::SpendingLimitSet, None),
    };
    StoredChainEvent {
        digest: event.digest.clone(),
        event_index: event.index,
        kind,
        object_id: event.account.clone(),
        owner: event.owner.clone(),
        order_key,
        amount: event.amount,
        at: event.at,
    }
}

fn take_in(tx: &WriteTx<'_>, waiting: &WaitingEvent, taking: &Taking) -> Result<(), BillingFailure> {
    let WaitingEvent { number, event } = waiting;
    // Something of the same wallet has failed since, or somebody else has taken it in.
    if !is_to_be_taken(tx, *number, taking.now)? {
        return Ok(());
    }
    let Some(customer) = find_customer_by_wallet(tx, &event.owner)?.map(|customer| customer.customer) else {
        return Ok(put_off_chain_events(tx, &event.owner, None, None)?);
    };
    tx.touch(customer);
    if event.kind == StoredEventKind::Created && escrow_account_of(tx, customer)?.is_none() {
        put_escrow_account(tx, &new_account(customer, event, taking.now))?;
    }
    if let Some(event) = billing_event(tx, customer, event, &taking.ledger_id)? {
        carry_out(tx, customer, &event, &taking.tariff, taking.now)?;
    }
    if is_of_a_wallet(event.kind) {
        advance_wallet_transaction(
            tx,
            &event.digest,
            Progress::Credited { event_index: event.event_index },
            taking.now,
        )?;
    }
    Ok(settle_chain_event(tx, *number, customer, taking.now)?)
}

fn new_account(customer: CustomerId, event: &StoredChainEvent, now: UtcMillis) -> StoredEscrowAccount {
    let EscrowMirror { created_at, balance, limit, period, charged } = EscrowMirror::created(event.at);
    StoredEscrowAccount {
        customer,
        object_id: event.object_id.clone(),
        created_at,
        balance,
        spending_limit: limit.amount(),
        period,
        period_charged: charged,
        mirrored_at: now,
    }
}

/// What a wallet's transaction is for; that it created the account on the way is not.
const fn is_of_a_wallet(kind: StoredEventKind) -> bool {
    matches!(kind, StoredEventKind::Deposited | StoredEventKind::Withdrawn | StoredEventKind::SpendingLimitSet)
}

/// What billing has to decide about; `None` if it knows already.
fn billing_event(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    told: &StoredChainEvent,
    ledger_id: &str,
) -> Result<Option<Event>, BillingFailure> {
    let moved = || ChainMove {
        event: ChainEventId { digest: told.digest.clone(), index: told.event_index },
        amount: told.amount,
        at: told.at,
    };
    let own = told.order_key.as_deref().and_then(|key| own_key(ledger_id, key));
    Ok(match (told.kind, own) {
        (StoredEventKind::Created, _) => Some(Event::EscrowCreated { at: told.at }),
        (StoredEventKind::Deposited, _) => Some(Event::Deposited(moved())),
        (StoredEventKind::Withdrawn, _) => Some(Event::Withdrawn(moved())),
        (StoredEventKind::SpendingLimitSet, _) => {
            let limit = SpendingLimit::new(told.amount);
            Some(Event::LimitChanged(
                limit.map_err(|_| BillingError::Incomplete("the chain tells of a limit that is none"))?,
            ))
        }
        (StoredEventKind::Charged, None) => Some(Event::ForeignCharge(moved())),
        (StoredEventKind::Credited, None) => Some(Event::ForeignCredit(moved())),
        (StoredEventKind::Charged | StoredEventKind::Credited, Some(key)) => {
            own_order(tx, customer, told, key, moved())?
        }
    })
}

/// An order of this ledger was carried out. Mostly the answer is known already. If there is no such order, or another one,
/// the ledger was restored from a copy that is older than the order.
fn own_order(
    tx: &ReadTx<'_>,
    customer: CustomerId,
    told: &StoredChainEvent,
    key: &str,
    moved: ChainMove,
) -> Result<Option<Event>, BillingFailure> {
    let is_it = |order: &StoredCharge| order.customer == customer && order.amount == told.amount;
    let Some(order) = find_charge(tx, key)?.filter(is_it) else {
        error!(%customer, key, amount = %told.amount, "the chain has carried out an order that this ledger does not know: \
            it was restored from an older copy; what was charged becomes credit");
        let is_charge = told.kind == StoredEventKind::Charged;
        return Ok(Some(if is_charge { Event::ForgottenCharge(moved) } else { Event::ForeignCredit(moved) }));
    };
    match &order.answer {
        Some((StoredAnswer::Succeeded { reference }, _)) if *reference == told.digest => Ok(None),
        _ => Ok(Some(answer_of(&order, Outcome::Succeeded { reference: told.digest.clone() }, told.at))),
    }
}

fn put_off(
    tx: &WriteTx<'_>,
    waiting: &WaitingEvent,
    failure: &BillingFailure,
    now: UtcMillis,
) -> Result<(), BillingFailure> {
    let event = &waiting.event;
    let (digest, index) = (&event.digest, event.event_index);
    warn!(%digest, index, kind = event.kind.name(), error = %failure, "an event of the chain cannot be taken in; it waits");
    let why = failure.to_string();
    put_off_chain_events(tx, &event.owner, Some(now.plus_ms(TRY_AGAIN_MS)), Some(&why))?;
    match find_customer_by_wallet(tx, &event.owner)? {
        Some(customer) if failure.is_for_a_person() => park_customer(tx, customer.customer, why, now),
        _ => Ok(()),
    }
}
