//! Names of things: customers, services, networks.

use std::fmt;
use std::num::NonZeroU32;

use data_encoding::BASE32_NOPAD;

/// A customer's number: random in 1…2³²−1, never sequential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId(NonZeroU32);

impl CustomerId {
    /// The smallest.
    pub const MIN: Self = Self(NonZeroU32::MIN);

    /// `None` for 0, which no customer has.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is sold. The number is the one in log lines and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Service {
    Seal = 1,
    Grpc = 2,
    Graphql = 3,
}

impl Service {
    pub const ALL: [Self; 3] = [Self::Seal, Self::Grpc, Self::Graphql];

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.number() == number)
    }

    #[expect(clippy::as_conversions, reason = "the discriminant of a repr(u8) enum")]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The word used in URLs, JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Grpc => "grpc",
            Self::Graphql => "graphql",
        }
    }

    /// The word used in sentences.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Seal => "Seal",
            Self::Grpc => "gRPC",
            Self::Graphql => "GraphQL",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }
}

/// Which Sui network a request is for. The number is the one in log lines and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Network {
    Testnet = 0,
    Mainnet = 1,
}

impl Network {
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Testnet),
            1 => Some(Self::Mainnet),
            _ => None,
        }
    }

    #[expect(clippy::as_conversions, reason = "the discriminant of a repr(u8) enum")]
    pub const fn number(self) -> u8 {
        self as u8
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Testnet => "testnet",
            Self::Mainnet => "mainnet",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Testnet, Self::Mainnet].into_iter().find(|network| network.name() == name)
    }
}

macro_rules! record_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// From random bytes.
            pub fn new(random: [u8; RECORD_ID_BYTES]) -> Self {
                Self(record_id($prefix, random))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotARecordId;

            fn from_str(text: &str) -> Result<Self, NotARecordId> {
                is_record_id($prefix, text).then(|| Self(text.to_owned())).ok_or(NotARecordId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

record_ids! {
    /// A sign-in and what followed from it.
    SessionId = "ses_";
    /// A personal API token.
    ApiTokenId = "tok_";
    /// An API key.
    ApiKeyId = "key_";
    /// A Seal key.
    SealKeyId = "sk_";
    /// A package of a Seal key.
    SealPackageId = "pkg_";
}

/// Random bytes of a record's id: enough that two never meet, short enough to read out.
pub const RECORD_ID_BYTES: usize = 15;
const RECORD_ID_CHARS: usize = 24;

/// The text is no id of this kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no id of this kind")]
pub struct NotARecordId;

fn record_id(prefix: &str, random: [u8; RECORD_ID_BYTES]) -> String {
    format!("{prefix}{}", BASE32_NOPAD.encode(&random).to_ascii_lowercase())
}

fn is_record_id(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        rest.len() == RECORD_ID_CHARS && rest.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_ids_that_say_what_they_are() {
        let id = ApiKeyId::new([0xff; RECORD_ID_BYTES]);
        assert_eq!(id.as_str(), "key_777777777777777777777777");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        for text in
            ["", "key_", "tok_777777777777777777777777", "key_77777777777777777777777", "key_77777777777777777777777A"]
        {
            assert_eq!(text.parse::<ApiKeyId>(), Err(NotARecordId), "{text}");
        }
    }
}
