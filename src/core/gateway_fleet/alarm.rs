//! What a person must look at. Alarms are what follows from the state of the fleet, and over when it does not any more.

use std::collections::BTreeMap;
use std::fmt;

use super::status::GatewayStatus;
use super::{Trouble, Watched};
use crate::core::calendar::{MINUTE_MS, UtcMillis};
use crate::core::notification::{Notification, Severity};

/// A gateway that has not answered for this long.
pub const UNREACHABLE_MS: i64 = 5 * MINUTE_MS;
/// A vault that is not in force after this long, and whatever else may pass by itself.
pub const SLOW_MS: i64 = 15_000;
/// What notifications of gateways are about.
pub const CATEGORY: &str = "gateway";

/// Something that a person must look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alarm {
    pub gateway: u8,
    pub what: What,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It does not answer, so that nobody knows what it serves.
    Unreachable { problem: String },
    /// Its HAProxy does not answer it.
    HaproxyDown { problem: String },
    /// It answers, and does not get the newest vaults into its HAProxy.
    Slow { problem: String },
    /// It passes over a vault.
    RefusesVault { problem: String },
    /// Its HAProxy would start with old limits.
    MapFiles { problem: String },
    /// Lines of its log are not taken in, and may be lost.
    Log { problem: String },
    /// Lines of its log are kept on its disk and do not come.
    LogLate { problem: String },
    /// Its clock is not the one of the host that asks.
    Clock,
    /// It runs another version of the program than the one that asks.
    OtherVersion { version: String },
}

impl What {
    /// The word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "gateway_unreachable",
            Self::HaproxyDown { .. } => "gateway_haproxy_down",
            Self::Slow { .. } => "gateway_behind",
            Self::RefusesVault { .. } => "gateway_refuses_vault",
            Self::MapFiles { .. } => "gateway_map_files",
            Self::Log { .. } => "gateway_log",
            Self::LogLate { .. } => "gateway_log_late",
            Self::Clock => "gateway_clock",
            Self::OtherVersion { .. } => "gateway_version",
        }
    }

    const fn severity(&self) -> Severity {
        match self {
            Self::Unreachable { .. }
            | Self::HaproxyDown { .. }
            | Self::Slow { .. }
            | Self::RefusesVault { .. }
            | Self::Log { .. }
            | Self::Clock => Severity::Error,
            Self::MapFiles { .. } | Self::LogLate { .. } | Self::OtherVersion { .. } => Severity::Warning,
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gateway, what } = self;
        let (says, problem) = match what {
            What::Unreachable { problem } => ("has not answered for 5 minutes", problem),
            What::HaproxyDown { problem } => ("has an HAProxy that does not answer its agent", problem),
            What::Slow { problem } => ("has not had the newest limits in force for 15 s", problem),
            What::RefusesVault { problem } => ("passes over a vault", problem),
            What::MapFiles { problem } => ("cannot write the map files that HAProxy starts with", problem),
            What::Log { problem } => ("does not take in the lines of its log", problem),
            What::LogLate { problem } => ("has lines of its log that have waited for more than 5 minutes", problem),
            What::Clock => {
                let seconds = super::CLOCK_OFF_MS / 1000;
                return write!(f, "gateway {gateway} has a clock that is more than {seconds} s off: set it right");
            }
            What::OtherVersion { version } => {
                return write!(f, "gateway {gateway} runs suiftly {version}: bring all hosts to the same version");
            }
        };
        write!(f, "gateway {gateway} {says}")?;
        if problem.is_empty() { Ok(()) } else { write!(f, ": {problem}") }
    }
}

impl From<&Alarm> for Notification {
    fn from(alarm: &Alarm) -> Self {
        Self {
            key: format!("{}/{}", alarm.what.code(), alarm.gateway),
            code: alarm.what.code(),
            category: CATEGORY,
            severity: alarm.what.severity(),
            text: alarm.to_string(),
        }
    }
}

/// Every alarm of the fleet at an instant, ordered.
pub fn alarms(fleet: &BTreeMap<u8, Watched>, now: UtcMillis) -> Vec<Alarm> {
    let all = fleet
        .iter()
        .flat_map(|(&gateway, watched)| alarms_of(watched, now).into_iter().map(move |what| Alarm { gateway, what }));
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

fn alarms_of(watched: &Watched, now: UtcMillis) -> Vec<What> {
    let status = &watched.standing.status;
    let lasts = |trouble| watched.trouble_ms(trouble, now).is_some_and(|ms| ms > SLOW_MS);
    let is_behind = watched.behind_ms(now) > SLOW_MS;
    let mut found = Vec::new();
    if watched.silent_since.is_some_and(|since| now.0.saturating_sub(since.0) > UNREACHABLE_MS) {
        // What it said before it fell silent is not known to be true any more.
        found.push(What::Unreachable { problem: watched.standing.silence.clone().unwrap_or_default() });
    } else {
        if lasts(Trouble::HaproxyDown) {
            found.push(What::HaproxyDown { problem: status.haproxy.problem.clone().unwrap_or_default() });
        } else if is_behind {
            found.push(What::Slow { problem: why_behind(status) });
        }
        if lasts(Trouble::RefusesVault) {
            found.push(What::RefusesVault { problem: first(status.vaults.values().map(|vault| &vault.refused)) });
        }
        if lasts(Trouble::MapFiles) {
            found.push(What::MapFiles { problem: status.files_problem.clone().unwrap_or_default() });
        }
        if lasts(Trouble::Log) {
            found.push(What::Log { problem: first(status.log.iter().map(|log| &log.spool_problem)) });
        }
        if lasts(Trouble::LogLate) {
            found.push(What::LogLate { problem: first(status.log.iter().map(|log| &log.problem)) });
        }
        if lasts(Trouble::Clock) {
            found.push(What::Clock);
        }
    }
    if watched.trouble_ms(Trouble::OtherVersion, now).is_some() {
        found.push(What::OtherVersion { version: status.version.clone() });
    }
    found
}

/// What the agent says, from what is nearest to the primary.
fn why_behind(status: &GatewayStatus) -> String {
    let primary = status.vaults.values().map(|vault| &vault.primary_problem);
    let refused = status.vaults.values().map(|vault| &vault.refused);
    first(primary.chain([&status.source_problem]).chain(refused).chain([&status.haproxy.problem]))
}

fn first<'a>(problems: impl Iterator<Item = &'a Option<String>>) -> String {
    problems.flatten().next().cloned().unwrap_or_default()
}
