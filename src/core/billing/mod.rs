//! Billing.

mod account;
mod action;
mod books;
mod collect;
mod completeness;
mod credit;
mod credit_note;
mod cycle;
mod decide;
pub mod dunning;
mod entry;
mod error;
mod escrow;
mod event;
mod ids;
mod invoice;
mod late_usage;
mod line;
mod operator;
pub mod payment;
pub mod proration;
mod runway;
mod spend_cap;
mod subscription;
mod terms;
mod usage_lines;
mod verify;
pub mod watermark;

pub use account::{Account, ServiceAccount, Standing};
pub use action::{Action, Notice, ServiceChange};
pub use completeness::Completeness;
pub use credit::{Credit, CreditReason, plan_use};
pub use credit_note::{CreditNote, CreditNoteState, Payout, RefundAnswer};
pub use decide::{Decision, Preview, decide, next_due, preview};
pub use entry::{AccountName, Currency, Entry, EntryKey, EntryReason, Links, Posting, RevenueKind, revenue_of};
pub use error::{BillingError, Refusal};
pub use escrow::{
    Ability, ChainEventId, ChainMove, ChargeAnswer, EscrowMirror, LIMIT_PERIOD_MS, MIN_SPENDING_LIMIT,
    NotASpendingLimit, Outcome, SpendingLimit,
};
pub use event::{Event, MonthEnd, MonthUsage};
pub use ids::{ChargeKey, Counters, CreditId, CreditNoteId, InvoiceId, InvoiceNumber, NotAChargeKey};
pub use invoice::{BrokenInvoice, Invoice, InvoiceState, Purpose};
pub use late_usage::{Billed, BilledKey};
pub use line::{Line, LineKind, Measure, Window};
pub use payment::{Charge, ChargeState, PaymentMethod};
pub use runway::{NoRunway, Outlook, Runway, RunwayEnd, runway};
pub use spend_cap::{CapStatus, SpendCap};
pub use terms::{ExtraKind, Terms, UnitPrice};
pub use usage_lines::{Counted, UsageDigest, UsagePrices, usage_lines};
pub use verify::{Balances, Mismatch, balances, first_gap, verify};

#[cfg(test)]
mod tests;
