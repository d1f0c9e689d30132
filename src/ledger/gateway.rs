//! Gateways as they were when that was noted last.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::core::gateway_fleet::{GatewayState, Watched};
use crate::ledger::error::{LedgerError, failed};
use crate::ledger::transaction::{ReadTx, WriteTx};
use crate::ledger::values::word;

impl ToSql for GatewayState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for GatewayState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        word(value, Self::from_name)
    }
}

/// Notes how a gateway is.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn note_gateway(tx: &WriteTx<'_>, gateway: u8, watched: &Watched) -> Result<(), LedgerError> {
    let Watched { state, since, heard_at, silent_since, standing } = watched;
    let noting = serde_json::to_string(standing)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
        .and_then(|standing| {
            tx.execute(
                "INSERT INTO gateways (gateway, state, since_ms, heard_at_ms, silent_since_ms, standing)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (gateway) DO UPDATE SET state = excluded.state, since_ms = excluded.since_ms,
                     heard_at_ms = excluded.heard_at_ms, silent_since_ms = excluded.silent_since_ms,
                     standing = excluded.standing",
                (gateway, state, since, heard_at, silent_since, standing),
            )
        });
    noting.map(drop).map_err(failed("noting gateway", gateway))
}

/// Every gateway that was noted.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn noted_gateways(tx: &ReadTx<'_>) -> Result<BTreeMap<u8, Watched>, LedgerError> {
    let rows = tx.all("SELECT * FROM gateways ORDER BY gateway", (), read_gateway);
    Ok(rows.map_err(failed("listing", "gateways"))?.into_iter().collect())
}

/// Forgets gateways that are none any more. Writes nothing if there are none.
///
/// # Errors
/// [`LedgerError::Statement`].
pub fn forget_other_gateways(tx: &WriteTx<'_>, kept: &BTreeSet<u8>) -> Result<(), LedgerError> {
    for gateway in noted_gateways(tx)?.into_keys().filter(|gateway| !kept.contains(gateway)) {
        tx.execute("DELETE FROM gateways WHERE gateway = ?1", (gateway,))
            .map_err(failed("forgetting gateway", gateway))?;
    }
    Ok(())
}

fn read_gateway(row: &Row<'_>) -> rusqlite::Result<(u8, Watched)> {
    let watched = Watched {
        state: row.get("state")?,
        since: row.get("since_ms")?,
        heard_at: row.get("heard_at_ms")?,
        silent_since: row.get("silent_since_ms")?,
        // What another version has written and this one cannot read is as if nothing had been said: it is soon heard anew.
        standing: serde_json::from_str(row.get_ref("standing")?.as_str()?).unwrap_or_default(),
    };
    Ok((row.get("gateway")?, watched))
}
