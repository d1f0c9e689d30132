//! Which format a source's lines have.
//!
//! Each line is read by what it begins with, so a file with mixed formats loses nothing. What is detected here is for
//! people: the format that a source's lines have had for a while.

use std::fmt;

/// So many lines in a row of one other format, and that one is the source's. Fewer are a mixture.
const LINES_TO_CHANGE: u32 = 16;

/// A format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The line of the shipped HAProxy configuration: [`s1`](super::s1).
    S1,
    /// HAProxy's `option httplog` with five captured values: [`httplog`](super::httplog).
    Httplog,
    /// HAProxy's `option httpslog`, the same with TLS columns behind: [`httplog`](super::httplog).
    Httpslog,
    /// One JSON object a line: [`json`](super::json).
    Json,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::S1, Self::Httplog, Self::Httpslog, Self::Json];

    /// The word used in logs and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S1 => "s1",
            Self::Httplog => "httplog",
            Self::Httpslog => "httpslog",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The format of one source, as far as its lines have told.
///
/// ```text
///           first line that parses                 LINES_TO_CHANGE lines in a row of one other format
/// (none) ──────────────────────────▶ detected ───────────────────────────────────────────────────────▶ detected
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Detection {
    format: Option<Format>,
    other: Option<Format>,
    others: u32,
}

impl Detection {
    /// What the source has, `None` before its first line that parses.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// Notes the format of a line that was parsed. Tells the source's format if this line has changed it.
    pub fn note(&mut self, format: Format) -> Option<Format> {
        if self.format == Some(format) {
            self.others = 0;
            return None;
        }
        self.note_other(format)
    }

    #[cold]
    fn note_other(&mut self, format: Format) -> Option<Format> {
        self.others = if self.other == Some(format) { self.others.saturating_add(1) } else { 1 };
        self.other = Some(format);
        if self.format.is_some() && self.others < LINES_TO_CHANGE {
            return None;
        }
        *self = Self { format: Some(format), other: None, others: 0 };
        self.format
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_decides_and_only_a_run_of_another_format_changes_it() {
        let mut detection = Detection::default();
        assert_eq!(detection.format(), None);
        assert_eq!(detection.note(Format::Json), Some(Format::Json));
        for _ in 0..3 {
            for _ in 1..LINES_TO_CHANGE {
                assert_eq!(detection.note(Format::S1), None);
            }
            assert_eq!(detection.note(Format::Json), None);
        }
        for _ in 0..LINES_TO_CHANGE {
            assert_eq!((detection.note(Format::Httplog), detection.note(Format::S1)), (None, None));
        }
        for _ in 2..LINES_TO_CHANGE {
            assert_eq!(detection.note(Format::S1), None);
        }
        assert_eq!(detection.format(), Some(Format::Json));
        assert_eq!(detection.note(Format::S1), Some(Format::S1));
        assert_eq!(detection.format(), Some(Format::S1));
    }
}
