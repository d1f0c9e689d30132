//! The signed tokens of a session (JWT, HMAC-SHA256): one that requests show, and one that gets the next two.
//!
//! The algorithm is fixed, the kind of token is a claim, and times are compared with the instant that the caller
//! gives: the library's own reading of the clock is switched off.

use std::fmt;
use std::sync::OnceLock;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use signature::{Error, Signer, Verifier};

use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, SessionId};

const ISSUER: &str = "suiftly";
const MAX_TOKEN_BYTES: usize = 2048;
/// How far the clock may have been set back since a token was made.
const MAX_CLOCK_STEP_S: i64 = 60;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    Access,
    Refresh,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub kind: TokenKind,
    pub customer: CustomerId,
    pub session: SessionId,
    /// Makes each token different; random.
    pub token_id: [u8; 16],
    pub issued_at: UtcMillis,
    pub expires_at: UtcMillis,
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not one of ours, not of this kind, or has expired")]
pub struct BadToken;

/// The keys that tokens are signed with, by number.
pub struct TokenKeys {
    newest: (String, EncodingKey),
    all: Vec<(String, DecodingKey)>,
}

/// Shows which keys there are, and nothing of them.
impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.all.iter().map(|(number, _)| number).collect();
        write!(f, "TokenKeys {{ newest: {}, all: {all:?} }}", self.newest.0)
    }
}

/// The claims as they stand in a token; times in whole seconds.
#[derive(Serialize, Deserialize)]
struct Written {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    kind: TokenKind,
    jti: String,
    iat: i64,
    exp: i64,
}

impl TokenKeys {
    /// The key that signs, and older ones whose tokens are still taken.
    pub fn new<'k>(newest: (u32, &'k [u8; 32]), older: impl IntoIterator<Item = (u32, &'k [u8; 32])>) -> Self {
        install_provider();
        let (number, key) = newest;
        let all = std::iter::once(newest).chain(older);
        Self {
            newest: (number.to_string(), EncodingKey::from_secret(key)),
            all: all.map(|(number, key)| (number.to_string(), DecodingKey::from_secret(key))).collect(),
        }
    }

    /// Writes a signed token.
    ///
    /// # Errors
    /// [`BadToken`], which claims of this form do not bring about.
    pub fn sign(&self, claims: &Claims) -> Result<String, BadToken> {
        let (number, key) = &self.newest;
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(number.clone());
        let written = Written {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: claims.customer.to_string(),
            sid: claims.session.to_string(),
            kind: claims.kind,
            jti: data_encoding::BASE64URL_NOPAD.encode(&claims.token_id),
            iat: claims.issued_at.0.div_euclid(1000),
            exp: claims.expires_at.0.div_euclid(1000),
        };
        jsonwebtoken::encode(&header, &written, key).map_err(|_| BadToken)
    }

    /// Reads a token of one kind.
    ///
    /// # Errors
    /// [`BadToken`] for whatever is wrong with it.
    pub fn verify(&self, text: &str, kind: TokenKind, now: UtcMillis) -> Result<Claims, BadToken> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(BadToken);
        }
        let kid = jsonwebtoken::decode_header(text).map_err(|_| BadToken)?.kid.ok_or(BadToken)?;
        let (_, key) = self.all.iter().find(|(number, _)| *number == kid).ok_or(BadToken)?;
        let token = jsonwebtoken::decode::<Written>(text, key, validation()).map_err(|_| BadToken)?;
        let claims = Claims::try_from(token.claims)?;
        let is_good = claims.kind == kind
            && now < claims.expires_at
            && claims.issued_at <= now.plus_ms(MAX_CLOCK_STEP_S.saturating_mul(1000));
        if is_good { Ok(claims) } else { Err(BadToken) }
    }
}

fn validation() -> &'static Validation {
    static VALIDATION: OnceLock<Validation> = OnceLock::new();
    VALIDATION.get_or_init(|| {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation
    })
}

impl TryFrom<Written> for Claims {
    type Error = BadToken;

    fn try_from(written: Written) -> Result<Self, BadToken> {
        let token_id = data_encoding::BASE64URL_NOPAD.decode(written.jti.as_bytes()).map_err(|_| BadToken)?;
        Ok(Self {
            kind: written.kind,
            customer: written.sub.parse().ok().and_then(CustomerId::new).ok_or(BadToken)?,
            session: written.sid.parse().map_err(|_| BadToken)?,
            token_id: token_id.try_into().map_err(|_| BadToken)?,
            issued_at: UtcMillis(written.iat.saturating_mul(1000)),
            expires_at: UtcMillis(written.exp.saturating_mul(1000)),
        })
    }
}

/// The library's own providers bring RSA, or a build of C; here one algorithm is enough.
fn install_provider() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(hmac_of(*algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| Ok(Box::new(hmac_of(*algorithm, key.try_get_as_bytes()?)?)),
        key_utils: KeyUtils::new_unimplemented(),
    };
    // Installed again, it stays as it is.
    let _ = PROVIDER.install_default();
}

struct HmacSha256(Hmac<Sha256>);

fn hmac_of(algorithm: Algorithm, secret: &[u8]) -> jsonwebtoken::errors::Result<HmacSha256> {
    let wrong = jsonwebtoken::errors::ErrorKind::InvalidAlgorithm;
    if algorithm != Algorithm::HS256 {
        return Err(wrong.into());
    }
    <Hmac<Sha256> as KeyInit>::new_from_slice(secret).map(HmacSha256).map_err(|_| wrong.into())
}

impl Signer<Vec<u8>> for HmacSha256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for HmacSha256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for HmacSha256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for HmacSha256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::RECORD_ID_BYTES;
    use proptest::prelude::*;

    const NOW: UtcMillis = UtcMillis(1_795_424_400_000);

    fn keys() -> TokenKeys {
        TokenKeys::new((2, &[2; 32]), [(1, &[1; 32])])
    }

    fn claims() -> Claims {
        Claims {
            kind: TokenKind::Access,
            customer: CustomerId::new(4_000_000_000).unwrap(),
            session: SessionId::new([3; RECORD_ID_BYTES]),
            token_id: [4; 16],
            issued_at: NOW,
            expires_at: NOW.plus_ms(900_000),
        }
    }

    fn unsigned(header: &str, payload: &str) -> String {
        let part = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}.", part(header), part(payload))
    }

    #[test]
    fn a_token_is_read_back_until_it_expires() {
        let text = keys().sign(&claims()).unwrap();
        for (kind, now, good) in [
            (TokenKind::Access, 0, true),
            (TokenKind::Access, 899_999, true),
            (TokenKind::Access, 900_000, false),
            (TokenKind::Access, -60_000, true),
            (TokenKind::Access, -60_001, false),
            (TokenKind::Refresh, 0, false),
        ] {
            let read = keys().verify(&text, kind, NOW.plus_ms(now));
            assert_eq!(read, if good { Ok(claims()) } else { Err(BadToken) }, "{kind:?} {now}");
        }
    }

    #[test]
    fn tokens_of_an_older_key_are_taken_and_those_of_an_unknown_one_not() {
        let older = TokenKeys::new((1, &[1; 32]), []).sign(&claims()).unwrap();
        assert_eq!(keys().verify(&older, TokenKind::Access, NOW), Ok(claims()));
        let unknown = TokenKeys::new((3, &[3; 32]), []).sign(&claims()).unwrap();
        assert_eq!(keys().verify(&unknown, TokenKind::Access, NOW), Err(BadToken));
        let forged = TokenKeys::new((2, &[9; 32]), []).sign(&claims()).unwrap();
        assert_eq!(keys().verify(&forged, TokenKind::Access, NOW), Err(BadToken));
    }

    #[test]
    fn other_algorithms_and_any_change_are_refused() {
        let text = keys().sign(&claims()).unwrap();
        let payload = text.split('.').nth(1).unwrap();
        let payload = String::from_utf8(data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap();
        for header in [
            r#"{"alg":"none","kid":"2"}"#,
            r#"{"alg":"HS384","kid":"2"}"#,
            r#"{"alg":"RS256","kid":"2"}"#,
            r#"{"alg":"HS256"}"#,
        ] {
            assert_eq!(keys().verify(&unsigned(header, &payload), TokenKind::Access, NOW), Err(BadToken), "{header}");
        }
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let read = keys().verify(&String::from_utf8(changed).unwrap(), TokenKind::Access, NOW);
            // The last character of a part holds bits that mean nothing.
            assert!(read.is_err() || read == Ok(claims()), "{place}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused(text in "[A-Za-z0-9_.-]{0,200}") {
            prop_assert_eq!(keys().verify(&text, TokenKind::Access, NOW), Err(BadToken));
        }
    }
}
