//! Rows as Arrow columns, in the order of the tables' columns.

use std::fmt::Write;
use std::sync::Arc;

use duckdb::arrow::array::{
    ArrayRef, Int32Array, ListArray, StringBuilder, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};
use duckdb::arrow::buffer::OffsetBuffer;
use duckdb::arrow::datatypes::Field;
use duckdb::arrow::record_batch::RecordBatch;

use super::TrafficError;
use super::words::Words;
use crate::core::id::{CustomerId, Network};
use crate::core::log_line::{LoggedPath, RequestLine};
use crate::core::rollup::{Deltas, RollupDelta, RollupKey};

/// Bytes reserved per path.
const PATH_BYTES: usize = 32;

#[derive(Default)]
pub(super) struct RequestColumns {
    ts: Vec<i64>,
    idle_ms: Vec<u32>,
    gateway: Vec<u8>,
    pid: Vec<u32>,
    log_counter: Vec<u64>,
    request_counter: Vec<u64>,
    customer_id: Vec<Option<u32>>,
    service: Vec<u8>,
    network: Vec<Option<u8>>,
    class: Vec<u8>,
    event: Vec<u8>,
    key_fp: Vec<u32>,
    client_ip_high: Vec<u64>,
    client_ip_low: Vec<u64>,
    client_port: Vec<u16>,
    listener_port: Vec<u16>,
    method: Vec<u16>,
    path: StringBuilder,
    status: Vec<u16>,
    bytes_in: Vec<u64>,
    bytes_out: Vec<u64>,
    time_request_ms: Vec<i32>,
    time_queue_ms: Vec<i32>,
    time_connect_ms: Vec<i32>,
    time_response_ms: Vec<i32>,
    time_total_ms: Vec<i32>,
    termination: Vec<u16>,
    backend: Vec<u16>,
    server: Vec<u16>,
    repeat: Vec<u32>,
}

impl RequestColumns {
    pub(super) fn rows(&self) -> usize {
        self.ts.len()
    }

    pub(super) fn push(&mut self, line: &RequestLine<'_>, words: &mut Words) {
        self.ts.push(line.ts.micros());
        self.idle_ms.push(line.idle_ms);
        self.gateway.push(line.gateway);
        self.pid.push(line.pid);
        self.log_counter.push(line.log_counter);
        self.request_counter.push(line.request_counter);
        self.customer_id.push(line.customer.map(CustomerId::get));
        self.service.push(line.service.number());
        self.network.push(line.network.map(Network::number));
        self.class.push(line.class.number());
        self.event.push(line.event.0);
        self.key_fp.push(line.key_fp);
        let (high, low) = halves(line.client_ip.to_bits());
        self.client_ip_high.push(high);
        self.client_ip_low.push(low);
        self.client_port.push(line.client_port);
        self.listener_port.push(line.listener_port);
        self.method.push(words.method_id(line.method));
        self.push_path(line.path);
        self.status.push(line.status);
        self.bytes_in.push(line.bytes_in);
        self.bytes_out.push(line.bytes_out);
        self.time_request_ms.push(line.times.request_ms);
        self.time_queue_ms.push(line.times.queue_ms);
        self.time_connect_ms.push(line.times.connect_ms);
        self.time_response_ms.push(line.times.response_ms);
        self.time_total_ms.push(line.times.total_ms);
        self.termination.push(words.id(line.termination));
        self.backend.push(words.id(line.backend));
        self.server.push(words.id(line.server));
        self.repeat.push(line.repeat);
    }

    fn push_path(&mut self, path: LoggedPath<'_>) {
        if let Some(path) = path.as_plain() {
            self.path.append_value(path);
        } else {
            // Memory takes any text; the empty rest ends the value.
            let _ = write!(self.path, "{path}");
            self.path.append_value("");
        }
    }

    /// The rows so far as one Arrow batch; the columns are left empty with room for `capacity` rows.
    pub(super) fn take(&mut self, capacity: usize) -> Result<RecordBatch, TrafficError> {
        let mut full = std::mem::replace(self, Self::with_capacity(capacity));
        let columns: [(&str, ArrayRef); 30] = [
            ("ts", Arc::new(TimestampMicrosecondArray::from(full.ts))),
            ("idle_ms", Arc::new(UInt32Array::from(full.idle_ms))),
            ("gateway", Arc::new(UInt8Array::from(full.gateway))),
            ("pid", Arc::new(UInt32Array::from(full.pid))),
            ("log_counter", Arc::new(UInt64Array::from(full.log_counter))),
            ("request_counter", Arc::new(UInt64Array::from(full.request_counter))),
            ("customer_id", Arc::new(UInt32Array::from(full.customer_id))),
            ("service", Arc::new(UInt8Array::from(full.service))),
            ("network", Arc::new(UInt8Array::from(full.network))),
            ("class", Arc::new(UInt8Array::from(full.class))),
            ("event", Arc::new(UInt8Array::from(full.event))),
            ("key_fp", Arc::new(UInt32Array::from(full.key_fp))),
            ("client_ip_high", Arc::new(UInt64Array::from(full.client_ip_high))),
            ("client_ip_low", Arc::new(UInt64Array::from(full.client_ip_low))),
            ("client_port", Arc::new(UInt16Array::from(full.client_port))),
            ("listener_port", Arc::new(UInt16Array::from(full.listener_port))),
            ("method", Arc::new(UInt16Array::from(full.method))),
            ("path", Arc::new(full.path.finish())),
            ("status", Arc::new(UInt16Array::from(full.status))),
            ("bytes_in", Arc::new(UInt64Array::from(full.bytes_in))),
            ("bytes_out", Arc::new(UInt64Array::from(full.bytes_out))),
            ("time_request_ms", Arc::new(Int32Array::from(full.time_request_ms))),
            ("time_queue_ms", Arc::new(Int32Array::from(full.time_queue_ms))),
            ("time_connect_ms", Arc::new(Int32Array::from(full.time_connect_ms))),
            ("time_response_ms", Arc::new(Int32Array::from(full.time_response_ms))),
            ("time_total_ms", Arc::new(Int32Array::from(full.time_total_ms))),
            ("termination", Arc::new(UInt16Array::from(full.termination))),
            ("backend", Arc::new(UInt16Array::from(full.backend))),
            ("server", Arc::new(UInt16Array::from(full.server))),
            ("repeat", Arc::new(UInt32Array::from(full.repeat))),
        ];
        RecordBatch::try_from_iter(columns).map_err(|source| TrafficError::Batch { source })
    }

    /// Room for the columns that cost most to grow; the others grow as they fill.
    fn with_capacity(rows: usize) -> Self {
        Self {
            ts: Vec::with_capacity(rows),
            request_counter: Vec::with_capacity(rows),
            path: StringBuilder::with_capacity(rows, rows * PATH_BYTES),
            ..Self::default()
        }
    }
}

/// An address as two numbers, which compress far better than one text.
pub(super) fn halves(address: u128) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, low @ ..] = address.to_be_bytes();
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]), u64::from_be_bytes(low))
}

/// The rows that a batch adds to one table of rollup deltas, without their leading batch number.
pub(super) fn delta_batch(deltas: &Deltas) -> Result<RecordBatch, TrafficError> {
    let keys = || deltas.iter().map(|(key, _)| key);
    let values = || deltas.iter().map(|(_, delta)| delta);
    let counts = || values().flat_map(|delta| delta.latency.counts());
    let key = |column: fn(&RollupKey) -> u8| UInt8Array::from_iter_values(keys().map(column));
    let sum = |column: fn(&RollupDelta) -> u64| UInt64Array::from_iter_values(values().map(column));
    let buckets = Arc::new(UInt8Array::from_iter_values(counts().map(|(bucket, _)| *bucket)));
    let times = Arc::new(UInt64Array::from_iter_values(counts().map(|(_, times)| *times)));
    let columns: [(&str, ArrayRef); 14] = [
        ("start", Arc::new(TimestampMicrosecondArray::from_iter_values(keys().map(|key| key.start.micros())))),
        ("customer_id", Arc::new(keys().map(|key| key.customer).collect::<UInt32Array>())),
        ("service", Arc::new(key(|key| key.service))),
        ("network", Arc::new(keys().map(|key| key.network).collect::<UInt8Array>())),
        ("class", Arc::new(key(|key| key.class))),
        ("status_class", Arc::new(key(|key| key.status_class))),
        ("requests", Arc::new(sum(|delta| delta.requests))),
        ("bytes_in", Arc::new(sum(|delta| delta.bytes_in))),
        ("bytes_out", Arc::new(sum(|delta| delta.bytes_out))),
        ("time_sum_ms", Arc::new(sum(|delta| delta.time_sum_ms))),
        ("time_min_ms", Arc::new(values().map(|delta| delta.time_min_ms).collect::<UInt32Array>())),
        ("time_max_ms", Arc::new(values().map(|delta| delta.time_max_ms).collect::<UInt32Array>())),
        ("latency_buckets", by_delta(deltas, buckets)?),
        ("latency_counts", by_delta(deltas, times)?),
    ];
    RecordBatch::try_from_iter(columns).map_err(|source| TrafficError::Batch { source })
}

/// One list a delta, of what belongs to its histogram.
fn by_delta(deltas: &Deltas, all: ArrayRef) -> Result<ArrayRef, TrafficError> {
    let lengths = deltas.iter().map(|(_, delta)| delta.latency.counts().len());
    let field = Arc::new(Field::new_list_field(all.data_type().clone(), false));
    let lists = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), all, None);
    Ok(Arc::new(lists.map_err(|source| TrafficError::Batch { source })?))
}
