//! What an operator must hear of: told once when it begins, over by itself, and acknowledged by a person.
//!
//! ```text
//!            it begins             it is over              somebody acknowledges
//! nothing ─────────────▶ open ─────────────────▶ cleared ─────────────────────────▶ done
//!                          ▲   ◀─────────────────   │        (acknowledged while it is open: done when it is over)
//!                          └─ it begins again: +1 ──┘
//! ```
//! What begins again after it was done is news of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Customers may notice: a person must act.
    Error,
    /// It can wait until somebody looks.
    Warning,
}

impl Severity {
    pub const ALL: [Self; 2] = [Self::Error, Self::Warning];

    /// The word used in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }

    /// `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// Something that is so at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What is the same has one key, such as `gateway_unreachable/3`.
    pub key: String,
    /// A word for what it is.
    pub code: &'static str,
    /// A word for what it is about: whoever tells of a category tells of all that is in it.
    pub category: &'static str,
    pub severity: Severity,
    /// What is wrong and what to do.
    pub text: String,
}

/// What to note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It has begun.
    Open(Notification),
    /// It goes on, and is another than it was.
    Retell(Notification),
    /// What has this key is over.
    Clear(String),
}

/// What follows from what is open, texts by key, and what is so at present. Nothing if they agree.
pub fn settle(open: &BTreeMap<String, String>, current: &[Notification]) -> Vec<Step> {
    let is_current = |key: &String| current.iter().any(|notification| notification.key == *key);
    let over = open.keys().filter(|key| !is_current(key)).cloned().map(Step::Clear);
    let told = current.iter().filter_map(|notification| match open.get(&notification.key) {
        None => Some(Step::Open(notification.clone())),
        Some(text) if *text != notification.text => Some(Step::Retell(notification.clone())),
        Some(_) => None,
    });
    over.chain(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agrees_is_left_alone_and_everything_else_is_noted_once() {
        let is_so = |key: &str, text: &str| Notification {
            key: key.to_owned(),
            code: "a",
            category: "b",
            severity: Severity::Error,
            text: text.to_owned(),
        };
        let open = |known: &[(&str, &str)]| known.iter().map(|(key, text)| ((*key).into(), (*text).into())).collect();
        for (known, current, expected) in [
            (&[][..], &[][..], vec![]),
            (&[("x", "1")], &[is_so("x", "1")], vec![]),
            (&[], &[is_so("x", "1")], vec![Step::Open(is_so("x", "1"))]),
            (&[("x", "1")], &[is_so("x", "2")], vec![Step::Retell(is_so("x", "2"))]),
            (&[("x", "1"), ("y", "1")], &[is_so("y", "1")], vec![Step::Clear("x".to_owned())]),
            (&[("x", "1")], &[is_so("y", "1")], vec![Step::Clear("x".to_owned()), Step::Open(is_so("y", "1"))]),
        ] {
            assert_eq!(settle(&open(known), current), expected, "{known:?} {current:?}");
        }
    }

    #[test]
    fn severities_have_words() {
        for severity in Severity::ALL {
            assert_eq!(Severity::from_name(severity.name()), Some(severity));
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.name());
        }
        assert_eq!(Severity::from_name("info"), None);
    }
}
