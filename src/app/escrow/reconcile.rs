//! The ledger's copies against the accounts on the chain, a slice at a time.
//!
//! A difference counts if it is still the same after everything that the chain has told was taken in, and while nothing
//! is under way. If it is about money, the customer is parked: nothing is guessed. What the contract alone decides (the
//! limit, and what counts against it) is taken over.

use std::collections::BTreeMap;

use tracing::{error, warn};

use crate::app::billing::{BillingFailure, carry_out, park_customer};
use crate::app::{App, AppError};
use crate::chain::escrow::EscrowAccount;
use crate::core::billing::{Event, SpendingLimit};
use crate::core::customer::WalletAddress;
use crate::core::id::CustomerId;
use crate::core::money::Usd;
use crate::core::seal_key::ObjectId;
use crate::ledger::chain_event::has_waiting_chain_events;
use crate::ledger::charge::unanswered_charges_of;
use crate::ledger::customer::{find_customer, find_customer_by_wallet};
use crate::ledger::escrow::{StoredEscrowAccount, escrow_account_of, escrow_accounts_after, put_escrow_account};
use crate::ledger::parked::parked;
use crate::ledger::{LedgerError, ReadTx, WriteTx};

/// Accounts that are compared in one go.
const SLICE: u32 = 1000;

/// What came of comparing a slice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reconciled {
    /// Where the next slice begins; `None`: at the first account.
    pub next: Option<ObjectId>,
    pub compared: usize,
    /// Whose balance differs, and who is parked for it.
    pub parked: Vec<CustomerId>,
    /// Whose limit was taken over.
    pub mended: usize,
}

/// Accounts up to one of them.
struct Slice {
    next: Option<ObjectId>,
    compared: usize,
    differences: BTreeMap<ObjectId, Difference>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Difference {
    /// The ledger has an account that the chain has not.
    NotOnChain {
        customer: CustomerId,
        books: Usd,
    },
    /// The chain has an account of a customer that no event has told of.
    NotInLedger {
        customer: CustomerId,
        chain: Usd,
    },
    Balance {
        customer: CustomerId,
        books: Usd,
        chain: Usd,
    },
    /// All but the balance.
    Limit {
        customer: CustomerId,
        chain: EscrowAccount,
    },
}

impl Difference {
    /// In a sentence; `None` if no money is missing.
    fn about_money(&self) -> Option<String> {
        match self {
            Self::Limit { .. } => None,
            Self::NotInLedger { chain, .. } => {
                Some(format!("the chain has an account with {chain} that none of its events has told of"))
            }
            Self::NotOnChain { books, .. } => {
                Some(format!("the books say that {books} lie in escrow, and the chain has no such account"))
            }
            Self::Balance { books, chain, .. } => {
                Some(format!("the books say that {books} lie in escrow, and the chain has {chain}"))
            }
        }
    }
}

impl App {
    /// Compares a slice of accounts, those after `after` or from the first.
    ///
    /// # Errors
    /// [`AppError::Chain`], [`AppError::Ledger`]; nothing is concluded then.
    pub async fn reconcile_escrow(&self, after: Option<ObjectId>) -> Result<Reconciled, AppError> {
        let first = self.compare(after.clone()).await?;
        let mut reconciled = Reconciled { next: first.next, compared: first.compared, ..Reconciled::default() };
        if first.differences.is_empty() {
            return Ok(reconciled);
        }
        self.read_chain_events().await?;
        self.take_in_chain_events().await?;
        let second = self.compare(after).await?;
        for (object, difference) in second.differences {
            if first.differences.get(&object) == Some(&difference) {
                self.settle_difference(&object, difference, &mut reconciled).await?;
            }
        }
        Ok(reconciled)
    }

    /// What differs in money between the books of a customer and the chain, by all that the chain has told until here.
    /// `None` also while something is under way that may explain a difference.
    ///
    /// # Errors
    /// [`AppError::Chain`], [`AppError::Ledger`]; nothing is known then.
    pub(in crate::app) async fn escrow_difference(&self, customer: CustomerId) -> Result<Option<String>, AppError> {
        let find = move |tx: &ReadTx<'_>| find_customer(tx, customer);
        let Some(wallet) = self.ledger.read(find).await?.map(|customer| customer.wallet_address) else {
            return Ok(None);
        };
        self.read_chain_events().await?;
        self.take_in_chain_events().await?;
        let on_chain = self.answer(self.chain.escrow_account(&wallet, self.clock.now())).await?;
        let compare = move |tx: &ReadTx<'_>| -> Result<Option<Difference>, LedgerError> {
            let different = match (escrow_account_of(tx, customer)?, on_chain) {
                (Some(known), on_chain) => difference(&known, on_chain),
                (None, Some(account)) => Some(Difference::NotInLedger { customer, chain: account.balance }),
                (None, None) => None,
            };
            Ok(if is_at_rest(tx, customer)? { different } else { None })
        };
        Ok(self.ledger.read(compare).await?.and_then(|difference| difference.about_money()))
    }

    async fn compare(&self, after: Option<ObjectId>) -> Result<Slice, AppError> {
        let now = self.clock.now();
        let on_chain = self.answer(self.chain.escrow_accounts(after.as_ref(), SLICE, now)).await?;
        Ok(self.ledger.read(move |tx| compare(tx, after.as_ref(), on_chain)).await?)
    }

    async fn settle_difference(
        &self,
        object: &ObjectId,
        difference: Difference,
        reconciled: &mut Reconciled,
    ) -> Result<(), AppError> {
        let reason = difference.about_money();
        let (customer, reason) = match (difference, reason) {
            (Difference::Limit { customer, chain }, _) => {
                warn!(%customer, %object, "the limit of an escrow account is taken over from the chain");
                self.take_over(customer, chain).await?;
                reconciled.mended = reconciled.mended.saturating_add(1);
                return Ok(());
            }
            (
                Difference::NotInLedger { customer, .. }
                | Difference::NotOnChain { customer, .. }
                | Difference::Balance { customer, .. },
                reason,
            ) => (customer, reason.unwrap_or_default()),
        };
        if self.ledger.read(move |tx| parked(tx, customer)).await?.is_some() {
            // It was said when the customer was parked.
            reconciled.parked.push(customer);
            return Ok(());
        }
        error!(%customer, %object, reason, "escrow differs from the chain: nothing is charged until a person has looked");
        let now = self.clock.now();
        self.ledger.write(move |tx| park_customer(tx, customer, reason, now)).await?;
        reconciled.parked.push(customer);
        Ok(())
    }

    async fn take_over(&self, customer: CustomerId, chain: EscrowAccount) -> Result<(), AppError> {
        let (now, tariff) = (self.clock.now(), self.tariff());
        let take_over = move |tx: &WriteTx<'_>| -> Result<(), BillingFailure> {
            let Some(known) = escrow_account_of(tx, customer)? else { return Ok(()) };
            tx.touch(customer);
            let limit = SpendingLimit::new(chain.spending_limit);
            let EscrowAccount { period, period_charged, .. } = chain;
            put_escrow_account(tx, &StoredEscrowAccount { period, period_charged, mirrored_at: now, ..known.clone() })?;
            if known.spending_limit != chain.spending_limit
                && let Ok(limit) = limit
            {
                carry_out(tx, customer, &Event::LimitChanged(limit), &tariff, now)?;
            }
            Ok(())
        };
        Ok(self.ledger.write(take_over).await?)
    }
}

fn compare(tx: &ReadTx<'_>, after: Option<&ObjectId>, on_chain: Vec<EscrowAccount>) -> Result<Slice, LedgerError> {
    let in_ledger = escrow_accounts_after(tx, after, SLICE)?;
    let chain_end = end_of(on_chain.iter().map(|account| &account.object_id));
    let ledger_end = end_of(in_ledger.iter().map(|account| &account.object_id));
    // Only as far as both are known.
    let next = match (chain_end, ledger_end) {
        (Some(chain), Some(ledger)) => Some(chain.min(ledger)),
        (end, None) | (None, end) => end,
    };
    let is_within = |object: &ObjectId| next.as_ref().is_none_or(|next| object <= next);
    let mut on_chain: BTreeMap<ObjectId, EscrowAccount> = on_chain
        .into_iter()
        .filter(|account| is_within(&account.object_id))
        .map(|account| (account.object_id.clone(), account))
        .collect();
    let mut slice = Slice { next: next.clone(), compared: 0, differences: BTreeMap::new() };
    for known in in_ledger.into_iter().filter(|known| is_within(&known.object_id)) {
        slice.compared = slice.compared.saturating_add(1);
        let account = on_chain.remove(&known.object_id);
        let object = known.object_id.clone();
        if let Some(difference) = difference(&known, account)
            && is_at_rest(tx, known.customer)?
        {
            slice.differences.insert(object, difference);
        }
    }
    for (object, account) in on_chain {
        if let Some(customer) = owner(tx, &account.owner)?
            && is_at_rest(tx, customer)?
        {
            slice.differences.insert(object, Difference::NotInLedger { customer, chain: account.balance });
        }
    }
    Ok(slice)
}

/// The last one, if there may be more.
fn end_of<'a>(objects: impl ExactSizeIterator<Item = &'a ObjectId> + DoubleEndedIterator) -> Option<ObjectId> {
    let is_full = u32::try_from(objects.len()).is_ok_and(|count| count >= SLICE);
    objects.last().filter(|_| is_full).cloned()
}

fn difference(known: &StoredEscrowAccount, chain: Option<EscrowAccount>) -> Option<Difference> {
    let (customer, books) = (known.customer, known.balance);
    let Some(chain) = chain else { return Some(Difference::NotOnChain { customer, books }) };
    let limits =
        |limit: Usd, period: i64, charged: Usd| (limit, if charged == Usd::ZERO { 0 } else { period }, charged);
    if chain.balance != books {
        Some(Difference::Balance { customer, books, chain: chain.balance })
    } else if limits(chain.spending_limit, chain.period, chain.period_charged)
        != limits(known.spending_limit, known.period, known.period_charged)
    {
        Some(Difference::Limit { customer, chain })
    } else {
        None
    }
}

fn owner(tx: &ReadTx<'_>, wallet: &WalletAddress) -> Result<Option<CustomerId>, LedgerError> {
    Ok(find_customer_by_wallet(tx, wallet)?.map(|customer| customer.customer))
}

/// Whether nothing is under way that explains a difference.
fn is_at_rest(tx: &ReadTx<'_>, customer: CustomerId) -> Result<bool, LedgerError> {
    let Some(wallet) = find_customer(tx, customer)?.map(|customer| customer.wallet_address) else { return Ok(true) };
    Ok(unanswered_charges_of(tx, customer)?.is_empty() && !has_waiting_chain_events(tx, &wallet)?)
}

/// So that what is parked can be told from what is merely late.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::UtcMillis;

    fn known(balance: i64, limit: i64, period: i64, charged: i64) -> StoredEscrowAccount {
        StoredEscrowAccount {
            customer: CustomerId::new(7).unwrap(),
            object_id: format!("0x{:064x}", 7).parse().unwrap(),
            created_at: UtcMillis(0),
            balance: Usd::from_micros(balance),
            spending_limit: Usd::from_micros(limit),
            period,
            period_charged: Usd::from_micros(charged),
            mirrored_at: UtcMillis(0),
        }
    }

    fn on_chain(balance: i64, limit: i64, period: i64, charged: i64) -> EscrowAccount {
        let StoredEscrowAccount { object_id, created_at, balance, spending_limit, period, period_charged, .. } =
            known(balance, limit, period, charged);
        let owner = format!("0x{:064x}", 9).parse().unwrap();
        EscrowAccount { object_id, owner, created_at, balance, spending_limit, period, period_charged }
    }

    #[test]
    fn money_differs_before_limits_do() {
        let word = |difference: Option<Difference>| match difference {
            None => "same",
            Some(Difference::Balance { .. }) => "balance",
            Some(Difference::Limit { .. }) => "limit",
            Some(Difference::NotOnChain { .. }) => "not on chain",
            Some(Difference::NotInLedger { .. }) => "not in ledger",
        };
        for (chain, expected) in [
            (Some(on_chain(5, 10, 0, 0)), "same"),
            (Some(on_chain(5, 10, 3, 0)), "same"),
            (Some(on_chain(6, 10, 0, 0)), "balance"),
            (Some(on_chain(6, 20, 0, 1)), "balance"),
            (Some(on_chain(5, 0, 0, 0)), "limit"),
            (Some(on_chain(5, 10, 0, 1)), "limit"),
            (None, "not on chain"),
        ] {
            assert_eq!(word(difference(&known(5, 10, 0, 0), chain.clone())), expected, "{chain:?}");
        }
    }
}
