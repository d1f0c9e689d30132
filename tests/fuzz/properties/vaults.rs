//! Vaults: their files and the text in them.

use suiftly::core::calendar::UtcMillis;
use suiftly::core::vault::{NewVault, Packed, VaultCode, VaultHash, VaultOpener, VaultSealer, claimed_header, text};

fn sealer() -> VaultSealer {
    VaultSealer::new((1, [1; 32]), &[2; 32])
}

fn opener() -> VaultOpener {
    VaultOpener::new([(1, [1; 32])], sealer().public_key())
}

/// Any bytes are a vault that was signed, or are refused. Any bytes in the place of what is packed in a signed vault are
/// a content, or are refused.
pub fn vault_file(bytes: &[u8]) -> bool {
    let _ = claimed_header(bytes);
    let opened = opener().open(bytes);
    if let Ok(opened) = &opened {
        assert_eq!(opener().verify(bytes), Ok((opened.header, opened.hash)));
        assert_eq!(claimed_header(bytes), Ok(opened.header));
    }
    let (length, frames) = bytes.split_at(bytes.len().min(2));
    let content_bytes = length.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let packed = Packed { entries: 1, content_bytes, content_sha256: [0; 32], frames: frames.to_vec() };
    let new = NewVault { code: VaultCode::ALL[0], sequence: 1, created: UtcMillis(0), previous: VaultHash::NONE };
    let (file, _) = sealer().seal(&new, packed, [3; 12]).expect("a short file");
    assert!(opener().verify(&file).is_ok());
    assert!(opener().open(&file).is_err(), "a content whose SHA-256 is zeros");
    opened.is_ok()
}

/// Any text is the content of one vault in its one spelling, or is refused.
pub fn vault_text(bytes: &[u8]) -> bool {
    let mut taken = 0;
    for code in VaultCode::ALL {
        if let Ok(content) = text::parse(code, bytes) {
            assert_eq!(text::write(code, &content), bytes);
            taken += 1;
        }
        // The same lines as those of this vault.
        let lines = [text::first_line(code).as_slice(), bytes].concat();
        if let Ok(content) = text::parse(code, &lines) {
            assert_eq!(text::write(code, &content), lines);
        }
    }
    assert!(taken <= 1, "one text is the content of {taken} vaults");
    taken == 1
}
