//! Which part of a log file an import counts, when a part of it was counted before.
//!
//! Files are recognised by how they begin, so what was followed before it was packed is told from what never was.

/// What the store knows of a log that begins in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The first byte that was counted when it was followed.
    pub counted_from: u64,
    /// The first byte that was not.
    pub read_offset: u64,
    /// Whether it is still there, so that whoever follows it counts what comes.
    pub is_followed: bool,
}

/// The bytes of the unpacked file to count: those before `end`, without those from `skip_from` to `skip_to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub skip_from: u64,
    pub skip_to: u64,
    pub end: u64,
}

impl Plan {
    /// Everything that was not counted and will not be counted otherwise.
    pub fn of(known: &[Known]) -> Self {
        let counted = || known.iter().filter(|file| file.counted_from < file.read_offset);
        let followed = known.iter().filter(|file| file.is_followed).map(|file| file.counted_from);
        Self {
            skip_from: counted().map(|file| file.counted_from).min().unwrap_or(u64::MAX),
            skip_to: counted().map(|file| file.read_offset).max().unwrap_or(u64::MAX),
            end: followed.min().unwrap_or(u64::MAX),
        }
    }

    /// Whether a line that begins at this byte is to be counted.
    pub fn counts(&self, offset: u64) -> bool {
        offset < self.end && !(self.skip_from..self.skip_to).contains(&offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: u64 = u64::MAX;

    #[test]
    fn a_byte_is_counted_by_whoever_comes_to_it_first_and_by_nobody_else() {
        let file = |counted_from, read_offset, is_followed| Known { counted_from, read_offset, is_followed };
        for (known, expected) in [
            (vec![], "111111"),
            // Read to its end or to its middle before it was packed.
            (vec![file(0, 600, false)], "000000"),
            (vec![file(0, 300, false)], "000111"),
            // History up to a place, followed from there.
            (vec![file(200, 400, false)], "110011"),
            (vec![file(200, 400, true)], "110000"),
            (vec![file(600, 600, true)], "111111"),
            (vec![file(0, 100, true)], "000000"),
            // Put there by somebody, and never read.
            (vec![file(NEVER, NEVER, true)], "111111"),
            // A log and its copy.
            (vec![file(0, 300, false), file(0, 500, false)], "000001"),
            (vec![file(0, 300, false), file(0, 500, true)], "000000"),
        ] {
            let plan = Plan::of(&known);
            let counted: String = (0..6).map(|part| if plan.counts(part * 100) { '1' } else { '0' }).collect();
            assert_eq!(counted, expected, "{known:?}");
        }
    }
}
