//! Sources of log lines.

/// How a source fares, for whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// The log does not exist yet.
    Waiting,
    Reading,
    /// Why it cannot be read, and what to do.
    Unreadable(String),
}
