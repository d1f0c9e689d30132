//! What can happen to a customer's billing.

use super::completeness::Completeness;
use super::credit::CreditReason;
use super::credit_note::{Payout, RefundAnswer};
use super::entry::EntryKey;
use super::escrow::{ChainEventId, ChainMove, ChargeAnswer, SpendingLimit};
use super::ids::InvoiceId;
use super::line::Line;
use super::payment::PaymentMethod;
use super::spend_cap::SpendCap;
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::Service;
use crate::core::money::Usd;
use crate::core::tier::Tier;

/// One thing that happened or is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Time has passed: whatever is due is carried out. Nothing, if nothing is.
    Tick,

    // By the customer.
    Subscribe {
        service: Service,
        tier: Tier,
    },
    ChangeTier {
        service: Service,
        tier: Tier,
    },
    Cancel {
        service: Service,
    },
    UndoCancel {
        service: Service,
    },
    SetMethods(Vec<PaymentMethod>),
    SetSpendCap(Option<SpendCap>),

    // From metering.
    /// What is known of usage so far.
    Usage(UsageNews),
    /// The month is final, see [`super::watermark`].
    CloseMonth(MonthEnd),

    // From the chain, once each: see [`Event::entry_key`].
    EscrowCreated {
        at: UtcMillis,
    },
    Deposited(ChainMove),
    Withdrawn(ChainMove),
    LimitChanged(SpendingLimit),
    /// Charged by an order that is of another ledger: what was lost, or whoever else holds the operator's capability.
    ForeignCharge(ChainMove),
    /// Given back by such an order.
    ForeignCredit(ChainMove),
    /// Charged by an order of this ledger that it does not know, because it was restored from an older copy. What it was
    /// for is billed again, so it becomes credit.
    ForgottenCharge(ChainMove),

    // From the outbox.
    ChargeAnswered(ChargeAnswer),
    RefundAnswered(RefundAnswer),

    // By the operator.
    GrantCredit {
        reason: CreditReason,
        amount: Usd,
        expires_at: Option<UtcMillis>,
    },
    VoidInvoice(InvoiceId),
    /// Gives back what was paid.
    IssueCreditNote {
        invoice: InvoiceId,
        amount: Usd,
        payout: Payout,
        /// One line, printed on it: of [`super::MAX_REASON`] characters at most.
        reason: String,
    },
    /// Tries to be paid at once.
    Collect(InvoiceId),
    Park {
        reason: String,
    },
    Unpark,
}

/// Usage lines of one month, from [`super::usage_lines()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthUsage {
    pub month: Month,
    pub lines: Vec<Line>,
}

/// Usage that is not billed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageNews {
    /// The draft's month so far.
    pub month: MonthUsage,
    /// The running month so far, while the draft is of the one before: a spend cap does not wait for the draft.
    pub running: Option<MonthUsage>,
    /// What earlier months come to, as in [`MonthEnd::earlier`]: what is more goes on the draft, what is less comes back at
    /// once.
    pub earlier: Vec<MonthUsage>,
}

/// All that the invoice of a month needs besides the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthEnd {
    pub usage: MonthUsage,
    /// What earlier months come to by all that is known of them: differences to what was billed are
    /// settled. Each month once and whole: what is missing in it is taken back. Those that are more than
    /// [`super::LATE_USAGE_MONTHS`] earlier are passed over.
    pub earlier: Vec<MonthUsage>,
    pub completeness: Completeness,
}

impl Event {
    /// Whether a customer waits for what comes of it.
    pub const fn is_by_customer(&self) -> bool {
        matches!(
            self,
            Self::Subscribe { .. }
                | Self::ChangeTier { .. }
                | Self::Cancel { .. }
                | Self::UndoCancel { .. }
                | Self::SetMethods(_)
                | Self::SetSpendCap(_)
        )
    }

    /// The key of the entry that the event leads to, if it is one that the chain may tell more than once. If there is
    /// such an entry, the event was dealt with and nothing is to be decided.
    pub fn entry_key(&self) -> Option<EntryKey> {
        match self {
            Self::Deposited(moved)
            | Self::Withdrawn(moved)
            | Self::ForeignCharge(moved)
            | Self::ForeignCredit(moved)
            | Self::ForgottenCharge(moved) => Some(moved.entry_key()),
            _ => None,
        }
    }
}

impl ChainMove {
    /// The event's.
    pub fn entry_key(&self) -> EntryKey {
        self.event.entry_key()
    }
}

impl ChainEventId {
    /// Unique by digest and index.
    pub fn entry_key(&self) -> EntryKey {
        EntryKey(format!("chain-{}-{}", self.digest, self.index))
    }
}
