//! The map files on disk. A reader sees either the old file or the new one, also after a crash.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::core::haproxy_map::{MapName, Maps, VERSION_FILE};

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

/// How the files are on disk: whoever takes one away, empties or restores one changes it.
pub type Stamp = [FileStamp; 4];
/// Length, time of the last change, and number of one file.
type FileStamp = (u64, SystemTime, u64);

/// As they are now; `None` if one is missing.
pub fn stamp(folder: &Path) -> Option<Stamp> {
    let of = |name: &str| file_stamp(&std::fs::metadata(folder.join(name)).ok()?).ok();
    let [keys, limits, allowlist] = MapName::ALL.map(|map| of(map.file()));
    Some([keys?, limits?, allowlist?, of(VERSION_FILE)?])
}

fn file_stamp(file: &Metadata) -> io::Result<FileStamp> {
    Ok((file.len(), file.modified()?, file.ino()))
}

/// Replaces all map files in a folder, which must exist. The version's is the last: an HAProxy that starts before that,
/// also after a crash, has a version that the agent does not take for these maps. Tells how they were written.
///
/// # Errors
/// The step that failed; that file is then what it was.
pub fn write_maps(folder: &Path, maps: &Maps) -> Result<Stamp, MapFileError> {
    let write = |map: MapName| replace(folder, map.file(), &maps.encode(map));
    let [keys, limits, allowlist] = MapName::ALL.map(write);
    Ok([keys?, limits?, allowlist?, replace(folder, VERSION_FILE, &maps.encode_version())?])
}

/// Blocks until the new content and its name are on disk.
fn replace(folder: &Path, name: &str, content: &str) -> Result<FileStamp, MapFileError> {
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
    let stamp = file.as_file().metadata().and_then(|file| file_stamp(&file)).map_err(failed("look at"))?;
    file.persist(&path).map_err(|error| failed("replace")(error.error))?;
    // The name is data of the folder: without this, a crash could bring the old file back.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync the folder of"))?;
    Ok(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::haproxy_map::{ALLOWLIST_FILE, KEYS_FILE, LIMITS_FILE, LimitEntry, LimitKey};
    use crate::core::id::{CustomerId, Network, Service};

    fn maps(guaranteed_per_s: u32) -> Maps {
        let customer = CustomerId::new(7).unwrap();
        let key = LimitKey { customer, service: Service::Grpc, network: Network::Mainnet };
        let limits = [(key, LimitEntry::new(guaranteed_per_s, 1))].into();
        Maps { version: guaranteed_per_s.to_string(), limits, ..Maps::default() }
    }

    #[test]
    fn maps_are_replaced_whole_and_nothing_else_stays_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        for guaranteed in [1, 1000] {
            write_maps(folder.path(), &maps(guaranteed)).unwrap();
            let written = std::fs::read_to_string(folder.path().join(LIMITS_FILE)).unwrap();
            assert_eq!(written, format!("7/2/1 {guaranteed}|{}|1|on\n", guaranteed + 1));
        }
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [ALLOWLIST_FILE, KEYS_FILE, LIMITS_FILE, VERSION_FILE]);
        let mode = std::fs::metadata(folder.path().join(KEYS_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
    }

    #[test]
    fn whatever_happens_to_a_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(stamp(folder.path()), None);
        let written = Some(write_maps(folder.path(), &maps(1)).unwrap());
        assert_eq!(stamp(folder.path()), written);
        let limits = folder.path().join(LIMITS_FILE);
        let copy = std::fs::read(&limits).unwrap();
        std::fs::remove_file(&limits).unwrap();
        assert_eq!(stamp(folder.path()), None);
        std::fs::write(&limits, copy).unwrap();
        assert_ne!(stamp(folder.path()), written);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_maps(Path::new("/nonexistent/maps"), &maps(1)).unwrap_err();
        assert_eq!(error.to_string(), "cannot create the successor of the map file /nonexistent/maps/keys.map");
    }
}
