//! The one typed configuration of the process: read from a TOML file, overridden by `SUIFTLY_*` environment variables.
//!
//! This file is what an operator can set; `fields` is how it is read. Three promises: a key that is not known is
//! refused, every mistake is reported in one go, and [`Config::default`] equals the shipped `etc/suiftly.toml`.
//! Only names that start with `SUIFTLY_` are looked at in the environment, and only here, besides the folder that
//! systemd hands credentials over in. [`Secrets`] are in a file of their own.

mod fields;
mod gateway_host;
mod haproxy_host;
mod secrets;
mod sections;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use self::fields::Fields;
pub use self::gateway_host::{
    DEFAULT_GATEWAY_PATH, GatewayHostConfig, GatewayIntakeConfig, GatewaySecrets, GatewaySecretsError,
};
pub use self::haproxy_host::HaproxyHost;
pub use self::secrets::{NewSecrets, Secrets, SecretsError};
use crate::core::id::{Network, Service};

/// Where the configuration is read from unless `--config` names another file.
pub const DEFAULT_PATH: &str = "/etc/suiftly/suiftly.toml";

/// Variables that start with `SUIFTLY_` and are no keys: the configuration's path, and those of tests.
const RESERVED_VARIABLES: [&str; 3] = ["SUIFTLY_CONFIG", "SUIFTLY_BIN", "SUIFTLY_KILLS"];

/// Everything an operator can set. Field names are the keys of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Folder of both databases; created at start, owned by one process at a time.
    pub data_dir: PathBuf,
    /// The file of [`Secrets`].
    pub secrets_file: PathBuf,
    /// `[log]`
    pub log: LogConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
    /// `[chain]`
    pub chain: ChainConfig,
    /// `[intake]`
    pub intake: IntakeConfig,
    /// `[traffic]`
    pub traffic: TrafficConfig,
    /// `[ledger]`
    pub ledger: LedgerConfig,
    /// `[billing]`
    pub billing: BillingConfig,
    /// `[gateway]`
    pub gateway: GatewayConfig,
    /// `[jobs]`
    pub jobs: JobsConfig,
}

/// The program's own log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or directives of `tracing_subscriber::EnvFilter` such as `info,suiftly::intake=debug`.
    pub level: String,
    /// Shape of a line.
    pub format: LogFormat,
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// The listener of the API and the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// What customers see in their browser's address bar; none is `http://` and the address listened on.
    pub public_url: Option<PublicUrl>,
    /// Where customers send the requests of each service; what is missing, the dashboard does not know.
    pub service_urls: BTreeMap<Service, PublicUrl>,
    /// The operator's own terms of service; without it the dashboard shows its own.
    pub terms_url: Option<String>,
    /// Where customers write to: a page, or a `mailto:`.
    pub support_url: Option<String>,
    /// Who may say in `X-Forwarded-For` whom a request came from.
    pub trusted_proxies: Vec<IpAddr>,
    /// Connections at once; more wait to be accepted.
    pub max_connections: usize,
}

/// Scheme, host and port, as browsers write an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// `https` or not.
    pub is_secure: bool,
    /// Host and, unless it is the scheme's own, port.
    pub authority: String,
}

/// Requests a minute, from one place, or of one account's sessions and of its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsConfig {
    pub ip_per_min: u32,
    pub customer_per_min: u32,
    pub sign_in_ip_per_min: u32,
    pub sign_in_address_per_min: u32,
}

/// The Sui chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainConfig {
    pub network: Network,
}

/// Reading HAProxy's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeConfig {
    /// The files that HAProxy's log goes to: paths and patterns, separated by commas.
    pub log_file: Vec<PathBuf>,
    /// A unix socket that receives syslog datagrams, if any.
    pub syslog_unix: Option<PathBuf>,
    /// Where syslog is received by UDP, if at all.
    pub syslog_udp: Option<SocketAddr>,
    /// Where syslog is received by TCP, if at all.
    pub syslog_tcp: Option<SocketAddr>,
    /// The most that received lines may take on disk until they are counted: those by syslog, and those of each remote
    /// gateway.
    pub spool_max_mib: u64,
    /// The file is looked at after this long even if no change was notified.
    pub poll_interval_ms: u64,
    /// A batch that is not full is stored after this long.
    pub flush_after_ms: u64,
    /// A batch with this many requests is stored at once.
    pub max_batch_rows: usize,
    /// How long a rotated file is still read, for a writer that reopens late.
    pub rotation_grace_s: u64,
}

/// The store of requests (DuckDB).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficConfig {
    /// Beyond it DuckDB spills to its temporary folder.
    pub memory_limit_mib: u64,
    /// Requests are sealed into files by spans of so many days.
    pub chunk_days: u32,
    /// A span is sealed when it ended so many days ago.
    pub seal_after_days: u32,
    /// Requests are dropped when they are so many days old.
    pub retention_days: u32,
    /// Intake waits while the disk has less room than this.
    pub min_free_mib: u64,
    /// DuckDB's threads for one statement. Readers run beside each other anyway; more make intake slower, because the
    /// one that appends then shares its work.
    pub threads: u32,
}

/// The store of money (SQLite).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerConfig {
    /// Read connections beside the one writer.
    pub readers: usize,
}

/// What is printed on invoices, and the tax on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingConfig {
    /// Who issues invoices; empty is not set.
    pub issuer_name: String,
    /// The issuer's address, line by line, with whatever else the law asks for: a tax number.
    pub issuer_address: Vec<String>,
    /// Hundredths of a per cent of all charges; 0 = no tax and no line for it.
    pub tax_basis_points: u64,
}

/// The HAProxy on this machine, and the agent beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// HAProxy's `stats socket`; without it there is no agent.
    pub haproxy_socket: Option<PathBuf>,
    /// The folder of the map files, as HAProxy's configuration calls it.
    pub map_dir: PathBuf,
    /// Where the agent's health is served.
    pub health_listen: SocketAddr,
    /// Number of this gateway, as in its log lines.
    pub number: u8,
    /// Where the agents of other hosts serve their health, by number.
    pub remotes: BTreeMap<u8, PublicUrl>,
    /// Where gateways are, in words for customers, by number.
    pub regions: BTreeMap<u8, String>,
}

/// The periodic tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsConfig {
    /// Pause between two rounds; something urgent starts a round earlier.
    pub interval_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/suiftly"),
            log: LogConfig { level: "info".to_owned(), format: LogFormat::Auto },
            secrets_file: PathBuf::from("/etc/suiftly/secrets.toml"),
            http: HttpConfig {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 22700)),
                public_url: None,
                service_urls: BTreeMap::new(),
                terms_url: None,
                support_url: None,
                trusted_proxies: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
                max_connections: 1024,
            },
            limits: LimitsConfig {
                ip_per_min: 3600,
                customer_per_min: 1200,
                sign_in_ip_per_min: 30,
                sign_in_address_per_min: 10,
            },
            chain: ChainConfig { network: Network::Mainnet },
            intake: IntakeConfig {
                log_file: vec![PathBuf::from("/var/log/haproxy.log")],
                syslog_unix: None,
                syslog_udp: None,
                syslog_tcp: None,
                spool_max_mib: 1024,
                poll_interval_ms: 1000,
                flush_after_ms: 200,
                // One row group of DuckDB: the size that its storage and its parallelism are built around.
                max_batch_rows: 122_880,
                rotation_grace_s: 10,
            },
            traffic: TrafficConfig {
                memory_limit_mib: 256,
                chunk_days: 7,
                seal_after_days: 7,
                retention_days: 90,
                min_free_mib: 512,
                threads: 1,
            },
            ledger: LedgerConfig { readers: 2 },
            billing: BillingConfig { issuer_name: String::new(), issuer_address: Vec::new(), tax_basis_points: 0 },
            gateway: GatewayConfig {
                haproxy_socket: None,
                map_dir: PathBuf::from("/var/lib/suiftly/haproxy"),
                health_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 22610)),
                number: 1,
                remotes: BTreeMap::new(),
                regions: BTreeMap::new(),
            },
            jobs: JobsConfig { interval_s: 300 },
        }
    }
}

impl Config {
    /// Reads the file and the environment of the process.
    ///
    /// # Errors
    /// [`ConfigErrors`]: the file cannot be read, or all that is wrong in it and in the environment.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigErrors::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, &process_overrides()).map_err(|errors| errors.in_file(path))
    }

    /// Reads a TOML document and overrides such as `SUIFTLY_HTTP_LISTEN`; what neither sets has its default.
    ///
    /// # Errors
    /// [`ConfigErrors::Invalid`] with every problem.
    pub fn parse(text: &str, overrides: &BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        let mut fields = Fields::new(text, overrides);
        let config = sections::read(&mut fields);
        let problems = fields.finish();
        if problems.is_empty() { Ok(config) } else { Err(ConfigErrors::Invalid { file: None, problems }) }
    }

    /// Every key, such as `intake.log_file`, in the order of the shipped file.
    pub fn keys() -> Vec<&'static str> {
        let nothing = BTreeMap::new();
        let mut fields = Fields::new("", &nothing);
        sections::read(&mut fields);
        fields.known().to_vec()
    }
}

impl PublicUrl {
    pub(crate) const ALLOWED: &str =
        "an address without a path, like \"https://dashboard.example.com\", or \"\" for the one listened on";

    /// The address listened on, without encryption.
    pub fn of_listener(address: SocketAddr) -> Self {
        Self { is_secure: false, authority: address.to_string() }
    }

    /// As browsers send it in `Origin`.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.is_secure { "https" } else { "http" }, self.authority)
    }

    /// Whether cookies stay on this machine or are encrypted.
    pub fn keeps_cookies_safe(&self) -> bool {
        let host = self.authority.rsplit_once(':').map_or(self.authority.as_str(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.is_secure || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for PublicUrl {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let url: axum::http::Uri = text.strip_suffix('/').unwrap_or(text).parse().map_err(|_| ())?;
        let is_secure = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(()),
        };
        let authority = url.authority().ok_or(())?.as_str().to_ascii_lowercase();
        let is_bare = url.path_and_query().is_none_or(|path| path == "/") && !authority.contains('@');
        let authority = authority.strip_suffix(if is_secure { ":443" } else { ":80" }).unwrap_or(&authority).to_owned();
        if is_bare && !authority.is_empty() { Ok(Self { is_secure, authority }) } else { Err(()) }
    }
}

/// The environment variables of this process that may override a key. A value that is no Unicode is refused later,
/// with its broken part replaced.
pub fn process_overrides() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with(fields::VARIABLE_PREFIX))
        .collect()
}

/// A sentence for each variable that overrides nothing, to be logged as a warning.
///
/// It is no error, because container platforms set such names themselves: a Kubernetes service called `suiftly`
/// puts `SUIFTLY_SERVICE_HOST` and `SUIFTLY_PORT` into every pod.
pub fn unused_overrides(overrides: &BTreeMap<String, String>) -> Vec<String> {
    let known: Vec<String> = Config::keys().into_iter().map(fields::variable).collect();
    overrides
        .keys()
        .filter(|name| !known.contains(*name) && !RESERVED_VARIABLES.contains(&name.as_str()))
        .map(|name| match fields::nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("{name} overrides no key; did you mean {near}?"),
            None => format!("{name} overrides no key"),
        })
        .collect()
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigErrors {
    /// The file does not exist, may not be read, or is not UTF-8.
    #[error(
        "cannot read the configuration {path}: {source}; name another file with --config (without it {DEFAULT_PATH} \
         is read)", path = path.display()
    )]
    Unreadable {
        /// The file that was asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was read, and is wrong in at least one place.
    #[error("{}", list_problems(file.as_deref(), problems))]
    Invalid {
        /// The file, if the text came from one.
        file: Option<PathBuf>,
        /// In the order of the file, then of the environment; never empty.
        problems: Vec<Problem>,
    },
}

impl ConfigErrors {
    fn in_file(self, path: &Path) -> Self {
        match self {
            Self::Invalid { problems, .. } => Self::Invalid { file: Some(path.to_owned()), problems },
            unreadable @ Self::Unreadable { .. } => unreadable,
        }
    }
}

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it was set.
    pub place: Place,
    /// Key, value and what is allowed, in one line.
    pub message: String,
}

/// Where a value was set. Ordered as problems are reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file, on this line, counted from 1.
    Line(usize),
    /// In the environment.
    Environment,
}

fn list_problems(file: Option<&Path>, problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => "the configuration has a mistake:".to_owned(),
        count => format!("the configuration has {count} mistakes:"),
    };
    for Problem { place, message } in problems {
        let place = Located { file, place };
        text.push_str(&format!("\n  {place}: {message}"));
    }
    text
}

struct Located<'a> {
    file: Option<&'a Path>,
    place: &'a Place,
}

impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.place, self.file) {
            (Place::Line(line), Some(file)) => write!(f, "{}:{line}", file.display()),
            (Place::Line(line), None) => write!(f, "line {line}"),
            (Place::Environment, _) => write!(f, "environment"),
        }
    }
}

#[cfg(test)]
mod tests;
