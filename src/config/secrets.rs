//! The secrets: one file that only this user may read, apart from the configuration and from every backup of data.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::Deserialize;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
/// Fewer different bytes than random ones ever have: a key that somebody typed.
const LEAST_DIFFERENT_BYTES: usize = 12;
/// The secret of the published test vectors of API keys.
const PUBLISHED: &str = "8776c4c0e84428c6e86fca4647abe16459649aa78fe4c72e7643dc3a14343337";
/// Permissions that nobody but the file's user may have.
const FILE_EXPOSED: u32 = 0o077;
/// systemd lets the unit's user read a credential by an access list, which shows as permissions of the group.
const CREDENTIAL_EXPOSED: u32 = 0o007;
/// How systemd hands over a file named by `LoadCredential=secrets.toml:…`.
const CREDENTIAL: &str = "secrets.toml";

/// A key of 32 bytes, wiped when it is dropped.
pub type Key = Zeroizing<[u8; KEY_BYTES]>;

/// What the process must know and nobody else may.
#[derive(Clone)]
pub struct Secrets {
    /// API keys are minted and read with it. Permanent: without it no key can be read again.
    pub api_key: Key,
    /// Sign sessions, by number; the highest signs, all verify.
    pub session_keys: BTreeMap<u32, Key>,
    /// Encrypt fields of the ledger, by number; the highest encrypts, all decrypt.
    pub field_keys: BTreeMap<u32, Key>,
    /// Encrypt vaults, by number; the highest encrypts, all decrypt. Gateways on other hosts need these and the public
    /// key that goes with `vault_signing`, nothing else of this file.
    pub vault_keys: BTreeMap<u32, Key>,
    /// Signs vaults: whoever has it decides who is let in. It stays on this host.
    pub vault_signing: Key,
    /// By which remote gateways show who they are, by the gateway's number.
    pub gateways: BTreeMap<u8, Key>,
}

/// New ones, each 32 random bytes of its own.
#[derive(Clone)]
pub struct NewSecrets {
    pub api_key: [u8; KEY_BYTES],
    pub session_key: [u8; KEY_BYTES],
    pub field_key: [u8; KEY_BYTES],
    pub vault_key: [u8; KEY_BYTES],
    pub vault_signing: [u8; KEY_BYTES],
}

impl NewSecrets {
    /// Draws each from a source of random bytes.
    ///
    /// # Errors
    /// What the source fails with.
    pub fn draw<E>(mut random: impl FnMut() -> Result<[u8; KEY_BYTES], E>) -> Result<Self, E> {
        Ok(Self {
            api_key: random()?,
            session_key: random()?,
            field_key: random()?,
            vault_key: random()?,
            vault_signing: random()?,
        })
    }
}

/// Shows nothing of them.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// Why there are no secrets to work with. Never holds one.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("cannot read the secrets {}: {cause}; `suiftly init` creates them", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("the secrets {} can be read by others (mode {mode:03o}): chmod 600 {}", path.display(), path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("the secrets {} are not right:{}", path.display(), problems.iter().map(|line| format!("\n  {line}")).collect::<String>())]
    Wrong { path: PathBuf, problems: Vec<String> },
    #[error("cannot write the secrets {}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    api_key: String,
    #[serde(default)]
    vault_signing_key: String,
    session_keys: BTreeMap<String, String>,
    field_keys: BTreeMap<String, String>,
    #[serde(default)]
    vault_keys: BTreeMap<String, String>,
    #[serde(default)]
    gateways: BTreeMap<String, String>,
}

impl Secrets {
    /// Reads the file, or in its place the credential that systemd hands over.
    ///
    /// # Errors
    /// [`SecretsError`]: unreadable, readable by others, or with everything that is wrong in it.
    pub fn load(path: &Path) -> Result<Self, SecretsError> {
        let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join(CREDENTIAL));
        match credential.filter(|path| path.exists()) {
            Some(credential) => Self::read(&credential, CREDENTIAL_EXPOSED),
            None => Self::read(path, FILE_EXPOSED),
        }
    }

    fn read(path: &Path, exposed: u32) -> Result<Self, SecretsError> {
        let unreadable = |cause| SecretsError::Unreadable { path: path.to_owned(), cause };
        let mode = fs::metadata(path).map_err(unreadable)?.mode() & 0o777;
        if mode & exposed != 0 {
            return Err(SecretsError::Exposed { path: path.to_owned(), mode });
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
        Self::parse(&text).map_err(|problems| SecretsError::Wrong { path: path.to_owned(), problems })
    }

    /// Makes new ones and writes them to a file that must not exist yet, readable by this user only.
    ///
    /// # Errors
    /// [`SecretsError::Unwritable`], also if the file exists.
    pub fn create(path: &Path, new: &NewSecrets) -> Result<(), SecretsError> {
        let text = Zeroizing::new(document(new));
        let write = || {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|source| SecretsError::Unwritable { path: path.to_owned(), source })
    }

    /// From keys, for a process whose data is temporary.
    pub fn temporary(new: NewSecrets) -> Self {
        let only = |key| BTreeMap::from([(1, Zeroizing::new(key))]);
        Self {
            api_key: Zeroizing::new(new.api_key),
            session_keys: only(new.session_key),
            field_keys: only(new.field_key),
            vault_keys: only(new.vault_key),
            vault_signing: Zeroizing::new(new.vault_signing),
            gateways: BTreeMap::new(),
        }
    }

    fn parse(text: &str) -> Result<Self, Vec<String>> {
        let document: Document = toml::from_str(text).map_err(|error| vec![misplaced(text, error.span())])?;
        let mut problems = Vec::new();
        let api_key = read_key("api_key", &document.api_key, &mut problems);
        let session_keys = read_keys("session_keys", &document.session_keys, &mut problems);
        let field_keys = read_keys("field_keys", &document.field_keys, &mut problems);
        let vault_keys = read_keys("vault_keys", &document.vault_keys, &mut problems);
        let vault_signing = read_key("vault_signing_key", &document.vault_signing_key, &mut problems);
        let gateways = read_gateways(&document.gateways, &mut problems);
        let alone = api_key.iter().chain(&vault_signing);
        let numbered = session_keys.values().chain(field_keys.values()).chain(vault_keys.values());
        let all = alone.chain(numbered).chain(gateways.values());
        let mut seen: Vec<&Key> = Vec::new();
        for key in all {
            if seen.contains(&key) {
                problems.push("the same key is used twice: each needs its own".to_owned());
            }
            seen.push(key);
        }
        match (api_key, vault_signing) {
            (Some(api_key), Some(vault_signing)) if problems.is_empty() => {
                Ok(Self { api_key, session_keys, field_keys, vault_keys, vault_signing, gateways })
            }
            _ => Err(problems),
        }
    }
}

/// Tells the place only: the parser's own message would quote what stands there, which may be a secret.
fn misplaced(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    format!(
        "line {line} or what belongs to it: expected are api_key = \"…\", vault_signing_key = \"…\" and \
         the sections [session_keys], [field_keys], [vault_keys] and, for remote gateways, [gateways], with numbered keys such as 1 = \"…\", each once, and \
         nothing else"
    )
}

fn read_keys(section: &str, written: &BTreeMap<String, String>, problems: &mut Vec<String>) -> BTreeMap<u32, Key> {
    if written.is_empty() {
        problems.push(format!("[{section}] is empty: it needs a key, such as 1 = \"…\""));
    }
    let mut keys = BTreeMap::new();
    for (number, text) in written {
        let name = format!("{section}.{number}");
        match number.parse::<u32>() {
            Ok(number) if number > 0 => keys.extend(read_key(&name, text, problems).map(|key| (number, key))),
            _ => problems.push(format!("{name}: keys are numbered from 1; the highest is the one in use")),
        }
    }
    keys
}

fn read_gateways(written: &BTreeMap<String, String>, problems: &mut Vec<String>) -> BTreeMap<u8, Key> {
    let mut tokens = BTreeMap::new();
    for (number, text) in written {
        let name = format!("gateways.{number}");
        match number.parse::<u8>() {
            // `+2` and `02` would be the same gateway once more.
            Ok(gateway) if gateway > 0 && gateway.to_string() == *number => {
                tokens.extend(read_key(&name, text, problems).map(|token| (gateway, token)));
            }
            _ => problems.push(format!("{name}: gateways have the numbers 1 to 255, as in their log lines")),
        }
    }
    tokens
}

fn read_key(name: &str, text: &str, problems: &mut Vec<String>) -> Option<Key> {
    let problem = match HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map(<[u8; KEY_BYTES]>::try_from) {
        Ok(Ok(_)) if text.eq_ignore_ascii_case(PUBLISHED) => "it is the one of the published test vectors",
        Ok(Ok(key)) if different_bytes(&key) < LEAST_DIFFERENT_BYTES => "it is not random",
        Ok(Ok(key)) => return Some(Zeroizing::new(key)),
        Ok(Err(_)) | Err(_) => "it must be 64 hexadecimal digits",
    };
    problems.push(format!("{name}: {problem}; make one with: openssl rand -hex 32"));
    None
}

fn different_bytes(key: &[u8]) -> usize {
    key.iter().collect::<std::collections::BTreeSet<_>>().len()
}

fn document(new: &NewSecrets) -> String {
    let hex = |key: &[u8; KEY_BYTES]| HEXLOWER.encode(key);
    let [api_key, session_key, field_key] = [&new.api_key, &new.session_key, &new.field_key].map(hex);
    let [vault_key, vault_signing] = [&new.vault_key, &new.vault_signing].map(hex);
    format!(
        "# The secrets of suiftly. Only its user may read this file (mode 600). Keep a copy apart from the backups of\n\
         # data: without it sessions end, and no API key can be read again.\n\
         \n\
         # API keys are minted and read with it. Permanent: a change makes every API key invalid.\n\
         api_key = \"{api_key}\"\n\
         \n\
         # Signs what gateways are told. It stays on this host; `suiftly vault list` shows the public key that they need.\n\
         vault_signing_key = \"{vault_signing}\"\n\
         \n\
         # Sign sessions. To change the key, add one with a higher number; remove the old one 30 days later.\n\
         [session_keys]\n\
         1 = \"{session_key}\"\n\
         \n\
         # Encrypt what is secret in the ledger. To change the key, add one with a higher number; old ones must stay.\n\
         [field_keys]\n\
         1 = \"{field_key}\"\n\
         \n\
         # Encrypt what gateways are told; those on other hosts need them, too. To change the key, give all of them one\n\
         # with a higher number first.\n\
         [vault_keys]\n\
         1 = \"{vault_key}\"\n\
         \n\
         # Tokens of remote gateways that send their log, by the gateway's number in its lines (1 to 255). Each gateway\n\
         # has its own; make one with: openssl rand -hex 32\n\
         #[gateways]\n\
         #2 = \"…\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(first: u8) -> [u8; 32] {
        std::array::from_fn(|index| first.wrapping_add(u8::try_from(index).unwrap().wrapping_mul(7)))
    }

    fn new() -> NewSecrets {
        let mut first = 0;
        NewSecrets::draw(|| {
            first += 1;
            Ok::<_, ()>(key(first))
        })
        .unwrap()
    }

    /// The sections that every document needs for vaults.
    fn vaults() -> String {
        format!("[vault_keys]\n1 = \"{}\"\n", HEXLOWER.encode(&key(10)))
    }

    fn signing() -> String {
        format!("vault_signing_key = \"{}\"\n", HEXLOWER.encode(&key(11)))
    }

    #[test]
    fn what_is_created_is_read_again_and_belongs_to_its_user() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        Secrets::create(&path, &new()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let secrets = Secrets::load(&path).unwrap();
        assert_eq!((*secrets.api_key, *secrets.session_keys[&1], *secrets.field_keys[&1]), (key(1), key(2), key(3)));
        assert!(matches!(Secrets::create(&path, &new()), Err(SecretsError::Unwritable { .. })));
        assert_eq!((*secrets.vault_keys[&1], *secrets.vault_signing), (key(4), key(5)));
        assert!(secrets.gateways.is_empty());
        let text = fs::read_to_string(&path).unwrap().replace("#[gateways]", "[gateways]");
        let text = text.replace("#2 = \"…\"", &format!("2 = \"{}\"", HEXLOWER.encode(&key(6))));
        assert_eq!(*Secrets::parse(&text).unwrap().gateways[&2], key(6), "the shipped example only needs a token");
        assert_eq!(format!("{secrets:?}"), "Secrets(…)");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        Secrets::create(&path, &new()).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            let refused = Secrets::load(&path).unwrap_err().to_string();
            assert!(refused.contains("chmod 600"), "{refused}");
        }
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_no_secret_with_it() {
        let good = HEXLOWER.encode(&key(1));
        let text = format!(
            "api_key = \"{PUBLISHED}\"\n[session_keys]\n0 = \"{good}\"\n1 = \"{}\"\n2 = \"abc\"\n[field_keys]\n",
            "00".repeat(32)
        );
        let problems = Secrets::parse(&text).unwrap_err().join("\n");
        for part in [
            "api_key: it is the one of the published",
            "session_keys.0: keys are numbered",
            "session_keys.1: it is not random",
            "session_keys.2: it must be 64",
            "[field_keys] is empty",
            "[vault_keys] is empty",
            "vault_signing_key: it must be 64",
        ] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
        assert!(!problems.contains(&good) && !problems.contains(PUBLISHED));
        let twice = format!("api_key = \"{good}\"\n[session_keys]\n1 = \"{good}\"\n[field_keys]\n1 = \"{good}\"\n");
        assert!(Secrets::parse(&twice).unwrap_err().join("").contains("used twice"));
        let text = format!(
            "api_key = \"{good}\"\n{}[session_keys]\n1 = \"{}\"\n[field_keys]\n1 = \"{}\"\n{}[gateways]\n0 = \"{good}\"\n\
             02 = \"{good}\"\n2 = \"{good}\"\n256 = \"{good}\"\n255 = \"abc\"\n",
            signing(),
            HEXLOWER.encode(&key(2)),
            HEXLOWER.encode(&key(3)),
            vaults(),
        );
        let problems = Secrets::parse(&text).unwrap_err();
        for (number, part) in [("0", "1 to 255"), ("02", "1 to 255"), ("256", "1 to 255"), ("255", "must be 64")] {
            let expected = format!("gateways.{number}: ");
            let told = problems.iter().any(|line| line.starts_with(&expected) && line.contains(part));
            assert!(told, "{number} in {problems:?}");
        }
        assert!(problems.len() == 5 && problems[4].contains("used twice"), "{problems:?}");
        let unknown = Secrets::parse(&format!("api_key = \"{good}\"\nother = \"{good}\"\n")).unwrap_err().join("");
        assert!(unknown.contains("line 2") && !unknown.contains(&good), "{unknown}");
        for text in [
            format!("field_keys = \"{good}\"\n"),
            format!("api_key = \"{good}\"\nsession_keys = [\"{good}\"]\n"),
            format!("api_key = {{ x = \"{good}\" }}\n"),
            format!("{good}\n"),
            format!("api_key = \"{good}\"\n{good} = 1\n"),
            format!("api_key = {good}\n"),
        ] {
            let problems = Secrets::parse(&text).unwrap_err().join("\n");
            assert!(problems.contains("line ") && !problems.contains(&good), "{problems}");
        }
    }

    #[test]
    fn a_credential_may_be_readable_by_its_group_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        Secrets::create(&path, &new()).unwrap();
        for (mode, is_taken) in [(0o400, true), (0o440, true), (0o444, false), (0o442, false)] {
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(Secrets::read(&path, CREDENTIAL_EXPOSED).is_ok(), is_taken, "{mode:o}");
        }
    }
}
