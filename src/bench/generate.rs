//! Made-up log lines with the shape of real ones: few busy customers, many quiet ones, some errors.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use fastrand::Rng;

use super::BenchError;
use crate::core::calendar::UtcMillis;
use crate::core::id::{CustomerId, Network, Service};
use crate::core::log_line::{Event, PhaseTimes, RequestLine, TrafficClass, s1};

const CUSTOMERS: u32 = 10_000;
/// 2026-11-01T00:00:00Z
const START: UtcMillis = UtcMillis(1_793_491_200_000);
const LINES_PER_MS: u64 = 5;
const PATHS: [&str; 8] = [
    "/v1/fetch_key",
    "/v1/service",
    "/sui.rpc.v2.LedgerService/GetObject",
    "/sui.rpc.v2.LedgerService/GetTransaction",
    "/sui.rpc.v2.StateService/ListOwnedObjects",
    "/graphql",
    "/health",
    "/v1/keys",
];

/// Writes `lines` lines in the `s1` format to a new file; the same seed gives the same file.
///
/// # Errors
/// [`BenchError::File`] if the file exists already or cannot be written.
pub fn generate(path: &Path, lines: u64, seed: u64) -> Result<(), BenchError> {
    let failed = |source| BenchError::File { path: path.to_owned(), source };
    let file = File::create_new(path).map_err(failed)?;
    write_lines(BufWriter::with_capacity(1 << 20, file), lines, seed).map_err(failed)
}

fn write_lines(mut out: impl Write, count: u64, seed: u64) -> io::Result<()> {
    for line in lines(count, seed) {
        s1::write(&line, &mut out)?;
    }
    out.flush()
}

/// The lines themselves; the same seed gives the same.
pub(super) fn lines(count: u64, seed: u64) -> impl Iterator<Item = RequestLine<'static>> {
    let mut rng = Rng::with_seed(seed);
    (0..count).map(move |number| line(&mut rng, number))
}

pub(super) fn line(rng: &mut Rng, number: u64) -> RequestLine<'static> {
    let customer = busy_customer(rng);
    let service = service_of(customer, rng);
    let (class, status) = outcome(rng);
    let served = class.is_billable();
    let response_ms = rng.i32(1..60);
    let backend = match service {
        Service::Seal => "be_seal",
        Service::Grpc => "be_grpc",
        Service::Graphql => "be_graphql",
    };
    RequestLine {
        ts: START.plus_ms(i64::try_from(number / LINES_PER_MS).unwrap_or(i64::MAX)),
        idle_ms: if rng.u8(..) < 200 { 0 } else { rng.u32(0..5000) },
        gateway: 1,
        pid: 4711,
        log_counter: number,
        request_counter: number,
        customer: if class == TrafficClass::Denied { None } else { CustomerId::new(customer) },
        service,
        network: Some(if customer.is_multiple_of(4) { Network::Testnet } else { Network::Mainnet }),
        class,
        event: if class == TrafficClass::Denied { Event::KEY_REVOKED } else { Event::OK },
        key_fp: customer.wrapping_mul(2_654_435_761),
        client_ip: address(customer, rng.u8(0..8)),
        client_port: rng.u16(1024..),
        listener_port: 20_000 + u16::from(service.number()),
        method: if service == Service::Seal && rng.bool() { "GET" } else { "POST" },
        path: rng.choice(PATHS).unwrap_or("/").into(),
        status,
        bytes_in: rng.u64(120..900),
        bytes_out: if served { rng.u64(200..40_000) } else { 190 },
        times: PhaseTimes {
            request_ms: 0,
            queue_ms: if served { 0 } else { -1 },
            connect_ms: if served { i32::from(rng.u8(..) > 230) } else { -1 },
            response_ms: if served { response_ms } else { -1 },
            total_ms: if served { response_ms + 1 } else { 0 },
        },
        termination: if served { "----" } else { "PR--" },
        backend: if served { backend } else { "fe" },
        server: if served { "s1" } else { "<NOSRV>" },
        repeat: 1,
    }
}

/// Zipf's law with exponent 1: the logarithm of the rank is uniform, so half of the requests come from one customer in
/// a hundred.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "1 ≤ rank ≤ CUSTOMERS"
)]
pub(super) fn busy_customer(rng: &mut Rng) -> u32 {
    let rank = f64::from(CUSTOMERS).powf(rng.f64()) as u32;
    rank.wrapping_mul(2_246_822_519).max(1)
}

/// Most customers use one service, and now and then another.
fn service_of(customer: u32, rng: &mut Rng) -> Service {
    let (hash, other) = (customer.wrapping_mul(2_654_435_761) >> 16, u32::from(rng.u8(..) < 25));
    let index = usize::try_from((hash + other) % 3).unwrap_or(0);
    Service::ALL.get(index).copied().unwrap_or(Service::Seal)
}

fn outcome(rng: &mut Rng) -> (TrafficClass, u16) {
    match rng.u8(0..100) {
        0..=79 => (TrafficClass::Guaranteed, 200),
        80..=91 => (TrafficClass::Burst, 200),
        92 => (TrafficClass::Guaranteed, 502),
        93 => (TrafficClass::Guaranteed, 404),
        94..=97 => (TrafficClass::DroppedByRate, 429),
        _ => (TrafficClass::Denied, 401),
    }
}

fn address(customer: u32, host: u8) -> Ipv6Addr {
    let [_, b, c, d] = customer.to_be_bytes();
    Ipv4Addr::new(100, b, c, d ^ host).to_ipv6_mapped()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::log_line;

    #[test]
    fn every_line_parses_and_a_seed_gives_the_same_lines() {
        let written = |seed| {
            let mut out = Vec::new();
            write_lines(&mut out, 2000, seed).unwrap();
            out
        };
        assert_eq!(written(7), written(7));
        assert_ne!(written(7), written(8));
        let lines = written(7);
        let results: Vec<_> = lines.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(results.len(), 2000);
        for line in results {
            log_line::parse(line.strip_suffix(b"\n").unwrap()).unwrap();
        }
    }
}
