use super::*;
use crate::core::haproxy_map::KeyHash;
use crate::core::id::{CustomerId, Network, Service};
use crate::core::tier::Tier;
use crate::core::vault::content::{ApiEntry, Limits, Status, VaultKey};
use crate::core::vault::picture::Picture;

const CODE: VaultCode = VaultCode::api(Service::Seal, Network::Mainnet);
const CREATED: UtcMillis = UtcMillis(1_795_424_400_123);

fn sealer() -> VaultSealer {
    VaultSealer::new((3, [1; 32]), &[2; 32])
}

fn opener() -> VaultOpener {
    VaultOpener::new([(2, [9; 32]), (3, [1; 32])], sealer().public_key())
}

fn picture(customers: u32) -> Picture {
    let mut picture = Picture::new(CODE);
    for number in 1..=customers {
        let key = VaultKey {
            sha256: KeyHash::of(&number.to_string()),
            fingerprint: number,
            expires_at: (number % 2 == 0).then_some(CREATED),
        };
        let entry = ApiEntry {
            tier: Tier::Enterprise,
            status: Status::On,
            limits: Limits { guaranteed_per_s: 100, burst_per_s: 300, per_ip_per_s: 0, burst_priority: 1 },
            keys: vec![key],
            allowlist: None,
        };
        picture.set(CustomerId::new(number * 77_777_777).unwrap(), Some(&entry)).unwrap();
    }
    picture
}

fn new_vault() -> NewVault {
    NewVault { code: CODE, sequence: 41, created: CREATED, previous: VaultHash([5; 32]) }
}

fn sealed() -> (Vec<u8>, VaultHash) {
    sealer().seal(&new_vault(), picture(3).pack().unwrap(), [7; 12]).unwrap()
}

/// A file with a good signature around a header and something sealed that need not be right.
fn signed_file(change: impl FnOnce(&mut [u8; HEADER_BYTES]), mut frames: Vec<u8>) -> Vec<u8> {
    let packed = picture(3).pack().unwrap();
    let header = Header {
        code: CODE,
        sequence: 1,
        created: CREATED,
        entries: packed.entries,
        content_bytes: packed.content_bytes,
        content_sha256: packed.content_sha256,
        previous: VaultHash::NONE,
        vault_key: 3,
    };
    let mut head = write_header(&header, [7; 12], u64::try_from(frames.len() + TAG_BYTES).unwrap());
    change(&mut head);
    cipher(&[1; 32]).encrypt_in_place(&[7; 12].into(), &head, &mut frames).unwrap();
    let signature = sealer().signing.sign(&signed(hash_of(&head, &Sha256::digest(&frames).into())));
    [head.as_slice(), &frames, &signature.to_bytes()].concat()
}

#[test]
fn what_was_sealed_opens() {
    let (file, hash) = sealed();
    let opened = opener().open(&file).unwrap();
    let packed = picture(3).pack().unwrap();
    let expected = Header {
        code: CODE,
        sequence: 41,
        created: CREATED,
        entries: 3,
        content_bytes: packed.content_bytes,
        content_sha256: packed.content_sha256,
        previous: VaultHash([5; 32]),
        vault_key: 3,
    };
    assert_eq!((opened.header, opened.hash), (expected, hash));
    assert_eq!(opened.content.len(), 3);
    assert_eq!(claimed_header(&file), Ok(expected));
    assert_eq!(opener().verify(&file), Ok((expected, hash)));
    let text = zstd::decode_all(packed.frames.as_slice()).unwrap();
    assert_eq!(opener().open_text(&file), Ok((expected, hash, text.clone())));
    assert!(!file.windows(12).any(|window| text.starts_with(window)), "the content is readable");
}

/// The bytes of the table in the module's documentation.
#[test]
fn every_field_is_where_the_table_says() {
    let (file, _) = sealed();
    let packed = picture(3).pack().unwrap();
    let sealed_bytes = packed.frames.len() + TAG_BYTES;
    assert_eq!(file.len(), HEADER_BYTES + sealed_bytes + 64);
    for (at, expected) in [
        (0, b"SUIVAULT".to_vec()),
        (8, vec![1]),
        (9, b"sma".to_vec()),
        (12, 3_u32.to_be_bytes().into()),
        (16, 41_u64.to_be_bytes().into()),
        (24, CREATED.0.to_be_bytes().into()),
        (32, 3_u32.to_be_bytes().into()),
        (36, packed.content_bytes.to_be_bytes().into()),
        (44, packed.content_sha256.into()),
        (76, vec![5; 32]),
        (108, vec![7; 12]),
        (120, u64::try_from(sealed_bytes).unwrap().to_be_bytes().into()),
    ] {
        assert_eq!(file[at..at + expected.len()], expected, "at {at}");
    }
}

#[test]
fn a_change_of_any_bit_is_refused() {
    let (file, _) = sealed();
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(opener().verify(&changed).is_err(), "bit {bit}");
        assert!(opener().open(&changed).is_err(), "bit {bit}");
    }
    for length in 0..file.len() {
        assert!(opener().open(&file[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(opener().open(&[file.as_slice(), b"x"].concat()), Err(BadFile::Length));
}

#[test]
fn the_keys_must_be_those_that_it_was_made_with() {
    let (file, _) = sealed();
    let public = sealer().public_key();
    let another = VaultSealer::new((3, [1; 32]), &[3; 32]).public_key();
    for (opener, expected) in [
        (VaultOpener::new([(3, [1; 32])], another), BadFile::Signature),
        (VaultOpener::new([(2, [1; 32])], public), BadFile::UnknownKey(3)),
        (VaultOpener::new([(3, [8; 32])], public), BadFile::Decryption(3)),
    ] {
        assert_eq!(opener.open(&file), Err(expected));
    }
}

/// Whoever has the signing key could write these; they must do no harm all the same.
#[test]
fn what_is_signed_and_wrong_is_refused_too() {
    let good = picture(3).pack().unwrap();
    let put = |at: usize, bytes: &'static [u8]| {
        move |head: &mut [u8; HEADER_BYTES]| head[at..at + bytes.len()].copy_from_slice(bytes)
    };
    let text = zstd::decode_all(good.frames.as_slice()).unwrap();
    let bomb = zstd::encode_all(std::io::repeat(b'\n').take(64 * 1024 * 1024).chain(text.as_slice()), 1).unwrap();
    assert!(opener().open(&signed_file(|_| (), good.frames.clone())).is_ok());
    let another = picture(2).pack().unwrap().frames;
    for (file, expected) in [
        (signed_file(put(0, b"X"), good.frames.clone()), BadFile::NotAVault),
        (signed_file(put(8, &[2]), good.frames.clone()), BadFile::Version(2)),
        (signed_file(put(9, b"xyz"), good.frames.clone()), BadFile::Header("code")),
        (
            signed_file(put(9, b"sta"), good.frames.clone()),
            BadFile::Content(BadContent::FirstLine("sta".parse().unwrap())),
        ),
        (signed_file(put(16, &[0; 8]), good.frames.clone()), BadFile::Header("sequence")),
        (signed_file(put(16, &[0xFF; 8]), good.frames.clone()), BadFile::Header("sequence")),
        (signed_file(put(32, &[0, 0, 0, 9]), good.frames.clone()), BadFile::Entries { said: 9, found: 3 }),
        (signed_file(put(36, &[0xFF; 8]), good.frames.clone()), BadFile::Header("content length")),
        (signed_file(put(36, &[0; 8]), good.frames.clone()), BadFile::Packing),
        (signed_file(put(44, &[0]), good.frames.clone()), BadFile::Digest),
        (signed_file(put(120, &[0xFF; 8]), good.frames.clone()), BadFile::Header("sealed length")),
        (signed_file(put(120, &[0; 8]), good.frames.clone()), BadFile::Length),
        (signed_file(|_| (), b"no frames".to_vec()), BadFile::Packing),
        (signed_file(|_| (), Vec::new()), BadFile::Packing),
        (signed_file(|_| (), bomb), BadFile::Packing),
        (signed_file(|_| (), another), BadFile::Packing),
    ] {
        assert_eq!(opener().open(&file).map(|_| ()), Err(expected));
    }
}

#[test]
fn a_sequence_has_nine_digits() {
    for (sequence, is_right) in [(0, false), (1, true), (MAX_SEQUENCE, true), (MAX_SEQUENCE + 1, false)] {
        let sealed = sealer().seal(&NewVault { sequence, ..new_vault() }, picture(0).pack().unwrap(), [7; 12]);
        assert_eq!(sealed.is_ok(), is_right, "{sequence}");
    }
}

#[test]
fn nobody_is_a_vault_too() {
    let (file, _) = sealer().seal(&new_vault(), picture(0).pack().unwrap(), [7; 12]).unwrap();
    assert!(opener().open(&file).unwrap().content.is_empty());
}

#[test]
fn public_keys_are_shown_and_weak_ones_refused() {
    let public = sealer().public_key();
    assert_eq!(VaultPublicKey::new(public.bytes()), Ok(public));
    assert_eq!(public.to_string(), HEXLOWER.encode(&public.bytes()));
    assert_eq!(VaultPublicKey::new([0; 32]), Err(NotAPublicKey));
    assert_eq!(VaultPublicKey::new([2; 32]), Err(NotAPublicKey));
    assert_eq!(
        format!("{:?} {:?}", sealer(), opener()),
        "VaultSealer { vault_key: 3 } VaultOpener { vault_keys: [2, 3] }"
    );
}
