//! Requests as the rows of a file that is written piece by piece.

use std::io;
use std::sync::Arc;

use duckdb::arrow::array::{
    ArrayRef, Int32Array, StringArray, TimestampMillisecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use duckdb::arrow::error::ArrowError;
use duckdb::arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::core::id::Network;
use crate::traffic::RequestRow;

/// Rows that Parquet gathers before it compresses them and lets go of them.
const ROW_GROUP_ROWS: usize = 50_000;

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    Csv,
    Parquet,
}

impl ExportFormat {
    /// The end of a file's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Csv, Self::Parquet].into_iter().find(|format| format.name() == name)
    }
}

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportFileError {
    #[error("cannot write CSV")]
    Csv(#[from] csv::Error),
    #[error("cannot write CSV")]
    Io(#[from] io::Error),
    #[error("cannot write Parquet")]
    Parquet(#[from] ParquetError),
    #[error("cannot make Parquet's columns")]
    Columns(#[from] ArrowError),
}

/// A file while it is written.
pub(super) enum ExportFile {
    Csv(Box<csv::Writer<Vec<u8>>>),
    Parquet(Box<ArrowWriter<Vec<u8>>>),
}

impl ExportFile {
    pub(super) fn new(format: ExportFormat) -> Result<Self, ExportFileError> {
        match format {
            ExportFormat::Csv => {
                let mut writer = csv::Writer::from_writer(Vec::new());
                writer.write_record(COLUMNS)?;
                Ok(Self::Csv(Box::new(writer)))
            }
            ExportFormat::Parquet => {
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                let writer = ArrowWriter::try_new(Vec::new(), columns(&[])?.schema(), Some(properties))?;
                Ok(Self::Parquet(Box::new(writer)))
            }
        }
    }

    /// Adds rows.
    pub(super) fn write(&mut self, rows: &[RequestRow]) -> Result<(), ExportFileError> {
        match self {
            Self::Csv(writer) => rows.iter().try_for_each(|row| Ok(writer.write_record(fields(row))?)),
            Self::Parquet(writer) => {
                writer.write(&columns(rows)?)?;
                if writer.in_progress_rows() >= ROW_GROUP_ROWS {
                    writer.flush()?;
                }
                Ok(())
            }
        }
    }

    /// The bytes that are ready; they are the file's next.
    pub(super) fn take(&mut self) -> Result<Vec<u8>, ExportFileError> {
        match self {
            Self::Csv(writer) => {
                let next = csv::WriterBuilder::new().from_writer(Vec::new());
                let written = std::mem::replace(&mut **writer, next);
                Ok(written.into_inner().map_err(csv::IntoInnerError::into_error)?)
            }
            Self::Parquet(writer) => Ok(std::mem::take(writer.inner_mut())),
        }
    }

    /// The last bytes.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ExportFileError> {
        match self {
            Self::Csv(_) => self.take(),
            Self::Parquet(writer) => Ok(writer.into_inner()?),
        }
    }
}

const COLUMNS: [&str; 26] = [
    "request_id",
    "at",
    "service",
    "network",
    "class",
    "event",
    "key_fingerprint",
    "client_ip",
    "client_port",
    "method",
    "path",
    "status",
    "bytes_in",
    "bytes_out",
    "idle_ms",
    "request_ms",
    "queue_ms",
    "connect_ms",
    "response_ms",
    "total_ms",
    "termination",
    "backend",
    "server",
    "gateway",
    "repeat",
    "is_billable",
];

/// A row of CSV; what is absent is empty.
fn fields(row: &RequestRow) -> [String; 26] {
    let phase = |ms: i32| if ms < 0 { String::new() } else { ms.to_string() };
    let known = |number: u32| if number == 0 { String::new() } else { number.to_string() };
    [
        row.id().to_string(),
        row.ts.to_string(),
        row.service.name().to_owned(),
        row.network.map_or("", Network::name).to_owned(),
        row.class.name().to_owned(),
        row.event.0.to_string(),
        known(row.key_fp),
        row.client_ip.to_canonical().to_string(),
        row.client_port.to_string(),
        row.method.clone(),
        row.path.clone(),
        known(row.status.into()),
        row.bytes_in.to_string(),
        row.bytes_out.to_string(),
        row.idle_ms.to_string(),
        phase(row.times.request_ms),
        phase(row.times.queue_ms),
        phase(row.times.connect_ms),
        phase(row.times.response_ms),
        phase(row.times.total_ms),
        row.termination.clone(),
        row.backend.clone(),
        row.server.clone(),
        row.gateway.to_string(),
        row.repeat.to_string(),
        row.class.is_billable().to_string(),
    ]
}

/// The same as columns; what is absent is null.
fn columns(rows: &[RequestRow]) -> Result<RecordBatch, ArrowError> {
    let text =
        |of: fn(&RequestRow) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(of))) };
    let known =
        |of: fn(&RequestRow) -> Option<u32>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<UInt32Array>()) };
    let phase = |of: fn(&RequestRow) -> i32| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row)).filter(|ms| *ms >= 0)).collect::<Int32Array>())
    };
    let bytes =
        |of: fn(&RequestRow) -> u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(rows.iter().map(of))) };
    let small = |of: fn(&RequestRow) -> u8| -> ArrayRef { Arc::new(UInt8Array::from_iter_values(rows.iter().map(of))) };
    let at = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.ts.0)).with_timezone("UTC");
    let network: StringArray = rows.iter().map(|row| row.network.map(Network::name)).collect();
    let billable: duckdb::arrow::array::BooleanArray = rows.iter().map(|row| Some(row.class.is_billable())).collect();
    let values: [ArrayRef; 26] = [
        text(|row| row.id().to_string()),
        Arc::new(at),
        text(|row| row.service.name().to_owned()),
        Arc::new(network),
        text(|row| row.class.name().to_owned()),
        small(|row| row.event.0),
        known(|row| Some(row.key_fp).filter(|fingerprint| *fingerprint != 0)),
        text(|row| row.client_ip.to_canonical().to_string()),
        Arc::new(UInt16Array::from_iter_values(rows.iter().map(|row| row.client_port))),
        text(|row| row.method.clone()),
        text(|row| row.path.clone()),
        known(|row| Some(u32::from(row.status)).filter(|status| *status != 0)),
        bytes(|row| row.bytes_in),
        bytes(|row| row.bytes_out),
        known(|row| Some(row.idle_ms)),
        phase(|row| row.times.request_ms),
        phase(|row| row.times.queue_ms),
        phase(|row| row.times.connect_ms),
        phase(|row| row.times.response_ms),
        phase(|row| row.times.total_ms),
        text(|row| row.termination.clone()),
        text(|row| row.backend.clone()),
        text(|row| row.server.clone()),
        small(|row| row.gateway),
        known(|row| Some(row.repeat)),
        Arc::new(billable),
    ];
    RecordBatch::try_from_iter_with_nullable(COLUMNS.into_iter().zip(values).map(|(name, values)| (name, values, true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::UtcMillis;
    use crate::core::id::Service;
    use crate::core::log_line::{Event, PhaseTimes, TrafficClass};

    fn row(number: u64) -> RequestRow {
        RequestRow {
            batch: 1,
            ts: UtcMillis(1_795_424_400_000),
            idle_ms: 0,
            gateway: 1,
            pid: 7,
            log_counter: number,
            request_counter: number,
            service: Service::Grpc,
            network: None,
            class: TrafficClass::Denied,
            event: Event(10),
            key_fp: 0,
            client_ip: "::ffff:203.0.113.9".parse().unwrap(),
            client_port: 5,
            listener_port: 20_002,
            method: "GET".to_owned(),
            path: "/a,\"b\"".to_owned(),
            status: 0,
            bytes_in: number,
            bytes_out: 2,
            times: PhaseTimes { request_ms: 0, queue_ms: -1, connect_ms: -1, response_ms: -1, total_ms: 3 },
            termination: "PR--".to_owned(),
            backend: "be".to_owned(),
            server: "<NOSRV>".to_owned(),
            repeat: 1,
        }
    }

    /// What comes out piece by piece, and the largest piece.
    fn written(format: ExportFormat, pieces: u64, rows: u64) -> (Vec<u8>, usize) {
        let (mut file, mut all, mut largest) = (ExportFile::new(format).unwrap(), Vec::new(), 0);
        for piece in 0..pieces {
            let rows: Vec<_> = (piece * rows..(piece + 1) * rows).map(row).collect();
            file.write(&rows).unwrap();
            let bytes = file.take().unwrap();
            largest = largest.max(bytes.len());
            all.extend(bytes);
        }
        all.extend(file.finish().unwrap());
        (all, largest)
    }

    #[test]
    fn parquet_is_whole_though_it_is_handed_on_in_pieces() {
        let (bytes, largest) = written(ExportFormat::Parquet, 25, 5000);
        assert!(largest < bytes.len() / 2, "{largest} of {}", bytes.len());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requests.parquet");
        std::fs::write(&path, bytes).unwrap();
        let sql = format!(
            "SELECT count(*), sum(bytes_in)::UBIGINT, count(network), min(path), max(total_ms) FROM '{}'",
            path.display()
        );
        let connection = duckdb::Connection::open_in_memory().unwrap();
        let read: (u64, u64, u64, String, u32) = connection
            .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .unwrap();
        assert_eq!(read, (125_000, 125_000 * 124_999 / 2, 0, "/a,\"b\"".to_owned(), 3));
    }

    #[test]
    fn csv_has_one_header_and_quotes_what_it_must() {
        let (bytes, _) = written(ExportFormat::Csv, 3, 2);
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), COLUMNS);
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[5].get(10), Some("/a,\"b\""));
        assert_eq!(
            (rows[5].get(3), rows[5].get(6), rows[5].get(11), rows[5].get(12)),
            (Some(""), Some(""), Some(""), Some("5"))
        );
    }

    #[test]
    fn a_file_without_rows_is_one_all_the_same() {
        assert_eq!(written(ExportFormat::Csv, 0, 0).0.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(written(ExportFormat::Parquet, 1, 0).0.starts_with(b"PAR1"));
    }
}
