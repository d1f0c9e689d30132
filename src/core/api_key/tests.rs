//! The codec against the published vectors, and what it refuses.

use proptest::prelude::*;

use super::*;

struct Vector {
    secret: ApiKeySecret,
    meta: KeyMeta,
    iv: [u8; 4],
    key: String,
    fingerprint: u32,
}

fn vectors() -> Vec<Vector> {
    include_str!("../../../tests/data/api-keys.jsonl").lines().map(read_vector).collect()
}

fn read_vector(line: &str) -> Vector {
    let fields: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| fields[name].as_str().unwrap_or("").to_owned();
    let bytes = |name: &str| HEXLOWER.decode(text(name).as_bytes()).unwrap();
    let number = |name: &str| u32::try_from(fields[name].as_u64().unwrap()).unwrap();
    let access = match (text("access").as_str(), text("source").as_str()) {
        ("open", "") => Access::Open,
        ("permission", "derived") => Access::Permission { source: Source::Derived },
        ("permission", "imported") => Access::Permission { source: Source::Imported },
        other => panic!("{other:?}"),
    };
    Vector {
        secret: ApiKeySecret(bytes("secret").try_into().unwrap()),
        meta: KeyMeta {
            service: Service::from_name(&text("svc")).unwrap(),
            network: if text("network") == "mainnet" { Network::Mainnet } else { Network::Testnet },
            access,
            process_group: ProcessGroup::new(number("pg").try_into().unwrap()).unwrap(),
            customer: CustomerId::new(number("customer")).unwrap(),
        },
        iv: bytes("iv").try_into().unwrap(),
        key: text("key"),
        fingerprint: number("fp_unsigned"),
    }
}

#[test]
fn the_published_vectors_hold_both_ways() {
    assert_eq!(vectors().len(), 10);
    for Vector { secret, meta, iv, key, fingerprint } in vectors() {
        assert_eq!(encode(&secret, &meta, iv).as_str(), key);
        assert_eq!(decode(&secret, &key), Ok(meta), "{key}");
        assert_eq!(encode(&secret, &meta, iv).fingerprint(), fingerprint, "{key}");
        assert_eq!(key.parse::<ApiKey>().unwrap().fingerprint(), fingerprint, "{key}");
        assert_eq!(fingerprint_by_characters(&key), fingerprint, "{key}");
    }
}

/// The definition as it is written down, against the shifts of the codec.
fn fingerprint_by_characters(key: &str) -> u32 {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let chars: Vec<char> = key.chars().collect();
    let bits = [1, 2, 4, 5, 6, 7, 8]
        .iter()
        .fold(0_u64, |bits, at| bits << 5 | u64::try_from(alphabet.find(chars[*at]).unwrap()).unwrap());
    u32::try_from(bits >> 3).unwrap()
}

#[test]
fn a_key_shows_little_of_itself() {
    let key: ApiKey = "SAE1AGBDF6GRYR345VCNXN4E2RVTWUIODBYV5".parse().unwrap();
    assert_eq!(key.hint(), "SAE1AGBD…BYV5");
    assert_eq!(format!("{key:?}"), "ApiKey(SAE1AGBD…BYV5)");
    assert_eq!(format!("{:?}", ApiKeySecret([7; 32])), "ApiKeySecret(…)");
    // printf %s SAE1AGBDF6GRYR345VCNXN4E2RVTWUIODBYV5 | sha256sum
    assert_eq!(key.sha256_hex(), "d4cdabd1c955bc873ec7f6433c7eb5622cf1e1544a8d571e896f86c01f094c5c");
}

#[test]
fn texts_that_are_no_keys_are_refused_by_what_is_wrong_first() {
    let secret = &vectors()[0].secret;
    for (text, error) in [
        ("", KeyError::Length { bytes: 0 }),
        ("SAE1AGBDF6GRYR345VCNXN4E2RVTWUIODBYV", KeyError::Length { bytes: 36 }),
        ("SAE1AGBDF6GRYR345VCNXN4E2RVTWUIODBYV55", KeyError::Length { bytes: 38 }),
        ("SAE1AGBDF6GRYR345VCNXN4E2RVTWUIODBY\u{e9}", KeyError::Alphabet),
        ("\u{e9}E1AGBDF6GRYR345VCNXN4E2RVTWUIODBYV5", KeyError::Letter),
        ("XAE1AGBDF6GRYR345VCNXN4E2RVTWUIODBYV5", KeyError::Letter),
        ("sAE1AGBDF6GRYR345VCNXN4E2RVTWUIODBYV5", KeyError::Letter),
        ("Sae1AGBDF6GRYR345VCNXN4E2RVTWUIODBYV5", KeyError::Alphabet),
        ("SA11AGBDF6GRYR345VCNXN4E2RVTWUIODBYV5", KeyError::Alphabet),
        // The same key with a lower-case digit in the tag would be a second spelling of one key.
        ("SAE1AGBDf6GRYR345VCNXN4E2RVTWUIODBYV5", KeyError::Alphabet),
        ("SAEGAGBDF6GRYR345VCNXN4E2RVTWUIODBYV5", KeyError::Alphabet),
        ("SAE2AGBDF6GRYR345VCNXN4E2RVTWUIODBYV5", KeyError::Tag),
        ("SBE1AGBDF6GRYR345VCNXN4E2RVTWUIODBYV5", KeyError::Tag),
    ] {
        assert_eq!(decode(secret, text), Err(error), "{text}");
    }
    assert_eq!(decode(&ApiKeySecret([0; 32]), &vectors()[0].key), Err(KeyError::Tag));
}

#[test]
fn content_that_version_0_does_not_have_is_refused_though_the_tag_is_right() {
    let good = plaintext(&vectors()[0].meta);
    for (place, byte, expected) in [
        (0, 0b0100_1001, Err(KeyError::Version(1))),
        (0, 0b1000_1001, Err(KeyError::Version(2))),
        (0, 0b0000_0001, Err(KeyError::OpenWithSource)),
        (1, 1, Err(KeyError::Padding)),
        (2, 1, Err(KeyError::Padding)),
        (3, 0x80, Err(KeyError::Padding)),
        (8, 1, Err(KeyError::Padding)),
        (15, 0x80, Err(KeyError::Padding)),
    ] {
        let mut block = good;
        block[place] = byte;
        assert_eq!(mint_and_decode(block), expected, "byte {place} = {byte:#x}");
    }
    let mut nobody = good;
    nobody[4..8].fill(0);
    assert_eq!(mint_and_decode(nobody), Err(KeyError::NoCustomer));
    assert_eq!(mint_and_decode(good), Ok(vectors()[0].meta));
}

/// Mints a Seal key around any content, the way `encode` does it around a right one.
fn mint_and_decode(mut block: [u8; 16]) -> Result<KeyMeta, KeyError> {
    let secret = ApiKeySecret([42; 32]);
    let iv = [9, 8, 7, 6];
    apply_keystream(&secret, iv, &mut block);
    let combined: [u8; COMBINED_BYTES] = [&iv[..], &block[..]].concat().try_into().unwrap();
    let body = BASE32_NOPAD.encode(&combined) + &HEXUPPER.encode(&tag(&secret, &combined));
    decode(&secret, &format!("S{}", swapped(body.chars()).collect::<String>()))
}

/// The vectors are fixed, so that the 2⁻¹⁶ chance of a tag fitting by accident is either there or not.
#[test]
fn one_wrong_character_never_names_another_customer() {
    let mut tried = 0;
    for Vector { secret, meta, key, .. } in vectors() {
        for place in 0..KEY_CHARS {
            for character in ('A'..='Z').chain('0'..='9') {
                let changed: String =
                    key.chars().enumerate().map(|(at, old)| if at == place { character } else { old }).collect();
                let read = decode(&secret, &changed);
                assert!(read.is_err() || read.unwrap().customer == meta.customer, "{key} → {changed}");
                assert!(read.is_err() || place == 0 || changed == key, "only the letter is outside the tag: {changed}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 10 * 37 * 36);
}

prop_compose! {
    fn any_meta()(
        service in 0_usize..3, network in 0_u8..2, access in 0_usize..3, group in 0_u8..8, customer in 1_u32..
    ) -> KeyMeta {
        let accesses = [
            Access::Open,
            Access::Permission { source: Source::Derived },
            Access::Permission { source: Source::Imported },
        ];
        KeyMeta {
            service: Service::ALL[service],
            network: Network::from_number(network).unwrap(),
            access: accesses[access],
            process_group: ProcessGroup::new(group).unwrap(),
            customer: CustomerId::new(customer).unwrap(),
        }
    }
}

proptest! {
    #[test]
    fn what_is_minted_is_read_back(meta in any_meta(), secret: [u8; 32], iv: [u8; 4]) {
        let secret = ApiKeySecret(secret);
        let key = encode(&secret, &meta, iv);
        prop_assert_eq!(key.as_str().len(), KEY_CHARS);
        prop_assert_eq!(decode(&secret, key.as_str()), Ok(meta));
        prop_assert_eq!(key.as_str().parse::<ApiKey>(), Ok(key));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}", like_a_key in "[SRG][A-Z0-9é]{36}") {
        let secret = ApiKeySecret([1; 32]);
        for text in [text, like_a_key] {
            let _ = decode(&secret, &text);
            let _ = text.parse::<ApiKey>().map(|key| (key.hint(), key.fingerprint()));
        }
    }
}
