//! Sources of log lines.

use serde::{Deserialize, Serialize};

use super::log_line::Format;

/// How a source fares, for whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// The log does not exist yet.
    Waiting,
    Reading,
    /// Why it cannot be read, and what to do.
    Unreadable(String),
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// A log's path, or a spool's name.
    pub name: String,
    /// `None` before the first line that could be parsed.
    pub format: Option<Format>,
    pub state: SourceState,
}

/// Why the first of those that cannot be read cannot.
pub fn first_hindrance(sources: &[SourceStatus]) -> Option<&str> {
    sources.iter().find_map(|source| match &source.state {
        SourceState::Unreadable(reason) => Some(reason.as_str()),
        SourceState::Waiting | SourceState::Reading => None,
    })
}
