//! What an existing configuration lacks of the rendered one, and what it has that takes the effect of it away.
//!
//! The rendered configuration is the measure: each of its directives must be there, in the same order, with whatever else
//! between them. So a rule that is added to it is checked from then on, and the reason that is told is the comment above it.
//! A directive that says the same in other words is reported, too: nobody can tell from here that it does. What stands
//! between them may do anything but what `unwanted` knows to let requests in or out of the log.

pub(super) mod section;
mod unwanted;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use self::section::{Directive, Section, in_force, normal, read};
use super::{ServiceSettings, Settings, render};
use crate::core::id::{Network, Service};

/// The longest a reference of a line may be in a message.
const SHOWN_CHARS: usize = 160;
/// What stands before `<service>/<network>` of the keys that are let in.
const SCOPES: &str = "var(txn.key),field(2,/,2) -m str ";
/// Sends a request away that is not let in.
const REFUSING: &str = "use_backend refuse_";
/// Bytes of a log line that fit, at least.
const LEAST_LOG_LEN: u32 = 8192;

/// Something that an existing configuration lacks, or must not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub kind: FindingKind,
    /// The section that it belongs into, such as `frontend seal`, or that it stands in.
    pub section: String,
    /// The directive, as it is rendered, or as it stands there.
    pub directive: String,
    /// Why it is needed, or must not be there.
    pub reason: String,
}

/// What is wrong about a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    Missing,
    Unwanted,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FindingKind::Missing => "missing",
            FindingKind::Unwanted => "must not be there",
        };
        write!(f, "{}: {what}: {}", self.section, self.directive)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, "\n    {}", self.reason) }
    }
}

/// Everything that is missing or must not be there, in the order of the file; nothing if it enforces and logs all that it
/// should.
pub fn check(text: &str) -> Vec<Finding> {
    let sections = read(text);
    let frontends: Vec<usize> = places(&sections, looks_keys_up);
    if frontends.is_empty() {
        let reason = "`suiftly haproxy print` prints a whole configuration";
        return vec![missing_one("configuration", "a frontend that looks keys up in keys.map", reason)];
    }
    let mut findings = general(&sections);
    for place in &frontends {
        findings.extend(check_frontend(*place, &sections));
    }
    findings.extend(side_doors(&frontends, &sections));
    // A backend may be that of several frontends.
    let mut told = BTreeSet::new();
    findings.retain(|finding| told.insert(finding.clone()));
    findings
}

fn places(sections: &[Section], is_meant: impl Fn(&Section) -> bool) -> Vec<usize> {
    sections.iter().enumerate().filter(|(_, section)| is_meant(section)).map(|(place, _)| place).collect()
}

fn looks_keys_up(section: &Section) -> bool {
    let is_frontend = matches!(section.kind(), "frontend" | "listen");
    let is_ours = |text: &str| ["keys.map", "limits.map", "s1 %Ts%ms "].iter().any(|part| text.contains(part));
    is_frontend && section.directives.iter().any(|directive| is_ours(&directive.text))
}

/// What all services need.
fn general(sections: &[Section]) -> Vec<Finding> {
    let reference = render(&Settings::default()).map(|text| read(&text)).unwrap_or_default();
    let needed = ["tune.http.logurilen ", "option dontlognull", "hard-stop-after "];
    let mut findings = Vec::new();
    for section in reference.iter().filter(|section| matches!(section.title.as_str(), "global" | "defaults")) {
        let found: Vec<String> = sections
            .iter()
            .filter(|other| other.kind() == section.title)
            .flat_map(|other| other.directives.iter().map(|directive| normal(&directive.text)))
            .collect();
        let is_needed = |directive: &&Directive| needed.iter().any(|start| directive.text.starts_with(start));
        let is_missing = |directive: &&Directive| !found.contains(&normal(&directive.text));
        let missing = section.directives.iter().filter(is_needed).filter(is_missing);
        findings.extend(missing.map(|directive| finding(&section.title, directive)));
        let has_socket = found.iter().any(|text| text.starts_with("stats socket ") && text.contains("level admin"));
        if section.title == "global" && !has_socket {
            let reason = "suiftly changes the maps of the running HAProxy through it";
            findings.push(missing_one("global", "stats socket … level admin", reason));
        }
    }
    findings
}

fn check_frontend(place: usize, sections: &[Section]) -> Vec<Finding> {
    let Some(frontend) = sections.get(place) else { return Vec::new() };
    let Some(service) = service_of(frontend) else {
        let reason = "neither the log format nor the limits tell which service this is";
        return vec![missing_one(&frontend.title, "log-format \"s1 …", reason)];
    };
    let reference = reference_of(frontend, service);
    let ours = unwanted::Ours::of(&reference);
    let mut findings = Vec::new();
    for section in &reference {
        match section.kind() {
            "frontend" => {
                findings.extend(missing(section, frontend));
                findings.extend(unwanted::in_frontend(frontend, &in_force(sections, place), section, &ours));
            }
            _ if section.name().starts_with("be_") => {}
            _ => findings.extend(check_backend(section.name(), section, sections, &ours)),
        }
    }
    findings.extend(check_log(frontend, sections));
    let reference = reference.iter().find(|section| section.name().starts_with("be_"));
    for name in backends_of(&in_force(sections, place)) {
        if let Some(reference) = reference {
            findings.extend(check_backend(&name, reference, sections, &ours));
        }
    }
    findings
}

/// What is rendered for a frontend of this service, with the networks and the number of this one.
fn reference_of(frontend: &Section, service: Service) -> Vec<Section> {
    let upstreams: BTreeMap<Network, String> =
        networks_of(frontend).into_iter().map(|network| (network, "a:1".to_owned())).collect();
    let service_settings = ServiceSettings { upstreams, ..ServiceSettings::default_for(service) };
    let settings = Settings { gateway: gateway_of(frontend), services: vec![service_settings], ..Settings::default() };
    let rendered = render(&settings).map(|text| read(&text)).unwrap_or_default();
    rendered.into_iter().filter(|section| matches!(section.kind(), "frontend" | "backend")).collect()
}

fn check_backend(name: &str, reference: &Section, sections: &[Section], ours: &unwanted::Ours) -> Vec<Finding> {
    let place = places(sections, |section| matches!(section.kind(), "backend" | "listen") && section.name() == name);
    let Some((place, found)) = place.first().and_then(|place| Some((*place, sections.get(*place)?))) else {
        let reason = "it is named, and is not there: what it says cannot be checked";
        return vec![missing_one("configuration", &format!("backend {name}"), reason)];
    };
    let mut findings = missing(reference, found);
    findings.extend(unwanted::in_backend(found, &in_force(sections, place), reference, ours));
    findings
}

/// Names of the backends to which a frontend sends what it lets in.
fn backends_of(directives: &[&Directive]) -> BTreeSet<String> {
    let names = directives.iter().filter_map(|directive| backend_of(&directive.text));
    names.filter(|name| !name.starts_with("refuse_")).map(str::to_owned).collect()
}

/// Other ways to the backends than through the frontends that ask for keys.
fn side_doors(frontends: &[usize], sections: &[Section]) -> Vec<Finding> {
    let ours: BTreeSet<String> = frontends.iter().flat_map(|place| backends_of(&in_force(sections, *place))).collect();
    let is_other = |section: &Section| matches!(section.kind(), "frontend" | "listen") && !looks_keys_up(section);
    let mut findings = Vec::new();
    for place in places(sections, is_other) {
        let title = sections.get(place).map_or("", |section| &section.title);
        for directive in in_force(sections, place) {
            let is_ours = |name: &str| ours.contains(name) || name.contains("%[");
            if backend_of(&directive.text).is_some_and(is_ours) {
                let reason = "It leads to a backend of a metered service, or may do so, and asks for no key.";
                findings.push(unwanted_one(title, &directive.text, reason));
            }
        }
    }
    findings
}

/// Directives of the reference that do not follow each other in the section.
fn missing(reference: &Section, found: &Section) -> Vec<Finding> {
    let there: Vec<String> = found.directives.iter().map(|directive| normal(&directive.text)).collect();
    let mut from = 0;
    let mut findings = Vec::new();
    let title = if found.title.is_empty() { &reference.title } else { &found.title };
    for directive in reference.directives.iter().filter(|directive| is_compared(&directive.text)) {
        let wanted = normal(&directive.text);
        match there.iter().skip(from).position(|text| *text == wanted) {
            Some(place) => from += place + 1,
            None => findings.push(finding(title, directive)),
        }
    }
    findings
}

fn finding(section: &str, directive: &Directive) -> Finding {
    missing_one(section, &directive.text, &directive.comment)
}

fn missing_one(section: &str, directive: &str, reason: &str) -> Finding {
    told(FindingKind::Missing, section, directive, reason)
}

fn unwanted_one(section: &str, directive: &str, reason: &str) -> Finding {
    told(FindingKind::Unwanted, section, directive, reason)
}

fn told(kind: FindingKind, section: &str, directive: &str, reason: &str) -> Finding {
    let shown: String = directive.chars().take(SHOWN_CHARS).collect();
    let end = if directive.chars().nth(SHOWN_CHARS).is_some() { "…" } else { "" };
    Finding { kind, section: section.to_owned(), directive: format!("{shown}{end}"), reason: reason.to_owned() }
}

/// Where a service listens, logs to and sends requests is the operator's; not to whom it sends what it refuses.
fn is_compared(text: &str) -> bool {
    let is_operators = ["bind ", "log ", "default_backend ", "use_backend ", "server "];
    text.starts_with(REFUSING) || !is_operators.iter().any(|start| text.starts_with(start))
}

fn check_log(frontend: &Section, sections: &[Section]) -> Option<Finding> {
    let logs = |section: &Section| {
        let lines = section.directives.iter().map(|directive| directive.text.clone());
        lines.filter(|text| text.starts_with("log ")).collect::<Vec<_>>()
    };
    let mut lines = logs(frontend);
    if lines.iter().any(|line| line.starts_with("log global")) || lines.is_empty() {
        let shared = sections.iter().filter(|section| matches!(section.kind(), "global" | "defaults"));
        lines.extend(shared.flat_map(logs));
    }
    let targets: Vec<LogTarget> =
        lines.iter().filter(|line| !line.starts_with("log global")).map(|line| LogTarget::of(line)).collect();
    if !targets.iter().any(|target| target.length >= LEAST_LOG_LEN) {
        let reason = "HAProxy cuts lines at 1024 bytes otherwise, and a line that is cut short cannot be billed";
        return Some(missing_one(&frontend.title, &format!("log … len {LEAST_LOG_LEN}"), reason));
    }
    if !targets.iter().any(|target| target.length >= LEAST_LOG_LEN && target.gets_requests) {
        let reason = "Requests are logged at the level info: a higher one, or a sample, leaves lines out";
        return Some(missing_one(&frontend.title, "log … info", reason));
    }
    None
}

/// What a `log` line says about lines of requests.
struct LogTarget {
    /// Bytes of a line, at most.
    length: u32,
    /// Whether each request's line goes there.
    gets_requests: bool,
}

impl LogTarget {
    /// `log <address> [len <bytes>] [format <name>] [sample <ranges>] <facility> [<level> [<least level>]]`
    fn of(line: &str) -> Self {
        let mut words = line.split_whitespace().skip(2);
        let mut target = Self { length: 1024, gets_requests: true };
        while let Some(word) = words.next() {
            match word {
                "len" => target.length = words.next().and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
                "format" => drop(words.next()),
                "sample" => {
                    target.gets_requests = false;
                    words.next();
                }
                _ => {
                    target.gets_requests &= words.next().is_none_or(|level| matches!(level, "info" | "debug"));
                    break;
                }
            }
        }
        target
    }
}

fn backend_of(text: &str) -> Option<&str> {
    text.strip_prefix("default_backend ").or_else(|| text.strip_prefix("use_backend "))?.split(' ').next()
}

/// What the log format calls it, or the one whose keys are let in.
fn service_of(frontend: &Section) -> Option<Service> {
    let by = |start: &str, end: char| {
        let mut texts = frontend.directives.iter().map(|directive| directive.text.as_str());
        let number = texts.find_map(|text| text.split_once(start)?.1.split(end).next()?.parse().ok());
        number.and_then(Service::from_number)
    };
    by("%[var(txn.key),field(1,/)] ", ' ').or_else(|| by(SCOPES, '/'))
}

fn gateway_of(frontend: &Section) -> u8 {
    let mut texts = frontend.directives.iter().map(|directive| directive.text.as_str());
    texts.find_map(|text| text.split_once("s1 %Ts%ms ")?.1.split(' ').next()?.parse().ok()).unwrap_or(1)
}

/// Those whose keys are let in; mainnet, if nothing says it.
fn networks_of(frontend: &Section) -> Vec<Network> {
    let scopes = frontend.directives.iter().find_map(|directive| directive.text.split_once(SCOPES));
    let scopes = scopes.map_or("", |(_, scopes)| scopes.split('}').next().unwrap_or_default());
    let network = |scope: &str| Network::from_number(scope.split_once('/')?.1.parse().ok()?);
    let networks: Vec<Network> = scopes.split_whitespace().filter_map(network).collect();
    if networks.is_empty() { vec![Network::Mainnet] } else { networks }
}

#[cfg(test)]
mod tests;
