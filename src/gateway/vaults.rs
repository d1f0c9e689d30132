//! The vault files of a folder, as a gateway takes them: the newest that is what it claims to be, never an older one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::core::calendar::UtcMillis;
use crate::core::vault::file::{BadFile, Header, VaultHash, VaultOpener};
use crate::core::vault::sync::Applied;
use crate::core::vault::{ApiVault, Content, Purpose, VaultCode};
use crate::seal::{SealError, VaultFile, VaultFolder};

/// A vault that was verified and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub sequence: u64,
    pub hash: VaultHash,
    pub created: UtcMillis,
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
    #[error(
        "the vault {path} is not taken: it does not follow the vault {before} that was taken; if the ledger was restored \
         from a backup, start this process again"
    )]
    NotInChain { path: PathBuf, before: u64 },
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
        match open(folder, code, sequence, opener).and_then(|held| {
            follows(folder, code, &held, sequences, after, opener)?;
            Ok(held.0)
        }) {
            Ok(held) => {
                search.found = Some(held);
                break;
            }
            Err(reason) => search.refused.push(reason),
        }
    }
    search
}

/// Goes back from a vault to the mark, as far as the files in between are there: each names the one before it.
fn follows(
    folder: &VaultFolder,
    code: VaultCode,
    (held, header): &(Held, Header),
    sequences: &[u64],
    after: Option<Mark>,
    opener: &VaultOpener,
) -> Result<(), NotTaken> {
    let Some(Mark { sequence: begin, hash: Some(known) }) = after else { return Ok(()) };
    let mut previous = header.previous;
    for sequence in (begin + 1..held.sequence).rev() {
        // The newest twenty are kept: whoever was away for longer has only the signature.
        if sequences.binary_search(&sequence).is_err() {
            return Ok(());
        }
        let path = folder.path_of(code, sequence);
        let bytes = folder.read(code, sequence)?;
        let (header, hash) = opener.verify(&bytes).map_err(|source| NotTaken::Bad { path: path.clone(), source })?;
        if hash != previous {
            return Err(NotTaken::NotInChain { path: folder.path_of(code, held.sequence), before: sequence });
        }
        previous = header.previous;
    }
    if previous == known {
        Ok(())
    } else {
        Err(NotTaken::NotInChain { path: folder.path_of(code, held.sequence), before: begin })
    }
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
            Ok((Held { sequence, hash, created: header.created, content }, header))
        }
        _ => Err(NotTaken::Misnamed { path }),
    }
}
