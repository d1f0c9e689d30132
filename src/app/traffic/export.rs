//! The caller's requests as a file, piece by piece: memory holds one piece, however many requests there are.

use serde::Deserialize;
use utoipa::IntoParams;

use super::export_file::{ExportFile, ExportFormat};
use super::params::{Reading, TimeFields};
use super::requests::{FilterFields, Wanted};
use crate::app::{App, AppError, Caller};
use crate::traffic::{Position, RequestQuery};

/// Requests of a file, at most: the newest ones.
pub const EXPORT_ROWS: u32 = 1_000_000;
/// Requests of a piece.
const PIECE_ROWS: u32 = 5_000;

/// Which requests, and what kind of file.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TrafficExportParams {
    /// `csv` or `parquet`; `csv` if it is left out.
    #[param(required = false, nullable = false)]
    pub format: Option<String>,
    /// `1h`, `24h`, `7d`, `30d` or `90d`, up to now; `24h` if neither this nor `from` is given.
    #[param(required = false, nullable = false)]
    pub range: Option<String>,
    /// The beginning, RFC 3339, instead of a range.
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
    /// The `fingerprint` of an API key.
    #[param(required = false, nullable = false)]
    pub key: Option<String>,
    /// How the path begins, at most 1024 bytes.
    #[param(required = false, nullable = false)]
    pub path: Option<String>,
    /// A status such as `404`, a class such as `4xx`, or `none` for no answer.
    #[param(required = false, nullable = false)]
    pub status: Option<String>,
    /// How the gateway treated it, such as `guaranteed`, `burst`, `denied` or `dropped_by_rate`.
    #[param(required = false, nullable = false)]
    pub class: Option<String>,
    /// The number of the gateway's event, 0 to 255.
    #[param(required = false, nullable = false)]
    pub event: Option<String>,
}

/// An export under way.
pub struct Export {
    wanted: Wanted,
    after: Option<Position>,
    rows_left: u32,
    file: Option<ExportFile>,
}

impl App {
    /// What is to be exported, with nothing read yet.
    ///
    /// # Errors
    /// [`Code::InvalidParameter`](crate::core::error_code::Code::InvalidParameter).
    pub fn read_export(
        &self,
        caller: &Caller,
        params: &TrafficExportParams,
    ) -> Result<(ExportFormat, Export), AppError> {
        let mut reading = Reading::default();
        let format = params.format.as_deref().or(Some("csv"));
        let format = reading.word("format", format, "`csv` or `parquet`", ExportFormat::from_name);
        let fields = FilterFields {
            time: TimeFields { range: params.range.as_deref(), from: params.from.as_deref(), to: params.to.as_deref() },
            service: params.service.as_deref(),
            network: params.network.as_deref(),
            key: params.key.as_deref(),
            path: params.path.as_deref(),
            status: params.status.as_deref(),
            class: params.class.as_deref(),
            event: params.event.as_deref(),
        };
        let wanted = reading.wanted(caller, self, fields);
        let (format, wanted) = reading.finish(format.zip(wanted))?;
        let file = Some(ExportFile::new(format)?);
        Ok((format, Export { wanted, after: None, rows_left: EXPORT_ROWS, file }))
    }

    /// The file's next bytes, newest requests first; `None` at its end. Each call is one query within the bounds of all
    /// others, and may give nothing yet.
    ///
    /// # Errors
    /// As of every customer's query; then the file is not whole.
    pub async fn next_piece(&self, export: &mut Export) -> Result<Option<Vec<u8>>, AppError> {
        let Some(mut file) = export.file.take() else { return Ok(None) };
        let Wanted { scope, chart, ref filter } = export.wanted;
        let query = RequestQuery {
            span: chart.span,
            filter: filter.clone(),
            after: export.after,
            limit: PIECE_ROWS.min(export.rows_left),
            now: self.clock.now(),
        };
        let page = self.run_traffic(move |traffic, interrupt| traffic.requests(interrupt, &scope, &query)).await?;
        let rows = u32::try_from(page.rows.len()).unwrap_or(u32::MAX);
        export.rows_left = export.rows_left.saturating_sub(rows);
        export.after = page.next;
        let is_over = page.next.is_none() || export.rows_left == 0;
        // Compressing a row group takes longer than a task may hold its thread.
        let written = tokio::task::spawn_blocking(move || {
            file.write(&page.rows)?;
            if is_over { Ok((file.finish()?, None)) } else { Ok((file.take()?, Some(file))) }
        });
        let (bytes, file) = written.await.map_err(|_| AppError::Panicked)?.map_err(AppError::ExportFile)?;
        export.file = file;
        Ok(Some(bytes))
    }
}
