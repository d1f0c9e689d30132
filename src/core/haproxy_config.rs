//! The HAProxy configuration that enforces keys and limits and writes the lines that are billed.
//!
//! The two texts beside this module are the configuration with holes; [`render`] fills them. The shipped
//! `etc/haproxy/suiftly.cfg` is the rendering of [`Settings::default`].

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;

use crate::core::id::Service;
use crate::core::log_line::s1;

const BASE: &str = include_str!("haproxy_config/base.cfg");
const SERVICE: &str = include_str!("haproxy_config/service.cfg");

/// Characters of an API key.
const KEY_LENGTH: usize = 37;

/// What differs between one installation and another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// This gateway's number, the third column of each log line.
    pub gateway: u8,
    /// The folder that holds `keys.map` and `limits.map`.
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

/// One service: where customers reach it, and where its backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    pub service: Service,
    pub listen: SocketAddr,
    /// `host:port` of the backend.
    pub upstream: String,
    pub upstream_protocol: UpstreamProtocol,
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
/// listens on port 20002, gRPC on 20003, GraphQL on 20004; their backends on the same machine are at 21002 to 21004.
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
            upstream: format!("127.0.0.1:{}", port + 1000),
            upstream_protocol,
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
    let protocol = match service.upstream_protocol {
        UpstreamProtocol::Http1 => "",
        UpstreamProtocol::Http2 => " proto h2",
    };
    SERVICE
        .replace("@title@", service.service.title())
        .replace("@service@", service.service.name())
        .replace("@number@", &service.service.number().to_string())
        .replace("@listen@", &service.listen.to_string())
        .replace("@log_target@", &settings.log_target)
        .replace("@log_format@", &s1::log_format(settings.gateway, service.service))
        .replace("@key_length@", &KEY_LENGTH.to_string())
        .replace("@map_folder@", &settings.map_folder)
        .replace("@upstream@", &service.upstream)
        .replace("@upstream_protocol@", protocol)
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
    for service in &settings.services {
        plain("upstream", &service.upstream)?;
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
