//! Requests that are refused for a reason that the client can act on.

use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;

/// What the client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.name())]
pub struct Refusal {
    pub code: Code,
    /// What happened in this case, and what to change; empty if the code says it all.
    pub detail: String,
    /// For forms: every field that is not right.
    pub fields: FieldErrors,
    /// Seconds after which the same request may work.
    pub retry_after_s: Option<u64>,
}

impl Refusal {
    /// Nothing to add to what the code means.
    pub fn of(code: Code) -> Self {
        Self { code, detail: String::new(), fields: FieldErrors::new(), retry_after_s: None }
    }

    pub fn new(code: Code, detail: impl ToString) -> Self {
        Self { detail: detail.to_string(), ..Self::of(code) }
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

/// Every field with its own sentence.
impl From<FieldErrors> for Refusal {
    fn from(fields: FieldErrors) -> Self {
        Self { fields, ..Self::of(Code::InvalidFields) }
    }
}
