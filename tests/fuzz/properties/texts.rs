//! Texts that people and programs send: names, numbers, addresses.

use std::fmt::{Debug, Display};
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use suiftly::core::calendar::Month;
use suiftly::core::customer::{CustomerName, WalletAddress};
use suiftly::core::id::{ApiKeyId, ApiTokenId, SealKeyId, SessionId};
use suiftly::core::ip_allowlist::IpAllowlist;
use suiftly::core::name::Name;
use suiftly::core::request_id::RequestId;
use suiftly::core::seal_key::{ObjectId, PackageAddress};

/// Whatever kind of text it is taken for: what is read of it is written in one way, which is read as the same.
pub fn text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let name = text.parse::<Name>();
    if let Ok(name) = &name {
        assert_eq!(name.as_str().parse().as_ref(), Ok(name));
    }
    if let Ok(name) = text.parse::<CustomerName>() {
        assert_eq!(name.as_str().parse(), Ok(name));
    }
    // Almost everything is a name.
    [
        is_same_again::<RequestId>(text),
        is_same_again::<Month>(text),
        is_same_again::<WalletAddress>(text),
        is_same_again::<PackageAddress>(text),
        is_same_again::<ObjectId>(text),
        is_same_again::<SessionId>(text),
        is_same_again::<ApiTokenId>(text),
        is_same_again::<ApiKeyId>(text),
        is_same_again::<SealKeyId>(text),
    ]
    .contains(&true)
}

fn is_same_again<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) -> bool {
    let Ok(value) = text.parse::<T>() else { return false };
    let written = value.to_string();
    let again = written.parse::<T>();
    assert!(again.as_ref().is_ok_and(|again| *again == value), "{text:?} is {value:?}, and {written:?} is {again:?}");
    assert_eq!(again.expect("it was read").to_string(), written);
    true
}

/// Lines are entries of a list: it is refused with a sentence for each that is wrong, or is the same when it is read again
/// from how it is shown. An address is let in if one of the entries covers its first bits, and only then.
pub fn ip_allowlist(bytes: &[u8]) -> bool {
    const MOST: u64 = 20;
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let entries: Vec<String> = text.lines().map(str::to_owned).collect();
    let list = match IpAllowlist::parse(&entries, MOST) {
        Ok(list) => list,
        Err(errors) => {
            assert!(!errors.to_string().is_empty(), "refused without a reason");
            return false;
        }
    };
    let shown: Vec<String> = list.entries().collect();
    assert_eq!(IpAllowlist::parse(&shown, MOST).as_ref(), Ok(&list));
    assert_eq!((list.is_empty(), shown.len()), (entries.is_empty(), entries.len()));
    let networks: Vec<(Ipv6Addr, u32)> = shown.iter().map(|entry| network(entry)).collect();
    let near = networks.iter().flat_map(|(address, prefix)| {
        let bits = address.to_bits();
        [0, 1, 1 << 127_u32.saturating_sub(*prefix), 1_u128.checked_shl(128 - prefix).unwrap_or(0)]
            .map(|flip| bits ^ flip)
    });
    for bits in near.chain([0, u128::MAX]) {
        let address = Ipv6Addr::from_bits(bits);
        // IPv4 is what IPv4 networks are for, not those of IPv6 that have all of it in them.
        let least = if address.to_ipv4_mapped().is_some() { 96 } else { 0 };
        let covers = |(network, prefix): &(Ipv6Addr, u32)| {
            *prefix >= least && (network.to_bits() ^ bits).leading_zeros() >= *prefix
        };
        let expected = networks.iter().any(covers);
        assert_eq!(list.contains(IpAddr::V6(address)), expected, "{address} and {list}");
        if let Some(v4) = address.to_ipv4_mapped() {
            assert_eq!(list.contains(IpAddr::V4(v4)), expected, "{v4} and {list}");
        }
    }
    !list.is_empty()
}

/// The network of an entry as it is shown, IPv4 in IPv6.
fn network(entry: &str) -> (Ipv6Addr, u32) {
    let (address, prefix) = entry.split_once('/').map_or((entry, None), |(address, prefix)| (address, Some(prefix)));
    let prefix = prefix.map(|prefix| prefix.parse::<u32>().expect("a prefix is shown as a number"));
    match address.parse().expect("an address is shown") {
        IpAddr::V4(v4) => (v4.to_ipv6_mapped(), 96 + prefix.unwrap_or(32)),
        IpAddr::V6(v6) => (v6, prefix.unwrap_or(128)),
    }
}
