//! The lines of an invoice, of every kind.

use rusqlite::Row;

use crate::core::calendar::{Month, UtcMillis};
use crate::core::id::Service;
use crate::core::money::Usd;
use crate::core::tier::Tier;
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::{Columns, Count, word_enums};

word_enums! {
    /// What a line is about.
    StoredLineKind {
        Subscription = "subscription",
        Upgrade = "upgrade",
        Extra = "extra",
        Requests = "requests",
        Bandwidth = "bandwidth",
        LateRequests = "late_requests",
        LateBandwidth = "late_bandwidth",
        Tax = "tax",
        /// The only kind that may be negative.
        Credit = "credit",
    }
}

/// The hours of usage that a line was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageWindow {
    pub from: UtcMillis,
    /// Exclusive.
    pub to: UtcMillis,
    pub sha256: [u8; 32],
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLine {
    pub kind: StoredLineKind,
    pub service: Option<Service>,
    /// That it is for.
    pub month: Month,
    pub tier: Option<Tier>,
    /// The smaller tier of an upgrade.
    pub from_tier: Option<Tier>,
    /// What there is more of than a tier includes.
    pub extra: Option<String>,
    /// The grant that a credit draws on.
    pub credit: Option<u64>,
    pub quantity: u64,
    /// For every `price_per` pieces.
    pub price: Usd,
    pub price_per: u64,
    /// Charged: whole cents.
    pub amount: Usd,
    /// Rounded off and not charged, less than a cent.
    pub remainder: Usd,
    pub usage: Option<UsageWindow>,
}

/// Takes the line at a position off an invoice.
pub(in crate::ledger) fn delete_line(tx: &WriteTx<'_>, invoice: u64, position: u32) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM invoice_lines WHERE invoice_id = ?1 AND position = ?2", (Count(invoice), position))
        .map(drop)
        .map_err(failed("taking a line off invoice", invoice))
}

/// Puts a line at a free position of an invoice.
pub(in crate::ledger) fn insert_line(
    tx: &WriteTx<'_>,
    invoice: u64,
    (position, line): (u32, &StoredLine),
) -> Result<(), LedgerError> {
    let usage = line.usage.as_ref();
    let params = rusqlite::params![
        Count(invoice),
        position,
        line.kind,
        line.service,
        line.month,
        line.tier.map(Tier::name),
        line.from_tier.map(Tier::name),
        line.extra,
        line.credit.map(Count),
        Count(line.quantity),
        line.price,
        Count(line.price_per),
        line.amount,
        line.remainder,
        usage.map(|usage| usage.from),
        usage.map(|usage| usage.to),
        usage.map(|usage| usage.sha256),
    ];
    tx.execute(
        "INSERT INTO invoice_lines (invoice_id, position, kind, service, month, tier, from_tier, extra, credit_id,
             quantity, price_micros, price_per, amount_micros, remainder_micros, from_ms, to_ms, usage_sha256)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        params,
    )
    .map(drop)
    .map_err(failed("adding a line to invoice", invoice))
}

/// The lines of an invoice, in order.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn lines_of(tx: &ReadTx<'_>, invoice: u64) -> Result<Vec<StoredLine>, LedgerError> {
    tx.all(
        "SELECT kind, service, month, tier, from_tier, extra, credit_id, quantity, price_micros, price_per, amount_micros,
             remainder_micros, from_ms, to_ms, usage_sha256
         FROM invoice_lines WHERE invoice_id = ?1 ORDER BY position",
        (Count(invoice),),
        read_line,
    )
    .map_err(failed("reading the lines of invoice", invoice))
}

fn read_line(row: &Row<'_>) -> rusqlite::Result<StoredLine> {
    let mut at = Columns::of(row);
    Ok(StoredLine {
        kind: at.next()?,
        service: at.next()?,
        month: at.next()?,
        tier: at.next()?,
        from_tier: at.next()?,
        extra: at.next()?,
        credit: at.optional_count()?,
        quantity: at.count()?,
        price: at.next()?,
        price_per: at.count()?,
        amount: at.next()?,
        remainder: at.next()?,
        usage: read_usage(&mut at)?,
    })
}

fn read_usage(at: &mut Columns<'_, '_>) -> rusqlite::Result<Option<UsageWindow>> {
    let (from, to) = (at.next::<Option<UtcMillis>>()?, at.next::<Option<UtcMillis>>()?);
    let sha256: Option<[u8; 32]> = at.next()?;
    Ok(from.zip(to).zip(sha256).map(|((from, to), sha256)| UsageWindow { from, to, sha256 }))
}
