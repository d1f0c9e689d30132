//! How it stands with a customer's billing, at a glance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::invoices::{InvoiceView, head};
use super::shortfall::{ShortfallView, shortfall_view};
use crate::app::billing::{BillingFailure, Included, load_account, next_counters};
use crate::app::{App, AppError, Caller, Refusal};
use crate::core::billing::dunning::suspends_at;
use crate::core::billing::{
    Account, EscrowMirror, Event, LIMIT_PERIOD_MS, Outlook, PaymentMethod, RATE_DAYS, Runway, RunwayEnd, Shortfall,
    SpendingLimit, outlook, per_day, runway, shortfall,
};
use crate::core::calendar::{DAY_MS, Month, UtcMillis};
use crate::core::error_code::Code;
use crate::core::id::CustomerId;
use crate::core::money::{MoneyOverflow, Usd};
use crate::core::rating::PricePerRequests;
use crate::core::usage::HourUsage;
use crate::ledger::ReadTx;
use crate::ledger::usage::hours_between;

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BillingOverview {
    #[schema(format = DateTime)]
    pub as_of: String,
    /// Whether the chain is simulated: then all money on it is play money.
    pub is_simulated_chain: bool,
    /// `good`; `grace` while something is overdue; `suspended` when services stopped for it; `on_hold` when nothing is
    /// charged until somebody has looked into the books.
    pub standing: String,
    /// When services stop unless everything is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub suspends_at: Option<String>,
    /// What invoices demand that are not paid.
    pub owed_micros: i64,
    /// The same, for people.
    pub owed: String,
    /// What is missing before all of it is paid; absent if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub shortfall: Option<ShortfallView>,
    /// What can be used of credits.
    pub credits_micros: i64,
    /// The same, for people.
    pub credits: String,
    /// The account on the chain; absent before the first deposit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub escrow: Option<BillingEscrow>,
    /// This month so far: what its end will be billed by all that is known. Absent before the first thing that is billed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub draft: Option<InvoiceView>,
    /// In the order in which they are asked: `escrow`.
    pub payment_methods: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub spend_cap: Option<SpendCapView>,
    /// Absent when amounts are beyond all reckoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub runway: Option<RunwayView>,
}

/// The account on the chain, as its last final event left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BillingEscrow {
    pub balance_micros: i64,
    /// The same, for people.
    pub balance: String,
    /// Asked for, and not answered yet.
    pub under_way_micros: i64,
    /// What may be charged in a period of 28 days; 0 is unlimited.
    pub spending_limit_micros: i64,
    /// The same, for people.
    pub spending_limit: String,
    /// What was charged in this period.
    pub period_charged_micros: i64,
    /// The same, for people.
    pub period_charged: String,
    #[schema(format = DateTime)]
    pub period_began_at: String,
    /// When the next one begins.
    #[schema(format = DateTime)]
    pub period_ends_at: String,
    /// What the limit still allows in this period; absent without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub period_left_micros: Option<i64>,
}

/// What a month's usage may cost, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SpendCap)]
pub struct SpendCapView {
    pub amount_micros: i64,
    /// The same, for people.
    pub amount: String,
    /// Whether keys stop when it is reached, until the month ends or the cap is raised.
    pub hard_stop: bool,
    /// This month's usage so far.
    pub spent_micros: i64,
    /// The same, for people.
    pub spent: String,
    /// Of the cap, rounded down; may be more than 100.
    pub percent: u64,
    /// Whether keys are stopped at present.
    pub is_stopped: bool,
}

/// How long the balance and the credits last at the present rate, renewals and the limit of 28 days included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Runway)]
pub struct RunwayView {
    /// Full days from now, at most 365.
    pub days: u32,
    /// What ends it: `balance`, `spending_limit`, or `beyond` if it lasts longer than a year.
    pub end: String,
    /// When; absent for `beyond`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub ends_at: Option<String>,
    /// The rate: what a day's usage costs, by the last seven days.
    pub per_day_micros: i64,
    /// The same, for people.
    pub per_day: String,
    /// What the next 1st costs besides usage.
    pub renewal_micros: i64,
    /// The same, for people.
    pub renewal: String,
}

impl App {
    /// How it stands with the caller's billing.
    ///
    /// # Errors
    /// [`AppError::Ledger`], [`AppError::Billing`].
    pub async fn billing_overview(&self, caller: &Caller) -> Result<BillingOverview, AppError> {
        let (customer, now) = (caller.customer, self.clock.now());
        let (tariff, month) = (self.tariff(), Month::of(now)?);
        let included = tariff.included;
        let read = move |tx: &ReadTx<'_>| {
            let account = load_basis(tx, customer, &included, month)?;
            let hours = hours_between(tx, customer, now.plus_ms(-RATE_DAYS * DAY_MS), now.plus_ms(1))?;
            Ok::<_, AppError>((account, hours, next_counters(tx)?))
        };
        let (account, hours, counters) = self.ledger.read(read).await?;
        let price = self.config_global.load().request_price();
        let shortfall = if account.unpaid().is_empty() {
            None
        } else {
            shortfall(&account, &tariff.terms, counters, now).map_err(BillingFailure::from)?
        };
        overview(&account, &hours, price, shortfall, self.chain.is_simulated(), now)
    }
}

fn load_basis(tx: &ReadTx<'_>, customer: CustomerId, included: &Included, month: Month) -> Result<Account, AppError> {
    let account = load_account(tx, customer, &Event::Tick, included, month).map_err(AppError::from)?;
    Ok(account.ok_or_else(|| Refusal::of(Code::SignInRequired))?)
}

fn overview(
    account: &Account,
    hours: &[HourUsage],
    price: PricePerRequests,
    shortfall: Option<Shortfall>,
    is_simulated_chain: bool,
    now: UtcMillis,
) -> Result<BillingOverview, AppError> {
    let standing = &account.standing;
    let outlook = outlook(account, per_day(hours, price, now)?, now)?;
    // While billing is on hold grace stands still.
    let is_running = !standing.dunning.suspended && standing.parked.is_none();
    let overdue_since = standing.dunning.since.filter(|_| is_running);
    let new = EscrowMirror::created(now);
    let runway = runway(account.escrow.as_ref().unwrap_or(&new), &outlook, now).ok();
    Ok(BillingOverview {
        as_of: now.to_string(),
        is_simulated_chain,
        standing: standing_word(account).to_owned(),
        suspends_at: overdue_since.map(|since| suspends_at(since, standing.has_paid).to_string()),
        owed_micros: outlook.unpaid.micros(),
        owed: outlook.unpaid.to_string(),
        shortfall: shortfall.map(shortfall_view),
        credits_micros: outlook.credits.micros(),
        credits: outlook.credits.to_string(),
        escrow: account.escrow.map(|escrow| escrow_view(account, &escrow, now)).transpose()?,
        draft: account.draft().map(head).transpose()?,
        payment_methods: standing.methods.iter().map(|method| method.name().to_owned()).collect(),
        spend_cap: spend_cap_view(account)?,
        runway: runway.map(|runway| runway_view(runway, &outlook, now)),
    })
}

fn runway_view(runway: Runway, outlook: &Outlook, now: UtcMillis) -> RunwayView {
    let ends_at = now.plus_ms(i64::from(runway.days).saturating_mul(DAY_MS));
    RunwayView {
        days: runway.days,
        end: runway.end.name().to_owned(),
        ends_at: (runway.end != RunwayEnd::Beyond).then(|| ends_at.to_string()),
        per_day_micros: outlook.per_day.micros(),
        per_day: outlook.per_day.to_string(),
        renewal_micros: outlook.renewal.micros(),
        renewal: outlook.renewal.to_string(),
    }
}

fn standing_word(account: &Account) -> &'static str {
    let standing = &account.standing;
    match (&standing.parked, standing.dunning.suspended, standing.dunning.since) {
        (Some(_), ..) => "on_hold",
        (None, true, _) => "suspended",
        (None, false, Some(_)) => "grace",
        (None, false, None) => "good",
    }
}

fn escrow_view(account: &Account, escrow: &EscrowMirror, now: UtcMillis) -> Result<BillingEscrow, MoneyOverflow> {
    let charged = escrow.charged_at(now);
    let under_way = account.asked(PaymentMethod::Escrow)?;
    let limit = escrow.limit.amount();
    let left = limit.checked_sub(charged)?.max(Usd::ZERO);
    let next = escrow.next_period_after(now);
    Ok(BillingEscrow {
        balance_micros: escrow.balance.micros(),
        balance: escrow.balance.to_string(),
        under_way_micros: under_way.micros(),
        spending_limit_micros: limit.micros(),
        spending_limit: limit.to_string(),
        period_charged_micros: charged.micros(),
        period_charged: charged.to_string(),
        period_began_at: next.plus_ms(-LIMIT_PERIOD_MS).to_string(),
        period_ends_at: next.to_string(),
        period_left_micros: (escrow.limit != SpendingLimit::UNLIMITED).then_some(left.micros()),
    })
}

/// The customer's cap, if there is one. What counts is the usage on the draft, if it is of the running month.
pub(super) fn spend_cap_view(account: &Account) -> Result<Option<SpendCapView>, MoneyOverflow> {
    let standing = &account.standing;
    let Some(cap) = standing.cap else { return Ok(None) };
    let status = standing.cap_status;
    let spent = if status.month == standing.month { status.spent } else { Usd::ZERO };
    let percent = Usd::from_micros(100).times_per(spent.micros().unsigned_abs(), cap.amount.micros().unsigned_abs())?;
    Ok(Some(SpendCapView {
        amount_micros: cap.amount.micros(),
        amount: cap.amount.to_string(),
        hard_stop: cap.hard_stop,
        spent_micros: spent.micros(),
        spent: spent.to_string(),
        percent: percent.micros().unsigned_abs(),
        is_stopped: status.month == standing.month && status.stopped,
    }))
}
