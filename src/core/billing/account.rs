//! Everything that billing knows of one customer and needs for a decision.

use std::collections::BTreeMap;

use super::action::Action;
use super::credit::Credit;
use super::credit_note::CreditNote;
use super::dunning::Dunning;
use super::escrow::EscrowMirror;
use super::ids::{ChargeKey, CreditId, CreditNoteId, InvoiceId};
use super::invoice::{Invoice, InvoiceState, Purpose};
use super::late_usage::{Billed, BilledKey};
use super::payment::{Charge, ChargeState, PaymentMethod};
use super::spend_cap::{CapStatus, SpendCap};
use super::terms::ExtraKind;
use crate::core::calendar::Month;
use crate::core::id::{CustomerId, Service};
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::service_instance::ServiceInstance;

/// A service and how far it is billed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceAccount {
    pub instance: ServiceInstance,
    /// The last month for which a subscription was put on an invoice.
    pub billed_through: Option<Month>,
    /// Never paid for, and billed for another month after the one that it began with.
    pub renewed_unpaid: bool,
    /// How many it has beyond what its tier includes; read from the tables of keys and packages, never saved.
    pub extras: BTreeMap<ExtraKind, u64>,
}

/// What one row per customer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether an invoice was ever paid.
    pub has_paid: bool,
    /// Why nothing may be charged: the books did not add up.
    pub parked: Option<String>,
    /// The month whose beginning was carried out: services changed, prepaid lines put on the draft.
    pub month: Month,
    pub dunning: Dunning,
    pub cap: Option<SpendCap>,
    pub cap_status: CapStatus,
    /// In the customer's order.
    pub methods: Vec<PaymentMethod>,
}

/// A customer's billing as it is loaded for one decision: `standing`, all services, all credits with something left,
/// the draft, every unpaid invoice and every charge of these; and besides, whatever an event names (an invoice with its
/// charges, credits and credit notes). `billed` holds every row of the [`super::LATE_USAGE_MONTHS`] before the draft's
/// month: what is missing there would be billed again; and those of an invoice that is to be void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub customer: CustomerId,
    pub standing: Standing,
    pub services: BTreeMap<Service, ServiceAccount>,
    pub invoices: BTreeMap<InvoiceId, Invoice>,
    pub charges: BTreeMap<ChargeKey, Charge>,
    pub credits: BTreeMap<CreditId, Credit>,
    pub credit_notes: BTreeMap<CreditNoteId, CreditNote>,
    pub billed: BTreeMap<BilledKey, Billed>,
    pub escrow: Option<EscrowMirror>,
}

impl Account {
    /// A customer whose billing begins in a month: nothing yet, not even a draft.
    pub fn new(customer: CustomerId, month: Month) -> Self {
        Self {
            customer,
            standing: Standing {
                has_paid: false,
                parked: None,
                month,
                dunning: Dunning::default(),
                cap: None,
                cap_status: CapStatus::of(month),
                methods: vec![PaymentMethod::Escrow],
            },
            services: BTreeMap::new(),
            invoices: BTreeMap::new(),
            charges: BTreeMap::new(),
            credits: BTreeMap::new(),
            credit_notes: BTreeMap::new(),
            billed: BTreeMap::new(),
            escrow: None,
        }
    }

    /// The one draft, from the first decision on.
    pub fn draft(&self) -> Option<&Invoice> {
        self.invoices.values().find(|invoice| invoice.state == InvoiceState::Draft)
    }

    /// What is owed, in the order in which it was issued.
    pub fn unpaid(&self) -> Vec<&Invoice> {
        let mut unpaid: Vec<_> = self.invoices.values().filter(|invoice| invoice.state.is_unpaid()).collect();
        unpaid.sort_by_key(|invoice| invoice.number);
        unpaid
    }

    /// A service; one that nobody subscribed to has no row.
    pub fn service(&self, service: Service) -> ServiceAccount {
        self.services.get(&service).cloned().unwrap_or_default()
    }

    /// Whether an answer about money is awaited.
    pub fn is_under_way(&self, invoice: InvoiceId) -> bool {
        self.charges_of(invoice).any(|charge| charge.state == ChargeState::Sent)
    }

    /// Whether anybody may be asked to pay an invoice: it is unpaid, no answer is awaited, the books are right; and
    /// nobody pays for a service that would be suspended at once.
    pub(super) fn may_collect(&self, invoice: &Invoice) -> bool {
        let standing = &self.standing;
        let would_be_suspended = standing.dunning.suspended && matches!(invoice.purpose, Purpose::Subscribe { .. });
        let right = standing.parked.is_none() && !would_be_suspended;
        invoice.state.is_unpaid() && !self.is_under_way(invoice.id) && right
    }

    pub(super) fn charges_of(&self, invoice: InvoiceId) -> impl Iterator<Item = &Charge> {
        self.charges.values().filter(move |charge| charge.key.invoice == invoice)
    }

    /// What is under way by one method.
    ///
    /// # Errors
    /// [`MoneyOverflow`].
    pub fn asked(&self, method: PaymentMethod) -> Result<Usd, MoneyOverflow> {
        let sent = |charge: &&Charge| charge.method == method && charge.state == ChargeState::Sent;
        Usd::sum(self.charges.values().filter(sent).map(|charge| charge.amount))
    }

    /// The account after an action. What an action saves, replaces what was there: done twice, it is done once.
    pub fn apply(&mut self, action: &Action) {
        match action {
            Action::SaveStanding(standing) => self.standing = standing.clone(),
            Action::SaveService { service, account, .. } => {
                self.services.insert(*service, account.clone());
            }
            Action::SaveInvoice(invoice) => {
                self.invoices.insert(invoice.id, invoice.clone());
            }
            Action::SaveCharge(charge) => {
                self.charges.insert(charge.key, charge.clone());
            }
            Action::SaveCredit(credit) => {
                self.credits.insert(credit.id, credit.clone());
            }
            Action::SaveCreditNote(note) => {
                self.credit_notes.insert(note.id, note.clone());
            }
            Action::SaveBilled(key, billed) => {
                self.billed.insert(*key, billed.clone());
            }
            Action::SaveEscrow(escrow) => self.escrow = Some(*escrow),
            Action::Post(_) | Action::Notify(_) => {}
        }
    }
}
