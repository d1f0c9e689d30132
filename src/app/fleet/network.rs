//! The fleet as customers see it: whether gateways serve them, and with their newest limits. No addresses, no versions.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::core::calendar::UtcMillis;
use crate::core::gateway_fleet::{GatewayState, Watched};
use crate::core::id::Service;
use crate::core::vault::VaultCode;

/// How the network is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Network)]
pub struct NetworkView {
    #[schema(format = DateTime)]
    pub at: String,
    /// By number.
    pub gateways: Vec<NetworkGateway>,
    /// How it is with each service at all gateways that answer.
    pub services: Vec<NetworkService>,
}

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NetworkGateway {
    pub gateway: u8,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub region: Option<String>,
    /// `healthy`; `degraded`: it is late with changes, or its HAProxy is not under control; `unreachable`: nobody knows.
    pub state: NetworkState,
    #[schema(format = DateTime)]
    pub since: String,
    pub services: Vec<NetworkService>,
}

/// How a gateway serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkState {
    Healthy,
    Degraded,
    Unreachable,
}

/// How fresh the keys and limits of a service are, those of all customers together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NetworkService {
    /// `seal`, `grpc` or `graphql`.
    pub service: String,
    /// `current`: every change is in force; `updating`: the newest are not yet; `unknown`: no gateway answers.
    pub limits: NetworkFreshness,
    /// Since when there have been changes that are not in force; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub updating_since: Option<String>,
}

/// Whether changes are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkFreshness {
    Current,
    Updating,
    Unknown,
}

impl App {
    /// How the network is, as far as gateways were heard.
    pub fn network(&self) -> NetworkView {
        let watched = self.fleet.locked().watched.clone();
        network(&watched, &self.fleet.regions, self.clock.now())
    }
}

fn network(fleet: &BTreeMap<u8, Watched>, regions: &BTreeMap<u8, String>, now: UtcMillis) -> NetworkView {
    let gateways = fleet.iter().map(|(gateway, watched)| NetworkGateway {
        gateway: *gateway,
        region: regions.get(gateway).cloned(),
        state: state(watched.state),
        since: watched.since.to_string(),
        services: Service::ALL.into_iter().map(|service| at_one(service, watched)).collect(),
    });
    let services = Service::ALL.into_iter().map(|service| at_all(service, fleet));
    NetworkView { at: now.to_string(), gateways: gateways.collect(), services: services.collect() }
}

const fn state(state: GatewayState) -> NetworkState {
    match state {
        GatewayState::Ok => NetworkState::Healthy,
        GatewayState::Behind | GatewayState::HaproxyDown => NetworkState::Degraded,
        GatewayState::Unreachable | GatewayState::NeverSeen => NetworkState::Unreachable,
    }
}

fn is_heard(watched: &Watched) -> bool {
    watched.heard_at.is_some() && watched.silent_since.is_none()
}

fn at_one(service: Service, watched: &Watched) -> NetworkService {
    let since = updating_since(service, watched);
    told(service, is_heard(watched).then_some(since))
}

/// One that does not answer is not waited for, as with the state of a customer's own changes.
fn at_all(service: Service, fleet: &BTreeMap<u8, Watched>) -> NetworkService {
    let heard: Vec<_> = fleet.values().filter(|watched| is_heard(watched)).collect();
    let since = heard.iter().filter_map(|watched| updating_since(service, watched)).min();
    told(service, (!heard.is_empty()).then_some(since))
}

/// `None`: nobody knows; otherwise since when something is not in force, if anything is not.
fn told(service: Service, known: Option<Option<UtcMillis>>) -> NetworkService {
    let limits = match known {
        None => NetworkFreshness::Unknown,
        Some(None) => NetworkFreshness::Current,
        Some(Some(_)) => NetworkFreshness::Updating,
    };
    let updating_since = known.flatten().map(|since| since.to_string());
    NetworkService { service: service.name().to_owned(), limits, updating_since }
}

fn updating_since(service: Service, watched: &Watched) -> Option<UtcMillis> {
    let is_of = |code: &&String| code.parse::<VaultCode>().is_ok_and(|code| code.service() == service);
    let awaited = watched.standing.awaited.iter().filter(|(code, _)| is_of(code));
    awaited.map(|(_, awaited)| UtcMillis(awaited.since_ms)).min()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::core::gateway_fleet::{AwaitedVault, Standing};

    const NOW: UtcMillis = UtcMillis(1_795_424_400_000);

    fn watched(state: GatewayState, awaited: Option<(&str, i64)>) -> Watched {
        let awaited = awaited
            .map(|(code, ago_ms)| (code.to_owned(), AwaitedVault { sequence: 4, since_ms: NOW.plus_ms(-ago_ms).0 }));
        let is_silent = matches!(state, GatewayState::Unreachable | GatewayState::NeverSeen);
        Watched {
            state,
            since: NOW,
            heard_at: (state != GatewayState::NeverSeen).then_some(NOW),
            silent_since: is_silent.then_some(NOW),
            standing: Standing { awaited: awaited.into_iter().collect(), ..Standing::default() },
        }
    }

    #[test]
    fn customers_are_told_how_gateways_are_and_how_fresh_limits_are() {
        let fleet = BTreeMap::from([
            (1, watched(GatewayState::Ok, None)),
            (2, watched(GatewayState::Behind, Some(("gta", 9_000)))),
            (3, watched(GatewayState::HaproxyDown, Some(("gma", 20_000)))),
            (4, watched(GatewayState::Unreachable, Some(("sma", 90_000)))),
            (5, watched(GatewayState::NeverSeen, None)),
        ]);
        let view = network(&fleet, &[(2, "Tokyo".to_owned())].into(), NOW);
        let states: Vec<_> = view.gateways.iter().map(|gateway| (gateway.state, gateway.region.as_deref())).collect();
        assert_eq!(
            states,
            [
                (NetworkState::Healthy, None),
                (NetworkState::Degraded, Some("Tokyo")),
                (NetworkState::Degraded, None),
                (NetworkState::Unreachable, None),
                (NetworkState::Unreachable, None)
            ]
        );
        let service = |services: &[NetworkService], name: &str| {
            let found = services.iter().find(|one| one.service == name).unwrap().clone();
            (found.limits, found.updating_since)
        };
        let (current, unknown) = ((NetworkFreshness::Current, None), (NetworkFreshness::Unknown, None));
        let updating = |ago_ms: i64| (NetworkFreshness::Updating, Some(NOW.plus_ms(-ago_ms).to_string()));
        assert_eq!(service(&view.gateways[1].services, "graphql"), updating(9_000));
        assert_eq!(service(&view.gateways[1].services, "seal"), current);
        assert_eq!(service(&view.gateways[3].services, "grpc"), unknown, "what it has is not known any more");
        assert_eq!(service(&view.services, "graphql"), updating(20_000));
        assert_eq!(service(&view.services, "seal"), current, "a silent gateway is not waited for");
        let silent = network(&[(4, watched(GatewayState::Unreachable, None))].into(), &BTreeMap::new(), NOW);
        let told: BTreeSet<_> = silent.services.iter().map(|one| one.service.as_str()).collect();
        assert_eq!((service(&silent.services, "seal"), told.len()), (unknown, 3));
    }

    #[test]
    fn customers_see_nothing_of_the_inside() {
        let mut one = watched(GatewayState::Unreachable, None);
        one.standing.silence = Some("http://10.0.0.7:22610 refused".to_owned());
        one.standing.status.version = "9.9.9".to_owned();
        let text = serde_json::to_string(&network(&[(1, one)].into(), &BTreeMap::new(), NOW)).unwrap();
        assert!(!text.contains("10.0.0.7") && !text.contains("9.9.9"), "{text}");
    }
}
