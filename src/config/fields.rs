//! Reads typed values out of a TOML document and the environment, and collects every mistake on the way.
//!
//! Each read names its key, so the keys that were read are the keys that exist: [`Fields::finish`] refuses the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{Place, Problem};

/// Start of the names of environment variables that override keys.
pub(super) const VARIABLE_PREFIX: &str = "SUIFTLY_";

/// Longest part of a value that a message repeats, in characters.
const QUOTED_CHARS: usize = 80;

/// A document and the overrides of its keys.
pub(super) struct Fields<'a> {
    text: &'a str,
    document: DeTable<'a>,
    /// Lines with broken syntax: what the parser recovers of them is not worth a second complaint.
    broken_lines: BTreeSet<usize>,
    overrides: &'a BTreeMap<String, String>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// Parses the document; errors of its syntax become problems, and what is intact is still read.
    pub(super) fn new(text: &'a str, overrides: &'a BTreeMap<String, String>) -> Self {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut broken_lines = BTreeSet::new();
        let mut problems = Vec::new();
        for error in errors {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            // One slip often breaks several tokens of a line; the first says it best.
            if broken_lines.insert(line) {
                problems.push(Problem { place: Place::Line(line), message: one_line(error.message()) });
            }
        }
        Self { text, document: document.into_inner(), broken_lines, overrides, known: Vec::new(), problems }
    }

    /// A whole number within a range; the default if it is not set, or wrong.
    pub(super) fn integer<T>(&mut self, key: &'static str, default: T, allowed: RangeInclusive<T>) -> T
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let expected = format!("a whole number from {} to {}", allowed.start(), allowed.end());
        let within = |number: i64| T::try_from(number).ok().filter(|value| allowed.contains(value));
        let from_file = |value: &DeValue<'_>| {
            let digits = value.as_integer()?;
            i64::from_str_radix(digits.as_str(), digits.radix()).ok().and_then(within)
        };
        self.read(key, default, &expected, from_file, |text| text.parse().ok().and_then(within))
    }

    /// A text that `parse` accepts; the default if it is not set, or wrong.
    pub(super) fn text<T>(
        &mut self,
        key: &'static str,
        default: T,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        self.read(key, default, expected, |value| value.as_str().and_then(&parse), &parse)
    }

    /// A path; the default if it is not set, or wrong.
    pub(super) fn path(&mut self, key: &'static str, default: PathBuf) -> PathBuf {
        self.text(key, default, "a path", |text| {
            let is_path = !text.is_empty() && !text.contains('\0');
            is_path.then(|| PathBuf::from(text))
        })
    }

    /// The keys read so far.
    pub(super) fn known(&self) -> &[&'static str] {
        &self.known
    }

    /// All problems, those of keys that nothing has read included.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.refuse_unknown();
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
        self.problems
    }

    /// The environment wins over the file, but a wrong value in the file is reported all the same: it would break the
    /// next start without that variable.
    fn read<T>(
        &mut self,
        key: &'static str,
        default: T,
        expected: &str,
        from_file: impl Fn(&DeValue<'_>) -> Option<T>,
        from_environment: impl Fn(&str) -> Option<T>,
    ) -> T {
        self.known.push(key);
        let mut found = None;
        let in_file = self.find(key).map(|(name, value)| (from_file(value.get_ref()), name.span().start, value.span()));
        if let Some((value, at, span)) = in_file {
            if value.is_none() {
                let written = self.quote(span);
                self.complain(at, format!("{key} = {written}: must be {expected}"));
            }
            found = value;
        }
        let name = variable(key);
        if let Some(text) = self.overrides.get(&name) {
            found = from_environment(text);
            if found.is_none() {
                let message = format!("{name}={} ({key}): must be {expected}", one_line(&format!("{text:?}")));
                self.problems.push(Problem { place: Place::Environment, message });
            }
        }
        found.unwrap_or(default)
    }

    fn find(&self, key: &str) -> Option<(&Spanned<DeString<'a>>, &Spanned<DeValue<'a>>)> {
        match key.split_once('.') {
            None => self.document.get_key_value(key),
            Some((section, name)) => self.document.get(section)?.get_ref().as_table()?.get_key_value(name),
        }
    }

    fn refuse_unknown(&mut self) {
        let mut found = Vec::new();
        for (name, value) in &self.document {
            let at = name.span().start;
            let name: &str = name.get_ref();
            let is_section = self.known.iter().any(|key| key.split_once('.').is_some_and(|(start, _)| start == name));
            match value.get_ref().as_table() {
                Some(table) if is_section => found.extend(
                    table
                        .iter()
                        .map(|(key, value)| (key.span().start, format!("{name}.{}", key.get_ref()), value.span()))
                        .filter(|(_, key, _)| !self.known.contains(&key.as_str()))
                        .map(|(at, key, span)| (at, self.unknown(&key, span))),
                ),
                None if is_section => found.push((at, format!("{name} is a section: write [{name}] above its keys"))),
                _ if self.known.contains(&name) => {}
                Some(_) => found.push((at, self.unknown_section(name))),
                None => found.push((at, self.unknown(name, value.span()))),
            }
        }
        for (at, message) in found {
            self.complain(at, message);
        }
    }

    fn unknown(&self, key: &str, span: Range<usize>) -> String {
        let refused = format!("{} = {}: there is no such key", one_line(key), self.quote(span));
        if let Some(near) = nearest(key, self.known.iter().copied()) {
            return format!("{refused}; did you mean {near}?");
        }
        let section = key.split_once('.').map_or("", |(section, _)| section);
        let here: Vec<&str> = self.known.iter().copied().filter(|known| known.starts_with(section)).collect();
        format!("{refused}; known are {}", here.join(", "))
    }

    fn unknown_section(&self, name: &str) -> String {
        let sections: BTreeSet<&str> = self.known.iter().filter_map(|key| Some(key.split_once('.')?.0)).collect();
        let written = one_line(name);
        match nearest(name, sections.iter().copied()) {
            Some(near) => format!("[{written}]: there is no such section; did you mean [{near}]?"),
            None => {
                let sections: Vec<&str> = sections.into_iter().collect();
                format!("[{written}]: there is no such section; known are {}", sections.join(", "))
            }
        }
    }

    fn complain(&mut self, at: usize, message: String) {
        let line = line_of(self.text, at);
        if !self.broken_lines.contains(&line) {
            self.problems.push(Problem { place: Place::Line(line), message });
        }
    }

    fn quote(&self, span: Range<usize>) -> String {
        one_line(self.text.get(span).unwrap_or_default())
    }
}

/// The environment variable that overrides a key: `intake.log_file` is `SUIFTLY_INTAKE_LOG_FILE`.
pub(super) fn variable(key: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// What was probably meant: a name that differs in few letters, or the same key of another section.
pub(super) fn nearest<'n>(written: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let last = |key: &str| key.rsplit('.').next().map(str::to_owned).unwrap_or_default();
    let cost = |key: &str| distance(written, key).min(distance(&last(written), &last(key)).saturating_add(1));
    let (cost, near) = known.map(|key| (cost(key), key)).min()?;
    (cost <= written.chars().count() / 3).then_some(near)
}

/// Insertions, deletions and replacements of letters that turn one word into the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (deleted, letter) in from.chars().enumerate() {
        let mut left = deleted + 1;
        let mut next = vec![left];
        for (other, (diagonal, above)) in to.iter().zip(row.iter().zip(row.iter().skip(1))) {
            let replaced = diagonal + usize::from(letter != *other);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Messages are lines: what is repeated of a document is cut at its first line break, and at a length.
fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(QUOTED_CHARS).collect();
    if short.len() < text.trim_end().len() {
        short.push('…');
    }
    short
}
