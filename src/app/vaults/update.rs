//! One update: read what has changed, and write what follows from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::{error, info, warn};

use super::Vaults;
use super::builder::{Built, Reading, Taken, VaultBuilder};
use crate::app::{App, AppError};
use crate::core::calendar::UtcMillis;
use crate::core::config_global::ConfigGlobal;
use crate::core::id::CustomerId;
use crate::core::vault::decide::TierTerms;
use crate::core::vault::sequence::{Known, Step, Version, next};
use crate::core::vault::sync::Applied;
use crate::core::vault::{NewVault, VaultCode};
use crate::ledger::config_global::load_config_global;
use crate::ledger::vault::{
    Scope, VaultChanges, VaultFacts, VaultVersion, forget_vault_versions, newest_vault_version, note_vault_version,
    vault_changes_since, vault_facts,
};
use crate::ledger::{Ledger, ReadTx};
use crate::random::random;
use crate::seal::{KEPT_FILES, Newest};

/// Changed customers beyond which reading everybody is the faster way.
const SOME: usize = 10_000;
/// Versions that the ledger remembers of each vault.
const NOTED_VERSIONS: u32 = 1000;

/// How thoroughly to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// At what was committed since the last time, and what time has changed.
    Changes,
    /// At everything: the whole ledger, and the newest file of each vault.
    Everything,
}

/// What an update has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VaultUpdate {
    /// The vaults that were written, with their sequences.
    pub written: Vec<(VaultCode, u64)>,
    /// Customers whose entries were not what they should have been although no change of theirs was known.
    pub drifted: usize,
    /// Customers who were looked at and can be in no vault: what the ledger has of them cannot be read, or their line
    /// would be one that no gateway takes. Their keys are refused.
    pub left_out: BTreeSet<CustomerId>,
}

/// What was read in one transaction.
struct Loaded {
    changes: VaultChanges,
    terms: TierTerms,
    facts: VaultFacts,
    /// Whom the facts are about; `None`: everybody.
    customers: Option<BTreeSet<CustomerId>>,
}

impl App {
    /// Brings the vaults up to date. The builder is given back, or a new one if all is to be read again.
    pub async fn update_vaults(
        self: Arc<Self>,
        mut builder: VaultBuilder,
        depth: Depth,
    ) -> (VaultBuilder, Result<VaultUpdate, AppError>) {
        let work = move || {
            let updated = self.vaults.update(&self.ledger, &mut builder, depth, self.clock.now());
            (builder, updated)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| (VaultBuilder::default(), Err(AppError::Panicked)))
    }
}

impl Vaults {
    /// Brings the files up to date with the ledger. Blocks.
    ///
    /// # Errors
    /// The first thing that went wrong, after everything else was done. Panics within an asynchronous task.
    pub fn update(
        &self,
        ledger: &Ledger,
        builder: &mut VaultBuilder,
        depth: Depth,
        now: UtcMillis,
    ) -> Result<VaultUpdate, AppError> {
        let is_all = depth == Depth::Everything || !builder.is_complete;
        if is_all || !builder.knows_files {
            self.look_at_files(ledger, builder)?;
        }
        let due = builder.due_customers(now);
        // What time had changed may not be so after all.
        let is_earlier = builder.as_of.is_some_and(|before| now < before);
        let loaded = load(ledger, builder.change, due.clone(), is_all || is_earlier, now)?;
        let was_complete = builder.is_complete;
        let reading = Reading { terms: loaded.terms, now, seal_network: self.seal_network };
        let taken = match &loaded.customers {
            Some(customers) => builder.take_some(customers, &loaded.facts.customers, &reading),
            None => builder.take_all(&loaded.facts.customers, &reading),
        };
        (builder.change, builder.as_of) = (loaded.changes.newest, Some(now));
        let explained = |customer: &&CustomerId| loaded.changes.customers.contains(customer) || due.contains(customer);
        let drifted = match was_complete && !loaded.changes.everybody && !is_earlier {
            true => taken.changed.iter().filter(|customer| !explained(customer)).count(),
            false => 0,
        };
        if drifted > 0 {
            warn!(customers = drifted, "vaults differed from the ledger and are put right");
        }
        let left_out = tell_left_out(&loaded.facts, &taken);
        let written = self.write_stale(ledger, builder, now)?;
        Ok(VaultUpdate { written, drifted, left_out })
    }
}

/// A person must act: the customer's keys are refused until then.
fn tell_left_out(facts: &VaultFacts, taken: &Taken) -> BTreeSet<CustomerId> {
    for (customer, table) in &facts.unreadable {
        error!(%customer, table, "a customer is in no vault, because a row of the ledger cannot be read: keys are refused");
    }
    for (customer, reason) in &taken.refused {
        error!(%customer, %reason, "a customer is left out of a vault, because no gateway would take the entry: keys are refused");
    }
    facts.unreadable.keys().chain(taken.refused.keys()).copied().collect()
}

fn load(
    ledger: &Ledger,
    since: u64,
    due: BTreeSet<CustomerId>,
    is_all: bool,
    now: UtcMillis,
) -> Result<Loaded, AppError> {
    ledger.read_blocking(move |tx: &ReadTx<'_>| {
        let changes = vault_changes_since(tx, since)?;
        let terms = TierTerms::of(&ConfigGlobal::from_table(&load_config_global(tx)?)?);
        let concerned: BTreeSet<_> = changes.customers.union(&due).copied().collect();
        let is_all = is_all || changes.everybody || concerned.len() > SOME;
        let facts = match (is_all, concerned.is_empty()) {
            (true, _) => vault_facts(tx, Scope::Everybody, now)?,
            (false, true) => VaultFacts::default(),
            (false, false) => vault_facts(tx, Scope::Customers(&concerned), now)?,
        };
        Ok(Loaded { changes, terms, facts, customers: (!is_all).then_some(concerned) })
    })
}

impl Vaults {
    /// Finds out what is in the folder and what the ledger has noted, and tells what is damaged.
    fn look_at_files(&self, ledger: &Ledger, builder: &mut VaultBuilder) -> Result<(), AppError> {
        builder.knows_files = false;
        for (code, built) in &mut builder.vaults {
            let code = *code;
            let Newest { whole, damaged } = self.folder.newest(code, &self.opener)?;
            for damaged in &damaged {
                let (file, damage) = (damaged.file.path.display(), &damaged.damage);
                warn!(%file, %damage, "a damaged vault is not used, and replaced by a new version");
            }
            built.damaged = damaged.first().map_or(0, |damaged| damaged.file.sequence);
            built.file = whole.map(|whole| Version {
                sequence: whole.header.sequence,
                hash: whole.hash,
                content_sha256: whole.header.content_sha256,
            });
            let noted = ledger.read_blocking(move |tx| newest_vault_version(tx, code))?;
            built.noted = noted.map(|noted| Version {
                sequence: noted.sequence,
                hash: noted.hash,
                content_sha256: noted.content_sha256,
            });
            built.is_stale = true;
        }
        builder.knows_files = true;
        Ok(())
    }

    /// Writes every vault whose newest file does not say what it should; one that fails does not stop the others.
    fn write_stale(
        &self,
        ledger: &Ledger,
        builder: &mut VaultBuilder,
        now: UtcMillis,
    ) -> Result<Vec<(VaultCode, u64)>, AppError> {
        let (mut written, mut failure) = (Vec::new(), None);
        for (code, built) in &mut builder.vaults {
            match self.write_if_stale(ledger, *code, built, builder.change, now) {
                Ok(sequence) => written.extend(sequence.map(|sequence| (*code, sequence))),
                Err(error) => {
                    builder.knows_files = false;
                    failure = failure.or(Some(error));
                }
            }
        }
        failure.map_or(Ok(written), Err)
    }

    fn write_if_stale(
        &self,
        ledger: &Ledger,
        code: VaultCode,
        built: &mut Built,
        change: u64,
        now: UtcMillis,
    ) -> Result<Option<u64>, AppError> {
        let ahead = self.beyond(code);
        let file = built.file;
        if let Some(file) = file.filter(|_| !built.is_stale && ahead == 0) {
            self.note_progress(code, Applied { sequence: file.sequence, hash: file.hash }, change);
            return Ok(None);
        }
        let packed = built.picture.pack()?;
        let (content_sha256, entries) = (packed.content_sha256, packed.entries);
        let known = Known { noted: built.noted, file, beyond: built.damaged.max(ahead) };
        let Step::Write { sequence, previous } = next(&known, content_sha256) else {
            self.adopt(ledger, code, built, change, now)?;
            return Ok(None);
        };
        let new = NewVault { code, sequence, created: now, previous };
        let (bytes, hash) = self.sealer.seal(&new, packed, random()?)?;
        self.folder.write(code, sequence, &bytes)?;
        let version = Version { sequence, hash, content_sha256 };
        (built.file, built.is_stale, built.damaged) = (Some(version), false, 0);
        self.note_progress(code, Applied { sequence, hash }, change);
        info!(%code, sequence, entries, bytes = bytes.len(), "vault written");
        self.folder.keep_newest(code, KEPT_FILES)?;
        let noted = VaultVersion { code, sequence, hash, previous, content_sha256, entries, change, created: now };
        note(ledger, noted)?;
        built.noted = Some(version);
        Ok(Some(sequence))
    }

    /// The newest file says what it should. The ledger may not know it yet: after a crash, or as a backup.
    fn adopt(
        &self,
        ledger: &Ledger,
        code: VaultCode,
        built: &mut Built,
        change: u64,
        now: UtcMillis,
    ) -> Result<(), AppError> {
        built.is_stale = false;
        let Some(file) = built.file else { return Ok(()) };
        self.note_progress(code, Applied { sequence: file.sequence, hash: file.hash }, change);
        if built.noted == Some(file) {
            return Ok(());
        }
        let header = self.opener.verify(&self.folder.read(code, file.sequence)?).map(|(header, _)| header).ok();
        let noted = VaultVersion {
            code,
            sequence: file.sequence,
            hash: file.hash,
            previous: header.map_or(crate::core::vault::VaultHash::NONE, |header| header.previous),
            content_sha256: file.content_sha256,
            entries: header.map_or(0, |header| header.entries),
            change,
            created: header.map_or(now, |header| header.created),
        };
        note(ledger, noted)?;
        built.noted = Some(file);
        Ok(())
    }
}

fn note(ledger: &Ledger, version: VaultVersion) -> Result<(), AppError> {
    let noting = ledger.write_blocking(move |tx| {
        note_vault_version(tx, &version)?;
        forget_vault_versions(tx, version.code, NOTED_VERSIONS)
    });
    Ok(noting?)
}
