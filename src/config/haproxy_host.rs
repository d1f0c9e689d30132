//! What HAProxy's configuration takes from suiftly's, on the host of the ledger or on a gateway's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::{Config, ConfigErrors, DEFAULT_GATEWAY_PATH, DEFAULT_PATH, GatewayHostConfig};
use crate::core::id::Network;

/// Keys that stand alone in a gateway's configuration, and in a section or nowhere in the other one.
const GATEWAYS_KEYS: [&str; 6] = ["number", "primary", "ca_file", "haproxy_socket", "map_dir", "health_listen"];
/// Without a primary there is no gateway, so whoever sets nothing in its file sets this.
const GATEWAYS_VARIABLE: &str = "SUIFTLY_PRIMARY";

/// The host of one HAProxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaproxyHost {
    /// The gateway's number, which its log lines carry.
    pub number: u8,
    /// The folder of the map files.
    pub map_dir: PathBuf,
    /// HAProxy's `stats socket`, if the configuration names one.
    pub haproxy_socket: Option<PathBuf>,
    /// The network of the backends; a gateway's configuration does not say it.
    pub network: Option<Network>,
}

impl HaproxyHost {
    /// Reads a configuration of either kind, which is recognised by its keys, and the environment of the process. Without
    /// a path that of `suiftly serve`, or, on a host that has none, that of `suiftly gateway`.
    ///
    /// # Errors
    /// [`ConfigErrors`]: the file cannot be read, or all that is wrong in it and in the environment.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigErrors> {
        let path = path.unwrap_or_else(|| first_there([DEFAULT_PATH, DEFAULT_GATEWAY_PATH].map(Path::new)));
        let text =
            fs::read_to_string(path).map_err(|source| ConfigErrors::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, &super::process_overrides()).map_err(|errors| errors.in_file(path))
    }

    /// Reads a TOML document of either kind and the overrides that belong to it.
    ///
    /// # Errors
    /// [`ConfigErrors::Invalid`] with every problem.
    pub fn parse(text: &str, overrides: &BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        if is_gateways(text, overrides) {
            let config = GatewayHostConfig::parse(text, overrides)?;
            let haproxy_socket = Some(config.haproxy_socket);
            return Ok(Self { number: config.number, map_dir: config.map_dir, haproxy_socket, network: None });
        }
        let Config { gateway, chain, .. } = Config::parse(text, overrides)?;
        Ok(Self {
            number: gateway.number,
            map_dir: gateway.map_dir,
            haproxy_socket: gateway.haproxy_socket,
            network: Some(chain.network),
        })
    }
}

fn is_gateways(text: &str, overrides: &BTreeMap<String, String>) -> bool {
    let (document, _) = DeTable::parse_recoverable(text);
    overrides.contains_key(GATEWAYS_VARIABLE) || GATEWAYS_KEYS.iter().any(|key| document.get_ref().contains_key(*key))
}

/// The first one, if none is there.
fn first_there<const N: usize>(paths: [&Path; N]) -> &Path {
    let there = paths.iter().find(|path| path.exists());
    there.or(paths.first()).copied().unwrap_or(Path::new(DEFAULT_PATH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, overrides: &[(&str, &str)]) -> HaproxyHost {
        let overrides = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        HaproxyHost::parse(text, &overrides).unwrap()
    }

    fn host(number: u8, map_dir: &str, haproxy_socket: Option<&str>, network: Option<Network>) -> HaproxyHost {
        HaproxyHost { number, map_dir: map_dir.into(), haproxy_socket: haproxy_socket.map(PathBuf::from), network }
    }

    #[test]
    fn both_kinds_of_configuration_are_recognised_with_their_variables() {
        const MAPS: &str = "/var/lib/suiftly/haproxy";
        let of_ledger = "[gateway]\nnumber = 4\nmap_dir = \"/a\"\n[chain]\nnetwork = \"testnet\"\n";
        let of_gateway = "number = 5\nmap_dir = \"/b\"\nprimary = \"https://a.example.com\"\n";
        let gateways_socket = Some("/run/haproxy/admin.sock");
        for (text, overrides, expected) in [
            ("", &[][..], host(1, MAPS, None, Some(Network::Mainnet))),
            (of_ledger, &[], host(4, "/a", None, Some(Network::Testnet))),
            (
                of_ledger,
                &[("SUIFTLY_GATEWAY_NUMBER", "9"), ("SUIFTLY_GATEWAY_HAPROXY_SOCKET", "/s")],
                host(9, "/a", Some("/s"), Some(Network::Testnet)),
            ),
            (of_gateway, &[], host(5, "/b", gateways_socket, None)),
            (of_gateway, &[("SUIFTLY_NUMBER", "9"), ("SUIFTLY_HAPROXY_SOCKET", "/s")], host(9, "/b", Some("/s"), None)),
            ("map_dir = \"/c\"", &[], host(2, "/c", gateways_socket, None)),
            ("", &[("SUIFTLY_PRIMARY", "https://a.example.com")], host(2, MAPS, gateways_socket, None)),
        ] {
            assert_eq!(parse(text, overrides), expected, "{text} {overrides:?}");
        }
    }

    #[test]
    fn the_file_that_is_there_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["suiftly.toml", "gateway.toml"].map(|name| folder.path().join(name));
        assert_eq!(first_there([&first, &second]), first);
        fs::write(&second, "").unwrap();
        assert_eq!(first_there([&first, &second]), second);
        fs::write(&first, "").unwrap();
        assert_eq!(first_there([&first, &second]), first);
    }
}
