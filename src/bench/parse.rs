//! How fast lines are parsed, and nothing else, on one core.

use std::fs;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::generate::lines;
use super::{BenchError, per_second, round};
use crate::core::log_line::{self, Format, RequestLine, httplog, json, s1};

/// What was measured of one format.
#[derive(Debug, Clone, Serialize)]
pub struct ParseReport {
    pub format: &'static str,
    pub lines: u64,
    pub bytes: u64,
    /// The median of all runs, like the other figures that are not named otherwise.
    pub lines_per_s: f64,
    pub bytes_per_s: f64,
    pub slowest_lines_per_s: f64,
    pub fastest_lines_per_s: f64,
    /// By the time that the core was really given to the parser, which others' work does not shorten. `None` where the
    /// system does not tell.
    pub lines_per_cpu_s: Option<f64>,
}

/// Parses `lines` made-up lines of each format `runs` times, all columns of each line. The formats take turns, so that
/// a busy moment of the machine does not hit one of them alone.
///
/// # Errors
/// [`BenchError`] if a line cannot be written or is not read back.
pub fn measure_parse(count: u64, runs: usize) -> Result<Vec<ParseReport>, BenchError> {
    let mut texts = Vec::new();
    for format in Format::ALL {
        texts.push((format, text(format, count).map_err(|source| BenchError::Made { format, source })?));
    }
    let mut times = Format::ALL.map(|_| Vec::new());
    for _ in 0..runs {
        for ((format, text), times) in texts.iter().zip(&mut times) {
            let (started, given_before) = (Instant::now(), cpu_time());
            let parsed = parse_all(text);
            let given = cpu_time().zip(given_before).map(|(after, before)| after.saturating_sub(before));
            times.push((started.elapsed(), given));
            if parsed != count {
                return Err(BenchError::Unparsed { format: *format, lines: count, parsed });
            }
        }
    }
    let reports = texts
        .iter()
        .zip(times)
        .map(|((format, text), times)| report(*format, count, u64::try_from(text.len()).unwrap_or(u64::MAX), times));
    Ok(reports.collect())
}

fn text(format: Format, count: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines(count, 1) {
        write(format, &line, &mut text)?;
    }
    Ok(text)
}

fn write(format: Format, line: &RequestLine<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    match format {
        Format::S1 => s1::write(line, out),
        Format::Httplog => httplog::write(line, out),
        Format::Httpslog => httplog::write_tls(line, out),
        Format::Json => json::write(line, out),
    }
}

/// How many lines could be parsed.
fn parse_all(text: &[u8]) -> u64 {
    let (mut start, mut parsed) = (0, 0);
    for newline in memchr::memchr_iter(b'\n', text) {
        let line = log_line::parse_any(text.get(start..newline).unwrap_or_default());
        parsed += u64::from(black_box(&line).is_ok());
        start = newline + 1;
    }
    parsed
}

/// How long this thread has been running on a core.
fn cpu_time() -> Option<Duration> {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    statistics.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn report(format: Format, lines: u64, bytes: u64, times: Vec<(Duration, Option<Duration>)>) -> ParseReport {
    let (mut times, given): (Vec<_>, Vec<_>) = times.into_iter().unzip();
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    let (fastest, median, slowest) = (at(0), at(times.len() / 2), at(times.len().saturating_sub(1)));
    let mut given: Vec<Duration> = given.into_iter().flatten().collect();
    given.sort_unstable();
    // The system counts in ticks: a short run may have none.
    let given = given.get(given.len() / 2).copied().filter(|given| !given.is_zero());
    ParseReport {
        format: format.name(),
        lines,
        bytes,
        lines_per_s: round(per_second(lines, median), 1.0),
        bytes_per_s: round(per_second(bytes, median), 1.0),
        slowest_lines_per_s: round(per_second(lines, slowest), 1.0),
        fastest_lines_per_s: round(per_second(lines, fastest), 1.0),
        lines_per_cpu_s: given.map(|given| round(per_second(lines, given), 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_measured_with_lines_that_parse() {
        let reports = measure_parse(500, 3).unwrap();
        assert_eq!(reports.iter().map(|report| report.format).collect::<Vec<_>>(), Format::ALL.map(Format::name));
        for report in reports {
            assert!(report.slowest_lines_per_s <= report.lines_per_s, "{report:?}");
            assert!(report.lines_per_s <= report.fastest_lines_per_s, "{report:?}");
            assert!(report.bytes > 500 * 100, "{report:?}");
        }
    }
}
