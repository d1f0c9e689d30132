//! Latencies as counts in a bounded number of buckets: additive, small, and every percentile within
//! [`RELATIVE_ERROR_PERCENT`] of the exact one.
//!
//! Buckets are numbered from 0, lie side by side and cover every `u32` of milliseconds. A bucket from `first` to `last`
//! stands for `value`, chosen so that neither end is more than a twentieth away:
//!
//! ```text
//! value = ⌊first · 21/20⌋     so  value − first ≤ first / 20
//! last  = ⌊value · 20/19⌋     so  last − value  ≤ last / 20
//! ```
//! Up to 18 ms each millisecond has a bucket of its own; from there widths grow by about a tenth (the log-spaced buckets
//! of DDSketch, in whole numbers). The numbering is stored, so it never changes.

use std::sync::LazyLock;

/// How far a percentile may be from the exact one, in percent of the exact one.
pub const RELATIVE_ERROR_PERCENT: u32 = 5;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    value: u32,
    last: u32,
}

/// In the order of their numbers; the last one ends with `u32::MAX`.
static BUCKETS: LazyLock<Vec<Bucket>> = LazyLock::new(|| {
    let next = |bucket: &Bucket| bucket.last.checked_add(1).map(Bucket::from);
    std::iter::successors(Some(Bucket::from(0)), next).collect()
});

impl From<u32> for Bucket {
    /// The bucket that begins with `first`.
    fn from(first: u32) -> Self {
        let value = first.saturating_add(first / 20);
        Self { value, last: value.saturating_add(value / 19) }
    }
}

/// The buckets of most latencies.
static SHORT: LazyLock<Vec<u8>> = LazyLock::new(|| (0..1024).map(search).collect());

/// The number of the bucket that a latency falls into.
pub fn bucket_of(ms: u32) -> u8 {
    let short = usize::try_from(ms).ok().and_then(|ms| SHORT.get(ms));
    short.copied().unwrap_or_else(|| search(ms))
}

fn search(ms: u32) -> u8 {
    u8::try_from(BUCKETS.partition_point(|bucket| bucket.last < ms)).unwrap_or(u8::MAX)
}

/// How often latencies fell into each bucket. Merging is adding, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LatencyHistogram {
    /// By bucket, without empty ones: most requests of a customer are alike, so these are few.
    counts: Vec<(u8, u64)>,
}

impl LatencyHistogram {
    /// Adds `times` requests that took `ms` each.
    pub fn record(&mut self, ms: u32, times: u64) {
        self.add(bucket_of(ms), times);
    }

    /// Adds to one bucket; counts end at `u64::MAX`.
    pub fn add(&mut self, bucket: u8, times: u64) {
        match self.counts.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(index) => {
                if let Some((_, count)) = self.counts.get_mut(index) {
                    *count = count.saturating_add(times);
                }
            }
            Err(index) if times > 0 => self.counts.insert(index, (bucket, times)),
            Err(_) => {}
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (bucket, times) in &other.counts {
            self.add(*bucket, *times);
        }
    }

    /// Buckets that are not empty, by number.
    pub fn counts(&self) -> &[(u8, u64)] {
        &self.counts
    }

    /// Requests in it.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |total: u64, (_, times)| total.saturating_add(*times))
    }

    /// The latency in ms that `percent` of 100 requests did not exceed (nearest rank), within
    /// [`RELATIVE_ERROR_PERCENT`]; `None` without any request.
    pub fn percentile(&self, percent: u8) -> Option<u32> {
        let rank = (u128::from(self.total()) * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut passed = 0;
        for (bucket, times) in &self.counts {
            passed += u128::from(*times);
            if passed >= rank {
                return BUCKETS.get(usize::from(*bucket)).or(BUCKETS.last()).map(|bucket| bucket.value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_lie_side_by_side_and_their_numbers_never_change() {
        assert_eq!(BUCKETS.len(), 212);
        assert_eq!(BUCKETS.last().unwrap().last, u32::MAX);
        for (ms, bucket) in [
            (0, 0),
            (1, 1),
            (18, 18),
            (19, 19),
            (20, 19),
            (21, 20),
            (100, 35),
            (1000, 58),
            (60_000, 99),
            (u32::MAX, 211),
        ] {
            assert_eq!(bucket_of(ms), bucket, "{ms} ms");
        }
        let mut first = 0;
        for (number, bucket) in (0..).zip(BUCKETS.iter()) {
            assert_eq!((bucket_of(first), bucket_of(bucket.last)), (number, number));
            assert!(u64::from(bucket.value - first) * 20 <= u64::from(first), "{bucket:?}");
            assert!(u64::from(bucket.last - bucket.value) * 20 <= u64::from(bucket.last), "{bucket:?}");
            first = bucket.last.wrapping_add(1);
        }
    }

    #[test]
    fn nothing_has_no_percentile_and_one_has_them_all() {
        assert_eq!(LatencyHistogram::default().percentile(50), None);
        let mut one = LatencyHistogram::default();
        one.record(7, 0);
        assert_eq!((one.total(), one.percentile(99)), (0, None));
        one.record(7, 1);
        assert_eq!([0, 50, 100].map(|percent| one.percentile(percent)), [Some(7); 3]);
        one.add(200, u64::MAX);
        assert_eq!(one.total(), u64::MAX, "counts end, and do not wrap");
    }

    proptest! {
        #[test]
        fn percentiles_are_within_five_percent_however_it_was_merged(
            latencies in prop::collection::vec(prop_oneof![0..300_u32, 0..100_000_u32, any::<u32>()], 1..300),
            cut in any::<prop::sample::Index>(),
            percent in 1..=100_u8,
        ) {
            let of = |part: &[u32]| {
                let mut histogram = LatencyHistogram::default();
                part.iter().for_each(|ms| histogram.record(*ms, 1));
                histogram
            };
            let (one, other) = latencies.split_at(cut.index(latencies.len()));
            let mut merged = of(other);
            merged.merge(&of(one));
            prop_assert_eq!(&merged, &of(&latencies));
            let mut sorted = latencies.clone();
            sorted.sort_unstable();
            let rank = (sorted.len() * usize::from(percent)).div_ceil(100).max(1);
            let (exact, found) = (u64::from(sorted[rank - 1]), u64::from(merged.percentile(percent).unwrap()));
            prop_assert!(exact.abs_diff(found) * 100 <= exact * u64::from(RELATIVE_ERROR_PERCENT), "{exact} {found}");
        }
    }
}
