//! What HAProxy's answers say.

/// The HAProxy behind a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub uptime_s: u64,
    /// Such as `2.6.12-1+deb12u4`.
    pub version: String,
}

impl Process {
    /// Whether a later answer is of the same process: another one may have its number, but not its age.
    pub(super) fn is(&self, later: &Self) -> bool {
        self.pid == later.pid && self.uptime_s <= later.uptime_s
    }
}

/// One answer to `get map`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Value(String),
    Nothing,
}

/// Of `show info`; `None` if it is something else.
pub(super) fn process(answer: &str) -> Option<Process> {
    let field = |name: &str| answer.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.trim()));
    if field("Name") != Some("HAProxy") {
        return None;
    }
    Some(Process {
        pid: field("Pid")?.parse().ok()?,
        uptime_s: field("Uptime_sec")?.parse().ok()?,
        version: field("Version")?.chars().take(60).collect(),
    })
}

/// Of as many `get map` commands as were sent in one line.
pub(super) fn found(answer: &str) -> Vec<Found> {
    let value = |line: &str| {
        let (_, rest) = line.split_once("value=\"")?;
        let (value, _) = rest.split_once('"')?;
        Some(value.to_owned())
    };
    answer
        .lines()
        .filter(|line| line.starts_with("type="))
        .map(
            |line| {
                if line.contains("found=yes") {
                    value(line).map_or(Found::Nothing, Found::Value)
                } else {
                    Found::Nothing
                }
            },
        )
        .collect()
}

/// Lines of a map, of `show map`; `None` if it is not there, or HAProxy does not say.
pub(super) fn lines_of(answer: &str, path: &str) -> Option<usize> {
    let of_map = |line: &&str| line.split_once(' ').is_some_and(|(_, rest)| rest.starts_with(&format!("({path}) ")));
    answer.lines().find(of_map)?.rsplit_once("entry_cnt=")?.1.trim().parse().ok()
}

/// Of `prepare map`.
pub(super) fn new_version(answer: &str) -> Option<u32> {
    answer.trim().strip_prefix("New version created: ")?.parse().ok()
}

/// HAProxy ends each answer with an empty line. No byte at all is no answer: it has closed.
pub(super) fn said_nothing(answer: &str) -> bool {
    !answer.is_empty() && answer.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_haproxy_are_understood() {
        let info = "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nRelease_date: 2026/10/17\nNbthread: 2\nPid: 13787\nUptime: 0d 0h00m01s\nUptime_sec: 1\n\n";
        let expected = Process { pid: 13787, uptime_s: 1, version: "2.6.12-1+deb12u4".to_owned() };
        assert_eq!(process(info), Some(expected));
        for nonsense in ["", "\n", "Name: Apache\nPid: 1\nUptime_sec: 1\nVersion: 1\n", "Name: HAProxy\nPid: -1\n"] {
            assert_eq!(process(nonsense), None, "{nonsense:?}");
        }
        let two = "type=str, case=sensitive, found=yes, idx=tree, key=\"version\", value=\"1/sma.2\", type=\"str\"\n\n\
                   type=str, case=sensitive, found=no\n\n";
        assert_eq!(found(two), [Found::Value("1/sma.2".to_owned()), Found::Nothing]);
        assert_eq!(found("Unknown map identifier. Please use #<id> or <file>.\n\n"), []);
        let maps = "# id (file) description\n0 (/m/keys.map) pattern loaded from file '/m/keys.map' used by map at file \
                    '/c' line 10. curr_ver=0 next_ver=0 entry_cnt=2001\n1 (/m/a.map) pattern loaded\n\n";
        assert_eq!(lines_of(maps, "/m/keys.map"), Some(2001));
        assert_eq!((lines_of(maps, "/m/a.map"), lines_of(maps, "/keys.map")), (None, None));
        assert_eq!(new_version("New version created: 7\n\n"), Some(7));
        assert_eq!(new_version("Unknown map identifier.\n"), None);
        for (answer, nothing) in [("\n", true), ("\n\n\n", true), ("", false), ("\nentry not found.\n\n", false)] {
            assert_eq!(said_nothing(answer), nothing, "{answer:?}");
        }
    }
}
