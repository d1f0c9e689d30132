//! The text that a wallet signs to sign in. Nothing is stored when one is handed out: its nonce proves by a MAC that
//! it is ours, for whom, and from when, so that asking for challenges costs nothing, however often it is done.
//!
//! ```text
//! nonce = base32( random (16) ‖ issued at, ms (8) ‖ HMAC-SHA256(key, label ‖ address ‖ random ‖ issued at)[..16] )
//! ```
//!
//! The text is rebuilt from the nonce when it comes back signed; a client's copy of it is never looked at. The key
//! lives as long as the process, so a restart ends all challenges, and the set of used nonces need not outlive it.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::core::calendar::UtcMillis;
use crate::core::customer::WalletAddress;
use crate::core::used_nonces::NonceId;

/// How long a challenge can be signed.
pub const CHALLENGE_LIFE_MS: i64 = 5 * 60 * 1000;

const LABEL: &[u8] = b"suiftly sign-in challenge 1";
const STATEMENT: &str = "Signs in to suiftly. This request moves no funds and costs nothing.";
const NONCE_BYTES: usize = 40;

/// What nonces are made with.
#[derive(Clone)]
pub struct ChallengeKey(Zeroizing<[u8; 32]>);

/// Shows nothing of it.
impl fmt::Debug for ChallengeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeKey(…)")
    }
}

/// What is signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Host and port, as in a browser's address bar.
    pub domain: String,
    /// With the scheme in front.
    pub uri: String,
    /// The chain that the address is on, such as `sui:mainnet`.
    pub chain: String,
}

/// A text to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub message: String,
    pub nonce: String,
    pub issued_at: UtcMillis,
    pub expires_at: UtcMillis,
}

/// A nonce that came back in time, with the text that was to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub message: String,
    /// A challenge is good for one attempt: what identifies it.
    pub id: NonceId,
}

/// The nonce is not ours, not for this address, or not of the last five minutes. Which of them is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the challenge is unknown or has expired")]
pub struct BadNonce;

impl ChallengeKey {
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// A text for `address` to sign.
    pub fn issue(&self, site: &Site, address: &WalletAddress, random: NonceId, now: UtcMillis) -> Challenge {
        let nonce: Vec<u8> =
            random.into_iter().chain(now.0.to_be_bytes()).chain(self.mac(address, random, now)).collect();
        let nonce = BASE32_NOPAD.encode(&nonce).to_ascii_lowercase();
        let message = message(site, address, &nonce, now);
        Challenge { message, nonce, issued_at: now, expires_at: now.plus_ms(CHALLENGE_LIFE_MS) }
    }

    /// The text that was handed out with a nonce.
    ///
    /// # Errors
    /// [`BadNonce`].
    pub fn open(&self, site: &Site, address: &WalletAddress, nonce: &str, now: UtcMillis) -> Result<Opened, BadNonce> {
        let is_lower = nonce.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        if !is_lower || nonce.len() != BASE32_NOPAD.encode_len(NONCE_BYTES) {
            return Err(BadNonce);
        }
        let bytes = BASE32_NOPAD.decode(nonce.to_ascii_uppercase().as_bytes()).map_err(|_| BadNonce)?;
        let (random, rest) = bytes.split_first_chunk::<16>().ok_or(BadNonce)?;
        let (issued_at, mac) = rest.split_first_chunk::<8>().ok_or(BadNonce)?;
        let issued_at = UtcMillis(i64::from_be_bytes(*issued_at));
        let is_ours = bool::from(self.mac(address, *random, issued_at).ct_eq(mac));
        let is_fresh = issued_at <= now && now < issued_at.plus_ms(CHALLENGE_LIFE_MS);
        if is_ours && is_fresh {
            Ok(Opened { message: message(site, address, nonce, issued_at), id: *random })
        } else {
            Err(BadNonce)
        }
    }

    fn mac(&self, address: &WalletAddress, random: NonceId, issued_at: UtcMillis) -> [u8; 16] {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.as_slice()).expect("a key of any length");
        mac.update(LABEL);
        mac.update(address.as_str().as_bytes());
        mac.update(&random);
        mac.update(&issued_at.0.to_be_bytes());
        let [mac @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]: [u8; 32] = mac.finalize().into_bytes().into();
        mac
    }
}

/// The lines of EIP-4361, which people and wallets know from other chains.
fn message(site: &Site, address: &WalletAddress, nonce: &str, issued_at: UtcMillis) -> String {
    let Site { domain, uri, chain } = site;
    let expires_at = issued_at.plus_ms(CHALLENGE_LIFE_MS);
    format!(
        "{domain} wants you to sign in with your Sui account:\n{address}\n\n{STATEMENT}\n\n\
         URI: {uri}\nVersion: 1\nChain: {chain}\nNonce: {nonce}\nIssued At: {issued_at}\nExpiration Time: {expires_at}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn site() -> Site {
        Site {
            domain: "dash.example.com".to_owned(),
            uri: "https://dash.example.com".to_owned(),
            chain: "sui:mainnet".to_owned(),
        }
    }

    fn address(number: u8) -> WalletAddress {
        format!("0x{number:064x}").parse().unwrap()
    }

    const NOW: UtcMillis = UtcMillis(1_795_424_400_000);

    #[test]
    fn the_text_says_everything_and_comes_back_the_same() {
        let key = ChallengeKey::new([7; 32]);
        let challenge = key.issue(&site(), &address(1), [9; 16], NOW);
        let nonce = &challenge.nonce;
        let expected = format!(
            "dash.example.com wants you to sign in with your Sui account:\n\
             0x0000000000000000000000000000000000000000000000000000000000000001\n\n\
             Signs in to suiftly. This request moves no funds and costs nothing.\n\n\
             URI: https://dash.example.com\nVersion: 1\nChain: sui:mainnet\nNonce: {nonce}\n\
             Issued At: 2026-11-23T09:00:00.000Z\nExpiration Time: 2026-11-23T09:05:00.000Z"
        );
        assert_eq!(challenge.message, expected);
        let opened = key.open(&site(), &address(1), nonce, NOW.plus_ms(CHALLENGE_LIFE_MS - 1)).unwrap();
        assert_eq!(opened, Opened { message: expected, id: [9; 16] });
    }

    #[test]
    fn a_challenge_is_for_one_address_of_one_process_for_five_minutes() {
        let key = ChallengeKey::new([7; 32]);
        let nonce = key.issue(&site(), &address(1), [9; 16], NOW).nonce;
        let open = |key: &ChallengeKey, number, now| key.open(&site(), &address(number), &nonce, now);
        assert!(open(&key, 1, NOW).is_ok());
        assert_eq!(open(&key, 2, NOW), Err(BadNonce));
        assert_eq!(open(&ChallengeKey::new([8; 32]), 1, NOW), Err(BadNonce));
        assert_eq!(open(&key, 1, NOW.plus_ms(-1)), Err(BadNonce));
        assert_eq!(open(&key, 1, NOW.plus_ms(CHALLENGE_LIFE_MS)), Err(BadNonce));
        assert_eq!(key.open(&site(), &address(1), &nonce.to_ascii_uppercase(), NOW), Err(BadNonce));
    }

    #[test]
    fn a_change_anywhere_in_a_nonce_is_refused() {
        let key = ChallengeKey::new([7; 32]);
        let nonce = key.issue(&site(), &address(1), [9; 16], NOW).nonce;
        for place in 0..nonce.len() {
            let mut changed = nonce.clone().into_bytes();
            changed[place] = if changed[place] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(key.open(&site(), &address(1), &changed, NOW), Err(BadNonce), "{place}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused(text in "\\PC{0,80}") {
            prop_assert_eq!(ChallengeKey::new([7; 32]).open(&site(), &address(1), &text, NOW), Err(BadNonce));
        }
    }
}
