//! What is left of a chain whose process was killed, or whose file was damaged.

use super::*;

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
    test.sim().sync().unwrap();
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
