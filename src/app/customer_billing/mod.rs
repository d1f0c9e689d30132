//! What customers see of their billing, and what they do about it themselves.
//!
//! In addresses and in everything that is shown, an invoice is called by the number printed on it, `INV-000042`, or
//! `draft`. What is somebody else's does not exist.

mod files;
mod hours;
mod invoices;
mod lines;
mod name;
mod overview;
mod payments;
mod preview;

pub use files::InvoiceFile;
pub use hours::{HourOfLineView, LineHours};
pub use invoices::{InvoiceDetail, InvoicePage, InvoiceSums, InvoiceView};
pub use lines::InvoiceLineView;
pub use name::InvoiceName;
pub use overview::{BillingEscrow, BillingOverview, RunwayView, SpendCapView};
pub use payments::{CompletenessView, CreditNoteView, PaymentAttempt};
pub use preview::{PreviewAsked, PreviewPayment, PreviewView, PreviewedInvoice};
