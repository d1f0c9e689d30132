//! How fast a log file becomes durable rows.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::{BenchError, per_second, round, to_float};
use crate::clock::Clock;
use crate::intake::{Intake, IntakeOptions, Until};
use crate::traffic::{KeptFor, Options, Traffic};

/// What was measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct IntakeReport {
    pub lines: u64,
    pub rejects: u64,
    /// From opening the file until everything was committed and checkpointed.
    pub seconds: f64,
    pub lines_per_s: f64,
    /// What all threads used meanwhile, and the kernel for them.
    pub cpu_seconds: f64,
    pub file_bytes: u64,
    /// Size of the store, rollups included, by the rows in it.
    pub bytes_per_row: f64,
    /// Size of the Parquet files, by the rows in them, and how long sealing took.
    pub sealed_bytes_per_row: f64,
    pub seal_s: f64,
    /// The greatest resident memory of this process so far, in bytes.
    pub peak_rss: u64,
}

/// Reads `file` once through the whole of intake into a new store in `folder`.
///
/// # Errors
/// [`BenchError`] if the file cannot be read or the store cannot be written.
pub fn measure_intake(
    file: &Path,
    folder: &Path,
    options: IntakeOptions,
    store: &Options,
) -> Result<IntakeReport, BenchError> {
    let failed = |source| BenchError::File { path: file.to_owned(), source };
    let lines = count_lines(file).map_err(failed)?;
    let path = folder.join("traffic.duckdb");
    let (traffic, writer) = Traffic::open(&path, store)?;
    let (started, cpu_before) = (Instant::now(), cpu_seconds());
    Intake::start(file, options, Until::EndOfFile, &traffic, writer, Clock::System)?.join();
    let (seconds, cpu) = (started.elapsed(), cpu_seconds() - cpu_before);
    let (rows, rejects) = traffic.line_counts()?;
    if rows + rejects != lines {
        return Err(BenchError::Uncounted { lines, counted: rows + rejects });
    }
    let store_bytes = fs::metadata(&path).map_err(failed)?.len();
    let peak_rss = peak_rss_bytes();
    let (sealed_bytes, seal_s) = seal(&traffic)?;
    Ok(IntakeReport {
        lines,
        rejects,
        seconds: round(seconds.as_secs_f64(), 1000.0),
        lines_per_s: round(per_second(lines, seconds), 1.0),
        cpu_seconds: round(cpu, 100.0),
        file_bytes: fs::metadata(file).map_err(failed)?.len(),
        bytes_per_row: round(ratio(store_bytes, rows), 10.0),
        sealed_bytes_per_row: round(ratio(sealed_bytes, rows), 10.0),
        seal_s: round(seal_s, 1000.0),
        peak_rss,
    })
}

/// Seals everything, as if it were old. Returns the files' bytes and the seconds.
fn seal(traffic: &Traffic) -> Result<(u64, f64), BenchError> {
    let started = Instant::now();
    let kept = KeptFor { chunk_days: 1, seal_after_days: 0, retention_days: 36_500 };
    let sealed = traffic.seal(&kept, Clock::System.now().plus_ms(10 * 366 * 24 * 3_600_000))?;
    Ok((sealed.parts.iter().map(|part| part.file_bytes).sum(), started.elapsed().as_secs_f64()))
}

fn count_lines(file: &Path) -> std::io::Result<u64> {
    let mut file = fs::File::open(file)?;
    let mut buffer = vec![0; 1 << 20];
    let mut lines = 0;
    loop {
        let length = std::io::Read::read(&mut file, &mut buffer)?;
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { return Ok(lines) };
        lines += u64::try_from(memchr::memchr_iter(b'\n', bytes).count()).unwrap_or(0);
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { to_float(part) / to_float(whole) }
}

/// `VmHWM` of `/proc/self/status`; 0 where there is none.
fn peak_rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().map_or(0, |kib| kib * 1024)
}

/// `utime` and `stime` of `/proc/self/stat`; 0 where there is none.
fn cpu_seconds() -> f64 {
    /// Linux counts these in hundredths of a second, whatever its own clock does.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name comes before, in brackets, and may hold spaces.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
}
