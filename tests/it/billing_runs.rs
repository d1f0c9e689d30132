//! Billing as the process runs it: months that are closed when all has come and once, books that are verified, invoices
//! that many want paid at the same time, and the tax of the configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use suiftly::app::App;
use suiftly::app::billing::BillingFailure;
use suiftly::clock::Clock;
use suiftly::core::billing::{
    ChainEventId, ChainMove, ChargeAnswer, ChargeKey, CreditReason, Event, Invoice, InvoiceState, Line, LineKind,
    Measure, Outcome, Refusal, SpendingLimit,
};
use suiftly::core::calendar::{DAY_MS, HOUR_MS, MINUTE_MS, Month, UtcMillis};
use suiftly::core::customer::Customer;
use suiftly::core::id::{CustomerId, Service};
use suiftly::core::log_line;
use suiftly::core::money::Usd;
use suiftly::core::source::{SourceState, SourceStatus};
use suiftly::core::tier::Tier;
use suiftly::ledger::customer::insert_customer;
use suiftly::ledger::escrow::{StoredEscrowAccount, put_escrow_account};
use suiftly::ledger::parked::parked;
use suiftly::ledger::{LedgerError, ReadTx, WriteTx};
use suiftly::traffic::{Batch, Writer};
use tempfile::TempDir;

use crate::support::{CUSTOMER, FIRST_LINE_MS, app, lines};

const BEGIN: UtcMillis = UtcMillis(FIRST_LINE_MS);

/// An application without a manager: tests say when what runs.
struct Firm {
    folder: TempDir,
    app: Arc<App>,
    writer: Writer,
}

fn id(number: u32) -> CustomerId {
    CustomerId::new(number).unwrap()
}

fn november() -> Month {
    "2026-11".parse().unwrap()
}

/// Milliseconds after November.
fn after_november(millis: i64) -> UtcMillis {
    november().end().plus_ms(millis)
}

fn insert(tx: &WriteTx<'_>, number: u32) -> Result<(), LedgerError> {
    let text = format!("0x{number:064x}");
    insert_customer(tx, &Customer::new(id(number), text.parse().unwrap(), BEGIN))?;
    let escrow = StoredEscrowAccount {
        customer: id(number),
        object_id: text.parse().unwrap(),
        created_at: BEGIN,
        balance: Usd::ZERO,
        spending_limit: SpendingLimit::default().amount(),
        period: 0,
        period_charged: Usd::ZERO,
        mirrored_at: BEGIN,
    };
    put_escrow_account(tx, &escrow)
}

fn deposit(number: u32, index: u32, dollars: i32) -> Event {
    let event = ChainEventId { digest: format!("0x{number}"), index };
    Event::Deposited(ChainMove { event, amount: Usd::from_dollars(dollars), at: BEGIN })
}

const SUBSCRIBE: Event = Event::Subscribe { service: Service::Seal, tier: Tier::Pro };

impl Firm {
    /// On 23 November, with these customers, who have an account on the chain and nothing in it.
    async fn open(customers: &'static [u32]) -> Self {
        Self::open_with_tax(customers, 0).await
    }

    async fn open_with_tax(customers: &'static [u32], tax_basis_points: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (app, writer) = app(folder.path(), Clock::settable(BEGIN));
        let app = Arc::new(App { tax_basis_points, ..app });
        let add = move |tx: &WriteTx<'_>| customers.iter().try_for_each(|number| insert(tx, *number));
        app.ledger.write(add).await.unwrap();
        Self { folder, app, writer }
    }

    /// Each with money, and a subscription that is paid.
    async fn open_subscribed(customers: &'static [u32]) -> Self {
        let firm = Self::open(customers).await;
        for number in customers {
            firm.app.bill(id(*number), deposit(*number, 0, 200)).await.unwrap();
            firm.app.bill(id(*number), SUBSCRIBE).await.unwrap();
            firm.answer_all(*number, true).await;
        }
        firm
    }

    fn set_time(&self, at: UtcMillis) {
        assert!(self.app.clock.set(at));
    }

    /// How far the only source has delivered.
    fn deliver_to(&self, at: UtcMillis, state: SourceState) {
        self.app.delivered_to.store(at.0, Ordering::Release);
        *self.app.sources.lock().unwrap() = vec![SourceStatus { name: "ha.log".to_owned(), format: None, state }];
    }

    fn append(&mut self, lines: &str) {
        let mut batch = Batch::new(self.app.traffic.new_shapes().unwrap());
        lines.lines().for_each(|line| batch.push(&log_line::parse(line.as_bytes()).unwrap()));
        self.writer.append(&batch.seal(1).unwrap()).unwrap();
    }

    async fn invoices(&self, number: u32) -> Vec<Invoice> {
        let load = move |tx: &ReadTx<'_>| {
            let included = suiftly::app::billing::Included { api_keys: 0, seal_keys: 0, packages: 0 };
            suiftly::app::billing::load_whole(tx, id(number), &included, november())
        };
        self.app.ledger.read(load).await.unwrap().unwrap().invoices.into_values().collect()
    }

    async fn draft_month(&self, number: u32) -> Month {
        let invoices = self.invoices(number).await;
        invoices.iter().find(|invoice| invoice.state == InvoiceState::Draft).unwrap().month
    }

    /// The monthly invoice of a month, as it was issued.
    async fn monthly(&self, number: u32, month: Month) -> Invoice {
        let is_it = |invoice: &Invoice| invoice.purpose.name() == "monthly" && invoice.month == month;
        let found: Vec<Invoice> = self.invoices(number).await.into_iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    async fn answer_all(&self, number: u32, succeed: bool) {
        for key in self.rows(&format!(
            "SELECT idempotency_key FROM charges WHERE state = 'sent' AND customer_id = {number} ORDER BY charge_id"
        )) {
            let ChargeKey { invoice, attempt } = key.parse().unwrap();
            let outcome = match succeed {
                true => Outcome::Succeeded { reference: format!("0x{key}") },
                false => Outcome::Declined { reason: "no".to_owned() },
            };
            let answer = ChargeAnswer { invoice, attempt, outcome, at: self.app.clock.now() };
            self.app.bill(id(number), Event::ChargeAnswered(answer)).await.unwrap();
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// The first column of what a query finds, by a connection of the test's own.
    fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.path(), sql)
    }

    fn count(&self, sql: &str) -> u64 {
        self.rows(sql)[0].parse().unwrap()
    }

    /// Changes the database behind the program's back. Triggers would refuse it.
    fn falsify(&self, sql: &str) {
        let connection = Connection::open(self.path()).unwrap();
        for trigger in rows(&self.path(), "SELECT name FROM sqlite_schema WHERE type = 'trigger'") {
            connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
        }
        connection.execute_batch(sql).unwrap();
    }

    async fn parked(&self, number: u32) -> Option<String> {
        let read = move |tx: &ReadTx<'_>| parked(tx, id(number));
        self.app.ledger.read(read).await.unwrap().map(|parked| parked.reason)
    }

    /// Everything in the tables of billing, to compare.
    fn all(&self) -> Vec<String> {
        let tables = ["invoices", "invoice_lines", "ledger_entries", "ledger_postings", "charges", "credits"];
        let also = ["billing_standing", "billing_notices", "billed_usage", "billing_runs", "activity"];
        let of = |table: &&str| {
            let connection = Connection::open(self.path()).unwrap();
            let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = statement.column_count();
            let read = |row: &rusqlite::Row<'_>| {
                (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column)).collect::<Result<Vec<_>, _>>()
            };
            let found: Vec<_> = statement.query_map((), read).unwrap().map(Result::unwrap).collect();
            format!("{table}: {found:?}")
        };
        tables.iter().chain(&also).map(of).collect()
    }
}

fn rows(path: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let text = |row: &rusqlite::Row<'_>| {
        Ok(match row.get::<_, rusqlite::types::Value>(0)? {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })
    };
    statement.query_map((), text).unwrap().map(Result::unwrap).collect()
}

fn kinds(invoice: &Invoice) -> Vec<&'static str> {
    invoice.lines.iter().map(|line| line.kind.name()).collect()
}

fn requests(invoice: &Invoice, kind: LineKind) -> u64 {
    invoice.lines.iter().filter(|line| line.kind == kind).map(|line| line.quantity).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_closed_when_every_source_has_delivered_it_or_a_day_later() {
    let mut firm = Firm::open_subscribed(&[CUSTOMER]).await;
    firm.append(&lines(1, 301));
    let (reading, past) = (|| SourceState::Reading, after_november(HOUR_MS));
    for (now, delivered_to, state, is_closed) in [
        (after_november(HOUR_MS - 1), past, reading(), false),
        (after_november(HOUR_MS), past.plus_ms(-1), reading(), false),
        (after_november(23 * HOUR_MS), past.plus_ms(-1), reading(), false),
        (after_november(23 * HOUR_MS), past, SourceState::Unreadable("gone".to_owned()), false),
        (after_november(23 * HOUR_MS + 1), past, reading(), true),
    ] {
        firm.set_time(now);
        firm.deliver_to(delivered_to, state.clone());
        firm.app.run_billing().await.unwrap();
        let closed = firm.draft_month(CUSTOMER).await > november();
        assert_eq!(closed, is_closed, "{now}, delivered to {delivered_to}, {state:?}");
    }
    let invoice = firm.monthly(CUSTOMER, november()).await;
    assert_eq!(requests(&invoice, LineKind::Usage(Measure::Requests)), 300, "metered before it was closed");
    assert_eq!(invoice.completeness.unwrap().received, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_day_is_on_the_next_invoice_and_once() {
    let mut firm = Firm::open_subscribed(&[CUSTOMER]).await;
    firm.append(&lines(1, 10_001));
    firm.deliver_to(BEGIN, SourceState::Reading);
    firm.set_time(after_november(DAY_MS - 1));
    firm.app.run_billing().await.unwrap();
    assert_eq!(firm.draft_month(CUSTOMER).await, november());
    firm.set_time(after_november(DAY_MS));
    firm.app.run_billing().await.unwrap();
    assert_eq!(firm.monthly(CUSTOMER, november()).await.completeness.unwrap().received, 10_000);

    firm.append(&lines(10_001, 40_001));
    suiftly::app::meter(&firm.app).await.unwrap();
    let december = november().next().unwrap();
    firm.set_time(december.end().plus_ms(HOUR_MS));
    firm.deliver_to(firm.app.clock.now(), SourceState::Reading);
    firm.app.run_billing().await.unwrap();
    let invoice = firm.monthly(CUSTOMER, december).await;
    let late = LineKind::LateUsage(Measure::Requests);
    assert_eq!(requests(&invoice, late), 30_000, "{:?}", kinds(&invoice));
    let line: &Line = invoice.lines.iter().find(|line| line.kind == late).unwrap();
    assert_eq!((line.month, line.amount), (november(), Usd::from_dollars(3)));
    assert_eq!(requests(&invoice, LineKind::Usage(Measure::Requests)), 0);

    let january = december.next().unwrap();
    firm.set_time(january.end().plus_ms(HOUR_MS));
    firm.deliver_to(firm.app.clock.now(), SourceState::Reading);
    firm.app.run_billing().await.unwrap();
    assert_eq!(requests(&firm.monthly(CUSTOMER, january).await, late), 0, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_comes_again_or_beside_another_changes_nothing() {
    let mut firm = Firm::open_subscribed(&[CUSTOMER, 2, 3]).await;
    firm.append(&lines(1, 20_001));
    firm.set_time(after_november(HOUR_MS));
    let run = || {
        let app = Arc::clone(&firm.app);
        tokio::spawn(async move { app.run_billing().await })
    };
    let runs: Vec<_> = (0..8).map(|_| run()).collect();
    for run in runs {
        run.await.unwrap().unwrap();
    }
    for number in [CUSTOMER, 2, 3] {
        let invoice = firm.monthly(number, november()).await;
        assert_eq!(invoice.state, InvoiceState::Pending);
        let charges = format!("SELECT count(*) FROM charges WHERE invoice_id = {}", invoice.id);
        assert_eq!(firm.count(&charges), 1, "one invoice, one charge");
    }
    assert_eq!(firm.count("SELECT count(*) FROM invoices WHERE month = '2026-11' AND purpose = 'monthly'"), 3);
    let first = firm.all();
    firm.app.run_billing().await.unwrap();
    firm.set_time(after_november(HOUR_MS + MINUTE_MS));
    firm.app.run_billing().await.unwrap();
    assert_eq!(firm.all(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_that_many_want_paid_at_once_is_asked_for_once() {
    let firm = Firm::open(&[7]).await;
    firm.app.bill(id(7), deposit(7, 0, 29)).await.unwrap();
    firm.app.bill(id(7), SUBSCRIBE).await.unwrap();
    firm.answer_all(7, true).await;
    firm.set_time(after_november(HOUR_MS));
    firm.app.run_billing().await.unwrap();
    let invoice = firm.monthly(7, november()).await;
    assert_eq!((invoice.state, invoice.attempts), (InvoiceState::Pending, 0), "nobody can pay it");

    // The next look is due, money comes in parts, and people press the button.
    firm.set_time(invoice.retry_at.unwrap());
    let app = || Arc::clone(&firm.app);
    let mut tasks = Vec::new();
    for index in 1..=40 {
        tasks.push(tokio::spawn({
            let app = app();
            async move { app.bill(id(7), deposit(7, index, 5)).await.map(drop) }
        }));
        tasks.push(tokio::spawn({
            let (app, invoice) = (app(), invoice.id);
            async move { app.bill(id(7), Event::Collect(invoice)).await.map(drop) }
        }));
        tasks.push(tokio::spawn({
            let app = app();
            async move { app.bill(id(7), Event::Tick).await.map(drop) }
        }));
        tasks.push(tokio::spawn({
            let app = app();
            async move {
                app.run_billing().await.unwrap();
                Ok(())
            }
        }));
    }
    let mut refused = 0;
    for task in tasks {
        match task.await.unwrap() {
            Err(failure) if failure.refusal() == Some(&Refusal::PaymentUnderWay) => refused += 1,
            other => other.unwrap(),
        }
    }
    let charges = format!("SELECT state FROM charges WHERE invoice_id = {}", invoice.id);
    assert_eq!(firm.rows(&charges), ["sent"], "with {refused} who were told that it is under way");
    // Answered by several at once, too.
    let answers: Vec<_> = (0..20)
        .map(|_| {
            let outcome = Outcome::Succeeded { reference: "0x1".to_owned() };
            let answer = ChargeAnswer { invoice: invoice.id, attempt: 1, outcome, at: firm.app.clock.now() };
            let app = app();
            tokio::spawn(async move { app.bill(id(7), Event::ChargeAnswered(answer)).await.map(drop) })
        })
        .collect();
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(firm.rows(&charges), ["succeeded"]);
    let paid = "SELECT count(*) FROM ledger_entries WHERE reason = 'invoice_paid'";
    assert_eq!(firm.count(paid), 2, "the subscription and the month, once each");
    assert_eq!(firm.app.verify_books(0).await.unwrap(), firm.count("SELECT max(entry_id) FROM ledger_entries"));
    assert_eq!(firm.parked(7).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_falsified_books_is_parked_and_nobody_else() {
    for (what, sql) in [
        ("a credit", "UPDATE credits SET remaining_micros = remaining_micros - 10000 WHERE customer_id = 2"),
        (
            "a posting",
            "UPDATE ledger_postings SET amount_micros = amount_micros + 1 WHERE entry_id = (SELECT max(entry_id) FROM ledger_entries WHERE customer_id = 2) AND position = 0",
        ),
        ("escrow", "UPDATE escrow_accounts SET balance_micros = balance_micros + 10000 WHERE customer_id = 2"),
        (
            "a paid invoice",
            "UPDATE invoices SET state = 'voided', paid_at_ms = NULL WHERE customer_id = 2 AND state = 'paid'",
        ),
        ("an entry", "UPDATE ledger_entries SET reason = 'other' WHERE customer_id = 2"),
    ] {
        let firm = Firm::open_subscribed(&[1, 2, 3]).await;
        assert!(firm.app.verify_books(0).await.unwrap() > 0);
        assert_eq!(firm.parked(2).await, None, "{what}");
        firm.falsify(sql);
        firm.app.verify_books(0).await.unwrap();
        assert!(firm.parked(2).await.is_some(), "{what}");
        assert_eq!((firm.parked(1).await, firm.parked(3).await), (None, None), "{what}");
        let charges = firm.count("SELECT count(*) FROM charges");
        let upgrade = Event::ChangeTier { service: Service::Seal, tier: Tier::Enterprise };
        let refused = firm.app.bill(id(2), upgrade).await.unwrap_err();
        let is_told = refused.is_for_a_person() || refused.refusal() == Some(&Refusal::Parked);
        assert!(is_told, "{what}: {refused}");
        assert_eq!(firm.count("SELECT count(*) FROM charges"), charges, "{what}: nothing is charged");
        assert_eq!(firm.count("SELECT count(*) FROM billing_notices WHERE kind = 'parked'"), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_whose_month_cannot_be_closed_stops_nobody() {
    let firm = Firm::open_subscribed(&[1, 2, 3]).await;
    firm.falsify("UPDATE invoices SET amount_micros = amount_micros + 10000 WHERE customer_id = 2 AND state = 'draft'");
    firm.set_time(after_november(HOUR_MS));
    firm.app.run_billing().await.unwrap();
    for number in [1, 3] {
        assert_eq!(firm.monthly(number, november()).await.state, InvoiceState::Pending, "{number}");
    }
    assert_eq!(firm.rows("SELECT customer_id FROM billing_runs WHERE state = 'failed'"), ["2"]);
    assert!(firm.parked(2).await.is_some());
    assert_eq!(firm.count("SELECT count(*) FROM invoices WHERE customer_id = 2 AND purpose = 'monthly'"), 1);
    let before = firm.all();
    firm.app.run_billing().await.unwrap();
    assert_eq!(firm.all(), before, "what has just failed is left alone for a while");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tax_of_the_configuration_is_on_every_invoice_and_preview() {
    let firm = Firm::open_with_tax(&[1], 1_900).await;
    let dollars = Usd::from_dollars;
    let credit = Event::GrantCredit { reason: CreditReason::Promo, amount: dollars(500), expires_at: None };
    firm.app.bill(id(1), credit).await.unwrap();
    let foreseen = firm.app.preview(id(1), SUBSCRIBE).await.unwrap();
    firm.app.bill(id(1), SUBSCRIBE).await.unwrap();
    let paid = firm.invoices(1).await.into_iter().find(|invoice| invoice.state == InvoiceState::Paid).unwrap();
    // 19 % of $29.00.
    let charges = |invoice: &Invoice| invoice.charges().unwrap().micros();
    assert_eq!((kinds(&paid), charges(&paid)), (vec!["subscription", "tax", "credit"], 34_510_000));
    assert_eq!((kinds(&foreseen.invoices[0]), charges(&foreseen.invoices[0])), (kinds(&paid), charges(&paid)));
    assert_eq!(
        (kinds(&foreseen.draft)[..2].to_vec(), charges(&foreseen.draft)),
        (vec!["subscription", "tax"], 34_510_000)
    );
    firm.set_time(after_november(HOUR_MS));
    firm.app.run_billing().await.unwrap();
    let month = firm.monthly(1, november()).await;
    assert_eq!((kinds(&month)[..2].to_vec(), charges(&month)), (vec!["subscription", "tax"], 34_510_000));
    let tax = "SELECT -sum(amount_micros) FROM ledger_postings WHERE account = 'revenue' AND sub_account = 'tax'";
    assert_eq!(firm.count(tax), 11_020_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_day_of_a_month_keeps_no_customer_waiting() {
    let firm = Firm::open_subscribed(&[1]).await;
    firm.set_time(after_november(1));
    let upgrade = Event::ChangeTier { service: Service::Seal, tier: Tier::Enterprise };
    for event in [deposit(1, 1, 200), upgrade, Event::Cancel { service: Service::Seal }, SUBSCRIBE] {
        let is_refused = event == SUBSCRIBE;
        let done: Result<_, BillingFailure> = firm.app.bill(id(1), event.clone()).await;
        assert_eq!(done.err().and_then(|failure| failure.refusal().cloned()).is_some(), is_refused, "{event:?}");
        firm.answer_all(1, true).await;
    }
    let grpc = Event::Subscribe { service: Service::Grpc, tier: Tier::Starter };
    firm.app.bill(id(1), grpc).await.unwrap();
    assert_eq!(firm.draft_month(1).await, november(), "and it is still not closed");
}
