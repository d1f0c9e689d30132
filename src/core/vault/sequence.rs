//! Which sequence comes next, and whether one does.
//!
//! Files are written first and noted in the ledger afterwards, so either can be behind the other: after a crash between
//! the two, after either was restored from a backup, after a file was damaged. What is higher counts, wherever it is
//! known from, because gateways refuse to go back.

use super::file::VaultHash;

/// A version of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub sequence: u64,
    pub hash: VaultHash,
    pub content_sha256: [u8; 32],
}

/// What is known of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// The newest that the ledger has noted.
    pub noted: Option<Version>,
    /// The newest file that is whole.
    pub file: Option<Version>,
    /// What comes next must be higher than this: the sequence of a damaged file, or of a version that a gateway has
    /// applied and that is none of these; 0: there is none.
    pub beyond: u64,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The newest file says what it should, and nothing is higher.
    Keep,
    /// A file with this sequence, that names this one as the vault before.
    Write { sequence: u64, previous: VaultHash },
}

/// What to do for a content to be in force.
pub fn next(known: &Known, content_sha256: [u8; 32]) -> Step {
    let newest = newest(known);
    let highest = newest.map_or(0, |version| version.sequence);
    let is_right = |file: &Version| {
        file.content_sha256 == content_sha256 && file.sequence == highest && file.sequence > known.beyond
    };
    if known.file.as_ref().is_some_and(is_right) {
        return Step::Keep;
    }
    let previous = newest.map_or(VaultHash::NONE, |version| version.hash);
    Step::Write { sequence: highest.max(known.beyond).saturating_add(1), previous }
}

fn newest(known: &Known) -> Option<&Version> {
    [&known.noted, &known.file].into_iter().flatten().max_by_key(|version| version.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(sequence: u64, content: u8) -> Option<Version> {
        let hash = VaultHash([u8::try_from(sequence).unwrap(); 32]);
        Some(Version { sequence, hash, content_sha256: [content; 32] })
    }

    #[test]
    fn the_higher_one_counts_and_what_is_right_stays() {
        let write = |sequence, previous: u8| Step::Write { sequence, previous: VaultHash([previous; 32]) };
        for (name, noted, file, beyond, expected) in [
            ("nothing yet", None, None, 0, write(1, 0)),
            ("as it should be", version(7, 1), version(7, 1), 0, Step::Keep),
            ("a changed content", version(7, 2), version(7, 2), 0, write(8, 7)),
            ("a crash before it was noted", version(6, 2), version(7, 1), 0, Step::Keep),
            ("the same, and changed since", version(6, 2), version(7, 2), 0, write(8, 7)),
            ("a restored ledger", version(3, 1), version(7, 1), 0, Step::Keep),
            ("no ledger's note", None, version(7, 2), 0, write(8, 7)),
            ("a lost folder", version(7, 1), None, 0, write(8, 7)),
            ("a restored folder", version(7, 1), version(5, 1), 0, write(8, 7)),
            ("a damaged newest file", version(7, 1), version(6, 1), 7, write(8, 7)),
            ("a damaged file beyond the note", version(6, 1), version(6, 1), 7, write(8, 6)),
            ("a gateway that is ahead", version(7, 1), version(7, 1), 9, write(10, 7)),
            ("a gateway with another version of this sequence", version(7, 1), version(7, 1), 7, write(8, 7)),
        ] {
            assert_eq!(next(&Known { noted, file, beyond }, [1; 32]), expected, "{name}");
        }
    }
}
