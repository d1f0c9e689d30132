//! The sheet as plain text, for terminals.

use std::fmt::Write;

use super::sheet::{Row, Sheet};

/// Between columns.
const GAP: &str = "  ";
const HEADINGS: [&str; 4] = ["What", "Quantity", "Price", "Amount"];

/// Everything that is printed, in the order of the pages. Nothing in it can steer a terminal.
pub(super) fn text(sheet: &Sheet) -> String {
    let mut lines = vec![format!("{}: {}", sheet.title, sheet.state), String::new()];
    for (heading, party) in [("From", &sheet.issuer), ("To", &sheet.billed)] {
        lines.push(format!("{heading:<8}{}", party.join(", ")));
    }
    lines.extend(sheet.facts.iter().map(|(name, value)| format!("{name:<8}{value}")));
    lines.push(String::new());
    let width = table(&sheet.rows, &mut lines);
    lines.push(String::new());
    for (label, amount) in &sheet.totals {
        lines.push(format!("{label}{amount:>rest$}", rest = width.saturating_sub(label.chars().count())));
    }
    if !sheet.payments.is_empty() {
        lines.extend([String::new(), "Payments".to_owned()]);
    }
    for payment in &sheet.payments {
        lines.push(format!("{}{GAP}{} {}", payment.at, payment.amount, payment.what));
        lines.push(format!("{GAP}{}", payment.reference));
    }
    if !sheet.notes.is_empty() {
        lines.push(String::new());
        lines.extend(sheet.notes.iter().cloned());
    }
    let mut text = String::new();
    for line in lines {
        let line =
            line.trim_end().chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char });
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line.collect::<String>());
    }
    text
}

/// Returns how wide it is.
fn table(rows: &[Row], lines: &mut Vec<String>) -> usize {
    let cells = |row: &Row| [row.what.clone(), row.quantity.clone(), row.price.clone(), row.amount.clone()];
    let all: Vec<[String; 4]> = std::iter::once(HEADINGS.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let mut widths = [0; 4];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let [what, quantity, price, amount] = widths;
    let mut details = rows.iter().map(|row| row.details.as_slice());
    for (place, [a, b, c, d]) in all.iter().enumerate() {
        lines.push(format!("{a:<what$}{GAP}{b:>quantity$}{GAP}{c:>price$}{GAP}{d:>amount$}"));
        if place > 0 {
            lines.extend(details.next().unwrap_or_default().iter().map(|detail| format!("{GAP}{detail}")));
        }
    }
    if rows.is_empty() {
        lines.push("Nothing was used.".to_owned());
    }
    what + quantity + price + amount + 3 * GAP.len()
}
