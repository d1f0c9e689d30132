//! Whether the disk has room for more. A store that runs into a full disk can be damaged; one that waits loses nothing.

use std::path::PathBuf;

/// The least room that must be left.
#[derive(Debug, Clone)]
pub struct Room {
    /// Anything on the disk.
    pub path: PathBuf,
    pub min_free_bytes: u64,
}

impl Room {
    /// How many bytes are missing; `None` if there is room, or if the system does not tell.
    pub(super) fn missing(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.path).ok()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        self.min_free_bytes.checked_sub(free).filter(|missing| *missing > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_the_room_that_is_asked_for_is_told() {
        let room = |min_free_bytes| Room { path: std::env::temp_dir(), min_free_bytes };
        assert_eq!(room(0).missing(), None);
        assert!(room(u64::MAX).missing().is_some());
        assert_eq!(Room { path: "/nowhere/at/all".into(), min_free_bytes: u64::MAX }.missing(), None);
    }
}
