//! A wallet's signature of a personal message, in every scheme of Sui that needs nothing of the chain.
//!
//! The schemes are Sui's own crates. What those leave to their user is done here: that the key belongs to the address
//! which is claimed, that a passkey was used on this site, and that whatever is wrong looks the same from outside.

use serde::Deserialize;
use sui_crypto::{SuiVerifier, UserSignatureVerifier};
use sui_sdk_types::{
    MultisigMemberSignature, PasskeyAuthenticator, PersonalMessage, SignatureScheme, SimpleSignature, UserSignature,
};

use crate::core::customer::WalletAddress;

/// Base64 of a signature, at most: ten members of a multisig are far below.
const MAX_SIGNATURE_CHARS: usize = 16 * 1024;

/// How a wallet signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Ed25519,
    Secp256k1,
    Secp256r1,
    Multisig,
    Passkey,
}

impl Scheme {
    /// The word in the activity log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Secp256k1 => "secp256k1",
            Self::Secp256r1 => "secp256r1",
            Self::Multisig => "multisig",
            Self::Passkey => "passkey",
        }
    }
}

/// Why a signature is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// Which part is wrong is nobody's business.
    #[error("this is not the wallet's signature of the challenge")]
    Invalid,
    #[error(
        "zkLogin signatures depend on the chain's current keys and epoch, which this server does not follow; sign in \
         with another kind of wallet"
    )]
    ZkLoginNeedsChain,
}

/// What a browser says about the use of a passkey.
#[derive(Deserialize)]
struct ClientData<'a> {
    #[serde(borrow)]
    origin: std::borrow::Cow<'a, str>,
}

/// Checks that `signature` (base64, with the scheme's flag in front) is the one of `address` under `message`.
///
/// A passkey must have been used on `origin`, if that is given.
///
/// # Errors
/// [`SignatureRefusal`].
pub fn verify(
    address: &WalletAddress,
    message: &str,
    signature: &str,
    origin: Option<&str>,
) -> Result<Scheme, SignatureRefusal> {
    if signature.len() > MAX_SIGNATURE_CHARS {
        return Err(SignatureRefusal::Invalid);
    }
    let signature = UserSignature::from_base64(signature).map_err(|_| SignatureRefusal::Invalid)?;
    let scheme = scheme(&signature)?;
    let is_theirs = signature.derive_addresses().any(|derived| derived.to_string() == address.as_str());
    if !is_theirs || !is_used_on(&signature, origin) {
        return Err(SignatureRefusal::Invalid);
    }
    let message = PersonalMessage(message.as_bytes().into());
    let verified = UserSignatureVerifier::new().verify_personal_message(&message, &signature);
    verified.map(|()| scheme).map_err(|_| SignatureRefusal::Invalid)
}

fn scheme(signature: &UserSignature) -> Result<Scheme, SignatureRefusal> {
    let is_zklogin = |member: &MultisigMemberSignature| matches!(member, MultisigMemberSignature::ZkLogin(_));
    match signature {
        UserSignature::Simple(SimpleSignature::Ed25519 { .. }) => Ok(Scheme::Ed25519),
        UserSignature::Simple(SimpleSignature::Secp256k1 { .. }) => Ok(Scheme::Secp256k1),
        UserSignature::Simple(SimpleSignature::Secp256r1 { .. }) => Ok(Scheme::Secp256r1),
        UserSignature::Multisig(multisig) if multisig.signatures().iter().any(is_zklogin) => {
            Err(SignatureRefusal::ZkLoginNeedsChain)
        }
        UserSignature::Multisig(_) => Ok(Scheme::Multisig),
        UserSignature::Passkey(_) => Ok(Scheme::Passkey),
        other if other.scheme() == SignatureScheme::ZkLogin => Err(SignatureRefusal::ZkLoginNeedsChain),
        _ => Err(SignatureRefusal::Invalid),
    }
}

fn is_used_on(signature: &UserSignature, origin: Option<&str>) -> bool {
    let Some(origin) = origin else { return true };
    match signature {
        UserSignature::Passkey(passkey) => was_made_on(passkey, origin),
        UserSignature::Multisig(multisig) => multisig.signatures().iter().all(|member| match member {
            MultisigMemberSignature::Passkey(passkey) => was_made_on(passkey, origin),
            _ => true,
        }),
        _ => true,
    }
}

fn was_made_on(passkey: &PasskeyAuthenticator, origin: &str) -> bool {
    serde_json::from_str::<ClientData<'_>>(passkey.client_data_json()).is_ok_and(|data| data.origin == origin)
}

#[cfg(test)]
mod tests;
