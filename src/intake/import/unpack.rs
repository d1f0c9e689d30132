//! The content of a file, unpacked if need be, as a stream of bounded memory.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

/// Content that is this many times its packed size is no log: the worst of logs pack to a hundredth.
const MAX_RATIO: u64 = 250;
/// A little content may be of any ratio.
const UNCHECKED_BYTES: u64 = 64 << 20;
/// No file has more content.
const MAX_CONTENT_BYTES: u64 = 4 << 40;
/// The greatest window of Zstandard that is accepted, as a power of two: 128 MiB of memory.
const MAX_WINDOW_LOG: u32 = 27;
const READ_BYTES: usize = 256 << 10;

/// A stream of content.
pub(super) struct Unpacked {
    content: Box<dyn Read + Send>,
    /// Bytes of the file that were read, packed as they are.
    packed: Arc<AtomicU64>,
    given: u64,
    is_packed: bool,
    /// What went wrong behind the bytes that were given last.
    failure: Option<io::Error>,
}

impl Unpacked {
    /// Opens a file; its first bytes tell how it is packed, whatever its name says.
    ///
    /// # Errors
    /// Those of the file system, and that of a file that is packed in a way that cannot be read.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut mark = [0; 4];
        let length = read_full(&mut file, &mut mark)?;
        file.rewind()?;
        let packed = Arc::new(AtomicU64::new(0));
        let reader = BufReader::with_capacity(READ_BYTES, Counted { file, read: packed.clone() });
        let mut is_packed = true;
        let content: Box<dyn Read + Send> = match mark.get(..length).unwrap_or_default() {
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(reader)),
            [0x28, 0xb5, 0x2f, 0xfd] => {
                let mut decoder = zstd::Decoder::with_buffer(reader)?;
                decoder.window_log_max(MAX_WINDOW_LOG)?;
                Box::new(decoder)
            }
            [0xfd, b'7', b'z', b'X'] | [b'B', b'Z', b'h', _] | [0x04, 0x22, 0x4d, 0x18] | [b'P', b'K', ..] => {
                return Err(invalid("it is packed as xz, bzip2, lz4 or zip: unpack it first"));
            }
            _ => {
                is_packed = false;
                Box::new(reader)
            }
        };
        Ok(Self { content, packed, given: 0, is_packed, failure: None })
    }

    /// Bytes of the file that were read so far.
    pub(super) fn packed(&self) -> u64 {
        self.packed.load(Ordering::Relaxed)
    }

    /// Whether only its end tells that it is whole.
    pub(super) fn is_packed(&self) -> bool {
        self.is_packed
    }

    /// Fills the buffer as far as the content goes. What comes before a damage is given first.
    pub(super) fn read_full(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut length = 0;
        while let Some(room) = buffer.get_mut(length..).filter(|room| !room.is_empty()) {
            match self.content.read(room) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if length == 0 => return Err(error),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        self.given += u64::try_from(length).unwrap_or(0);
        let most = self.packed().saturating_mul(MAX_RATIO).clamp(UNCHECKED_BYTES, MAX_CONTENT_BYTES);
        if self.given > most {
            return Err(invalid("it unpacks to far more than a log could"));
        }
        Ok(length)
    }
}

fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Ok(read)
    }
}
