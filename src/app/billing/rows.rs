//! From a decision to rows, as far as nothing has to be looked up for it: whoever writes them has that much less to do.

use super::convert;
use super::failure::BillingFailure;
use super::save::told;
use crate::core::billing::{Account, Action, BillingError, Decision, Event, Invoice, Notice, Standing, next_due};
use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::CustomerId;
use crate::ledger::billing_invoice::StoredInvoice;
use crate::ledger::billing_notice::BillingNotice;
use crate::ledger::billing_standing::StoredStanding;
use crate::ledger::credit::StoredCredit;
use crate::ledger::entry::Entry;

/// All that a decision did to an account.
#[derive(Debug)]
pub struct Rows {
    pub standing: StoredStanding,
    /// Before and after, if they differ.
    pub terms: Option<(Standing, Standing)>,
    /// As it was before, if it was there, and as it is; in the order of their numbers, drafts last.
    pub invoices: Vec<(Option<StoredInvoice>, StoredInvoice)>,
    pub new_credits: Vec<StoredCredit>,
    /// Of which something else is left.
    pub known_credits: Vec<StoredCredit>,
    pub entries: Vec<Entry>,
    pub notices: Vec<BillingNotice>,
    pub closed: Option<ClosedMonth>,
    /// What is saved as it is.
    pub others: Vec<Action>,
}

/// A month whose invoice is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedMonth {
    pub month: Month,
    /// Whether usage of earlier months came late.
    pub with_earlier: bool,
}

/// The rows of a decision.
///
/// # Errors
/// [`BillingFailure::Decision`] if it is none: without a draft, or with amounts out of range.
pub fn rows_of(before: &Account, event: &Event, decision: &Decision, now: UtcMillis) -> Result<Rows, BillingFailure> {
    let after = &decision.account;
    let differs = before.standing != after.standing;
    let mut rows = Rows {
        standing: standing_of(after)?,
        terms: differs.then(|| (before.standing.clone(), after.standing.clone())),
        invoices: Vec::new(),
        new_credits: Vec::new(),
        known_credits: Vec::new(),
        entries: Vec::new(),
        notices: Vec::new(),
        closed: None,
        others: Vec::new(),
    };
    for action in &decision.actions {
        match action {
            Action::SaveStanding(_) => {}
            Action::SaveInvoice(invoice) => {
                let known = before.invoices.get(&invoice.id).map(convert::invoice_to).transpose()?;
                rows.invoices.push((known, convert::invoice_to(invoice)?));
            }
            Action::SaveCredit(credit) => {
                let is_known = before.credits.contains_key(&credit.id);
                let credits = if is_known { &mut rows.known_credits } else { &mut rows.new_credits };
                credits.push(convert::credit_to(before.customer, credit));
            }
            Action::Post(entry) => rows.entries.push(convert::entry_to(entry)),
            Action::Notify(Notice::MonthClosed { month }) => {
                let with_earlier = matches!(event, Event::CloseMonth(end) if !end.earlier.is_empty());
                rows.closed = Some(ClosedMonth { month: *month, with_earlier });
            }
            Action::Notify(notice) => rows.notices.push(notice_of(before.customer, notice, now)),
            other => rows.others.push(other.clone()),
        }
    }
    rows.invoices.sort_by_key(|(_, invoice)| (invoice.number.is_none(), invoice.number, invoice.invoice));
    Ok(rows)
}

fn standing_of(after: &Account) -> Result<StoredStanding, BillingError> {
    let draft: &Invoice = after.draft().ok_or(BillingError::Incomplete("the draft is missing"))?;
    Ok(StoredStanding {
        customer: after.customer,
        month: after.standing.month,
        draft_month: draft.month,
        has_paid: after.standing.has_paid,
        next_due: next_due(after),
    })
}

fn notice_of(customer: CustomerId, notice: &Notice, now: UtcMillis) -> BillingNotice {
    let (kind, key, details) = told(notice, now);
    BillingNotice { customer, key, kind: kind.into(), details: details.to_string(), at: now }
}
