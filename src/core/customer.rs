//! Customers: who they are and whether they are served.

use std::fmt;
use std::str::FromStr;

use crate::core::calendar::UtcMillis;
use crate::core::id::CustomerId;
use crate::core::money::Usd;

const ADDRESS_DIGITS: usize = 64;

/// A Sui address, `0x` and 64 lower-case hexadecimal digits. One wallet = one customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WalletAddress(String);

/// The text is no Sui address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a wallet address is 0x followed by {ADDRESS_DIGITS} hexadecimal digits")]
pub struct NotAWalletAddress;

impl WalletAddress {
    /// `0x` and 64 lower-case digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Accepts capitals and writes them small; digits that are left out are not guessed.
impl FromStr for WalletAddress {
    type Err = NotAWalletAddress;

    fn from_str(text: &str) -> Result<Self, NotAWalletAddress> {
        let digits = text.strip_prefix("0x").ok_or(NotAWalletAddress)?;
        let right = digits.len() == ADDRESS_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if right { Ok(Self(text.to_ascii_lowercase())) } else { Err(NotAWalletAddress) }
    }
}

impl fmt::Display for WalletAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a customer is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CustomerStatus {
    Active,
    Suspended,
    Closed,
}

impl CustomerStatus {
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Closed];

    /// The word used in URLs, JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A customer as registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    pub customer: CustomerId,
    pub wallet_address: WalletAddress,
    /// What the customer wants to be called; may be empty.
    pub name: String,
    pub status: CustomerStatus,
    pub created_at: UtcMillis,
    /// Which terms were accepted last, and when.
    pub terms: Option<TermsAcceptance>,
    /// The customer's account object on the chain; set once.
    pub escrow_contract_id: Option<String>,
    /// A copy of the chain's limit for 28 days; 0 = unlimited.
    pub spending_limit: Usd,
    /// A copy of the chain's balance.
    pub balance: Usd,
}

/// The version of the terms, from 1, and when it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermsAcceptance {
    pub version: u32,
    pub at: UtcMillis,
}

/// What an escrow account starts with.
pub const DEFAULT_SPENDING_LIMIT: Usd = Usd::from_dollars(250);

impl Customer {
    /// Somebody who has just come.
    pub fn new(customer: CustomerId, wallet_address: WalletAddress, created_at: UtcMillis) -> Self {
        Self {
            customer,
            wallet_address,
            name: String::new(),
            status: CustomerStatus::Active,
            created_at,
            terms: None,
            escrow_contract_id: None,
            spending_limit: DEFAULT_SPENDING_LIMIT,
            balance: Usd::ZERO,
        }
    }
}

/// What a customer wants to be called: at most 80 characters, on one line; may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerName(String);

/// The text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use at most {NAME_CHARS} characters, without line breaks and other control characters")]
pub struct NotACustomerName;

/// Characters of a customer's name, at most.
pub const NAME_CHARS: usize = 80;

impl CustomerName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Blanks around it are dropped.
impl FromStr for CustomerName {
    type Err = NotACustomerName;

    fn from_str(text: &str) -> Result<Self, NotACustomerName> {
        let name = text.trim();
        let right = name.chars().count() <= NAME_CHARS && !name.chars().any(char::is_control);
        if right { Ok(Self(name.to_owned())) } else { Err(NotACustomerName) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallet_addresses_have_one_spelling() {
        let small = format!("0x{}", "ab".repeat(32));
        for (text, expected) in [
            (small.clone(), Some(small.as_str())),
            (format!("0x{}", "aB".repeat(32)), Some(small.as_str())),
            (format!("0X{}", "ab".repeat(32)), None),
            ("ab".repeat(33), None),
            (format!("0x{}", "ab".repeat(31)), None),
            (format!("0x{}0", "ab".repeat(32)), None),
            (format!("0x{}", "ag".repeat(32)), None),
            (format!("0x{}", "é".repeat(32)), None),
            (String::new(), None),
        ] {
            assert_eq!(text.parse::<WalletAddress>().ok().as_ref().map(WalletAddress::as_str), expected, "{text}");
        }
    }

    #[test]
    fn names_are_short_and_on_one_line() {
        let longest = "é".repeat(NAME_CHARS);
        for (text, expected) in [
            ("Ada's wallet app", Some("Ada's wallet app")),
            ("  Ada ", Some("Ada")),
            ("", Some("")),
            (longest.as_str(), Some(longest.as_str())),
            (&format!("{longest}x"), None),
            ("a\nb", None),
            ("a\u{0}b", None),
        ] {
            assert_eq!(text.parse::<CustomerName>().ok().as_ref().map(CustomerName::as_str), expected, "{text:?}");
        }
    }

    #[test]
    fn statuses_are_read_back() {
        for status in CustomerStatus::ALL {
            assert_eq!(CustomerStatus::from_name(status.name()), Some(status));
        }
        assert_eq!(CustomerStatus::from_name("Active"), None);
    }
}
