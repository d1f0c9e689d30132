//! What an agent says about itself: to its health endpoint, and to whoever asks all agents. What another version does not
//! say is as if it had nothing to say.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::core::calendar::UtcMillis;
pub use crate::core::gateway_fleet::HaproxyState;
use crate::core::vault::VaultCode;

/// How it is with one vault. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VaultStatus {
    /// In force in HAProxy; 0: none yet.
    pub applied: u64,
    /// Names it besides the sequence, in hexadecimal.
    pub applied_hash: Option<String>,
    /// Taken, and not in force yet.
    pub processing: Option<u64>,
    /// The newest that was seen, whether it may be taken or not.
    pub newest: u64,
    /// The newest that was taken, also by an agent before this one: nothing older is.
    pub taken: u64,
    /// That the primary has made that one: a [`VaultProof`](crate::core::vault::VaultProof). `None` of one that an agent
    /// before this one took and that is not there any more.
    pub proof: Option<String>,
    /// Customers in the newest that was taken.
    pub entries: usize,
    pub created_ms: Option<i64>,
    /// From when the vault was created until HAProxy obeyed it.
    pub propagation_ms: Option<i64>,
    /// Why a newer one is not taken.
    pub refused: Option<String>,
    /// Why the primary gives none.
    pub primary_problem: Option<String>,
}

/// What is known of HAProxy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HaproxyStatus {
    pub state: HaproxyState,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    pub pid: Option<u32>,
    pub uptime_s: Option<u64>,
    pub version: Option<String>,
    /// Why the state is not `in_force`.
    pub problem: Option<String>,
    /// How many times it was brought to a state, and how long the last time took.
    pub applications: u64,
    pub apply_ms: Option<u64>,
}

/// Lines of the maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MapCounts {
    pub keys: usize,
    pub limits: usize,
    pub allowlist: usize,
}

/// How the log of this host's HAProxy gets to the primary. Bytes are those of the spool, in which a line takes eight more than
/// its text. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogStatus {
    /// Waiting on this host's disk until the primary has it durable.
    pub spool_bytes: u64,
    /// When the first line that waits was logged; `None` if none waits, or it does not say.
    pub oldest_ms: Option<i64>,
    /// How long that is ago; 0 if it is not known.
    pub lag_ms: i64,
    /// Since the process began.
    pub received_lines: u64,
    /// Datagrams by UDP that the system had no room for, since the process began. Those that HAProxy could not send are only in
    /// its own count, `DroppedLogs`.
    pub dropped_lines: u64,
    /// Since the process began.
    pub delivered_bytes: u64,
    /// Of the last ten seconds.
    pub delivered_bytes_per_s: u64,
    /// When the primary said last how much it has.
    pub delivered_ms: Option<i64>,
    /// Why nothing is delivered at present.
    pub problem: Option<String>,
    /// The last of these, also if it is over, and when it was.
    pub last_error: Option<String>,
    pub last_error_ms: Option<i64>,
    /// Why nothing is taken in at present: the spool is full or cannot be written.
    pub spool_problem: Option<String>,
    /// What the primary once had and has lost, since the process began; it cannot be sent again.
    pub lost_bytes: u64,
    /// What was damaged on this host's disk, since the process began.
    pub damaged_bytes: u64,
    /// Number of the stream.
    pub stream: u64,
}

/// Everything that an agent says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentStatus {
    /// Number of the gateway, as in log lines.
    pub gateway: u8,
    /// Of this program.
    pub version: String,
    /// By code, those that were ever seen.
    pub vaults: BTreeMap<String, VaultStatus>,
    pub haproxy: HaproxyStatus,
    pub maps: MapCounts,
    /// The files for HAProxy's restarts: whether they have what is in force, or why not.
    pub files_problem: Option<String>,
    /// How long the oldest vault that is not in force has been waiting.
    pub lag_ms: i64,
    /// The folder of vaults: why nothing of it can be taken.
    pub source_problem: Option<String>,
    /// `None` where no log is sent anywhere, as on the primary's own host.
    pub log: Option<LogStatus>,
    /// Of the answer that this was in, by the clock of that host, in whole seconds; `None` before it is in one.
    #[serde(skip)]
    pub answered_at: Option<UtcMillis>,
}

/// The status of a running agent, written by it and read by anybody.
#[derive(Debug, Default)]
pub struct SharedStatus {
    status: Mutex<AgentStatus>,
    news: Notify,
}

impl SharedStatus {
    pub fn new(gateway: u8) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let status = Mutex::new(AgentStatus { gateway, version, ..AgentStatus::default() });
        Self { status, news: Notify::new() }
    }

    /// As it is.
    pub fn read(&self) -> AgentStatus {
        self.locked().clone()
    }

    /// Returns when something has changed since the last time; for one listener.
    pub async fn changed(&self) {
        self.news.notified().await;
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut AgentStatus)) {
        change(&mut self.locked());
        self.news.notify_one();
    }

    /// How it is with the log.
    pub fn log_is(&self, log: LogStatus) {
        self.change(|status| status.log = Some(log));
    }

    /// Why the primary gives no vaults of a code, or that it does.
    pub(super) fn source_is(&self, code: VaultCode, problem: Option<String>) {
        let is_known = self.locked().vaults.contains_key(code.as_str());
        if problem.is_some() || is_known {
            self.change(|status| status.vaults.entry(code.to_string()).or_default().primary_problem = problem);
        }
    }

    fn locked(&self) -> MutexGuard<'_, AgentStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
