//! `suiftly serve`

use anyhow::{Context, Result};
use clap::Args;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

use super::ConfigArgs;
use crate::clock::Clock;
use crate::config::{Config, Secrets, process_overrides, unused_overrides};
use crate::daemon::{Daemon, accept_clock};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Takes the machine's clock to be right, although the ledger was in use at another time
    #[arg(long)]
    accept_clock: bool,
}

pub(super) fn serve(args: &ServeArgs) -> Result<()> {
    let config = Config::load(&args.config.config)?;
    telemetry::init(&config.log)?;
    for sentence in unused_overrides(&process_overrides()) {
        warn!("{sentence}");
    }
    let secrets = Secrets::load(&config.secrets_file)?;
    if args.accept_clock {
        accept_clock(&config, Clock::System.now())?;
    }
    super::block_on(async {
        // From here on, so that a signal while everything starts is no reason to die half way.
        let mut signals = StopSignals::listen()?;
        let daemon = Daemon::start(&config, &secrets, Clock::steady(), None).await?;
        // Without systemd there is nobody to tell.
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let ended = tokio::select! {
            () = signals.wait() => Ok(()),
            failure = daemon.failed() => Err(failure.into()),
        };
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        let stopped = daemon.stop().await;
        ended.and(Ok(stopped?))
    })?
}

/// SIGTERM and SIGINT, which end the process in order instead of at once.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// What arrives from now on is kept until [`StopSignals::wait`].
    pub(super) fn listen() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?,
        })
    }

    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
