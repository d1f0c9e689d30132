//! What is kept in memory from one update of vaults to the next.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Network};
use crate::core::vault::decide::{CustomerFacts, Decided, TierTerms, decide};
use crate::core::vault::sequence::Version;
use crate::core::vault::text::{BadLine, Entry};
use crate::core::vault::{Picture, Purpose, VaultCode};

/// The contents of all vaults as they should be, and what is known of their files. Losing it costs a full build.
pub struct VaultBuilder {
    pub(super) vaults: BTreeMap<VaultCode, Built>,
    /// The last change that the contents hold.
    pub(super) change: u64,
    /// When they were brought up to date; `None`: never.
    pub(super) as_of: Option<UtcMillis>,
    /// Whether the contents are those of everybody.
    pub(super) is_complete: bool,
    /// Whether what is known of the files is true.
    pub(super) knows_files: bool,
    /// When time alone changes whose entries next.
    due: BTreeSet<(UtcMillis, CustomerId)>,
    due_of: BTreeMap<CustomerId, UtcMillis>,
}

/// One vault.
pub(super) struct Built {
    pub picture: Picture,
    /// Whether the newest file may say something else.
    pub is_stale: bool,
    /// The newest that the ledger has noted.
    pub noted: Option<Version>,
    /// The newest whole file.
    pub file: Option<Version>,
    /// The sequence of the highest damaged file beyond that; 0: there is none.
    pub damaged: u64,
}

impl Default for VaultBuilder {
    fn default() -> Self {
        let built = |code| Built { picture: Picture::new(code), is_stale: true, noted: None, file: None, damaged: 0 };
        Self {
            vaults: VaultCode::ALL.into_iter().map(|code| (code, built(code))).collect(),
            change: 0,
            as_of: None,
            is_complete: false,
            knows_files: false,
            due: BTreeSet::new(),
            due_of: BTreeMap::new(),
        }
    }
}

impl VaultBuilder {
    /// Whose entries time has changed.
    pub(super) fn due_customers(&self, now: UtcMillis) -> BTreeSet<CustomerId> {
        self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, customer)| *customer).collect()
    }

    /// Takes in what was read of these customers: those of whom nothing was read are in no vault.
    pub(super) fn take_some(
        &mut self,
        customers: &BTreeSet<CustomerId>,
        facts: &[CustomerFacts],
        reading: &Reading,
    ) -> Taken {
        let mut taken = Taken::default();
        let known: BTreeMap<CustomerId, &CustomerFacts> = facts.iter().map(|facts| (facts.customer, facts)).collect();
        for customer in customers {
            let decided = known.get(customer).map(|facts| decide(facts, &reading.terms, reading.now));
            self.put(*customer, &decided.unwrap_or_default(), reading.seal_network, &mut taken);
        }
        taken
    }

    /// Takes in what was read of everybody.
    pub(super) fn take_all(&mut self, facts: &[CustomerFacts], reading: &Reading) -> Taken {
        let mut gone: BTreeSet<CustomerId> = self.vaults.values().flat_map(|built| built.picture.customers()).collect();
        let mut taken = Taken::default();
        for facts in facts {
            gone.remove(&facts.customer);
            let decided = decide(facts, &reading.terms, reading.now);
            self.put(facts.customer, &decided, reading.seal_network, &mut taken);
        }
        for customer in gone {
            self.put(customer, &Decided::default(), reading.seal_network, &mut taken);
        }
        self.is_complete = true;
        taken
    }

    fn put(&mut self, customer: CustomerId, decided: &Decided, seal_network: Network, taken: &mut Taken) {
        for (code, built) in &mut self.vaults {
            match code.purpose() {
                Purpose::Api => built.put(customer, decided.api.get(code), taken),
                Purpose::SealKeys if code.network() == seal_network => {
                    built.put(customer, decided.seal.as_ref(), taken);
                }
                Purpose::SealKeys => {}
            }
        }
        self.set_due(customer, decided.changes_at);
    }

    fn set_due(&mut self, customer: CustomerId, at: Option<UtcMillis>) {
        let before = match at {
            Some(at) => self.due_of.insert(customer, at),
            None => self.due_of.remove(&customer),
        };
        if let Some(before) = before {
            self.due.remove(&(before, customer));
        }
        self.due.extend(at.map(|at| (at, customer)));
    }
}

impl Built {
    /// A customer whose line nobody could read is in no vault: gateways would refuse all of it.
    fn put<E: Entry>(&mut self, customer: CustomerId, entry: Option<&E>, taken: &mut Taken) {
        let set = self.picture.set(customer, entry).or_else(|reason| {
            taken.refused.insert(customer, reason);
            self.picture.set::<E>(customer, None)
        });
        if set == Ok(true) {
            self.is_stale = true;
            taken.changed.insert(customer);
        }
    }
}

/// What has come of what was read.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Whose entries have changed.
    pub changed: BTreeSet<CustomerId>,
    /// Whose entries cannot be in a vault.
    pub refused: BTreeMap<CustomerId, BadLine>,
}

/// What goes for everybody whose facts were read together.
pub(super) struct Reading {
    pub terms: TierTerms,
    pub now: UtcMillis,
    pub seal_network: Network,
}
