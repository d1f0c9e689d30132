//! What things cost, and what is in the price.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::app::invoice_document::Issuer;
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

/// What the configuration says of billing.
#[derive(Debug)]
pub struct BillingOptions {
    pub issuer: Issuer,
    /// Hundredths of a per cent of all charges; 0 = no tax.
    pub tax_basis_points: u64,
    /// Invoices that are rendered at once.
    pub renderings: Arc<Semaphore>,
}

impl BillingOptions {
    pub fn new(issuer: Issuer, tax_basis_points: u64) -> Self {
        Self { issuer, tax_basis_points, renderings: Arc::new(Semaphore::new(RENDERINGS_AT_ONCE)) }
    }
}

/// Invoices are rendered beside requests of others, which are not to wait for them.
const RENDERINGS_AT_ONCE: usize = 2;

/// The operator's prices at the moment of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    pub terms: Terms,
    pub included: Included,
}

impl Tariff {
    /// The prices and limits as they are, and the tax on everything that is charged, in hundredths of a per cent.
    pub fn of(config: &ConfigGlobal, tax_basis_points: u64) -> Self {
        Self {
            terms: Terms::of(config, tax_basis_points),
            included: Included {
                api_keys: config.included_api_keys(),
                seal_keys: config.included_seal_keys(),
                packages: config.included_packages(),
            },
        }
    }
}
