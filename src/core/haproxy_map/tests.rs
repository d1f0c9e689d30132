use super::*;
use crate::core::tier::Tier;
use crate::core::vault::VaultHash;
use ipnet::IpNet;
use proptest::prelude::*;

fn customer(number: u32) -> CustomerId {
    CustomerId::new(number).unwrap()
}

fn owner(number: u32, service: Service, network: Network) -> LimitKey {
    LimitKey { customer: customer(number), service, network }
}

fn split_text(network: &str) -> Vec<String> {
    split(network.parse().unwrap()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_key_is_hashed_as_it_is_sent() {
    let expected = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
    assert_eq!(hash_word(&KeyHash::of("abc")), expected);
}

#[test]
fn keys_are_lines_in_the_order_of_their_hashes() {
    let entry = |customer, service, network, fingerprint, expires_at| KeyEntry {
        customer,
        service,
        network,
        fingerprint,
        expires_at,
    };
    let keys = BTreeMap::from([
        (KeyHash([0xff; 32]), entry(customer(u32::MAX), Service::Graphql, Network::Testnet, 0, None)),
        (
            KeyHash([0x0a; 32]),
            entry(customer(1), Service::Seal, Network::Mainnet, 0x0100_5F7C, Some(UtcMillis(1_795_424_400_001))),
        ),
    ]);
    let maps = Maps { version: "v".to_owned(), keys, ..Maps::default() };
    let expected = format!("{} 1/1/1/1005F7C/1795424401\n{} 4294967295/3/0/0\n", "0A".repeat(32), "FF".repeat(32));
    assert_eq!(maps.encode(MapName::Keys), expected);
    assert_eq!(maps.count(MapName::Keys), expected.lines().count());
}

#[test]
fn limits_are_lines_in_the_order_of_customer_service_and_network() {
    let entry = |status, has_allowlist, per_ip_per_s| {
        let LimitEntry { limits, .. } = LimitEntry::new(15, 45);
        LimitEntry { limits: Limits { per_ip_per_s, burst_priority: 2, ..limits }, has_allowlist, status }
    };
    let limits = BTreeMap::from([
        (owner(10, Service::Seal, Network::Mainnet), LimitEntry::new(3, 0)),
        (owner(9, Service::Grpc, Network::Mainnet), entry(Status::On, false, 5)),
        (owner(9, Service::Grpc, Network::Testnet), entry(Status::On, true, 0)),
        // Who is turned off has nothing guaranteed, whatever else is said.
        (owner(9, Service::Seal, Network::Mainnet), entry(Status::SpendCap, false, 0)),
    ]);
    let maps = Maps { version: "1/sma.2".to_owned(), limits, ..Maps::default() };
    assert_eq!(
        maps.encode(MapName::Limits),
        "9/1/1 0|0|3|spend_cap\n9/2/0 15|60|3|on|0|a\n9/2/1 15|60|3|on|5|-\n10/1/1 3|3|1|on\n"
    );
}

#[test]
fn allowed_networks_are_lines_of_lengths_that_are_looked_up() {
    for (network, expected) in [
        ("203.0.113.9/32", &["203.0.113.9/32"][..]),
        ("203.0.113.8/31", &["203.0.113.8/32", "203.0.113.9/32"]),
        ("203.0.113.0/24", &["203.0.113.0/24"]),
        ("203.0.112.0/23", &["203.0.112.0/24", "203.0.113.0/24"]),
        ("128.0.0.0/3", &["128.0.0.0/4", "144.0.0.0/4"]),
        ("2001:db8::/47", &["2001:db8::/48", "2001:db8:1::/48"]),
        ("2001:db8::1/128", &["2001:db8::1/128"]),
        ("::ffff:203.0.113.0/120", &["203.0.113.0/24"]),
    ] {
        assert_eq!(split_text(network), expected, "{network}");
    }
    let owner = owner(12, Service::Graphql, Network::Testnet);
    let allowed = |text: &str| AllowedNetwork { owner, network: text.parse().unwrap() };
    let allowlist = BTreeSet::from([allowed("2001:db8::/48"), allowed("203.0.113.0/24")]);
    let maps = Maps { version: "v".to_owned(), allowlist, ..Maps::default() };
    assert_eq!(maps.encode(MapName::Allowlist), "203.0.113.0/24/12/3/0 1\n2001:db8::/48/12/3/0 1\n");
}

#[test]
fn every_length_is_looked_up_once_and_the_usual_ones_first() {
    assert_eq!(ipv4_prefixes(), [32, 24, 16, 28, 20, 12, 8, 4]);
    let ipv6 = ipv6_prefixes();
    assert_eq!(ipv6[..5], [128, 64, 56, 48, 32]);
    assert_eq!(BTreeSet::from_iter(ipv6.iter().copied()).len(), 32);
}

proptest! {
    #[test]
    fn a_network_that_is_split_has_the_same_addresses(bits: u128, prefix in 1u8..=128, probe: u128, near: bool) {
        let network = ipnet::Ipv6Net::new(bits.into(), prefix).unwrap().trunc();
        let parts = split(IpNet::V6(network));
        prop_assert!(parts.len() <= 8 && parts.iter().all(|part| part.prefix_len() % 4 == 0), "{:?}", parts);
        // Somewhere in the network, or anywhere.
        let mask = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
        let address = if near { u128::from(network.network()) | (probe & mask) } else { probe };
        let address = std::net::Ipv6Addr::from(address);
        let address = std::net::IpAddr::V6(address).to_canonical();
        let expected = match address {
            std::net::IpAddr::V6(address) => network.contains(&address),
            std::net::IpAddr::V4(address) => network.contains(&address.to_ipv6_mapped()),
        };
        // A network that holds all of IPv4 is no network of IPv4.
        prop_assume!(!(address.is_ipv4() && prefix < 96));
        prop_assert_eq!(parts.iter().any(|part| part.contains(&address)), expected);
    }
}

#[test]
fn maps_are_made_of_vaults_and_carry_their_sequences() {
    let vault_key = |seed: u8| VaultKey { sha256: KeyHash([seed; 32]), fingerprint: u32::from(seed), expires_at: None };
    let entry = |keys: &[u8], allowlist: Option<&str>| ApiEntry {
        tier: Tier::Pro,
        status: Status::On,
        limits: LimitEntry::new(15, 45).limits,
        keys: keys.iter().copied().map(vault_key).collect(),
        allowlist: allowlist.map(|network| vec![network.parse().unwrap()]),
    };
    let mainnet: ApiVault =
        [(customer(7), entry(&[1, 2], None)), (customer(8), entry(&[3], Some("10.0.0.0/7")))].into();
    let testnet: ApiVault = [(customer(7), entry(&[4], None))].into();
    let code = |network| VaultCode::api(Service::Grpc, network);
    let version = |sequence, hash| Applied { sequence, hash: VaultHash([hash; 32]) };
    let (one, other) = (version(12, 0x9f), version(3, 0));
    let maps = Maps::of([(code(Network::Mainnet), one, &mainnet), (code(Network::Testnet), other, &testnet)]);
    assert_eq!(maps.encode_version(), "version 2/rma.12-9f9f9f9f/rta.3-00000000\n");
    let sources = [(code(Network::Mainnet), Source::of(one)), (code(Network::Testnet), Source::of(other))];
    assert_eq!(sources_of(&maps.version), sources.into());
    assert_ne!(Source::of(one), Source::of(version(12, 0x9e)));
    for nonsense in ["", "2", "unfinished", "1/rma.12-00000000", "2/rma", "2/rma.12", "2/rma.12-x"] {
        assert_eq!(sources_of(nonsense), BTreeMap::new(), "{nonsense}");
    }
    let first = maps.samples(MapName::Limits).first().map(|(word, value)| format!("{word} {value}"));
    assert_eq!(first.as_deref(), maps.encode(MapName::Limits).lines().next());
    assert_eq!(maps.samples(MapName::Keys).len(), 3);
    assert_eq!(Maps::default().samples(MapName::Keys), []);
    let lines = |map| maps.encode(map).lines().map(|line| line[line.len().min(60)..].to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(MapName::Keys), ["0101 7/2/1/1", "0202 7/2/1/2", "0303 8/2/1/3", "0404 7/2/0/4"]);
    assert_eq!(maps.encode(MapName::Limits), "7/2/0 15|60|1|on\n7/2/1 15|60|1|on\n8/2/1 15|60|1|on|0|a\n");
    assert_eq!(maps.encode(MapName::Allowlist), "10.0.0.0/8/8/2/1 1\n11.0.0.0/8/8/2/1 1\n");
}
