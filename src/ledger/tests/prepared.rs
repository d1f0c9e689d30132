//! Writes that one thread prepares and another carries out.

use std::sync::mpsc::Receiver;

use super::*;

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn numbers(tx: &ReadTx<'_>) -> Result<Vec<u32>, LedgerError> {
    Ok(customer::list_customers(tx, None, 1000)?.iter().map(|one| one.customer.get()).collect())
}

fn give(tx: &ReadTx<'_>, giving: &Giving<u32>) -> Result<(), LedgerError> {
    let known = numbers(tx)?;
    (1..=100).filter(|number| !known.contains(number)).try_for_each(|number| giving.give(number))?;
    // The writer has inserted most of them by then.
    assert_eq!(numbers(tx)?, known, "what is written meanwhile is not seen");
    Ok(())
}

fn insert(tx: &WriteTx<'_>, prepared: Receiver<u32>) -> Result<Vec<u32>, LedgerError> {
    prepared.into_iter().map(|number| customer::insert_customer(tx, &customer(number)).map(|()| number)).collect()
}

#[test]
fn what_is_prepared_is_applied_in_its_order_in_one_transaction() {
    let test = TestLedger::new();
    test.write(|tx| customer::insert_customer(tx, &customer(7))).unwrap();
    let applied = run(test.ledger.write_prepared(give, insert)).unwrap();
    assert_eq!(applied, (1..=100).filter(|number| *number != 7).collect::<Vec<_>>());
    assert_eq!(test.read(numbers), (1..=100).collect::<Vec<_>>());
    assert_eq!(run(test.ledger.write_prepared(give, insert)).unwrap(), Vec::<u32>::new());
}

#[test]
fn nothing_is_kept_of_what_fails_on_either_side_and_the_threads_go_on() {
    let test = TestLedger::new();
    let closed = || Err(LedgerError::CustomerIdTaken(id(1)));
    for failure in 0..6 {
        let prepare = move |tx: &ReadTx<'_>, giving: &Giving<u32>| {
            give(tx, giving)?;
            match failure {
                0 => closed(),
                1 => panic!("on purpose"),
                _ => Ok(()),
            }
        };
        let apply = move |tx: &WriteTx<'_>, prepared: Receiver<u32>| {
            if failure == 2 {
                // Takes no more, so that the other side waits in vain.
                return closed().map(|()| Vec::new());
            }
            let applied = insert(tx, prepared)?;
            match failure {
                3 => closed().map(|()| Vec::new()),
                4 => panic!("on purpose"),
                5 => tx.together(|| closed().map(|()| Vec::new())).or(Ok(applied)),
                _ => Ok(applied),
            }
        };
        let outcome = run(test.ledger.write_prepared(prepare, apply)).unwrap_err();
        let as_expected = match failure {
            1 | 4 => matches!(outcome, LedgerError::Panicked { .. }),
            5 => matches!(outcome, LedgerError::NotCommitted { .. }),
            _ => matches!(outcome, LedgerError::CustomerIdTaken(_)),
        };
        assert!(as_expected, "{failure}: {outcome:?}");
        assert_eq!(test.read(numbers), Vec::<u32>::new(), "{failure}");
    }
    assert_eq!(run(test.ledger.write_prepared(give, insert)).unwrap().len(), 100);
}

#[test]
fn what_was_queued_before_is_on_disk_when_preparing_begins() {
    let test = TestLedger::new();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    run(async {
        let holding = test.ledger.write(move |_| {
            let _ = gate.recv();
            Ok::<_, LedgerError>(())
        });
        // All wait behind the first, and are taken from the queue at once.
        let before = test.ledger.write(|tx| customer::insert_customer(tx, &customer(1)));
        let prepared = test.ledger.write_prepared(give, insert);
        let after = test.ledger.write(|tx| numbers(tx));
        let opening = async {
            tokio::task::yield_now().await;
            drop(open);
        };
        let (held, before, prepared, after, ()) = tokio::join!(biased; holding, before, prepared, after, opening);
        held.and(before).unwrap();
        assert_eq!(prepared.unwrap(), (2..=100).collect::<Vec<_>>());
        assert_eq!(after.unwrap(), (1..=100).collect::<Vec<_>>());
    });
}

#[test]
fn a_closed_ledger_takes_nothing_to_prepare() {
    let test = TestLedger::new();
    test.ledger.close();
    assert!(matches!(run(test.ledger.write_prepared(give, insert)), Err(LedgerError::Closed)));
}
