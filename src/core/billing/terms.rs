//! What things cost at the moment of a decision.

use crate::core::config_global::ConfigGlobal;
use crate::core::money::Usd;
use crate::core::rating::PricePerRequests;
use crate::core::tier::Tier;

/// The price of `per` pieces: months, requests, bytes, keys or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitPrice {
    pub amount: Usd,
    /// At least 1.
    pub per: u64,
}

impl UnitPrice {
    /// The price of one piece.
    pub const fn each(amount: Usd) -> Self {
        Self { amount, per: 1 }
    }
}

impl From<PricePerRequests> for UnitPrice {
    fn from(price: PricePerRequests) -> Self {
        Self { amount: price.amount, per: price.per }
    }
}

/// What an instance can have more of than its tier includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExtraKind {
    ApiKey,
    SealKey,
    Package,
}

impl ExtraKind {
    pub const ALL: [Self; 3] = [Self::ApiKey, Self::SealKey, Self::Package];

    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::SealKey => "seal_key",
            Self::Package => "package",
        }
    }

    /// The words used in sentences.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ApiKey => "additional API keys",
            Self::SealKey => "additional Seal keys",
            Self::Package => "additional packages",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Prices per month, and the tax. The price of usage is not among them: it is that of the hour of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub starter: Usd,
    pub pro: Usd,
    pub enterprise: Usd,
    pub api_key: Usd,
    pub seal_key: Usd,
    pub package: Usd,
    /// Hundredths of a per cent of all charges; 0 = no tax and no line for it.
    pub tax_basis_points: u64,
}

impl Terms {
    /// The operator's prices as they are.
    pub fn of(config: &ConfigGlobal, tax_basis_points: u64) -> Self {
        Self {
            starter: config.tier_price(Tier::Starter),
            pro: config.tier_price(Tier::Pro),
            enterprise: config.tier_price(Tier::Enterprise),
            api_key: config.additional_api_key_price(),
            seal_key: config.additional_seal_key_price(),
            package: config.additional_package_price(),
            tax_basis_points,
        }
    }

    /// A month of a tier.
    pub fn tier(&self, tier: Tier) -> Usd {
        match tier {
            Tier::Starter => self.starter,
            Tier::Pro => self.pro,
            Tier::Enterprise => self.enterprise,
        }
    }

    /// A month of one more.
    pub fn extra(&self, kind: ExtraKind) -> Usd {
        match kind {
            ExtraKind::ApiKey => self.api_key,
            ExtraKind::SealKey => self.seal_key,
            ExtraKind::Package => self.package,
        }
    }
}
