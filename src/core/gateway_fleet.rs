//! How the fleet of gateways is: what a person must hear of.

use std::collections::BTreeMap;
use std::fmt;

use crate::core::calendar::{MINUTE_MS, UtcMillis};

/// A gateway that has not answered for this long.
const UNREACHABLE_MS: i64 = 5 * MINUTE_MS;
/// A vault that is not in force after this long.
const SLOW_MS: i64 = 15_000;

/// What is known of one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// When it answered last; since when it is asked, if it never has.
    pub answered: UtcMillis,
    /// How long the oldest vault that it has not applied has been waiting, when it answered.
    pub lag_ms: i64,
    /// Of its program; `None` before it has answered.
    pub version: Option<String>,
}

/// Something that a person must look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// It does not answer, so that nobody knows what it serves.
    Unreachable { gateway: u8 },
    /// It answers, and does not get the newest vaults into its HAProxy.
    Slow { gateway: u8 },
    /// It runs another version of the program than the one that asks.
    OtherVersion { gateway: u8, version: String },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { gateway } => write!(f, "gateway {gateway} has not answered for 5 minutes"),
            Self::Slow { gateway } => write!(f, "gateway {gateway} has had a vault for 15 s and does not obey it"),
            Self::OtherVersion { gateway, version } => {
                write!(f, "gateway {gateway} runs suiftly {version}: bring all hosts to the same version")
            }
        }
    }
}

/// Every alarm of the fleet at an instant, ordered.
pub fn alarms(fleet: &BTreeMap<u8, Watched>, version: &str, now: UtcMillis) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for (&gateway, watched) in fleet {
        let silent_ms = now.0 - watched.answered.0;
        if silent_ms > UNREACHABLE_MS {
            alarms.push(Alarm::Unreachable { gateway });
        } else if watched.lag_ms > SLOW_MS {
            alarms.push(Alarm::Slow { gateway });
        }
        if let Some(other) = watched.version.as_ref().filter(|other| *other != version) {
            alarms.push(Alarm::OtherVersion { gateway, version: other.clone() });
        }
    }
    alarms.sort();
    alarms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_name_what_is_wrong_and_nothing_else() {
        let now = UtcMillis(1_795_424_400_000);
        let watched = |ago_ms: i64, lag_ms: i64, version: Option<&str>| Watched {
            answered: now.plus_ms(-ago_ms),
            lag_ms,
            version: version.map(str::to_owned),
        };
        for (watched, expected) in [
            (watched(0, 0, Some("1.0")), &[][..]),
            (watched(UNREACHABLE_MS, SLOW_MS, Some("1.0")), &[]),
            (watched(UNREACHABLE_MS + 1, 0, None), &["gateway 3 has not answered for 5 minutes"]),
            // What it said before it fell silent is not known to be true any more.
            (watched(UNREACHABLE_MS + 1, SLOW_MS + 1, Some("1.0")), &["gateway 3 has not answered for 5 minutes"]),
            (
                watched(0, SLOW_MS + 1, Some("0.9")),
                &[
                    "gateway 3 has had a vault for 15 s and does not obey it",
                    "gateway 3 runs suiftly 0.9: bring all hosts to the same version",
                ],
            ),
        ] {
            let told: Vec<_> =
                alarms(&[(3, watched.clone())].into(), "1.0", now).iter().map(ToString::to_string).collect();
            assert_eq!(told, expected, "{watched:?}");
        }
    }
}
