//! The fleet as operators see it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::core::calendar::UtcMillis;
use crate::core::gateway_fleet::{GatewayState, HaproxyState, LogStanding, VaultStanding, Watched, alarms};
use crate::core::vault::{Purpose, VaultCode};
use crate::ledger::gateway::noted_gateways;
use crate::ledger::vault::newest_vault_version;
use crate::ledger::{Ledger, LedgerError};

/// All gateways. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetView {
    pub at: String,
    /// Whether a process asks the gateways; otherwise this is what was noted last.
    pub is_running: bool,
    pub gateways: Vec<FleetGateway>,
}

/// How a gateway is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetGateway {
    /// As in its log lines.
    pub gateway: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub state: GatewayState,
    pub since: String,
    /// When it answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<String>,
    /// Why it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<String>,
    /// How long there has been something that its HAProxy does not obey; 0: there is nothing. Absent if it is silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<i64>,
    /// Of suiftly there.
    pub version: String,
    pub haproxy: FleetHaproxy,
    /// By code, those that there are and those that it speaks of.
    pub vaults: BTreeMap<String, FleetVault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_problem: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_problem: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
    /// How its log gets here; absent where none is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogStanding>,
    /// What a person must look at.
    pub alarms: Vec<String>,
}

/// How its HAProxy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetHaproxy {
    pub state: HaproxyState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How a gateway is with one vault.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FleetVault {
    /// In force; 0: none.
    pub applied: u64,
    /// On its way into HAProxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing: Option<u64>,
    /// The newest there is; 0: none.
    pub newest: u64,
    /// Customers in the newest that the gateway has taken.
    pub entries: u64,
    /// From when the applied one was made until HAProxy obeyed it, by the gateway's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation_ms: Option<i64>,
    /// Since when a newer one has been waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaited_since: Option<String>,
    /// Why a newer one is passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Why the primary gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_problem: Option<String>,
}

impl App {
    /// How all gateways are, as far as they were heard.
    pub fn fleet(&self) -> FleetView {
        let watched = self.fleet.locked().watched.clone();
        let newest = self.vaults.newest().borrow().iter().map(|(code, version)| (*code, version.sequence)).collect();
        FleetView { is_running: true, ..view(&watched, &self.fleet.regions, &newest, self.clock.now()) }
    }
}

/// As [`App::fleet`], as it was noted last by a process that does not run any more: how late anything is since then, and
/// what a person must look at, nobody knows. Blocks.
///
/// # Errors
/// [`LedgerError`].
pub fn fleet_at_rest(
    ledger: &Ledger,
    gateways: &BTreeSet<u8>,
    regions: &BTreeMap<u8, String>,
    now: UtcMillis,
) -> Result<FleetView, LedgerError> {
    let (noted, newest) = ledger.read_blocking(|tx| {
        let mut newest = BTreeMap::new();
        for code in VaultCode::ALL {
            newest.extend(newest_vault_version(tx, code)?.map(|version| (code, version.sequence)));
        }
        Ok::<_, LedgerError>((noted_gateways(tx)?, newest))
    })?;
    let known = |gateway: &u8| (*gateway, noted.get(gateway).cloned().unwrap_or_else(|| Watched::new(now)));
    let mut fleet = view(&gateways.iter().map(known).collect(), regions, &newest, now);
    for gateway in &mut fleet.gateways {
        gateway.lag_ms = None;
        gateway.alarms.clear();
    }
    Ok(fleet)
}

fn view(
    fleet: &BTreeMap<u8, Watched>,
    regions: &BTreeMap<u8, String>,
    newest: &BTreeMap<VaultCode, u64>,
    now: UtcMillis,
) -> FleetView {
    let alarms = alarms(fleet, now);
    let one = |(gateway, watched): (&u8, &Watched)| FleetGateway {
        region: regions.get(gateway).cloned(),
        alarms: alarms.iter().filter(|alarm| alarm.gateway == *gateway).map(ToString::to_string).collect(),
        ..gateway_view(*gateway, watched, newest, now)
    };
    FleetView { at: now.to_string(), is_running: false, gateways: fleet.iter().map(one).collect() }
}

fn gateway_view(gateway: u8, watched: &Watched, newest: &BTreeMap<VaultCode, u64>, now: UtcMillis) -> FleetGateway {
    let status = &watched.standing.status;
    let is_heard = watched.heard_at.is_some() && watched.silent_since.is_none();
    let mut vaults: BTreeMap<String, FleetVault> =
        status.vaults.iter().map(|(code, vault)| (code.clone(), vault_view(code, vault, watched))).collect();
    for (code, sequence) in newest.iter().filter(|(code, _)| code.purpose() == Purpose::Api) {
        vaults.entry(code.to_string()).or_default().newest = *sequence;
    }
    FleetGateway {
        gateway,
        region: None,
        state: watched.state,
        since: watched.since.to_string(),
        heard_at: watched.heard_at.map(|at| at.to_string()),
        silence: watched.standing.silence.clone(),
        lag_ms: is_heard.then(|| watched.behind_ms(now)),
        version: status.version.clone(),
        haproxy: FleetHaproxy {
            state: status.haproxy.state,
            version: status.haproxy.version.clone(),
            problem: status.haproxy.problem.clone(),
        },
        vaults,
        files_problem: status.files_problem.clone(),
        source_problem: status.source_problem.clone(),
        clock_ahead_ms: status.clock_ahead_ms,
        log: status.log.clone(),
        alarms: Vec::new(),
    }
}

fn vault_view(code: &str, vault: &VaultStanding, watched: &Watched) -> FleetVault {
    let awaited = watched.standing.awaited.get(code);
    FleetVault {
        applied: vault.applied,
        processing: vault.processing,
        newest: 0,
        entries: vault.entries,
        propagation_ms: vault.propagation_ms,
        awaited_since: awaited.map(|awaited| UtcMillis(awaited.since_ms).to_string()),
        refused: vault.refused.clone(),
        primary_problem: vault.primary_problem.clone(),
    }
}
