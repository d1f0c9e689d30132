//! The newest file that is whole, and the newer ones that are not.

use super::folder::{SealError, VaultFile, VaultFolder, read_file};
use crate::core::vault::{BadFile, Header, VaultCode, VaultHash, VaultOpener};

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error(transparent)]
    Unreadable(#[from] SealError),
    #[error("{0}")]
    Bad(#[from] BadFile),
    #[error("it is the vault {code} {sequence} under another name")]
    Misnamed { code: VaultCode, sequence: u64 },
}

/// A file that must not be used.
#[derive(Debug)]
pub struct Damaged {
    pub file: VaultFile,
    pub damage: Damage,
}

/// A file of which everything was verified but the text of its content, which has the digest that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    pub file: VaultFile,
    pub header: Header,
    pub hash: VaultHash,
    /// The [text](crate::core::vault::text) of its content.
    pub text: Vec<u8>,
}

/// What is found of a code.
#[derive(Debug, Default)]
pub struct Newest {
    pub whole: Option<Whole>,
    /// With higher sequences than the whole one, the highest first.
    pub damaged: Vec<Damaged>,
}

impl VaultFolder {
    /// The newest whole file of a code. Blocks.
    ///
    /// # Errors
    /// [`SealError::Io`] for the folder; what is wrong with a file is in the answer.
    pub fn newest(&self, code: VaultCode, opener: &VaultOpener) -> Result<Newest, SealError> {
        let mut newest = Newest::default();
        for file in self.list()?.into_iter().rev().filter(|file| file.code == code) {
            match Self::examine(&file, opener) {
                Ok(whole) => {
                    newest.whole = Some(whole);
                    break;
                }
                Err(damage) => newest.damaged.push(Damaged { file, damage }),
            }
        }
        Ok(newest)
    }

    /// Reads and verifies a file. Blocks.
    ///
    /// # Errors
    /// [`Damage`].
    pub fn examine(file: &VaultFile, opener: &VaultOpener) -> Result<Whole, Damage> {
        let (header, hash, text) = opener.open_text(&read_file(&file.path)?)?;
        if (header.code, header.sequence) != (file.code, file.sequence) {
            return Err(Damage::Misnamed { code: header.code, sequence: header.sequence });
        }
        Ok(Whole { file: file.clone(), header, hash, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::UtcMillis;
    use crate::core::vault::{NewVault, Picture, VaultSealer};

    #[test]
    fn what_is_damaged_is_told_and_the_one_before_it_is_used() {
        let place = tempfile::tempdir().unwrap();
        let folder = VaultFolder::open(place.path()).unwrap();
        let sealer = VaultSealer::new((1, [1; 32]), &[2; 32]);
        let opener = VaultOpener::new([(1, [1; 32])], sealer.public_key());
        let code: VaultCode = "rma".parse().unwrap();
        let seal = |sequence| {
            let new = NewVault { code, sequence, created: UtcMillis(5), previous: VaultHash::NONE };
            sealer.seal(&new, Picture::new(code).pack().unwrap(), [7; 12]).unwrap()
        };
        assert!(folder.newest(code, &opener).unwrap().whole.is_none());
        let (third, hash) = seal(3);
        folder.write(code, 3, &third).unwrap();
        folder.write(code, 4, &third).unwrap();
        let (mut fifth, _) = seal(5);
        fifth[40] ^= 1;
        folder.write(code, 5, &fifth).unwrap();
        std::fs::create_dir(folder.path_of(code, 6)).unwrap();

        let newest = folder.newest(code, &opener).unwrap();
        let whole = newest.whole.unwrap();
        assert_eq!((whole.header.sequence, whole.hash), (3, hash));
        assert_eq!(whole.text, crate::core::vault::text::first_line(code));
        let told: Vec<_> =
            newest.damaged.iter().map(|damaged| (damaged.file.sequence, damaged.damage.to_string())).collect();
        let told: Vec<_> = told.iter().map(|(sequence, damage)| (*sequence, damage.as_str())).collect();
        let unreadable = format!("cannot read {}", folder.path_of(code, 6).display());
        assert_eq!(
            told,
            [
                (6, unreadable.as_str()),
                (5, "its signature is not right: it was changed, or signed with another key"),
                (4, "it is the vault rma 3 under another name"),
            ]
        );
    }
}
