//! Names that customers give to keys, tokens and packages.

use std::fmt;
use std::str::FromStr;

/// Characters of a name, at most.
pub const NAME_CHARS: usize = 64;

/// 1 to 64 characters on one line, without blanks around them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// The text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give 1 to {NAME_CHARS} characters, without line breaks and other control characters")]
pub struct NotAName;

impl Name {
    /// A name that nobody has to think of, such as `api-key-3`.
    pub fn numbered(noun: &str, number: u64) -> Self {
        Self(format!("{noun}-{number}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Blanks around it are dropped.
impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let name = text.trim();
        let is_short = (1..=NAME_CHARS).contains(&name.chars().count());
        if is_short && !name.chars().any(char::is_control) { Ok(Self(name.to_owned())) } else { Err(NotAName) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_on_one_line() {
        let longest = "é".repeat(NAME_CHARS);
        for (text, expected) in [
            ("my key", Some("my key")),
            ("  my key\n", Some("my key")),
            (longest.as_str(), Some(longest.as_str())),
            (&format!("{longest}x"), None),
            ("", None),
            ("  ", None),
            ("a\tb", None),
            ("a\u{0}", None),
        ] {
            assert_eq!(text.parse::<Name>().ok().as_ref().map(Name::as_str), expected, "{text:?}");
        }
        assert_eq!(Name::numbered("api-key", 3).as_str(), "api-key-3");
    }
}
