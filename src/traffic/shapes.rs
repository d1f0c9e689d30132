//! What repeats in almost every request as one number: fourteen columns that need not be appended and compressed for each.
//!
//! A [`Shapes`] gives numbers out and remembers the newest; it begins empty at every start and again when it is full, and
//! no number that a row has is given out twice. So shapes before its first one are given to no further rows, and those of them that
//! no row has any more can go ([`forget`]).

use std::borrow::Cow;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use duckdb::Connection;
use duckdb::arrow::array::{ArrayRef, StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array};
use duckdb::arrow::record_batch::RecordBatch;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::{Traffic, TrafficError, failed};
use crate::core::id::Network;
use crate::core::log_line::RequestLine;

/// Remembered ones. Readers join with the table, which has these and those of rows that are not sealed yet.
const MOST: usize = 16_384;
/// New ones at once, and rows for each further one, beyond which paths are put into the rows: clients choose them, so they
/// can all be different, and every reader joins with all shapes that are in use.
const FRESH_PATHS: u64 = 4_096;
const ROWS_PER_FRESH_PATH: u64 = 1_000;
/// A longer path is put into its row, too: it is hardly that of many.
const MAX_PATH_BYTES: usize = 256;

/// Clients choose the method, so only these are told apart; HAProxy writes the last for what is not HTTP.
const METHODS: [&str; 11] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI", "<BADREQ>"];
/// In place of any other method.
const OTHER_METHOD: &str = "OTHER";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Shape<T> {
    gateway: u8,
    pid: u32,
    service: u8,
    network: Option<u8>,
    class: u8,
    event: u8,
    listener_port: u16,
    status: u16,
    repeat: u32,
    method: T,
    path: T,
    termination: T,
    backend: T,
    server: T,
}

/// The shapes of the newest requests, and which of them the store does not have yet.
pub struct Shapes {
    /// The number of the first one that is remembered.
    first: u64,
    known: Vec<Shape<Box<str>>>,
    /// Places in `known`.
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
    /// So many of `known` are in the store, or on the way to it.
    taken: usize,
    /// Rows that new paths may still be charged to.
    allowance: u64,
}

/// A request's shape.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub number: u64,
    /// In place of the shape's path.
    pub own_path: Option<Cow<'a, str>>,
}

/// Shapes to be appended before the rows that have them.
pub(super) struct FreshShapes {
    /// The first that is remembered.
    pub first: u64,
    pub rows: RecordBatch,
}

impl Shapes {
    fn starting_at(first: u64) -> Self {
        Self {
            first,
            known: Vec::new(),
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            taken: 0,
            allowance: FRESH_PATHS * ROWS_PER_FRESH_PATH,
        }
    }

    pub(super) fn shape_of<'a>(&mut self, line: &RequestLine<'a>) -> Found<'a> {
        let path = line.path.as_plain().map_or_else(|| Cow::Owned(line.path.to_string()), Cow::Borrowed);
        let shape = shape(line, &path);
        self.allowance = (self.allowance + 1).min(FRESH_PATHS * ROWS_PER_FRESH_PATH);
        let hash = self.hasher.hash_one(&shape);
        if let Some(place) = self.find(hash, &shape) {
            return Found { number: self.number(place), own_path: None };
        }
        if path.len() <= MAX_PATH_BYTES && self.allowance >= ROWS_PER_FRESH_PATH {
            self.allowance -= ROWS_PER_FRESH_PATH;
            return Found { number: self.add(hash, &shape), own_path: None };
        }
        let pathless = Shape { path: "", ..shape };
        let hash = self.hasher.hash_one(&pathless);
        let number = match self.find(hash, &pathless) {
            Some(place) => self.number(place),
            None => self.add(hash, &pathless),
        };
        Found { number, own_path: Some(path) }
    }

    fn find(&self, hash: u64, shape: &Shape<&str>) -> Option<usize> {
        let is_same =
            |place: &usize| self.known.get(*place).is_some_and(|known| known.with_texts(|text| &**text) == *shape);
        self.places.find(hash, is_same).copied()
    }

    fn add(&mut self, hash: u64, shape: &Shape<&str>) -> u64 {
        let place = self.known.len();
        self.known.push(shape.with_texts(|text| Box::from(*text)));
        let (known, hasher) = (&self.known, &self.hasher);
        self.places.insert_unique(hash, place, |place| known.get(*place).map_or(0, |known| hasher.hash_one(known)));
        self.number(place)
    }

    fn number(&self, place: usize) -> u64 {
        self.first.saturating_add(u64::try_from(place).unwrap_or(u64::MAX))
    }

    /// The shapes that are new since the last call.
    pub(super) fn take_fresh(&mut self) -> Result<FreshShapes, TrafficError> {
        let fresh = self.known.get(self.taken..).unwrap_or_default();
        let taken = FreshShapes { first: self.first, rows: rows(self.number(self.taken), fresh)? };
        self.taken = self.known.len();
        if self.taken > MOST {
            *self = Self { allowance: self.allowance, ..Self::starting_at(self.number(self.taken)) };
        }
        Ok(taken)
    }
}

impl<T> Shape<T> {
    /// The same with its texts as something else.
    fn with_texts<'a, U>(&'a self, text: impl Fn(&'a T) -> U) -> Shape<U> {
        let Self { gateway, pid, service, network, class, event, listener_port, status, repeat, .. } = *self;
        Shape {
            gateway,
            pid,
            service,
            network,
            class,
            event,
            listener_port,
            status,
            repeat,
            method: text(&self.method),
            path: text(&self.path),
            termination: text(&self.termination),
            backend: text(&self.backend),
            server: text(&self.server),
        }
    }
}

fn shape<'a>(line: &RequestLine<'a>, path: &'a str) -> Shape<&'a str> {
    Shape {
        gateway: line.gateway,
        pid: line.pid,
        service: line.service.number(),
        network: line.network.map(Network::number),
        class: line.class.number(),
        event: line.event.0,
        listener_port: line.listener_port,
        status: line.status,
        repeat: line.repeat,
        method: if METHODS.contains(&line.method) { line.method } else { OTHER_METHOD },
        path,
        termination: line.termination,
        backend: line.backend,
        server: line.server,
    }
}

fn rows(first: u64, shapes: &[Shape<Box<str>>]) -> Result<RecordBatch, TrafficError> {
    let bytes = |column: fn(&Shape<Box<str>>) -> u8| UInt8Array::from_iter_values(shapes.iter().map(column));
    let numbers = |column: fn(&Shape<Box<str>>) -> u32| UInt32Array::from_iter_values(shapes.iter().map(column));
    let shorts = |column: fn(&Shape<Box<str>>) -> u16| UInt16Array::from_iter_values(shapes.iter().map(column));
    let texts = |column: fn(&Shape<Box<str>>) -> &str| StringArray::from_iter_values(shapes.iter().map(column));
    let columns: [(&str, ArrayRef); 15] = [
        ("number", Arc::new(UInt64Array::from_iter_values((first..).take(shapes.len())))),
        ("gateway", Arc::new(bytes(|shape| shape.gateway))),
        ("pid", Arc::new(numbers(|shape| shape.pid))),
        ("service", Arc::new(bytes(|shape| shape.service))),
        ("network", Arc::new(shapes.iter().map(|shape| shape.network).collect::<UInt8Array>())),
        ("class", Arc::new(bytes(|shape| shape.class))),
        ("event", Arc::new(bytes(|shape| shape.event))),
        ("listener_port", Arc::new(shorts(|shape| shape.listener_port))),
        ("method", Arc::new(texts(|shape| &shape.method))),
        ("path", Arc::new(texts(|shape| &shape.path))),
        ("status", Arc::new(shorts(|shape| shape.status))),
        ("termination", Arc::new(texts(|shape| &shape.termination))),
        ("backend", Arc::new(texts(|shape| &shape.backend))),
        ("server", Arc::new(texts(|shape| &shape.server))),
        ("repeat", Arc::new(numbers(|shape| shape.repeat))),
    ];
    RecordBatch::try_from_iter(columns).map_err(|source| TrafficError::Batch { source })
}

impl Traffic {
    /// Shapes to start a [`super::Batch`] with. There must be one such batch at a time.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn new_shapes(&self) -> Result<Shapes, TrafficError> {
        self.read(|connection| {
            let sql = "SELECT (coalesce(max(number), 0) + 1)::UBIGINT FROM request_shapes";
            let first = connection.query_row(sql, [], |row| row.get(0)).map_err(failed("count shapes"))?;
            Ok(Shapes::starting_at(first))
        })
    }
}

/// Deletes shapes that no row has and none will have.
pub(super) fn forget(connection: &Connection) -> Result<(), TrafficError> {
    let sql = "DELETE FROM request_shapes WHERE number < (SELECT first_shape FROM traffic_store)
               AND number NOT IN (SELECT DISTINCT shape FROM request_rows)";
    connection.execute_batch(sql).map_err(failed("delete shapes of requests"))
}

#[cfg(test)]
mod tests;
