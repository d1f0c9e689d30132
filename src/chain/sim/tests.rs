//! The simulated chain as its users see it, through [`Chain`].

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::chain::Chain;
use crate::chain::escrow::{
    EscrowAccount, EscrowEvent, EventKind, LEAST_SPENDING_LIMIT, PERIOD_MS, Refusal, TransactionStatus,
};
use crate::core::api_key::ProcessGroup;
use crate::core::customer::DEFAULT_SPENDING_LIMIT;

mod durability;
mod histories;

const START: UtcMillis = UtcMillis(1_764_547_200_000);
const GENESIS: Genesis = [7; 16];

/// A chain in a file of its own, with a clock that is set.
struct TestChain {
    chain: Chain,
    directory: TempDir,
    now: UtcMillis,
    nonce: u8,
}

fn dollars(dollars: i32) -> Usd {
    Usd::from_dollars(dollars)
}

fn wallet(number: u64) -> SimWallet {
    SimWallet::numbered(number).unwrap()
}

impl TestChain {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let chain = Chain::Sim(SimChain::open(&directory.path().join("sim-chain.journal"), GENESIS).unwrap());
        Self { chain, directory, now: START, nonce: 0 }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("sim-chain.journal")
    }

    fn sim(&self) -> &SimChain {
        let Chain::Sim(sim) = &self.chain;
        sim
    }

    /// As after SIGKILL: nothing is closed in order.
    fn reopen(&mut self) {
        self.chain = Chain::Sim(SimChain::default());
        self.chain = Chain::Sim(SimChain::open(&self.path(), [0; 16]).unwrap());
    }

    fn pass(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
    }

    async fn submit(&mut self, wallet: &SimWallet, action: WalletAction) -> String {
        self.nonce += 1;
        let unsigned = self.chain.build(wallet.address(), action, [self.nonce; 16], self.now).await.unwrap();
        let digest = self.chain.submit(&wallet.sign(&unsigned).unwrap(), self.now).await.unwrap();
        assert_eq!(digest, unsigned.digest);
        digest
    }

    /// Until it is final.
    async fn act(&mut self, wallet: &SimWallet, action: WalletAction) -> Result<Vec<EscrowEvent>, Refusal> {
        let digest = self.submit(wallet, action).await;
        let seen = self.chain.transaction(&digest, self.now).await.unwrap();
        assert_eq!(seen, TransactionStatus::Seen { at: self.now });
        self.pass(FINAL_AFTER_MS);
        match self.chain.transaction(&digest, self.now).await.unwrap() {
            TransactionStatus::Final { at, events } => {
                assert_eq!(at, self.now);
                Ok(events)
            }
            TransactionStatus::Failed { refusal, .. } => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    /// A wallet with an account that holds so much.
    async fn funded(&mut self, number: u64, amount: Usd) -> (SimWallet, EscrowAccount) {
        let wallet = wallet(number);
        self.sim().faucet(wallet.address(), amount, self.now).unwrap();
        self.act(&wallet, WalletAction::Deposit { amount }).await.unwrap();
        let account = self.account(&wallet).await;
        (wallet, account)
    }

    async fn account(&self, wallet: &SimWallet) -> EscrowAccount {
        self.chain.escrow_account(wallet.address(), self.now).await.unwrap().unwrap()
    }

    async fn charge(&self, account: &EscrowAccount, amount: Usd, key: &str) -> OrderOutcome {
        self.chain.charge(&order(account, amount, key), self.now).await.unwrap()
    }

    /// Page by page, however many there are.
    async fn all_events_from_start(&self) -> Vec<EscrowEvent> {
        let (mut events, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.chain.events(cursor.as_ref(), 1000, self.now).await.unwrap();
            events.extend(page.events);
            cursor = Some(page.next);
            if !page.has_more {
                return events;
            }
        }
    }

    async fn all_events(&self) -> Vec<EscrowEvent> {
        self.chain.events(None, 1000, self.now).await.unwrap().events
    }
}

fn order(account: &EscrowAccount, amount: Usd, key: &str) -> EscrowOrder {
    EscrowOrder { account: account.object_id.clone(), amount, key: key.to_owned() }
}

fn done(outcome: &OrderOutcome) -> &Receipt {
    match outcome {
        OrderOutcome::Done(receipt) => receipt,
        OrderOutcome::Refused(refusal) => panic!("{refusal}"),
    }
}

fn kinds(events: &[EscrowEvent]) -> Vec<(&'static str, u32, i64, i64)> {
    let dollars = |amount: Usd| amount.micros() / 1_000_000;
    events.iter().map(|event| (event.kind.name(), event.index, dollars(event.amount), dollars(event.balance))).collect()
}

#[tokio::test]
async fn money_goes_in_and_all_of_it_out_again() {
    let mut test = TestChain::new();
    let wallet = wallet(1);
    test.sim().faucet(wallet.address(), dollars(100), test.now).unwrap();
    assert_eq!(test.act(&wallet, WalletAction::Withdraw { amount: dollars(1) }).await, Err(Refusal::NoSuchAccount));
    let refused = test.act(&wallet, WalletAction::Deposit { amount: dollars(101) }).await;
    assert_eq!(refused, Err(Refusal::NotEnoughInWallet { balance: dollars(100) }));
    assert_eq!(
        test.chain.escrow_account(wallet.address(), test.now).await,
        Ok(None),
        "a refused deposit makes nothing"
    );

    let first = test.act(&wallet, WalletAction::Deposit { amount: dollars(60) }).await.unwrap();
    assert_eq!(kinds(&first), [("created", 0, 0, 0), ("deposited", 1, 60, 60)]);
    let created_at = test.now;
    let second = test.act(&wallet, WalletAction::Deposit { amount: dollars(40) }).await.unwrap();
    assert_eq!(kinds(&second), [("deposited", 0, 40, 100)]);
    let account = test.account(&wallet).await;
    assert_eq!((account.balance, account.created_at), (dollars(100), created_at));
    assert_eq!((account.spending_limit, &account.owner), (DEFAULT_SPENDING_LIMIT, wallet.address()));

    for (amount, refusal) in [
        (dollars(101), Refusal::NotEnough { balance: dollars(100) }),
        (Usd::ZERO, Refusal::NoAmount),
        (dollars(-5), Refusal::NoAmount),
    ] {
        assert_eq!(test.act(&wallet, WalletAction::Withdraw { amount }).await, Err(refusal));
    }
    for amount in [Usd::ZERO, dollars(-5)] {
        assert_eq!(test.act(&wallet, WalletAction::Deposit { amount }).await, Err(Refusal::NoAmount));
    }
    let out = test.act(&wallet, WalletAction::Withdraw { amount: dollars(100) }).await.unwrap();
    assert_eq!(kinds(&out), [("withdrawn", 0, 100, 0)]);
    assert_eq!(test.chain.wallet_balance(wallet.address(), test.now).await, Ok(dollars(100)));
    let everything: Vec<_> = [first, second, out].concat();
    assert_eq!(test.all_events().await, everything);
    let known = SimTotals { given: dollars(100), wallets: dollars(100), accounts: Usd::ZERO, collected: Usd::ZERO };
    assert_eq!(test.sim().totals(), known);
}

#[tokio::test]
async fn a_key_has_one_outcome_for_ever() {
    let mut test = TestChain::new();
    let (_, account) = test.funded(1, dollars(100)).await;
    let first = test.charge(&account, dollars(60), "one").await;
    assert_eq!(done(&first).balance, dollars(40));
    let too_much = test.charge(&account, dollars(41), "two").await;
    assert_eq!(too_much, OrderOutcome::Refused(Refusal::NotEnough { balance: dollars(40) }));
    test.pass(PERIOD_MS);
    test.funded(1, dollars(500)).await;
    for reopened in [false, true] {
        if reopened {
            test.reopen();
        }
        assert_eq!(test.charge(&account, dollars(60), "one").await, first);
        assert_eq!(test.charge(&account, dollars(41), "two").await, too_much, "a refusal is for good");
        for (amount, key) in [(dollars(61), "one"), (dollars(40), "two")] {
            assert_eq!(test.charge(&account, amount, key).await, OrderOutcome::Refused(Refusal::KeyReused));
        }
        let back = test.chain.credit(&order(&account, dollars(60), "one"), test.now).await.unwrap();
        assert_eq!(back, OrderOutcome::Refused(Refusal::KeyReused), "a credit is another order");
    }
    assert_eq!(test.sim().totals().collected, dollars(60));
    let nobody = EscrowAccount { object_id: format!("0x{:064x}", 1).parse().unwrap(), ..account.clone() };
    assert_eq!(test.charge(&nobody, dollars(1), "three").await, OrderOutcome::Refused(Refusal::NoSuchAccount));
    for key in [String::new(), "x".repeat(MAX_KEY_CHARS + 1)] {
        let answer = test.chain.charge(&order(&account, dollars(1), &key), test.now).await;
        assert!(matches!(answer, Err(ChainError::NotATransaction(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn what_was_charged_can_be_given_back_and_no_more() {
    let mut test = TestChain::new();
    let (_, account) = test.funded(1, dollars(100)).await;
    test.charge(&account, dollars(60), "charge").await;
    for (amount, key, expected) in [
        (dollars(61), "a", Err(Refusal::NotEnoughCollected { balance: dollars(60) })),
        (Usd::ZERO, "b", Err(Refusal::NoAmount)),
        (dollars(20), "c", Ok(dollars(60))),
        (dollars(20), "c", Ok(dollars(60))),
        (dollars(40), "d", Ok(dollars(100))),
    ] {
        let outcome = test.chain.credit(&order(&account, amount, key), test.now).await.unwrap();
        let found = match outcome {
            OrderOutcome::Done(receipt) => Ok(receipt.balance),
            OrderOutcome::Refused(refusal) => Err(refusal),
        };
        assert_eq!(found, expected, "{key}");
    }
    let events = test.all_events().await;
    let expected = [("charged", 0, 60, 40), ("credited", 0, 20, 60), ("credited", 0, 40, 100)];
    assert_eq!(kinds(&events[2..]), expected);
    assert_eq!(events[2].kind, EventKind::Charged { key: "charge".to_owned() });
    let charged = test.charge(&account, dollars(100), "again").await;
    assert_eq!(done(&charged).balance, Usd::ZERO);
    assert_eq!(test.account(&wallet(1)).await.period_charged, dollars(160), "giving back does not raise the limit");
}

/// The worked example of the limit, at the very milliseconds where a period begins.
#[tokio::test]
async fn the_limit_holds_for_periods_of_exactly_28_days() {
    let mut test = TestChain::new();
    let (_, account) = test.funded(1, dollars(10_000)).await;
    let cent = Usd::from_micros(10_000);
    let created = account.created_at;
    let mut number = 0;
    for (after_ms, amount, allowed) in [
        (0, dollars(195), true),
        (1, dollars(55).checked_add(cent).unwrap(), false),
        (PERIOD_MS - 1, dollars(55), true),
        (PERIOD_MS - 1, cent, false),
        (PERIOD_MS, dollars(251), false),
        (PERIOD_MS, dollars(250), true),
        (2 * PERIOD_MS - 1, cent, false),
        (2 * PERIOD_MS, cent, true),
        (5 * PERIOD_MS + 3, dollars(250), true),
        (6 * PERIOD_MS - 1, cent, false),
        (6 * PERIOD_MS, dollars(250), true),
    ] {
        number += 1;
        test.now = created.plus_ms(after_ms);
        let outcome = test.charge(&account, amount, &number.to_string()).await;
        match outcome {
            OrderOutcome::Done(receipt) => assert!(allowed, "{after_ms} {amount}: {receipt:?}"),
            OrderOutcome::Refused(Refusal::LimitExceeded { limit, period_ends_at, .. }) => {
                assert!(!allowed, "{after_ms} {amount}");
                assert_eq!(limit, dollars(250));
                assert_eq!(period_ends_at, created.plus_ms((after_ms / PERIOD_MS + 1) * PERIOD_MS));
            }
            OrderOutcome::Refused(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn the_wallet_sets_its_limit() {
    let mut test = TestChain::new();
    let (owner, account) = test.funded(1, dollars(1_000)).await;
    test.charge(&account, dollars(100), "one").await;
    let below = Usd::from_micros(LEAST_SPENDING_LIMIT.micros() - 1);
    for (number, limit, set, charge, allowed) in [
        (1, below, false, dollars(150), true),
        (2, dollars(-1), false, Usd::from_micros(1), false),
        (3, LEAST_SPENDING_LIMIT, true, Usd::from_micros(1), false),
        (4, dollars(300), true, dollars(50), true),
        (5, Usd::ZERO, true, dollars(700), true),
    ] {
        let outcome = test.act(&owner, WalletAction::SetSpendingLimit { limit }).await;
        assert_eq!(outcome.is_ok(), set, "{limit}: {outcome:?}");
        let charged = test.charge(&account, charge, &format!("charge {number}")).await;
        assert_eq!(matches!(charged, OrderOutcome::Done(_)), allowed, "{limit} {charge}: {charged:?}");
    }
}

#[tokio::test]
async fn only_its_wallet_signs_a_transaction_and_only_in_time() {
    let mut test = TestChain::new();
    let (owner, _) = test.funded(1, dollars(10)).await;
    let withdraw = WalletAction::Withdraw { amount: dollars(10) };
    let unsigned = test.chain.build(owner.address(), withdraw, [9; 16], test.now).await.unwrap();
    let signed = owner.sign(&unsigned).unwrap();
    let by_another = wallet(2).sign(&unsigned).unwrap();
    let changed = SignedTransaction { content: signed.content.replace("10000000", "9000000"), ..signed.clone() };
    let garbled = SignedTransaction { content: "withdraw everything".to_owned(), ..signed.clone() };
    let elsewhere = SimChain::default().build(owner.address(), withdraw, [9; 16], test.now).await.unwrap();
    for wrong in [by_another, changed, garbled, owner.sign(&elsewhere).unwrap()] {
        let answer = test.chain.submit(&wrong, test.now).await;
        assert!(matches!(answer, Err(ChainError::NotATransaction(_))), "{wrong:?}: {answer:?}");
    }
    assert_eq!(test.chain.transaction(&unsigned.digest, test.now).await, Ok(TransactionStatus::Unknown));
    assert_eq!(test.chain.transaction("no digest", test.now).await, Ok(TransactionStatus::Unknown));

    let late = test.chain.submit(&signed, unsigned.expires_at.plus_ms(1)).await;
    assert!(matches!(late, Err(ChainError::NotATransaction(_))), "{late:?}");
    let digest = test.chain.submit(&signed, unsigned.expires_at).await.unwrap();
    let after = unsigned.expires_at.plus_ms(FINAL_AFTER_MS);
    let last = test.chain.transaction(&digest, after).await.unwrap();
    assert!(matches!(last, TransactionStatus::Final { .. }), "seen in time: {last:?}");
    assert_eq!(test.chain.submit(&signed, after).await, Ok(digest.clone()), "repeating it is harmless");
    assert_eq!(test.chain.transaction(&digest, after.plus_ms(FINAL_AFTER_MS)).await, Ok(last));
    assert_eq!(test.sim().totals().wallets, dollars(10));
}

#[tokio::test]
async fn what_goes_wrong_is_repeated_until_it_is_done_once() {
    let mut test = TestChain::new();
    let (owner, account) = test.funded(1, dollars(100)).await;
    let balance = |test: &TestChain| test.sim().totals().accounts;
    for (fault, left) in [(Fault::Drop, 100), (Fault::LoseAnswer, 90), (Fault::Late(1_000), 90)] {
        test.sim().inject([fault]);
        let key = format!("{fault:?}");
        let order = order(&account, dollars(10), &key);
        assert_eq!(test.chain.charge(&order, test.now).await, Err(ChainError::NoAnswer));
        assert_eq!(balance(&test), dollars(left), "{key}");
        let outcome = test.chain.charge(&order, test.now).await.unwrap();
        done(&outcome);
        test.pass(2_000);
        // By now the one that was late has arrived, too.
        assert_eq!(test.chain.charge(&order, test.now).await, Ok(outcome));
        assert_eq!(balance(&test).micros() % dollars(10).micros(), 0);
        test.sim().faucet(owner.address(), dollars(10), test.now).unwrap();
        if fault == Fault::Drop {
            test.act(&owner, WalletAction::Deposit { amount: dollars(10) }).await.unwrap();
        }
    }
    assert_eq!(balance(&test), dollars(80));

    test.sim().inject([Fault::LoseAnswer]);
    let deposit = WalletAction::Deposit { amount: dollars(10) };
    assert!(test.chain.build(owner.address(), deposit, [9; 16], test.now).await.is_err());
    let unsigned = test.chain.build(owner.address(), deposit, [9; 16], test.now).await.unwrap();
    let signed = owner.sign(&unsigned).unwrap();
    test.sim().inject([Fault::Late(5_000), Fault::Drop]);
    for _ in 0..2 {
        assert_eq!(test.chain.submit(&signed, test.now).await, Err(ChainError::NoAnswer));
    }
    assert_eq!(test.chain.transaction(&unsigned.digest, test.now).await, Ok(TransactionStatus::Unknown));
    test.pass(5_000 + FINAL_AFTER_MS);
    let late = test.chain.transaction(&unsigned.digest, test.now).await.unwrap();
    assert!(matches!(late, TransactionStatus::Final { .. }), "{late:?}");
    assert_eq!(balance(&test), dollars(90));
}

#[tokio::test]
async fn events_are_read_page_by_page_and_each_at_least_once() {
    let mut test = TestChain::new();
    let (_, account) = test.funded(1, dollars(250)).await;
    for number in 0..20 {
        test.charge(&account, dollars(1), &number.to_string()).await;
    }
    let all = test.all_events().await;
    assert_eq!(all.len(), 22);
    let plan = FaultPlan {
        seed: 3,
        drop_permille: 200,
        duplicate_permille: 500,
        reorder_permille: 500,
        ..FaultPlan::default()
    };
    test.sim().set_fault_plan(Some(plan));
    let (mut seen, mut told, mut cursor) = (std::collections::BTreeMap::new(), 0, None);
    loop {
        let Ok(page) = test.chain.events(cursor.as_ref(), 5, test.now).await else { continue };
        told += page.events.len();
        seen.extend(page.events.into_iter().map(|event| ((event.digest.clone(), event.index), event)));
        cursor = Some(page.next);
        if !page.has_more {
            break;
        }
    }
    assert!(told > all.len(), "nothing was told twice");
    assert_eq!(seen.len(), all.len());
    assert!(all.iter().all(|event| seen.get(&(event.digest.clone(), event.index)) == Some(event)));
    test.sim().set_fault_plan(None);
    let end = test.chain.events(cursor.as_ref(), 5, test.now).await.unwrap();
    assert_eq!((end.events.len(), Some(&end.next)), (0, cursor.as_ref()));
    test.reopen();
    test.charge(&account, dollars(1), "later").await;
    assert_eq!(test.chain.events(cursor.as_ref(), 5, test.now).await.unwrap().events.len(), 1);
    let cursor = cursor.unwrap();
    let ahead = super::super::escrow::EventCursor(cursor.0.replace(":22", ":24"));
    let other = SimChain::default().events(Some(&cursor), 5, test.now).await;
    for wrong in [other, test.chain.events(Some(&ahead), 5, test.now).await] {
        assert!(matches!(wrong, Err(ChainError::UnknownCursor(_))), "{wrong:?}");
    }
}

#[tokio::test]
async fn accounts_are_found_again_without_the_ledger() {
    let mut test = TestChain::new();
    let mut expected = Vec::new();
    for number in 1..=5 {
        let (_, account) = test.funded(number, dollars(7)).await;
        expected.push(account);
    }
    expected.sort_by(|one, other| one.object_id.cmp(&other.object_id));
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = test.chain.escrow_accounts(after.as_ref(), 2, test.now).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.object_id.clone());
        found.extend(page);
    }
    assert_eq!(found, expected);
}

fn object(version: u64) -> SealKeyObject {
    let seal_key = SealKeyId::new([7; 15]);
    let process_group = ProcessGroup::new(1).unwrap();
    SealKeyObject { seal_key, version, process_group, derivation_index: 3, is_enabled: true, packages: Vec::new() }
}

#[tokio::test]
async fn an_object_is_made_once_whatever_goes_wrong() {
    let sim = SimChain::default();
    sim.inject([Fault::Drop, Fault::LoseAnswer]);
    let chain = Chain::Sim(sim);
    assert!(chain.is_simulated());
    assert_eq!(chain.put_seal_key(&object(1)).await, Err(ChainError::NoAnswer));
    let Chain::Sim(sim) = &chain;
    assert_eq!((sim.created(), sim.seal_key(&object(1).seal_key)), (0, None));
    assert_eq!(chain.put_seal_key(&object(1)).await, Err(ChainError::NoAnswer));
    let first = chain.put_seal_key(&object(1)).await.unwrap();
    let second = chain.put_seal_key(&object(2)).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(first.public_key.len(), 2 + 2 * 96);
    assert_eq!(chain.put_seal_key(&object(1)).await, Err(ChainError::Outdated { asked: 1, there: 2 }));
    assert_eq!((sim.created(), sim.seal_key(&object(1).seal_key)), (1, Some(object(2))));
}
