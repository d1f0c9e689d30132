//! Which HAProxy the rendered configuration is for, and what is known of others.
//!
//! | version | what was seen |
//! |---|---|
//! | 2.2 | refuses the log format: `%HPO` came with 2.4, as did `prepare map` and `commit map` of the runtime socket |
//! | 2.4, 2.5 | not tried: what 2.2 accepts and 2.6 accepts, and of the rest the change log says that it came with 2.4 |
//! | 2.6.12, 2.8.25, 3.0.11, 3.2.26, 3.4.7 | the configuration is accepted without a warning, and all tests of the gateway pass |
//!
//! What differs between those, and what is done about it:
//! - A request without a path (`OPTIONS *`) has an empty column in the log before 3.0 and none at all from then on. The
//!   reader of log lines takes both.
//! - A whole URL that ends with the host (`GET http://a`) has no path in 2.6.12, and the path `/` in the others.
//! - A request whose head does not fit is answered 400 before 3.1, and 431 or 414 from then on: event 12 or 13.
//! - A `ring` that forwards lines over TCP loses none in 2.6 when the receiver is started anew; 2.8 and later write two or
//!   three into the closed connection before they notice. They are found by the gaps in the line counter. In 3.0.11,
//!   which Debian 13 has, the ring never connects again ([`RING_IS_STUCK`]).
//! - What HAProxy answers on its runtime socket is the same in all.

use super::check::section::{Section, read};

/// The oldest that accepts the configuration: major and minor.
pub const OLDEST: (u32, u32) = (2, 4);
/// The newest that the tests were run with.
pub const NEWEST_TRIED: (u32, u32) = (3, 4);
/// The versions of 3.0 whose rings wait for ever before they connect a second time. 3.0.11 was tried; the change that
/// made them wait is of 3.0.9.
pub const RING_IS_STUCK: std::ops::RangeInclusive<u32> = 9..=11;

/// Why this HAProxy, by its own version, should not run a configuration, or why nobody knows whether it can. One sentence.
pub fn concern(version: &str, configuration: &str) -> Option<String> {
    let Some((major, minor, patch)) = numbers(version) else {
        return Some(format!("HAProxy says that its version is {version:?}; 2.4 or later is needed"));
    };
    if (major, minor) < OLDEST {
        return Some(format!(
            "HAProxy {version} is too old: the log format and the replacement of maps need 2.4 or later"
        ));
    }
    if (major, minor) > NEWEST_TRIED {
        let (newest_major, newest_minor) = NEWEST_TRIED;
        return Some(format!(
            "HAProxy {version} is newer than what this suiftly was tried with, 2.6 to {newest_major}.{newest_minor}"
        ));
    }
    if (major, minor) == (3, 0) && RING_IS_STUCK.contains(&patch) && forwards_by_ring(configuration) {
        return Some(format!(
            "a ring of HAProxy {version} never connects again once its receiver has been restarted, and its lines are lost: \
             log to a file through rsyslog, or take 3.2"
        ));
    }
    None
}

/// Where the HAProxy of a configuration can be asked: the path of its first `stats socket`.
pub fn admin_socket(configuration: &str) -> Option<String> {
    let sections = read(configuration);
    let paths = sections.iter().filter(|section| section.title == "global").flat_map(|section| &section.directives);
    let mut paths = paths.filter_map(|directive| {
        let mut words = directive.text.split_whitespace();
        (words.next() == Some("stats") && words.next() == Some("socket")).then(|| words.next())?
    });
    paths.find_map(|path| path.strip_prefix("unix@").unwrap_or(path).strip_prefix('/').map(|rest| format!("/{rest}")))
}

fn forwards_by_ring(configuration: &str) -> bool {
    let has_server = |section: &Section| section.directives.iter().any(|one| one.text.starts_with("server "));
    read(configuration).iter().any(|section| section.title.starts_with("ring ") && has_server(section))
}

/// Of `2.6.12-1+deb12u4`.
fn numbers(version: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = version.split(['.', '-', '+', ' ']).map(|word| word.parse::<u32>().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::haproxy_config::{Settings, render};

    const RING: &str = "ring r\n  size 4096\n  server s 127.0.0.1:1514\nbackend b\n";

    #[test]
    fn a_version_that_was_not_tried_is_told() {
        for (version, configuration, expected) in [
            ("2.6.12-1+deb12u4", RING, None),
            ("2.4.0", "", None),
            ("2.5-dev3", "", None),
            ("3.0.11-1+deb13u4", "", None),
            ("3.0.11-1+deb13u4", "ring r\n  size 4096\nbackend b\n  server s 127.0.0.1:1\n", None),
            ("3.0.11-1+deb13u4", RING, Some("a ring of HAProxy 3.0.11-1+deb13u4 never connects again")),
            ("3.0.8", RING, None),
            ("3.2.26", RING, None),
            ("3.4.7-1", "", None),
            ("2.2.9-2+deb11u6", "", Some("HAProxy 2.2.9-2+deb11u6 is too old")),
            ("1.8.30", "", Some("HAProxy 1.8.30 is too old")),
            ("3.5.0", "", Some("HAProxy 3.5.0 is newer")),
            ("4.0", "", Some("HAProxy 4.0 is newer")),
            ("", "", Some("HAProxy says that its version is \"\"")),
            ("unknown", "", Some("HAProxy says that its version is")),
        ] {
            let told = concern(version, configuration);
            match expected {
                None => assert_eq!(told, None, "{version}"),
                Some(begin) => {
                    assert!(told.as_deref().is_some_and(|told| told.starts_with(begin)), "{version}: {told:?}")
                }
            }
        }
    }

    #[test]
    fn the_socket_is_found_where_there_is_one() {
        let rendered = render(&Settings::default()).unwrap();
        for (configuration, expected) in [
            (rendered.as_str(), Some("/run/haproxy/admin.sock")),
            ("global\n  stats   socket unix@/a/b mode 600 level admin\n", Some("/a/b")),
            ("global\n  stats timeout 30s\n", None),
            ("global\n  stats socket ipv4@127.0.0.1:99 level admin\n  stats socket /c\n", Some("/c")),
            ("defaults\n  stats socket /c\n", None),
            ("", None),
        ] {
            assert_eq!(admin_socket(configuration).as_deref(), expected, "{configuration}");
        }
    }
}
