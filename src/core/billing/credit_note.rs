//! Credit notes: what is given back of a paid invoice, as credit or to where it came from.
//!
//! ```text
//! issued, as credit ───────────────────────────────▶ done
//! issued, to escrow: sent ──the chain answers──┬───▶ done
//!                                              └───▶ as credit, if the chain declines
//! ```
//! To escrow goes at most what was paid by escrow: credits are not withdrawable, also not by way of a refund.

use super::escrow::Outcome;
use super::ids::{CreditId, CreditNoteId, InvoiceId};
use crate::core::calendar::UtcMillis;
use crate::core::money::Usd;

/// Where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payout {
    Credit,
    Escrow,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditNoteState {
    /// On its way to escrow: the outbox, like a charge. The key is `credit-note-<id>`.
    Sent,
    /// Arrived in escrow; how the chain calls it.
    Paid { reference: String },
    /// It is this credit.
    Credited { credit: CreditId },
}

impl CreditNoteState {
    /// The word used in JSON and SQL.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Paid { .. } => "paid",
            Self::Credited { .. } => "credited",
        }
    }
}

/// Characters of a reason, at most.
pub const MAX_REASON: usize = 200;

/// Whether a text can be printed as a reason: one line that says something.
pub fn is_reason(text: &str) -> bool {
    let is_one_line = !text.chars().any(char::is_control) && text.chars().count() <= MAX_REASON;
    is_one_line && !text.trim().is_empty()
}

/// A credit note. Its number has no gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditNote {
    pub id: CreditNoteId,
    pub invoice: InvoiceId,
    pub amount: Usd,
    /// Printed on it.
    pub reason: String,
    pub issued_at: UtcMillis,
    pub state: CreditNoteState,
}

/// The answer to a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundAnswer {
    pub note: CreditNoteId,
    pub outcome: Outcome,
    pub at: UtcMillis,
}
