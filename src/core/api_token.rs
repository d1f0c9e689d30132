//! Personal API tokens: what a script shows instead of a session.
//!
//! ```text
//! suiftly_pat_ ‖ base32 of 32 random bytes (52 characters) ‖ base32 of their checksum (6 characters)
//! ```
//!
//! The prefix lets secret scanners find leaked ones; the checksum lets them, and us, tell a typing error.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const PREFIX: &str = "suiftly_pat_";
const RANDOM_CHARS: usize = 52;
const CHECKSUM_CHARS: usize = 6;

/// What a token may be used for. To write includes to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    AccountRead,
    AccountWrite,
    ServicesRead,
    ServicesWrite,
    KeysRead,
    KeysWrite,
    ActivityRead,
    TrafficRead,
    BillingRead,
    BillingWrite,
}

impl Scope {
    pub const ALL: [Self; 10] = [
        Self::AccountRead,
        Self::AccountWrite,
        Self::ServicesRead,
        Self::ServicesWrite,
        Self::KeysRead,
        Self::KeysWrite,
        Self::ActivityRead,
        Self::TrafficRead,
        Self::BillingRead,
        Self::BillingWrite,
    ];

    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountRead => "account.read",
            Self::AccountWrite => "account.write",
            Self::ServicesRead => "services.read",
            Self::ServicesWrite => "services.write",
            Self::KeysRead => "keys.read",
            Self::KeysWrite => "keys.write",
            Self::ActivityRead => "activity.read",
            Self::TrafficRead => "traffic.read",
            Self::BillingRead => "billing.read",
            Self::BillingWrite => "billing.write",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    fn includes(self, needed: Self) -> bool {
        self == needed
            || matches!(
                (self, needed),
                (Self::AccountWrite, Self::AccountRead)
                    | (Self::ServicesWrite, Self::ServicesRead)
                    | (Self::KeysWrite, Self::KeysRead)
                    | (Self::BillingWrite, Self::BillingRead)
            )
    }
}

/// Whether what was granted includes what is needed.
pub fn allows(granted: &[Scope], needed: Scope) -> bool {
    granted.iter().any(|scope| scope.includes(needed))
}

/// The text of a token.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken(Zeroizing<String>);

/// The text is no token. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an API token is {PREFIX} and 58 letters and digits")]
pub struct NotAnApiToken;

impl ApiToken {
    pub fn mint(random: [u8; 32]) -> Self {
        let random = BASE32_NOPAD.encode(&random).to_ascii_lowercase();
        let checksum = checksum(&random);
        Self(Zeroizing::new(format!("{PREFIX}{random}{checksum}")))
    }

    /// All of it: for the customer's eyes, once.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Enough to recognise it by, too little to use it.
    pub fn hint(&self) -> String {
        let secret = self.0.strip_prefix(PREFIX).unwrap_or_default();
        let head: String = secret.chars().take(4).collect();
        let tail: String = secret.chars().skip(RANDOM_CHARS + CHECKSUM_CHARS - 4).collect();
        format!("{PREFIX}{head}…{tail}")
    }
}

fn checksum(random: &str) -> String {
    let digest = Sha256::digest(random.as_bytes());
    let text = BASE32_NOPAD.encode(&digest).to_ascii_lowercase();
    text.chars().take(CHECKSUM_CHARS).collect()
}

impl FromStr for ApiToken {
    type Err = NotAnApiToken;

    fn from_str(text: &str) -> Result<Self, NotAnApiToken> {
        let secret = text.strip_prefix(PREFIX).ok_or(NotAnApiToken)?;
        let (random, given) = secret.split_at_checked(RANDOM_CHARS).ok_or(NotAnApiToken)?;
        let is_base32 = random.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        if is_base32 && given == checksum(random) {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(NotAnApiToken)
        }
    }
}

/// Shows the hint only, so that a token never reaches a log.
impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiToken({})", self.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_read_back_and_hides_itself() {
        let token = ApiToken::mint([0xa5; 32]);
        assert_eq!(token.as_str().parse(), Ok(token.clone()));
        assert_eq!(token.as_str().len(), 70);
        assert!(token.hint().starts_with("suiftly_pat_uws2…"), "{}", token.hint());
        assert_eq!(format!("{token:?}"), format!("ApiToken({})", token.hint()));
    }

    #[test]
    fn a_typing_error_is_noticed() {
        let token = ApiToken::mint([0xa5; 32]);
        for place in 0..token.as_str().len() {
            let mut changed = token.as_str().to_owned().into_bytes();
            changed[place] = if changed[place] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(changed.parse::<ApiToken>(), Err(NotAnApiToken), "{place}");
        }
    }

    #[test]
    fn to_write_includes_to_read_of_the_same_area_only() {
        for (granted, needed, expected) in [
            (&[Scope::KeysRead][..], Scope::KeysRead, true),
            (&[Scope::KeysRead], Scope::KeysWrite, false),
            (&[Scope::KeysWrite], Scope::KeysRead, true),
            (&[Scope::KeysWrite], Scope::ServicesRead, false),
            (&[Scope::KeysWrite, Scope::ServicesRead], Scope::ServicesRead, true),
            (&[], Scope::AccountRead, false),
        ] {
            assert_eq!(allows(granted, needed), expected, "{granted:?} {needed:?}");
        }
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.name()), Some(scope));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(suiftly_pat_)?\\PC{0,60}") {
            let _ = text.parse::<ApiToken>();
        }
    }
}
