//! The logs of remote gateways: each sends its own as a stream, which lies in a spool of its own and is read from there.
//!
//! ```text
//! gateway ── piece at an offset ─▶ seat, room ─▶ lines and mark written, synced ─▶ length: what need not be sent again
//!                                                   │ (core::gateway_stream, intake::spool)
//!                                                   └─▶ read like any spool: rows and position in one transaction
//! ```
//! Every line counts once: of a piece whole lines are kept, with the mark that counts them; what comes again is passed over, and pieces of one
//! gateway are taken one after the other. A line that says it is another gateway's goes to quarantine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::spool::{AppendError, Spool, StreamJournal};
use super::{IntakeError, Room};
use crate::core::gateway_token::GatewayTokens;
use crate::traffic::Traffic;

/// How the folder and the name of a gateway's spool begin; its number follows.
const SPOOL: &str = "gateway-";
/// Pieces of one gateway that may be on their way in: one whose connection has died unnoticed, and its repetition.
const SEATS: usize = 2;

/// Why a piece is not kept, or a length not told.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("no token of this gateway is configured")]
    Unknown,
    #[error("the disk is too full")]
    NoRoom,
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("a task has panicked")]
    Panicked,
}

/// The streams of all gateways.
pub struct GatewayStreams {
    tokens: GatewayTokens,
    streams: BTreeMap<u8, GatewayStream>,
    room: Room,
}

struct GatewayStream {
    journal: Arc<Mutex<StreamJournal>>,
    spool: Arc<Spool>,
    seats: Arc<Semaphore>,
}

impl GatewayStreams {
    /// Opens what the gateways have sent so far, in folders within `folder`; also that of gateways which have no token
    /// any more, because it is still to be counted. Blocks.
    ///
    /// # Errors
    /// [`IntakeError`] if a folder cannot be used or the store does not tell how far they are counted.
    pub fn open(
        folder: &Path,
        tokens: GatewayTokens,
        max_bytes: u64,
        room: Room,
        traffic: &Traffic,
    ) -> Result<Self, IntakeError> {
        let known = gateway_spools(folder)?.into_iter().map(|(gateway, _)| gateway);
        let mut streams = BTreeMap::new();
        for gateway in tokens.gateways().chain(known).collect::<BTreeSet<_>>() {
            let name = format!("{SPOOL}{gateway}");
            let (path, counted) = (folder.join(&name), traffic.spool_position(&name)?);
            let journal = StreamJournal::open(gateway, &name, &path, max_bytes, counted)
                .map_err(|source| IntakeError::Spool { path, source })?;
            let spool = journal.spool().clone();
            let (journal, seats) = (Arc::new(Mutex::new(journal)), Arc::new(Semaphore::new(SEATS)));
            streams.insert(gateway, GatewayStream { journal, spool, seats });
        }
        Ok(Self { tokens, streams, room })
    }

    /// To be read.
    pub fn spools(&self) -> impl Iterator<Item = Arc<Spool>> {
        self.streams.values().map(|stream| stream.spool.clone())
    }

    /// Whose token it is.
    pub fn gateway_of(&self, token: &str) -> Option<u8> {
        self.tokens.gateway_of(token)
    }

    /// A place for one piece on its way in, to be had before it is received; `None` if there are enough already.
    pub fn seat(&self, gateway: u8) -> Option<OwnedSemaphorePermit> {
        self.streams.get(&gateway)?.seats.clone().try_acquire_owned().ok()
    }

    /// How much of a stream is durable: 0 of one that is not begun.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn length(&self, gateway: u8, stream: u64) -> Result<u64, StreamError> {
        self.with_journal(gateway, move |journal| Ok(journal.length(stream)?)).await
    }

    /// Makes durable what is new in a piece of a stream that begins at `offset`, and tells how much of it is durable
    /// then: all of the piece, but for the beginning of a line that has not ended.
    ///
    /// # Errors
    /// [`StreamError`]; then the same may be sent again.
    pub async fn append(&self, gateway: u8, stream: u64, offset: u64, piece: Vec<u8>) -> Result<u64, StreamError> {
        let room = self.room.clone();
        let append = move |journal: &mut StreamJournal| match room.missing() {
            Some(_) => Err(StreamError::NoRoom),
            None => Ok(journal.append(stream, offset, &piece)?),
        };
        self.with_journal(gateway, append).await
    }

    /// Works with the journal where it may block. It goes on to its end even if nobody waits for it any more.
    async fn with_journal(
        &self,
        gateway: u8,
        work: impl FnOnce(&mut StreamJournal) -> Result<u64, StreamError> + Send + 'static,
    ) -> Result<u64, StreamError> {
        let journal = self.streams.get(&gateway).ok_or(StreamError::Unknown)?.journal.clone();
        let done =
            tokio::task::spawn_blocking(move || work(&mut journal.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.map_err(|_| StreamError::Panicked)?
    }
}

/// The spools of gateways in a folder, by the gateway's number.
///
/// # Errors
/// [`IntakeError::Spool`] if the folder cannot be read.
pub fn gateway_spools(folder: &Path) -> Result<Vec<(u8, PathBuf)>, IntakeError> {
    let failed = |source| IntakeError::Spool { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut spools = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_prefix(SPOOL)?.parse::<u8>().ok());
        spools.extend(number.map(|number| (number, path)));
    }
    spools.sort();
    Ok(spools)
}
