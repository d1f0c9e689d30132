//! A simulated chain: remembers nothing beyond the process, and derives object ids and public keys from names, so that
//! whatever is repeated after a restart comes out the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{ChainError, RegisteredSealKey, SealKeyObject};
use crate::core::id::SealKeyId;
use crate::core::seal_key::ObjectId;

/// How one operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not done.
    Drop,
    /// It is done, and the answer is lost.
    LoseAnswer,
    /// It is not answered for so many milliseconds, then done.
    Delay(u64),
}

/// The simulated chain.
#[derive(Debug, Default)]
pub struct SimChain {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seal_keys: BTreeMap<SealKeyId, SealKeyObject>,
    faults: VecDeque<Fault>,
    /// Objects that were made; there is never a second one for the same key.
    created: u64,
}

impl SimChain {
    /// The next operations go wrong like this, in turn.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// What the chain knows of a Seal key.
    pub fn seal_key(&self, key: &SealKeyId) -> Option<SealKeyObject> {
        self.state().seal_keys.get(key).cloned()
    }

    /// How many objects of Seal keys were made.
    pub fn created(&self) -> u64 {
        self.state().created
    }

    pub(super) async fn put_seal_key(&self, object: &SealKeyObject) -> Result<RegisteredSealKey, ChainError> {
        let fault = self.state().faults.pop_front();
        match fault {
            Some(Fault::Drop) => return Err(ChainError::NoAnswer),
            Some(Fault::Delay(ms)) => tokio::time::sleep(std::time::Duration::from_millis(ms)).await,
            Some(Fault::LoseAnswer) | None => {}
        }
        let registered = self.put(object)?;
        if fault == Some(Fault::LoseAnswer) { Err(ChainError::NoAnswer) } else { Ok(registered) }
    }

    fn put(&self, object: &SealKeyObject) -> Result<RegisteredSealKey, ChainError> {
        let mut state = self.state();
        match state.seal_keys.get(&object.seal_key) {
            Some(known) if known.version > object.version => {
                return Err(ChainError::Outdated { asked: object.version, there: known.version });
            }
            Some(_) => {}
            None => state.created += 1,
        }
        state.seal_keys.insert(object.seal_key.clone(), object.clone());
        registered(object)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn registered(object: &SealKeyObject) -> Result<RegisteredSealKey, ChainError> {
    let object_id: ObjectId =
        format!("0x{}", digest("object", object.seal_key.as_str())).parse().map_err(|_| ChainError::NoAnswer)?;
    let key = format!("{}/{}", object.process_group.get(), object.derivation_index);
    let digits: String = ["a", "b", "c"].iter().map(|part| digest(part, &key)).collect();
    Ok(RegisteredSealKey { object_id, public_key: format!("0x{digits}") })
}

fn digest(what: &str, of: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("suiftly simulated chain: {what} of {of}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Chain;
    use crate::core::api_key::ProcessGroup;

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
}
