//! How the fleet of gateways is: what each one has in force, since when something is wrong with it, and what a person
//! must hear of.
//!
//! Gateways are asked every few seconds. Whether one is late is decided by the clock of who asks: since when there has been
//! a vault that the gateway has not got into its HAProxy, whatever the gateway's own clock says.

mod alarm;
mod status;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use alarm::{Alarm, CATEGORY, SLOW_MS, UNREACHABLE_MS, What, alarms};
pub use status::{GatewayStatus, HaproxyStanding, HaproxyState, LogStanding, VaultStanding};

use crate::core::calendar::{MINUTE_MS, UtcMillis};
use crate::core::vault::sync::{Applied, GatewayReport, Hearing};
use crate::core::vault::{Purpose, VaultCode};

/// A gateway is behind if it has been for this long: every vault needs a moment.
const BEHIND_MS: i64 = 5_000;
/// A clock is off from here on: keys end, and lines are counted for hours, by gateways' clocks.
const CLOCK_OFF_MS: i64 = 5_000;
/// Lines of a gateway's log that wait for longer than this are late: nobody is cut off or billed by them meanwhile.
const LOG_LATE_MS: i64 = 5 * MINUTE_MS;
/// How often it is noted that nothing has changed.
const NOTED_EVERY_MS: i64 = MINUTE_MS;

/// How a gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayState {
    /// Its HAProxy obeys the newest limits.
    Ok,
    /// It has not got the newest limits into its HAProxy.
    Behind,
    /// Its HAProxy does not answer its agent.
    HaproxyDown,
    /// Its agent does not answer.
    Unreachable,
    /// Its agent has never answered.
    NeverSeen,
}

impl GatewayState {
    pub const ALL: [Self; 5] = [Self::Ok, Self::Behind, Self::HaproxyDown, Self::Unreachable, Self::NeverSeen];

    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Behind => "behind",
            Self::HaproxyDown => "haproxy_down",
            Self::Unreachable => "unreachable",
            Self::NeverSeen => "never_seen",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What can be wrong with a gateway that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    HaproxyDown,
    /// HAProxy answers, and does not take what it should.
    HaproxyBehind,
    RefusesVault,
    MapFiles,
    Log,
    /// Lines of its log wait on its disk for [`LOG_LATE_MS`].
    LogLate,
    Clock,
    OtherVersion,
}

/// A vault that a gateway is to have in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitedVault {
    pub sequence: u64,
    pub since_ms: i64,
}

/// What a gateway said, and since when what is wrong has been seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// When it answered last.
    pub status: GatewayStatus,
    /// Why it does not answer.
    pub silence: Option<String>,
    /// By code.
    pub awaited: BTreeMap<String, AwaitedVault>,
    /// Since when, in ms since 1970.
    pub troubles: BTreeMap<Trouble, i64>,
}

/// What is known of one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub state: GatewayState,
    /// Since when it is in this state.
    pub since: UtcMillis,
    /// When it answered last; `None`: never.
    pub heard_at: Option<UtcMillis>,
    /// Since when it does not answer.
    pub silent_since: Option<UtcMillis>,
    pub standing: Standing,
}

/// What gateways are held against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The newest vaults when the gateways were asked.
    pub newest: &'a BTreeMap<VaultCode, Applied>,
    /// Of this program.
    pub version: &'a str,
}

impl Watched {
    /// One that is to be asked for the first time.
    pub fn new(now: UtcMillis) -> Self {
        let standing = Standing::default();
        Self { state: GatewayState::NeverSeen, since: now, heard_at: None, silent_since: None, standing }
    }

    /// Takes in what it answered, or why it did not.
    pub fn note(&mut self, answer: Result<GatewayStatus, String>, expected: &Expected<'_>, now: UtcMillis) {
        match answer {
            Ok(status) => {
                (self.heard_at, self.silent_since, self.standing.silence) = (Some(now), None, None);
                self.standing.hear(status, expected, now);
            }
            Err(problem) => {
                self.silent_since.get_or_insert(now);
                self.standing.silence = Some(problem);
            }
        }
        let (state, since) = self.judged(now);
        if state != self.state {
            (self.state, self.since) = (state, since);
        }
    }

    fn judged(&self, now: UtcMillis) -> (GatewayState, UtcMillis) {
        let down = self.standing.troubles.get(&Trouble::HaproxyDown).copied().map(UtcMillis);
        match (self.silent_since, self.heard_at) {
            (_, None) => (GatewayState::NeverSeen, self.since),
            (Some(since), _) => (GatewayState::Unreachable, since),
            _ => match (down, self.behind_since()) {
                (Some(since), _) => (GatewayState::HaproxyDown, since),
                (None, Some(since)) if now.0.saturating_sub(since.0) >= BEHIND_MS => (GatewayState::Behind, since),
                _ => (GatewayState::Ok, now),
            },
        }
    }

    /// Since when there has been something that its HAProxy does not obey, as far as it was heard.
    fn behind_since(&self) -> Option<UtcMillis> {
        let awaited = self.standing.awaited.values().map(|awaited| awaited.since_ms);
        awaited.chain(self.standing.troubles.get(&Trouble::HaproxyBehind).copied()).min().map(UtcMillis)
    }

    /// How long its HAProxy has not obeyed something, as far as it was heard; 0: it obeys.
    pub fn behind_ms(&self, now: UtcMillis) -> i64 {
        self.behind_since().map_or(0, |since| now.0.saturating_sub(since.0).max(0))
    }

    /// How long something has been wrong.
    pub fn trouble_ms(&self, trouble: Trouble, now: UtcMillis) -> Option<i64> {
        self.standing.troubles.get(&trouble).map(|since| now.0.saturating_sub(*since))
    }

    /// What vaults are held against as long as nothing was heard since the start.
    pub fn report_before(&self) -> GatewayReport {
        let hearing = if self.silent_since.is_some() { Hearing::Silent } else { Hearing::Awaited };
        let status = &self.standing.status;
        GatewayReport { hearing, applied: status.applied(), taken: status.taken() }
    }

    /// Whether a ledger that has `stored` must be told: at once if something has changed that matters later, and
    /// otherwise now and then that it was heard.
    pub fn is_news_after(&self, stored: &Self) -> bool {
        let heard = |watched: &Self| watched.heard_at.map_or(i64::MIN, |at| at.0);
        self.what_matters() != stored.what_matters()
            || heard(self).saturating_sub(heard(stored)).saturating_abs() >= NOTED_EVERY_MS
    }

    fn what_matters(&self) -> Self {
        let mut matters = Self { heard_at: None, ..self.clone() };
        let status = &mut matters.standing.status;
        status.clock_ahead_ms = None;
        if let Some(log) = &mut status.log {
            (log.spool_bytes, log.lag_ms) = (0, 0);
        }
        matters
    }
}

impl Standing {
    fn hear(&mut self, status: GatewayStatus, expected: &Expected<'_>, now: UtcMillis) {
        self.wait_for(&status.applied(), expected.newest, now);
        let is_off = status.clock_ahead_ms.is_some_and(|ms| ms.saturating_abs() > CLOCK_OFF_MS);
        let seen = [
            (Trouble::HaproxyDown, status.haproxy.state == HaproxyState::Unreachable),
            // Without a problem it is on its way.
            (Trouble::HaproxyBehind, status.haproxy.state == HaproxyState::Behind && status.haproxy.problem.is_some()),
            (Trouble::RefusesVault, status.vaults.values().any(|vault| vault.refused.is_some())),
            (Trouble::MapFiles, status.files_problem.is_some()),
            (Trouble::Log, status.log.as_ref().is_some_and(|log| log.spool_problem.is_some())),
            (Trouble::LogLate, status.log.as_ref().is_some_and(|log| log.lag_ms > LOG_LATE_MS)),
            (Trouble::Clock, is_off),
            (Trouble::OtherVersion, status.version != expected.version),
        ];
        let seen = seen.into_iter().filter(|(_, is_so)| *is_so);
        let since = |trouble: Trouble| self.troubles.get(&trouble).copied().unwrap_or(now.0);
        self.troubles = seen.map(|(trouble, _)| (trouble, since(trouble))).collect();
        self.status = status;
    }

    /// A vault is waited for until it, or a later one, is in force: that there are newer ones meanwhile does not begin the
    /// wait anew.
    fn wait_for(
        &mut self,
        applied: &BTreeMap<VaultCode, Applied>,
        newest: &BTreeMap<VaultCode, Applied>,
        now: UtcMillis,
    ) {
        let api = newest.iter().filter(|(code, _)| code.purpose() == Purpose::Api);
        let missing = api.filter(|(code, version)| applied.get(code) != Some(version)).map(|(code, version)| {
            let has = applied.get(code).map_or(0, |applied| applied.sequence);
            let before = self.awaited.get(code.as_str()).copied();
            // The same one is not there yet, whatever else is; an earlier one is if something as high is in force.
            let goes_on = before.filter(|before| {
                before.sequence == version.sequence || (before.sequence > has && before.sequence < version.sequence)
            });
            let begins = AwaitedVault { sequence: version.sequence, since_ms: now.0 };
            (code.to_string(), goes_on.unwrap_or(begins))
        });
        self.awaited = missing.collect();
    }
}

#[cfg(test)]
mod tests;
