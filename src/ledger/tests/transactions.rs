//! Who may write, what is left of work that fails, and many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::ErrorCode;

use super::*;

fn count_customers(test: &TestLedger) -> usize {
    test.read(|tx| customer::list_customers(tx, None, 1000)).len()
}

#[test]
fn a_read_transaction_cannot_write() {
    let test = TestLedger::new();
    test.write(|tx| customer::insert_customer(tx, &customer(1))).unwrap();
    for statement in
        ["DELETE FROM customers", "INSERT INTO config_global VALUES ('a', 'b')", "UPDATE customers SET name = ''"]
    {
        let code = test.read(move |tx| Ok(tx.connection().execute(statement, ()).unwrap_err().sqlite_error_code()));
        assert_eq!(code, Some(ErrorCode::ReadOnly), "{statement}");
    }
    assert_eq!(count_customers(&test), 1);
}

#[test]
fn work_that_returns_an_error_leaves_no_trace() {
    let test = TestLedger::new();
    let error = test.write(|tx| {
        customer::insert_customer(tx, &customer(1))?;
        customer::insert_customer(tx, &customer(1))
    });
    assert!(matches!(error, Err(LedgerError::CustomerIdTaken(taken)) if taken == id(1)), "{error:?}");
    assert_eq!(count_customers(&test), 0);
}

#[test]
fn work_that_panics_leaves_no_trace_and_the_threads_go_on() {
    let test = TestLedger::new();
    for _ in 0..3 {
        let error = test.write(|tx| -> Result<(), _> {
            customer::insert_customer(tx, &customer(1))?;
            panic!("on purpose: {}", 42)
        });
        assert!(matches!(&error, Err(LedgerError::Panicked { message }) if message == "on purpose: 42"), "{error:?}");
        let error = test.ledger.read_blocking(|_| -> Result<(), LedgerError> { panic!("on purpose") });
        assert!(matches!(&error, Err(LedgerError::Panicked { message }) if message == "on purpose"), "{error:?}");
    }
    assert_eq!(count_customers(&test), 0);
    test.write(|tx| customer::insert_customer(tx, &customer(2))).unwrap();
    assert_eq!(count_customers(&test), 1);
}

#[test]
fn a_write_transaction_reads_what_it_has_written() {
    let test = TestLedger::new();
    let found = test.write(|tx| {
        customer::insert_customer(tx, &customer(1))?;
        customer::find_customer(tx, id(1))
    });
    assert_eq!(found.unwrap(), Some(customer(1)));
}

/// Every write moves one request from one service to the other; whoever sees another sum has seen half a write.
#[test]
fn eight_threads_write_and_read_whole_transactions() {
    const WRITES: u64 = 50;
    let test = Arc::new(TestLedger::new());
    let total = 4 * WRITES;
    test.write(move |tx| set_both(tx, total, 0)).unwrap();
    let writing = Arc::new(AtomicBool::new(true));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (test, writing) = (Arc::clone(&test), Arc::clone(&writing));
            thread::spawn(move || {
                while writing.load(Ordering::Relaxed) {
                    let (seal, grpc) = test.read(both);
                    assert_eq!(seal + grpc, total);
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let test = Arc::clone(&test);
            thread::spawn(move || {
                for _ in 0..WRITES {
                    test.write(|tx| both(tx).and_then(|(seal, grpc)| set_both(tx, seal - 1, grpc + 1))).unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    writing.store(false, Ordering::Relaxed);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    assert_eq!(test.read(both), (0, total));
}

fn both(tx: &ReadTx<'_>) -> Result<(u64, u64), LedgerError> {
    let month = usage::usage_of_month(tx, id(1), november())?;
    Ok((month[0].requests, month[1].requests))
}

fn set_both(tx: &WriteTx<'_>, seal: u64, grpc: u64) -> Result<(), LedgerError> {
    usage::set_usage(tx, &usage(1, Service::Seal, 0, seal))?;
    usage::set_usage(tx, &usage(1, Service::Grpc, 0, grpc))
}

#[test]
fn asynchronous_work_is_done_in_order_and_also_when_nobody_waits() {
    let test = TestLedger::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        // Dropped after it has been queued, by a timeout of nothing.
        let write = test.ledger.write(|tx| customer::insert_customer(tx, &customer(1)));
        tokio::select! { biased; _ = write => (), () = std::future::ready(()) => () }
        test.ledger.write(|tx| customer::insert_customer(tx, &customer(2))).await.unwrap();
        let all = test.ledger.read(|tx| customer::list_customers(tx, None, 10)).await.unwrap();
        assert_eq!(all, [customer(1), customer(2)]);
        let error = test.ledger.write(|_| -> Result<(), LedgerError> { panic!("on purpose") }).await;
        assert!(matches!(error, Err(LedgerError::Panicked { .. })), "{error:?}");
    });
}

#[test]
fn closing_finishes_what_is_queued() {
    let test = TestLedger::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for number in 1..=100 {
            let write = is_send(test.ledger.write(move |tx| customer::insert_customer(tx, &customer(number))));
            tokio::select! { biased; _ = write => (), () = std::future::ready(()) => () }
        }
    });
    test.ledger.close();
    let refused = test.write(|tx| customer::insert_customer(tx, &customer(101)));
    assert!(matches!(refused, Err(LedgerError::Closed)), "{refused:?}");
    let again = Ledger::open(&test.path(), 1).unwrap();
    assert_eq!(again.read_blocking(|tx| customer::list_customers(tx, None, 1000)).unwrap().len(), 100);
}

/// Tasks of the runtime move between threads, and what they wait for with them.
fn is_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn work_that_goes_on_after_sqlite_has_rolled_back_commits_nothing() {
    let test = TestLedger::new();
    let outcome = test.write(|tx| {
        customer::insert_customer(tx, &customer(1))?;
        // Stands for a full disk: an error that ends the transaction.
        let sql = "INSERT OR ROLLBACK INTO customers (customer_id, wallet_address, created_at_ms) VALUES (0, '', 0)";
        tx.execute(sql, ()).unwrap_err();
        Ok(customer::insert_customer(tx, &customer(2)).is_ok())
    });
    let LedgerError::NotCommitted { operation, .. } = outcome.unwrap_err() else {
        panic!("reported as something else")
    };
    assert_eq!(operation, "committing a transaction");
    assert_eq!(count_customers(&test), 0);
}

#[test]
fn of_work_that_waits_together_what_fails_leaves_no_trace_and_the_rest_stays() {
    let test = TestLedger::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let outcomes = runtime.block_on(async {
        // Holds the writer until everything else is queued behind it.
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let holding = test.ledger.write(move |_| {
            let _ = gate.recv();
            Ok::<_, LedgerError>(())
        });
        let writes = (1..=30).map(|number| {
            test.ledger.write(move |tx| -> Result<u32, LedgerError> {
                customer::insert_customer(tx, &customer(number))?;
                match number % 4 {
                    0 => Err(LedgerError::CustomerIdTaken(id(number))),
                    1 => panic!("on purpose"),
                    2 => tx.together(|| Err::<(), _>(LedgerError::Closed)).map_or(Ok(number), |()| Ok(0)),
                    _ => Ok(number),
                }
            })
        });
        let mut waiting: Vec<_> = writes.map(Box::pin).collect();
        let opening = async {
            tokio::task::yield_now().await;
            drop(open);
        };
        let all = async {
            let mut outcomes = Vec::new();
            // Each is queued by its first poll, before the gate opens.
            for write in &mut waiting {
                tokio::select! { biased; _ = write => unreachable!(), () = std::future::ready(()) => () }
            }
            for write in waiting {
                outcomes.push(write.await);
            }
            outcomes
        };
        let (held, outcomes, ()) = tokio::join!(biased; holding, all, opening);
        held.unwrap();
        outcomes
    });
    for (number, outcome) in (1..).zip(outcomes) {
        match number % 4 {
            0 => assert!(matches!(outcome, Err(LedgerError::CustomerIdTaken(_))), "{number}: {outcome:?}"),
            1 => assert!(matches!(outcome, Err(LedgerError::Panicked { .. })), "{number}: {outcome:?}"),
            2 => assert!(matches!(outcome, Err(LedgerError::NotCommitted { .. })), "{number}: {outcome:?}"),
            _ => assert_eq!(outcome.unwrap(), number),
        }
    }
    assert_eq!(count_customers(&test), 7);
}

#[test]
fn a_customers_version_rises_with_each_write_that_touches_it() {
    let test = TestLedger::new();
    let (touched, other) = (test.ledger.version_of(id(1)), test.ledger.version_of(id(2)));
    let write = |fails: bool| {
        test.write(move |tx| {
            tx.touch(id(1));
            customer::insert_customer(tx, &customer(1))?;
            if fails { Err(LedgerError::CustomerIdTaken(id(1))) } else { Ok(()) }
        })
    };
    write(true).unwrap_err();
    write(false).unwrap();
    assert!(test.ledger.version_of(id(1)) > touched);
    assert_eq!(test.ledger.version_of(id(2)), other);
}
