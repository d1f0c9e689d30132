//! That the primary has made a vault, without the vault: what a gateway shows of what it has in force.
//!
//! A gateway that is ahead of the primary makes it write a higher sequence, so its word alone is not enough: sequences end at
//! [`MAX_SEQUENCE`](super::file::MAX_SEQUENCE), and whoever could claim any of them could use them up.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use ed25519_dalek::{SIGNATURE_LENGTH, Signature};
use sha2::{Digest, Sha256};

use super::file::{BadFile, HEADER_BYTES, Header, VaultHash, VaultOpener, hash_of, read_header, take_apart};

const DIGEST_BYTES: usize = 32;
const PROOF_BYTES: usize = HEADER_BYTES + DIGEST_BYTES + SIGNATURE_LENGTH;

/// Header, SHA-256 of what is sealed, and signature of a vault's file, 224 bytes. As text in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultProof {
    head: [u8; HEADER_BYTES],
    sealed_sha256: [u8; DIGEST_BYTES],
    signature: [u8; SIGNATURE_LENGTH],
}

/// The text is no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proof of a vault has {} hexadecimal digits", 2 * PROOF_BYTES)]
pub struct NotAProof;

impl VaultProof {
    /// Of the bytes of a file, which is not verified.
    ///
    /// # Errors
    /// [`BadFile`] for what is no vault.
    pub fn of(file: &[u8]) -> Result<Self, BadFile> {
        let parts = take_apart(file)?;
        let sealed_sha256 = Sha256::digest(parts.sealed).into();
        Ok(Self { head: *parts.head, sealed_sha256, signature: parts.signature.to_bytes() })
    }
}

impl VaultOpener {
    /// What the vault says about itself and its hash, once the signature is verified.
    ///
    /// # Errors
    /// [`BadFile`].
    pub fn verify_proof(&self, proof: &VaultProof) -> Result<(Header, VaultHash), BadFile> {
        let VaultProof { head, sealed_sha256, signature } = proof;
        let (header, _, _) = read_header(head)?;
        let hash = hash_of(head, sealed_sha256);
        self.verify_signature(hash, &Signature::from_bytes(signature))?;
        Ok((header, hash))
    }
}

impl fmt::Display for VaultProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.head[..], &self.sealed_sha256, &self.signature] {
            f.write_str(&HEXLOWER.encode(part))?;
        }
        Ok(())
    }
}

impl FromStr for VaultProof {
    type Err = NotAProof;

    fn from_str(text: &str) -> Result<Self, NotAProof> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotAProof)?;
        let (head, rest) = bytes.split_first_chunk().ok_or(NotAProof)?;
        let (sealed_sha256, signature) = rest.split_first_chunk().ok_or(NotAProof)?;
        let signature = signature.try_into().map_err(|_| NotAProof)?;
        Ok(Self { head: *head, sealed_sha256: *sealed_sha256, signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::UtcMillis;
    use crate::core::id::{Network, Service};
    use crate::core::vault::{NewVault, Picture, VaultCode, VaultSealer};

    #[test]
    fn a_proof_is_of_the_vault_that_was_signed_and_of_no_other() {
        let code = VaultCode::api(Service::Seal, Network::Mainnet);
        let sealer = VaultSealer::new((1, [7; 32]), &[8; 32]);
        let opener = VaultOpener::new([], sealer.public_key());
        let new = NewVault { code, sequence: 12, created: UtcMillis(1), previous: VaultHash::NONE };
        let (file, hash) = sealer.seal(&new, Picture::new(code).pack().unwrap(), [9; 12]).unwrap();
        let proof = VaultProof::of(&file).unwrap();
        let text = proof.to_string();
        assert_eq!(text.parse(), Ok(proof));
        let (header, proven) = opener.verify_proof(&proof).unwrap();
        assert_eq!((header.code, header.sequence, proven), (code, 12, hash));
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            let changed: VaultProof = String::from_utf8(changed).unwrap().parse().unwrap();
            assert!(opener.verify_proof(&changed).is_err(), "{place}");
        }
        let other = VaultOpener::new([], VaultSealer::new((1, [7; 32]), &[9; 32]).public_key());
        assert_eq!(other.verify_proof(&proof), Err(BadFile::Signature));
        for nonsense in ["", "00", &text[2..], &format!("{text}00"), &text.to_uppercase(), "ä"] {
            assert_eq!(nonsense.parse::<VaultProof>(), Err(NotAProof));
        }
    }
}
