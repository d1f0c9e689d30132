//! Where everything on the pages of the PDF is. Points (1/72 inch) from the upper left corner of an A4 page.

use super::sheet::{Row, Sheet};
use super::typeface::{Typefaces, Weight};

pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
const LEFT: f32 = 51.0;
const RIGHT: f32 = WIDTH - LEFT;
const TOP: f32 = 56.0;
/// Below it is only the line with the page's number.
const BOTTOM: f32 = HEIGHT - 64.0;

/// Right edges of the columns of figures.
const QUANTITY: f32 = 348.0;
const PRICE: f32 = 470.0;
/// What a line is about ends here.
const WHAT_END: f32 = 288.0;
const COLUMN_2: f32 = 312.0;

const BODY: f32 = 9.0;
const SMALL: f32 = 7.0;

/// Shades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Muted,
    Faint,
    Mark,
    Settled,
    Open,
}

/// Something on a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Its left end on the base line.
    Text { x: f32, y: f32, size: f32, weight: Weight, ink: Ink, text: String },
    /// From the left to the right margin, or from `x`.
    Rule { x: f32, y: f32, thickness: f32, ink: Ink },
}

/// Pages with what is on each.
pub(super) struct Pages<'faces> {
    faces: &'faces Typefaces,
    pages: Vec<Vec<Piece>>,
    /// The base line of what was put last.
    y: f32,
}

#[derive(Clone, Copy)]
struct Style {
    size: f32,
    weight: Weight,
    ink: Ink,
}

const PLAIN: Style = Style { size: BODY, weight: Weight::Regular, ink: Ink::Text };
const STRONG: Style = Style { size: BODY, weight: Weight::Bold, ink: Ink::Text };
const HEADING: Style = Style { size: SMALL, weight: Weight::Bold, ink: Ink::Muted };
const DETAIL: Style = Style { size: SMALL, weight: Weight::Regular, ink: Ink::Muted };

/// Puts a sheet onto as many pages as it takes.
pub(super) fn pages(sheet: &Sheet, faces: &Typefaces) -> Vec<Vec<Piece>> {
    let mut pages = Pages { faces, pages: vec![Vec::new()], y: TOP };
    pages.head(sheet);
    pages.table(&sheet.rows);
    pages.totals(&sheet.totals);
    pages.payments(sheet);
    pages.notes(&sheet.notes);
    pages.number(&sheet.title);
    pages.pages
}

impl Pages<'_> {
    fn head(&mut self, sheet: &Sheet) {
        self.y += 12.0;
        self.put(LEFT, Style { size: 20.0, weight: Weight::Bold, ink: Ink::Text }, &sheet.title);
        let ink = if sheet.is_settled { Ink::Settled } else { Ink::Open };
        self.put_right(RIGHT, Style { size: 10.0, weight: Weight::Bold, ink }, &sheet.state);
        self.y += 10.0;
        self.rule(LEFT, 1.2, Ink::Text);
        let top = self.y + 20.0;
        let left = self.party(LEFT, top, "FROM", &sheet.issuer);
        let right = self.party(COLUMN_2, top, "TO", &sheet.billed);
        self.y = left.max(right) + 8.0;
        for (name, value) in &sheet.facts {
            self.y += 13.0;
            self.put(LEFT, Style { ink: Ink::Muted, ..PLAIN }, name);
            self.put(LEFT + 60.0, PLAIN, value);
        }
        self.y += 26.0;
    }

    /// Returns the base line of its last line.
    fn party(&mut self, x: f32, top: f32, heading: &str, lines: &[String]) -> f32 {
        self.y = top;
        self.put(x, HEADING, heading);
        let width = if x < COLUMN_2 { COLUMN_2 - LEFT - 20.0 } else { RIGHT - COLUMN_2 };
        for (index, line) in lines.iter().enumerate() {
            let style = if index == 0 { STRONG } else { PLAIN };
            for part in self.wrapped(line, style, width) {
                self.y += 12.5;
                self.put(x, style, &part);
            }
        }
        self.y
    }

    fn table_head(&mut self) {
        self.put(LEFT, HEADING, "WHAT");
        self.put_right(QUANTITY, HEADING, "QUANTITY");
        self.put_right(PRICE, HEADING, "PRICE");
        self.put_right(RIGHT, HEADING, "AMOUNT");
        self.y += 5.0;
        self.rule(LEFT, 0.8, Ink::Muted);
    }

    fn table(&mut self, rows: &[Row]) {
        self.table_head();
        if rows.is_empty() {
            self.y += 15.0;
            self.put(LEFT, PLAIN, "Nothing was used.");
        }
        for row in rows {
            let what = self.wrapped(&row.what, PLAIN, WHAT_END - LEFT);
            let wrap = |detail: &String| self.wrapped(detail, DETAIL, PRICE - LEFT);
            let details: Vec<String> = row.details.iter().flat_map(wrap).collect();
            let lines: f32 = what.iter().map(|_| 12.5).chain(details.iter().map(|_| 9.5)).sum();
            if !self.fits(lines + 12.0) {
                self.next_page();
                self.table_head();
            }
            self.row(row, &what, &details);
        }
    }

    fn row(&mut self, row: &Row, what: &[String], details: &[String]) {
        self.y += 3.5;
        for (index, line) in what.iter().enumerate() {
            self.y += 12.5;
            self.put(LEFT, PLAIN, line);
            if index == 0 {
                self.put_right(QUANTITY, PLAIN, &row.quantity);
                self.put_right(PRICE, PLAIN, &row.price);
                self.put_right(RIGHT, PLAIN, &row.amount);
            }
        }
        for detail in details {
            self.y += 9.5;
            self.put(LEFT, DETAIL, detail);
        }
        self.y += 6.0;
        self.rule(LEFT, 0.5, Ink::Faint);
    }

    fn totals(&mut self, totals: &[(String, String)]) {
        self.keep(totals.iter().map(|_| 16.0).sum::<f32>() + 14.0);
        self.y += 4.0;
        for (index, (label, amount)) in totals.iter().enumerate() {
            let is_last = index + 1 == totals.len();
            if is_last {
                self.y += 7.0;
                self.rule(COLUMN_2 + 50.0, 1.2, Ink::Text);
            }
            let style = if is_last { Style { size: 12.0, ..STRONG } } else { PLAIN };
            self.y += if is_last { 16.0 } else { 13.5 };
            self.put(COLUMN_2 + 50.0, style, label);
            self.put_right(RIGHT, style, amount);
        }
        self.y += 12.0;
    }

    fn payments(&mut self, sheet: &Sheet) {
        if sheet.payments.is_empty() {
            return;
        }
        self.keep(50.0);
        self.y += 20.0;
        self.put(LEFT, HEADING, "PAYMENTS");
        self.y += 5.0;
        self.rule(LEFT, 0.8, Ink::Muted);
        for payment in &sheet.payments {
            let reference = self.wrapped(&payment.reference, DETAIL, PRICE - LEFT);
            self.keep(30.0 + reference.iter().map(|_| 9.5).sum::<f32>());
            self.y += 15.0;
            self.put(LEFT, PLAIN, &payment.at);
            self.put(LEFT + 130.0, PLAIN, &payment.what);
            self.put_right(RIGHT, PLAIN, &payment.amount);
            for line in reference {
                self.y += 9.5;
                self.put(LEFT, DETAIL, &line);
            }
        }
        self.y += 8.0;
    }

    fn notes(&mut self, notes: &[String]) {
        self.y += 14.0;
        for note in notes {
            for line in self.wrapped(note, Style { size: 8.0, ..DETAIL }, RIGHT - LEFT) {
                self.keep(11.0);
                self.y += 11.0;
                self.put(LEFT, Style { size: 8.0, ..DETAIL }, &line);
            }
            self.y += 2.5;
        }
    }

    /// Puts the number of each page below it.
    fn number(&mut self, title: &str) {
        let count = self.pages.len();
        for (index, pieces) in self.pages.iter_mut().enumerate() {
            let text = format!("{title} · page {} of {count}", index + 1);
            let x = RIGHT - self.faces.of(DETAIL.weight).width(&text, DETAIL.size);
            pieces.push(piece(x, HEIGHT - 36.0, DETAIL, text));
        }
    }

    fn fits(&self, height: f32) -> bool {
        self.y + height <= BOTTOM
    }

    /// Begins a page unless so much fits onto this one.
    fn keep(&mut self, height: f32) {
        if !self.fits(height) {
            self.next_page();
        }
    }

    fn next_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    fn wrapped(&self, text: &str, style: Style, width: f32) -> Vec<String> {
        self.faces.of(style.weight).wrapped(text, style.size, width)
    }

    fn put(&mut self, x: f32, style: Style, text: &str) {
        let text = self.faces.of(style.weight).printable(text);
        let piece = piece(x, self.y, style, text);
        self.add(piece);
    }

    /// Up to a right edge.
    fn put_right(&mut self, right: f32, style: Style, text: &str) {
        let face = self.faces.of(style.weight);
        let x = right - face.width(&face.printable(text), style.size);
        self.put(x, style, text);
    }

    fn rule(&mut self, x: f32, thickness: f32, ink: Ink) {
        let y = self.y;
        self.add(Piece::Rule { x, y, thickness, ink });
    }

    fn add(&mut self, piece: Piece) {
        if let Some(page) = self.pages.last_mut() {
            page.push(piece);
        }
    }
}

fn piece(x: f32, y: f32, Style { size, weight, ink }: Style, text: String) -> Piece {
    Piece::Text { x, y, size, weight, ink, text }
}

/// How long a rule is that begins at `x`.
pub(super) fn rule_width(x: f32) -> f32 {
    RIGHT - x
}
