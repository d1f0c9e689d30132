//! What is asked for, read from the words of an address; everything that is wrong is told at once.

use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{AppError, Refusal};
use crate::core::calendar::UtcMillis;
use crate::core::chart::{BadSpan, Chart, Range};
use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;
use crate::core::id::{CustomerId, Network, Service};
use crate::traffic::Scope;

/// The stretch of time if none is named.
const DEFAULT_RANGE: Range = Range::Day;

/// Which stretch of time, and which part of the requests.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TrafficChartParams {
    /// `1h`, `24h`, `7d`, `30d` or `90d`, up to now; `24h` if neither this nor `from` is given.
    #[param(required = false, nullable = false)]
    pub range: Option<String>,
    /// The beginning, RFC 3339, instead of a range. Moved back to a whole step.
    #[param(required = false, nullable = false)]
    pub from: Option<String>,
    /// The end, RFC 3339, without it; now if it is left out. At most 400 days after `from`.
    #[param(required = false, nullable = false)]
    pub to: Option<String>,
    /// `seal`, `grpc` or `graphql`; all if it is left out.
    #[param(required = false, nullable = false)]
    pub service: Option<String>,
    /// `mainnet` or `testnet`; both if it is left out.
    #[param(required = false, nullable = false)]
    pub network: Option<String>,
}

/// The fields that every question about a stretch of time has.
#[derive(Clone, Copy)]
pub(super) struct TimeFields<'a> {
    pub range: Option<&'a str>,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
}

/// Gathers what is wrong with the parameters while they are read.
#[derive(Default)]
pub(super) struct Reading(FieldErrors);

impl TrafficChartParams {
    pub(super) fn read(&self, customer: CustomerId, now: UtcMillis) -> Result<(Scope, Chart), AppError> {
        let mut reading = Reading::default();
        let time = TimeFields { range: self.range.as_deref(), from: self.from.as_deref(), to: self.to.as_deref() };
        let chart = reading.chart(time, now);
        let scope = reading.scope(customer, self.service.as_deref(), self.network.as_deref());
        reading.finish(chart.map(|chart| (scope, chart)))
    }
}

impl Reading {
    /// A field that may be left out, in the words that `read` knows.
    pub(super) fn word<T>(
        &mut self,
        field: &str,
        text: Option<&str>,
        words: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = text?;
        let value = read(text);
        if value.is_none() {
            self.0.add(field, format!("must be {words}"));
        }
        value
    }

    pub(super) fn scope(&mut self, customer: CustomerId, service: Option<&str>, network: Option<&str>) -> Scope {
        let service = self.word("service", service, "`seal`, `grpc` or `graphql`", Service::from_name);
        let network = self.word("network", network, "`mainnet` or `testnet`", Network::from_name);
        Scope::of(customer).service(service).network(network)
    }

    fn instant(&mut self, field: &str, text: Option<&str>) -> Option<UtcMillis> {
        self.word(field, text, "a time like 2026-11-30T00:00:00Z", |text| {
            let instant: Timestamp = text.parse().ok()?;
            Some(UtcMillis(instant.as_millisecond()))
        })
    }

    /// `None` after noting why there is none.
    pub(super) fn chart(&mut self, time: TimeFields<'_>, now: UtcMillis) -> Option<Chart> {
        let TimeFields { range, from, to } = time;
        if range.is_some() && (from.is_some() || to.is_some()) {
            self.0.add("range", "cannot stand beside `from` and `to`: give either");
            return None;
        }
        if from.is_none() && to.is_some() {
            self.0.add("from", "must be given with `to`");
            return None;
        }
        let Some(text) = from else {
            let range = range.unwrap_or(DEFAULT_RANGE.name());
            let range = self.word("range", Some(range), "`1h`, `24h`, `7d`, `30d` or `90d`", Range::from_name);
            return range.map(|range| Chart::recent(range, now));
        };
        let begin = self.instant("from", Some(text));
        let end = if to.is_some() { self.instant("to", to) } else { Some(now) };
        let chart = Chart::between(begin?, end?, now);
        let field = if to.is_none() || matches!(chart, Err(BadSpan::OutOfRange)) { "from" } else { "to" };
        match (chart, to) {
            (Err(BadSpan::Backwards), None) => {
                self.0.add("from", "must lie in the past if `to` is left out");
                None
            }
            (Err(BadSpan::TooLong), None) => {
                self.0.add("from", "is too long ago: give `to` as well");
                None
            }
            (chart, _) => self.0.take(field, chart),
        }
    }

    /// Everything that was read, or everything that was wrong with it.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, AppError> {
        let Self(fields) = self;
        match (fields.clone().finish(), read) {
            (Ok(()), Some(read)) => Ok(read),
            _ => Err(Refusal { fields: fields.clone(), ..Refusal::new(Code::InvalidParameter, fields) }.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_425_154_567);

    fn read(query: [Option<&str>; 5]) -> Result<(Scope, Chart), String> {
        let [range, from, to, service, network] = query.map(|text| text.map(str::to_owned));
        let params = TrafficChartParams { range, from, to, service, network };
        params.read(CustomerId::new(5).unwrap(), NOW).map_err(|error| match error {
            AppError::Refused(refusal) => {
                assert_eq!(refusal.code, Code::InvalidParameter);
                let fields = refusal.fields.list().iter();
                fields.map(|error| format!("{} {}", error.field, error.message)).collect::<Vec<_>>().join("; ")
            }
            error => error.to_string(),
        })
    }

    #[test]
    fn what_is_left_out_has_a_meaning() {
        let (scope, chart) = read([None; 5]).unwrap();
        assert_eq!((scope, chart), (Scope::of(CustomerId::new(5).unwrap()), Chart::recent(Range::Day, NOW)));
        let (scope, chart) = read([None, Some("2026-11-23T08:00:00Z"), None, Some("seal"), Some("mainnet")]).unwrap();
        assert_eq!(chart.steps(), 73);
        let narrow = Scope::of(CustomerId::new(5).unwrap());
        assert_eq!(scope, narrow.service(Some(Service::Seal)).network(Some(Network::Mainnet)));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let early = Some("2026-11-01T00:00:00Z");
        for (query, told) in [
            ([Some("2d"), None, None, None, None], "range must be `1h`, `24h`, `7d`, `30d` or `90d`"),
            ([Some("7d"), early, None, None, None], "range cannot stand beside `from` and `to`: give either"),
            ([None, None, early, None, None], "from must be given with `to`"),
            (
                [None, Some("yesterday"), Some("2026-13-01"), Some("http"), Some("devnet")],
                "from must be a time like 2026-11-30T00:00:00Z; to must be a time like 2026-11-30T00:00:00Z; service \
                 must be `seal`, `grpc` or `graphql`; network must be `mainnet` or `testnet`",
            ),
            ([None, Some("2026-11-02T00:00:00Z"), early, None, None], "to must be after `from`"),
            ([None, Some("2020-11-02T00:00:00Z"), early, None, None], "to must be at most 400 days after `from`"),
            ([None, Some("1999-11-02T00:00:00Z"), early, None, None], "from must lie in the years 2000 to 2199"),
            ([None, Some("2027-01-01T00:00:00Z"), None, None, None], "from must lie in the past if `to` is left out"),
            ([None, Some("2020-01-01T00:00:00Z"), None, None, None], "from is too long ago: give `to` as well"),
        ] {
            assert_eq!(read(query), Err(told.to_owned()));
        }
    }
}
