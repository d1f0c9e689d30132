//! The map files on disk. A reader sees either the old file or the new one, also after a crash.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::core::haproxy_map::{
    KEYS_FILE, KeyEntry, KeyHash, LIMITS_FILE, LimitEntry, LimitKey, encode_keys, encode_limits,
};

/// Readable by HAProxy whatever user it is: the files hold hashes of keys, never keys.
const MODE: u32 = 0o644;

/// A map file that could not be replaced; the old one is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} the map file {path}")]
pub struct MapFileError {
    /// What failed, as a verb.
    pub operation: &'static str,
    /// The map that was to be replaced.
    pub path: PathBuf,
    pub source: io::Error,
}

/// Replaces `keys.map` in a folder, which must exist.
///
/// # Errors
/// The step that failed; the file is then what it was.
pub fn write_keys(folder: &Path, keys: &BTreeMap<KeyHash, KeyEntry>) -> Result<(), MapFileError> {
    replace(folder, KEYS_FILE, &encode_keys(keys))
}

/// Replaces `limits.map` in a folder, which must exist.
///
/// # Errors
/// The step that failed; the file is then what it was.
pub fn write_limits(folder: &Path, limits: &BTreeMap<LimitKey, LimitEntry>) -> Result<(), MapFileError> {
    replace(folder, LIMITS_FILE, &encode_limits(limits))
}

/// Blocks until the new content and its name are on disk.
fn replace(folder: &Path, name: &str, content: &str) -> Result<(), MapFileError> {
    let path = folder.join(name);
    let failed = |operation| {
        let path = path.clone();
        move |source| MapFileError { operation, path, source }
    };
    // A rename is atomic only within one file system, therefore the same folder.
    let mut file = tempfile::Builder::new()
        .prefix(name)
        .suffix(".new")
        .tempfile_in(folder)
        .map_err(failed("create the successor of"))?;
    file.write_all(content.as_bytes()).map_err(failed("write"))?;
    file.as_file().set_permissions(PermissionsExt::from_mode(MODE)).map_err(failed("open up"))?;
    file.as_file().sync_all().map_err(failed("sync"))?;
    file.persist(&path).map_err(|error| failed("replace")(error.error))?;
    // The name is data of the folder: without this, a crash could bring the old file back.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync the folder of"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::{CustomerId, Service};

    fn limits(guaranteed_per_s: u32) -> BTreeMap<LimitKey, LimitEntry> {
        let key = LimitKey { customer: CustomerId::new(7).unwrap(), service: Service::Grpc };
        BTreeMap::from([(key, LimitEntry { guaranteed_per_s, burst_per_s: 1 })])
    }

    #[test]
    fn a_map_is_replaced_whole_and_nothing_else_stays_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        write_keys(folder.path(), &BTreeMap::new()).unwrap();
        for guaranteed in [1, 1000] {
            write_limits(folder.path(), &limits(guaranteed)).unwrap();
            let written = std::fs::read_to_string(folder.path().join(LIMITS_FILE)).unwrap();
            assert_eq!(written, format!("7/2 {guaranteed}|1\n"));
        }
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [KEYS_FILE, LIMITS_FILE]);
        let mode = std::fs::metadata(folder.path().join(KEYS_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_limits(Path::new("/nonexistent/maps"), &limits(1)).unwrap_err();
        assert_eq!(error.to_string(), "cannot create the successor of the map file /nonexistent/maps/limits.map");
    }
}
