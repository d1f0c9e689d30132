//! An application with customers who are billed, for tests of billing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use suiftly::app::App;
use suiftly::app::billing::{Included, load_whole};
use suiftly::clock::Clock;
use suiftly::core::billing::{
    ChainEventId, ChainMove, ChargeAnswer, ChargeKey, CreditReason, Event, Invoice, InvoiceState, Outcome,
    SpendingLimit,
};
use suiftly::core::calendar::{Month, UtcMillis};
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

use crate::support::{FIRST_LINE_MS, app};

pub const BEGIN: UtcMillis = UtcMillis(FIRST_LINE_MS);

/// An application without a manager: tests say when what runs.
pub struct Firm {
    folder: TempDir,
    pub app: Arc<App>,
    writer: Writer,
}

pub fn id(number: u32) -> CustomerId {
    CustomerId::new(number).unwrap()
}

pub fn november() -> Month {
    "2026-11".parse().unwrap()
}

/// Milliseconds after November.
pub fn after_november(millis: i64) -> UtcMillis {
    november().end().plus_ms(millis)
}

pub fn insert(tx: &WriteTx<'_>, number: u32) -> Result<(), LedgerError> {
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

pub fn deposit(number: u32, index: u32, dollars: i32) -> Event {
    let event = ChainEventId { digest: format!("0x{number}"), index };
    Event::Deposited(ChainMove { event, amount: Usd::from_dollars(dollars), at: BEGIN })
}

pub const SUBSCRIBE: Event = Event::Subscribe { service: Service::Seal, tier: Tier::Pro };

impl Firm {
    /// On 23 November, with these customers, who have an account on the chain and nothing in it.
    pub async fn open(customers: &'static [u32]) -> Self {
        Self::open_with_tax(customers, 0).await
    }

    pub async fn open_with_tax(customers: &'static [u32], tax_basis_points: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut app, writer) = app(folder.path(), Clock::settable(BEGIN));
        app.billing.tax_basis_points = tax_basis_points;
        let app = Arc::new(app);
        let add = move |tx: &WriteTx<'_>| customers.iter().try_for_each(|number| insert(tx, *number));
        app.ledger.write(add).await.unwrap();
        Self { folder, app, writer }
    }

    /// The same, where the lines come from gateway 1 on another host.
    pub async fn open_remote(customers: &'static [u32]) -> Self {
        let firm = Self::open_subscribed(customers).await;
        let Self { folder, app, writer } = firm;
        let mut app = Arc::into_inner(app).unwrap();
        app.remote_gateways.insert(1);
        Self { folder, app: Arc::new(app), writer }
    }

    /// Each with money, and a subscription that is paid.
    pub async fn open_subscribed(customers: &'static [u32]) -> Self {
        let firm = Self::open(customers).await;
        for number in customers {
            firm.app.bill(id(*number), deposit(*number, 0, 200)).await.unwrap();
            firm.app.bill(id(*number), SUBSCRIBE).await.unwrap();
            firm.answer_all(*number, true).await;
        }
        firm
    }

    /// Each with credit in place of an account on the chain, and a subscription that it paid.
    pub async fn open_with_credit(customers: &'static [u32]) -> Self {
        let firm = Self::open(&[]).await;
        for number in customers {
            let wallet = format!("0x{number:064x}").parse().unwrap();
            let customer = Customer::new(id(*number), wallet, BEGIN);
            firm.app.ledger.write(move |tx| insert_customer(tx, &customer)).await.unwrap();
            let (reason, amount) = (CreditReason::Promo, Usd::from_dollars(29));
            firm.app.bill(id(*number), Event::GrantCredit { reason, amount, expires_at: None }).await.unwrap();
            firm.app.bill(id(*number), SUBSCRIBE).await.unwrap();
        }
        firm
    }

    pub fn set_time(&self, at: UtcMillis) {
        assert!(self.app.clock.set(at));
    }

    /// How far the only source has delivered.
    pub fn deliver_to(&self, at: UtcMillis, state: SourceState) {
        self.app.delivered_to.store(at.0, Ordering::Release);
        *self.app.sources.lock().unwrap() = vec![SourceStatus { name: "ha.log".to_owned(), format: None, state }];
    }

    pub fn append(&mut self, lines: &str) {
        let mut batch = Batch::new(self.app.traffic.new_shapes().unwrap());
        lines.lines().for_each(|line| batch.push(&log_line::parse(line.as_bytes()).unwrap()));
        self.writer.append(&batch.seal(1).unwrap()).unwrap();
    }

    pub async fn invoices(&self, number: u32) -> Vec<Invoice> {
        let load = move |tx: &ReadTx<'_>| {
            let included = Included { api_keys: 0, seal_keys: 0, packages: 0 };
            load_whole(tx, id(number), &included, november())
        };
        self.app.ledger.read(load).await.unwrap().unwrap().invoices.into_values().collect()
    }

    pub async fn draft_month(&self, number: u32) -> Month {
        let invoices = self.invoices(number).await;
        invoices.iter().find(|invoice| invoice.state == InvoiceState::Draft).unwrap().month
    }

    /// The monthly invoice of a month, as it was issued.
    pub async fn monthly(&self, number: u32, month: Month) -> Invoice {
        let is_it = |invoice: &Invoice| invoice.purpose.name() == "monthly" && invoice.month == month;
        let found: Vec<Invoice> = self.invoices(number).await.into_iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    pub async fn answer(&self, number: u32, key: &str, succeed: bool) {
        let ChargeKey { invoice, attempt } = key.parse().unwrap();
        let outcome = match succeed {
            true => Outcome::Succeeded { reference: format!("0x{key}") },
            false => Outcome::Declined { reason: "no".to_owned() },
        };
        let answer = ChargeAnswer { invoice, attempt, outcome, at: self.app.clock.now() };
        self.app.bill(id(number), Event::ChargeAnswered(answer)).await.unwrap();
    }

    pub async fn answer_all(&self, number: u32, succeed: bool) {
        for key in self.rows(&format!(
            "SELECT idempotency_key FROM charges WHERE state = 'sent' AND customer_id = {number} ORDER BY charge_id"
        )) {
            self.answer(number, &key, succeed).await;
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// The first column of what a query finds, by a connection of the test's own.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.path(), sql)
    }

    pub fn count(&self, sql: &str) -> u64 {
        self.rows(sql)[0].parse().unwrap()
    }

    /// Changes the database behind the program's back. Triggers would refuse it.
    pub fn falsify(&self, sql: &str) {
        let connection = Connection::open(self.path()).unwrap();
        for trigger in rows(&self.path(), "SELECT name FROM sqlite_schema WHERE type = 'trigger'") {
            connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
        }
        connection.execute_batch(sql).unwrap();
    }

    pub async fn parked(&self, number: u32) -> Option<String> {
        let read = move |tx: &ReadTx<'_>| parked(tx, id(number));
        self.app.ledger.read(read).await.unwrap().map(|parked| parked.reason)
    }

    /// Everything in the tables of billing, to compare.
    pub fn all(&self) -> Vec<String> {
        let tables = ["invoices", "invoice_lines", "ledger_entries", "ledger_postings", "charges", "credits"];
        let also = ["billing_standing", "billing_notices", "billed_usage", "unclosed_months", "activity"];
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

pub fn rows(path: &Path, sql: &str) -> Vec<String> {
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
