//! Hearing the gateways: the agent of this host as soon as something changes, those of others every few seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{debug, error};

use crate::app::{Answers, App};
use crate::config::PublicUrl;
use crate::core::calendar::UtcMillis;
use crate::core::gateway_fleet::GatewayStatus;
use crate::core::vault::sync::{GatewayReport, Hearing};
use crate::gateway::primary::Primary;
use crate::gateway::status::{AgentStatus, SharedStatus};
use crate::telemetry::chain;

/// Between two questions to an agent of another host, and at the latest to the one of this host.
const POLL: Duration = Duration::from_secs(5);
/// For an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// An HTTP date says no more.
const DATE_STEP_MS: i64 = 1000;

/// Tells what this host's HAProxy obeys as soon as it changes, for ever.
pub(super) async fn report(app: Arc<App>, status: Arc<SharedStatus>) {
    loop {
        let now = status.read();
        app.vaults.note_gateway(now.gateway, reached(&fleet_status(&now, None)));
        let _ = timeout(POLL, status.changed()).await;
    }
}

/// Asks the agents of other hosts, and hands on what all have said, for ever.
pub(super) async fn watch(app: Arc<App>, remotes: BTreeMap<u8, PublicUrl>, local: Option<Arc<SharedStatus>>) {
    let mut is_failing = false;
    loop {
        let newest = app.vaults.newest().borrow().clone();
        let asking = remotes.iter().map(|(gateway, url)| hear(&app, *gateway, url));
        let mut answers: Answers = futures_util::future::join_all(asking).await.into_iter().collect();
        if let Some(status) = &local {
            let status = status.read();
            answers.insert(status.gateway, Ok(fleet_status(&status, Some(0))));
        }
        let noted = app.note_fleet(answers, &newest).await;
        // Said once, not every 5 s.
        if let Some(error) = noted.as_ref().err().filter(|_| !is_failing) {
            error!(error = %chain(error), "how the gateways are could not be noted");
        }
        is_failing = noted.is_err();
        tokio::time::sleep(POLL).await;
    }
}

/// One gateway, whose answer counts for its customers' changes as soon as it is there.
async fn hear(app: &App, gateway: u8, url: &PublicUrl) -> (u8, Result<GatewayStatus, String>) {
    let answer = ask(app, gateway, url).await;
    let report = match &answer {
        Ok(status) => reached(status),
        Err(_) => {
            let known = app.vaults.gateways().remove(&gateway).unwrap_or_default();
            GatewayReport { hearing: Hearing::Silent, ..known }
        }
    };
    app.vaults.note_gateway(gateway, report);
    (gateway, answer)
}

fn reached(status: &GatewayStatus) -> GatewayReport {
    GatewayReport { hearing: Hearing::Reached, applied: status.applied(), taken: status.taken() }
}

/// What an agent says, or why that cannot be had.
async fn ask(app: &App, gateway: u8, url: &PublicUrl) -> Result<GatewayStatus, String> {
    let PublicUrl { authority, is_secure } = url;
    let asked_at = app.clock.now();
    let asking = async {
        let host = Primary::new(authority, *is_secure, Default::default(), None).map_err(|error| chain(&error))?;
        host.status().await
    };
    let answer = timeout(ANSWER_WITHIN, asking).await;
    let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs())));
    let answer = answer.and_then(|status| match status.gateway {
        number if number == gateway => Ok(status),
        number => Err(format!("{authority} is gateway {number}: compare gateway.remotes with number on that host")),
    });
    if let Err(problem) = &answer {
        debug!(gateway, problem, "a gateway does not answer");
    }
    let heard_at = app.clock.now();
    answer.map(|status| {
        let ahead = status.answered_at.map(|date| clock_ahead_ms(date, asked_at, heard_at));
        fleet_status(&status, ahead).believed(app.vaults.opener())
    })
}

/// By how much a clock that showed `date` between two instants is ahead; 0 if it may have been right.
fn clock_ahead_ms(date: UtcMillis, asked_at: UtcMillis, heard_at: UtcMillis) -> i64 {
    let earliest = date.0.saturating_sub(heard_at.0);
    let latest = date.0.saturating_add(DATE_STEP_MS).saturating_sub(asked_at.0);
    if earliest > 0 { earliest } else { latest.min(0) }
}

/// The part that concerns the fleet, by the names in the agent's answer.
fn fleet_status(status: &AgentStatus, clock_ahead_ms: Option<i64>) -> GatewayStatus {
    let said = serde_json::to_value(status).unwrap_or_default();
    let status = serde_json::from_value(said).unwrap_or_default();
    GatewayStatus { clock_ahead_ms, ..status }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::gateway_fleet::{HaproxyStanding, HaproxyState, LogStanding, VaultStanding};
    use crate::gateway::status::{self, HaproxyStatus, LogStatus, VaultStatus};

    #[test]
    fn everything_that_concerns_the_fleet_is_taken_over() {
        let text = |text: &str| Some(text.to_owned());
        let vault = VaultStatus {
            applied: 4,
            applied_hash: text("ab"),
            processing: Some(5),
            taken: 6,
            proof: text("q"),
            entries: 7,
            propagation_ms: Some(8),
            refused: text("r"),
            primary_problem: text("p"),
            ..VaultStatus::default()
        };
        let haproxy = HaproxyStatus {
            state: status::HaproxyState::Unreachable,
            version: text("2.6"),
            problem: text("h"),
            ..HaproxyStatus::default()
        };
        let log = LogStatus {
            spool_bytes: 10,
            lag_ms: 11,
            problem: text("l"),
            spool_problem: text("m"),
            ..LogStatus::default()
        };
        let status = AgentStatus {
            gateway: 3,
            version: "1.2.3".to_owned(),
            vaults: [("sma".to_owned(), vault)].into(),
            haproxy,
            files_problem: text("f"),
            source_problem: text("s"),
            log: Some(log),
            ..AgentStatus::default()
        };
        let vault = VaultStanding {
            applied: 4,
            applied_hash: text("ab"),
            processing: Some(5),
            taken: 6,
            proof: text("q"),
            entries: 7,
            propagation_ms: Some(8),
            refused: text("r"),
            primary_problem: text("p"),
        };
        let haproxy = HaproxyStanding { state: HaproxyState::Unreachable, version: text("2.6"), problem: text("h") };
        let expected = GatewayStatus {
            version: "1.2.3".to_owned(),
            vaults: [("sma".to_owned(), vault)].into(),
            haproxy,
            files_problem: text("f"),
            source_problem: text("s"),
            log: Some(LogStanding { spool_bytes: 10, lag_ms: 11, problem: text("l"), spool_problem: text("m") }),
            clock_ahead_ms: Some(9),
        };
        assert_eq!(fleet_status(&status, Some(9)), expected);
        let states = [
            (status::HaproxyState::Unknown, HaproxyState::Unknown),
            (status::HaproxyState::InForce, HaproxyState::InForce),
            (status::HaproxyState::Behind, HaproxyState::Behind),
        ];
        for (state, expected) in states {
            let haproxy = HaproxyStatus { state, ..HaproxyStatus::default() };
            assert_eq!(fleet_status(&AgentStatus { haproxy, ..status.clone() }, None).haproxy.state, expected);
        }
    }

    #[test]
    fn a_clock_is_off_only_if_it_cannot_be_right() {
        for (date, expected) in
            [(10_000, 0), (11_000, 0), (13_000, 0), (14_000, 1_000), (9_000, 0), (8_000, -1_000), (0, -9_000)]
        {
            let ahead = clock_ahead_ms(UtcMillis(date), UtcMillis(10_000), UtcMillis(13_000));
            assert_eq!(ahead, expected, "{date}");
        }
    }
}
