//! What is left of a chain whose process was killed, or whose file was damaged.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

/// Tells the process that is to be killed which chain to use.
const VICTIM: &str = "SUIFTLY_TEST_SIM_CHAIN";

/// What anybody can see of a chain.
async fn seen(test: &TestChain) -> (Vec<EscrowAccount>, Vec<EscrowEvent>, SimTotals, Usd) {
    let accounts = test.chain.escrow_accounts(None, 1000, test.now).await.unwrap();
    let balance = test.chain.wallet_balance(wallet(1).address(), test.now).await.unwrap();
    (accounts, test.all_events().await, test.sim().totals(), balance)
}

#[tokio::test]
async fn a_chain_is_found_again_as_it_was() {
    let mut test = TestChain::new();
    let (owner, account) = test.funded(1, dollars(100)).await;
    test.chain.put_seal_key(&object(2)).await.unwrap();
    test.charge(&account, dollars(10), "one").await;
    test.act(&owner, WalletAction::SetSpendingLimit { limit: dollars(20) }).await.unwrap();
    test.chain.credit(&order(&account, dollars(3), "two"), test.now).await.unwrap();
    let pending = test.submit(&owner, WalletAction::Withdraw { amount: dollars(5) }).await;
    let before = seen(&test).await;
    test.reopen();
    assert_eq!(seen(&test).await, before);
    assert_eq!(test.chain.put_seal_key(&object(1)).await, Err(ChainError::Outdated { asked: 1, there: 2 }));
    let status = test.chain.transaction(&pending, test.now).await.unwrap();
    assert!(matches!(status, TransactionStatus::Seen { .. }), "{status:?}");
    test.pass(FINAL_AFTER_MS);
    let last = test.chain.transaction(&pending, test.now).await.unwrap();
    assert!(matches!(last, TransactionStatus::Final { .. }), "{last:?}");
    // What was seen once stays so, also for a clock that went back while the process was down.
    test.reopen();
    test.pass(-10_000);
    assert_eq!(test.chain.transaction(&pending, test.now).await, Ok(last));
    test.sim().sync().await.unwrap();
}

/// The write of the last record is cut short after every byte: the charge has not happened, and happens when repeated.
#[tokio::test]
async fn a_record_that_was_cut_short_has_not_happened() {
    let mut test = TestChain::new();
    let (_, account) = test.funded(1, dollars(100)).await;
    let before = seen(&test).await;
    let whole = fs::read(test.path()).unwrap().len();
    let first = test.charge(&account, dollars(10), "one").await;
    let after = seen(&test).await;
    let full = fs::read(test.path()).unwrap();
    for cut in whole..=full.len() {
        for rest in [0, 1, 5_000] {
            let mut bytes = full[..cut].to_vec();
            bytes.resize(cut + rest, 0);
            test.chain = Chain::Sim(SimChain::default());
            fs::write(test.path(), &bytes).unwrap();
            test.reopen();
            let found = seen(&test).await;
            let has_happened = cut == full.len();
            assert_eq!(found, if has_happened { after.clone() } else { before.clone() }, "{cut} and {rest} zeros");
            let outcome = test.charge(&account, dollars(10), "one").await;
            assert_eq!((outcome, seen(&test).await), (first.clone(), after.clone()), "{cut} and {rest} zeros");
        }
    }
}

#[tokio::test]
async fn a_file_that_was_never_finished_becomes_a_new_chain() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("new.journal");
    drop(SimChain::open(&path, GENESIS).unwrap());
    let header = fs::read(&path).unwrap();
    for cut in 0..header.len() {
        for bytes in [header[..cut].to_vec(), vec![0; cut]] {
            fs::write(&path, &bytes).unwrap();
            let sim = SimChain::open(&path, [8; 16]).unwrap();
            assert_eq!(sim.state().world.genesis, [8; 16], "{cut}");
        }
    }
    fs::write(&path, &header).unwrap();
    assert_eq!(SimChain::open(&path, [8; 16]).unwrap().state().world.genesis, GENESIS);
}

/// One changed byte anywhere is damage, and the file is left as it is.
#[tokio::test]
async fn damage_is_refused_and_never_cut_off() {
    let mut test = TestChain::new();
    let (_, account) = test.funded(1, dollars(100)).await;
    test.charge(&account, dollars(10), "one").await;
    test.chain = Chain::Sim(SimChain::default());
    let full = fs::read(test.path()).unwrap();
    for place in 0..full.len() {
        let mut bytes = full.clone();
        bytes[place] ^= 0x10;
        fs::write(test.path(), &bytes).unwrap();
        let error = SimChain::open(&test.path(), GENESIS).err();
        let is_refused = matches!(error, Some(SimError::Damaged { .. } | SimError::NotAChain { .. }));
        assert!(is_refused, "{place}: {error:?}");
        assert_eq!(fs::read(test.path()).unwrap(), bytes, "{place}");
    }
    fs::write(test.path(), b"something else").unwrap();
    assert!(matches!(SimChain::open(&test.path(), GENESIS), Err(SimError::NotAChain { .. })));
}

#[tokio::test]
async fn one_process_at_a_time_uses_a_chain() {
    let test = TestChain::new();
    assert!(matches!(SimChain::open(&test.path(), GENESIS), Err(SimError::InUse { .. })));
}

#[tokio::test]
async fn what_cannot_be_written_has_not_happened() {
    let mut test = TestChain::new();
    let (_, account) = test.funded(1, dollars(100)).await;
    let before = seen(&test).await;
    // A file that can only be read stands for a full disk.
    let read_only = fs::File::open(test.path()).unwrap();
    let kept = test.sim().state().journal.as_mut().unwrap().exchange_file(read_only);
    let refused = test.chain.charge(&order(&account, dollars(10), "one"), test.now).await;
    assert!(matches!(refused, Err(ChainError::Unwritable(_))), "{refused:?}");
    assert_eq!(seen(&test).await, before);
    // And a part of it may have been written.
    let mut partly = fs::OpenOptions::new().append(true).open(test.path()).unwrap();
    std::io::Write::write_all(&mut partly, &[b'x'; 4_000]).unwrap();
    test.sim().state().journal.as_mut().unwrap().exchange_file(kept);
    done(&test.charge(&account, dollars(10), "one").await);
    let after = seen(&test).await;
    test.reopen();
    assert_eq!(seen(&test).await, after);
}

/// Charges for ever and tells each key once it has its outcome. Does nothing unless it is started to be killed.
#[tokio::test]
async fn charges_until_it_is_killed() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let chain = Chain::Sim(SimChain::open(path.as_ref(), [0; 16]).unwrap());
    let account = chain.escrow_account(wallet(1).address(), START).await.unwrap().unwrap();
    for number in 0.. {
        let key = format!("killed {} {number}", std::process::id());
        done(&chain.charge(&order(&account, Usd::from_micros(1), &key), START).await.unwrap());
        println!("{key}");
    }
}

#[tokio::test]
async fn whoever_was_told_of_a_charge_finds_it_after_a_kill() {
    let mut test = TestChain::new();
    let (_, account) = test.funded(1, dollars(100)).await;
    for round in 1..=5 {
        test.chain = Chain::Sim(SimChain::default());
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "chain::sim::tests::durability::charges_until_it_is_killed"])
            .env(VICTIM, test.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut told = lines.filter(|line| line.starts_with("killed "));
        let mut keys: Vec<_> = told.by_ref().take(100 * round).collect();
        victim.kill().unwrap();
        victim.wait().unwrap();
        // What was still in the pipe; the last line may be cut.
        keys.extend(told);
        keys.pop();
        assert!(keys.len() > 50, "only {} charges", keys.len());
        test.reopen();
        let events = test.all_events_from_start().await;
        for key in &keys {
            let times = events.iter().filter(|event| event.kind == EventKind::Charged { key: key.clone() }).count();
            assert_eq!(times, 1, "{key}");
        }
        let charged = events.iter().filter(|event| matches!(event.kind, EventKind::Charged { .. })).count();
        let collected = usize::try_from(test.sim().totals().collected.micros()).unwrap();
        assert_eq!(charged, collected);
    }
    assert_eq!(test.account(&wallet(1)).await.object_id, account.object_id);
}
