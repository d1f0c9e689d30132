//! `suiftly gateway`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use super::serve::StopSignals;
use crate::clock::Clock;
use crate::config::{GatewayHostConfig, GatewaySecrets};
use crate::daemon::start_gateway_host;
use crate::telemetry;

pub(super) const HELP: &str = "\
The other host, the primary, is the one that runs `suiftly serve`. Lines that HAProxy sends by syslog to the addresses in [intake] \
wait on this host's disk until the primary has them on its own; GET /api/health (health_listen) tells how many wait, and why.

Examples: suiftly gateway --config /etc/suiftly/gateway.toml
          suiftly gateway --check";

#[derive(Debug, Args)]
pub(super) struct GatewayArgs {
    /// The gateway's configuration
    #[arg(long, env = "SUIFTLY_CONFIG", default_value = crate::config::DEFAULT_GATEWAY_PATH)]
    config: PathBuf,
    /// Checks configuration and secrets, and ends
    #[arg(long)]
    check: bool,
}

pub(super) fn gateway(args: &GatewayArgs) -> Result<()> {
    let config = GatewayHostConfig::load(&args.config)?;
    let secrets = GatewaySecrets::load(&config.secrets_file)?;
    if args.check {
        println!("{} is good", args.config.display());
        return Ok(());
    }
    telemetry::init(&config.log)?;
    super::block_on(async {
        let mut signals = StopSignals::listen()?;
        let stop = CancellationToken::new();
        let running = start_gateway_host(&config, &secrets, Clock::System, &stop).await?;
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        signals.wait().await;
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        stop.cancel();
        Ok(running.await?)
    })?
}
