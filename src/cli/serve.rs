//! `suiftly serve`

use std::path::Path;

use anyhow::{Context, Result};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

use crate::clock::Clock;
use crate::config::{Config, Secrets, process_overrides, unused_overrides};
use crate::daemon::Daemon;
use crate::telemetry;

pub(super) fn serve(path: &Path) -> Result<()> {
    let config = Config::load(path)?;
    telemetry::init(&config.log)?;
    for sentence in unused_overrides(&process_overrides()) {
        warn!("{sentence}");
    }
    let secrets = Secrets::load(&config.secrets_file)?;
    super::block_on(async {
        let daemon = Daemon::start(&config, &secrets, Clock::System, None).await?;
        // Without systemd there is nobody to tell.
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let ended = tokio::select! {
            signal = stop_signal() => signal,
            failure = daemon.failed() => Err(failure.into()),
        };
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        let stopped = daemon.stop().await;
        ended.and(Ok(stopped?))
    })?
}

/// Waits for SIGTERM or SIGINT.
pub(super) async fn stop_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
