//! The vault files of a folder, as a gateway takes them: the newest that is what it claims to be, never an older one.
//!
//! What decides is the signature, which only the primary can make, and the sequence, which only grows: nobody can make a
//! vault, and none that was in force before comes into force again. That each vault names the one before it decides nothing
//! here, it only tells when history has parted: a primary that was restored from a backup does not know the last vaults that
//! it has signed, and goes on beyond them from an older one. Refusing what does not follow would leave gateways with the
//! limits of the lost days until somebody restarts them.
//!
//! What that opens: vaults that the primary signed before it was restored, beyond the sequence where the gateway is, and
//! that never reached this gateway. Whoever has kept such a file, and can write to this folder or stand in for the primary
//! in its TLS, can have it obeyed, as they could at a gateway that was away for more than the files that are kept. It does not
//! last: the primary does not know the version that the gateway then tells, and answers with a higher one within one poll.
//! Whoever can write to the folder can do more harm with HAProxy's map files, which nothing signs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::core::calendar::UtcMillis;
use crate::core::vault::file::{BadFile, Header, VaultHash, VaultOpener};
use crate::core::vault::sync::Applied;
use crate::core::vault::{ApiVault, Content, Purpose, VaultCode, VaultProof};
use crate::seal::{SealError, VaultFile, VaultFolder};

/// A vault that was verified and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub sequence: u64,
    pub hash: VaultHash,
    pub created: UtcMillis,
    /// That the primary has made it.
    pub proof: VaultProof,
    pub content: ApiVault,
}

impl Held {
    /// Its sequence and hash.
    pub fn version(&self) -> Applied {
        Applied { sequence: self.sequence, hash: self.hash }
    }
}

/// Up to which vault a gateway has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub sequence: u64,
    /// Not known of a vault that was taken before this process began.
    pub hash: Option<VaultHash>,
}

/// A file that is not taken, and why.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error(transparent)]
    Unreadable(#[from] SealError),
    #[error("the vault {path} is not taken: {source}")]
    Bad { path: PathBuf, source: BadFile },
    #[error("the vault {path} is not taken: it is another one than its name says")]
    Misnamed { path: PathBuf },
}

/// What was found of one code.
#[derive(Debug, Default)]
pub struct Search {
    /// The newest vault after the mark that may be taken.
    pub found: Option<Held>,
    /// The highest sequence that a file's name has.
    pub highest: u64,
    /// Newer files that were passed over.
    pub refused: Vec<NotTaken>,
    /// The sequence after which history has parted between the mark and what was found: the primary was restored.
    pub parted_after: Option<u64>,
}

/// The sequences of a folder's API vaults by code, as names of files say. Blocks.
///
/// # Errors
/// That of the folder.
pub fn list(folder: &VaultFolder) -> Result<BTreeMap<VaultCode, Vec<u64>>, SealError> {
    let mut vaults: BTreeMap<VaultCode, Vec<u64>> = BTreeMap::new();
    for VaultFile { code, sequence, .. } in folder.list()? {
        if code.purpose() == Purpose::Api {
            vaults.entry(code).or_default().push(sequence);
        }
    }
    Ok(vaults)
}

/// The newest vault of a code that comes after `after` and is what it claims to be. Blocks.
pub fn newest(
    folder: &VaultFolder,
    code: VaultCode,
    sequences: &[u64],
    after: Option<Mark>,
    opener: &VaultOpener,
) -> Search {
    let begin = after.map_or(0, |mark| mark.sequence);
    let mut search = Search { highest: sequences.last().copied().unwrap_or(0), ..Search::default() };
    for &sequence in sequences.iter().rev().take_while(|sequence| **sequence > begin) {
        match open(folder, code, sequence, opener) {
            Ok((held, header)) => {
                search.parted_after =
                    after.and_then(|mark| parted_after(folder, code, (held.sequence, &header), mark, opener));
                search.found = Some(held);
                break;
            }
            Err(reason) => search.refused.push(reason),
        }
    }
    search
}

/// Goes back from a vault to the mark, as far as the files in between are there and whole: each names the one before it.
/// `None`: nothing that is there contradicts.
fn parted_after(
    folder: &VaultFolder,
    code: VaultCode,
    (found, header): (u64, &Header),
    mark: Mark,
    opener: &VaultOpener,
) -> Option<u64> {
    let known = mark.hash?;
    let mut previous = header.previous;
    for sequence in (mark.sequence.saturating_add(1)..found).rev() {
        // The newest twenty are kept: whoever was away for longer cannot know.
        let (header, hash) = opener.verify(&folder.read(code, sequence).ok()?).ok()?;
        if hash != previous {
            return Some(sequence);
        }
        previous = header.previous;
    }
    (previous != known).then_some(mark.sequence)
}

fn open(
    folder: &VaultFolder,
    code: VaultCode,
    sequence: u64,
    opener: &VaultOpener,
) -> Result<(Held, Header), NotTaken> {
    let path = folder.path_of(code, sequence);
    let bytes = folder.read(code, sequence)?;
    let opened = opener.open(&bytes).map_err(|source| NotTaken::Bad { path: path.clone(), source })?;
    let (header, hash) = (opened.header, opened.hash);
    match opened.content {
        Content::Api(content) if header.code == code && header.sequence == sequence => {
            Ok((Held { sequence, hash, created: header.created, proof: opened.proof, content }, header))
        }
        _ => Err(NotTaken::Misnamed { path }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::haproxy_map::{KeyHash, LimitEntry};
    use crate::core::id::{CustomerId, Network, Service};
    use crate::core::tier::Tier;
    use crate::core::vault::{ApiEntry, Limits, NewVault, Picture, Status, VaultKey, VaultSealer};

    const CODE: VaultCode = VaultCode::api(Service::Seal, Network::Mainnet);

    /// A primary with a folder of a gateway.
    struct Place {
        _folder: tempfile::TempDir,
        folder: VaultFolder,
        sealer: VaultSealer,
        opener: VaultOpener,
    }

    impl Place {
        fn new() -> Self {
            let place = tempfile::tempdir().unwrap();
            let folder = VaultFolder::open(place.path()).unwrap();
            let sealer = VaultSealer::new((1, [7; 32]), &[8; 32]);
            let opener = VaultOpener::new([(1, [7; 32])], sealer.public_key());
            Self { _folder: place, folder, sealer, opener }
        }

        /// Writes a vault with one customer, whose rate is the content.
        fn write(&self, sequence: u64, rate: u32, previous: VaultHash) -> VaultHash {
            self.write_as(&self.sealer, sequence, rate, previous)
        }

        fn write_as(&self, sealer: &VaultSealer, sequence: u64, rate: u32, previous: VaultHash) -> VaultHash {
            let mut picture = Picture::new(CODE);
            let limits = Limits { burst_priority: 1, ..LimitEntry::new(rate, 0).limits };
            let keys = vec![VaultKey { sha256: KeyHash::of("x"), fingerprint: 1, expires_at: None }];
            let entry = ApiEntry { tier: Tier::Pro, status: Status::On, limits, keys, allowlist: None };
            picture.set(CustomerId::new(7).unwrap(), Some(&entry)).unwrap();
            let new = NewVault { code: CODE, sequence, created: UtcMillis(1), previous };
            let (bytes, hash) = sealer.seal(&new, picture.pack().unwrap(), [9; 12]).unwrap();
            self.folder.write(CODE, sequence, &bytes).unwrap();
            hash
        }

        fn newest(&self, after: Option<(u64, VaultHash)>) -> Search {
            let sequences = list(&self.folder).unwrap().remove(&CODE).unwrap_or_default();
            let mark = after.map(|(sequence, hash)| Mark { sequence, hash: Some(hash) });
            newest(&self.folder, CODE, &sequences, mark, &self.opener)
        }
    }

    /// What was found, where history has parted, and how many were passed over.
    fn told(search: &Search) -> (Option<u64>, Option<u64>, usize) {
        (search.found.as_ref().map(|held| held.sequence), search.parted_after, search.refused.len())
    }

    #[test]
    fn what_follows_is_taken_and_nothing_older_ever() {
        let place = Place::new();
        let first = place.write(1, 10, VaultHash::NONE);
        let second = place.write(2, 20, first);
        let third = place.write(3, 30, second);
        assert_eq!(told(&place.newest(None)), (Some(3), None, 0));
        assert_eq!(told(&place.newest(Some((1, first)))), (Some(3), None, 0));
        assert_eq!(told(&place.newest(Some((3, third)))), (None, None, 0));
        assert_eq!(told(&place.newest(Some((4, VaultHash([4; 32]))))), (None, None, 0));
        // Who was away for more than the files that are kept.
        std::fs::remove_file(place.folder.path_of(CODE, 2)).unwrap();
        assert_eq!(told(&place.newest(Some((1, first)))), (Some(3), None, 0));
    }

    #[test]
    fn a_restored_primary_goes_on_beyond_and_its_older_vaults_are_not_taken() {
        let place = Place::new();
        let second = place.write(2, 20, VaultHash::NONE);
        let lost = (5, VaultHash([5; 32]));
        // It has made another 3 before it was heard that the gateway is at 5.
        let third = place.write(3, 31, second);
        assert_eq!(told(&place.newest(Some(lost))), (None, None, 0), "an older sequence, whatever it follows");
        let sixth = place.write(6, 60, third);
        assert_eq!(told(&place.newest(Some(lost))), (Some(6), Some(5), 0));
        place.write(7, 70, sixth);
        assert_eq!(told(&place.newest(Some(lost))), (Some(7), Some(5), 0));
        assert_eq!(told(&place.newest(Some((6, sixth)))), (Some(7), None, 0), "and from there on it follows");
        // It was restored twice: what lies between names others.
        place.write(8, 80, VaultHash([1; 32]));
        assert_eq!(told(&place.newest(Some(lost))), (Some(8), Some(7), 0));
    }

    #[test]
    fn what_another_has_signed_is_not_taken_whatever_its_sequence() {
        let place = Place::new();
        let first = place.write(1, 10, VaultHash::NONE);
        place.write_as(&VaultSealer::new((1, [7; 32]), &[66; 32]), 9, 90, first);
        let search = place.newest(Some((1, first)));
        assert_eq!((told(&search), search.highest), ((None, None, 1), 9));
        place.write(2, 20, first);
        assert_eq!(told(&place.newest(Some((1, first)))), (Some(2), None, 1));
    }
}
