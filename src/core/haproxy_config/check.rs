//! What an existing configuration lacks of the rendered one.
//!
//! The rendered configuration is the measure: each of its directives must be there, in the same order, with whatever else
//! between them. So a rule that is added to it is checked from then on, and the reason that is told is the comment above it.
//! A directive that says the same in other words is reported, too: nobody can tell from here that it does.

use std::collections::BTreeMap;
use std::fmt;

use super::{ServiceSettings, Settings, render};
use crate::core::id::{Network, Service};

/// The longest a reference of a line may be in a message.
const SHOWN_CHARS: usize = 160;
/// What stands before `<service>/<network>` of the keys that are let in.
const SCOPES: &str = "var(txn.key),field(2,/,2) -m str ";
/// Bytes of a log line that fit, at least.
const LEAST_LOG_LEN: u32 = 8192;

/// Something that an existing configuration lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The section that it belongs into, such as `frontend seal`.
    pub section: String,
    /// The directive, as it is rendered.
    pub missing: String,
    /// Why it is needed.
    pub reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: missing: {}", self.section, self.missing)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, "\n    {}", self.reason) }
    }
}

/// A section and its directives, each with the comment that stands above it.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// Such as `frontend seal`.
    pub(super) title: String,
    pub(super) directives: Vec<Directive>,
}

#[derive(Debug, Clone)]
pub(super) struct Directive {
    pub(super) text: String,
    comment: String,
}

/// Everything that is missing, in the order of the file; nothing if it enforces and logs all that it should.
pub fn check(text: &str) -> Vec<Finding> {
    let sections = read(text);
    let frontends: Vec<&Section> = sections.iter().filter(|section| looks_keys_up(section)).collect();
    if frontends.is_empty() {
        return vec![Finding {
            section: "configuration".to_owned(),
            missing: "a frontend that looks keys up in keys.map".to_owned(),
            reason: "`suiftly haproxy print` prints a whole configuration".to_owned(),
        }];
    }
    let mut findings = general(&sections);
    for frontend in frontends {
        findings.extend(check_frontend(frontend, &sections));
    }
    findings
}

fn looks_keys_up(section: &Section) -> bool {
    let is_frontend = section.title.starts_with("frontend ") || section.title.starts_with("listen ");
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
            .filter(|other| other.title.split(' ').next() == Some(section.title.as_str()))
            .flat_map(|other| other.directives.iter().map(|directive| normal(&directive.text)))
            .collect();
        let is_needed = |directive: &&Directive| needed.iter().any(|start| directive.text.starts_with(start));
        let is_missing = |directive: &&Directive| !found.contains(&normal(&directive.text));
        let missing = section.directives.iter().filter(is_needed).filter(is_missing);
        findings.extend(missing.map(|directive| finding(&section.title, directive)));
        let has_socket = found.iter().any(|text| text.starts_with("stats socket ") && text.contains("level admin"));
        if section.title == "global" && !has_socket {
            findings.push(Finding {
                section: "global".to_owned(),
                missing: "stats socket … level admin".to_owned(),
                reason: "suiftly changes the maps of the running HAProxy through it".to_owned(),
            });
        }
    }
    findings
}

fn check_frontend(frontend: &Section, sections: &[Section]) -> Vec<Finding> {
    let Some(service) = service_of(frontend) else {
        return vec![Finding {
            section: frontend.title.clone(),
            missing: "log-format \"s1 …".to_owned(),
            reason: "neither the log format nor the limits tell which service this is".to_owned(),
        }];
    };
    let networks = networks_of(frontend);
    let upstreams: BTreeMap<Network, String> =
        networks.into_iter().map(|network| (network, "a:1".to_owned())).collect();
    let service_settings = ServiceSettings { upstreams, ..ServiceSettings::default_for(service) };
    let settings = Settings { gateway: gateway_of(frontend), services: vec![service_settings], ..Settings::default() };
    let reference = render(&settings).map(|text| read(&text)).unwrap_or_default();
    let mut findings = Vec::new();
    for section in &reference {
        if section.title.starts_with("frontend ") {
            findings.extend(missing(section, frontend));
        } else if ["backend ip_", "backend refuse_"].iter().any(|start| section.title.starts_with(start)) {
            let found = sections.iter().find(|other| other.title == section.title);
            findings.extend(missing(section, found.unwrap_or(&Section::default())));
        }
    }
    findings.extend(check_log(frontend, sections));
    let backends = frontend.directives.iter().filter_map(|directive| backend_of(&directive.text));
    let backends = backends.filter(|name| !name.starts_with("refuse_"));
    for name in backends {
        let backend = sections.iter().find(|section| section.title == format!("backend {name}"));
        let reference = reference.iter().find(|section| section.title.starts_with("backend be_"));
        if let (Some(backend), Some(reference)) = (backend, reference) {
            findings.extend(missing(reference, backend));
        }
    }
    findings.iter_mut().filter(|finding| finding.section.is_empty()).for_each(|finding| {
        finding.section.clone_from(&frontend.title);
    });
    findings
}

/// Directives of the reference that do not follow each other in the section.
fn missing(reference: &Section, found: &Section) -> Vec<Finding> {
    let there: Vec<String> = found.directives.iter().map(|directive| normal(&directive.text)).collect();
    let mut from = 0;
    let mut findings = Vec::new();
    for directive in reference.directives.iter().filter(|directive| is_compared(&directive.text)) {
        let wanted = normal(&directive.text);
        match there.iter().skip(from).position(|text| *text == wanted) {
            Some(place) => from += place + 1,
            None => {
                let title = if found.title.is_empty() { &reference.title } else { &found.title };
                findings.push(finding(title, directive));
            }
        }
    }
    findings
}

fn finding(section: &str, directive: &Directive) -> Finding {
    let shown: String = directive.text.chars().take(SHOWN_CHARS).collect();
    let end = if directive.text.chars().nth(SHOWN_CHARS).is_some() { "…" } else { "" };
    Finding { section: section.to_owned(), missing: format!("{shown}{end}"), reason: directive.comment.clone() }
}

/// Where a service listens, logs to and sends requests is the operator's.
fn is_compared(text: &str) -> bool {
    !["bind ", "log ", "default_backend ", "use_backend ", "server "].iter().any(|start| text.starts_with(start))
}

fn check_log(frontend: &Section, sections: &[Section]) -> Option<Finding> {
    let logs = |section: &Section| {
        let lines = section.directives.iter().map(|directive| directive.text.clone());
        lines.filter(|text| text.starts_with("log ")).collect::<Vec<_>>()
    };
    let mut lines = logs(frontend);
    if lines.iter().any(|line| line.starts_with("log global")) || lines.is_empty() {
        let shared =
            sections.iter().filter(|section| section.title == "global" || section.title.starts_with("defaults"));
        lines.extend(shared.flat_map(logs));
    }
    let length = |line: &String| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "len").skip(1);
        words.next().and_then(|word| word.parse::<u32>().ok()).unwrap_or(1024)
    };
    let is_good = lines.iter().any(|line| !line.starts_with("log global") && length(line) >= LEAST_LOG_LEN);
    (!is_good).then(|| Finding {
        section: frontend.title.clone(),
        missing: format!("log … len {LEAST_LOG_LEN}"),
        reason: "HAProxy cuts lines at 1024 bytes otherwise, and a line that is cut short cannot be billed".to_owned(),
    })
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

/// Sections with their directives. Comments of several lines are one sentence; an empty line ends them.
pub(super) fn read(text: &str) -> Vec<Section> {
    const TITLES: [&str; 14] = [
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "peers",
        "resolvers",
        "userlist",
        "mailers",
        "ring",
        "cache",
        "program",
        "http-errors",
        "log-forward",
    ];
    let mut sections: Vec<Section> = Vec::new();
    let mut comment = String::new();
    let mut is_open = false;
    for line in text.lines() {
        let line = line.trim();
        if let Some(words) = line.strip_prefix('#') {
            if !is_open {
                comment.clear();
            }
            let between = if comment.is_empty() { "" } else { " " };
            comment.push_str(between);
            comment.push_str(words.trim());
            is_open = true;
            continue;
        }
        is_open = false;
        if line.is_empty() {
            comment.clear();
        } else if TITLES.contains(&line.split_whitespace().next().unwrap_or_default()) {
            sections.push(Section { title: words(line), directives: Vec::new() });
            comment.clear();
        } else if let Some(section) = sections.last_mut() {
            section.directives.push(Directive { text: line.to_owned(), comment: comment.clone() });
        }
    }
    sections
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What two directives have in common that say the same: blanks, folders of maps, the words of an answer, and the sizes of
/// tables do not count.
fn normal(text: &str) -> String {
    let text = words(text);
    let text = text.split("map_str(").enumerate().map(|(number, part)| match (number, part.find(".map")) {
        (1.., Some(end)) => {
            let (path, rest) = part.split_at(end);
            format!("map_str({}{rest}", path.rsplit('/').next().unwrap_or(path))
        }
        (1.., None) => format!("map_str({part}"),
        (0, _) => part.to_owned(),
    });
    let text: String = text.collect();
    let text = match (text.find("\"title\":\""), text.rfind("\"}'")) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{}", text.get(..begin).unwrap_or_default(), text.get(end..).unwrap_or_default())
        }
        _ => text,
    };
    let mut kept: Vec<&str> = Vec::new();
    let is_table = text.starts_with("stick-table ");
    for word in text.split(' ') {
        let is_size = is_table && matches!(kept.last(), Some(&("size" | "expire" | "len")));
        kept.push(if is_size { "…" } else { word });
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered() -> String {
        render(&Settings::default()).unwrap()
    }

    fn missing_of(text: &str) -> Vec<String> {
        check(text).iter().map(|finding| format!("{}: {}", finding.section, finding.missing)).collect()
    }

    #[test]
    fn what_is_rendered_lacks_nothing() {
        assert_eq!(missing_of(&rendered()), [""; 0]);
        let mut settings = Settings { gateway: 7, map_folder: "/srv/maps".to_owned(), ..Settings::default() };
        let both = [(Network::Mainnet, "a:1".to_owned()), (Network::Testnet, "b:2".to_owned())];
        settings.services.iter_mut().for_each(|service| service.upstreams = both.clone().into());
        assert_eq!(missing_of(&render(&settings).unwrap()), [""; 0]);
    }

    #[test]
    fn what_an_operator_may_change_is_not_missed() {
        let text = rendered()
            .replace("bind 0.0.0.0:20002", "bind :443 ssl crt /etc/ssl/a.pem alpn h2,http/1.1")
            .replace("size 100k expire 10s", "size 1m expire 60s")
            .replace("This address is not on the allowlist of the account.", "Nein.")
            .replace(
                "  http-request sc-inc-gpc0(0) if",
                "  http-request set-var(txn.mine) int(1)\n  http-request   sc-inc-gpc0(0)  if",
            )
            .replace("log /dev/log len 8192 local0 info", "log ring@requests len 9000 local0");
        assert_eq!(missing_of(&text), [""; 0]);
    }

    /// Every line of the rules matters: without it, or after the next one, something is found.
    #[test]
    fn every_directive_of_a_service_is_missed_and_its_place_matters() {
        let text = rendered();
        let begin = text.find("frontend grpc").unwrap();
        let end = text.find("frontend graphql").unwrap();
        let lines: Vec<&str> = text[begin..end].lines().collect();
        let is_rule = |line: &&str| line.starts_with("  ") && !line.trim().starts_with('#') && is_compared(line.trim());
        let rules: Vec<&str> = lines.iter().copied().filter(is_rule).collect();
        assert!(rules.len() > 80, "{}", rules.len());
        for rule in rules {
            let part = text[begin..end].replacen(&format!("{rule}\n"), "", 1);
            let found = check(&format!("{}{part}{}", &text[..begin], &text[end..]));
            let is_told = |finding: &Finding| rule.trim().starts_with(finding.missing.trim_end_matches('…'));
            assert!(found.iter().any(is_told), "{rule}: {found:?}");
        }
        let counted = "  http-request sc-inc-gpc0(0) if { var(txn.class) -m found }\n";
        let swapped = text.replacen(counted, "", 1).replacen(
            "  http-request track-sc0",
            &format!("{counted}  http-request track-sc0"),
            1,
        );
        assert!(!check(&swapped).is_empty());
    }

    #[test]
    fn what_is_needed_beside_the_rules_is_missed_with_its_reason() {
        let text = rendered();
        for (from, to, expected) in [
            ("level admin", "level user", "global: stats socket … level admin"),
            ("  tune.http.logurilen 2048\n", "", "global: tune.http.logurilen 2048"),
            (" len 8192", "", "frontend seal: log … len 8192"),
            (
                "backend ip_seal\n",
                "backend ip_other\n",
                "backend ip_seal: stick-table type string len 64 size 100k expire 10s store gpc0_rate(1s)",
            ),
            ("backend refuse_seal\n", "backend other\n", "backend refuse_seal: http-request set-var(txn.class) int(3)"),
            (
                "deny deny_status 502",
                "deny deny_status 503",
                "backend be_seal: http-response deny deny_status 502 if { status 101 }",
            ),
        ] {
            let changed = text.replace(from, to);
            assert!(missing_of(&changed).contains(&expected.to_owned()), "{expected}: {:?}", missing_of(&changed));
        }
        let without = text.replacen("  http-request del-header ^(connection", "  #", 1);
        let findings = check(&without);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].reason.starts_with("Before the headers that the backend trusts"), "{}", findings[0]);
        assert_eq!(missing_of("global\n  maxconn 1\n"), ["configuration: a frontend that looks keys up in keys.map"]);
        assert_eq!(missing_of("\u{0}"), missing_of(""));
    }
}
