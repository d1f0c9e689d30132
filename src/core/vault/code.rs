//! Which vault it is: three letters for service, network and purpose.

use std::fmt;
use std::str::FromStr;

use crate::core::id::{Network, Service};

/// What a vault is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// By gateways: keys and limits.
    Api,
    /// By the Seal key server: derivation indexes, objects and packages.
    SealKeys,
}

/// One of [`VaultCode::ALL`]. Only Seal has key servers, so that every other combination does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultCode {
    service: Service,
    network: Network,
    purpose: Purpose,
}

/// The text is no code of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give one of sma, sta, rma, rta, gma, gta, smk and stk")]
pub struct NotAVaultCode;

/// Letters of a code.
pub const CODE_BYTES: usize = 3;

impl VaultCode {
    /// Every vault there is, those of gateways first.
    pub const ALL: [Self; 8] = [
        Self::api(Service::Seal, Network::Mainnet),
        Self::api(Service::Seal, Network::Testnet),
        Self::api(Service::Grpc, Network::Mainnet),
        Self::api(Service::Grpc, Network::Testnet),
        Self::api(Service::Graphql, Network::Mainnet),
        Self::api(Service::Graphql, Network::Testnet),
        Self::seal_keys(Network::Mainnet),
        Self::seal_keys(Network::Testnet),
    ];

    /// Keys and limits of a service.
    pub const fn api(service: Service, network: Network) -> Self {
        Self { service, network, purpose: Purpose::Api }
    }

    /// What the key servers of a network answer to.
    pub const fn seal_keys(network: Network) -> Self {
        Self { service: Service::Seal, network, purpose: Purpose::SealKeys }
    }

    pub const fn service(self) -> Service {
        self.service
    }

    pub const fn network(self) -> Network {
        self.network
    }

    pub const fn purpose(self) -> Purpose {
        self.purpose
    }

    /// The word used in file names, JSON and SQL.
    pub const fn as_str(self) -> &'static str {
        match (self.purpose, self.service, self.network) {
            (Purpose::Api, Service::Seal, Network::Mainnet) => "sma",
            (Purpose::Api, Service::Seal, Network::Testnet) => "sta",
            (Purpose::Api, Service::Grpc, Network::Mainnet) => "rma",
            (Purpose::Api, Service::Grpc, Network::Testnet) => "rta",
            (Purpose::Api, Service::Graphql, Network::Mainnet) => "gma",
            (Purpose::Api, Service::Graphql, Network::Testnet) => "gta",
            (Purpose::SealKeys, _, Network::Mainnet) => "smk",
            (Purpose::SealKeys, _, Network::Testnet) => "stk",
        }
    }
}

impl FromStr for VaultCode {
    type Err = NotAVaultCode;

    fn from_str(text: &str) -> Result<Self, NotAVaultCode> {
        Self::ALL.into_iter().find(|code| code.as_str() == text).ok_or(NotAVaultCode)
    }
}

impl fmt::Display for VaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back_and_nothing_else_is() {
        for code in VaultCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
        }
        let words: std::collections::BTreeSet<_> = VaultCode::ALL.into_iter().map(VaultCode::as_str).collect();
        assert_eq!(words.len(), VaultCode::ALL.len());
        for text in ["", "sm", "smaa", "SMA", "rmk", "gtk", "xma"] {
            assert_eq!(text.parse::<VaultCode>(), Err(NotAVaultCode), "{text}");
        }
    }

    #[test]
    fn the_letters_say_what_the_vault_is_of() {
        let code: VaultCode = "rta".parse().unwrap();
        assert_eq!((code.service(), code.network(), code.purpose()), (Service::Grpc, Network::Testnet, Purpose::Api));
        let code: VaultCode = "smk".parse().unwrap();
        assert_eq!(
            (code.service(), code.network(), code.purpose()),
            (Service::Seal, Network::Mainnet, Purpose::SealKeys)
        );
    }
}
