//! How it stands with a customer who does not pay, as time goes by, in an application with nothing running.

use suiftly::app::billing::{load_account, park_customer};
use suiftly::app::{App, BillingOverview, Caller, Credential, InvoiceName, Once};
use suiftly::clock::Clock;
use suiftly::core::billing::{CreditReason, Event, InvoiceNumber, SpendingLimit};
use suiftly::core::calendar::{DAY_MS, HOUR_MS, Month, UtcMillis};
use suiftly::core::customer::Customer;
use suiftly::core::id::{CustomerId, Service, SessionId};
use suiftly::core::money::Usd;
use suiftly::core::tier::Tier;
use suiftly::ledger::customer::insert_customer;
use suiftly::ledger::escrow::{StoredEscrowAccount, put_escrow_account};
use suiftly::traffic::Writer;
use tempfile::TempDir;

use crate::support::app;

/// One customer, at noon of the 16th of November 2026.
struct Desk {
    app: App,
    clock: Clock,
    caller: Caller,
    _kept: (TempDir, Writer),
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let month: Month = "2026-11".parse().unwrap();
        let clock = Clock::settable(month.start().plus_ms(15 * DAY_MS + 12 * HOUR_MS));
        let (app, writer) = app(folder.path(), clock.clone());
        let customer = CustomerId::new(7).unwrap();
        let new = Customer::new(customer, format!("0x{:064x}", 7).parse().unwrap(), clock.now());
        app.ledger.write(move |tx| insert_customer(tx, &new)).await.unwrap();
        let credential = Credential::Session(SessionId::new([7; 15]));
        let caller = Caller { customer, credential, ip: [127, 0, 0, 1].into() };
        Self { app, clock, caller, _kept: (folder, writer) }
    }

    async fn subscribe(&self) {
        let event = Event::Subscribe { service: Service::Grpc, tier: Tier::Pro };
        self.app.bill(self.caller.customer, event).await.unwrap();
    }

    async fn grant(&self, dollars: i32) {
        let (reason, amount) = (CreditReason::Promo, Usd::from_dollars(dollars));
        let event = Event::GrantCredit { reason, amount, expires_at: None };
        self.app.bill(self.caller.customer, event).await.unwrap();
    }

    /// The chain has an account with this, and nobody has told billing yet.
    async fn put_escrow(&self, dollars: i32, limit: SpendingLimit) {
        let now = self.clock.now();
        let escrow = StoredEscrowAccount {
            customer: self.caller.customer,
            object_id: format!("0x{:064x}", 1).parse().unwrap(),
            created_at: now,
            balance: Usd::from_dollars(dollars),
            spending_limit: limit.amount(),
            period: 0,
            period_charged: Usd::ZERO,
            mirrored_at: now,
        };
        self.app.ledger.write(move |tx| put_escrow_account(tx, &escrow)).await.unwrap();
    }

    /// Lets the manager work at a time.
    async fn at(&self, text: &str) -> BillingOverview {
        let at: jiff::Timestamp = text.parse().unwrap();
        assert!(self.clock.set(UtcMillis(at.as_millisecond())));
        self.app.run_billing().await.unwrap();
        self.overview().await
    }

    async fn overview(&self) -> BillingOverview {
        self.app.billing_overview(&self.caller).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_invoice_is_asked_for_once_when_its_customer_wants_it() {
    let desk = Desk::new().await;
    desk.subscribe().await;
    let (app, caller, name) = (&desk.app, &desk.caller, InvoiceName::Number(InvoiceNumber(1)));
    let refused = app.pay_invoice(caller, None, name).await.unwrap_err();
    assert!(refused.to_string().starts_with("cannot_pay"), "{refused}");
    desk.put_escrow(30, SpendingLimit::default()).await;
    let once = || Some(Once { key: "once".to_owned(), request_sha256: [1; 32] });
    let asked = app.pay_invoice(caller, once(), name).await.unwrap();
    let attempt = &asked.attempts[0];
    assert_eq!((attempt.amount.as_str(), attempt.state.as_str(), asked.attempts.len()), ("$29.00", "sent", 1));
    assert_eq!(app.pay_invoice(caller, once(), name).await.unwrap(), asked, "answered as before");
    let refused = app.pay_invoice(caller, None, name).await.unwrap_err();
    assert!(refused.to_string().starts_with("payment_under_way"), "{refused}");
    let seen = desk.overview().await.escrow.unwrap();
    assert_eq!((seen.under_way_micros, seen.balance.as_str()), (29_000_000, "$30.00"));
    assert_eq!(seen.period_left_micros, Some(250_000_000));
    let (included, customer) = (app.tariff().included, caller.customer);
    let month = Month::of(desk.clock.now()).unwrap();
    let load = move |tx: &suiftly::ledger::ReadTx<'_>| load_account(tx, customer, &Event::Tick, &included, month);
    let account = app.ledger.read(load).await.unwrap().unwrap();
    assert_eq!(account.charges.len(), 1, "it was asked for once");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_pay_is_told_how_long_it_goes_on_and_then_suspended() {
    let desk = Desk::new().await;
    desk.grant(29).await;
    desk.subscribe().await;
    let good = desk.overview().await;
    // For 15 of 30 days.
    assert_eq!((good.standing.as_str(), good.credits.as_str(), good.owed_micros), ("good", "$14.50", 0));
    let runway = good.runway.unwrap();
    assert_eq!((runway.days, runway.end.as_str(), runway.renewal.as_str()), (14, "balance", "$29.00"));
    assert_eq!(runway.ends_at.as_deref(), Some("2026-11-30T12:00:00.000Z"));

    let grace = desk.at("2026-12-01T01:00:00Z").await;
    assert_eq!((grace.standing.as_str(), grace.owed.as_str()), ("grace", "$14.50"));
    assert_eq!(grace.suspends_at.as_deref(), Some("2026-12-15T01:00:00.000Z"));
    let suspended = desk.at("2026-12-15T01:00:00Z").await;
    assert_eq!((suspended.standing.as_str(), suspended.suspends_at), ("suspended", None));
    desk.grant(15).await;
    let paid = desk.overview().await;
    assert_eq!((paid.standing.as_str(), paid.owed_micros, paid.credits.as_str()), ("good", 0, "$0.50"));

    let (customer, now) = (desk.caller.customer, desk.clock.now());
    let park =
        move |tx: &suiftly::ledger::WriteTx<'_>| park_customer(tx, customer, "a cent is missing".to_owned(), now);
    desk.app.ledger.write(park).await.unwrap();
    assert_eq!(desk.overview().await.standing, "on_hold");
    let notices = desk.app.list_notices(&desk.caller, None, 200).await.unwrap();
    assert!(notices.items.iter().all(|notice| notice.kind != "parked"), "why is for the operator");
    assert!(notices.items.iter().any(|notice| notice.kind == "payment_overdue"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spending_limit_ends_a_runway_before_the_balance_does() {
    let desk = Desk::new().await;
    desk.grant(29).await;
    desk.subscribe().await;
    desk.put_escrow(1_000, SpendingLimit::new(Usd::from_dollars(14)).unwrap()).await;
    let runway = desk.overview().await.runway.unwrap();
    assert_eq!((runway.days, runway.end.as_str()), (14, "spending_limit"), "the renewal takes 14.50 of escrow");
    desk.put_escrow(1_000, SpendingLimit::UNLIMITED).await;
    let overview = desk.overview().await;
    let runway = overview.runway.unwrap();
    assert_eq!((runway.days, runway.end.as_str(), runway.ends_at), (365, "beyond", None));
    assert_eq!(overview.escrow.unwrap().period_left_micros, None, "there is no limit");
}
