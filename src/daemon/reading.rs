//! Everything that brings log lines in, from its configuration to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use super::DaemonError;
use crate::clock::Clock;
use crate::config::{Config, IntakeConfig};
use crate::core::calendar::UtcMillis;
use crate::core::gateway_token::GatewayTokens;
use crate::intake::{
    DropFolder, GatewayStreams, Imports, Inputs, Intake, IntakeError, IntakeOptions, Journal, Room, SpoolThread,
    SyslogAddresses, SyslogReceivers, Until,
};
use crate::traffic::{Traffic, Writer};

/// The spool of what is received by syslog: its name in the store, and its folder in the folder of spools.
const SYSLOG_SPOOL: &str = "syslog";
/// In the data directory.
pub(super) const SPOOL_FOLDER: &str = "spool";
/// 2200-01-01: no line is later.
const LATEST_MS: i64 = 7_258_118_400_000;
/// In the data directory: what is put there is imported.
pub(super) const IMPORT_FOLDER: &str = "import";

/// Intake, with what feeds it.
pub(super) struct Reading {
    intake: Intake,
    syslog: SyslogReceivers,
    spool: Option<SpoolThread>,
    gateways: Arc<GatewayStreams>,
}

impl Reading {
    /// Starts to read and to receive. Blocks; within a runtime.
    pub(super) fn start(
        config: &Config,
        mut syslog: SyslogReceivers,
        tokens: GatewayTokens,
        traffic: &Traffic,
        writer: Writer,
        clock: Clock,
    ) -> Result<Self, DaemonError> {
        let folder = config.data_dir.join(IMPORT_FOLDER);
        let drop_folder = DropFolder::create(&folder).map_err(|source| IntakeError::Import { path: folder, source })?;
        let imports = Some(Imports::of_folder(drop_folder));
        let mut inputs = Inputs { logs: config.intake.log_file.clone(), imports, ..Inputs::default() };
        let (options, max_bytes) = (intake_options(config), config.intake.spool_max_mib << 20);
        let gateways = GatewayStreams::open(&spools(config), tokens, max_bytes, options.room.clone(), traffic)?;
        inputs.spools.extend(gateways.spools());
        let folder = syslog_spool(config);
        let mut spool = None;
        // What was received while it was configured is counted, whatever is configured since.
        if !syslog.is_empty() || folder.exists() {
            let counted = traffic.spool_position(SYSLOG_SPOOL)?;
            let journal = Journal::open(SYSLOG_SPOOL, &folder, max_bytes, counted)
                .map_err(|source| IntakeError::Spool { path: folder, source })?;
            inputs.spools.push(journal.spool().clone());
            let (thread, sender) = SpoolThread::start(journal)?;
            syslog.start(&sender);
            spool = Some(thread);
        }
        let intake = Intake::start(inputs, options, Until::Stopped, traffic, writer, clock)?;
        Ok(Self { intake, syslog, spool, gateways: Arc::new(gateways) })
    }

    /// Says what has become of lines on their way, as far back as that is known.
    pub(super) fn tell_losses(traffic: &Traffic) -> Result<(), DaemonError> {
        let (begin, end) = (UtcMillis(0), UtcMillis(LATEST_MS));
        let lost: u64 = traffic.lines_by_hour(begin, end)?.iter().map(|hour| hour.lost).sum();
        info!(lost, duplicates = traffic.duplicates(begin, end)?, "lines that never came, and lines that came twice");
        Ok(())
    }

    pub(super) fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Where remote gateways send their logs.
    pub(super) fn gateways(&self) -> &Arc<GatewayStreams> {
        &self.gateways
    }

    /// Ends it in the order in which lines flow: nothing that was received is lost.
    pub(super) async fn stop(self) -> Result<(), DaemonError> {
        self.syslog.stop().await;
        let ending = move || {
            if let Some(spool) = self.spool {
                spool.join();
            }
            self.intake.stop();
        };
        Ok(tokio::task::spawn_blocking(ending).await?)
    }
}

/// The folder of what is received.
pub(super) fn spools(config: &Config) -> PathBuf {
    config.data_dir.join(SPOOL_FOLDER)
}

/// The folder of what is received by syslog.
pub(super) fn syslog_spool(config: &Config) -> PathBuf {
    spools(config).join(SYSLOG_SPOOL)
}

/// Where syslog is to be received.
pub(super) fn syslog_addresses(config: &IntakeConfig) -> SyslogAddresses {
    SyslogAddresses { unix: config.syslog_unix.clone(), udp: config.syslog_udp, tcp: config.syslog_tcp }
}

/// The configured way of reading.
pub fn intake_options(config: &Config) -> IntakeOptions {
    let room = Room { path: config.data_dir.clone(), min_free_bytes: config.traffic.min_free_mib << 20 };
    let config = &config.intake;
    IntakeOptions {
        poll_interval: Duration::from_millis(config.poll_interval_ms),
        flush_after: Duration::from_millis(config.flush_after_ms),
        max_batch_rows: config.max_batch_rows,
        rotation_grace: Duration::from_secs(config.rotation_grace_s),
        room,
    }
}
