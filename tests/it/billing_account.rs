//! A customer's money through a real server: from the wallet into escrow, into invoices, and back; and what is told of it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suiftly::clock::Clock;

use crate::billing_api::{INVOICES, download, ok, shape, use_hours};
use crate::server::Server;
use crate::wallet::{SignedIn, Wallet};

const ESCROW: &str = "/api/billing/escrow";
const DOLLAR: i64 = 1_000_000;

/// Asks again until it is as expected.
fn wait_until(person: &SignedIn<'_>, path: &str, is_right: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let seen = ok(person.get(path));
        if is_right(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "{path} does not become right: {seen}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Has a transaction built, signs it, hands it in, and waits until it is in the books.
fn transact(wallet: &Wallet, person: &SignedIn<'_>, action: &str, amount_micros: i64) -> Value {
    let asked = json!({"action": action, "amount_micros": amount_micros});
    let built = person.send("POST", &format!("{ESCROW}/transactions"), Some(asked));
    assert_eq!((built.status, built.body["state"].as_str()), (201, Some("built")), "{built:?}");
    let path = format!("{ESCROW}/transactions/{}", built.body["digest"].as_str().unwrap());
    let signature = wallet.sign(built.body["content"].as_str().unwrap());
    ok(person.send("POST", &format!("{path}/signature"), Some(json!({"signature": signature}))));
    wait_until(person, &path, |seen| seen["state"] == "credited")
}

#[test]
fn a_spending_limit_that_is_too_small_is_told_apart_from_a_balance_that_is() {
    let server = Server::start();
    let wallet = Wallet::new();
    let person = wallet.sign_in(&server);
    ok(person.send("POST", &format!("{ESCROW}/faucet"), None));
    transact(&wallet, &person, "deposit", 500 * DOLLAR);
    transact(&wallet, &person, "set_spending_limit", 185 * DOLLAR);
    let enterprise = json!({"tier": "enterprise"});
    ok(person.send("POST", "/api/services/grpc/subscribe", Some(enterprise.clone())));
    wait_until(&person, &format!("{INVOICES}/INV-000001"), |invoice| invoice["state"] == "paid");
    let asked = json!({"action": "subscribe", "tier": "enterprise"});
    let shown = || ok(person.send("POST", "/api/services/graphql/preview", Some(asked.clone())));
    let short = &shown()["shortfall"];
    // All of the limit is charged; the balance of $315 would do.
    let needed = 185 * DOLLAR + shown()["demanded_micros"].as_i64().unwrap();
    let found = (&short["balance_micros"], &short["spending_limit"]["needed_micros"]);
    assert_eq!(found, (&json!(0), &json!(needed)), "{short}");
    let ends = ok(person.get("/api/billing"))["escrow"]["period_ends_at"].clone();
    assert_eq!(short["spending_limit"]["allows_at"], ends);
    ok(person.send("POST", "/api/services/graphql/subscribe", Some(enterprise)));
    assert_eq!(&ok(person.get("/api/billing"))["shortfall"], short, "for what is owed, too");

    transact(&wallet, &person, "set_spending_limit", needed);
    wait_until(&person, &format!("{INVOICES}/INV-000002"), |invoice| invoice["state"] == "paid");
    assert!(ok(person.get("/api/billing")).get("shortfall").is_none());
}

fn reasons(entries: &Value) -> Vec<&str> {
    entries["items"].as_array().unwrap().iter().map(|entry| entry["reason"].as_str().unwrap()).collect()
}

#[test]
fn money_goes_from_the_wallet_into_escrow_into_an_invoice_and_back() {
    let server = Server::start();
    let wallet = Wallet::new();
    let person = wallet.sign_in(&server);
    assert!(ok(person.get(ESCROW)).get("object_id").is_none(), "there is no account before the first deposit");
    assert_eq!(ok(person.send("POST", &format!("{ESCROW}/faucet"), None))["balance_micros"], 1_000 * DOLLAR);
    let deposit = transact(&wallet, &person, "deposit", 100 * DOLLAR);
    let escrow = ok(person.get(ESCROW));
    assert_eq!((&escrow["balance_micros"], &escrow["is_simulated"]), (&json!(100 * DOLLAR), &json!(true)));

    let shown =
        ok(person.send("POST", "/api/services/grpc/preview", Some(json!({"action": "subscribe", "tier": "pro"}))));
    let by_escrow = json!([{"method": "escrow", "amount_micros": 29 * DOLLAR, "amount": "$29.00"}]);
    assert_eq!((&shown["can_pay_now"], &shown["paid_by"]), (&json!(true), &by_escrow), "{shown}");
    ok(person.send("POST", "/api/services/grpc/subscribe", Some(json!({"tier": "pro"}))));
    let path = format!("{INVOICES}/INV-000001");
    let invoice = wait_until(&person, &path, |invoice| invoice["state"] == "paid");
    assert_eq!(shape(&shown["invoices"][0]), shape(&invoice), "what was shown is what was done");
    let draft = ok(person.get(&format!("{INVOICES}/draft")));
    assert_eq!(shape(&shown["next_invoice"]), shape(&draft), "and what comes after");
    let attempt = &invoice["attempts"][0];
    assert_eq!((&attempt["state"], &attempt["amount"]), (&json!("succeeded"), &json!("$29.00")), "{invoice}");
    assert!(attempt["answered_at"].as_str() >= attempt["asked_at"].as_str());
    let overview = ok(person.get("/api/billing"));
    assert_eq!(overview["escrow"]["balance"], "$71.00");
    assert_eq!(overview["escrow"]["period_charged_micros"], 29 * DOLLAR);
    assert_eq!(overview["escrow"]["period_left_micros"], 221 * DOLLAR);
    assert_eq!((&overview["owed_micros"], &overview["standing"]), (&json!(0), &json!("good")));

    let entries = ok(person.get("/api/billing/entries"));
    let all = reasons(&entries);
    assert_eq!(all.last(), Some(&"deposit"), "newest first: {all:?}");
    let deposited = entries["items"].as_array().unwrap().last().unwrap();
    assert_eq!((&deposited["reference"], &deposited["after"]["escrow"]), (&deposit["digest"], &json!("$100.00")));
    let paid = entries["items"].as_array().unwrap().iter().find(|entry| entry["reason"] == "invoice_paid").unwrap();
    assert_eq!((&paid["invoice"], &paid["reference"]), (&json!("INV-000001"), &attempt["reference"]));
    assert_eq!((&paid["after"]["escrow"], &paid["after"]["owed"]), (&json!("$71.00"), &json!("$0.00")));
    let of_one = ok(person.get("/api/billing/entries?limit=1"));
    let after = format!("/api/billing/entries?cursor={}", of_one["next_cursor"].as_str().unwrap());
    let rest = ok(person.get(&after));
    assert_eq!(entries["items"].as_array().unwrap()[1..], *rest["items"].as_array().unwrap(), "page by page");

    let (_, html) = download(&person, &format!("{path}/html"));
    let html = String::from_utf8(html).unwrap();
    assert!(html.contains("simulated chain") && html.contains(attempt["reference"].as_str().unwrap()), "{html}");
    assert!(download(&person, &format!("{path}/pdf")).1.starts_with(b"%PDF-"));
    assert!(download(&person, &format!("{path}/usage.csv")).1.starts_with(b"invoice,line,kind,"));

    let nothing = json!({"action": "withdraw", "amount_micros": 0});
    let refused = person.send("POST", &format!("{ESCROW}/transactions"), Some(nothing));
    assert_eq!((refused.status, refused.body["errors"][0]["field"].as_str()), (422, Some("amount_micros")));
    transact(&wallet, &person, "withdraw", 71 * DOLLAR);
    assert_eq!(ok(person.get(ESCROW))["balance_micros"], 0);
    assert_eq!(ok(person.get(&format!("{ESCROW}/wallet")))["balance_micros"], 971 * DOLLAR);
    let newest = ok(person.get("/api/billing/entries?limit=1"))["items"][0].clone();
    assert_eq!((&newest["reason"], &newest["after"]["escrow_micros"]), (&json!("withdrawal"), &json!(0)));
    let listed = ok(person.get(&format!("{ESCROW}/transactions")));
    let actions: Vec<_> = listed["items"].as_array().unwrap().iter().map(|item| item["action"].clone()).collect();
    assert_eq!(actions, ["withdraw", "deposit"]);
}

#[test]
fn credits_are_listed_with_what_is_left_of_them() {
    let server = Server::start();
    let person = Wallet::new().sign_in(&server).with_credit(5).with_credit(10);
    ok(person.send("POST", "/api/services/grpc/subscribe", Some(json!({"tier": "starter"}))));
    let path = "/api/billing/credits";
    let all = ok(person.get(path))["items"].as_array().unwrap().clone();
    let granted: Vec<_> = all.iter().filter(|credit| credit["reason"] == "promo").collect();
    let shown = |credit: &Value| [credit["state"].clone(), credit["granted"].clone(), credit["remaining"].clone()];
    assert_eq!(shown(granted[0]), ["open", "$10.00", "$6.00"], "{all:#?}");
    assert_eq!(shown(granted[1]), ["used", "$5.00", "$0.00"]);
    // For the days before, except on a 1st.
    let back = all.iter().filter(|credit| credit["reason"] == "reconciliation");
    assert!(back.clone().all(|credit| credit["invoice"] == "INV-000001"), "{all:?}");
    assert_eq!(back.count() + 2, all.len());
    let first = ok(person.get(&format!("{path}?limit=1")));
    let next = ok(person.get(&format!("{path}?limit=200&cursor={}", first["next_cursor"].as_str().unwrap())));
    assert_eq!(first["items"].as_array().unwrap()[0], all[0]);
    assert_eq!(*next["items"].as_array().unwrap(), all[1..]);
    assert!(next.get("next_cursor").is_none());
    assert_eq!(person.get(&format!("{path}?cursor=x")).code(), "invalid_cursor");
}

#[test]
fn a_spend_cap_stops_what_it_is_told_to_and_everything_is_noticed_and_read() {
    let server = Server::start();
    let person = Wallet::new().sign_in(&server).with_credit(100);
    ok(person.send("POST", "/api/services/grpc/subscribe", Some(json!({"tier": "starter"}))));
    use_hours(&server, &person, &[(Clock::System.now(), 200)]);
    let cap = "/api/billing/spend-cap";
    let set = |amount_micros: i64, hard_stop: bool| {
        person.send("PUT", cap, Some(json!({"amount_micros": amount_micros, "hard_stop": hard_stop})))
    };
    let wide = ok(set(39_999, true));
    assert_eq!((&wide["percent"], &wide["is_stopped"], &wide["spent"]), (&json!(50), &json!(false), &json!("$0.02")));
    let reached = ok(set(20_000, true));
    assert_eq!((&reached["percent"], &reached["is_stopped"]), (&json!(100), &json!(true)));
    ok(person.send("POST", "/api/services/grpc/enable", None));
    let service = ok(person.get("/api/services/grpc"));
    assert_eq!(service["keys_work"], false, "{service}");
    assert!(service["banner"].as_str().unwrap().contains("spend cap"), "{service}");
    assert_eq!(ok(person.get("/api/billing"))["spend_cap"], reached);
    assert_eq!(ok(set(20_000, false))["is_stopped"], false);
    for wrong in [0, -1, 1_000_000 * DOLLAR + 1] {
        let answer = set(wrong, true);
        assert_eq!(
            (answer.status, answer.body["errors"][0]["field"].as_str()),
            (422, Some("amount_micros")),
            "{wrong}"
        );
    }
    let notices = "/api/billing/notices";
    let seen = ok(person.get(notices));
    let items = seen["items"].as_array().unwrap();
    let told: Vec<_> = items.iter().filter(|notice| notice["kind"] == "cap_reached").collect();
    let percents: Vec<_> = told.iter().map(|notice| notice["details"]["percent"].clone()).collect();
    assert_eq!(percents, [100, 90, 75, 50, 50], "a new cap is told of anew");
    assert_eq!(seen["unread"], items.len());
    let issued = items.iter().find(|notice| notice["kind"] == "invoice_issued").unwrap();
    assert_eq!(issued["details"]["invoice"], "INV-000001", "by the number that its customer knows");
    let up_to = &told[1]["notice_id"];
    let left = ok(person.send("POST", &format!("{notices}/read"), Some(json!({"up_to": up_to}))));
    assert_eq!(left["unread"], 1);
    let all = ok(person.send("POST", &format!("{notices}/read"), Some(json!({"up_to": 9_007_199_254_740_991_i64}))));
    assert_eq!(all["unread"], 0);
    assert!(ok(person.get(notices))["items"].as_array().unwrap().iter().all(|notice| notice["read_at"].is_string()));

    for _ in 0..2 {
        let removed = person.send_with("DELETE", cap, &[("Idempotency-Key", "once")], None);
        assert_eq!(removed.status, 204, "{removed:?}");
    }
    assert!(ok(person.get("/api/billing")).get("spend_cap").is_none());
    let methods =
        |methods: Value| person.send("PUT", "/api/billing/payment-methods", Some(json!({"methods": methods})));
    assert_eq!(ok(methods(json!(["escrow"]))), json!({"methods": ["escrow"]}));
    for (wrong, field) in
        [(json!([]), "methods"), (json!(["escrow", "escrow"]), "methods"), (json!(["cash"]), "methods[0]")]
    {
        let answer = methods(wrong);
        assert_eq!((answer.status, answer.body["errors"][0]["field"].as_str()), (422, Some(field)), "{answer:?}");
    }
}

/// News that are read one by one.
struct News(BufReader<TcpStream>);

impl News {
    fn open(person: &SignedIn<'_>) -> Self {
        let mut stream = TcpStream::connect(&person.server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let access = &person.access;
        write!(
            stream,
            "GET /api/billing/events HTTP/1.0\r\nHost: test\r\nCookie: __Host-suiftly-access={access}\r\n\r\n"
        )
        .unwrap();
        Self(BufReader::new(stream))
    }

    /// The version of the next one; `None` at the end.
    fn next(&mut self) -> Option<u64> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(data) = line.strip_prefix("data: ") {
                let news: Value = serde_json::from_str(data).unwrap();
                return news["version"].as_u64();
            }
        }
    }
}

#[test]
fn whoever_watches_is_told_of_changes_until_the_server_ends() {
    let mut server = Server::start();
    let person = Wallet::new().sign_in(&server);
    let mut news = News::open(&person);
    let first = news.next().unwrap();
    ok(person.send("POST", "/api/services/grpc/subscribe", Some(json!({"tier": "pro"}))));
    let second = news.next().unwrap();
    assert!(second > first);
    let person = person.with_credit(100);
    assert!(news.next().unwrap() > second, "also of what others do");
    let watchers: Vec<_> = (0..4).map(|_| News::open(&person)).map(|mut news| (news.next(), news).1).collect();
    let refused = person.get("/api/billing/events");
    assert_eq!((refused.status, refused.code()), (503, "too_many_watchers"));
    drop((refused, watchers));
    drop(person);
    assert_eq!(server.terminate(), 0);
    while news.next().is_some() {}
}
