//! The small configuration of `suiftly gateway`: a host that has an HAProxy and no ledger.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::fields::Fields;
use super::sections::{
    LISTEN_ALLOWED, SOCKET_ALLOWED, SPOOL_MIB, SYSLOG_ALLOWED, read_log, socket_address, socket_path,
};
use super::{ConfigErrors, LogConfig, LogFormat, PublicUrl};

/// Where it is read from unless `--config` names another file.
pub const DEFAULT_GATEWAY_PATH: &str = "/etc/suiftly/gateway.toml";

const PRIMARY_ALLOWED: &str = "the https:// address of the host that has the ledger, like \"https://api.example.com\"";
const CA_ALLOWED: &str = "a file of certificates (PEM), or \"\" for those of public authorities";
/// Permissions of the secrets that nobody but the file's user may have.
const EXPOSED: u32 = 0o077;

/// Everything that an operator of a gateway can set. Field names are the keys of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayHostConfig {
    /// Number of this gateway, as in its log lines and in the primary's secrets.
    pub number: u8,
    /// Who has the ledger; `None` was not set, and is refused.
    pub primary: Option<PublicUrl>,
    /// Authorities that the primary's certificate may be from, if not the public ones.
    pub ca_file: Option<PathBuf>,
    /// The file of [`GatewaySecrets`].
    pub secrets_file: PathBuf,
    /// Vaults that were received are in `vaults/` of it, and lines that were not yet sent in `spool/`.
    pub data_dir: PathBuf,
    /// HAProxy's `stats socket`.
    pub haproxy_socket: PathBuf,
    /// The folder of the map files, as HAProxy's configuration calls it.
    pub map_dir: PathBuf,
    /// Where the agent's health is served. The primary asks there, so it must reach it.
    pub health_listen: SocketAddr,
    /// HAProxy's lines, on their way to the primary.
    pub intake: GatewayIntakeConfig,
    /// The program's own log.
    pub log: LogConfig,
}

/// Where HAProxy's lines are received; nowhere by default. The keys are those of [`super::IntakeConfig`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayIntakeConfig {
    /// Socket for syslog datagrams.
    pub syslog_unix: Option<PathBuf>,
    /// Address for syslog datagrams.
    pub syslog_udp: Option<SocketAddr>,
    /// Address for syslog by TCP.
    pub syslog_tcp: Option<SocketAddr>,
    /// What waits for the primary may take so much disk.
    pub spool_max_mib: u64,
    /// What the primary has is kept, packed, in so much disk more.
    pub sent_max_mib: u64,
}

impl Default for GatewayHostConfig {
    fn default() -> Self {
        Self {
            number: 2,
            primary: None,
            ca_file: None,
            secrets_file: PathBuf::from("/etc/suiftly/gateway-secrets.toml"),
            data_dir: PathBuf::from("/var/lib/suiftly"),
            haproxy_socket: PathBuf::from("/run/haproxy/admin.sock"),
            map_dir: PathBuf::from("/var/lib/suiftly/haproxy"),
            health_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 22610)),
            intake: GatewayIntakeConfig {
                syslog_unix: None,
                syslog_udp: None,
                syslog_tcp: None,
                spool_max_mib: 1024,
                sent_max_mib: 256,
            },
            log: LogConfig { level: "info".to_owned(), format: LogFormat::Auto },
        }
    }
}

impl GatewayHostConfig {
    /// Reads the file and the environment of the process.
    ///
    /// # Errors
    /// [`ConfigErrors`]: the file cannot be read, or all that is wrong in it and in the environment.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigErrors::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, &super::process_overrides()).map_err(|errors| errors.in_file(path))
    }

    /// Reads a TOML document and overrides such as `SUIFTLY_PRIMARY`.
    ///
    /// # Errors
    /// [`ConfigErrors::Invalid`] with every problem.
    pub fn parse(text: &str, overrides: &BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        let mut fields = Fields::new(text, overrides);
        let default = Self::default();
        let config = Self {
            number: fields.integer("number", default.number, 1..=255),
            primary: fields.text("primary", default.primary, PRIMARY_ALLOWED, primary),
            ca_file: fields.text("ca_file", default.ca_file, CA_ALLOWED, socket_path),
            secrets_file: fields.path("secrets_file", default.secrets_file),
            data_dir: fields.path("data_dir", default.data_dir),
            haproxy_socket: fields.path("haproxy_socket", default.haproxy_socket),
            map_dir: fields.path("map_dir", default.map_dir),
            health_listen: fields
                .text("health_listen", default.health_listen, LISTEN_ALLOWED, |text| text.parse().ok()),
            intake: read_intake(&mut fields, default.intake),
            log: read_log(&mut fields, default.log),
        };
        let problems = fields.finish();
        if problems.is_empty() { Ok(config) } else { Err(ConfigErrors::Invalid { file: None, problems }) }
    }
}

fn read_intake(fields: &mut Fields<'_>, default: GatewayIntakeConfig) -> GatewayIntakeConfig {
    GatewayIntakeConfig {
        syslog_unix: fields.text("intake.syslog_unix", default.syslog_unix, SOCKET_ALLOWED, socket_path),
        syslog_udp: fields.text("intake.syslog_udp", default.syslog_udp, SYSLOG_ALLOWED, socket_address),
        syslog_tcp: fields.text("intake.syslog_tcp", default.syslog_tcp, SYSLOG_ALLOWED, socket_address),
        spool_max_mib: fields.integer("intake.spool_max_mib", default.spool_max_mib, SPOOL_MIB),
        sent_max_mib: fields.integer("intake.sent_max_mib", default.sent_max_mib, 0..=1_048_576),
    }
}

/// A token crosses no network unencrypted.
fn primary(text: &str) -> Option<Option<PublicUrl>> {
    if text.is_empty() {
        return Some(None);
    }
    text.parse().ok().filter(PublicUrl::keeps_cookies_safe).map(Some)
}

/// What a gateway must know and nobody else may. It cannot make keys of customers, nor vaults.
pub struct GatewaySecrets {
    /// By which the primary knows this gateway, as 64 hexadecimal digits.
    pub token: Zeroizing<String>,
    /// Vaults are verified with it.
    pub vault_public_key: [u8; 32],
    /// Vaults are decrypted with them, by number.
    pub vault_keys: BTreeMap<u32, Zeroizing<[u8; 32]>>,
}

/// Shows nothing of them.
impl fmt::Debug for GatewaySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewaySecrets(…)")
    }
}

/// Why there are no secrets. Never holds one.
#[derive(Debug, thiserror::Error)]
pub enum GatewaySecretsError {
    #[error("cannot read the gateway's secrets {path}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the gateway's secrets {path} can be read by others (mode {mode:03o}): chmod 600 {path}")]
    Exposed { path: PathBuf, mode: u32 },
    #[error(
        "the gateway's secrets {path} are not right: {what}. Expected are token = \"…\" as in the primary's [gateways], \
         vault_public_key = \"…\" as `suiftly vault list` shows it there, and [vault_keys] as in its secrets, all of 64 \
         hexadecimal digits"
    )]
    Wrong { path: PathBuf, what: &'static str },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    token: String,
    vault_public_key: String,
    vault_keys: BTreeMap<String, String>,
}

impl GatewaySecrets {
    /// Reads the file.
    ///
    /// # Errors
    /// [`GatewaySecretsError`].
    pub fn load(path: &Path) -> Result<Self, GatewaySecretsError> {
        let unreadable = |source| GatewaySecretsError::Unreadable { path: path.to_owned(), source };
        let mode = fs::metadata(path).map_err(unreadable)?.mode() & 0o777;
        if mode & EXPOSED != 0 {
            return Err(GatewaySecretsError::Exposed { path: path.to_owned(), mode });
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
        Self::parse(&text).map_err(|what| GatewaySecretsError::Wrong { path: path.to_owned(), what })
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let document: Document = toml::from_str(text).map_err(|_| "something is missing, or unknown")?;
        let read =
            |text: &str| -> Option<[u8; 32]> { HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok() };
        read(&document.token).ok_or("token")?;
        let vault_public_key = read(&document.vault_public_key).ok_or("vault_public_key")?;
        let vault_keys = document.vault_keys.iter().map(|(number, key)| {
            let number = number.parse().ok().filter(|number| *number > 0)?;
            Some((number, Zeroizing::new(read(key)?)))
        });
        let vault_keys: BTreeMap<_, _> = vault_keys.collect::<Option<_>>().ok_or("vault_keys")?;
        if vault_keys.is_empty() {
            return Err("vault_keys");
        }
        Ok(Self { token: Zeroizing::new(document.token), vault_public_key, vault_keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const SHIPPED: &str = include_str!("../../etc/gateway.toml");

    fn parse(text: &str) -> Result<GatewayHostConfig, String> {
        GatewayHostConfig::parse(text, &BTreeMap::new()).map_err(|errors| errors.to_string())
    }

    #[test]
    fn the_shipped_file_has_every_key_with_its_default() {
        assert_eq!(parse(SHIPPED), Ok(GatewayHostConfig::default()));
        let is_key = |line: &&str| line.starts_with(|first: char| first.is_ascii_lowercase());
        let all_set: Vec<_> =
            SHIPPED.lines().map(|line| line.strip_prefix('#').filter(is_key).unwrap_or(line)).collect();
        assert_eq!(parse(&all_set.join("\n")), Ok(GatewayHostConfig::default()));
        let keys: Vec<&str> = all_set
            .iter()
            .filter_map(|line| line.split_once(" = "))
            .map(|(key, _)| key)
            .filter(|key| !key.contains(' '))
            .collect();
        assert_eq!(
            keys,
            [
                "number",
                "primary",
                "ca_file",
                "secrets_file",
                "data_dir",
                "haproxy_socket",
                "map_dir",
                "health_listen",
                "syslog_unix",
                "syslog_udp",
                "syslog_tcp",
                "spool_max_mib",
                "sent_max_mib",
                "level",
                "format"
            ]
        );
    }

    #[test]
    fn lines_are_received_where_it_says_and_nowhere_else() {
        let text = "[intake]\nsyslog_unix = \"/run/suiftly/log.sock\"\nsyslog_tcp = \"127.0.0.1:5140\"\nspool_max_mib = 4096\n";
        let expected = GatewayIntakeConfig {
            syslog_unix: Some(PathBuf::from("/run/suiftly/log.sock")),
            syslog_udp: None,
            syslog_tcp: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 5140))),
            spool_max_mib: 4096,
            sent_max_mib: 256,
        };
        assert_eq!(parse(text).map(|config| config.intake), Ok(expected));
        for (line, told) in [
            ("syslog_udp = \"5140\"", "intake.syslog_udp = \"5140\": must be an IP address and a port"),
            ("spool_max_mib = 63", "intake.spool_max_mib = 63: must be a whole number from 64 to 1048576"),
            ("log_file = \"/var/log/haproxy.log\"", "intake.log_file"),
        ] {
            let error = parse(&format!("[intake]\n{line}\n")).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_token_is_sent_by_tls_or_to_this_machine_only() {
        for (url, is_good) in [
            ("https://api.example.com", true),
            ("http://127.0.0.1:22700", true),
            ("http://api.example.com", false),
            ("https://api.example.com/path", false),
        ] {
            assert_eq!(parse(&format!("primary = \"{url}\"\n")).is_ok(), is_good, "{url}");
        }
    }

    #[test]
    fn secrets_are_read_whole_and_told_without_their_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        let (a, b, c) = ("a1".repeat(32), "b2".repeat(32), "c3".repeat(32));
        let good = format!("token = \"{a}\"\nvault_public_key = \"{b}\"\n[vault_keys]\n1 = \"{c}\"\n");
        let load = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            GatewaySecrets::load(&path)
        };
        let secrets = load(&good, 0o600).unwrap();
        assert_eq!(
            (secrets.token.as_str(), secrets.vault_public_key[0], secrets.vault_keys[&1][0]),
            (a.as_str(), 0xb2, 0xc3)
        );
        assert!(load(&good, 0o640).unwrap_err().to_string().contains("chmod 600"));
        for (text, what) in [
            (good.replace(&a, "a1"), "token"),
            (good.replace(&b, "b2"), "vault_public_key"),
            (good.replace(&c, "c3"), "vault_keys"),
            (good.replace("1 =", "0 ="), "vault_keys"),
            (good.replace("[vault_keys]", "[vault]"), "something"),
        ] {
            let error = load(&text, 0o600).unwrap_err().to_string();
            assert!(error.contains(&format!("not right: {what}")) && !error.contains(&a), "{error}");
        }
    }
}
