//! When a month's usage is final: when every source has delivered what was written past its end and a grace, or after a
//! day at most. What arrives later is billed on the next invoice.

use crate::core::calendar::{HOUR_MS, Month, UtcMillis};

/// How far past the end of a month a source must have delivered.
pub const GRACE_MS: i64 = HOUR_MS;
/// Nobody is waited for longer than this.
pub const MOST_MS: i64 = 24 * HOUR_MS;

/// How far a source of log lines has delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceMark {
    pub source: String,
    /// Everything that was written before this instant has arrived.
    pub delivered_to: UtcMillis,
}

/// Whether a month can be billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finality {
    /// It is not over, or the grace is running.
    Running { until: UtcMillis },
    /// Some sources are behind, in the order given; `until` at the latest.
    Waiting { behind: Vec<String>, until: UtcMillis },
    /// Final. `behind`: those whose lines may follow as late usage.
    Final { behind: Vec<String> },
}

/// Decides it for all customers at once.
pub fn finality(month: Month, sources: &[SourceMark], now: UtcMillis) -> Finality {
    let (passed, latest) = (month.end().plus_ms(GRACE_MS), month.end().plus_ms(MOST_MS));
    if now < passed {
        return Finality::Running { until: passed };
    }
    let is_behind = |source: &&SourceMark| source.delivered_to < passed;
    let behind: Vec<_> = sources.iter().filter(is_behind).map(|source| source.source.clone()).collect();
    if behind.is_empty() || now >= latest {
        Finality::Final { behind }
    } else {
        Finality::Waiting { behind, until: latest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_waited_for_but_not_for_ever() {
        let month: Month = "2025-02".parse().unwrap();
        let end = month.end();
        let waiting = |behind: &[&str]| Finality::Waiting {
            behind: behind.iter().map(|name| (*name).to_owned()).collect(),
            until: end.plus_ms(MOST_MS),
        };
        let done = |behind: &[&str]| Finality::Final { behind: behind.iter().map(|name| (*name).to_owned()).collect() };
        let running = Finality::Running { until: end.plus_ms(GRACE_MS) };
        for (minutes_after_end, marks, expected) in [
            (-60, vec![("a", 9_999)], running.clone()),
            (59, vec![("a", 60)], running),
            (60, vec![], done(&[])),
            (60, vec![("a", 60), ("b", 61)], done(&[])),
            (60, vec![("a", 60), ("b", 59)], waiting(&["b"])),
            (24 * 60 - 1, vec![("a", -99), ("b", 59)], waiting(&["a", "b"])),
            (24 * 60, vec![("a", -99), ("b", 60)], done(&["a"])),
        ] {
            let at = |minutes: i64| end.plus_ms(minutes * 60_000);
            let marks: Vec<_> = marks
                .into_iter()
                .map(|(source, minutes)| SourceMark { source: source.to_owned(), delivered_to: at(minutes) })
                .collect();
            assert_eq!(finality(month, &marks, at(minutes_after_end)), expected, "{minutes_after_end} {marks:?}");
        }
    }
}
