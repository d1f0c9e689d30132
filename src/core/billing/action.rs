//! What a decision has done: rows to save, entries to post, people to tell.

use super::account::{ServiceAccount, Standing};
use super::credit::Credit;
use super::credit_note::CreditNote;
use super::entry::Entry;
use super::escrow::EscrowMirror;
use super::ids::{CreditId, InvoiceId};
use super::invoice::Invoice;
use super::late_usage::{Billed, BilledKey};
use super::payment::Charge;
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::Service;
use crate::core::money::Usd;
use crate::core::tier::Tier;

/// One of them. All of a decision's actions are carried out in their order in one transaction, or none. A row may name
/// another that is saved after it: references are to be checked at the end of the transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    SaveStanding(Standing),
    /// `ServiceAccount::extras` is not to be saved.
    SaveService {
        service: Service,
        account: ServiceAccount,
        change: ServiceChange,
    },
    /// Inserts or replaces it with all its lines.
    SaveInvoice(Invoice),
    /// A charge in the state `sent` is a row of the outbox.
    SaveCharge(Charge),
    SaveCredit(Credit),
    /// One in the state `sent` is a row of the outbox, too.
    SaveCreditNote(CreditNote),
    SaveBilled(BilledKey, Billed),
    SaveEscrow(EscrowMirror),
    /// Refused if there is an entry with the same key: then the whole transaction is.
    Post(Entry),
    Notify(Notice),
}

/// A row that is replaced as a whole, and of which only the last state in a decision matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Row {
    Standing,
    Escrow,
    Invoice(InvoiceId),
    Credit(CreditId),
}

impl Action {
    /// The row it saves. Changes of services are all told, and all else is saved once anyway.
    pub(super) fn saves(&self) -> Option<Row> {
        match self {
            Self::SaveStanding(_) => Some(Row::Standing),
            Self::SaveEscrow(_) => Some(Row::Escrow),
            Self::SaveInvoice(invoice) => Some(Row::Invoice(invoice.id)),
            Self::SaveCredit(credit) => Some(Row::Credit(credit.id)),
            _ => None,
        }
    }
}

/// Why a service is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceChange {
    Subscribed,
    /// The first payment came.
    Paid,
    TierChanged {
        from: Tier,
        to: Tier,
    },
    TierScheduled,
    Cancelled,
    CancellationUndone,
    CancellationBegan,
    /// Its keys and Seal keys have to be deleted.
    Ended,
    Suspended,
    Resumed,
    /// Only `billed_through` moved.
    Billed,
}

impl ServiceChange {
    /// The word used in the activity log, after `service.`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscribed => "subscribed",
            Self::Paid => "paid",
            Self::TierChanged { .. } => "tier_changed",
            Self::TierScheduled => "tier_scheduled",
            Self::Cancelled => "cancelled",
            Self::CancellationUndone => "cancellation_undone",
            Self::CancellationBegan => "cancellation_began",
            Self::Ended => "cleaned_up",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::Billed => "billed",
        }
    }
}

/// Something that a person should learn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    InvoiceIssued {
        invoice: InvoiceId,
    },
    InvoicePaid {
        invoice: InvoiceId,
    },
    /// All retries were declined; it is asked for again when money comes.
    InvoiceFailed {
        invoice: InvoiceId,
    },
    InvoiceVoided {
        invoice: InvoiceId,
    },
    /// A payment is overdue; services stop at this time.
    PaymentOverdue {
        suspends_at: UtcMillis,
    },
    Suspended,
    Resumed,
    /// The tier stays as it is.
    UpgradeDeclined {
        service: Service,
    },
    /// It was never paid for, and has ended.
    SubscriptionLapsed {
        service: Service,
    },
    CreditExpired {
        credit: CreditId,
        amount: Usd,
    },
    CapReached {
        percent: u64,
        spent: Usd,
    },
    /// For the operator: money came that nothing was owed for. It became a credit.
    Overpaid {
        invoice: InvoiceId,
        amount: Usd,
    },
    /// For the operator: nothing is charged any more.
    Parked {
        reason: String,
    },
    /// The invoice of a month is made, or it had nothing to charge.
    MonthClosed {
        month: Month,
    },
}

impl Notice {
    /// The word used in JSON and SQL.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::InvoiceIssued { .. } => "invoice_issued",
            Self::InvoicePaid { .. } => "invoice_paid",
            Self::InvoiceFailed { .. } => "invoice_failed",
            Self::InvoiceVoided { .. } => "invoice_voided",
            Self::PaymentOverdue { .. } => "payment_overdue",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::UpgradeDeclined { .. } => "upgrade_declined",
            Self::SubscriptionLapsed { .. } => "subscription_lapsed",
            Self::CreditExpired { .. } => "credit_expired",
            Self::CapReached { .. } => "cap_reached",
            Self::Overpaid { .. } => "overpaid",
            Self::Parked { .. } => "parked",
            Self::MonthClosed { .. } => "month_closed",
        }
    }

    /// Whether the operator has to look at it, rather than the customer.
    pub const fn is_for_operator(&self) -> bool {
        matches!(self, Self::Overpaid { .. } | Self::Parked { .. })
    }
}
