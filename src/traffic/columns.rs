//! Rows as Arrow columns, named as the tables' columns.

use std::sync::Arc;

use duckdb::arrow::array::{
    Array, ArrayRef, Int32Array, ListArray, StringArray, StringBuilder, TimestampMicrosecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use duckdb::arrow::buffer::OffsetBuffer;
use duckdb::arrow::datatypes::Field;
use duckdb::arrow::record_batch::RecordBatch;

use super::TrafficError;
use super::shapes::Shapes;
use crate::core::id::CustomerId;
use crate::core::log_line::RequestLine;
use crate::core::rollup::{Deltas, RollupDelta, RollupKey};

#[derive(Default)]
pub(super) struct RequestColumns {
    ts: Vec<i64>,
    idle_ms: Vec<u32>,
    log_counter: Vec<u64>,
    request_counter: Vec<u64>,
    customer_id: Vec<Option<u32>>,
    shape: Vec<u64>,
    own_path: StringBuilder,
    key_fp: Vec<u32>,
    client_ip_high: Vec<u64>,
    client_ip_low: Vec<u64>,
    client_port: Vec<u16>,
    bytes_in: Vec<u64>,
    bytes_out: Vec<u64>,
    time_request_ms: Vec<i32>,
    time_queue_ms: Vec<i32>,
    time_connect_ms: Vec<i32>,
    time_response_ms: Vec<i32>,
    time_total_ms: Vec<i32>,
}

impl RequestColumns {
    pub(super) fn rows(&self) -> usize {
        self.ts.len()
    }

    /// Of paths that are in the rows.
    pub(super) fn path_bytes(&self) -> usize {
        self.own_path.values_slice().len()
    }

    pub(super) fn push(&mut self, line: &RequestLine<'_>, shapes: &mut Shapes) {
        self.ts.push(line.ts.micros());
        self.idle_ms.push(line.idle_ms);
        self.log_counter.push(line.log_counter);
        self.request_counter.push(line.request_counter);
        self.customer_id.push(line.customer.map(CustomerId::get));
        let found = shapes.shape_of(line);
        self.shape.push(found.number);
        self.own_path.append_option(found.own_path);
        self.key_fp.push(line.key_fp);
        let (high, low) = halves(line.client_ip.to_bits());
        self.client_ip_high.push(high);
        self.client_ip_low.push(low);
        self.client_port.push(line.client_port);
        self.bytes_in.push(line.bytes_in);
        self.bytes_out.push(line.bytes_out);
        self.time_request_ms.push(line.times.request_ms);
        self.time_queue_ms.push(line.times.queue_ms);
        self.time_connect_ms.push(line.times.connect_ms);
        self.time_response_ms.push(line.times.response_ms);
        self.time_total_ms.push(line.times.total_ms);
    }

    /// The rows so far as one Arrow batch; the columns are left empty with room for `capacity` rows.
    pub(super) fn take(&mut self, capacity: usize) -> Result<RecordBatch, TrafficError> {
        let mut full = std::mem::replace(self, Self::with_capacity(capacity));
        let own_path = full.own_path.finish();
        let columns: [(&str, ArrayRef); 17] = [
            ("ts", Arc::new(TimestampMicrosecondArray::from(full.ts))),
            ("idle_ms", Arc::new(UInt32Array::from(full.idle_ms))),
            ("log_counter", Arc::new(UInt64Array::from(full.log_counter))),
            ("request_counter", Arc::new(UInt64Array::from(full.request_counter))),
            ("customer_id", Arc::new(UInt32Array::from(full.customer_id))),
            ("shape", Arc::new(UInt64Array::from(full.shape))),
            ("key_fp", Arc::new(UInt32Array::from(full.key_fp))),
            ("client_ip_high", Arc::new(UInt64Array::from(full.client_ip_high))),
            ("client_ip_low", Arc::new(UInt64Array::from(full.client_ip_low))),
            ("client_port", Arc::new(UInt16Array::from(full.client_port))),
            ("bytes_in", Arc::new(UInt64Array::from(full.bytes_in))),
            ("bytes_out", Arc::new(UInt64Array::from(full.bytes_out))),
            ("time_request_ms", Arc::new(Int32Array::from(full.time_request_ms))),
            ("time_queue_ms", Arc::new(Int32Array::from(full.time_queue_ms))),
            ("time_connect_ms", Arc::new(Int32Array::from(full.time_connect_ms))),
            ("time_response_ms", Arc::new(Int32Array::from(full.time_response_ms))),
            ("time_total_ms", Arc::new(Int32Array::from(full.time_total_ms))),
        ];
        // A column that is left out costs least, and hardly a batch has such paths.
        let own_path = (own_path.null_count() < own_path.len()).then(|| ("own_path", into_array(own_path)));
        RecordBatch::try_from_iter(columns.into_iter().chain(own_path)).map_err(|source| TrafficError::Batch { source })
    }

    fn with_capacity(rows: usize) -> Self {
        Self {
            ts: Vec::with_capacity(rows),
            idle_ms: Vec::with_capacity(rows),
            log_counter: Vec::with_capacity(rows),
            request_counter: Vec::with_capacity(rows),
            customer_id: Vec::with_capacity(rows),
            shape: Vec::with_capacity(rows),
            own_path: StringBuilder::with_capacity(rows, 0),
            key_fp: Vec::with_capacity(rows),
            client_ip_high: Vec::with_capacity(rows),
            client_ip_low: Vec::with_capacity(rows),
            client_port: Vec::with_capacity(rows),
            bytes_in: Vec::with_capacity(rows),
            bytes_out: Vec::with_capacity(rows),
            time_request_ms: Vec::with_capacity(rows),
            time_queue_ms: Vec::with_capacity(rows),
            time_connect_ms: Vec::with_capacity(rows),
            time_response_ms: Vec::with_capacity(rows),
            time_total_ms: Vec::with_capacity(rows),
        }
    }
}

fn into_array(column: StringArray) -> ArrayRef {
    Arc::new(column)
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
