//! What things cost, and what is in the price.

use crate::core::billing::Terms;
use crate::core::config_global::ConfigGlobal;

/// How many of something the price of a tier includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Included {
    /// For each service.
    pub api_keys: u64,
    pub seal_keys: u64,
    /// For each Seal key.
    pub packages: u64,
}

/// The operator's prices at the moment of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    pub terms: Terms,
    pub included: Included,
}

/// No tax. Hundredths of a per cent.
const TAX_BASIS_POINTS: u64 = 0;

impl Tariff {
    /// The prices and limits as they are.
    pub fn of(config: &ConfigGlobal) -> Self {
        Self {
            terms: Terms::of(config, TAX_BASIS_POINTS),
            included: Included {
                api_keys: config.included_api_keys(),
                seal_keys: config.included_seal_keys(),
                packages: config.included_packages(),
            },
        }
    }
}
