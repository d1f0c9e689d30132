//! The activity log: everything that was done to an account, chained by hashes so that what is changed, left out or
//! put in later shows.
//!
//! ```text
//! hash(n) = SHA-256( label ‖ hash(n−1) ‖ each column with its length in front ),   hash(0) = 32 zero bytes
//! ```
//!
//! A chain cannot tell that its newest entries are missing: whoever wants to know that keeps the newest hash elsewhere
//! and compares.

use sha2::{Digest, Sha256};

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;

const LABEL: &[u8] = b"suiftly activity 1";

/// A link of the chain.
pub type Hash = [u8; 32];

/// What the first entry follows.
pub const GENESIS: Hash = [0; 32];

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Whose account; `None` for what the operator does to the whole.
    pub customer: Option<CustomerId>,
    pub at: UtcMillis,
    /// `wallet`, the id of a session or token, `operator` or `system`.
    pub actor: String,
    /// Where the request came from; empty without a request.
    pub ip: String,
    /// A verb and its noun, such as `api_key.create`.
    pub action: String,
    /// What it was done to: an id, or the name of a service.
    pub subject: String,
    /// What changed, as a JSON object. Never a secret.
    pub details: String,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainedActivity {
    /// From 1, without gaps.
    pub number: u64,
    pub activity: Activity,
    pub previous_hash: Hash,
    pub hash: Hash,
}

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    #[error("entry {expected} is missing: entry {found} follows")]
    Gap { expected: u64, found: u64 },
    #[error("entry {number} does not follow the entry before it: one of them was replaced")]
    Link { number: u64 },
    #[error("entry {number} was changed: its hash is not that of its content")]
    Content { number: u64 },
    #[error("entry {number} is the newest, and its hash is not the expected one")]
    Head { number: u64 },
}

impl ChainedActivity {
    /// The entry that follows `previous` (the last number and hash; 0 and [`GENESIS`] at the beginning).
    pub fn after((number, previous_hash): (u64, Hash), activity: Activity) -> Self {
        let number = number.saturating_add(1);
        let hash = hash(number, &previous_hash, &activity);
        Self { number, activity, previous_hash, hash }
    }

    /// Checks one entry against the one before it, and gives what the next one follows.
    ///
    /// # Errors
    /// [`BrokenChain`], by what is wrong first.
    pub fn check_after(&self, (number, previous_hash): (u64, Hash)) -> Result<(u64, Hash), BrokenChain> {
        let expected = number.saturating_add(1);
        if self.number != expected {
            return Err(BrokenChain::Gap { expected, found: self.number });
        }
        if self.previous_hash != previous_hash {
            return Err(BrokenChain::Link { number: self.number });
        }
        if self.hash != hash(self.number, &self.previous_hash, &self.activity) {
            return Err(BrokenChain::Content { number: self.number });
        }
        Ok((self.number, self.hash))
    }
}

fn hash(number: u64, previous: &Hash, activity: &Activity) -> Hash {
    let Activity { customer, at, actor, ip, action, subject, details } = activity;
    let customer = customer.map_or(0, CustomerId::get);
    let mut digest = Sha256::new();
    digest.update(LABEL);
    digest.update(previous);
    digest.update(number.to_be_bytes());
    digest.update(customer.to_be_bytes());
    digest.update(at.0.to_be_bytes());
    for text in [actor, ip, action, subject, details] {
        // With its length in front, a text cannot lend its end to the next one.
        digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(text.as_bytes());
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(subject: &str) -> Activity {
        Activity {
            customer: CustomerId::new(7),
            at: UtcMillis(1_000),
            actor: "wallet".to_owned(),
            ip: "203.0.113.9".to_owned(),
            action: "api_key.create".to_owned(),
            subject: subject.to_owned(),
            details: "{}".to_owned(),
        }
    }

    fn chain(length: u64) -> Vec<ChainedActivity> {
        let mut last = (0, GENESIS);
        let numbers = 0..length;
        numbers
            .map(|number| {
                let next = ChainedActivity::after(last, entry(&format!("key_{number}")));
                last = (next.number, next.hash);
                next
            })
            .collect()
    }

    fn check(chain: &[ChainedActivity]) -> Result<(u64, Hash), BrokenChain> {
        chain.iter().try_fold((0, GENESIS), |last, entry| entry.check_after(last))
    }

    #[test]
    fn a_chain_that_nobody_touched_holds() {
        let chain = chain(5);
        assert_eq!(check(&chain), Ok((5, chain[4].hash)));
        assert_eq!(check(&[]), Ok((0, GENESIS)));
    }

    #[test]
    fn whatever_is_changed_shows() {
        let changes: [fn(&mut Activity); 7] = [
            |activity| activity.customer = None,
            |activity| activity.at = UtcMillis(1_001),
            |activity| activity.actor.push('x'),
            |activity| activity.ip.clear(),
            |activity| activity.action.push('x'),
            |activity| activity.subject.push('x'),
            |activity| activity.details = "{ }".to_owned(),
        ];
        for change in changes {
            let mut chain = chain(4);
            change(&mut chain[2].activity);
            assert_eq!(check(&chain), Err(BrokenChain::Content { number: 3 }));
        }
    }

    #[test]
    fn what_moves_between_two_texts_shows() {
        let mut chain = chain(1);
        chain[0].activity.action = "api_key.creat".to_owned();
        chain[0].activity.subject.insert(0, 'e');
        assert_eq!(check(&chain), Err(BrokenChain::Content { number: 1 }));
    }

    #[test]
    fn what_is_left_out_put_in_or_replaced_shows() {
        let mut shorter = chain(4);
        shorter.remove(1);
        assert_eq!(check(&shorter), Err(BrokenChain::Gap { expected: 2, found: 3 }));
        let mut replaced = chain(4);
        replaced[1] = ChainedActivity::after((1, replaced[0].hash), entry("another"));
        assert_eq!(check(&replaced), Err(BrokenChain::Link { number: 3 }));
    }
}
