//! Lists, page by page.

use serde::Deserialize;
use utoipa::IntoParams;

/// Entries of a page, unless asked for otherwise.
const DEFAULT_LIMIT: u32 = 50;
/// Entries of a page, at most.
const MAX_LIMIT: u32 = 200;

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageParams {
    /// `next_cursor` of the page before; absent for the first.
    #[param(required = false, nullable = false, max_length = 200)]
    pub cursor: Option<String>,
    /// Entries of the page; more than 200 are as 200.
    #[param(required = false, nullable = false, minimum = 1, default = 50)]
    pub limit: Option<u32>,
}

impl PageParams {
    /// Between 1 and the most.
    pub(crate) fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
    }
}
