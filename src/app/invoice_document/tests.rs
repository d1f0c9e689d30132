use super::sheet::{Sheet, sheet};
use super::*;
use crate::core::billing::{
    Completeness, Counted, InvoiceId, InvoiceNumber, InvoiceState, Line, LineKind, Measure, Purpose, UnitPrice,
    UsageDigest, UsagePrices, Window, usage_lines,
};
use crate::core::calendar::{HOUR_MS, Month};
use crate::core::config_global::PricePeriod;
use crate::core::id::{CustomerId, Service};
use crate::core::rating::PricePerRequests;
use crate::core::tier::Tier;
use crate::core::usage::HourUsage;

const GOLDEN: &str = include_str!("golden.html");

fn month() -> Month {
    "2026-10".parse().unwrap()
}

fn customer() -> CustomerId {
    CustomerId::new(12_345).unwrap()
}

fn hours() -> Vec<HourUsage> {
    let hour = |(hour, billable_requests): (i64, u64)| HourUsage {
        customer: customer(),
        service: Service::Seal,
        hour: month().start().plus_ms(hour * HOUR_MS),
        requests: billable_requests + 1,
        billable_requests,
        billable_bytes: billable_requests * 1_000,
    };
    [(2, 12_000), (0, 345), (743, 1), (5, 0), (744, 9)].map(hour).into()
}

fn prices() -> UsagePrices {
    let price = PricePerRequests { amount: Usd::from_dollars(1), per: 30_000 };
    UsagePrices { requests: vec![PricePeriod { from: month().start(), to: month().end(), price }], bandwidth: vec![] }
}

fn line(kind: LineKind, service: Option<Service>, quantity: u64, unit: UnitPrice) -> Line {
    Line::new(kind, service, month(), quantity, unit).unwrap()
}

/// Every kind of line once.
fn lines() -> Vec<Line> {
    let each = |dollars| UnitPrice::each(Usd::from_dollars(dollars));
    let seal = Some(Service::Seal);
    let mut lines = usage_lines(customer(), month(), &hours(), &prices()).unwrap();
    let (window, digest) = lines[0].usage.unwrap();
    let late =
        line(LineKind::LateUsage(Measure::Requests), seal, 55, UnitPrice { amount: Usd::from_dollars(1), per: 10_000 });
    lines.push(Line { month: "2026-09".parse().unwrap(), usage: Some((window, digest)), ..late });
    lines.push(line(LineKind::Subscription { tier: Tier::Pro }, seal, 1, each(29)));
    lines.push(line(
        LineKind::Upgrade { from: Tier::Starter, to: Tier::Pro },
        Some(Service::Grpc),
        12,
        UnitPrice { amount: Usd::from_dollars(20), per: 31 },
    ));
    lines.push(line(LineKind::Extra(crate::core::billing::ExtraKind::ApiKey), seal, 3, each(1)));
    let charges = Usd::sum(lines.iter().map(|line| line.amount)).unwrap();
    lines.push(line(LineKind::Tax, None, 1_900, UnitPrice { amount: charges, per: 10_000 }));
    lines.push(Line::credit(CreditId(3), month(), Usd::from_dollars(9)).unwrap());
    lines
}

fn document(state: InvoiceState, lines: Vec<Line>) -> InvoiceDocument {
    let at = |day: i64| month().end().plus_ms(day * 24 * HOUR_MS + 7_000);
    let amount = Usd::sum(lines.iter().map(|line| line.amount)).unwrap();
    let issued = state != InvoiceState::Draft;
    let paid_at = (state == InvoiceState::Paid).then(|| at(1));
    let invoice = Invoice {
        number: issued.then_some(InvoiceNumber(42)),
        state,
        lines,
        amount,
        issued_at: issued.then(|| at(0)),
        paid_at,
        completeness: Some(Completeness { received: 6_300_000, lost: 41 }),
        ..Invoice::draft(InvoiceId(7), customer(), Purpose::Monthly, month())
    };
    let payments = paid_at.map(|at| Payment {
        at,
        method: PaymentMethod::Escrow,
        amount,
        reference: "7fUvTcKZZTDZVcQ8rQWsVCf7rGPAMPQ4K5nMYJSGYd2x".to_owned(),
        is_overpaid: false,
    });
    InvoiceDocument {
        invoice,
        issuer: Issuer {
            name: "Beispiel & Söhne GmbH".to_owned(),
            address: ["Hauptstraße 1", "10115 Berlin", "VAT DE123456789"].map(str::to_owned).into(),
        },
        billed: Billed {
            name: "O'Neill <b>Łódź</b>".to_owned(),
            wallet: format!("0x{}", "4f".repeat(32)).parse().unwrap(),
        },
        credit_reasons: BTreeMap::from([(CreditId(3), CreditReason::Goodwill)]),
        payments: payments.into_iter().collect(),
        credit_notes: Vec::new(),
        is_chain_simulated: true,
        as_of: at(-3),
    }
}

fn paid() -> InvoiceDocument {
    document(InvoiceState::Paid, lines())
}

/// Set `BLESS` to write the file anew, and look at what changed.
#[test]
fn the_page_is_the_one_that_was_looked_at() {
    let html = paid().html().unwrap();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/app/invoice_document/golden.html"), &html).unwrap();
    }
    assert!(html == GOLDEN, "the page differs from golden.html:\n{html}");
}

#[test]
fn what_others_wrote_stays_text_and_nothing_is_fetched() {
    let mut document = paid();
    document.billed.name = "<script>alert('x')</script> & \"friends\"".to_owned();
    let note = PrintedCreditNote {
        number: 1,
        at: document.as_of,
        amount: Usd::from_dollars(5),
        reason: "</p><img src=x>\n".to_owned(),
    };
    document.credit_notes = vec![note];
    let html = document.html().unwrap();
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;friends&quot;"), "{html}");
    for danger in ["<script", "<img", "http:", "https:", "url(", "@import", "<link", "src=\"", "href="] {
        assert!(!html.contains(danger), "{danger}");
    }
}

#[test]
fn each_state_says_what_it_is_in_words() {
    let nothing = || vec![Line::credit(CreditId(3), month(), Usd::from_dollars(29)).unwrap()];
    let subscription = || {
        line(LineKind::Subscription { tier: Tier::Pro }, Some(Service::Seal), 1, UnitPrice::each(Usd::from_dollars(29)))
    };
    let by_credits = [vec![subscription()], nothing()].concat();
    for (state, lines, title, mark, said, total) in [
        (
            InvoiceState::Draft,
            lines(),
            "Draft invoice",
            "DRAFT",
            "draft: it grows with the month, and nothing is asked for yet",
            "So far",
        ),
        (
            InvoiceState::Draft,
            vec![],
            "Draft invoice",
            "DRAFT",
            "draft: it grows with the month, and nothing is asked for yet",
            "So far",
        ),
        (
            InvoiceState::Pending,
            vec![subscription()],
            "Invoice INV-000042",
            "PENDING",
            "pending: $29.00 to pay",
            "To pay",
        ),
        (InvoiceState::Paid, vec![subscription()], "Invoice INV-000042", "PAID", "paid", "Paid"),
        (InvoiceState::Paid, by_credits, "Invoice INV-000042", "PAID", "paid by credits", "Paid"),
        (InvoiceState::Paid, vec![], "Invoice INV-000042", "PAID", "paid: there was nothing to pay", "Paid"),
        (
            InvoiceState::Failed,
            vec![subscription()],
            "Invoice INV-000042",
            "NOT PAID",
            "not paid: no payment method gave $29.00",
            "Not paid",
        ),
        (
            InvoiceState::Voided,
            vec![subscription()],
            "Invoice INV-000042",
            "VOID",
            "void: nothing is owed",
            "Void, was",
        ),
    ] {
        let document = document(state, lines);
        let sheet = sheet(&document).unwrap();
        let (label, amount) = sheet.totals.last().unwrap();
        assert_eq!(
            (sheet.title.as_str(), sheet.mark, sheet.state.as_str(), label.as_str()),
            (title, mark, said, total)
        );
        assert_eq!(*amount, document.invoice.amount.to_string());
        let pdf = document.pdf().unwrap();
        assert!(pdf.starts_with(b"%PDF-1.7"), "{state:?}");
    }
}

fn facts(sheet: &Sheet) -> Vec<String> {
    sheet.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

#[test]
fn everything_that_an_invoice_has_is_on_it() {
    let sheet = sheet(&paid()).unwrap();
    assert_eq!(
        facts(&sheet),
        [
            "Number: INV-000042",
            "Month: 2026-10 (UTC)",
            "For: usage of 2026-10, and the next month prepaid",
            "Issued: 2026-11-01 00:00:07 UTC",
            "Paid: 2026-11-02 00:00:07 UTC"
        ]
    );
    let rows: Vec<_> =
        sheet.rows.iter().map(|row| [&row.what, &row.quantity, &row.price, &row.amount].map(String::as_str)).collect();
    assert_eq!(
        rows,
        [
            ["Seal requests, 2026-10", "12,346", "$1.00 for 30,000 requests", "$0.41"],
            ["Seal requests, late usage of 2026-09", "55", "$1.00 for 10,000 requests", "$0.00"],
            ["Seal Pro, 2026-10", "1", "$29.00 a month", "$29.00"],
            ["gRPC from Starter to Pro, 12 of 31 days of 2026-10", "12", "$20.00 for 31 days", "$7.74"],
            ["Seal additional API keys, 2026-10", "3", "$1.00 each", "$3.00"],
            ["Tax of 19.00 %", "19.00 %", "of $40.15", "$7.62"],
            ["Credit 3: goodwill", "", "", "-$9.00"],
        ]
    );
    assert_eq!(sheet.rows[0].details[0], "counted from 2026-10-01 00:00:00 UTC until before 2026-11-01 00:00:00 UTC");
    assert_eq!(sheet.rows[0].details[2], "rounded down: 1,533 micro-dollars not charged");
    let totals: Vec<_> = sheet.totals.iter().map(|(label, amount)| format!("{label} {amount}")).collect();
    assert_eq!(totals, ["Before tax $40.15", "Tax $7.62", "Charges $47.77", "Credits -$9.00", "Paid $38.77"]);
    let notes = sheet.notes.join("\n");
    for said in
        ["received 99.9993 %; 41 lines lost; not billed", "simulated chain", "micro-dollars are not charged in all"]
    {
        assert!(notes.contains(said), "{said}: {notes}");
    }
    assert_eq!(sheet.payments[0].what, "from escrow (simulated chain)");
    let real = InvoiceDocument { is_chain_simulated: false, issuer: Issuer::default(), ..paid() };
    let sheet = super::sheet::sheet(&real).unwrap();
    assert_eq!(sheet.payments[0].what, "from escrow");
    assert!(!sheet.notes.join("\n").contains("simulated"));
    assert_eq!(sheet.issuer, ["The operator has not set who issues invoices"]);
}

#[test]
fn an_invoice_that_does_not_add_up_is_not_rendered() {
    let mut document = paid();
    document.invoice.amount = Usd::from_dollars(1);
    assert!(matches!(document.html(), Err(DocumentError::Broken(_))));
    assert!(matches!(document.pdf(), Err(DocumentError::Broken(_))));
}

/// Text of a PDF, by the program that everybody has for it; `None` where it is not installed.
fn text_of(pdf: &[u8]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("invoice.pdf");
    std::fs::write(&path, pdf).unwrap();
    let output = std::process::Command::new("pdftotext").arg("-layout").arg(&path).arg("-").output().ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_pdf_has_every_word_and_is_the_same_each_time() {
    let document = paid();
    let pdf = document.pdf().unwrap();
    assert!(pdf == document.pdf().unwrap(), "twice the same");
    assert!(pdf.len() < 80_000, "{} bytes", pdf.len());
    let as_text = String::from_utf8_lossy(&pdf).into_owned();
    assert!(as_text.contains("pdfaid:part") && !as_text.contains("/JavaScript") && !as_text.contains("/URI"));
    let Some(text) = text_of(&pdf) else {
        eprintln!("pdftotext is not installed: the text of the PDF was not looked at");
        return;
    };
    for word in [
        "Invoice INV-000042",
        "Beispiel & Söhne GmbH",
        "O'Neill <b>Łódź</b>",
        "12,346",
        "$38.77",
        "PAID",
        "page 1 of 1",
        "simulated chain",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn many_lines_take_many_pages_and_lose_nothing() {
    let digest = UsageDigest([7; 32]);
    let hour = |number: i64| {
        let from = month().start().plus_ms(number * HOUR_MS);
        let unit = UnitPrice { amount: Usd::from_dollars(1), per: 10_000 };
        let usage = Some((Window { from, to: from.plus_ms(HOUR_MS) }, digest));
        Line { usage, ..line(LineKind::Usage(Measure::Requests), Some(Service::Seal), 10_000, unit) }
    };
    let document = document(InvoiceState::Draft, (0..100).map(hour).collect());
    let faces = typeface::Typefaces::load().unwrap();
    let pages = page::pages(&sheet(&document).unwrap(), &faces);
    assert!(pages.len() > 4, "{} pages", pages.len());
    let mut amounts = 0;
    for piece in pages.iter().flatten() {
        if let page::Piece::Text { x, y, size, weight, text, .. } = piece {
            let end = x + faces.of(*weight).width(text, *size);
            assert!(*x > 40.0 && end < page::WIDTH - 40.0 && *y > 40.0 && *y < page::HEIGHT - 30.0, "{piece:?}");
            amounts += usize::from(text == "$1.00");
        }
    }
    assert_eq!(amounts, 100);
    assert!(document.pdf().unwrap().len() < 200_000);
}

#[test]
fn the_hours_of_a_line_add_up_to_it() {
    let document = paid();
    let csv = UsageOfInvoice { invoice: &document.invoice, hours: &hours() }.csv().unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert_eq!(
        csv,
        "invoice,line,kind,service,start,billable_requests,billable_bytes,price_usd,price_per,micro_dollars\n\
         INV-000042,1,requests,seal,2026-10-01T00:00:00Z,345,345000,1.00,30000,11500\n\
         INV-000042,1,requests,seal,2026-10-01T02:00:00Z,12000,12000000,1.00,30000,400000\n\
         INV-000042,1,requests,seal,2026-10-31T23:00:00Z,1,1000,1.00,30000,33\n\
         INV-000042,2,late_requests,seal,2026-10-01T00:00:00Z,345,345000,1.00,10000,\n\
         INV-000042,2,late_requests,seal,2026-10-01T02:00:00Z,12000,12000000,1.00,10000,\n\
         INV-000042,2,late_requests,seal,2026-10-31T23:00:00Z,1,1000,1.00,10000,\n"
    );
    assert_eq!(document.invoice.lines[0].exact.micros(), 11_500 + 400_000 + 33);
    let window = document.invoice.lines[0].usage.unwrap().0;
    let counted = Counted { customer: customer(), service: Service::Seal, measure: Measure::Requests, window };
    assert_eq!(counted.digest(&counted.quantities(&hours())), document.invoice.lines[0].usage.unwrap().1);
}

#[test]
fn text_is_as_it_was() {
    let text = paid().text().unwrap();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/app/invoice_document/golden.txt"), &text).unwrap();
    }
    assert!(text == include_str!("golden.txt"), "the text differs from golden.txt:\n{text}");
    let mut document = paid();
    document.billed.name = "\u{1b}[2Jgone".to_owned();
    assert!(document.text().unwrap().contains("\u{fffd}[2Jgone"), "nobody steers the operator's terminal");
}
