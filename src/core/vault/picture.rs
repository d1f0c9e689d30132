//! A content that changes customer by customer and is packed again quickly: lines and zstd frames of customers who did
//! not change are kept.
//!
//! Customers are put into groups by the leading bits of their number, which is random. A group is one zstd frame, and
//! frames one after the other are a stream like any other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::{Bound, RangeInclusive};

use sha2::{Digest, Sha256};

use super::code::VaultCode;
use super::file::Packed;
use super::text::{self, BadLine, MAX_LINE_BYTES, first_line};
use crate::core::id::CustomerId;

/// Bits of a customer's number within its group: there are 1024 groups.
const GROUP_SHIFT: u32 = 22;
/// Compression that takes about as long as encryption.
const LEVEL: i32 = 1;

/// Why a content cannot be packed.
#[derive(Debug, thiserror::Error)]
#[error("the content of the vault {code} cannot be compressed")]
pub struct NotPacked {
    pub code: VaultCode,
    pub source: std::io::Error,
}

/// The content of one vault, as lines.
#[derive(Debug, Clone)]
pub struct Picture {
    code: VaultCode,
    lines: BTreeMap<CustomerId, Box<[u8]>>,
    /// Frames of groups that have lines and did not change since they were packed.
    frames: BTreeMap<u32, Box<[u8]>>,
    content_bytes: u64,
}

impl Picture {
    /// Of nobody.
    pub fn new(code: VaultCode) -> Self {
        Self { code, lines: BTreeMap::new(), frames: BTreeMap::new(), content_bytes: length(&first_line(code)) }
    }

    pub fn code(&self) -> VaultCode {
        self.code
    }

    /// Customers in it.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Puts a customer in as it is from here on, or out. Tells whether that changes anything.
    ///
    /// # Errors
    /// [`BadLine`] for an entry that no reader would take, which would refuse the whole vault then; the customer stays as
    /// it was.
    pub fn set<E: text::Entry>(&mut self, customer: CustomerId, entry: Option<&E>) -> Result<bool, BadLine> {
        let line = entry.map(|entry| {
            let mut line = Vec::new();
            entry.write_line(customer, &mut line);
            line.into_boxed_slice()
        });
        if self.lines.get(&customer) == line.as_ref() {
            return Ok(false);
        }
        line.as_deref().map_or(Ok(()), readable::<E>)?;
        self.frames.remove(&group_of(customer));
        self.content_bytes += line.as_deref().map_or(0, length);
        let before = match line {
            Some(line) => self.lines.insert(customer, line),
            None => self.lines.remove(&customer),
        };
        self.content_bytes -= before.as_deref().map_or(0, length);
        Ok(true)
    }

    /// Who is in it.
    pub fn customers(&self) -> impl Iterator<Item = CustomerId> {
        self.lines.keys().copied()
    }

    /// SHA-256 of the whole content.
    pub fn content_sha256(&self) -> [u8; 32] {
        let start = Sha256::new().chain_update(first_line(self.code));
        self.lines.values().fold(start, |hash, line| hash.chain_update(line)).finalize().into()
    }

    /// The content, ready for a file.
    ///
    /// # Errors
    /// [`NotPacked`].
    pub fn pack(&mut self) -> Result<Packed, NotPacked> {
        let code = self.code;
        let failed = |source| NotPacked { code, source };
        let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(failed)?;
        let mut frames = compressor.compress(&first_line(code)).map_err(failed)?;
        let mut next = self.lines.keys().next().copied();
        while let Some(customer) = next {
            let group = group_of(customer);
            let frame = match self.frames.entry(group) {
                Entry::Occupied(kept) => kept.into_mut(),
                Entry::Vacant(place) => {
                    let mut text = Vec::new();
                    for (_, line) in self.lines.range(customers_of(group)) {
                        text.extend_from_slice(line);
                    }
                    place.insert(compressor.compress(&text).map_err(failed)?.into())
                }
            };
            frames.extend_from_slice(frame);
            next = self.lines.range(customers_after(group)).next().map(|(customer, _)| *customer);
        }
        Ok(Packed {
            entries: u32::try_from(self.lines.len()).unwrap_or(u32::MAX),
            content_bytes: self.content_bytes,
            content_sha256: self.content_sha256(),
            frames,
        })
    }
}

/// As whoever reads a vault looks at each of its lines.
fn readable<E: text::Entry>(line: &[u8]) -> Result<(), BadLine> {
    let line = line.strip_suffix(b"\n").ok_or(BadLine::Cut)?;
    if line.len() > MAX_LINE_BYTES {
        return Err(BadLine::TooLong);
    }
    E::read_line(line).map(drop)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn group_of(customer: CustomerId) -> u32 {
    customer.get() >> GROUP_SHIFT
}

fn customers_of(group: u32) -> RangeInclusive<CustomerId> {
    first_of(group)..=last_of(group)
}

fn customers_after(group: u32) -> (Bound<CustomerId>, Bound<CustomerId>) {
    (Bound::Excluded(last_of(group)), Bound::Unbounded)
}

fn first_of(group: u32) -> CustomerId {
    CustomerId::new(group << GROUP_SHIFT).unwrap_or(CustomerId::MIN)
}

fn last_of(group: u32) -> CustomerId {
    CustomerId::new((group << GROUP_SHIFT) | ((1 << GROUP_SHIFT) - 1)).unwrap_or(CustomerId::MIN)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::core::haproxy_map::KeyHash;
    use crate::core::id::{Network, Service};
    use crate::core::tier::Tier;
    use crate::core::vault::content::{ApiEntry, ApiVault, Content, Limits, Status, VaultKey};

    const CODE: VaultCode = VaultCode::api(Service::Seal, Network::Testnet);

    fn entry(guaranteed_per_s: u32) -> ApiEntry {
        ApiEntry {
            tier: Tier::Starter,
            status: Status::On,
            limits: Limits { guaranteed_per_s, burst_per_s: 0, per_ip_per_s: 0, burst_priority: 3 },
            keys: vec![VaultKey { sha256: KeyHash([7; 32]), fingerprint: 1, expires_at: None }],
            allowlist: None,
        }
    }

    /// Ids around the borders of groups.
    fn customers() -> Vec<CustomerId> {
        let group = 1 << GROUP_SHIFT;
        let numbers = [1, 2, group - 1, group, group + 1, 5 * group, u32::MAX - 1, u32::MAX];
        numbers.map(|number| CustomerId::new(number).unwrap()).into()
    }

    #[test]
    fn what_is_packed_piece_by_piece_is_the_content_as_a_whole() {
        let mut picture = Picture::new(CODE);
        let mut expected = ApiVault::new();
        let ids = customers();
        // Each step puts a customer in, changes it, or takes it out; packing in between keeps frames.
        for step in 0..60_u32 {
            let customer = ids[usize::try_from(step * 7).unwrap() % ids.len()];
            let entry = (step % 5 != 4).then(|| entry(step / 9));
            let before = match &entry {
                Some(entry) => expected.insert(customer, entry.clone()),
                None => expected.remove(&customer),
            };
            assert_eq!(picture.set(customer, entry.as_ref()), Ok(before != entry), "step {step}");
            let packed = picture.pack().unwrap();
            let text = text::write(CODE, &Content::Api(expected.clone()));
            assert_eq!(zstd::decode_all(packed.frames.as_slice()).unwrap(), text, "step {step}");
            assert_eq!(packed.content_bytes, length(&text));
            assert_eq!(packed.content_sha256[..], Sha256::digest(&text)[..]);
            assert_eq!(usize::try_from(packed.entries).unwrap(), expected.len());
            assert_eq!(packed.content_sha256, picture.content_sha256());
        }
        assert_eq!(picture.customers().collect::<BTreeSet<_>>(), expected.keys().copied().collect());
    }

    #[test]
    fn what_no_reader_would_take_is_refused_and_changes_nothing() {
        let mut picture = Picture::new(CODE);
        assert_eq!(picture.set(CustomerId::MIN, Some(&entry(5))), Ok(true));
        let before = picture.content_sha256();
        let keys = |count: u32| -> Vec<VaultKey> {
            let hash = |number: u32| KeyHash([number.to_be_bytes(); 8].concat().try_into().unwrap());
            let key = |number| VaultKey { sha256: hash(number), fingerprint: 1, expires_at: None };
            (0..count).map(key).collect()
        };
        let with_keys = |keys| ApiEntry { keys, ..entry(5) };
        let priority = |burst_priority| ApiEntry { limits: Limits { burst_priority, ..entry(5).limits }, ..entry(5) };
        for (refused, reason) in [
            (with_keys(keys(15_000)), BadLine::TooLong),
            (with_keys(Vec::new()), BadLine::Value),
            (with_keys([keys(2), keys(1)].concat()), BadLine::Value),
            (priority(0), BadLine::Value),
            (ApiEntry { allowlist: Some(vec!["10.0.0.1/8".parse().unwrap()]), ..entry(5) }, BadLine::Value),
        ] {
            assert_eq!(picture.set(CustomerId::MIN, Some(&refused)), Err(reason));
            assert_eq!((picture.content_sha256(), picture.len()), (before, 1));
        }
        assert_eq!(picture.set(CustomerId::MIN, Some(&with_keys(keys(10_000)))), Ok(true));
        let packed = picture.pack().unwrap();
        let text = zstd::decode_all(packed.frames.as_slice()).unwrap();
        assert_eq!(text::parse(CODE, &text).map(|content| content.len()), Ok(1));
    }
}
