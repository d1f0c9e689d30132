//! The vault files of a folder, as a gateway takes them: the newest that is what it claims to be, never an older one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::core::calendar::UtcMillis;
use crate::core::vault::file::{BadFile, Header, MAX_FILE_BYTES, VaultHash, VaultOpener};
use crate::core::vault::{ApiVault, Content, Purpose, VaultCode};

/// What follows the sequence in a file's name.
const ENDING: &str = ".vault";
const SEQUENCE_DIGITS: usize = 9;

/// A vault that was verified and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub sequence: u64,
    pub hash: VaultHash,
    pub created: UtcMillis,
    pub content: ApiVault,
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
    #[error("cannot read the vault {path}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the vault {path} is not taken: {source}")]
    Bad { path: PathBuf, source: BadFile },
    #[error("the vault {path} is not taken: it is another one than its name says")]
    Misnamed { path: PathBuf },
    #[error("the vault {path} is not taken: it does not follow the vault {before} that was taken")]
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
/// That of the folder. One that does not exist has none.
pub fn list(folder: &Path) -> io::Result<BTreeMap<VaultCode, Vec<u64>>> {
    let mut vaults: BTreeMap<VaultCode, Vec<u64>> = BTreeMap::new();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vaults),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        let Some((code, sequence)) = name.to_str().and_then(read_name) else { continue };
        if code.purpose() == Purpose::Api {
            vaults.entry(code).or_default().push(sequence);
        }
    }
    vaults.values_mut().for_each(|sequences| sequences.sort_unstable());
    Ok(vaults)
}

/// The name of a vault's file.
pub fn file_name(code: VaultCode, sequence: u64) -> String {
    format!("{code}-{sequence:0SEQUENCE_DIGITS$}{ENDING}")
}

fn read_name(name: &str) -> Option<(VaultCode, u64)> {
    let (code, digits) = name.strip_suffix(ENDING)?.split_once('-')?;
    let is_number = digits.len() == SEQUENCE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((code.parse().ok()?, digits.parse().ok().filter(|_| is_number)?))
}

/// The newest vault of a code that comes after `after` and is what it claims to be. Blocks.
pub fn newest(folder: &Path, code: VaultCode, sequences: &[u64], after: Option<Mark>, opener: &VaultOpener) -> Search {
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
    folder: &Path,
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
        let path = folder.join(file_name(code, sequence));
        let bytes = read(&path)?;
        let (header, hash) = opener.verify(&bytes).map_err(|source| NotTaken::Bad { path: path.clone(), source })?;
        if hash != previous {
            return Err(NotTaken::NotInChain { path: folder.join(file_name(code, held.sequence)), before: sequence });
        }
        previous = header.previous;
    }
    if previous == known {
        Ok(())
    } else {
        Err(NotTaken::NotInChain { path: folder.join(file_name(code, held.sequence)), before: begin })
    }
}

fn open(folder: &Path, code: VaultCode, sequence: u64, opener: &VaultOpener) -> Result<(Held, Header), NotTaken> {
    let path = folder.join(file_name(code, sequence));
    let bytes = read(&path)?;
    let opened = opener.open(&bytes).map_err(|source| NotTaken::Bad { path: path.clone(), source })?;
    let (header, hash) = (opened.header, opened.hash);
    match opened.content {
        Content::Api(content) if header.code == code && header.sequence == sequence => {
            Ok((Held { sequence, hash, created: header.created, content }, header))
        }
        _ => Err(NotTaken::Misnamed { path }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, NotTaken> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|source| NotTaken::Unreadable { path: path.to_owned(), source })
}
