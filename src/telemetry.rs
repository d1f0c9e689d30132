//! The program's own log: lines on standard error, which systemd and containers collect.

use std::error::Error;
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;
use tracing_subscriber::{fmt, prelude::*};

use crate::config::{LogConfig, LogFormat};

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is no directive; a configuration that was parsed never holds such a one.
    #[error("log.level = {level:?} is no level and no directive")]
    Level {
        /// What was configured.
        level: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// A process has one log, and something has set it up before.
    #[error("logging is already set up")]
    AlreadySetUp(#[source] TryInitError),
}

/// Starts logging for the whole process, once.
///
/// # Errors
/// [`TelemetryError`]; the log that was set up before, if any, goes on.
pub fn init(log: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder()
        .parse(&log.level)
        .map_err(|source| TelemetryError::Level { level: log.level.clone(), source })?;
    let is_terminal = io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match log.format {
        LogFormat::Auto if is_terminal => lines.with_ansi(true).boxed(),
        LogFormat::Text => lines.with_ansi(is_terminal).boxed(),
        LogFormat::Auto | LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(TelemetryError::AlreadySetUp)
}

/// An error with all its causes, for one field of a log line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(level: &str, format: LogFormat) -> Result<(), TelemetryError> {
        init(&LogConfig { level: level.to_owned(), format })
    }

    #[test]
    fn a_second_start_and_a_wrong_level_are_errors() {
        // Whether the first one succeeds depends on what else this process has run.
        let _ = start("off", LogFormat::Json);
        assert!(matches!(start("info", LogFormat::Text), Err(TelemetryError::AlreadySetUp(_))));
        assert!(matches!(start("suiftly=loud", LogFormat::Auto), Err(TelemetryError::Level { .. })));
    }
}
