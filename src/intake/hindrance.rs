//! What hinders reading a log, in words for the operator.

use std::io;
use std::path::Path;

use crate::core::source::SourceState;

/// Names the path, what is wrong with it, and what to do.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> SourceState {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "let this user read it, e.g. add it to the file's group (`usermod -aG adm suiftly`), and check its folder"
        }
        io::ErrorKind::InvalidInput => "set intake.log_file to the file that HAProxy's log is written to",
        _ => "see that the file and its folder can be read",
    };
    SourceState::Unreadable(format!("{}: {error}; {advice}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hinders_reading_is_named_with_what_to_do() {
        for (kind, advice) in [
            (io::ErrorKind::PermissionDenied, "usermod -aG adm suiftly"),
            (io::ErrorKind::InvalidInput, "set intake.log_file"),
            (io::ErrorKind::Other, "can be read"),
        ] {
            let SourceState::Unreadable(reason) = unreadable(Path::new("/var/log/haproxy.log"), &kind.into()) else {
                panic!("{kind}");
            };
            assert!(reason.contains("/var/log/haproxy.log") && reason.contains(advice), "{reason}");
        }
    }
}
