//! The addresses that a service may be used from: IPv4, IPv6 and networks in CIDR notation.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::core::field_error::FieldErrors;

/// Characters of an entry, at most: the longest IPv6 address with a prefix has 49.
const MAX_ENTRY_CHARS: usize = 64;
const FIELD: &str = "ip_allowlist";
/// Leading bits of IPv6 addresses that stand for IPv4 addresses.
const MAPPED_PREFIX: u8 = 96;

/// Networks of which none contains another, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IpAllowlist(Vec<IpNet>);

/// Why an entry is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum BadEntry {
    #[error("this is no IP address or network: write one like 203.0.113.9, 203.0.113.0/24 or 2001:db8::/48")]
    NotANetwork,
    #[error("the address lies inside the network: did you mean the network {network} or the address {address}?")]
    HostBits { network: IpNet, address: IpAddr },
    #[error("a network of every address is no limit: switch the allowlist off instead")]
    Everything,
    #[error("nobody sends requests from this address")]
    Nobody,
}

impl IpAllowlist {
    /// Reads a list of at most `max` entries.
    ///
    /// # Errors
    /// [`FieldErrors`] with a sentence for every entry that is not right, as `ip_allowlist[0]` and so on.
    pub fn parse(entries: &[String], max: u64) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        if u64::try_from(entries.len()).unwrap_or(u64::MAX) > max {
            errors.add(FIELD, format!("give at most {max} addresses and networks"));
            return Err(errors);
        }
        let mut networks: Vec<IpNet> = Vec::new();
        for (index, text) in entries.iter().enumerate() {
            let field = format!("{FIELD}[{index}]");
            let Some(network) = errors.take(field.clone(), parse_entry(text)) else { continue };
            match networks.iter().find(|other| other.contains(&network) || network.contains(*other)) {
                Some(other) if *other == network => errors.add(field, format!("{} is there twice", shown(&network))),
                Some(other) => {
                    let (inner, outer) = if other.contains(&network) { (&network, other) } else { (other, &network) };
                    errors.add(field, format!("{} is part of {}: leave one out", shown(inner), shown(outer)));
                }
                None => networks.push(network),
            }
        }
        errors.finish().map(|()| Self(networks))
    }

    /// Whether a request may come from here.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order in which they were given.
    pub fn networks(&self) -> &[IpNet] {
        &self.0
    }

    /// Single addresses without a prefix.
    pub fn entries(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(shown)
    }
}

/// Entries separated by blanks, as the ledger keeps them.
impl fmt::Display for IpAllowlist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.entries().collect::<Vec<_>>().join(" "))
    }
}

fn shown(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

fn parse_entry(text: &str) -> Result<IpNet, BadEntry> {
    let text = text.trim();
    if text.chars().count() > MAX_ENTRY_CHARS {
        return Err(BadEntry::NotANetwork);
    }
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse::<IpNet>().map_err(|_| BadEntry::NotANetwork)?,
    };
    let network = canonical(network);
    let address = network.addr();
    if network.prefix_len() == 0 {
        Err(BadEntry::Everything)
    } else if network.trunc() != network {
        Err(BadEntry::HostBits { network: network.trunc(), address })
    } else if address.is_unspecified() || address.is_multicast() {
        Err(BadEntry::Nobody)
    } else {
        Ok(network)
    }
}

/// IPv4 that is written as IPv6 becomes IPv4, as the addresses of requests do; otherwise it would let nobody in.
pub(super) fn canonical(network: IpNet) -> IpNet {
    let as_ipv4 = || {
        let IpNet::V6(mapped) = network else { return None };
        let prefix = mapped.prefix_len().checked_sub(MAPPED_PREFIX)?;
        Ipv4Net::new(mapped.addr().to_ipv4_mapped()?, prefix).ok()
    };
    as_ipv4().map_or(network, IpNet::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(entries: &[&str], max: u64) -> Result<String, String> {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        IpAllowlist::parse(&entries, max).map(|list| list.to_string()).map_err(|errors| errors.to_string())
    }

    #[test]
    fn addresses_and_networks_have_one_spelling() {
        for (entries, expected) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&[" 203.0.113.9/32 "], "203.0.113.9"),
            (&["203.0.113.0/24", "2001:DB8::/48"], "203.0.113.0/24 2001:db8::/48"),
            (&["2001:db8:0:0::1"], "2001:db8::1"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["::ffff:203.0.113.9/128"], "203.0.113.9"),
            (&["::ffff:203.0.113.0/120"], "203.0.113.0/24"),
            (&[], ""),
        ] {
            assert_eq!(parse(entries, 9).as_deref(), Ok(expected), "{entries:?}");
        }
    }

    #[test]
    fn every_entry_that_is_not_right_is_told_at_once() {
        let entries = ["10.0.0.1/8", "x", "203.0.113.9", "203.0.113.0/24", "0.0.0.0/0", "224.0.0.1", "203.0.113.9"];
        assert_eq!(
            parse(&entries, 9).unwrap_err(),
            "ip_allowlist[0]: the address lies inside the network: did you mean the network 10.0.0.0/8 or the address \
             10.0.0.1?; \
             ip_allowlist[1]: this is no IP address or network: write one like 203.0.113.9, 203.0.113.0/24 or \
             2001:db8::/48; \
             ip_allowlist[3]: 203.0.113.9 is part of 203.0.113.0/24: leave one out; \
             ip_allowlist[4]: a network of every address is no limit: switch the allowlist off instead; \
             ip_allowlist[5]: nobody sends requests from this address; \
             ip_allowlist[6]: 203.0.113.9 is there twice"
        );
        assert_eq!(
            parse(&["1.1.1.1", "2.2.2.2"], 1).unwrap_err(),
            "ip_allowlist: give at most 1 addresses and networks"
        );
    }

    #[test]
    fn entries_that_would_let_in_everybody_or_nobody_are_refused() {
        let everything = "ip_allowlist[0]: a network of every address is no limit: switch the allowlist off instead";
        let nobody = "ip_allowlist[0]: nobody sends requests from this address";
        let no_network = "ip_allowlist[0]: this is no IP address or network: write one like 203.0.113.9, \
                          203.0.113.0/24 or 2001:db8::/48";
        for (entry, expected) in [
            ("0.0.0.0/0", everything),
            ("::/0", everything),
            ("::ffff:0.0.0.0/96", everything),
            ("0.0.0.0", nobody),
            ("::", nobody),
            ("224.0.0.1", nobody),
            ("ff02::1", nobody),
            ("::ffff:224.0.0.1", nobody),
            ("203.0.113.9/33", no_network),
            ("203.0.113", no_network),
            ("", no_network),
        ] {
            assert_eq!(parse(&[entry], 9).unwrap_err(), expected, "{entry}");
        }
    }

    #[test]
    fn a_request_is_allowed_by_the_network_it_comes_from() {
        let entries = ["203.0.113.0/24".to_owned(), "2001:db8::/48".to_owned()];
        let list = IpAllowlist::parse(&entries, 9).unwrap();
        for (ip, allowed) in [
            ("203.0.113.255", true),
            ("::ffff:203.0.113.1", true),
            ("203.0.114.0", false),
            ("2001:db8:0:1::1", true),
            ("2001:db8:1::1", false),
        ] {
            assert_eq!(list.contains(ip.parse().unwrap()), allowed, "{ip}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-f.:/x ]{0,70}") {
            let _ = IpAllowlist::parse(&[text], 1);
        }

        #[test]
        fn a_list_lets_in_exactly_what_its_networks_hold(
            networks in prop::collection::vec((0u32..64, 26u8..=32), 1..6),
            request in 0u32..64,
        ) {
            let networks: Vec<_> = networks
                .into_iter()
                .map(|(host, prefix)| ipnet::Ipv4Net::new((0xcb00_7100 + host).into(), prefix).unwrap().trunc())
                .collect();
            let overlap = (1..networks.len()).any(|later| {
                networks[..later].iter().any(|one| one.contains(&networks[later]) || networks[later].contains(one))
            });
            let entries: Vec<_> = networks.iter().map(ToString::to_string).collect();
            let list = IpAllowlist::parse(&entries, 9);
            prop_assert_eq!(list.is_err(), overlap, "{:?}", entries);
            if let Ok(list) = list {
                let ip = std::net::Ipv4Addr::from(0xcb00_7100 + request);
                let held = networks.iter().any(|network| network.contains(&ip));
                prop_assert_eq!(list.contains(ip.into()), held, "{} in {:?}", ip, entries);
                prop_assert_eq!(list.contains(ip.to_ipv6_mapped().into()), held, "{} in {:?}", ip, entries);
            }
        }

        #[test]
        fn what_was_read_is_read_again(bits: u32, prefix in 1u8..=32) {
            let network = ipnet::Ipv4Net::new(bits.into(), prefix).unwrap().trunc().to_string();
            if let Ok(list) = IpAllowlist::parse(&[network], 1) {
                let again = IpAllowlist::parse(&[list.to_string()], 1);
                prop_assert_eq!(again, Ok(list));
            }
        }
    }
}
