//! Random histories, with everything going wrong that can: what must hold after each step, holds.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const WALLETS: u64 = 3;

#[derive(Debug, Clone)]
enum Step {
    Faucet(u64, i32),
    Deposit(u64, i32),
    Withdraw(u64, i32),
    Limit(u64, i32),
    /// Wallet, dollars, number of the key: few, so that they come again.
    Charge(u64, i32, u8),
    Credit(u64, i32, u8),
    Pass(i64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let wallet = 1..=WALLETS;
    prop_oneof![
        1 => (wallet.clone(), 1..400_i32).prop_map(|(wallet, amount)| Step::Faucet(wallet, amount)),
        3 => (wallet.clone(), -5..300_i32).prop_map(|(wallet, amount)| Step::Deposit(wallet, amount)),
        2 => (wallet.clone(), -5..300_i32).prop_map(|(wallet, amount)| Step::Withdraw(wallet, amount)),
        1 => (wallet.clone(), -5..400_i32).prop_map(|(wallet, limit)| Step::Limit(wallet, limit)),
        6 => (wallet.clone(), -5..200_i32, 0..8_u8).prop_map(|(wallet, amount, key)| Step::Charge(wallet, amount, key)),
        2 => (wallet, -5..200_i32, 0..12_u8).prop_map(|(wallet, amount, key)| Step::Credit(wallet, amount, key)),
        3 => prop_oneof![0..2_000_i64, Just(PERIOD_MS), Just(PERIOD_MS / 3)].prop_map(Step::Pass),
        1 => Just(Step::Reopen),
    ]
}

/// What was learnt from outside.
#[derive(Default)]
struct Observer {
    outcomes: BTreeMap<String, (EscrowOrder, bool, OrderOutcome)>,
    nonce: u8,
}

impl Observer {
    async fn take(&mut self, test: &mut TestChain, step: &Step, plan: FaultPlan) {
        match *step {
            Step::Faucet(number, amount) => {
                test.sim().faucet(wallet(number).address(), dollars(amount), test.now).unwrap();
            }
            Step::Deposit(number, amount) => {
                self.submit(test, number, WalletAction::Deposit { amount: dollars(amount) }).await;
            }
            Step::Withdraw(number, amount) => {
                self.submit(test, number, WalletAction::Withdraw { amount: dollars(amount) }).await;
            }
            Step::Limit(number, limit) => {
                self.submit(test, number, WalletAction::SetSpendingLimit { limit: dollars(limit) }).await;
            }
            Step::Charge(number, amount, key) => self.order(test, number, amount, key, true).await,
            Step::Credit(number, amount, key) => self.order(test, number, amount, key, false).await,
            Step::Pass(ms) => test.pass(ms),
            Step::Reopen => {
                test.reopen();
                test.sim().set_fault_plan(Some(plan));
            }
        }
    }

    /// Handed in once, or twice if there is no answer; sometimes nobody looks after it.
    async fn submit(&mut self, test: &TestChain, number: u64, action: WalletAction) {
        self.nonce = self.nonce.wrapping_add(1);
        let owner = wallet(number);
        let Ok(unsigned) = test.chain.build(owner.address(), action, [self.nonce; 16], test.now).await else { return };
        let signed = owner.sign(&unsigned).unwrap();
        for _ in 0..2 {
            if test.chain.submit(&signed, test.now).await.is_ok() {
                return;
            }
        }
    }

    /// One outcome for each key, whoever asks how often.
    async fn order(&mut self, test: &TestChain, number: u64, amount: i32, key: u8, is_charge: bool) {
        let owner = wallet(number);
        let object_id = super::super::world::object_of(owner.address()).unwrap();
        let order = EscrowOrder { account: object_id, amount: dollars(amount), key: key.to_string() };
        let answer = if is_charge {
            test.chain.charge(&order, test.now).await
        } else {
            test.chain.credit(&order, test.now).await
        };
        let Ok(outcome) = answer else { return };
        if outcome == OrderOutcome::Refused(Refusal::KeyReused) {
            return;
        }
        let (known, was_charge, first) =
            self.outcomes.entry(order.key.clone()).or_insert_with(|| (order.clone(), is_charge, outcome.clone()));
        // An account that is not there yet has no name on the chain: such a refusal is the same for every wallet.
        let same = first == &outcome && known.amount == order.amount && *was_charge == is_charge;
        assert!(same, "{known:?} {first:?}, then {order:?} {outcome:?}");
    }
}

/// From the events alone: each key once, each balance as told, and no period beyond the limit that was set.
fn check_events(events: &[EscrowEvent], accounts: &[EscrowAccount]) {
    let mut keys = BTreeMap::new();
    for account in accounts {
        let (mut balance, mut limit, mut period, mut charged) = (0, DEFAULT_SPENDING_LIMIT, 0, 0);
        for event in events.iter().filter(|event| event.account == account.object_id) {
            let amount = event.amount.micros();
            match &event.kind {
                EventKind::Created => assert_eq!((balance, event.at), (0, account.created_at)),
                EventKind::Deposited => balance += amount,
                EventKind::Withdrawn => balance -= amount,
                EventKind::Credited { key } => {
                    balance += amount;
                    *keys.entry(key).or_insert(0) += 1;
                }
                EventKind::SpendingLimitSet => limit = event.amount,
                EventKind::Charged { key } => {
                    balance -= amount;
                    *keys.entry(key).or_insert(0) += 1;
                    let current = (event.at.0 - account.created_at.0) / (28 * 86_400_000);
                    charged = if current == period { charged + amount } else { amount };
                    period = current;
                    assert!(limit == Usd::ZERO || charged <= limit.micros(), "{charged} of {limit} in period {period}");
                }
            }
            assert_eq!(event.balance.micros(), balance);
            assert!(balance >= 0);
        }
        assert_eq!(account.balance.micros(), balance);
    }
    assert!(keys.values().all(|times| *times == 1), "{keys:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn usdc_is_conserved_and_a_key_moves_it_once(
        steps in proptest::collection::vec(step(), 0..80),
        seed in any::<u64>(),
        often in 0..250_u32,
    ) {
        let plan = FaultPlan {
            seed,
            drop_permille: often,
            lose_answer_permille: often,
            late_permille: often,
            late_up_to_ms: 10_000,
            ..FaultPlan::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut test = TestChain::new();
            let mut observer = Observer::default();
            test.sim().set_fault_plan(Some(plan));
            for step in &steps {
                observer.take(&mut test, step, plan).await;
                assert!(test.sim().state().world.is_conserved(), "after {step:?}");
            }
            // Whatever is still under way arrives.
            test.sim().set_fault_plan(None);
            test.pass(20_000);
            let accounts = test.chain.escrow_accounts(None, 1000, test.now).await.unwrap();
            let events = test.all_events().await;
            check_events(&events, &accounts);
            for (order, is_charge, outcome) in observer.outcomes.values() {
                let (asked, happened) = (matches!(outcome, OrderOutcome::Done(_)), events.iter().any(|event| {
                    let charged = event.kind == EventKind::Charged { key: order.key.clone() };
                    let credited = event.kind == EventKind::Credited { key: order.key.clone() };
                    event.amount == order.amount && if *is_charge { charged } else { credited }
                }));
                assert_eq!(asked, happened, "{order:?} {outcome:?}");
            }
            test.reopen();
            assert_eq!(test.all_events().await, events);
            assert!(test.sim().state().world.is_conserved());
        });
    }
}
