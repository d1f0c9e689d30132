//! How many lines HAProxy has written that never came: the span of its line counter against the lines received.
//!
//! `%lc` counts the lines of one frontend in one worker, delivered or not. Two threads may show the same number, so
//! numbers are not looked for one by one: per worker, listener and minute, [`Span`] keeps the least and greatest number
//! and how many lines came. Spans of the same minute merge in any order, so batches, restarts, late lines and imports
//! all lead to the same counts.
//!
//! [`lost_by_hour`] lays a worker's minutes side by side. What its counter has gone on by, less what came, is lost. A gap
//! belongs to the hour whose first line reveals it. A number far below the one before it is that of another worker with
//! the same pid, and its span begins anew. When two workers of one pid share a minute, some of what is lost there may
//! stay unseen. Nothing that came is taken for lost, but for one line at the most where a worker's lines begin to be seen:
//! the first may show the number of another one that was written before. A line that came and could not be read counts as
//! lost.

use hashbrown::HashMap;

use crate::core::calendar::UtcMillis;
use crate::core::log_line::RequestLine;

/// Lines of one frontend that are written at the same time may come in another order, by so many at the most.
const MOST_OUT_OF_ORDER: u64 = 1024;
/// And so far apart.
const OUT_OF_ORDER_MS: i64 = 200;

/// One frontend of one worker in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanKey {
    pub gateway: u8,
    pub pid: u32,
    /// A frontend's number; one with several ports shares its counter among them, and seems to lose lines.
    pub listener_port: u16,
    /// The minute in which the line was written, which is when its request ended.
    pub minute: UtcMillis,
}

/// The line counter in that minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub first: u64,
    pub last: u64,
    pub received: u64,
    /// When the lines with the least and the greatest number were written: the other way round if a worker began anew.
    pub first_at: UtcMillis,
    pub last_at: UtcMillis,
}

impl Span {
    fn merge(&mut self, other: &Self) {
        (self.first, self.first_at) = (self.first, self.first_at).min((other.first, other.first_at));
        (self.last, self.last_at) = (self.last, self.last_at).max((other.last, other.last_at));
        self.received = self.received.saturating_add(other.received);
    }
}

/// The spans of one batch.
#[derive(Debug, Default)]
pub struct Spans {
    spans: HashMap<SpanKey, Span>,
    /// The span that the last line was in: the next is mostly in it, too.
    newest: Option<(SpanKey, Span)>,
}

impl Spans {
    /// Adds one line, unless its format has no counters.
    pub fn add(&mut self, line: &RequestLine<'_>) {
        if line.log_counter == 0 && line.request_counter == 0 {
            return;
        }
        let end = line.ts.plus_ms(i64::from(line.times.total_ms.max(0)));
        let key =
            SpanKey { gateway: line.gateway, pid: line.pid, listener_port: line.listener_port, minute: end.minute() };
        let (counter, received) = (line.log_counter, u64::from(line.repeat));
        let span = Span { first: counter, last: counter, received, first_at: end, last_at: end };
        match &mut self.newest {
            Some((newest, sum)) if *newest == key => sum.merge(&span),
            _ => {
                self.put_newest_away();
                self.newest = Some((key, span));
            }
        }
    }

    fn put_newest_away(&mut self) {
        if let Some((key, span)) = self.newest.take() {
            self.spans.entry(key).and_modify(|sum| sum.merge(&span)).or_insert(span);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.newest.is_none()
    }

    /// Takes all spans, in no order.
    pub fn take(&mut self) -> Vec<(SpanKey, Span)> {
        self.put_newest_away();
        self.spans.drain().collect()
    }
}

/// One hour of one frontend of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourOfLines {
    pub hour: UtcMillis,
    pub received: u64,
    pub lost: u64,
}

/// What one worker has lost of one frontend's lines, by hour, from its spans in the order of their minutes.
pub fn lost_by_hour(spans: &[(UtcMillis, Span)]) -> Vec<HourOfLines> {
    let mut hours: Vec<HourOfLines> = Vec::new();
    let mut rest = spans;
    while !rest.is_empty() {
        let (run, later) = rest.split_at(length_of_run(rest));
        for ((minute, span), lost) in run.iter().zip(lost_of_run(run)) {
            let (hour, received) = (minute.hour(), span.received);
            match hours.last_mut().filter(|last| last.hour == hour) {
                Some(last) => {
                    last.received = last.received.saturating_add(received);
                    last.lost = last.lost.saturating_add(lost);
                }
                None => hours.push(HourOfLines { hour, received, lost }),
            }
        }
        rest = later;
    }
    hours
}

/// How many spans at the start are of one process.
fn length_of_run(spans: &[(UtcMillis, Span)]) -> usize {
    let mut last = 0;
    for (length, (_, span)) in spans.iter().enumerate() {
        if span.last.saturating_add(MOST_OUT_OF_ORDER) <= last {
            return length;
        }
        last = last.max(span.last);
    }
    spans.len()
}

/// What each span of a run adds to what is lost for good. A line that comes in the next minute, or much later into an
/// earlier one, makes up for a gap: so a gap only counts as far as nothing after it has made up for it.
fn lost_of_run(run: &[(UtcMillis, Span)]) -> Vec<u64> {
    let mut missing = Vec::with_capacity(run.len());
    let (mut sum, mut last) = (0_i128, None);
    for (_, span) in run {
        let before = last.unwrap_or_else(|| before_first(span));
        let greatest = i128::from(span.last).max(before);
        sum += greatest - before - i128::from(span.received);
        last = Some(greatest);
        missing.push(sum);
    }
    let mut least = i128::MAX;
    for sum in missing.iter_mut().rev() {
        least = least.min(*sum).max(0);
        *sum = least;
    }
    let before = std::iter::once(0).chain(missing.iter().copied());
    missing.iter().zip(before).map(|(sum, before)| u64::try_from(sum - before).unwrap_or(0)).collect()
}

/// The number before the first one of a run. If its first minute has two workers, where the older one's lines began
/// is not known, and nothing of them is taken for lost.
fn before_first(span: &Span) -> i128 {
    let has_two_workers = span.first_at.0 > span.last_at.0.saturating_add(OUT_OF_ORDER_MS);
    if has_two_workers { i128::from(span.last) - i128::from(span.received) } else { i128::from(span.first) - 1 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn spans(table: &[(i64, u64, u64, u64)]) -> Vec<(UtcMillis, Span)> {
        let span = |(minute, first, last, received)| {
            let (first_at, last_at) = (UtcMillis(minute * MINUTE_MS), UtcMillis(minute * MINUTE_MS + 50_000));
            (first_at, Span { first, last, received, first_at, last_at })
        };
        table.iter().copied().map(span).collect()
    }

    #[test]
    fn what_the_counter_went_on_by_and_did_not_come_is_lost() {
        for (name, table, expected) in [
            ("nothing", vec![], vec![]),
            ("all came", vec![(0, 1, 100, 100), (1, 101, 200, 100)], vec![(0, 0)]),
            ("a gap within a minute", vec![(0, 1, 100, 90)], vec![(0, 10)]),
            ("a gap between minutes", vec![(0, 1, 100, 100), (1, 151, 200, 50)], vec![(0, 50)]),
            ("a gap of hours is that of its end", vec![(0, 1, 100, 100), (180, 501, 600, 100)], vec![(0, 0), (3, 400)]),
            ("threads show a number twice", vec![(0, 1, 3, 3), (1, 3, 5, 2)], vec![(0, 0)]),
            (
                "two lines changed places at the end of an hour",
                vec![(59, 1, 102, 101), (60, 101, 200, 99)],
                vec![(0, 0), (1, 0)],
            ),
            (
                "late lines made up for a gap",
                vec![(0, 1, 499, 398), (59, 300, 400, 101), (61, 500, 700, 201)],
                vec![(0, 0), (1, 0)],
            ),
            (
                "late lines made up for one of two",
                vec![(0, 1, 499, 398), (59, 300, 400, 101), (61, 600, 700, 101)],
                vec![(0, 0), (1, 100)],
            ),
            ("another worker has the pid", vec![(0, 5001, 6000, 1000), (1, 0, 99, 90)], vec![(0, 10)]),
            ("two workers in a minute", vec![(0, 0, 6000, 7001), (1, 1001, 1500, 500)], vec![(0, 0)]),
        ] {
            let found: Vec<_> =
                lost_by_hour(&spans(&table)).iter().map(|hour| (hour.hour.0 / 60 / MINUTE_MS, hour.lost)).collect();
            let expected: Vec<(i64, u64)> = expected;
            assert_eq!(found, expected, "{name}");
        }
    }

    proptest! {
        /// Lines as HAProxy writes them, some of which never come, in batches of any order.
        #[test]
        fn exactly_the_lines_that_never_came_are_lost(
            steps in prop::collection::vec((0..40_000_i64, any::<bool>(), 0..4_usize), 2..200), begin in 0..5000_u64,
        ) {
            let mut batches = [(); 4].map(|()| BTreeMap::<UtcMillis, Span>::new());
            let (mut now, mut lost) = (0, 0);
            // The first and the last line came: what is lost outside of them, no later line tells.
            let last = steps.len() - 1;
            for (number, (pause, came, batch)) in steps.iter().enumerate() {
                now += pause;
                let counter = begin + u64::try_from(number).unwrap();
                if !came && number > 0 && number < last {
                    lost += 1;
                    continue;
                }
                let at = UtcMillis(now);
                let span = Span { first: counter, last: counter, received: 1, first_at: at, last_at: at };
                let minute = UtcMillis(now).minute();
                batches[*batch].entry(minute).and_modify(|sum| sum.merge(&span)).or_insert(span);
            }
            let mut all = BTreeMap::<UtcMillis, Span>::new();
            for (minute, span) in batches.into_iter().flatten() {
                all.entry(minute).and_modify(|sum| sum.merge(&span)).or_insert(span);
            }
            let all: Vec<_> = all.into_iter().collect();
            let hours = lost_by_hour(&all);
            prop_assert_eq!(hours.iter().map(|hour| hour.lost).sum::<u64>(), lost);
            let received = u64::try_from(steps.len()).unwrap() - lost;
            prop_assert_eq!(hours.iter().map(|hour| hour.received).sum::<u64>(), received);
        }

        /// Whatever order threads write in, and whenever workers end: what came is never taken for lost.
        #[test]
        fn nothing_that_came_is_lost(
            lines in prop::collection::vec((0..30_000_i64, 0..8_u64, 0..60_u8), 1..300), begin in 0..5_000_000_u64,
        ) {
            let mut all = BTreeMap::<UtcMillis, Span>::new();
            let (mut now, mut counter, mut resets) = (0, begin, 0);
            for (number, (pause, behind, dice)) in lines.into_iter().enumerate() {
                now += pause;
                if dice == 0 {
                    // A worker takes a while to begin.
                    now += OUT_OF_ORDER_MS + 1;
                    resets += 1;
                }
                counter = if dice == 0 { 0 } else { counter + 1 };
                // A thread shows the number of another one that was counted before it.
                let shown = if number == 0 { counter } else { counter - behind.min(counter).min(1) };
                let at = UtcMillis(now);
                let span = Span { first: shown, last: shown, received: 1, first_at: at, last_at: at };
                all.entry(UtcMillis(now).minute()).and_modify(|sum| sum.merge(&span)).or_insert(span);
            }
            let all: Vec<_> = all.into_iter().collect();
            let lost: u64 = lost_by_hour(&all).iter().map(|hour| hour.lost).sum();
            prop_assert!(lost <= resets, "{lost} of {resets} workers that began anew");
        }
    }
}
