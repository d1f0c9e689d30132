//! The folder, and the names in it.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::core::vault::{MAX_FILE_BYTES, VaultCode};

/// What is in the files is encrypted; this keeps others from watching how it changes.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;
const ENDING: &str = ".vault";
/// Of files that are being written.
const UNFINISHED: &str = ".new";
/// Digits of a sequence in a name.
const SEQUENCE_DIGITS: usize = 9;

/// A file or folder that could not be worked with.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What failed, as a verb.
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} is longer than {MAX_FILE_BYTES} bytes", path.display())]
    TooLong { path: PathBuf },
    #[error("{} was written, and reads differently: is the disk damaged?", path.display())]
    ReadsDifferently { path: PathBuf },
}

/// A file with the name of a vault, whatever is in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VaultFile {
    pub code: VaultCode,
    pub sequence: u64,
    pub path: PathBuf,
}

/// Where the files of vaults are.
#[derive(Debug, Clone)]
pub struct VaultFolder {
    path: PathBuf,
}

impl VaultFolder {
    /// The folder, which is created if it is missing. What a crash left half written in it is removed: only one process
    /// writes.
    ///
    /// # Errors
    /// [`SealError::Io`].
    pub fn open(path: &Path) -> Result<Self, SealError> {
        let created = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
        created.map_err(failing("create", path))?;
        let folder = Self::at(path);
        for entry in fs::read_dir(path).map_err(failing("list", path))? {
            let file = entry.map_err(failing("list", path))?.path();
            if file.to_str().is_some_and(|name| name.ends_with(UNFINISHED)) {
                fs::remove_file(&file).map_err(failing("remove", &file))?;
            }
        }
        Ok(folder)
    }

    /// The folder as it is, for whoever only reads.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a version is, or would be.
    pub fn path_of(&self, code: VaultCode, sequence: u64) -> PathBuf {
        self.path.join(format!("{code}-{sequence:0SEQUENCE_DIGITS$}{ENDING}"))
    }

    /// Every file with the name of a vault, by code and sequence. Other files are passed over.
    ///
    /// # Errors
    /// [`SealError::Io`].
    pub fn list(&self) -> Result<Vec<VaultFile>, SealError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failing("list", &self.path))? {
            files.extend(file_of(entry.map_err(failing("list", &self.path))?.path()));
        }
        files.sort();
        Ok(files)
    }

    /// Puts a file in its place, when all of it is on disk. There must be none of this sequence. Blocks.
    ///
    /// # Errors
    /// [`SealError`]; then there is no file of this name, or a damaged one.
    pub fn write(&self, code: VaultCode, sequence: u64, bytes: &[u8]) -> Result<PathBuf, SealError> {
        let path = self.path_of(code, sequence);
        // A rename is atomic only within one file system, therefore the same folder.
        let mut file = tempfile::Builder::new()
            .prefix(&format!("{code}-"))
            .suffix(UNFINISHED)
            .tempfile_in(&self.path)
            .map_err(failing("create", &path))?;
        file.write_all(bytes).map_err(failing("write", &path))?;
        file.as_file().set_permissions(PermissionsExt::from_mode(FILE_MODE)).map_err(failing("open up", &path))?;
        file.as_file().sync_all().map_err(failing("sync", &path))?;
        file.persist_noclobber(&path).map_err(|error| failing("name", &path)(error.error))?;
        // The name is data of the folder: without this, a crash could take it back.
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(failing("sync", &self.path))?;
        if read_file(&path)? == bytes { Ok(path) } else { Err(SealError::ReadsDifferently { path }) }
    }

    /// The bytes of a version.
    ///
    /// # Errors
    /// [`SealError::Io`], [`SealError::TooLong`].
    pub fn read(&self, code: VaultCode, sequence: u64) -> Result<Vec<u8>, SealError> {
        read_file(&self.path_of(code, sequence))
    }

    /// A version to be read piece by piece, and its length in bytes. It can be read to its end also after its name is
    /// gone.
    ///
    /// # Errors
    /// [`SealError::Io`], [`SealError::TooLong`].
    pub fn open_version(&self, code: VaultCode, sequence: u64) -> Result<(File, u64), SealError> {
        let path = self.path_of(code, sequence);
        let file = File::open(&path).map_err(failing("open", &path))?;
        let bytes = file.metadata().map_err(failing("measure", &path))?.len();
        if bytes > MAX_FILE_BYTES { Err(SealError::TooLong { path }) } else { Ok((file, bytes)) }
    }

    /// Removes all but the newest `keep` files of a code.
    ///
    /// # Errors
    /// [`SealError::Io`].
    pub fn keep_newest(&self, code: VaultCode, keep: usize) -> Result<(), SealError> {
        let files = self.list()?.into_iter().filter(|file| file.code == code);
        for file in files.rev().skip(keep) {
            fs::remove_file(&file.path).map_err(failing("remove", &file.path))?;
        }
        Ok(())
    }
}

/// The bytes of a file that is not too long for a vault.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, SealError> {
    let file = File::open(path).map_err(failing("open", path))?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failing("read", path))?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_FILE_BYTES) {
        Ok(bytes)
    } else {
        Err(SealError::TooLong { path: path.to_owned() })
    }
}

fn failing(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SealError {
    move |source| SealError::Io { operation, path: path.to_owned(), source }
}

fn file_of(path: PathBuf) -> Option<VaultFile> {
    let (code, digits) = path.file_name()?.to_str()?.strip_suffix(ENDING)?.split_once('-')?;
    let is_sequence = digits.len() == SEQUENCE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (code, sequence) = (code.parse().ok()?, digits.parse().ok().filter(|_| is_sequence)?);
    (sequence > 0).then_some(VaultFile { code, sequence, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &VaultFolder) -> Vec<String> {
        let files = folder.list().unwrap().into_iter();
        files.map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn files_are_written_whole_listed_in_order_and_the_oldest_removed() {
        let place = tempfile::tempdir().unwrap();
        let folder = VaultFolder::open(&place.path().join("new/vaults")).unwrap();
        let [one, other]: [VaultCode; 2] = ["sma", "gta"].map(|code| code.parse().unwrap());
        for sequence in [9, 10, 2] {
            folder.write(one, sequence, &[7; 1000]).unwrap();
        }
        folder.write(other, 1, b"x").unwrap();
        assert_eq!(
            names(&folder),
            ["sma-000000002.vault", "sma-000000009.vault", "sma-000000010.vault", "gta-000000001.vault"]
        );
        assert_eq!(folder.read(one, 9).unwrap(), [7; 1000]);
        let mode = fs::metadata(folder.path_of(one, 9)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, FILE_MODE);
        folder.keep_newest(one, 2).unwrap();
        assert_eq!(names(&folder), ["sma-000000009.vault", "sma-000000010.vault", "gta-000000001.vault"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "something else stays in the folder");
    }

    #[test]
    fn a_version_is_not_written_twice() {
        let place = tempfile::tempdir().unwrap();
        let folder = VaultFolder::open(place.path()).unwrap();
        let code = VaultCode::ALL[0];
        folder.write(code, 1, b"first").unwrap();
        assert!(matches!(folder.write(code, 1, b"second"), Err(SealError::Io { operation: "name", .. })));
        assert_eq!(folder.read(code, 1).unwrap(), b"first");
    }

    #[test]
    fn other_files_are_passed_over_and_half_written_ones_removed() {
        let place = tempfile::tempdir().unwrap();
        let others = [
            "sma-000000001.vault.bak",
            "sma-1.vault",
            "sma-000000000.vault",
            "sma-+00000001.vault",
            "xma-000000001.vault",
            "sma000000001.vault",
            "notes",
        ];
        for name in others {
            fs::write(place.path().join(name), "").unwrap();
        }
        fs::write(place.path().join("sma-abc.new"), "").unwrap();
        let folder = VaultFolder::open(place.path()).unwrap();
        assert_eq!(names(&folder), Vec::<String>::new());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), others.len());
    }
}
