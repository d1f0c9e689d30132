//! API keys: 37 characters that say whose they are, so that a gateway or a support engineer needs no database.
//!
//! ```text
//! letter ‖ swap( base32( IV ‖ AES-128-CTR(metadata ‖ 0² ‖ customer ‖ 0⁸) ) ‖ hex(tag) )
//!    1               32 characters, 4 + 16 bytes                               4
//! ```
//!
//! The tag is two bytes of an HMAC: a filter against typing errors and noise, not a proof. It does not cover the
//! letter. A gateway accepts a key only if the SHA-256 of the whole key is in its map.

use std::fmt;
use std::str::FromStr;

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use data_encoding::{BASE32_NOPAD, HEXLOWER, HEXUPPER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::core::id::{CustomerId, Network, Service};

const KEY_CHARS: usize = 37;
const BODY_CHARS: usize = 36;
const BASE32_CHARS: usize = 32;
const COMBINED_BYTES: usize = 20;
const HMAC_BLOCK_BYTES: usize = 64;

/// Pairs of places within the body that change places, which spreads the tag over the key. Its own inverse.
const SWAPS: [(usize, usize); 4] = [(2, 32), (8, 35), (23, 33), (15, 34)];

const VERSION_BITS: u16 = 0b11 << 14;
const MAINNET_BIT: u16 = 1 << 13;
const PERMISSION_BIT: u16 = 1 << 12;
const IMPORTED_BIT: u16 = 1 << 11;
const PROCESS_GROUP_SHIFT: u16 = 8;
const ZERO_BITS: u16 = 0xff;

/// The 32 bytes that keys are minted and checked with: the first 16 encrypt, all 32 authenticate.
#[derive(Clone)]
pub struct ApiKeySecret(pub [u8; 32]);

/// Shows nothing of the secret.
impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeySecret(…)")
    }
}

/// Where the Seal keys behind a permissioned key come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Derived,
    Imported,
}

/// Whether a key server answers everybody or by permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    Open,
    Permission { source: Source },
}

/// Which group of server processes serves a key: 0 to 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessGroup(u8);

impl ProcessGroup {
    /// `None` above 7: the key has three bits for it.
    pub fn new(number: u8) -> Option<Self> {
        (number <= 7).then_some(Self(number))
    }

    /// 0 to 7.
    pub fn get(self) -> u8 {
        self.0
    }
}

/// What a key says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyMeta {
    pub service: Service,
    pub network: Network,
    pub access: Access,
    pub process_group: ProcessGroup,
    pub customer: CustomerId,
}

/// The text has the shape of a key but may have been minted by nobody: [`decode`] tells.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ApiKey {
    text: String,
    combined: [u8; COMBINED_BYTES],
}

/// Why a text is no key. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("an API key has {KEY_CHARS} characters, this has {bytes} bytes")]
    Length { bytes: usize },
    #[error("an API key begins with S, R or G")]
    Letter,
    #[error("an API key consists of A to Z and 2 to 7, with four upper-case hexadecimal digits among them")]
    Alphabet,
    #[error("the API key was not minted with this secret, or has a typing error")]
    Tag,
    #[error("the API key is of version {0}; only version 0 is known")]
    Version(u16),
    #[error("the API key has bits set that version 0 leaves zero")]
    Padding,
    #[error("the API key is open and names a source, which only permissioned keys have")]
    OpenWithSource,
    #[error("the API key names customer 0, which nobody is")]
    NoCustomer,
}

/// Mints the key of `meta`. The four random bytes `iv` make keys of equal meaning differ.
pub fn encode(secret: &ApiKeySecret, meta: &KeyMeta, iv: [u8; 4]) -> ApiKey {
    let mut block = plaintext(meta);
    apply_keystream(secret, iv, &mut block);
    let mut combined = [0; COMBINED_BYTES];
    let (head, tail) = combined.split_at_mut(iv.len());
    head.copy_from_slice(&iv);
    tail.copy_from_slice(&block);
    let body = BASE32_NOPAD.encode(&combined) + &HEXUPPER.encode(&tag(secret, &combined));
    let text = std::iter::once(letter(meta.service)).chain(swapped(body.chars())).collect();
    ApiKey { text, combined }
}

/// Reads what a key says about itself, and only if it was minted with this secret.
///
/// # Errors
/// [`KeyError`], by what is wrong first: shape, tag, content.
pub fn decode(secret: &ApiKeySecret, text: &str) -> Result<KeyMeta, KeyError> {
    let (service, combined, given_tag) = parse(text)?;
    // Before the tag has been checked nothing of the content is looked at.
    if !bool::from(tag(secret, &combined).ct_eq(&given_tag)) {
        return Err(KeyError::Tag);
    }
    let (iv, mut block) = split(&combined);
    apply_keystream(secret, iv, &mut block);
    read_plaintext(service, &block)
}

impl ApiKey {
    /// All 37 characters: for the customer's eyes, once.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A short number for log lines and map look-ups, not unique: characters 1, 2 and 4 to 8 of the key are 35
    /// bits (character 3 belongs to the tag), of which these are the upper 32.
    pub fn fingerprint(&self) -> u32 {
        let (iv, [first_cipher_byte, ..]) = split(&self.combined);
        let iv = u32::from_be_bytes(iv);
        // Ten bits, five left out with character 3, seventeen; then five from the byte after the IV.
        (iv & 0xffc0_0000) | ((iv & 0x0001_ffff) << 5) | u32::from(first_cipher_byte >> 3)
    }

    /// Enough to recognise a key by, too little to use it: `SAE1AGBD…BYV5`.
    pub fn hint(&self) -> String {
        let head: String = self.text.chars().take(8).collect();
        let tail: String = self.text.chars().skip(KEY_CHARS - 4).collect();
        format!("{head}…{tail}")
    }

    /// SHA-256 of the whole key: what a gateway compares.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// The same in lower-case hexadecimal.
    pub fn sha256_hex(&self) -> String {
        HEXLOWER.encode(&self.sha256())
    }
}

/// Checks the shape only: length, letter and alphabet.
impl FromStr for ApiKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (_, combined, _) = parse(text)?;
        Ok(Self { text: text.to_owned(), combined })
    }
}

/// Shows the hint only, so that a key never reaches a log.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.hint())
    }
}

fn parse(text: &str) -> Result<(Service, [u8; COMBINED_BYTES], [u8; 2]), KeyError> {
    if text.len() != KEY_CHARS {
        return Err(KeyError::Length { bytes: text.len() });
    }
    let mut chars = text.chars();
    let service = chars.next().and_then(service_of_letter).ok_or(KeyError::Letter)?;
    if !text.is_ascii() {
        return Err(KeyError::Alphabet);
    }
    let body: String = swapped(chars).collect();
    let (base32, hex) = body.split_at_checked(BASE32_CHARS).ok_or(KeyError::Alphabet)?;
    let combined = BASE32_NOPAD.decode(base32.as_bytes()).map_err(|_| KeyError::Alphabet)?;
    let tag = HEXUPPER.decode(hex.as_bytes()).map_err(|_| KeyError::Alphabet)?;
    Ok((service, combined.try_into().map_err(|_| KeyError::Alphabet)?, tag.try_into().map_err(|_| KeyError::Alphabet)?))
}

fn swapped(body: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut body: Vec<char> = body.collect();
    if body.len() == BODY_CHARS {
        for (one, other) in SWAPS {
            body.swap(one, other);
        }
    }
    body.into_iter()
}

fn letter(service: Service) -> char {
    match service {
        Service::Seal => 'S',
        Service::Grpc => 'R',
        Service::Graphql => 'G',
    }
}

fn service_of_letter(wanted: char) -> Option<Service> {
    Service::ALL.into_iter().find(|service| letter(*service) == wanted)
}

fn plaintext(meta: &KeyMeta) -> [u8; 16] {
    let mainnet = if meta.network == Network::Mainnet { MAINNET_BIT } else { 0 };
    let access = match meta.access {
        // An open key has no source; its bit is set all the same.
        Access::Open => IMPORTED_BIT,
        Access::Permission { source: Source::Derived } => PERMISSION_BIT,
        Access::Permission { source: Source::Imported } => PERMISSION_BIT | IMPORTED_BIT,
    };
    let group = u16::from(meta.process_group.get()) << PROCESS_GROUP_SHIFT;
    let [m0, m1] = (mainnet | access | group).to_be_bytes();
    let [c0, c1, c2, c3] = meta.customer.get().to_be_bytes();
    [m0, m1, 0, 0, c0, c1, c2, c3, 0, 0, 0, 0, 0, 0, 0, 0]
}

fn read_plaintext(service: Service, block: &[u8; 16]) -> Result<KeyMeta, KeyError> {
    let [m0, m1, p0, p1, c0, c1, c2, c3, rest @ ..] = *block;
    let bits = u16::from_be_bytes([m0, m1]);
    if bits & VERSION_BITS != 0 {
        return Err(KeyError::Version(bits >> VERSION_BITS.trailing_zeros()));
    }
    if bits & ZERO_BITS != 0 || [p0, p1] != [0; 2] || rest != [0; 8] {
        return Err(KeyError::Padding);
    }
    let access = match (bits & PERMISSION_BIT != 0, bits & IMPORTED_BIT != 0) {
        (false, true) => Access::Open,
        (false, false) => return Err(KeyError::OpenWithSource),
        (true, true) => Access::Permission { source: Source::Imported },
        (true, false) => Access::Permission { source: Source::Derived },
    };
    let customer = CustomerId::new(u32::from_be_bytes([c0, c1, c2, c3])).ok_or(KeyError::NoCustomer)?;
    let network = if bits & MAINNET_BIT == 0 { Network::Testnet } else { Network::Mainnet };
    Ok(KeyMeta { service, network, access, process_group: ProcessGroup(m0 & 0b111), customer })
}

fn split(combined: &[u8; COMBINED_BYTES]) -> ([u8; 4], [u8; 16]) {
    let [i0, i1, i2, i3, block @ ..] = *combined;
    ([i0, i1, i2, i3], block)
}

fn apply_keystream(secret: &ApiKeySecret, iv: [u8; 4], block: &mut [u8; 16]) {
    let [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15, ..] = secret.0;
    let key = [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15];
    let [i0, i1, i2, i3] = iv;
    let counter = [i0, i1, i2, i3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    Ctr128BE::<Aes128>::new(&key.into(), &counter.into()).apply_keystream(block);
}

fn tag(secret: &ApiKeySecret, combined: &[u8; COMBINED_BYTES]) -> [u8; 2] {
    // HMAC fills a key up with zeros to its block; given as a whole block there is no length that could be wrong.
    let mut block = [0; HMAC_BLOCK_BYTES];
    for (place, byte) in block.iter_mut().zip(secret.0) {
        *place = byte;
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    mac.update(combined);
    let bytes: [u8; 32] = mac.finalize().into_bytes().into();
    [bytes[0], bytes[1]]
}

#[cfg(test)]
mod tests;
