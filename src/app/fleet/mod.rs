//! The fleet of gateways: what their agents say is noted, held against the newest vaults, and told.
//!
//! ```text
//! asked every 5 s ─▶ what each one said ─▶ core::gateway_fleet ─▶ what is new, and the alarms ─▶ one transaction
//! ```
//! The ledger is written when something that matters has changed, and once a minute that a gateway was heard. So the fleet
//! is known at once after a restart, and an alarm that goes on then is the same alarm.

mod network;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::{error, info};

use super::notifications::settle_notifications;
use super::{App, AppError, Vaults};
use crate::core::calendar::UtcMillis;
use crate::core::gateway_fleet::{CATEGORY, Expected, GatewayStatus, Watched, alarms};
use crate::core::notification::{Notification, Step};
use crate::core::vault::VaultCode;
use crate::core::vault::sync::Applied;
use crate::ledger::Ledger;
use crate::ledger::gateway::{forget_other_gateways, note_gateway, noted_gateways};

pub use network::{NetworkFreshness, NetworkGateway, NetworkService, NetworkState, NetworkView};
pub use view::{FleetGateway, FleetHaproxy, FleetVault, FleetView, fleet_at_rest};

/// Of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The part of [`App`] that knows the gateways.
pub struct Fleet {
    /// Where gateways are, in words for customers.
    regions: BTreeMap<u8, String>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    watched: BTreeMap<u8, Watched>,
    /// What the ledger has of them.
    stored: BTreeMap<u8, Watched>,
    /// What is open in the ledger; `None`: that is not known.
    told: Option<Vec<Notification>>,
}

/// What a gateway's agent said, or why it did not answer.
pub type Answers = BTreeMap<u8, Result<GatewayStatus, String>>;

impl Fleet {
    /// The gateways that are to be asked, as the ledger knows them; others are forgotten. What they had in force counts for
    /// the vaults until they are heard. Blocks.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub fn open(
        ledger: &Ledger,
        vaults: &Vaults,
        gateways: BTreeSet<u8>,
        regions: BTreeMap<u8, String>,
        now: UtcMillis,
    ) -> Result<Self, AppError> {
        let mut stored = ledger.write_blocking({
            let kept = gateways.clone();
            move |tx| {
                forget_other_gateways(tx, &kept)?;
                noted_gateways(tx).map_err(AppError::from)
            }
        })?;
        stored.retain(|gateway, _| gateways.contains(gateway));
        let watched: BTreeMap<u8, Watched> = gateways
            .into_iter()
            .map(|gateway| (gateway, stored.get(&gateway).cloned().unwrap_or_else(|| Watched::new(now))))
            .collect();
        for (gateway, watched) in &watched {
            vaults.note_gateway(*gateway, watched.report_before());
        }
        Ok(Self { regions, known: Mutex::new(Known { watched, stored, told: None }) })
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Takes in what gateways said, held against what was newest when they were asked, and raises and ends alarms. What is
    /// not news is not written.
    ///
    /// # Errors
    /// [`AppError::Ledger`]: then the next call notes it.
    pub async fn note_fleet(&self, answers: Answers, newest: &BTreeMap<VaultCode, Applied>) -> Result<(), AppError> {
        let now = self.clock.now();
        let expected = Expected { newest, version: VERSION };
        let (news, current) = {
            let mut known = self.fleet.locked();
            for (gateway, answer) in answers {
                known.watched.entry(gateway).or_insert_with(|| Watched::new(now)).note(answer, &expected, now);
            }
            let is_news = |(gateway, watched): &(&u8, &Watched)| {
                known.stored.get(*gateway).is_none_or(|stored| watched.is_news_after(stored))
            };
            let news: BTreeMap<u8, Watched> =
                known.watched.iter().filter(is_news).map(|(gateway, watched)| (*gateway, watched.clone())).collect();
            let current: Vec<_> = alarms(&known.watched, now).iter().map(Notification::from).collect();
            if news.is_empty() && known.told.as_ref() == Some(&current) {
                return Ok(());
            }
            (news, current)
        };
        let (noting, telling) = (news.clone(), current.clone());
        let noted = self.ledger.write(move |tx| {
            for (gateway, watched) in &noting {
                note_gateway(tx, *gateway, watched)?;
            }
            settle_notifications(tx, CATEGORY, &telling, now).map_err(AppError::from)
        });
        tell(&noted.await?);
        let mut known = self.fleet.locked();
        known.stored.extend(news);
        known.told = Some(current);
        Ok(())
    }
}

fn tell(steps: &[Step]) {
    for step in steps {
        match step {
            Step::Open(notification) => error!(problem = notification.text, "a gateway needs somebody"),
            Step::Retell(_) => {}
            Step::Clear(key) => info!(key, "a gateway does not need anybody for this any more"),
        }
    }
}
