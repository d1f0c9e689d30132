//! The outbox of charges and refunds: sent with their keys until the chain has answered, and the answers decided on.

use futures_util::StreamExt;
use tracing::{error, warn};

use crate::app::billing::{BillingFailure, carry_out, park_customer, write_each};
use crate::app::{App, AppError};
use crate::chain::ChainError;
use crate::chain::escrow::{EscrowOrder, OrderOutcome, Refusal};
use crate::core::billing::{ChainEventId, ChargeAnswer, CreditNoteId, Event, InvoiceId, Outcome, RefundAnswer};
use crate::core::calendar::UtcMillis;
use crate::ledger::chain_event::taken_order_event;
use crate::ledger::charge::{Direction, StoredCharge, charges_to_send, next_send_at, note_no_answer};
use crate::ledger::entry::find_entry;
use crate::ledger::escrow::escrow_account_of;
use crate::ledger::{LedgerError, ReadTx, WriteTx};

use super::{AT_ONCE, send_again_at};

/// Orders that the chain is asked to carry out at the same time.
const SENT_AT_ONCE: usize = 16;

/// An order, and what the chain said of it.
struct Sent {
    charge: StoredCharge,
    /// When it happened, if it did.
    answer: Result<(Outcome, UtcMillis), ChainError>,
}

impl App {
    /// Sends what is due, and tells when the next is; `None` if nothing waits.
    pub(super) async fn send_orders(&self) -> Result<Option<UtcMillis>, AppError> {
        loop {
            let now = self.clock.now();
            let due = self.ledger.read(move |tx| orders_to_send(tx, now)).await?;
            if due.is_empty() {
                return self.ledger.read(|tx| next_send_at(tx).map_err(AppError::from)).await;
            }
            let sending = due.into_iter().map(|(charge, order)| self.send(charge, order));
            let sent: Vec<Sent> = futures_util::stream::iter(sending).buffer_unordered(SENT_AT_ONCE).collect().await;
            let is_silent = sent.iter().all(|sent| sent.answer.is_err());
            self.record(sent).await?;
            if is_silent {
                return self.ledger.read(|tx| next_send_at(tx).map_err(AppError::from)).await;
            }
        }
    }

    async fn send(&self, charge: StoredCharge, order: Option<EscrowOrder>) -> Sent {
        let Some(order) = order else { return Sent { charge, answer: Err(ChainError::NoAnswer) } };
        let order = EscrowOrder { key: format!("{}/{}", self.ledger_id, order.key), ..order };
        let now = self.clock.now();
        let outcome = match charge.direction {
            Direction::Charge => self.answer(self.chain.charge(&order, now)).await,
            Direction::Refund => self.answer(self.chain.credit(&order, now)).await,
        };
        let answer = outcome.map(|outcome| match outcome {
            OrderOutcome::Done(receipt) => (Outcome::Succeeded { reference: receipt.digest }, receipt.at),
            OrderOutcome::Refused(refusal) => {
                if refusal == Refusal::KeyReused {
                    error!(
                        key = order.key,
                        "the chain knows this key by another order: two ledgers have the same identity"
                    );
                }
                (Outcome::Declined { reason: refusal.to_string() }, now)
            }
        });
        Sent { charge, answer }
    }

    async fn record(&self, sent: Vec<Sent>) -> Result<(), AppError> {
        self.chain.settle().await?;
        let (now, tariff) = (self.clock.now(), self.tariff());
        let record = move |tx: &WriteTx<'_>, sent: &Sent| match &sent.answer {
            Ok((outcome, at)) => {
                let event = answer_of(&sent.charge, of_this_ledger(tx, outcome)?, *at);
                carry_out(tx, sent.charge.customer, &event, &tariff, now).map(drop)
            }
            Err(error) => Ok(send_again(tx, &sent.charge, &error.to_string(), now)?),
        };
        let note = move |tx: &WriteTx<'_>, sent: &Sent, failure: &BillingFailure| {
            let (charge, why) = (&sent.charge, failure.to_string());
            warn!(key = charge.key, error = %failure, "the answer to a payment cannot be recorded; it is asked for again");
            send_again(tx, charge, &why, now)?;
            if failure.is_for_a_person() { park_customer(tx, charge.customer, why, now) } else { Ok(()) }
        };
        Ok(write_each(&self.ledger, sent, record, note).await?)
    }
}

/// Each with the order that it is; `None` while the account on the chain is not known.
fn orders_to_send(tx: &ReadTx<'_>, now: UtcMillis) -> Result<Vec<(StoredCharge, Option<EscrowOrder>)>, LedgerError> {
    let due = charges_to_send(tx, now, AT_ONCE)?;
    let order = |charge: StoredCharge| {
        let account = escrow_account_of(tx, charge.customer)?;
        let order = account.map(|account| EscrowOrder {
            account: account.object_id,
            amount: charge.amount,
            key: charge.key.clone(),
        });
        Ok((charge, order))
    };
    due.into_iter().map(order).collect()
}

/// It may have been answered meanwhile, by an event of the chain.
fn send_again(tx: &WriteTx<'_>, charge: &StoredCharge, error: &str, now: UtcMillis) -> Result<(), LedgerError> {
    match note_no_answer(tx, &charge.key, error, send_again_at(charge.sends, now)) {
        Err(LedgerError::NotThere { .. }) => Ok(()),
        noted => noted,
    }
}

/// What was charged before this ledger was restored from a copy is credit already, and pays nothing else. The chain gives
/// the same answer for ever, so it is asked again with another key.
fn of_this_ledger(tx: &ReadTx<'_>, outcome: &Outcome) -> Result<Outcome, LedgerError> {
    if let Outcome::Succeeded { reference } = outcome
        && let Some(index) = taken_order_event(tx, reference)?
        && find_entry(tx, &ChainEventId { digest: reference.clone(), index }.entry_key().0)?.is_some()
    {
        return Ok(Outcome::Declined { reason: "the chain has carried out another order with this key".to_owned() });
    }
    Ok(outcome.clone())
}

/// The event by which an answer is decided on.
pub(super) fn answer_of(charge: &StoredCharge, outcome: Outcome, at: UtcMillis) -> Event {
    match charge.direction {
        Direction::Charge => Event::ChargeAnswered(ChargeAnswer {
            invoice: InvoiceId(charge.invoice),
            attempt: charge.attempt,
            outcome,
            at,
        }),
        // A refund's attempt is the number of its credit note.
        Direction::Refund => {
            Event::RefundAnswered(RefundAnswer { note: CreditNoteId(charge.attempt.into()), outcome, at })
        }
    }
}

/// The key in the ledger of an order on the chain; `None` if the order is another ledger's.
pub(super) fn own_key<'a>(ledger_id: &str, key: &'a str) -> Option<&'a str> {
    key.strip_prefix(ledger_id)?.strip_prefix('/')
}
