//! Seal keys and their packages: names, addresses on the chain, and how many there can be.
//!
//! How a key gets onto the chain is in [`registration`].

pub mod registration;

use std::fmt;
use std::str::FromStr;

use crate::core::name::Name;

const CHAIN_ID_DIGITS: usize = 64;

/// The text names nothing on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give 0x followed by {CHAIN_ID_DIGITS} hexadecimal digits")]
pub struct NotAChainId;

macro_rules! chain_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// `0x` and 64 lower-case digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAChainId;

            fn from_str(text: &str) -> Result<Self, NotAChainId> {
                chain_id(text).map(Self).ok_or(NotAChainId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

chain_ids! {
    /// Where a Move package is published whose policies a Seal key answers to.
    PackageAddress;
    /// The object on the chain that a Seal key is registered as.
    ObjectId;
}

/// Blanks around it are dropped and capitals written small; digits that are left out are not guessed.
fn chain_id(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.strip_prefix("0x")?;
    let right = digits.len() == CHAIN_ID_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    right.then(|| text.to_ascii_lowercase())
}

/// The name of a Seal key that nobody has named: `seal-key-3`.
pub fn default_seal_key_name(number: u64) -> Name {
    Name::numbered("seal-key", number)
}

/// The name of a package that nobody has named: `package-3`.
pub fn default_package_name(number: u64) -> Name {
    Name::numbered("package", number)
}

/// Why a Seal key or a package is not added, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealRefusal {
    #[error("there are {0} Seal keys, as many as there can be: delete one first")]
    KeysFull(u64),
    #[error("this Seal key has {0} packages, as many as there can be: remove one first")]
    PackagesFull(u64),
    #[error("this Seal key has the package {0} already")]
    PackageTwice(PackageAddress),
}

/// Whether one more Seal key can be created beside those that are not deleted; `max` is `fmax_skey`.
///
/// # Errors
/// [`SealRefusal::KeysFull`].
pub fn check_seal_key_room(not_deleted: u64, max: u64) -> Result<(), SealRefusal> {
    if not_deleted < max { Ok(()) } else { Err(SealRefusal::KeysFull(not_deleted)) }
}

/// Whether a Seal key that has these packages can have one more; `max` is `fmax_pkg`.
///
/// # Errors
/// [`SealRefusal::PackageTwice`], which more room would not help, before [`SealRefusal::PackagesFull`].
pub fn check_package(existing: &[PackageAddress], added: &PackageAddress, max: u64) -> Result<(), SealRefusal> {
    let count = u64::try_from(existing.len()).unwrap_or(u64::MAX);
    if existing.contains(added) {
        Err(SealRefusal::PackageTwice(added.clone()))
    } else if count >= max {
        Err(SealRefusal::PackagesFull(count))
    } else {
        Ok(())
    }
}

/// How many Seal keys are billed beyond those that are included.
pub fn extra_seal_keys(not_deleted: u64, included: u64) -> u64 {
    not_deleted.saturating_sub(included)
}

/// How many packages are billed: each Seal key includes its own, and what one does not use is of no help to another.
pub fn extra_packages(packages_by_key: &[u64], included_per_key: u64) -> u64 {
    let extra = packages_by_key.iter().map(|packages| packages.saturating_sub(included_per_key));
    extra.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(digits: &str) -> PackageAddress {
        format!("0x{}", digits.repeat(32)).parse().unwrap()
    }

    #[test]
    fn addresses_have_one_spelling() {
        let small = format!("0x{}", "ab".repeat(32));
        for (text, expected) in [
            (small.clone(), Some(small.as_str())),
            (format!(" 0x{}\n", "aB".repeat(32)), Some(small.as_str())),
            (format!("0X{}", "ab".repeat(32)), None),
            ("ab".repeat(33), None),
            ("ab".repeat(32), None),
            (format!("0x{}", "ab".repeat(31)), None),
            (format!("0x{}0", "ab".repeat(32)), None),
            (format!("0x{}", "ag".repeat(32)), None),
            (format!("0x{}", "é".repeat(32)), None),
            ("0x2".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(text.parse::<PackageAddress>().ok().as_ref().map(PackageAddress::as_str), expected, "{text}");
            assert_eq!(text.parse::<ObjectId>().ok().as_ref().map(ObjectId::as_str), expected, "{text}");
        }
    }

    #[test]
    fn what_nobody_named_has_a_number() {
        assert_eq!(default_seal_key_name(1).as_str(), "seal-key-1");
        assert_eq!(default_package_name(12).as_str(), "package-12");
    }

    #[test]
    fn there_are_as_many_seal_keys_as_the_limit_says() {
        for (not_deleted, max, expected) in [
            (0, 10, Ok(())),
            (9, 10, Ok(())),
            (10, 10, Err(SealRefusal::KeysFull(10))),
            (11, 10, Err(SealRefusal::KeysFull(11))),
            (0, 0, Err(SealRefusal::KeysFull(0))),
        ] {
            assert_eq!(check_seal_key_room(not_deleted, max), expected, "{not_deleted} of {max}");
        }
    }

    #[test]
    fn a_seal_key_has_a_package_once_and_no_more_than_the_limit() {
        let two = [address("01"), address("02")];
        for (added, max, expected) in [
            (address("03"), 3, Ok(())),
            (address("03"), 2, Err(SealRefusal::PackagesFull(2))),
            (address("02"), 3, Err(SealRefusal::PackageTwice(address("02")))),
            (address("02"), 2, Err(SealRefusal::PackageTwice(address("02")))),
        ] {
            assert_eq!(check_package(&two, &added, max), expected, "{added} of {max}");
        }
    }

    #[test]
    fn what_is_beyond_the_included_number_is_billed() {
        for (not_deleted, included, extra) in [(0, 1, 0), (1, 1, 0), (3, 1, 2), (2, 0, 2)] {
            assert_eq!(extra_seal_keys(not_deleted, included), extra, "{not_deleted} of {included}");
        }
        for (packages, extra) in [(&[][..], 0), (&[3, 3], 0), (&[1, 5], 2), (&[4, 5, 0], 3), (&[u64::MAX; 2], u64::MAX)]
        {
            assert_eq!(extra_packages(packages, 3), extra, "{packages:?}");
        }
    }
}
