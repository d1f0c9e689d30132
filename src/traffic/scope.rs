//! Whose rows a query sees. A customer's query is written over `mine`, and only this file says what that is: the rows of
//! one customer in a stretch of time. What is compared with a column is always bound, never written into a statement.

use duckdb::types::Value;
use duckdb::{Row, params_from_iter};

use super::interrupt::Reader;
use super::relation::Relation;
use super::{TrafficError, failed};
use crate::core::chart::Span;
use crate::core::id::{CustomerId, Network, Service};

/// A customer, and which part of its requests: of one service, of one network, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope {
    customer: CustomerId,
    service: Option<Service>,
    network: Option<Network>,
}

impl Scope {
    /// All requests of a customer.
    pub fn of(customer: CustomerId) -> Self {
        Self { customer, service: None, network: None }
    }

    /// Of one service, or of all with `None`.
    #[must_use]
    pub fn service(self, service: Option<Service>) -> Self {
        Self { service, ..self }
    }

    /// Of one network, or of all with `None`.
    #[must_use]
    pub fn network(self, network: Option<Network>) -> Self {
        Self { network, ..self }
    }

    pub fn customer(&self) -> CustomerId {
        self.customer
    }

    /// The rows of this scope in a stretch of time, without closings of streams, which count nowhere.
    pub(super) fn rows(&self, relation: Relation, span: Span) -> Mine {
        let time = relation.time();
        let conditions =
            format!("customer_id = ? AND {time} >= make_timestamp(?) AND {time} < make_timestamp(?) AND class <> 8");
        let ends = [span.from, span.to].map(|instant| Value::BigInt(instant.micros()));
        let values = std::iter::once(Value::UInt(self.customer.get())).chain(ends).collect();
        let service = self.service.map(|service| Value::UTinyInt(service.number()));
        let network = self.network.map(|network| Value::UTinyInt(network.number()));
        Mine { relation, conditions, values }.and("service = ?", service).and("network = ?", network)
    }
}

/// Rows of one customer, to be selected from under the name `mine`.
pub(super) struct Mine {
    relation: Relation,
    conditions: String,
    values: Vec<Value>,
}

impl Mine {
    /// Only those of them that a condition with one `?` for each value holds for; all if there is no value.
    #[must_use]
    pub(super) fn and(mut self, condition: &'static str, values: impl IntoIterator<Item = Value>) -> Self {
        let before = self.values.len();
        self.values.extend(values);
        if self.values.len() > before {
            self.conditions.push_str(" AND ");
            self.conditions.push_str(condition);
        }
        self
    }

    /// Runs a `SELECT … FROM mine …`, whose own values are `more`.
    pub(super) fn query<T>(
        self,
        reader: &Reader<'_>,
        operation: &'static str,
        select: &'static str,
        more: impl IntoIterator<Item = Value>,
        read: fn(&Row<'_>) -> Result<T, duckdb::Error>,
    ) -> Result<Vec<T>, TrafficError> {
        reader.go_on()?;
        let Self { relation, conditions, mut values } = self;
        let relation = relation.name(reader.merged_batch()?);
        let sql = format!("WITH mine AS NOT MATERIALIZED (SELECT * FROM {relation} WHERE {conditions}) {select}");
        values.extend(more);
        let reading = failed(operation);
        let mut statement = reader.connection.prepare(&sql).map_err(&reading)?;
        let rows = statement.query_map(params_from_iter(values), read).map_err(&reading)?;
        rows.collect::<Result<_, _>>().map_err(&reading)
    }
}
