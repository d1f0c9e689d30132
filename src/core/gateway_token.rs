//! The tokens by which remote gateways show who they are.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// One token a gateway, by the gateway's number.
#[derive(Clone, Default)]
pub struct GatewayTokens(BTreeMap<u8, Zeroizing<[u8; 32]>>);

/// Shows which gateways there are, and nothing of their tokens.
impl fmt::Debug for GatewayTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewayTokens({:?})", self.0.keys().collect::<Vec<_>>())
    }
}

impl GatewayTokens {
    pub fn new(tokens: BTreeMap<u8, Zeroizing<[u8; 32]>>) -> Self {
        Self(tokens)
    }

    /// The numbers of the gateways.
    pub fn gateways(&self) -> impl Iterator<Item = u8> {
        self.0.keys().copied()
    }

    /// Whose token it is, given as 64 hexadecimal digits. How long that takes tells nothing of any token.
    pub fn gateway_of(&self, presented: &str) -> Option<u8> {
        let presented: Zeroizing<[u8; 32]> = match HEXLOWER_PERMISSIVE.decode(presented.as_bytes()) {
            Ok(bytes) => Zeroizing::new(Zeroizing::new(bytes).as_slice().try_into().ok()?),
            Err(_) => return None,
        };
        let mut owner = None;
        for (gateway, token) in &self.0 {
            if bool::from(token.as_slice().ct_eq(presented.as_slice())) {
                owner = Some(*gateway);
            }
        }
        owner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_its_gateway() {
        let tokens = GatewayTokens::new([(2, [0xa2; 32]), (3, [3; 32])].map(|(n, t)| (n, Zeroizing::new(t))).into());
        for (presented, expected) in [
            ("a2".repeat(32), Some(2)),
            ("A2".repeat(32), Some(2)),
            ("03".repeat(32), Some(3)),
            ("04".repeat(32), None),
            ("03".repeat(31), None),
            ("03".repeat(33), None),
            ("0".repeat(63), None),
            (format!("{}ü", "03".repeat(31)), None),
            (String::new(), None),
        ] {
            assert_eq!(tokens.gateway_of(&presented), expected, "{presented}");
        }
        assert_eq!(format!("{tokens:?}"), "GatewayTokens([2, 3])");
        assert_eq!(GatewayTokens::default().gateway_of(&"00".repeat(32)), None);
    }
}
