//! The writing end of a remote gateway's stream.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info};

use super::{Journal, Spool};
use crate::core::gateway_stream::{PieceRefusal, StreamPosition};
use crate::core::spool_record::encode_mark;
use crate::traffic::SpoolPosition;

/// Why a piece is not kept.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error(transparent)]
    Refused(#[from] PieceRefusal),
    #[error("what is not yet counted of this gateway takes as much disk as it may")]
    Full,
    #[error("it cannot be written")]
    Write(#[from] io::Error),
}

/// Writes one stream after the other, as its gateway begins them.
///
/// Invariant: the lines that are kept are those of the first `taken.length` bytes, because a piece's lines and the mark
/// that counts them are written together, and lines without their mark are cut at the next start.
pub(in crate::intake) struct StreamJournal {
    gateway: u8,
    journal: Journal,
    /// With what waits to be written again, after an error.
    taken: StreamPosition,
}

impl StreamJournal {
    /// Opens what a gateway has sent so far.
    ///
    /// # Errors
    /// Those of the file system.
    pub(in crate::intake) fn open(
        gateway: u8,
        name: &str,
        folder: &Path,
        max_bytes: u64,
        counted: Option<SpoolPosition>,
    ) -> io::Result<Self> {
        let (journal, taken) = Journal::open_stream(name, gateway, folder, max_bytes, counted)?;
        Ok(Self { gateway, journal, taken })
    }

    pub(in crate::intake) fn spool(&self) -> &Arc<Spool> {
        self.journal.spool()
    }

    /// How much of a stream is durable.
    ///
    /// # Errors
    /// [`AppendError::Refused`] for an older stream, [`AppendError::Write`] if it cannot be made so.
    pub(in crate::intake) fn length(&mut self, stream: u64) -> Result<u64, AppendError> {
        self.flush()?;
        Ok(self.taken.of_stream(stream)?.length)
    }

    /// Makes durable what is new in a piece, and tells how much of the stream is durable then.
    ///
    /// # Errors
    /// [`AppendError`]. After [`AppendError::Write`] it is not known whether the piece is kept; sending it again does
    /// no harm.
    pub(in crate::intake) fn append(&mut self, stream: u64, offset: u64, piece: &[u8]) -> Result<u64, AppendError> {
        let known = self.length(stream)?;
        let mut records = Vec::new();
        let next = self.taken.take(stream, offset, piece, &mut records)?;
        if next.length == known {
            return Ok(known);
        }
        encode_mark(next, &mut records);
        if !self.spool().has_room(u64::try_from(records.len()).unwrap_or(u64::MAX), Duration::ZERO) {
            return Err(AppendError::Full);
        }
        if next.stream != self.taken.stream {
            info!(gateway = self.gateway, stream, before = self.taken.stream, "a gateway has begun a stream");
        }
        self.journal.push(&records);
        self.taken = next;
        self.flush()?;
        Ok(next.length)
    }

    /// Writes what waits. What could not be written waits for the next attempt, which puts it in the same place.
    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.journal.flush();
        if let Err(error) = &flushed {
            error!(gateway = self.gateway, %error, "cannot write what a gateway has sent; it has to wait");
        }
        self.spool().set_trouble(flushed.as_ref().err().map(ToString::to_string));
        flushed
    }
}

#[cfg(test)]
mod tests;
