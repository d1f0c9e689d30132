//! Lines of invoices, as their customers see them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::billing::{CreditId, CreditReason, Invoice, Line, LineKind};
use crate::core::id::Service;
use crate::core::tier::Tier;

/// Why each credit was granted.
pub(super) type CreditReasons = BTreeMap<CreditId, CreditReason>;

/// One line. What is charged is `amount`: quantity × price for every `price_per` pieces, rounded down to whole cents
/// once; what was rounded off is `remainder_micros`, and is not charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = InvoiceLine)]
pub struct InvoiceLineView {
    /// From 1.
    pub position: u32,
    /// `subscription`, `upgrade`, `extra`, `requests`, `bandwidth`, `late_requests`, `late_bandwidth`, `tax` or
    /// `credit`.
    pub kind: String,
    /// For people, such as `Seal Pro, 2026-11`.
    pub text: String,
    /// Absent for tax and credits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub service: Option<String>,
    /// That it pays for, or in which the usage happened, such as `2026-11`.
    pub month: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tier: Option<String>,
    /// The smaller tier of an upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub from_tier: Option<String>,
    /// What there is more of than the tier includes: `api_key`, `seal_key` or `package`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub extra: Option<String>,
    /// The credit that is used, and why it was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub credit_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub credit_reason: Option<String>,
    pub quantity: u64,
    pub price_per: u64,
    pub price_micros: i64,
    /// The same, for people.
    pub price: String,
    /// Negative for credits.
    pub amount_micros: i64,
    /// The same, for people.
    pub amount: String,
    pub remainder_micros: i64,
    /// The hours that usage was counted from begin here: see the line's `hours`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub from: Option<String>,
    /// And end before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub to: Option<String>,
    /// Of these hours, so that it can be shown later that they are the same; in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hours_sha256: Option<String>,
}

/// All lines, in order.
pub(super) fn line_views(invoice: &Invoice, reasons: &CreditReasons) -> Vec<InvoiceLineView> {
    (1..).zip(&invoice.lines).map(|(position, line)| line_view(position, line, reasons)).collect()
}

pub(super) fn line_view(position: u32, line: &Line, reasons: &CreditReasons) -> InvoiceLineView {
    let facts = line.kind.facts();
    let reason = facts.credit.and_then(|credit| reasons.get(&credit));
    InvoiceLineView {
        position,
        kind: line.kind.name().to_owned(),
        text: text(line, reason.copied()),
        service: line.service.map(Service::name).map(str::to_owned),
        month: line.month.to_string(),
        tier: facts.tier.map(Tier::name).map(str::to_owned),
        from_tier: facts.from_tier.map(Tier::name).map(str::to_owned),
        extra: facts.extra.map(|extra| extra.name().to_owned()),
        credit_id: facts.credit.map(|credit| credit.0),
        credit_reason: reason.map(|reason| reason.name().to_owned()),
        quantity: line.quantity,
        price_per: line.unit.per,
        price_micros: line.unit.amount.micros(),
        price: line.unit.amount.to_string(),
        amount_micros: line.amount.micros(),
        amount: line.amount.to_string(),
        remainder_micros: line.remainder.micros(),
        from: line.usage.map(|(window, _)| window.from.to_string()),
        to: line.usage.map(|(window, _)| window.to.to_string()),
        hours_sha256: line.usage.map(|(_, digest)| digest.to_string()),
    }
}

fn text(line: &Line, reason: Option<CreditReason>) -> String {
    match (line.kind, reason) {
        (LineKind::Credit(credit), Some(reason)) => format!("credit {credit}: {}", reason.name()),
        _ => line.to_string(),
    }
}
