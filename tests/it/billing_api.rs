//! What customers see of their billing and do about it, through a real server.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suiftly::clock::Clock;
use suiftly::core::calendar::{HOUR_MS, UtcMillis};

use crate::server::{Answer, Server};
use crate::wallet::{SignedIn, Wallet};

pub const INVOICES: &str = "/api/billing/invoices";

pub fn ok(answer: Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn preview(person: &SignedIn<'_>, service: &str, asked: Value) -> Value {
    ok(person.send("POST", &format!("/api/services/{service}/preview"), Some(asked)))
}

/// The parts of an invoice that are shown before it exists.
pub fn shape(invoice: &Value) -> Value {
    let fields = [
        "purpose",
        "service",
        "tier",
        "month",
        "charges_micros",
        "credits_micros",
        "amount_micros",
        "remainder_micros",
        "credit_on_payment_micros",
        "lines",
    ];
    fields.into_iter().map(|field| (field.to_owned(), invoice[field].clone())).collect()
}

#[test]
fn what_is_shown_beforehand_is_what_is_done() {
    let server = Server::start();
    let person = Wallet::new().sign_in(&server).with_credit(1000);
    let newest = || ok(person.get(&format!("{INVOICES}?limit=2"))).clone()["items"][1]["invoice"].clone();
    let mut last = Value::Null;
    for (action, tier, path) in [
        ("subscribe", Some("starter"), "subscribe"),
        ("change_tier", Some("pro"), "tier"),
        ("change_tier", Some("starter"), "tier"),
        ("change_tier", Some("pro"), "tier"),
        ("cancel", None, "cancel"),
        ("undo_cancel", None, "undo-cancel"),
    ] {
        let asked = tier.map_or(json!({"action": action}), |tier| json!({"action": action, "tier": tier}));
        let shown = preview(&person, "seal", asked);
        assert_eq!(shown["can_pay_now"], true, "{shown}");
        let path = format!("/api/services/seal/{path}");
        if let Some(tier) = tier {
            let more = shown["demanded_micros"].as_i64().unwrap() + 1;
            let refused = person.send("POST", &path, Some(json!({"tier": tier, "expected_micros": more})));
            assert_eq!((refused.status, refused.code()), (409, "price_changed"), "{refused:?}");
            assert_eq!(newest(), last, "nothing was done");
        }
        let agreed = tier.map(|tier| json!({"tier": tier, "expected_micros": shown["demanded_micros"]}));
        let done = ok(person.send("POST", &path, agreed));
        let effect = done["scheduled_tier_at"].as_str().or(done["cancel_at"].as_str());
        let expected = effect.unwrap_or(shown["as_of"].as_str().unwrap());
        assert_eq!(shown["takes_effect_at"], expected, "{action} {tier:?}");
        let made = newest();
        let is_new = made != last;
        assert_eq!(shown["invoices"].as_array().unwrap().len(), usize::from(is_new), "{action} {tier:?}: {shown}");
        if is_new {
            let invoice = ok(person.get(&format!("{INVOICES}/{}", made.as_str().unwrap())));
            assert_eq!(shape(&shown["invoices"][0]), shape(&invoice), "{action} {tier:?}");
            assert_eq!(invoice["state"], "paid");
            let credits = &invoice["credits_micros"];
            let by_credits = json!({"method": "credits", "amount_micros": credits, "amount": invoice["credits"]});
            let expected = if *credits == 0 { json!([]) } else { json!([by_credits]) };
            assert_eq!((&shown["paid_by"], &shown["demanded_micros"]), (&expected, &json!(0)));
        }
        last = made;
        let draft = ok(person.get(&format!("{INVOICES}/draft")));
        assert_eq!(shape(&shown["next_invoice"]), shape(&draft), "{action} {tier:?}");
    }
    let wrong = |asked: Value| {
        let answer = person.send("POST", "/api/services/seal/preview", Some(asked));
        (answer.status, answer.body["errors"][0]["field"].as_str().unwrap_or(answer.code()).to_owned())
    };
    assert_eq!(wrong(json!({"action": "change_tier"})), (422, "tier".into()));
    assert_eq!(wrong(json!({"action": "cancel", "tier": "pro"})), (422, "tier".into()));
    assert_eq!(wrong(json!({"action": "change_tier", "tier": "gold"})), (422, "tier".into()));
    assert_eq!(wrong(json!({"action": "upgrade"})), (422, "action".into()));
    assert_eq!(wrong(json!({"action": "undo_cancel"})), (409, "service_state".into()), "as when it is done");
}

#[test]
fn what_cannot_be_paid_waits_or_is_refused_as_it_was_shown() {
    let server = Server::start();
    let person = Wallet::new().sign_in(&server);
    let subscribe = json!({"action": "subscribe", "tier": "starter"});
    let shown = preview(&person, "grpc", subscribe);
    assert_eq!((&shown["can_pay_now"], &shown["if_unpaid"]), (&json!(false), &json!("waits")), "{shown}");
    assert_eq!((&shown["demanded"], &shown["paid_by"]), (&json!("$9.00"), &json!([])));
    let short = json!({"balance_micros": 9_000_000, "balance": "$9.00"});
    assert_eq!(shown["shortfall"], short, "{shown}");
    ok(person.send("POST", "/api/services/grpc/subscribe", Some(json!({"tier": "starter"}))));
    let unpaid = format!("{INVOICES}/INV-000001");
    let invoice = ok(person.get(&unpaid));
    assert_eq!(
        (&invoice["state"], &invoice["amount"], &invoice["attempts"]),
        (&json!("pending"), &json!("$9.00"), &json!([]))
    );
    let overview = ok(person.get("/api/billing"));
    assert_eq!((&overview["owed_micros"], &overview["standing"]), (&json!(9_000_000), &json!("good")), "{overview}");
    assert!(overview.get("escrow").is_none() && overview["is_simulated_chain"] == true);
    assert_eq!(overview["shortfall"], short, "{overview}");
    assert_eq!(overview["runway"]["days"], 0, "what is owed cannot be paid: {overview}");
    let refused = person.send("POST", &format!("{unpaid}/pay"), None);
    assert_eq!((refused.status, refused.code()), (409, "cannot_pay"), "{refused:?}");
    assert!(refused.body["detail"].as_str().unwrap().starts_with("$9.00 is to be paid"), "{refused:?}");

    let person = person.with_credit(9);
    assert_eq!(ok(person.get(&unpaid))["state"], "paid", "at once");
    assert!(ok(person.get("/api/billing")).get("shortfall").is_none());
    let again = person.send("POST", &format!("{unpaid}/pay"), None);
    assert_eq!((again.status, again.code()), (409, "invoice_state"));
    let draft = person.send("POST", &format!("{INVOICES}/draft/pay"), None);
    assert_eq!((draft.status, draft.code()), (409, "invoice_state"));
    let upgrade = preview(&person, "grpc", json!({"action": "change_tier", "tier": "enterprise"}));
    let done = person.send("POST", "/api/services/grpc/tier", Some(json!({"tier": "enterprise"})));
    if upgrade["can_pay_now"] == true {
        assert_eq!(done.status, 200, "the last two days of a month cost nothing: {upgrade}");
    } else {
        assert_eq!((&upgrade["if_unpaid"], done.code()), (&json!("refused"), "cannot_pay"), "{upgrade}");
        let detail = done.body["detail"].as_str().unwrap();
        assert!(detail.starts_with(upgrade["demanded"].as_str().unwrap()), "{detail}");
    }
}

#[test]
fn invoices_are_listed_by_number_and_state_and_are_nobody_elses() {
    let server = Server::start();
    let person = Wallet::new().sign_in(&server).with_credit(500);
    let stranger = Wallet::new().sign_in(&server).with_credit(500);
    for service in ["seal", "grpc", "graphql"] {
        ok(person.send("POST", &format!("/api/services/{service}/subscribe"), Some(json!({"tier": "starter"}))));
        ok(stranger.send("POST", &format!("/api/services/{service}/subscribe"), Some(json!({"tier": "pro"}))));
    }
    let names = |query: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = ok(person.get(&format!("{INVOICES}?{query}{cursor}")));
            found.extend(
                page["items"].as_array().unwrap().iter().map(|item| item["invoice"].as_str().unwrap().to_owned()),
            );
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    };
    let all = ["draft", "INV-000005", "INV-000003", "INV-000001"];
    assert_eq!(names("limit=200"), all);
    assert_eq!(names("limit=1"), all);
    assert_eq!(names("state=paid&limit=2"), all[1..]);
    assert_eq!(names("state=draft&limit=1"), ["draft"]);
    assert_eq!(names("state=voided"), Vec::<String>::new());
    for (query, code) in
        [("state=open", "invalid_parameter"), ("cursor=5", "invalid_cursor"), ("limit=0x", "invalid_parameter")]
    {
        let answer = person.get(&format!("{INVOICES}?{query}"));
        assert_eq!((answer.status, answer.code()), (400, code), "{query}");
    }
    for name in ["INV-000002", "INV-000099", "INV-9999999999999999999", "INV-5", "5", "INV-000005%20"] {
        for rest in ["", "/html", "/pdf", "/usage.csv", "/lines/1/hours"] {
            let answer = person.get(&format!("{INVOICES}/{name}{rest}"));
            assert_eq!((answer.status, answer.code()), (404, "not_found"), "{name}{rest}");
        }
        assert_eq!(person.send("POST", &format!("{INVOICES}/{name}/pay"), None).status, 404, "{name}");
    }
}

/// Appends billable requests to the log, so many in each hour, and waits until they are on the draft.
pub fn use_hours(server: &Server, person: &SignedIn<'_>, hours: &[(UtcMillis, u64)]) {
    let customer = person.view["customer_id"].as_u64().unwrap();
    let mut log = String::new();
    let mut counter = 0;
    for (hour, requests) in hours {
        for _ in 0..*requests {
            counter += 1;
            let ts = hour.0;
            writeln!(
                log,
                "s1 {ts} 1 7 {counter} {counter} {customer} 2 1 1 0 AB1 203.0.113.1 51234 20002 GET /v1/x 200 10 100 \
                 0/0/0/0/1/2/3 ---- be_grpc s1 1"
            )
            .unwrap();
        }
    }
    std::fs::write(server.folder.path().join("ha.log"), log).unwrap();
    let all: u64 = hours.iter().map(|(_, requests)| requests).sum();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let draft = person.get(&format!("{INVOICES}/draft"));
        let lines = draft.body["lines"].as_array().cloned().unwrap_or_default();
        if lines.iter().any(|line| line["kind"] == "requests" && line["quantity"] == all) {
            return;
        }
        assert!(Instant::now() < deadline, "the usage is not on the draft: {draft:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The head and the bytes of an answer.
pub fn download(person: &SignedIn<'_>, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(&person.server.address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: test\r\nCookie: __Host-suiftly-access={}\r\n\r\n", person.access)
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap(), body)
}

#[test]
fn a_line_of_usage_leads_to_its_hours_and_these_to_their_requests() {
    let server = Server::start();
    let person = Wallet::new().sign_in(&server).with_credit(100);
    ok(person.send("POST", "/api/services/grpc/subscribe", Some(json!({"tier": "starter"}))));
    let now = Clock::System.now();
    let earlier = now.plus_ms(-HOUR_MS);
    let is_same_month = suiftly::core::calendar::Month::of(earlier) == suiftly::core::calendar::Month::of(now);
    // In the first hour of a month there is one hour only.
    let hours = if is_same_month { vec![(earlier, 70), (now, 130)] } else { vec![(now, 130)] };
    use_hours(&server, &person, &hours);
    let draft = ok(person.get(&format!("{INVOICES}/draft")));
    let line = draft["lines"].as_array().unwrap().iter().find(|line| line["kind"] == "requests").unwrap();
    let of_line = ok(person.get(&format!("{INVOICES}/draft/lines/{}/hours", line["position"])));
    assert_eq!((&of_line["line"], &of_line["hours_sha256"]), (line, &line["hours_sha256"]));
    let items = of_line["items"].as_array().unwrap();
    assert_eq!(items.len(), hours.len());
    let mut sum = 0;
    for (item, (hour, requests)) in items.iter().zip(&hours) {
        assert_eq!((&item["from"], &item["quantity"]), (&json!(hour.hour().to_string()), &json!(requests)));
        let (from, to) = (item["from"].as_str().unwrap(), item["to"].as_str().unwrap());
        let seen = ok(person.get(&format!("/api/traffic/requests?from={from}&to={to}&service=grpc&limit=200")));
        assert_eq!(seen["items"].as_array().unwrap().len(), usize::try_from(*requests).unwrap());
        sum += item["amount_micros"].as_i64().unwrap();
    }
    let exact = line["amount_micros"].as_i64().unwrap() + line["remainder_micros"].as_i64().unwrap();
    assert_eq!(sum, exact, "hours add up to the line to the micro-dollar");
    let subscription = draft["lines"].as_array().unwrap().iter().find(|line| line["kind"] == "subscription").unwrap();
    for position in ["0".to_owned(), "99".to_owned(), "x".to_owned(), subscription["position"].to_string()] {
        assert_eq!(person.get(&format!("{INVOICES}/draft/lines/{position}/hours")).status, 404, "{position}");
    }
    let overview = ok(person.get("/api/billing"));
    assert_eq!(overview["draft"]["invoice"], "draft");
    assert_eq!(overview["draft"]["amount_micros"], draft["amount_micros"]);
    assert!(overview["runway"]["per_day_micros"].as_i64().unwrap() >= 13_000, "{overview}");
    assert_eq!(overview["runway"]["renewal"], "$9.00");

    let (head, csv) = download(&person, &format!("{INVOICES}/draft/usage.csv"));
    assert!(head.contains("text/csv") && head.contains("-usage.csv\""), "{head}");
    assert_eq!(String::from_utf8(csv).unwrap().lines().count(), 1 + hours.len());
}

#[test]
fn invoices_come_as_files_that_run_nothing_and_that_nobody_stores() {
    let server = Server::start_with("billing.issuer_name = \"Example Ltd\"\nbilling.tax_basis_points = 1900\n");
    let person = Wallet::new().sign_in(&server).with_credit(100);
    ok(person.send("POST", "/api/services/grpc/subscribe", Some(json!({"tier": "pro"}))));
    let (head, html) = download(&person, &format!("{INVOICES}/INV-000001/html"));
    let html = String::from_utf8(html).unwrap();
    assert!(html.contains("Example Ltd") && html.contains("INV-000001"), "{html}");
    assert!(html.contains("$29.00") && html.contains("$5.51") && html.contains("$34.51"), "with tax: {html}");
    assert!(head.contains("content-disposition: inline; filename=\"INV-000001.html\""), "{head}");
    let policy = head.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).unwrap();
    let style = html.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let digest = <sha2::Sha256 as sha2::Digest>::digest(style);
    let allowed = format!("style-src 'sha256-{}'", data_encoding::BASE64.encode(&digest));
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains(&allowed), "{policy}");
    assert!(!policy.contains("unsafe") && !html.contains("style=") && !html.contains("<script"), "{policy}");
    let (pdf_head, pdf) = download(&person, &format!("{INVOICES}/INV-000001/pdf"));
    assert!(pdf.starts_with(b"%PDF-") && pdf_head.contains("attachment; filename=\"INV-000001.pdf\""), "{pdf_head}");
    let (draft_head, _) = download(&person, &format!("{INVOICES}/draft/pdf"));
    assert!(draft_head.contains("filename=\"draft-20"), "{draft_head}");
    for head in [&head, &pdf_head, &draft_head] {
        assert!(head.contains("cache-control: no-store"), "{head}");
    }
}
