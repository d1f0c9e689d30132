//! Usage flows from the traffic store to draft invoices: whole, once, and again without harm.

use std::path::Path;

use suiftly::app::{App, AppError, change_config_global};
use suiftly::clock::Clock;
use suiftly::core::calendar::{Month, UtcMillis};
use suiftly::core::customer::Customer;
use suiftly::core::id::CustomerId;
use suiftly::core::log_line;
use suiftly::ledger::LedgerError;
use suiftly::ledger::billing_invoice::draft_of;
use suiftly::ledger::customer::insert_customer;
use suiftly::ledger::usage::usage_of_month;
use suiftly::traffic::{Batch, Traffic, Writer};
use tempfile::TempDir;

use crate::support::{CUSTOMER, FIRST_LINE_MS, STORE, app, lines};

/// Both stores in one folder, with a clock that stands in the month of the lines.
struct Books {
    _folder: TempDir,
    app: App,
    writer: Writer,
}

fn open_traffic(folder: &Path) -> (Traffic, Writer) {
    Traffic::open(&folder.join("traffic.duckdb"), &STORE).unwrap()
}

impl Books {
    /// With the customer that the lines belong to.
    async fn open() -> Self {
        let books = Self::without_customers();
        let wallet_address = format!("0x{CUSTOMER:064x}").parse().unwrap();
        let customer = Customer {
            name: "Ada".to_owned(),
            ..Customer::new(CustomerId::new(CUSTOMER).unwrap(), wallet_address, UtcMillis(FIRST_LINE_MS))
        };
        books.app.ledger.write(move |tx| insert_customer(tx, &customer)).await.unwrap();
        books
    }

    fn without_customers() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (app, writer) = app(folder.path(), Clock::settable(UtcMillis(FIRST_LINE_MS)));
        Self { _folder: folder, app, writer }
    }

    fn append(&mut self, lines: &str) {
        let mut batch = Batch::new(self.app.traffic.new_shapes().unwrap());
        for line in lines.lines() {
            batch.push(&log_line::parse(line.as_bytes()).unwrap());
        }
        self.writer.append(&batch.seal(1).unwrap()).unwrap();
    }

    /// Billable requests of the month in the ledger, and the draft's exact and whole-cent amounts.
    async fn billed(&self) -> (u64, Option<(i64, i64)>) {
        let month = Month::of(UtcMillis(FIRST_LINE_MS)).unwrap();
        let read = move |tx: &suiftly::ledger::ReadTx<'_>| {
            Ok::<_, LedgerError>((usage_of_month(tx, customer(), month)?, draft_of(tx, customer())?))
        };
        let (usage, draft) = self.app.ledger.read(read).await.unwrap();
        let draft = draft.map(|draft| (draft.usage.micros(), draft.amount.micros()));
        (usage.iter().map(|usage| usage.billable_requests).sum(), draft)
    }
}

/// Copies usage and draws the drafts.
async fn meter(app: &App) -> Result<u64, AppError> {
    let metered = suiftly::app::meter(app).await?;
    while app.draw_drafts().await? {}
    Ok(metered)
}

fn customer() -> CustomerId {
    CustomerId::new(CUSTOMER).unwrap()
}

#[tokio::test]
async fn usage_and_its_cost_follow_the_rows_and_running_again_changes_nothing() {
    let mut books = Books::open().await;
    assert_eq!(meter(&books.app).await.unwrap(), 0);
    assert_eq!(books.billed().await, (0, None));
    books.append(&lines(0, 250));
    for _ in 0..3 {
        assert_eq!(meter(&books.app).await.unwrap(), 1);
        assert_eq!(books.billed().await, (250, Some((25_000, 20_000))));
    }
    books.append(&lines(250, 300));
    books.append(&lines(300, 12_345));
    assert_eq!(meter(&books.app).await.unwrap(), 3);
    assert_eq!(books.billed().await, (12_345, Some((1_234_500, 1_230_000))));
}

#[tokio::test]
async fn who_watches_is_told_of_requests_before_a_draft_is_drawn() {
    let mut books = Books::open().await;
    let version = |books: &Books| books.app.ledger.version_of(customer());
    let before = version(&books);
    suiftly::app::meter(&books.app).await.unwrap();
    assert_eq!(version(&books), before, "there were none");
    books.append(&lines(0, 10));
    suiftly::app::meter(&books.app).await.unwrap();
    assert!(version(&books) > before);
}

/// The first 100 lines are of one hour, all others of the next.
fn hours_apart(count: u64) -> String {
    let first = FIRST_LINE_MS.to_string();
    let next = (FIRST_LINE_MS + 3_600_000).to_string();
    lines(0, count).lines().enumerate().fold(String::new(), |text, (index, line)| {
        let (_, rest) = line[3..].split_once(' ').unwrap();
        text + &format!("s1 {} {rest}\n", if index < 100 { &first } else { &next })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_price_is_for_the_hours_after_it() {
    let mut books = Books::open().await;
    books.append(&hours_apart(300));
    let at = UtcMillis(FIRST_LINE_MS + 60_000);
    assert!(books.app.clock.set(at));
    meter(&books.app).await.unwrap();
    assert_eq!(books.billed().await, (300, Some((30_000, 30_000))));
    tokio::task::block_in_place(|| change_config_global(&books.app.ledger, "freqs_usd", "2.00", at)).unwrap();
    books.append(&lines(300, 301));
    meter(&books.app).await.unwrap();
    // 101 requests at the old price, 200 at the new one, each line rounded down by itself.
    assert_eq!(books.billed().await, (301, Some((10_100 + 40_000, 10_000 + 40_000))));
}

#[tokio::test]
async fn merged_rollups_are_metered_the_same() {
    let mut books = Books::open().await;
    books.append(&lines(0, 100));
    meter(&books.app).await.unwrap();
    books.append(&lines(100, 300));
    books.writer.compact(UtcMillis(FIRST_LINE_MS)).unwrap();
    meter(&books.app).await.unwrap();
    assert_eq!(books.billed().await, (300, Some((30_000, 30_000))));
}

#[tokio::test]
async fn usage_of_a_number_that_is_no_customer_is_kept_and_nobody_is_invoiced() {
    let mut books = Books::without_customers();
    books.append(&lines(0, 100));
    meter(&books.app).await.unwrap();
    assert_eq!(books.billed().await, (100, None));
}

#[tokio::test]
async fn another_traffic_store_is_metered_from_its_first_batch() {
    let mut books = Books::open().await;
    books.append(&lines(0, 100));
    books.append(&lines(100, 150));
    meter(&books.app).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (traffic, writer) = open_traffic(elsewhere.path());
    (books.app.traffic, books.writer) = (traffic, writer);
    books.append(&lines(0, 170));
    assert_eq!(meter(&books.app).await.unwrap(), 1);
    assert_eq!(books.billed().await.0, 170, "set to what the new store counted, not added");
}

#[tokio::test]
async fn last_months_requests_are_not_on_this_months_draft() {
    let mut books = Books::open().await;
    let next_month = Month::of(UtcMillis(FIRST_LINE_MS)).unwrap().end();
    assert!(books.app.clock.set(next_month));
    books.append(&lines(0, 1000));
    meter(&books.app).await.unwrap();
    assert_eq!(books.billed().await, (1000, Some((0, 0))));
}
