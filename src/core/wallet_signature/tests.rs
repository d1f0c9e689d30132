use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Signatures that `@mysten/sui` made: `tests/data/signatures/make.mjs`.
const VECTORS: &str = include_str!("../../../tests/data/signatures/vectors.jsonl");

#[derive(Deserialize)]
struct Vector {
    name: String,
    scheme: String,
    address: String,
    message: String,
    signature: String,
    origin: Option<String>,
    expect: String,
}

fn vectors() -> Vec<Vector> {
    VECTORS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn signatures_of_every_scheme_are_taken_and_every_bad_one_is_refused() {
    let mut seen = BTreeMap::new();
    for vector in vectors() {
        let Vector { name, scheme, address, message, signature, origin, expect } = vector;
        let verified = verify(&address.parse().unwrap(), &message, &signature, origin.as_deref());
        let outcome = match verified {
            Ok(found) => {
                assert_eq!(found.name(), scheme, "{name}");
                "ok"
            }
            Err(SignatureRefusal::Invalid) => "invalid",
            Err(SignatureRefusal::ZkLoginNeedsChain) => "zklogin",
        };
        assert_eq!(outcome, expect, "{name}");
        *seen.entry((scheme, expect)).or_insert(0) += 1;
    }
    for scheme in ["ed25519", "secp256k1", "secp256r1", "multisig", "passkey"] {
        for expect in ["ok", "invalid"] {
            assert!(seen.contains_key(&(scheme.to_owned(), expect.to_owned())), "no {expect} vector of {scheme}");
        }
    }
    assert!(seen.contains_key(&("zklogin".to_owned(), "zklogin".to_owned())), "no vector of zklogin");
}

#[test]
fn a_change_of_any_byte_of_a_good_signature_is_refused() {
    for vector in vectors().iter().filter(|vector| vector.expect == "ok" && vector.name.ends_with("short")) {
        let good = data_encoding::BASE64.decode(vector.signature.as_bytes()).unwrap();
        for place in 0..good.len() {
            let mut changed = good.clone();
            changed[place] ^= 1;
            let text = data_encoding::BASE64.encode(&changed);
            let address = vector.address.parse().unwrap();
            assert!(verify(&address, &vector.message, &text, None).is_err(), "{} {place}", vector.name);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), flag in 0u8..8) {
        let address = format!("0x{:064x}", 7).parse().unwrap();
        let text = data_encoding::BASE64.encode(&[&[flag], bytes.as_slice()].concat());
        prop_assert!(verify(&address, "m", &text, None).is_err());
    }

    #[test]
    fn any_text_is_refused(text in "\\PC{0,200}") {
        let address = format!("0x{:064x}", 7).parse().unwrap();
        prop_assert_eq!(verify(&address, "m", &text, None), Err(SignatureRefusal::Invalid));
    }
}
