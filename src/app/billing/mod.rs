//! Billing with the ledger: one write transaction for each event, in which the account is loaded, [`core::billing`]
//! decides and its actions are written. What then waits to be done outside lies in the ledger's outbox.
//!
//! [`core::billing`]: crate::core::billing

mod batch;
mod bill;
mod carry_out;
pub(in crate::app) mod convert;
mod cycle;
mod each;
mod failure;
mod inspect;
mod load;
mod order;
mod park;
mod refused;
mod rows;
mod save;
mod tariff;
mod usage;
mod verify_books;

#[cfg(test)]
mod tests;

pub use carry_out::{carry_out, foresee, next_counters};
pub use cycle::{Closed, Closing, close_month, tick_due};
pub use each::write_each;
pub use failure::BillingFailure;
pub use inspect::{
    CustomerBilling, SHOWN, ShownCharge, ShownCredit, ShownDunning, ShownEscrow, ShownInvoice, ShownNotice,
    ShownParked, ShownService, ShownSpendCap, ShownStanding, Which, show_customer, show_invoice, show_invoices,
    show_parked,
};
pub use load::{entries_of_customer, load_account, load_whole};
pub use order::{Order, OrderDone, OrderedCreditNote, OrderedInvoice, order_without_process};
pub use park::park_customer;
pub use tariff::{BillingOptions, Included, Tariff};
pub use usage::{month_usage, usage_prices};
pub use verify_books::VerifyProgress;
