//! Billing: what a customer owes, and how it is paid. Pure: an account, an event and a time give actions.
//!
//! # How it is used
//!
//! For each event, in one write transaction of the ledger:
//!
//! 1. **Look up** [`Event::entry_key`]: if there is an entry with that key, the event was dealt with, and all is done.
//! 2. **Load** the [`Account`] (its documentation says what belongs to it) and the [`Counters`].
//! 3. **Decide**: [`decide`]`(&account, &event, &terms, counters, now)`. On [`BillingError::CatchUpFirst`] close that month
//!    with [`Event::CloseMonth`] and begin again; on [`BillingError::Refused`] tell the caller and write nothing; on any
//!    other error roll back and decide [`Event::Park`] instead: nothing is guessed.
//! 4. **Apply** [`Decision::actions`] in their order and save [`Decision::counters`]: all or nothing. An entry whose key
//!    exists, an invoice number that exists or a second draft fails the transaction. Save [`next_due`]`(&account)` with
//!    it, so that the manager finds whom to [`Event::Tick`].
//!
//! After the transaction, and again after a crash, the **effects**: every [`Charge`] and [`CreditNote`] in the state
//! `sent` is sent with its key (`invoice-<id>-<attempt>`, `credit-note-<id>`). The other side does the same key once and
//! gives the same answer again, so it does no harm to send twice. The answer is an event, too: it is **recorded** by
//! deciding [`Event::ChargeAnswered`] or [`Event::RefundAnswered`]. No answer is no event: the row stays, and is sent again.
//!
//! So a crash between any two steps loses nothing: before the transaction ends nothing has happened; after it the outbox
//! knows what to send. Events that are delivered again (ticks, usage, month ends, chain events, answers) change nothing.
//! What a customer asks for is not repeated by us; the API's idempotency keys keep their answers.
//!
//! [`preview`] is `decide` without applying: what is shown beforehand is what is done.
//!
//! # Who decides what
//!
//! | module | decides |
//! |---|---|
//! | `decide` | the order of it all; when something is due next |
//! | `preview`, `once_paid` | what something would lead to, before it is done |
//! | `subscription` | subscribing, changing tiers, cancelling, undoing ([`proration`]: parts of months) |
//! | `cycle` | the turn of the month: renewal, usage, late usage, the draft ([`watermark`]: when usage is final) |
//! | `collect` | credits, the chain of methods, retries ([`payment`]), answers, what begins when it is paid |
//! | `operator` | deposits, withdrawals, limits, credits, credit notes, parking; [`dunning`]: grace and suspension |
//! | `invoice`, `line`, `credit`, `credit_note`, `escrow`, `late_usage`, `usage_lines` | what these are and their rules |
//! | `entry`, `verify` | what each event posts, and whether the books are right |
//! | `runway`, `shortfall`, `spend_cap`, `completeness` | what is shown and told |
//!
//! # What always holds
//!
//! - Every entry sums to zero; what lies in escrow is deposits − withdrawals − paid + paid back.
//! - An invoice's amount is the sum of its lines and what payment methods are asked for. Only one demand for it is under
//!   way at a time, and the next one follows a final refusal of the last: it is paid at most once. Money that comes after
//!   it was refused pays what is still owed, or becomes a credit.
//! - Credits are used once, and come back when an invoice fails or is voided.
//! - There is exactly one draft, and numbers have no gaps.
//! - A month of a service is billed once; a month that cannot be used is not charged for.
//!
//! `tests/histories.rs` checks all of it after every step of random histories.

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
mod once_paid;
mod operator;
pub mod payment;
mod preview;
pub mod proration;
mod runway;
mod shortfall;
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
pub use credit_note::{CreditNote, CreditNoteState, MAX_REASON, Payout, RefundAnswer, is_reason};
pub use cycle::LATE_USAGE_MONTHS;
pub use decide::{Decision, decide, next_due};
pub use entry::{
    AccountName, Currency, Entry, EntryKey, EntryReason, Links, NotAnAccount, Posting, RevenueKind, revenue_of,
};
pub use error::{BillingError, Refusal};
pub use escrow::{
    Ability, ChainEventId, ChainMove, ChargeAnswer, EscrowMirror, LIMIT_PERIOD_MS, MIN_SPENDING_LIMIT,
    NotASpendingLimit, Outcome, SpendingLimit,
};
pub use event::{Event, MonthEnd, MonthUsage, UsageNews};
pub use ids::{
    ChargeKey, Counters, CreditId, CreditNoteId, InvoiceId, InvoiceNumber, NotAChargeKey, NotAnInvoiceNumber,
};
pub use invoice::{BrokenInvoice, Invoice, InvoiceState, Purpose};
pub use late_usage::{Billed, BilledKey, billed_key};
pub use line::{KindFacts, Line, LineKind, Measure, Window};
pub use payment::{Charge, ChargeState, PaymentMethod};
pub use preview::{Preview, preview};
pub use runway::{NoRunway, Outlook, RATE_DAYS, Runway, RunwayEnd, outlook, per_day, runway};
pub use shortfall::{LimitShortfall, Shortfall, shortfall};
pub use spend_cap::{CapStatus, SpendCap};
pub use terms::{ExtraKind, Terms, UnitPrice};
pub use usage_lines::{Counted, UsageDigest, UsagePrices, recount, usage_lines};
pub use verify::{Balances, Mismatch, balances, first_gap, verify};

#[cfg(test)]
pub mod tests;
