//! What must hold for any input. The fuzz targets call these with what the fuzzer makes up, `tests/it/fuzz_seeds.rs`
//! with the seeds; a property that does not hold panics. Each tells whether the input was taken rather than refused.

#[path = "properties/frames.rs"]
mod frames;
#[path = "properties/haproxy.rs"]
mod haproxy;
#[path = "properties/lines.rs"]
mod lines;
#[path = "properties/texts.rs"]
mod texts;
#[path = "properties/vaults.rs"]
mod vaults;

pub use frames::{spool_record, syslog_frame};
pub use haproxy::haproxy_config;
pub use lines::{log_formats, log_line};
pub use texts::{ip_allowlist, text};
pub use vaults::{vault_file, vault_text};

use std::collections::BTreeMap;
use std::str::FromStr;

use suiftly::config::{Config, ConfigErrors, Place};
use suiftly::core::access_token::{TokenKeys, TokenKind};
use suiftly::core::api_key::{self, Access, ApiKey, ApiKeySecret, KeyMeta, ProcessGroup, Source};
use suiftly::core::api_token::ApiToken;
use suiftly::core::calendar::UtcMillis;
use suiftly::core::challenge::{ChallengeKey, Site};
use suiftly::core::id::{CustomerId, Network, Service};
use suiftly::core::wallet_signature;

/// That of `tests/data/api-keys.jsonl`, from which the seeds are.
const SECRET: ApiKeySecret = ApiKeySecret([
    0x87, 0x76, 0xc4, 0xc0, 0xe8, 0x44, 0x28, 0xc6, 0xe8, 0x6f, 0xca, 0x46, 0x47, 0xab, 0xe1, 0x64, 0x59, 0x64, 0x9a,
    0xa7, 0x8f, 0xe4, 0xc7, 0x2e, 0x76, 0x43, 0xdc, 0x3a, 0x14, 0x34, 0x33, 0x37,
]);

/// Any text is a key or is refused; the bytes, taken for a key's content, give a key that says the same.
pub fn api_key(bytes: &[u8]) -> bool {
    let (meta, iv) = key_content(bytes);
    let key = api_key::encode(&SECRET, &meta, iv);
    assert_eq!(api_key::decode(&SECRET, key.as_str()), Ok(meta));
    assert_eq!(ApiKey::from_str(key.as_str()).as_ref(), Ok(&key));
    std::str::from_utf8(bytes).is_ok_and(is_key)
}

fn is_key(text: &str) -> bool {
    let decoded = api_key::decode(&SECRET, text);
    let Ok(key) = ApiKey::from_str(text) else {
        assert!(decoded.is_err(), "{text:?} has not the shape of a key and says {decoded:?}");
        return false;
    };
    assert_eq!(key.as_str(), text);
    assert!(!format!("{key:?}").contains(text), "a key is shown whole");
    let _ = (key.fingerprint(), key.sha256_hex());
    decoded.is_ok()
}

fn key_content(bytes: &[u8]) -> (KeyMeta, [u8; 4]) {
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    let choice = at(8);
    let meta = KeyMeta {
        service: Service::ALL[usize::from(choice % 3)],
        network: if at(9) & 1 == 0 { Network::Testnet } else { Network::Mainnet },
        access: match at(9) >> 1 & 3 {
            0 => Access::Permission { source: Source::Derived },
            1 => Access::Permission { source: Source::Imported },
            _ => Access::Open,
        },
        process_group: ProcessGroup::new(at(9) >> 5).expect("three bits"),
        customer: CustomerId::new(u32::from_be_bytes([at(4), at(5), at(6), at(7)]).max(1)).expect("not 0"),
    };
    (meta, [at(0), at(1), at(2), at(3)])
}

/// Any text is refused as a nonce, a session's token and an API token that nobody was given, and as a signature unless
/// it is one of this message.
pub fn sign_in(bytes: &[u8]) -> bool {
    const ADDRESS: &str = "0x29dfbf688abce7ab43bb8e70cae158ae961196e721440f515482f8ba1684390f";
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let address = ADDRESS.parse().expect("an address");
    let site = Site { domain: "d".to_owned(), uri: "https://d".to_owned(), chain: "sui:testnet".to_owned() };
    let now = UtcMillis(1_763_919_000_000);
    assert!(ChallengeKey::new([7; 32]).open(&site, &address, text, now).is_err(), "a nonce that was not given");
    let keys = TokenKeys::new((1, &[8; 32]), []);
    for kind in [TokenKind::Access, TokenKind::Refresh] {
        assert!(keys.verify(text, kind, now).is_err(), "a token that was not signed");
    }
    if let Ok(token) = ApiToken::from_str(text) {
        assert_eq!(token.as_str(), text);
    }
    wallet_signature::verify(&address, "hello", text, Some("https://d")).is_ok()
}

/// Any text is a configuration or is refused with at least one problem, each a line that names a place in the text; and
/// any text can be the value of any variable of the environment.
pub fn config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let variable = |key: &str| format!("SUIFTLY_{}", key.replace('.', "_").to_ascii_uppercase());
    let overrides = Config::keys().into_iter().map(|key| (variable(key), text.to_owned())).collect();
    is_config("", &overrides);
    is_config(text, &BTreeMap::new())
}

fn is_config(text: &str, overrides: &BTreeMap<String, String>) -> bool {
    let problems = match Config::parse(text, overrides) {
        Ok(_) => return true,
        Err(ConfigErrors::Invalid { problems, .. }) => problems,
        Err(ConfigErrors::Unreadable { .. }) => Vec::new(),
    };
    assert!(!problems.is_empty(), "refused without a reason");
    let lines = text.split('\n').count();
    for problem in problems {
        assert!(!problem.message.contains('\n'), "not a line: {problem:?}");
        let exists = match problem.place {
            Place::Line(line) => (1..=lines).contains(&line),
            Place::Environment => !overrides.is_empty(),
        };
        assert!(exists, "no such place: {problem:?}");
    }
    false
}
