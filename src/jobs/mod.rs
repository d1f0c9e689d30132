//! The periodic manager. Tasks take no input, repeat harmlessly and do not retry: the next run is the retry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{error, info};

use crate::app::billing::VerifyProgress;
use crate::app::{App, Depth, VaultBuilder, meter};
use crate::telemetry::chain;

/// Between two runs that news of new rows set off.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// Until metering is tried again after it has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How soon a change of prices and limits is noticed.
const CONFIG_INTERVAL: Duration = Duration::from_secs(1);

/// Between two comparisons of all escrow accounts, at least.
const COMPARE_INTERVAL: Duration = Duration::from_secs(60);
/// Changes that are committed within this time are in the same vaults.
const VAULTS_COALESCED: Duration = Duration::from_millis(50);

/// How soon vaults show what time has changed, and what another process has committed.
const VAULTS_INTERVAL: Duration = Duration::from_secs(1);

/// How soon the chain is asked again after it did not answer.
const CHAIN_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until cancelled: metering when rows were committed, and every task at least once in `interval`. Publishes the
/// newest batch whose usage is in the ledger.
pub async fn run(app: Arc<App>, interval: Duration, metered: watch::Sender<u64>) {
    let mut committed = app.committed.clone();
    let (mut housekeeping_due, mut is_failing) = (Instant::now(), false);
    loop {
        let metered_to = meter(&app).await;
        let is_more = draw_drafts(&app).await;
        match metered_to {
            Ok(batch) => drop(metered.send_if_modified(|last| std::mem::replace(last, batch) != batch)),
            // Said once, not at each commit.
            Err(error) => {
                if !is_failing {
                    error!(error = %chain(&error), "usage could not be metered; it is tried again");
                }
                is_failing = true;
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            }
        }
        is_failing = false;
        if Instant::now() >= housekeeping_due {
            keep_house(&app).await;
            housekeeping_due = Instant::now() + interval;
        }
        tokio::time::sleep(LEAST_INTERVAL).await;
        if is_more {
            continue;
        }
        // An error means that intake has stopped: then only the clock is left to wait for.
        if let Ok(Err(_)) = tokio::time::timeout(interval, committed.changed()).await {
            tokio::time::sleep(interval).await;
        }
    }
}

/// Does on the chain what waits for it, until cancelled: when the outbox is rung, when a retry is due, and at least once
/// in `interval`.
pub async fn run_outbox(app: Arc<App>, interval: Duration) {
    // What was taken before a stop or an error is in nobody's hands.
    let mut is_some_orphaned = true;
    loop {
        let done = async {
            if is_some_orphaned {
                app.recover_registrations().await?;
            }
            app.register_due_seal_keys().await
        };
        let done = done.await;
        is_some_orphaned = done.is_err();
        let next = done.unwrap_or_else(|error| {
            error!(error = %chain(&error), "Seal keys could not be registered");
            None
        });
        let wait = next.map_or(interval, |at| app.clock.until(at).clamp(LEAST_INTERVAL, interval));
        let _ = tokio::time::timeout(wait, app.outbox.notified()).await;
    }
}

/// Takes over prices and limits that an operator has changed, until cancelled.
pub async fn run_config(app: Arc<App>) {
    loop {
        tokio::time::sleep(CONFIG_INTERVAL).await;
        if let Err(error) = app.reload_config_global().await {
            error!(error = %chain(&error), "changed prices and limits are not taken over; the old ones go on");
        }
    }
}

/// Brings vaults up to date, until cancelled: shortly after something that they show was committed, when time changes
/// something, and thoroughly at least once in `interval`.
pub async fn run_vaults(app: Arc<App>, interval: Duration) {
    let mut news = app.ledger.vault_news();
    let (mut builder, mut thorough_at, mut has_failed) = (VaultBuilder::default(), Instant::now(), false);
    loop {
        // What is committed from here on is seen, or told again.
        news.mark_unchanged();
        let is_thorough = Instant::now() >= thorough_at;
        let depth = if is_thorough { Depth::Everything } else { Depth::Changes };
        if is_thorough {
            thorough_at = Instant::now() + interval;
        }
        let (kept, updated) = Arc::clone(&app).update_vaults(builder, depth).await;
        builder = kept;
        let had_failed = std::mem::replace(&mut has_failed, updated.is_err());
        if let Err(error) = updated {
            // Said once, not every second.
            if !had_failed {
                error!(error = %chain(&error), "vaults could not be brought up to date; gateways go on with the last ones");
            }
        }
        tokio::select! {
            told = news.changed() => match told {
                Ok(()) => tokio::time::sleep(VAULTS_COALESCED).await,
                Err(_) => tokio::time::sleep(VAULTS_INTERVAL).await,
            },
            () = app.vaults.woken() => {}
            () = tokio::time::sleep(VAULTS_INTERVAL) => {}
        }
    }
}

/// Closes months, carries out what is due in billing, and verifies the books of those for whom something was posted, at
/// least once in `interval`, until cancelled. Apart from the others, because a month of many customers takes seconds.
pub async fn run_billing(app: Arc<App>, interval: Duration) {
    let mut progress = VerifyProgress::default();
    loop {
        if let Err(error) = app.run_billing().await {
            error!(error = %chain(&error), "billing could not go on; the next run does");
        }
        let verified = app.verify_some_books(progress).await;
        let (next, is_more) = verified.unwrap_or_else(|error| {
            error!(error = %chain(&error), "books could not be verified");
            (progress, false)
        });
        progress = next;
        if !is_more {
            tokio::time::sleep(interval).await;
        }
    }
}

/// Sends payments, follows wallets' transactions, takes in what the chain tells, and compares escrow accounts with it at
/// least once in `interval` or in a minute, until cancelled.
pub async fn run_chain(app: Arc<App>, interval: Duration) {
    let (mut compared_to, mut compare_at, mut is_silent) = (None, Instant::now(), false);
    loop {
        let worked = app.work_on_chain().await;
        let was_silent = std::mem::replace(&mut is_silent, worked.is_err());
        let wait = match worked {
            Ok(wait) => wait,
            // Said once, not every second.
            Err(error) => {
                if !was_silent {
                    error!(error = %chain(&error), "the chain cannot be read; it is asked again until it answers");
                }
                CHAIN_INTERVAL
            }
        };
        if was_silent && !is_silent {
            info!("the chain answers again");
        }
        if !is_silent && Instant::now() >= compare_at {
            match app.reconcile_escrow(compared_to.take()).await {
                Ok(reconciled) => compared_to = reconciled.next,
                Err(error) => error!(error = %chain(&error), "escrow accounts could not be compared with the chain"),
            }
            // All of them in each run, one slice after the other, and payments in between.
            if compared_to.is_some() {
                continue;
            }
            compare_at = Instant::now() + interval.max(COMPARE_INTERVAL);
        }
        let _ = tokio::time::timeout(wait, app.payments.notified()).await;
    }
}

/// Seals and drops old requests at least once in `interval`, until cancelled. Apart from the others, because it can take
/// minutes.
pub async fn run_storage(app: Arc<App>, interval: Duration) {
    loop {
        if let Err(error) = app.keep_requests().await {
            error!(error = %chain(&error), "old requests could not be sealed or dropped");
        }
        tokio::time::sleep(interval).await;
    }
}

/// Whether there are more to draw.
async fn draw_drafts(app: &App) -> bool {
    app.draw_drafts().await.unwrap_or_else(|error| {
        error!(error = %chain(&error), "drafts could not be drawn");
        false
    })
}

/// What is due by the calendar rather than by news.
async fn keep_house(app: &App) {
    if let Err(error) = app.forget_what_has_ended().await {
        error!(error = %chain(&error), "ended sessions and old answers could not be forgotten");
    }
}
