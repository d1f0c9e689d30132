//! Requests that are refused for a reason that the client can act on.

use crate::core::error_code::Code;
use crate::core::field_error::FieldErrors;

/// What the client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", code.name(), self.sentence())]
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

    /// What is said of it in one go.
    fn sentence(&self) -> String {
        match (self.detail.is_empty(), self.fields.list().is_empty()) {
            (false, _) => self.detail.clone(),
            (true, false) => self.fields.to_string(),
            (true, true) => self.code.title().to_owned(),
        }
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
