//! The HAProxy configuration that enforces keys and limits and writes the lines that are billed.
//!
//! The two texts beside this module are the configuration with holes; [`render`] fills them. The shipped
//! `etc/haproxy/suiftly.cfg` is the rendering of [`Settings::default`]. [`version`] says which HAProxy it is for.
//!
//! A stream (a gRPC method that answers with many messages, an event stream) is one request: HAProxy writes its line when
//! it ends, with all its bytes, and counts it in the second in which it began. So its line has class 1 or 2 like any
//! other, and the classes 7 (a part of a stream) and 8 (its end) are never written. Nothing that HAProxy has could write
//! them without counting a request twice:
//! - `option logasap` writes the one line early, when the answer's head has come, with a `+` before the bytes: what is
//!   streamed after that is never told. Such a line is not counted, but refused as unfinished.
//! - The steps of a `log-profile` (3.1) are accept, request, connect, response and close: none comes while a stream
//!   lasts, so there is nothing of which class 7 could tell, and before 3.1 there are none.
//! - `do-log` (3.1) writes a line where a rule stands, and rules run before the body.
//!
//! What follows from it: a stream's bytes are right, and come when it has ended, by itself, by a time-out without a
//! message, by a client that leaves, or by the `hard-stop-after` of a reload; then with what had been sent until then. A
//! stream is lost when HAProxy is killed, like any request that it has not answered yet. A customer whose balance ends
//! while a stream lasts is refused the next request, and the stream goes on: HAProxy has no limit for how long a stream
//! may be, so the backend has to end it. Another gateway than HAProxy may write classes 7 and 8: they are read, kept,
//! and counted as they should be.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;

use crate::core::haproxy_map::{ipv4_prefixes, ipv6_prefixes};
use crate::core::id::{Network, Service};
use crate::core::log_line::s1;
use crate::core::request_id;

pub mod check;
pub mod version;

const BASE: &str = include_str!("haproxy_config/base.cfg");
const SERVICE: &str = include_str!("haproxy_config/service.cfg");
const BACKEND: &str = include_str!("haproxy_config/backend.cfg");

/// Characters of an API key.
const KEY_LENGTH: usize = 37;

/// What differs between one installation and another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// This gateway's number, the third column of each log line.
    pub gateway: u8,
    /// The folder that holds `keys.map`, `limits.map` and `allowlist.map`.
    pub map_folder: String,
    /// One frontend and one backend each, in this order.
    pub services: Vec<ServiceSettings>,
    /// What follows `log` in each frontend: where lines go, their longest length, facility and level.
    pub log_target: String,
    /// The runtime socket, at administrator level.
    pub admin_socket: String,
    /// Whom HAProxy turns into after it has bound its ports; `None` leaves it as whoever starts it.
    pub confinement: Option<Confinement>,
    /// `None` lets HAProxy use every processor. A log on standard output needs exactly one: HAProxy drops a line
    /// when two threads write at once.
    pub threads: Option<NonZeroU16>,
    /// Connections that are open at once, of all services.
    pub max_connections: u32,
}

/// One service: where customers reach it, and where its backends are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    pub service: Service,
    pub listen: SocketAddr,
    /// `host:port` of the backend of each network. Keys of a network that is not here are refused.
    pub upstreams: BTreeMap<Network, String>,
    pub upstream_protocol: UpstreamProtocol,
    /// Requests that a backend gets at once; more wait, those within guaranteed before those within burst.
    pub upstream_max_connections: u32,
}

/// What a backend speaks. Customers may use either, whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamProtocol {
    Http1,
    /// HTTP/2 without TLS, which gRPC needs.
    Http2,
}

/// The user, group and root folder of a running HAProxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    pub user: String,
    pub group: String,
    pub chroot: String,
}

/// A setting with a character that would mean something else to HAProxy's configuration reader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("HAProxy's {setting} cannot be {value:?}: {rule}")]
pub struct BadSetting {
    /// Which one.
    pub setting: &'static str,
    /// What was given.
    pub value: String,
    /// What it may consist of.
    pub rule: &'static str,
}

/// As Debian has it: rsyslog takes lines from `/dev/log` (also inside the chroot) to `/var/log/haproxy.log`. Seal
/// listens on port 20002, gRPC on 20003, GraphQL on 20004; their backends on the same machine, for mainnet, are at 21002
/// to 21004.
impl Default for Settings {
    fn default() -> Self {
        Self {
            gateway: 1,
            map_folder: "/var/lib/suiftly/haproxy".to_owned(),
            services: Service::ALL.into_iter().map(ServiceSettings::default_for).collect(),
            log_target: "/dev/log len 8192 local0 info".to_owned(),
            admin_socket: "/run/haproxy/admin.sock".to_owned(),
            confinement: Some(Confinement {
                user: "haproxy".to_owned(),
                group: "haproxy".to_owned(),
                chroot: "/var/lib/haproxy".to_owned(),
            }),
            threads: None,
            max_connections: 8000,
        }
    }
}

impl ServiceSettings {
    /// The service on its default port, with its backend on the same machine.
    pub fn default_for(service: Service) -> Self {
        let (port, upstream_protocol) = match service {
            Service::Seal => (20_002, UpstreamProtocol::Http1),
            Service::Grpc => (20_003, UpstreamProtocol::Http2),
            Service::Graphql => (20_004, UpstreamProtocol::Http1),
        };
        Self {
            service,
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            upstreams: BTreeMap::from([(Network::Mainnet, format!("127.0.0.1:{}", port + 1000))]),
            upstream_protocol,
            upstream_max_connections: 1000,
        }
    }
}

/// The whole configuration file.
///
/// # Errors
/// The first setting that HAProxy would read as something else.
pub fn render(settings: &Settings) -> Result<String, BadSetting> {
    check(settings)?;
    let threads = settings.threads.map(|threads| format!("  nbthread {threads}\n")).unwrap_or_default();
    let mut text = BASE
        .replace("@confinement@", &confinement(settings.confinement.as_ref()))
        .replace("@admin_socket@", &settings.admin_socket)
        .replace("@threads@", &threads)
        .replace("@max_connections@", &settings.max_connections.to_string());
    for service in &settings.services {
        text.push_str(&render_service(settings, service));
    }
    Ok(text)
}

fn render_service(settings: &Settings, service: &ServiceSettings) -> String {
    let served = |word: &dyn Fn(Network) -> String, between: &str| {
        service.upstreams.keys().map(|network| word(*network)).collect::<Vec<_>>().join(between)
    };
    let backends: String =
        service.upstreams.iter().map(|(network, at)| render_backend(service, *network, at)).collect();
    SERVICE
        .replace("@allowed@", &allowed())
        .replace("@choice@", &choice(service))
        .replace("@backends@", &backends)
        .replace("@title@", service.service.title())
        .replace("@service@", service.service.name())
        .replace("@number@", &service.service.number().to_string())
        .replace("@networks@", &served(&|network: Network| network.number().to_string(), " "))
        .replace(
            "@scopes@",
            &served(&|network: Network| format!("{}/{}", service.service.number(), network.number()), " "),
        )
        .replace("@network_names@", &served(&|network: Network| network.name().to_owned(), " and "))
        .replace("@listen@", &service.listen.to_string())
        .replace("@log_target@", &settings.log_target)
        .replace("@log_format@", &s1::log_format(settings.gateway, service.service))
        .replace("@request_id@", &request_id::log_format(settings.gateway))
        .replace("@key_length@", &KEY_LENGTH.to_string())
        .replace("@key_length_and_one@", &(KEY_LENGTH + 1).to_string())
        .replace("@map_folder@", &settings.map_folder)
}

/// The look-ups of the allowlist: as many conditions of one name, any of which is enough.
fn allowed() -> String {
    let acl = |masks: String, prefix: u8| {
        format!(
            "  acl allowed var(txn.ip),ipmask({masks}),concat(/{prefix}/,txn.scope),map_str(@map_folder@/allowlist.map) \
             -m found\n"
        )
    };
    let ipv4 = ipv4_prefixes().into_iter().map(|prefix| acl(prefix.to_string(), prefix));
    // A mask is needed for IPv4, too. No line is found with it, because these prefixes are lines of IPv6 networks only,
    // or of longer IPv4 addresses than this one.
    let ipv6 = ipv6_prefixes().into_iter().map(|prefix| acl(format!("32,{prefix}"), prefix));
    ipv4.chain(ipv6).collect::<String>().trim_end().to_owned()
}

/// Which backend: mainnet's, or the only one.
fn choice(service: &ServiceSettings) -> String {
    let mut networks = service.upstreams.keys().rev();
    let first = networks.next().map(|network| format!("  default_backend {}\n", backend_name(service, *network)));
    let others = networks.map(|network| {
        let name = backend_name(service, *network);
        format!("  use_backend {name} if {{ var(txn.key),field(3,/) -m str {} }}\n", network.number())
    });
    others.chain(first).collect()
}

/// The name that log lines have: the service's, for mainnet.
fn backend_name(service: &ServiceSettings, network: Network) -> String {
    match network {
        Network::Mainnet => format!("be_{}", service.service.name()),
        Network::Testnet => format!("be_{}_{}", service.service.name(), network.name()),
    }
}

fn render_backend(service: &ServiceSettings, network: Network, upstream: &str) -> String {
    let protocol = match service.upstream_protocol {
        UpstreamProtocol::Http1 => "",
        UpstreamProtocol::Http2 => " proto h2",
    };
    BACKEND
        .replace("@backend@", &backend_name(service, network))
        .replace("@upstream@", upstream)
        .replace("@upstream_protocol@", protocol)
        .replace("@upstream_max_connections@", &service.upstream_max_connections.max(1).to_string())
        + "\n"
}

fn confinement(confinement: Option<&Confinement>) -> String {
    match confinement {
        Some(Confinement { user, group, chroot }) => format!("  user {user}\n  group {group}\n  chroot {chroot}\n"),
        None => String::new(),
    }
}

/// HAProxy's reader gives a meaning to spaces, quotes, `#`, `$`, `\`, and inside converters to commas and brackets.
/// Rather than quoting for every place, only what needs none is taken.
fn check(settings: &Settings) -> Result<(), BadSetting> {
    plain("map folder", &settings.map_folder)?;
    plain("admin socket", &settings.admin_socket)?;
    for upstream in settings.services.iter().flat_map(|service| service.upstreams.values()) {
        plain("upstream", upstream)?;
    }
    if let Some(Confinement { user, group, chroot }) = &settings.confinement {
        plain("user", user)?;
        plain("group", group)?;
        plain("chroot", chroot)?;
    }
    words("log target", &settings.log_target)
}

fn plain(setting: &'static str, value: &str) -> Result<(), BadSetting> {
    if !value.is_empty() && value.chars().all(is_plain) {
        return Ok(());
    }
    let rule = "only letters, digits and . _ - + : / [ ] are possible";
    Err(BadSetting { setting, value: value.to_owned(), rule })
}

fn words(setting: &'static str, value: &str) -> Result<(), BadSetting> {
    if !value.is_empty() && value.chars().all(|c| is_plain(c) || matches!(c, ' ' | '@')) {
        return Ok(());
    }
    let rule = "only words of letters, digits and . _ - + : / [ ] @ are possible";
    Err(BadSetting { setting, value: value.to_owned(), rule })
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | ':' | '/' | '[' | ']')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/etc/haproxy/suiftly.cfg");

    #[test]
    fn the_shipped_configuration_is_the_default_one() {
        let rendered = render(&Settings::default()).unwrap();
        let shipped = std::fs::read_to_string(SHIPPED).unwrap_or_default();
        if shipped != rendered {
            let fresh = std::env::temp_dir().join("suiftly.cfg");
            std::fs::write(&fresh, rendered).unwrap();
            panic!(
                "etc/haproxy/suiftly.cfg differs from the default settings; {} holds what it should be",
                fresh.display()
            );
        }
    }

    #[test]
    fn no_hole_stays_open() {
        let text = render(&Settings::default()).unwrap();
        assert_eq!(text.lines().find(|line| line.contains('@')), None);
    }

    #[test]
    fn what_haproxy_would_read_as_something_else_is_refused() {
        let with_folder = |folder: &str| Settings { map_folder: folder.to_owned(), ..Settings::default() };
        let with_log = |target: &str| Settings { log_target: target.to_owned(), ..Settings::default() };
        for (settings, refused) in [
            (with_folder("/tmp/a-b_c.d"), None),
            (with_folder("/tmp/a b"), Some("map folder")),
            (with_folder("/tmp/a,b"), Some("map folder")),
            (with_folder("/tmp/a)"), Some("map folder")),
            (with_folder("/tmp/@log_format@"), Some("map folder")),
            (with_folder(""), Some("map folder")),
            (with_log("ring@requests len 8192 local0 info"), None),
            (with_log("stdout local0\nglobal"), Some("log target")),
            (Settings { admin_socket: "$HOME/s".to_owned(), ..Settings::default() }, Some("admin socket")),
        ] {
            assert_eq!(render(&settings).err().map(|error| error.setting), refused, "{settings:?}");
        }
    }
}
