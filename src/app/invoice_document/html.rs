//! The sheet as one page of HTML.

use std::fmt::Write;

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use super::sheet::{PaymentRow, Row, Sheet};

const STYLE: &str = include_str!("invoice.css");

/// The style of every page, between its tags.
fn style() -> String {
    format!("\n{STYLE}")
}

/// As a `Content-Security-Policy` names it: whoever serves the page allows this style and nothing else.
pub fn style_sha256() -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(style())))
}

/// The page. Nothing in it is fetched, and nothing runs.
pub(super) fn html(sheet: &Sheet) -> String {
    let title = escaped(&sheet.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n\
         <p class=\"mark\" aria-hidden=\"true\">{}</p>\n",
        style(),
        sheet.mark
    );
    page.push_str(&head(sheet, &title));
    page.push_str(&lines(&sheet.rows));
    page.push_str(&totals(&sheet.totals));
    if !sheet.payments.is_empty() {
        page.push_str(&payments(&sheet.payments));
    }
    page.push_str(&notes(&sheet.notes));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn head(sheet: &Sheet, title: &str) -> String {
    let settled = if sheet.is_settled { " settled" } else { "" };
    let mut text = format!("<header>\n<h1>{title}</h1>\n<p class=\"state{settled}\">{}</p>\n", escaped(&sheet.state));
    text.push_str("</header>\n<section class=\"parties\">\n");
    for (heading, party) in [("From", &sheet.issuer), ("To", &sheet.billed)] {
        put(&mut text, format_args!("<div>\n<h2>{heading}</h2>\n<address>\n"));
        party.iter().for_each(|line| put(&mut text, format_args!("<span>{}</span>\n", escaped(line))));
        text.push_str("</address>\n</div>\n");
    }
    text.push_str("<dl>\n");
    for (name, value) in &sheet.facts {
        put(&mut text, format_args!("<dt>{name}</dt><dd>{}</dd>\n", escaped(value)));
    }
    text.push_str("</dl>\n</section>\n");
    text
}

fn lines(rows: &[Row]) -> String {
    let mut text = String::from(
        "<table>\n<thead><tr><th scope=\"col\">What</th><th scope=\"col\">Quantity</th>\
         <th scope=\"col\">Price</th><th scope=\"col\">Amount</th></tr></thead>\n<tbody>\n",
    );
    if rows.is_empty() {
        text.push_str("<tr><td colspan=\"4\">Nothing was used.</td></tr>\n");
    }
    for row in rows {
        let Row { what, details, quantity, price, amount } = row;
        put(&mut text, format_args!("<tr><td>{}", escaped(what)));
        details.iter().for_each(|detail| put(&mut text, format_args!("<small>{}</small>", escaped(detail))));
        let [quantity, price, amount] = [quantity, price, amount].map(|cell| escaped(cell));
        put(&mut text, format_args!("</td><td>{quantity}</td><td>{price}</td><td>{amount}</td></tr>\n"));
    }
    text.push_str("</tbody>\n</table>\n");
    text
}

fn totals(totals: &[(String, String)]) -> String {
    let mut text = String::from("<table class=\"totals\">\n<tbody>\n");
    for (label, amount) in totals {
        let (label, amount) = (escaped(label), escaped(amount));
        put(&mut text, format_args!("<tr><th scope=\"row\">{label}</th><td>{amount}</td></tr>\n"));
    }
    text.push_str("</tbody>\n</table>\n");
    text
}

fn payments(payments: &[PaymentRow]) -> String {
    let mut text = String::from("<h2>Payments</h2>\n<table class=\"payments\">\n<tbody>\n");
    for PaymentRow { at, what, reference, amount } in payments {
        let [at, what, reference, amount] = [at, what, reference, amount].map(|cell| escaped(cell));
        put(
            &mut text,
            format_args!("<tr><td>{at}</td><td>{what}<small>{reference}</small></td><td>{amount}</td></tr>\n"),
        );
    }
    text.push_str("</tbody>\n</table>\n");
    text
}

fn notes(notes: &[String]) -> String {
    let mut text = String::from("<footer>\n");
    notes.iter().for_each(|note| put(&mut text, format_args!("<p>{}</p>\n", escaped(note))));
    text.push_str("</footer>\n");
    text
}

/// Writing to a string does not fail.
fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(what);
}

/// Text that means nothing to a browser, also within quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}
