//! What is shown, from the ledger alone: also beside a running process, and without one.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use comfy_table::CellAlignment;

use super::{Format, Place, State};
use crate::app::billing::{
    BillingFailure, CustomerBilling, ShownCharge, ShownCredit, ShownEscrow, ShownInvoice, ShownParked, Which,
    show_customer, show_invoice, show_invoices, show_parked,
};
use crate::app::invoice_document::{InvoiceDocument, Issuer, UsageOfInvoice, hours_of_invoice, load_document};
use crate::cli::ConfigArgs;
use crate::cli::config::open_ledger;
use crate::cli::ledger::{table, usd};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::billing::InvoiceNumber;
use crate::core::id::CustomerId;
use crate::core::usage::HourUsage;
use crate::ledger::ReadTx;
use crate::ledger::billing_invoice::StoredInvoiceState;

/// No other chain can be configured yet.
const IS_CHAIN_SIMULATED: bool = true;

pub(super) fn customer(customer: CustomerId, place: &Place) -> Result<()> {
    let ledger = open_ledger(&place.config)?;
    let found = ledger.read_blocking(move |tx| show_customer(tx, customer))?;
    let Some(found) = found else { bail!("no customer has the number {customer}") };
    if place.json {
        return crate::cli::print_json(&found);
    }
    print_customer(&found);
    Ok(())
}

fn print_customer(found: &CustomerBilling) {
    let name = if found.name.is_empty() { String::new() } else { format!(" ({})", found.name) };
    println!("customer {}{name}, wallet {}, {}", found.customer, found.wallet_address, found.status);
    if let Some(parked) = &found.parked {
        println!("parked since {}: {}", parked.since, parked.reason);
    }
    match &found.standing {
        None => println!("nothing was billed yet"),
        Some(standing) => {
            let next = standing.next_due_at.as_ref().map(|at| format!("; something is due at {at}"));
            println!("the month {} is closed next{}", standing.draft_month, next.unwrap_or_default());
        }
    }
    if let Some(dunning) = &found.dunning {
        let state = if dunning.is_suspended { "suspended" } else { "in grace" };
        println!("{state}: not paid since {}, told {} times", dunning.since, dunning.notices);
    }
    for service in &found.services {
        let tier = service.tier.as_deref().unwrap_or("no tier");
        let billed = service.billed_through.as_ref().map(|month| format!(", billed through {month}"));
        println!("{}: {tier}, {}{}", service.service, service.state, billed.unwrap_or_default());
    }
    if let Some(cap) = found.spend_cap.as_ref().and_then(|cap| cap.cap_micros.map(|amount| (cap, amount))) {
        let (cap, amount) = cap;
        let stop = if cap.is_hard_stop { ", then keys stop" } else { "" };
        println!("spend cap {} a month{stop}; told at {} %", usd(amount), cap.told_percent);
    }
    match &found.escrow {
        Some(escrow) => print_escrow(escrow),
        None => println!("no account on the chain"),
    }
    print_credits(&found.credits);
    print_charges(&found.under_way);
    print_invoices(&found.invoices);
    for notice in &found.notices {
        println!("{}  told: {} {}", notice.at, notice.kind, notice.details);
    }
}

fn print_escrow(escrow: &ShownEscrow) {
    let limit = match escrow.spending_limit_micros {
        0 => "no limit".to_owned(),
        limit => format!("{} of {} charged in this period", usd(escrow.period_charged_micros), usd(limit)),
    };
    let (balance, at) = (usd(escrow.balance_micros), &escrow.mirrored_at);
    println!("escrow {balance}, {limit}, as of {at} (simulated chain)");
}

fn print_credits(credits: &[ShownCredit]) {
    for ShownCredit { credit, reason, granted_micros, remaining_micros, expires_at } in credits {
        let expires = expires_at.as_ref().map(|at| format!(", until {at}"));
        let (left, granted) = (usd(*remaining_micros), usd(*granted_micros));
        println!("credit {credit}: {left} left of {granted}, {reason}{}", expires.unwrap_or_default());
    }
}

fn print_charges(charges: &[ShownCharge]) {
    for ShownCharge { key, direction, amount_micros, asked_at, sends, last_error } in charges {
        let error = last_error.as_ref().map(|error| format!(", last: {error}"));
        let amount = usd(*amount_micros);
        println!(
            "under way: {direction} {key} of {amount} since {asked_at}, sent {sends} times{}",
            error.unwrap_or_default()
        );
    }
}

pub(super) fn parked(place: &Place) -> Result<()> {
    let items = open_ledger(&place.config)?.read_blocking(show_parked)?;
    if place.json {
        return crate::cli::print_json(&serde_json::json!({"items": items}));
    }
    if items.is_empty() {
        println!("nobody is parked");
    }
    for ShownParked { customer, reason, since } in items {
        println!("customer {customer} since {since}: {reason}");
    }
    Ok(())
}

pub(super) fn invoices(customer: Option<CustomerId>, state: Option<State>, limit: u32, place: &Place) -> Result<()> {
    let ledger = open_ledger(&place.config)?;
    let state = state.map(|state| match state {
        State::Draft => StoredInvoiceState::Draft,
        State::Pending => StoredInvoiceState::Pending,
        State::Paid => StoredInvoiceState::Paid,
        State::Failed => StoredInvoiceState::Failed,
        State::Voided => StoredInvoiceState::Voided,
    });
    let mut items = ledger.read_blocking(move |tx| show_invoices(tx, customer, state, limit.saturating_add(1)))?;
    let limit = usize::try_from(limit)?;
    let is_cut = items.len() > limit;
    items.truncate(limit);
    if place.json {
        return crate::cli::print_json(&serde_json::json!({"items": items, "is_cut": is_cut}));
    }
    print_invoices(&items);
    if is_cut {
        eprintln!("there are older ones: --limit shows more");
    }
    Ok(())
}

fn print_invoices(items: &[ShownInvoice]) {
    if items.is_empty() {
        println!("no invoices");
        return;
    }
    let mut table = table(["invoice", "customer", "month", "for", "state", "charges", "to pay", "issued", "next look"]);
    for invoice in items {
        let service = invoice.service.as_ref().map(|service| format!(" {service}"));
        table.add_row([
            invoice.number.clone().unwrap_or_else(|| "draft".to_owned()),
            invoice.customer.to_string(),
            invoice.month.clone(),
            format!("{}{}", invoice.purpose, service.unwrap_or_default()),
            invoice.state.clone(),
            usd(invoice.charges_micros),
            usd(invoice.amount_micros),
            invoice.issued_at.clone().unwrap_or_default(),
            invoice.retry_at.clone().unwrap_or_default(),
        ]);
    }
    for column in [5, 6] {
        if let Some(amounts) = table.column_mut(column) {
            amounts.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{}", table.trim_fmt());
}

pub(super) fn invoice(which: Which, format: Format, out: Option<&Path>, config: &ConfigArgs) -> Result<()> {
    if format == Format::Pdf && out.is_none() && std::io::stdout().is_terminal() {
        bail!("a PDF is nothing for a terminal: say where it goes with --out FILE");
    }
    let ledger = open_ledger(config)?;
    let billing = Config::load(&config.config)?.billing;
    let issuer = Issuer { name: billing.issuer_name, address: billing.issuer_address };
    let now = Clock::System.now();
    let load = move |tx: &ReadTx<'_>| -> Result<_, BillingFailure> {
        let Some(invoice) = show_invoice(tx, which)? else { return Ok(None) };
        let hours = if format == Format::Csv { hours_of_invoice(tx, &invoice)? } else { Vec::new() };
        let document = load_document(tx, invoice.id.0, &issuer, IS_CHAIN_SIMULATED, now)?;
        Ok(document.map(|document| (document, hours)))
    };
    let Some((document, hours)) = ledger.read_blocking(load)? else {
        match which {
            Which::Number(number) => bail!("no invoice has the number {}", InvoiceNumber(number)),
            Which::DraftOf(customer) => bail!("nothing was billed to a customer {customer} yet"),
        }
    };
    let bytes = rendered(&document, &hours, format)?;
    match out {
        Some(path) => fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display())),
        None => Ok(std::io::stdout().write_all(&bytes)?),
    }
}

fn rendered(document: &InvoiceDocument, hours: &[HourUsage], format: Format) -> Result<Vec<u8>> {
    Ok(match format {
        Format::Text => document.text()?.into_bytes(),
        Format::Html => document.html()?.into_bytes(),
        Format::Pdf => document.pdf()?,
        Format::Csv => UsageOfInvoice { invoice: &document.invoice, hours }.csv()?,
    })
}
