//! The map files on disk. A reader sees either the old file or the new one, also after a crash.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::core::haproxy_map::{MapName, Maps, VERSION_FILE};

/// Readable by HAProxy whatever user it is: the files hold hashes of keys, never keys.
const MODE: u32 = 0o644;
/// Of files that are being written.
const UNFINISHED: &str = ".new";

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
    let of = |name: &str| file_stamp(&fs::metadata(folder.join(name)).ok()?).ok();
    let [keys, limits, allowlist] = MapName::ALL.map(|map| of(map.file()));
    Some([keys?, limits?, allowlist?, of(VERSION_FILE)?])
}

fn file_stamp(file: &Metadata) -> io::Result<FileStamp> {
    Ok((file.len(), file.modified()?, file.ino()))
}

/// Removes what a crash left half written in a folder, which only one process may write to.
///
/// # Errors
/// The first file that cannot be removed.
pub fn remove_unfinished(folder: &Path) -> Result<(), MapFileError> {
    let maps = || MapName::ALL.into_iter().map(MapName::file).chain([VERSION_FILE]);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let is_ours = |name: &str| name.ends_with(UNFINISHED) && maps().any(|map| name.starts_with(map));
        if name.to_str().is_some_and(is_ours) {
            let operation = "remove what was left of";
            fs::remove_file(&path).map_err(|source| MapFileError { operation, path, source })?;
        }
    }
    Ok(())
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
        .suffix(UNFINISHED)
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
            let written = fs::read_to_string(folder.path().join(LIMITS_FILE)).unwrap();
            assert_eq!(written, format!("7/2/1 {guaranteed}|{}|1|on\n", guaranteed + 1));
        }
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [ALLOWLIST_FILE, KEYS_FILE, LIMITS_FILE, VERSION_FILE]);
        let mode = fs::metadata(folder.path().join(KEYS_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
    }

    #[test]
    fn whatever_happens_to_a_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(stamp(folder.path()), None);
        let written = Some(write_maps(folder.path(), &maps(1)).unwrap());
        assert_eq!(stamp(folder.path()), written);
        let limits = folder.path().join(LIMITS_FILE);
        let copy = fs::read(&limits).unwrap();
        fs::remove_file(&limits).unwrap();
        assert_eq!(stamp(folder.path()), None);
        fs::write(&limits, copy).unwrap();
        assert_ne!(stamp(folder.path()), written);
    }

    #[test]
    fn what_a_crash_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        write_maps(folder.path(), &maps(1)).unwrap();
        let others = ["keys.map.bak", "notes.new", "haproxy.cfg"];
        for name in ["keys.mapAb3dEf.new", "version.mapx.new"].iter().chain(&others) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        remove_unfinished(folder.path()).unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut expected = [[ALLOWLIST_FILE, KEYS_FILE, LIMITS_FILE, VERSION_FILE].as_slice(), &others].concat();
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert!(remove_unfinished(Path::new("/nonexistent/maps")).is_ok(), "nothing is left there");
    }

    /// An HAProxy that starts in between must not have new words with an old version, and an old agent's words neither.
    #[test]
    fn the_version_is_replaced_after_all_maps() {
        for map in MapName::ALL {
            let folder = tempfile::tempdir().unwrap();
            write_maps(folder.path(), &maps(1)).unwrap();
            // Nothing can be put in the place of a folder with something in it.
            let place = folder.path().join(map.file());
            fs::remove_file(&place).unwrap();
            fs::create_dir_all(place.join("x")).unwrap();
            assert_eq!(write_maps(folder.path(), &maps(2)).unwrap_err().operation, "replace");
            let version = fs::read_to_string(folder.path().join(VERSION_FILE)).unwrap();
            assert_eq!(version, maps(1).encode_version(), "{}", map.file());
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_maps(Path::new("/nonexistent/maps"), &maps(1)).unwrap_err();
        assert_eq!(error.to_string(), "cannot create the successor of the map file /nonexistent/maps/keys.map");
    }
}
