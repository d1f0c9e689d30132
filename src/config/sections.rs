//! Every key of the file, section by section: what it may be, and what it is.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use super::fields::Fields;
use super::{
    BillingConfig, ChainConfig, Config, GatewayConfig, HttpConfig, IntakeConfig, JobsConfig, LedgerConfig,
    LimitsConfig, LogConfig, LogFormat, PublicUrl, TrafficConfig,
};
use crate::core::id::{Network, Service};

/// Reads every key, in the order of the shipped file.
pub(super) fn read(fields: &mut Fields<'_>) -> Config {
    let default = Config::default();
    Config {
        data_dir: fields.path("data_dir", default.data_dir),
        log: read_log(fields, default.log),
        secrets_file: fields.path("secrets_file", default.secrets_file),
        http: read_http(fields, default.http),
        limits: read_limits(fields, default.limits),
        chain: ChainConfig {
            network: fields.text("chain.network", default.chain.network, NETWORKS_ALLOWED, Network::from_name),
        },
        intake: read_intake(fields, default.intake),
        traffic: read_traffic(fields, default.traffic),
        ledger: LedgerConfig { readers: fields.integer("ledger.readers", default.ledger.readers, 1..=16) },
        billing: read_billing(fields, default.billing),
        gateway: read_gateway(fields, default.gateway),
        jobs: JobsConfig { interval_s: fields.integer("jobs.interval_s", default.jobs.interval_s, 1..=86_400) },
    }
}

pub(super) fn read_log(fields: &mut Fields<'_>, default: LogConfig) -> LogConfig {
    LogConfig {
        level: fields.text("log.level", default.level, LEVELS_ALLOWED, log_level),
        format: fields.text("log.format", default.format, FORMATS_ALLOWED, log_format),
    }
}

const LEVELS_ALLOWED: &str = "error, warn, info, debug, trace, or directives like \"info,suiftly::intake=debug\"";
const FORMATS_ALLOWED: &str = "auto, text or json";
pub(super) const LISTEN_ALLOWED: &str = "an IP address and a port, like \"127.0.0.1:22700\" or \"[::1]:22700\"";

const NETWORKS_ALLOWED: &str = "mainnet or testnet";
const PROXIES_ALLOWED: &str = "IP addresses separated by commas, like \"127.0.0.1, ::1\", or \"\" for none";

fn read_http(fields: &mut Fields<'_>, default: HttpConfig) -> HttpConfig {
    let url = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    HttpConfig {
        listen: fields.text("http.listen", default.listen, LISTEN_ALLOWED, |text| text.parse().ok()),
        public_url: fields.text("http.public_url", default.public_url, PublicUrl::ALLOWED, url),
        service_urls: fields.text("http.service_urls", default.service_urls, SERVICE_URLS_ALLOWED, service_urls),
        terms_url: fields.text("http.terms_url", default.terms_url, TERMS_ALLOWED, terms_url),
        support_url: fields.text("http.support_url", default.support_url, SUPPORT_ALLOWED, support_url),
        trusted_proxies: fields.text("http.trusted_proxies", default.trusted_proxies, PROXIES_ALLOWED, addresses),
        max_connections: fields.integer("http.max_connections", default.max_connections, 16..=65_536),
    }
}

const SERVICE_URLS_ALLOWED: &str = "services and addresses separated by commas, like \"seal=https://seal.example.com, grpc=https://grpc.example.com\", or \"\" for none";
const TERMS_ALLOWED: &str = "an address that begins with https://, of at most 300 characters, or \"\" for none";
const SUPPORT_ALLOWED: &str =
    "an address that begins with https:// or mailto:, of at most 300 characters, or \"\" for none";

fn service_urls(text: &str) -> Option<BTreeMap<Service, PublicUrl>> {
    let mut urls = BTreeMap::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (service, url) = part.split_once('=')?;
        if urls.insert(Service::from_name(service.trim())?, url.trim().parse().ok()?).is_some() {
            return None;
        }
    }
    Some(urls)
}

/// Characters of an address that pages link to.
const LINK_CHARS: usize = 300;

fn terms_url(text: &str) -> Option<Option<String>> {
    link(text, &["https://"])
}

fn support_url(text: &str) -> Option<Option<String>> {
    link(text, &["https://", "mailto:"])
}

fn link(text: &str, begins: &[&str]) -> Option<Option<String>> {
    if text.is_empty() {
        return Some(None);
    }
    let is_known = begins.iter().any(|begin| text.strip_prefix(begin).is_some_and(|rest| !rest.is_empty()));
    let is_right = is_known && text.len() <= LINK_CHARS && text.chars().all(|one| one.is_ascii_graphic());
    is_right.then(|| Some(text.to_owned()))
}

fn addresses(text: &str) -> Option<Vec<IpAddr>> {
    if text.trim().is_empty() {
        Some(Vec::new())
    } else {
        text.split(',').map(|part| part.trim().parse().ok()).collect()
    }
}

fn read_limits(fields: &mut Fields<'_>, default: LimitsConfig) -> LimitsConfig {
    let mut per_min = |key, default| fields.integer(key, default, 1..=MOST_PER_MIN);
    LimitsConfig {
        ip_per_min: per_min("limits.ip_per_min", default.ip_per_min),
        customer_per_min: per_min("limits.customer_per_min", default.customer_per_min),
        sign_in_ip_per_min: per_min("limits.sign_in_ip_per_min", default.sign_in_ip_per_min),
        sign_in_address_per_min: per_min("limits.sign_in_address_per_min", default.sign_in_address_per_min),
    }
}

/// More than a machine can answer: as good as no limit.
const MOST_PER_MIN: u32 = 100_000_000;

const LOGS_ALLOWED: &str = "paths or patterns separated by commas, like \"/var/log/haproxy.log\" or \"/var/log/haproxy/*.log\", or \"\" for none";
pub(super) const SOCKET_ALLOWED: &str = "a path, or \"\" for none";
pub(super) const SPOOL_MIB: RangeInclusive<u64> = 64..=1_048_576;
pub(super) const SYSLOG_ALLOWED: &str = "an IP address and a port, like \"127.0.0.1:5140\", or \"\" for none";

fn logs(text: &str) -> Option<Vec<PathBuf>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    text.split(',')
        .map(|part| {
            let part = part.trim();
            let is_path = !part.is_empty() && !part.contains('\0') && glob::Pattern::new(part).is_ok();
            is_path.then(|| PathBuf::from(part))
        })
        .collect()
}

pub(super) fn socket_path(text: &str) -> Option<Option<PathBuf>> {
    (!text.contains('\0')).then(|| Some(PathBuf::from(text)).filter(|_| !text.is_empty()))
}

pub(super) fn socket_address(text: &str) -> Option<Option<SocketAddr>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

fn read_intake(fields: &mut Fields<'_>, default: IntakeConfig) -> IntakeConfig {
    IntakeConfig {
        log_file: fields.text("intake.log_file", default.log_file, LOGS_ALLOWED, logs),
        syslog_unix: fields.text("intake.syslog_unix", default.syslog_unix, SOCKET_ALLOWED, socket_path),
        syslog_udp: fields.text("intake.syslog_udp", default.syslog_udp, SYSLOG_ALLOWED, socket_address),
        syslog_tcp: fields.text("intake.syslog_tcp", default.syslog_tcp, SYSLOG_ALLOWED, socket_address),
        spool_max_mib: fields.integer("intake.spool_max_mib", default.spool_max_mib, SPOOL_MIB),
        poll_interval_ms: fields.integer("intake.poll_interval_ms", default.poll_interval_ms, 10..=60_000),
        flush_after_ms: fields.integer("intake.flush_after_ms", default.flush_after_ms, 1..=10_000),
        max_batch_rows: fields.integer("intake.max_batch_rows", default.max_batch_rows, 1024..=1_048_576),
        rotation_grace_s: fields.integer("intake.rotation_grace_s", default.rotation_grace_s, 0..=3600),
    }
}

fn read_traffic(fields: &mut Fields<'_>, default: TrafficConfig) -> TrafficConfig {
    TrafficConfig {
        memory_limit_mib: fields.integer("traffic.memory_limit_mib", default.memory_limit_mib, 128..=1_048_576),
        chunk_days: fields.integer("traffic.chunk_days", default.chunk_days, 1..=31),
        seal_after_days: fields.integer("traffic.seal_after_days", default.seal_after_days, 1..=3_650),
        retention_days: fields.integer("traffic.retention_days", default.retention_days, 1..=36_500),
        min_free_mib: fields.integer("traffic.min_free_mib", default.min_free_mib, 0..=1_048_576),
        threads: fields.integer("traffic.threads", default.threads, 1..=64),
    }
}

const ISSUER_ALLOWED: &str = "one line of at most 120 characters, or \"\" for none";
const ADDRESS_ALLOWED: &str = "at most 8 lines of at most 120 characters, separated by semicolons, or \"\" for none";

/// Lines of an address, at most: more would leave no room for the invoice.
const ADDRESS_LINES: usize = 8;
/// Characters of a line, at most: as many as fit beside each other.
const LINE_CHARS: usize = 120;

fn read_billing(fields: &mut Fields<'_>, default: BillingConfig) -> BillingConfig {
    BillingConfig {
        issuer_name: fields.text("billing.issuer_name", default.issuer_name, ISSUER_ALLOWED, printed_line),
        issuer_address: fields.text("billing.issuer_address", default.issuer_address, ADDRESS_ALLOWED, printed_lines),
        tax_basis_points: fields.integer("billing.tax_basis_points", default.tax_basis_points, 0..=10_000),
    }
}

fn printed_line(text: &str) -> Option<String> {
    let line = text.trim();
    let is_right = !line.chars().any(char::is_control) && line.chars().count() <= LINE_CHARS;
    is_right.then(|| line.to_owned())
}

fn printed_lines(text: &str) -> Option<Vec<String>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let lines: Vec<String> = text.split(';').map(printed_line).collect::<Option<_>>()?;
    (lines.len() <= ADDRESS_LINES && lines.iter().all(|line| !line.is_empty())).then_some(lines)
}

fn read_gateway(fields: &mut Fields<'_>, default: GatewayConfig) -> GatewayConfig {
    GatewayConfig {
        haproxy_socket: fields.text("gateway.haproxy_socket", default.haproxy_socket, SOCKET_ALLOWED, socket_path),
        map_dir: fields.path("gateway.map_dir", default.map_dir),
        health_listen: fields
            .text("gateway.health_listen", default.health_listen, LISTEN_ALLOWED, |text| text.parse().ok()),
        number: fields.integer("gateway.number", default.number, 1..=255),
        remotes: fields.text("gateway.remotes", default.remotes, REMOTES_ALLOWED, remotes),
        regions: fields.text("gateway.regions", default.regions, REGIONS_ALLOWED, regions),
    }
}

const REMOTES_ALLOWED: &str = "numbers and addresses separated by commas, like \"2=http://10.0.0.2:22610, 3=http://10.0.0.3:22610\", or \"\" for none";

const REGIONS_ALLOWED: &str =
    "numbers and names of at most 40 characters separated by commas, like \"1=Frankfurt, 2=Tokyo\", or \"\" for none";
const REGION_CHARS: usize = 40;

fn remotes(text: &str) -> Option<BTreeMap<u8, PublicUrl>> {
    by_gateway(text, |url| url.parse().ok())
}

fn regions(text: &str) -> Option<BTreeMap<u8, String>> {
    by_gateway(text, |name| {
        let is_right = (1..=REGION_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        is_right.then(|| name.to_owned())
    })
}

/// Pairs of a gateway's number and something, separated by commas. One number is one gateway.
fn by_gateway<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<BTreeMap<u8, T>> {
    let mut found = BTreeMap::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (number, value) = part.split_once('=')?;
        let number = number.trim().parse().ok().filter(|number| *number > 0)?;
        if found.insert(number, read(value.trim())?).is_some() {
            return None;
        }
    }
    Some(found)
}

/// A bare word must be a level: the filter itself would take a misspelt level for the name of a module. Spaces around
/// directives are dropped, because the filter miscounts by them: it panics, or takes `" info"` for a module.
fn log_level(text: &str) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let directives: Vec<&str> = text.split(',').map(str::trim).collect();
    let are_known = directives.iter().all(|part| part.contains('=') || LEVELS.contains(part));
    let filter = directives.join(",");
    (are_known && EnvFilter::builder().parse(&filter).is_ok()).then_some(filter)
}

fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "auto" => Some(LogFormat::Auto),
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}
