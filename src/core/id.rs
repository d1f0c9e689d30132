//! Names of things: customers, services, networks.

use std::fmt;
use std::num::NonZeroU32;

/// A customer's number: random in 1…2³²−1, never sequential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId(NonZeroU32);

impl CustomerId {
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
}
