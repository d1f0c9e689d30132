//! Directives that let requests past the rules, or keep them out of the log, wherever else the rules stand.
//!
//! An operator may add what the rules do not know: other headers, redirects, answers of HAProxy's own. This is no proof
//! that what is added is harmless; it finds what is known to be otherwise.

use std::collections::BTreeSet;

use super::section::{Directive, Section, normal};
use super::{Finding, REFUSING, missing_one, unwanted_one};

const LETS_IN: &str = "Whoever it lets through is not asked for the rest: for a key, a limit, or a tunnel.";
const DECIDES: &str = "The rules decide by this: changed in between, they let in, limit and bill somebody else.";
const UNBILLED: &str = "A request that is not logged is not billed.";
const OTHER_LINE: &str = "A line in another format, or before its request has ended, is not billed as it should be.";
const KEY_HEADER: &str = "It says which key was sent. A header for the backend belongs into the backend's section.";

/// Beginnings of directives, in any section of a metered service.
const STARTS: [(&str, &str); 7] = [
    ("http-request allow", LETS_IN),
    ("http-request cache-use", LETS_IN),
    ("http-response allow", LETS_IN),
    ("http-request set-log-level", UNBILLED),
    ("http-response set-log-level", UNBILLED),
    ("http-after-response set-log-level", UNBILLED),
    ("no log", UNBILLED),
];
/// Beginnings of directives of a frontend.
const FRONTEND_STARTS: [(&str, &str); 3] = [
    ("tcp-request content set-log-level", UNBILLED),
    ("tcp-response content set-log-level", UNBILLED),
    ("log-steps", UNBILLED),
];
/// Of a frontend itself: in its `defaults` they come before its format, which replaces them.
const FORMATS: [&str; 5] = ["log-format", "option httplog", "option httpslog", "option tcplog", "option clflog"];
/// Options that a later `no option` takes back.
const OPTIONS: [(&str, &str); 2] = [("dontlog-normal", UNBILLED), ("logasap", OTHER_LINE)];
/// Headers that the rules read.
const KEY_HEADERS: [&str; 2] = ["x-api-key", "authorization"];
/// The places of counters that the rules use, and where they count.
const COUNTERS: [&str; 4] = [" track-sc0 ", " track-sc1 ", " sc-inc-gpc0(0)", " sc-inc-gpc0(1)"];

/// What the rules decide by.
pub(super) struct Ours {
    variables: BTreeSet<String>,
    acls: BTreeSet<String>,
}

impl Ours {
    pub(super) fn of(reference: &[Section]) -> Self {
        let texts =
            || reference.iter().flat_map(|section| &section.directives).map(|directive| directive.text.as_str());
        let acls = texts().filter_map(acl_of).map(str::to_owned).collect();
        Self { variables: texts().flat_map(variables_of).map(str::to_owned).collect(), acls }
    }

    fn decide_by(&self, text: &str) -> bool {
        variables_of(text).any(|name| self.variables.contains(name))
            || acl_of(text).is_some_and(|name| self.acls.contains(name))
            || COUNTERS.iter().any(|counter| text.contains(counter))
    }
}

/// Of a frontend that asks for keys, of what is in force in it.
pub(super) fn in_frontend(
    frontend: &Section,
    in_force: &[&Directive],
    reference: &Section,
    ours: &Ours,
) -> Vec<Finding> {
    let mut findings = of_any(frontend, in_force, reference, ours);
    let unwanted = |text: &str, reason| unwanted_one(&frontend.title, text, reason);
    for text in foreign(in_force, reference) {
        findings.extend(reason_of(text, &FRONTEND_STARTS).map(|reason| unwanted(text, reason)));
        if sets_key_header(text) {
            findings.push(unwanted(text, KEY_HEADER));
        }
    }
    for (option, reason) in OPTIONS {
        let is_about = |directive: &&&Directive| {
            directive.text.strip_prefix("no ").unwrap_or(&directive.text).strip_prefix("option ") == Some(option)
        };
        let last = in_force.iter().rev().find(is_about).filter(|directive| !directive.text.starts_with("no "));
        findings.extend(last.map(|directive| unwanted(&directive.text, reason)));
    }
    let own: Vec<&Directive> = frontend.directives.iter().collect();
    let is_format = |text: &&str| FORMATS.iter().any(|start| begins(text, start));
    findings.extend(foreign(&own, reference).into_iter().filter(is_format).map(|text| unwanted(text, OTHER_LINE)));
    let before = frontend.directives.iter().take_while(|directive| !directive.text.starts_with(REFUSING));
    let choices = before.filter(|directive| directive.text.starts_with("use_backend "));
    findings.extend(choices.map(|directive| unwanted(&directive.text, LETS_IN)));
    findings
}

/// Of a backend of such a frontend.
pub(super) fn in_backend(backend: &Section, in_force: &[&Directive], reference: &Section, ours: &Ours) -> Vec<Finding> {
    of_any(backend, in_force, reference, ours)
}

fn of_any(section: &Section, in_force: &[&Directive], reference: &Section, ours: &Ours) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in foreign(in_force, reference) {
        let decides = ours.decide_by(text).then_some(DECIDES);
        let reason = reason_of(text, &STARTS).or(decides);
        findings.extend(reason.map(|reason| unwanted_one(&section.title, text, reason)));
    }
    let mode = in_force.iter().rev().find(|directive| begins(&directive.text, "mode"));
    if mode.is_none_or(|mode| normal(&mode.text) != "mode http") {
        findings.push(missing_one(
            &section.title,
            "mode http",
            "The rules are of HTTP: in another mode none is asked.",
        ));
    }
    findings
}

/// Directives beyond those of the reference; one that stands there once more is foreign, too.
fn foreign<'a>(found: &[&'a Directive], reference: &Section) -> Vec<&'a str> {
    let mut ours: Vec<String> = reference.directives.iter().map(|directive| normal(&directive.text)).collect();
    let mut foreign = Vec::new();
    // From the end: a copy that comes before the place of the rule is the one that is foreign.
    for directive in found.iter().rev() {
        let text = normal(&directive.text);
        match ours.iter().rposition(|other| *other == text) {
            Some(place) => drop(ours.remove(place)),
            None => foreign.push(directive.text.as_str()),
        }
    }
    foreign.reverse();
    foreign
}

fn reason_of(text: &str, starts: &[(&str, &'static str)]) -> Option<&'static str> {
    starts.iter().find(|(start, _)| begins(text, start)).map(|(_, reason)| *reason)
}

/// Whether its first words are these.
fn begins(text: &str, start: &str) -> bool {
    let text = super::section::words(text);
    text.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Names of the transaction's variables that are set, or forgotten.
fn variables_of(text: &str) -> impl Iterator<Item = &str> {
    let setting = ["set-var(txn.", "set-var-fmt(txn."];
    setting
        .into_iter()
        .flat_map(move |start| text.split(start).skip(1).filter_map(|rest| rest.split([')', ',']).next()))
}

fn acl_of(text: &str) -> Option<&str> {
    text.strip_prefix("acl ")?.split_whitespace().next()
}

fn sets_key_header(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let is_rule = words.next() == Some("http-request");
    let sets =
        matches!(words.next(), Some("set-header" | "add-header" | "replace-header" | "replace-value" | "del-header"));
    let header = words.next().unwrap_or_default().to_ascii_lowercase();
    is_rule && sets && KEY_HEADERS.contains(&header.as_str())
}
