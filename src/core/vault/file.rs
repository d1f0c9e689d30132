//! The file of a vault: `<code>-<sequence, nine digits>.vault`.
//!
//! | bytes | what | |
//! |---|---|---|
//! | 0-7 | magic | `SUIVAULT` |
//! | 8 | version | 1 |
//! | 9-11 | code | `sma` and so on |
//! | 12-15 | vault key | number of the key that it is encrypted with |
//! | 16-23 | sequence | from 1, at most [`MAX_SEQUENCE`] |
//! | 24-31 | created | milliseconds since 1970 |
//! | 32-35 | entries | customers in it |
//! | 36-43 | content length | bytes of the content, at most [`MAX_CONTENT_BYTES`] |
//! | 44-75 | content digest | SHA-256 of the content |
//! | 76-107 | previous | [`VaultHash`] of the vault before; zeros for the first |
//! | 108-119 | nonce | random |
//! | 120-127 | sealed length | bytes that follow without the signature, at most [`MAX_SEALED_BYTES`] |
//! | 128- | sealed | AES-256-GCM of the zstd frames of the [content](super::text), its tag at the end; the 128 bytes before are the associated data |
//! | last 64 | signature | Ed25519 over `suiftly vault 1` ‖ [`VaultHash`] |
//!
//! Numbers are big-endian. The hash of a vault is the SHA-256 of its first 128 bytes and of the SHA-256 of what is sealed,
//! so the signature is over everything before it; each vault names the hash of the one before, which makes them a chain.
//!
//! Random nonces of 96 bits are safe for 2³² vaults a key, which is six years of twenty a second; a counter would repeat
//! itself when a ledger is restored from a backup.
//!
//! The reader survives any input: nothing is allocated by a length that was read before the signature has been verified,
//! unpacking ends at the length that the header says, and zstd may look back [`WINDOW_LOG`] bits at most.

use std::fmt;
use std::io::Read;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use data_encoding::HEXLOWER;
use ed25519_dalek::{SECRET_KEY_LENGTH, SIGNATURE_LENGTH, Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::code::{CODE_BYTES, VaultCode};
use super::content::Content;
use super::proof::VaultProof;
use super::text::{self, BadContent, MAX_CONTENT_BYTES};
use crate::core::calendar::UtcMillis;

const MAGIC: [u8; 8] = *b"SUIVAULT";
const VERSION: u8 = 1;
/// What a signature is about besides the vault, so that it fits nothing else.
const SIGNED: &[u8] = b"suiftly vault 1";
/// Bytes before what is sealed.
pub const HEADER_BYTES: usize = 128;
const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
/// Bytes of what is sealed, at most.
pub const MAX_SEALED_BYTES: u64 = 512 * 1024 * 1024;
/// Bytes of a file, at most.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;
/// Sequences have nine digits in names of files.
pub const MAX_SEQUENCE: u64 = 999_999_999;
/// How far zstd may look back, as a power of two: 8 MiB.
const WINDOW_LOG: u32 = 23;
/// What unpacking begins with, whatever the header says.
const FIRST_ALLOCATION: usize = 1024 * 1024;

/// Random bytes for one file, never used again.
pub type Nonce = [u8; NONCE_BYTES];

/// Names a vault: of its header and what is sealed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultHash(pub [u8; 32]);

impl VaultHash {
    /// What the first vault of a code names as the one before.
    pub const NONE: Self = Self([0; 32]);
}

impl fmt::Display for VaultHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for VaultHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a file says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub code: VaultCode,
    /// From 1, one more for each changed content.
    pub sequence: u64,
    pub created: UtcMillis,
    /// Customers in it.
    pub entries: u32,
    /// Bytes of the content.
    pub content_bytes: u64,
    pub content_sha256: [u8; 32],
    /// Of the vault before, or [`VaultHash::NONE`].
    pub previous: VaultHash,
    /// Number of the key that it is encrypted with.
    pub vault_key: u32,
}

/// A content that is ready to be put into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    pub entries: u32,
    pub content_bytes: u64,
    pub content_sha256: [u8; 32],
    /// zstd frames.
    pub frames: Vec<u8>,
}

/// What the header of a new vault says besides its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewVault {
    pub code: VaultCode,
    /// 1 to [`MAX_SEQUENCE`].
    pub sequence: u64,
    pub created: UtcMillis,
    pub previous: VaultHash,
}

/// Encrypts and signs. Only the process that writes vaults has one.
#[derive(Clone)]
pub struct VaultSealer {
    vault_key: (u32, Zeroizing<[u8; 32]>),
    /// Wiped when it is dropped.
    signing: SigningKey,
}

/// Verifies and decrypts. All that a gateway on another host needs: it cannot make a vault.
#[derive(Clone)]
pub struct VaultOpener {
    vault_keys: Vec<(u32, Zeroizing<[u8; 32]>)>,
    public: VaultPublicKey,
}

/// By which signatures of vaults are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultPublicKey(VerifyingKey);

/// The bytes are no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no public key of vaults: `suiftly vault list` shows the right one, 64 hexadecimal digits")]
pub struct NotAPublicKey;

/// A file that is what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub header: Header,
    pub hash: VaultHash,
    pub proof: VaultProof,
    pub content: Content,
}

/// Why a file is not taken. Nothing of it may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFile {
    #[error("it is longer than {MAX_FILE_BYTES} bytes")]
    TooLong,
    #[error("it ends too early")]
    TooShort,
    #[error("it is no vault")]
    NotAVault,
    #[error("it has version {0} of the format, which this program does not know")]
    Version(u8),
    #[error("its header has a {0} that is not allowed")]
    Header(&'static str),
    #[error("it is not as long as its header says")]
    Length,
    #[error("its signature is not right: it was changed, or signed with another key")]
    Signature,
    #[error("it needs vault key {0}, which is not among the secrets here")]
    UnknownKey(u32),
    #[error("it cannot be decrypted: vault key {0} is another one here")]
    Decryption(u32),
    #[error("it cannot be unpacked")]
    Packing,
    #[error("its content is not the one that its header names")]
    Digest,
    #[error("it holds {found} entries, and its header says {said}")]
    Entries { said: u32, found: usize },
    #[error("{0}")]
    Content(#[from] BadContent),
}

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSealed {
    #[error("the vault {code} cannot have the sequence {sequence}: they go from 1 to {MAX_SEQUENCE}")]
    Sequence { code: VaultCode, sequence: u64 },
    #[error("the content of the vault {0} is too long for a file")]
    TooLong(VaultCode),
}

/// Shows nothing of the keys.
impl fmt::Debug for VaultSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultSealer {{ vault_key: {} }}", self.vault_key.0)
    }
}

/// Shows nothing of the keys.
impl fmt::Debug for VaultOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<u32> = self.vault_keys.iter().map(|(number, _)| *number).collect();
        write!(f, "VaultOpener {{ vault_keys: {keys:?} }}")
    }
}

impl VaultPublicKey {
    /// # Errors
    /// [`NotAPublicKey`], also for keys whose signatures anybody could make.
    pub fn new(bytes: [u8; 32]) -> Result<Self, NotAPublicKey> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| NotAPublicKey)?;
        if key.is_weak() { Err(NotAPublicKey) } else { Ok(Self(key)) }
    }

    pub fn bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for VaultPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.bytes()))
    }
}

impl VaultSealer {
    /// The key that encrypts, with its number, and the one that signs.
    pub fn new(vault_key: (u32, [u8; 32]), signing_key: &[u8; SECRET_KEY_LENGTH]) -> Self {
        Self { vault_key: (vault_key.0, Zeroizing::new(vault_key.1)), signing: SigningKey::from_bytes(signing_key) }
    }

    pub fn public_key(&self) -> VaultPublicKey {
        VaultPublicKey(self.signing.verifying_key())
    }

    /// The bytes of a file and its hash.
    ///
    /// # Errors
    /// [`NotSealed`].
    pub fn seal(&self, new: &NewVault, packed: Packed, nonce: Nonce) -> Result<(Vec<u8>, VaultHash), NotSealed> {
        let NewVault { code, sequence, created, previous } = *new;
        if !(1..=MAX_SEQUENCE).contains(&sequence) {
            return Err(NotSealed::Sequence { code, sequence });
        }
        let Packed { entries, content_bytes, content_sha256, frames: mut sealed } = packed;
        let sealed_bytes = u64::try_from(sealed.len() + TAG_BYTES).unwrap_or(u64::MAX);
        if content_bytes > MAX_CONTENT_BYTES || sealed_bytes > MAX_SEALED_BYTES {
            return Err(NotSealed::TooLong(code));
        }
        let (vault_key, key) = &self.vault_key;
        let header =
            Header { code, sequence, created, entries, content_bytes, content_sha256, previous, vault_key: *vault_key };
        let head = write_header(&header, nonce, sealed_bytes);
        let encrypted = cipher(key).encrypt_in_place(&nonce.into(), &head, &mut sealed);
        encrypted.map_err(|_| NotSealed::TooLong(code))?;
        let hash = hash_of(&head, &Sha256::digest(&sealed).into());
        let mut file = Vec::with_capacity(HEADER_BYTES + sealed.len() + SIGNATURE_LENGTH);
        file.extend_from_slice(&head);
        file.append(&mut sealed);
        file.extend_from_slice(&self.signing.sign(&signed(hash)).to_bytes());
        Ok((file, hash))
    }
}

impl VaultOpener {
    /// Every key that vaults may be encrypted with, by number, and the one that verifies.
    pub fn new(vault_keys: impl IntoIterator<Item = (u32, [u8; 32])>, public: VaultPublicKey) -> Self {
        let wiped = |(number, key)| (number, Zeroizing::new(key));
        Self { vault_keys: vault_keys.into_iter().map(wiped).collect(), public }
    }

    /// What a file says about itself and its hash, once its signature is verified; its content is not looked at.
    ///
    /// # Errors
    /// [`BadFile`].
    pub fn verify(&self, file: &[u8]) -> Result<(Header, VaultHash), BadFile> {
        self.verify_proof(&VaultProof::of(file)?)
    }

    pub(super) fn verify_signature(&self, hash: VaultHash, signature: &Signature) -> Result<(), BadFile> {
        self.public.0.verify_strict(&signed(hash), signature).map_err(|_| BadFile::Signature)
    }

    /// The text of a file's content, after everything was verified that can be without reading the text.
    ///
    /// # Errors
    /// [`BadFile`].
    pub fn open_text(&self, file: &[u8]) -> Result<(Header, VaultHash, Vec<u8>), BadFile> {
        let (_, header, hash, text) = self.open_proven(file)?;
        Ok((header, hash, text))
    }

    fn open_proven(&self, file: &[u8]) -> Result<(VaultProof, Header, VaultHash, Vec<u8>), BadFile> {
        let proof = VaultProof::of(file)?;
        let (header, hash) = self.verify_proof(&proof)?;
        let parts = take_apart(file)?;
        let known = self.vault_keys.iter().find(|(number, _)| *number == header.vault_key);
        let (number, key) = known.ok_or(BadFile::UnknownKey(header.vault_key))?;
        let mut frames = parts.sealed.to_vec();
        let decrypted = cipher(key).decrypt_in_place(&parts.nonce.into(), parts.head, &mut frames);
        decrypted.map_err(|_| BadFile::Decryption(*number))?;
        let text = unpack(&frames, header.content_bytes)?;
        if Sha256::digest(&text)[..] != header.content_sha256 {
            return Err(BadFile::Digest);
        }
        Ok((proof, header, hash, text))
    }

    /// A file's content, after everything about it was verified.
    ///
    /// # Errors
    /// [`BadFile`].
    pub fn open(&self, file: &[u8]) -> Result<Opened, BadFile> {
        let (proof, header, hash, text) = self.open_proven(file)?;
        let content = text::parse(header.code, &text)?;
        let found = content.len();
        if usize::try_from(header.entries) != Ok(found) {
            return Err(BadFile::Entries { said: header.entries, found });
        }
        Ok(Opened { header, hash, proof, content })
    }
}

/// What a file says about itself. Nothing is verified: to show what a damaged file claims to be, and to choose files.
///
/// # Errors
/// [`BadFile`] for what has no header.
pub fn claimed_header(file: &[u8]) -> Result<Header, BadFile> {
    let (head, _) = file.split_first_chunk::<HEADER_BYTES>().ok_or(BadFile::TooShort)?;
    read_header(head).map(|(header, _, _)| header)
}

pub(super) struct Parts<'a> {
    pub(super) head: &'a [u8; HEADER_BYTES],
    nonce: Nonce,
    pub(super) sealed: &'a [u8],
    pub(super) signature: Signature,
}

pub(super) fn take_apart(file: &[u8]) -> Result<Parts<'_>, BadFile> {
    if u64::try_from(file.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(BadFile::TooLong);
    }
    let (head, rest) = file.split_first_chunk::<HEADER_BYTES>().ok_or(BadFile::TooShort)?;
    let (_, nonce, sealed_bytes) = read_header(head)?;
    let (sealed, signature) = rest.split_last_chunk::<SIGNATURE_LENGTH>().ok_or(BadFile::TooShort)?;
    if u64::try_from(sealed.len()) != Ok(sealed_bytes) {
        return Err(BadFile::Length);
    }
    Ok(Parts { head, nonce, sealed, signature: Signature::from_bytes(signature) })
}

fn write_header(header: &Header, nonce: Nonce, sealed_bytes: u64) -> [u8; HEADER_BYTES] {
    let Header { code, sequence, created, entries, content_bytes, content_sha256, previous, vault_key } = header;
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.push(VERSION);
    bytes.extend_from_slice(code.as_str().as_bytes());
    bytes.extend_from_slice(&vault_key.to_be_bytes());
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&created.0.to_be_bytes());
    bytes.extend_from_slice(&entries.to_be_bytes());
    bytes.extend_from_slice(&content_bytes.to_be_bytes());
    bytes.extend_from_slice(content_sha256);
    bytes.extend_from_slice(&previous.0);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&sealed_bytes.to_be_bytes());
    let mut head = [0; HEADER_BYTES];
    head.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    head
}

/// The header, the nonce and the length of what is sealed.
pub(super) fn read_header(head: &[u8; HEADER_BYTES]) -> Result<(Header, Nonce, u64), BadFile> {
    let mut rest = head.as_slice();
    if take(&mut rest)? != MAGIC {
        return Err(BadFile::NotAVault);
    }
    let [version] = take(&mut rest)?;
    if version != VERSION {
        return Err(BadFile::Version(version));
    }
    let code: [u8; CODE_BYTES] = take(&mut rest)?;
    let code = std::str::from_utf8(&code).ok().and_then(|code| code.parse().ok());
    let header = Header {
        code: code.ok_or(BadFile::Header("code"))?,
        vault_key: u32::from_be_bytes(take(&mut rest)?),
        sequence: u64::from_be_bytes(take(&mut rest)?),
        created: UtcMillis(i64::from_be_bytes(take(&mut rest)?)),
        entries: u32::from_be_bytes(take(&mut rest)?),
        content_bytes: u64::from_be_bytes(take(&mut rest)?),
        content_sha256: take(&mut rest)?,
        previous: VaultHash(take(&mut rest)?),
    };
    let nonce = take(&mut rest)?;
    let sealed_bytes = u64::from_be_bytes(take(&mut rest)?);
    if !(1..=MAX_SEQUENCE).contains(&header.sequence) {
        return Err(BadFile::Header("sequence"));
    }
    if header.content_bytes > MAX_CONTENT_BYTES {
        return Err(BadFile::Header("content length"));
    }
    if sealed_bytes > MAX_SEALED_BYTES {
        return Err(BadFile::Header("sealed length"));
    }
    Ok((header, nonce, sealed_bytes))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BadFile> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or(BadFile::TooShort)?;
    *rest = after;
    Ok(*taken)
}

pub(super) fn hash_of(head: &[u8; HEADER_BYTES], sealed_sha256: &[u8; 32]) -> VaultHash {
    VaultHash(Sha256::new().chain_update(head).chain_update(sealed_sha256).finalize().into())
}

fn signed(hash: VaultHash) -> Vec<u8> {
    [SIGNED, &hash.0].concat()
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

/// Reads one byte beyond the length that it should have at most, to see that there is none.
fn unpack(frames: &[u8], content_bytes: u64) -> Result<Vec<u8>, BadFile> {
    let mut decoder = zstd::Decoder::with_buffer(frames).map_err(|_| BadFile::Packing)?;
    decoder.window_log_max(WINDOW_LOG).map_err(|_| BadFile::Packing)?;
    let mut text = Vec::with_capacity(FIRST_ALLOCATION);
    let read = decoder.take(content_bytes + 1).read_to_end(&mut text).map_err(|_| BadFile::Packing)?;
    if u64::try_from(read) == Ok(content_bytes) { Ok(text) } else { Err(BadFile::Packing) }
}

#[cfg(test)]
mod tests;
