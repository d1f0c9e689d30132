//! What it all came to.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::task::block_in_place;

use super::{BEGIN, DemoError};
use crate::app::billing::show_parked;
use crate::app::{App, AppError, verify_books};
use crate::chain::Chain;
use crate::core::calendar::Month;
use crate::core::money::Usd;
use crate::ledger::balance::{Balance, EVER, trial_balance};
use crate::ledger::billing_invoice::{InvoicesInState, count_invoices_by_state};
use crate::ledger::chain_event::count_events_to_take;
use crate::ledger::charge::next_send_at;
use crate::ledger::payment_terms::count_suspended;

/// A month as it stood when it ended, before its usage was invoiced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MonthReport {
    pub month: String,
    /// That were served.
    pub requests: u64,
    /// Revenue of invoices that were issued in it, less credit that was given away; micro-dollars, like all amounts.
    pub revenue_micros: i128,
    /// What customers owed at its end.
    pub owed_micros: i128,
    /// What lay in escrow at its end.
    pub escrow_micros: i128,
    /// Customers who were suspended for not paying at its end.
    pub suspended: u64,
    /// Revenue since the beginning, from which the month's follows.
    #[serde(skip)]
    pub revenue_so_far_micros: i128,
}

/// An account of everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TravelReport {
    pub seed: u64,
    /// The chain is simulated.
    pub is_simulated_chain: bool,
    pub from: String,
    pub to: String,
    pub customers: u64,
    pub entries: u64,
    pub postings: u64,
    /// What each account adds up to, debits positive.
    pub totals_micros: BTreeMap<String, i128>,
    /// How many invoices are in each state, and what they demand.
    pub invoices: BTreeMap<String, u64>,
    pub invoice_amounts_micros: BTreeMap<String, i64>,
    /// What lies in escrow accounts by the chain.
    pub chain_escrow_micros: i64,
    /// What was charged by the chain and not given back.
    pub chain_collected_micros: i64,
    pub months: Vec<MonthReport>,
    /// Whether the books add up, by themselves and with invoices, credits and the chain.
    pub balanced: bool,
    /// Why not.
    pub problems: Vec<String>,
}

pub(super) async fn report_month(app: &App, month: Month, requests: u64) -> Result<MonthReport, DemoError> {
    let until = month.end().plus_ms(-1);
    let before = app.ledger.read(move |tx| trial_balance(tx, month.start().plus_ms(-1))).await?;
    let balances = app.ledger.read(move |tx| trial_balance(tx, until)).await?;
    let suspended = app.ledger.read(count_suspended).await?;
    let revenue_so_far_micros = -sum(&balances, "revenue");
    Ok(MonthReport {
        month: month.to_string(),
        requests,
        revenue_micros: revenue_so_far_micros + sum(&before, "revenue"),
        owed_micros: sum(&balances, "receivable"),
        escrow_micros: -sum(&balances, "escrow"),
        suspended,
        revenue_so_far_micros,
    })
}

pub(super) async fn finish(app: &App, seed: u64, months: Vec<MonthReport>) -> Result<TravelReport, DemoError> {
    let now = app.clock.now();
    // Blocking calls are for plain threads.
    let books = block_in_place(|| verify_books(&app.ledger, now)).map_err(AppError::from)?;
    let reconciled = app.reconcile_escrow(None).await?;
    let balances = app.ledger.read(|tx| trial_balance(tx, EVER)).await?;
    let states = app.ledger.read(count_invoices_by_state).await?;
    let Chain::Sim(sim) = &app.chain;
    let chain = sim.totals();
    let totals: BTreeMap<String, i128> =
        books.totals.iter().map(|total| (total.account.clone(), total.balance_micros)).collect();
    let mut problems: Vec<String> = books.findings.iter().map(|finding| finding.problem.clone()).collect();
    if totals.values().sum::<i128>() != 0 {
        problems.push("the accounts do not sum to zero".to_owned());
    }
    if -sum(&balances, "escrow") != i128::from(chain.accounts.micros()) {
        problems.push("the books and the chain differ about escrow".to_owned());
    }
    let waiting = app.ledger.read(count_events_to_take).await?;
    if waiting > 0 {
        problems.push(format!("{waiting} events of the chain are not in the books"));
    }
    if app.ledger.read(next_send_at).await?.is_some() {
        problems.push("a payment has no answer".to_owned());
    }
    let parked = app.ledger.read(show_parked).await.map_err(AppError::from)?;
    problems
        .extend(parked.into_iter().map(|parked| format!("customer {} is parked: {}", parked.customer, parked.reason)));
    problems.extend(reconciled.parked.iter().map(|customer| format!("escrow of customer {customer} differs")));
    Ok(TravelReport {
        seed,
        is_simulated_chain: app.chain.is_simulated(),
        from: BEGIN.to_string(),
        to: now.to_string(),
        customers: books.customers,
        entries: books.entries,
        postings: books.postings,
        totals_micros: totals,
        invoices: by_state(&states, |state| state.count),
        invoice_amounts_micros: by_state(&states, |state| state.amount.micros()),
        chain_escrow_micros: chain.accounts.micros(),
        chain_collected_micros: chain.collected.micros(),
        months,
        balanced: problems.is_empty() && books.is_sound,
        problems,
    })
}

fn by_state<T>(states: &[InvoicesInState], what: impl Fn(&InvoicesInState) -> T) -> BTreeMap<String, T> {
    states.iter().map(|state| (state.state.name().to_owned(), what(state))).collect()
}

fn sum(balances: &[Balance], account: &str) -> i128 {
    let of = balances.iter().filter(|balance| balance.account == account);
    of.map(|balance| i128::from(balance.amount.micros())).sum()
}

impl TravelReport {
    /// For people: what each account holds, and how invoices stand.
    pub fn lines(&self) -> Vec<String> {
        let amount = |micros: i128| Usd::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)).to_string();
        let accounts =
            self.totals_micros.iter().map(|(account, micros)| format!("  {account:<16}{:>18}", amount(*micros)));
        let states = self.invoices.iter().map(|(state, count)| {
            let demanded = self.invoice_amounts_micros.get(state).copied().unwrap_or(0);
            format!("  {state:<16}{count:>6}{:>16}", amount(demanded.into()))
        });
        let heading = |text: &str| std::iter::once(text.to_owned());
        heading("The books, debits positive:")
            .chain(accounts)
            .chain(heading("Invoices, and what payment methods were asked for:"))
            .chain(states)
            .chain(self.problems.iter().cloned())
            .collect()
    }
}
