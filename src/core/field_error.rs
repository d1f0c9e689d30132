//! What is wrong with a form: every field with its own sentence, all at once.

use std::fmt;

/// One field and what it must be instead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldError {
    /// The name in the request, such as `name` or `ip_allowlist[2]`.
    pub field: String,
    /// A sentence that says what to change.
    pub message: String,
}

/// Collects errors while the fields of a form are read one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default, thiserror::Error)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes one error.
    pub fn add(&mut self, field: impl Into<String>, message: impl fmt::Display) {
        self.0.push(FieldError { field: field.into(), message: message.to_string() });
    }

    /// The value, or `None` after noting why there is none.
    pub fn take<T, E: fmt::Display>(&mut self, field: impl Into<String>, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.add(field, error)).ok()
    }

    /// # Errors
    /// Everything that was noted, if anything was.
    pub fn finish(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// In the order in which they were noted.
    pub fn list(&self) -> &[FieldError] {
        &self.0
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentences: Vec<_> = self.0.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
        f.write_str(&sentences.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fields_are_told_at_once_in_their_order() {
        let mut errors = FieldErrors::new();
        assert_eq!(errors.take("port", "80".parse::<u16>()), Some(80));
        assert_eq!(errors.clone().finish(), Ok(()));
        assert_eq!(errors.take("port", "x".parse::<u16>()), None);
        errors.add("name", "give a name");
        assert_eq!(errors.to_string(), "port: invalid digit found in string; name: give a name");
        assert_eq!(errors.clone().finish(), Err(errors));
    }
}
