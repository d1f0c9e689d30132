use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::core::api_key::ProcessGroup;
use crate::core::calendar::UtcMillis;
use crate::core::haproxy_map::KeyHash;
use crate::core::id::{Network, Service};
use crate::core::tier::Tier;
use crate::core::vault::content::{Derivation, Limits, SealKeyEntry, Status, VaultKey};

const CODE: VaultCode = VaultCode::api(Service::Grpc, Network::Mainnet);
const SEAL: VaultCode = VaultCode::seal_keys(Network::Testnet);

fn id(number: u32) -> CustomerId {
    CustomerId::new(number).unwrap()
}

fn key(first: u8, expires_at: Option<i64>) -> VaultKey {
    VaultKey { sha256: KeyHash([first; 32]), fingerprint: 16_842_620, expires_at: expires_at.map(UtcMillis) }
}

fn entry() -> ApiEntry {
    ApiEntry {
        tier: Tier::Pro,
        status: Status::On,
        limits: Limits { guaranteed_per_s: 15, burst_per_s: 45, per_ip_per_s: 0, burst_priority: 2 },
        keys: vec![key(0x0A, None), key(0xFF, Some(1_795_424_400_000))],
        allowlist: Some(vec!["203.0.113.0/24".parse().unwrap(), "2001:db8::1/128".parse().unwrap()]),
    }
}

fn api_text() -> String {
    let content = Content::Api([(id(7), entry()), (id(u32::MAX), ApiEntry { allowlist: None, ..entry() })].into());
    String::from_utf8(write(CODE, &content)).unwrap()
}

fn seal_text() -> String {
    let derivation = |index| Derivation { group: ProcessGroup::new(1).unwrap(), index };
    let address = format!("0x{}", "ab".repeat(32));
    let registered =
        SealKeyEntry { object: Some(address.parse().unwrap()), packages: [address.parse().unwrap()].into() };
    let fresh = SealKeyEntry { object: None, packages: Default::default() };
    let keys = [(derivation(2), fresh), (derivation(10), registered)].into();
    let content = Content::SealKeys([(id(7), SealEntry { status: Status::Unpaid, keys })].into());
    String::from_utf8(write(SEAL, &content)).unwrap()
}

#[test]
fn a_content_is_lines_of_canonical_json() {
    let (small, large) = ("0a".repeat(32), "ff".repeat(32));
    let rest = format!(
        "\"burst\":45,\"customer\":C,\"guaranteed\":15,\"keys\":{{\"{small}\":[16842620],\
         \"{large}\":[16842620,1795424400000]}},\"per_ip\":0,\"priority\":2,\"status\":\"on\",\"tier\":\"pro\"}}\n"
    );
    let expected = format!(
        "{{\"code\":\"rma\",\"format\":1}}\n{{\"allowlist\":[\"203.0.113.0/24\",\"2001:db8::1/128\"],{}{{{}",
        rest.replace('C', "7"),
        rest.replace('C', "4294967295"),
    );
    assert_eq!(api_text(), expected);
    let address = format!("0x{}", "ab".repeat(32));
    let expected = format!(
        "{{\"code\":\"stk\",\"format\":1}}\n{{\"customer\":7,\"keys\":[{{\"group\":1,\"index\":2,\"packages\":[]}},\
         {{\"group\":1,\"index\":10,\"object\":\"{address}\",\"packages\":[\"{address}\"]}}],\"status\":\"unpaid\"}}\n"
    );
    assert_eq!(seal_text(), expected);
}

#[test]
fn what_is_written_is_read_back() {
    for (code, text) in [(CODE, api_text()), (SEAL, seal_text())] {
        let content = parse(code, text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(write(code, &content)).unwrap(), text);
        let nobody = first_line(code);
        assert!(parse(code, &nobody).unwrap().is_empty());
    }
}

/// Each replaces a part of a good text that is there once or more; the result must be refused.
#[test]
fn there_is_no_second_spelling() {
    let (small, large) = ("0a".repeat(32), "ff".repeat(32));
    let swapped = format!("\"{large}\":[16842620,1795424400000],\"{small}\":[16842620]");
    let ordered = format!("\"{small}\":[16842620],\"{large}\":[16842620,1795424400000]");
    let upper = small.to_uppercase();
    let twice = format!("\"{small}\":[16842620],\"{small}\":[16842620]");
    let first = format!("\"{small}\":[16842620]");
    for (from, to) in [
        ("rma", "rta"),
        ("\"format\":1", "\"format\":2"),
        ("\"burst\":45", "\"burst\":45.0"),
        ("\"burst\":45", "\"burst\":4.5e1"),
        ("\"burst\":45", "\"burst\":045"),
        ("\"burst\":45", "\"burst\":-1"),
        ("\"burst\":45", "\"burst\":4294967296"),
        ("\"burst\":45", "\"burst\":\"45\""),
        ("\"burst\":45", "\"burst\": 45"),
        ("\"burst\":45,", "\"burst\":45,\"burst\":45,"),
        ("\"burst\":45,", ""),
        ("\"burst\":45,", "\"burst\":45,\"more\":1,"),
        ("\"burst\":45,\"customer\":7,", "\"customer\":7,\"burst\":45,"),
        ("\"customer\":7,", "\"customer\":0,"),
        ("\"customer\":4294967295,", "\"customer\":7,"),
        ("\"customer\":4294967295,", "\"customer\":6,"),
        ("\"tier\":\"pro\"", "\"tier\":\"gold\""),
        ("\"tier\":\"pro\"", "\"tier\":\"p\\u0072o\""),
        ("\"status\":\"on\"", "\"status\":\"off\""),
        ("\"priority\":2", "\"priority\":0"),
        ("\"priority\":2", "\"priority\":10"),
        ("{\"burst\"", "{\"allowlist\":null,\"burst\""),
        ("203.0.113.0/24", "203.0.113.7/24"),
        ("203.0.113.0/24", "203.0.113.0"),
        ("203.0.113.0/24", "203.0.113.00/24"),
        ("2001:db8::1/128", "2001:DB8::1/128"),
        ("\"203.0.113.0/24\",\"2001:db8::1/128\"", "\"2001:db8::1/128\",\"203.0.113.0/24\""),
        ("\"203.0.113.0/24\",", "\"203.0.113.0/24\",\"203.0.113.0/24\","),
        (&ordered, &swapped),
        (&ordered, ""),
        (&first, &twice),
        (&small, &upper),
        (&small, "0a"),
        ("[16842620]", "[]"),
        ("[16842620]", "[16842620,null]"),
        ("[16842620,1795424400000]", "[16842620,1795424400000,1]"),
        ("[16842620]", "16842620"),
        ("}\n", "}\n\n"),
        ("}\n", "} \n"),
        ("}\n", "}\r\n"),
    ] {
        let text = api_text();
        assert!(text.contains(from), "{from}");
        let changed = text.replace(from, to);
        assert!(parse(CODE, changed.as_bytes()).is_err(), "{from} → {to}");
    }
    for (from, to) in [
        ("\"index\":2,", "\"index\":0,"),
        ("\"group\":1", "\"group\":8"),
        ("\"index\":10,", "\"index\":1,"),
        ("\"packages\":[]", "\"object\":null,\"packages\":[]"),
        ("0xab", "0xAB"),
        ("\"status\":\"unpaid\"", "\"status\":\"\""),
    ] {
        let text = seal_text();
        assert!(text.contains(from), "{from}");
        assert!(parse(SEAL, text.replace(from, to).as_bytes()).is_err(), "{from} → {to}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let text = api_text();
    let cut = text.trim_end();
    for (text, expected) in [
        ("", "the content does not begin with the line of the vault rma"),
        (cut, "line 3 of the content does not end with a line feed"),
        (&text.replace("\"customer\":7,", "\"customer\":x,"), "line 2 of the content is no entry of this vault"),
        (&text.replace("4294967295", "7"), "line 3 of the content is not in the order of the customers"),
    ] {
        assert_eq!(parse(CODE, text.as_bytes()).unwrap_err().to_string(), expected);
    }
    let long = format!("{}{}\n", api_text(), " ".repeat(MAX_LINE_BYTES + 1));
    assert_eq!(parse(CODE, long.as_bytes()).unwrap_err().to_string(), "line 4 of the content is too long");
}

fn any_entry() -> impl Strategy<Value = ApiEntry> {
    let limits = (any::<u32>(), any::<u32>(), any::<u32>(), 1..=Limits::LAST_PRIORITY);
    let key = (any::<[u8; 32]>(), any::<u32>(), any::<Option<i64>>());
    let keys = proptest::collection::btree_map(any::<[u8; 32]>(), key, 1..4);
    let network = (any::<[u8; 4]>(), 1..=32_u8);
    let list = proptest::option::of(proptest::collection::vec(network, 0..3));
    (0..3_usize, 0..Status::ALL.len(), limits, keys, list).prop_map(|(tier, status, limits, keys, list)| {
        let (guaranteed_per_s, burst_per_s, per_ip_per_s, burst_priority) = limits;
        let keys = keys.into_iter().map(|(hash, (_, fingerprint, expires))| VaultKey {
            sha256: KeyHash(hash),
            fingerprint,
            expires_at: expires.map(UtcMillis),
        });
        let allowlist = list.map(|list| {
            let networks =
                list.into_iter().map(|(address, prefix)| IpNet::new(address.into(), prefix).unwrap().trunc());
            networks.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
        });
        ApiEntry {
            tier: Tier::ALL[tier],
            status: Status::ALL[status],
            limits: Limits { guaranteed_per_s, burst_per_s, per_ip_per_s, burst_priority },
            keys: keys.collect(),
            allowlist,
        }
    })
}

proptest! {
    #[test]
    fn any_content_survives(vault in proptest::collection::btree_map(1..u32::MAX, any_entry(), 0..4)) {
        let content = Content::Api(vault.into_iter().map(|(number, entry)| (id(number), entry)).collect());
        prop_assert_eq!(parse(CODE, &write(CODE, &content)), Ok(content));
    }
}
