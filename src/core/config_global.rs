//! Prices and limits that the operator changes at run time, by short keys: [`KEYS`].
//!
//! The database holds text; a [`ConfigGlobal`] exists only if every value is right, and otherwise everything that is
//! wrong is said at once. Keys that begin with `f` are public. What an operator changes goes through [`change`].

mod change;
mod price_history;

use std::collections::BTreeMap;
use std::fmt;

use crate::core::money::Usd;
use crate::core::rating::PricePerRequests;
use crate::core::tier::Tier;

pub use change::{BadConfigChange, Inconsistency, change};
pub use price_history::{PRICE_KEYS, PriceChange, PricePeriod, price_periods};

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number from `min` to `max`.
    Count { min: u64, max: u64 },
    /// Dollars with at most six decimals, from 0 to [`MAX_DOLLARS`].
    Usd,
    /// A whole number from 1 that is raised with each change of a public value, so that dashboards reload.
    Version,
}

/// One key: its default and what its values may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpec {
    pub key: &'static str,
    /// A valid value, in the spelling of the database.
    pub default: &'static str,
    pub kind: Kind,
}

/// No price is above a million dollars: a bound that catches a value given in cents or micro-dollars.
pub const MAX_DOLLARS: u64 = 1_000_000;

const MICROS_PER_DOLLAR: u64 = 1_000_000;
const USD_DECIMALS: usize = 6;
const MAX_COUNT: u64 = 1_000_000_000;

/// Every key there is. New keys get their defaults when the database is opened.
pub const KEYS: &[KeySpec] = &[
    KeySpec { key: "fver", default: "1", kind: Kind::Version },
    // Regions that a subscription covers.
    count("freg_count", "3", 1),
    // Requests per second and region that the dashboard quotes.
    count("fbw_sta", "3", 0),
    count("fbw_pro", "15", 0),
    count("fbw_ent", "100", 0),
    // Price of a tier per month.
    usd("fsubs_usd_sta", "9"),
    usd("fsubs_usd_pro", "29"),
    usd("fsubs_usd_ent", "185"),
    // Price of requests: freqs_usd for every freqs_count.
    usd("freqs_usd", "1.00"),
    count("freqs_count", "10000", 1),
    // Guaranteed and burst requests per second; a burst of 0 is none.
    count("bglim_sta", "3", 0),
    count("bglim_pro", "15", 0),
    count("bglim_ent", "100", 0),
    count("bblim_sta", "0", 0),
    count("bblim_pro", "45", 0),
    count("bblim_ent", "300", 0),
    // Requests per second of one client address; 0: as many as the customer has.
    count("bilim_sta", "0", 0),
    count("bilim_pro", "0", 0),
    count("bilim_ent", "0", 0),
    // The most that an instance can have of each; packages per Seal key.
    count("fmax_apikey", "10", 0),
    count("fmax_skey", "10", 0),
    count("fmax_pkg", "10", 0),
    count("fmax_ipv4", "20", 0),
    // Included in the price of a tier; packages per Seal key.
    count("fskey_incl", "1", 0),
    count("fskey_pkg_incl", "3", 0),
    count("fapikey_incl", "2", 0),
    count("fipv4_incl", "2", 0),
    // Price per month of one more.
    usd("fadd_apikey_usd", "1"),
    usd("fadd_skey_usd", "5"),
    usd("fadd_pkg_usd", "1"),
];

const fn count(key: &'static str, default: &'static str, min: u64) -> KeySpec {
    KeySpec { key, default, kind: Kind::Count { min, max: MAX_COUNT } }
}

const fn usd(key: &'static str, default: &'static str) -> KeySpec {
    KeySpec { key, default, kind: Kind::Usd }
}

/// What a value must be, as the end of a sentence.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Usd => write!(f, "dollars from 0 to {MAX_DOLLARS} with at most {USD_DECIMALS} decimals, like 1.00"),
            Self::Version => write!(f, "a whole number from 1 to {MAX_COUNT}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum BadEntry {
    #[error("{key} is {value:?}, but must be {allowed}")]
    Value { key: &'static str, value: String, allowed: String },
    #[error("{key} is missing")]
    Missing { key: &'static str },
    #[error("{key} is no key that this version knows; its value is {value:?}")]
    Unknown { key: String, value: String },
}

/// Everything that is wrong, in the order of the keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("config_global: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct BadConfig(pub Vec<BadEntry>);

/// What a tier may send to one service, in requests per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierLimits {
    pub guaranteed_per_s: u64,
    /// 0 = no burst.
    pub burst_per_s: u64,
}

/// A snapshot in which every value is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigGlobal {
    texts: BTreeMap<&'static str, String>,
    version: u64,
    request_price: PricePerRequests,
    starter: TierLimits,
    pro: TierLimits,
    enterprise: TierLimits,
}

impl ConfigGlobal {
    /// Reads the content of the table, key → value.
    ///
    /// # Errors
    /// [`BadConfig`] lists every bad value, missing key and unknown key. Missing keys are not replaced by defaults
    /// here: the database is the single source of truth and is given the defaults when it is opened.
    pub fn from_table(table: &BTreeMap<String, String>) -> Result<Self, BadConfig> {
        let known: Vec<_> = KEYS.iter().map(|spec| (spec, parse_entry(spec, table))).collect();
        let unknown = table.iter().filter(|(key, _)| spec_of(key).is_none());
        let mut bad: Vec<BadEntry> =
            unknown.map(|(key, value)| BadEntry::Unknown { key: key.clone(), value: value.clone() }).collect();
        bad.extend(known.iter().filter_map(|(_, parsed)| parsed.clone().err()));
        if !bad.is_empty() {
            bad.sort_by(|one, other| one.key().cmp(other.key()));
            return Err(BadConfig(bad));
        }
        let numbers = known.into_iter().filter_map(|(spec, parsed)| Some((spec.key, parsed.ok()?))).collect();
        snapshot(&numbers, table).map_err(|missing| BadConfig(vec![missing]))
    }

    /// The value of every public key, in the spelling of the database.
    pub fn public(&self) -> BTreeMap<&str, &str> {
        let public = self.texts.iter().filter(|(key, _)| key.starts_with('f'));
        public.map(|(key, value)| (*key, value.as_str())).collect()
    }

    /// The value of a key, in the spelling of the database; `None` if there is no such key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }

    /// `fver`: raised with each change of a public value.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// `freqs_usd` for every `freqs_count` requests.
    pub fn request_price(&self) -> PricePerRequests {
        self.request_price
    }

    /// The number of a key that counts something; 0 for any other key.
    fn count(&self, key: &str) -> u64 {
        self.texts.get(key).and_then(|text| parse_whole(text)).unwrap_or(0)
    }

    /// `fsubs_usd_*`: what a tier costs in a month.
    pub fn tier_price(&self, tier: Tier) -> Usd {
        self.price(match tier {
            Tier::Starter => "fsubs_usd_sta",
            Tier::Pro => "fsubs_usd_pro",
            Tier::Enterprise => "fsubs_usd_ent",
        })
    }

    /// `fmax_apikey`: API keys that an instance can have.
    pub fn max_api_keys(&self) -> u64 {
        self.count("fmax_apikey")
    }

    /// `fmax_skey`: Seal keys that an instance can have.
    pub fn max_seal_keys(&self) -> u64 {
        self.count("fmax_skey")
    }

    /// `fmax_pkg`: packages that one Seal key can have.
    pub fn max_packages(&self) -> u64 {
        self.count("fmax_pkg")
    }

    /// `fmax_ipv4`: entries that an IP allowlist can have.
    pub fn max_ip_entries(&self) -> u64 {
        self.count("fmax_ipv4")
    }

    /// `fapikey_incl`: API keys in the price of a tier.
    pub fn included_api_keys(&self) -> u64 {
        self.count("fapikey_incl")
    }

    /// `fskey_incl`: Seal keys in the price of a tier.
    pub fn included_seal_keys(&self) -> u64 {
        self.count("fskey_incl")
    }

    /// `fskey_pkg_incl`: packages of each Seal key in the price of a tier.
    pub fn included_packages(&self) -> u64 {
        self.count("fskey_pkg_incl")
    }

    /// `fipv4_incl`: entries of an IP allowlist in the price of a tier.
    pub fn included_ip_entries(&self) -> u64 {
        self.count("fipv4_incl")
    }

    /// `fadd_apikey_usd`: one API key more, per month.
    pub fn additional_api_key_price(&self) -> Usd {
        self.price("fadd_apikey_usd")
    }

    /// `fadd_skey_usd`: one Seal key more, per month.
    pub fn additional_seal_key_price(&self) -> Usd {
        self.price("fadd_skey_usd")
    }

    /// `fadd_pkg_usd`: one package more, per month.
    pub fn additional_package_price(&self) -> Usd {
        self.price("fadd_pkg_usd")
    }

    /// The dollars of a key that is a price; nothing for any other key.
    fn price(&self, key: &str) -> Usd {
        usd_of(self.texts.get(key).and_then(|text| parse_micros(text)).unwrap_or(0))
    }

    /// `bilim_*`: requests per second of one client address; 0: as many as the customer has.
    pub fn per_ip_limit(&self, tier: Tier) -> u64 {
        self.count(match tier {
            Tier::Starter => "bilim_sta",
            Tier::Pro => "bilim_pro",
            Tier::Enterprise => "bilim_ent",
        })
    }

    /// `bglim_*` and `bblim_*`.
    pub fn limits(&self, tier: Tier) -> TierLimits {
        match tier {
            Tier::Starter => self.starter,
            Tier::Pro => self.pro,
            Tier::Enterprise => self.enterprise,
        }
    }
}

/// There is no such key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no key that this version knows: `suiftly config list` lists them")]
pub struct NoSuchKey(pub String);

/// Whether there is such a key.
///
/// # Errors
/// [`NoSuchKey`].
pub fn check_key(key: &str) -> Result<(), NoSuchKey> {
    spec_of(key).map(drop).ok_or_else(|| NoSuchKey(key.to_owned()))
}

/// Checks one value for one key by itself; [`change`] also looks at what it would stand beside.
///
/// # Errors
/// [`BadEntry`] when the key is unknown or the value is not allowed.
pub fn check_value(key: &str, value: &str) -> Result<(), BadEntry> {
    let spec = spec_of(key).ok_or_else(|| BadEntry::Unknown { key: key.to_owned(), value: value.to_owned() })?;
    parse_value(spec, value).map(drop)
}

impl BadEntry {
    /// The key it is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Value { key, .. } | Self::Missing { key } => key,
            Self::Unknown { key, .. } => key,
        }
    }
}

fn spec_of(key: &str) -> Option<&'static KeySpec> {
    KEYS.iter().find(|spec| spec.key == key)
}

/// Counts as they are, dollars in micro-dollars.
type Numbers = BTreeMap<&'static str, u64>;

fn snapshot(numbers: &Numbers, table: &BTreeMap<String, String>) -> Result<ConfigGlobal, BadEntry> {
    let number = |key: &'static str| numbers.get(key).copied().ok_or(BadEntry::Missing { key });
    let limits =
        |guaranteed, burst| Ok(TierLimits { guaranteed_per_s: number(guaranteed)?, burst_per_s: number(burst)? });
    let texts = KEYS.iter().filter_map(|spec| Some((spec.key, table.get(spec.key)?.clone()))).collect();
    Ok(ConfigGlobal {
        texts,
        version: number("fver")?,
        request_price: PricePerRequests { amount: usd_of(number("freqs_usd")?), per: number("freqs_count")? },
        starter: limits("bglim_sta", "bblim_sta")?,
        pro: limits("bglim_pro", "bblim_pro")?,
        enterprise: limits("bglim_ent", "bblim_ent")?,
    })
}

fn usd_of(micros: u64) -> Usd {
    // Bounded by MAX_DOLLARS, far below the range of i64.
    Usd::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn parse_entry(spec: &'static KeySpec, table: &BTreeMap<String, String>) -> Result<u64, BadEntry> {
    let value = table.get(spec.key).ok_or(BadEntry::Missing { key: spec.key })?;
    parse_value(spec, value)
}

fn parse_value(spec: &'static KeySpec, value: &str) -> Result<u64, BadEntry> {
    let parsed = match spec.kind {
        Kind::Count { min, max } => parse_whole(value).filter(|number| (min..=max).contains(number)),
        Kind::Version => parse_whole(value).filter(|number| (1..=MAX_COUNT).contains(number)),
        Kind::Usd => parse_micros(value).filter(|micros| *micros <= MAX_DOLLARS * MICROS_PER_DOLLAR),
    };
    let bad = || BadEntry::Value { key: spec.key, value: value.to_owned(), allowed: spec.kind.to_string() };
    parsed.ok_or_else(bad)
}

/// Digits only: no sign, no blanks, no leading zero, so that a number has one spelling.
fn parse_whole(text: &str) -> Option<u64> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let one_spelling = text == "0" || !text.starts_with('0');
    if digits_only && one_spelling { text.parse().ok() } else { None }
}

/// An amount as people write it, such as `25.00`: decimal dollars, none below 0.
pub fn parse_dollars(text: &str) -> Option<Usd> {
    i64::try_from(parse_micros(text)?).ok().map(Usd::from_micros)
}

/// Decimal dollars to micro-dollars, digit by digit: a float would not hold 0.1.
fn parse_micros(text: &str) -> Option<u64> {
    let (whole, decimals) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, decimals)) => (whole, decimals),
        None => (text, "0"),
    };
    if decimals.len() > USD_DECIMALS || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros: u64 = format!("{decimals:0<USD_DECIMALS$}").parse().ok()?;
    parse_whole(whole)?.checked_mul(MICROS_PER_DOLLAR)?.checked_add(micros)
}

#[cfg(test)]
mod tests;
