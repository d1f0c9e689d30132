//! Who the customers are, and what they are like.

use crate::chain::SimWallet;
use crate::core::id::Service;
use crate::core::tier::Tier;

use super::super::DemoError;

/// What a customer is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    pub(super) name: &'static str,
    pub(super) service: Service,
    pub(super) tier: Tier,
    /// From January = 1.
    pub(super) joins_in_month: u16,
    /// In an ordinary hour of the first month.
    pub(super) requests_per_hour: u64,
    /// Per cent a month.
    pub(super) grows_percent: u64,
    /// Deposits this, in dollars, …
    pub(super) deposits: i32,
    /// … when less than this is left, …
    pub(super) below: i32,
    /// … but so many days late.
    pub(super) days_late: u16,
    pub(super) trait_: Trait,
}

/// What is special.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trait {
    None,
    /// Changes to the next larger tier in this month.
    Upgrades {
        in_month: u16,
    },
    /// Changes to the next smaller tier in this month.
    Downgrades {
        in_month: u16,
    },
    /// Cancels in a month, and subscribes again in a later one.
    Leaves {
        in_month: u16,
        returns_in: u16,
    },
    /// Wants usage to cost this at most in a month, in dollars.
    Caps {
        at: i32,
    },
    /// Lets so much be charged in 28 days, in dollars.
    Limits {
        at: i32,
    },
    /// Takes everything out in a month.
    Withdraws {
        in_month: u16,
    },
}

const NOBODY: Habits = Habits {
    name: "",
    service: Service::Grpc,
    tier: Tier::Starter,
    joins_in_month: 1,
    requests_per_hour: 100,
    grows_percent: 0,
    deposits: 100,
    below: 50,
    days_late: 1,
    trait_: Trait::None,
};

const CAST: [Habits; 12] = [
    Habits {
        name: "Ada's wallet app",
        service: Service::Seal,
        tier: Tier::Pro,
        requests_per_hour: 400,
        grows_percent: 8,
        deposits: 150,
        ..NOBODY
    },
    Habits {
        name: "Brook explorer",
        tier: Tier::Enterprise,
        requests_per_hour: 2_500,
        deposits: 900,
        below: 450,
        trait_: Trait::Limits { at: 0 },
        ..NOBODY
    },
    Habits {
        name: "Cobalt game studio",
        service: Service::Graphql,
        requests_per_hour: 90,
        trait_: Trait::Upgrades { in_month: 3 },
        deposits: 120,
        below: 60,
        ..NOBODY
    },
    Habits {
        name: "Dune indexer",
        tier: Tier::Pro,
        requests_per_hour: 700,
        days_late: 9,
        deposits: 300,
        below: 80,
        ..NOBODY
    },
    Habits {
        name: "Ember markets",
        tier: Tier::Pro,
        joins_in_month: 2,
        requests_per_hour: 500,
        days_late: 45,
        deposits: 260,
        below: 20,
        ..NOBODY
    },
    Habits {
        name: "Fjord analytics",
        service: Service::Graphql,
        tier: Tier::Enterprise,
        joins_in_month: 2,
        requests_per_hour: 1_200,
        deposits: 700,
        below: 350,
        trait_: Trait::Downgrades { in_month: 6 },
        ..NOBODY
    },
    Habits {
        name: "Gale notes",
        service: Service::Seal,
        joins_in_month: 3,
        requests_per_hour: 30,
        trait_: Trait::Leaves { in_month: 5, returns_in: 8 },
        ..NOBODY
    },
    Habits {
        name: "Haze bots",
        joins_in_month: 3,
        requests_per_hour: 1_500,
        grows_percent: 15,
        deposits: 200,
        below: 100,
        trait_: Trait::Caps { at: 80 },
        ..NOBODY
    },
    Habits {
        name: "Iris photos",
        service: Service::Graphql,
        tier: Tier::Pro,
        joins_in_month: 4,
        requests_per_hour: 900,
        deposits: 240,
        below: 120,
        trait_: Trait::Limits { at: 60 },
        ..NOBODY
    },
    Habits { name: "Juniper labs", joins_in_month: 5, requests_per_hour: 60, deposits: 20, below: 12, ..NOBODY },
    Habits {
        name: "Kelp finance",
        service: Service::Seal,
        tier: Tier::Pro,
        joins_in_month: 6,
        requests_per_hour: 300,
        deposits: 180,
        below: 90,
        trait_: Trait::Withdraws { in_month: 9 },
        ..NOBODY
    },
    Habits { name: "Lumen radio", joins_in_month: 7, requests_per_hour: 5, deposits: 0, ..NOBODY },
];

/// Everybody with a wallet.
pub(super) struct Person {
    pub(super) habits: Habits,
    pub(super) wallet: SimWallet,
    /// The customer's number.
    pub(super) number: u32,
}

/// The customers, in the order in which they come.
pub(super) fn cast() -> Result<Vec<Person>, DemoError> {
    let person = |(number, habits): (u32, &Habits)| {
        let wallet = SimWallet::numbered(number.into()).map_err(|_| DemoError::NoRandomness)?;
        Ok(Person { habits: *habits, wallet, number })
    };
    (1..).zip(&CAST).map(person).collect()
}
