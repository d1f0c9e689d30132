//! What a wallet signs on the simulated chain: a text that its owner can read, and that no other chain takes for a
//! transaction.
//!
//! ```text
//! Suiftly simulated chain <genesis, hexadecimal>
//! deposit 25000000 micro-USDC        or: withdraw <amount> micro-USDC, limit <amount> micro-USDC per period
//! wallet 0x…
//! expires <milliseconds since 1970>
//! nonce <hexadecimal>
//! ```

use std::fmt::Write;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::journal::Genesis;
use crate::chain::escrow::WalletAction;
use crate::core::calendar::UtcMillis;
use crate::core::customer::WalletAddress;
use crate::core::money::Usd;

/// Bytes of a content, at most.
pub(super) const MAX_CONTENT_BYTES: usize = 1024;

/// What a transaction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) genesis: Genesis,
    pub(super) wallet: WalletAddress,
    pub(super) action: WalletAction,
    pub(super) expires_at: UtcMillis,
    pub(super) nonce: [u8; 16],
}

impl Content {
    pub(super) fn text(&self) -> String {
        let action = match self.action {
            WalletAction::Deposit { amount } => format!("deposit {} micro-USDC", amount.micros()),
            WalletAction::Withdraw { amount } => format!("withdraw {} micro-USDC", amount.micros()),
            WalletAction::SetSpendingLimit { limit } => format!("limit {} micro-USDC per period", limit.micros()),
        };
        let mut text =
            format!("Suiftly simulated chain {}\n{action}\nwallet {}\n", HEXLOWER.encode(&self.genesis), self.wallet);
        // Writing to a String cannot fail.
        let _ = write!(text, "expires {}\nnonce {}", self.expires_at.0, HEXLOWER.encode(&self.nonce));
        text
    }

    /// None for everything that [`Content::text`] does not write.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = (text.len() <= MAX_CONTENT_BYTES).then(|| text.lines())?;
        let mut line = |prefix: &str| lines.next()?.strip_prefix(prefix);
        let content = Self {
            genesis: hex(line("Suiftly simulated chain ")?)?,
            action: action(line("")?)?,
            wallet: line("wallet ")?.parse().ok()?,
            expires_at: UtcMillis(line("expires ")?.parse().ok()?),
            nonce: hex(line("nonce ")?)?,
        };
        (content.text() == text).then_some(content)
    }

    /// The name of the transaction.
    pub(super) fn digest(text: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(b"suiftly simulated transaction\n");
        digest.update(text.as_bytes());
        digest.finalize().into()
    }
}

fn hex(text: &str) -> Option<[u8; 16]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn action(line: &str) -> Option<WalletAction> {
    let (verb, rest) = line.split_once(' ')?;
    let (amount, unit) = rest.split_once(' ')?;
    let amount = Usd::from_micros(amount.parse().ok()?);
    match (verb, unit) {
        ("deposit", "micro-USDC") => Some(WalletAction::Deposit { amount }),
        ("withdraw", "micro-USDC") => Some(WalletAction::Withdraw { amount }),
        ("limit", "micro-USDC per period") => Some(WalletAction::SetSpendingLimit { limit: amount }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_have_one_spelling() {
        let amount = Usd::from_micros(25_000_000);
        for action in [
            WalletAction::Deposit { amount },
            WalletAction::Withdraw { amount },
            WalletAction::SetSpendingLimit { limit: Usd::ZERO },
        ] {
            let wallet = format!("0x{:064x}", 7).parse().unwrap();
            let content = Content { genesis: [3; 16], wallet, action, expires_at: UtcMillis(5), nonce: [9; 16] };
            let text = content.text();
            assert_eq!(Content::parse(&text), Some(content));
            for wrong in [
                text.replace("micro-USDC", "USDC"),
                text.replace(" 5\n", " +5\n"),
                text.replace('\n', "\r\n"),
                format!("{text}\n"),
                format!("{text}\nand more"),
                text.to_uppercase(),
                text.replace("nonce", "nonsense"),
                text.get(..text.len() - 1).unwrap().to_owned(),
                "x".repeat(MAX_CONTENT_BYTES + 1),
                String::new(),
            ] {
                assert_eq!(Content::parse(&wrong), None, "{wrong}");
            }
        }
    }
}
