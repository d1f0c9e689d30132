//! Encrypted columns: AES-256-GCM, with the key's number in front and the place of the value authenticated, so that a
//! backup holds ciphertext only and a value moved to another row does not open.
//!
//! ```text
//! version 1 ‖ key id (4 bytes, big-endian) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
//! ```
//!
//! Random nonces are safe for 2³² values a key; a new key is added long before.

use std::fmt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 5;
const NONCE_BYTES: usize = 12;

/// Random bytes for one encryption, never used again.
pub type Nonce = [u8; NONCE_BYTES];

/// Every key that values may be encrypted with. The newest encrypts.
#[derive(Clone)]
pub struct FieldCipher {
    newest: (u32, Zeroizing<[u8; 32]>),
    older: Vec<(u32, Zeroizing<[u8; 32]>)>,
}

/// Shows which keys there are, and nothing of them.
impl fmt::Debug for FieldCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let older: Vec<_> = self.older.iter().map(|(id, _)| id).collect();
        write!(f, "FieldCipher {{ newest: {}, older: {older:?} }}", self.newest.0)
    }
}

/// Why a value does not open. Never holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    #[error("an encrypted value is of a form that this version does not know")]
    Form,
    #[error("an encrypted value needs field key {0}, which the secrets do not hold")]
    UnknownKey(u32),
    #[error("an encrypted value was changed, moved, or encrypted with another key")]
    Refused,
}

impl FieldCipher {
    /// The newest key, and older ones that still open what they have closed.
    pub fn new(newest: (u32, [u8; 32]), older: impl IntoIterator<Item = (u32, [u8; 32])>) -> Self {
        let wiped = |(id, key)| (id, Zeroizing::new(key));
        Self { newest: wiped(newest), older: older.into_iter().map(wiped).collect() }
    }

    /// Encrypts a value for one place, such as `api_keys.ciphertext/key_…`.
    ///
    /// # Errors
    /// [`CipherError::Refused`] for values beyond the cipher's 64 GiB.
    pub fn seal(&self, nonce: Nonce, place: &str, value: &[u8]) -> Result<Vec<u8>, CipherError> {
        let (id, key) = &self.newest;
        let payload = Payload { msg: value, aad: place.as_bytes() };
        let ciphertext = cipher(key).encrypt(&nonce.into(), payload).map_err(|_| CipherError::Refused)?;
        let header = std::iter::once(VERSION).chain(id.to_be_bytes()).chain(nonce);
        Ok(header.chain(ciphertext).collect())
    }

    /// Decrypts what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// [`CipherError`].
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        let (header, rest) = sealed.split_first_chunk::<HEADER_BYTES>().ok_or(CipherError::Form)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(CipherError::Form)?;
        let [version, id @ ..] = *header;
        if version != VERSION {
            return Err(CipherError::Form);
        }
        let id = u32::from_be_bytes(id);
        let keys = std::iter::once(&self.newest).chain(&self.older);
        let (_, key) = keys.into_iter().find(|(known, _)| *known == id).ok_or(CipherError::UnknownKey(id))?;
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        cipher(key).decrypt(nonce.into(), payload).map(Zeroizing::new).map_err(|_| CipherError::Refused)
    }
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: (u32, [u8; 32]) = (1, [1; 32]);
    const NEW: (u32, [u8; 32]) = (2, [2; 32]);

    #[test]
    fn what_was_closed_opens_at_its_place_only() {
        let cipher = FieldCipher::new(NEW, [OLD]);
        let sealed = cipher.seal([9; 12], "api_keys/key_a", b"secret").unwrap();
        assert_eq!(cipher.open("api_keys/key_a", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(cipher.open("api_keys/key_b", &sealed), Err(CipherError::Refused));
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn older_keys_open_and_the_newest_closes() {
        let sealed = FieldCipher::new(OLD, []).seal([9; 12], "p", b"secret").unwrap();
        let both = FieldCipher::new(NEW, [OLD]);
        assert_eq!(both.open("p", &sealed).unwrap().as_slice(), b"secret");
        let sealed = both.seal([8; 12], "p", b"secret").unwrap();
        assert_eq!(FieldCipher::new(OLD, []).open("p", &sealed), Err(CipherError::UnknownKey(2)));
    }

    #[test]
    fn a_change_of_any_bit_is_refused() {
        let cipher = FieldCipher::new(NEW, [OLD]);
        let sealed = cipher.seal([9; 12], "p", b"secret").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(cipher.open("p", &changed).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(cipher.open("p", &sealed[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn nothing_of_the_keys_is_shown() {
        assert_eq!(format!("{:?}", FieldCipher::new(NEW, [OLD])), "FieldCipher { newest: 2, older: [1] }");
    }
}
