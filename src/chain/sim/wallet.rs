//! A wallet for demonstrations and tests: its key follows from a number that everybody can know.

use sui_crypto::SuiSigner;
use sui_crypto::ed25519::Ed25519PrivateKey;
use sui_sdk_types::PersonalMessage;

use sha2::{Digest, Sha256};

use crate::chain::escrow::{SignedTransaction, UnsignedTransaction};
use crate::core::customer::{NotAWalletAddress, WalletAddress};

/// A wallet on the simulated chain.
pub struct SimWallet {
    key: Ed25519PrivateKey,
    address: WalletAddress,
}

/// A transaction could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("signing with a simulated wallet: {0}")]
pub struct NotSigned(String);

impl SimWallet {
    /// The wallet with a number.
    ///
    /// # Errors
    /// [`NotAWalletAddress`], which Sui's own addresses are not.
    pub fn numbered(number: u64) -> Result<Self, NotAWalletAddress> {
        let secret = Sha256::digest(format!("suiftly simulated wallet {number}"));
        let key = Ed25519PrivateKey::new(secret.into());
        let address = key.public_key().derive_address().to_string().parse()?;
        Ok(Self { key, address })
    }

    pub fn address(&self) -> &WalletAddress {
        &self.address
    }

    /// Signs what the chain has built.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn sign(&self, unsigned: &UnsignedTransaction) -> Result<SignedTransaction, NotSigned> {
        let message = PersonalMessage(unsigned.content.as_bytes().into());
        let signature = self.key.sign_personal_message(&message).map_err(|error| NotSigned(error.to_string()))?;
        Ok(SignedTransaction { content: unsigned.content.clone(), signature: signature.to_base64() })
    }
}

/// Never the key.
impl std::fmt::Debug for SimWallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimWallet").field("address", &self.address).finish_non_exhaustive()
    }
}
