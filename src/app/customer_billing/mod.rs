//! What customers see of their billing, and what they do about it themselves.
//!
//! In addresses and in everything that is shown, an invoice is called by the number printed on it, `INV-000042`, or
//! `draft`. What is somebody else's does not exist.

mod credits;
mod entries;
mod files;
mod hours;
mod invoices;
mod lines;
mod name;
mod news;
mod notices;
mod overview;
mod payment_terms;
mod payments;
mod preview;
mod shortfall;

pub use credits::{CreditPage, CreditView};
pub use entries::{BalancesView, EntryPage, EntryView, PostingView};
pub use files::InvoiceFile;
pub use hours::{HourOfLineView, LineHours};
pub use invoices::{InvoiceDetail, InvoicePage, InvoiceSums, InvoiceView};
pub use lines::InvoiceLineView;
pub use name::InvoiceName;
pub use news::BillingNews;
pub use notices::{NoticePage, NoticeView, NoticesLeft, NoticesRead};
pub use overview::{BillingEscrow, BillingOverview, RunwayView, SpendCapView};
pub use payment_terms::{PaymentMethods, SpendCapChange};
pub use payments::{CompletenessView, CreditNoteView, PaymentAttempt};
pub use preview::{PreviewAsked, PreviewPayment, PreviewView, PreviewedInvoice};
pub use shortfall::{ShortfallView, SpendingLimitShortfall};
