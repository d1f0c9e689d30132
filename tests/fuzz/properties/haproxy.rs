//! Configurations of HAProxy as operators have them.

use suiftly::core::haproxy_config::check::check;
use suiftly::core::haproxy_config::version::{admin_socket, concern};

/// Any text lacks something or nothing, always the same. A socket that is found is a path in it.
pub fn haproxy_config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let findings = check(text);
    assert_eq!(check(text), findings);
    assert!(findings.iter().all(|finding| !finding.section.is_empty() && !finding.directive.is_empty()));
    // Comments and blanks say nothing.
    let commented: String = text.lines().map(|line| format!("   # a line\n\n\t{line}  \n")).collect();
    assert_eq!(check(&commented).len(), findings.len());
    let _ = concern(text, text);
    let socket = admin_socket(text);
    assert!(socket.as_ref().is_none_or(|path| path.starts_with('/') && text.contains(path.as_str())));
    socket.is_some()
}
