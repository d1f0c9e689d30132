//! How an invoice was paid, and what was given back.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::billing::Completeness;
use crate::ledger::charge::{StoredAnswer, StoredCharge};
use crate::ledger::credit_note::{StoredCreditNote, StoredNoteState};

/// A payment method was asked for money, or money was given back by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentAttempt {
    /// From 1, for each direction.
    pub attempt: u32,
    /// `charge`, or `refund` for money given back.
    pub direction: String,
    /// `escrow`.
    pub method: String,
    pub amount_micros: i64,
    /// The same, for people.
    pub amount: String,
    /// `sent` while there is no answer, `succeeded` or `declined`.
    pub state: String,
    #[schema(format = DateTime)]
    pub asked_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub answered_at: Option<String>,
    /// The transaction on the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reference: Option<String>,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// What was taken off an invoice after it was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreditNote)]
pub struct CreditNoteView {
    /// Printed on it.
    pub credit_note_id: u64,
    pub amount_micros: i64,
    /// The same, for people.
    pub amount: String,
    pub reason: String,
    /// `sent` until it is paid back, `paid` by the transaction `reference`, or `credited` as the credit `credit_id`.
    pub state: String,
    #[schema(format = DateTime)]
    pub issued_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub credit_id: Option<u64>,
}

/// How much of what the gateways logged in the month was received, over all customers. What was lost is not billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Completeness)]
pub struct CompletenessView {
    pub received: u64,
    pub lost: u64,
    /// Such as `received 99.9993 %; 41 lines lost; not billed`.
    pub text: String,
}

impl From<Completeness> for CompletenessView {
    fn from(lines: Completeness) -> Self {
        Self { received: lines.received, lost: lines.lost, text: lines.to_string() }
    }
}

impl From<&StoredCharge> for PaymentAttempt {
    fn from(charge: &StoredCharge) -> Self {
        let (state, reference, reason) = match &charge.answer {
            None => ("sent", None, None),
            Some((StoredAnswer::Succeeded { reference }, _)) => ("succeeded", Some(reference.clone()), None),
            Some((StoredAnswer::Declined { reason }, _)) => ("declined", None, Some(reason.clone())),
        };
        Self {
            attempt: charge.attempt,
            direction: charge.direction.name().to_owned(),
            method: charge.method.name().to_owned(),
            amount_micros: charge.amount.micros(),
            amount: charge.amount.to_string(),
            state: state.to_owned(),
            asked_at: charge.asked_at.to_string(),
            answered_at: charge.answer.as_ref().map(|(_, at)| at.to_string()),
            reference,
            reason,
        }
    }
}

impl From<&StoredCreditNote> for CreditNoteView {
    fn from(note: &StoredCreditNote) -> Self {
        let (state, reference, credit_id) = match &note.state {
            StoredNoteState::Sent => ("sent", None, None),
            StoredNoteState::Paid { reference } => ("paid", Some(reference.clone()), None),
            StoredNoteState::Credited { credit } => ("credited", None, Some(*credit)),
        };
        Self {
            credit_note_id: note.credit_note,
            amount_micros: note.amount.micros(),
            amount: note.amount.to_string(),
            reason: note.reason.clone(),
            state: state.to_owned(),
            issued_at: note.issued_at.to_string(),
            reference,
            credit_id,
        }
    }
}
